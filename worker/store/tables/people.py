"""People who use the console, what they may do, and what they wrote and changed there."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from worker.store.tables.columns import text_column, time_column


class PersonRow(SQLModel, table=True):
    """Somebody who may sign in."""

    __tablename__ = "person"
    name: str = text_column(primary_key=True)
    #: By argon2, with its parameters and salt.
    password_hash: str = text_column()
    #: `people.Role`.
    role: str = text_column()
    created: datetime = time_column()
    #: The end of the time of a first password; None: it is one of their own.
    first_until: datetime | None = time_column(default=None, nullable=True)


class SessionRow(SQLModel, table=True):
    """A sign-in that is in force; its cookie holds a random token, of which the digest stands here."""

    __tablename__ = "session"
    #: sha256 hex.
    digest: str = text_column(primary_key=True)
    person: str = text_column(index=True)
    created: datetime = time_column()
    until: datetime = time_column(index=True)


class ApiTokenRow(SQLModel, table=True):
    """A token by which a program uses the API."""

    __tablename__ = "api_token"
    id: int | None = Field(default=None, primary_key=True)
    #: What it is for, as its maker says.
    name: str = text_column()
    #: sha256 hex.
    digest: str = text_column(unique=True)
    #: `people.Scope`s, parted by spaces.
    scopes: str = text_column()
    author: str = text_column()
    created: datetime = time_column()
    #: None: it does not end by itself.
    until: datetime | None = time_column(default=None, nullable=True)
    used: datetime | None = time_column(default=None, nullable=True)


class AuditRow(SQLModel, table=True):
    """A change that somebody made in the console or through the API."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = time_column(index=True)
    author: str = text_column()
    #: In one or two words: `silence`, `rule saved`, `sign-in refused`.
    action: str = text_column()
    #: What it was done to: `article 12`, `rule visit`.
    subject: str = text_column()
    detail: str = text_column(default="")


class NoteRow(SQLModel, table=True):
    """A note by an analyst on an article."""

    __tablename__ = "note"
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id", index=True)
    author: str = text_column()
    text: str = text_column()
    created: datetime = time_column()


class HandOverRow(SQLModel, table=True):
    """An article, and so its story, handed over from one person to another; the last one has it."""

    __tablename__ = "hand_over"
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id", index=True)
    author: str = text_column()
    #: Who has it from then on.
    person: str = text_column()
    note: str = text_column(default="")
    created: datetime = time_column()


class VisitRow(SQLModel, table=True):
    """The last visits of somebody to the console: `since` ends the one before the present one."""

    __tablename__ = "visit"
    person: str = text_column(primary_key=True)
    #: When a page was last opened.
    seen: datetime = time_column()
    #: When the last page of the visit before was opened.
    since: datetime = time_column()
