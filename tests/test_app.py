"""The composition root: loading, taking over a store, reloading, forgetting, and the end within ten seconds."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from desk import FEED, START, VISIT, Desk, log_target, scripted, until
from feedserver import FeedServer
from rig import Item, Site, rss, wait_for
from structlog.testing import capture_logs

from worker.config import Config, Retention
from worker.errors import StoreHeldError, UserError, VeilleError
from worker.model import Secret
from worker.net.client import Client
from worker.runtime import load as app_load
from worker.runtime import reload as app_reload
from worker.runtime import run as app_run
from worker.runtime.clock import LATE_AFTER, age_of
from worker.runtime.load import load, open_for, user_agent
from worker.runtime.retention import forget
from worker.runtime.worker import Worker
from worker.store import deliveries, people, upkeep
from worker.store.people import Change


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        yield scripted(monkeypatch, made)


# --- load ----------------------------------------------------------------------------------------------------------

BROKEN_RULE = '[[rule]]\nid = "x"\nname = "X"\nseverity = "high"\nwhen = "a AND"\n'
FAILING_TEST = (
    '[[rule]]\nid = "y"\nname = "Y"\nseverity = "high"\nwhen = "=pont"\n'
    '[[rule.test]]\ntext = "Un quai."\nmatch = true\nlang = "fr"\n'
)


@pytest.mark.parametrize(
    ("more", "rules", "said"),
    [
        pytest.param("[watch]\nbeat = 1\n", BROKEN_RULE, ["config.toml", "beat", "rules.toml:5"], id="both files"),
        pytest.param("[[feed]\n", BROKEN_RULE, ["config.toml", "rules.toml:5"], id="no TOML, and a rule"),
        pytest.param("", FAILING_TEST, ["a test of `y` fails"], id="a rule's own test"),
        pytest.param(
            '[[route]]\nrules = ["nosuch"]\ntargets = ["log"]\n', "# none\n", ["nosuch"], id="a route to no rule"
        ),
        pytest.param("", 'x = "\xff\n', ["rules.toml"], id="a rules file that is no TOML"),
    ],
)
def test_load_reports_everything_at_once(tmp_path: Path, more: str, rules: str, said: list[str]) -> None:
    """Mistakes of the configuration, the rules and what they say of each other come together."""
    site = Site(tmp_path, feeds=["veille:sample"], rules=rules, more=more)
    with pytest.raises(UserError) as caught:
        load(site.config)
    for word in said:
        assert word in str(caught.value)


def test_load(tmp_path: Path) -> None:
    """A good configuration is loaded, and its secrets are known to the log."""
    from worker.runtime import logs

    hook = "https://hooks.slack.com/services/T0/B0/CANARY-77"
    target = f'[[target]]\nid = "s"\nslack = {{ webhook = "{hook}" }}\n'
    live = load(Site(tmp_path, feeds=["veille:sample"], targets=target).config)
    assert [one.name for one in live.config.feeds] == ["Fil 1"]
    assert [rule.id for rule in live.ruleset.rules] == ["visit"]
    assert "CANARY-77" not in logs.masked(f"POST {hook}")


def test_a_new_store_comes_with_the_archive(tmp_path: Path) -> None:
    """Five articles, once, however often it is opened."""
    conf = load(Site(tmp_path, feeds=["veille:sample"]).config).config
    for _ in range(2):
        store = open_for(conf, create=True)
        with store.read() as tx:
            assert upkeep.article_counts(tx)["archive"] == 5
        store.close()


# --- taking over ---------------------------------------------------------------------------------------------------


async def test_take_over_ends_the_leases_of_the_dead(desk: Desk) -> None:
    """The holder of a SQLite store knows that every other lease-holder is dead."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    await desk.pass_()
    with desk.store.write() as tx:
        import sqlalchemy as sa

        for table in ("feed", "entry", "delivery"):
            tx.execute(sa.text(f"UPDATE {table} SET lease_until = '2099-01-01 00:00:00'"))
        tx.execute(sa.text("UPDATE delivery SET state = 'sealed'"))
        tx.execute(sa.text("UPDATE entry SET state = 'ready'"))
    app_run._take_over(desk.store, desk.context.live)
    held = sum(desk.one(f"SELECT count(*) FROM {table} WHERE lease_until > '2098'") for table in ("feed", "delivery"))
    assert held == 0
    assert desk.one("SELECT count(*) FROM entry WHERE state = 'ready' AND lease_until > '2098'") == 0


def test_s10_a_second_one_is_refused(desk: Desk) -> None:
    """With the words who holds it."""
    from worker.store import open_store

    app_run._take_over(desk.store, desk.context.live)
    other = open_store(f"sqlite:///{desk.folder / 'veille.db'}", create=True)
    with pytest.raises(StoreHeldError, match=f"process {os.getpid()}"):
        app_run._take_over(other, desk.context.live)
    other.close()


async def test_p01_p02_an_expat_that_bounds_nothing_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No feed is parsed where entities may grow without end; this machine's expat is new enough."""
    assert app_run.expat.version_info >= (2, 4, 1)
    monkeypatch.setattr(app_run.expat, "version_info", (2, 4, 0))
    with pytest.raises(VeilleError, match=r"expat is 2\.4\.0"):
        async with app_run.context(desk.context.live, desk.store, print):
            raise AssertionError


def test_fault_points_kill_only_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch of the crash tests does nothing by itself."""
    killed = []
    monkeypatch.setattr(app_run.os, "kill", lambda pid, sign: killed.append((pid, sign)))
    app_run.kill_here("before_send")
    monkeypatch.setenv("FAULT_POINT", "after_claim")
    app_run.kill_here("before_send")
    assert killed == []
    app_run.kill_here("after_claim")
    assert killed == [(os.getpid(), signal.SIGKILL)]


@pytest.mark.parametrize(
    ("contact", "said"), [("", "news watch"), ("https://example.org/bot", "+https://example.org/bot")]
)
def test_user_agent(desk: Desk, contact: str, said: str) -> None:
    """It names the program, its version and whom to write to."""
    agent = user_agent(replace(desk.context.live.config, user_agent_contact=contact))
    assert agent.startswith("veille/")
    assert said in agent


# --- the tick ------------------------------------------------------------------------------------------------------


def ticks(desk: Desk, now: datetime) -> bool:
    with desk.store.read() as tx:
        beat = upkeep.heartbeat(tx)
    return beat is not None and age_of(beat, now) < LATE_AFTER


@pytest.mark.parametrize(("age", "alive"), [(None, False), (0, True), (19, True), (21, False), (-3600, True)], ids=str)
def test_is_alive(desk: Desk, age: float | None, alive: bool) -> None:
    """A tick is old after twenty seconds; a clock that was set back kills nobody."""
    assert timedelta(seconds=20) == LATE_AFTER
    if age is not None:
        beat = upkeep.Heartbeat(owner="o", host="h", pid=1, started=START, tick=START - timedelta(seconds=age))
        with desk.store.write() as tx:
            upkeep.beat(tx, beat)
    assert ticks(desk, START) is alive


# --- the worker ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def working(desk: Desk, path: Path):
    """A worker that runs; yields what SIGHUP sets."""
    stop, again = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(Worker(desk.context, path).run(stop, again))
    try:
        yield again
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)


async def test_it_beats_and_pings(desk: Desk) -> None:
    """The heartbeat is written, and the dead man's switch elsewhere is pressed."""
    desk.context.live = replace(
        desk.context.live, config=replace(desk.context.live.config, heartbeat_url=Secret("https://watch.example/ping"))
    )
    async with working(desk, desk.folder / "config.toml"):
        await until(lambda: any(str(r.url) == "https://watch.example/ping" for r in desk.web.requests))
        await until(lambda: ticks(desk, desk.now))


async def test_the_console_runs_beside_it(desk: Desk) -> None:
    """/healthz answers while the worker runs, and the port is free afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    desk.context.live = replace(desk.context.live, config=replace(desk.context.live.config, listen=("127.0.0.1", port)))
    async with working(desk, desk.folder / "config.toml"), httpx.AsyncClient() as client:
        await until(lambda: ticks(desk, desk.now))
        answer = await client.get(f"http://127.0.0.1:{port}/healthz")
        assert (answer.status_code, answer.json()) == (200, {"tick": "alive"})
    socket.create_server(("127.0.0.1", port)).close()


async def test_a_console_port_in_use_is_an_error(desk: Desk) -> None:
    """It is said at the start, and not in a task that nobody looks at."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = ("127.0.0.1", taken.getsockname()[1])
        desk.context.live = replace(desk.context.live, config=replace(desk.context.live.config, listen=listen))
        with pytest.raises(VeilleError, match="cannot be had"):
            await Worker(desk.context, desk.folder / "config.toml").run(asyncio.Event(), asyncio.Event())


async def test_reload_swaps(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Feeds, rules and targets of the new files are in force; what was parked is due again; the network too."""
    site = Site(desk.folder, feeds=["https://new.example/feed"], allow=["127.0.0.1:9"])
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    await desk.pass_()
    with desk.store.write() as tx:
        import sqlalchemy as sa

        tx.execute(sa.text("UPDATE delivery SET state = 'parked'"))
    made: list[Config] = []
    monkeypatch.setattr(app_reload, "client_of", lambda conf: made.append(conf) or Client(user_agent="t"))
    monkeypatch.setattr(app_reload, "_GRACE", 0)
    async with working(desk, site.config) as again:
        again.set()
        await until(lambda: desk.context.live.config.feeds[0].id == "https://new.example/feed")
        await until(lambda: desk.one("SELECT count(*) FROM delivery WHERE state = 'sent'") == 1)
    await desk.context.client.aclose()
    assert [conf.allow for conf in made] == [("127.0.0.1:9",)]
    assert desk.one("SELECT count(*) FROM feed") == 2


@pytest.mark.parametrize(
    "files",
    [
        {"config.toml": b"[[feed]\n"},
        {"rules/rules.toml": b'[[rule]]\nid = "x"\n'},
        {"rules/rules.toml": b"\xff\xfe"},
        {"rules/rules.toml": b"a=" + b"[" * 5000},
        {"config.toml": None},
        {"config.toml": b""},
        {"rules/rules.toml": b""},
    ],
    ids=["toml", "rule", "not UTF-8", "deep", "vanished", "empty", "rules empty"],
)
async def test_r03_reload_refuses(desk: Desk, files: dict[str, bytes | None]) -> None:
    """The last good configuration stays in force, whatever the new one is."""
    site = Site(desk.folder, feeds=["https://new.example/feed"])
    for name, content in files.items():
        if content is None:
            (desk.folder / name).unlink()
        else:
            (desk.folder / name).write_bytes(content)
    before = desk.context.live
    with capture_logs() as logged:
        async with working(desk, site.config) as again:
            again.set()
            await until(lambda: any("reload refused" in line["event"] for line in logged))
            assert desk.context.live is before
            await until(lambda: desk.one("SELECT count(*) FROM feed WHERE last_polled IS NOT NULL"))
            desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
            desk.later(days=1)
            await until(lambda: desk.told)


async def test_a_reload_beside_a_busy_store(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits in a thread: the loop, and with it everything else, goes on."""
    site = Site(desk.folder, feeds=[FEED])
    before = desk.context.live
    async with working(desk, site.config) as again:
        await until(lambda: desk.one("SELECT count(*) FROM heartbeat"))
        with desk.store.write():
            again.set()
            for _ in range(30):
                began = asyncio.get_running_loop().time()
                await asyncio.sleep(0.02)
                assert asyncio.get_running_loop().time() - began < 2
            assert desk.context.live is before
        await until(lambda: desk.context.live is not before)


# --- forget --------------------------------------------------------------------------------------------------------


async def test_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention deletes what is past its time; alerts that are due and the memory of entries stay."""
    with scripted(monkeypatch, Desk(tmp_path, targets=[log_target(), log_target("slow")])) as desk:
        first = Item("1", "Hun Sen à Hanoï", VISIT)
        second = Item("2", "Une bibliothèque", "La bibliothèque de la commune rouvre ses portes après des travaux.")
        desk.web.feed(FEED, [first, second])
        from worker.model import Outcome, Receipt

        desk.script["slow"] = [Receipt(outcome=Outcome.RETRY)]
        await desk.pass_()
        keep = Retention(articles=timedelta(days=30), raw=timedelta(days=7), ledger=timedelta(days=10))
        desk.context.live = replace(desk.context.live, config=replace(desk.context.live.config, retention=keep))
        desk.later(days=8)
        forget(desk.store, desk.context.live, desk.now)
        assert desk.one("SELECT count(*) FROM raw") == 0
        assert desk.one("SELECT count(*) FROM article") == 2
        desk.later(days=30)
        forget(desk.store, desk.context.live, desk.now)
        assert [row[0] for row in desk.rows("SELECT title FROM article")] == ["Hun Sen à Hanoï"]
        assert desk.one("SELECT count(*) FROM delivery WHERE state = 'retry'") == 1
        with desk.store.read() as tx:
            (due,) = deliveries.due(tx, now=desk.now, limit=9)
        from worker.pipeline.deliver import deliver

        await deliver(desk.context, due.id)
        forget(desk.store, desk.context.live, desk.now)
        assert desk.one("SELECT count(*) FROM article") == 0
        assert (await desk.poll()).new == 0, "its keys are kept"


@pytest.mark.parametrize(
    ("kept", "left"),
    [(Retention(), ["young"]), (Retention(audit=timedelta(days=1)), []), (Retention(audit=None), ["old", "young"])],
    ids=["a year", "a day", "for ever"],
)
async def test_forget_changes(desk: Desk, kept: Retention, left: list[str]) -> None:
    """Who changed what is known for a year, unless the configuration says otherwise."""
    with desk.store.write() as tx:
        for action, days in (("old", 366), ("young", 364)):
            people.audit(tx, Change(at=desk.now - timedelta(days=days), author="ana", action=action, subject=""))
    config = replace(desk.context.live.config, retention=kept)
    forget(desk.store, replace(desk.context.live, config=config), desk.now)
    with desk.store.read() as tx:
        assert [one.action for one in reversed(people.changes(tx, limit=9))] == left


async def test_forget_keeps_everything_by_default(desk: Desk) -> None:
    """Without retention for articles and ledger nothing of them is ever dropped."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    await desk.pass_()
    kept = ("article", "match", "obligation", "delivery")
    before = [desk.one(f"SELECT count(*) FROM {table}") for table in kept]
    forget(desk.store, desk.context.live, START + timedelta(days=36_500))
    assert [desk.one(f"SELECT count(*) FROM {table}") for table in kept] == before
    assert all(before)


# --- the process ---------------------------------------------------------------------------------------------------


OTHER = "Hun Sen en déplacement à Hué : il y inaugure un atelier de soie et une école de batellerie."


def test_c08_a_second_signal_ends_at_once(tmp_path: Path, feedserver: FeedServer) -> None:
    """The first lets a send finish; who insists need not wait."""
    from sinks import Act, SmtpSink

    with SmtpSink({"TEXT": [Act.STALL]}) as smtp:
        target = (
            '[[target]]\nid = "desk"\nemail = { to = ["a@example.org"], from = "v@example.org", '
            f'smtp = "smtp://127.0.0.1:{smtp.port}" }}\n'
        )
        url = feedserver.serve("/feed", rss([Item("1", "Hun Sen à Hanoï", VISIT), Item("2", "Hun Sen à Hué", OTHER)]))
        site = Site(tmp_path, [url], [feedserver.place], targets=target)
        worker = site.start()
        smtp.wait_for("TEXT", 60)
        worker.send_signal(signal.SIGTERM)
        wait_for(lambda: '"stopping"' in site.log(), what="the first signal")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 128 + signal.SIGTERM
        assert "Traceback" not in site.log()


def test_c05_a_send_that_hangs_is_cut_off(tmp_path: Path, feedserver: FeedServer) -> None:
    """SIGTERM in the middle of DATA: it ends in order though the server never answers, and the next one sends."""
    from sinks import Act, SmtpSink

    with SmtpSink({"TEXT": [Act.STALL, Act.STALL]}) as smtp:
        target = (
            '[[target]]\nid = "desk"\nemail = { to = ["a@example.org"], from = "v@example.org", '
            f'smtp = "smtp://127.0.0.1:{smtp.port}" }}\n'
        )
        url = feedserver.serve("/feed", rss([Item("1", "Hun Sen à Hanoï", VISIT), Item("2", "Hun Sen à Hué", OTHER)]))
        site = Site(tmp_path, [url], [feedserver.place], targets=target)
        worker = site.start()
        smtp.wait_for("TEXT", 60)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0
        with site.running():
            wait_for(
                lambda: (
                    all(line["state"] == "sent" for line in [*site.json("status")["unsent"]] if line["attempts"] == 0)
                    and len(smtp.received) > 0
                ),
                what="the sending of what was left",
            )


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_c08_a_signal_while_it_starts(tmp_path: Path, sign: signal.Signals) -> None:
    """It is heard as soon as there is a handler, however long the start takes."""
    site = Site(tmp_path, feeds=["http://127.0.0.1:9/feed"])
    worker = site.start()
    wait_for(lambda: _handles(worker.pid, sign) or worker.poll() is not None, what="the handler")
    worker.send_signal(sign)
    assert worker.wait(timeout=60) == 0
    assert "Traceback" not in site.log()


@pytest.mark.parametrize("when", ["at once", "at work"])
def test_c07_process_1_hears_sigterm(tmp_path: Path, when: str) -> None:
    """The kernel gives the first process of a container no default: without a handler it would not end."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-pf", "true"], check=False).returncode:
        pytest.skip("no new namespace of processes can be made here")
    site = Site(tmp_path, feeds=["http://127.0.0.1:9/feed"])
    outer = site.start_under("unshare", "-pf")
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    try:
        inner = int(wait_for(lambda: children.read_text().strip(), what="the first process"))
        wait_for(lambda: _handles(inner, signal.SIGTERM), what="the handler")
        if when == "at work":
            wait_for(lambda: '"started"' in site.log(), what="the start")
        os.kill(inner, signal.SIGTERM)
        assert outer.wait(timeout=60) == 0
    finally:
        if outer.poll() is None:
            os.kill(int(children.read_text()), signal.SIGKILL)
            outer.wait()
    assert "Traceback" not in site.log()


def _handles(pid: int, sign: signal.Signals) -> bool:
    """True if a process has a handler for a signal: Linux gives a mask."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    # Python handles SIGINT from its start; SIGTERM tells that ours is in place.
    return bool(mask >> ((signal.SIGTERM if sign is signal.SIGINT else sign) - 1) & 1)


def test_sighup_while_it_starts_does_not_end_it(tmp_path: Path) -> None:
    """Its default would; the file is read again once it runs."""
    site = Site(tmp_path, feeds=["http://127.0.0.1:9/feed"])
    with site.running() as worker:
        wait_for(lambda: _handles(worker.pid, signal.SIGHUP), what="the handler")
        worker.send_signal(signal.SIGHUP)
        wait_for(lambda: '"reloaded"' in site.log() or "reload refused" in site.log(), what="a reload")
        assert worker.poll() is None


async def test_c03_a_worker_looks_at_what_it_began_with_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules and rules are no matter for the garbage collector while jobs run: a tenth of a second of the loop."""
    import gc

    from worker.runtime.run import context

    done: list[str] = []
    for name in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, lambda name=name: done.append(name))
    async with context(desk.context.live, desk.store, print):
        assert done == ["freeze"]
    assert done == ["freeze", "unfreeze"]


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for n in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    ],
    ids=["a loop in a loop", "a text that grows"],
)
def test_templates_are_tried_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """A template that never comes back is a mistake like others, and the configuration is refused."""
    monkeypatch.setattr(app_load, "_TEMPLATE_SECONDS", 2)
    site = Site(tmp_path, more='[messages]\ntemplates = "own"\n')
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notice.html").write_text(source)
    # With a little memory left the template is named.
    with pytest.raises(
        UserError, match=r"the templates take more than 2 s|notice\.html:1: .* it takes too much memory"
    ):
        load(site.config)
    (tmp_path / "own" / "notice.html").write_text("<pre>{{ text }}</pre>")
    assert load(site.config).config.templates.sources
