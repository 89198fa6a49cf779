"""Queues of a cluster: what waits for workers of each role, and which workers live.

On PostgreSQL alone. Each worker keeps one connection open, in which it holds a lock of its own name: the database gives
the lock back when the process dies, or its machine falls silent, and so the others see within seconds who is gone.
"""

import select
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from worker.errors import StoreError
from worker.model import EntryState, Role
from worker.store import deliveries, pages
from worker.store.database import Store, Tx, session_name
from worker.store.tables import DELIVERY, ENTRY, FEED, TARGET

T = TypeVar("T")
#: As Procrastinate adds a job, whose trigger tells those that listen.
_WAKE = sa.text("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES (:role, :role)")

_DELIVERY = DELIVERY.outerjoin(TARGET, TARGET.c.id == DELIVERY.c.target_id)
#: Overdue feeds that are looked at to see whether one of them is configured.
_MOST = 10_000
#: "veil", "host" and "poll": the first number of an advisory lock says what the second one names.
_WORKER, _HOST, _POLL = 0x7665696C, 0x686F7374, 0x706F6C6C
#: Whose name no session holds, or whose heart stopped while its session goes on: as of a process that is frozen.
_GONE = sa.text("""
    SELECT h.owner FROM heartbeat AS h WHERE h.roles <> '' AND h.owner <> :owner AND (
        h.tick < clock_timestamp() - :frozen * interval '1 second' OR NOT EXISTS (
            SELECT 1 FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.classid = :member AND l.objid::bigint = hashtext(h.owner)::bigint & 4294967295))
""")
_END = sa.text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = ANY(:names) AND datname = current_database() AND usename = current_user
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Work that waits for a worker of one role."""

    role: Role
    count: int
    #: Since when the oldest of it waits; None where nothing does.
    since: datetime | None


def asked_for(tx: Tx, feeds: Callable[[str], object], *, now: datetime) -> frozenset[Role]:
    """The roles that have work waiting, in one statement; of feeds those that `feeds` knows count."""
    overdue = sa.select(FEED.c.key).where(FEED.c.due <= now, _is_free(FEED.c.lease_until, now))
    # Those that were taken out of the configuration have waited longest.
    due = overdue.order_by(FEED.c.due.desc()).limit(_MOST).subquery()
    sent = sa.select(DELIVERY.c.id).select_from(_DELIVERY).where(*deliveries.sendable(now))
    keys, page, ready, delivery = tx.execute(
        sa.select(
            sa.select(sa.func.array_agg(due.c.key)).scalar_subquery(),
            sa.exists().where(*pages.wanted(now)),
            sa.exists().where(_ready(now)),
            sent.exists(),
        )
    ).one()
    poll = page or any(map(feeds, keys or ()))
    return frozenset(role for role, is_so in zip(Role, (poll, ready, delivery), strict=True) if is_so)


def wake(tx: Tx, roles: Iterable[Role]) -> None:
    """Wake a worker for each of these roles once the transaction commits; raises StoreError. See `Store.wake`."""
    try:
        tx.execute(_WAKE, [{"role": str(role)} for role in roles])
    except sa.exc.DBAPIError as e:  # whatever it is: what the transaction is about is not at fault
        raise StoreError(f"the store could not do it: {e.orig}") from e


def now(tx: Tx) -> datetime:
    """PostgreSQL's clock, by which all workers of a cluster go."""
    at: datetime = tx.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return at


def waiting(tx: Tx, feeds_due: Iterable[datetime], *, now: datetime) -> tuple[Waiting, ...]:
    """The work that waits for each role, for people; the feeds' part is known by their times."""
    overdue = [due for due in feeds_due if due <= now]
    ready = tx.execute(sa.select(sa.func.count(), sa.func.min(ENTRY.c.first_seen)).where(_ready(now))).one()
    query = sa.select(sa.func.count(), sa.func.min(DELIVERY.c.due)).select_from(_DELIVERY)
    sent = tx.execute(query.where(*deliveries.sendable(now))).one()
    return (
        Waiting(role=Role.POLL, count=len(overdue), since=min(overdue, default=None)),
        Waiting(role=Role.INGEST, count=int(ready[0]), since=ready[1]),
        Waiting(role=Role.DELIVER, count=int(sent[0]), since=sent[1]),
    )


def _is_free(lease: "sa.Column[datetime | None]", now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(lease.is_(None), lease <= now)


def _ready(now: datetime) -> sa.ColumnElement[bool]:
    late = sa.and_(ENTRY.c.state == EntryState.NEW, ENTRY.c.page_due <= now)
    return sa.or_(late, sa.and_(ENTRY.c.state == EntryState.READY, _is_free(ENTRY.c.lease_until, now)))


def polled_by_others(tx: Tx, owner: str, *, now: datetime) -> tuple[str, ...]:
    """The feeds that other workers poll now; until the transaction ends nobody else may ask that, and claim by it.

    A SQLite store has no other workers.
    """
    if tx.dialect.name != "postgresql":
        return ()
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_POLL, 0)))
    query = sa.select(FEED.c.key).where(FEED.c.lease_until > now, FEED.c.owner != owner)
    return tuple(tx.execute(query).scalars())


class Presence:
    """A worker as the others see it: a connection of its own, with locks that die with it.

    Its statements are transactions of their own. Safe for use from several threads.
    """

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._lock = threading.Lock()
        self._tx: Tx | None = None
        #: A session may take its own locks again: those that this one holds.
        self._slots: set[tuple[str, int]] = set()

    def run(self, function: Callable[[Tx], T]) -> T:
        """`function`'s answer to the connection, which is opened again if it was lost; raises StoreError."""
        with self._lock, self._store.translated():
            try:
                tx = self._tx or self._open()
                return function(tx)
            except sa.exc.DBAPIError:
                self._drop()
                raise

    def is_cut(self) -> bool:
        """Tells whether the connection was ended by the other side: it speaks unasked only then."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._tx is None:
                return True
            asked = select.poll()
            asked.register(self._tx.connection.driver_connection.fileno(), select.POLLIN)  # type: ignore[union-attr]
            if cut := bool(asked.poll(0)):
                self._drop()
        except (OSError, ValueError, sa.exc.DBAPIError):
            self._drop()
            return True
        else:
            return cut
        finally:
            self._lock.release()

    def close(self) -> None:
        """Let go of the connection: the others see at once that this worker is gone."""
        with self._lock:
            self._drop()

    def gone(self, *, frozen: float) -> frozenset[str]:
        """The owners of the cluster whose sessions ended, or who wrote no heartbeat for `frozen` seconds."""
        asked = {"owner": self._owner, "member": _WORKER, "frozen": frozen}
        return self.run(lambda tx: frozenset(tx.execute(_GONE, asked).scalars()))

    def end_sessions(self, owners: Iterable[str]) -> None:
        """End the sessions of workers that are gone: what is frozen in a transaction keeps its locks otherwise."""
        parts = (owner.rsplit(":", 2) for owner in owners)
        names = [session_name(host, pid, which.rpartition("-")[2]) for host, pid, which in parts]
        self.run(lambda tx: tx.execute(_END, {"names": names}))

    def now(self) -> datetime:
        """The database's clock, by which all workers of a cluster go."""
        return self.run(now)

    def take_slot(self, host: str, slots: int) -> int | None:
        """Take one of so many connection slots of a host, of all workers together; None where none is free."""

        def take(tx: Tx) -> int | None:
            for slot in range(slots):
                if (host, slot) in self._slots:
                    continue
                key = sa.func.hashtext(f"{slot}:{host}")
                if tx.execute(sa.select(sa.func.pg_try_advisory_lock(_HOST, key))).scalar():
                    self._slots.add((host, slot))
                    return slot
            return None

        return self.run(take)

    def give_slot(self, host: str, slot: int) -> None:
        """Give back a connection slot of a host; nothing happens where it was lost with the connection."""

        def give(tx: Tx) -> None:
            if (host, slot) in self._slots:
                self._slots.discard((host, slot))
                tx.execute(sa.select(sa.func.pg_advisory_unlock(_HOST, sa.func.hashtext(f"{slot}:{host}"))))

        self.run(give)

    def _open(self) -> Tx:
        tx = self._store.connect()
        # Shared, so that two names with one number do not wait for each other.
        tx.execute(sa.select(sa.func.pg_advisory_lock_shared(_WORKER, sa.func.hashtext(self._owner))))
        self._tx = tx
        return tx

    def _drop(self) -> None:
        tx, self._tx = self._tx, None
        self._slots.clear()
        if tx is not None:
            tx.invalidate()
            tx.close()
