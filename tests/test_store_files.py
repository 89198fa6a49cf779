"""The store's files: for the worker's own user alone, and read by whoever was let."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import forked
import pytest
import sqlalchemy as sa
from feedserver import FeedServer
from rig import Item, Site, rss

from worker.errors import StoreUnusableError
from worker.runtime.doctor import examine
from worker.store import open_store, upkeep
from worker.store.files import backup, make_folder, open_to_others, restore


@pytest.fixture(params=[0o022, 0o000], ids=["umask 022", "umask 000"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """As most systems have it, and the worst."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def rights(folder: Path) -> dict[str, int]:
    """Rights of each file and folder."""
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in sorted(folder.rglob("*"))}


@pytest.mark.usefixtures("umask")
def test_s17_no_other_user_reads_a_file_of_the_store(tmp_path: Path) -> None:
    """Store, logs, lock, copies and what a copy replaced are 0600, folders that were made 0700."""
    folder = tmp_path / "var" / "veille"
    path, copy, late = folder / "veille.db", tmp_path / "copy.db", tmp_path / "new" / "place" / "veille.db"
    store = open_store(f"sqlite:///{path}", create=True)
    store.hold()
    with store.write() as tx:
        now = datetime(2026, 2, 6, tzinfo=UTC)
        upkeep.beat(tx, upkeep.Heartbeat(owner="o", host="h", pid=1, started=now, tick=now))
    running = rights(tmp_path)
    assert {"var/veille/veille.db-wal", "var/veille/veille.db-shm", "var/veille/veille.db.lock"} <= running.keys()
    backup(path, copy)
    store.close()
    restore(path, copy, now)
    restore(late, copy, now)
    found = running | rights(tmp_path)
    assert len(found) >= 12
    for name, mode in found.items():
        assert mode == (0o700 if (tmp_path / name).is_dir() else 0o600), name


@pytest.mark.usefixtures("umask")
def test_s17_a_folder_that_was_there_is_left_as_it_is(tmp_path: Path) -> None:
    """Whoever made it knows whom it is for; so with a store that a group was let read."""
    tmp_path.chmod(0o750)
    open_store(f"sqlite:///{tmp_path}/veille.db", create=True).close()
    (tmp_path / "veille.db").chmod(0o640)
    open_store(f"sqlite:///{tmp_path}/veille.db", create=True).close()
    make_folder(tmp_path)
    assert (tmp_path.stat().st_mode & 0o777, rights(tmp_path)["veille.db"]) == (0o750, 0o640)


@pytest.mark.parametrize(
    ("folder", "file", "loose"), [(0o755, 0o644, True), (0o755, 0o640, False), (0o700, 0o644, False)], ids=str
)
def test_s17_doctor_tells_of_a_store_that_all_can_read(tmp_path: Path, folder: int, file: int, loose: bool) -> None:
    """With what to do; a folder that is closed closes its files."""
    site = Site(tmp_path)
    open_store(f"sqlite:///{tmp_path}/veille.db", create=True).close()
    (tmp_path / "veille.db").chmod(file)
    tmp_path.chmod(folder)
    assert bool(open_to_others(tmp_path / "veille.db")) is loose
    (found,) = (one for one in examine(site.config) if one.what == "files")
    assert found.ok is not loose
    assert ("chmod o= " in found.words) is loose


# --- whoever may only read ------------------------------------------------------------------------------------------

#: Where the tests run as root: without what lets root write to what may only be read. The words of capset(2) are its
#: version and the process itself, then no capability in any of the sets.
RIGHTLESS = """
import ctypes
if ctypes.CDLL(None, use_errno=True).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()):
    raise OSError(ctypes.get_errno(), "capset")
"""
needs_rights = pytest.mark.skipif(os.getuid() == 0 and sys.platform != "linux", reason="root has all rights here")
READING = [
    ["status"],
    ["articles"],
    ["why", "6"],
    ["show", "6"],
    ["stories"],
    ["deliveries"],
    ["ledger", "--since", "2026-01-01"],
    ["feeds", "list"],
    ["quarantine"],
]
#: Several commands in one process.
COMMANDS = """
import contextlib, io, json, sys
from worker.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv, said, code = ["veille", *words], io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as e:
            code = e.code
    print(json.dumps([code, said.getvalue()]))
"""


def another(commands: Sequence[Sequence[str]], config: Path) -> list[tuple[int, str]]:
    """The exit code of each command, and what it says, where whoever runs it may only read."""
    words = json.dumps([[*words, "--config", str(config)] for words in commands])
    done = forked.python(RIGHTLESS * (os.getuid() == 0) + COMMANDS, words)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def polled() -> Iterator[Site]:
    """A store of one article that was told, in a folder that others may enter and not write to."""
    with tempfile.TemporaryDirectory() as name, FeedServer() as server:
        folder = Path(name)
        feed = server.serve("/f", rss([Item("1", "Hun Sen à Hanoï", "Hun Sen est en visite à Hanoï.")]))
        site = Site(folder, feeds=[feed], allow=[server.place])
        site.poll()
        (folder / "veille.db").chmod(0o444)
        folder.chmod(0o555)
        yield site
        folder.chmod(0o755)


@needs_rights
def test_who_may_only_read_a_store_reads_it(polled: Site) -> None:
    """Each command that looks on works for a user who can write neither file nor folder, with no worker about."""
    for words, (code, said) in zip(
        READING, another([[*words, "--json"] for words in READING], polled.config), strict=True
    ):
        assert (code or 0, said) == (0, polled.veille(*words, "--json").stdout), words
    assert not (polled.folder / "veille.db-shm").exists()


@needs_rights
def test_who_may_only_read_a_store_is_told_so(polled: Site) -> None:
    """A command that would write says who may not, and leaves everything as it was; so does a worker at its start."""
    before = (polled.folder / "veille.db").read_bytes()
    *writing, doctor = another([["quarantine", "retry", "--all"], ["poll"], ["run"], ["doctor"]], polled.config)
    for code, said in writing:
        assert code == 78, said
        assert "cannot be written to by this user" in said
    assert doctor[0] == 1
    assert (polled.folder / "veille.db").read_bytes() == before


@needs_rights
def test_who_may_only_read_a_store_sees_what_a_worker_writes() -> None:
    """Beside a worker, what stands in the log alone is read too; no stale file is taken for the store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = Site(folder)
        store = open_store(f"sqlite:///{folder}/veille.db", create=True)
        now = datetime(2026, 2, 6, tzinfo=UTC)
        with store.write() as tx:
            upkeep.beat(tx, upkeep.Heartbeat(owner="o", host="in the log", pid=1, started=now, tick=now))
        for path in folder.glob("veille.db*"):
            path.chmod(0o644)
        folder.chmod(0o555)
        ((_, said),) = another([["status", "--json"]], site.config)
        assert "in the log" in said
        folder.chmod(0o755)
        store.close()


def test_a_role_that_may_only_select_reads_a_store(store_url: str) -> None:
    """PostgreSQL: a status for who has SELECT and no more; what would write says so in a sentence."""
    if store_url.startswith("sqlite"):
        pytest.skip("a file has no roles")
    open_store(store_url, create=True).close()
    admin = sa.create_engine(store_url)
    url = sa.make_url(store_url)
    role = f"reader_{os.getpid()}"
    with admin.begin() as tx:
        tx.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'r'")
        tx.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        store = open_store(url.set(username=role, password="r").render_as_string(hide_password=False), create=False)
        with store.read() as tx:
            assert upkeep.heartbeat(tx) is None
            assert upkeep.entry_counts(tx)["new"] == 0
        with pytest.raises(StoreUnusableError, match="permission denied"), store.write() as tx:
            upkeep.rest(tx, "o")
        store.close()
    finally:
        with admin.begin() as tx:
            tx.exec_driver_sql(f"DROP OWNED BY {role}")
            tx.exec_driver_sql(f"DROP ROLE {role}")
        admin.dispose()
