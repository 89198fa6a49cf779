"""What is owed, and how it is told."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from worker.model.policy import Severity


class Occasion(StrEnum):
    """Why a recipient is told about an article."""

    FIRST = "first"
    FOLLOW_UP = "follow-up"
    CORRECTION = "correction"
    DEVELOPMENT = "development"
    ESCALATION = "escalation"


class Verdict(StrEnum):
    """What became of an obligation when it was decided."""

    OWED = "owed"
    SUPPRESSED = "suppressed"


class Suppression(StrEnum):
    """Why an obligation is not owed."""

    #: The article is a duplicate; its original was told, or was judged, on its own.
    COPY = "copy"
    #: The entry was in the feed when the feed was first polled.
    BACKLOG = "backlog"
    #: The article was known before the first poll.
    ARCHIVE = "archive"


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    #: Collects obligations until it is due.
    OPEN = "open"
    #: Its bytes are fixed; an attempt is due or under way.
    SEALED = "sealed"
    #: Sealed, and waits for its next attempt.
    RETRY = "retry"
    #: Its target is broken or gone; waits for the configuration to change.
    PARKED = "parked"
    SENT = "sent"
    DEAD = "dead"


class Outcome(StrEnum):
    """What one attempt came to."""

    SENT = "sent"
    #: Not delivered; may succeed later.
    RETRY = "retry"
    #: This message will never be accepted.
    PERMANENT = "permanent"
    #: The target itself refuses: credentials, address, permission.
    BROKEN = "broken"
    #: It may have been delivered.
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What one match owes one recipient on one occasion."""

    rule_id: str
    target_id: str
    recipient: str
    occasion: str
    verdict: Verdict
    suppression: Suppression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A sentence of an article, and the character ranges of it to mark."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertItem:
    """One article in a message, with every rule that the recipient is told it for."""

    article_id: int
    #: Names and ids of the rules, most severe first.
    rules: tuple[tuple[str, str], ...]
    severity: Severity
    occasion: str
    title: Passage
    passages: tuple[Passage, ...]
    source: str
    #: The article's language.
    language: str
    published: datetime
    first_seen: datetime
    #: http(s) link, or empty.
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What Veille tells its operators about itself."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A sealed message: the same bytes go out at every attempt."""

    #: RFC 5322 for email and log; JSON for Slack (its payload) and Apprise (`title`, `body`).
    content: bytes
    #: `<key@host>`, the same for every attempt.
    message_id: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one attempt to send came to."""

    outcome: Outcome
    #: For people and the attempt's row: status code and words; free of secrets.
    detail: str = ""
    #: Not before this long from now, where the other side said so.
    after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery under lease, ready to be sent."""

    id: int
    #: Stable and unique; the Message-ID and the idempotency key are made from it.
    key: str
    target_id: str
    recipient: str
    message: Message
    #: Counted before sending: 1 at the first attempt.
    attempt: int
    #: Earlier attempts whose outcome is uncertain.
    uncertain: int = 0
    #: When the delivery was first attempted; outages are measured from it.
    first_attempt: datetime = field(kw_only=True)
