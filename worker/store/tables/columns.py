"""Columns by their types, each of them NOT NULL unless it says so: texts without a limit, times as aware UTC."""

from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

import sqlalchemy as sa

METADATA = sa.MetaData()
#: What the database writes into a column that a migration added to rows.
EMPTY = sa.text("''")


class Utc(sa.TypeDecorator[datetime]):
    """Aware UTC on both databases: SQLite keeps no zone, PostgreSQL answers in the session's."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuses naive times; writes UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Reads UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def id_column() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


_Kind: TypeAlias = "partial[sa.Column[Any]]"
text: _Kind = partial(sa.Column, type_=sa.Text, nullable=False)
time: _Kind = partial(sa.Column, type_=Utc, nullable=False)
integer: _Kind = partial(sa.Column, type_=sa.Integer, nullable=False)
big_integer: _Kind = partial(sa.Column, type_=sa.BigInteger, nullable=False)
real: _Kind = partial(sa.Column, type_=sa.Float, nullable=False)
boolean: _Kind = partial(sa.Column, type_=sa.Boolean, nullable=False)
binary: _Kind = partial(sa.Column, type_=sa.LargeBinary, nullable=False)
