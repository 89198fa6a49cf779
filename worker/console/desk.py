"""The desk: what pages and the API work with; `runtime` makes it once."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from worker.errors import StoreBusyError
from worker.model import Feed, ParsedEntry
from worker.pipeline.context import ActiveConfig
from worker.pipeline.discover import Found, Tried
from worker.store import Store
from worker.store.upkeep import Heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The store, the configuration in force, and what only the running worker can do."""

    store: Store
    #: In force at this moment: a reload replaces it.
    live: Callable[[], ActiveConfig]
    #: Aware UTC.
    clock: Callable[[], datetime]
    #: `config.toml`.
    path: Path
    #: Host and port that are listened on since the start, whatever a reload says.
    bound: tuple[str, int] | None
    is_alive: Callable[[Heartbeat], bool]
    #: Lets the worker read its configuration and rules again.
    reload: Callable[[], None]
    #: The feeds at an address, asked for by the worker's own client; may raise TimeoutError.
    discover: Callable[[str], Found]
    #: The first entries of a feed as articles, with what the rules in force say of them; may raise TimeoutError.
    try_rules: Callable[[Sequence[ParsedEntry], Feed], Sequence[Tried]]

    @property
    def is_open(self) -> bool:
        """True where nobody has to sign in: only this machine reaches the port, and no proxy leads others to it."""
        config = self.live().config
        only_here = self.bound is not None and _is_loopback(self.bound[0])
        return only_here and not config.public_url and not config.user_header


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# The threads of pages: few, and their own, so that no number of readers keeps the worker's jobs waiting.


#: Held while a file that people edit is read, changed and replaced.
EDITING = threading.Lock()
T = TypeVar("T")
_THREADS = ThreadPoolExecutor(6, thread_name_prefix="console")
#: Pages that are worked on or wait for a thread.
_room = threading.BoundedSemaphore(48)


async def in_thread(work: Callable[[], T]) -> T:
    """Do a page's work in one of the console's threads; raises StoreBusyError where too many wait for one.

    Work that is given up goes on to its end, and keeps its place until then.
    """
    if not _room.acquire(blocking=False):
        raise StoreBusyError("too many pages are asked for at once")
    running = _THREADS.submit(work)
    running.add_done_callback(lambda _: _room.release())
    return await asyncio.wrap_future(running)
