"""The worker's eye on itself: each thing is told once, its end too, and a restart repeats nothing."""

import asyncio
import json
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from conftest import database
from desk import FEED, VISIT, Desk, log_target, scripted
from hypothesis import given
from hypothesis import strategies as st
from rig import Item, Site
from stored import sighting

from worker.alerts.self_watch import (
    DISK_ENOUGH,
    DISK_LOW,
    LOG_LARGE,
    ActiveCondition,
    Facts,
    FeedFacts,
    Kind,
    RuleFacts,
    conditions,
    ended,
)
from worker.errors import StoreBusyError
from worker.model import FetchReason, Outcome, Receipt, Secret
from worker.net.dial import NotDialled
from worker.notify.render import conditions as conditions_in_words
from worker.runtime import doctor as app_doctor
from worker.runtime import run as app_run
from worker.runtime import self_watch as runtime_self_watch
from worker.runtime.self_watch import SelfWatch
from worker.runtime.worker import Worker
from worker.store import deliveries, entries, feeds, open_store, targets, upkeep
from worker.store import upkeep as stored

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
    pytest.param(Facts(feeds=[feed(pages_failed=5)]), Kind.FEED_PAGES, id="pages that cannot be used"),
    pytest.param(Facts(feeds=[feed(pages_failed=4)]), None, id="four of them"),
    pytest.param(Facts(feeds=[feed(dates_unread=1, date_unread="soon")]), Kind.FEED_DATES, id="a date"),
    pytest.param(Facts(feeds=[feed(unresolved=True, answered=NOW - 0.6 * HOUR)]), Kind.DNS_DOWN, id="f22 names"),
    pytest.param(Facts(feeds=[feed(unresolved=True, answered=None)]), Kind.DNS_DOWN, id="f22 from the start"),
    pytest.param(Facts(feeds=[feed(unresolved=True, answered=NOW - 0.4 * HOUR)]), None, id="f22 names for a while"),
    pytest.param(Facts(feeds=[feed(answered=NOW - 9 * HOUR)]), None, id="f22 not the names"),
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


BORDERS = [
    pytest.param(Facts(feeds=[feed(*every(1, 23.5, 40))]), f"feed_silent:{FEED}", True, id="silent"),
    pytest.param(Facts(feeds=[feed(*every(1, 22.5, 40))]), f"feed_silent:{FEED}", False, id="silent for less"),
    pytest.param(Facts(feeds=[feed(*every(1, 50, 30), failures=8)]), f"feed_silent:{FEED}", True, id="fails as well"),
    pytest.param(Facts(rules=[rule(*every(1, 6.97, 12))]), "rule_quiet:visit", True, id="quiet"),
    pytest.param(Facts(rules=[rule(*every(1, 6.95, 12))]), "rule_quiet:visit", False, id="quiet for less"),
    pytest.param(Facts(rules=[rule(*every(0.01, 0.1, 10), *every(1, 1.5, 12))]), "rule_spikes:visit", True, id="ten"),
    pytest.param(Facts(rules=[rule(*every(0.01, 0.1, 9), *every(1, 1.5, 12))]), "rule_spikes:visit", False, id="nine"),
]


@pytest.mark.parametrize(("facts", "key", "lasts"), BORDERS)
def test_what_is_on_ends_well_below_what_it_began_at(facts: Facts, key: str, lasts: bool) -> None:
    """So that no clock that is a little late, and no match more or less, tells it twice."""
    assert key not in {one.key for one in conditions(facts, NOW)}
    assert (key in {one.key for one in conditions(facts, NOW, frozenset({key}))}) is lasts


def noted(kind: Kind, about: str = "", *, seen: datetime = NOW) -> ActiveCondition:
    return ActiveCondition(key=f"{kind}:{about}", kind=kind, words="w", since=NOW - DAY, seen=seen)


LOOKS = [
    pytest.param(noted(Kind.DISK_LOW), Kind, True, id="looked for and not found"),
    pytest.param(noted(Kind.DISK_LOW), {Kind.LEDGER}, False, id="not looked for"),
    pytest.param(noted(Kind.STORE_BUSY, "a"), Kind, True, id="its own"),
    pytest.param(noted(Kind.STORE_BUSY, "b"), Kind, False, id="another's"),
    pytest.param(noted(Kind.STORE_BUSY, "b", seen=NOW - 0.25 * HOUR), Kind, False, id="another's, 15 min ago"),
    pytest.param(noted(Kind.STORE_BUSY, "b", seen=NOW - 0.26 * HOUR), Kind, True, id="of a worker that is gone"),
    pytest.param(noted(Kind.STORE_BUSY, "b", seen=NOW + DAY), Kind, True, id="seen by a clock that was ahead"),
    pytest.param(noted(Kind.FEED_GAP, FEED), Kind, True, id="a feed that it knows"),
    pytest.param(noted(Kind.FEED_GAP, "x"), Kind, False, id="a feed that only the other knows"),
    pytest.param(noted(Kind.FEED_GAP, "x", seen=NOW - 0.51 * HOUR), Kind, True, id="a feed that was taken out"),
    pytest.param(noted(Kind.FEED_PAGES, FEED), Kind, True, id="pages of a feed that it knows"),
    pytest.param(noted(Kind.FEED_PAGES, "x"), Kind, False, id="pages of a feed that only the other knows"),
    pytest.param(noted(Kind.RULE_QUIET, "visit"), Kind, True, id="a rule that it knows"),
    pytest.param(noted(Kind.RULE_SPIKES, "x"), Kind, False, id="a rule that only the other knows"),
]


@pytest.mark.parametrize(("on", "kinds", "over"), LOOKS)
def test_who_may_say_that_it_is_over(on: ActiveCondition, kinds: Collection[Kind], over: bool) -> None:
    """Whoever could have found it, or anybody after a while."""
    facts = Facts(owner="a", feeds=[feed()], rules=[rule()])
    assert ended([on], [], facts, looked_for=frozenset(kinds), now=NOW) == ((on,) if over else ())


def test_what_is_found_again_is_not_over() -> None:
    """However long nobody had seen it."""
    facts = Facts(free=1)
    on = noted(Kind.DISK_LOW, seen=NOW - 3 * DAY)
    assert ended([on], conditions(facts, NOW), facts, looked_for=frozenset(Kind), now=NOW) == ()


@given(st.lists(st.floats(0, 900), max_size=40), st.integers(0, 9))
def test_a_feed_is_silent_only_beyond_its_own_pauses(hours: list[float], failures: int) -> None:
    """Whatever its rhythm: a silence no longer than one that it had before is never told."""
    facts = feed(*hours, failures=failures)
    found = {one.kind for one in conditions(Facts(feeds=[facts]), NOW)}
    pauses = [b - a for a, b in zip(facts.arrivals, facts.arrivals[1:], strict=False)]
    if pauses and NOW - facts.arrivals[-1] <= max(pauses):
        assert Kind.FEED_SILENT not in found
    assert (Kind.FEED_FAILS in found) is (failures >= 8)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        pytest.param(Facts(feeds=[feed()]), Kind.FEED_SILENT, id="all of its past is forgotten"),
        pytest.param(Facts(feeds=[feed(*every(1, 80, 5))]), Kind.FEED_SILENT, id="most of its past is forgotten"),
        pytest.param(Facts(feeds=[feed(80, *every(200, 90, 12))]), Kind.FEED_SILENT, id="what is left is sparse"),
        pytest.param(Facts(rules=[rule(34)]), Kind.RULE_QUIET, id="the rule's weeks are over"),
        pytest.param(Facts(rules=[rule()]), Kind.RULE_QUIET, id="nothing of the rule's is left"),
    ],
)
@pytest.mark.parametrize("came", [False, True], ids=["silent", "something came"])
def test_retention_ends_no_silence(facts: Facts, kind: Kind, came: bool) -> None:
    """A silence that was told lasts until something comes, however little is kept of what it was judged by."""
    since, last = NOW - 2 * DAY, (NOW - HOUR,) * came
    on = ActiveCondition(key=f"{kind}:{FEED if facts.feeds else 'visit'}", kind=kind, words="w", since=since, seen=NOW)
    facts = Facts(
        feeds=[replace(one, arrivals=(*one.arrivals, *last)) for one in facts.feeds],
        rules=[replace(one, matches=(*one.matches, *last)) for one in facts.rules],
    )
    found = conditions(facts, NOW, frozenset({on.key}), began={on.key: on.since})
    over = ended([on], found, facts, looked_for=frozenset(Kind), now=NOW)
    assert over == ((on,) if came else ())


# --- told ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    targets = [log_target(), log_target("ops", language="en")]
    with Desk(tmp_path, targets=targets, operators="ops") as made:
        yield scripted(monkeypatch, made)


def notices(desk: Desk) -> list[str]:
    """Notices to the operators, sent or waiting: the mark before a sealed subject is left out."""
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
    SelfWatch(desk.context).look(0, desk.now, everything=True)
    assert notices(desk) == []
    desk.later(days=3)
    await desk.pass_()
    for _ in range(2):
        SelfWatch(desk.context).look(0, desk.now, everything=True)
        SelfWatch(desk.context).look(0, desk.now, everything=False)
    assert notices(desk) == ["Le Fil: nothing new since 2026-02-17 08:30 UTC"]
    desk.web.feed(FEED, [Item("back", "Hun Sen revient", f"{VISIT} Il revient.")])
    await desk.pass_()
    for _ in range(2):
        SelfWatch(desk.context).look(0, desk.now, everything=True)
    assert notices(desk)[1:] == ["over: Le Fil: nothing new"]
    assert desk.one("SELECT count(*) FROM condition") == 0


async def test_f22_names_that_nobody_finds_are_told_once_and_their_return(desk: Desk) -> None:
    """No failure of the feed is counted meanwhile."""
    await publish_daily(desk, 2)

    def down(_: object) -> httpx.Response:
        raise NotDialled(FetchReason.DNS, "example.org: try again", local=True)

    answers, desk.web.pages[FEED] = desk.web.pages[FEED], down
    for hours in range(4):
        await desk.pass_()
        SelfWatch(desk.context).look(0, desk.now, everything=True)
        desk.later(hours=hours)
    assert desk.rows("SELECT failures, last_result FROM feed") == [(0, "dns_error")]
    assert notices(desk) == ["the name server does not answer"]
    assert desk.one("SELECT count(*) FROM condition WHERE kind = 'dns_down'") == 1
    desk.web.pages[FEED] = answers
    desk.later(days=1)
    await desk.pass_()
    SelfWatch(desk.context).look(0, desk.now, everything=True)
    assert notices(desk)[1:] == ["over: the name server does not answer"]


async def test_pages_that_cannot_be_used_are_told_once_and_their_return(desk: Desk) -> None:
    """Five articles in a row get a wall; the first page that carries its article ends it."""
    configured = replace(desk.feeds[0], full_text=True)
    desk.reload(feeds=[configured])
    story = "Le pont de Vinh rouvre lundi, dit le préfet, et les camions passeront de nouveau."

    async def publish(number: int, page: str) -> None:
        link = f"https://a.example/{number}"
        desk.web.answer(link, f"<html><body><article><p>{page}</p></article></body></html>".encode())
        desk.web.feed(FEED, [Item(f"{number}", "Le pont de Vinh rouvre", story, link)])
        await desk.pass_()
        desk.later(minutes=1)
        SelfWatch(desk.context).look(0, desk.now, everything=True)

    for number in range(7):
        await publish(number, "Acceptez les traceurs.")
        assert len(notices(desk)) == (number >= 4)
    assert notices(desk) == ["Le Fil: the pages of its articles cannot be used"]
    await publish(7, f"{story} Le marché rouvre aussi, et l'école.")
    assert notices(desk)[1:] == ["over: Le Fil: the pages of its articles cannot be used"]


async def test_a_parked_target_is_told_once_and_its_return_too(desk: Desk) -> None:
    """By the delivery that parked it; and while it lasts the dead man's switch is let go."""
    desk.script["log"] = [Receipt(outcome=Outcome.BROKEN, detail="535 no")]
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    await desk.pass_()
    watch = SelfWatch(desk.context)
    assert watch.well
    watch.look(0, desk.now, everything=False)
    assert not watch.well
    assert notices(desk) == ["log: nothing can be sent"]
    desk.reload()
    watch.look(60, desk.now, everything=False)
    assert watch.well
    assert notices(desk)[1:] == ["over: log: nothing can be sent"]


async def test_c03_a_tick_missed_and_a_busy_store_pass(desk: Desk) -> None:
    """A pause of the loop, and a transaction that waited in vain, are told together, and are over ten minutes later."""
    watch = SelfWatch(desk.context)
    watch.tick(100)
    watch.tick(119)
    watch.look(119, desk.now, everything=False)
    assert notices(desk) == []

    def busy() -> None:
        with desk.store.write():
            raise StoreBusyError

    with pytest.raises(StoreBusyError):
        busy()
    watch.tick(140)
    watch.look(140, desk.now, everything=False)
    assert notices(desk) == ["desk: the store is busy, and 1 more"]
    assert not watch.well
    watch.look(700, desk.now, everything=False)
    assert len(notices(desk)) == 1
    watch.look(741, desk.now, everything=False)
    assert notices(desk)[1:] == ["over: desk: the store is busy, and 1 more"]
    assert watch.well


async def test_a_full_disk_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is still room to say so."""
    from types import SimpleNamespace

    free = [DISK_LOW - 1]
    monkeypatch.setattr(runtime_self_watch.shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    watch = SelfWatch(desk.context)
    for room in (DISK_LOW - 1, DISK_LOW + 1, DISK_ENOUGH, DISK_ENOUGH):
        free[0] = room
        watch.look(0, desk.now, everything=False)
    assert notices(desk) == ["the store's disk is nearly full", "over: the store's disk is nearly full"]


def test_a_worker_that_died_is_told_of_by_the_next(desk: Desk) -> None:
    """Once; one that ended in order is not."""
    beat = upkeep.Heartbeat(owner="o", host="h", pid=1, started=NOW, tick=NOW - 3650 * DAY)
    with desk.store.write() as tx:
        upkeep.beat(tx, beat)
    for _ in range(2):
        app_run._take_over(desk.store, desk.context.live)
        desk.store.close()
    assert notices(desk) == ["the worker was not running"]


def test_conditions_are_kept_on_both_databases(store) -> None:
    """A beginning is reported by the first who writes it down, an end by the first who strikes it out."""
    low, busy = conditions(Facts(free=1, refused=1, owner="a"), NOW)
    with store.write() as tx:
        assert [one.key for one in stored.begin(tx, [(busy, "busy"), (low, "low")], now=NOW)] == [low.key, busy.key]
        assert stored.begin(tx, [(low, "low")], now=NOW + HOUR) == []
        first = stored.on(tx)
        assert [(one.kind, one.since, one.seen) for one in first] == [
            (Kind.DISK_LOW, NOW, NOW),
            (Kind.STORE_BUSY, NOW, NOW),
        ]
        assert stored.unwritten(first, [low], now=NOW + HOUR) == [low.key]
        assert stored.unwritten(first, [low], now=NOW + HOUR / 60) == []
        stored.see(tx, [low.key], now=NOW + HOUR)
        assert [one.seen for one in stored.on(tx)] == [NOW + HOUR, NOW]
        assert [one.key for one in stored.end(tx, first[1:])] == [busy.key]
        assert stored.end(tx, first[1:]) == []
        stored.begin(tx, [(busy, "busy")], now=NOW + HOUR)
        assert stored.end(tx, first[1:]) == []
        assert stored.counts(tx)["disk_low"] == 1
        assert stored.arrivals(tx, "nosuch") == ()
        assert stored.matched(tx, NOW) == {}


# --- several workers on one store ----------------------------------------------------------------------------------


@pytest.fixture
def pair(desk: Desk, postgresql: str, postgresql_template: str) -> Iterator[tuple[SelfWatch, SelfWatch]]:
    """The eyes of two workers on one PostgreSQL store, whose clock is the desk's."""
    with database(postgresql, postgresql_template) as url:
        stores = [open_store(url, create=False) for _ in "ab"]
        desk.store.close()
        desk.store = stores[0]
        desk.reload()
        names = ("h:1:begun", "h:2:begun")
        first, second = (replace(desk.context, store=one, owner=n) for one, n in zip(stores, names, strict=True))
        yield SelfWatch(first), SelfWatch(second)
        for one in stores:
            one.close()


def test_what_is_true_of_one_worker_is_not_ended_by_another(desk: Desk, pair: tuple[SelfWatch, SelfWatch]) -> None:
    """One missed its tick; the other, which did not, says nothing of it however often it looks, and works on."""
    one, other = pair
    for watch, ticks in ((one, (0, 25)), (other, (0, 1))):
        for at in ticks:
            watch.tick(at)
    for minute in range(9):
        for watch in pair:
            watch.look(25 + 60 * minute, desk.now, everything=minute % 3 == 0)
        desk.later(minutes=1)
    assert notices(desk) == ["h:1: the tick came late"]
    assert (one.well, other.well) == (False, True)
    one.look(25 + 601, desk.now, everything=False)
    for watch in (other, one):
        watch.look(25 + 601, desk.now, everything=True)
    assert notices(desk) == ["h:1: the tick came late", "over: h:1: the tick came late"]


def test_two_workers_that_miss_their_ticks_are_told_of_each(desk: Desk, pair: tuple[SelfWatch, SelfWatch]) -> None:
    """And one that is gone does not stay wrong for ever: the other says that it is over, once."""
    for watch in pair:
        watch.tick(0)
        watch.tick(25)
        watch.look(25, desk.now, everything=False)
    assert notices(desk) == ["h:1: the tick came late", "h:2: the tick came late"]
    for minute in range(1, 30):
        desk.later(minutes=1)
        pair[1].look(25 + 60 * minute, desk.now, everything=minute % 10 == 0)
    assert notices(desk)[2:] == ["over: h:2: the tick came late (+1)"], "the second joins the first, which is not sent"
    (body,) = desk.rows("SELECT content FROM delivery ORDER BY id DESC LIMIT 1")[0]
    assert b"over: h:1: the tick came late\n" in body


def test_what_the_store_says_is_told_by_whoever_sees_it_first(desk: Desk, pair: tuple[SelfWatch, SelfWatch]) -> None:
    """Of feeds, targets and the ledger; by two that look at the same moment, and whose clocks differ."""

    def both(*, seconds_apart: float = 0, everything: bool = True) -> None:
        looks = []
        with ThreadPoolExecutor(2) as threads:
            for n, watch in enumerate(pair):
                now = desk.now + n * timedelta(seconds=seconds_apart)
                looks.append(threads.submit(watch.look, 0, now, everything=everything))
        for look in looks:
            look.result()

    silent_for = timedelta(days=1, seconds=30)
    with desk.store.write() as tx:
        feed_id = feeds.states(tx, [FEED])[0].id
        tx.execute(sa.text("UPDATE feed SET last_success = :now, baseline = true"), {"now": desk.now})
        for n in range(12):
            when = desk.now - silent_for - n * HOUR
            sha = entries.keep_raw(tx, b"x", when)
            entries.record(tx, feed_id, [sighting(str(n))], raw_sha256=sha, backlog=False, page_within=None, now=when)
    # The second clock is a minute late: to it the silence is not long enough.
    both(seconds_apart=-60)
    assert notices(desk) == [f"Le Fil: nothing new since {desk.now - silent_for:%Y-%m-%d %H:%M} UTC"]
    for n in range(6):
        both(seconds_apart=-60, everything=n % 2 == 0)
    assert len(notices(desk)) == 1
    with desk.store.write() as tx:
        targets.park(tx, "log", "535")
    for _ in range(4):
        both()
    with desk.store.write() as tx:
        tx.execute(sa.text("UPDATE feed SET gap = :now"), {"now": desk.now})
    for _ in range(4):
        both()
    desk.later(days=2)
    for _ in range(3):
        both()
    assert [words for words in notices(desk)[1:] if not words.startswith("log")] == [
        "Le Fil: items may have passed unseen",
        "over: Le Fil: items may have passed unseen",
    ]


def test_workers_whose_feeds_differ_do_not_contradict_one_another(
    desk: Desk, pair: tuple[SelfWatch, SelfWatch]
) -> None:
    """While a configuration reaches one worker after the other; a feed that none has any more is over in the end."""
    one, other = pair
    other._context.live = replace(desk.context.live, config=replace(desk.context.live.config, feeds=()))
    with desk.store.write() as tx:
        tx.execute(sa.text("UPDATE feed SET gap = :now, last_success = :now"), {"now": desk.now})
    for _ in range(5):
        for watch in pair:
            watch.look(0, desk.now, everything=True)
        desk.later(minutes=10)
    assert notices(desk) == ["Le Fil: items may have passed unseen"]
    one._context.live = other._context.live
    for _ in range(5):
        for watch in pair:
            watch.look(0, desk.now, everything=True)
        desk.later(minutes=10)
    assert notices(desk)[1:] == ["over: Le Fil: items may have passed unseen"]


# --- its place in the worker ----------------------------------------------------------------------------------------


class Watched:
    """A worker whose upkeep tests call, at times of the loop that they choose."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self._desk = desk
        self.worker = Worker(desk.context, desk.folder / "config.toml")
        loop = asyncio.get_running_loop()
        real, self._ahead = loop.time, 0.0
        monkeypatch.setattr(loop, "time", lambda: real() + self._ahead)

    async def after(self, seconds: float) -> None:
        """A sweep that goes through so much later, and all that it begins."""
        self._ahead += seconds
        self._desk.later(seconds=seconds)
        await self.worker._upkeep(self._desk.now)
        while self.worker._tasks:
            await asyncio.gather(*self.worker._tasks)


async def test_a_worker_that_dies_beside_another_is_reported_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever strikes out its heartbeat."""
    watched = Watched(desk, monkeypatch)
    monkeypatch.setattr(watched.worker._others, "lost", lambda _beats, _at: ("h:1:x",))
    with desk.store.write() as tx:
        upkeep.beat(tx, upkeep.Heartbeat(owner="h:1:x", host="h", pid=1, started=NOW, tick=NOW))
    for _ in range(2):
        watched.worker._beat(desk.now)
    assert notices(desk) == ["h:1: this worker ended without saying so"]


async def test_c03_the_worker_sees_its_own_missed_tick(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty seconds between two sweeps are told at the next look; ten minutes later it is over."""
    watched = Watched(desk, monkeypatch)
    for _ in range(4):
        await watched.after(19)
    assert notices(desk) == []
    await watched.after(21)
    for _ in range(4):
        await watched.after(15)
    assert notices(desk) == ["desk: the tick came late"]
    for _ in range(45):
        await watched.after(15)
    assert notices(desk)[1:] == ["over: desk: the tick came late"]


async def test_the_worker_looks_at_days_now_and_then(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its first sweep, then every ten minutes; at what comes at once every minute."""
    looked = []
    watched = Watched(desk, monkeypatch)
    monkeypatch.setattr(
        watched.worker._self_watch, "look", lambda _at, now, *, everything: looked.append((now, everything))
    )
    begun = desk.now
    for _ in range(8 * 16):
        await watched.after(10)
    minutes = [(round((now - begun) / timedelta(minutes=1), 2), everything) for now, everything in looked]
    assert [minute for minute, everything in minutes if everything] == pytest.approx([0.17, 10.17, 20.17], abs=0.01)
    assert len(minutes) == 22


async def test_the_dead_mans_switch_is_let_go_while_something_is_wrong(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ping a minute while all is well; none while a target is parked; then again."""
    desk.web.answer("https://alive.example/ping", b"ok")
    desk.context.live = replace(
        desk.context.live, config=replace(desk.context.live.config, heartbeat_url=Secret("https://alive.example/ping"))
    )

    def pings() -> int:
        return sum(request.url.host == "alive.example" for request in desk.web.requests)

    watched = Watched(desk, monkeypatch)
    for _ in range(6):
        await watched.after(15)
    assert pings() == 2
    with desk.store.write() as tx:
        targets.park(tx, "log", "535")
    for _ in range(5):
        await watched.after(15)
    before = pings()
    for _ in range(8):
        await watched.after(15)
    assert pings() == before
    with desk.store.write() as tx:
        deliveries.unpark(tx, desk.now, desk.context.live.paced)
    for _ in range(9):
        await watched.after(15)
    assert pings() == before + 2


async def test_a_look_that_fails_is_made_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is busy costs one look, not all that would follow; and two looks never run at once."""
    watched = Watched(desk, monkeypatch)
    real, calls = watched.worker._self_watch.look, []

    def look(*args: float, **more: bool) -> None:
        calls.append(args)
        if len(calls) == 1:
            raise StoreBusyError
        real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(watched.worker._self_watch, "look", look)
    await watched.after(1)
    with desk.store.write() as tx:
        targets.park(tx, "log", "535")
    for _ in range(4):
        await watched.after(15)
    assert len(calls) == 2
    assert desk.one("SELECT kind FROM condition") == "target_parked"
    watched.worker._looking = True
    for _ in range(4):
        await watched.after(15)
    assert len(calls) == 2


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
        db.execute(
            "INSERT INTO heartbeat (owner, host, pid, started, tick)"
            " VALUES ('o', 'h', 1, '2026-01-01', '2026-01-01 00:00:00.000000')"
        )
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
    assert wrong(done) == {"configuration", "targets", "worker", "sending", "feeds", "quarantine", "conditions"}
    assert "the ledger does not add up" in done.out
    assert "log: nothing can be sent" in done.out


def test_doctor_of_what_cannot_be_read(veille, tmp_path: Path) -> None:
    """A configuration that is none, and a store that is damaged."""
    site = Site(tmp_path, feeds=[FEED])
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
        (low,) = conditions(Facts(free=1), NOW)
        stored.begin(tx, [(low, conditions_in_words.subject(low, "en"))], now=NOW)
    assert json.loads(veille("status", "--json", site=site).out)["conditions"] == [
        {"kind": "disk_low", "words": "the store's disk is nearly full", "since": NOW.isoformat()}
    ]
    assert "nearly full" in veille("status", site=site).out
