"""Deliveries that carry an obligation, and their time: at once, after a wait, in the morning, with the next digest.

Quiet hours hold a message back here.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from worker.alerts.history import About
from worker.alerts.routing import Addressee
from worker.alerts.schedule import next_digest, quiet_until
from worker.alerts.volume import WAVE
from worker.model import Obligation, Severity, Target, WaitReason

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
