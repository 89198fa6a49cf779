"""The clock and its steps: C14, an age that counts, and upkeep that is set anew."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import time_machine
from desk import FEED, START, VISIT, Desk, log_target
from feedserver import FeedServer
from rig import Item, Site, rss, wait_for
from test_app import scripted

from worker.config import Retention
from worker.model import Outcome, Receipt
from worker.pipeline.deliver import deliver
from worker.runtime.clock import Steps
from worker.runtime.retention import forget
from worker.runtime.timetable import Timetable
from worker.runtime.worker import Worker
from worker.store import deliveries

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING = timedelta()
SENT = "SELECT count(*) FROM delivery WHERE state = 'sent'"
#: As SQLite keeps times.
TIME = "%Y-%m-%d %H:%M:%S.%f"


class Wall:
    """A wall clock and a machine's uptime, both turned by a test."""

    def __init__(self) -> None:
        self.now, self.up = START, 10 * DAY
        self.steps = Steps(lambda: self.now, lambda: self.up / timedelta(seconds=1))

    def later(self, span: timedelta) -> None:
        self.now += span
        self.up += span


@pytest.mark.parametrize(
    ("step", "seen", "ahead"),
    [
        (NOTHING, NOTHING, NOTHING),
        (timedelta(seconds=59), NOTHING, NOTHING),
        (-4 * HOUR, -4 * HOUR, NOTHING),
        (30 * MINUTE, 30 * MINUTE, NOTHING),
        (30 * DAY, 30 * DAY, 30 * DAY),
        (3650 * DAY, 3650 * DAY, 3650 * DAY),
    ],
    ids=str,
)
def test_c14_a_step_is_seen_once(step: timedelta, seen: timedelta, ahead: timedelta) -> None:
    """By how much, either way; one forward is not trusted until it has stood for a day, whatever is asked meanwhile."""
    wall = Wall()
    wall.later(HOUR)
    assert wall.steps.look() == NOTHING
    wall.now += step
    assert (wall.steps.look(), wall.steps.ahead()) == (seen, ahead)
    for _ in range(23):
        wall.later(HOUR)
        assert (wall.steps.look(), wall.steps.ahead()) == (NOTHING, ahead)
    wall.later(HOUR)
    assert (wall.steps.look(), wall.steps.ahead()) == (NOTHING, NOTHING)


def test_c14_a_step_that_is_set_right_is_over() -> None:
    """Forward and back again is as if nothing had been."""
    wall = Wall()
    wall.now += 30 * DAY
    assert wall.steps.ahead() == 30 * DAY
    wall.now -= 30 * DAY
    assert (wall.steps.look(), wall.steps.ahead()) == (NOTHING, NOTHING)


def test_a_clock_that_is_slewed_is_never_stepped() -> None:
    """A second a minute, for a week."""
    wall = Wall()
    for _ in range(7 * 24 * 60):
        wall.later(MINUTE)
        wall.now += timedelta(seconds=1)
        assert (wall.steps.look(), wall.steps.ahead()) == (NOTHING, NOTHING)


@pytest.mark.parametrize("step", [-4 * HOUR, 30 * DAY, 3650 * DAY], ids=["-4 h", "+30 d", "+10 y"])
async def test_c14_upkeep_is_set_anew(step: timedelta) -> None:
    """A job comes again after its pause by the new time, and once for all that a step skipped."""
    came = asyncio.Queue[datetime]()

    async def job() -> None:
        came.put_nowait(datetime.now(UTC))

    table = Timetable()
    table.every(timedelta(seconds=0.2), job)
    with time_machine.travel(datetime(2026, 2, 6, tzinfo=UTC), tick=True) as wall:
        table.start()
        for _ in range(2):
            await asyncio.wait_for(came.get(), 60)
        wall.shift(step)
        table.set_anew()
        before = came.qsize()
        for _ in range(3):
            await asyncio.wait_for(came.get(), 60)
        assert came.qsize() + before <= 2
        table.stop()


def test_c14_nothing_is_deleted_for_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention and what waits for its target go by the time before the step, until it is trusted."""
    with scripted(monkeypatch, Desk(tmp_path)) as desk:
        desk.web.feed(FEED, [Item("1", "Une bibliothèque", "La bibliothèque de la commune rouvre ses portes.")])
        asyncio.run(desk.pass_())
        keep = Retention(articles=7 * DAY, raw=7 * DAY, ledger=7 * DAY)
        live = replace(desk.context.live, config=replace(desk.context.live.config, retention=keep))
        counts = "SELECT (SELECT count(*) FROM raw), (SELECT count(*) FROM article)"
        for ahead, kept in ((30 * DAY, (1, 1)), (30 * DAY - 6 * DAY, (1, 1)), (NOTHING, (0, 0))):
            forget(desk.store, live, START + 30 * DAY, ahead=ahead)
            assert tuple(desk.rows(counts)[0]) == kept


@pytest.mark.parametrize(("rested", "wait"), [(23 * HOUR, NOTHING), (25 * HOUR, DAY)], ids=["23 h", "25 h"])
async def test_c14_a_start_with_a_wrong_clock_deletes_nothing(
    tmp_path: Path, rested: timedelta, wait: timedelta
) -> None:
    """Retention waits for a day if nothing was written for a day; else it begins at once."""
    with Desk(tmp_path) as desk:
        desk.web.feed(FEED, [Item("1", "Titre", "Texte")])
        await desk.pass_()
        desk.now += rested
        assert Worker(desk.context, tmp_path / "config.toml")._forgets_after() == wait


async def test_c14_nothing_is_given_up_for_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that fails once more after a step of a month is tried again; once the step is trusted, it expires."""
    with scripted(monkeypatch, Desk(tmp_path, targets=[log_target("slow")])) as desk:
        desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
        desk.script["slow"] = [Receipt(outcome=Outcome.RETRY)] * 3
        await desk.pass_()
        for ahead, state in ((30 * DAY, "retry"), (NOTHING, "failed")):
            desk.later(days=30 if ahead else 1)
            desk.context.ahead = lambda ahead=ahead: ahead
            with desk.store.read() as tx:
                (due,) = deliveries.due(tx, now=desk.now, limit=9)
            await deliver(desk.context, due.id)
            assert desk.one("SELECT state FROM delivery") == state


@pytest.mark.parametrize("where", ["policy", "rule"])
@pytest.mark.parametrize(("ahead", "told"), [(30 * DAY, 1), (NOTHING, 0)], ids=["not trusted", "trusted"])
async def test_c14_no_article_is_too_old_for_a_step(tmp_path: Path, where: str, ahead: timedelta, told: int) -> None:
    """`max_age` keeps nothing back while the time by which an article is old may be wrong."""
    with Desk(tmp_path) as desk:
        live = desk.context.live
        if where == "policy":
            config = replace(live.config, alerts=replace(live.config.alerts, max_age=2 * DAY))
            desk.context.live = replace(live, config=config)
        else:
            rules = tuple(replace(rule, max_age=2 * DAY) for rule in live.ruleset.rules)
            desk.context.live = replace(live, ruleset=replace(live.ruleset, rules=rules))
        desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT, published=format_datetime(START - HOUR))])
        desk.later(days=30)
        desk.context.ahead = lambda: ahead
        await desk.pass_()
        assert desk.one("SELECT count(*) FROM obligation WHERE verdict = 'owed'") == told


# --- the whole process ---------------------------------------------------------------------------------------------


def asked(port: int, path: str) -> str:
    """The answer of the worker's endpoint."""
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


@pytest.mark.parametrize("step", [-4 * HOUR, 30 * DAY, 3650 * DAY], ids=["-4 h", "+30 d", "+10 y"])
def test_c14_a_clock_stepped_under_a_running_worker(tmp_path: Path, step: timedelta) -> None:
    """The next poll comes within its interval, what it brings is told, health is true all the while, memory stays."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    off = tmp_path / "off"
    off.write_text("0")

    def served(number: int) -> bytes:
        told = [Item(f"{n}", f"Hun Sen à Hanoï, {n}", f"{VISIT} Dépêche {n}.") for n in range(number)]
        return rss([replace(one, published=format_datetime(datetime.now(UTC) - HOUR)) for one in told])

    with FeedServer() as server:
        site = Site(
            tmp_path,
            feeds=[server.serve("/f", served(1))],
            allow=[server.place],
            feed_lines='every = "1m"\nalert_backlog = true\n',
            alerts='[alerts]\nkey = "article"\nmax_age = "2d"\n',
            more=f'[http]\nlisten = "127.0.0.1:{port}"\n[retention]\narticles = "7d"\nraw = "1d"\n',
        )
        worker = site.start(STEPS=str(off))
        try:
            wait_for(lambda: list((tmp_path / "alerts").glob("*")), what="the first message")
            with closing(sqlite3.connect(tmp_path / "veille.db", timeout=10)) as db:

                def read(query: str) -> Any:
                    return db.execute(query).fetchone()[0]

                wait_for(lambda: read(SENT) == 1)
                before, polls, health = resident(worker.pid), len(server.paths()), set()
                server.serve("/f", served(2))
                with db:
                    due = datetime.now(UTC) + timedelta(seconds=5)
                    db.execute("UPDATE feed SET due = ?, not_before = NULL", [f"{due:{TIME}}"])
                off.write_text(f"{step.total_seconds()}")

                def polled() -> bool:
                    health.add(json.loads(asked(port, "/healthz"))["tick"])
                    return len(server.paths()) > polls and read(SENT) > 1

                wait_for(polled, what="the next poll, and what it brought")
                assert health == {"alive"}
                now = (datetime.now(UTC) + step).replace(tzinfo=None)
                wait_for(lambda: abs(datetime.fromisoformat(read("SELECT tick FROM heartbeat")) - now) < MINUTE)
                assert datetime.fromisoformat(read("SELECT due FROM feed")) < now + 2 * MINUTE
                assert read("SELECT count(*) FROM article WHERE origin = 'feed'") == 2
                lag = next(
                    line for line in asked(port, "/metrics").splitlines() if line.startswith("veille_loop_lag_s")
                )
                assert float(lag.split()[1]) < 5
                assert resident(worker.pid) - before < 200 << 20
            assert site.veille("health").returncode == 0
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=20) == 0, site.log()
