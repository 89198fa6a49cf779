"""History again, without a word to anybody.

texts       other rules over the stored texts: what they would have matched, and told (`veille rules`)
again       the kept bytes through the whole pipeline, on the clock of then (`veille replay`)
compared    what came of that, beside the ledger
"""

from worker.replay.again import run_again
from worker.replay.compared import Compared, compare
from worker.replay.past import Again, Skipped
from worker.replay.texts import Hit, Replayed, replay

__all__ = ["Again", "Compared", "Hit", "Replayed", "Skipped", "compare", "replay", "run_again"]
