"""The tables. Rows never leave `store`; times are aware UTC; a lease is a time until which one owner works on a row."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    LargeBinary,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel


class Utc(TypeDecorator[datetime]):
    """Aware UTC on both databases: SQLite keeps no zone, PostgreSQL answers in the session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive times; writes UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Reads UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _text(**more: Any) -> Any:
    return Field(sa_type=Text, **more)


def _time(**more: Any) -> Any:
    return Field(sa_type=Utc, **more)


class FeedRow(SQLModel, table=True):
    """A feed's state between polls."""

    __tablename__ = "feed"
    id: int | None = Field(default=None, primary_key=True)
    #: `model.Feed.id`: the URL as the configuration writes it.
    key: str = _text(unique=True)
    name: str = _text(default="")
    etag: str = _text(default="")
    last_modified: str = _text(default="")
    #: Failures in a row.
    failures: int = 0
    #: True once a first poll has committed.
    baseline: bool = False
    due: datetime = _time()
    lease_until: datetime | None = _time(default=None, nullable=True)
    last_polled: datetime | None = _time(default=None, nullable=True)
    last_success: datetime | None = _time(default=None, nullable=True)
    #: `ok`, `not_modified`, or a FetchReason.
    last_result: str = _text(default="")
    last_detail: str = _text(default="")
    #: Not polled before, by nobody: Retry-After.
    not_before: datetime | None = _time(default=None, nullable=True)
    last_document: datetime | None = _time(default=None, nullable=True)
    #: Its 304s were found to hide new items.
    lies: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    #: Masked.
    moved: str = _text(default="", sa_column_kwargs={"server_default": text("''")})
    moved_times: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    #: `model.Rhythm` as JSON.
    rhythm: str = _text(default="", sa_column_kwargs={"server_default": text("''")})
    #: When its document last held new items only, so that others may have passed unseen.
    gap: datetime | None = _time(default=None, nullable=True)


class RawRow(SQLModel, table=True):
    """A feed's document as received, compressed, once per content."""

    __tablename__ = "raw"
    #: sha256 hex of the body.
    sha256: str = _text(primary_key=True)
    body: bytes = Field(sa_type=LargeBinary)
    first_seen: datetime = _time(index=True)


class DocumentRow(SQLModel, table=True):
    """A document that a feed gave and that was not the one before it, in the order they came."""

    __tablename__ = "document"
    __table_args__ = (Index("document_feed", "feed_id", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    feed_id: int = Field(foreign_key="feed.id")
    #: Of its bytes, which are in `raw`.
    sha256: str = _text(index=True)
    at: datetime = _time(index=True)
    #: Where it was found, less credentials and query; empty: at the feed's own address.
    url: str = _text(default="")
    content_type: str = _text(default="")
    #: `ok`, or the FetchReason for which it could not be read.
    result: str = _text()
    detail: str = _text(default="")


class SeenRow(SQLModel, table=True):
    """A key under which an entry of a feed is known; outlives its entry."""

    __tablename__ = "seen"
    feed_id: int = Field(primary_key=True)
    key: str = _text(primary_key=True)
    entry_id: int | None = Field(default=None, index=True)
    digest: str = _text()


class EntryRow(SQLModel, table=True):
    """An item as its feed published it last."""

    __tablename__ = "entry"
    __table_args__ = (
        Index("entry_state", "state", "attempts", "id"),
        # Asked for at every tick, and nearly always empty.
        Index("entry_page", "id", sqlite_where=text("page_tries > 0"), postgresql_where=text("page_tries > 0")),
    )
    id: int | None = Field(default=None, primary_key=True)
    feed_id: int = Field(foreign_key="feed.id", index=True)
    state: str = _text()
    #: `model.ParsedEntry` as JSON.
    parsed: str = _text()
    raw_sha256: str = _text(index=True)
    first_seen: datetime = _time()
    backlog: bool = False
    #: Tries to make an article of it, counted before each.
    attempts: int = 0
    error: str = _text(default="")
    #: Since when it is quarantined.
    put_aside: datetime | None = _time(default=None, nullable=True)
    article_id: int | None = Field(default=None, foreign_key="article.id", index=True)
    #: Texts under this identity after the first.
    changes: int = 0
    lease_until: datetime | None = _time(default=None, nullable=True)
    #: Where its page is wanted: when the summary goes on alone.
    page_due: datetime | None = _time(default=None, nullable=True)
    #: Tries to fetch the page still allowed; 0: none wanted or all used.
    page_tries: int = 0
    page_lease_until: datetime | None = _time(default=None, nullable=True)
    page_text: str = _text(default="")


class ArticleRow(SQLModel, table=True):
    """An article; its text is that of its newest revision."""

    __tablename__ = "article"
    id: int | None = Field(default=None, primary_key=True)
    origin: str = _text()
    #: Its name in the archive or in the imported file.
    name: str = _text(default="", index=True)
    #: Canonical URL, or empty.
    url: str = _text(default="", index=True)
    link: str = _text(default="")
    source: str = _text(default="")
    language: str = _text(default="")
    title: str = _text(default="")
    published: datetime = _time(index=True)
    #: `day`, `month`, `year`, or empty for an instant.
    precision: str = _text(default="")
    first_seen: datetime = _time(index=True)
    #: NoveltyKind when it came: `new` or `duplicate`.
    novelty: str = _text()
    of_id: int | None = Field(default=None, foreign_key="article.id", index=True)
    score: float = 0.0
    why: str = _text(default="")
    #: Number of the newest revision, from 1; 0 for the archive, which ships no text.
    revision: int = 0


class RevisionRow(SQLModel, table=True):
    """A text that an article had."""

    __tablename__ = "revision"
    __table_args__ = (UniqueConstraint("article_id", "number"),)
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id")
    number: int
    title: str = _text()
    body: str = _text()
    created: datetime = _time()
    entry_id: int | None = Field(default=None, foreign_key="entry.id", index=True)


class FingerprintRow(SQLModel, table=True):
    """What copies of one text of an article are recognised by; see `dedupe.Fingerprint`."""

    __tablename__ = "fingerprint"
    article_id: int = Field(primary_key=True, foreign_key="article.id")
    #: Number of the revision; 0 for the archive.
    revision: int = Field(primary_key=True)
    scheme: int
    digest: str = _text(index=True)
    shingles: bytes = Field(sa_type=LargeBinary)
    facts: str = _text()
    words: int


class BandRow(SQLModel, table=True):
    """One band of the signature of an article, of any text it had."""

    __tablename__ = "band"
    __table_args__ = {"sqlite_with_rowid": False}
    value: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    article_id: int = Field(primary_key=True, foreign_key="article.id", index=True)


class StoryRow(SQLModel, table=True):
    """Articles on one event."""

    __tablename__ = "story"
    id: int | None = Field(default=None, primary_key=True)
    #: Of its first article.
    title: str = _text()
    #: When its first and its last article were published.
    first_seen: datetime = _time()
    last_seen: datetime = _time(index=True)
    #: The story that it turned out to be; its articles are that one's.
    merged_into: int | None = Field(default=None, foreign_key="story.id", index=True)
    created: datetime = _time()


class StoryArticleRow(SQLModel, table=True):
    """An article's place in a story, and what later articles are compared with."""

    __tablename__ = "story_article"
    article_id: int = Field(primary_key=True, foreign_key="article.id")
    story_id: int = Field(foreign_key="story.id", index=True)
    #: Likeness to the story when it joined; 0 for its first article and for copies.
    score: float = 0.0
    why: str = _text(default="")
    language: str = _text(default="")
    published: datetime = _time(index=True)
    #: `story.Vector.packed`; empty for copies.
    vector: bytes = Field(default=b"", sa_type=LargeBinary)


class StoryKeyRow(SQLModel, table=True):
    """A heavy term of an article, by which articles of the same story are looked for."""

    __tablename__ = "story_key"
    __table_args__ = {"sqlite_with_rowid": False}
    term: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    article_id: int = Field(primary_key=True, foreign_key="article.id", index=True)


class TermRow(SQLModel, table=True):
    """In how many articles a term stands; -1 counts the articles."""

    __tablename__ = "term"
    __table_args__ = {"sqlite_with_rowid": False}
    hash: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    articles: int


class MatchRow(SQLModel, table=True):
    """A rule that a revision satisfied, with the proof."""

    __tablename__ = "match"
    __table_args__ = (UniqueConstraint("revision_id", "rule_id"),)
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id", index=True)
    revision_id: int = Field(foreign_key="revision.id")
    rule_id: str = _text(index=True)
    rule_name: str = _text()
    rule_hash: str = _text()
    severity: str = _text()
    #: `[[part, [[start, end], ...]], ...]` as JSON.
    spans: str = _text()
    created: datetime = _time()


class JudgementRow(SQLModel, table=True):
    """What an analyst says of an article for a rule; the last word counts."""

    __tablename__ = "judgement"
    article_id: int = Field(primary_key=True, foreign_key="article.id")
    rule_id: str = _text(primary_key=True)
    #: `relevant` or `noise`.
    judgement: str = _text()
    created: datetime = _time()


class DeliveryRow(SQLModel, table=True):
    """One message to one recipient."""

    __tablename__ = "delivery"
    __table_args__ = (Index("delivery_due", "state", "due"),)
    id: int | None = Field(default=None, primary_key=True)
    key: str = _text(unique=True)
    target_id: str = _text(index=True)
    recipient: str = _text()
    #: What it collects: `article:ID`, `story:ID`, `digest`, or `notice`.
    collects: str = _text(index=True)
    #: Why it is open and not due: `model.Hold`.
    hold: str = _text(default="")
    #: The message that it is a follow-up of: it waits until that one was sent or given up. That one may be forgotten.
    after_id: int | None = Field(default=None, index=True)
    #: The channel's own name of what was sent (Slack: its `ts`).
    ref: str = _text(default="")
    state: str = _text()
    due: datetime = _time()
    created: datetime = _time()
    #: Counted before each send.
    attempts: int = 0
    #: Failures that were its own, not its target's: what keeps failing stands behind the others.
    refused: int = 0
    owner: str = _text(default="")
    lease_until: datetime | None = _time(default=None, nullable=True)
    first_attempt: datetime | None = _time(default=None, nullable=True)
    finished: datetime | None = _time(default=None, nullable=True, index=True)
    #: Why it is parked or dead.
    reason: str = _text(default="")
    message_id: str = _text(default="")
    subject: str = _text(default="")
    #: The sealed bytes; of an open notice, its body.
    content: bytes = Field(default=b"", sa_type=LargeBinary)


class ObligationRow(SQLModel, table=True):
    """What one match owes one recipient on one occasion: a line of the ledger."""

    __tablename__ = "obligation"
    __table_args__ = (UniqueConstraint("rule_id", "article_id", "recipient", "occasion"),)
    id: int | None = Field(default=None, primary_key=True)
    match_id: int = Field(foreign_key="match.id", index=True)
    rule_id: str = _text()
    article_id: int = Field(foreign_key="article.id", index=True)
    target_id: str = _text()
    recipient: str = _text()
    occasion: str = _text()
    verdict: str = _text()
    suppression: str = _text(default="")
    #: For people, where the reason alone does not say it.
    why: str = _text(default="")
    delivery_id: int | None = Field(default=None, foreign_key="delivery.id", index=True)
    created: datetime = _time()


class SilenceRow(SQLModel, table=True):
    """What somebody wants to hear nothing of: a silence for a time, or a story for good. Empty fields hold for all."""

    __tablename__ = "silence"
    id: int | None = Field(default=None, primary_key=True)
    rule_id: str = _text(default="")
    #: The story may be forgotten.
    story_id: int | None = Field(default=None, index=True)
    #: A set's name: the rules that name it.
    set_name: str = _text(default="")
    feed: str = _text(default="")
    #: Only for this one.
    recipient: str = _text(default="")
    #: None: for good.
    until: datetime | None = _time(default=None, nullable=True, index=True)
    author: str = _text()
    reason: str = _text(default="")
    created: datetime = _time()


class AcknowledgementRow(SQLModel, table=True):
    """Somebody has seen an article or a story, and takes care of it."""

    __tablename__ = "acknowledgement"
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id", index=True)
    author: str = _text()
    created: datetime = _time()


class SecretRow(SQLModel, table=True):
    """A key that the store keeps for its workers."""

    __tablename__ = "secret"
    name: str = _text(primary_key=True)
    value: bytes = Field(sa_type=LargeBinary)


class AttemptRow(SQLModel, table=True):
    """One try to send a delivery; without an outcome while it runs, or for ever if its process died."""

    __tablename__ = "attempt"
    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    number: int
    owner: str = _text()
    started: datetime = _time()
    finished: datetime | None = _time(default=None, nullable=True)
    outcome: str = _text(default="")
    detail: str = _text(default="")


class TargetRow(SQLModel, table=True):
    """What is known of a target beyond the configuration."""

    __tablename__ = "target"
    id: str = _text(primary_key=True)
    #: Nothing is sent to it before this time: it asked for that.
    blocked_until: datetime | None = _time(default=None, nullable=True)
    #: Why nothing is sent until the configuration is read again; empty: it works.
    parked: str = _text(default="")
    #: When it takes its next message, if the configuration says how many it takes in a time.
    next_at: datetime | None = _time(default=None, nullable=True)
    #: See `model.TargetState`.
    failures: int = 0
    failing_since: datetime | None = _time(default=None, nullable=True)
    probe_at: datetime | None = _time(default=None, nullable=True)
    probe: int | None = None
    told: bool = False


class HeartbeatRow(SQLModel, table=True):
    """The worker that runs on this store, and its last tick."""

    __tablename__ = "heartbeat"
    id: int = Field(default=1, primary_key=True)
    owner: str = _text()
    host: str = _text()
    pid: int
    started: datetime = _time()
    tick: datetime = _time()


class InForceRow(SQLModel, table=True):
    """The rules that the worker goes by, and what its last reading of their files came to."""

    __tablename__ = "in_force"
    id: int = Field(default=1, primary_key=True)
    owner: str = _text()
    #: sha256 hex over the rules.
    hash: str = _text()
    rules: int
    since: datetime = _time()
    read: datetime = _time()
    #: `errors.Problem`s as JSON.
    problems: str = _text()


class ConditionRow(SQLModel, table=True):
    """Something that is wrong at present, and that the operators were told of."""

    __tablename__ = "condition"
    #: `kind:what it is about`.
    key: str = _text(primary_key=True)
    kind: str = _text()
    words: str = _text()
    since: datetime = _time()
