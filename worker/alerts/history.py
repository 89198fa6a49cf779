"""Facts that a decision rests on: the article, earlier decisions, what people asked for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from worker.alerts.volume import Level
from worker.model import Occasion, Origin, Suppression, times

#: (rule id, recipient)
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The article that matched, as far as routes, silences and reasons ask."""

    article_id: int = 0
    #: The story it tells, where it tells one.
    story_id: int | None = None
    #: Number of the text, from 1.
    revision: int = 1
    #: The feed's name and tags.
    feed: str = ""
    tags: Collection[str] = ()
    #: BCP 47 primary tag.
    language: str = ""
    #: The outlet.
    source: str = ""
    published: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    first_seen: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Alerts of a story for a rule, sent or to be sent to one recipient; escalations do not count."""

    #: When the last of it was decided.
    last: datetime
    sources: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """A silence or mute; a field that is left empty holds for everything."""

    #: Ids of the rules; None: all.
    rules: frozenset[str] | None = None
    story_id: int | None = None
    feed: str = ""
    recipient: str = ""
    #: None: for good.
    until: datetime | None = None
    author: str = ""
    reason: str = ""

    def covers(self, rule_id: str, recipient: str, *, story_id: int | None, feed: str, now: datetime) -> bool:
        """Tells whether it keeps that from being sent."""
        return (
            (self.until is None or now < self.until)
            and (self.rules is None or rule_id in self.rules)
            and self.story_id in (None, story_id)
            and self.feed in ("", feed)
            and self.recipient in ("", recipient)
        )

    @property
    def suppression(self) -> Suppression:
        """A story is muted, all else silenced."""
        return Suppression.SILENCED if self.story_id is None else Suppression.MUTED_STORY

    @property
    def why(self) -> str:
        """By whom, until when, what for."""
        until = f" until {times.say(self.until)}" if self.until else ""
        return f"by {self.author}{until}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Earlier decisions about an article, its original if it is a duplicate, and its story."""

    #: Pairs that have an obligation for the article already, on any occasion but an escalation.
    decided: frozenset[Pair] = frozenset()
    #: Of these, the ones sent, or on their way and past changing (a correction has something to correct): the moment
    #: at which the last of it was decided.
    notified_at: Mapping[Pair, datetime] = field(default_factory=dict)
    #: How the original came; None when the article is no duplicate.
    original: Origin | None = None
    #: The pairs that were decided for the original.
    decided_for_original: frozenset[Pair] = frozenset()
    #: Rules that a duplicate satisfies in words that are not its original's: for them it is no copy.
    news: frozenset[str] = frozenset()
    #: The entry was in the feed when the feed was first polled, and the feed does not alert on that.
    backlog: bool = False
    #: What a changed text is to those who read the former: a `correction`, or nothing worth a word.
    change: Occasion | None = None
    #: The changed text is the same article's page, which came late: what it matches anew is a first alert.
    page_only: bool = False
    standing: Mapping[Pair, Standing] = field(default_factory=dict)
    silences: tuple[Silenced, ...] = ()
    #: (rule id, target id) -> alerts sent at once within the target's throttle.
    recent: Mapping[tuple[str, str], int] = field(default_factory=dict)
    #: By rule id, of rules with a volume.
    levels: Mapping[str, Level] = field(default_factory=dict)
