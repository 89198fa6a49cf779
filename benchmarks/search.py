"""The index of words: building it over a stored archive, its size, and how long a person waits for an answer.

    python benchmarks/dedupetexts.py 100000 > articles.jsonl
    python benchmarks/search.py articles.jsonl

Every 50th article holds the words `Hun Sen en visite à Hanoï`, every 1,000th `Thủ đô Hà Nội`. They are stored without
what copies and stories are recognised by; then migration 0021 builds the index. A query is asked for as `veille search`
asks, each the median of seven rounds, in processor time of the query alone.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from worker.store import Tx, articles, finding, open_store, schema, search
from worker.store.finding import Filters
from worker.store.tables import ARTICLE, REVISION

NOW = datetime(2026, 2, 6, 8, 30, tzinfo=UTC)
ROUNDS = 7
QUERIES = ("hun sen visite", "hanoi", "HANOÏ", "ha noi", "hà nội", '"hun sen"', "la", "tion", "introuvable")


def filled(url: str, file: Path, most: int) -> int:
    """Store the articles in a store of the version before; returns how many."""
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        schema.migrate(tx, "0014")
    count = 0
    with file.open(encoding="utf-8") as lines, engine.begin() as tx:
        while page := list(islice(lines, 1_000)):
            rows = [json.loads(line) for line in page[: most - count]]
            _store(tx, count, rows)
            count += len(rows)
            if count >= most:
                break
    engine.dispose()
    return count


def _store(tx: Tx, before: int, rows: list[dict[str, str]]) -> None:
    added = []
    for number, row in enumerate(rows, before + 1):
        words = "Hun Sen en visite à Hanoï. " * (not number % 50) + "Thủ đô Hà Nội. " * (not number % 1_000)
        seen = NOW - timedelta(minutes=200_000 - number)
        added.append((number, row["title"], words + row["text"], seen))
    defaults = {"origin": "feed", "novelty": "new", "revision": 1, "language": "fr", "source": "A", "name": ""}
    defaults |= {"url": "", "link": "", "precision": "", "score": 0.0, "why": "No earlier article has this text."}
    tx.execute(
        sa.insert(ARTICLE),
        [defaults | {"id": n, "title": title, "published": at, "first_seen": at} for n, title, _, at in added],
    )
    tx.execute(
        sa.insert(REVISION),
        [
            {"article_id": n, "number": 1, "title": title, "body": body, "created": at, "cut": ""}
            for n, title, body, at in added
        ],
    )


def main() -> None:
    """Fill, migrate, ask."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--articles", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "veille.db"
        count = filled(f"sqlite:///{path}", options.file, options.articles)
        before, memory = path.stat().st_size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, cpu = time.perf_counter(), time.process_time()
        store = open_store(f"sqlite:///{path}", create=True)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - began
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
        with store.write() as tx:
            size = tx.exec_driver_sql("SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'search%'").scalar()
        print(f"{count} articles in {before / 1e6:.0f} MB; index {int(size or 0) / count:.0f} bytes an article")
        print(f"migration: {cpu:.1f} s of CPU, {wall:.1f} s; {more:.0f} MB more memory")
        for query in QUERIES:
            took = []
            for _ in range(ROUNDS):
                start = time.process_time()
                with store.read() as tx:
                    found = finding.found(tx, search.AllOf(search.read(query)), Filters(), limit=20)
                took.append(time.process_time() - start)
            with store.read() as tx:
                start = time.process_time()
                newest = articles.newest(tx, limit=20, containing=query)
                listed = time.process_time() - start
            print(
                f"{query:16}{len(found):4} found {1000 * statistics.median(took):8.1f} ms, as `articles`, "
                f"{len(newest)} found {1000 * listed:8.1f} ms"
            )
        store.close()


if __name__ == "__main__":
    main()
