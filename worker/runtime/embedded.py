"""The embedded engine: one process, one tick a second, bounded pools; what is due is always read from the store."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import structlog

from worker.errors import StoreError
from worker.model import Role
from worker.pipeline.context import JobContext
from worker.pipeline.deliver import deliver
from worker.pipeline.ingest import ingest
from worker.pipeline.page import page
from worker.pipeline.poll import poll
from worker.store import deliveries, entries, feeds, pages, queues

# Limits on jobs that run at a time: of all, of one host, of one target.


#: Seconds between looks for a connection to a host that other workers are busy with.
_FREE_EVERY = 0.5
#: A host with five hundred feeds sees two connections, as a person's browser would make.
PER_HOST = 2


def host_of(url: str) -> str:
    """The host of a URL, or its scheme where it has none; the text itself where it is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return parts.hostname or parts.scheme


def choose(waiting: Mapping[str, str], busy: Counter[str], *, slots: int) -> list[str]:
    """The first `slots` of `waiting` (key -> host) whose hosts are not at their limit with `busy` (jobs by host)."""
    chosen: list[str] = []
    load = Counter(busy)
    for key, host in waiting.items():
        if len(chosen) >= slots:
            break
        if load[host] < PER_HOST:
            load[host] += 1
            chosen.append(key)
    return chosen


async def _always() -> bool:
    return True


class Turns:
    """At most `total` jobs at a time and `each` of one group; who waits for a busy group keeps no other one waiting."""

    def __init__(self, *, total: int, each: int) -> None:
        self._slots = asyncio.Semaphore(total)
        self._each = each
        #: Group -> its turns, and how many jobs hold or await one.
        self._groups: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def take(self, group: str, is_free: Callable[[], Awaitable[bool]] = _always) -> AsyncIterator[None]:
        """One turn of `group`, once there is one and `is_free` agrees; until then it is asked again and again."""
        turns, users = self._groups.get(group, (asyncio.Semaphore(self._each), 0))
        self._groups[group] = turns, users + 1
        try:
            async with turns:
                while True:
                    async with self._slots:
                        if await is_free():
                            yield
                            return
                    await asyncio.sleep(_FREE_EVERY)
        finally:
            turns, users = self._groups.pop(group)
            if users > 1:
                self._groups[group] = turns, users - 1


_log = structlog.get_logger()

POLLS = 16
PAGES = 8
#: Pages taken from the store, waiting ones included: so many may a host that hangs hold up without others noticing.
PAGES_TAKEN = 256
DELIVERIES = 8
PER_TARGET = 4
BATCH = 50
TICK_SECONDS = 1
DRAIN_SECONDS = 6
#: After the store refused something: it is asked again, but not a thousand times a second.
REST_SECONDS = 5
#: A job that outlives its lease is done again by another: longer than any job's own limits together.
LEASE = timedelta(minutes=5)
_WINDOW = 200


class Embedded:
    """Runs the jobs of some roles until it is asked to stop."""

    def __init__(
        self,
        context: JobContext,
        upkeep: Callable[[datetime], Awaitable[None]],
        roles: Collection[Role] = tuple(Role),
    ) -> None:
        self._context = context
        self._roles = frozenset(roles)
        #: Called after every sweep that went through: heartbeat, retention, pings.
        self._upkeep = upkeep
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        #: The loop's time before which the store is left alone.
        self._rested = 0.0
        self._polls: dict[str, asyncio.Task[bool]] = {}
        self._pages: dict[int, asyncio.Task[bool]] = {}
        #: Those of them that wait for their turn.
        self._queued: set[int] = set()
        self._turns = Turns(total=PAGES, each=PER_HOST)
        self._deliveries: dict[int, tuple[str, asyncio.Task[bool]]] = {}
        #: What was due at the last look and is not begun: it needs no further look to go on with.
        self._owed: tuple[deliveries.Due, ...] = ()
        #: A look is under way; a delivery ended during it.
        self._looking = self._missed = False
        #: The delivery that was last tried without others of its target.
        self._alone = 0
        self._ingest: asyncio.Task[bool] | None = None
        #: The roles of which the last look found more than there was room for.
        self._left: set[Role] = set()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when what is under way has ended, in at most 9 s."""
        self._stopping.set()
        self._wake.set()

    @property
    def resting(self) -> bool:
        """The store refused something a moment ago, and is left alone; may be asked from any thread."""
        return time.monotonic() < self._rested

    @property
    def idle(self) -> bool:
        """No job is under way."""
        return not (self._polls or self._pages or self._deliveries or self._ingest)

    async def run(self) -> None:
        """Sweep at every tick, and at once when a job has ended, since it may have made work for the next."""
        self._context.ending.clear()
        stopping = asyncio.create_task(self._stopping.wait())
        sweep = None
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                sweep = asyncio.create_task(self._sweep())
                # A store that does not answer must not hold up the stop.
                await asyncio.wait({sweep, stopping}, return_when=asyncio.FIRST_COMPLETED)
                # By the loop's clock, which no step of the machine's moves.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS):
                        await self._wake.wait()
        finally:
            stopping.cancel()
            await self._drain(sweep)

    async def _sweep(self) -> None:
        if asyncio.get_running_loop().time() < self._rested:
            return
        now = self._context.clock()
        try:
            await self._claim(now)
            await self._upkeep(now)
        except StoreError as e:
            # The work is still in the store, and is asked for again.
            _log.warning("the store cannot be read now", error=str(e))
            self._rest()
        except Exception:  # noqa: BLE001 - logged with its trace; the next tick runs whatever happened
            _log.exception("sweep failed")

    def _rest(self) -> None:
        self._rested = asyncio.get_running_loop().time() + REST_SECONDS

    async def _claim(self, now: datetime) -> None:
        context = self._context
        keys = [feed.id for feed in context.live.config.feeds]
        busy = frozenset(self._deliveries)
        # What ends during the look begins nothing from the old list, which the new one may name as well.
        self._owed = ()

        def look() -> tuple[tuple[str, ...], bool, bool, tuple[deliveries.Due, ...]]:
            with context.store.read() as tx:
                ready, wanted = entries.waiting(tx, now=now)
                due = feeds.due(tx, keys, now=now) if Role.POLL in self._roles else ()
                if Role.DELIVER not in self._roles:
                    return due, ready, wanted, ()
                return due, ready, wanted, deliveries.due(tx, now=now, limit=_WINDOW, busy=busy)

        self._looking, self._missed = True, False
        try:
            due, ready, wanted, owed = await context.in_thread(look)
        finally:
            self._looking = False
        ready, wanted = ready and Role.INGEST in self._roles, wanted and Role.POLL in self._roles
        self._left.clear()
        self._owed = owed
        if not self._start_deliveries() and self._missed:
            self._ask()
        if self._owed:
            self._left.add(Role.DELIVER)
        if ready:
            self._left.add(Role.INGEST)
            if self._ingest is None and not self._stopping.is_set():
                await self._start_ingest(now)
        if due and not self._stopping.is_set():
            await self._start_polls(due, now)
        if wanted and len(self._pages) < PAGES_TAKEN and not self._stopping.is_set():
            await self._start_pages(now)

    def _start_deliveries(self) -> bool:
        """Begin what there is room for; whether that was anything."""
        resting = asyncio.get_running_loop().time() < self._rested
        if self._stopping.is_set() or resting:
            return False
        load = Counter(target for target, _ in self._deliveries.values())
        before, later = len(self._deliveries), []
        # What a dead process left behind goes one by one, each without others of its target: five crashes in company
        # would condemn its neighbours with it. What goes to other targets meanwhile becomes a suspect once at most.
        suspect = None if self._alone in self._deliveries else next((one for one in self._owed if one.crashed), None)
        tried = suspect.target_id if suspect else self._deliveries.get(self._alone, ("",))[0]
        for one in self._owed:
            is_suspect = one is suspect
            most = 1 if is_suspect else 0 if one.crashed or one.target_id == tried else PER_TARGET
            if len(self._deliveries) >= DELIVERIES or load[one.target_id] >= most:
                later.append(one)
                continue
            if is_suspect:
                self._alone = one.id
            load[one.target_id] += 1
            self._start_delivery(one)
        self._owed = tuple(later)
        return len(self._deliveries) > before

    def _start_delivery(self, one: deliveries.Due) -> None:
        task = self._start("deliver", deliver(self._context, one.id), partial(self._delivered, one.id))
        self._deliveries[one.id] = (one.target_id, task)

    def _delivered(self, delivery_id: int) -> bool:
        """Go on with what was due; False if only the store can tell what is next."""
        self._deliveries.pop(delivery_id, None)
        if self._looking:  # else each look would lead to another, for what ended during it
            self._missed = True
            return True
        return self._start_deliveries()

    async def _start_ingest(self, now: datetime) -> None:
        context = self._context

        def take() -> tuple[int, ...]:
            with context.store.write() as tx:
                entries.quarantine_poisoned(tx, now=now)
                return entries.take_ready(tx, now=now, lease=LEASE, limit=BATCH, owner=context.owner)

        if ids := await context.in_thread(take):
            self._ingest = self._start("ingest", ingest(context, ids), self._ingested)

    def _ingested(self) -> None:
        self._ingest = None

    async def _start_polls(self, due: tuple[str, ...], now: datetime) -> None:
        context = self._context
        host = {feed.id: host_of(feed.url.reveal()) for feed in context.live.config.feeds}
        waiting = {key: host[key] for key in due if key in host and key not in self._polls}
        load = Counter(host[key] for key in self._polls if key in host)
        slots = POLLS - len(self._polls)
        if len(waiting) > slots:
            self._left.add(Role.POLL)
        if not choose(waiting, load, slots=slots):
            return

        def claim() -> tuple[str, ...]:
            with context.store.write() as tx:
                busy = load + Counter(
                    host[key] for key in queues.polled_by_others(tx, context.owner, now=now) if key in host
                )
                chosen = choose(waiting, busy, slots=slots)
                return feeds.claim(tx, chosen, now=now, lease=LEASE, owner=context.owner)

        for key in await context.in_thread(claim):
            self._polls[key] = self._start("poll", poll(context, key), partial(self._polls.pop, key, None))

    async def _start_pages(self, now: datetime) -> None:
        context = self._context

        def take() -> tuple[pages.PageWanted, ...]:
            with context.store.write() as tx:
                return pages.take_pages(
                    tx, now=now, lease=LEASE, limit=PAGES_TAKEN - len(self._pages), owner=context.owner
                )

        for one in await context.in_thread(take):
            if one.entry_id not in self._pages:
                self._queued.add(one.entry_id)
                task = self._start("page", self._page(one), partial(self._pages.pop, one.entry_id, None))
                self._pages[one.entry_id] = task

    async def _page(self, one: pages.PageWanted) -> None:
        try:
            async with self._connection_slot(host_of(one.link)):
                self._queued.discard(one.entry_id)
                await page(self._context, one)
        finally:
            self._queued.discard(one.entry_id)

    @asynccontextmanager
    async def _connection_slot(self, host: str) -> AsyncIterator[None]:
        """One of the connections to a host, once there is one."""
        async with self._turns.take(host):
            yield

    def _ask(self) -> None:
        """Sweep at once, as a job has ended that may have made work for the next, or left room for it."""
        self._wake.set()

    def _start(self, name: str, job: Coroutine[Any, Any, object], ended: Callable[[], object]) -> asyncio.Task[bool]:
        async def guarded() -> bool:
            try:
                await job
            except StoreError as e:
                _log.warning("the store could not take it; the job comes again", job=name, error=str(e))
                self._rest()
            except Exception:  # noqa: BLE001 - logged with its trace; the next tick runs whatever happened
                _log.exception("job failed", job=name)
            else:
                return True
            return False

        def over(task: asyncio.Task[bool]) -> None:
            job.close()  # cancelled before its first step, it would never have begun
            goes_on = ended() is True
            # One that failed waits for the tick: it may be due again at once.
            if not goes_on and not task.cancelled() and task.result():
                self._ask()

        task = asyncio.create_task(guarded())
        task.add_done_callback(over)
        return task

    async def _drain(self, sweep: asyncio.Task[None] | None) -> None:
        """Let what is under way end, for a while; what only waits for its turn has not begun."""
        end = asyncio.get_running_loop().time() + DRAIN_SECONDS
        if sweep is not None:
            await asyncio.wait({sweep}, timeout=DRAIN_SECONDS)
        for entry in tuple(self._queued):
            self._pages[entry].cancel()
        tasks: set[asyncio.Task[Any]] = {*self._polls.values(), *self._pages.values()}
        tasks |= {task for _, task in self._deliveries.values()}
        tasks |= {task for task in (self._ingest, sweep) if task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=max(0.0, end - asyncio.get_running_loop().time()))
            for task in late:
                task.cancel()
            if late:
                self._context.ending.set()
                await asyncio.wait(late, timeout=1)
