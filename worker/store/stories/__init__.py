"""Stories, the articles that tell them, and what a new article's story is found by."""

from worker.store.stories.counting import count, forget_counts, frequency
from worker.store.stories.forgetting import forget_empty
from worker.store.stories.hands import Hand, HandKind, apart_from, is_held, note, of_story, put_apart, put_together
from worker.store.stories.joining import apart, group, live, merge, merged, merged_into, part, point, root, unite
from worker.store.stories.memory import candidates, change
from worker.store.stories.reading import Perhaps, StoredStory, StoryLine, counts, get, lines, newest, pointing
from worker.store.stories.scheme import Judged, begin_again, is_taken, judged, next_to_judge, note_judged
from worker.store.stories.telling import (
    drop_terms,
    forget_place,
    found,
    is_empty,
    put,
    put_copies,
    renew,
    retitle,
    story_of,
    tell,
    tell_copy,
)

__all__ = [
    "Hand",
    "HandKind",
    "Judged",
    "Perhaps",
    "StoredStory",
    "StoryLine",
    "apart",
    "apart_from",
    "begin_again",
    "candidates",
    "change",
    "count",
    "counts",
    "drop_terms",
    "forget_counts",
    "forget_empty",
    "forget_place",
    "found",
    "frequency",
    "get",
    "group",
    "is_empty",
    "is_held",
    "is_taken",
    "judged",
    "lines",
    "live",
    "merge",
    "merged",
    "merged_into",
    "newest",
    "next_to_judge",
    "note",
    "note_judged",
    "of_story",
    "part",
    "point",
    "pointing",
    "put",
    "put_apart",
    "put_copies",
    "put_together",
    "renew",
    "retitle",
    "root",
    "story_of",
    "tell",
    "tell_copy",
    "unite",
]
