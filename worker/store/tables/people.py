"""People who use the console, what they may do, and what they wrote and changed there."""

import sqlalchemy as sa

from worker.store.tables.columns import METADATA, id_column, integer, text, time

#: Somebody who may sign in.
PERSON = sa.Table(
    "person",
    METADATA,
    text("name", primary_key=True),
    #: By argon2, with its parameters and salt.
    text("password_hash"),
    #: `people.Role`.
    text("role"),
    time("created"),
    #: The end of the time of a first password; None: it is one of their own.
    time("first_until", nullable=True),
)

#: A sign-in that is in force; its cookie holds a random token, of which the digest stands here.
SESSION = sa.Table(
    "session",
    METADATA,
    #: sha256 hex.
    text("digest", primary_key=True),
    text("person", index=True),
    time("created"),
    time("until", index=True),
)

#: A token by which a program uses the API.
API_TOKEN = sa.Table(
    "api_token",
    METADATA,
    id_column(),
    #: What it is for, as its maker says.
    text("name"),
    #: sha256 hex.
    text("digest", unique=True),
    #: `people.Scope`s, parted by spaces.
    text("scopes"),
    text("author"),
    time("created"),
    #: None: it does not end by itself.
    time("until", nullable=True),
    time("used", nullable=True),
)

#: A change that somebody made in the console or through the API.
AUDIT = sa.Table(
    "audit",
    METADATA,
    id_column(),
    time("at", index=True),
    text("author"),
    #: In one or two words: `silence`, `rule saved`, `sign-in refused`.
    text("action"),
    #: What it was done to: `article 12`, `rule visit`.
    text("subject"),
    text("detail", default=""),
)

#: A note by an analyst on an article.
NOTE = sa.Table(
    "note",
    METADATA,
    id_column(),
    integer("article_id", sa.ForeignKey("article.id"), index=True),
    text("author"),
    text("text"),
    time("created"),
)

#: An article, and so its story, handed over from one person to another; the last one has it.
HAND_OVER = sa.Table(
    "hand_over",
    METADATA,
    id_column(),
    integer("article_id", sa.ForeignKey("article.id"), index=True),
    text("author"),
    #: Who has it from then on.
    text("person"),
    text("note", default=""),
    time("created"),
)

#: The last visits of somebody to the console: `since` ends the one before the present one.
VISIT = sa.Table(
    "visit",
    METADATA,
    text("person", primary_key=True),
    #: When a page was last opened.
    time("seen"),
    #: When the last page of the visit before was opened.
    time("since"),
)
