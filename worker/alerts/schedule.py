"""The sending schedule: the time of the next digest, and the end of quiet hours."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from worker.model import Quiet

_DAY = timedelta(days=1)


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
