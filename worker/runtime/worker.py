"""`veille run`, once the edges are open: an engine, its upkeep, the console, and reloads."""

import asyncio
import contextlib
import os
import resource
import socket
import time
from collections.abc import Collection, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from worker.alerts.self_watch import process
from worker.console.answers import Read, Take
from worker.console.desk import Desk
from worker.console.metrics import Measured, measure
from worker.console.server import Console
from worker.errors import StoreError
from worker.model import Role, times
from worker.notify.render import conditions, filled
from worker.pipeline import answering
from worker.pipeline.context import JobContext
from worker.pipeline.discover import discover, try_rules
from worker.pipeline.notices import notify_operators, words
from worker.runtime.clock import CONFIRMED_AFTER, LATE_AFTER, SET_FORWARD, Steps, age_of, boot, elapsed
from worker.runtime.embedded import LEASE, Embedded
from worker.runtime.firstpass import announce
from worker.runtime.reload import Reloads
from worker.runtime.retention import forget
from worker.runtime.self_watch import Others, SelfWatch
from worker.runtime.timetable import Timetable
from worker.store import Tx, leases, upkeep

if TYPE_CHECKING:
    from worker.runtime.cluster import Cluster

T = TypeVar("T")
_log = structlog.get_logger()

#: Seconds.
_BEAT_EVERY, _PING_EVERY, _CLOCK_EVERY = 5.0, 60.0, 1.0
_FORGET_EVERY = timedelta(hours=1)
#: Seconds between looks at itself, and between those that tell of days.
_LOOK_EVERY, _LOOK_LONG_EVERY = 60.0, 600.0
#: Seconds in which a page that asks a server has its answer.
_ASKED_SECONDS = 25.0
#: Files and sockets that must be left for the worker to take on more.
_FEWEST_FILES = 24
#: Seconds between two measurements of the loop, and for which the worst is shown.
_LAG_EVERY, _LAG_SHOWN = 0.5, 60.0


class Worker:
    """An engine, and what it needs to run for years."""

    def __init__(self, made: JobContext, path: Path, roles: Collection[Role] = tuple(Role)) -> None:
        self._context = made
        self._roles = roles
        self._cluster: Cluster | None = None
        if made.live.config.engine == "cluster":
            from worker.runtime import cluster

            # First, as it sets the clock that all else goes by.
            self._cluster = cluster.Cluster(made, self._upkeep, roles, self._take_over_from, self._beat)
        self._path = path
        self._started = made.clock()
        #: When each part of the upkeep was last done, by the loop's clock: the wall's may be stepped.
        self._done: dict[str, float] = {}
        #: When a sweep last went through, by the same clock.
        self._turned: float | None = None
        self._steps = Steps(made.clock)
        #: Steps that the store does not know of yet.
        self._unminded = timedelta()
        made.ahead = self._steps.ahead
        self._timetable = Timetable()
        self._tasks: set[asyncio.Task[None]] = set()
        self._others = Others(made.owner)
        self._self_watch = SelfWatch(made)
        self._looking = False
        self._engine: Embedded = self._cluster or Embedded(made, self._upkeep, roles)
        #: The loop's worst lag of late, in seconds, and when it was.
        self._lag = (0.0, 0.0)

    async def run(self, stop: asyncio.Event, again: asyncio.Event) -> None:
        """Run until `stop` is set, reading the configuration anew whenever `again` is; ends within 10 s.

        Rules are read anew also when their folder changes.
        Raises VeilleError if the console's address cannot be had.
        """
        listen = self._context.live.config.listen
        console = self._console(listen, again) if listen else None
        engine = self._engine
        if console is not None:
            self._spawn(console.serve())
        reloads = Reloads(self._context, self._path, self._spawn)
        reloading = [
            self._spawn(loop)
            for loop in (
                reloads.at_signal(again),
                reloads.at_change(),
                reloads.write_down(),
                self._measure_lag(),
                self._watch_clock(),
            )
        ]
        self._timetable.every(_FORGET_EVERY, self._forget, first=await self._context.in_thread(self._forgets_after))
        self._timetable.start()
        self._spawn(announce(self._context, lambda: engine.idle))
        _log.info("started", feeds=len(self._context.live.config.feeds), rules=len(self._context.live.ruleset.rules))
        running, stopping = asyncio.create_task(engine.run()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            engine.stop()
            if console is not None:
                console.stop()
            await running
        finally:
            stopping.cancel()
            self._timetable.stop()
            for task in reloading:
                task.cancel()
            await self._end_tasks()
            with contextlib.suppress(StoreError, TimeoutError):
                await asyncio.wait_for(self._context.in_thread(self._release), timeout=1.5)
        _log.info("stopped")

    def _console(self, listen: tuple[str, int], again: asyncio.Event) -> Console:
        return Console(
            listen,
            self._is_alive,
            self._measured,
            self._unready,
            self._answering(),
            lambda: self._context.live.config.public_url,
            self._desk(again, listen),
        )

    def _desk(self, again: asyncio.Event, listen: tuple[str, int]) -> Desk:
        """The desk of the console's pages, which run in threads."""
        context, loop = self._context, asyncio.get_running_loop()

        def reload() -> None:
            loop.call_soon_threadsafe(again.set)

        def waited(job: Coroutine[Any, Any, T]) -> T:
            running = asyncio.run_coroutine_threadsafe(job, loop)
            try:
                return running.result(_ASKED_SECONDS)
            finally:
                running.cancel()

        return Desk(
            store=context.store,
            live=lambda: context.live,
            clock=context.clock,
            path=self._path,
            bound=listen,
            is_alive=lambda beat: age_of(beat, context.clock()) < LATE_AFTER,
            reload=reload,
            discover=lambda url: waited(discover(context.client, context.children, url, context.clock())),
            try_rules=lambda entries, feed: waited(
                try_rules(context.children, entries, context.live.ruleset, feed, context.clock())
            ),
        )

    def _answering(self) -> tuple[Read, Take]:
        """Answers one-click links; without a `public_url` none is signed, so none is valid."""
        context = self._context
        return (
            lambda token: answering.read(context.store, context.live, token, context.clock()),
            lambda said: answering.take(context.store, context.live, said, context.clock()),
        )

    def _is_alive(self) -> bool:
        turned = self._turned
        is_late = turned is None or time.monotonic() - turned >= LATE_AFTER.total_seconds()
        return not is_late and not self._context.faults

    def _measured(self) -> Measured:
        context = self._context
        return measure(context.store, context.live.config, context.clock(), lag=self._lag[0])

    def _unready(self) -> str:
        """The reason why nothing more should be asked of this worker; empty: it is ready. May raise StoreError."""
        if faults := self._context.faults.copy():
            return "it cannot do its work: " + "; ".join(sorted(set(faults.values())))
        if not self._is_alive():
            return "the tick is late"
        if self._engine.resting:
            return "the store refused something a moment ago"
        if files_left() < _FEWEST_FILES:
            return "hardly a file can be opened any more"
        return ""

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(_LAG_EVERY)
            now = loop.time()
            lag = now - before - _LAG_EVERY
            if lag >= self._lag[0] or now - self._lag[1] > _LAG_SHOWN:
                self._lag = lag, now

    async def _end_tasks(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.5)
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.5)

    def _release(self) -> None:
        with self._context.store.write() as tx:
            leases.give_back(tx, self._context.owner, self._context.clock())
            upkeep.rest(tx, self._context.owner)

    def _spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await job
            except StoreError as e:
                _log.warning("the store could not take it", error=str(e))
            except Exception:  # noqa: BLE001 - logged with its trace; the watch goes on
                _log.exception("upkeep failed")

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _upkeep(self, now: datetime) -> None:
        is_one_of_many = self._cluster is not None
        if not is_one_of_many and self._is_time("beat", _BEAT_EVERY):
            await self._context.in_thread(lambda: self._beat(now))
        self._turned = time.monotonic()
        self._self_watch.tick(asyncio.get_running_loop().time())
        if not self._looking and self._is_time("look", _LOOK_EVERY * (1 + 4 * is_one_of_many)):
            self._looking = True
            self._spawn(self._look(now, everything=self._is_time("look long", _LOOK_LONG_EVERY)))
        url = self._context.live.config.heartbeat_url
        # Its silence is the alarm where no notice would arrive.
        if url is not None and self._self_watch.well and self._is_time("ping", _PING_EVERY):
            self._spawn(self._ping(url.reveal()))

    async def _watch_clock(self) -> None:
        """Look at the clock beside the sweeps, since one that waits would see a step too late."""
        while True:
            try:
                await self._mind_the_clock()
            except StoreError as e:
                _log.warning("a step of the clock is seen to again when the store can be written to", error=str(e))
            except Exception:  # noqa: BLE001 - logged with its trace; the next look is made whatever happened
                _log.exception("the clock cannot be looked at")
            await asyncio.sleep(_CLOCK_EVERY)

    async def _mind_the_clock(self) -> None:
        """After a step, set anew what waits by the clock: it must not wait two hours longer for two hours back."""
        if seen := self._steps.look():
            _log.warning(f"the clock was set {'back' if seen < timedelta() else 'forward'}", by=str(abs(seen)))
            self._timetable.set_anew()
            self._unminded += seen
        if step := self._unminded:
            now = self._context.clock()
            await self._context.in_thread(lambda: self._stepped(step, now))
            self._unminded -= step

    def _stepped(self, step: timedelta, now: datetime) -> None:
        with self._context.store.write() as tx:
            if step < timedelta():
                beats = upkeep.heartbeats(tx)
                # A cluster has one clock, and one worker does it for all; other workers may have a clock that is right.
                first = min((beat.owner for beat in beats if beat.roles), default="")
                if len(beats) <= 1 or (self._cluster is not None and first == self._context.owner):
                    leases.set_back(tx, -step, now=now, lease=LEASE)
            elif step > SET_FORWARD:
                live = self._context.live
                said = words(live)
                notice = filled(
                    said.clock_set, step=conditions.say_span(step, said.language), days=CONFIRMED_AFTER.days
                )
                notify_operators(tx, live, *notice, now=now)
        with contextlib.suppress(StoreError):  # the step is seen to, and must not be once more
            self._beat(now)

    def _is_time(self, what: str, every: float) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._done.get(what, -every) < every:
            return False
        self._done[what] = now
        return True

    def _beat(self, now: datetime) -> None:
        beat = upkeep.Heartbeat(
            owner=self._context.owner,
            host=socket.gethostname(),
            pid=os.getpid(),
            started=self._started,
            tick=now,
            boot=boot(),
            turned=elapsed(),
            roles="" if self._cluster is None else ",".join(self._roles),
            rules=self._context.live.ruleset.hash,
        )
        if self._cluster is not None:  # where one of them looks after the others
            self._cluster.presence.run(lambda tx: upkeep.beat(tx, beat))
            return
        with self._context.store.write() as tx:
            upkeep.beat(tx, beat)
            if lost := self._others.lost(upkeep.heartbeats(tx), time.monotonic()):
                self._take_over(tx, lost)

    def _take_over_from(self, lost: Collection[str]) -> None:
        with self._context.store.write() as tx:
            self._take_over(tx, lost)

    def _take_over(self, tx: Tx, lost: Collection[str]) -> None:
        """Free what lost workers held; the operators hear of each once."""
        beats = upkeep.heartbeats(tx)
        freed, struck = leases.take_over(tx, lost)
        if not (freed or struck):  # another was first
            return
        _log.warning(
            "a worker ended without stopping; its work is taken over",
            workers=", ".join(map(process, lost)),
            entries_and_deliveries=freed,
        )
        live = self._context.live
        for one in (beat for beat in beats if beat.owner in struck):
            tick = times.say(one.tick, times.SECONDS)
            notice = filled(words(live).taken_over, name=process(one.owner), tick=tick)
            notify_operators(tx, live, *notice, now=self._context.clock())

    async def _look(self, now: datetime, *, everything: bool) -> None:
        at = asyncio.get_running_loop().time()
        try:
            await self._context.in_thread(lambda: self._self_watch.look(at, now, everything=everything))
        finally:
            self._looking = False

    def _forgets_after(self) -> timedelta:
        """A day, where nothing was written for one: a machine that starts with a wrong clock must not delete by it."""
        try:
            with self._context.store.read() as tx:
                newest = leases.newest(tx)
        except StoreError:
            return _FORGET_EVERY
        rested = newest is not None and self._context.clock() - newest > CONFIRMED_AFTER
        return CONFIRMED_AFTER if rested else timedelta()

    async def _forget(self) -> None:
        """Beside the sweeps, which it must not hold up: after a change of retention there may be much to forget."""
        context, live = self._context, self._context.live
        try:
            await context.in_thread(lambda: forget(context.store, live, context.clock(), ahead=context.ahead()))
        except StoreError as e:
            _log.warning("nothing is forgotten for now", error=str(e))

    async def _ping(self, url: str) -> None:
        answer = await self._context.client.request("GET", url, redirects=True)
        _log.debug("pinged", answer=type(answer).__name__)


def files_left() -> int:
    """The number of files and sockets that this process may still open."""
    try:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names
    except FileNotFoundError:  # no such place on this system
        return _FEWEST_FILES
    except OSError:  # not even that one
        return 0
