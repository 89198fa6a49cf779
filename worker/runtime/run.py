"""The worker: opens the edges, owns the signals, runs an engine."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

import structlog

from worker.errors import Problem, StoreError, UserError, VeilleError
from worker.feeds.child import Children
from worker.model import Claimed, Notice, Receipt, Role, times
from worker.notify.render import filled, seal
from worker.notify.senders import send
from worker.pipeline.context import ActiveConfig, JobContext
from worker.pipeline.notices import notify_operators, words
from worker.pipeline.rejudging import rejudge
from worker.runtime.clock import LATE_AFTER, SET_BACK, clock
from worker.runtime.load import client_of, load, open_for, target_named
from worker.runtime.logs import Form, configure
from worker.store import STAMP, Store, Tx, deliveries, entries, feeds, leases, ledger, queues, silences, upkeep

if TYPE_CHECKING:
    from worker.runtime.single_pass import Pass

_log = structlog.get_logger()

#: As many as a store has connections.
_THREADS = 32
#: Seconds from the first signal to a hard end, and the exit code that tells of one: as by SIGTERM.
_END_WITHIN, _ENDED = 9.7, 128 + signal.SIGTERM
#: The first version that bounds what entities grow to: without it ten lines of a feed fill the memory.
_EXPAT = (2, 4, 1)


_passed: Counter[str] = Counter()


def kill_here(point: str) -> None:
    """Die as by SIGKILL where the environment's FAULT_POINT says so: for tests of what a crash may lose.

    `NAME`, or `NAME:N` for the Nth time that it is passed.
    """
    name, _, time = os.environ.get("FAULT_POINT", "").partition(":")
    if name != point:
        return
    _passed[point] += 1
    if _passed[point] >= int(time or 1):
        os.kill(os.getpid(), signal.SIGKILL)


@asynccontextmanager
async def context(live: ActiveConfig, store: Store, echo: Callable[[str], None]) -> AsyncIterator[JobContext]:
    """Everything that jobs work with; let go of at the end."""
    if expat.version_info < _EXPAT:
        found = ".".join(map(str, expat.version_info))
        raise VeilleError(f"Python's expat is {found}, which does not bound entities: nothing is parsed with it")
    client = client_of(live.config)
    children, senders = Children(), Children(size=2)
    owner = f"{socket.gethostname()}:{os.getpid()}:{clock():%Y%m%dT%H%M%S%f}-{STAMP}"
    made = JobContext(
        store=store,
        client=client,
        children=children,
        senders=senders,
        clock=clock,
        owner=owner,
        echo=echo,
        live=live,
        fault_point=kill_here,
    )
    try:
        if not await client.guard_works():
            raise VeilleError("the address guard does not refuse loopback: nothing is fetched with it")
        # Modules and rules live as long as the process: a full collection that looks at them all stalls the loop.
        gc.freeze()
        yield made
    finally:
        gc.unfreeze()
        children.close()
        senders.close()
        await made.client.aclose()


def _take_over(store: Store, live: ActiveConfig) -> None:
    """Make the store this process's: hold it, check it, and end what a dead process left in hand."""
    store.hold()
    store.check_integrity()
    with store.write() as tx:
        now = queues.now(tx) if live.config.engine == "cluster" else clock()
        if store.is_sqlite:  # the hold says that every other lease-holder is dead, and that no other clock wrote
            _mind_the_clock(tx, now)
            feeds.release(tx)
            entries.release(tx)
            deliveries.release(tx)
            _notify_of_the_dead(tx, live, now)
        feeds.ensure(tx, live.config.feeds, now)
        deliveries.unpark(tx, now, live.paced)
        silences.make_signing_key(tx)
        breaches = ledger.audit(tx)
    for breach in breaches:
        _log.error("the ledger does not add up", breach=breach)
    rejudge(store, live, clock)


def _mind_the_clock(tx: Tx, now: datetime) -> None:
    """A store that was written later than it is now: the clock was set back since."""
    newest = leases.newest(tx)
    if newest is not None and newest - now > SET_BACK:
        _log.warning("the clock was set back", by=str(newest - now))
        leases.set_back(tx, newest - now, now=now, lease=timedelta())


def _notify_of_the_dead(tx: Tx, live: ActiveConfig, now: datetime) -> None:
    """A worker that ended without saying so was not watching meanwhile: said once, by whoever comes next."""
    beats = upkeep.heartbeats(tx)
    for one in beats:
        upkeep.rest(tx, one.owner)
    for beat in beats[:1]:
        if now - beat.tick > LATE_AFTER:
            notice = filled(words(live).died, tick=times.say(beat.tick, times.SECONDS))
            notify_operators(tx, live, *notice, now=now)


def make_threads() -> None:
    """Threads for the parts of jobs that wait for the store: as many as jobs run at once.

    asyncio's own pool has six where there are two processors, and one writer that waits for another holds up readers.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="job"))


async def poll_once(live: ActiveConfig, echo: Callable[[str], None], progress: Callable[[str], None]) -> "Pass":
    """One pass over all feeds."""
    make_threads()
    from worker.runtime.single_pass import run_once

    store = open_for(live.config, create=True)
    try:
        _take_over(store, live)
        async with context(live, store, echo) as made:
            try:
                return await run_once(made, progress)
            finally:
                with contextlib.suppress(StoreError), store.write() as tx:
                    leases.give_back(tx, made.owner, clock())
    finally:
        store.close()


async def send_test(live: ActiveConfig, target_id: str, echo: Callable[[str], None]) -> dict[str, Receipt]:
    """Send a test message to each recipient of a target, past the ledger; what came of it, by recipient."""
    target = target_named(live, target_id)
    now = clock()
    notice = Notice(subject="Veille: test", body=f"This is a test message from Veille to {target_id}.")
    client = client_of(live.config)
    children = Children()
    receipts: dict[str, Receipt] = {}
    try:
        for recipient in target.recipients:
            key = f"test-{now:%Y%m%dT%H%M%S%f}"
            message = seal(
                notice,
                target=target,
                recipient=recipient,
                key=key,
                host="veille",
                now=now,
                templates=live.config.templates,
            )
            if message.problem:
                _log.warning("a template was not used", problem=message.problem)
            claimed = Claimed(
                id=0, key=key, target_id=target_id, recipient=recipient, message=message, attempt=1, first_attempt=now
            )
            receipts[recipient] = await send(
                claimed, target, client=client, children=children, echo=echo, allow=live.config.allow
            )
    finally:
        children.close()
        await client.aclose()
    return receipts


async def run(
    path: Path, echo: Callable[[str], None], form: Form | None = None, roles: Collection[Role] = tuple(Role)
) -> None:
    """Watch until SIGTERM or SIGINT; SIGHUP reads the configuration again. Within 10 s of the signal it has ended.

    `form` is the log's, as `configure` takes it. Raises UserError where an engine is to take some roles only and there
    are no workers for the others.
    """
    if configure(form=form) is Form.TEXT and sys.stdout.isatty():
        echo = _unheard  # the log has a line for each alert there, and the alert itself lies in its folder
    make_threads()
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, again.set)
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, _stopper(stop))
    # In a thread: to check a large store takes longer than whoever sends a signal waits.
    starting, stopping = asyncio.create_task(asyncio.to_thread(_start, path, roles)), asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        _log.info("stopped before it had started")
        return
    live, store = starting.result()
    from worker.runtime.worker import Worker

    try:
        async with context(live, store, echo) as made:
            await Worker(made, path, roles).run(stop, again)
    finally:
        store.close()


def _unheard(_text: str) -> None:
    """Print nothing."""


def _stopper(stop: asyncio.Event) -> Callable[[], None]:
    """A handler that asks for an orderly end, and sees to it that there is one: nothing is lost by a hard one."""

    def asked() -> None:
        if stop.is_set():
            os._exit(_ENDED)
        stop.set()
        _log.info("stopping")
        # A thread that hangs in a system call would hold up the interpreter's own end for ever.
        hard = threading.Timer(_END_WITHIN, os._exit, [_ENDED])
        hard.daemon = True
        hard.start()

    return asked


def _start(path: Path, roles: Collection[Role]) -> tuple[ActiveConfig, Store]:
    live = load(path)
    if live.config.engine != "cluster" and len(set(roles)) < len(Role):
        message = "`--role` is for workers of a cluster; this one would leave the other roles undone"
        raise UserError([Problem(file=str(path), line=0, message=message, fix='write [engine] kind = "cluster"')])
    store = open_for(live.config, create=True)
    try:
        _take_over(store, live)
    except BaseException:
        store.close()
        raise
    return live, store
