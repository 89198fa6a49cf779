"""Pending deliveries sent to servers on loopback, beside bare loops of smtplib and httpx that send the same bytes.

    python benchmarks/deliver.py [--deliveries 10000] [--quick] [--json]

Veille claims, seals, sends and writes down each in its store, with the engine that `veille run` has; the loops only
send, from a list, the way their libraries' documentation shows first: a new SMTP connection a message, and one kept;
one HTTP connection kept. What is measured is this process's time; the servers have one of their own. The last part is
how much a second target that nobody listens at, with as much waiting for it, slows the first.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import feeds as load
import sqlalchemy as sa
import structlog
from deliverloops import httpx_loop, nobody, smtplib_loop

from worker.analysis.copies import fingerprint
from worker.analysis.text import analyse
from worker.config import Config
from worker.feeds.child import Children
from worker.model import (
    AlertPolicy,
    Article,
    Channel,
    EmailSettings,
    Match,
    Novelty,
    NoveltyKind,
    Obligation,
    Origin,
    Part,
    Secret,
    Severity,
    SlackSettings,
    Span,
    Target,
    Verdict,
)
from worker.net.client import Client
from worker.pipeline.context import ActiveConfig, JobContext
from worker.rules import compile_rules
from worker.runtime.embedded import Embedded
from worker.store import Store, articles, ledger, open_store

RECIPIENTS = 50
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


# --- the servers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Servers:
    """The servers' ports; `counts()` is what each took since it was last asked."""

    smtp: int
    http: int
    _pipe: Connection

    def counts(self) -> tuple[int, int]:
        """Mails and posts."""
        self._pipe.send(None)
        mails, posts = self._pipe.recv()
        return mails, posts


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """An SMTP and an HTTP server that take everything, in a process of their own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    smtp, http = ours.recv()
    try:
        yield Servers(smtp, http, ours)
    finally:
        process.kill()
        process.join()


def _serve(pipe: Connection) -> None:
    asyncio.run(_serve_all(pipe))


async def _serve_all(pipe: Connection) -> None:
    took = [0, 0]

    async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink.example\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                took[0] += 1
            if verb == b"EHLO":
                writer.write(b"250-sink.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
            else:
                writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                break
        writer.close()

    async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                took[1] += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    def quietly(serve: Callable[..., object]) -> Callable[..., object]:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await serve(reader, writer)  # type: ignore[misc]  one of the two above

        return run

    ports = []
    for one in (mail, post):
        server = await asyncio.start_server(quietly(one), "127.0.0.1", 0, limit=1 << 20)
        ports.append(server.sockets[0].getsockname()[1])
    pipe.send(tuple(ports))

    def tell() -> None:
        pipe.recv()
        pipe.send(tuple(took))
        took[:] = [0, 0]

    asyncio.get_running_loop().add_reader(pipe.fileno(), tell)
    await asyncio.Event().wait()


# --- what is sent --------------------------------------------------------------------------------------------------


def email_target(port: int) -> Target:
    """A list of fifty mailboxes."""
    to = tuple(f"reader{n}@example.org" for n in range(RECIPIENTS))
    settings = EmailSettings(to=to, sender="Veille <veille@example.org>", host="127.0.0.1", port=port, tls="none")
    return Target(id="desk", channel=Channel.EMAIL, settings=settings, recipients=tuple(f"mailto:{one}" for one in to))


def slack_targets(port: int) -> tuple[Target, ...]:
    """Fifty webhooks without a rate."""
    return tuple(
        Target(
            id=f"chat{n}",
            channel=Channel.SLACK,
            settings=SlackSettings(webhook=Secret(f"http://127.0.0.1:{port}/services/{n}")),
            recipients=(f"slack:chat{n}",),
        )
        for n in range(RECIPIENTS)
    )


def create_obligations(store: Store, targets: Sequence[Target], count: int) -> None:
    """So many pending deliveries, one of an article to a recipient."""
    draw = Random(7)
    recipients = [(target.id, recipient) for target in targets for recipient in target.recipients]
    for number in range(-(-count // len(recipients))):
        body = " ".join(load.sentence(draw) for _ in range(12))
        title = f"Dépêche {number}"
        article = Article(
            title=title,
            body=body,
            language="fr",
            published=NOW,
            first_seen=NOW,
            url="",
            link="https://example.org/a",
            source="Journal",
        )
        document = analyse(title, body, "fr")
        span = Span(part=Part.BODY, words=((3, 5), (9, 10)))
        match = Match(rule_id="r", rule_name="Une règle", rule_hash="f" * 64, severity=Severity.HIGH, spans=(span,))
        with store.ingest() as tx:
            novelty = Novelty(kind=NoveltyKind.NEW)
            article_id, revision = articles.add(
                tx, article, fingerprint(document), novelty, origin=Origin.FEED, name=title, now=NOW
            )
            ids = ledger.add_matches(tx, article_id, revision, [match], NOW)
            left = recipients[: count - number * len(recipients)]
            obligations = [
                Obligation(rule_id="r", target_id=target, recipient=recipient, occasion="first", verdict=Verdict.OWED)
                for target, recipient in left
            ]
            ledger.add_obligations(tx, article_id, ids, obligations, due=NOW, now=NOW)


# --- what is measured ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Took:
    """Seconds, of this process."""

    sent: int
    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.sent / self.wall


def measured(send: Callable[[], int]) -> Took:
    """Time `send`, which returns how many it sent."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    sent = send()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    return Took(sent, wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def veille(targets: Sequence[Target], count: int, *, wait_for: str) -> Took:
    """All that is owed to `targets`, until the deliveries of those whose id begins with `wait_for` are sent."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/veille.db", create=True)
        create_obligations(store, targets, count)
        wanted = sa.text("SELECT count(*) FROM delivery WHERE state <> 'sent' AND target_id LIKE :like")

        def left() -> int:
            with store.read() as tx:
                return int(tx.execute(wanted, {"like": f"{wait_for}%"}).scalar_one())

        waiting = left()
        took = measured(lambda: asyncio.run(_run(store, Path(folder), targets, left)) or waiting)
        store.close()
    return took


async def _run(store: Store, folder: Path, targets: Sequence[Target], left: Callable[[], int]) -> None:
    config = Config(
        path=folder / "config.toml",
        store_url="",
        rules_folder=folder,
        feeds=(),
        alerts=AlertPolicy(targets=tuple(targets)),
        allow=("127.0.0.0/8",),
    )
    client = Client(allow=["127.0.0.0/8"], user_agent="bench")
    context = JobContext(
        store=store,
        client=client,
        children=Children(),
        senders=Children(),
        clock=lambda: datetime.now(UTC),
        owner="bench",
        echo=lambda _: None,
        live=ActiveConfig(config=config, ruleset=compile_rules({})),
    )
    checked = 0.0

    async def upkeep(_: datetime) -> None:
        nonlocal checked
        if time.monotonic() - checked > 0.25:
            checked = time.monotonic()
            if not left():
                engine.stop()

    engine = Embedded(context, upkeep)
    await engine.run()
    await client.aclose()


def sealed(targets: Sequence[Target], count: int) -> list[bytes]:
    """The bytes of one message of Veille's, so many times: the loops send what Veille sends."""
    from worker.model import Alert, AlertItem, Passage
    from worker.notify.render import seal

    body = load.sentence(Random(7))
    item = AlertItem(
        article_id=1,
        rules=(("Une règle", "r"),),
        severity=Severity.HIGH,
        occasion="first",
        title=Passage(text="Dépêche 1"),
        passages=(Passage(text=body, marks=((3, 9),)),),
        source="Journal",
        language="fr",
        published=NOW,
        first_seen=NOW,
        link="https://example.org/a",
    )
    made = seal(
        Alert(items=(item,)), target=targets[0], recipient=targets[0].recipients[0], key="k", host="h.example", now=NOW
    )
    return [made.content] * count


def expect(got: object, wanted: object) -> None:
    """A benchmark of something else is none."""
    if got != wanted:
        raise SystemExit(f"expected {wanted}, got {got}")


def main() -> None:
    """Serve, send every way, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="500 deliveries")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = 500 if options.quick else options.deliveries
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    results: dict[str, Took] = {}
    with servers() as at:
        mail, chat = email_target(at.smtp), slack_targets(at.http)
        ways: dict[str, tuple[Callable[[], Took], tuple[int, int]]] = {
            "Veille, SMTP": (lambda: veille([mail], count, wait_for="desk"), (count, 0)),
            "smtplib, a connection a message": (
                lambda: measured(lambda: smtplib_loop(at.smtp, sealed([mail], count), keep=False)),
                (count, 0),
            ),
            "smtplib, one connection": (
                lambda: measured(lambda: smtplib_loop(at.smtp, sealed([mail], count), keep=True)),
                (count, 0),
            ),
            "Veille, HTTP": (lambda: veille(chat, count, wait_for="chat"), (0, count)),
            "httpx, one client": (
                lambda: measured(lambda: httpx_loop(at.http, sealed(chat, count))),
                (0, count),
            ),
        }
        for name, (run, wanted) in ways.items():
            results[name] = run()
            expect((name, at.counts()), (name, wanted))
        dead = Target(
            id="dead",
            channel=Channel.SLACK,
            pace=None,
            recipients=tuple(f"slack:dead{n}" for n in range(RECIPIENTS)),
            settings=SlackSettings(webhook=Secret(f"http://127.0.0.1:{nobody()}/")),
        )
        results["Veille, SMTP beside a dead target"] = veille([mail, dead], 2 * count, wait_for="desk")
        expect(at.counts(), (count, 0))
    if options.json:
        print(json.dumps({name: asdict(took) for name, took in results.items()}))
        return
    print(f"{count} deliveries, {platform.python_version()}, {platform.machine()}")
    print(f"{'':36}{'a second':>10}{'CPU ms':>10}{'wall s':>10}")
    for name, took in results.items():
        print(f"{name:36}{took.rate:10.0f}{1000 * took.cpu / took.sent:10.2f}{took.wall:10.2f}")
    alone, beside = results["Veille, SMTP"], results["Veille, SMTP beside a dead target"]
    print(f"beside a dead target: {beside.rate / alone.rate:.2f} of the rate alone")


if __name__ == "__main__":
    main()
