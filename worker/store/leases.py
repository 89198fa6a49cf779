"""Leases by their owner: given back by a worker that stops in order, taken from one whose heart stopped."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from worker.model import EntryState
from worker.store import deliveries
from worker.store.database import Tx
from worker.store.tables import DeliveryRow, EntryRow, FeedRow, HeartbeatRow

_delivery: sa.Table = DeliveryRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_entry: sa.Table = EntryRow.__table__  # type: ignore[attr-defined]  # as above
_feed: sa.Table = FeedRow.__table__  # type: ignore[attr-defined]  # as above
_heartbeat: sa.Table = HeartbeatRow.__table__  # type: ignore[attr-defined]  # as above

#: An index finds these; entries that are done hold no lease.
_UNDER_WAY = [EntryState.NEW, EntryState.READY]


def give_back(tx: Tx, owner: str, now: datetime) -> None:
    """End the leases of a worker that stops in order; a try that the stop cut off counts against no entry."""
    own = (_entry.c.state.in_(_UNDER_WAY), _entry.c.owner == owner, _entry.c.lease_until.is_not(None))
    fewer = sa.case((_entry.c.attempts > 0, _entry.c.attempts - 1), else_=0)
    tx.execute(sa.update(_entry).where(*own).values(lease_until=None, owner="", attempts=fewer))
    tx.execute(sa.update(_feed).where(_feed.c.owner == owner).values(lease_until=None, owner=""))
    deliveries.release_own(tx, owner, now)


def take_over(tx: Tx, owners: Collection[str]) -> int:
    """End the leases of workers that are dead; returns how many entries and deliveries are free again.

    Their tries stay counted: an attempt without an outcome may be what killed its process.
    """
    dead = list(owners)
    freed = 0
    for table, where in (
        (_entry, _entry.c.state.in_(_UNDER_WAY)),
        (_delivery, _delivery.c.state.in_(deliveries.DUE)),
    ):
        held = (where, table.c.owner.in_(dead), table.c.lease_until.is_not(None))
        freed += tx.execute(sa.update(table).where(*held).values(lease_until=None, owner="")).rowcount
    tx.execute(sa.update(_feed).where(_feed.c.owner.in_(dead)).values(lease_until=None, owner=""))
    tx.execute(sa.delete(_heartbeat).where(_heartbeat.c.owner.in_(dead)))
    return freed
