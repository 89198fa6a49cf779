"""The product's own words, in French and English, and dates and numbers as their readers write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from worker.model import Occasion, Severity, Suppression

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
            Occasion.WAVE: "Alerte de volume",
        }
    ),
    news=MappingProxyType(
        {
            Occasion.FOLLOW_UP: "Suite : nouvelle source, {source}.",
            Occasion.CORRECTION: "Correction : le texte déjà signalé a changé.",
            Occasion.DEVELOPMENT: "Développement : l’affaire déjà signalée évolue.",
            Occasion.ESCALATION: "Rappel : personne n’a encore accusé réception de cette alerte.",
            Occasion.WAVE: "La vague déjà signalée grandit.",
        }
    ),
    follows="Suite de «\N{NO-BREAK SPACE}{subject}\N{NO-BREAK SPACE}» ({date})",
    follow_up="Suite : ",
    untitled="Sans titre",
    published="Publié le {date}",
    first_seen="Repéré le {date}",
    old="Date du {date} : ancien",
    outlets="Aussi dans : {outlets}",
    perhaps="Peut-être la même affaire que : {story}",
    others=("{count} autre", "{count} autres"),
    matched="Mots trouvés : {words} ({rules})",
    matched_rules="Règle : {rules}",
    quoted="«\N{NO-BREAK SPACE}{word}\N{NO-BREAK SPACE}»",
    before="Avant",
    after="Après",
    removed="Retiré",
    added="Ajouté",
    acknowledge="Accuser réception",
    mute="Ne plus suivre cette affaire",
    noise="Sans intérêt",
    acknowledged="{who} a accusé réception le {date}.",
    muted="{who} ne suit plus cette affaire depuis le {date}.",
    noted="{who} : sans intérêt, le {date}.",
    handed_over="{who} a confié cette affaire à {person} le {date}.",
    handed_over_with_note="{who} a confié cette affaire à {person} le {date} : {note}",
    link_gone="Ce lien n’est pas valable, ou ne l’est plus.",
    try_again="Le service ne répond pas ; réessayez.",
    read="Lire l’article",
    because="Vous recevez cette alerte de Veille au titre de : {rules}.",
    articles=("{count} article", "{count} articles"),
    stories=("{count} affaire", "{count} affaires"),
    alerts=("{count} alerte", "{count} alertes"),
    wave="Vague de {stories} en {time}",
    wave_date="Constatée le {date}",
    more_stories=("… et {count} autre affaire", "… et {count} autres affaires"),
    digest="Synthèse du {date} : {alerts}",
    listed="Et aussi",
    more=(
        "… et {count} autre : voir `veille ledger --titles`.",
        "… et {count} autres : voir `veille ledger --titles`.",
    ),
    held_back="Retenu depuis la dernière synthèse : {reasons}.",
    nothing_held_back="Rien n’a été retenu depuis la dernière synthèse.",
    suppressions=MappingProxyType(
        {
            Suppression.COPY: ("{count} copie d’un article déjà traité", "{count} copies d’articles déjà traités"),
            Suppression.BACKLOG: (
                "{count} article déjà présent au premier relevé de son flux",
                "{count} articles déjà présents au premier relevé de leur flux",
            ),
            Suppression.ARCHIVE: (
                "{count} article connu avant le premier relevé",
                "{count} articles connus avant le premier relevé",
            ),
            Suppression.SAME_STORY: (
                "{count} article d’une affaire déjà signalée",
                "{count} articles d’affaires déjà signalées",
            ),
            Suppression.OFTEN_CORRECTED: (
                "{count} correction d’un texte sans cesse corrigé",
                "{count} corrections de textes sans cesse corrigés",
            ),
            Suppression.OLD_NEWS: ("{count} article trop ancien", "{count} articles trop anciens"),
            Suppression.SILENCED: ("{count} alerte mise en sourdine", "{count} alertes mises en sourdine"),
            Suppression.MUTED_STORY: (
                "{count} alerte d’une affaire qui n’est plus suivie",
                "{count} alertes d’affaires qui ne sont plus suivies",
            ),
            Suppression.ACKNOWLEDGED: (
                "{count} rappel inutile, l’alerte ayant son accusé de réception",
                "{count} rappels inutiles, les alertes ayant leur accusé de réception",
            ),
            Suppression.BELOW_VOLUME: (
                "{count} article en deçà du volume de sa règle",
                "{count} articles en deçà du volume de leur règle",
            ),
            Suppression.IN_WAVE: (
                "{count} article d’une vague déjà signalée",
                "{count} articles de vagues déjà signalées",
            ),
        }
    ),
    notice="Message de service de Veille.",
    colon=" :",
    date="EEEE d MMMM y 'à' HH:mm (ZZZZ)",
    day="d MMMM",
    day_and_year="d MMMM y",
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
            Occasion.WAVE: "Volume alert",
        }
    ),
    news=MappingProxyType(
        {
            Occasion.FOLLOW_UP: "Follow-up: a new source, {source}.",
            Occasion.CORRECTION: "Correction: the text of an earlier alert has changed.",
            Occasion.DEVELOPMENT: "Development: the story of an earlier alert goes on.",
            Occasion.ESCALATION: "Reminder: nobody has acknowledged this alert yet.",
            Occasion.WAVE: "The wave reported before is growing.",
        }
    ),
    follows="Follows “{subject}” ({date})",
    follow_up="Follow-up: ",
    untitled="Untitled",
    published="Published {date}",
    first_seen="First seen {date}",
    old="Dated {date}: old",
    outlets="Also in: {outlets}",
    perhaps="Perhaps the same as: {story}",
    others=("{count} other", "{count} others"),
    matched="Words found: {words} ({rules})",
    matched_rules="Rule: {rules}",
    quoted="“{word}”",
    before="Before",
    after="After",
    removed="Removed",
    added="Added",
    acknowledge="Acknowledge",
    mute="Mute this story",
    noise="Not relevant",
    acknowledged="{who} acknowledged this alert on {date}.",
    muted="{who} muted this story on {date}.",
    noted="{who}: not relevant, on {date}.",
    handed_over="{who} handed this story over to {person} on {date}.",
    handed_over_with_note="{who} handed this story over to {person} on {date}: {note}",
    link_gone="This link is not valid, or not any more.",
    try_again="The service does not answer; try again.",
    read="Read the article",
    because="Veille sent you this alert for: {rules}.",
    articles=("{count} article", "{count} articles"),
    stories=("{count} story", "{count} stories"),
    alerts=("{count} alert", "{count} alerts"),
    wave="Wave of {stories} in {time}",
    wave_date="Reached {date}",
    more_stories=("… and {count} more story", "… and {count} more stories"),
    digest="Digest of {date}: {alerts}",
    listed="And also",
    more=("… and {count} more: see `veille ledger --titles`.", "… and {count} more: see `veille ledger --titles`."),
    held_back="Held back since the last digest: {reasons}.",
    nothing_held_back="Nothing was held back since the last digest.",
    suppressions=MappingProxyType(
        {
            Suppression.COPY: ("{count} copy of an article dealt with", "{count} copies of articles dealt with"),
            Suppression.BACKLOG: (
                "{count} article that stood in its feed at the first poll",
                "{count} articles that stood in their feed at the first poll",
            ),
            Suppression.ARCHIVE: (
                "{count} article known before the first poll",
                "{count} articles known before the first poll",
            ),
            Suppression.SAME_STORY: (
                "{count} article of a story already sent",
                "{count} articles of stories already sent",
            ),
            Suppression.OFTEN_CORRECTED: (
                "{count} correction of a text that is corrected again and again",
                "{count} corrections of texts that are corrected again and again",
            ),
            Suppression.OLD_NEWS: ("{count} article that is too old", "{count} articles that are too old"),
            Suppression.SILENCED: ("{count} alert silenced", "{count} alerts silenced"),
            Suppression.MUTED_STORY: ("{count} alert of a muted story", "{count} alerts of muted stories"),
            Suppression.ACKNOWLEDGED: (
                "{count} reminder of an alert acknowledged in time",
                "{count} reminders of alerts acknowledged in time",
            ),
            Suppression.BELOW_VOLUME: (
                "{count} article below its rule’s volume",
                "{count} articles below their rule’s volume",
            ),
            Suppression.IN_WAVE: (
                "{count} article of a wave reported before",
                "{count} articles of waves reported before",
            ),
        }
    ),
    notice="A service message from Veille.",
    colon=":",
    date="EEEE d MMMM y, HH:mm (ZZZZ)",
    day="d MMMM",
    day_and_year="d MMMM y",
)


def wording(language: str) -> Wording:
    """The words of `language`; French where it is neither French nor English."""
    return _ENGLISH if language == "en" else _FRENCH


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
