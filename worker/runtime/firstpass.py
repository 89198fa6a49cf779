"""The first line after a start: what is running, where alerts go, and which command to try next."""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from worker.model import LogSettings, Target
from worker.pipeline.context import JobContext
from worker.store import articles, deliveries, entries, feeds, ledger

_log = structlog.get_logger()

#: Seconds between looks, and after which a feed that is slow to answer is not waited for any longer.
_LOOK_EVERY, _WAITED = 0.5, 20.0
#: Newest articles among which one is looked for that matched, to name it.
_LOOKED_AT = 100
_GOOD = frozenset({"", "ok", "not_modified"})


async def announce(context: JobContext, is_idle: Callable[[], bool]) -> None:
    """Log `watching` once everything that was due at the start is done, or was waited for long enough."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _WAITED
    while loop.time() < end:
        await asyncio.sleep(_LOOK_EVERY)
        if is_idle() and not await context.in_thread(lambda: _is_due(context)):
            break
    _log.info("watching", **await context.in_thread(lambda: _facts(context)))


def _is_due(context: JobContext) -> bool:
    now, keys = context.clock(), [feed.id for feed in context.live.config.feeds]
    with context.store.read() as tx:
        waits = any(entries.waiting(tx, now=now)) or bool(feeds.due(tx, keys, now=now))
        return waits or bool(deliveries.due(tx, now=now, limit=1))


def _facts(context: JobContext) -> dict[str, Any]:
    config = context.live.config
    keys = {feed.id for feed in config.feeds}
    with context.store.read() as tx:
        failing = sum(one.key in keys and one.last_result not in _GOOD for one in feeds.statuses(tx))
        newest = articles.newest(tx, limit=_LOOKED_AT)
        example = next((one.id for one in newest if ledger.matches(tx, one.id)), None)
    return {
        "feeds": len(config.feeds),
        "failing": failing,
        "rules": len(context.live.ruleset.rules),
        "alerts": _places(config.alerts.targets),
        "console": _console(config.listen, config.public_url),
        "command": _command(),
        "example": example,
    }


def _places(targets: Sequence[Target]) -> list[str]:
    """The places of alerts: a folder as seen from here, else a target's id."""
    return [
        os.path.relpath(one.settings.folder) if isinstance(one.settings, LogSettings) else one.id for one in targets
    ]


def _console(listen: tuple[str, int] | None, public_url: str) -> str:
    """The address at which a browser finds the console, as far as it is known; empty: there is none."""
    if listen is None:
        return ""
    host, port = listen
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - read, not bound
    return public_url or f"http://{here}:{port}"


def _command() -> str:
    """The command that starts this very program."""
    typed = Path(sys.argv[0])
    if shutil.which(typed.name) == str(typed):
        return typed.name
    return os.path.relpath(typed) if typed.is_relative_to(Path.cwd()) else str(typed)
