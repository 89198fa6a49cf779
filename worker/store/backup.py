"""Copies of a SQLite store, and their way back. PostgreSQL has pg_dump and pg_restore for that."""

import contextlib
import os
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

from worker.errors import StoreError, StoreUnusableError
from worker.store import schema
from worker.store.files import held, make_file, make_folder

_BUSY_SECONDS = 30
_SIDES = ("-wal", "-shm")


def backup(source: Path, to: Path) -> int:
    """Copy a store, which may be in use, into one file; returns its bytes.

    The copy is one moment of the store, is read through before it takes the place of an older one, and stands there
    whole or not at all. Raises StoreError.
    """
    if to.exists() and to.samefile(source):
        raise StoreUnusableError(f"{to} is the store itself: name another file")
    part = to.with_name(to.name + ".part")
    try:
        part.unlink(missing_ok=True)
        make_file(part)  # for this user alone, before anything stands in it
        with (
            contextlib.closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as live,
            contextlib.closing(sqlite3.connect(part)) as copy,
        ):
            live.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
            # All pages in one step: in several, each write of the worker would begin the copy anew.
            live.backup(copy, pages=-1)
            # One file, that needs no log beside it.
            copy.execute("PRAGMA journal_mode = DELETE").close()
        _refuse_bad(part)
        _sync(part)
        part.replace(to)
        _sync(to.parent)
        return to.stat().st_size
    except (sqlite3.Error, OSError) as e:
        raise StoreError(f"{to}: the copy could not be made: {e}") from e
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def restore(path: Path, copy: Path, now: datetime) -> Path | None:
    """Put a copy in the place of the store; returns where the old store is now, if there was one.

    The copy is checked first. Raises StoreHeldError while a worker has the store, StoreUnusableError for a copy that
    is damaged or of a newer Veille; then nothing was changed. At every instant there is a whole store at `path`.
    """
    if not copy.is_file():
        raise StoreUnusableError(f"{copy}: there is no such file")
    if path.exists() and copy.samefile(path):
        raise StoreUnusableError(f"{copy} is the store itself: name a backup")
    make_folder(path.parent)
    part = path.with_name(path.name + ".part")
    with held(path):
        try:
            part.unlink(missing_ok=True)
            make_file(part)
            shutil.copyfile(copy, part)
            _refuse_bad(part, shown=copy)
            _sync(part)
            old = _keep_aside(path, now) if path.exists() else None
            part.replace(path)
            _sync(path.parent)
        except (sqlite3.Error, OSError) as e:
            raise StoreError(f"{path}: the copy could not be put there: {e}") from e
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    return old


def _keep_aside(path: Path, now: datetime) -> Path:
    """A second name for the old store; its log is written into it first, since it must not meet the new one."""
    aside = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%S}")
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=1)) as db:
        db.execute("PRAGMA journal_mode = DELETE").close()
    for side in _SIDES:  # left only beside a store that is damaged
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + side).replace(aside.with_name(aside.name + side))
    try:
        aside.hardlink_to(path)
    except OSError:  # not every file system has links
        make_file(aside)
        shutil.copyfile(path, aside)
    return aside


def _refuse_bad(path: Path, shown: Path | None = None) -> None:
    """Raise StoreUnusableError unless `path` is a whole store that this Veille can read."""
    shown = shown or path
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            foreign = db.execute("PRAGMA foreign_key_check").fetchone()
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            known = {"alembic_version", "feed"} <= tables
            version = db.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    except sqlite3.DatabaseError as e:
        raise StoreUnusableError(f"{shown} is no whole store: {e}") from e
    if found != "ok" or foreign:
        raise StoreUnusableError(f"{shown} is damaged ({found if found != 'ok' else 'rows are missing'})")
    if version is None:
        raise StoreUnusableError(f"{shown} is no store of Veille's")
    if version[0] > schema.VERSION:
        raise StoreUnusableError(f"{shown} is a newer Veille's (schema {version[0]}, this one knows {schema.VERSION})")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
