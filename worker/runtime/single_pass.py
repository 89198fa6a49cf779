"""A single pass, `veille poll`: polls every feed, makes articles, delivers what is due, and ends."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from worker.errors import StoreError
from worker.model import DeliveryState, Role
from worker.pipeline.context import JobContext
from worker.pipeline.deliver import deliver
from worker.pipeline.ingest import ingest
from worker.pipeline.poll import Polled, poll
from worker.runtime.embedded import Embedded
from worker.store import Tx, deliveries, feeds, targets

#: Deliveries of one pass; more than a query can name are left to the next.
_MANY = 20_000
#: So often a delivery that was due and not attempted is looked at again.
_PASSED = 3
#: Seconds for which a pass waits for a store that cannot take what came of a send.
_PATIENCE = 15.0
#: For so long, all in all, a pass waits for the turn of messages to targets with a rate.
PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Pass:
    """Counts of one pass; `veille poll --json` prints them."""

    feeds: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    articles: Counter[str] = field(default_factory=Counter)
    matches: Counter[str] = field(default_factory=Counter)
    deliveries: dict[str, int] = field(default_factory=dict)
    #: Feed name -> reason and detail.
    failures: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The documented object, every key present."""
        return {
            "feeds": {name: self.feeds[name] for name in ("polled", "new", "not_modified", "failed", "waiting")},
            "entries": self.entries,
            "articles": {name: self.articles[name] for name in ("new", "update", "duplicate")},
            "matches": dict(sorted(self.matches.items())),
            "deliveries": {str(state): self.deliveries.get(state, 0) for state in DeliveryState},
        }


async def run_once(context: JobContext, progress: Callable[[str], None]) -> Pass:
    """One pass over all feeds, due or not, with a word of progress for each; who asked for patience is left alone.

    Raises what the store refused, once all that was under way has ended.
    """
    engine = SinglePass(context, progress)
    for role in (Role.POLL, Role.INGEST, Role.DELIVER):
        await engine.finish(role)
    return engine.done


async def deliver_due(context: JobContext) -> dict[str, int]:
    """Deliver what is due, each delivery once; how many came to which state."""
    engine = SinglePass(context, lambda _: None)
    await engine.finish(Role.DELIVER)
    return engine.done.deliveries


class SinglePass(Embedded):
    """The embedded engine, one role after the other, each until nothing is left for it to do."""

    _is_single = True

    def __init__(self, context: JobContext, progress: Callable[[str], None]) -> None:
        super().__init__(context, _no_upkeep, roles=())
        self.done = Pass()
        self._progress = progress
        with context.store.read() as tx:
            waiting = feeds.waiting(tx, now=context.clock())
        configured = context.live.config.feeds
        #: The names of the feeds that are still to be polled.
        self._unpolled = {feed.id: feed.name for feed in configured if feed.id not in waiting}
        self.done.feeds["waiting"] = len(configured) - len(self._unpolled)
        #: How often a delivery was left to another worker.
        self._passed: Counter[int] = Counter()
        self._waited = 0.0
        self._refusals: list[StoreError] = []

    async def finish(self, role: Role) -> None:
        """Do all that this role has to do; raises what the store refused."""
        self._roles = frozenset({role})
        try:
            while True:
                self._wake.clear()
                if is_over := len(self._tried) >= _MANY:
                    self._owed = ()
                else:
                    await self._claim(self._context.clock())
                if not self.idle:
                    await self._wake.wait()
                elif is_over or (not self._wake.is_set() and (self._refusals or not await self._turn_comes())):
                    break
        finally:
            tasks = self._tasks()
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
        if self._refusals:
            raise self._refusals[0]
        with self._context.store.read() as tx:
            states = deliveries.counts(tx, self._tried)
        self.done.deliveries = {str(state): states.get(state, 0) for state in DeliveryState}

    async def _turn_comes(self) -> bool:
        """Wait for the turn of a target with a rate; False where none comes soon: the rest is left to later passes."""
        if Role.DELIVER not in self._roles:
            return False
        now = self._context.clock()
        with self._context.store.read() as tx:
            at = targets.next_turn(tx, now=now, busy=self._tried)
        if at is None or self._waited + (wait := max((at - now).total_seconds(), 0.01)) > PATIENCE_SECONDS:
            return False
        self._waited += wait
        await asyncio.sleep(wait)
        return True

    def _due_feeds(self, _tx: Tx, _now: datetime) -> tuple[str, ...]:
        return tuple(self._unpolled)

    async def _poll_feed(self, key: str) -> None:
        name = self._unpolled.pop(key)
        polled = await poll(self._context, key)
        if polled is not None:
            _count(self.done, name, polled)
            self._progress(name)

    async def _ingest_entries(self, ids: tuple[int, ...]) -> None:
        ingested = await ingest(self._context, ids)
        self.done.articles.update({str(kind): n for kind, n in ingested.novelties.items()})
        self.done.matches.update(ingested.matches)

    def _start_delivery(self, one: deliveries.Due) -> None:
        self._tried.add(one.id)
        super()._start_delivery(one)

    async def _attempt(self, delivery_id: int) -> None:
        state = await deliver(self._context, delivery_id, patience=_PATIENCE)
        if state is None and self._passed[delivery_id] < _PASSED:
            # Another had its target's turn: it may have one later in this pass.
            self._passed[delivery_id] += 1
            self._tried.discard(delivery_id)

    def _refused(self, _job: str, why: StoreError) -> None:
        self._refusals.append(why)
        self._rest()


async def _no_upkeep(_now: datetime) -> None:
    """A pass looks after nothing but its jobs."""


def _count(done: Pass, name: str, polled: Polled) -> None:
    done.feeds["polled"] += 1
    done.entries += polled.new
    match polled.result:
        case "ok":
            done.feeds["new"] += 1
        case "not_modified":
            done.feeds["not_modified"] += 1
        case reason:
            done.feeds["failed"] += 1
            done.failures[name] = f"{reason}: {polled.detail}"
