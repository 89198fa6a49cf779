"""The answer of `veille health`. A container runs it every half minute of its life, so it loads little."""

import os
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from worker import config
from worker.runtime.clock import LATE_AFTER, age, clock

#: `self_watch.Kind.WORKER_FAULT`, whose module is not loaded for it.
_FAULT = "worker_fault"


class Beat(NamedTuple):
    """A worker's last tick, its process and its host; see `upkeep.Heartbeat`."""

    owner: str
    tick: datetime
    pid: int
    host: str
    boot: str
    turned: float | None


def tick(path: Path) -> tuple[bool, str]:
    """Tells whether the worker on this store ticks and works, with a sentence; StoreError without a store."""
    url = config.store_url(path, os.environ)
    beat = glance(url) or ask(url)
    if beat is None:
        return False, "no worker runs on this store"
    old = age(beat.tick, clock(), turned=beat.turned, booted=beat.boot)
    if old < LATE_AFTER and (words := _fault(url, beat.owner)):
        return False, words
    return old < LATE_AFTER, f"the last tick is {old.total_seconds():.0f} s old (process {beat.pid} on {beat.host})"


def ask(url: str) -> Beat | None:
    """The last tick, as the store tells it: of several workers that of one on this machine, if there is one."""
    from worker.store import open_store, upkeep

    store = open_store(url, create=False)
    try:
        with store.read() as tx:
            beats = upkeep.heartbeats(tx)
    finally:
        store.close()
    here = [beat for beat in beats if beat.host == socket.gethostname()]
    beat = next(iter(here or beats), None)
    return None if beat is None else Beat(beat.owner, beat.tick, beat.pid, beat.host, beat.boot, beat.turned)


def glance(url: str) -> Beat | None:
    """The same from a SQLite file, without the store's libraries, whose import is a second of CPU; None: ask."""
    rows = _select(url, "SELECT owner, tick, pid, host, boot, turned FROM heartbeat ORDER BY tick DESC LIMIT 1")
    try:
        ticks = [(who, datetime.fromisoformat(tick).replace(tzinfo=UTC), *others) for who, tick, *others in rows or ()]
    except ValueError:
        return None
    return Beat(*ticks[0]) if ticks else None


def _fault(url: str, owner: str) -> str:
    """The reason why that worker cannot do its work, as it wrote down; empty where it can."""
    key = f"{_FAULT}:{owner}"
    rows = _select(url, "SELECT words FROM condition WHERE key = ?", key)
    return "; ".join(row[0] for row in rows) if rows is not None else _ask_fault(url, key)


def _ask_fault(url: str, key: str) -> str:
    from worker.store import open_store, upkeep

    store = open_store(url, create=False)
    try:
        with store.read() as tx:
            return "; ".join(one.words for one in upkeep.on(tx) if one.key == key)
    finally:
        store.close()


def _select(url: str, query: str, *values: str) -> list[tuple[Any, ...]] | None:
    """Returns what a query finds in a SQLite file; None where the store has to be asked."""
    scheme, _, file = url.partition(":///")
    # Options and escapes are SQLAlchemy's to read.
    if scheme != "sqlite" or "?" in file or "%" in file:
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(file)}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute(query, values).fetchall()
    except sqlite3.Error:
        return None
