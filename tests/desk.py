"""The jobs in process: a real SQLite store, a web that tests write, a clock that they turn, senders that they script.

desk = Desk(tmp_path, feeds=[feed("https://a.example/feed")], rules=VISIT)
desk.web.feed("https://a.example/feed", [Item("1", "Titre", "Texte")])
await desk.pass_()          # poll, pages, ingest, deliver
desk.sent                   # what left, by recipient
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from rig import RULES, Item, rss

from worker.config import Config
from worker.feeds.child import ChildFailed
from worker.model import (
    AlertPolicy,
    Channel,
    Claimed,
    EmailSettings,
    Feed,
    LogSettings,
    NotificationPolicy,
    Outcome,
    Receipt,
    Secret,
    SlackSettings,
    Target,
)
from worker.net.client import Client
from worker.pipeline import deliver as deliver_job
from worker.pipeline.context import ActiveConfig, JobContext
from worker.pipeline.poll import Polled, poll
from worker.rules import RuleSet, compile_rules
from worker.runtime.single_pass import Pass, run_once
from worker.store import Store, feeds, open_store

START = datetime(2026, 2, 6, 8, 30, tzinfo=UTC)
FEED = "https://a.example/feed"
VISIT = "Le Premier ministre Hun Sen est en visite à Hanoï depuis mardi, pour trois jours de pourparlers."


def feed(url: str = FEED, **more: Any) -> Feed:
    """A feed in French whose first documents are news."""
    what = {"name": "Le Fil", "language": "fr", "alert_backlog": True} | more
    return Feed(id=url, url=Secret(url), **what)


def log_target(name: str = "log", folder: Path = Path("alerts"), language: str = "fr") -> Target:
    """A target that `Desk` sends nothing to for real."""
    settings, recipients = LogSettings(folder=folder), (f"log:{name}",)
    return Target(id=name, channel=Channel.LOG, settings=settings, recipients=recipients, language=language)


def email_target(name: str, *to: str, port: int = 25) -> Target:
    """A list of mailboxes."""
    settings = EmailSettings(to=to, sender="veille@example.org", host="127.0.0.1", port=port, tls="none")
    return Target(
        id=name, channel=Channel.EMAIL, settings=settings, recipients=tuple(f"mailto:{address}" for address in to)
    )


def slack_target(name: str = "mekong") -> Target:
    """A webhook."""
    settings = SlackSettings(webhook=Secret("https://hooks.slack.example/services/T/B/X"))
    return Target(id=name, channel=Channel.SLACK, settings=settings, recipients=(f"slack:{name}",))


Handler = Callable[[httpx.Request], httpx.Response]


class Web:
    """Answers for every URL."""

    def __init__(self) -> None:
        self.pages: dict[str, httpx.Response | Handler] = {}
        self.requests: list[httpx.Request] = []

    def feed(self, url: str, items: Sequence[Item], **headers: str) -> None:
        """Serve an RSS document."""
        self.answer(url, rss(items), **headers)

    def answer(self, url: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        """Serve a body."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[url] = lambda _: httpx.Response(status, content=body, headers=names)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.pages.get(str(request.url), lambda _: httpx.Response(404))
        found = answer(request)
        return await found if asyncio.iscoroutine(found) else found


class Inline:
    """Children that are none: the work is done here, unless a test says what becomes of it."""

    def __init__(self) -> None:
        #: Asked before every job, with its function and arguments; what it returns is the result, None lets it run.
        self.instead: Callable[..., Any] = lambda *_: None
        self.jobs = 0

    async def run(self, function: Callable[..., Any], *args: Any, seconds: float) -> Any:  # noqa: ARG002 - as Children has it
        self.jobs += 1
        found = self.instead(function, *args)
        return function(*args) if found is None else found

    @staticmethod
    def failing(reason: Any, url: str = "") -> Callable[..., ChildFailed | None]:
        """Fail every job or, with `url`, what was got from there alone."""
        failed = ChildFailed(reason=reason, detail="as the test says")
        return lambda *given: failed if not url or url in given else None


def new_store(folder: Path, filled: bytes = b"") -> Store:
    """A store of those bytes, else an empty one; the schema is made once for all tests, as it takes half a second."""
    path = folder / "veille.db"
    if not filled and not _template:
        open_store(f"sqlite:///{path}", create=True).close()
        _template.append(path.read_bytes())
    path.write_bytes(filled or _template[0])
    return open_store(f"sqlite:///{path}", create=False)


_template: list[bytes] = []


@cache
def _compiled(rules: str) -> RuleSet:
    return compile_rules({"rules.toml": rules.encode()})


@dataclass
class Desk:
    """A folder, a configuration, and everything that the jobs work with."""

    folder: Path
    feeds: Sequence[Feed] = (feed(),)
    targets: Sequence[Target] = (log_target(),)
    rules: str = RULES
    operators: str = ""
    routes: Any = ()
    #: One message for each article, unless a test is about stories.
    notification: NotificationPolicy = field(default_factory=lambda: NotificationPolicy(key="article"))
    max_age: timedelta | None = None
    public_url: str = ""
    now: datetime = START
    #: The file of the store of another desk, which was filled and closed.
    filled: bytes = b""
    #: (recipient, message) of every attempt that was made.
    attempts: list[tuple[str, Claimed]] = field(default_factory=list)
    #: By target id, else by recipient: what the next attempts come to; then SENT.
    script: dict[str, list[Receipt | Exception | Callable[[], Any]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.web = Web()
        self.children = Inline()
        self.store = new_store(self.folder, self.filled)
        self.context = JobContext(
            store=self.store,
            client=Client(user_agent="test", transport=httpx.MockTransport(self.web)),
            children=self.children,  # type: ignore[arg-type]  it runs what it is given
            senders=self.children,  # type: ignore[arg-type]  as above
            clock=lambda: self.now,
            owner="desk",
            echo=lambda _: None,
            live=self._live(),
        )
        self.reload()

    def _live(self) -> ActiveConfig:
        policy = AlertPolicy(
            targets=tuple(self.targets), routes=tuple(self.routes), notification=self.notification, max_age=self.max_age
        )
        config = Config(
            path=self.folder / "config.toml",
            store_url=f"sqlite:///{self.folder / 'veille.db'}",
            rules_folder=self.folder / "rules",
            feeds=tuple(self.feeds),
            alerts=policy,
            operators=self.operators,
            public_url=self.public_url,
        )
        return ActiveConfig(config=config, ruleset=_compiled(self.rules))

    def reload(self, **changes: Any) -> None:
        """Take over what changed, as a start or SIGHUP does."""
        from worker.store import deliveries

        for name, value in changes.items():
            setattr(self, name, value)
        self.context.live = self._live()
        with self.store.write() as tx:
            feeds.ensure(tx, self.feeds, self.now)
            deliveries.unpark(tx, self.now, self.context.live.paced)

    async def send(self, claimed: Claimed, target: Target, **_: Any) -> Receipt:
        """Stands in for `deliver.send`."""
        self.attempts.append((claimed.recipient, claimed))
        script = self.script.get(claimed.recipient) or self.script.get(target.id)
        outcome = script.pop(0) if script else Receipt(outcome=Outcome.SENT)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Receipt) else await outcome()

    async def poll(self, url: str = FEED) -> Polled:
        """Poll one feed."""
        found = await poll(self.context, url)
        assert found is not None
        return found

    async def pass_(self) -> Pass:
        """One pass over everything, as `veille poll` makes it."""
        return await run_once(self.context, lambda _: None)

    def later(self, **delta: float) -> None:
        """Turn the clock on."""
        self.now += timedelta(**delta)

    @property
    def told(self) -> list[str]:
        """Recipients of the attempts, in order."""
        return [recipient for recipient, _ in self.attempts]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that the database gives."""
        with self.store.read() as tx:
            return [tuple(row) for row in tx.execute(sa.text(query))]

    def one(self, query: str) -> Any:
        """The one value it says."""
        ((value,),) = self.rows(query)
        return value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()


def polled_once(folder: Path, *items: Item, **more: Any) -> bytes:
    """The file of a store after one pass over a feed that shows these items; many tests may start from it."""
    with Desk(folder, targets=[log_target(folder=folder / "alerts")], **more) as desk:
        desk.web.feed(FEED, items)
        asyncio.run(desk.pass_())
    return (folder / "veille.db").read_bytes()


def scripted(monkeypatch: Any, desk: Desk) -> Desk:
    """Let the desk's script send."""
    monkeypatch.setattr(deliver_job, "send", desk.send)
    return desk


def examples(count: int) -> settings:
    """Settings of a property that takes long: `count` examples at the gate, twenty times as many in `make soak`."""
    return settings(
        max_examples=count * (20 if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 1),
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


async def until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Return once it is true; a liveness bound, never a fixed sleep."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it asks the database, which sends no events
            await asyncio.sleep(0.01)
