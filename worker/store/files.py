"""The files of a SQLite store: made for this user alone, looked at before they are opened, held by one process."""

import contextlib
import fcntl
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from worker.errors import StoreError, StoreHeldError, StoreMissingError, StoreUnusableError
from worker.store import schema

#: What the store and its copies hold is for the worker's own user, whatever the umask lets others do.
_FILE, _FOLDER = 0o600, 0o700
_BUSY_SECONDS = 30
_PAUSE = 0.05


def _private(path: str, flags: int) -> int:
    """Open a file as `open` does; one that is made is this user's alone."""
    return os.open(path, flags, _FILE)


def make_file(path: Path) -> None:
    """Make an empty file for this user alone, where there is none; raises OSError. SQLite's logs take its rights."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, _FILE))


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone; raises OSError."""
    for place in reversed((path, *path.parents)):
        if not place.exists():
            place.mkdir(mode=_FOLDER, exist_ok=True)


def open_to_others(path: Path) -> tuple[Path, ...]:
    """The store's files that every user of this machine can read."""
    if not path.parent.stat().st_mode & 0o001:
        return ()
    sides = [path.with_name(path.name + side) for side in ("", "-wal", "-shm")]
    return tuple(one for one in sides if one.exists() and one.stat().st_mode & 0o004)


def connect_to_read(path: Path, timeout: float) -> sqlite3.Connection:
    """Open a store that may not be written to; raises sqlite3.Error.

    SQLite reads a log beside the file only with a third one, which it may not make here: without a log none is needed.
    """
    address = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=timeout, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").close()
    except sqlite3.OperationalError:
        connection.close()
        log = path.resolve().with_name(path.resolve().name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True, timeout=timeout, check_same_thread=False)
    return connection


def hold(path: Path) -> IO[str]:
    """Lock the store at `path` for this process, until the lock's file is closed.

    Raises StoreHeldError while another process has it, StoreUnusableError where there may be no lock.
    """
    # Resolved: a store that is reached by two names is still one.
    place = path.resolve()
    try:
        file = open(f"{place}.lock", "a+", encoding="utf-8", opener=_private)  # noqa: SIM115 - held by whoever asked
    except OSError as e:
        raise StoreUnusableError(f"{place}.lock cannot be opened: {e.strerror}. Make it this user's.") from e
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise StoreHeldError(
            f"{path} is in use by {holder}. Stop it first, or give this one a store of its own; "
            "`veille status`, `why` and `import` work beside a running worker."
        ) from e
    file.truncate(0)
    file.write(f"veille, process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a SQLite store that is not open, and may not be there; raises StoreHeldError as `Store.hold` does."""
    file = hold(path)
    try:
        yield
    finally:
        file.close()


def prepare(path: Path, *, create: bool) -> bool:
    """Look at the store's file before it is opened, and make an empty one; returns whether it may be written to.

    Raises StoreMissingError, and StoreUnusableError for what is no store or, with `create`, may only be read.
    """
    is_new = False
    if not path.exists():
        if not create:
            raise StoreMissingError(f"there is no store at {path} yet: `veille run` or `veille poll` makes it")
        try:
            make_folder(path.parent)
        except OSError as e:
            raise StoreUnusableError(f"the folder of {path} cannot be made: {e.strerror}") from e
        is_new = True
    elif path.is_dir():
        raise StoreUnusableError(f"{path} is a folder, and should be a file")
    elif _stays_empty(path):
        # A new store over a lost one would tell everything again, and nobody would know why.
        raise StoreUnusableError(f"{path} is empty: restore a backup, or remove the file to begin anew")
    else:
        _refuse_another(path)
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            if create:
                raise StoreUnusableError(f"{place} cannot be written to by this user")
            return False
    if is_new:
        make_file(path)
    return True


def _stays_empty(path: Path) -> bool:
    """True where a file is empty, and not because another process is making it this moment."""
    for _ in range(20):
        if path.stat().st_size:
            return False
        time.sleep(_PAUSE)
    return True


def _refuse_another(path: Path) -> None:
    """Look into a file before anything is set in it: it may be another program's, or a log beside it may be.

    Only to read: whoever may write takes the log into the file when it closes it.
    """
    place = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(place, uri=True, timeout=_BUSY_SECONDS)) as db:
            names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    except sqlite3.Error:
        return  # opening it says what is wrong
    if names and "alembic_version" not in names:
        raise StoreUnusableError(f"{path} is a database of something else (it has a table {names[0]!r}); name another")


# Copies of a SQLite store, and their way back. PostgreSQL has pg_dump and pg_restore for that.


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
