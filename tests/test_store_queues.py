"""Queues of a cluster: what waits, who lives, and the places at hosts that all workers share."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from conftest import database
from rig import wait_for
from stored import NOW, feed, publish, sighting, state_of, take

from worker.errors import StoreError
from worker.model import Role
from worker.runtime.cluster import DatabaseClock, ring_in
from worker.runtime.embedded import LEASE
from worker.store import STAMP, Store, feeds, leases, open_deliveries, open_store, queues, upkeep


@pytest.fixture
def store(postgresql: str, postgresql_template: str) -> Iterator[Store]:
    """A new, empty store on PostgreSQL."""
    with database(postgresql, postgresql_template) as url:
        opened = open_store(url, create=False)
        yield opened
        opened.close()


@pytest.fixture
def members(store: Store) -> Iterator[tuple[queues.Membership, queues.Membership]]:
    """Two workers of a cluster."""
    one, two = queues.Membership(store, "one"), queues.Membership(store, "two")
    yield one, two
    one.close()
    two.close()


def beat(member: queues.Membership, owner: str, roles: str = "poll") -> None:
    """Write that a worker ticks, by the database's own clock."""
    now = member.now()
    one = upkeep.Heartbeat(owner=owner, host="h", pid=1, started=now, tick=now, roles=roles)
    member.run(lambda tx: upkeep.beat(tx, one))


def asked_for(store: Store, known: Callable[[str], object] = bool) -> set[Role]:
    with store.read() as tx:
        return set(queues.asked_for(tx, known, now=NOW))


def bells(store: Store) -> list[str]:
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


def test_a_transaction_rings_for_the_work_that_it_makes(store: Store) -> None:
    """Once for a role, when it commits; one that is undone rings for nobody, and one that makes no work neither."""
    state_of(store)
    ring_in(store)
    publish(store, sighting("1"), sighting("2"))
    assert bells(store) == ["ingest"]
    with contextlib.suppress(ZeroDivisionError), store.write() as tx:
        open_deliveries.open_delivery(tx, "log", "log:log", "article:1", due=NOW, now=NOW)
        raise ZeroDivisionError
    with store.write() as tx:
        open_deliveries.open_delivery(tx, "log", "log:log", "article:1", due=NOW + LEASE, now=NOW)
    assert bells(store) == ["ingest"]
    with store.write() as tx:
        open_deliveries.open_delivery(tx, "log", "log:log", "article:2", due=NOW, now=NOW)
    assert bells(store) == ["ingest", "deliver"]


# --- who lives ----------------------------------------------------------------------------------------------------


def test_a_worker_whose_connection_ended_is_gone(members: tuple[queues.Membership, queues.Membership]) -> None:
    """As when its process died; one that stands alone, with its own engine, is judged by nobody."""
    one, two = members
    beat(one, "one")
    beat(two, "two")
    beat(one, "embedded", roles="")
    assert (one.gone(frozen=40), two.gone(frozen=40)) == (frozenset(), frozenset())
    two.close()
    wait_for(lambda: one.gone(frozen=40) == {"two"}, what="the end of a session")


def test_a_worker_that_beats_no_more_is_gone(members: tuple[queues.Membership, queues.Membership]) -> None:
    """As when it is frozen, and its connection stands."""
    one, two = members
    beat(one, "one")
    beat(two, "two")
    assert one.gone(frozen=-1) == {"two"}


def test_a_connection_that_is_cut_is_noticed_and_opened_again(
    store: Store, members: tuple[queues.Membership, queues.Membership]
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
    one = queues.Membership(store, "one")
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


def test_a_worker_ends_no_session_of_its_own(members: tuple[queues.Membership, queues.Membership]) -> None:
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
        leases.give_back_idle(tx, "one", [names[1]], is_ingesting=True)
    with store.read() as tx:
        assert feeds.due(tx, names, now=NOW) == (names[0],)


# --- places at hosts ------------------------------------------------------------------------------------------------


def test_all_workers_share_the_places_at_a_host(members: tuple[queues.Membership, queues.Membership]) -> None:
    """Two of one host, whoever has them; other hosts have their own; and the dead give theirs back."""
    one, two = members
    places = [one.take_place("a.example", 2), two.take_place("a.example", 2)]
    assert sorted(filter(lambda place: place is not None, places)) == [0, 1]
    assert one.take_place("a.example", 2) is None
    assert two.take_place("a.example", 2) is None
    assert one.take_place("b.example", 2) == 0
    one.give_place("a.example", places[0] or 0)
    assert two.take_place("a.example", 2) == places[0]
    two.close()
    wait_for(lambda: one.take_place("a.example", 2) is not None, what="a place of the dead")


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
