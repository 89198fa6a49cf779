"""Shapes of what the API gives, from which it is described.

What is given may get more fields; a field that is here keeps its name and its meaning.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from worker.console.api.problems import Reason

T = TypeVar("T")


class Listed(BaseModel, Generic[T]):
    """A part of a list; `next` is the cursor of the next one."""

    items: list[T]
    next: str | None


class Article(BaseModel):
    """An article's line in a list."""

    id: int
    origin: str
    name: str
    title: str
    source: str
    language: str
    #: As precisely as it is known: a year, a month, a day, or RFC 3339.
    published: str
    first_seen: datetime
    link: str
    novelty: str
    duplicate_of: int | None
    score: float
    why: str
    revision: int


class Articles(Listed[Article]):
    """A part of a list of articles."""


class Page(BaseModel):
    """The result of fetching an article's page."""

    taken: bool
    reason: str
    detail: str
    again_at: datetime | None
    sentence: str


class Cut(BaseModel):
    """A part that cleaning took out."""

    kind: str
    text: str


class Note(BaseModel):
    """A note by an analyst."""

    id: int
    author: str
    text: str
    created: datetime


class WholeArticle(Article):
    """An article with its text and notes."""

    body: str
    cut: list[Cut]
    page: Page | None
    notes: list[Note]


class Passage(BaseModel):
    """A sentence, and the places [start, end) of the words that are marked in it."""

    text: str
    marks: list[list[int]]


class Matched(BaseModel):
    """A rule that an article matched when it was stored."""

    rule: str
    name: str
    severity: str
    #: Of the rule, and of the whole set by which its worker went.
    hash: str
    ruleset: str
    revision: int
    at: datetime
    passages: list[Passage]


class Silent(BaseModel):
    """A rule that did not match, and why."""

    rule: str
    now: bool
    reason: str
    sentence: str


class Label(BaseModel):
    """A judgement of an analyst."""

    rule: str
    judgement: str
    by: str
    at: datetime


class LedgerLine(BaseModel):
    """An alert to one recipient, sent or not, and why."""

    rule: str
    target: str
    recipient: str
    occasion: str
    verdict: str
    reason: str
    why: str
    state: str
    due: datetime | None
    attempts: int
    finished: datetime | None
    detail: str
    sentence: str


class Acknowledged(BaseModel):
    """The person who takes care of a story."""

    by: str
    at: datetime


class Why(Article):
    """All that is known of an article."""

    revisions: list[datetime]
    story: dict[str, Any] | None
    matches: list[Matched]
    acknowledged: Acknowledged | None
    labels: list[Label]
    ledger: list[LedgerLine]
    silent: list[Silent]
    explained: dict[str, Any] | None


class Story(BaseModel):
    """A story's line in a list."""

    id: int
    title: str
    first_seen: str
    last_seen: str
    articles: int
    outlets: list[str]
    merged_into: int | None


class Stories(Listed[Story]):
    """A part of a list of stories."""


class TimelineEntry(BaseModel):
    """An article of a story."""

    article: int
    published: str
    source: str
    title: str
    duplicate_of: int | None
    score: float
    why: str


class WholeStory(Story):
    """A story with its articles by time."""

    timeline: list[TimelineEntry]


class Rule(BaseModel):
    """A rule in force, with what it matched and what analysts said of that."""

    id: str
    name: str
    severity: str
    hash: str
    file: str
    line: int
    matched: int
    last: datetime | None
    relevant: int
    noise: int
    missed: int
    precision: float | None


class Rules(BaseModel):
    """A part of the rules in force."""

    since: datetime
    items: list[Rule]
    next: str | None


class LedgerSum(BaseModel):
    """Alerts that came to the same."""

    rule: str
    target: str
    state: str
    why: str
    obligations: int


class Ledger(BaseModel):
    """The ledger in figures; `breaches` is empty where it adds up."""

    since: datetime
    obligations: int
    lines: list[LedgerSum]
    breaches: list[str]


class Alert(BaseModel):
    """A line of the ledger, with its article."""

    id: int
    article: int
    title: str
    rule: str
    target: str
    recipient: str
    occasion: str
    verdict: str
    reason: str
    state: str
    created: datetime
    due: datetime | None
    finished: datetime | None


class Alerts(Listed[Alert]):
    """A part of the ledger, the newest first."""


class Delivery(BaseModel):
    """A message that is not sent, and what it waits for."""

    delivery: int
    target: str
    recipient: str
    state: str
    due: datetime
    attempts: int
    subject: str
    articles: list[int]
    wait: str
    until: datetime | None
    reason: str
    sentence: str


class Deliveries(Listed[Delivery]):
    """A part of the messages that are not sent, the oldest first."""


class Silence(BaseModel):
    """A silence that is in force."""

    id: int
    rule: str
    story: int | None
    set: str
    feed: str
    recipient: str
    until: datetime | None
    author: str
    reason: str
    created: datetime


class Silences(Listed[Silence]):
    """A part of the silences in force, the oldest first."""


class Ended(BaseModel):
    """A silence that was ended."""

    ended: int


class Acknowledgement(BaseModel):
    """An acknowledgement; `before`: who had given one already, so that nothing was changed."""

    article: int
    by: str
    before: str | None


class Labelled(BaseModel):
    """A label that was given."""

    article: int
    rule: str
    judgement: str


class Unlabelled(BaseModel):
    """A label that was taken back."""

    article: int
    rule: str


class Feed(BaseModel):
    """A feed and its health."""

    name: str
    #: Its secrets are masked.
    url: str
    language: str
    entries: int
    last_polled: datetime | None
    last_success: datetime | None
    result: str
    detail: str
    failures: int
    due: datetime | None
    every: int
    interval: int
    interval_why: str


class Feeds(Listed[Feed]):
    """A part of the feeds of the configuration."""


class Status(BaseModel):
    """The worker, its store and its feeds."""

    worker: dict[str, Any] | None
    workers: list[dict[str, Any]]
    queues: list[dict[str, Any]]
    rules: dict[str, Any] | None
    entries: dict[str, int]
    articles: dict[str, int]
    stories: dict[str, int]
    deliveries: dict[str, int]
    conditions: list[dict[str, Any]]
    ledger: list[str]
    feeds: list[Feed]


class Problem(BaseModel):
    """A request that was not done (RFC 9457)."""

    type: str
    title: str
    status: int
    reason: Reason
    detail: str
