"""deliver(delivery): a message to one recipient, sealed before it is sent."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat

import structlog

from worker.alerts import MAX_CRASHES, MAX_UNCERTAIN, MAX_UNCERTAIN_MAIL, Settled, settle
from worker.alerts.retries import after_failure
from worker.errors import OWN_FAULTS, StoreError
from worker.model import (
    Alert,
    AlertItem,
    Channel,
    Claimed,
    DeliveryState,
    Digest,
    Message,
    Notice,
    Outcome,
    Receipt,
    Target,
    TargetState,
    times,
)
from worker.notify.render import filled, seal
from worker.notify.senders import send
from worker.pipeline.before_seal import Recheck, carry_out, rechecks
from worker.pipeline.content import content, headline
from worker.pipeline.context import ActiveConfig, JobContext
from worker.pipeline.notices import Gathered, notify_operators, words
from worker.store import Tx, deliveries, ledger, open_deliveries, targets
from worker.store.deliveries.listing import answered as answered_by

_log = structlog.get_logger()
#: Longer than any send may take, its turn at a child and a store that is busy afterwards included, so that a lease ends
#: only with its process.
LEASE = timedelta(minutes=4)
#: Seconds between tries to write down what came of a send; the last for as long as it takes.
_PAUSES = (1, 2, 4, 8)
#: Before a message is made again that this process could not make for a fault of its own.
_OWN_FAULT_PAUSE = timedelta(minutes=1)
#: A target that failed for so long is reported, since somebody may have to fix it.
_LONG = timedelta(hours=1)
HOST = "veille"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """An attempt that was made."""

    claimed: Claimed
    target: Target
    receipt: Receipt


async def deliver(context: JobContext, delivery_id: int, *, patience: float | None = None) -> DeliveryState | None:
    """Attempt one delivery; the state it comes to, or None when another worker has it.

    While the store cannot take what came of the send, that is kept in memory and written when it can: a send that is
    not written down would be made again. Raises StoreError `patience` seconds after the send, where that is given.
    """
    started = await context.in_batch(_claim, delivery_id)
    if started is None:
        return None
    claimed, target = started
    context.fault_point("before_send")
    allow = context.live.config.allow
    receipt = await send(
        claimed, target, client=context.client, children=context.senders, echo=context.echo, allow=allow
    )
    context.fault_point("after_send_before_mark")
    return await _written_down(context, _Done(claimed=claimed, target=target, receipt=receipt), patience)


async def _written_down(context: JobContext, done: _Done, patience: float | None) -> DeliveryState:
    sent = asyncio.get_running_loop().time()
    for number, pause in enumerate(chain(_PAUSES, repeat(_PAUSES[-1]))):
        try:
            return await context.in_batch(_finish, done)
        except Exception as e:  # whatever it is: what is not written down would be sent again
            if patience is not None and asyncio.get_running_loop().time() - sent >= patience:
                raise
            if number < len(_PAUSES):
                error = f"{type(e).__name__}: {e}"
                _log.warning("the outcome cannot be stored yet", delivery=done.claimed.id, error=error)
        try:
            await asyncio.sleep(pause)
        except asyncio.CancelledError:  # the worker stops: this is the last chance
            with contextlib.suppress(Exception):
                await context.in_batch(_finish, done)
            raise
    raise AssertionError("the pauses have no end")


def _claim(context: JobContext, ids: Sequence[int]) -> list[tuple[Claimed, Target] | None]:
    """Seal those that are open, count an attempt of each, and take its lease: in one transaction for all."""
    live, now = context.live, context.clock()
    ready: list[tuple[deliveries.Draft, Target, Message | None]] = []
    due = _due_still(context, live, ids, now)
    is_open = [draft for draft, _ in due if draft.state is DeliveryState.OPEN]
    read = _read(context, live, is_open, now) if len(is_open) > 1 else {}
    for draft, target in due:
        message = None
        if draft.state is DeliveryState.OPEN:
            message = _made(context, live, draft, target, now, read)
            if message is None:
                continue
        ready.append((draft, target, message))
    claimed: dict[int, tuple[Claimed, Target]] = {}
    if ready:
        with context.store.write() as tx:
            if context.ending.is_set():  # nobody would send it
                return [None] * len(ids)
            known = targets.lock(tx, {target.id for _, target, _ in ready})
            for draft, target, message in ready:
                has_turns = target.id in known or target.pace is not None
                if has_turns and not targets.may_go(tx, target.id, now):
                    continue
                one = deliveries.claim(tx, draft, message, owner=context.owner, now=now, lease=LEASE)
                if one is not None:
                    claimed[one.id] = one, target
                if one is not None and has_turns:
                    targets.take_turn(tx, target.id, draft.id, pace=target.pace, now=now, lease=LEASE)
            context.fault_point("before_claim_commit")
        context.fault_point("after_claim")
    return [claimed.pop(delivery_id, None) for delivery_id in ids]


def _due_still(
    context: JobContext, live: ActiveConfig, ids: Sequence[int], now: datetime
) -> list[tuple[deliveries.Draft, Target]]:
    """The deliveries to attempt, without those silenced meanwhile, that cannot be sent, or that must wait."""
    found: list[tuple[deliveries.Draft, Target]] = []
    given_up: list[tuple[deliveries.Draft, Target | None]] = []
    with context.store.read() as tx:
        for draft in deliveries.drafts(tx, ids):
            target = live.target(draft.target_id, draft.recipient)
            if target is None or draft.crashes >= MAX_CRASHES:
                given_up.append((draft, target))
            else:
                found.append((draft, target))
        is_open = [(d, t) for d, t in found if d.state is DeliveryState.OPEN and d.notice is None]
        changed = rechecks(tx, live, is_open, now) if is_open else {}
    for draft, target in given_up:
        if draft.crashes >= MAX_CRASHES:
            _put_aside(context, live, draft, DeliveryState.FAILED, "poison: its attempts never came back")
        elif target is None:
            with context.store.write() as tx:
                deliveries.settle(
                    tx, draft.id, DeliveryState.PARKED, "no target reaches this recipient any more", now=now
                )
    stays = [(draft, target) for draft, target in found if draft.id not in changed]
    again = [d.id for d, _ in found if d.id in changed and _carried_out(context, live, d, changed[d.id])]
    return stays + (_due_still(context, live, again, now) if again else [])


def _carried_out(context: JobContext, live: ActiveConfig, draft: deliveries.Draft, change: Recheck) -> bool:
    """Change the delivery; False where nothing is left to say, or it waits."""
    with context.store.ingest() as tx:
        carry_out(tx, live, draft, change)
    _log.info("delivery rechecked", delivery=draft.id, taken_out=len(change.suppressed), due=change.due)
    if change.due is None and not change.merged and change.stays:
        return True
    context.faults.pop("deliver", None)  # it may have been the only one that could not be made
    return False  # or it is another delivery now, which is due as well


def _read(
    context: JobContext, live: ActiveConfig, drafts: Sequence[deliveries.Draft], now: datetime
) -> dict[int, Alert | Digest | Notice]:
    """The content of open deliveries, by id; of none where one of several cannot be read: each is read alone then."""
    items: dict[object, AlertItem] = {}
    public_url = live.config.public_url
    try:
        with context.store.read() as tx:
            return {draft.id: content(tx, draft, public_url=public_url, now=now, items=items) for draft in drafts}
    except StoreError:
        raise
    except Exception:
        if len(drafts) == 1:
            raise
        return {}


def _made(
    context: JobContext,
    live: ActiveConfig,
    draft: deliveries.Draft,
    target: Target,
    now: datetime,
    read: Mapping[int, Alert | Digest | Notice],
) -> Message | None:
    """The message of an open delivery; None where none can be made of it, which is parked, or of any: then it waits."""
    try:
        found = read.get(draft.id) or _read(context, live, [draft], now)[draft.id]
        message = _sealed(context, live, draft, target, now, found)
    except StoreError:
        raise
    except OWN_FAULTS as e:
        _log.exception("messages cannot be made now", delivery=draft.id)
        context.faults["deliver"] = f"{type(e).__name__}: {e}"
        with context.store.write() as tx:
            open_deliveries.postpone(tx, draft.id, now + _OWN_FAULT_PAUSE)
        return None
    except Exception as e:  # noqa: BLE001 - logged with its trace; unparked, it would be tried again every second
        _log.exception("a message cannot be made", delivery=draft.id, target=target.id)
        _put_aside(context, live, draft, DeliveryState.PARKED, f"the message cannot be made: {type(e).__name__}: {e}")
        return None
    context.faults.pop("deliver", None)
    return message


def _sealed(
    context: JobContext,
    live: ActiveConfig,
    draft: deliveries.Draft,
    target: Target,
    now: datetime,
    found: Alert | Digest | Notice,
) -> Message:
    sealed = seal(
        found,
        target=target,
        recipient=draft.recipient,
        key=draft.key,
        host=HOST,
        now=now,
        templates=live.config.templates,
    )
    if sealed.problem:
        _log.warning("a template failed; the one that ships was used", delivery=draft.id, problem=sealed.problem)
        if sealed.problem not in context.reported:
            context.reported.add(sealed.problem)
            with context.store.write() as tx:
                notify_operators(tx, live, *filled(words(live).template, problem=sealed.problem), now=now)
    return sealed


def _finish(context: JobContext, done: Sequence[_Done]) -> list[DeliveryState]:
    """Write down what came of attempts, in one transaction for all."""
    live, now = context.live, context.clock()
    settled: dict[int, Settled] = {}
    ids = [one.claimed.id for one in done]
    with context.store.write() as tx:
        known = targets.lock(tx, {one.target.id for one in done})
        for one in sorted(done, key=lambda one: one.claimed.id):  # as every worker does
            settled[one.claimed.id] = _finish_one(context, tx, live, one, now, is_known=one.target.id in known)
            if one.receipt.shared:
                known.add(one.target.id)
    carried: dict[int, tuple[ledger.Carried, ...]] = {}
    answered: dict[int, tuple[ledger.Carried, ...]] = {}
    # For the log alone: nothing may fail for it once the message is sent.
    with contextlib.suppress(Exception), context.store.read() as tx:
        carried = ledger.carried_by(tx, ids)
        alerts = {number: answered_by(tx, number) for number, found in carried.items() if not found}
        answered = {number: ledger.carried(tx, alert) for number, alert in alerts.items() if alert is not None}
    for one in done:
        outcome = settled[one.claimed.id]
        said = _log.info if outcome.state is DeliveryState.SENT else _log.warning
        said(
            "delivery",
            delivery=one.claimed.id,
            target=one.target.id,
            state=outcome.state,
            attempt=one.claimed.attempt,
            detail=one.receipt.detail,
            reason=outcome.reason,
            due=outcome.due,
            **headline(one.claimed, carried.get(one.claimed.id, ()), answered.get(one.claimed.id, ())),
        )
    return [settled[delivery_id].state for delivery_id in ids]


def _finish_one(
    context: JobContext, tx: Tx, live: ActiveConfig, done: _Done, now: datetime, *, is_known: bool
) -> Settled:
    claimed, target, receipt = done.claimed, done.target, done.receipt
    settled = settle(
        receipt,
        key=claimed.key,
        attempt=claimed.attempt,
        uncertain=claimed.uncertain - claimed.cut_off,
        most_uncertain=MAX_UNCERTAIN_MAIL if target.channel is Channel.EMAIL else MAX_UNCERTAIN,
        first_attempt=claimed.first_attempt + context.ahead(),
        now=now,
    )
    if is_known or receipt.shared:
        _weigh(tx, live, claimed, target, receipt, now)
    is_mine = deliveries.finish(
        tx,
        claimed,
        receipt,
        owner=context.owner,
        state=settled.state,
        reason=settled.reason,
        again_at=settled.due or now,
        now=now,
    )
    said = words(live)
    if settled.state is DeliveryState.PARKED and targets.park(tx, target.id, settled.reason):
        _notify(tx, live, target.id, said.closed, said.reason(settled.reason), now, Gathered.TARGET)
    if settled.state is DeliveryState.FAILED and is_mine:
        _notify_failure(tx, live, claimed.id, target.id, claimed.recipient, said.given_up, settled.reason, now)
    return settled


def _weigh(tx: Tx, live: ActiveConfig, claimed: Claimed, target: Target, receipt: Receipt, now: datetime) -> None:
    """Write down what the attempt says of its target; of one that fails for long the operators hear once."""
    if receipt.outcome is Outcome.BROKEN:
        return  # it is parked, and that is reported at once
    was = targets.state(tx, target.id)
    if receipt.shared:
        began = deliveries.started(tx, claimed)
        # A web service's "later" is meant for all that we send it; a mail server's for one mailbox or connection.
        after = None if target.channel is Channel.EMAIL else receipt.after
        new = after_failure(target.id, was, delivery=claimed.id, started=began, after=after, now=now)
        if new.failing_since is not None and now - new.failing_since >= _LONG and not was.is_reported:
            said = words(live)
            silent = said.silent.format(target=target.id, since=times.say(new.failing_since))
            _notify(tx, live, target.id, silent, said.reason(receipt.detail), now, Gathered.TARGET)
            new = replace(new, is_reported=True)
        targets.keep(tx, target.id, new)
    elif was.failing_since is not None:
        if was.is_reported:
            said = words(live)
            since = said.had_failed.format(since=times.say(was.failing_since))
            _notify(tx, live, target.id, said.works_again, since, now, Gathered.OVER)
        targets.keep(tx, target.id, TargetState(blocked_until=was.blocked_until))


def _put_aside(
    context: JobContext, live: ActiveConfig, draft: deliveries.Draft, state: DeliveryState, reason: str
) -> None:
    """Park a delivery, or give it up, without an attempt; the operators get a notice where that was done."""
    now = context.clock()
    with context.store.write() as tx:
        if deliveries.settle(tx, draft.id, state, reason[:500], now=now):
            said = words(live).not_sent
            _notify_failure(tx, live, draft.id, draft.target_id, draft.recipient, said, reason, now)


def _notify_failure(
    tx: Tx, live: ActiveConfig, delivery_id: int, target_id: str, recipient: str, what: str, reason: str, now: datetime
) -> None:
    about = words(live).failure(recipient, ledger.titles(tx, delivery_id), reason)
    _notify(tx, live, target_id, what, about, now, Gathered.MESSAGE)


def _notify(tx: Tx, live: ActiveConfig, target_id: str, what: str, reason: str, now: datetime, kind: Gathered) -> None:
    body = f"{reason}\n\n{words(live).hint}"
    notify_operators(tx, live, what.format(target=target_id), body, now=now, about=target_id, kind=kind)
