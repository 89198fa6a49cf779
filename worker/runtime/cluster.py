"""The engine of a cluster: Procrastinate, on the store's PostgreSQL, wakes a worker once there is work for its role.

A job of Procrastinate is a wake-up: it says that there is work for a role, and commits with the transaction that made
it. Which feeds, entries or deliveries that is, and who has them, is read from the store, by its leases and in its
order: ids in a job would say a second time what the store says. A worker that is woken takes what it has room for,
wakes another for what is left, and is not woken again until it has room; so work spreads over as many workers as it
keeps busy.

What comes to be due without a transaction (a poll, a retry, a digest) is looked for by one worker at a time, in shifts
that Procrastinate's periodic tasks give out; it sees as well who died, and frees what they had in hand.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial

import psycopg
import psycopg_pool
import structlog
from procrastinate import App, PsycopgConnector, exceptions
from procrastinate.jobs import Status
from procrastinate.worker import Worker

from worker.errors import StoreError
from worker.model import Role
from worker.pipeline.context import JobContext
from worker.runtime.clock import DatabaseClock
from worker.runtime.embedded import DELIVERIES, DRAIN_SECONDS, PER_HOST, POLLS, TICK_SECONDS, Embedded
from worker.store import Store, leases, queues

_log = structlog.get_logger()

#: Seconds for which a worker looks for what is due, and between its looks.
_SHIFT, _LOOK_EVERY = 15, 2.0
#: Looks in a row that find a worker gone before it is taken for dead: one whose connection was cut has come back by
#: then. Seconds without a heartbeat after which one is taken for dead whose connection stands.
_GONE_LOOKS, _FROZEN = 3, 45.0
#: Seconds between Procrastinate's own looks for wake-ups that it had no notice of, between its looks for jobs to be
#: aborted, of which there are none, and between its heartbeats.
_FETCH_EVERY, _ABORT_EVERY, _HEARTBEAT = 20.0, 600.0, 60.0
#: Seconds between the worker's own heartbeats.
_BEAT_EVERY = 10.0
#: Seconds without a look after which a worker looks for work that nobody woke it for.
_LOOK_ANYWAY = 120.0
#: Seconds before a queue whose connection failed is opened again.
_REOPEN_AFTER = 2.0
#: Seconds between wake-ups by one worker for one role, and between its comparisons of the clocks.
_WAKE_EVERY, _COMPARE_EVERY = 0.2, 60.0
_LOOK = "look"
#: Wake a worker for each of these queues, unless a wake-up waits; by a lock of the queue that would be an error.
_ADD_WAKE_UP = """
    INSERT INTO procrastinate_jobs (queue_name, task_name)
    SELECT queue, queue FROM unnest(%(queues)s::text[]) AS q(queue) WHERE NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs WHERE queue_name = q.queue AND status = 'todo')
"""
#: One look at the store answers all wake-ups of a queue that wait.
_DELETE_WAITING = """
    DELETE FROM procrastinate_jobs WHERE id IN (
        SELECT id FROM procrastinate_jobs WHERE queue_name = ANY(%(queues)s::text[]) AND status = 'todo'
        FOR UPDATE SKIP LOCKED)
"""
#: What Procrastinate and its pool raise where the database is away.
_AWAY = (exceptions.ConnectorException, psycopg.Error, psycopg_pool.PoolTimeout, OSError)


class Cluster(Embedded):
    """Runs the jobs of some roles, with other workers on the same store."""

    def __init__(
        self,
        context: JobContext,
        upkeep: Callable[[datetime], Awaitable[None]],
        roles: Collection[Role],
        take_over: Callable[[Collection[str]], None],
        beat: Callable[[datetime], None],
    ) -> None:
        super().__init__(context, upkeep, roles)
        #: Frees what dead workers had in hand; called in a thread.
        self._take_over = take_over
        #: Writes the heartbeat; called in a thread.
        self._beat = beat
        self.presence = queues.Presence(context.store, context.owner)
        self._clock = DatabaseClock(self.presence.now)
        context.clock = self._clock
        self._asked = True
        #: The store refused a job, whose lease it has since.
        self._was_refused = False
        #: Wake-ups that wait for the next sweep to go through.
        self._waiting: list[asyncio.Future[None]] = []
        #: Set whenever a job has ended, so that there may be room for another.
        self._room = asyncio.Event()
        #: Owner -> looks in a row that found it gone, of one shift.
        self._unseen: Counter[str] = Counter()
        #: When this worker last woke one for a role.
        self._woke: dict[Role, float] = {}
        self._workers: list[Worker] = []
        self._compared = self._looked = time.monotonic()
        self._app = App(connector=PsycopgConnector(configure=_configure))

    def stop(self) -> None:
        """As the embedded engine."""
        super().stop()
        self._room.set()
        for one in self._waiting:
            if not one.done():
                one.set_result(None)
        for worker in self._workers:
            worker.stop()  # type: ignore[no-untyped-call]  # as the library has it

    async def run(self) -> None:
        """Answer wake-ups until `stop`; what is under way then ends as it does in the embedded engine."""
        # It would log each wake-up, and each connection that is opened again.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        answering: list[asyncio.Task[None]] = []
        try:
            async with _pool(self._context.store) as pool, self._app.open_async(pool):
                answering = [asyncio.create_task(self._answer(str(role))) for role in sorted(self._roles)]
                answering += map(asyncio.create_task, (self._answer(_LOOK), self._keep_beating()))
                await super().run()
                await asyncio.wait(answering, timeout=1)
        finally:
            for task in answering:
                task.cancel()
            await self._context.in_thread(self.presence.close)

    async def _keep_beating(self) -> None:
        """Write the heartbeat beside the sweeps: a worker that waits for a lock is not frozen."""
        while not self._stopping.is_set():
            try:
                await self._context.in_thread(lambda: self._beat(self._clock()))
            except StoreError:  # the sweep logs it
                pass
            except Exception:  # noqa: BLE001 - logged with its trace; the next one may go through
                _log.exception("the heartbeat cannot be written")
            await self._pause(_BEAT_EVERY)

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopping.wait()

    # --- wake-ups ---

    async def _answer(self, queue: str) -> None:
        """Answer the wake-ups of a queue, each when the one before it was answered; an outage is waited out."""
        app = App(connector=self._app.connector)
        if queue == _LOOK:
            seconds = f"* * * * * */{_SHIFT}"
            app.periodic(cron=seconds)(app.task(name=_LOOK, queue=_LOOK)(self._look_for_due))
        else:
            app.task(name=queue, queue=queue)(partial(self._woken, Role(queue)))
        while not self._stopping.is_set():
            worker = Worker(
                app,
                queues=[queue],
                name=self._context.owner,
                fetch_job_polling_interval=_FETCH_EVERY,
                abort_job_polling_interval=_ABORT_EVERY,
                update_heartbeat_interval=_HEARTBEAT,
                stalled_worker_timeout=3 * _HEARTBEAT,
                shutdown_graceful_timeout=DRAIN_SECONDS,
                delete_jobs="always",
                install_signal_handlers=False,
            )
            self._workers.append(worker)
            try:
                await worker.run()  # type: ignore[no-untyped-call]  # as the library has it
            except _AWAY as e:
                _log.warning("this worker is not woken for now", queue=queue, error=str(e.__cause__ or e).strip())
            except Exception:  # noqa: BLE001 - logged with its trace; the queue is opened again
                _log.exception("a queue failed", queue=queue)
            else:
                if not self._stopping.is_set():
                    _log.warning("a queue's connection was lost; it is opened again", queue=queue)
            finally:
                self._workers.remove(worker)
            await self._pause(_REOPEN_AFTER)

    async def _woken(self, role: Role) -> None:
        """Look for work, and leave the queue's next wake-ups to others until there is room for more."""
        with _logged(role):
            await self._app.connector.execute_query_async(_DELETE_WAITING, queues=[str(role)])
            await self._answered(role)

    async def _answered(self, role: Role) -> None:
        swept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(swept)
        self._ask()
        await swept
        while self._is_full(role) and not self._stopping.is_set():
            self._room.clear()
            with contextlib.suppress(TimeoutError):  # a job that failed asks for nothing, but leaves room
                async with asyncio.timeout(TICK_SECONDS):
                    await self._room.wait()

    def _is_full(self, role: Role) -> bool:
        match role:
            case Role.POLL:
                return len(self._polls) >= POLLS
            case Role.INGEST:
                return self._ingest is not None
            case Role.DELIVER:
                return len(self._deliveries) >= DELIVERIES

    async def _wake_for(self, roles: Collection[Role], *, again: bool = False) -> None:
        """Wake a worker for each role; `again`: also where a wake-up waits, of which nobody may have had notice."""
        now = time.monotonic()
        now_woken = [str(role) for role in sorted(roles) if now - self._woke.get(role, -1.0) >= _WAKE_EVERY]
        self._woke |= dict.fromkeys(map(Role, now_woken), now)
        if now_woken:
            # Where the database is away, the next look wakes it again.
            with contextlib.suppress(*_AWAY):
                if again:
                    await self._app.connector.execute_query_async(_DELETE_WAITING, queues=now_woken)
                await self._app.connector.execute_query_async(_ADD_WAKE_UP, queues=now_woken)

    # --- what the embedded engine does at each tick ---

    def _ask(self) -> None:
        self._asked = True
        self._room.set()
        super()._ask()

    async def _sweep(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            # Also while the store is left alone: a worker without its connection is soon taken for dead.
            if self.presence.is_cut():
                with contextlib.suppress(StoreError):
                    await self._compare()
            await super()._sweep()
        finally:
            for one in waiting:
                if not one.done():
                    one.set_result(None)

    def _rest(self) -> None:
        self._was_refused = True
        super()._rest()

    def _release_idle_leases(self) -> None:
        polled, fetched, is_ingesting = tuple(self._polls), tuple(self._pages), self._ingest is not None
        with self._context.store.write() as tx:
            leases.give_back_idle(tx, self._context.owner, polled, fetched, is_ingesting=is_ingesting)

    async def _claim(self, now: datetime) -> None:
        if time.monotonic() - self._compared >= _COMPARE_EVERY:
            await self._compare()
        if self._was_refused:
            await self._context.in_thread(self._release_idle_leases)
            self._was_refused, self._asked = False, True
        # Procrastinate gives out no shift while a clock that was set back has not caught up.
        if not self._asked and time.monotonic() - self._looked < _LOOK_ANYWAY:
            return
        self._asked, self._looked = False, time.monotonic()
        try:
            await super()._claim(now)
        except BaseException:
            self._asked = True
            raise
        await self._wake_for(self._left)

    async def _compare(self) -> None:
        await self._context.in_thread(self._clock.compare)
        self._compared = time.monotonic()

    @asynccontextmanager
    async def _connection_slot(self, host: str) -> AsyncIterator[None]:
        taken: list[int] = []

        async def is_free() -> bool:
            slot = await self._context.in_thread(partial(self.presence.take_slot, host, PER_HOST))
            if slot is not None:
                taken.append(slot)
            return slot is not None

        try:
            async with self._turns.take(host, is_free):
                yield
        finally:
            for slot in taken:
                # One that is not given back is free again with the connection.
                with contextlib.suppress(StoreError):
                    await self._context.in_thread(partial(self.presence.give_slot, host, slot))

    # --- one worker at a time ---

    async def _look_for_due(self, timestamp: int) -> None:  # noqa: ARG002 - as Procrastinate calls it
        """Wake workers for what is due, and take over from the dead, until another's shift."""
        with _logged(_LOOK):
            await self._shift()

    async def _shift(self) -> None:
        end = time.monotonic() + _SHIFT - _LOOK_EVERY / 2
        self._unseen.clear()
        await self._delete_idle()
        while time.monotonic() < end and not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._look()
            except StoreError as e:
                _log.warning("it cannot be seen what is due", error=str(e))
            await self._pause(began + _LOOK_EVERY - time.monotonic())

    async def _look(self) -> None:
        context = self._context

        def look() -> tuple[frozenset[Role], frozenset[str]]:
            roles = self.presence.run(lambda tx: queues.asked_for(tx, context.live.feed, now=context.clock()))
            return roles, self.presence.gone(frozen=_FROZEN)

        roles, gone = await context.in_thread(look)
        await self._wake_for(roles, again=True)
        self._unseen = Counter({owner: self._unseen[owner] + 1 for owner in gone})
        if dead := [owner for owner, looks in self._unseen.items() if looks >= _GONE_LOOKS]:
            await context.in_thread(lambda: self._take_over_from_dead(dead))
            await self._delete_idle()
            await self._wake_for(tuple(Role))

    def _take_over_from_dead(self, dead: Collection[str]) -> None:
        self.presence.end_sessions(dead)
        self._take_over(dead)

    async def _delete_idle(self) -> None:
        """Delete the wake-ups that dead workers were answering; a look follows."""
        with contextlib.suppress(*_AWAY):
            manager = self._app.job_manager
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=3 * _HEARTBEAT):
                await manager.finish_job(job, Status.FAILED, delete_job=True)


@contextmanager
def _logged(queue: str) -> Iterator[None]:
    """Log what Procrastinate, which says nothing here, would keep to itself."""
    task = asyncio.current_task()
    assert task is not None, "Procrastinate runs each job in a task"
    task.add_done_callback(_ended)
    try:
        yield
    except _AWAY as e:
        _log.warning("a wake-up was not answered", queue=queue, error=str(e.__cause__ or e).strip())
    except Exception:  # noqa: BLE001 - logged with its trace; the next wake-up may go through
        _log.exception("a wake-up failed", queue=queue)


def _ended(task: asyncio.Task[object]) -> None:
    """Take the error of a job's end, which asyncio would log with its trace where the database is away."""
    if not task.cancelled() and (e := task.exception()) is not None and not isinstance(e, _AWAY):
        _log.error("the end of a wake-up failed", exc_info=e)


def _pool(store: Store) -> psycopg_pool.AsyncConnectionPool:
    """Connections for wake-ups: one of our own, since Procrastinate's asks of each connection whether it lives."""
    return psycopg_pool.AsyncConnectionPool(
        kwargs=store.driver_arguments(), min_size=1, max_size=8, open=False, configure=_configure
    )


async def _configure(connection: psycopg.AsyncConnection) -> None:
    """Make each statement a transaction of its own."""
    await connection.set_autocommit(True)
