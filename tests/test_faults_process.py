"""Faults of time, machine and container on a worker that runs: C01 to C13, S03, S05, S13, with the oracle.

Where a row needs no process of its own, the real engine and upkeep run here, on a clock that the test holds; see
`loopback`. Killed processes are in `test_crash`.
"""

import asyncio
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from desk import Desk, Inline, until
from feedserver import Document, FeedServer, Seen
from loopback import Loopback, dispatch
from rig import Site, rss, wait_for
from sinks import HttpSink, Reply

from worker.console.metrics import exposition
from worker.feeds.child import MEBIBYTE, Children
from worker.net.client import Client
from worker.pipeline.context import JobContext
from worker.pipeline.deliver import deliver
from worker.runtime import embedded
from worker.runtime import run as app_run
from worker.runtime import worker as app_worker
from worker.runtime.embedded import LEASE
from worker.runtime.load import load
from worker.runtime.worker import Worker
from worker.store import database as store_database
from worker.store import leases, open_store
from worker.store.tables import DELIVERY, FEED

ROOT = Path(__file__).parents[1]
HOUR = timedelta(hours=1)
DAY = 24 * HOUR
#: As SQLite keeps times.
TIME = "%Y-%m-%d %H:%M:%S.%f"


class Upkeep:
    """The worker's own upkeep, and how often it went through."""

    def __init__(self, it: Loopback) -> None:
        self.worker = Worker(it.desk.context, it.folder / "config.toml")
        self.times = 0

    async def __call__(self, now) -> None:
        await self.worker._mind_the_clock()
        await self.worker._upkeep(now)
        self.times += 1

    async def once_more(self) -> None:
        """Return when a sweep that had not begun has gone through."""
        wanted = self.times + 2
        await until(lambda: self.times >= wanted)


def requests(it: Loopback, name: str) -> int:
    """The number of requests for a feed."""
    return it.server.paths().count(it.path(name))


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [2 * HOUR, -2 * HOUR, timedelta(days=3650)], ids=["+2 h", "-2 h", "+10 y"])
async def test_c01_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: timedelta) -> None:
    """Feeds go on being polled in their interval, a message that waited is tried again, nothing runs wild."""
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.05)
    with Loopback(tmp_path, ["good"]) as it:
        upkeep = Upkeep(it)
        it.serve("good", [dispatch(1, told=True)])
        it.publish(dispatch(2, told=True))
        async with it.engine(upkeep):
            await it.rest()
            it.sink.then(Reply(status=429, headers={"Retry-After": "60"}))
            it.publish(dispatch(2, told=True), dispatch(3, told=True))
            it.desk.later(minutes=2)
            await until(lambda: it.desk.one("SELECT count(*) FROM delivery WHERE state = 'retry'"))
            await it.rest()
            it.sink.received.pop()  # refused, and so not received
            before = requests(it, "good")
            it.desk.now += jump
            await upkeep.once_more()
            await it.rest()
            assert requests(it, "good") - before == (jump > HOUR), "one poll for all that was missed"
            it.serve("good", [dispatch(1, told=True), dispatch(4, told=True)])
            it.publish(dispatch(2, told=True), dispatch(3, told=True), dispatch(5, told=True))
            it.desk.later(minutes=20)
            await until(lambda: it.was_told(dispatch(4)))
            await it.rest()
        assert requests(it, "good") <= before + 3
        it.assert_nothing_lost()


def test_c01_a_store_that_was_written_later_than_it_is_now(tmp_path: Path) -> None:
    """The clock was set back while no worker ran: the next start waits no longer than it would have."""
    with Desk(tmp_path) as desk:
        now = store_now()
        with desk.store.write() as tx:
            tx.execute(
                sa.text("UPDATE feed SET last_polled = :polled, due = :due"),
                {"polled": f"{now + 48 * HOUR:{TIME}}", "due": f"{now + 49 * HOUR:{TIME}}"},
            )
        app_run._take_over(desk.store, desk.context.live)
        due = datetime.fromisoformat(desk.one("SELECT due FROM feed")).replace(tzinfo=UTC)
    assert abs(due - now - HOUR) < timedelta(minutes=1)


def test_c01_what_is_moved_when_a_clock_is_set_back(store) -> None:
    """Every wait, one for a time of day by whole days; leases end within their length; what is due stays due."""
    from stored import NOW, feed, open_one, state_of

    open_one(store, due=NOW + 3 * HOUR)
    open_one(store, "log:b", due=NOW + 3 * HOUR)
    state_of(store, feed())
    fields, messages = FEED, DELIVERY
    later = dict.fromkeys(("due", "lease_until", "not_before"), NOW + 3 * HOUR)
    with store.write() as tx:
        tx.execute(sa.update(fields).values(later))
        tx.execute(sa.update(messages).where(messages.c.recipient == "log:b").values(hold="digest"))
        leases.set_back(tx, 2 * HOUR, now=NOW, lease=LEASE)
        moved = tx.execute(sa.select(fields.c.due, fields.c.lease_until, fields.c.not_before)).one()
        told = dict(tx.execute(sa.select(messages.c.recipient, messages.c.due)).all())
        leases.set_back(tx, 2 * HOUR, now=NOW, lease=LEASE)
        again = tx.execute(sa.select(fields.c.due)).scalar_one()
        tx.execute(sa.update(messages).values(due=NOW + 730 * DAY + 3 * HOUR))
        leases.set_back(tx, 730 * DAY + 2 * HOUR, now=NOW, lease=LEASE)
        years = dict(tx.execute(sa.select(messages.c.recipient, messages.c.due)).all())
    assert years == {"log:a": NOW + HOUR, "log:b": NOW + 3 * HOUR}
    assert tuple(moved) == (NOW + HOUR, NOW + LEASE, NOW + HOUR)
    assert told == {"log:a": NOW + HOUR, "log:b": NOW + 3 * HOUR}
    assert again == NOW


async def test_c03_a_loop_that_is_blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that sleeps on the loop shows in the metric, and costs no job its place."""
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.05)
    with Loopback(tmp_path, ["good", "other"]) as it:
        upkeep = Upkeep(it)
        blocked = []

        def hook(point: str) -> None:
            if point == "after_fetch" and not blocked:
                blocked.append(point)
                time.sleep(1.2)

        it.desk.context.fault_point = hook
        for number, name in enumerate(["good", "other"], 1):
            it.serve(name, [dispatch(number, told=True)])
        it.publish(dispatch(3, told=True))
        measuring = asyncio.create_task(upkeep.worker._measure_lag())
        await asyncio.sleep(0)
        async with it.engine(upkeep):
            await until(lambda: blocked)
            await it.rest()
            await until(lambda: upkeep.worker._lag[0] > 0.5)
        measuring.cancel()
        (line,) = (line for line in said(upkeep.worker).splitlines() if line.startswith("veille_loop_lag_seconds "))
        assert float(line.split()[1]) > 0.5
        it.assert_nothing_lost()


def said(worker: Worker) -> str:
    """The text of the metrics."""
    return exposition(worker._measured()).decode()


class Unforeseen(BaseException):
    """No Exception, as what libraries throw to get past handlers."""


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError, Unforeseen])
async def test_c04_a_job_that_ends_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """The next tick runs, and the job comes again when its lease is over."""
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.05)
    # An error that nobody may catch is the loop's to report.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    real, failed = embedded.poll, []

    async def poll(context: JobContext, key: str) -> object:
        if "good" in key and not failed:
            failed.append(key)
            raise error
        return await real(context, key)

    monkeypatch.setattr(embedded, "poll", poll)
    with Loopback(tmp_path, ["good"]) as it:
        it.serve("good", [dispatch(1, told=True)])
        it.publish(dispatch(2, told=True))
        async with it.engine():
            await until(lambda: it.was_told(dispatch(2)))
            assert failed
            it.desk.later(minutes=6)
            await until(lambda: it.was_told(dispatch(1)))
            await it.rest()
        it.assert_nothing_lost()


# --- the store -----------------------------------------------------------------------------------------------------


async def test_s03_another_process_writes_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For less than we wait, nobody notices; for longer, the worker is not ready, and goes on when it is over."""
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(embedded, "REST_SECONDS", 0.5)
    monkeypatch.setattr(app_worker, "_BEAT_EVERY", 0.0)
    with Loopback(tmp_path, ["good"]) as it:
        upkeep = Upkeep(it)
        it.serve("good", [dispatch(1, told=True)])
        it.publish(dispatch(2, told=True))
        async with it.engine(upkeep) as engine:
            upkeep.worker._engine = engine
            await it.rest()
            store = it.desk.store
            with closing(sqlite3.connect(tmp_path / "veille.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                it.publish(dispatch(2, told=True), dispatch(3, told=True))
                it.desk.later(minutes=2)
                await asyncio.sleep(0.3)
                other.execute("ROLLBACK")
                await until(lambda: it.was_told(dispatch(3)))
                await it.rest()
                await until(lambda: not upkeep.worker._unready())
                assert store.refused == 0

                # SQLite's own patience is set when a connection is made.
                monkeypatch.setattr(store_database, "BUSY_SECONDS", 0.2)
                sa.event.listen(store._engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout = 200"))
                other.execute("BEGIN IMMEDIATE")
                it.publish(dispatch(2, told=True), dispatch(3, told=True), dispatch(4, told=True))
                it.desk.later(minutes=2)
                await until(lambda: store.refused > 2)
                await until(lambda: engine.resting and upkeep.worker._unready())
                assert not it.was_told(dispatch(4))
                other.execute("ROLLBACK")
            # Another lease than the one that a job may have left.
            it.desk.later(minutes=6)
            await until(lambda: it.was_told(dispatch(4)))
            await it.rest()
            await until(lambda: not upkeep.worker._unready())
        assert not it.desk.rows("SELECT key FROM feed WHERE failures > 0")
        it.assert_nothing_lost()


async def test_s05_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is new can be stored, so that it is asked for again; once there is room all of it is there."""
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(embedded, "REST_SECONDS", 0.2)
    monkeypatch.setattr(app_worker, "_BEAT_EVERY", 0.0)
    with Loopback(tmp_path, ["good"]) as it:
        upkeep = Upkeep(it)
        it.serve("good", [dispatch(1, told=True)], etag='"1"')
        it.publish(dispatch(2, told=True))
        async with it.engine(upkeep) as engine:
            upkeep.worker._engine = engine
            await it.rest()
            pages = it.desk.one("PRAGMA page_count")
            limit = [pages + 3]
            store = it.desk.store
            sa.event.listen(store._engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count={limit[0]}"))
            many = [dispatch(n, told=n % 9 == 0) for n in range(10, 90)]
            it.serve("good", [dispatch(1, told=True), *many], etag='"2"')
            it.desk.later(hours=1)
            await until(lambda: engine.resting and upkeep.worker._unready())
            await until(lambda: requests(it, "good") > 1)
            assert it.state("good", "etag") == '"1"'
            assert it.desk.one("PRAGMA integrity_check") == "ok"
            limit[0] = 1_000_000
            # Another lease than the one that the poll left.
            it.desk.later(minutes=6)
            await until(lambda: it.was_told(many[8]))
            await it.rest()
            await until(lambda: not upkeep.worker._unready())
            assert it.state("good", "etag") == '"2"'
        it.assert_nothing_lost()


def test_s13_what_is_committed_is_on_the_disk(tmp_path: Path) -> None:
    """A power cut cannot be had here: every connection asks SQLite to wait for the disk."""
    with Desk(tmp_path) as desk:
        connections = [desk.store._engine.connect() for _ in range(4)]
        for tx in connections:
            assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert tx.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            tx.close()


# --- two workers ---------------------------------------------------------------------------------------------------

SLACK = '[[target]]\nid = "mekong"\nslack = {{ webhook = "http://127.0.0.1:{port}/hook" }}\n'


def other_worker(site: Site, url: str, *, ahead: timedelta) -> JobContext:
    """Another worker on that store, whose clock is so much ahead."""
    live = load(site.config)
    return JobContext(
        store=open_store(url, create=False),
        client=Client(allow=live.config.allow, user_agent="other"),
        children=Inline(),  # type: ignore[arg-type]  it only sends
        senders=Inline(),  # type: ignore[arg-type]  as above
        clock=lambda: store_now() + ahead,
        owner="other",
        echo=lambda _: None,
        live=live,
    )


def store_now():
    """Now, as the worker reads it."""
    from worker.runtime.clock import clock

    return clock()


async def test_c02_a_worker_that_slept_past_its_lease(tmp_path: Path, postgresql_url: str) -> None:
    """Stopped in the middle of a send, it wakes when another has its delivery: that one's send is what counts.

    A real process under SIGSTOP. It writes down what its attempt came to, and leaves the delivery to its new owner.
    """
    first, second = threading.Event(), threading.Event()
    with FeedServer() as server, HttpSink(Reply(until=first), Reply(until=second)) as sink, ExitStack() as at_end:
        at_end.callback(first.set)
        at_end.callback(second.set)
        url = server.serve("/feed", rss([dispatch(n, told=True) for n in (1, 2)]))
        allow = [server.place, f"127.0.0.1:{sink.port}"]
        site = Site(tmp_path, [url], allow, targets=SLACK.format(port=sink.port), store=postgresql_url)
        worker = site.start()
        at_end.callback(worker.wait)
        at_end.callback(worker.kill)
        await asyncio.to_thread(wait_for, lambda: sink.received, what="a send")
        worker.send_signal(signal.SIGSTOP)
        other = other_worker(site, postgresql_url, ahead=LEASE + timedelta(minutes=1))
        at_end.callback(other.store.close)

        def ask(query: str) -> list[tuple[object, ...]]:
            with other.store.read() as tx:
                return [tuple(row) for row in tx.execute(sa.text(query))]

        ((delivery,),) = ask("SELECT delivery_id FROM attempt ORDER BY id LIMIT 1")
        mine = f"SELECT state, owner FROM delivery WHERE id = {delivery}"
        sending = asyncio.create_task(deliver(other, delivery))
        await until(lambda: len(sink.received) > 1)
        first.set()
        worker.send_signal(signal.SIGCONT)
        outcomes = f"SELECT number, outcome FROM attempt WHERE delivery_id = {delivery} ORDER BY number"
        await until(lambda: ask(outcomes)[0] == (1, "sent"))
        assert ask(mine) == [("sealed", "other")]
        second.set()
        await sending
        assert ask(mine) == [("sent", "")]
        assert ask(outcomes) == [(1, "sent"), (2, "sent")]
        await other.client.aclose()
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 60) == 0
        with other.store.read() as tx:
            from worker.store import ledger

            assert ledger.audit(tx) == ()
        ((sent,),) = ask("SELECT count(*) FROM delivery WHERE state = 'sent'")
        assert ask("SELECT count(*) FROM delivery WHERE state = 'failed'") == [(0,)]
    # O3: twice, the first time under a lease that was over; nothing else was.
    assert len(sink.received) == sent + 1
    assert b"visite" in sink.received[0].body


# --- the machine and the container -----------------------------------------------------------------------------------

#: To do as a container does: nothing can be written but the data and /tmp, by a user who owns nothing else.
CONTAINER = """
set -e
mount --make-rprivate /
mount --bind "$DATA" "$DATA"
mount -o remount,bind,ro /
exec setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs {caps} "$@"
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that another user may own, under one that they may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def as_nobody() -> list[str]:
    """The beginning of a command that runs in a container of sorts; skips where that cannot be had."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        pytest.skip("only root may mount, and become another user")
    if subprocess.run(["unshare", "-m", "mount", "--make-rprivate", "/"], check=False, capture_output=True).returncode:
        pytest.skip("no new namespace of mounts can be made here")
    # An interpreter in a closed folder can still be read; nothing more can be written for it.
    caps = "--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search"
    return ["unshare", "-m", "sh", "-c", CONTAINER.format(caps=caps), "sh"]


def written() -> dict[Path, int]:
    """Times at which files and folders of the program were written, but for what other processes of tests compile."""
    ours = (path for path in (ROOT / "worker").rglob("*") if "__pycache__" not in path.parts)
    return {path: path.stat().st_mtime_ns for path in ours if not (path / "__pycache__").exists()}


def test_c09_a_container_that_may_write_its_data_only(data: Path, feedserver: FeedServer) -> None:
    """A read-only root, user 65532, no capability: the worker runs, tells, and ends in order."""
    begin = as_nobody()
    site = Site(data, [feedserver.serve("/feed", rss([dispatch(1, told=True)]))], [feedserver.place])
    (data / "tmp").mkdir()
    site.environ = {"DATA": str(data), "TMPDIR": str(data / "tmp"), "HOME": "/nonexistent"}
    for path in [data, *data.rglob("*")]:
        os.chown(path, 65532, 65532)
    before = written()
    worker = site.start_under(*begin)
    try:
        wait_for(lambda: list(data.glob("alerts/*")) or worker.poll() is not None, what="an alert")
        assert worker.poll() is None, site.log()
        status = Path(f"/proc/{worker.pid}/status").read_text()
        assert "Uid:\t65532\t65532\t65532\t65532" in status
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0, site.log()
    assert "Traceback" not in site.log()
    assert before == written()


async def test_c10_a_child_that_wants_too_much_memory(tmp_path: Path) -> None:
    """256 MiB of address space: a document too large for them ends in the child, and the worker goes on."""
    with Loopback(tmp_path, ["bomb"], children=lambda: Children(memory=256 * MEBIBYTE)) as it:
        it.serve("bomb", [dispatch(1, told=True)])
        it.publish(dispatch(2, told=True))
        await it.round()
        bomb = rss([dispatch(3)]).replace(b"<channel>", b"<channel>" + b"<a>" * 60_000)
        it.server.put(it.path("bomb"), Document(body=bomb + b"</a>" * 60_000, items=()))
        found = await it.children.run(bytearray, 512 * MEBIBYTE, seconds=100)
        assert found.reason.value == "memory"
        it.publish(dispatch(2, told=True), dispatch(4, told=True))
        await it.round(hours=1)
        it.serve("bomb", [dispatch(1, told=True), dispatch(5, told=True)])
        await it.round(hours=2)
        assert it.was_told(dispatch(5))
        it.assert_nothing_lost()


@pytest.mark.parametrize("command", ['exec "$@" >/dev/full 2>&1', 'exec "$@" >&- 2>&-'], ids=["full", "closed"])
def test_c13_nowhere_to_write_the_log_to(tmp_path: Path, command: str) -> None:
    """The worker goes on telling, and ends in order."""
    with FeedServer() as server:
        site = Site(tmp_path, [server.serve("/feed", rss([dispatch(1, told=True)]))], [server.place])
        worker = site.start_under("sh", "-c", command, "sh")
        try:
            wait_for(lambda: list(tmp_path.glob("alerts/*")) or worker.poll() is not None, what="an alert")
            wait_for(lambda: not unsent(tmp_path) or worker.poll() is not None, what="the last alert")
            assert worker.poll() is None
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=60) == 0
    with closing(sqlite3.connect(tmp_path / "veille.db")) as db:
        assert db.execute("SELECT DISTINCT state FROM delivery").fetchall() == [("sent",)]
        owed = "SELECT count(*) FROM obligation WHERE verdict = 'owed' AND delivery_id IS NULL"
        assert db.execute(owed).fetchone() == (0,)


def unsent(folder: Path) -> bool:
    """True if the worker has still something to do."""
    with closing(sqlite3.connect(folder / "veille.db", timeout=10)) as db:
        query = (
            "SELECT EXISTS (SELECT 1 FROM delivery WHERE state <> 'sent') OR"
            " EXISTS (SELECT 1 FROM entry WHERE state <> 'done') OR NOT EXISTS (SELECT 1 FROM delivery)"
        )
        return bool(db.execute(query).fetchone()[0])


def free_port() -> int:
    """A port of loopback that nobody has at present."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_c11_few_files_and_fifty_feeds_that_hang(tmp_path: Path) -> None:
    """With 64 files it tells its canary, says that it is not ready, and is ready again once the others answer."""
    port, free = free_port(), threading.Event()

    async def hang(_seen: Seen, _writer: asyncio.StreamWriter) -> None:
        while not free.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.05)

    with FeedServer(host="0.0.0.0") as server, HttpSink() as sink:
        # Each on a host of its own.
        urls = [server.script(f"/{n}", hang).replace("0.0.0.0", f"127.0.1.{n}") for n in range(1, 51)]
        canary = server.serve("/canary", rss([dispatch(1, told=True)])).replace("0.0.0.0", "127.0.0.1")
        more = f'[http]\nlisten = "127.0.0.1:{port}"\n'
        targets = SLACK.format(port=sink.port)
        site = Site(tmp_path, [*urls[:9], canary, *urls[9:]], ["127.0.0.0/8"], targets=targets, more=more)

        def answer(path: str) -> int:
            try:
                return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code
            except httpx.HTTPError:
                return 0

        worker = site.start_under("prlimit", "--nofile=64")
        try:
            wait_for(lambda: sink.received, what="the canary")
            wait_for(lambda: server.most.total() >= embedded.POLLS, what="as many that hang as may")

            def few_left() -> bool:
                """Files that a process has open besides are the platform's; twenty more are few."""
                used = len(list(Path(f"/proc/{worker.pid}/fd").iterdir()))
                resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (min(64, used + 20), 64))
                return answer("/readyz") == 503

            wait_for(few_left, what="a worker that is not ready")
            assert answer("/healthz") == 200
            assert server.most.total() <= embedded.POLLS + 1
            free.set()
            resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (64, 64))
            wait_for(lambda: answer("/readyz") == 200, what="a worker that is ready again")
            wait_for(lambda: {f"/{n}" for n in range(1, 51)} <= set(server.paths()), what="a poll of each")
        finally:
            free.set()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=60) == 0
        assert len(sink.received) == 1
    assert "Traceback" not in site.log()


@pytest.mark.parametrize(("files", "connections"), [(256, 320), pytest.param(1024, 1100, marks=pytest.mark.soak)])
def test_w10_idle_connections_starve_nobody(tmp_path: Path, files: int, connections: int) -> None:
    """Half-sent requests, more than the worker has files: polls go on, the pages answer, one line says so."""
    port = free_port()
    with FeedServer() as server, HttpSink() as sink, ExitStack() as held:
        url = server.serve("/feed", rss([dispatch(1, told=True)]))
        more = f'[http]\nlisten = "127.0.0.1:{port}"\n'
        site = Site(tmp_path, [url], ["127.0.0.0/8"], targets=SLACK.format(port=sink.port), more=more)
        worker = site.start_under("prlimit", f"--nofile={files}")
        try:
            wait_for(lambda: sink.received, what="the first news")
            for _ in range(connections):
                one = held.enter_context(socket.create_connection(("127.0.0.1", port)))
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
            assert len(list(Path(f"/proc/{worker.pid}/fd").iterdir())) < files // 2
            # A feed that comes with a reload is due at once.
            site.feeds = [url, server.serve("/new", rss([dispatch(2, told=True)]))]
            site.write()
            worker.send_signal(signal.SIGHUP)
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10).status_code == 200
            wait_for(lambda: len(sink.received) == 2, what="the news of another poll")
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=60) == 0
    assert "Traceback" not in site.log()
    assert site.log().count("too many connections") == 1
