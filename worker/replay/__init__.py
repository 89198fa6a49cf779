"""History again, without a word to anybody.

texts        other rules over the stored texts: what they would have matched, and told (`veille rules`)
documents    the kept documents through the whole pipeline (`veille replay`)
differences  what came of them, beside the store
"""

from worker.replay.differences import Differences
from worker.replay.documents import Rerun, rerun
from worker.replay.texts import Hit, Replayed, replay

__all__ = ["Differences", "Hit", "Replayed", "Rerun", "replay", "rerun"]
