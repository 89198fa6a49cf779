"""Stories, the articles that tell them, and what a new article's story is found by."""

from worker.store.stories.counting import count, forget_counts, frequency
from worker.store.stories.finding import Found, candidates
from worker.store.stories.forgetting import forget_empty, forget_keys
from worker.store.stories.hands import Hand, HandKind, is_held
from worker.store.stories.joining import apart, group, merge, merged, merged_into, part, point, root, unite
from worker.store.stories.reading import Perhaps, StoredStory, StoryLine, counts, get, lines, newest, pointing
from worker.store.stories.scheme import Judged, judged, note_judged
from worker.store.stories.telling import found, is_empty, put, renew, story_of, tell, tell_copy

__all__ = [
    "Found",
    "Hand",
    "HandKind",
    "Judged",
    "Perhaps",
    "StoredStory",
    "StoryLine",
    "apart",
    "candidates",
    "count",
    "counts",
    "forget_counts",
    "forget_empty",
    "forget_keys",
    "found",
    "frequency",
    "get",
    "group",
    "is_empty",
    "is_held",
    "judged",
    "lines",
    "merge",
    "merged",
    "merged_into",
    "newest",
    "note_judged",
    "part",
    "point",
    "pointing",
    "put",
    "renew",
    "root",
    "story_of",
    "tell",
    "tell_copy",
    "unite",
]
