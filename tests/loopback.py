"""Feeds on a hostile loopback, through the real pipeline, and the oracle: nothing that was served whole is lost.

    with Loopback(tmp_path, ["good", "bad"]) as it:
        it.serve("good", [dispatch(1, told=True)])
        it.server.script(it.path("bad"), endless(OK, b"x"))
        await it.round()                        # the engine runs until nothing is left to do
        it.assert_nothing_lost()

Real are the sockets, the guard, the client, the children, the store and Slack's webhook; a test holds the clock, the
name server and the limits. A feed named `canary` is always there: see `publish`. Every URL, header and password holds
a secret.
"""

import asyncio
import gc
import io
import json
import logging
import os
import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Self

import structlog
from desk import Desk, Inline, log_target
from feedserver import FeedServer
from rig import WORDS, Item, rss
from sinks import CERTIFICATE, HttpSink

from worker.feeds.child import Children
from worker.model import Channel, Feed, Route, Secret, SlackSettings, Target
from worker.net import client as net
from worker.runtime.embedded import Embedded
from worker.store import ledger

SECRET = "CANARY_TOKEN_"
CANARY = "canary"
#: Long enough for all the others on a busy machine, short enough to be waited for.
HURRIED = net.Limits(seconds=6, connect=2, wire=300_000, decoded=1 << 20)
#: What a `Pulse` may show: the loop's own work, and that of threads which keep the interpreter from it.
OWN, ALL = 0.25, 1.0
#: Feeds whose alerts are mailed to a folder too.
MAILED = frozenset({CANARY, "p18"})
_NAME = re.compile(r"Z\d+")
_WEBHOOK = f"/services/T/B/{SECRET}SLACK"


def dispatch(number: int, *, told: bool = False, **more: str) -> Item:
    """An item whose text resembles no other's; with `told` the rule of rig.RULES is to find it."""
    words = " ".join(Random(number).choices(WORDS, k=40))
    text = ("Hun Sen part en visite. " if told else "") + f"Dossier Z{number} : {words}."
    guid, link = f"guid-{number}", f"https://example.org/Z{number}"
    return Item(**{"guid": guid, "title": f"Dépêche Z{number}", "text": text, "link": link} | more)


def name_of(text: str) -> str:
    """The name of the item that a text is about."""
    found = _NAME.search(text)
    assert found, text
    return found[0]


def is_told(item: Item) -> bool:
    """The meaning of rig.RULES, read word by word: a visit at most twelve words from Hun Sen."""
    for part in (item.title, item.text):
        words = re.findall(r"\w+", part)
        names = [n for n in range(len(words)) if words[n : n + 2] == ["Hun", "Sen"]]
        visits = [n for n, word in enumerate(words) if word in {"visite", "déplacement"}]
        if any(0 <= max(visit - name - 2, name - visit - 1) <= 12 for name in names for visit in visits):
            return True
    return False


class Names:
    """The name server: every `.test` is this machine, odd spellings of addresses are read as the system reads them."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        #: By host: its next answers, the last one for ever.
        self.answers: dict[str, list[Sequence[str] | Exception]] = {}

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked[host] += 1
        if script := self.answers.get(host):
            answer = script.pop(0) if len(script) > 1 else script[0]
            if isinstance(answer, Exception):
                raise answer
            return answer
        if host.rstrip(".") == "localhost" or host.endswith(".test"):
            return ["127.0.0.1"]
        return [socket.inet_ntoa(socket.inet_aton(host))]


class Hurried:
    """The client with a test's limits for whatever is fetched."""

    def __init__(self, client: net.Client, limits: net.Limits) -> None:
        self._client, self._limits = client, limits

    async def request(self, method: str, url: str, **more: Any) -> net.Response | net.NetFailure:
        return await self._client.request(method, url, **{"limits": self._limits} | more)

    async def aclose(self) -> None:
        await self._client.aclose()


class Pulse:
    """The loop's worst stall, in CPU alone, since what others take of the machine is no fault of ours.

    And how many bytes of memory the process came to have (0 where the system has no /proc).
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        #: Seconds of CPU between two turns of the loop: of its own thread, and of the whole process.
        self.own = self.all = 0.0
        self.grown, self._before = 0, _resident()

    async def beat(self) -> None:
        """Measure until cancelled."""
        last = time.thread_time(), time.process_time()
        while True:
            self.grown = max(self.grown, _resident() - self._before)
            for _ in range(8):
                await asyncio.sleep(0.005)
                now = time.thread_time(), time.process_time()
                self.own, self.all = max(self.own, now[0] - last[0]), max(self.all, now[1] - last[1])
                last = now


def _recipients(feed: str) -> tuple[str, ...]:
    return ("slack:mekong", "log:ops") if feed in MAILED else ("slack:mekong",)


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


@dataclass(frozen=True, kw_only=True)
class Obliged:
    """A line of the ledger, with the item that it is about."""

    name: str
    recipient: str
    occasion: str
    verdict: str
    suppression: str
    state: str
    reason: str
    delivery: int


class Loopback:
    """Servers, a desk that polls them, and what they served; feeds are given by name or made with `feed`."""

    def __init__(
        self,
        folder: Path,
        feeds: Sequence[str | Callable[["Loopback"], Feed]],
        *,
        limits: net.Limits = HURRIED,
        children: Callable[[], Children | Inline] = Inline,
        allow: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self._feeds = feeds
        self._limits = limits
        self._children = children
        self._allow = allow
        self.server = FeedServer()
        #: On another port: not on the allow-list.
        self.secret = FeedServer()
        self.sink = HttpSink()
        self.names = Names()
        self.pulse = Pulse()
        #: What the log target printed.
        self.echoed: list[str] = []
        self.log = io.StringIO()
        #: (feed, name of the item) that are no news: in the feed's first document.
        self.backlog: set[tuple[str, str]] = set()

    # --- feeds ---------------------------------------------------------------------------------------------------

    def path(self, name: str) -> str:
        """The path at which the server has that feed."""
        return f"/{name}?key={SECRET}URL"

    def feed(self, name: str, url: str = "", **more: Any) -> Feed:
        """A feed on a host of its own, with secrets wherever a feed may have some."""
        what = {
            "id": f"http://{name}.test/{name}?key=${{KEY}}",
            "url": Secret(url or self.server.url(self.path(name), host=f"{name}.test")),
            "name": name,
            "language": "fr",
            "alert_backlog": True,
            "headers": (("X-Key", Secret(f"{SECRET}HEADER")),),
            "username": "veille",
            "password": Secret(f"{SECRET}PASSWORD"),
        }
        if name == CANARY:
            what["every"] = timedelta(minutes=1)
        return Feed(**what | more)

    def serve(self, name: str, items: Sequence[Item], body: bytes = b"", **document: Any) -> None:
        """Answer with a document that shows `items`: as RSS, or as `body` has them."""
        self.server.serve(self.path(name), body or rss(items), items=tuple(items), **document)

    def publish(self, *items: Item) -> None:
        """Put items into the canary."""
        self._canary += items
        self.serve(CANARY, self._canary, etag=f'"{len(self._canary)}"')

    # --- running -------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._listen_to_logs()
        self.server.__enter__()
        self.secret.__enter__()
        self.sink.__enter__()
        made = [self.feed(one) if isinstance(one, str) else one(self) for one in self._feeds]
        # In the middle of the queue.
        self.feeds = [*made[: len(made) // 2], self.feed(CANARY), *made[len(made) // 2 :]]
        webhook = Secret(f"http://slack.test:{self.sink.port}{_WEBHOOK}")
        slack = Target(
            id="mekong",
            channel=Channel.SLACK,
            settings=SlackSettings(webhook=webhook),
            recipients=("slack:mekong",),
            language="en",
        )
        targets = [slack, log_target("ops", self.folder / "alerts")]
        routes = [Route(targets=("mekong",)), Route(targets=("ops",), feeds=MAILED)]
        self.desk = Desk(self.folder, feeds=self.feeds, targets=targets, routes=routes, operators="ops")
        self.children = self._children()
        self.desk.context = replace(
            self.desk.context,
            client=self._client(),  # type: ignore[arg-type]  has what jobs call
            children=self.children,
            echo=self.echoed.append,
        )
        self._canary: list[Item] = []
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self.children, Children):
            self.children.close()
        self.desk.__exit__()
        for server in (self.sink, self.secret, self.server):
            server.__exit__(None, None, None)
        structlog.reset_defaults()
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)

    def _client(self) -> Hurried:
        tls = ssl.create_default_context(cafile=CERTIFICATE)
        tls.load_verify_locations(CERTIFICATE.with_name("expired.pem"))
        allow = [self.server.place, f"127.0.0.1:{self.sink.port}", *self._allow]
        return Hurried(net.Client(allow=allow, user_agent="t", resolve=self.names, tls=tls), self._limits)

    def _listen_to_logs(self) -> None:
        """At DEBUG, and without the masks that the command puts over secrets: they are the last line of defence."""
        self._handler = logging.StreamHandler(self.log)
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(logging.DEBUG)
        # As the command does: it tells of every tick.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        structlog.configure(
            processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)],
            logger_factory=structlog.PrintLoggerFactory(self.log),
        )

    @asynccontextmanager
    async def engine(self, upkeep: Callable[[datetime], Awaitable[None]] | None = None) -> AsyncIterator[Embedded]:
        """The worker's own engine, for as long as the block lasts; its stalls are noted."""

        async def nothing(_: object) -> None:
            """No upkeep."""

        # As the worker does before it begins; what is alive in a process of tests is many times as much.
        gc.freeze()
        engine = Embedded(self.desk.context, upkeep or nothing)
        running = asyncio.create_task(engine.run())
        # The scheduler takes its time to start.
        await asyncio.sleep(0)
        beating = asyncio.create_task(self.pulse.beat())
        try:
            yield engine
        finally:
            engine.stop()
            await running
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
            # Its connections belong to this loop.
            await self.desk.context.client.aclose()
            gc.unfreeze()

    async def round(self, **later: float) -> None:
        """Turn the clock on, and let the engine run until nothing is left to do."""
        self.desk.later(**later)
        async with self.engine():
            await self.rest()

    async def rest(self) -> None:
        """Return once nothing is left to do; pages that do not come and children that are slow are tried again."""
        await self._quiet()
        while self.desk.one("SELECT count(*) FROM entry WHERE state IN ('new', 'ready')"):
            self.desk.later(seconds=15)
            await self._quiet()

    async def _quiet(self) -> None:
        # In a thread: the loop's own turns are measured.
        async with asyncio.timeout(200):
            while not await asyncio.to_thread(self.is_quiet):  # noqa: ASYNC110 - the store sends no events
                await asyncio.sleep(0.02)

    def is_quiet(self) -> bool:
        """Nothing is due and nothing is under way."""
        now, soon = (f"'{self.desk.now + wait:%Y-%m-%d %H:%M:%S.%f}'" for wait in (timedelta(0), timedelta(minutes=1)))
        # What is under way has a lease of minutes, what is to be tried again waits for seconds.
        ready = f"state = 'ready' AND (lease_until IS NULL OR lease_until <= {now} OR lease_until > {soon})"
        pages = f"state = 'new' AND (page_due <= {now} OR page_lease_until > {soon} OR page_lease_until <= {now})"
        return not self.desk.one(
            f"SELECT (SELECT count(*) FROM feed WHERE due <= {now} OR lease_until IS NOT NULL)"
            f" + (SELECT count(*) FROM entry WHERE {ready} OR {pages})"
            f" + (SELECT count(*) FROM delivery WHERE state IN ('open', 'sealed', 'retry') AND due <= {now})"
        )

    # --- what came of it -----------------------------------------------------------------------------------------

    def state(self, name: str, column: str) -> Any:
        """The store's state of a feed."""
        return self.desk.one(f"SELECT {column} FROM feed WHERE name = '{name}'")

    def entries(self, name: str) -> list[dict[str, Any]]:
        """The feed's entries as they were parsed, in their order."""
        rows = self.desk.rows(
            f"SELECT e.parsed FROM entry e JOIN feed f ON f.id = e.feed_id WHERE f.name = '{name}' ORDER BY e.id"
        )
        return [json.loads(parsed) for (parsed,) in rows]

    def notices(self) -> list[str]:
        """The notices that the operators got."""
        return [row[0] for row in self.desk.rows("SELECT subject FROM delivery WHERE collects = 'notice' ORDER BY id")]

    def posted(self) -> list[str]:
        """The texts that Slack was sent, in their order."""
        return [json.loads(post.body)["text"] for post in self.sink.received]

    def was_told(self, item: Item) -> bool:
        """True if Slack has it."""
        return any(name_of(item.title) in text for text in self.posted())

    def ledger(self) -> list[Obliged]:
        """All obligations."""
        rows = self.desk.rows(
            "SELECT r.title, o.recipient, o.occasion, o.verdict, coalesce(o.suppression, ''), coalesce(d.state, ''),"
            " coalesce(d.reason, ''), coalesce(d.id, 0) FROM obligation o LEFT JOIN delivery d ON d.id = o.delivery_id"
            " JOIN match m ON m.id = o.match_id JOIN revision r ON r.id = m.revision_id"
        )
        return [
            Obliged(
                name=name_of(title),
                recipient=recipient,
                occasion=occasion,
                verdict=verdict,
                suppression=suppression,
                state=state,
                reason=reason,
                delivery=delivery,
            )
            for title, recipient, occasion, verdict, suppression, state, reason, delivery in rows
        ]

    def assert_nothing_lost(self) -> None:
        """The oracle, of all that the server ever served whole and all that arrived."""
        served = {
            (path.partition("?")[0].strip("/"), item) for path, item in self.server.served if isinstance(item, Item)
        }
        self._assert_stored({(feed, name_of(item.title)) for feed, item in served})
        lines = self.ledger()
        self._assert_owed(served, lines)
        self._assert_received(lines)
        with self.desk.store.read() as tx:
            assert ledger.audit(tx) == ()
        assert self.desk.one("PRAGMA integrity_check") == "ok"
        assert self.desk.rows("PRAGMA foreign_key_check") == []
        assert self.pulse.own < OWN, "O5: the loop stalled"
        assert self.pulse.all < ALL, "O5: threads stalled the loop"
        assert SECRET not in self.log.getvalue(), "O6: a secret in the log"
        assert SECRET not in "\n".join(map(str, self._written())), "O6: a secret in the store"
        assert SECRET not in " ".join([*self.posted(), *self.echoed]), "O6: a secret in a message"
        canary = {item for item in self._canary if is_told(item)}
        assert all(map(self.was_told, canary)), "the canary is late"

    def _assert_stored(self, served: set[tuple[str, str]]) -> None:
        rows = self.desk.rows("SELECT f.name, e.parsed, e.state, e.error FROM entry e JOIN feed f ON f.id = e.feed_id")
        stored = {(feed, name_of(parsed)) for feed, parsed, *_ in rows}
        assert served <= stored, f"O1: {sorted(served - stored)} were served whole and are not stored"
        assert all(error for *_, state, error in rows if state == "quarantined"), "O1: put aside without a reason"

    def _assert_owed(self, served: set[tuple[str, Item]], lines: Sequence[Obliged]) -> None:
        told = {(feed, name_of(item.title)) for feed, item in served if is_told(item)}
        times = Counter((name, to) for feed, name in told - self.backlog for to in _recipients(feed))
        wanted = Counter({(*one, "owed", ""): 1 for one in times})
        wanted += Counter({(*one, "suppressed", "copy"): n - 1 for one, n in times.items()})
        wanted += Counter(
            (name, to, "suppressed", "backlog") for feed, name in told & self.backlog for to in _recipients(feed)
        )
        first = [line for line in lines if line.occasion == "first"]
        found = Counter((line.name, line.recipient, line.verdict, line.suppression) for line in first)
        assert found == wanted, f"O2: {found - wanted} is owed that should not be, {wanted - found} is not owed"
        later = [line for line in lines if line.occasion != "first"]
        assert all(line.suppression for line in later), f"O2: {later} are told though nobody asked for follow-ups"

    def _assert_received(self, lines: Sequence[Obliged]) -> None:
        arrived = Counter((name, "slack:mekong") for text in self.posted() for name in set(_NAME.findall(text)))
        arrived += Counter((name, "log:ops") for text in self.echoed for name in set(_NAME.findall(text)))
        for line in lines:
            if line.verdict != "owed":
                continue
            assert line.state == "sent", f"O3: {line} is not sent"
            doubts = self.desk.one(
                f"SELECT count(*) FROM attempt WHERE delivery_id = {line.delivery} AND outcome IN ('', 'uncertain')"
            )
            assert 1 <= arrived[line.name, line.recipient] <= 1 + doubts, f"O3: {line}, {arrived}"

    def _written(self) -> list[tuple[Any, ...]]:
        """All rows of the store but documents as they came."""
        tables = self.desk.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'raw%'")
        return [row for (table,) in tables for row in self.desk.rows(f'SELECT * FROM "{table}"')]
