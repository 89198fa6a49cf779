"""What a poll that is answered 304 costs: Veille's, against a bare httpx loop over the same feeds, in one run.

    python benchmarks/poll.py [--feeds 200] [--rounds 3]

Processor time of this process, the server's apart; the fastest round of each. Each feed is on an address of its own.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from feeds import serve

from worker.child import Children
from worker.config import Config
from worker.engine.once import run_once
from worker.model import AlertPolicy, Feed, Secret
from worker.net import Client
from worker.pipeline.edges import Edges
from worker.pipeline.live import Live
from worker.rules import compile_rules
from worker.store import feeds, open_store


def cpu() -> float:
    """Seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def bare(urls: tuple[str, ...], etags: dict[str, str]) -> None:
    """The loop that anyone would write."""
    turns = asyncio.Semaphore(16)
    async with httpx.AsyncClient(trust_env=False) as client:

        async def one(url: str) -> None:
            async with turns:
                headers = {"If-None-Match": etags[url]} if url in etags else {}
                answer = await client.get(url, headers=headers)
                etags[url] = answer.headers["etag"]

        await asyncio.gather(*map(one, urls))


async def main() -> None:
    """Warm both up, then measure."""
    options = argparse.ArgumentParser()
    options.add_argument("--feeds", type=int, default=200)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with serve(given.feeds, 1) as server, tempfile.TemporaryDirectory() as folder:
        known = tuple(Feed(id=url, url=Secret(url), name=url) for url in server.urls)
        store = open_store(f"sqlite:///{folder}/veille.db", create=True)
        with store.write() as tx:
            feeds.ensure(tx, known, datetime.now(UTC))
        config = Config(
            path=Path(folder) / "config.toml",
            store_url="",
            rules_folder=Path(folder),
            feeds=known,
            alerts=AlertPolicy(targets=()),
        )
        children = Children()
        edges = Edges(
            store=store,
            client=Client(allow=["127.0.0.0/8"], user_agent="benchmark"),
            children=children,
            senders=children,
            clock=lambda: datetime.now(UTC),
            owner="benchmark",
            echo=lambda _: None,
            live=Live(config=config, ruleset=compile_rules({})),
        )
        etags: dict[str, str] = {}
        await run_once(edges, lambda _: None)
        await bare(server.urls, etags)
        best: dict[str, float] = {}
        for _ in range(given.rounds):
            for name, run in (("veille", run_once(edges, lambda _: None)), ("httpx", bare(server.urls, etags))):
                began, wall = cpu(), time.monotonic()
                await run
                took = (cpu() - began) / given.feeds
                best[name] = min(best.get(name, took), took)
                print(f"{name:7} {took * 1e3:6.2f} ms of CPU a poll, {time.monotonic() - wall:.1f} s")
        children.close()
        await edges.client.aclose()
        store.close()
    ours, theirs = best["veille"], best["httpx"]
    print(f"veille {ours * 1e3:.2f} ms, httpx {theirs * 1e3:.2f} ms: {ours / theirs:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
