"""The worker that runs on the store, and what came to it."""

import sqlalchemy as sa

from worker.store.tables.columns import EMPTY, METADATA, id_column, integer, real, text, time

#: A worker that runs on this store, and its last tick.
HEARTBEAT = sa.Table(
    "heartbeat",
    METADATA,
    id_column(),
    text("owner", unique=True, index=True),
    text("host"),
    integer("pid"),
    time("started"),
    time("tick"),
    #: See `upkeep.Heartbeat`.
    text("boot", default="", server_default=EMPTY),
    real("turned", nullable=True),
    #: The roles of a worker of a cluster, with commas between them; empty: it does all by itself.
    text("roles", default="", server_default=EMPTY),
    #: `RuleSet.hash` of the rules that it goes by.
    text("rules", default="", server_default=EMPTY),
)

#: The rules that the worker goes by, and what its last reading of their files came to.
IN_FORCE = sa.Table(
    "in_force",
    METADATA,
    integer("id", default=1, primary_key=True),
    text("owner"),
    #: sha256 hex over the rules.
    text("hash"),
    integer("rules"),
    time("since"),
    time("read"),
    #: `errors.Problem`s as JSON.
    text("problems"),
)

#: Something that is wrong at present, of which the operators got a notice.
CONDITION = sa.Table(
    "condition",
    METADATA,
    #: `kind:what it is about`.
    text("key", primary_key=True),
    text("kind"),
    text("words"),
    time("since"),
    #: When a worker last found it still so.
    time("seen", nullable=True),
)

#: The scheme by which what is stored was judged; without a row, by that of before there were any.
SCHEME = sa.Table(
    "scheme",
    METADATA,
    #: `stories`.
    text("name", primary_key=True),
    integer("number"),
    #: The last article that was judged again; None: all were.
    integer("reached", nullable=True),
)
