"""Policies, as the configuration states them."""

from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum
from pathlib import Path


class Role(StrEnum):
    """Roles of a worker: the jobs that it takes on, and the name of the queue that they come from."""

    #: Feeds, and the pages of their entries.
    POLL = "poll"
    INGEST = "ingest"
    DELIVER = "deliver"


class Severity(StrEnum):
    """Severities of rules, the least first."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 4 for critical."""
        return list(Severity).index(self)


class Channel(StrEnum):
    """Channels through which a target is reached."""

    EMAIL = "email"
    SLACK = "slack"
    APPRISE = "apprise"
    LOG = "log"


class Secret:
    """A text that is never shown: `repr`, `str` and formatting give a mask, `reveal()` the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        """The mask."""
        return "Secret('***')"

    def __str__(self) -> str:
        """The mask."""
        return "***"

    def __eq__(self, other: object) -> bool:
        """Tells whether both hide the same text."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """Equal secrets hash alike."""
        return hash(self._text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed as the configuration describes it."""

    #: The URL as written, `${ENV}` unexpanded: the key of the feed's state, safe to show and store.
    id: str
    #: The URL to fetch, expanded, without credentials; `veille:sample` is the one that ships.
    url: Secret
    name: str
    #: BCP 47 primary tag, or empty: then each article's language is detected.
    language: str = ""
    tags: tuple[str, ...] = ()
    every: timedelta = timedelta(minutes=15)
    #: Fetch each entry's page for its text.
    full_text: bool = False
    #: Alert on what the feed holds at its first poll.
    alert_backlog: bool = False
    headers: tuple[tuple[str, Secret], ...] = ()
    username: str = ""
    password: Secret | None = None
    #: URL of the HTTP proxy it is fetched through, `direct` for none; None: the one of all feeds.
    proxy: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSettings:
    """SMTP: where from, through what."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    #: `smtps`: TLS from the first byte; `starttls`: required; `none`: plain.
    tls: str
    username: str = ""
    password: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings:
    """An incoming webhook, or a bot token with a channel."""

    webhook: Secret | None = None
    token: Secret | None = None
    channel: str = ""
    #: The Web API's root; another one only for tests and proxies.
    api: str = "https://slack.com/api"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseSettings:
    """One Apprise URL."""

    url: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Print the alert, and write it as an `.eml` file into `folder`."""

    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPolicy:
    """The times of a target's digests."""

    #: A cron expression of five fields, in the target's time zone.
    at: str
    #: What is sent at once all the same.
    but: frozenset[Severity] = frozenset({Severity.CRITICAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours of the day in which a target gets only what is critical, in its time zone; may run over midnight."""

    since: time
    until: time
    #: Of the day on which it begins, Monday 0; empty: every day.
    days: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """The limit on alerts of one rule that a target gets at once in a time; further ones go to the next digest."""

    alerts: int
    per: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Whom else to tell when nobody acknowledged in time."""

    targets: tuple[str, ...]
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPolicy:
    """The notification policy of a story; None: the next level counts (rule, route, `[alerts]`)."""

    #: One first alert per `story` or per `article`.
    key: str | None = None
    group_wait: timedelta | None = None
    #: What the follow-ups leave out is sent all the same, at the earliest this long after the last message.
    repeat_interval: timedelta | None = None
    #: What is sent below the first message: `correction`, `new-source`, `development`.
    follow_up: tuple[str, ...] | None = None
    escalation: Escalation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Someone to tell."""

    id: str
    channel: Channel
    settings: EmailSettings | SlackSettings | AppriseSettings | LogSettings
    #: One per address, channel or URL; free of secrets; equal strings are one recipient across targets:
    #: `mailto:desk@example.org`, `slack:ID`, `apprise:ID`, `log:ID` (ID: the target's id).
    recipients: tuple[str, ...]
    #: Of the message's own words: fr or en.
    language: str = "fr"
    #: IANA name, for the dates that the message shows.
    timezone: str = "Asia/Ho_Chi_Minh"
    #: At least this long between two messages; None: as they come.
    pace: timedelta | None = None
    digest: DigestPolicy | None = None
    quiet: tuple[Quiet, ...] = ()
    throttle: Throttle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Templates of messages that somebody wrote over the shipped ones."""

    #: Where they come from, for what is said of them.
    folder: str = ""
    #: (file name, text), sorted.
    sources: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route: the alerts that go to its targets; an empty condition holds for everything."""

    targets: tuple[str, ...]
    rules: frozenset[str] = frozenset()
    severities: frozenset[Severity] = frozenset()
    #: Of the feed.
    tags: frozenset[str] = frozenset()
    #: Names.
    feeds: frozenset[str] = frozenset()
    #: Of the article: BCP 47 primary tags.
    languages: frozenset[str] = frozenset()
    notification: NotificationPolicy = NotificationPolicy()


#: What holds where nobody says otherwise.
DEFAULT_NOTIFICATION = NotificationPolicy(
    key="story", group_wait=timedelta(0), repeat_interval=None, follow_up=("new-source", "development")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """The policy of alerts: targets by id, groups resolved, routes in order (none: everything goes everywhere)."""

    targets: tuple[Target, ...]
    routes: tuple[Route, ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: `[alerts]`
    notification: NotificationPolicy = DEFAULT_NOTIFICATION
    #: What was published longer than this before it was first seen is not sent; None: it is marked.
    max_age: timedelta | None = None
