"""The worker that runs on the store, and what came to it."""

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Field, SQLModel

from worker.store.tables.columns import text_column, time_column


class HeartbeatRow(SQLModel, table=True):
    """A worker that runs on this store, and its last tick."""

    __tablename__ = "heartbeat"
    id: int | None = Field(default=None, primary_key=True)
    owner: str = text_column(unique=True, index=True)
    host: str = text_column()
    pid: int
    started: datetime = time_column()
    tick: datetime = time_column()
    #: See `upkeep.Heartbeat`.
    boot: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    turned: float | None = None
    #: The roles of a worker of a cluster, with commas between them; empty: it does all by itself.
    roles: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    #: `RuleSet.hash` of the rules that it goes by.
    rules: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})


class InForceRow(SQLModel, table=True):
    """The rules that the worker goes by, and what its last reading of their files came to."""

    __tablename__ = "in_force"
    id: int = Field(default=1, primary_key=True)
    owner: str = text_column()
    #: sha256 hex over the rules.
    hash: str = text_column()
    rules: int
    since: datetime = time_column()
    read: datetime = time_column()
    #: `errors.Problem`s as JSON.
    problems: str = text_column()


class ConditionRow(SQLModel, table=True):
    """Something that is wrong at present, of which the operators got a notice."""

    __tablename__ = "condition"
    #: `kind:what it is about`.
    key: str = text_column(primary_key=True)
    kind: str = text_column()
    words: str = text_column()
    since: datetime = time_column()
    #: When a worker last found it still so.
    seen: datetime | None = time_column(default=None, nullable=True)


class SchemeRow(SQLModel, table=True):
    """The scheme by which what is stored was judged; without a row, by that of before there were any."""

    __tablename__ = "scheme"
    #: `stories`.
    name: str = text_column(primary_key=True)
    number: int
    #: The last article that was judged again; None: all were.
    reached: int | None = None
