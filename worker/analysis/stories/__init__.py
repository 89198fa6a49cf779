"""Stories: the articles that tell of one event.

`terms` weighs words, `batch` those of articles that come together, `likeness` compares two articles, `decision` chooses
the story.
"""

from worker.analysis.stories.batch import Batch, hashes_of
from worker.analysis.stories.decision import (
    COMPARED,
    COMPARED_IN_GROUP,
    SCHEME,
    STRONG,
    WINDOW,
    Candidate,
    StoryVerdict,
    decide,
)
from worker.analysis.stories.index import Index
from worker.analysis.stories.likeness import StoryMember
from worker.analysis.stories.terms import (
    Bag,
    Vector,
    bag,
    dump,
    from_archive,
    hashed,
    keys,
    unpacked,
    weighted,
)

__all__ = [
    "COMPARED",
    "COMPARED_IN_GROUP",
    "SCHEME",
    "STRONG",
    "WINDOW",
    "Bag",
    "Batch",
    "Candidate",
    "Index",
    "StoryMember",
    "StoryVerdict",
    "Vector",
    "bag",
    "decide",
    "dump",
    "from_archive",
    "hashed",
    "hashes_of",
    "keys",
    "unpacked",
    "weighted",
]
