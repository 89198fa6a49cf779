"""The retry schedule: when a delivery is tried again, when it is given up, and how a failing target is spared.

Pure: a retry's jitter is a hash of its key, so that the same history gives the same times.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.model import DeliveryState, Outcome, Receipt, TargetState
from worker.model.times import counted, jitter

#: Seconds.
_FIRST_RETRY = 30.0
#: With the jitter of a fifth, 15 minutes.
_LAST_RETRY = 750.0
#: Failures of a target in a row, of different deliveries, after which one of them is tried for all.
BREAK_AFTER = 3
#: A target that asks for time again is given so much at least.
_PATIENCE = timedelta(minutes=5)
#: `timedelta` and `datetime` overflow; nobody waits longer.
_LONGEST = timedelta(days=30)
#: A delivery that was never accepted is given up after this long; an outage of 72 h must lose nothing.
GIVE_UP = timedelta(days=7)
#: A parked delivery whose target nobody fixes is given up after this long.
PARKED_FOR = timedelta(days=30)
#: Attempts that took the process down before the delivery is taken for the cause.
MAX_CRASHES = 5
#: Attempts that may have succeeded: after the second, a third could only be a nuisance.
MAX_UNCERTAIN = 2
#: Mail bears more, since its Message-ID tells a repeat from news; with these pauses, through a stall of 72 h.
MAX_UNCERTAIN_MAIL = 7
#: After the first, and four times as long after each further one.
UNCERTAIN_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A delivery's state after an attempt, or instead of one."""

    state: DeliveryState
    reason: str = ""
    #: When it is due again, where it is.
    due: datetime | None = None


def settle(  # noqa: PLR0911 - one return a case reads best
    receipt: Receipt,
    *,
    key: str,
    attempt: int,
    uncertain: int,
    most_uncertain: int = MAX_UNCERTAIN,
    first_attempt: datetime,
    now: datetime,
) -> Settled:
    """A delivery's state after an attempt's receipt; `uncertain` counts earlier attempts that may have arrived."""
    match receipt.outcome:
        case Outcome.SENT:
            return Settled(state=DeliveryState.SENT)
        case Outcome.PERMANENT:
            return Settled(state=DeliveryState.FAILED, reason=f"refused: {receipt.detail}")
        case Outcome.BROKEN:
            return Settled(state=DeliveryState.PARKED, reason=receipt.detail)
        case Outcome.UNCERTAIN if uncertain + 1 >= most_uncertain:
            reason = f"uncertain: tried {counted(uncertain + 1, 'time')}, may have arrived: {receipt.detail}"
            return Settled(state=DeliveryState.FAILED, reason=reason)
        case Outcome.UNCERTAIN:
            pause = UNCERTAIN_PAUSE * 4**uncertain
            return Settled(state=DeliveryState.RETRY, reason="may have arrived", due=now + pause)
        case Outcome.RETRY if now - first_attempt > GIVE_UP:
            return Settled(state=DeliveryState.FAILED, reason=f"expired: {receipt.detail}")
        case Outcome.RETRY:
            due = next_attempt(key, attempt, after=receipt.after, now=now)
            return Settled(state=DeliveryState.RETRY, reason=receipt.detail, due=due)


def next_attempt(key: str, attempt: int, *, after: timedelta | None, now: datetime) -> datetime:
    """The time at which to try the delivery `key` again, whose `attempt` (1 for the first) failed at `now`.

    30 seconds later at first, doubling to at most 15 minutes, and never before `after` from now, where the other
    side said so.
    """
    wait = timedelta(seconds=min(_FIRST_RETRY * 2.0 ** min(max(attempt, 1) - 1, 16), _LAST_RETRY))
    wait += 0.2 * jitter(f"{key} {attempt}") * wait
    return now + max(wait, min(after or wait, _LONGEST))


def after_failure(
    target_id: str, was: TargetState, *, delivery: int, started: datetime, after: timedelta | None, now: datetime
) -> TargetState:
    """The state of a target after the attempt of `delivery`, `started` then, failed as any message would have.

    After three in a row, of different deliveries, it is tried with one at a time, at pauses that grow to 15 minutes.
    `after`: it asked to be left alone so long, which holds for all that it is sent; the second time in a row for five
    minutes at least, since services shut out who keeps asking.
    """
    again = was.failing_since is not None and started > was.failing_since
    if after is not None:
        after = min(max(after, _PATIENCE) if again else after, _LONGEST)
    blocked = max(filter(None, (was.blocked_until, None if after is None else now + after)), default=None)
    if was.probe_at is not None and delivery != was.probe:
        return replace(was, blocked_until=blocked)  # under way when the others failed, and no news
    failures = was.failures + (was.probe_at is not None or delivery != was.probe)
    pause = None
    if failures >= BREAK_AFTER:
        pause = next_attempt(target_id, failures - BREAK_AFTER + 1, after=after, now=now)
    return TargetState(
        failures=failures,
        failing_since=was.failing_since or now,
        probe_at=pause,
        probe=delivery,
        blocked_until=blocked,
        is_reported=was.is_reported,
    )
