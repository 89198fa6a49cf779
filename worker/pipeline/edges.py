"""What jobs work with: the edges, made once by `app`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from worker.child import Children
from worker.net import Client
from worker.pipeline.live import Live
from worker.store import Store

T = TypeVar("T")


def _nowhere(_point: str) -> None:
    """Where tests kill the process."""


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
    #: Called at named points, for tests that kill the process there.
    at: Callable[[str], None] = field(default=_nowhere)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run the sync part of a job, store or core, off the event loop."""
        return await asyncio.to_thread(function)
