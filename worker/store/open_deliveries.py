"""Deliveries while they are open: they collect what is owed until they are due, and are sealed once."""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.alerts import ESCALATION, THREADS
from worker.model import DeliveryState, Notice, Obligation, Role, WaitReason
from worker.store.database import Tx
from worker.store.deferred import wake
from worker.store.tables import DELIVERY, NOTICE, OBLIGATION

#: Notices of one kind make one message in this time.
GATHERED_FOR = timedelta(minutes=15)
#: How many notices a message lists besides the first.
_MORE = re.compile(r" \(\+(\d+)\)$")
#: Characters of a list that operators are sent; the ledger has the rest.
_LONGEST_NOTICE = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that was sent."""

    message_id: str
    subject: str
    finished: datetime
    #: The channel's own name of it, or empty.
    ref: str


def collect(tx: Tx, obligation: Obligation, collects: str, due: datetime, now: datetime) -> tuple[int, bool]:
    """The recipient's open delivery that collects this, or a new one; what is more urgent takes the rest along."""
    same = sa.and_(DELIVERY.c.recipient == obligation.recipient, DELIVERY.c.collects == collects)
    found = tx.execute(
        sa.select(DELIVERY.c.id, DELIVERY.c.due).where(same, DELIVERY.c.state == DeliveryState.OPEN).with_for_update()
    ).first()
    hold = obligation.hold or ""
    if found is None:
        return open_delivery(
            tx, obligation.target_id, obligation.recipient, collects, due=due, hold=hold, now=now
        ), True
    if due < found.due:
        wake(tx, Role.DELIVER)
        tx.execute(sa.update(DELIVERY).where(DELIVERY.c.id == found.id).values(due=due, hold=hold))
    return int(found.id), False


def open_delivery(  # noqa: PLR0913 - each is a column of the row that it makes
    tx: Tx,
    target_id: str,
    recipient: str,
    collects: str,
    *,
    due: datetime,
    now: datetime,
    hold: str = "",
    notice: Notice | None = None,
    after: int | None = None,
) -> int:
    """A delivery that collects until it is due; its key is never used again, here or elsewhere.

    One of a thread waits for the one before it, if that is under way.
    """
    if due <= now:
        wake(tx, Role.DELIVER)
    same = sa.and_(DELIVERY.c.recipient == recipient, DELIVERY.c.collects == collects)
    nth = tx.execute(sa.select(sa.func.count()).select_from(DELIVERY).where(same)).scalar_one()
    key = hashlib.sha256(f"{recipient}\n{collects}\n{nth}\n{now.isoformat()}".encode()).hexdigest()[:32]
    values = {
        "key": key,
        "target_id": target_id,
        "recipient": recipient,
        "collects": collects,
        "kind": notice.kind if notice else "",
        "state": DeliveryState.OPEN,
        "due": due,
        "hold": hold,
        "after_id": _before(tx, recipient, collects) if collects.startswith(THREADS) else after,
        "ref": "",
        "created": now,
        "attempts": 0,
        "owner": "",
        "reason": "",
        "message_id": "",
        "subject": notice.subject if notice else "",
        "content": notice.body.encode() if notice else b"",
    }
    return int(tx.execute(sa.insert(DELIVERY).values(values).returning(DELIVERY.c.id)).scalar_one())


def _before(tx: Tx, recipient: str, collects: str) -> int | None:
    """The newest message of a recipient's thread that is sealed but has not come to its end."""
    under_way = (DeliveryState.SEALED, DeliveryState.RETRY, DeliveryState.PARKED)
    query = (
        sa.select(DELIVERY.c.id)
        .where(DELIVERY.c.recipient == recipient, DELIVERY.c.collects == collects, DELIVERY.c.state.in_(under_way))
        .order_by(DELIVERY.c.id.desc())
        .limit(1)
    )
    return tx.execute(query).scalar()


def sent_before(tx: Tx, delivery_id: int) -> tuple[Sent, ...]:
    """Earlier messages of the same thread to the delivery's recipient, the oldest first."""
    mine = sa.select(DELIVERY.c.recipient, DELIVERY.c.collects).where(DELIVERY.c.id == delivery_id).subquery()
    query = (
        sa.select(DELIVERY)
        .join(mine, sa.and_(mine.c.recipient == DELIVERY.c.recipient, mine.c.collects == DELIVERY.c.collects))
        .where(DELIVERY.c.state == DeliveryState.SENT, DELIVERY.c.id != delivery_id)
        .order_by(DELIVERY.c.finished, DELIVERY.c.id)
    )
    return tuple(
        Sent(message_id=r.message_id, subject=r.subject, finished=r.finished, ref=r.ref) for r in tx.execute(query)
    )


def thread_to(tx: Tx, delivery_id: int) -> tuple[Sent, ...]:
    """A message that was sent, behind what its recipient was sent before of the same thread."""
    row = tx.execute(sa.select(DELIVERY).where(DELIVERY.c.id == delivery_id)).one_or_none()
    if row is None or row.state != DeliveryState.SENT:
        return ()
    this = Sent(message_id=row.message_id, subject=row.subject, finished=row.finished, ref=row.ref)
    return (*(one for one in sent_before(tx, delivery_id) if one.finished < this.finished), this)


def readers(tx: Tx, article_ids: Collection[int]) -> tuple[tuple[int, str, str], ...]:
    """Whoever was sent an alert on one of the articles: (the last such delivery, target, recipient)."""
    carries = sa.exists().where(
        OBLIGATION.c.delivery_id == DELIVERY.c.id, OBLIGATION.c.article_id.in_(list(article_ids))
    )
    alone = sa.or_(*(DELIVERY.c.collects.startswith(prefix) for prefix in (*THREADS, ESCALATION)))
    query = sa.select(DELIVERY.c.id, DELIVERY.c.target_id, DELIVERY.c.recipient).where(
        DELIVERY.c.state == DeliveryState.SENT, alone, carries
    )
    last = {r.recipient: (int(r.id), r.target_id, r.recipient) for r in tx.execute(query.order_by(DELIVERY.c.id))}
    return tuple(last.values())


def is_open(tx: Tx, delivery_id: int) -> bool:
    """Tells whether a delivery still collects; it does until the transaction ends."""
    query = sa.select(DELIVERY.c.state).where(DELIVERY.c.id == delivery_id).with_for_update()
    return tx.execute(query).scalar() == DeliveryState.OPEN


def hold(tx: Tx, delivery_id: int, due: datetime, why: WaitReason) -> None:
    """Let an open delivery wait."""
    tx.execute(sa.update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(due=due, hold=why))


def postpone(tx: Tx, delivery_id: int, due: datetime) -> None:
    """Let a delivery that nobody works on be due later, without an attempt."""
    under_way = (DeliveryState.OPEN, DeliveryState.SEALED, DeliveryState.RETRY)
    mine = (DELIVERY.c.id == delivery_id, DELIVERY.c.state.in_(under_way), DELIVERY.c.lease_until.is_(None))
    tx.execute(sa.update(DELIVERY).where(*mine).values(due=due))


def drop(tx: Tx, delivery_id: int) -> None:
    """Forget an open delivery that has nothing to carry any more."""
    tx.execute(sa.delete(DELIVERY).where(DELIVERY.c.id == delivery_id))


def is_known(tx: Tx, collects: Collection[str]) -> bool:
    """Tells whether any delivery collects or collected one of these."""
    query = sa.select(DELIVERY.c.id).where(DELIVERY.c.collects.in_(list(collects))).limit(1)
    return tx.execute(query).scalar() is not None


def open_of(tx: Tx, collects: str) -> tuple[tuple[int, str], ...]:
    """(id, recipient) of the open deliveries that collect this."""
    query = sa.select(DELIVERY.c.id, DELIVERY.c.recipient).where(
        DELIVERY.c.collects == collects, DELIVERY.c.state == DeliveryState.OPEN
    )
    return tuple((r.id, r.recipient) for r in tx.execute(query.order_by(DELIVERY.c.id).with_for_update()))


def rename(tx: Tx, old: str, into: str) -> None:
    """Make the deliveries of one story collect another's: two stories turned out to be one.

    Where a recipient has an open delivery of both, the one takes over what the other carries.
    """
    taking = {recipient: delivery_id for delivery_id, recipient in open_of(tx, into)}
    for delivery_id, recipient in open_of(tx, old):
        if recipient not in taking:
            waits_for = _before(tx, recipient, into)
            if waits_for is not None:
                tx.execute(sa.update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(after_id=waits_for))
            continue
        takes = taking[recipient]
        mine = sa.select(DELIVERY.c.due, DELIVERY.c.hold).where(DELIVERY.c.id == delivery_id)
        due, why = tx.execute(mine).one()
        tx.execute(sa.update(OBLIGATION).where(OBLIGATION.c.delivery_id == delivery_id).values(delivery_id=takes))
        sooner = (DELIVERY.c.id == takes, DELIVERY.c.due > due)
        tx.execute(sa.update(DELIVERY).where(*sooner).values(due=due, hold=why))
        drop(tx, delivery_id)
    tx.execute(sa.update(DELIVERY).where(DELIVERY.c.collects == old).values(collects=into))


def follow(
    tx: Tx, target_id: str, recipient: str, notice: Notice, *, after: int, due: datetime, hold: str, now: datetime
) -> None:
    """Open a delivery of a notice that stands below a message that was sent."""
    open_delivery(tx, target_id, recipient, NOTICE, due=due, hold=hold, now=now, notice=notice, after=after)


def notify(tx: Tx, target_id: str, recipients: Sequence[str], notice: Notice, now: datetime) -> None:
    """Tell each recipient of the operators' target; notices of a kind are gathered, one message each quarter hour.

    The first goes at once. Those that come in the quarter of an hour after it are listed in the next.
    """
    for recipient in recipients:
        last = _last_notice(tx, recipient, notice.kind) if notice.kind else None
        if last is not None and last.state == DeliveryState.OPEN:
            _add_notice(tx, last, notice)
            continue
        # The last one may be of a clock that was ahead.
        due = now if last is None else min(max(now, (last.finished or last.due) + GATHERED_FOR), now + GATHERED_FOR)
        open_delivery(tx, target_id, recipient, NOTICE, due=due, now=now, notice=notice)


def _last_notice(tx: Tx, recipient: str, kind: str) -> Any:
    """The newest notice of a kind that a recipient was sent, or is about to be; locked until the transaction ends."""
    mine = (DELIVERY.c.recipient == recipient, DELIVERY.c.collects == NOTICE, DELIVERY.c.kind == kind)
    query = sa.select(DELIVERY).where(*mine).order_by(DELIVERY.c.id.desc()).limit(1).with_for_update()
    return tx.execute(query).one_or_none()


def _add_notice(tx: Tx, to: Any, notice: Notice) -> None:
    """List one more notice in a message that is not sealed."""
    first, more = _MORE.sub("", to.subject), _MORE.search(to.subject)
    body = to.content.decode() if more else f"{to.subject}\n{to.content.decode()}"
    values = {
        "subject": f"{first} (+{int(more[1]) + 1 if more else 1})",
        "content": f"{body}\n\n{notice.subject}\n{notice.body}"[:_LONGEST_NOTICE].encode(),
    }
    tx.execute(sa.update(DELIVERY).where(DELIVERY.c.id == to.id).values(values))
