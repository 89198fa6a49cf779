"""The other workers on a store, as their heartbeats show: one that beats no more is dead."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from worker.store.upkeep import Heartbeat

if TYPE_CHECKING:
    from datetime import datetime

#: Seconds without a beat after which a worker is taken for dead; it beats every five.
DEAD_AFTER = 40.0
#: Seconds between two looks after which nothing is known: while the store refused this worker, others were refused too.
_LOOKS_APART = 15.0


class Others:
    """The heartbeats of other workers, as one worker has seen them.

    A beat counts by whether it changed from one look to the next, on this process's monotonic clock: the clocks of two
    machines disagree, and may be set.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        #: Owner -> its last beat, and when that was first seen.
        self._seen: dict[str, tuple[datetime, float]] = {}
        self._looked = 0.0

    def dead(self, beats: Iterable[Heartbeat], at: float) -> tuple[str, ...]:
        """The owners whose heart stopped, as these beats show; `at` is in seconds of a monotonic clock."""
        before = self._seen if at - self._looked <= _LOOKS_APART else {}
        self._looked = at
        self._seen = {
            beat.owner: was if (was := before.get(beat.owner)) and was[0] == beat.tick else (beat.tick, at)
            for beat in beats
            if beat.owner != self._owner
        }
        return tuple(owner for owner, (_, since) in self._seen.items() if at - since >= DEAD_AFTER)
