"""The product's own words, in French and English, and dates and numbers as their readers write them."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from worker.model import Occasion, Severity, Suppression

W = TypeVar("W")

#: Of one thing, and of `{count}` things.
Counted = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A message's own words in one language."""

    #: BCP 47 primary tag, and Babel's locale.
    language: str
    severities: Mapping[Severity, str]
    #: The first message on an article needs no word.
    occasions: Mapping[Occasion, str]
    #: What a message that is not the first says in its first line; `{source}`.
    news: Mapping[Occasion, str]
    #: `{subject}`, `{date}`: the message that this one follows, where the channel has no threads.
    follows: str
    #: Before the subject of what follows, where the channel has no threads.
    follow_up: str
    untitled: str
    #: `{date}`
    published: str
    #: `{date}`: where the feed gives no usable date.
    first_seen: str
    #: `{date}`: published long before it was first seen.
    old: str
    #: `{outlets}`
    outlets: str
    #: `{story}`: one that may be the same, by its title and outlet.
    perhaps: str
    #: Of outlets that are not named.
    others: Counted
    #: `{words}`, `{rules}`
    matched: str
    #: `{rules}`: where no word is marked.
    matched_rules: str
    #: `{word}`
    quoted: str
    #: What stands before the two sides of a change, and before one that has no other side.
    before: str
    after: str
    removed: str
    added: str
    acknowledge: str
    mute: str
    noise: str
    #: `{who}`, `{date}`: that somebody answered so, as the page and the message to the others say it.
    acknowledged: str
    muted: str
    noted: str
    #: `{who}`, `{person}`, `{date}`, `{note}`: that a story is somebody else's from now on.
    handed_over: str
    handed_over_with_note: str
    #: Of a link that is signed by nobody, changed or too old; and where the store does not answer.
    link_gone: str
    try_again: str
    read: str
    #: `{rules}`
    because: str
    articles: Counted
    stories: Counted
    alerts: Counted
    #: `{stories}`, `{time}`: the title of a wave.
    wave: str
    #: `{date}`: when the stories of a wave were enough.
    wave_date: str
    #: Of stories of a wave that are not named.
    more_stories: Counted
    #: `{date}`, `{alerts}`
    digest: str
    #: Articles of a digest that are listed without more.
    listed: str
    #: Of those for which there was no room.
    more: Counted
    #: `{reasons}`
    held_back: str
    nothing_held_back: str
    suppressions: Mapping[Suppression, Counted]
    notice: str
    #: Between a label and what it names.
    colon: str
    #: Of a moment and of a day, in the letters of CLDR.
    date: str
    day: str
    day_and_year: str


@cache
def wording(language: str) -> Wording:
    """The words of `language`; French where it is neither French nor English."""
    return words_of(Wording, "message", language)


def words_of(made: Callable[..., W], section: str, language: str) -> W:
    """A section of the words in `words/`; French where the language is neither French nor English."""
    name = "en" if language == "en" else "fr"
    return made(language=name, **_words(name)[section])


@cache
def _words(name: str) -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "words" / f"{name}.toml").read_text(encoding="utf-8"))


def say_date(moment: datetime, timezone: str, words: Wording) -> str:
    """`mercredi 6 août 2025 à 14:30 (UTC+07:00)`."""
    return _formatted(moment, timezone, words.date, words)


def say_day(moment: datetime, timezone: str, words: Wording, *, year: bool = False) -> str:
    """`6 août`, or `6 août 2025`."""
    return _formatted(moment, timezone, words.day_and_year if year else words.day, words)


def say_count(forms: Counted, count: int, words: Wording) -> str:
    """`1 article`, `1 200 articles`."""
    from babel import Locale
    from babel.numbers import format_decimal

    singular = Locale(words.language).plural_form(count) == "one"
    return forms[0 if singular else 1].format(count=format_decimal(count, locale=words.language))


def say_time(per: timedelta, words: Wording) -> str:
    """`6 heures`, `90 minutes`, in the largest unit that divides it."""
    from babel.units import format_unit

    seconds = int(per.total_seconds())
    units = ((86_400, "duration-day"), (3_600, "duration-hour"), (60, "duration-minute"), (1, "duration-second"))
    size, unit = next((size, unit) for size, unit in units if seconds % size == 0)
    return str(format_unit(seconds // size, unit, locale=words.language))


def say_list(names: Sequence[str], words: Wording) -> str:
    """`A, B et C`."""
    from babel.lists import format_list

    return str(format_list(names, locale=words.language))


def _formatted(moment: datetime, timezone: str, pattern: str, words: Wording) -> str:
    from babel.dates import format_datetime

    zone = ZoneInfo(timezone)
    try:
        local = moment.astimezone(zone)
    except OverflowError:  # the calendar's first or last day, which feeds do name
        zone = ZoneInfo("UTC")
        local = moment.astimezone(zone)
    if words.language == "fr" and local.day == 1:
        pattern = pattern.replace("d ", "'1er' ")  # CLDR has no ordinals
    return str(format_datetime(moment, pattern, tzinfo=zone, locale=words.language))
