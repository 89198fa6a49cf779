"""The engine: what is due is started, what hangs holds nothing up, what fails is tried again, and it ends in time."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from desk import FEED, VISIT, Desk, email_target, feed, log_target, scripted, until
from hypothesis import given
from hypothesis import strategies as st
from rig import Item, rss

from worker.errors import StoreBusyError
from worker.model import DeliveryState, Notice, Outcome, Receipt
from worker.pipeline.context import JobContext
from worker.pipeline.ingest import ingest
from worker.runtime import embedded, single_pass
from worker.runtime.embedded import LEASE, PAGES_TAKEN, PER_HOST, PER_TARGET, POLLS, Embedded, Turns, choose, host_of
from worker.store import entries, feeds, open_deliveries


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        yield scripted(monkeypatch, made)


async def nothing(_: object) -> None:
    """No upkeep."""


@asynccontextmanager
async def running(desk: Desk, upkeep: Callable = nothing) -> AsyncIterator[Embedded]:
    """An engine that runs; stopped at the end."""
    engine = Embedded(desk.context, upkeep)
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        engine.stop()
        await task


def hanging() -> tuple[Callable, asyncio.Event]:
    """A page that never comes, and an event that lets it go."""
    free = asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        await free.wait()
        return httpx.Response(503)

    return answer, free


async def test_the_whole_way(desk: Desk) -> None:
    """From a feed that is due to a message, without anybody asking."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    async with running(desk):
        await until(lambda: desk.told)
    assert desk.told == ["log:log"]
    assert desk.rows("SELECT state FROM delivery") == [("sent",)]


async def test_f23_fifty_feeds_on_a_host_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary on another host is polled and told, though fifty feeds hang before it in the queue."""
    slow = [feed(f"https://slow.example/{n}") for n in range(50)]
    canary = feed("https://canary.example/feed")
    answer, free = hanging()
    with scripted(monkeypatch, Desk(tmp_path, feeds=[*slow, canary])) as desk:
        desk.web.pages |= {one.id: answer for one in slow}
        desk.web.feed(canary.id, [Item("1", "Hun Sen à Hanoï", VISIT)])
        async with running(desk):
            await until(lambda: desk.told)
            hosts = Counter(request.url.host for request in desk.web.requests)
            free.set()
        assert hosts == {"slow.example": PER_HOST, "canary.example": 1}


async def test_pages_of_a_host_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred pages that never come do not keep another site's page waiting."""
    slow, canary = feed(FEED, full_text=True), feed("https://b.example/feed", full_text=True)
    answer, free = hanging()
    with scripted(monkeypatch, Desk(tmp_path, feeds=[slow, canary])) as desk:
        links = [f"https://slow.example/{n}" for n in range(100)]
        desk.web.pages |= dict.fromkeys(links, answer)
        desk.web.feed(FEED, [Item(link, f"Page {n}", f"Résumé {n}.", link) for n, link in enumerate(links)])
        async with running(desk):
            await until(lambda: sum(str(r.url) in links for r in desk.web.requests) == PER_HOST)
            await until(lambda: not desk.one("SELECT count(*) FROM feed WHERE last_polled IS NULL"))
            page = "https://b.example/article"
            desk.web.answer(page, f"<html><body><article><p>{VISIT}</p></article></body></html>".encode())
            desk.web.feed("https://b.example/feed", [Item("c", "Trois jours de pourparlers", "Bref.", page)])
            desk.later(days=1)
            await until(lambda: desk.told)
            assert sum(str(r.url) in links for r in desk.web.requests) == PER_HOST
            free.set()


async def test_a_target_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """N20: thirty mailboxes whose server hangs do not keep another target waiting; four are tried at a time."""
    slow = email_target("slow", *(f"n{n}@example.org" for n in range(30)))
    free = asyncio.Event()
    under_way: set[object] = set()
    most = 0

    async def hang() -> Receipt:
        nonlocal most
        me = object()
        under_way.add(me)
        most = max(most, len(under_way))
        await free.wait()
        await asyncio.sleep(0.01)
        under_way.discard(me)
        return Receipt(outcome=Outcome.SENT)

    with scripted(monkeypatch, Desk(tmp_path, targets=[slow, log_target()])) as desk:
        desk.script["slow"] = [hang] * 60
        desk.web.feed(FEED, [Item(str(n), f"Hun Sen, jour {n}", f"{VISIT} Jour numéro {n}.") for n in range(2)])
        async with running(desk):
            await until(lambda: desk.told.count("log:log") == 2)
            await until(lambda: sum(who.startswith("mailto:") for who in desk.told) >= PER_TARGET)
            assert sum(who.startswith("mailto:") for who in desk.told) == PER_TARGET
            free.set()
            await until(lambda: len(desk.told) == 62)
    assert most == PER_TARGET
    assert max(Counter(desk.told).values()) == 2


@pytest.mark.parametrize("once_only", [False, True], ids=["run", "poll"])
async def test_what_took_the_process_down_goes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, once_only: bool
) -> None:
    """After a crash with eight sends in flight nobody knows whose fault it was: each is tried without company."""
    targets = [email_target("desk", *(f"m{n}@example.org" for n in range(6))), log_target()]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets)) as desk:
        desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
        under_way: set[object] = set()
        most = []

        async def count() -> Receipt:
            me = object()
            under_way.add(me)
            await asyncio.sleep(0)
            most.append(len(under_way))
            await asyncio.sleep(0.01)
            under_way.discard(me)
            return Receipt(outcome=Outcome.SENT)

        await desk.poll()
        with desk.store.write() as tx:
            ids = entries.take_ready(tx, now=desk.now, lease=LEASE, limit=9)
        await ingest(desk.context, ids)
        crashed = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'desk'")]
        with sqlite3.connect(tmp_path / "veille.db") as db:
            db.executemany(
                "INSERT INTO attempt (delivery_id, number, owner, started, outcome, detail) "
                "VALUES (?, 1, 'failed', '2026-01-01 00:00:00.000000', '', '')",
                [(one,) for one in crashed],
            )
        desk.script["desk"] = [count] * 6
        if once_only:
            await desk.pass_()
        else:
            async with running(desk):
                await until(lambda: len(desk.told) == 7)
        assert len(desk.told) == 7
        assert most == [1] * 6


async def test_others_go_on_while_one_is_tried_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries of a dead process keep their own target waiting, and no other; they go one by one."""
    slow = email_target("slow", *(f"s{n}@example.org" for n in range(3)))
    with scripted(monkeypatch, Desk(tmp_path, targets=[slow, log_target("b"), log_target("c")])) as desk:
        answer, free = asyncio.Event(), Receipt(outcome=Outcome.SENT)

        async def hang() -> Receipt:
            await answer.wait()
            return free

        desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
        await desk.poll()
        with desk.store.write() as tx:
            ids = entries.take_ready(tx, now=desk.now, lease=LEASE, limit=9)
        await ingest(desk.context, ids)
        died = desk.rows("SELECT id FROM delivery WHERE recipient IN ('mailto:s0@example.org', 'log:b')")
        with sqlite3.connect(tmp_path / "veille.db") as db:
            db.executemany(
                "INSERT INTO attempt (delivery_id, number, owner, started, outcome, detail) "
                "VALUES (?, 1, 'failed', '2026-01-01 00:00:00.000000', '', '')",
                died,
            )
        desk.script["slow"] = [hang]
        async with running(desk):
            await until(lambda: len(desk.told) == 2)
            assert sorted(desk.told) == ["log:c", "mailto:s0@example.org"]
            answer.set()
            await until(lambda: len(desk.told) == 5)


async def test_c05_stop_while_a_send_hangs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A send that hangs is cut off when the time is over; its attempt is counted, and it is due again once released."""
    monkeypatch.setattr(embedded, "DRAIN_SECONDS", 0.3)
    forever = asyncio.Event()

    async def hang() -> Receipt:
        await forever.wait()
        raise AssertionError

    desk.script["log"] = [hang]
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    async with running(desk) as engine:
        await until(lambda: desk.told)
        began = time.monotonic()
        engine.stop()
    assert time.monotonic() - began < 2
    assert desk.rows("SELECT state, attempts FROM delivery") == [("sealed", 1)]
    from worker.store import deliveries

    with desk.store.write() as tx:
        deliveries.release_own(tx, "desk")
    with desk.store.read() as tx:
        assert len(deliveries.due(tx, now=desk.now, limit=9)) == 1


async def test_a_backlog_needs_few_looks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries found due by one look are worked off without another for each; the oldest first, each once."""
    from worker.store import deliveries

    _owe(desk, 100)
    looks = []
    real = deliveries.due
    monkeypatch.setattr(embedded.deliveries, "due", lambda *a, **k: looks.append(1) or real(*a, **k))
    async with running(desk):
        await until(lambda: desk.one("SELECT count(*) FROM delivery WHERE state = 'sent'") == 100)
    ids = [claimed.id for _, claimed in desk.attempts]
    assert sorted(ids) == list(range(1, 101))
    assert all(abs(at - one) <= embedded.DELIVERIES for at, one in enumerate(ids, 1))
    assert len(looks) < 34


async def test_c05_stop_lets_a_send_finish(desk: Desk) -> None:
    """A send that ends within the time is written down as sent."""
    free = asyncio.Event()

    async def slow() -> Receipt:
        await free.wait()
        return Receipt(outcome=Outcome.SENT)

    desk.script["log"] = [slow]
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    async with running(desk) as engine:
        await until(lambda: desk.told)
        engine.stop()
        await asyncio.sleep(0)
        free.set()
    assert desk.rows("SELECT state FROM delivery") == [("sent",)]


async def test_nothing_is_claimed_after_stop(desk: Desk) -> None:
    """An engine that is stopped before its first tick starts no job."""
    engine = Embedded(desk.context, nothing)
    engine.stop()
    await engine.run()
    assert desk.web.requests == []


async def test_stop_does_not_wait_for_pages_that_have_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that wait for their turn are dropped at once; the store still wants them."""
    answer, free = hanging()
    with scripted(monkeypatch, Desk(tmp_path, feeds=[feed(full_text=True)])) as desk:
        links = [f"https://slow.example/{n}" for n in range(20)]
        desk.web.pages |= dict.fromkeys(links, answer)
        desk.web.feed(FEED, [Item(link, f"Page {n}", f"Résumé {n}.", link) for n, link in enumerate(links)])
        async with running(desk) as engine:
            await until(lambda: len(desk.web.requests) == 1 + PER_HOST)
            engine.stop()
            await asyncio.sleep(0.1)
            free.set()
        assert len(desk.web.requests) == 1 + PER_HOST
        assert desk.one("SELECT count(*) FROM entry WHERE page_tries > 0") == 20


async def test_c04_a_job_that_raises_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll with a bug is logged; the other feeds are polled, and the tick goes on."""
    bad, good = feed("https://bad.example/feed"), feed("https://good.example/feed")
    real = embedded.poll

    async def poll(context, key):
        if key == bad.id:
            raise ZeroDivisionError("as the test says")
        return await real(context, key)

    monkeypatch.setattr(embedded, "poll", poll)
    ticks = []

    async def upkeep(now: object) -> None:
        ticks.append(now)

    with scripted(monkeypatch, Desk(tmp_path, feeds=[bad, good])) as desk:
        desk.web.feed(good.id, [Item("1", "Hun Sen à Hanoï", VISIT)])
        async with running(desk, upkeep):
            await until(lambda: desk.told)
            seen = len(ticks)
            await until(lambda: len(ticks) > seen + 1)


async def test_upkeep_that_raises_stops_nothing(desk: Desk) -> None:
    """The next tick runs whatever happened in this one."""
    calls = []

    async def upkeep(_: object) -> None:
        calls.append(1)
        raise ZeroDivisionError("as the test says")

    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    async with running(desk, upkeep):
        await until(lambda: desk.told)
        await until(lambda: len(calls) > 2)


async def test_a_delivery_that_fails_at_once_does_not_spin(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that fails before it took a lease is due again at once: it waits for the tick, not for nothing."""
    calls = []

    async def deliver(_context: object, _id: int) -> None:
        calls.append(time.monotonic())
        raise ZeroDivisionError("as the test says")

    monkeypatch.setattr(embedded, "deliver", deliver)
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.2)
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    async with running(desk):
        await until(lambda: len(calls) >= 4)
    assert calls[-1] - calls[0] > 0.4


async def test_s05_a_store_that_refuses_is_left_alone_for_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is not asked a thousand times a second; once there is room, all goes on by itself."""
    monkeypatch.setattr(embedded, "REST_SECONDS", 0.3)
    calls = []
    real = embedded.deliver

    async def deliver(context: object, delivery: int) -> object:
        calls.append(time.monotonic())
        if len(calls) < 4:
            raise StoreBusyError("disk full")
        return await real(context, delivery)

    monkeypatch.setattr(embedded, "deliver", deliver)
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    async with running(desk):
        await until(lambda: desk.told)
    assert all(after - before > 0.25 for before, after in pairwise(calls))


async def test_a_store_that_cannot_be_read_beats_no_heart(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upkeep, and with it the heartbeat, follows only a sweep that went through."""
    monkeypatch.setattr(embedded, "REST_SECONDS", 0)
    beats = []

    async def upkeep(_: object) -> None:
        beats.append(1)

    swept = []

    def refused(*_: object, **__: object) -> None:
        swept.append(1)
        raise StoreBusyError

    with monkeypatch.context() as patch:
        patch.setattr(embedded.feeds, "due", refused)
        async with running(desk, upkeep):
            await until(lambda: len(swept) > 1)
            assert beats == []
    async with running(desk, upkeep):
        await until(lambda: beats)


async def test_a_removed_feed_is_not_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state stays in the store, and nobody asks for it."""
    with scripted(monkeypatch, Desk(tmp_path, feeds=[feed(), feed("https://b.example/feed")])) as desk:
        desk.reload(feeds=[feed("https://b.example/feed")])
        desk.web.feed("https://b.example/feed", [Item("1", "Hun Sen à Hanoï", VISIT)])
        async with running(desk):
            await until(lambda: desk.told)
        assert {request.url.host for request in desk.web.requests} == {"b.example"}


async def test_two_names_of_one_url_are_both_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variables may expand to the same address; neither hides the other."""
    from dataclasses import replace

    twins = [replace(feed(), id="${A}", name="A"), replace(feed(), id="${B}", name="B")]
    with scripted(monkeypatch, Desk(tmp_path, feeds=twins)) as desk:
        desk.web.feed(FEED, [])
        async with running(desk):
            await until(lambda: len(desk.web.requests) == 2)
            await until(lambda: not desk.one("SELECT count(*) FROM feed WHERE last_polled IS NULL"))


async def test_leases_end_with_their_jobs(desk: Desk) -> None:
    """After a quiet stop no feed, entry or delivery is under a lease."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    async with running(desk):
        await until(lambda: desk.one("SELECT count(*) FROM delivery WHERE state = 'sent'"))
    held = [desk.one(f"SELECT count(*) FROM {table} WHERE lease_until > '2026'") for table in ("feed", "delivery")]
    assert held == [0, 0]
    assert desk.one("SELECT count(*) FROM entry WHERE state <> 'done'") == 0


# --- one pass ------------------------------------------------------------------------------------------------------


async def test_once_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object that `veille poll --json` prints, with every key."""
    three = [feed(f"https://{name}.example/feed", name=name) for name in "abc"]
    with scripted(monkeypatch, Desk(tmp_path, feeds=three)) as desk:
        desk.web.feed(three[0].id, [Item("1", "Hun Sen à Hanoï", VISIT), Item("2", "Autre", "Rien de tel ici.")])
        desk.web.feed(three[1].id, [])
        desk.web.answer(three[2].id, status=500)
        seen: list[str] = []
        done = await single_pass.run_once(desk.context, seen.append)
        assert sorted(seen) == ["a", "b", "c"]
        assert done.as_json() == {
            "feeds": {"polled": 3, "new": 2, "not_modified": 0, "failed": 1, "waiting": 0},
            "entries": 2,
            "articles": {"new": 2, "update": 0, "duplicate": 0},
            "matches": {"visit": 1},
            "deliveries": {"open": 0, "sealed": 0, "retry": 0, "parked": 0, "sent": 1, "failed": 0},
        }
        assert list(done.failures) == ["c"]
        assert "server_error" in done.failures["c"]


async def test_once_goes_on_past_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One feed's job that raises does not cost the pass the others."""
    bad, good = feed("https://bad.example/feed"), feed("https://good.example/feed")
    real = single_pass.poll

    async def poll(context, key):
        if key == bad.id:
            raise ZeroDivisionError("as the test says")
        return await real(context, key)

    monkeypatch.setattr(single_pass, "poll", poll)
    with scripted(monkeypatch, Desk(tmp_path, feeds=[bad, good])) as desk:
        desk.web.feed(good.id, [Item("1", "Hun Sen à Hanoï", VISIT)])
        done = await desk.pass_()
        assert done.deliveries["sent"] == 1


async def test_once_raises_what_the_store_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As itself, not in a group of exceptions: the command line makes a sentence of it."""

    async def poll(*_: object) -> None:
        raise StoreBusyError("busy")

    monkeypatch.setattr(single_pass, "poll", poll)
    with pytest.raises(StoreBusyError):
        await desk.pass_()


def _owe(desk: Desk, many: int) -> None:
    """Let so many deliveries be due."""
    with desk.store.write() as tx:
        for n in range(many):
            open_deliveries.notify(tx, "log", ["log:log"], Notice(subject=str(n), body="..."), desk.now)


async def test_once_lets_what_is_under_way_end_where_the_store_refuses(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that a server may have must have its receipt, or the next pass sends it again."""
    _owe(desk, 8)
    real, refused = single_pass.deliver, asyncio.Event()

    async def deliver(context: JobContext, delivery_id: int, **more: timedelta) -> DeliveryState | None:
        if delivery_id == 2:
            refused.set()
            raise StoreBusyError("busy")
        await refused.wait()
        return await real(context, delivery_id, **more)

    monkeypatch.setattr(single_pass, "deliver", deliver)
    with pytest.raises(StoreBusyError):
        await desk.pass_()
    assert desk.rows("SELECT id FROM delivery WHERE state != 'sent'") == [(2,)]
    monkeypatch.setattr(single_pass, "deliver", real)
    await desk.pass_()
    assert sorted(claimed.id for _, claimed in desk.attempts) == list(range(1, 9))


async def test_once_begins_nothing_after_it_is_interrupted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery that waits for its turn stays untouched: an attempt that is cut off would count as a crash."""
    _owe(desk, 40)
    began: list[int] = []

    async def deliver(_context: JobContext, delivery_id: int, **_: timedelta) -> None:
        began.append(delivery_id)
        await asyncio.Event().wait()

    monkeypatch.setattr(single_pass, "deliver", deliver)
    task = asyncio.create_task(desk.pass_())
    await until(lambda: len(began) == PER_TARGET)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(began) == PER_TARGET
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_once_tries_each_delivery_once(desk: Desk) -> None:
    """A delivery to be retried at once is left to the next pass."""
    desk.script["log"] = [Receipt(outcome=Outcome.RETRY)] * 5
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    done = await desk.pass_()
    assert done.deliveries["retry"] == 1
    assert len(desk.attempts) == 1


@pytest.mark.parametrize(("seconds", "sent"), [(0.03, 4), (3600, 1)], ids=["a-short-burst", "a-long-one"])
async def test_once_waits_for_turns_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, sent: int
) -> None:
    """Messages to a target with a rate go out one by one; what would take too long is left to a later pass."""
    target = replace(log_target(), pace=timedelta(seconds=seconds))
    with scripted(monkeypatch, Desk(tmp_path, feeds=[], targets=[target])) as desk:
        desk.context.clock = lambda: datetime.now(UTC)
        with desk.store.write() as tx:
            for n in range(4):
                open_deliveries.notify(tx, "log", ["log:log"], Notice(subject=str(n), body="..."), desk.now)
        await desk.pass_()
        assert [claimed.id for _, claimed in desk.attempts] == list(range(1, sent + 1))


async def test_once_polls_what_is_not_due(desk: Desk) -> None:
    """`veille poll` means now."""
    desk.web.feed(FEED, [])
    await desk.pass_()
    await desk.pass_()
    assert len(desk.web.requests) == 2


async def test_once_with_many_more_deliveries_than_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighty mailboxes are all told, and counted."""
    targets = [email_target("desk", *(f"n{n}@example.org" for n in range(80)))]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets)) as desk:
        desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
        done = await desk.pass_()
        assert done.deliveries["sent"] == 80
        assert len(set(desk.told)) == 80


# --- hosts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example:8443/x", "a.example"),
        ("veille:sample", "veille"),
        ("https://[::1]:80/", "::1"),
        ("https://[::1", "https://[::1"),
        ("", ""),
    ],
)
def test_host_of(url: str, host: str) -> None:
    """The host in lower case; whatever is no URL stands for itself."""
    assert host_of(url) == host


@given(
    st.lists(st.sampled_from("abcd"), max_size=40),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)),
    st.integers(0, POLLS),
)
def test_choose(hosts: list[str], busy: dict[str, int], slots: int) -> None:
    """Never more than the slots, never more than its limit for a host, first come first served, and no slot idle."""
    waiting = {f"{n}": host for n, host in enumerate(hosts)}
    chosen = choose(waiting, Counter(busy), slots=slots)
    load = Counter(busy) + Counter(waiting[key] for key in chosen)
    assert len(chosen) <= slots
    assert chosen == sorted(chosen, key=int)
    for key in chosen:
        assert load[waiting[key]] <= PER_HOST
    if len(chosen) < slots:
        left = waiting.keys() - set(chosen)
        assert all(load[waiting[key]] >= PER_HOST for key in left)


async def test_turns() -> None:
    """Groups wait for themselves only, and leave nothing behind when the last one has gone."""
    turns = Turns(total=3, each=1)
    inside: Counter[str] = Counter()
    most: Counter[str] = Counter()
    free = asyncio.Event()

    async def job(group: str) -> None:
        async with turns.take(group):
            inside[group] += 1
            most[group] = max(most[group], inside[group])
            most["all"] = max(most["all"], inside.total())
            await free.wait()
            inside[group] -= 1

    tasks = [asyncio.create_task(job(group)) for group in "aaaabbbbccccdddd"]
    await until(lambda: inside.total() == 3)
    tasks[1].cancel()
    free.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == {"a": 1, "b": 1, "c": 1, "d": 1, "all": 3}
    assert turns._groups == {}


async def test_who_waits_for_what_is_not_free_keeps_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a host that other workers are busy with."""
    monkeypatch.setattr(embedded, "_FREE_EVERY", 0.001)
    turns, asked, is_free = Turns(total=1, each=1), asyncio.Event(), asyncio.Event()

    async def ask() -> bool:
        asked.set()
        return is_free.is_set()

    async def wait() -> None:
        async with turns.take("busy", ask):
            pass

    waiting = asyncio.create_task(wait())
    await asyncio.wait_for(asked.wait(), 60)
    async with asyncio.timeout(60), turns.take("other"):
        is_free.set()
    await asyncio.wait_for(waiting, 60)


def test_limits_are_sane() -> None:
    """More is taken from the store than runs at one time."""
    assert PAGES_TAKEN > embedded.PAGES


async def test_many_feeds_due_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred feeds on as many hosts: never more than the pool holds, and all are polled."""
    many = [feed(f"https://h{n}.example/feed") for n in range(200)]
    open_now, most = 0, 0

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0)
        open_now -= 1
        return httpx.Response(200, content=rss([]))

    with scripted(monkeypatch, Desk(tmp_path, feeds=many)) as desk:
        desk.web.pages |= {one.id: answer for one in many}
        async with running(desk):
            await until(lambda: not desk.one("SELECT count(*) FROM feed WHERE last_polled IS NULL"))
        assert most <= POLLS
        assert len(desk.web.requests) == 200
        with desk.store.read() as tx:
            assert feeds.due(tx, [one.id for one in many], now=desk.now) == ()
