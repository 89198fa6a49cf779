"""Obligations, the deliveries that carry them, and people's answers."""

from datetime import datetime

from sqlalchemy import (
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from worker.store.tables.columns import text_column, time_column

#: What a delivery of Veille's own affairs collects.
NOTICE = "notice"
_OF_WAVES = text("wave IS NOT NULL")


class DeliveryRow(SQLModel, table=True):
    """One message to one recipient."""

    __tablename__ = "delivery"
    __table_args__ = (Index("delivery_due", "state", "due"),)
    id: int | None = Field(default=None, primary_key=True)
    key: str = text_column(unique=True)
    target_id: str = text_column(index=True)
    recipient: str = text_column()
    #: What it collects: `article:ID`, `story:ID`, `wave:RULE:ID`, `digest`, or `notice`.
    collects: str = text_column(index=True)
    #: Of a notice whose like are gathered: what unites them.
    kind: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    #: Why it is open and not due: `model.Hold`.
    hold: str = text_column(default="")
    #: The message that it is a follow-up of: it waits until that one was sent or given up. That one may be forgotten.
    after_id: int | None = Field(default=None, index=True)
    #: The channel's own name of what was sent (Slack: its `ts`).
    ref: str = text_column(default="")
    state: str = text_column()
    due: datetime = time_column()
    created: datetime = time_column()
    #: Counted before each send.
    attempts: int = 0
    #: Failures that were its own, not its target's: what keeps failing stands behind the others.
    refused: int = 0
    owner: str = text_column(default="")
    lease_until: datetime | None = time_column(default=None, nullable=True)
    first_attempt: datetime | None = time_column(default=None, nullable=True)
    finished: datetime | None = time_column(default=None, nullable=True, index=True)
    #: Why it is parked or failed.
    reason: str = text_column(default="")
    message_id: str = text_column(default="")
    subject: str = text_column(default="")
    #: The sealed bytes; of an open notice, its body.
    content: bytes = Field(default=b"", sa_type=LargeBinary)


class ObligationRow(SQLModel, table=True):
    """An obligation of one match to one recipient on one occasion: a line of the ledger."""

    __tablename__ = "obligation"
    __table_args__ = (
        UniqueConstraint("rule_id", "article_id", "recipient", "occasion"),
        Index("obligation_wave", "rule_id", "wave", "verdict", sqlite_where=_OF_WAVES, postgresql_where=_OF_WAVES),
    )
    id: int | None = Field(default=None, primary_key=True)
    match_id: int = Field(foreign_key="match.id", index=True)
    rule_id: str = text_column()
    article_id: int = Field(foreign_key="article.id", index=True)
    target_id: str = text_column()
    recipient: str = text_column()
    occasion: str = text_column()
    verdict: str = text_column()
    suppression: str = text_column(default="")
    #: For people, where the reason alone does not say it.
    why: str = text_column(default="")
    delivery_id: int | None = Field(default=None, foreign_key="delivery.id", index=True)
    created: datetime = time_column()
    #: The wave of its rule that it belongs to, by the article that completed that; it may be forgotten.
    wave: int | None = None


class WaveRow(SQLModel, table=True):
    """A wave of a rule with a volume."""

    __tablename__ = "wave"
    rule_id: str = text_column(primary_key=True)
    #: The article that completed it.
    article_id: int = Field(primary_key=True, index=True)
    began: datetime = time_column()
    #: Seconds of its window.
    per: int
    #: When an article found that it was over; None: it goes on, as far as is known.
    ended: datetime | None = time_column(default=None, nullable=True)


class SilenceRow(SQLModel, table=True):
    """A silence: of rules or targets for a time, or of a story for good. Empty fields hold for all."""

    __tablename__ = "silence"
    id: int | None = Field(default=None, primary_key=True)
    rule_id: str = text_column(default="")
    #: The story may be forgotten.
    story_id: int | None = Field(default=None, index=True)
    #: A set's name: the rules that name it.
    set_name: str = text_column(default="")
    feed: str = text_column(default="")
    #: Only for this one.
    recipient: str = text_column(default="")
    #: None: for good.
    until: datetime | None = time_column(default=None, nullable=True, index=True)
    author: str = text_column()
    reason: str = text_column(default="")
    created: datetime = time_column()


class AcknowledgementRow(SQLModel, table=True):
    """Somebody has seen an article or a story, and takes care of it."""

    __tablename__ = "acknowledgement"
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id", index=True)
    author: str = text_column()
    created: datetime = time_column()


class SecretRow(SQLModel, table=True):
    """A key that the store keeps for its workers."""

    __tablename__ = "secret"
    name: str = text_column(primary_key=True)
    value: bytes = Field(sa_type=LargeBinary)


class AttemptRow(SQLModel, table=True):
    """One try to send a delivery; without an outcome while it runs, or for ever if its process died."""

    __tablename__ = "attempt"
    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    number: int
    owner: str = text_column()
    started: datetime = time_column()
    finished: datetime | None = time_column(default=None, nullable=True)
    outcome: str = text_column(default="")
    detail: str = text_column(default="")


class TargetRow(SQLModel, table=True):
    """A target's state beyond the configuration."""

    __tablename__ = "target"
    id: str = text_column(primary_key=True)
    #: Nothing is sent to it before this time: it asked for that.
    blocked_until: datetime | None = time_column(default=None, nullable=True)
    #: Why nothing is sent until the configuration is read again; empty: it works.
    parked: str = text_column(default="")
    #: When it takes its next message, if the configuration says how many it takes in a time.
    next_at: datetime | None = time_column(default=None, nullable=True)
    #: See `model.TargetState`.
    failures: int = 0
    failing_since: datetime | None = time_column(default=None, nullable=True)
    probe_at: datetime | None = time_column(default=None, nullable=True)
    probe: int | None = None
    told: bool = False
