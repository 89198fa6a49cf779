"""The context in which jobs run: the edges, made once by `app`."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from worker.child import Children
from worker.net import Client
from worker.pipeline.live import Live
from worker.store import Store

T = TypeVar("T")
Item = TypeVar("Item")


def _nowhere(_point: str) -> None:
    """Do nothing: tests kill the process here."""


@dataclass(slots=True, kw_only=True)
class Edges:
    """Everything a job reaches the world through."""

    store: Store
    client: Client
    #: For parsing and extracting.
    children: Children
    #: For Apprise: a service that stalls must not keep feeds waiting.
    senders: Children
    #: The only clock: aware UTC.
    clock: Callable[[], datetime]
    #: Names this process in leases.
    owner: str
    #: Where the log target prints.
    echo: Callable[[str], None]
    live: Live
    #: What is wrong with templates and was told already; a start tells it once more.
    told: set[str] = field(default_factory=set)
    #: How far the clock was stepped forward and is not trusted yet: nothing is given up for an age that it made.
    ahead: Callable[[], timedelta] = timedelta
    #: By job: what keeps it from being done at all at present, which is no fault of what it works on.
    faults: dict[str, str] = field(default_factory=dict)
    #: The worker's time is over: a thread, which nobody can cancel, gives up what it has not committed.
    ending: threading.Event = field(default_factory=threading.Event)
    #: Called at named points, for tests that kill the process there.
    at: Callable[[str], None] = field(default=_nowhere)
    _batches: "dict[Callable[..., Any], _Batch]" = field(default_factory=dict, init=False, repr=False)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run the sync part of a job, store or core, off the event loop."""
        return await asyncio.to_thread(function)

    def in_batch(
        self, function: "Callable[[Edges, Sequence[Item]], Sequence[T | Exception]]", item: Item
    ) -> Awaitable[T]:
        """`function`'s result for `item`, from one run in a thread for all items that came while it ran before.

        It gives one result for each item, in their order; an exception is raised to the one it stands for, and one
        that is raised to all. So a hop to a thread and a transaction, which cost more than what many jobs do in them,
        are shared by those that wait at the same time; who comes alone does not wait.
        """
        batch = self._batches.setdefault(function, _Batch())
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        batch.waiting.append((item, answer))
        if batch.running is None:
            batch.running = asyncio.create_task(self._run(function, batch))
        return answer

    async def _run(self, function: Callable[..., Sequence[Any]], batch: "_Batch") -> None:
        try:
            while batch.waiting:
                taken, batch.waiting = batch.waiting, []
                try:
                    results = await self.in_thread(partial(function, self, [item for item, _ in taken]))
                except Exception as e:  # noqa: BLE001 - raised to those that wait
                    results = [e] * len(taken)
                for (_, answer), result in zip(taken, results, strict=True):
                    if answer.done():  # who waited was cancelled
                        continue
                    if isinstance(result, Exception):
                        answer.set_exception(result)
                    else:
                        answer.set_result(result)
        finally:
            batch.running = None


@dataclass(slots=True)
class _Batch:
    """Items that wait for one function."""

    waiting: list[tuple[Any, asyncio.Future[Any]]] = field(default_factory=list)
    running: asyncio.Task[None] | None = None
