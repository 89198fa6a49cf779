"""What `veille health` says. A container runs it every half minute of its life, so it loads little."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from worker import config
from worker.app.clock import LATE_AFTER, age, clock


class Beat(NamedTuple):
    """When the worker last ticked, its process and its host; see `upkeep.Heartbeat`."""

    tick: datetime
    pid: int
    host: str
    boot: str
    turned: float | None


def tick(path: Path) -> tuple[bool, str]:
    """Whether the worker on this configuration's store ticks, with a sentence; StoreError if there is no store."""
    url = config.store_url(path, os.environ)
    beat = glance(url) or ask(url)
    if beat is None:
        return False, "no worker runs on this store"
    old = age(beat.tick, clock(), turned=beat.turned, booted=beat.boot)
    return old < LATE_AFTER, f"the last tick is {old.total_seconds():.0f} s old (process {beat.pid} on {beat.host})"


def ask(url: str) -> Beat | None:
    """The last tick, as the store tells it."""
    from worker.store import open_store, upkeep

    store = open_store(url, create=False)
    try:
        with store.read() as tx:
            beat = upkeep.heartbeat(tx)
    finally:
        store.close()
    return None if beat is None else Beat(beat.tick, beat.pid, beat.host, beat.boot, beat.turned)


def glance(url: str) -> Beat | None:
    """The same from a SQLite file, without the store's libraries, whose import is a second of CPU; None: ask."""
    scheme, _, file = url.partition(":///")
    # Options and escapes are SQLAlchemy's to read.
    if scheme != "sqlite" or "?" in file or "%" in file:
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(file)}?mode=ro", uri=True, timeout=5)) as db:
            row = db.execute("SELECT tick, pid, host, boot, turned FROM heartbeat").fetchone()
        return None if row is None else Beat(datetime.fromisoformat(row[0]).replace(tzinfo=UTC), *row[1:])
    except (sqlite3.Error, ValueError):
        return None
