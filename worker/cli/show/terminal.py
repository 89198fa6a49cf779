"""The terminal, and how single things look on it."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.progress import Progress
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from worker.model import times
from worker.runtime import screen
from worker.runtime.clock import clock

Facts = dict[str, Any]


class _Harmless(Console):
    """Draws no character that a terminal obeys but its own: the last gate, behind `inert` and `escape`."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable; those that move the cursor are Rich's own."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else screen.inert(text), style, control)


# What feeds write is shown as they wrote it: no `:smile:` becomes a picture.
#: What is read by a program is not to be folded at a width that nobody sees.
_WIDE = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 1000
#: Cells of a name that is kept whole.
_LONGEST_NAME = 30
#: Cells of a title that stands in a column; with fewer it has a line of its own.
_FEWEST_OF_TITLE = 48
out = _Harmless(emoji=False, highlight=False, width=_WIDE)
_err = _Harmless(stderr=True, emoji=False, highlight=False)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on standard error, if it is a terminal."""
    with Progress(console=_err, disable=not _err.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda name: bar.update(task, advance=1, description=f"{what} {escape(inert(name)[:40])}")


def inert(value: Any) -> Any:
    """`value` with a sign for every character that a terminal obeys, line breaks too: marks keep their places."""
    match value:
        case str():
            return screen.inert(value, keep="")
        case dict():
            return {inert(key): inert(one) for key, one in value.items()}
        case list() | tuple():
            return [inert(one) for one in value]
        case _:
            return value


def table_of(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def keep_whole(table: Table, nth: int, names: Iterable[str]) -> None:
    """Make a column as wide as the longest of these names, so that on a narrow terminal others are broken instead."""
    header = str(table.columns[nth].header)
    table.columns[nth].width = min(_LONGEST_NAME, max(map(cell_len, (header, *names))))


def titled(heads: Sequence[str], rows: Sequence[tuple[Sequence[str], str]], names: Sequence[str]) -> None:
    """Print rows with their titles, each before the last cell, or on a line below where that leaves it little room.

    The last cell but one holds some of `names`, which are kept whole.
    """
    widths = [max(map(cell_len, column)) for column in zip(heads, *(cells for cells, _ in rows), strict=True)]
    widths[-2] = min(_LONGEST_NAME, max(map(cell_len, (heads[-2], *names))))
    if not rows or out.width - sum(width + 2 for width in widths) >= _FEWEST_OF_TITLE:
        table = table_of(*heads[:-1], "title", heads[-1])
        table.columns[-3].width = widths[-2]
        for cells, title in rows:
            table.add_row(*map(escape, (*cells[:-1], title, cells[-1])))
        out.print(table)
        return

    def line(cells: Sequence[str], style: str = "") -> Text:
        """The cells side by side; one that is longer than its column moves those behind it."""
        padded = (one.ljust(len(one) + width - cell_len(one)) for one, width in zip(cells, widths, strict=True))
        return Text("  ".join(padded).rstrip(), style=style)

    beside = sum(width + 2 for width in widths[:-2])
    hanging(line(heads, "bold"), beside)
    for cells, title in rows:
        hanging(line(cells), beside)
        hanging(Text(" " * (widths[0] + 2) + title), widths[0] + 2)


#: A moment in a sentence, with its zone; and below a `column`'s head, which names the zone.
at, cell = times.say, times.bare


def column(what: str) -> str:
    """The head of a column of moments."""
    return times.column(what, clock())


def hanging(text: Text, indent: int) -> None:
    """Print a paragraph, its lines but the first indented by so many blanks."""
    first, *others = text[indent:].wrap(out, max(out.width - indent, 20)) or [Text()]
    out.print(text[:indent] + first)
    for line in others:
        out.print(Padding(line, (0, 0, 0, indent), expand=False))


def fact(label: str, words: str, style: str = "bold") -> None:
    """Print a label, and what there is to say beside it."""
    hanging(Text(f"{label:11} ", style=style) + Text(words), 12)


def short(text: str, most: int = 90) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def passages(one: Facts) -> None:
    for passage in one["passages"][:2]:
        line = Text("    " + passage["text"])
        for start, end in passage["marks"]:
            line.stylize("bold reverse", start + 4, end + 4)
        hanging(line, 4)
