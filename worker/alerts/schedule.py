"""The sending schedule: digests, quiet hours, the next attempt of a delivery, and a target that fails.

Pure: a retry's jitter is a hash of its key, so that the same history gives the same times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from worker.model import Quiet, TargetState
from worker.model.times import jitter

_DAY = timedelta(days=1)
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


def next_attempt(key: str, attempt: int, *, after: timedelta | None, now: datetime) -> datetime:
    """The time at which to try the delivery `key` again, whose `attempt` (1 for the first) failed at `now`.

    30 seconds later at first, doubling to at most 15 minutes, and never before `after` from now, where the other
    side said so.
    """
    wait = timedelta(seconds=min(_FIRST_RETRY * 2.0 ** min(max(attempt, 1) - 1, 16), _LAST_RETRY))
    wait += 0.2 * jitter(f"{key} {attempt}") * wait
    return now + max(wait, min(after or wait, _LONGEST))


def next_digest(cron: str, timezone: str, after: datetime) -> datetime:
    """The first moment later than `after` that the cron expression names in that time zone.

    A time that a change of clocks leaves out counts at its end, one that comes twice counts once (as Debian's cron).
    """
    return next(CronSim(cron, after.astimezone(ZoneInfo(timezone)))).astimezone(UTC)


def quiet_until(hours: Sequence[Quiet], timezone: str, moment: datetime) -> datetime:
    """`moment`, or the end of the quiet hours that it falls into; hours that follow at once count as one."""
    zone = ZoneInfo(timezone)
    # One turn for each stretch that begins where another ends; a week of them is the whole of time.
    for _ in range(8 * max(len(hours), 1)):
        ends = list(_ends(hours, zone, moment))
        if not ends:
            break
        moment = max(ends)
    return moment


def _ends(hours: Sequence[Quiet], zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    """The ends of the quiet hours that `moment` falls into, by the clock on the wall."""
    wall = moment.astimezone(zone).replace(tzinfo=None)
    for quiet in hours:
        for day in (wall.date() - _DAY, wall.date()):
            begin = datetime.combine(day, quiet.since)
            end = datetime.combine(day if quiet.since < quiet.until else day + _DAY, quiet.until)
            if begin <= wall < end and (not quiet.days or day.weekday() in quiet.days):
                found = end.replace(tzinfo=zone).astimezone(UTC)
                # An end that comes twice in a night: whoever is past the first waits for the second.
                yield found if found > moment else end.replace(tzinfo=zone, fold=1).astimezone(UTC)


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
