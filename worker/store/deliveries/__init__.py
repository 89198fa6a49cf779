"""Deliveries on their way: claimed under a lease, counted before sending, finished by their owner alone."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.alerts import DIGEST
from worker.model import Claimed, DeliveryState, Message, Notice, Outcome, Receipt, Role
from worker.store import targets
from worker.store.database import Tx
from worker.store.deferred import wake
from worker.store.deliveries.listing import ENDED, DeliveryLine, count, counts, lines, unsent
from worker.store.deliveries.turn import CUT_SHORT, DUE, FIRST, Due, due, sendable
from worker.store.tables import ATTEMPT, DELIVERY, NOTICE, OBLIGATION, TARGET

__all__ = [
    "CUT_OFF",
    "DUE",
    "DeliveryLine",
    "Draft",
    "Due",
    "claim",
    "count",
    "counts",
    "draft",
    "drafts",
    "due",
    "expire_parked",
    "finish",
    "lines",
    "release",
    "release_own",
    "revive",
    "sendable",
    "settle",
    "started",
    "unpark",
    "unsent",
]


_KEPT_ATTEMPTS = 20
#: What is said of an attempt that its own worker cut off when it stopped.
CUT_OFF = "cut off when the worker stopped"
# Statements of every attempt, made once: to make one costs as much as to run it.
_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_DRAFTS = (
    sa.select(
        DELIVERY,
        sa.exists()
        .where(
            FIRST.c.recipient == DELIVERY.c.recipient,
            FIRST.c.collects == DELIVERY.c.collects,
            FIRST.c.collects.not_in([DIGEST, NOTICE]),  # which have no threads, and are many
            FIRST.c.state == DeliveryState.SENT,
            FIRST.c.id != DELIVERY.c.id,
        )
        .label("follows"),
    )
    .where(DELIVERY.c.id.in_(_IDS))
    .order_by(DELIVERY.c.id)
)
_CARRIED = sa.select(OBLIGATION.c.delivery_id, OBLIGATION.c.id).where(OBLIGATION.c.delivery_id.in_(_IDS))
_ROW = sa.select(DELIVERY).where(DELIVERY.c.id == sa.bindparam("one")).with_for_update(skip_locked=True)
_TAKE = (
    sa.update(DELIVERY)
    .where(DELIVERY.c.id == sa.bindparam("one"))
    .values({name: sa.bindparam(name) for name in ("attempts", "owner", "lease_until", "first_attempt", "state")})
)
_TAKE_AND_SEAL = _TAKE.values({name: sa.bindparam(name) for name in ("content", "message_id", "subject")})
_BEGIN = sa.insert(ATTEMPT)
_END = (
    sa.update(ATTEMPT)
    .where(
        ATTEMPT.c.delivery_id == sa.bindparam("one"),
        ATTEMPT.c.number == sa.bindparam("attempt"),
        ATTEMPT.c.owner == sa.bindparam("by"),
    )
    .values({name: sa.bindparam(name) for name in ("finished", "outcome", "detail")})
)
_FINISH = (
    sa.update(DELIVERY)
    .where(
        DELIVERY.c.id == sa.bindparam("one"),
        DELIVERY.c.owner == sa.bindparam("by"),
        DELIVERY.c.attempts == sa.bindparam("attempt"),
    )
    .values(
        {name: sa.bindparam(name) for name in ("state", "reason", "due", "ref", "finished")}
        | {"lease_until": None, "owner": "", "refused": DELIVERY.c.refused + sa.bindparam("refusals")}
    )
)
#: What becomes of one that is to be sent after all: it may be sealed anew, or keeps its bytes.
_AGAIN = sa.case((DELIVERY.c.message_id == "", DeliveryState.OPEN), else_=DeliveryState.RETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A delivery as it stands before an attempt."""

    id: int
    key: str
    target_id: str
    recipient: str
    state: DeliveryState
    #: `story:ID`, `article:ID`, `escalation:...`, `digest` or `notice`.
    collects: str
    #: Ids of what it carries; an attempt seals exactly these.
    obligations: frozenset[int]
    #: What an operators' notice says, while it is open.
    notice: Notice | None
    attempts: int
    #: Attempts that never came back: their process died.
    crashes: int
    #: When it was first attempted.
    first_attempt: datetime | None
    #: The delivery that it follows, which may be forgotten.
    after: int | None
    #: Its recipient was sent a message of its thread before.
    follows: bool


def draft(tx: Tx, delivery_id: int) -> Draft | None:
    """The delivery as an attempt starts; None if it is gone, because another took over what it carried."""
    return next(iter(drafts(tx, [delivery_id])), None)


def drafts(tx: Tx, ids: Collection[int]) -> tuple[Draft, ...]:
    """Those deliveries as attempts start, oldest first, without those that are gone."""
    rows = tx.execute(_DRAFTS, {"ids": list(ids)}).all()
    carried: dict[int, set[int]] = {r.id: set() for r in rows}
    for delivery_id, obligation_id in tx.execute(_CARRIED, {"ids": list(ids)}):
        carried[delivery_id].add(obligation_id)
    crashes: Counter[int] = Counter()
    if tried := [r.id for r in rows if r.attempts]:
        crashes.update(tx.execute(CUT_SHORT, {"ids": tried}).scalars())
    return tuple(
        Draft(
            id=r.id,
            key=r.key,
            target_id=r.target_id,
            recipient=r.recipient,
            state=DeliveryState(r.state),
            collects=r.collects,
            obligations=frozenset(carried[r.id]),
            attempts=r.attempts,
            crashes=crashes[r.id],
            first_attempt=r.first_attempt,
            after=r.after_id,
            follows=r.follows,
            notice=Notice(subject=r.subject, body=r.content.decode())
            if r.collects == NOTICE and r.state == DeliveryState.OPEN
            else None,
        )
        for r in rows
    )


def claim(
    tx: Tx, before: Draft, message: Message | None, *, owner: str, now: datetime, lease: timedelta
) -> Claimed | None:
    """Seal an open delivery with `message`, count the attempt, and take the lease.

    None where it changed meanwhile, is being changed, or is not due (any more): whoever asks may have read of it long
    ago, and waits for nobody, since it holds what it claimed before in the same transaction.

    All in one transaction before anything is sent, so that a crash at any instant leaves either nothing sent or a
    counted attempt with the bytes that were sent. Raises ValueError where an open delivery comes without a message,
    or a sealed one with another.
    """
    if (message is None) is (before.state is DeliveryState.OPEN):
        raise ValueError(f"delivery {before.id} is {before.state}: an open one is sealed, and only once")
    row = tx.execute(_ROW, {"one": before.id}).one_or_none()
    if row is None:
        return None
    free = row.lease_until is None or row.lease_until <= now
    if not free or row.due > now or row.state not in DUE:
        return None
    if row.state != before.state or row.attempts != before.attempts:
        return None
    values: dict[str, object] = {
        "attempts": row.attempts + 1,
        "owner": owner,
        "lease_until": now + lease,
        "first_attempt": row.first_attempt or now,
        "state": DeliveryState.SEALED,
    }
    if message is not None:
        carried = tx.execute(_CARRIED, {"ids": [before.id]})
        if frozenset(one.id for one in carried) != before.obligations or (
            before.notice and row.content != before.notice.body.encode()
        ):
            return None
        values |= {"content": message.content, "message_id": message.message_id, "subject": message.subject}
    tx.execute(_TAKE if message is None else _TAKE_AND_SEAL, {"one": before.id} | values)
    uncertain = _attempts(tx, before.id, "", Outcome.UNCERTAIN) if row.attempts else 0
    attempt = {"delivery_id": before.id, "number": row.attempts + 1, "owner": owner, "started": now}
    tx.execute(_BEGIN, attempt | {"outcome": "", "detail": ""})
    if row.attempts >= _KEPT_ATTEMPTS:
        _forget_old_attempts(tx, before.id)
    sealed = message or Message(content=row.content, message_id=row.message_id, subject=row.subject)
    return Claimed(
        id=row.id,
        key=row.key,
        target_id=row.target_id,
        recipient=row.recipient,
        collects=row.collects,
        message=sealed,
        attempt=row.attempts + 1,
        uncertain=uncertain,
        cut_off=_attempts(tx, before.id, Outcome.UNCERTAIN, detail=CUT_OFF) if uncertain else 0,
        first_attempt=row.first_attempt or now,
    )


def _attempts(tx: Tx, delivery_id: int, *outcomes: str, detail: str = "") -> int:
    """The number of attempts that came to one of them, with that `detail` where it is given."""
    mine = (ATTEMPT.c.delivery_id == delivery_id, ATTEMPT.c.outcome.in_(outcomes))
    query = sa.select(sa.func.count()).select_from(ATTEMPT).where(*mine)
    return tx.execute(query.where(ATTEMPT.c.detail == detail) if detail else query).scalar_one()


def _forget_old_attempts(tx: Tx, delivery_id: int) -> None:
    """Of attempts that certainly did not arrive only the last count: a week of them is hundreds for each delivery."""
    failed = sa.and_(ATTEMPT.c.delivery_id == delivery_id, ATTEMPT.c.outcome == Outcome.RETRY)
    kept = sa.select(ATTEMPT.c.id).where(failed).order_by(ATTEMPT.c.id.desc()).limit(_KEPT_ATTEMPTS)
    tx.execute(sa.delete(ATTEMPT).where(failed, ATTEMPT.c.id.not_in(kept)))


def started(tx: Tx, claimed: Claimed) -> datetime:
    """The start of the attempt."""
    mine = (ATTEMPT.c.delivery_id == claimed.id, ATTEMPT.c.number == claimed.attempt)
    began: datetime = tx.execute(sa.select(ATTEMPT.c.started).where(*mine)).scalar_one()
    return began


def finish(
    tx: Tx,
    claimed: Claimed,
    receipt: Receipt,
    *,
    owner: str,
    state: DeliveryState,
    reason: str,
    again_at: datetime,
    now: datetime,
) -> bool:
    """Write down what an attempt came to; False if the lease was lost to another owner meanwhile.

    The attempt's own row is written either way: what was sent was sent.
    """
    mine = {"one": claimed.id, "attempt": claimed.attempt, "by": owner}
    tx.execute(_END, mine | {"finished": now, "outcome": receipt.outcome, "detail": receipt.detail[:500]})
    values = {
        "state": state,
        "reason": reason[:500],
        "due": again_at,
        "ref": receipt.ref if state is DeliveryState.SENT else "",
        "finished": now if state in ENDED else None,
        "refusals": int(receipt.outcome in (Outcome.RETRY, Outcome.UNCERTAIN) and not receipt.shared),
    }
    if tx.execute(_FINISH, mine | values).rowcount:
        return True
    if state is DeliveryState.SENT:
        late = (DELIVERY.c.id == claimed.id, DELIVERY.c.state != state, DELIVERY.c.owner == "")
        tx.execute(sa.update(DELIVERY).where(*late).values(state=state, reason="", finished=now, ref=receipt.ref))
    return False


def settle(tx: Tx, delivery_id: int, state: DeliveryState, reason: str, *, now: datetime) -> bool:
    """Park a delivery, or give it up, without an attempt; False if another worker has it, or it came to its end."""
    values: dict[str, object] = {"state": state, "reason": reason[:500], "lease_until": None, "owner": ""}
    if state is DeliveryState.FAILED:
        values["finished"] = now
    free = sa.or_(DELIVERY.c.lease_until.is_(None), DELIVERY.c.lease_until <= now)
    mine = (DELIVERY.c.id == delivery_id, DELIVERY.c.state.in_(DUE), free)
    return bool(tx.execute(sa.update(DELIVERY).where(*mine).values(values)).rowcount)


def unpark(tx: Tx, now: datetime, paced: Collection[str] = ()) -> int:
    """The configuration was read: every parked delivery is due again; returns how many.

    Also of a target that is gone: another may reach its recipient now. What nobody reaches is parked once more.
    `paced` are the targets with a rate.
    """
    targets.unpark(tx, now, paced)
    parked = sa.update(DELIVERY).where(DELIVERY.c.state == DeliveryState.PARKED)
    count = tx.execute(parked.values(state=_AGAIN, due=now, reason="")).rowcount
    if count:
        wake(tx, Role.DELIVER)
    return count


def expire_parked(tx: Tx, *, before: datetime, now: datetime) -> tuple[int, ...]:
    """Give up what is older and parked, itself or with its target; returns which."""
    parked = sa.select(TARGET.c.id).where(TARGET.c.parked != "")
    free = sa.or_(DELIVERY.c.lease_until.is_(None), DELIVERY.c.lease_until <= now)
    waits = sa.and_(DELIVERY.c.state.in_(DUE), DELIVERY.c.target_id.in_(parked), free)
    why = sa.case((DELIVERY.c.reason == "", "its target is parked"), else_=DELIVERY.c.reason)
    old = sa.or_(DELIVERY.c.state == DeliveryState.PARKED, waits)
    expired = sa.update(DELIVERY).where(old, DELIVERY.c.created < before).returning(DELIVERY.c.id)
    given_up = {"state": DeliveryState.FAILED, "finished": now, "reason": sa.literal("expired: ") + why}
    return tuple(sorted(tx.execute(expired.values(given_up)).scalars()))


def release(tx: Tx) -> None:
    """End every lease: for a worker that knows it is alone. Attempts that never came back stay without outcome."""
    leased = (DELIVERY.c.state.in_(DUE), DELIVERY.c.lease_until.is_not(None))
    tx.execute(sa.update(DELIVERY).where(*leased).values(lease_until=None, owner=""))


def release_own(tx: Tx, owner: str, now: datetime | None = None) -> None:
    """End the leases of one owner that stops in order; what it was sending may have arrived, and is no crash."""
    own = (DELIVERY.c.state.in_(DUE), DELIVERY.c.owner == owner)
    held = sa.select(DELIVERY.c.id).where(*own)
    under_way = (ATTEMPT.c.delivery_id.in_(held), ATTEMPT.c.owner == owner, ATTEMPT.c.outcome == "")
    cut_off = {"outcome": Outcome.UNCERTAIN, "detail": CUT_OFF, "finished": now}
    tx.execute(sa.update(ATTEMPT).where(*under_way).values(cut_off))
    tx.execute(sa.update(DELIVERY).where(*own).values(lease_until=None, owner=""))


def revive(tx: Tx, ids: Collection[int], now: datetime) -> frozenset[int]:
    """Make the failed and parked ones of `ids` due again, with a new week; returns their ids.

    What was sealed keeps its bytes; what was not is sealed anew. Their targets are parked no more.
    """
    over = sa.select(DELIVERY.c.id).where(
        DELIVERY.c.id.in_(list(ids)), DELIVERY.c.state.in_([DeliveryState.FAILED, DeliveryState.PARKED])
    )
    found = frozenset(tx.execute(over.with_for_update()).scalars())
    # They may have arrived; but they are no reason any more to take the delivery for one that kills its process.
    tx.execute(
        sa.update(ATTEMPT)
        .where(ATTEMPT.c.delivery_id.in_(found), ATTEMPT.c.outcome == "")
        .values(outcome=Outcome.UNCERTAIN, detail="its process died")
    )
    tx.execute(
        sa.update(DELIVERY)
        .where(DELIVERY.c.id.in_(found))
        .values(state=_AGAIN, due=now, reason="", first_attempt=None, finished=None, lease_until=None, owner="")
    )
    held = sa.select(DELIVERY.c.target_id).where(DELIVERY.c.id.in_(found))
    tx.execute(sa.update(TARGET).where(TARGET.c.id.in_(held), TARGET.c.parked != "").values(parked=""))
    if found:
        wake(tx, Role.DELIVER)
    return found
