"""Obligations, the deliveries that carry them, and people's answers."""

import sqlalchemy as sa

from worker.store.tables.columns import EMPTY, METADATA, binary, boolean, id_column, integer, text, time

#: What a delivery of Veille's own affairs collects.
NOTICE = "notice"
_OF_WAVES = sa.text("wave IS NOT NULL")

#: One message to one recipient.
DELIVERY = sa.Table(
    "delivery",
    METADATA,
    id_column(),
    text("key", unique=True),
    text("target_id", index=True),
    text("recipient"),
    #: What it collects: `article:ID`, `story:ID`, `wave:RULE:ID`, `digest`, or `notice`.
    text("collects", index=True),
    #: Of a notice whose like are gathered: what unites them.
    text("kind", default="", server_default=EMPTY),
    #: Why it is open and not due: `model.Hold`.
    text("hold", default=""),
    #: The message that it is a follow-up of: it waits until that one was sent or given up. That one may be forgotten.
    integer("after_id", nullable=True, index=True),
    #: The channel's own name of what was sent (Slack: its `ts`).
    text("ref", default=""),
    text("state"),
    time("due"),
    time("created"),
    #: Counted before each send.
    integer("attempts", default=0),
    #: Failures that were its own, not its target's: what keeps failing stands behind the others.
    integer("refused", default=0),
    text("owner", default=""),
    time("lease_until", nullable=True),
    time("first_attempt", nullable=True),
    time("finished", nullable=True, index=True),
    #: Why it is parked or failed.
    text("reason", default=""),
    text("message_id", default=""),
    text("subject", default=""),
    #: The sealed bytes; of an open notice, its body.
    binary("content", default=b""),
    sa.Index("delivery_due", "state", "due"),
)

#: An obligation of one match to one recipient on one occasion: a line of the ledger.
OBLIGATION = sa.Table(
    "obligation",
    METADATA,
    id_column(),
    integer("match_id", sa.ForeignKey("match.id"), index=True),
    text("rule_id"),
    integer("article_id", sa.ForeignKey("article.id"), index=True),
    text("target_id"),
    text("recipient"),
    text("occasion"),
    text("verdict"),
    text("suppression", default=""),
    #: For people, where the reason alone does not say it.
    text("why", default=""),
    integer("delivery_id", sa.ForeignKey("delivery.id"), nullable=True, index=True),
    time("created"),
    #: The wave of its rule that it belongs to, by the article that completed that; it may be forgotten.
    integer("wave", nullable=True),
    sa.UniqueConstraint("rule_id", "article_id", "recipient", "occasion"),
    sa.Index("obligation_wave", "rule_id", "wave", "verdict", sqlite_where=_OF_WAVES, postgresql_where=_OF_WAVES),
)

#: A wave of a rule with a volume.
WAVE = sa.Table(
    "wave",
    METADATA,
    text("rule_id", primary_key=True),
    #: The article that completed it.
    integer("article_id", primary_key=True, index=True),
    time("began"),
    #: Seconds of its window.
    integer("per"),
    #: When an article found that it was over; None: it goes on, as far as is known.
    time("ended", nullable=True),
)

#: A silence: of rules or targets for a time, or of a story for good. Empty fields hold for all.
SILENCE = sa.Table(
    "silence",
    METADATA,
    id_column(),
    text("rule_id", default=""),
    #: The story may be forgotten.
    integer("story_id", nullable=True, index=True),
    #: A set's name: the rules that name it.
    text("set_name", default=""),
    text("feed", default=""),
    #: Only for this one.
    text("recipient", default=""),
    #: None: for good.
    time("until", nullable=True, index=True),
    text("author"),
    text("reason", default=""),
    time("created"),
)

#: Somebody has seen an article or a story, and takes care of it.
ACKNOWLEDGEMENT = sa.Table(
    "acknowledgement",
    METADATA,
    id_column(),
    integer("article_id", sa.ForeignKey("article.id"), index=True),
    text("author"),
    time("created"),
)

#: A key that the store keeps for its workers.
SECRET = sa.Table(
    "secret",
    METADATA,
    text("name", primary_key=True),
    binary("value"),
)

#: One try to send a delivery; without an outcome while it runs, or for ever if its process died.
ATTEMPT = sa.Table(
    "attempt",
    METADATA,
    id_column(),
    integer("delivery_id", sa.ForeignKey("delivery.id"), index=True),
    integer("number"),
    text("owner"),
    time("started"),
    time("finished", nullable=True),
    text("outcome", default=""),
    text("detail", default=""),
)

#: A target's state beyond the configuration.
TARGET = sa.Table(
    "target",
    METADATA,
    text("id", primary_key=True),
    #: Nothing is sent to it before this time: it asked for that.
    time("blocked_until", nullable=True),
    #: Why nothing is sent until the configuration is read again; empty: it works.
    text("parked", default=""),
    #: When it takes its next message, if the configuration says how many it takes in a time.
    time("next_at", nullable=True),
    #: See `model.TargetState`.
    integer("failures", default=0),
    time("failing_since", nullable=True),
    time("probe_at", nullable=True),
    integer("probe", nullable=True),
    boolean("told", default=False),
)
