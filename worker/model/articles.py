"""From entries to matches."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.model.policy import NotificationPolicy, Severity
from worker.model.waves import Volume


class Origin(StrEnum):
    """Ways in which an article comes into the store."""

    FEED = "feed"
    #: Shipped with Veille: never alerts.
    ARCHIVE = "archive"
    #: Brought by `veille import`: never alerts.
    IMPORT = "import"


#: What an article is called of which nothing better is known.
NO_TITLE = "(no title)"
#: Behind the name of an article of the archive.
ARCHIVED = " of the archive, without a title"


def called(title: str, origin: str, name: str) -> str:
    """An article's title, or what people call it without one; `name`: its name in the archive or an imported file."""
    if title or origin != Origin.ARCHIVE:
        return title or name or NO_TITLE
    return f"article {name}{ARCHIVED}"


class NoveltyKind(StrEnum):
    """The relation of an entry's text to the articles already stored (topic detection's word: novelty)."""

    NEW = "new"
    #: Another text under a known identity: a new revision.
    UPDATE = "update"
    #: The text of an earlier article of another identity, or nearly.
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """The novelty of an article, with the reason."""

    kind: NoveltyKind
    #: The earlier article's id: of an update, the same; of a duplicate, the original.
    of: int | None = None
    #: 0 to 1: resemblance or containment with `of`.
    score: float = 0.0
    #: One sentence for people.
    why: str = ""


class CutKind(StrEnum):
    """Kinds of parts that cleaning takes out of a text."""

    #: An agency's head: `Hanoï (VNA) -`.
    HEAD = "head"
    #: A picture's caption.
    CAPTION = "caption"
    #: Who took a picture.
    CREDIT = "credit"
    #: A link to another article.
    RELATED = "related"
    #: What an agency closes an article with: `-VNA`.
    SIGN_OFF = "sign_off"
    #: Another article's headline and summary, behind the sign-off.
    TAIL = "tail"
    #: A first paragraph that only repeats the title.
    TITLE = "title"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A part that cleaning took out of a text: kept beside it, and matched by no rule."""

    kind: CutKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """The text behind an entry, cleaned; what matching and fingerprints read."""

    title: str
    #: Paragraphs parted by one empty line.
    body: str
    #: BCP 47 primary tag.
    language: str
    #: Aware UTC; never later than first_seen; first_seen where the feed gives none.
    published: datetime
    first_seen: datetime
    #: Canonical URL, or empty.
    url: str
    #: The link as published, for people to follow.
    link: str
    #: The feed's name, or the source of an imported article.
    source: str
    #: What cleaning took out of the text, in the order of the passes.
    cut: tuple[Cut, ...] = ()

    @property
    def heading(self) -> str:
        """The title, or how the text begins where there is none."""
        return self.title or self.body[:200]


class Judgement(StrEnum):
    """An analyst's judgement of an article for a rule."""

    #: The rule should match it.
    RELEVANT = "relevant"
    #: The rule should not.
    NOISE = "noise"


class Part(StrEnum):
    """The two texts of an article."""

    TITLE = "title"
    BODY = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One proof of a match: the words that matched, as character ranges [start, end) of one part as stored."""

    part: Part
    words: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A rule that an article satisfies."""

    rule_id: str
    rule_name: str
    #: sha256 hex of the rule's text, so that the alert can be defended later.
    rule_hash: str
    severity: Severity
    spans: tuple[Span, ...]
    #: `RuleSet.hash` of the set that the worker went by.
    ruleset_hash: str = ""
    #: Targets that the rule names itself; empty: routes choose.
    to: tuple[str, ...] = ()
    #: Where the rule keeps a score: each term that held, as written, with its weight.
    contributions: tuple[tuple[str, int], ...] = ()
    #: What the rule says of how often its stories are sent.
    notification: NotificationPolicy | None = None
    #: The rule alerts on waves, and on no single article.
    volume: Volume | None = None
