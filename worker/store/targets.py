"""State of targets beyond the configuration: failures that hold them up, and the time of their next message.

It lies in the store, so that it outlives a restart and holds for every worker.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.model import DeliveryState, TargetState
from worker.store.database import Tx, insert, read_as
from worker.store.tables import DELIVERY, TARGET

#: States of deliveries that may come to be due.
_WAITS = (DeliveryState.OPEN, DeliveryState.SEALED, DeliveryState.RETRY)

# Statements of every delivery, made once.
_LOCK = (
    sa.select(TARGET.c.id)
    .where(TARGET.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(TARGET.c.id)
    .with_for_update()
)
_ROW = sa.select(TARGET).where(TARGET.c.id == sa.bindparam("one")).with_for_update()

#: A turn may come so much early, as a part of the pace: a tick that is on time must not miss it by a hair.
_EARLY = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLine:
    """A target that is held up, for people."""

    id: str
    #: Why nothing is sent until the configuration is read again; empty: it is not parked.
    parked: str
    #: Failures in a row, and since when; no time: it does not fail.
    failures: int
    failing_since: datetime | None
    #: Nothing is sent before then, or one message only.
    until: datetime | None


def takes(now: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    """Tells whether a message may go out now, of a row that is the target's or NULL (`outerjoin`)."""
    waits = (TARGET.c.blocked_until, TARGET.c.probe_at, TARGET.c.next_at)
    over = (sa.or_(column.is_(None), column <= now) for column in waits)
    return sa.or_(TARGET.c.id.is_(None), sa.and_(TARGET.c.parked == "", *over))


def paced(now: datetime) -> sa.ColumnElement[bool]:
    """Tells whether it is its rate alone that holds it up."""
    waits = (sa.or_(column.is_(None), column <= now) for column in (TARGET.c.blocked_until, TARGET.c.probe_at))
    return sa.and_(TARGET.c.parked == "", TARGET.c.next_at.is_not(None), *waits)


def next_turn(tx: Tx, *, now: datetime, busy: Collection[int] = ()) -> datetime | None:
    """The time of a target's next message, where deliveries are due and wait for nothing but its rate."""
    query = (
        sa.select(sa.func.min(TARGET.c.next_at))
        .select_from(DELIVERY.join(TARGET, TARGET.c.id == DELIVERY.c.target_id))
        .where(
            DELIVERY.c.state.in_(_WAITS),
            DELIVERY.c.due <= now,
            DELIVERY.c.lease_until.is_(None),
            DELIVERY.c.id.not_in(list(busy)),
            paced(now),
        )
    )
    at: datetime | None = tx.execute(query).scalar()
    return at


def takes_many() -> sa.ColumnElement[bool]:
    """Tells whether more than one at a time may."""
    return sa.and_(TARGET.c.probe_at.is_(None), TARGET.c.next_at.is_(None))


def fails() -> sa.ColumnElement[bool]:
    """Tells whether it is tried with one delivery while the others wait."""
    return TARGET.c.probe_at.is_not(None)


def lock(tx: Tx, target_ids: Collection[str]) -> set[str]:
    """Those of the targets that something is known of, locked until the transaction ends; nothing holds up others."""
    return set(tx.execute(_LOCK, {"ids": list(target_ids)}).scalars())


def may_go(tx: Tx, target_id: str, now: datetime) -> bool:
    """True where a message may go out to the target now; what it says holds until the transaction ends."""
    return _takes_now(_locked(tx, target_id), now)


def take_turn(
    tx: Tx, target_id: str, delivery_id: int, *, pace: timedelta | None, now: datetime, lease: timedelta
) -> bool:
    """Use the target's turn for a delivery, in the transaction that claimed it; False where there is none now.

    The next comes `pace` later. Of a target that fails, the delivery is tried for all others until `lease` is over.
    """
    row = _locked(tx, target_id)
    if not _takes_now(row, now):
        return False
    if row is None:
        if pace is not None:
            _set(tx, target_id, {"next_at": now + pace})
        return True
    values: dict[str, object] = {}
    if row.probe_at is not None:
        values |= {"probe_at": now + lease, "probe": delivery_id}
    if pace is not None:
        values["next_at"] = max((row.next_at or now) + pace, now + (1 - _EARLY) * pace)
    elif row.next_at is not None:
        values["next_at"] = None
    if values:
        _set(tx, target_id, values)
    return True


def _locked(tx: Tx, target_id: str) -> Any:
    """The target's row, where there is one, locked until the transaction ends."""
    return tx.execute(_ROW, {"one": target_id}).one_or_none()


def _takes_now(row: Any, now: datetime) -> bool:
    """True where a target takes a message, as its row says; one without a row is held up by nothing."""
    waits = () if row is None else (row.blocked_until, row.probe_at, row.next_at)
    return row is None or (not row.parked and all(time is None or time <= now for time in waits))


def state(tx: Tx, target_id: str) -> TargetState:
    """A target's recent results; locked until the transaction ends."""
    row = _locked(tx, target_id)
    if row is None:
        return TargetState()
    return read_as(TargetState, row, is_reported=row.told)


def keep(tx: Tx, target_id: str, new: TargetState) -> None:
    """Write down how the target has been answering."""
    values: dict[str, object] = asdict(new)
    _set(tx, target_id, values | {"told": values.pop("is_reported")})


def park(tx: Tx, target_id: str, reason: str) -> bool:
    """Send a target nothing until the configuration is read again; True the first time."""
    was = tx.execute(sa.select(TARGET.c.parked).where(TARGET.c.id == target_id)).scalar()
    _set(tx, target_id, {"parked": reason[:500]})
    return not was


def unpark(tx: Tx, now: datetime, paced: Collection[str] = ()) -> None:
    """The configuration was read: no target is parked, one that fails may be tried at once, `paced` have a rate."""
    for target_id in paced:
        fresh = {"id": target_id, "parked": "", "failures": 0, "told": False, "next_at": now}
        tx.execute(insert(tx, TARGET).values(fresh).on_conflict_do_nothing(index_elements=["id"]))
    have_one = sa.and_(TARGET.c.id.in_(list(paced)), TARGET.c.next_at.is_(None))
    tx.execute(sa.update(TARGET).where(have_one).values(next_at=now))
    tx.execute(sa.update(TARGET).where(TARGET.c.parked != "").values(parked=""))
    tx.execute(sa.update(TARGET).where(TARGET.c.probe_at > now).values(probe_at=now))


def parked(tx: Tx) -> dict[str, str]:
    """Targets that are sent nothing until the configuration is read again, with the reason."""
    query = sa.select(TARGET.c.id, TARGET.c.parked).where(TARGET.c.parked != "")
    return {row.id: row.parked for row in tx.execute(query)}


def held(tx: Tx, now: datetime) -> tuple[TargetLine, ...]:
    """Targets that are parked, that fail, or that asked for time."""
    query = sa.select(TARGET).where(
        sa.or_(TARGET.c.parked != "", TARGET.c.failing_since.is_not(None), TARGET.c.blocked_until > now)
    )
    return tuple(
        read_as(
            TargetLine,
            r,
            until=max((time for time in (r.blocked_until, r.probe_at) if time and time > now), default=None),
        )
        for r in tx.execute(query.order_by(TARGET.c.id))
    )


def next_turns(tx: Tx, now: datetime) -> dict[str, datetime]:
    """The time of the next message of each target that has a rate, where it is still to come."""
    query = sa.select(TARGET.c.id, TARGET.c.next_at).where(TARGET.c.next_at > now)
    return {row.id: row.next_at for row in tx.execute(query)}


def _set(tx: Tx, target_id: str, values: dict[str, object]) -> None:
    tx.execute(
        insert(tx, TARGET)
        .values({"id": target_id, "parked": "", "failures": 0, "told": False} | values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )
