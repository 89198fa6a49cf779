"""A date's text read on its own, in any of the forms that feeds write.

RFC 2822 section 3.3 and its obsolete forms, RFC 850, RFC 3339, ISO 8601 with weeks and basic forms, `asctime`, seconds
since the epoch, and dates in the words of the languages of `names.txt`. As in browsers a word that means nothing is
passed over before the first number, and makes the date unreadable behind it; what stands in parentheses is passed over
unless it is a zone. A zone that is not understood is never passed over where it is the only one.
"""

import html
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from worker.feeds.parse.dates import clocks
from worker.feeds.parse.dates.clocks import MERIDIEM_FIRST, Clock, clock_of, since
from worker.feeds.parse.dates.names import FILLERS, TOKEN, composed, folded, names

#: Characters; what is longer is no date.
_LONGEST = 120
#: Years before are placeholders: the year 1, the epoch.
_FIRST_YEAR = 1971
#: Tags, and the reading of a monotonic clock that Go prints.
_NOISE = re.compile(r"<[^<>]*>|m=[+-][\d.]+$")
_SPACES = re.compile(r"\s+")
#: Milliseconds since the epoch as ASP.NET writes them in JSON; the zone only says where it was written.
_SCRIPT_DATE = re.compile(r"^\\?/date\((\d+)(?:[+-]\d{4})?\)\\?/$")
_THAI = re.compile("[\u0e01-\u0e3a\u0e40-\u0e4e]")
_PARENTHESES = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")

# --- the forms of the standards ----------------------------------------------------------------------------------

_ENGLISH_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6} | {
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_RFC_2822 = re.compile(
    rf"(?:[a-z]{{3}}, )?(\d{{1,2}}) ({'|'.join(_ENGLISH_MONTHS)}) (\d{{4}}) (\d\d):(\d\d)(?::(\d\d))?"
    r"(?: (?P<zone>[+-]\d{4}|gmt|utc|z))?"
)
_RFC_3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[t ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)? ?(?P<zone>z|[+-]\d\d:?\d\d)?")

# --- Vietnamese writes numbers for its days and months -----------------------------------------------------------

_DAY_NUMBERS = {"hai": 0, "ba": 1, "tư": 2, "năm": 3, "sáu": 4, "bảy": 5}
_VIETNAMESE_DAY = re.compile(rf"(?<!\w)(?:(?:thứ |thứ|t|th )([2-7])(?=[,;. ]|$)|thứ ({'|'.join(_DAY_NUMBERS)})(?!\w))")
_MONTH_NUMBERS = {
    name: number
    for number, line in enumerate(
        ("mot|gieng", "hai", "ba", "tu", "bon|nam", "sau", "bay", "tam", "chin", "muoi", "muoi mot", "muoi hai|chap"), 1
    )
    for name in line.split("|")
} | {"bon": 4}
_VIETNAMESE_MONTH = re.compile(
    r"(?<!\w)th(?:ang |ang|g |g)?(1[0-2]|0?[1-9])(?!\d)"
    rf"|(?<!\w)thang ({'|'.join(sorted(_MONTH_NUMBERS, reverse=True))})(?!\w)"
)

# --- numbers in a row --------------------------------------------------------------------------------------------

_EPOCH = re.compile(r"(\d{9,10}|\d{12,13}|\d{16}|\d{19})(?:[.,]\d{1,9})?")
_BASIC = re.compile(
    r"(\d{4})(\d{2})(\d{2})(?:[t ]?(\d{2})(\d{2})(\d{2})?(?:[.,]\d{1,9})?)? ?"
    r"([a-z]{1,5}|(?:utc|gmt)?[+-]\d{1,2}(?::?\d{2})?)?"
)
_COARSE = re.compile(r"(\d{4})(?:-(\d{2}))?")
_DAY_AND_ZONE = re.compile(r"(\d{4}-\d{2}-\d{2})(z|[+-]\d{2}:\d{2})")
_WEEK = re.compile(r"(?<!\d)(\d{4})-?w(\d{2})(?:-?([1-7]))?(?!\d)")
_ORDINAL = re.compile(r"(?<![\d-])(\d{4})-(\d{3})(?!\d)")
_YEAR_FIRST = re.compile(r"(?<![\d+])(\d{4}) ?([-/.]) ?(\d{1,2}) ?\2 ?(\d{1,2})")
_YEAR_LAST = re.compile(r"(?<![\d:])(\d{1,2}) ?([-/.]) ?(\d{1,2}) ?\2 ?(\d{4})")
_SHORT_YEAR = re.compile(r"(?<![\d:])(\d{1,2})([-/.])(\d{1,2})\2(\d{2})(?![\d:])")
_CHINESE_DATE = re.compile(r"(\d{2,4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日号號일]?")

_CHINESE_TIME = re.compile(r"(\d{1,2}) ?[时時点點시] ?(?:(\d{1,2}) ?[分분])? ?(?:\d{1,2} ?[秒초])?")

# --- words -------------------------------------------------------------------------------------------------------

#: Stand before numbers without a space: day, month, year, hour.
_PREFIXES = re.compile(
    folded("ថ្ងៃទី|ថ្ងៃ|ទី|ខែ|ឆ្នាំ|ម៉ោង|នាទី|វិនាទី|ວັນທີ|ວັນ|ເດືອນ|ປີ|ເວລາ|ໂມງ|ນາທີ|วันที่|วัน|เดือน|พ ศ|ค ศ|พศ|คศ|เวลา|นาฬิกา|น$")
)
_LEAD = re.compile(r"\D*")
_ORDINALS = re.compile(r"(?<=\d)(?:st|nd|rd|th|er|ere|re|eme|o|a)(?![a-z])")


class Form(Enum):
    """The look of a date in numbers, which hints at the order of day and month."""

    #: Dashes or full stops; or no date in numbers at all.
    OTHER = auto()
    SLASHES = auto()
    #: Slashes, and AM or PM.
    AMERICAN = auto()


class Written(NamedTuple):
    """A date as far as its text tells; both instants are None where it tells none, and equal where it tells one."""

    #: In UTC; if the numbers are day, month, year.
    day_first: datetime | None = None
    #: In UTC; if they are month, day, year.
    month_first: datetime | None = None
    #: The order that the text itself shows: 1 the month first, -1 the day first, 0 neither.
    order: int = 0
    form: Form = Form.OTHER


NONE = Written()


class _Numbers(NamedTuple):
    """A date in numbers, as it stands."""

    first: int
    second: int
    year: int
    separator: str = "-"
    is_year_first: bool = False


class _Words(NamedTuple):
    """The words of a line beside its time and its date in numbers."""

    numbers: Sequence[str]
    months: Sequence[int]
    days: Sequence[int]


def written(text: str) -> Written:
    """The instant or instants that a date's text may mean; it costs no more for a hostile text than for a long one."""
    if len(text) > 4 * _LONGEST:
        return NONE
    if "&" in text:
        # Twice, since templates escape what was escaped.
        text = html.unescape(html.unescape(text))
    line = _SCRIPT_DATE.sub(r"\1", composed(_SPACES.sub(" ", _NOISE.sub(" ", text)).strip()))
    if not 4 <= len(line) <= _LONGEST:
        return NONE
    try:
        return _usual(line) or _in_a_row(line) or _in_parts(line)
    except (ValueError, OverflowError):  # the date or the time is none of any calendar
        return NONE


def _usual(line: str) -> Written | None:
    """A date as RFC 2822 or RFC 3339 has it: nearly all are, and this is twenty times as fast as the rest."""
    if found := _RFC_3339.fullmatch(line):
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    elif found := _RFC_2822.fullmatch(line):
        year, month, day = int(found[3]), _ENGLISH_MONTHS[found[2]], int(found[1])
    else:
        return None
    at = since(int(found[4]), int(found[5]), int(found[6] or 0))
    return _certain(year, month, day, Clock(at, found["zone"] or ""))


def _in_a_row(line: str) -> Written | None:
    """Seconds since the epoch (or milli-, micro-, nanoseconds), a basic form of ISO 8601, a month or a year alone."""
    if found := _BASIC.fullmatch(line):
        year, month, day, hour, minute, second, zone = found.groups()
        if "197" <= year[:3] <= "209" and month <= "12" and day <= "31":
            at = since(int(hour or 0), int(minute or 0), int(second or 0))
            return _certain(int(year), int(month), int(day), Clock(at, zone or ""))
    if found := _EPOCH.fullmatch(line):
        digits = found[1]
        whole = len(digits) - len(digits) % 3 if len(digits) in {9, 12} else len(digits)
        seconds = int(digits) // 10 ** max(0, whole - (9 if len(digits) in {9, 12} else 10))
        instant = datetime.fromtimestamp(seconds, UTC)
        return Written(instant, instant) if instant.year >= _FIRST_YEAR else NONE
    if found := _COARSE.fullmatch(line):
        return _certain(int(found[1]), int(found[2] or 1), 1, Clock())
    if found := _DAY_AND_ZONE.fullmatch(line):
        year, month, day = found[1].split("-")
        return _certain(int(year), int(month), int(day), Clock(zone=found[2]))
    return None


def _in_parts(line: str) -> Written:
    """A date of which day, time and zone stand apart."""
    line, weekday = _vietnamese_day(line)
    is_thai = _THAI.search(line) is not None
    if not line.isascii():
        line = _PREFIXES.sub(" ", folded(line))
        line = _CHINESE_TIME.sub(_chinese_time, _CHINESE_DATE.sub(r" \1-\2-\3 ", line))
    line = _ORDINALS.sub("", _PARENTHESES.sub(_zone_only, folded(line)))
    line, month = _vietnamese_month(line)
    line = _LEAD.sub(_known_only, line, count=1)
    numbers, line = _numbers(line)
    clock, line = clock_of(line)
    words = _words(line, is_zoned=bool(clock.zone))
    if words is None:
        return NONE
    if numbers is not None:
        weekday = words.days[0] if weekday is None and words.days else weekday
        return NONE if words.numbers else _either(numbers, clock, weekday)
    months = [month] if month else words.months
    if len(months) == 1 and [len(number) for number in words.numbers] == [4]:
        return _certain(int(words.numbers[0]), months[0], 1, clock)
    if len(months) != 1 or len(words.numbers) != 2:
        return NONE
    day, year = words.numbers
    if len(day) > 2 or int(day) > 31:
        day, year = year, day
    # Two figures from 50 on are a year of the Buddhist era in Thai: 2007 to 2056.
    return _certain(int(f"25{year}") if is_thai and "50" <= year <= "99" else _year(year), months[0], int(day), clock)


def _vietnamese_day(line: str) -> tuple[str, int | None]:
    found = _VIETNAMESE_DAY.search(line)
    if found is None:
        return line, None
    day = int(found[1]) - 2 if found[1] else _DAY_NUMBERS[found[2]]
    return f"{line[: found.start()]} {line[found.end() :]}", day


def _vietnamese_month(line: str) -> tuple[str, int | None]:
    found = _VIETNAMESE_MONTH.search(line)
    if found is None:
        return line, None
    month = int(found[1]) if found[1] else _MONTH_NUMBERS[found[2]]
    return f"{line[: found.start()]} , {line[found.end() :]}", month


def _zone_only(found: re.Match[str]) -> str:
    """The text in parentheses, if it is a zone."""
    inside = (found[1] or found[2] or "").strip()
    return f" {inside} " if len(inside) > 1 and clocks.is_zone(inside) else " "


def _chinese_time(found: re.Match[str]) -> str:
    return f" {found[1]}:{found[2] or '00'} "


def _known_only(found: re.Match[str]) -> str:
    """Of what stands before the first number, the words that mean something, as browsers do."""
    known = names()
    return (
        " ".join(
            word
            for word in TOKEN.findall(found[0])
            if word in known.months or word in known.days or word in MERIDIEM_FIRST
        )
        + " "
    )


def _numbers(line: str) -> tuple[_Numbers | None, str]:
    """The date in numbers that a line holds, and what is left of the line."""
    if found := _WEEK.search(line):
        day = date.fromisocalendar(int(found[1]), int(found[2]), int(found[3] or 1))
        numbers = _Numbers(day.month, day.day, day.year, is_year_first=True)
    elif found := _YEAR_FIRST.search(line):
        numbers = _Numbers(int(found[3]), int(found[4]), int(found[1]), is_year_first=True)
    elif found := _ORDINAL.search(line):
        day = date(int(found[1]), 1, 1) + timedelta(days=int(found[2]) - 1)
        numbers = _Numbers(day.month, day.day, day.year, is_year_first=True)
    elif found := _YEAR_LAST.search(line):
        numbers = _Numbers(int(found[1]), int(found[3]), int(found[4]), found[2])
    elif found := _SHORT_YEAR.search(line):
        first, second = int(found[1]), int(found[3])
        if first > 31:
            numbers = _Numbers(second, int(found[4]), _year(found[1]), is_year_first=True)
        else:
            numbers = _Numbers(first, second, _year(found[4]), found[2])
    else:
        return None, line
    return numbers, f"{line[: found.start()]} {line[found.end() :]}"


def _words(line: str, *, is_zoned: bool) -> _Words | None:
    """The rest of a line; None where a word in it means nothing, since it may be the zone or the month.

    A word that may be a month or a day (`mar` is March, mardi and martes) is the day beside another month.
    """
    known = names()
    numbers: list[str] = []
    months: list[str] = []
    days: list[int] = []
    for token in TOKEN.findall(line):
        if token[0].isdigit():
            numbers.append(token)
        elif token in known.months:
            months.append(token)
        elif token in known.days:
            days.append(known.days[token])
        elif token not in FILLERS and not is_zoned:
            return None
    if len(months) > 1 and (both := next((word for word in months if word in known.days), "")):
        months.remove(both)
        days.append(known.days[both])
    return _Words(numbers, [known.months[word] for word in months], days)


def _either(numbers: _Numbers, clock: Clock, weekday: int | None) -> Written:
    """The date, or the two dates, that numbers may be; a day of the week that fits one of them settles it."""
    first, second, year, separator, is_year_first = numbers
    if is_year_first or first == second:
        return _certain(year, first, second, clock)
    if first > 12 or second > 12:
        order = -1 if first > 12 else 1
    else:
        day_fits = weekday == date(year, second, first).weekday()
        month_fits = weekday == date(year, first, second).weekday()
        order = month_fits - day_fits
    if order:
        month, day = (first, second) if order > 0 else (second, first)
        return _certain(year, month, day, clock)._replace(order=order)
    form = Form.OTHER if separator != "/" else Form.AMERICAN if clock.am_pm else Form.SLASHES
    return Written(_instant(year, second, first, clock), _instant(year, first, second, clock), form=form)


def _certain(year: int, month: int, day: int, clock: Clock) -> Written:
    instant = _instant(year, month, day, clock)
    return Written(instant, instant)


def _instant(year: int, month: int, day: int, clock: Clock) -> datetime:
    """The instant in UTC; ValueError for a day of no calendar, and for a year that stands for no date."""
    # The Buddhist era, by which Thailand counts, begins 543 years earlier.
    if _FIRST_YEAR + 543 <= year < 2700:
        year -= 543
    local = datetime(year, month, day) + clock.since_midnight  # noqa: DTZ001 - the zone follows
    zone = clocks.find(clock.zone or "utc", local)
    if zone is None or not _FIRST_YEAR <= year < 9999:
        raise ValueError(year)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _year(digits: str) -> int:
    """A year in full: of two digits below 50 it is of this century, of three it counts from 1900 (RFC 2822, 4.3)."""
    if len(digits) == 3:
        return 1900 + int(digits)
    if len(digits) <= 2:
        return int(digits) + (2000 if int(digits) < 50 else 1900)
    return int(digits)
