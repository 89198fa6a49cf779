"""The time of day in a date's text, and the zone behind it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from worker.feeds.parse.dates.names import FILLERS, TOKEN, folded, names

# Time zones as dates write them: offsets, abbreviations, names of the IANA database.
#
# An abbreviation that several zones share has the meaning that RFC 2822 section 4.3 gives it, else that of the zone
# with most speakers of the feeds' languages: `IST` is India's, `BST` Britain's, `CST` that of North America.


#: Hours east of Greenwich -> abbreviations, folded.
_ABBREVIATIONS: Mapping[float, str] = {
    0: "z utc ut gmt wet",
    1: "cet met mez bst west wat hnec",
    2: "cest mest mesz eet sast cat haec",
    3: "eest msk eat trt",
    3.5: "irst",
    4: "gst samt",
    4.5: "aft irdt",
    5: "pkt uzt yekt mvt",
    5.5: "ist slst",
    5.75: "npt",
    6: "omst",
    6.5: "mmt",
    7: "ict wib krat",
    8: "sgt myt hkt pht phst wita irkt bnt awst",
    9: "jst kst wit yakt tlt",
    9.5: "acst",
    10: "aest vlat chst",
    10.5: "acdt",
    11: "aedt magt",
    12: "nzst fjt",
    13: "nzdt",
    -2: "brst",
    -2.5: "ndt",
    -3: "brt art uyt clst adt",
    -3.5: "nst",
    -4: "edt ast clt bot vet hae",
    -5: "est cdt cot pet hne",
    -6: "cst mdt",
    -7: "mst pdt",
    -8: "pst akdt",
    -9: "akst hdt",
    -10: "hst hast",
}
_BY_ABBREVIATION = {
    name: timezone(timedelta(hours=hours)) for hours, names in _ABBREVIATIONS.items() for name in names.split()
}
#: Half of the year one, half the other.
_BY_REGION = {
    "et": "America/New_York",
    "ct": "America/Chicago",
    "mt": "America/Denver",
    "pt": "America/Los_Angeles",
}
_ZONE_OFFSET = re.compile(r"(?:utc|gmt|ut|z)? ?([+-]) ?(\d{1,2})(?::?(\d{2})|:([03]))?(?::?00)?")
#: Minutes; no zone is farther from Greenwich.
_FARTHEST = 14 * 60
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - a clock on a wall
_IANA = re.compile(r"[a-z]+/[a-z_]+(?:/[a-z_]+)?|etc/gmt[+-]\d{1,2}")


def is_zone(text: str) -> bool:
    """Tell whether a folded text is a zone."""
    return find(text, _SOME_DAY) is not None


def offset(text: str) -> tzinfo | None:
    """The zone of `+07`, `-0330`, `gmt+7` or `utc +07:00`; None for others, and for one that no place on earth has."""
    found = _ZONE_OFFSET.fullmatch(text)
    if found is None:
        return None
    # `+00:0` is what a limit on the length leaves of `+00:00`.
    rest = int(found[3] or 0) or 10 * int(found[4] or 0)
    minutes = int(found[2]) * 60 + rest
    if minutes > _FARTHEST or rest > 59:
        return None
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))


def find(text: str, local: datetime) -> tzinfo | None:
    """The zone that a folded text names, at that time of its clocks: an offset, an abbreviation, an IANA name.

    A letter that stands alone tells nothing, and is UTC (RFC 2822 section 4.3).
    """
    if (fixed := offset(text)) is not None:
        return fixed
    if text in _BY_ABBREVIATION:
        return _BY_ABBREVIATION[text]
    if len(text) == 1 and "a" <= text <= "y" and text != "j":
        return UTC
    name = _BY_REGION.get(text) or (_region(text) if _IANA.fullmatch(text) else "")
    try:
        zone = ZoneInfo(name) if name else None
    except (KeyError, OSError, ValueError):
        return None
    return None if zone is None else timezone(local.replace(tzinfo=zone).utcoffset() or timedelta())


def _region(text: str) -> str:
    """An IANA name with its capitals: `asia/ho_chi_minh` is `Asia/Ho_Chi_Minh`."""
    if text.startswith("etc/"):
        return "Etc/" + text[4:].upper()
    words = re.sub(r"[a-z]+", lambda word: word[0].capitalize(), text)
    return re.sub(r"_(Of|Es)_", lambda word: word[0].lower(), words)


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
        first = offset(offsets[0][0])
        for other in reversed(offsets):
            if offset(other[0]) == first:
                tail = f"{tail[: other.start()]} {tail[other.end() :]}"
        return offsets[0][0], _REGION.sub(" ", tail)
    if found := _REGION.search(tail):
        return found[0], f"{tail[: found.start()]} {tail[found.end() :]}"
    known = names()
    for found in TOKEN.finditer(tail):
        word = found[0]
        if word not in FILLERS and word not in known.months and word not in known.days and is_zone(word):
            return word, f"{tail[: found.start()]} {tail[found.end() :]}"
    return "", tail
