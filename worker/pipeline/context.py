"""The context in which jobs run: the edges, made once by `runtime`, and the configuration in force."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from worker.config import Config, Look
from worker.errors import StoreError
from worker.model import Feed, Target
from worker.store import Store

if TYPE_CHECKING:
    # Commands that only read load neither.
    from worker.feeds.child import Children
    from worker.net.client import Client
    from worker.rules import RuleSet


# The configuration and rules in force, which a reload replaces.


@dataclass(frozen=True, kw_only=True)
class ActiveConfig:
    """The configuration and rules in force."""

    config: Config
    ruleset: "RuleSet"
    #: How the folder of rules looked just before it was read; None for rules that come from elsewhere.
    seen: Look | None = None

    def feed(self, key: str) -> Feed | None:
        """The feed with that id, unless it was removed."""
        return self._feeds.get(key)

    @cached_property
    def _feeds(self) -> dict[str, Feed]:
        return {feed.id: feed for feed in self.config.feeds}

    @cached_property
    def ageless(self) -> "ActiveConfig":
        """The same without any `max_age`, for while the clock may be wrong."""
        rules = tuple(replace(rule, max_age=None) for rule in self.ruleset.rules)
        alerts = replace(self.config.alerts, max_age=None)
        return replace(self, config=replace(self.config, alerts=alerts), ruleset=replace(self.ruleset, rules=rules))

    @property
    def paced(self) -> tuple[str, ...]:
        """Ids of the targets that take only so many messages in a time."""
        return tuple(target.id for target in self.config.alerts.targets if target.pace is not None)

    def target(self, target_id: str, recipient: str) -> Target | None:
        """The target, if it still reaches the recipient; else another one that does."""
        reach = [target for target in self.config.alerts.targets if recipient in target.recipients]
        return next((target for target in reach if target.id == target_id), reach[0] if reach else None)


T = TypeVar("T")
Item = TypeVar("Item")


def _nowhere(_point: str) -> None:
    """Do nothing: tests kill the process here."""


@dataclass(slots=True, kw_only=True)
class JobContext:
    """Everything a job reaches the world through."""

    store: Store
    client: "Client"
    #: For parsing and extracting.
    children: "Children"
    #: For Apprise: a service that stalls must not keep feeds waiting.
    senders: "Children"
    #: The only clock: aware UTC.
    clock: Callable[[], datetime]
    #: Names this process in leases.
    owner: str
    #: Where the log target prints.
    echo: Callable[[str], None]
    live: ActiveConfig
    #: What is wrong with templates and was reported already; a start reports it once more.
    reported: set[str] = field(default_factory=set)
    #: How far the clock was stepped forward and is not trusted yet: nothing is given up for an age that it made.
    ahead: Callable[[], timedelta] = timedelta
    #: By job: what keeps it from being done at all at present, which is no fault of what it works on.
    faults: dict[str, str] = field(default_factory=dict)
    #: The worker's time is over: a thread, which nobody can cancel, gives up what it has not committed.
    ending: threading.Event = field(default_factory=threading.Event)
    #: Called at named points, for tests that kill the process there.
    fault_point: Callable[[str], None] = field(default=_nowhere)
    _batches: "dict[Callable[..., Any], _Batch]" = field(default_factory=dict, init=False, repr=False)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run the sync part of a job, store or core, off the event loop."""
        return await asyncio.to_thread(function)

    def in_batch(
        self, function: "Callable[[JobContext, Sequence[Item]], Sequence[T | Exception]]", item: Item
    ) -> Awaitable[T]:
        """`function`'s result for `item`, from one run in a thread for all items that came while it ran before.

        It gives one result for each item, in their order; an exception is raised to the one it stands for. Where it
        raises one itself, which is not the store's, each item is tried alone. So a hop to a thread and a transaction,
        which cost more than what many jobs do in them, are shared by those that wait at the same time; who comes alone
        does not wait.
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
                results = await self._results(function, [item for item, _ in taken])
                for (_, answer), result in zip(taken, results, strict=True):
                    if answer.done():  # who waited was cancelled
                        continue
                    if isinstance(result, Exception):
                        answer.set_exception(result)
                    else:
                        answer.set_result(result)
        except asyncio.CancelledError:
            # The loop ends, and waits for its threads: what waited is done all the same.
            taken, batch.waiting = batch.waiting, []
            if taken:
                asyncio.get_running_loop().run_in_executor(None, partial(function, self, [item for item, _ in taken]))
            raise
        finally:
            batch.running = None

    async def _results(self, function: Callable[..., Sequence[Any]], items: Sequence[Any]) -> Sequence[Any]:
        try:
            return await self.in_thread(partial(function, self, items))
        except Exception as e:  # noqa: BLE001 - raised to those that wait
            if len(items) == 1 or isinstance(e, StoreError):
                return [e] * len(items)
        return [result for item in items for result in await self._results(function, [item])]


@dataclass(slots=True)
class _Batch:
    """Items that wait for one function."""

    waiting: list[tuple[Any, asyncio.Future[Any]]] = field(default_factory=list)
    running: asyncio.Task[None] | None = None
