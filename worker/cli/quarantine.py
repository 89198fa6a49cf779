"""`veille quarantine`: what could not be read, why, and another try."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import HERE, ConfigFile, Json, fail, opened, print_json, row_number, say, write

if TYPE_CHECKING:
    from worker.store import Store, Tx

app = typer.Typer(
    help="What could not be read: listed, shown, tried again.", no_args_is_help=False, invoke_without_command=True
)

#: More are counted, not listed.
_MOST = 1_000
Which = Annotated[str, typer.Argument(help="An entry's number, or a document's: d12.")]


@app.callback()
def everything(context: typer.Context, config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """List entries that were put aside (by number) and documents that were not read, or not whole (d and a number)."""
    if context.invoked_subcommand is not None:
        return
    from worker.cli import show

    with opened(config) as (_, store), store.read() as tx:
        rows = _entries(tx) + _documents(tx)
    print_json(rows) if as_json else show.quarantine(rows)


@app.command()
def show(
    which: Which,
    config: ConfigFile = HERE,
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Write the document's bytes to standard output.")] = False,
    as_json: Json = False,
) -> None:
    """Show one: its error, what was read of it, and where its bytes are."""
    from worker.cli import show as screens
    from worker.store import entries

    with opened(config) as (_, store), store.read() as tx:
        found = _one(tx, which)
        kept = None if found is None else entries.raw(tx, found["sha256"])
    if found is None:
        fail(f"nothing that was put aside has the number {which}: `veille quarantine` lists them", 1)
    if raw:
        if kept is None:
            fail(f"the bytes of {which} are not kept any more", 1)
        write(kept)
        return
    found |= {"bytes": None if kept is None else len(kept)}
    print_json(found) if as_json else screens.quarantined(found)


@app.command()
def retry(
    which: Annotated[str | None, typer.Argument(help="An entry's number.")] = None,
    config: ConfigFile = HERE,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every entry that was put aside.")] = False,
    as_json: Json = False,
) -> None:
    """Give entries all their tries again; a running worker takes them up at once."""
    if (which is None) is not every:
        fail("name an entry, or say --all", 2)
    with opened(config) as (_, store):
        count = _retry(store, which)
    print_json({"retried": count}) if as_json else say(f"{count} to be tried again")


def _retry(store: "Store", which: str | None) -> int:
    from worker.store import quarantine

    if which is not None and not which.isdecimal():
        fail(f"{which} is no entry: a document is read again when its feed gives it again", 1)
    with store.write() as tx:
        count = quarantine.retry(tx, None if which is None else row_number(which))
    if which is not None and not count:
        fail(f"no entry that was put aside has the number {which}: `veille quarantine` lists them", 1)
    return count


def _entries(tx: "Tx") -> list[dict[str, Any]]:
    from worker.net import urls
    from worker.store import quarantine

    return [
        {"id": str(one.id), "feed": urls.masked(one.feed), "at": one.at, "reason": one.error, "title": one.title}
        for one in quarantine.put_aside(tx, limit=_MOST)
    ]


def _documents(tx: "Tx") -> list[dict[str, Any]]:
    from worker.net import urls
    from worker.store import quarantine

    return [
        {
            "id": f"d{one.id}",
            "feed": urls.masked(one.feed),
            "at": one.at,
            "reason": f"{one.reason}: {one.detail}" if one.detail else one.reason,
            "title": "",
        }
        for one in quarantine.unread(tx, limit=_MOST)
    ]


def _one(tx: "Tx", which: str) -> dict[str, Any] | None:
    """All that is known of one."""
    from worker.net import urls
    from worker.store import quarantine

    number = which.removeprefix("d")
    if number.isdecimal() and len(number) < 16:
        if which == number:
            for entry in quarantine.put_aside(tx, limit=1, entry_id=int(number)):
                return asdict(entry) | {"id": which, "feed": urls.masked(entry.feed)}
        else:
            for document in quarantine.unread(tx, limit=1, document_id=int(number)):
                return asdict(document) | {"id": which, "feed": urls.masked(document.feed)}
    return None
