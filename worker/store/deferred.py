"""Rows of a transaction that wait to be written together: a batch of articles costs one statement a table.

A statement of the same transaction comes after what waits for the tables that it names, which are looked for among its
words, and for those that their rows refer to. One that deletes comes after all that waits, since a row that waits may
refer to what it deletes; so does one that neither reads nor writes rows. What others refer to is written first. A
transaction in which rows wait has no savepoints: they would not be undone.
"""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from worker.model import Role
from worker.store.tables import ARTICLE

#: A transaction, as in `database`, which writes what waits at its end.
Tx = sa.Connection
#: A statement for each row of a table, or what writes some rows, in order.
Write = sa.Executable | Callable[[Tx, list[Any]], object]

_WORD = re.compile(r"\w+")
#: Words of statements, in small letters: those of which all must be written ahead, those that change rows, all others.
_DELETING, _CHANGING, _READING = (
    frozenset({"delete", "replace"}),
    frozenset({"insert", "update"}),
    frozenset({"select"}),
)


class _Waiting:
    """Rows that wait in one transaction."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, Write], list[Any]] = {}
        #: The last number given in each table, and that of which PostgreSQL knows.
        self.ids: dict[str, int] = {}
        self.known_ids: dict[str, int] = {}
        #: The statement at hand asks for no row that may wait, or writes some.
        self.is_apart = False

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let statements go ahead of what waits."""
        was, self.is_apart = self.is_apart, True
        try:
            yield
        finally:
            self.is_apart = was


_waiting: WeakKeyDictionary[Tx, _Waiting] = WeakKeyDictionary()


def defer(tx: Tx, table: str, write: Write, *rows: Any) -> None:
    """Let rows of a table wait."""
    _of(tx).rows.setdefault((table, write), []).extend(rows)


def waiting(tx: Tx, table: str) -> Iterator[Any]:
    """The rows of a table that wait."""
    for (name, _), rows in _of(tx).rows.items():
        if name == table:
            yield from rows


def next_id(tx: Tx, table: sa.Table) -> int:
    """The number of a table's next row, which is deferred next; under the ingest lock, whose holder alone adds any.

    In one transaction all rows of a table are numbered here.
    """
    own = _of(tx)
    if table.name not in own.ids:
        with own.apart():
            own.ids[table.name] = _asked(tx, table) - 1
    own.ids[table.name] += 1
    return own.ids[table.name]


@contextmanager
def asking_for_stored(tx: Tx) -> Iterator[None]:
    """Let statements go ahead of what waits: they ask for no row of it."""
    with _of(tx).apart():
        yield


#: The roles that a transaction made work for.
_woken: WeakKeyDictionary[Tx, set[Role]] = WeakKeyDictionary()


def wake(tx: Tx, role: Role) -> None:
    """Note that the transaction makes work for workers of a role: where there is a cluster, one is woken by it."""
    _woken.setdefault(tx, set()).add(role)


def woken(tx: Tx) -> Collection[Role]:
    """The roles that the transaction made work for, always in the same order."""
    return sorted(_woken.pop(tx, ()))


def flush(tx: Tx, tables: Collection[str] | None = None) -> None:
    """Write what waits; with `tables`, what waits for them and for those that they refer to."""
    own = _waiting.get(tx)
    if own is None:
        return
    wanted = None if tables is None else frozenset[str]().union(*map(_needed, tables))
    some = [key for key in own.rows if wanted is None or key[0] in wanted]
    # A row is there before another statement changes it.
    some.sort(key=lambda key: (_place(key[0]), isinstance(key[1], sa.Update)))
    with own.apart():
        for key in some:
            _, write = key
            rows = own.rows.pop(key)
            if isinstance(write, sa.Executable):
                tx.execute(write, rows)
            else:
                write(tx, rows)
        if wanted is None and tx.dialect.name != "sqlite" and own.ids != own.known_ids:
            for name, last in own.ids.items():
                tx.execute(sa.select(sa.func.setval(_sequence(name), last)))
            own.known_ids = own.ids.copy()


def _of(tx: Tx) -> _Waiting:
    own = _waiting.get(tx)
    if own is None:
        _waiting[tx] = own = _Waiting()
    return own


@cache
def _place(table: str) -> int:
    """The place of a table in an order in which each comes after those that it refers to."""
    names = [one.name for one in ARTICLE.metadata.sorted_tables]
    return names.index(table) if table in names else len(names)


@cache
def _needed(table: str) -> frozenset[str]:
    """A table and those that its rows refer to, however many steps away."""
    found, left = {table}, [table]
    while left:
        there = ARTICLE.metadata.tables.get(left.pop())
        others = {key.column.table.name for key in there.foreign_keys} if there is not None else set[str]()
        left += others - found
        found |= others
    return frozenset(found)


def _asked(tx: Tx, table: sa.Table) -> int:
    """The number that the database would give."""
    if tx.dialect.name == "sqlite":
        return (tx.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0) + 1
    return int(tx.execute(sa.select(sa.func.nextval(_sequence(table.name)))).scalar_one())


def _sequence(name: str) -> "sa.Function[Any]":
    return sa.func.pg_get_serial_sequence(name, "id")


def before_statement(tx: Tx, _cursor: object, statement: str, *_: object) -> None:
    """Write what a statement may ask for, ahead of it; for SQLAlchemy's `before_cursor_execute`."""
    own = _waiting.get(tx)
    if own is None or own.is_apart or not own.rows:
        return
    words = _words(statement)
    if words & _DELETING or not words & (_CHANGING | _READING):
        flush(tx)
        return
    # What is read may wait itself; what is written may also refer to what waits.
    named = words.intersection(table for table, _ in own.rows)
    if words & _CHANGING:
        named |= words.intersection(ARTICLE.metadata.tables)
    if named:
        flush(tx, named)


@lru_cache(256)
def _words(statement: str) -> frozenset[str]:
    return frozenset(_WORD.findall(statement.lower()))
