"""Deliveries that carry an obligation, and their time: at once, after a wait, in the morning, with the next digest.

Quiet hours hold a message back here, and a delivery is settled here after an attempt.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.alerts.history import About
from worker.alerts.routing import Addressee
from worker.alerts.schedule import next_attempt, next_digest, quiet_until
from worker.alerts.volume import WAVE
from worker.model import DeliveryState, Obligation, Outcome, Receipt, Severity, Target, WaitReason
from worker.model.times import counted

#: What the messages of one thread collect begins with one of these.
THREADS = ("story:", "article:", WAVE)
DIGEST = "digest"
ESCALATION = "escalation:"


def thread_of(about: About, key: str | None) -> str:
    """The key under which messages on an article collect: its story, or itself."""
    is_story = key == "story" and about.story_id is not None
    return f"story:{about.story_id}" if is_story else f"article:{about.article_id}"


def placed(
    owed: Obligation,
    to: Addressee,
    severity: Severity,
    *,
    about: About,
    throttled: bool,
    again: datetime | None = None,
    thread: str = "",
) -> Obligation:
    """The obligation with the delivery that is to carry it.

    `again`: its story is sent no second time before then; `thread`: what it collects, where `key` has no say.
    """
    target, now = to.target, about.now
    if target.digest is not None and severity not in target.digest.but:
        return _in_digest(owed, target, now, WaitReason.DIGEST)
    if throttled and severity is not Severity.CRITICAL:
        return _in_digest(owed, target, now, WaitReason.THROTTLED)
    wait = to.notification.group_wait or timedelta(0)
    due, hold = now + wait, WaitReason.GROUP_WAIT if wait else None
    if again is not None and again > due:
        due, hold = again, WaitReason.REPEAT_INTERVAL
    due, hold = held(target, severity, due, hold)
    return replace(owed, collects=thread or thread_of(about, to.notification.key), due=due, hold=hold)


def held(
    target: Target, severity: Severity, due: datetime, hold: WaitReason | None
) -> tuple[datetime, WaitReason | None]:
    """The due time, put off to the end of quiet hours unless critical, and why it waits."""
    awake = due if severity is Severity.CRITICAL else quiet_until(target.quiet, target.timezone, due)
    return (awake, WaitReason.QUIET_HOURS) if awake > due else (due, hold)


def escalated(
    owed: Obligation, target: Target, recipient: str, severity: Severity, *, after: timedelta, now: datetime
) -> Obligation:
    """The escalation to one more recipient if nobody acknowledges `owed` in time."""
    due, hold = held(target, severity, (owed.due or now) + after, WaitReason.ESCALATION)
    return replace(
        owed,
        target_id=target.id,
        recipient=recipient,
        occasion="escalation",
        collects=ESCALATION + owed.collects,
        due=due,
        hold=hold,
    )


def _in_digest(owed: Obligation, target: Target, now: datetime, hold: WaitReason) -> Obligation:
    if target.digest is not None:
        due = next_digest(target.digest.at, target.timezone, now)
    else:
        due = now + (target.throttle.per if target.throttle else timedelta(0))
    return replace(owed, collects=DIGEST, due=due, hold=hold)


# States of a delivery after an attempt, or instead of one.


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
