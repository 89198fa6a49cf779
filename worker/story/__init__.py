"""Which articles tell of one event: `terms` weighs an article's words, `verdict` decides on its story."""

from worker.story.terms import Bag, Vector, bag, dump, from_archive, hashed, keys, unpacked, weighted
from worker.story.verdict import COMPARED, WINDOW, Candidate, StoryVerdict, Told, decide

__all__ = [
    "COMPARED",
    "WINDOW",
    "Bag",
    "Candidate",
    "StoryVerdict",
    "Told",
    "Vector",
    "bag",
    "decide",
    "dump",
    "from_archive",
    "hashed",
    "keys",
    "unpacked",
    "weighted",
]
