"""One pass: poll every feed, make articles, deliver what is due, and out. `veille poll`."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import structlog

from worker.errors import StoreError
from worker.model import DeliveryState
from worker.pipeline.context import JobContext
from worker.pipeline.deliver import deliver
from worker.pipeline.ingest import ingest
from worker.pipeline.page import page
from worker.pipeline.poll import Polled, poll
from worker.runtime.embedded import BATCH, DELIVERIES, LEASE, PAGES, PER_HOST, PER_TARGET, POLLS, Turns, host_of
from worker.store import deliveries, entries, feeds, pages, targets

_log = structlog.get_logger()
_WINDOW = 200
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
    """One pass over all feeds, due or not, with a word of progress for each; who asked for patience is left alone."""
    done = Pass()
    await _polls(context, done, progress)
    await _pages(context)
    await _ingests(context, done)
    done.deliveries = await deliver_due(context)
    return done


async def _bounded(jobs: Iterable[tuple[str, Callable[[], Awaitable[None]]]], *, total: int, each: int) -> None:
    """Run jobs, at most `total` at a time and `each` of one group; one that fails stops no other.

    Raises what the store refused, once all have ended.
    """
    turns = Turns(total=total, each=each)
    refused: list[StoreError] = []

    async def one(group: str, job: Callable[[], Awaitable[None]]) -> None:
        async with turns.take(group):
            try:
                await job()
            except StoreError as e:
                refused.append(e)
            except Exception:  # noqa: BLE001 - logged with its trace; its lease ends, and a later pass tries again
                _log.exception("job failed")

    async with asyncio.TaskGroup() as tasks:
        for group, job in jobs:
            tasks.create_task(one(group, job))
    if refused:
        raise refused[0]


async def _polls(context: JobContext, done: Pass, progress: Callable[[str], None]) -> None:
    async def one(key: str, name: str) -> None:
        polled = await poll(context, key)
        if polled is not None:
            _count(done, name, polled)
            progress(name)

    with context.store.read() as tx:
        waiting = feeds.waiting(tx, now=context.clock())
    configured = [feed for feed in context.live.config.feeds if feed.id not in waiting]
    done.feeds["waiting"] = len(context.live.config.feeds) - len(configured)
    jobs = [(host_of(f.url.reveal()), partial(one, f.id, f.name)) for f in configured]
    with context.store.write() as tx:
        feeds.claim(tx, [f.id for f in configured], now=context.clock(), lease=LEASE, owner=context.owner)
    await _bounded(jobs, total=POLLS, each=PER_HOST)


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


async def _pages(context: JobContext) -> None:
    def take() -> tuple[pages.PageWanted, ...]:
        with context.store.write() as tx:
            return pages.take_pages(tx, now=context.clock(), lease=LEASE, limit=BATCH, owner=context.owner)

    async def one(wanted: pages.PageWanted) -> None:
        await page(context, wanted)

    while wanted := await context.in_thread(take):
        await _bounded([(host_of(w.link), partial(one, w)) for w in wanted], total=PAGES, each=PER_HOST)


async def _ingests(context: JobContext, done: Pass) -> None:
    def take() -> tuple[int, ...]:
        now = context.clock()
        with context.store.write() as tx:
            entries.quarantine_poisoned(tx, now=now)
            return entries.take_ready(tx, now=now, lease=LEASE, limit=BATCH, owner=context.owner)

    while ids := await context.in_thread(take):
        try:
            ingested = await ingest(context, ids)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - as above
            _log.exception("job failed")
            continue
        done.articles.update({str(kind): n for kind, n in ingested.novelties.items()})
        done.matches.update(ingested.matches)


async def deliver_due(context: JobContext) -> dict[str, int]:
    """Deliver what is due, each delivery once; how many came to which state."""
    touched: set[int] = set()
    passed: Counter[int] = Counter()
    states: Counter[str] = Counter({str(state): 0 for state in DeliveryState})

    def due() -> tuple[deliveries.Due, ...]:
        with context.store.read() as tx:
            return deliveries.due(tx, now=context.clock(), limit=_WINDOW, busy=touched)

    def turn() -> float | None:
        now = context.clock()
        with context.store.read() as tx:
            at = targets.next_turn(tx, now=now, busy=touched)
        return None if at is None else max((at - now).total_seconds(), 0.01)

    async def one(delivery_id: int) -> None:
        if await deliver(context, delivery_id, patience=_PATIENCE) is None and passed[delivery_id] < _PASSED:
            # Another had its target's turn: it may have one later in this pass.
            passed[delivery_id] += 1
            touched.discard(delivery_id)

    waited = 0.0
    while len(touched) < _MANY:
        batch = await context.in_thread(due)
        if not batch:
            # What waits for the turn of a target with a rate: a short burst is sent, a long one left to later passes.
            wait = await context.in_thread(turn)
            if wait is None or waited + wait > PATIENCE_SECONDS:
                break
            waited += wait
            await asyncio.sleep(wait)
            continue
        ids = [one_due.id for one_due in batch]
        touched.update(ids)
        company = [(d.target_id, partial(one, d.id)) for d in batch if not d.crashed]
        await _bounded(company, total=DELIVERIES, each=PER_TARGET)
        # What took a process down goes alone, so that it is known whether it was the cause.
        await _bounded([("", partial(one, d.id)) for d in batch if d.crashed], total=1, each=1)
        with context.store.read() as tx:
            states.update(deliveries.counts(tx, touched.intersection(ids)))
    return dict(states)
