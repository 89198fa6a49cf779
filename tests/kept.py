"""Things that a process of tests makes once and keeps: half of a short test would go into making it anew.

Compiled statements, shared by all engines; the command line's parsers; the statements that make a schema.
"""

import functools
from typing import Any

import sqlalchemy as sa
import typer.main

from worker.store import schema

#: `schema._make` as it is.
MAKE_SCHEMA = schema._make
_create_engine = sa.create_engine
_engines: dict[tuple[str, object], sa.Engine] = {}
_statements: dict[tuple[object, ...], list[tuple[str, Any]]] = {}


def keep() -> None:
    """Keep all of it from now on."""
    sa.create_engine = _sharing
    schema._make = _make_again
    typer.main.get_command = functools.cache(typer.main.get_command)


def _sharing(url: str | sa.URL, **more: Any) -> sa.Engine:
    """`create_engine`, with the dialect and the compiled statements of the first such engine that was connected."""
    engine = _create_engine(url, **more)
    kind = engine.url.drivername, more.get("isolation_level")
    first = _engines.get(kind)
    if first is None or getattr(first.dialect, "server_version_info", None) is None:
        _engines[kind] = engine
    else:
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine


def _make_again(tx: sa.Connection) -> None:
    """`schema._make`; where it ran before on such a database, the statements that it came to then."""
    kind = tx.dialect.name, schema.VERSION, schema.SCHEME
    if kind in _statements:
        for statement, values in _statements[kind]:
            tx.exec_driver_sql(statement, values)
        schema.create_queues(tx)  # by a cursor of the driver's own, which is not noted
        return
    ran: list[tuple[str, Any]] = []

    def note(_tx: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        ran.append((statement, values or None))

    sa.event.listen(tx, "before_cursor_execute", note)
    try:
        MAKE_SCHEMA(tx)
    finally:
        sa.event.remove(tx, "before_cursor_execute", note)
    _statements[kind] = ran
