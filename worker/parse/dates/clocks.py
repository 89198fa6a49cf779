"""The time of day in a date's text, and the zone behind it."""

import re
from datetime import timedelta
from typing import NamedTuple

from worker.parse.dates import zones
from worker.parse.dates.names import FILLERS, TOKEN, folded, names

_TIMES = (
    re.compile(r"(?<!\d)(\d{1,2}) ?: ?(\d{1,2})(?: ?: ?(\d{1,2})(?:[.,:]\d+)?)?(?! ?:)"),
    re.compile(r"(?<![a-z\d])t ?(\d{2})(\d{2})(\d{2})?(?:[.,]\d+)?(?!\d)"),
    re.compile(r"(?<![\d.])(\d{1,2})\.(\d{2})(?:\.(\d{2}))?(?![\d.])"),
    re.compile(
        r"(?<!\d)(\d{1,2}) ?(?:heures?|horas?|gio|uhr|hrs?|h|g)(?![a-z]) ?(?:(\d{2})(?!\d))?"
        r"(?: ?(?:minutes?|min|mn|phut|p|m)(?![a-z]))?(?: ?(\d{1,2}) ?(?:s|sec|giay)(?![a-z]))?"
    ),
    re.compile(r"(?<!\d)(\d{1,2}) ?(?=[ap] ?m(?![a-z]))"),
)
_BEFORE_NOON = "am|a m|sa|sang|ព្រឹក|ກ່ອນທ່ຽງ|上午|午前|오전|πμ"
_AFTER_NOON = "pm|p m|ch|chieu|toi|ល្ងាច|ຫຼັງທ່ຽງ|下午|午後|오후|μμ"
_AM_PM = re.compile("[ap] ?m")
_MERIDIEM = re.compile(rf" ?(?:(?P<am>{folded(_BEFORE_NOON)})|(?P<pm>{folded(_AFTER_NOON)}))(?!\w)")
_MORNING_FIRST, _EVENING_FIRST = folded("上午|午前|오전|ກ່ອນທ່ຽງ"), folded("下午|午後|오후|ຫຼັງທ່ຽງ")
_MERIDIEM_FIRST = re.compile(rf"(?:(?P<am>{_MORNING_FIRST})|(?P<pm>{_EVENING_FIRST})) ?$")
#: Words for the halves of the day that stand before the time.
MERIDIEM_FIRST = frozenset(f"{_MORNING_FIRST}|{_EVENING_FIRST}".split("|"))
_OFFSET = re.compile(
    r"(?<!/)(?<!/gmt)(?:(?:utc|gmt|ut|z) ?[+-] ?\d{1,2}|[+-]\d{2}|\+\d)(?:(?::?\d{2}){1,2}|:[03])?(?![\d/.-])"
)
_REGION = re.compile(r"(?<![a-z])(?:etc/gmt[+-]\d{1,2}|[a-z]+/[a-z_]+(?:/[a-z_]+)?)")


class Clock(NamedTuple):
    """The time of day; the zone is still a word, since its offset may depend on the day."""

    since_midnight: timedelta = timedelta()
    #: Empty where none is written: UTC.
    zone: str = ""
    #: AM or PM is written, in Latin letters.
    am_pm: bool = False


def clock_of(line: str) -> tuple[Clock, str]:
    """The time of day with its zone, and what is left of the line; ValueError where it is a time of no day."""
    found = next(filter(None, (form.search(line) for form in _TIMES)), None)
    if found is None:
        return Clock(), line
    head, tail = line[: found.start()], line[found.end() :]
    hour, minute, second = (*found.groups("0"), "0", "0")[:3]
    meridiem = _MERIDIEM.match(tail) or _MERIDIEM_FIRST.search(head)
    if meridiem is not None and meridiem.string is tail:
        tail = tail[meridiem.end() :]
    elif meridiem is not None:
        head = head[: meridiem.start()]
    at = since(_hours(int(hour), meridiem), int(minute), int(second))
    zone, tail = _zone(tail)
    am_pm = meridiem is not None and _AM_PM.search(meridiem[0]) is not None
    return Clock(at, zone, am_pm), f"{head} {tail}"


def _hours(hour: int, meridiem: re.Match[str] | None) -> int:
    """Hours since midnight: twelve is the first of its half, and 15:05 PM says no more than 15:05."""
    if meridiem is None:
        return hour
    if meridiem["am"] and hour > 12:
        raise ValueError(hour)
    return hour % 12 + 12 * bool(meridiem["pm"]) if hour <= 12 else hour


def since(hours: int, minutes: int, seconds: int) -> timedelta:
    """The time since midnight, which may be 24:00, and may have a leap second; ValueError beyond."""
    at = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if minutes > 59 or seconds > 60 or at > timedelta(hours=24):
        raise ValueError(at)
    return at


def _zone(tail: str) -> tuple[str, str]:
    """The zone that follows a time, and what is left; an offset says more than a name (`+0200 CEST`, `+0700 +07`)."""
    offsets = list(_OFFSET.finditer(tail))
    if offsets:
        first = zones.offset(offsets[0][0])
        for other in reversed(offsets):
            if zones.offset(other[0]) == first:
                tail = f"{tail[: other.start()]} {tail[other.end() :]}"
        return offsets[0][0], _REGION.sub(" ", tail)
    if found := _REGION.search(tail):
        return found[0], f"{tail[: found.start()]} {tail[found.end() :]}"
    known = names()
    for found in TOKEN.finditer(tail):
        word = found[0]
        if word not in FILLERS and word not in known.months and word not in known.days and zones.is_zone(word):
            return word, f"{tail[: found.start()]} {tail[found.end() :]}"
    return "", tail
