"""Deliveries that may be sent now: due, free, and held back neither by their target nor by the message they follow."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.model import DeliveryState
from worker.store import targets
from worker.store.database import Tx
from worker.store.deliveries.listing import ENDED
from worker.store.tables import ATTEMPT, DELIVERY, TARGET

#: Of a delivery on its way, which may be leased.
DUE = (DeliveryState.OPEN, DeliveryState.SEALED, DeliveryState.RETRY)
#: The message that another one follows.
FIRST = DELIVERY.alias("first")
#: Attempts that never came back, of the deliveries `ids`.
CUT_SHORT = sa.select(ATTEMPT.c.delivery_id).where(
    ATTEMPT.c.delivery_id.in_(sa.bindparam("ids", expanding=True)), ATTEMPT.c.outcome == ""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A delivery that may be worked on now."""

    id: int
    target_id: str
    #: An attempt of it died with its process. It is tried without others of its target, so that it is known whether it
    #: is what kills the process.
    crashed: bool


def sendable(now: datetime | sa.BindParameter[datetime]) -> tuple[sa.ColumnElement[bool], ...]:
    """The deliveries that are due and free, of a row that is joined with its target's or NULL (`outerjoin`)."""
    return (
        DELIVERY.c.state.in_(DUE),
        DELIVERY.c.due <= now,
        targets.takes(now),
        sa.or_(DELIVERY.c.lease_until.is_(None), DELIVERY.c.lease_until <= now),
        # A story's follow-up waits for its first message, and becomes the first if that one dies.
        ~sa.exists().where(FIRST.c.id == DELIVERY.c.after_id, FIRST.c.state.not_in(ENDED)),
    )


def due(tx: Tx, *, now: datetime, limit: int, busy: Collection[int] = ()) -> tuple[Due, ...]:
    """At most `limit` deliveries that are due and free, oldest first; what keeps being refused waits for the others.

    Each target's first, then each one's second, and so on: a target that is slow, or was down for days, must not stand
    in the way. One that fails, or takes only so many in a time, is offered one; one that fails a different one each
    time, so that a bad message cannot block it.
    """
    found = tx.execute(_DUE, {"now": now, "limit": limit, "busy": list(busy)}).all()
    crashed = set(tx.execute(CUT_SHORT, {"ids": [r.id for r in found]}).scalars()) if found else set()
    return tuple(Due(id=r.id, target_id=r.target_id, crashed=r.id in crashed) for r in found)


def _due() -> sa.Select[tuple[int, str]]:
    now: sa.BindParameter[datetime] = sa.bindparam("now")
    rank = sa.case((targets.fails(), DELIVERY.c.attempts), else_=DELIVERY.c.refused)
    turn = sa.func.row_number().over(partition_by=DELIVERY.c.target_id, order_by=(rank, DELIVERY.c.id))
    free = (
        sa.select(
            DELIVERY.c.id,
            DELIVERY.c.target_id,
            rank.label("rank"),
            turn.label("turn"),
            targets.takes_many().label("many"),
        )
        .outerjoin(TARGET, TARGET.c.id == DELIVERY.c.target_id)
        .where(*sendable(now), DELIVERY.c.id.not_in(sa.bindparam("busy", expanding=True)))
        .subquery()
    )
    query = sa.select(free.c.id, free.c.target_id).where(sa.or_(free.c.turn == 1, free.c.many))
    return query.order_by(free.c.turn, free.c.rank, free.c.id).limit(sa.bindparam("limit", type_=sa.Integer))


_DUE = _due()
