"""Deliveries as people read them: those that wait, are parked or failed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.model import DeliveryState
from worker.store.database import Tx, read_as
from worker.store.tables import ATTEMPT, DELIVERY, NOTICE

_first = DELIVERY.alias("first")
#: Nothing more is done with a delivery of these.
ENDED = (DeliveryState.SENT, DeliveryState.FAILED)

#: Of a delivery's last attempt.
LAST_DETAIL = sa.func.coalesce(
    sa.select(ATTEMPT.c.detail)
    .where(ATTEMPT.c.delivery_id == DELIVERY.c.id)
    .order_by(ATTEMPT.c.id.desc())
    .limit(1)
    .scalar_subquery(),
    "",
).label("detail")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLine:
    """A delivery that is not sent, for people."""

    id: int
    target_id: str
    recipient: str
    state: str
    due: datetime
    attempts: int
    reason: str
    subject: str
    #: Of its last attempt.
    detail: str
    #: Why it waits while it is open (`Hold`), or empty.
    hold: str
    #: The delivery that it waits for, as a follow-up for its first message, while that is not at its end.
    after: int | None


def unsent(
    tx: Tx, *, limit: int | None = None, states: Collection[str] = (), target_id: str = "", after: int = 0
) -> tuple[DeliveryLine, ...]:
    """Deliveries that wait, are parked or failed, oldest first; only of those states and that target, where given.

    `after`: only those of a greater id.
    """
    wanted = [state for state in DeliveryState if state is not DeliveryState.SENT and (not states or state in states)]
    conditions: list[sa.ColumnElement[bool]] = [DELIVERY.c.state.in_(wanted)]
    if target_id:
        conditions.append(DELIVERY.c.target_id == target_id)
    if after:
        conditions.append(DELIVERY.c.id > after)
    return _lines(tx, conditions, limit)


def lines(tx: Tx, ids: Collection[int]) -> tuple[DeliveryLine, ...]:
    """Those deliveries, whatever their state."""
    return _lines(tx, [DELIVERY.c.id.in_(list(ids))], None)


def counts(tx: Tx, ids: Collection[int] | None = None) -> dict[str, int]:
    """Deliveries by state, each state named; of those ids only, where given."""
    query = sa.select(DELIVERY.c.state, sa.func.count()).group_by(DELIVERY.c.state)
    if ids is not None:
        query = query.where(DELIVERY.c.id.in_(list(ids)))
    found = {row[0]: int(row[1]) for row in tx.execute(query)}
    return {str(state): found.get(state, 0) for state in DeliveryState}


def count(tx: Tx, state: DeliveryState) -> int:
    """The number of deliveries in one state."""
    return int(tx.execute(sa.select(sa.func.count()).where(DELIVERY.c.state == state)).scalar_one())


def _lines(tx: Tx, conditions: Sequence[sa.ColumnElement[bool]], limit: int | None) -> tuple[DeliveryLine, ...]:
    query = (
        sa.select(DELIVERY, LAST_DETAIL, _first.c.id.label("after"))
        .outerjoin(_first, sa.and_(_first.c.id == DELIVERY.c.after_id, _first.c.state.not_in(ENDED)))
        .where(*conditions)
        .order_by(DELIVERY.c.id)
        .limit(limit)
    )
    return tuple(read_as(DeliveryLine, r, hold=r.hold or "") for r in tx.execute(query))


def answered(tx: Tx, delivery_id: int) -> int | None:
    """The delivery of the alert that somebody's answer, sent by this delivery, stands below; None: it is no answer."""
    asked = sa.select(DELIVERY.c.after_id).where(DELIVERY.c.id == delivery_id, DELIVERY.c.collects == NOTICE)
    return tx.execute(asked).scalar()
