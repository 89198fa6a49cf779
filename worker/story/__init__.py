"""Which articles tell of one event.

`terms` weighs an article's words, `likeness` compares two articles, `verdict` decides on an article's story.
"""

from worker.story.index import Index
from worker.story.likeness import Told
from worker.story.terms import Bag, Vector, bag, dump, from_archive, hashed, hashes, keys, unpacked, weighted
from worker.story.verdict import COMPARED, COMPARED_IN_GROUP, SCHEME, STRONG, WINDOW, Candidate, StoryVerdict, decide

__all__ = [
    "COMPARED",
    "COMPARED_IN_GROUP",
    "SCHEME",
    "STRONG",
    "WINDOW",
    "Bag",
    "Candidate",
    "Index",
    "StoryVerdict",
    "Told",
    "Vector",
    "bag",
    "decide",
    "dump",
    "from_archive",
    "hashed",
    "hashes",
    "keys",
    "unpacked",
    "weighted",
]
