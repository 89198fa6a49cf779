"""Workers that stop in order or die with work in hand, and a store that takes no outcome: C16, C17, S16.

Real processes where the row asks for them; the sends go to sinks on loopback.
"""

import asyncio
import signal
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from desk import Desk, email_target, log_target, scripted, until
from feedserver import FeedServer
from rig import WORDS, Item, Site, rss, wait_for
from sinks import HttpSink, Reply
from test_pipeline_deliver import create_obligations

from worker.errors import StoreError
from worker.model import Notice, Outcome, Receipt
from worker.pipeline import deliver as deliver_job
from worker.runtime import embedded
from worker.runtime.embedded import Embedded
from worker.store import Store, open_deliveries, open_store

QUEUED, STOPS = 120, 5


def slack(name: str, sink: HttpSink) -> str:
    """A target that posts to a sink as fast as it can."""
    webhook = f"http://127.0.0.1:{sink.port}/{name}"
    return f'[[target]]\nid = "{name}"\nslack = {{ webhook = "{webhook}" }}\nrate = "unlimited"\n'


def visits(count: int) -> list[Item]:
    """Articles that the first rule tells, no two alike."""
    texts = [" ".join(WORDS[(n * 7 + at * (n % 11 + 1)) % len(WORDS)] for at in range(40)) for n in range(count)]
    return [
        Item(f"v{n}", f"Dossier {n}", f"Hun Sen en visite, dossier {n} : {text}.", f"https://example.org/{n}")
        for n, text in enumerate(texts)
    ]


class Asked:
    """A store that a test looks into beside its workers."""

    def __init__(self, url: str) -> None:
        self.store = open_store(url, create=False)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """The rows of an answer."""
        with self.store.read() as tx:
            return [tuple(row) for row in tx.execute(sa.text(query))]

    def one(self, query: str) -> object:
        """The one value it says."""
        ((value,),) = self.rows(query)
        return value


def queue(store: Store, target: str, count: int) -> None:
    """Messages that wait for a target."""
    with store.write() as tx:
        for n in range(count):
            notice = Notice(subject=f"{target} {n}", body="Une ligne.")
            open_deliveries.notify(tx, target, [f"slack:{target}"], notice, datetime.now(UTC))


def test_c16_stopped_five_times_amid_sends(tmp_path: Path) -> None:
    """A send that each stop cuts off is in doubt, and never taken for what kills the process; others go on at once."""
    forever = threading.Event()
    hangs, takes_time = [Reply(until=forever)] * STOPS, [Reply(delay=0.25)] * QUEUED
    with FeedServer() as server, HttpSink(*hangs) as slow, HttpSink(*takes_time) as quick, ExitStack() as at_end:
        at_end.callback(forever.set)
        url = f"sqlite:///{tmp_path / 'veille.db'}"
        store = open_store(url, create=True)
        at_end.callback(store.close)
        queue(store, "slow", 1)
        queue(store, "quick", QUEUED)
        asked = Asked(url)
        at_end.callback(asked.store.close)
        allow = [server.place, f"127.0.0.1:{slow.port}", f"127.0.0.1:{quick.port}"]
        targets = slack("slow", slow) + slack("quick", quick)
        site = Site(tmp_path, feeds=[server.serve("/feed", rss([]))], allow=allow, targets=targets)
        site.environ = {"INSTEAD": '{"worker.runtime.embedded.DRAIN_SECONDS": 1}'}
        for stop in range(STOPS):
            before = len(quick.received)
            with site.running() as worker:
                wait_for(lambda n=stop: len(slow.received) > n, what=f"send {stop + 1} that hangs")
                wait_for(lambda n=before: len(quick.received) >= n + 8, what="others that go on")
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(timeout=60) in {0, 128 + signal.SIGTERM}
            assert len(quick.received) < QUEUED, "the queue was too short to show anything"
        cut_off = "SELECT a.outcome FROM attempt a JOIN delivery d ON d.id = a.delivery_id WHERE d.target_id = 'slow'"
        assert asked.rows(cut_off) == [("uncertain",)] * STOPS
        with site.running():
            left = "SELECT count(*) FROM delivery WHERE state != 'sent'"
            wait_for(lambda: asked.one(left) == 0, seconds=120, what="all sent")
        assert asked.rows("SELECT target_id, state, count(*) FROM delivery GROUP BY 1, 2 ORDER BY 1") == [
            ("quick", "sent", QUEUED),
            ("slow", "sent", 1),
        ]
        assert asked.one("SELECT count(*) FROM attempt WHERE outcome = ''") == 0


@pytest.mark.parametrize(
    ("point", "held"),
    [
        pytest.param("before_ingest_commit", "entry", id="entries"),
        pytest.param("after_claim", "delivery", id="deliveries"),
    ],
)
def test_c17_what_a_dead_worker_held(tmp_path: Path, postgresql_url: str, point: str, held: str) -> None:
    """Another one that lives takes it over within a minute, though the leases last for several; all is sent in two."""
    with FeedServer() as server, HttpSink() as sink, ExitStack() as at_end:
        url = server.serve("/feed", rss(visits(3)))
        sites = []
        for name in ("dies", "lives"):
            allow = [server.place, f"127.0.0.1:{sink.port}"]
            site = Site(tmp_path / name, feeds=[url], allow=allow, targets=slack("quick", sink), store=postgresql_url)
            sites.append(site)
        dies, lives = sites
        other = lives.start(
            INSTEAD='{"worker.runtime.self_watch.LOST_AFTER": 3, "worker.runtime.worker._BEAT_EVERY": 0.5}'
        )
        at_end.callback(other.wait)
        at_end.callback(other.kill)
        wait_for(lambda: '"started"' in lives.log(), what="a start")
        asked = Asked(postgresql_url)
        at_end.callback(asked.store.close)
        wait_for(lambda: asked.one("SELECT count(*) FROM entry WHERE state = 'done'") == 3, what="a first poll")
        wait_for(lambda: asked.one("SELECT count(*) FROM delivery WHERE state = 'sent'") == 3, what="first messages")
        other.send_signal(signal.SIGSTOP)
        server.serve("/feed", rss(visits(6)))
        with asked.store.write() as tx:
            tx.execute(sa.text("UPDATE feed SET due = '2000-01-01', lease_until = NULL"))
        worker = dies.start(FAULT_POINT=point)
        assert worker.wait(timeout=60) == -signal.SIGKILL
        leased = f"SELECT count(*) FROM {held} WHERE lease_until > now() + interval '2 minutes'"
        assert asked.one(leased)
        other.send_signal(signal.SIGCONT)
        began = time.monotonic()
        taken = "a worker ended without stopping; its work is taken over"
        wait_for(lambda: taken in lives.log(), what="taking over")
        wait_for(
            lambda: asked.one("SELECT count(*) FROM delivery WHERE state = 'sent'") == 6,
            seconds=120 - (time.monotonic() - began),
            what="all sent",
        )
        assert asked.one("SELECT count(*) FROM heartbeat") == 1


async def test_s16_outcomes_while_the_store_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six sends are accepted while nothing can be stored, for longer than a lease: none goes out a second time."""
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(embedded, "REST_SECONDS", 0.1)
    monkeypatch.setattr(deliver_job, "_PAUSES", (0.05,))
    targets = [
        email_target("desk", *(f"n{n}@example.org" for n in range(3))),
        log_target(),
        log_target("b"),
        log_target("c"),
    ]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets)) as desk:
        ids = await create_obligations(desk)
        full, accepted = asyncio.Event(), []

        async def accept() -> Receipt:
            accepted.append(1)
            await full.wait()
            return Receipt(outcome=Outcome.SENT)

        for target in targets:
            desk.script[target.id] = [accept] * 20
        refused, real = [], deliver_job.deliveries.finish

        def finish(*args: object, **more: object) -> bool:
            if not refused or refused[-1] != "room":
                refused.append("full")
                raise StoreError("the store could not do it: database or disk is full")
            return real(*args, **more)

        monkeypatch.setattr(deliver_job.deliveries, "finish", finish)

        async def nothing(_: object) -> None:
            """No upkeep."""

        engine = Embedded(desk.context, nothing)
        run = asyncio.create_task(engine.run())
        await until(lambda: len(accepted) == len(ids) == 6)
        full.set()
        await until(lambda: len(refused) > 12)
        for _ in range(3):
            desk.later(minutes=5)
            seen = len(refused)
            await until(lambda n=seen: len(refused) > n + 12)
        refused.append("room")
        await until(lambda: desk.one("SELECT count(*) FROM delivery WHERE state = 'sent'") == 6)
        engine.stop()
        await run
        assert len(desk.told) == 6, "nothing was sent again"
        assert timedelta(minutes=15) > deliver_job.LEASE
