"""The product's own words, in French and English, and dates as their readers write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from worker.model import Occasion, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a message says of its own in one language."""

    #: BCP 47 primary tag, and Babel's locale.
    language: str
    severities: Mapping[Severity, str]
    #: The first message on an article needs no word.
    occasions: Mapping[Occasion, str]
    untitled: str
    #: `{date}`
    published: str
    #: `{date}`: where the feed gives no usable date.
    first_seen: str
    read: str
    #: `{rules}`
    because: str
    #: `{count}`
    articles: str
    notice: str
    #: Of a date, in the letters of CLDR.
    date: str


_FRENCH = Wording(
    language="fr",
    severities=MappingProxyType(
        {
            Severity.INFO: "Information",
            Severity.LOW: "Importance faible",
            Severity.MEDIUM: "Importance moyenne",
            Severity.HIGH: "Importance élevée",
            Severity.CRITICAL: "Critique",
        }
    ),
    occasions=MappingProxyType(
        {
            Occasion.FOLLOW_UP: "Suite",
            Occasion.CORRECTION: "Correction",
            Occasion.DEVELOPMENT: "Développement",
            Occasion.ESCALATION: "Rappel",
        }
    ),
    untitled="Sans titre",
    published="Publié le {date}",
    first_seen="Repéré le {date}",
    read="Lire l’article",
    because="Vous recevez cette alerte de Veille au titre de : {rules}.",
    articles="{count} articles",
    notice="Message de service de Veille.",
    date="EEEE d MMMM y 'à' HH:mm (ZZZZ)",
)

_ENGLISH = Wording(
    language="en",
    severities=MappingProxyType(
        {
            Severity.INFO: "Information",
            Severity.LOW: "Low severity",
            Severity.MEDIUM: "Medium severity",
            Severity.HIGH: "High severity",
            Severity.CRITICAL: "Critical",
        }
    ),
    occasions=MappingProxyType(
        {
            Occasion.FOLLOW_UP: "Follow-up",
            Occasion.CORRECTION: "Correction",
            Occasion.DEVELOPMENT: "Development",
            Occasion.ESCALATION: "Reminder",
        }
    ),
    untitled="Untitled",
    published="Published {date}",
    first_seen="First seen {date}",
    read="Read the article",
    because="Veille sent you this alert for: {rules}.",
    articles="{count} articles",
    notice="A service message from Veille.",
    date="EEEE d MMMM y, HH:mm (ZZZZ)",
)


def wording(language: str) -> Wording:
    """The words of `language`; French where it is neither French nor English."""
    return _ENGLISH if language == "en" else _FRENCH


def say_date(moment: datetime, timezone: str, words: Wording) -> str:
    """`mercredi 6 août 2025 à 14:30 (UTC+07:00)`."""
    from babel.dates import format_datetime

    zone = ZoneInfo(timezone)
    try:
        moment.astimezone(zone)
    except OverflowError:  # the calendar's first or last day, which feeds do name
        zone = ZoneInfo("UTC")
    return str(format_datetime(moment, words.date, tzinfo=zone, locale=words.language))
