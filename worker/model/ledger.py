"""Obligations, deliveries, messages and attempts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from worker.model.policy import Severity
from worker.model.waves import Measured, WaveReport


class Occasion(StrEnum):
    """Occasions on which a recipient gets an alert about an article."""

    FIRST = "first"
    FOLLOW_UP = "follow-up"
    CORRECTION = "correction"
    DEVELOPMENT = "development"
    ESCALATION = "escalation"
    #: A rule with a volume: so many stories came in so short a time, or so many more.
    WAVE = "wave"


class Verdict(StrEnum):
    """The verdict on an obligation."""

    OWED = "owed"
    SUPPRESSED = "suppressed"


class Suppression(StrEnum):
    """Reasons for which an obligation is suppressed."""

    #: The article is a duplicate; its original was sent, or was judged, on its own.
    COPY = "copy"
    #: The entry was in the feed when the feed was first polled.
    BACKLOG = "backlog"
    #: The article was known before the first poll.
    ARCHIVE = "archive"
    #: The recipient was alerted of the story, and its rule sends no more of that kind.
    SAME_STORY = "same-story"
    #: Its text was corrected so often that nobody wants each time of it.
    OFTEN_CORRECTED = "often-corrected"
    #: Published too long before it was first seen.
    OLD_NEWS = "old-news"
    #: Somebody silenced its rule, story, set or feed for a time.
    SILENCED = "silenced"
    #: Somebody wants to hear no more of its story.
    MUTED_STORY = "muted-story"
    #: Somebody acknowledged the story before the reminder was due.
    ACKNOWLEDGED = "acknowledged"
    #: Its rule alerts on waves, and there were too few stories for one.
    BELOW_VOLUME = "below-volume"
    #: Its rule alerts on waves, and the recipient was sent an alert of the one that it belongs to.
    IN_WAVE = "in-wave"


class WaitReason(StrEnum):
    """Reasons for which an open delivery waits until it is due."""

    #: More on the same may come at once.
    GROUP_WAIT = "group-wait"
    #: The recipient sleeps.
    QUIET_HOURS = "quiet-hours"
    #: It goes with the next digest.
    DIGEST = "digest"
    #: The target has had as many alerts of the rule as it wants in that time.
    THROTTLED = "throttled"
    #: The story was sent lately, and is sent again at the earliest then.
    #: As it is stored and shown; the key was called so.
    REPEAT_INTERVAL = "realert"
    #: It is sent if nobody acknowledges the story until then.
    ESCALATION = "escalation"


class DeliveryState(StrEnum):
    """States of a delivery."""

    #: Collects obligations until it is due.
    OPEN = "open"
    #: Its bytes are fixed; an attempt is due or under way.
    SEALED = "sealed"
    #: Sealed, and waits for its next attempt.
    RETRY = "retry"
    #: Its target is broken or gone; waits for the configuration to change.
    PARKED = "parked"
    SENT = "sent"
    FAILED = "failed"


class Outcome(StrEnum):
    """Outcomes of one attempt."""

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
    """An alert that one match owes one recipient on one occasion, or the reason for which it owes none."""

    rule_id: str
    target_id: str
    recipient: str
    occasion: str
    verdict: Verdict
    suppression: Suppression | None = None
    #: For people, where the reason alone does not say it: who silenced, until when.
    why: str = ""
    #: What the delivery that carries it collects: `article:ID`, `story:ID`, `wave:RULE:ID`, `digest`.
    collects: str = ""
    #: When that delivery is due, and why not at once; None: at once.
    due: datetime | None = None
    hold: WaitReason | None = None
    #: Of a rule with a volume: what its window held; None: the article does not count for it.
    measured: Measured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A sentence of an article, and the character ranges of it to mark."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A sentence that a correction replaced, its words marked where they differ; either side may be empty."""

    before: Passage
    after: Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Addresses at which a reader answers with one click; empty where nothing is served."""

    acknowledge: str = ""
    mute: str = ""
    noise: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertItem:
    """One article in a message, with every rule for which the recipient gets it."""

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
    #: The story it tells, where it tells one.
    story_id: int | None = None
    #: Other outlets that carried the story until now, by name.
    outlets: tuple[str, ...] = ()
    #: Title and outlet of the story that its own is perhaps the same as; empty: there is none.
    perhaps: tuple[str, str] = ("", "")
    #: What a correction changed, in reading order.
    changes: tuple[Change, ...] = ()
    #: Published long before it was first seen: marked, so that nobody takes it for news.
    old: bool = False
    answers: Answers = Answers()
    #: The wave that the message reports in place of the article, which completed it or let it grow.
    wave: WaveReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """An earlier message on a story to the same recipient: a follow-up goes below it."""

    #: Message-ID and subject of the first message, and the Message-ID of the one before this.
    root: str
    subject: str
    last: str
    #: When the first was sent.
    sent: datetime
    #: The channel's own name of the first message (Slack: its `ts`), or empty.
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A message on one article or story, of at least one item: the most severe first, then the oldest."""

    items: tuple[AlertItem, ...]
    #: None: it is the first.
    thread: Thread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Many alerts at once, at least one: the most severe first, then by story."""

    items: tuple[AlertItem, ...]
    #: (suppression, how many) of what the recipient was not sent since the last digest.
    held_back: tuple[tuple[Suppression, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to the operators about Veille itself, or to the readers of an alert about an answer to it."""

    subject: str
    body: str
    #: Notices of one kind are gathered; empty: it goes by itself.
    kind: str = ""
    #: The message that was answered; None: it is about Veille.
    thread: Thread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A sealed message: the same bytes go out at every attempt."""

    #: RFC 5322 for email and log; JSON for Slack (its payload) and Apprise (`title`, `body`).
    content: bytes
    #: `<key@host>`, the same for every attempt.
    message_id: str
    subject: str
    #: What is wrong with the user's template that was to make it; then a shipped one did.
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The outcome of one attempt to send, with its details."""

    outcome: Outcome
    #: For people and the attempt's row: status code and words; free of secrets.
    detail: str = ""
    #: Not before this long from now, where the other side said so.
    after: timedelta | None = None
    #: The channel's own name of what was sent (Slack: its `ts`), by which a follow-up finds its thread.
    ref: str = ""
    #: A failure that any message would have met: the target's, not this message's.
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """A target's recent delivery results; a new target counts as healthy."""

    #: Failures in a row that any message would have met, each of another delivery.
    failures: int = 0
    #: When the first failure since the last success came.
    failing_since: datetime | None = None
    #: It is tried with one delivery, at the earliest then, while the others wait; None: they go out as they are due.
    probe_at: datetime | None = None
    #: That delivery, or the one that failed last.
    probe: int | None = None
    #: It asked for nothing before then.
    blocked_until: datetime | None = None
    #: The operators know that it fails.
    is_reported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery under lease, ready to be sent."""

    id: int
    #: Stable and unique; the Message-ID and the idempotency key are made from it.
    key: str
    target_id: str
    recipient: str
    #: `story:ID`, `article:ID`, `escalation:...`, `digest` or `notice`.
    collects: str = ""
    message: Message
    #: Counted before sending: 1 at the first attempt.
    attempt: int
    #: Earlier attempts whose outcome is uncertain.
    uncertain: int = 0
    #: Of these, the ones that their own worker cut off when it stopped: they say nothing of the target.
    cut_off: int = 0
    #: When the delivery was first attempted; outages are measured from it.
    first_attempt: datetime = field(kw_only=True)
