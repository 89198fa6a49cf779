"""Leases by their owner: given back by a worker that stops in order, taken from one whose heart stopped."""

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.model import DeliveryState, EntryState, WaitReason
from worker.store import deliveries
from worker.store.database import Tx
from worker.store.tables import DELIVERY, ENTRY, FEED, HEARTBEAT, TARGET

#: An index finds these; entries that are done hold no lease.
_UNDER_WAY = [EntryState.NEW, EntryState.READY]


def give_back(tx: Tx, owner: str, now: datetime) -> None:
    """End the leases of a worker that stops in order; a try that the stop cut off counts against no entry."""
    give_back_idle(tx, owner, (), (), is_ingesting=False)
    deliveries.release_own(tx, owner, now)


def give_back_idle(tx: Tx, owner: str, feeds: Collection[str], pages: Collection[int], *, is_ingesting: bool) -> None:
    """End a worker's own leases that no job of its works under: one whose job the store refused would last its time.

    `feeds` are those that it polls now, `pages` the entries whose pages it fetches.
    """
    idle = (FEED.c.owner == owner, FEED.c.key.not_in(list(feeds)))
    tx.execute(sa.update(FEED).where(*idle).values(lease_until=None, owner=""))
    _free_pages(tx, [owner], ENTRY.c.id.not_in(list(pages)))
    if not is_ingesting:
        own = (ENTRY.c.state.in_(_UNDER_WAY), ENTRY.c.owner == owner, ENTRY.c.lease_until.is_not(None))
        fewer = sa.case((ENTRY.c.attempts > 0, ENTRY.c.attempts - 1), else_=0)
        tx.execute(sa.update(ENTRY).where(*own).values(lease_until=None, owner="", attempts=fewer))


def take_over(tx: Tx, owners: Collection[str]) -> tuple[int, frozenset[str]]:
    """End the leases of workers that are dead.

    Returns how many entries and deliveries are free again, and which of the workers nobody had struck out before.
    Their tries stay counted: an attempt without an outcome may be what killed its process.
    """
    dead = list(owners)
    freed = 0
    for table, where in (
        (ENTRY, ENTRY.c.state.in_(_UNDER_WAY)),
        (DELIVERY, DELIVERY.c.state.in_(deliveries.DUE)),
    ):
        held = (where, table.c.owner.in_(dead), table.c.lease_until.is_not(None))
        freed += tx.execute(sa.update(table).where(*held).values(lease_until=None, owner="")).rowcount
    tx.execute(sa.update(FEED).where(FEED.c.owner.in_(dead)).values(lease_until=None, owner=""))
    _free_pages(tx, dead)
    struck = sa.delete(HEARTBEAT).where(HEARTBEAT.c.owner.in_(dead)).returning(HEARTBEAT.c.owner)
    return freed, frozenset(tx.execute(struck).scalars())


def _free_pages(tx: Tx, owners: Collection[str], *more: sa.ColumnElement[bool]) -> None:
    """End page leases; their tries stay counted, so that a page that no job survives is not fetched for ever."""
    # The number stands in the statement, since a parameter would not find the partial index.
    held = (ENTRY.c.page_tries > sa.literal_column("0"), ENTRY.c.page_owner.in_(list(owners)), *more)
    tx.execute(sa.update(ENTRY).where(*held).values(page_lease_until=None, page_owner=""))


# A clock that was set back: what waits would wait so much longer, and what is under lease be held so much longer.


#: What waits for a time of day, which is what it was: it is moved by whole days.
_TOLD_BY_THE_CLOCK = [WaitReason.QUIET_HOURS, WaitReason.DIGEST]
_WAITING = [DeliveryState.OPEN, DeliveryState.SEALED, DeliveryState.RETRY]


def newest(tx: Tx) -> datetime | None:
    """The latest moment at which a worker wrote down that it ticked or polled."""
    queries = (sa.select(sa.func.max(HEARTBEAT.c.tick)), sa.select(sa.func.max(FEED.c.last_polled)))
    return max((found for query in queries if (found := tx.execute(query).scalar()) is not None), default=None)


def set_back(tx: Tx, by: timedelta, *, now: datetime, lease: timedelta) -> None:
    """The clock was set back by that much, and it is `now`: what waits becomes due so much earlier.

    No lease outlasts `lease` from now, which a job that still runs needs at most.
    """
    not_by_the_clock = (DELIVERY.c.state.in_(_WAITING), DELIVERY.c.hold.not_in(_TOLD_BY_THE_CLOCK))
    for column, where in (
        (FEED.c.due, ()),
        (FEED.c.not_before, ()),
        (ENTRY.c.page_due, (ENTRY.c.state == EntryState.NEW,)),
        (ENTRY.c.page_at, (ENTRY.c.page_tries > 0,)),
        (DELIVERY.c.due, not_by_the_clock),
        (TARGET.c.blocked_until, ()),
        (TARGET.c.probe_at, ()),
        (TARGET.c.next_at, ()),
    ):
        _earlier(tx, column, where, by, now)
    # Otherwise what was held by a clock of another year would wait for that year.
    if whole := timedelta(days=by.days):
        by_the_clock = (DELIVERY.c.state.in_(_WAITING), DELIVERY.c.hold.in_(_TOLD_BY_THE_CLOCK))
        _earlier(tx, DELIVERY.c.due, by_the_clock, whole, now)
    for column in (FEED.c.lease_until, ENTRY.c.lease_until, ENTRY.c.page_lease_until, DELIVERY.c.lease_until):
        table = column.table
        tx.execute(sa.update(table).where(column > now + lease).values({column.name: now + lease}))


def _earlier(
    tx: Tx, column: sa.Column[datetime], where: tuple[sa.ColumnElement[bool], ...], by: timedelta, now: datetime
) -> None:
    """Move the future times of a column, each value once: many rows share one, and SQLite cannot subtract."""
    table = column.table
    for time in tx.execute(sa.select(column).where(column > now, *where).distinct()).scalars().all():
        tx.execute(sa.update(table).where(column == time, *where).values({column.name: max(time - by, now)}))
