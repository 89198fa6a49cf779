"""The quarantine: documents and entries that could not be read."""

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape

from worker.cli.show.terminal import Facts, at, cell, column, inert, out, short, table_of
from worker.times import counted


def quarantine(rows: Sequence[Facts]) -> None:
    """A line each; where there is none, that."""
    if not rows:
        out.print("nothing was put aside")
        return
    table = table_of("number", "feed", column("since"), "reason", "title")
    for row in inert(rows):
        table.add_row(
            row["id"], escape(row["feed"]), cell(row["at"]), escape(short(row["reason"])), escape(short(row["title"]))
        )
    out.print(table)


def quarantined(found: Facts) -> None:
    """One fact a line."""
    for name, value in inert(found).items():
        if isinstance(value, dict):
            for key, inner in value.items():
                _line(f"{name}.{key}", inner)
        else:
            _line(name, value)
    if found["bytes"] is not None:
        size = counted(found["bytes"], "byte")
        out.print(f"`veille quarantine show {escape(found['id'])} --raw` writes the document's {size}")


def _line(name: str, value: object) -> None:
    said = at(value) if isinstance(value, datetime) else "" if value is None else str(value)
    out.print(f"[bold]{escape(name):18}[/] {escape(said[:2000])}")
