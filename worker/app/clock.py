"""The only clock, and what an old tick means."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.store import Store

#: A tick this old means a worker that hangs, or none.
LATE_AFTER = timedelta(seconds=20)
#: A clock that is corrected by less is none that was set back.
SET_BACK = timedelta(minutes=1)


def clock() -> datetime:
    """Now, aware UTC: the only place that reads the clock."""
    return datetime.now(UTC)  # noqa: TID251 - this is that place


def is_alive(store: "Store", now: datetime) -> bool:
    """Whether a worker ticked a moment ago. A clock set back does not make it dead."""
    # Here, because health reads the clock every half minute and has no other use for the store's libraries.
    from worker.store import upkeep

    with store.read() as tx:
        beat = upkeep.heartbeat(tx)
    return beat is not None and now - beat.tick < LATE_AFTER
