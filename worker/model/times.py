"""Times and numbers as people at the desk read them, in the desk's zone; and the jitter of a wait.

The zone is the process's own: whoever reads the configuration names it with `use`, and until then it is UTC.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2b
from zoneinfo import ZoneInfo

_MINUTES = "%Y-%m-%d %H:%M"
DAY = "%Y-%m-%d"
SECONDS = "%Y-%m-%d %H:%M:%S"
#: Between two moments of which one has summer time, where there is any.
_HALF_A_YEAR = timedelta(days=182)

_zone: tzinfo = UTC


def use(name: str) -> None:
    """Show every moment in this zone (IANA name) from now on."""
    global _zone  # noqa: PLW0603 - one desk reads what one process prints
    _zone = UTC if name == "UTC" else ZoneInfo(name)


def say(moment: datetime | None, form: str = _MINUTES) -> str:
    """`2026-11-30 10:13 UTC+07`; empty where there is no moment."""
    return "" if moment is None else f"{bare(moment, form)} {zone(moment)}"


def bare(moment: datetime | None, form: str = _MINUTES) -> str:
    """`2026-11-30 10:13`: for where the zone stands beside it, as at the head of a column."""
    return "" if moment is None else f"{_local(moment):{form}}"


def known(moment: datetime, precision: str) -> str:
    """A date as precisely as it is known: `2025`, `2025-07`, `2025-07-31`, or ISO 8601 with the hour."""
    formats = {"year": "%Y", "month": "%Y-%m", "day": DAY}
    return moment.strftime(formats[precision]) if precision in formats else moment.isoformat()


def zone(moment: datetime) -> str:
    """The zone's usual letters at that moment, or its distance from UTC: `CET`, `UTC+07`, `UTC+05:45`."""
    local = _local(moment)
    letters = local.tzname() or ""
    if letters.isalpha():
        return letters
    hours = f"{local:%z}"
    return f"UTC{hours[:3]}" + (f":{hours[3:5]}" if hours[3:5] != "00" else "")


def read(said: str) -> datetime:
    """The moment (aware UTC) that ISO 8601 names: a day begins, and an hour without a zone is, at the desk.

    Raises ValueError for anything else, and for what lies beyond the calendar.
    """
    moment = datetime.fromisoformat(said)
    try:
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=_zone)).astimezone(UTC)
    except OverflowError as e:
        raise ValueError(said) from e


def column(what: str, now: datetime) -> str:
    """A column's head: `due (UTC+07)`; by the zone's own name where half a year makes a difference."""
    changes = _local(now).utcoffset() != _local(now - _HALF_A_YEAR).utcoffset()
    return f"{what} ({getattr(_zone, 'key', 'UTC') if changes else zone(now)})"


def _local(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(_zone)
    except OverflowError:  # the calendar's first or last day, which feeds do name
        return aware


def jitter(key: str) -> float:
    """A number in [0, 1) that stays the same for `key`: the part of a wait by which those of different keys differ."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).digest(), "big") / 2**48


def counted(number: int, what: str) -> str:
    """A number with its noun in English: `1 feed`, `2 feeds`, `2 copies`, `2 matches`."""
    if number == 1:
        return f"1 {what}"
    if re.search("[^aeiou]y$", what):
        return f"{number} {what[:-1]}ies"
    return f"{number} {what}{'es' if what.endswith(('s', 'x', 'ch', 'sh')) else 's'}"
