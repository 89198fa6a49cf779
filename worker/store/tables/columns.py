"""Column types: texts without a limit, times as aware UTC on both databases."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DateTime,
    Dialect,
    Text,
    TypeDecorator,
)
from sqlmodel import Field, SQLModel

# A row is never validated; pydantic would make its validator when the class is made, in every command.
SQLModel.model_config["defer_build"] = True


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


def text_column(**more: Any) -> Any:
    return Field(sa_type=Text, **more)


def time_column(**more: Any) -> Any:
    return Field(sa_type=Utc, **more)
