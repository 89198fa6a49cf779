"""The polling schedule: when a feed is polled again.

Pure: what looks random is a hash of an id, so that the same history gives the same times, and feeds that fail
together do not come back together.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from worker.model import Freshness, Rhythm
from worker.model.times import counted, jitter

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
        late = wait + jitter(feed_id) * min(_LATE * wait, _MAX_LATE)
        return _not_skipped(now + (late if every >= DAY else min(late, DAY)), rhythm)
    doubled = every.total_seconds() * 2.0 ** min(failures - 1, 32)
    wait = timedelta(seconds=min(doubled, max(every, _SLOWEST).total_seconds()))
    # Earlier rather than later, so that the limit holds also for what waits longest.
    early = wait - _LATE * jitter(f"{feed_id} {failures}") * wait
    return now + max(every, early, retry_after)


def next_poll_of_retired(feed_id: str, every: timedelta, *, now: datetime) -> datetime:
    """The time to ask once more for a feed that was said to be gone for good."""
    wait = max(every, _RETIRED)
    return now + wait + jitter(feed_id) * min(_LATE * wait, _MAX_LATE)


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


def _wished(seconds: int | None) -> timedelta:
    """The pause that the server wishes, from nothing to a day; clamped before it is a timedelta, which overflows."""
    return timedelta(seconds=min(max(0, seconds or 0), 86_400))
