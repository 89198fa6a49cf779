"""SIGKILL at any instant loses no alert; a repeat is only a send that was in flight (FAULTS S01, S02, N07, F17)."""

import contextlib
import email
import email.policy
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
import sqlalchemy as sa
from feedserver import FeedServer
from rig import WORDS, Item, Site, rss, wait_for
from sinks import HttpSink, SmtpSink

from worker.store import open_store, schema


class Newsroom:
    """Publishes items of which every other one is to be told, and remembers which."""

    def __init__(self, server: FeedServer, feeds: int, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.items: list[list[Item]] = [[] for _ in range(feeds)]
        self.owed: set[str] = set()
        self.urls = [server.serve(f"/{n}", rss([])) for n in range(feeds)]

    def publish(self, each: int) -> None:
        """Put `each` more items into every feed."""
        for number, items in enumerate(self.items):
            for _ in range(each):
                name = f"Z{number}N{len(items)}"
                told = self.chance.random() < 0.5
                words = " ".join(self.chance.choices(WORDS, k=60))
                text = ("Hun Sen part en visite. " if told else "") + f"Dossier {name} : {words}."
                items.append(Item(name, f"Dépêche {name}", text, f"https://example.org/{name}"))
                if told:
                    self.owed.add(name)
            # With an ETag, so that a validator that outlives its entries would lose them (F17).
            self.server.serve(f"/{number}", rss(items), etag=f'"{len(items)}"')


def database(site: Site) -> sqlite3.Connection:
    return sqlite3.connect(site.folder / "veille.db", timeout=30)


def in_flight(site: Site) -> set[str]:
    """The stage of a process that was killed, read from what it left."""
    with database(site) as db:

        def some(query: str) -> bool:
            return bool(db.execute(f"SELECT EXISTS ({query})").fetchone()[0])

        points = {
            "polling": "SELECT 1 FROM feed WHERE lease_until IS NOT NULL",
            "ingesting": "SELECT 1 FROM entry WHERE state = 'ready' AND lease_until IS NOT NULL",
            "entries waiting": "SELECT 1 FROM entry WHERE state = 'ready' AND lease_until IS NULL",
            "sending": "SELECT 1 FROM delivery WHERE lease_until IS NOT NULL",
            "deliveries waiting": "SELECT 1 FROM delivery WHERE state = 'open'",
        }
        return {point for point, query in points.items() if some(query)}


def left_to_do(site: Site) -> int:
    """Entries, deliveries and polls that are under way or due."""
    with database(site) as db:
        query = (
            "SELECT (SELECT count(*) FROM entry WHERE state NOT IN ('done', 'quarantined')) + "
            "(SELECT count(*) FROM delivery WHERE state IN ('open', 'sealed', 'retry')) + "
            "(SELECT count(*) FROM feed WHERE due < '2001-01-01')"
        )
        return int(db.execute(query).fetchone()[0])


def quiet(site: Site) -> bool:
    """Nothing is under way and nothing is due."""
    return left_to_do(site) == 0


def due_now(site: Site) -> None:
    """Make every feed due, as if its interval had passed."""
    with database(site) as db:
        db.execute("UPDATE feed SET due = '2000-01-01 00:00:00.000000'")


def retry_now(site: Site) -> None:
    """Make every delivery that waits for another try due, as if its pause had passed."""
    with database(site) as db:
        db.execute("UPDATE delivery SET due = '2000-01-01 00:00:00.000000' WHERE state = 'retry'")


def named(text: str) -> str:
    found = re.search(r"Z\d+N\d+", text)
    assert found, text
    return found[0]


def received(smtp: SmtpSink, slack: HttpSink) -> Iterator[tuple[str, str]]:
    """(item, recipient) of everything that arrived."""
    for mail in list(smtp.received):
        subject = email.message_from_bytes(mail.content, policy=email.policy.default)["subject"]
        yield named(subject), f"mailto:{mail.recipients[0]}"
    for post in list(slack.received):
        yield named(json.dumps(json.loads(post.body), ensure_ascii=False)), "slack:mekong"


def assert_nothing_lost(site: Site, newsroom: Newsroom, smtp: SmtpSink, slack: HttpSink) -> Counter[tuple[str, str]]:
    """The oracle: what is owed is computed from what was published, what was told from what arrived."""
    recipients = ("mailto:a@example.org", "mailto:b@example.org", "slack:mekong")
    owed = {(name, recipient) for name in newsroom.owed for recipient in recipients}
    arrived = Counter(received(smtp, slack))
    with database(site) as db:
        stored = {json.loads(row[0])["guid"] for row in db.execute("SELECT parsed FROM entry")}
        assert stored == {item.guid for items in newsroom.items for item in items}, "O1: everything served is stored"
        obligations = Counter(
            (named(title), recipient)
            for title, recipient in db.execute(
                "SELECT r.title, o.recipient FROM obligation o JOIN match m ON m.id = o.match_id "
                "JOIN revision r ON r.id = m.revision_id WHERE o.verdict = 'owed'"
            )
        )
        assert obligations == Counter(dict.fromkeys(owed, 1)), "O2: exactly one obligation each"
        assert set(arrived) == owed, "O3: each owed alert arrived, and no other"
        excused = Counter(
            {
                (named(title), recipient): n
                for title, recipient, n in db.execute(
                    "SELECT d.subject, d.recipient, count(*) FROM delivery d JOIN attempt a ON a.delivery_id = d.id "
                    "WHERE a.outcome IN ('', 'uncertain') GROUP BY d.id"
                )
            }
        )
        for key, times in arrived.items():
            assert times <= 1 + excused[key], f"{key} came {times} times, with {excused[key]} attempts cut short"
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert not db.execute("PRAGMA foreign_key_check").fetchall()
    return Counter({key: times for key, times in arrived.items() if times > 1})


def watching(tmp_path: Path, newsroom: Newsroom, smtp: SmtpSink, slack: HttpSink) -> Site:
    """A site that watches the newsroom and tells two mailboxes and a Slack channel."""
    targets = f"""
[[target]]
id = "desk"
email = {{ to = ["a@example.org", "b@example.org"], from = "v@example.org", smtp = "smtp://127.0.0.1:{smtp.port}" }}
[[target]]
id = "mekong"
slack = {{ webhook = "http://127.0.0.1:{slack.port}/hook" }}
rate = "unlimited"
"""
    allow = [newsroom.server.place, f"127.0.0.1:{slack.port}"]
    return Site(tmp_path, feeds=newsroom.urls, allow=allow, targets=targets)


def wait_while_it_works(site: Site) -> None:
    """Return once nothing is left to do; a busy machine may take long, but not without any progress."""
    while not quiet(site):
        before = left_to_do(site)
        wait_for(lambda n=before: retry_now(site) or quiet(site) or left_to_do(site) != n, what="progress")


#: Work that a process may have in hand: see `in_flight`.
WORK = ["polling", "entries waiting", "ingesting", "deliveries waiting", "sending"]


def kill_repeatedly(tmp_path: Path, kills: int, seed: int) -> None:
    """Kill a worker `kills` times while it works, each time at other work, then let it finish, and ask the oracle."""
    chance = random.Random(seed)
    points: Counter[str] = Counter()
    with FeedServer() as server, SmtpSink() as smtp, HttpSink() as slack:
        newsroom = Newsroom(server, feeds=8, seed=seed)
        site = watching(tmp_path, newsroom, smtp, slack)
        site.poll()
        counted = tried = 0
        while counted < kills:
            tried += 1
            assert tried < 3 * kills + 10, f"only {counted} of {tried} kills hit work: {points}"
            newsroom.publish(each=2)
            due_now(site)
            started, polled = site.log().count('"started"'), len(server.log)
            worker = site.start()
            try:
                # Once it has started it has let go of what the one before left in hand: what is held now is its own.
                wait_for(lambda n=started: site.log().count('"started"') > n, what="a start")
                wait_for(lambda n=polled: len(server.log) > n, what="a poll")
                point = WORK[counted % len(WORK)]
                # It may be too short to be seen from outside.
                wait_for(lambda point=point: point in in_flight(site) or quiet(site), what=point)
                time.sleep(chance.random() * 0.05)
            finally:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
            left = in_flight(site)
            counted += bool(left)
            points.update(left)
        print(f"\n{counted} kills that hit work, of {tried}; what was in flight: {dict(points.most_common())}")
        due_now(site)
        with site.running():
            wait_while_it_works(site)
        again = assert_nothing_lost(site, newsroom, smtp, slack)
        print(f"{len(newsroom.owed) * 3} alerts owed, 0 lost, {sum(again.values()) - len(again)} repeated")


def test_s01_kills_in_the_middle_of_the_work(tmp_path: Path) -> None:
    """A kill for each kind of work that a process may have in hand."""
    kill_repeatedly(tmp_path, kills=len(WORK), seed=1)


@pytest.mark.soak
def test_s01_hundred_kills(tmp_path: Path) -> None:
    """A hundred."""
    kill_repeatedly(tmp_path, kills=100, seed=2)


POINTS = [
    "after_fetch",
    "before_commit",
    "after_commit",
    "before_ingest_commit",
    "after_ingest_commit",
    "before_claim_commit",
    "after_claim",
    "before_send",
    "after_send_before_mark",
]


@pytest.mark.parametrize("point", POINTS)
def test_s02_kill_at(tmp_path: Path, point: str) -> None:
    """A kill at a named point; after a restart everything is told, and told twice only where the send had begun."""
    with FeedServer() as server, SmtpSink() as smtp, HttpSink() as slack:
        newsroom = Newsroom(server, feeds=1, seed=3)
        site = watching(tmp_path, newsroom, smtp, slack)
        newsroom.publish(each=4)
        site.environ = {"FAULT_POINT": point}
        assert site.veille("poll", code=None).returncode == -signal.SIGKILL
        site.environ = {}
        site.poll()
        again = assert_nothing_lost(site, newsroom, smtp, slack)
        assert not again or point == "after_send_before_mark"


class Assassin:
    """A web service that ends whoever sends to it when the first bytes of the body are here."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.pid = 0
        self.heard = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._listening, self._listening.accept()[0] as connection:
            while b"\r\n\r\n" not in self.heard or self.heard.endswith(b"\r\n\r\n"):
                self.heard += connection.recv(64)
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Return when it is done."""
        self._thread.join(60)


def test_s02_kill_in_the_middle_of_a_body(tmp_path: Path) -> None:
    """A message that had begun to arrive is sent again, whole; nothing else is sent twice."""
    with FeedServer() as server, SmtpSink() as smtp, HttpSink() as slack:
        newsroom = Newsroom(server, feeds=1, seed=4)
        assassin = Assassin()
        site = watching(tmp_path, newsroom, smtp, assassin)  # type: ignore[arg-type]  has a port
        newsroom.publish(each=4)
        worker = site.start()
        assassin.pid = worker.pid
        assert worker.wait(60) == -signal.SIGKILL
        assassin.wait()
        assert b"POST /hook" in assassin.heard
        site = watching(tmp_path, newsroom, smtp, slack)
        due_now(site)
        with site.running():
            wait_while_it_works(site)
        again = assert_nothing_lost(site, newsroom, smtp, slack)
        assert all(to.startswith("mailto:") for _, to in again)


#: Runs `open_store` and dies in the middle of it: before the Nth table or index that it makes.
MIGRATING = """
import os, signal, sys
import sqlalchemy as sa
from worker.store import open_store
left = [int(sys.argv[2])]
def before(_c, _u, words, *_):
    left[0] -= words.lstrip().startswith("CREATE")
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "before_cursor_execute", before)
open_store("sqlite:///" + sys.argv[1], create=True)
"""


@pytest.mark.parametrize(("version", "made"), [("", 1), ("", 20), ("0001", 1), ("0001", 8)])
def test_s02_kill_during_a_migration(tmp_path: Path, version: str, made: int) -> None:
    """Nothing of it is there; the next start makes all of it, and the store is sound."""
    path = tmp_path / "veille.db"
    if version:
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.begin() as tx:
            schema.migrate(tx, version)
        engine.dispose()
    before = everything_in(path) if version else set()
    assert forked.python(MIGRATING, str(path), str(made)).returncode == -signal.SIGKILL
    assert everything_in(path) == before
    store = open_store(f"sqlite:///{path}", create=True)
    store.check_integrity()
    store.close()
    assert everything_in(path) > {"feed", "article"}


def everything_in(path: Path) -> set[str]:
    """The names of a store's tables and indexes."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master")}


#: Commits without end, takes the log back into the store after each, and says what is committed.
CHECKPOINTING = """
import sys
import sqlalchemy as sa
from worker.store import open_store
store = open_store("sqlite:///" + sys.argv[1], create=False)
sa.event.listen(store._engine, "checkout", lambda raw, *_: raw.execute("PRAGMA wal_autocheckpoint = 1"))
n = int(sys.argv[2])
while True:
    n += 1
    with store.write() as tx:
        tx.execute(sa.text("INSERT INTO raw VALUES (:n, zeroblob(20000), '2026-01-01 00:00:00.000000')"), {"n": str(n)})
    print(n, flush=True)
"""


def test_s02_kill_during_a_checkpoint(tmp_path: Path) -> None:
    """Whatever was said to be committed is there, and the store is sound."""
    chance, path, last = random.Random(1), tmp_path / "veille.db", 0
    open_store(f"sqlite:///{path}", create=True).close()
    for _ in range(2):
        command = [sys.executable, "-c", CHECKPOINTING, str(path), str(last)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randint(5, 60)):
                last = int(writer.stdout.readline())
            writer.kill()
            # What was said after the last line that was read, too.
            last = max([last, *map(int, writer.stdout.read().split())])
        with contextlib.closing(sqlite3.connect(path)) as db:
            there = {int(row[0]) for row in db.execute("SELECT sha256 FROM raw")}
            assert set(range(1, last + 1)) <= there
            last = max(there)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


#: Between a match and its receipt.
DELIVERING = POINTS[POINTS.index("before_ingest_commit") :]


def kill_at_points(tmp_path: Path, kills: int, seed: int) -> None:
    """Kill a pass at named points, the Nth time that each is reached, and ask the oracle at the end.

    A kill counts only where a delivery was in flight: committed or about to be, and not written down as sent.
    """
    chance = random.Random(seed)
    points: Counter[str] = Counter()
    with FeedServer() as server, SmtpSink() as smtp, HttpSink() as slack:
        newsroom = Newsroom(server, feeds=2, seed=seed)
        site = watching(tmp_path, newsroom, smtp, slack)
        site.poll()
        tried = 0
        while points.total() < kills:
            tried += 1
            assert tried < 2 * kills + 10, f"only {points} of {tried} passes died with a delivery in flight"
            newsroom.publish(each=2)
            point = min(DELIVERING, key=lambda point: points[point])
            site.environ = {"FAULT_POINT": f"{point}:{chance.randint(1, 4)}"}
            died = site.veille("poll", code=None).returncode == -signal.SIGKILL
            if died and in_flight(site) & {"sending", "deliveries waiting", "ingesting", "entries waiting"}:
                points[point] += 1
        site.environ = {}
        print(f"\n{points.total()} kills with a delivery in flight, of {tried} passes: {dict(points.most_common())}")
        assert set(points) == set(DELIVERING)
        for _ in range(3):
            retry_now(site)
            site.poll()
        again = assert_nothing_lost(site, newsroom, smtp, slack)
        print(f"{len(newsroom.owed) * 3} alerts owed, 0 lost, {sum(again.values()) - len(again)} repeated")


def test_n07_kills_between_match_and_receipt(tmp_path: Path) -> None:
    """A kill at every point between a match and its receipt."""
    kill_at_points(tmp_path, kills=len(DELIVERING), seed=4)


@pytest.mark.soak
def test_n07_two_hundred_kills_between_match_and_receipt(tmp_path: Path) -> None:
    """Two hundred."""
    kill_at_points(tmp_path, kills=200, seed=5)
