"""Times of sending: hours of the day, cron expressions, days of the week, and throttles."""

import re
from datetime import UTC, datetime, time

from cronsim import CronSim, CronSimError

from worker.config.fields import Wrong

_HOUR = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hour(value: object) -> time:
    """`"22:00"`, or TOML's own `22:00:00`."""
    if isinstance(value, time):
        return value.replace(second=0, microsecond=0)
    if isinstance(value, str) and (found := _HOUR.fullmatch(value.strip())):
        return time(int(found[1]), int(found[2]))
    raise Wrong("is no hour of the day", 'write hours and minutes in quotes: "22:00"')


def cron(value: object) -> str:
    """An hour of every day (`"07:30"`), of one day of the week (`"mon 07:30"`), or five fields of cron."""
    if isinstance(value, str):
        text = value.strip().lower()
        day, _, clock = text.rpartition(" ")
        if _HOUR.fullmatch(clock) and (not day or day in _DAYS):
            at = hour(clock)
            return f"{at.minute} {at.hour} * * {(_DAYS.index(day) + 1) % 7 if day else '*'}"
        if _comes(text):
            return text
    fix = 'write "07:30" for every day, "mon 07:30" for every Monday, or five fields of cron: "30 7 * * 1-5"'
    raise Wrong("is no time that comes again", fix)


def _comes(expression: str) -> bool:
    try:
        next(CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        return False
    return len(expression.split()) == 5


def day(text: str) -> int:
    """`mon` to `sun`, Monday 0."""
    if text.lower()[:3] not in _DAYS:
        raise Wrong("is no day of the week", f"one of: {', '.join(_DAYS)}")
    return _DAYS.index(text.lower()[:3])
