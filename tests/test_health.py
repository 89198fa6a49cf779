"""`veille health`: a glance at a SQLite file is the store's own answer, and a bad edit is not a death."""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from worker import config
from worker.cli.health import Beat, ask, glance, tick
from worker.errors import StoreUnusableError, UserError
from worker.runtime.clock import LATE_AFTER, boot, clock, elapsed
from worker.store import open_store, upkeep


def beat(url: str, ticked: datetime, **more: Any) -> None:
    """Make a store in which a worker ticked at that time."""
    store = open_store(url, create=True)
    with store.write() as tx:
        upkeep.beat(tx, upkeep.Heartbeat(owner="o", host="desk", pid=7, started=ticked, tick=ticked, **more))
    store.close()


def told(ticked: datetime) -> Beat:
    """The answer on such a store."""
    return Beat("o", ticked, 7, "desk", "", None)


@pytest.mark.parametrize("ticked", [datetime(2026, 2, 6, 8, tzinfo=UTC), datetime(2026, 2, 6, 8, 0, 0, 5, tzinfo=UTC)])
@pytest.mark.parametrize("name", ["veille.db", "a b#c.db", "été.db"])
def test_a_glance_sees_what_the_store_tells(tmp_path: Path, name: str, ticked: datetime) -> None:
    """The two ways to the last tick agree, whatever the file is called, beside a worker and without one."""
    url = f"sqlite:///{tmp_path}/{name}"
    beat(url, ticked)
    assert glance(url) == ask(url) == told(ticked)
    worker = open_store(url, create=False)
    with worker.write():
        assert glance(url) == told(ticked)
    worker.close()


def test_of_several_workers_the_one_on_this_machine_counts(postgresql_url: str) -> None:
    """A container's health is its own worker's, however well the others are; a machine without one hears of any."""
    at = datetime(2026, 2, 6, 8, tzinfo=UTC)
    beat(postgresql_url, at)
    assert ask(postgresql_url) == told(at)
    store = open_store(postgresql_url, create=False)
    with store.write() as tx:
        here = upkeep.Heartbeat(owner="p", host=socket.gethostname(), pid=8, started=at, tick=at - timedelta(hours=1))
        upkeep.beat(tx, here)
    store.close()
    found = ask(postgresql_url)
    assert found is not None
    assert found.owner == "p"


@pytest.mark.parametrize("more", ["a%41.db", "b.db?timeout=5"])
def test_a_glance_leaves_odd_addresses_to_the_store(tmp_path: Path, more: str) -> None:
    """An address that SQLAlchemy reads in its own way is not guessed at."""
    ticked = datetime(2026, 2, 6, 8, tzinfo=UTC)
    url = f"sqlite:///{tmp_path}/{more}"
    beat(url, ticked)
    assert glance(url) is None
    assert ask(url) == told(ticked)


def test_on_postgresql_the_store_is_asked(store_url: str) -> None:
    """On either database the answer is the worker's last tick."""
    ticked = datetime(2026, 2, 6, 8, tzinfo=UTC)
    beat(store_url, ticked)
    assert (glance(store_url) or ask(store_url)) == told(ticked)


@pytest.mark.parametrize(
    ("age", "alive"), [(timedelta(), True), (LATE_AFTER, False), (timedelta(seconds=-90), True)], ids=str
)
def test_a_tick_is_alive_while_it_is_young(tmp_path: Path, age: timedelta, alive: bool) -> None:
    """An old tick is a dead worker; one of the future is a clock that was set back."""
    beat(f"sqlite:///{tmp_path}/veille.db", clock() - age)
    (tmp_path / "config.toml").write_text('[store]\nurl = "sqlite:///veille.db"\n')
    found, words = tick(tmp_path / "config.toml")
    assert found is alive
    assert "process 7 on desk" in words


@pytest.mark.parametrize(
    ("where", "ago", "alive"),
    [("here", 0, True), ("here", 21, False), ("elsewhere", 0, False)],
    ids=["just now", "21 s ago", "elsewhere"],
)
def test_c14_health_on_a_clock_that_was_stepped(tmp_path: Path, where: str, ago: float, alive: bool) -> None:
    """Time that elapsed on this machine since the tick counts, and no step of its clock; of another's, its clock."""
    machine = boot() if where == "here" else where
    beat(f"sqlite:///{tmp_path}/veille.db", clock() - timedelta(days=30), boot=machine, turned=elapsed() - ago)
    (tmp_path / "config.toml").write_text('[store]\nurl = "sqlite:///veille.db"\n')
    assert tick(tmp_path / "config.toml")[0] is alive


def test_without_a_store_the_store_says_so(tmp_path: Path) -> None:
    """A store that a glance cannot see is asked itself, as it has the words for it; nothing is made by looking."""
    (tmp_path / "config.toml").write_text('[store]\nurl = "sqlite:///veille.db"\n')
    with pytest.raises(StoreUnusableError, match="no store"):
        tick(tmp_path / "config.toml")
    assert not (tmp_path / "veille.db").exists()
    open_store(f"sqlite:///{tmp_path}/veille.db", create=True).close()
    assert tick(tmp_path / "config.toml") == (False, "no worker runs on this store")


@pytest.mark.parametrize(
    "rest",
    ["", '[[feed]]\nurl = "nonsense"\n', "[unknown]\n", '[watch]\nheartbeat_url = "https://x.example/${GONE}"\n'],
    ids=["good", "bad feed", "unknown table", "secret gone"],
)
def test_the_store_is_found_in_a_file_with_other_mistakes(tmp_path: Path, rest: str) -> None:
    """A worker that refused such a file at a reload still runs on its store, and is to be found there."""
    path = tmp_path / "config.toml"
    path.write_text(f'[store]\nurl = "postgresql+psycopg://veille:${{PASSWORD}}@db/veille"\n{rest}')
    assert config.store_url(path, {"PASSWORD": "a/b"}) == "postgresql+psycopg://veille:a%2Fb@db/veille"


@pytest.mark.parametrize(
    "text",
    [
        'store = "veille.db"',
        '[store]\nurl = "veille.db"',
        '[store]\nurl = "sqlite:///${GONE}"',
        "[store]\nname = 1",
        "[",
    ],
)
def test_a_store_that_cannot_be_known_is_never_guessed(tmp_path: Path, text: str) -> None:
    """The default would be another store: what is wrong is said instead."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UserError):
        config.store_url(path, {})


def test_the_store_of_a_good_file_is_that_of_the_configuration(tmp_path: Path) -> None:
    """The short way to the store's URL is the long one's."""
    path = tmp_path / "config.toml"
    for text in ("", '[store]\nurl = "sqlite:///here.db"\n', '[store]\nurl = "sqlite:////there/here.db?timeout=5"\n'):
        path.write_text(text)
        assert config.store_url(path, os.environ) == config.load(path, os.environ).store_url
