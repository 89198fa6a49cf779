"""The database: one engine, read and write transactions, the ingest lock, the hold of a SQLite store.

SQLite runs with WAL, `synchronous=FULL`, foreign keys on, and `BEGIN IMMEDIATE` for writers: a deferred transaction
that turns writer fails at once with "database is locked" whatever the busy timeout says.
"""

import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from worker.errors import StoreBusyError, StoreError, StoreMissingError, StoreUnusableError
from worker.store import deferred, files, schema

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from worker.model import Role

V = TypeVar("V", bound="DataclassInstance")

#: A transaction that a caller hands to the functions of this package.
Tx = sa.Connection

BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
_PAUSE = 0.05
#: PostgreSQL's "insufficient privilege".
_NO_RIGHT = "42501"
#: The class of its limits on a row or a statement, as on the length of an index's entry.
_TOO_MUCH = "54"
_NO_EXTRA = "PostgreSQL needs the extra: pip install 'veille[cluster]'"
_INGEST_LOCK = 0x7665696C6C65  # "veille"
_WRITE = {"veille_write": True}
_RESTORE = "Restore a backup; the file was not changed."
#: A container that is started again has its host's name and its number anew: this tells its processes apart.
STAMP = secrets.token_hex(4)
#: The connection used last is used next, since its cache is warm.
_POOL: dict[str, Any] = {"pool_size": 5, "max_overflow": 27, "pool_use_lifo": True}
#: The cache is one connection's own; a log that one large transaction bloated is cut again.
_PRAGMAS = (
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-16384",
    "journal_size_limit=67108864",
)


def read_as(made: type[V], row: sa.Row[Any], **others: object) -> V:
    """A row as a value: each field from the column of its name, but for `others`."""
    return made(**{one.name: getattr(row, one.name) for one in fields(made) if one.name not in others}, **others)


class Store:
    """A store that is open. Safe for use from several threads; every method is synchronous."""

    def __init__(self, engine: sa.Engine, *, only_reads: bool = False) -> None:
        self._engine = engine
        #: The file may not be written to by this user.
        self.only_reads = only_reads
        self._held: IO[str] | None = None
        # SQLite has one writer: waiting here is fair, SQLite's own busy handler sleeps and starves.
        self._writer = threading.Lock()
        #: Seconds that this process held the ingest lock, until each commit; only the lock's holder adds to it.
        self.ingest_seconds = 0.0
        #: Transactions that the store was too busy for.
        self.refused = 0
        #: Called in each transaction that made work for workers of some roles, at its end: what wakes them.
        self.wake: Callable[[Tx, Collection[Role]], None] | None = None

    @property
    def is_sqlite(self) -> bool:
        """Tells whether this is a file with one writer."""
        return self._engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file."""
        return Path(self._engine.url.database or "") if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction that only reads: one consistent snapshot."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._counted(), _translated(), self._engine.connect().execution_options(**options) as tx, tx.begin():
            yield tx

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that writes; commits at the end, or rolls back what an exception leaves."""
        if self.only_reads:
            raise StoreUnusableError(f"{self.path} cannot be written to by this user")
        with self._counted(), _translated(), _undone(self._engine):
            if not self.is_sqlite:
                with self._engine.connect() as tx, tx.begin(), _undone(self._engine):
                    yield tx
                    deferred.flush(tx)
                    if self.wake is not None and (roles := deferred.woken(tx)):
                        self.wake(tx, roles)
                return
            if not self._writer.acquire(timeout=BUSY_SECONDS):
                raise StoreBusyError
            try:
                with self._engine.connect().execution_options(**_WRITE) as tx, tx.begin(), _undone(self._engine):
                    yield tx
                    deferred.flush(tx)
            finally:
                self._writer.release()

    @contextmanager
    def ingest(self) -> Iterator[Tx]:
        """A write transaction under the ingest lock: the one lane in which copies and alerts are decided."""
        began: float | None = None
        try:
            with self.write() as tx:
                if not self.is_sqlite:
                    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_INGEST_LOCK)))
                began = time.perf_counter()
                yield tx
        finally:
            if began is not None:
                self.ingest_seconds += time.perf_counter() - began

    def connect(self) -> Tx:
        """A connection for the caller to keep and to close, whose statements are transactions of their own."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise the driver's errors as the store's, for what a caller does with a connection that it keeps."""
        with _translated():
            yield

    def driver_arguments(self) -> dict[str, Any]:
        """The keyword arguments with which PostgreSQL's driver opens a connection to this store."""
        found = self._engine.dialect.create_connect_args(self._engine.url)[1]
        found.pop("context", None)  # SQLAlchemy's own types
        return {**found, **_session()}

    def hold(self) -> None:
        """Take the SQLite store for this process; raises StoreHeldError while another `run` or `poll` has it.

        The kernel frees a lock whose process dies, however it dies. PostgreSQL needs none: leases part the workers.
        """
        if self.path is None:
            return
        self._held = files.hold(self.path)

    def log_bytes(self) -> int:
        """The size of SQLite's write-ahead log in bytes."""
        if self.path is None:
            return 0
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except OSError:
            return 0

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except StoreBusyError:
            self.refused += 1
            raise

    def check_integrity(self) -> None:
        """Raise StoreUnusableError if SQLite finds its file damaged."""
        if not self.is_sqlite:
            return
        with self.read() as tx:
            found = tx.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise StoreUnusableError(f"{self.path} is damaged ({found}). {_RESTORE}")

    def close(self) -> None:
        """Let go of every connection and of the hold."""
        self._engine.dispose()
        if self._held is not None:
            self._held.close()
            self._held = None


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into the store's, where a caller can do something about them."""
    try:
        yield
    except NoConnectionError as e:
        raise StoreBusyError("the store is busy: every connection to it is in use") from e
    except InterfaceError as e:
        raise StoreError(f"the store went away: {e.orig}") from e
    except OperationalError as e:
        if (getattr(e.orig, "sqlstate", None) or "").startswith(_TOO_MUCH):
            raise  # a row's own fault: what came with it goes on without it
        words = str(e.orig)
        if any(sign in words for sign in ("locked", "busy", "lock timeout")):
            raise StoreBusyError(f"the store is busy: {words}") from e
        if any(sign in words for sign in ("readonly", "unable to open", "disk I/O", "malformed")):
            raise StoreUnusableError(f"the store cannot be used: {words}") from e
        raise StoreError(f"the store could not do it: {words}") from e
    except DatabaseError as e:
        if getattr(e.orig, "sqlstate", "") == _NO_RIGHT:
            raise StoreUnusableError(f"this user may not do that with the store: {e.orig}") from e
        if isinstance(e.orig, sqlite3.DatabaseError) and (
            "malformed" in str(e.orig) or "not a database" in str(e.orig)
        ):
            raise StoreUnusableError(f"the store is damaged: {e.orig}. {_RESTORE}") from e
        raise


_failures: WeakKeyDictionary[sa.Engine, int] = WeakKeyDictionary()


@contextmanager
def _undone(engine: sa.Engine) -> Iterator[None]:
    """Count a transaction that fails: in it, before its locks are given back, and around it, where its commit fails."""
    try:
        yield
    except BaseException:
        _failures[engine] = _failures.get(engine, 0) + 1
        raise


def failures(tx: Tx) -> int:
    """The number of transactions of this process that were undone: what was remembered of them is wrong."""
    return _failures.get(tx.engine, 0)


def insert(tx: Tx, table: Any) -> Any:
    """An INSERT of the dialect at hand, for `on_conflict_do_nothing`."""
    if tx.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def array(numbers: Iterable[int]) -> str:
    """Whole numbers as PostgreSQL writes an array; the driver takes a list apart in Python, at ten times the cost."""
    return f"{{{','.join(map(str, numbers))}}}"


def open_store(url: str, *, create: bool) -> Store:
    """The store at `url` (`sqlite:///FILE` or `postgresql+psycopg://...`).

    `create` makes a missing one and migrates an older one; without it both are StoreUnusableError, since a command
    that looks on must not change the schema under a running worker. Such a command may read a file that it may not
    write to.
    """
    parsed = sa.make_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    where = (parsed.database or "") if is_sqlite else parsed.render_as_string(hide_password=True)
    only_reads = is_sqlite and not files.prepare(Path(where), create=create)
    engine = _sqlite(parsed, only_reads=only_reads) if is_sqlite else _postgresql(parsed)
    sa.event.listen(engine, "before_cursor_execute", deferred.before_statement)
    store = Store(engine, only_reads=only_reads)
    try:
        _bring_up_to_date(store, create=create)
    except StoreBusyError:
        store.close()
        raise
    except StoreMissingError as e:
        store.close()
        raise StoreMissingError(f"{where}: {e}") from e
    except (StoreError, DBAPIError) as e:
        store.close()
        raise StoreUnusableError(f"{where}: {e.orig if isinstance(e, DBAPIError) else e}") from e
    except BaseException:
        store.close()
        raise
    return store


def session_name(host: str, pid: int | str, stamp: str) -> str:
    """The name under which PostgreSQL shows a process's sessions, of at most 63 bytes."""
    return f"veille:{host[:36]}:{pid}:{stamp}"


def _session() -> dict[str, Any]:
    name = session_name(socket.gethostname(), os.getpid(), STAMP)
    return {"connect_timeout": _CONNECT_SECONDS, "application_name": name}


def path_of(url: str) -> Path | None:
    """The file of the SQLite store at `url`; None for PostgreSQL."""
    parsed = sa.make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _bring_up_to_date(store: Store, *, create: bool) -> None:
    with store.read() as tx:
        found = schema.version(tx)
    if found == schema.VERSION:
        return
    if found is not None and found > schema.VERSION:
        with store.read() as tx:
            if schema.serves(tx, found):
                return
        raise StoreUnusableError(
            f"the store was made by a newer Veille (schema {found}, this one knows {schema.VERSION}): install that one"
        )
    if not create and found is None:
        raise StoreMissingError("there is no store here yet: `veille run` or `veille poll` makes it")
    if not create:
        raise StoreUnusableError("the store is an older Veille's: `veille run` or `veille poll` brings it up to date")
    with store.ingest() as tx:
        schema.bring_up_to_date(tx)


def _postgresql(url: sa.URL) -> sa.Engine:
    if find_spec("procrastinate") is None:  # whose tables are part of the schema
        raise StoreUnusableError(_NO_EXTRA)
    try:
        engine = sa.create_engine(
            url,
            connect_args=_session(),
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            **_POOL,
        )
    except ModuleNotFoundError as e:
        raise StoreUnusableError(_NO_EXTRA) from e

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        # A worker that is stopped in the middle of a transaction must not stop the others for ever.
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{4 * BUSY_SECONDS}s'")
        connection.commit()

    return engine


def _sqlite(url: sa.URL, *, only_reads: bool) -> sa.Engine:
    more: dict[str, Any] = {}
    if only_reads:
        more["creator"] = lambda: files.connect_to_read(Path(url.database or ""), BUSY_SECONDS)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **_POOL, **more)

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # sqlite3 would begin on its own, and deferred
        if not only_reads:
            _set_wal(connection)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def _(tx: sa.Connection) -> None:
        tx.exec_driver_sql("BEGIN IMMEDIATE" if tx.get_execution_options().get("veille_write") else "BEGIN")

    return engine


def _set_wal(connection: sqlite3.Connection) -> None:
    """Once in a file's life; where two processes make it at the same moment, SQLite asks the second not to wait."""
    tries = max(1, int(BUSY_SECONDS / _PAUSE))
    for left in reversed(range(tries)):
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as e:
            if "locked" not in str(e) or not left:
                raise
            time.sleep(_PAUSE)
        else:
            return
