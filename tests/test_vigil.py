"""The worker's eye on itself: each thing is told once, its end too, and a restart repeats nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from desk import FEED, VISIT, Desk, log_target, scripted
from hypothesis import given
from hypothesis import strategies as st
from rig import Item, Site

from worker.app import doctor as app_doctor
from worker.app import run as app_run
from worker.app import vigil as app_vigil
from worker.app.vigil import Vigil
from worker.errors import StoreBusyError
from worker.model import Outcome, Receipt
from worker.store import conditions as stored
from worker.store import open_store, targets, upkeep
from worker.vigil import DISK_ENOUGH, DISK_LOW, LOG_LARGE, Facts, FeedFacts, Kind, RuleFacts, conditions

NOW = datetime(2026, 2, 27, 8, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def feed(*hours_ago: float, **more: object) -> FeedFacts:
    """A feed that brought something so many hours ago and answers still."""
    arrivals = tuple(NOW - hours * HOUR for hours in sorted(hours_ago, reverse=True))
    return FeedFacts(**({"key": FEED, "name": "Le Fil", "answered": NOW, "arrivals": arrivals} | more))  # type: ignore[arg-type]


def rule(*days_ago: float) -> RuleFacts:
    return RuleFacts(id="visit", matches=tuple(NOW - days * DAY for days in sorted(days_ago, reverse=True)))


def every(step: float, start: float, count: int) -> list[float]:
    return [start + n * step for n in range(count)]


FACTS = [
    pytest.param(Facts(), None, id="nothing"),
    pytest.param(Facts(feeds=[feed(*every(1, 25, 40))]), Kind.FEED_SILENT, id="hourly, silent for a day"),
    pytest.param(Facts(feeds=[feed(*every(1, 23, 40))]), None, id="hourly, silent for 23 h"),
    pytest.param(Facts(feeds=[feed(*every(24, 47, 20))]), None, id="daily, silent for two days"),
    pytest.param(Facts(feeds=[feed(*every(24, 49, 20))]), Kind.FEED_SILENT, id="daily, silent for more"),
    pytest.param(Facts(feeds=[feed(*every(1, 100, 9))]), None, id="too young to have a rhythm"),
    pytest.param(Facts(feeds=[feed(*every(1, 60, 30), *every(1, 152, 30))]), None, id="a week-end is its rhythm"),
    pytest.param(Facts(feeds=[feed(*every(1, 50, 30), answered=NOW - 40 * HOUR)]), None, id="it could not be asked"),
    pytest.param(Facts(feeds=[feed(*every(1, 50, 30), failures=8)]), Kind.FEED_FAILS, id="it fails"),
    pytest.param(Facts(feeds=[feed(failures=7)]), None, id="it failed seven times"),
    pytest.param(Facts(feeds=[feed(gap=True)]), Kind.FEED_GAP, id="a gap"),
    pytest.param(Facts(rules=[rule(*every(1, 8, 12))]), Kind.RULE_QUIET, id="daily, quiet for eight days"),
    pytest.param(Facts(rules=[rule(*every(1, 6, 12))]), None, id="daily, quiet for six"),
    pytest.param(Facts(rules=[rule(*every(3, 8, 9), 40)]), None, id="every third day, quiet for eight"),
    pytest.param(Facts(rules=[rule(*every(0.01, 20, 30))]), None, id="quiet after one day of much"),
    pytest.param(Facts(rules=[rule(*every(0.01, 0.1, 30), *every(1, 1.5, 12))]), Kind.RULE_SPIKES, id="thirty for one"),
    pytest.param(Facts(rules=[rule(*every(0.01, 0.1, 19), *every(1, 1.5, 12))]), None, id="nineteen for one"),
    pytest.param(Facts(rules=[rule(*every(0.01, 0.1, 30), *every(0.14, 1.5, 80))]), None, id="thirty for seven"),
    pytest.param(Facts(rules=[rule(*every(0.01, 0.1, 30), *every(1, 1.5, 4))]), None, id="a young rule"),
    pytest.param(Facts(parked=[("desk", "535")]), Kind.TARGET_PARKED, id="parked"),
    pytest.param(Facts(breaches=["1 owed"]), Kind.LEDGER, id="ledger"),
    pytest.param(Facts(free=DISK_LOW - 1), Kind.DISK_LOW, id="disk"),
    pytest.param(Facts(free=DISK_LOW), None, id="disk that has room"),
    pytest.param(Facts(log=LOG_LARGE + 1), Kind.LOG_LARGE, id="s15 log"),
    pytest.param(Facts(late=25 * timedelta(seconds=1)), Kind.TICK_MISSED, id="tick"),
    pytest.param(Facts(refused=1), Kind.STORE_BUSY, id="busy"),
]


@pytest.mark.parametrize(("facts", "kind"), FACTS)
def test_conditions(facts: Facts, kind: Kind | None) -> None:
    """Each side of each threshold."""
    assert [one.kind for one in conditions(facts, NOW)] == ([] if kind is None else [kind])


def test_a_disk_must_have_more_room_to_be_well_again() -> None:
    """Or each file that comes and goes would be told."""
    on = frozenset({"disk_low:"})
    assert conditions(Facts(free=DISK_ENOUGH - 1), NOW, on)
    assert not conditions(Facts(free=DISK_ENOUGH), NOW, on)


@given(st.lists(st.floats(0, 900), max_size=40), st.integers(0, 9))
def test_a_feed_is_silent_only_beyond_its_own_pauses(hours: list[float], failures: int) -> None:
    """Whatever its rhythm: a silence no longer than one that it had before is never told."""
    facts = feed(*hours, failures=failures)
    found = {one.kind for one in conditions(Facts(feeds=[facts]), NOW)}
    pauses = [b - a for a, b in zip(facts.arrivals, facts.arrivals[1:], strict=False)]
    if pauses and NOW - facts.arrivals[-1] <= max(pauses):
        assert Kind.FEED_SILENT not in found
    assert (Kind.FEED_FAILS in found) is (failures >= 8)


# --- told ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    targets = [log_target(), log_target("ops")]
    with Desk(tmp_path, targets=targets, operators="ops") as made:
        yield scripted(monkeypatch, made)


def notices(desk: Desk) -> list[str]:
    """What the operators were told or will be: the mark before a sealed subject is left out."""
    return [
        row[0].removeprefix("[Veille] ")
        for row in desk.rows("SELECT subject FROM delivery WHERE collects = 'notice' ORDER BY id")
    ]


async def publish_daily(desk: Desk, days: int) -> None:
    for n in range(days):
        desk.web.feed(FEED, [Item(f"{n}", f"Hun Sen, jour {n}", f"{VISIT} Jour {n} : {'pont ' * n}.")])
        await desk.pass_()
        desk.later(days=1)


async def test_a_feed_that_falls_silent_is_told_once_and_so_is_its_return(desk: Desk) -> None:
    """Also by a worker that was started meanwhile."""
    await publish_daily(desk, 12)
    Vigil(desk.edges).look(0, desk.now, everything=True)
    assert notices(desk) == []
    desk.later(days=3)
    await desk.pass_()
    for _ in range(2):
        Vigil(desk.edges).look(0, desk.now, everything=True)
        Vigil(desk.edges).look(0, desk.now, everything=False)
    assert notices(desk) == ["Le Fil: nothing new since 2026-02-17 08:30 UTC"]
    desk.web.feed(FEED, [Item("back", "Hun Sen revient", f"{VISIT} Il revient.")])
    await desk.pass_()
    for _ in range(2):
        Vigil(desk.edges).look(0, desk.now, everything=True)
    assert notices(desk)[1:] == ["over: Le Fil: nothing new since 2026-02-17 08:30 UTC"]
    assert desk.one("SELECT count(*) FROM condition") == 0


async def test_a_parked_target_is_told_once_and_its_return_too(desk: Desk) -> None:
    """By the delivery that parked it; and while it lasts the dead man's switch is let go."""
    desk.script["log"] = [Receipt(outcome=Outcome.BROKEN, detail="535 no")]
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    await desk.pass_()
    vigil = Vigil(desk.edges)
    assert vigil.well
    vigil.look(0, desk.now, everything=False)
    assert not vigil.well
    assert notices(desk) == ["log: nothing can be sent"]
    desk.reload()
    vigil.look(60, desk.now, everything=False)
    assert vigil.well
    assert notices(desk)[1:] == ["over: log: nothing can be sent"]


async def test_c03_a_tick_missed_and_a_busy_store_pass(desk: Desk) -> None:
    """A pause of the loop, and a transaction that waited in vain, are told together, and are over ten minutes later."""
    vigil = Vigil(desk.edges)
    vigil.tick(100)
    vigil.tick(119)
    vigil.look(119, desk.now, everything=False)
    assert notices(desk) == []

    def busy() -> None:
        with desk.store.write():
            raise StoreBusyError

    with pytest.raises(StoreBusyError):
        busy()
    vigil.tick(140)
    vigil.look(140, desk.now, everything=False)
    assert notices(desk) == ["the store is busy, and 1 more"]
    assert not vigil.well
    vigil.look(700, desk.now, everything=False)
    assert len(notices(desk)) == 1
    vigil.look(741, desk.now, everything=False)
    assert notices(desk)[1:] == ["over: the store is busy, and 1 more"]
    assert vigil.well


async def test_a_full_disk_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is still room to say so."""
    from types import SimpleNamespace

    free = [DISK_LOW - 1]
    monkeypatch.setattr(app_vigil.shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    vigil = Vigil(desk.edges)
    for room in (DISK_LOW - 1, DISK_LOW + 1, DISK_ENOUGH, DISK_ENOUGH):
        free[0] = room
        vigil.look(0, desk.now, everything=False)
    assert notices(desk) == ["the store's disk is nearly full", "over: the store's disk is nearly full"]


def test_a_worker_that_died_is_told_of_by_the_next(desk: Desk) -> None:
    """Once; one that ended in order is not."""
    beat = upkeep.Heartbeat(owner="o", host="h", pid=1, started=NOW, tick=NOW - 3650 * DAY)
    with desk.store.write() as tx:
        upkeep.beat(tx, beat)
    for _ in range(2):
        app_run._take_over(desk.store, desk.edges.live)
        desk.store.close()
    assert notices(desk) == ["the worker was not running"]


def test_conditions_are_kept_on_both_databases(store) -> None:
    """What began and what ended, of the kinds that were looked for."""
    low, busy = conditions(Facts(free=1, refused=1), NOW)
    with store.write() as tx:
        begun, over = stored.change(tx, [low, busy], looked_for=frozenset(Kind), now=NOW)
        assert ([one.key for one in begun], over) == ([low.key, busy.key], [])
        assert stored.change(tx, [], looked_for={Kind.LEDGER}, now=NOW) == ([], [])
        begun, over = stored.change(tx, [low], looked_for=frozenset(Kind), now=NOW + HOUR)
        assert (begun, [one.words for one in over]) == ([], ["the store is busy"])
        assert [(one.kind, one.since) for one in stored.on(tx)] == [(Kind.DISK_LOW, NOW)]
        assert stored.counts(tx)["disk_low"] == 1
        assert stored.arrivals(tx, "nosuch") == ()
        assert stored.matched(tx, NOW) == {}


# --- doctor --------------------------------------------------------------------------------------------------------


def wrong(done) -> set[str]:
    return {one["what"] for one in json.loads(done.out)["findings"] if not one["ok"]}


def test_doctor_finds_nothing_in_a_healthy_site(veille, tmp_path: Path) -> None:
    """Nor before there is a store."""
    site = Site(tmp_path, feeds=["veille:sample"])
    assert veille("doctor", site=site).code == 0
    veille("poll", "--json", site=site)
    done = veille("doctor", "--json", site=site)
    assert (done.code, wrong(done)) == (0, set())
    said = veille("doctor", site=site).out
    assert "MB are left" in said
    assert not any(line.startswith("wrong") for line in said.splitlines())


def test_doctor_finds_all_that_is_wrong(veille, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is: a broken rule hides no failing feed."""
    site = Site(tmp_path, feeds=["veille:sample", "http://127.0.0.1:9/feed"])
    veille("poll", "--json", site=site)
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(tmp_path / "veille.db")) as db, db:
        db.execute("UPDATE entry SET state = 'quarantined' WHERE id = 1")
        db.execute("UPDATE obligation SET delivery_id = NULL WHERE id = (SELECT min(id) FROM obligation)")
        db.execute("INSERT INTO heartbeat VALUES (1, 'o', 'h', 1, '2026-01-01', '2026-01-01 00:00:00.000000')")
    store = open_store(f"sqlite:///{tmp_path / 'veille.db'}", create=False)
    with store.write() as tx:
        targets.park(tx, "log", "535")
    store.close()
    site.rules = "nonsense"
    site.write()
    (tmp_path / "alerts").rename(tmp_path / "elsewhere")
    (tmp_path / "alerts").write_text("in the way")
    done = veille("doctor", "--json", site=site)
    assert done.code == 1
    assert wrong(done) == {"configuration", "targets", "worker", "feeds", "quarantine", "conditions"}
    assert "the ledger does not add up" in done.out
    assert "log: nothing can be sent" in done.out


def test_doctor_of_what_cannot_be_read(veille, tmp_path: Path) -> None:
    """A configuration that is none, and a store that is damaged."""
    site = Site(tmp_path, feeds=["veille:sample"])
    (tmp_path / "veille.db").write_bytes(b"This is no database at all. " * 200)
    assert wrong(veille("doctor", "--json", site=site)) == {"store"}
    site.config.write_text("[")
    done = veille("doctor", "--json", site=site)
    assert (done.code, wrong(done)) == (1, {"configuration"})


def test_c01_a_clock_that_was_set_back_is_seen(tmp_path: Path) -> None:
    """The worker ticked later than it is now."""
    beat = upkeep.Heartbeat(owner="o", host="h", pid=1, started=NOW, tick=app_doctor.clock() + HOUR)
    assert [one.what for one in app_doctor._worker(beat) if not one.ok] == ["clock"]


def test_status_shows_what_is_wrong(veille, tmp_path: Path) -> None:
    """As long as it lasts."""
    site = Site(tmp_path, feeds=[FEED])
    with Desk(tmp_path, targets=[log_target(folder=tmp_path / "alerts")]) as desk, desk.store.write() as tx:
        stored.change(tx, conditions(Facts(free=1), NOW), looked_for=frozenset(Kind), now=NOW)
    assert json.loads(veille("status", "--json", site=site).out)["conditions"] == [
        {"kind": "disk_low", "words": "the store's disk is nearly full", "since": NOW.isoformat()}
    ]
    assert "nearly full" in veille("status", site=site).out
