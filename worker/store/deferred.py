"""Rows of a transaction that wait to be written together: a batch of articles costs one statement a table.

Whatever else the transaction asks of the database comes after what waits, so nothing can tell the difference. What
others refer to is written first.
"""

from collections.abc import Callable, Collection
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from worker.model import Role

#: A transaction, as in `database`, which writes what waits at its end.
Tx = sa.Connection
#: A statement for each row of a table, or what writes some rows, in order.
Write = sa.Executable | Callable[[Tx, list[Any]], object]


class _Waiting:
    """Rows that wait in one transaction."""

    def __init__(self) -> None:
        self.parents: dict[Write, list[Any]] = {}
        self.rows: dict[Write, list[Any]] = {}
        #: The last number given in each table.
        self.ids: dict[str, int] = {}
        #: The statement at hand asks for no row that may wait.
        self.is_asking = False


_waiting: WeakKeyDictionary[Tx, _Waiting] = WeakKeyDictionary()


def defer(tx: Tx, write: Write, row: Any, *, is_parent: bool = False) -> None:
    """Let a row wait; `is_parent`: others may refer to it."""
    waiting = _of(tx)
    (waiting.parents if is_parent else waiting.rows).setdefault(write, []).append(row)


def next_id(tx: Tx, table: sa.Table) -> int:
    """The number of a table's next row, which is deferred next; under the ingest lock, whose holder alone adds any.

    In one transaction all rows of a table are numbered here.
    """
    waiting = _of(tx)
    if table.name not in waiting.ids:
        waiting.is_asking = True
        waiting.ids[table.name] = _asked(tx, table) - 1
        waiting.is_asking = False
    waiting.ids[table.name] += 1
    return waiting.ids[table.name]


#: The roles that a transaction made work for.
_woken: WeakKeyDictionary[Tx, set[Role]] = WeakKeyDictionary()


def wake(tx: Tx, role: Role) -> None:
    """Note that the transaction makes work for workers of a role: where there is a cluster, one is woken by it."""
    _woken.setdefault(tx, set()).add(role)


def woken(tx: Tx) -> Collection[Role]:
    """The roles that the transaction made work for, always in the same order."""
    return sorted(_woken.pop(tx, ()))


def flush(tx: Tx) -> None:
    """Write what waits."""
    waiting = _waiting.get(tx)
    if waiting is None or not (waiting.parents or waiting.rows):
        return
    all_rows = waiting.parents, waiting.rows
    waiting.parents, waiting.rows = {}, {}
    for rows in all_rows:
        for write, some in rows.items():
            if isinstance(write, sa.Executable):
                tx.execute(write, some)
            else:
                write(tx, some)
    if tx.dialect.name != "sqlite":
        for name, last in waiting.ids.items():
            tx.execute(sa.select(sa.func.setval(_sequence(name), last)))


def _of(tx: Tx) -> _Waiting:
    waiting = _waiting.get(tx)
    if waiting is None:
        _waiting[tx] = waiting = _Waiting()
    return waiting


def _asked(tx: Tx, table: sa.Table) -> int:
    """The number that the database would give."""
    if tx.dialect.name == "sqlite":
        return (tx.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0) + 1
    return int(tx.execute(sa.select(sa.func.nextval(_sequence(table.name)))).scalar_one())


def _sequence(name: str) -> "sa.Function[Any]":
    return sa.func.pg_get_serial_sequence(name, "id")


def before_statement(tx: Tx, *_: object) -> None:
    """Write what waits before a statement of the same transaction; for SQLAlchemy's `before_cursor_execute`."""
    waiting = _waiting.get(tx)
    if waiting is not None and not waiting.is_asking:
        flush(tx)
