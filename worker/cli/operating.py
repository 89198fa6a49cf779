"""`veille doctor`, `backup` and `restore`: for whoever looks after a worker."""

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import HERE, ConfigFile, Json, fail, opened, print_json, readable, say
from worker.model.times import counted

_PG_DUMP = "the store is PostgreSQL's: pg_dump makes a copy of it, and pg_restore brings it back"


def doctor(config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """Look at everything that may be wrong, and exit 1 if something is."""
    from worker.cli import show
    from worker.runtime.doctor import examine
    from worker.runtime.logs import configure

    configure()  # what is logged must not stand among what is printed
    found = examine(config)
    rows = [{"what": one.what, "ok": one.ok, "words": one.words} for one in found]
    well = all(one.ok for one in found)
    print_json({"ok": well, "findings": rows}) if as_json else show.doctor(rows)
    raise SystemExit(0 if well else 1)


def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes; an older one there is replaced.")],
    config: ConfigFile = HERE,
    *,
    as_json: Json = False,
) -> None:
    """Copy the store, also while a worker runs on it, into one file that is checked."""
    from worker.store.files import backup as copy

    with opened(config) as (_, store):
        if store.path is None:
            fail(_PG_DUMP, 2)
        size = copy(store.path, file)
    print_json({"file": str(file), "bytes": size}) if as_json else say(f"{file}: {counted(size, 'byte')}, checked")


def restore(
    file: Annotated[Path, typer.Argument(help="What `veille backup` wrote.")],
    config: ConfigFile = HERE,
    *,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the store, which is kept beside it; refused while a worker runs on it.

    What was sent after the backup was made may be sent again.
    """
    from worker.runtime.clock import clock
    from worker.runtime.load import store_file
    from worker.store.files import restore as put_back

    path = store_file(readable(config).config)
    if path is None:
        fail(_PG_DUMP, 2)
    old = put_back(path, file, clock())
    kept = f"; the store of before is {old}" if old else ""
    print_json({"store": str(path), "before": str(old) if old else None}) if as_json else say(f"{path}: restored{kept}")
