"""The database itself: transactions, the hold, the schema, and stores that cannot be used."""

import contextlib
import os
import shutil
import signal
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import forked
import pytest
import sqlalchemy as sa
from stored import NOW, add, feed, publish, python, sighting, state_of, url_of

from worker.errors import StoreBusyError, StoreError, StoreHeldError, StoreUnusableError
from worker.store import Store, database, entries, feeds, open_store, schema, upkeep


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A SQLite store with something in it, closed."""
    path = tmp_path / "veille.db"
    store = open_store(url_of(path), create=True)
    for n in range(40):
        add(store, f"Article {n}", body=f"Le texte de l'article {n}. " * 50)
    store.close()
    return path


# --- transactions ------------------------------------------------------------------------------------------------


def test_a_transaction_is_whole_or_nothing(store: Store) -> None:
    """And the store goes on after it."""

    def die() -> None:
        with store.write() as tx:
            feeds.ensure(tx, [feed()], NOW)
            raise KeyError

    with pytest.raises(KeyError):
        die()
    with store.read() as tx:
        assert feeds.statuses(tx) == ()
    assert state_of(store).id


def test_a_reader_sees_one_moment(store: Store) -> None:
    """Rows written meanwhile belong to the next transaction."""
    state_of(store)
    with store.read() as tx:
        assert len(feeds.statuses(tx)) == 1
        state_of(store, feed("https://b.example/rss"))
        assert len(feeds.statuses(tx)) == 1
    with store.read() as tx:
        assert len(feeds.statuses(tx)) == 2


def test_times_are_utc_and_never_naive(store: Store) -> None:
    """An hour in Hanoi is the same instant here; microseconds stay."""
    moment = datetime(2026, 2, 6, 15, 30, 0, 123456, tzinfo=timezone(timedelta(hours=7)))
    with store.write() as tx:
        feeds.ensure(tx, [feed()], moment)
    with store.read() as tx:
        (status,) = feeds.statuses(tx)
    assert (status.due, status.due.tzinfo) == (moment, UTC)
    with pytest.raises(sa.exc.StatementError, match="naive"), store.write() as tx:
        feeds.ensure(tx, [feed("https://b.example/rss")], datetime(2026, 2, 6))


def test_s04_writers_take_turns(store: Store) -> None:
    """Eight threads that read and then write the same row lose none of their additions."""
    state_of(store)

    def count() -> None:
        for _ in range(10):
            with store.ingest() as tx:
                n = tx.execute(sa.text("SELECT failures FROM feed")).scalar_one()
                tx.execute(sa.text("UPDATE feed SET failures = :n"), {"n": n + 1})

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state_of(store).failures == 80


def test_s03_a_store_that_is_busy_says_so_and_goes_on_later(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process writes for longer than we wait; readers are not kept, and nothing is left half done."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    store = open_store(store_url, create=True)
    other = open_store(store_url, create=False)
    with other.ingest() as tx:
        feeds.ensure(tx, [feed()], NOW)
        with pytest.raises(StoreBusyError, match="busy"), store.ingest():
            pass
        with store.read() as reading:
            assert feeds.statuses(reading) == ()
    assert state_of(store).id == 1
    store.close()
    other.close()


def test_a_thread_that_waits_too_long_for_another_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one process too."""
    store = open_store(url_of(tmp_path / "veille.db"), create=True)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    raised = []

    def write() -> None:
        try:
            with store.write():
                pass
        except StoreBusyError as e:
            raised.append(str(e))

    with store.write():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert raised == ["The store is busy: another process writes to it."]
    store.close()


def test_s05_a_full_disk_is_an_error_and_no_damage(tmp_path: Path) -> None:
    """Nothing of the transaction stays, and the store works when there is room again."""
    store = open_store(url_of(tmp_path / "veille.db"), create=True)
    big = sighting("a", "x" * 500_000)
    state_of(store)

    def limit(tx: sa.Connection, pages: int) -> None:
        tx.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def fill() -> None:
        with store.write() as tx:
            limit(tx, tx.exec_driver_sql("PRAGMA page_count").scalar_one() + 3)
            entries.record(tx, 1, [big], raw_sha256="0", backlog=False, page_within=None, now=NOW)

    with pytest.raises(StoreError, match="full"):
        fill()
    with store.read() as tx:
        limit(tx, 1_000_000)
        assert upkeep.entry_counts(tx)["ready"] == 0
    store.check_integrity()
    assert publish(store, big) == [1]
    store.close()


def test_s11_a_lost_connection_is_an_error_that_passes(postgresql_url: str) -> None:
    """PostgreSQL restarts, or an operator ends the session: the job comes again."""
    store = open_store(postgresql_url, create=True)

    def lose() -> None:
        with store.write() as tx:
            mine = tx.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            with store.write() as other:
                other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
            feeds.ensure(tx, [feed()], NOW)

    with pytest.raises(StoreError):
        lose()
    assert state_of(store).id
    admin = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as tx:
        theirs = "datname = current_database() AND pid <> pg_backend_pid()"
        tx.execute(sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {theirs}"))
    admin.dispose()
    # What nobody used at that moment is not given to a job.
    assert state_of(store).id
    store.close()


def test_s15_a_long_reader_bloats_the_log_and_no_longer(tmp_path: Path) -> None:
    """While somebody reads, the log grows and is seen to; once they have gone, it is taken back into the store."""
    store = open_store(url_of(tmp_path / "veille.db"), create=True)
    state_of(store)
    with store.read() as tx:
        feeds.statuses(tx)
        for n in range(3):
            publish(store, sighting(f"{n}", chr(97 + n) * 2_000_000))
        grown = store.log_bytes()
    assert grown > 6_000_000
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE feed SET failures = 1")
    with store.read() as tx:
        assert upkeep.entry_counts(tx)["ready"] == 3
    publish(store, sighting("after"))
    store.close()
    assert store.log_bytes() == 0


async def test_s12_a_cancelled_job_leaves_no_lock(tmp_path: Path) -> None:
    """Its transaction ends in its thread, whole, and the next one begins at once."""
    import asyncio

    store = open_store(url_of(tmp_path / "veille.db"), create=True)
    began, free = threading.Event(), threading.Event()

    def write() -> None:
        with store.write() as tx:
            feeds.ensure(tx, [feed()], NOW)
            began.set()
            free.wait(10)

    task = asyncio.create_task(asyncio.to_thread(write))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    free.set()
    assert (await asyncio.to_thread(state_of, store)).id == 1
    store.close()


# --- the hold ----------------------------------------------------------------------------------------------------

HOLD = """
import sys
from worker.store import open_store
store = open_store(sys.argv[1], create=True)
store.hold()
print("held", flush=True)
sys.stdin.read()
"""


def test_s10_a_store_is_held_by_one_process_until_it_dies(path: Path) -> None:
    """By SIGKILL too; and a store that has two names is one."""
    link = path.with_name("other.db")
    link.symlink_to(path)
    with python(HOLD, url_of(path)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        store = open_store(url_of(link), create=False)
        with pytest.raises(StoreHeldError, match=rf"in use by veille, process {holder.pid} on .*Stop it first"):
            store.hold()
        with store.read() as tx:
            assert upkeep.article_counts(tx)["feed"] == 40
        holder.send_signal(signal.SIGKILL)
    store.hold()
    second = open_store(url_of(path), create=False)
    with pytest.raises(StoreHeldError, match=str(os.getpid())):
        second.hold()
    store.close()
    second.hold()
    second.close()


def test_postgresql_needs_no_hold(postgresql_url: str) -> None:
    """Leases part its workers."""
    store, other = open_store(postgresql_url, create=True), open_store(postgresql_url, create=False)
    store.hold()
    other.hold()
    assert other.path is None
    other.check_integrity()
    store.close()
    other.close()


# --- stores that cannot be used ----------------------------------------------------------------------------------


def overwrite(path: Path, at: int, size: int) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + size] = b"\xa5" * size
    path.write_bytes(data)


def execute(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE holidays (day)")


def lose_to_a_foreign_log(path: Path) -> None:
    """SQLite takes what lies beside a file for that file's log, whatever it was written for."""
    other = path.with_name("other.db")
    with contextlib.closing(sqlite3.connect(other, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE holidays (day)")
        shutil.copy(f"{other}-wal", f"{path}-wal")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(empty, "is empty: restore a backup, or remove", id="zero-length"),
        pytest.param(lambda p: overwrite(p, 0, 100), "not a database.*Restore a backup", id="header"),
        pytest.param(lambda p: overwrite(p, 4096, 4096), "damaged|malformed", id="page-2"),
        pytest.param(lambda p: overwrite(p, 8 * 4096, 4096), "damaged|malformed", id="page-9"),
        pytest.param(lambda p: os.truncate(p, p.stat().st_size // 2), "damaged|malformed", id="truncated"),
        pytest.param(lambda p: p.write_text("[store]\n" * 99), "not a database.*Restore", id="another-file"),
        pytest.param(
            lambda p: execute(p, "UPDATE alembic_version SET version_num = '0999'"), "newer Veille.*install", id="newer"
        ),
        pytest.param(replace, "something else.*'holidays'.*name another", id="another-database"),
        pytest.param(make_folder, "is a folder", id="folder"),
        pytest.param(lose_to_a_foreign_log, "something else.*'holidays'", id="log of something else"),
    ],
)
def test_s07_a_store_that_cannot_be_used_is_refused_and_left_alone(path: Path, spoil, said: str) -> None:
    """Never made anew: a new store over a lost one would tell everything again. The sentence names the file."""
    spoil(path)
    before = path.read_bytes() if path.is_file() else None

    def start() -> None:
        store = open_store(url_of(path), create=True)
        try:
            store.check_integrity()
        finally:
            store.close()

    with pytest.raises(StoreUnusableError, match=said) as refused:
        start()
    assert str(path) in str(refused.value)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize(("serves", "opens"), [(schema.VERSION, True), ("0999", False)])
def test_a_schema_of_a_later_release_is_worked_with_where_it_says_so(store_url: str, serves: str, opens: bool) -> None:
    """So that workers of two releases share a store while one is replaced by the other; the schema stays as it is."""
    open_store(store_url, create=True).close()
    engine = sa.create_engine(store_url)
    with engine.begin() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '0999'"))
        tx.execute(sa.text("INSERT INTO scheme (name, number) VALUES ('schema 0999', :n)"), {"n": int(serves)})
    if opens:
        open_store(store_url, create=True).close()
        store = open_store(store_url, create=False)
        publish(store, sighting("1"))
        store.close()
    else:
        with pytest.raises(StoreUnusableError, match="newer Veille"):
            open_store(store_url, create=True)
    with engine.begin() as tx:
        assert tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == ["0999"]
    engine.dispose()


def test_s07_a_log_of_another_store_is_refused(path: Path, tmp_path: Path) -> None:
    """SQLite would take it for its own: the mixture is found at the start, by whoever comes to work."""
    (tmp_path / "other").mkdir()
    other = open_store(url_of(tmp_path / "other" / "veille.db"), create=True)
    for n in range(200):
        add(other, f"Une autre histoire {n}", body=f"Elle dit autre chose {n}. " * 50)
    log = path.with_name("veille.db-wal")
    log.write_bytes((tmp_path / "other" / "veille.db-wal").read_bytes())
    other.close()
    assert log.stat().st_size > 100_000

    def start() -> None:
        store = open_store(url_of(path), create=True)
        try:
            store.check_integrity()
        finally:
            store.close()

    with pytest.raises(StoreUnusableError, match=r"damaged|malformed"):
        start()
    assert path.exists()


def test_only_run_and_poll_make_a_store(store_url: str) -> None:
    """A command that looks on makes none, nor brings one up to date under a running worker."""
    with pytest.raises(StoreUnusableError, match="`veille run` or `veille poll` makes it"):
        open_store(store_url, create=False)
    open_store(store_url, create=True).close()
    open_store(store_url, create=False).close()


def test_a_postgresql_that_is_not_there_is_named_without_its_password() -> None:
    """The sentence goes to logs."""
    with pytest.raises(StoreUnusableError, match=r"127\.0\.0\.1") as refused:
        open_store("postgresql+psycopg://u:s3cret@127.0.0.1:1/veille", create=True)
    assert "s3cret" not in str(refused.value)


READ_ONLY = """
import os, sys
from worker.errors import StoreUnusableError
from worker.store import database, open_store
import alembic.command, sqlalchemy.dialects.sqlite
os.chdir(sys.argv[2])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open_store("sqlite:///" + sys.argv[1], create=True).hold()
except StoreUnusableError as e:
    print(e)
"""


@pytest.mark.parametrize(
    ("spoil", "name", "said"),
    [
        pytest.param(lambda f: (f / "veille.db").chmod(0o444), "veille.db", "cannot be written to", id="file"),
        pytest.param(lambda f: f.chmod(0o555), "veille.db", "cannot be written to", id="folder"),
        pytest.param(lambda f: f.chmod(0o555), "new/veille.db", "cannot be made: Permission denied", id="new-folder"),
    ],
)
def test_s06_a_store_that_may_not_be_written_is_refused(path: Path, spoil, name: str, said: str) -> None:
    """As a user without rights, since root may write everywhere; named from within, as root's folders are closed."""
    folder = path.parent
    folder.chmod(0o777)
    for file in folder.iterdir():
        file.chmod(0o666)
    spoil(folder)
    try:
        other = forked.python(READ_ONLY, name, str(folder))
    finally:
        folder.chmod(0o777)
    assert said in other.stdout, other.stderr
