"""Queues of a cluster: what waits, who lives, and the connections to hosts that all workers share."""

import asyncio
import contextlib
import gc
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
import structlog
import time_machine
from conftest import database
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from rig import wait_for
from stored import NOW, feed, publish, sighting, state_of, take

from worker.errors import StoreError, StoreUnusableError
from worker.model import DeliveryState, Role
from worker.runtime import cluster, embedded
from worker.runtime.clock import DatabaseClock
from worker.runtime.cluster import Cluster
from worker.runtime.embedded import LEASE, Embedded
from worker.runtime.load import open_for
from worker.runtime.reload import Reloads
from worker.store import (
    STAMP,
    Store,
    deliveries,
    feeds,
    leases,
    open_deliveries,
    open_store,
    quarantine,
    queues,
    upkeep,
)


@pytest.fixture
def store(postgresql: str, postgresql_template: str) -> Iterator[Store]:
    """A new, empty store on PostgreSQL."""
    with database(postgresql, postgresql_template) as url:
        opened = open_store(url, create=False)
        yield opened
        opened.close()


@pytest.fixture
def members(store: Store) -> Iterator[tuple[queues.Presence, queues.Presence]]:
    """Two workers of a cluster."""
    one, two = queues.Presence(store, "one"), queues.Presence(store, "two")
    yield one, two
    one.close()
    two.close()


def beat(member: queues.Presence, owner: str, roles: str = "poll") -> None:
    """Write that a worker ticks, by the database's own clock."""
    now = member.now()
    one = upkeep.Heartbeat(owner=owner, host="h", pid=1, started=now, tick=now, roles=roles)
    member.run(lambda tx: upkeep.beat(tx, one))


def asked_for(store: Store, known: Callable[[str], object] = bool) -> set[Role]:
    with store.read() as tx:
        return set(queues.asked_for(tx, known, now=NOW))


def wake_ups(store: Store) -> list[str]:
    with store.read() as tx:
        return list(tx.execute(sa.text("SELECT queue_name FROM procrastinate_jobs ORDER BY id")).scalars())


# --- what waits ---------------------------------------------------------------------------------------------------


def test_what_waits_asks_for_its_role(store: Store) -> None:
    """A feed that is due, unless it was taken out; an entry that is ready; a delivery that is due."""
    assert asked_for(store) == set()
    state_of(store)
    assert asked_for(store) == {Role.POLL}
    assert asked_for(store, lambda _: None) == set()
    publish(store, sighting("1"))
    assert asked_for(store, lambda _: None) == {Role.INGEST}
    with store.write() as tx:
        open_deliveries.open_delivery(tx, "log", "log:log", "article:1", due=NOW + LEASE, now=NOW)
    assert Role.DELIVER not in asked_for(store)
    with store.write() as tx:
        open_deliveries.open_delivery(tx, "log", "log:log", "article:2", due=NOW, now=NOW)
    assert asked_for(store) == set(Role)


def test_what_is_in_hand_asks_for_nobody(store: Store) -> None:
    """A lease parts the workers; when it is over, another is asked for."""
    publish(store, sighting("1"))
    with store.write() as tx:
        feeds.claim(tx, [feed().id], now=NOW, lease=LEASE, owner="one")
    take(store)
    assert asked_for(store) == set()
    with store.read() as tx:
        assert queues.asked_for(tx, bool, now=NOW + timedelta(days=1)) == {Role.POLL, Role.INGEST}


def test_what_waits_is_counted_for_people(store: Store) -> None:
    """By role, with the time of the oldest."""
    publish(store, sighting("1"), sighting("2"))
    with store.read() as tx:
        poll, ingest, deliver = queues.waiting(tx, [NOW, NOW - LEASE, NOW + LEASE], now=NOW)
    assert (poll.count, poll.since) == (2, NOW - LEASE)
    assert (ingest.count, ingest.since) == (2, NOW)
    assert (deliver.count, deliver.since) == (0, None)


def test_a_transaction_wakes_workers_for_the_work_that_it_makes(store: Store) -> None:
    """Once for a role, when it commits; one that is undone wakes nobody, and one that makes no work neither."""
    state_of(store)
    store.wake = queues.wake
    publish(store, sighting("1"), sighting("2"))
    assert wake_ups(store) == ["ingest"]
    with contextlib.suppress(ZeroDivisionError), store.write() as tx:
        open_deliveries.open_delivery(tx, "log", "log:log", "article:1", due=NOW, now=NOW)
        raise ZeroDivisionError
    with store.write() as tx:
        open_deliveries.open_delivery(tx, "log", "log:log", "article:1", due=NOW + LEASE, now=NOW)
    assert wake_ups(store) == ["ingest"]
    with store.write() as tx:
        open_deliveries.open_delivery(tx, "log", "log:log", "article:2", due=NOW, now=NOW)
    assert wake_ups(store) == ["ingest", "deliver"]


def quarantined(store: Store) -> int:
    """An entry that was put aside."""
    publish(store, sighting("1"))
    (entry,) = take(store)
    with store.write() as tx:
        tx.execute(sa.text("UPDATE entry SET state = 'quarantined'"))
    return entry


def failed_delivery(store: Store) -> int:
    """A delivery that was given up."""
    with store.write() as tx:
        made = open_deliveries.open_delivery(tx, "log", "log:log", "article:1", due=NOW + LEASE, now=NOW)
        deliveries.settle(tx, made, DeliveryState.FAILED, "no such mailbox", now=NOW)
    return made


@pytest.mark.parametrize(
    ("prepare", "act", "role"),
    [
        (failed_delivery, lambda tx, made: deliveries.revive(tx, [made], NOW), "deliver"),
        (quarantined, quarantine.retry, "ingest"),
    ],
    ids=["veille deliveries retry", "veille quarantine retry"],
)
def test_people_wake_workers(store: Store, prepare: Any, act: Any, role: str) -> None:
    """Work that they ask for begins at once."""
    made = prepare(store)
    store.wake = queues.wake
    with store.write() as tx:
        act(tx, made)
    assert wake_ups(store) == [role]


def test_a_configuration_that_is_read_again_wakes_workers(store: Store) -> None:
    """It may have feeds that are new, and nobody is on shift who knows them."""
    store.wake = queues.wake
    context: Any = SimpleNamespace(store=store, clock=lambda: NOW, live=SimpleNamespace(seen=None))
    live: Any = SimpleNamespace(config=SimpleNamespace(feeds=[feed()]), paced=())
    Reloads(context, Path(), id)._adopt(live)
    assert wake_ups(store) == ["poll"]


@pytest.mark.parametrize("kind", ["cluster", "embedded"])
def test_every_command_on_a_cluster_wakes_its_workers(store: Store, kind: str) -> None:
    """Nobody takes wake-ups of a role without a worker."""
    conf: Any = SimpleNamespace(store_url=store._engine.url.render_as_string(hide_password=False), engine=kind)
    opened = open_for(conf, create=False)
    assert (opened.wake is queues.wake) is (kind == "cluster")
    opened.close()


def test_what_cannot_wake_is_the_stores_fault(store: Store) -> None:
    """And not that of the entry that was at hand."""
    store.wake = queues.wake
    with store.write() as tx:
        tx.execute(sa.text("ALTER TABLE procrastinate_jobs RENAME TO gone"))
    with pytest.raises(StoreError):
        publish(store, sighting("1"))


def test_the_newest_feeds_that_are_due_are_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many were taken out of the configuration, and stay due for ever."""
    monkeypatch.setattr(queues, "_MOST", 2)
    for number in range(3):
        state_of(store, feed(f"https://{number}.example/rss"))
    with store.write() as tx:
        tx.execute(sa.text("UPDATE feed SET due = '2020-01-01' WHERE id IN (SELECT id FROM feed ORDER BY id LIMIT 2)"))
    assert asked_for(store, lambda key: "2.example" in key) == {Role.POLL}


# --- who lives ----------------------------------------------------------------------------------------------------


def test_a_worker_whose_connection_ended_is_gone(members: tuple[queues.Presence, queues.Presence]) -> None:
    """As when its process died; one that stands alone, with its own engine, is judged by nobody."""
    one, two = members
    beat(one, "one")
    beat(two, "two")
    beat(one, "embedded", roles="")
    assert (one.gone(frozen=40), two.gone(frozen=40)) == (frozenset(), frozenset())
    two.close()
    wait_for(lambda: one.gone(frozen=40) == {"two"}, what="the end of a session")


def test_a_worker_that_beats_no_more_is_gone(members: tuple[queues.Presence, queues.Presence]) -> None:
    """As when it is frozen, and its connection stands."""
    one, two = members
    beat(one, "one")
    beat(two, "two")
    assert one.gone(frozen=-1) == {"two"}


def test_a_connection_that_is_cut_is_noticed_and_opened_again(
    store: Store, members: tuple[queues.Presence, queues.Presence]
) -> None:
    """Without a statement to find it out by."""
    one, two = members
    beat(one, "one")
    beat(two, "two")
    assert not two.is_cut()
    with store.write() as tx:
        tx.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
                " AND objid::bigint = hashtext('two')::bigint & 4294967295"
            )
        )
    wait_for(two.is_cut, what="the cut")
    wait_for(lambda: one.gone(frozen=40) == {"two"}, what="the end of a session")
    two.now()
    assert one.gone(frozen=40) == frozenset()


def test_what_a_frozen_worker_has_begun_is_undone(store: Store) -> None:
    """Its transaction keeps the ingest lock until its session is ended: it commits nothing afterwards."""
    one = queues.Presence(store, "one")
    begun, done = threading.Event(), threading.Event()

    def freeze() -> None:
        with contextlib.suppress(StoreError), store.ingest() as tx:
            tx.execute(sa.text("INSERT INTO target (id, parked, failures, told) VALUES ('t', '', 0, false)"))
            begun.set()
            done.wait(60)

    frozen = threading.Thread(target=freeze)
    frozen.start()
    assert begun.wait(60)
    with contextlib.suppress(StoreError):  # here it is a session of the same process
        one.end_sessions([f"{socket.gethostname()}:{os.getpid()}:20260206T083000-{STAMP}"])
    with store.ingest() as tx:
        assert tx.execute(sa.text("SELECT count(*) FROM target")).scalar() == 0
    done.set()
    frozen.join(60)
    one.close()
    with store.read() as tx:
        assert tx.execute(sa.text("SELECT count(*) FROM target")).scalar() == 0


def test_a_worker_ends_no_session_of_its_own(members: tuple[queues.Presence, queues.Presence]) -> None:
    """A container that is started again has the host's name and the number of the process that died there."""
    one, _ = members
    one.now()
    one.end_sessions([f"{socket.gethostname()}:{os.getpid()}:20260206T083000-0badcafe"])
    assert not one.is_cut()
    one.run(lambda tx: tx.execute(sa.text("SELECT 1")).scalar())


def test_leases_under_which_no_job_works_are_given_back(store: Store) -> None:
    """As of a job that the store refused; what is under way, and what others have, stays."""
    names = [f"https://{name}.example/rss" for name in ("idle", "busy", "other")]
    for name in names:
        state_of(store, feed(name))
    with store.write() as tx:
        feeds.claim(tx, names[:2], now=NOW, lease=LEASE, owner="one")
        feeds.claim(tx, names[2:], now=NOW, lease=LEASE, owner="two")
        leases.give_back_idle(tx, "one", [names[1]], (), is_ingesting=True)
    with store.read() as tx:
        assert feeds.due(tx, names, now=NOW) == (names[0],)


# --- connections to hosts -------------------------------------------------------------------------------------------


def test_all_workers_share_the_connections_to_a_host(members: tuple[queues.Presence, queues.Presence]) -> None:
    """Two of one host, whoever has them; other hosts have their own; and the dead give theirs back."""
    one, two = members
    slots = [one.take_slot("a.example", 2), two.take_slot("a.example", 2)]
    assert sorted(filter(lambda slot: slot is not None, slots)) == [0, 1]
    assert one.take_slot("a.example", 2) is None
    assert two.take_slot("a.example", 2) is None
    assert one.take_slot("b.example", 2) == 0
    one.give_slot("a.example", slots[0] or 0)
    assert two.take_slot("a.example", 2) == slots[0]
    two.close()
    wait_for(lambda: one.take_slot("a.example", 2) is not None, what="a slot of the dead")


def test_feeds_that_others_poll_are_known(store: Store) -> None:
    """Their hosts are busy with them."""
    state_of(store)
    with store.write() as tx:
        feeds.claim(tx, [feed().id], now=NOW, lease=LEASE, owner="one")
    with store.write() as tx:
        assert queues.polled_by_others(tx, "one", now=NOW) == ()
        assert queues.polled_by_others(tx, "two", now=NOW) == (feed().id,)
        assert queues.polled_by_others(tx, "two", now=NOW + 2 * LEASE) == ()


# --- the clock ------------------------------------------------------------------------------------------------------


def test_workers_go_by_the_clock_of_the_database() -> None:
    """However far their own is from it, and whatever that is set to."""
    asked = iter([NOW, NOW - LEASE])
    clock = DatabaseClock(lambda: next(asked))
    with time_machine.travel(NOW + timedelta(days=9), tick=False):
        assert timedelta() <= clock() - NOW < timedelta(minutes=2)
    clock.compare()
    assert timedelta() <= clock() - (NOW - LEASE) < timedelta(minutes=2)


# --- the engine -----------------------------------------------------------------------------------------------------


async def nothing(_: object) -> None:
    """Upkeep that has nothing to do."""


def engine(store: Store, beat: Callable[[object], None] = id, roles: Collection[Role] = ()) -> Cluster:
    """An engine that is not run yet, without a configuration."""
    context: Any = SimpleNamespace(
        store=store, owner="one", in_thread=asyncio.to_thread, ending=threading.Event(), live=SimpleNamespace(feed=bool)
    )
    return Cluster(context, nothing, roles, lambda _: None, beat)  # type: ignore[arg-type]


#: A wake-up, and a feed that is due, of which no worker is notified.
UNHEARD = """
    ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER;
    INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('poll', 'poll');
    ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER;
"""
LISTENS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'listen%#poll%'"


@asynccontextmanager
async def running(one: Cluster) -> AsyncIterator[None]:
    """The engine at work, once it listens for wake-ups."""
    task = asyncio.create_task(one.run())

    def listens() -> bool:
        with one._context.store.read() as tx:
            return bool(tx.execute(sa.text(LISTENS)).scalar())

    await asyncio.to_thread(wait_for, listens, what="a worker that listens")
    yield
    one.stop()
    await task


SHIFT, QUEUE, STORE = "whoever looks for what is due", "the worker's own look at its queue", "its own look at the store"


@pytest.mark.parametrize("by", [SHIFT, QUEUE, STORE])
async def test_a_wake_up_that_was_lost_is_made_up_for(store: Store, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """As with the connection that listens: each of three looks finds it, without the others."""
    own = {"_FETCH_EVERY": 0.5 if by == QUEUE else 900.0, "_LOOK_ANYWAY": 1.0 if by == STORE else 900.0}
    for name, value in {"_SHIFT": 2, "_LOOK_EVERY": 0.2, **own}.items():
        monkeypatch.setattr(cluster, name, value)
    if by != SHIFT:
        monkeypatch.setattr(Cluster, "_look", nothing)
    looks: list[object] = []
    monkeypatch.setattr(Embedded, "_claim", lambda _, now: nothing(looks.append(now)))
    async with running(engine(store, roles=[Role.POLL])):
        state_of(store)
        before = len(looks)
        with store.write() as tx:
            tx.connection.cursor().execute(UNHEARD)
        await asyncio.to_thread(wait_for, lambda: len(looks) > before, what="a look")


@pytest.mark.parametrize("error", [RuntimeError("a fault of our own"), psycopg.OperationalError("cut")], ids=type)
async def test_a_wake_up_that_fails_is_logged_and_the_next_is_answered(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Procrastinate, whose own log is silent, would take the job for done."""
    answered: list[Role] = []

    async def answer(_: Cluster, role: Role) -> None:
        answered.append(role)
        if len(answered) == 1:
            raise error

    monkeypatch.setattr(Cluster, "_answered", answer)
    monkeypatch.setattr(Embedded, "_claim", lambda _, __: nothing(None))
    with structlog.testing.capture_logs() as logged:
        async with running(engine(store, roles=[Role.POLL])):
            for number in (1, 2):
                with store.write() as tx:
                    queues.wake(tx, [Role.POLL])
                await asyncio.to_thread(wait_for, lambda n=number: len(answered) >= n, what="an answer")
    said = [line for line in logged if line.get("queue") == "poll" and line["event"].startswith("a wake-up")]
    assert [str(line.get("error") or line.get("exc_info")) for line in said] == [
        "cut" if isinstance(error, psycopg.Error) else "True"
    ]


async def test_a_wake_up_whose_end_cannot_be_stored_leaves_no_trace(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The database is away, which other lines say."""
    ended: list[object] = []

    async def finish(_: JobManager, *args: object, **more: object) -> None:
        ended.append((args, more))
        raise ConnectorException

    monkeypatch.setattr(JobManager, "finish_job", finish)
    monkeypatch.setattr(Embedded, "_claim", lambda _, __: nothing(None))
    async with running(engine(store, roles=[Role.POLL])):
        with store.write() as tx:
            queues.wake(tx, [Role.POLL])
        await asyncio.to_thread(wait_for, lambda: ended, what="the end of a wake-up")
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def test_a_worker_keeps_its_connection_while_it_leaves_the_store_alone(store: Store) -> None:
    """Without it, it would be taken for dead."""
    one = engine(store)
    one._rest()
    one.presence.close()
    await one._sweep()
    assert not one.presence.is_cut()
    one.presence.close()


async def test_a_worker_that_waits_for_a_lock_beats(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sweep hangs as long as that."""
    monkeypatch.setattr(Embedded, "_sweep", lambda _: asyncio.Event().wait())
    monkeypatch.setattr(embedded, "DRAIN_SECONDS", 0.1)
    beaten = threading.Event()
    one = engine(store, lambda _: beaten.set())
    running = asyncio.create_task(one.run())
    assert await asyncio.to_thread(beaten.wait, 60)
    one.stop()
    await running


async def test_what_the_dead_were_answering_is_deleted(store: Store) -> None:
    """An UPDATE would wake nobody. What earlier shifts saw counts in none that begins."""
    with store.write() as tx:
        tx.execute(sa.text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES ('2020-01-01')"))
        values = "(queue_name, task_name, status, worker_id) SELECT 'poll', 'poll', 'doing', id"
        tx.execute(sa.text(f"INSERT INTO procrastinate_jobs {values} FROM procrastinate_workers"))
    one = engine(store)
    one._unseen["two"] = 2
    one._stopping.set()
    async with cluster._pool(store) as pool, one._app.open_async(pool):
        await one._look_for_due(0)
    assert wake_ups(store) == []
    assert not one._unseen
    one.presence.close()


async def test_wake_ups_of_a_role_without_a_worker_do_not_pile_up(store: Store) -> None:
    """Each look for what is due leaves one of them, and none of another role is touched."""
    store.wake = queues.wake
    for number in range(3):
        publish(store, sighting(str(number)))
    assert wake_ups(store) == ["ingest"] * 3
    one = engine(store)
    async with cluster._pool(store) as pool, one._app.open_async(pool):
        await one._look()
    assert sorted(wake_ups(store)) == ["ingest", "poll"]
    one.presence.close()


# --- connections ----------------------------------------------------------------------------------------------------


def test_the_driver_gets_arguments_and_no_text() -> None:
    """Passwords with any sign, and several hosts."""
    url = sa.make_url("postgresql+psycopg://v:p%20'w@/d?host=a:1&host=b:2")
    found = Store(sa.create_engine(url)).driver_arguments()
    assert found.pop("application_name").endswith(STAMP)
    assert found.pop("connect_timeout") > 0
    assert found == {"user": "v", "password": "p 'w", "dbname": "d", "host": "a,b", "port": "1,2"}


def test_postgresql_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, with what to install."""
    monkeypatch.setitem(sys.modules, "procrastinate", None)
    with pytest.raises(StoreUnusableError, match=r"pip install 'veille\[cluster\]'"):
        open_store("postgresql+psycopg://nobody@localhost:1/none", create=True)
