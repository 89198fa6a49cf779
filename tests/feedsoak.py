"""Two thousand feeds on loopback, a tenth of them hostile, at a speeded clock: what the worker makes of them, as JSON.

    python tests/feedsoak.py FOLDER SECONDS [FEEDS]

The worker is the one that `veille run` starts, with its store, children and address guard; only its clock runs twenty
times as fast, and the limits of a request are shorter by as much. The server has a process of its own.
"""

import asyncio
import contextlib
import gzip
import json
import math
import multiprocessing
import os
import random
import re
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean
from typing import Any

import structlog
from rig import WORDS, Item, Site, rss

from worker.model import Claimed, Outcome, Receipt
from worker.net.client import Client, Limits
from worker.pipeline import deliver as job
from worker.runtime.load import load, open_for
from worker.runtime.run import context, make_threads
from worker.runtime.worker import Worker
from worker.store import feeds as rows

FACTOR = 20
START = datetime(2026, 3, 1, 6, tzinfo=UTC)
HOSTS = 200
#: Minutes, on the worker's clock, between two items of the canary and of any other feed, and between two polls. Two
#: thousand feeds then take about half of one processor, the first documents included.
CANARY_EVERY, ITEM_EVERY, POLL_EVERY = 2, 180, 20
#: Of the items of feeds that are well, one in so many is to be told; of the canary's each.
TOLD = 20
WINDOW = 2
#: Seconds after which work that does not become less is not going to.
PATIENCE = 120
KINDS = (
    "drips its body",
    "drips its headers",
    "says nothing",
    "never ends",
    "gzip bomb",
    "resets",
    "server error",
    "too many requests",
    "always 304",
    "garbage",
    "a page",
    "cut short",
    "redirects for ever",
    "redirects inside",
    "huge header",
    "entities",
)
#: Feed -> numbers of the oldest and newest item of each document that the worker showed to have: it named its ETag.
Served = dict[int, list[tuple[int, int]]]


def is_hostile(number: int) -> bool:
    return number % 10 == 9


def item(feed: int, count: int) -> Item:
    """The feed's item of that number."""
    chance = random.Random(feed * 100_003 + count)
    told = feed == 0 or chance.random() < 1 / TOLD
    words = " ".join(chance.choices(WORDS, k=50))
    text = f"{'Hun Sen en visite. ' if told else ''}Dossier Z{feed}N{count} : {words}."
    return Item(
        f"Z{feed}N{count}",
        f"Dépêche Z{feed}N{count}",
        text,
        f"https://example.org/{feed}/{count}",
        published(feed, count),
    )


def is_told(feed: int, count: int) -> bool:
    return "Hun Sen" in item(feed, count).text


def minutes(feed: int) -> int:
    return ITEM_EVERY if feed else CANARY_EVERY


def published(feed: int, count: int) -> str:
    return format_datetime(START + timedelta(minutes=(count - WINDOW) * minutes(feed) + feed % minutes(feed)))


def since(feed: int, count: int) -> float:
    """Seconds after the start at which the feed shows its item of that number."""
    return ((count - WINDOW) * minutes(feed) + feed % minutes(feed)) * 60 / FACTOR


def newest(feed: int, now: float) -> int:
    """Number of the newest item, `now` seconds after the start by the server's own clock."""
    return WINDOW + math.floor((now * FACTOR / 60 - feed % minutes(feed)) / minutes(feed))


# --- the server ----------------------------------------------------------------------------------------------------


class Server:
    """Serves well or ill, by the number in the path, and knows what it served whole."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.served: Served = {}
        self.polls: Counter[str] = Counter()
        #: Seconds after the start at which the canary was asked.
        self.canary: list[float] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                number = int(head.split(" ", 2)[1].rpartition("/")[2])
                if is_hostile(number):
                    kind = KINDS[number // 10 % len(KINDS)]
                    self.polls[kind] += 1
                    await self.ill(kind, writer)
                    break
                await self.well(number, head, writer)
        writer.close()

    async def well(self, number: int, head: str, writer: asyncio.StreamWriter) -> None:
        now = time.monotonic() - self.began
        last = newest(number, now)
        etag = f'"{number}-{last}"'
        if number == 0:
            self.canary.append(now)
        named = re.search(r'^if-none-match: "\d+-(\d+)"', head, re.IGNORECASE | re.MULTILINE)
        if named:
            known = self.served.setdefault(number, [])
            document = (max(0, int(named[1]) - WINDOW + 1), int(named[1]))
            if document not in known:
                known.append(document)
        if named and int(named[1]) == last:
            self.polls["304"] += 1
            writer.write(f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode())
        else:
            self.polls["200"] += 1
            first = max(0, last - WINDOW + 1)
            body = gzip.compress(rss([item(number, count) for count in range(last, first - 1, -1)]), 1)
            writer.write(
                f"HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Type: application/rss+xml\r\nContent-Encoding: gzip\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()

    async def ill(self, kind: str, writer: asyncio.StreamWriter) -> None:
        ok = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n"
        entities = b'<!DOCTYPE rss [<!ENTITY a "b"><!ENTITY c "' + b"&a;" * 900 + b'">]><rss version="2.0"><channel>'
        simple = {
            "server error": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
            "too many requests": b"HTTP/1.1 429 Slow\r\nRetry-After: 1800\r\nContent-Length: 0\r\n\r\n",
            "always 304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
            "garbage": ok + b"Connection: close\r\n\r\n" + bytes(range(256)) * 40,
            "a page": ok + b"Connection: close\r\n\r\n<html><body>" + b"<p>nothing" * 2_000,
            "cut short": ok + b"Content-Length: 9999\r\n\r\n" + rss([item(9, 1)]),
            "redirects for ever": b"HTTP/1.1 302 Found\r\nLocation: ?\r\nContent-Length: 0\r\n\r\n",
            "redirects inside": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "huge header": ok + b"X-A: " + b"a" * 300_000 + b"\r\n\r\n",
            "entities": ok + b"Connection: close\r\n\r\n" + entities + b"<item><title>&c;&c;&c;</title></item>",
            "gzip bomb": ok + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + BOMB,
        }
        if kind in simple:
            writer.write(simple[kind])
            await writer.drain()
        elif kind == "resets":
            writer.transport.abort()
        elif kind == "says nothing":
            await asyncio.sleep(60)
        elif kind == "never ends":
            writer.write(ok + b"\r\n")
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        else:
            writer.write(ok + (b"\r\n" if kind == "drips its body" else b""))
            while True:
                writer.write(b"X-Drip: 1\r\n" if kind == "drips its headers" else b"x")
                await writer.drain()
                await asyncio.sleep(0.05)


BOMB = gzip.compress(b"\0" * 30_000_000)


def serve(pipe: Connection, began: float) -> None:
    """Until the pipe says that it is over; then what was served goes through it."""

    async def run() -> None:
        made = Server(began)
        server = await asyncio.start_server(made, "127.0.0.1", 0, limit=1 << 16, backlog=512)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        pipe.send((made.served, made.polls, made.canary))
        os._exit(0)

    asyncio.run(run())


# --- the worker ----------------------------------------------------------------------------------------------------


class Quick(Client):
    """A client whose limits are shorter by as much as the clock is faster."""

    async def request(self, method: str, url: str, **more: Any) -> Any:
        return await super().request(
            method, url, **{"limits": Limits(seconds=30 / FACTOR, connect=10 / FACTOR), **more}
        )


class Sink:
    """Takes every message: when, and the item's name."""

    def __init__(self) -> None:
        self.took: list[tuple[float, str]] = []

    async def __call__(self, claimed: Claimed, *_: object, **__: object) -> Receipt:
        self.took.append((time.monotonic(), claimed.message.subject.rpartition(" ")[2]))
        return Receipt(outcome=Outcome.SENT)


async def _loopback(_host: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


def resident() -> float:
    """Megabytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def waiting() -> float:
    """Seconds that this thread could have run but had no processor (proc(5), schedstat)."""
    return int(Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[1]) / 1e9


@dataclass
class Watched:
    """Measurements meanwhile, ten times a second."""

    #: Seconds by which the loop came late.
    lags: list[float] = field(default_factory=list)
    #: The same less what the loop's thread waited for a processor that others had.
    own: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            before, waited = time.monotonic(), waiting()
            await asyncio.sleep(0.1)
            lag = time.monotonic() - before - 0.1
            self.lags.append(lag)
            self.own.append(max(0.0, lag - (waiting() - waited)))
            self.memory.append(resident())


async def soak(folder: Path, seconds: float, feeds: int) -> dict[str, Any]:
    """Run it; what came of it."""
    make_threads()
    ours, theirs = multiprocessing.Pipe()
    began = time.monotonic()
    multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, began), daemon=True).start()
    port = ours.recv()
    urls = [f"http://h{number % HOSTS}.test:{port}/{number}" for number in range(feeds)]
    site = Site(folder, feeds=urls, allow=[f"127.0.0.1:{port}"], feed_lines=f'every = "{POLL_EVERY}m"\n')
    text = site.config.read_text()
    site.config.write_text(text.replace(f'every = "{POLL_EVERY}m"', f'every = "{CANARY_EVERY // 2}m"', 1))
    live = load(site.config)
    store = open_for(live.config, create=True)
    sink, watched, stop = Sink(), Watched(), asyncio.Event()
    job.send = sink  # the only edge that is not the real one
    async with context(live, store, lambda _: None) as made:
        await made.client.aclose()
        made.client = Quick(allow=live.config.allow, user_agent="soak", resolve=_loopback)
        made.clock = lambda: START + timedelta(seconds=(time.monotonic() - began) * FACTOR)
        with store.write() as tx:
            rows.ensure(tx, live.config.feeds, made.clock())
        worker = asyncio.create_task(Worker(made, site.config).run(stop, asyncio.Event()))
        watching = asyncio.create_task(watched.watch())
        await asyncio.sleep(seconds)
        ours.send(None)
        served, polls, canary = ours.recv()
        # Nothing is served any more; what was is told.
        left = await _drained(store)
        watching.cancel()
        stop.set()
        await worker
    with store.read() as tx:
        stored = {json.loads(row[0]).get("guid") for row in tx.exec_driver_sql("SELECT parsed FROM entry")}
        integrity = tx.exec_driver_sql("PRAGMA integrity_check").scalar()
    store.close()
    found = {"feeds": feeds, "seconds": round(time.monotonic() - began), "left": left, "integrity": integrity}
    found["polls"] = dict(polls)
    return found | oracle(served, stored, sink, began) | figures(watched, canary)


def oracle(served: Served, stored: set[str], sink: Sink, began: float) -> dict[str, Any]:
    """The alerts due by what the server sent and the items' own words, against what was stored and sent."""
    told = Counter(name for _, name in sink.took)
    seen = {f"Z{feed}N{n}" for feed, sent in served.items() for first, last in sent for n in range(first, last + 1)}
    # What stood in the first document is no news; what slid past between two polls was never served.
    news = {feed: range(sent[0][1] + 1, sent[-1][1] + 1) for feed, sent in served.items()}
    owed = {f"Z{feed}N{n}" for feed, numbers in news.items() for n in numbers if is_told(feed, n)} & seen
    moments = {name: moment - began for moment, name in sink.took}
    # Of the canary's first minutes, in which every feed is due at once, nothing is asked.
    quarter = (sink.took[-1][0] - began) / 4
    shown = ((f"Z0N{n}", since(0, n)) for n in news[0] if since(0, n) > quarter)
    delays = [moments[name] - moment for name, moment in shown if name in moments]
    return {
        "served": len(seen),
        "lost": sorted(seen - stored)[:9],
        "owed": len(owed),
        "untold": sorted(owed - told.keys())[:9],
        "unasked": sorted(name for name in told if not _may_be_told(name, news))[:9],
        "twice": sorted(name for name, times in told.items() if times > 1)[:9],
        "canary longest delay s": round(max(delays), 2),
    }


def _may_be_told(name: str, news: dict[int, range]) -> bool:
    """Of the last documents nobody knows whether the worker has read them."""
    feed, count = map(int, name.removeprefix("Z").split("N"))
    return is_told(feed, count) and (feed not in news or count >= news[feed].start)


def figures(watched: Watched, canary: Sequence[float]) -> dict[str, Any]:
    """Figures of the run; memory as the mean of five seconds."""
    lags, own, memory, quarter = sorted(watched.lags), sorted(watched.own), watched.memory, len(watched.memory) // 4
    used = resource.getrusage(resource.RUSAGE_SELF)
    canary = [moment for moment in canary if moment > canary[-1] / 4]
    return {
        "canary polls": len(canary),
        "canary longest pause s": round(max(later - earlier for earlier, later in pairwise(canary)), 2),
        "lag max s": round(lags[-1], 3),
        "lag p99 s": round(lags[len(lags) * 99 // 100], 3),
        "own lag max s": round(own[-1], 3),
        "own lag p99 s": round(own[len(own) * 99 // 100], 3),
        "processor s": round(used.ru_utime + used.ru_stime),
        "memory at a quarter MB": round(fmean(memory[quarter : quarter + 50]), 1),
        "memory at the end MB": round(fmean(memory[-50:]), 1),
    }


async def _drained(store: Any) -> int:
    """The work that is left when nothing more is being done."""
    left, since = _left(store), time.monotonic()
    while left and time.monotonic() - since < PATIENCE:
        await asyncio.sleep(0.2)
        if (now := _left(store)) < left:
            left, since = now, time.monotonic()
    return left


def _left(store: Any) -> int:
    query = (
        "SELECT (SELECT count(*) FROM entry WHERE state NOT IN ('done', 'quarantined')) + "
        "(SELECT count(*) FROM delivery WHERE state IN ('open', 'sealed', 'retry'))"
    )
    with store.read() as tx:
        return int(tx.exec_driver_sql(query).scalar())


def main() -> None:
    """Run and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    folder, seconds, *feeds = sys.argv[1:]
    print(json.dumps(asyncio.run(soak(Path(folder), float(seconds), int(feeds[0]) if feeds else 2_000)), indent=1))


if __name__ == "__main__":
    main()
