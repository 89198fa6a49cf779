"""Times of the next try: the next poll of a feed, the next attempt of a delivery, a target that fails.

Pure: what looks random is a hash of an id, so that the same history gives the same times, and feeds that fail
together do not come back together.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

from cronsim import CronSim

from worker.model import Freshness, Quiet, Rhythm, TargetState
from worker.times import counted

DAY = timedelta(days=1)
#: A server may ask for patience: so far we follow what it says of freshness. Content networks add a day unasked, and
#: a watch that looks once a day is none.
_FRESHEST = timedelta(hours=4)
#: A feed that fails is asked again at least so often, if its own interval is not longer.
_SLOWEST = timedelta(hours=1)
#: Of a feed that publishes rarely: what it publishes is to be heard within the hour all the same.
_RAREST = timedelta(hours=1)
#: Dates that a rhythm is learnt from, at least.
_DATES = 6
#: A feed that is gone is asked once more a day, in case it was a mistake.
_RETIRED = DAY
_UNKNOWN = Rhythm()
#: A feed's next poll is late by at most this part of its wait.
_LATE = 0.1
_MAX_LATE = timedelta(minutes=5)
_FIRST_RETRY = 30.0
#: With the jitter of a fifth, 15 minutes.
_LAST_RETRY = 750.0
#: Failures of a target in a row, of different deliveries, after which one of them is tried for all.
BREAK_AFTER = 3
#: A target that asks for time again is given so much at least.
_PATIENCE = timedelta(minutes=5)
#: `timedelta` and `datetime` overflow; nobody waits longer.
_LONGEST = timedelta(days=30)


def next_poll(
    feed_id: str,
    every: timedelta,
    *,
    freshness: Freshness,
    failures: int,
    now: datetime,
    rhythm: Rhythm = _UNKNOWN,
) -> datetime:
    """The time to poll the feed again, after a poll at `now` that left it with `failures` in a row.

    Never before `every`, nor before the server wants us back: a Retry-After counts for at most a day, freshness (by
    header, ttl or skipHours) for at most four hours. After a success a little later than that, and as its rhythm has
    it; after failures the wait doubles with each, to an hour or to `every` if that is longer: a feed that comes back
    must not be missed for half a day.
    """
    retry_after = _wished(freshness.retry_after)
    if failures <= 0:
        fresh = min(max(_wished(freshness.max_age), _wished(rhythm.ttl)), _FRESHEST)
        wait = max(every, timedelta(seconds=rhythm.interval), fresh, retry_after)
        late = wait + _fraction(feed_id) * min(_LATE * wait, _MAX_LATE)
        return _not_skipped(now + (late if every >= DAY else min(late, DAY)), rhythm)
    doubled = every.total_seconds() * 2.0 ** min(failures - 1, 32)
    wait = timedelta(seconds=min(doubled, max(every, _SLOWEST).total_seconds()))
    # Earlier rather than later, so that the limit holds also for what waits longest.
    early = wait - _LATE * _fraction(f"{feed_id} {failures}") * wait
    return now + max(every, early, retry_after)


def next_poll_of_retired(feed_id: str, every: timedelta, *, now: datetime) -> datetime:
    """The time to ask once more for a feed that was said to be gone for good."""
    wait = max(every, _RETIRED)
    return now + wait + _fraction(feed_id) * min(_LATE * wait, _MAX_LATE)


def learnt(moments: Iterable[datetime], every: timedelta, *, now: datetime) -> tuple[timedelta, str]:
    """The interval that suits a feed whose document shows articles of these times, and why, for people.

    A quarter of the usual pause between its articles, so that one is heard soon after it stands there, and of the
    time that its document reaches back, so that none passes through unseen; from `every` to an hour. A feed that has
    fallen silent counts as slow as its silence is long. Nothing (zero, no words) where too few dates are known.
    """
    known = sorted({moment for moment in moments if moment <= now}, reverse=True)
    if len(known) < _DATES:
        return timedelta(0), ""
    pauses = sorted(later - earlier for later, earlier in zip([now, *known], known, strict=False))
    pause = max(pauses[len(pauses) // 2], (now - known[0]) / 4)
    reach = now - known[-1]
    wanted = min(pause / 4, reach / 4)
    interval = max(every, min(wanted, max(every, _RAREST)))
    return interval, f"an article every {_said(pause)} or so, {len(known)} in {_said(reach)}"


def _said(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return counted(round(minutes / size), unit)
    return counted(round(minutes), "minute")


def _not_skipped(due: datetime, rhythm: Rhythm) -> datetime:
    """`due`, or the end of the hours that the feed asks to be left alone in, at most four hours later."""
    for hours in range(5):
        hour = due if not hours else due.replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)
        if hour.hour not in rhythm.skip_hours and hour.weekday() not in rhythm.skip_days:
            # Not all at the stroke of the hour.
            return hour + (due - due.replace(minute=0, second=0, microsecond=0) if hours else timedelta(0)) / 12
    return due + _FRESHEST


def next_attempt(key: str, attempt: int, *, after: timedelta | None, now: datetime) -> datetime:
    """The time to try the delivery `key` again, whose `attempt` (1 for the first) failed at `now`.

    30 seconds later at first, doubling to at most 15 minutes, and never before `after` from now, where the other
    side said so.
    """
    wait = timedelta(seconds=min(_FIRST_RETRY * 2.0 ** min(max(attempt, 1) - 1, 16), _LAST_RETRY))
    wait += 0.2 * _fraction(f"{key} {attempt}") * wait
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
    """The end of the quiet hours that `moment` falls into, by the clock on the wall."""
    wall = moment.astimezone(zone).replace(tzinfo=None)
    for quiet in hours:
        for day in (wall.date() - DAY, wall.date()):
            begin = datetime.combine(day, quiet.since)
            end = datetime.combine(day if quiet.since < quiet.until else day + DAY, quiet.until)
            if begin <= wall < end and (not quiet.days or day.weekday() in quiet.days):
                found = end.replace(tzinfo=zone).astimezone(UTC)
                # An end that comes twice in a night: whoever is past the first waits for the second.
                yield found if found > moment else end.replace(tzinfo=zone, fold=1).astimezone(UTC)


def _wished(seconds: int | None) -> timedelta:
    """The pause that the server wishes, from nothing to a day; clamped before it is a timedelta, which overflows."""
    return timedelta(seconds=min(max(0, seconds or 0), 86_400))


def _fraction(text: str) -> float:
    """A number in [0, 1) that stands for `text`."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest(), "big") / 2**48


def after_failure(
    target_id: str, was: TargetState, *, delivery: int, started: datetime, after: timedelta | None, now: datetime
) -> TargetState:
    """A target's new state after the attempt of `delivery`, `started` then, failed as any message would have.

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
        told=was.told,
    )
