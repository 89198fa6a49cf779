"""The console over many stored articles: how long a page is worked on, and whether the worker's loop is late meanwhile.

    python benchmarks/console.py [--articles 1000000] [--keep FOLDER]

The store is filled with articles of a year, drawn from a thousand words; three in four open a story, one in two hundred
matches a rule and was sent. Pages are asked for in this process, one after the other, each the median and the worst of
seven rounds in wall time; beside them a task of the same event loop sleeps for 20 ms at a time and says by how much it
woke too late at worst. Then drafts are tried on ninety days, as the workbench does: until there is something to show,
and to the end, in wall time and in processor time. With `--keep` the store is made once and used again.
"""

import argparse
import asyncio
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import sqlalchemy as sa

from worker.console.desk import Desk
from worker.console.pages import routes
from worker.console.server import application
from worker.console.views.workbench import Draft, Trial, check
from worker.pipeline.context import ActiveConfig
from worker.pipeline.discover import Found
from worker.runtime.load import load, open_for
from worker.store import Store, Tx
from worker.store.tables import ARTICLE, DELIVERY, FEED, MATCH, OBLIGATION, REVISION, STORY, STORY_ARTICLE

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
ROUNDS, BATCH = 7, 5_000
CONFIG = """
[store]
url = "sqlite:///veille.db"
[rules]
folder = "rules"
[http]
listen = "127.0.0.1:8080"
[[feed]]
url = "https://one.example/rss"
name = "Fil 1"
[[target]]
id = "log"
log = { folder = "alerts" }
"""
RULE = '[[rule]]\nid = "visit"\nname = "Visite"\nseverity = "high"\nwhen = "visite NEAR/8 ministre"\n'
COMMON = ("le", "la", "les", "de", "des", "un", "et", "ministre", "pays", "accord", "province", "visite")
#: Drafts: words, and shipped patterns about few articles and about many.
DRAFTS = (
    *("visite NEAR/8 ministre", "visits(@hun_sen, home = @cambodia)", "visits(ministre, home = @cambodia)"),
    *("meets(ministre)", "signs(@cambodia)"),
)
#: The archive has the numbers below.
FIRST = 1_001


def fill(store: Store, count: int) -> None:
    """Put `count` articles into an empty store."""
    draw = random.Random(7)
    words = [*COMMON, *("".join(draw.choices("bcdfglmnprstv", k=2)) + draw.choice("aeiou") * 2 for _ in range(1_000))]
    with store.write() as tx:
        feed = tx.execute(
            FEED.insert().values(key="https://one.example/rss", name="Fil 1", due=NOW).returning(FEED.c.id)
        )
        feed.scalar_one()
    for first in range(0, count, BATCH):
        rows = [_article(number, count, words, draw) for number in range(first, min(first + BATCH, count))]
        with store.write() as tx:
            _store(tx, rows)


def _article(number: int, count: int, words: list[str], draw: random.Random) -> tuple[int, str, str, datetime]:
    title = " ".join(draw.choices(words, k=9))
    body = " ".join(draw.choices(words, k=60)) + (" Le ministre en visite officielle." if number % 200 == 0 else "")
    return FIRST + number, title, body, NOW - timedelta(minutes=(count - number) * 525_600 / count)


def _store(tx: Tx, rows: list[tuple[int, str, str, datetime]]) -> None:
    def put(table: sa.Table, values: list[dict[str, object]]) -> None:
        tx.execute(table.insert(), values)

    same = {"origin": "feed", "language": "fr", "novelty": "new", "revision": 1, "score": 0.0, "precision": ""}
    same |= {"name": "", "url": "", "why": ""}
    put(
        ARTICLE,
        [
            same
            | {
                "id": n,
                "link": f"https://one.example/{n}",
                "source": f"Agence {n % 40}",
                "title": title,
                "published": at,
                "first_seen": at,
            }
            for n, title, _, at in rows
        ],
    )
    put(
        REVISION,
        [
            {"id": n, "article_id": n, "number": 1, "title": title, "body": body, "created": at, "cut": ""}
            for n, title, body, at in rows
        ],
    )
    tx.execute(
        sa.text("INSERT INTO search (rowid, title, body) VALUES (:n, :t, :b)"),
        [{"n": n, "t": title, "b": body} for n, title, body, _ in rows],
    )
    opens = [row for row in rows if row[0] % 4 or row is rows[0]]
    put(
        STORY,
        [{"id": n, "title": title, "first_seen": at, "last_seen": at, "created": at} for n, title, _, at in opens],
    )
    last, told = 0, []
    for n, _, _, at in rows:
        last = last if not n % 4 and last else n
        told.append({"article_id": n, "story_id": last, "published": at, "language": "fr", "score": 0.0})
    put(STORY_ARTICLE, told)
    matched = [row for row in rows if row[0] % 200 == 1]
    put(
        MATCH,
        [
            {
                "id": n,
                "article_id": n,
                "revision_id": n,
                "rule_id": "visit",
                "rule_name": "Visite",
                "rule_hash": "h",
                "severity": "high",
                "spans": "[]",
                "created": at,
            }
            for n, _, _, at in matched
        ],
    )
    put(
        DELIVERY,
        [
            {
                "id": n,
                "key": f"k{n}",
                "target_id": "log",
                "recipient": "log:log",
                "collects": f"article:{n}",
                "state": "sent",
                "due": at,
                "created": at,
                "attempts": 1,
                "finished": at,
                "message_id": "m",
                "subject": title,
            }
            for n, title, _, at in matched
        ],
    )
    put(
        OBLIGATION,
        [
            {
                "match_id": n,
                "rule_id": "visit",
                "article_id": n,
                "target_id": "log",
                "recipient": "log:log",
                "occasion": "first",
                "verdict": "owed",
                "delivery_id": n,
                "created": at,
            }
            for n, _, _, at in matched
        ],
    )


def made(folder: Path, count: int) -> Path:
    """The configuration of a store of so many articles, made unless it is there."""
    config = folder / "config.toml"
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    for path in (Path(__file__).parents[1] / "rules").glob("*.toml"):
        shutil.copy(path, folder / "rules")
    if not config.exists():
        (folder / "rules" / "visit.toml").write_text(RULE, encoding="utf-8")
        config.write_text(CONFIG, encoding="utf-8")
        start = time.perf_counter()
        store = open_for(load(config).config, create=True)
        fill(store, count)
        store.close()
        print(
            f"{count} articles in {time.perf_counter() - start:.0f} s, {(folder / 'veille.db').stat().st_size >> 20} MB"
        )
    return config


def pages(count: int) -> Iterator[tuple[str, str]]:
    """Names and addresses of the pages that are asked for."""
    yield "Today", "/"
    yield "Today, matched", "/?only=matched"
    yield "a week's matches", "/missed?since=2026-11-23"
    yield "search of two words", "/search?q=ministre+visite"
    yield "search of two words, common", "/search?q=accord+province"
    yield "search in the rule language", "/search?as=rule&q=visite+NEAR/8+ministre"
    yield "a story", f"/stories/{FIRST + count - 6 - (FIRST + count) % 4}"
    yield "an article", f"/articles/{FIRST + count - 200}"
    yield "the ledger", "/alerts/ledger"
    yield "the ledger, filtered", "/alerts/ledger?rule=visit&outcome=failed"
    yield "alerts", "/alerts"
    yield "rules", "/rules"
    yield "feeds", "/feeds"
    yield "missed in a week", "/missed?since=2026-11-23&until=2026-11-30"


async def measure(config: Path, count: int) -> None:
    """Ask each page, and print what it took."""
    live = load(config)
    store = open_for(live.config, create=False)
    desk = Desk(
        store=store,
        live=lambda: live,
        clock=lambda: NOW,
        path=config,
        bound=live.config.listen,
        is_alive=lambda _beat: True,
        reload=lambda: None,
        discover=lambda _url: Found(),
        try_rules=lambda _entries, _feed: (),
    )
    app = application(lambda: True, lambda: None, shown=routes(desk))  # type: ignore[arg-type,return-value]  # no metrics are asked for
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client:
        for name, path in pages(count):
            took, late = [], 0.0
            for _ in range(ROUNDS):
                watched = asyncio.create_task(_lateness())
                start = time.perf_counter()
                answer = await client.get(path)
                took.append(1_000 * (time.perf_counter() - start))
                watched.cancel()
                late = max(late, *(await asyncio.gather(watched)))
            print(
                f"{name:30}{answer.status_code} {statistics.median(took):8.0f} ms, worst {max(took):8.0f}, "
                f"loop late by {1_000 * late:6.0f} ms, {len(answer.content) >> 10} kB"
            )
    for when in DRAFTS:
        _try(live, store, when)
    store.close()


def _try(live: ActiveConfig, store: Store, when: str) -> None:
    """Check a draft and run it over history, and print what that took."""
    start, work = time.perf_counter(), time.process_time()
    rule = check(live, Draft(id="draft", when=when), NOW).rule
    assert rule is not None
    trial = Trial(store=store, live=live, rule=rule, before=None, since=NOW - timedelta(days=90), now=NOW)
    first = ""
    for progress in trial.run():
        if not first and (progress.read or progress.is_done):
            trial.facts()
            took, worked = time.perf_counter() - start, time.process_time() - work
            first = f"first part {1_000 * took:6.0f} ms ({1_000 * worked:5.0f} of work)"
    print(f"{when:40}{first}, {progress.read} texts in {time.perf_counter() - start:6.1f} s")


async def _lateness() -> float:
    """The most by which a sleep of 20 ms took too long, until it is cancelled."""
    loop, worst = asyncio.get_running_loop(), 0.0
    try:
        while True:
            before = loop.time()
            await asyncio.sleep(0.02)
            worst = max(worst, loop.time() - before - 0.02)
    except asyncio.CancelledError:
        return worst


def main() -> None:
    """Fill, ask."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = made(options.keep or Path(folder), options.articles)
        asyncio.run(measure(config, options.articles))


if __name__ == "__main__":
    main()
