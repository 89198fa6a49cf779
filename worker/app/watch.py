"""The folder of rules, watched.

What the system tells of changes (inotify) is only a bell that saves a wait: it hears nothing of a link in the path
that is turned to another folder, of a folder that vanished and is there again, nor of what another machine writes to
a network share. The truth is how the folder looks, four times a second.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import TypeVar

import structlog
from watchfiles import awatch

from worker import config
from worker.config import Look

_log = structlog.get_logger()
T = TypeVar("T")

#: Seconds without a change after which a write counts as whole: an editor that writes in two halves takes half a one.
STILL = 0.8
#: Seconds of them after which it is read, to be ready when they are over.
_PAUSE = 0.2
#: Seconds between two looks at a folder that rests, and at one that changes.
_RESTING, _CHANGING = 0.25, 0.05
#: Milliseconds in which the system's news are gathered.
_GATHERED = 100


async def settled(
    folder: Callable[[], Path], known: Callable[[], Look | None], read: Callable[[], Awaitable[T]]
) -> tuple[Look, T]:
    """The folder's state and files, once it differs from `known` and nobody writes to it any more.

    What is read of a folder that changes meanwhile is dropped. `folder` and `known` are asked at each look, since a
    reload may change them.
    """
    last, since = None, 0.0
    ready: T | None = None
    async with _listening(folder()) as bell:
        while True:
            bell.clear()
            found = await asyncio.to_thread(config.look, folder())
            if found == known():
                last = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_RESTING):
                        await bell.wait()
                continue
            if found != last:
                last, since, ready = found, monotonic(), None
            elif ready is None and monotonic() - since >= _PAUSE:
                ready = await read()
                continue
            elif ready is not None and monotonic() - since >= STILL:
                return found, ready
            await asyncio.sleep(_CHANGING)


@asynccontextmanager
async def _listening(folder: Path) -> AsyncIterator[asyncio.Event]:
    """Set whenever the system tells of a change in the folder that stands there now."""
    bell = asyncio.Event()
    ringing = asyncio.create_task(_ring(folder, bell))
    try:
        yield bell
    finally:
        ringing.cancel()
        await asyncio.wait({ringing})


async def _ring(folder: Path, bell: asyncio.Event) -> None:
    try:
        news = awatch(folder, recursive=False, step=_GATHERED, debounce=_GATHERED, watch_filter=None)
        async with aclosing(news):
            async for _ in news:
                bell.set()
    except Exception as e:  # noqa: BLE001 - no folder, too many watches, or none on this file system: looking will do
        _log.info(
            "the system reports no changes of files; the folder is read at intervals", folder=str(folder), error=str(e)
        )
