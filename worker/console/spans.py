"""Days and spans of time in the reader's zone, as the addresses of pages name them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

#: Days beyond these are no days of this store, and some clocks cannot say them.
_FIRST, _LAST = date(1970, 1, 2), date(2999, 12, 31)
#: A desk goes home, and comes back.
_EVENING, _MORNING = time(18), time(8)
_MONDAY, _FRIDAY = 0, 4
_WEEK = 7

#: [since, until), aware UTC.
Span = tuple[datetime, datetime]


def day(said: str, otherwise: date) -> date:
    """The day that an address names as `2026-11-29`; another one where it names none."""
    try:
        found = date.fromisoformat(said)
    except ValueError:
        return otherwise
    return found if _FIRST <= found <= _LAST else otherwise


def moment(said: str, zone: ZoneInfo) -> datetime | None:
    """The moment (aware UTC) that an address names in ISO 8601; a day begins, and an hour without a zone is, there."""
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    if not _FIRST <= found.date() <= _LAST:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)


def begins(one: date, zone: ZoneInfo) -> datetime:
    """The moment (aware UTC) at which a day begins there."""
    return _at(one, time(), zone)


def bounds(last: date, days: int, zone: ZoneInfo) -> list[datetime]:
    """The moments at which the days up to `last` begin there, and the one at which it ends."""
    return [begins(last + timedelta(days=number), zone) for number in range(1 - days, 2)]


def night(now: datetime, zone: ZoneInfo) -> Span:
    """The last night: from the evening before to this morning, or to now."""
    today = now.astimezone(zone).date()
    return _at(today - timedelta(days=1), _EVENING, zone), min(_at(today, _MORNING, zone), now)


def weekend(now: datetime, zone: ZoneInfo) -> Span:
    """The last weekend: from Friday evening to Monday morning, or to now."""
    today = now.astimezone(zone)
    friday = today.date() - timedelta(days=(today.weekday() - _FRIDAY) % _WEEK)
    if _at(friday, _EVENING, zone) > now:
        friday -= timedelta(days=_WEEK)
    monday = friday + timedelta(days=(_MONDAY - _FRIDAY) % _WEEK)
    return _at(friday, _EVENING, zone), min(_at(monday, _MORNING, zone), now)


def _at(one: date, hour: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(one, hour, zone).astimezone(UTC)
