"""Passes over feeds by one client, for poll.py, in a process and an environment of their own.

    python pollpasses.py veille|httpx|aiohttp|pycurl|reader ROUNDS CERTIFICATE FOLDER < URLS (one a line)

After a pass that fetches everything, so many that ask whether it changed. Prints `{"cpu": [seconds a round], "parser":
[the same of the child processes], "answers": {status: how many, of the last round}}`.
"""

import asyncio
import contextlib
import json
import os
import resource
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

#: Requests that run at once, of all clients.
AT_ONCE = 16
#: One pass: how often each status was answered.
Pass = Callable[[], Awaitable[Counter[int]]]


def cpu() -> float:
    """Seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def children() -> float:
    """Seconds of the child processes, those that live and those that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended
            for pid in (task / "children").read_text().split():
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime


async def all_of(urls: Sequence[str], one: Callable[[str], Awaitable[int]]) -> Counter[int]:
    """So many at once as all clients do."""
    turns, answers = asyncio.Semaphore(AT_ONCE), Counter[int]()

    async def take(url: str) -> None:
        async with turns:
            answers[await one(url)] += 1

    await asyncio.gather(*map(take, urls))
    return answers


async def veille(urls: Sequence[str], tls: ssl.SSLContext, folder: Path) -> Pass:
    """The job itself, with its store on disk, guard and parser processes; no engine round it."""
    from worker.config import Config
    from worker.feeds.child import Children
    from worker.model import AlertPolicy, Feed, Secret
    from worker.net import Client
    from worker.pipeline.context import ActiveConfig, JobContext
    from worker.pipeline.poll import poll
    from worker.rules import compile_rules
    from worker.store import feeds, open_store

    known = tuple(Feed(id=url, url=Secret(url), name=url) for url in urls)
    store = open_store(f"sqlite:///{folder}/veille.db", create=True)
    with store.write() as tx:
        feeds.ensure(tx, known, datetime.now(UTC))
    parts = {"path": folder / "config.toml", "store_url": "", "rules_folder": folder}
    config = Config(**parts, feeds=known, alerts=AlertPolicy(targets=()))
    parsers = Children()
    context = JobContext(
        store=store,
        client=Client(allow=["127.0.0.0/8"], user_agent="benchmark", tls=tls),
        children=parsers,
        senders=parsers,
        clock=lambda: datetime.now(UTC),
        owner="benchmark",
        echo=lambda _: None,
        live=ActiveConfig(config=config, ruleset=compile_rules({})),
    )
    statuses = {"ok": 200, "not_modified": 304}

    async def one(url: str) -> int:
        polled = await poll(context, url)
        assert polled is not None
        return statuses[polled.result]

    return lambda: all_of(urls, one)


async def httpx(urls: Sequence[str], tls: ssl.SSLContext, _folder: Path) -> Pass:
    """The loop that anyone would write."""
    import httpx

    client, etags = httpx.AsyncClient(trust_env=False, verify=tls), dict[str, str]()

    async def one(url: str) -> int:
        answer = await client.get(url, headers={"If-None-Match": etags[url]} if url in etags else {})
        etags[url] = answer.headers["etag"]
        return answer.status_code

    return lambda: all_of(urls, one)


async def aiohttp(urls: Sequence[str], tls: ssl.SSLContext, _folder: Path) -> Pass:
    """The same with aiohttp."""
    import aiohttp

    client, etags = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)), dict[str, str]()

    async def one(url: str) -> int:
        async with client.get(url, headers={"If-None-Match": etags[url]} if url in etags else {}) as answer:
            await answer.read()
            etags[url] = answer.headers["etag"]
            return answer.status

    return lambda: all_of(urls, one)


async def pycurl(urls: Sequence[str], _tls: ssl.SSLContext, _folder: Path) -> Pass:
    """Handles used again by one multi handle, as pycurl's own retriever-multi example has it."""
    import pycurl

    multi, etags = pycurl.CurlMulti(), dict[str, str]()
    handles = [pycurl.Curl() for _ in range(AT_ONCE)]

    def begin(handle: "pycurl.Curl", url: str) -> None:
        def header(line: bytes) -> None:
            if line[:5].lower() == b"etag:":
                etags[url] = line[5:].strip().decode()

        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.HTTPHEADER, [f"If-None-Match: {etags[url]}"] if url in etags else [])
        handle.setopt(pycurl.HEADERFUNCTION, header)
        handle.setopt(pycurl.WRITEFUNCTION, bytearray().extend)
        multi.add_handle(handle)

    async def run() -> Counter[int]:
        answers, left, free = Counter[int](), list(reversed(urls)), list(handles)
        while left or len(free) < len(handles):
            while left and free:
                begin(free.pop(), left.pop())
            multi.perform()
            _, done, failed = multi.info_read()
            assert not failed, failed
            for handle in done:
                answers[handle.getinfo(pycurl.RESPONSE_CODE)] += 1
                multi.remove_handle(handle)
                free.append(handle)
            if not done:
                multi.select(1.0)
        return answers

    for handle in handles:
        handle.setopt(pycurl.CAINFO, os.environ["SSL_CERT_FILE"])
        handle.setopt(pycurl.ACCEPT_ENCODING, "gzip")
    return run


async def reader(urls: Sequence[str], _tls: ssl.SSLContext, folder: Path) -> Pass:
    """lemon24/reader with ten workers; what it does not call updated counts as 304."""
    import certifi

    # It asks no environment which certificates to trust.
    certifi.where = lambda: os.environ["SSL_CERT_FILE"]
    from reader import make_reader

    made = make_reader(str(folder / "reader.db"))
    for url in urls:
        made.add_feed(url)

    async def run() -> Counter[int]:
        answers = Counter[int]()
        for result in made.update_feeds_iter(scheduled=False, workers=10):
            if isinstance(result.value, Exception):
                raise result.value
            answers[200 if result.value is not None else 304] += 1
        return answers

    return run


CLIENTS = {one.__name__: one for one in (veille, httpx, aiohttp, pycurl, reader)}


async def main() -> None:
    """Warm up, then measure."""
    name, rounds, certificate, folder = sys.argv[1:]
    urls = sys.stdin.read().split()
    tls = ssl.create_default_context(cafile=certificate)
    run = await CLIENTS[name](urls, tls, Path(folder))
    answers = await run()
    took: list[float] = []
    parser: list[float] = []
    for _ in range(int(rounds)):
        began, theirs = cpu(), children()
        answers = await run()
        took.append(cpu() - began)
        parser.append(children() - theirs)
    print(json.dumps({"cpu": took, "parser": parser, "answers": answers}), flush=True)
    os._exit(0)  # clients and children of whatever kind end with it


if __name__ == "__main__":
    asyncio.run(main())
