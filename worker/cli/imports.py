"""Articles in files that users bring: for `veille import` into the store, for `veille eval` to be measured with."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from worker.errors import Problem, UserError
from worker.evaluate import LabelledStory, read_headline, read_labelled
from worker.feeds.normalise import Known, Unreadable, check_jsonl_line, from_jsonl_line, from_txt
from worker.model import NoveltyKind
from worker.pipeline.imports import store_known
from worker.runtime.clock import clock
from worker.store import Store

_Read = TypeVar("_Read")

#: Small enough that a running worker never waits long for its turn at the store.
_BATCH = 100
_UNREADABLE = {
    Unreadable.NOT_JSON: "the line is not JSON",
    Unreadable.NOT_AN_OBJECT: "the line is not a JSON object",
    Unreadable.NO_TEXT: "the line has no `text`",
    Unreadable.BAD_DATE: "`published` is no ISO 8601 date",
    Unreadable.BAD_LABELS: "`labels` is no table of true and false, or `of` and `same` are no labels of a copy",
}


def read_known(files: Sequence[Path]) -> tuple[int, Iterator[Known]]:
    """The number of articles in `.jsonl` and `.txt` files, and these; raises UserError with every line that is none.

    Files are read twice, the second time as articles are asked for: an archive of years need not fit into memory.
    """
    once = {file: list(_read(file)) for file in files if not file.is_file()}  # a pipe, or what is not there
    count, problems = 0, list[Problem]()
    for file in files:
        for found in once.get(file) or _read(file, check_jsonl_line):
            if isinstance(found, Problem):
                problems.append(found)
            else:
                count += 1
    if problems:
        raise UserError(problems)
    return count, _known(once.get(file) or _read(file) for file in files)


def _known(found: Iterable[Iterable[Known | Problem | None]]) -> Iterator[Known]:
    for known in chain.from_iterable(found):
        if isinstance(known, Problem):  # somebody writes to the file
            raise UserError([known])
        if known is not None:
            yield known


def read_corpus(file: Path, read: Callable[[str], _Read | Unreadable]) -> list[_Read]:
    """The lines of a `.jsonl` corpus as `read` gives them; raises UserError with every line that it cannot read."""
    return _all(_lines(file, lambda line, _: read(line)))


def read_lines(file: Path) -> dict[str, dict[str, Any]]:
    """The JSON objects of a file's lines by their `id`; raises UserError with every line that is none."""
    read = _all(_lines(file, lambda line, _: _object(line)))
    return {str(one.get("id", "")): one for one in read}


def _object(line: str) -> dict[str, Any] | Unreadable:
    known = read_labelled(line)
    return known if isinstance(known, Unreadable) else dict(json.loads(line.removeprefix("\ufeff")))


def _all(lines: Iterator[_Read | Problem]) -> list[_Read]:
    problems: list[Problem] = []
    found: list[_Read] = []
    for one in lines:
        problems.append(one) if isinstance(one, Problem) else found.append(one)
    if problems:
        raise UserError(problems)
    return found


def read_headlines(file: Path) -> list[LabelledStory]:
    """The headlines of a `.tsv` file with their topics; raises UserError with every line that is none."""
    return _all(_lines(file, read_headline))


def _read(
    file: Path, read: Callable[[str], Known | Unreadable | None] = from_jsonl_line
) -> Iterator[Known | Problem | None]:
    """Yields what one file holds, in order; `read`: the reader of a line."""
    if file.suffix == ".jsonl":
        yield from _lines(file, lambda line, _: read(line))
    elif file.suffix != ".txt":
        yield Problem(file=str(file), line=0, message="neither .jsonl nor .txt", fix="rename it, or convert it")
    elif isinstance(text := _text(file), Problem):
        yield text
    elif not (known := from_txt(text)).body:
        yield Problem(file=str(file), line=0, message="the file holds no text")
    else:
        yield known


def _lines(file: Path, read: Callable[[str, int], _Read | Unreadable]) -> Iterator[_Read | Problem]:
    """Yields what `read` makes of each line that is not empty, and its number."""
    is_empty = True
    try:
        # Only a line feed parts lines here: JSON texts may hold other characters that Python takes for line ends.
        with file.open("rb") as lines:
            for number, raw in enumerate(lines, 1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                if line.strip():
                    is_empty = False
                    found = read(line.removesuffix("\n"), number)
                    if isinstance(found, Unreadable):
                        yield Problem(file=str(file), line=number, message=_UNREADABLE[found])
                    else:
                        yield found
    except (OSError, UnicodeDecodeError) as e:
        yield _unread(file, e)
    else:
        if is_empty:
            yield _empty(file)


def _text(file: Path) -> str | Problem:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        return _unread(file, e)
    return text if text.strip() else _empty(file)


def _unread(file: Path, error: OSError | UnicodeDecodeError) -> Problem:
    if isinstance(error, OSError):
        return Problem(file=str(file), line=0, message=f"cannot be read: {error.strerror}")
    return Problem(file=str(file), line=0, message="the file is not UTF-8", fix="save it as UTF-8")


def _empty(file: Path) -> Problem:
    return Problem(file=str(file), line=0, message="the file is empty")


def store_all(store: Store, known: Iterable[Known], step: Callable[[str], None]) -> dict[str, int]:
    """Store them batch by batch, beside a running worker if there is one; returns the counts."""
    read = new = copies = 0
    rest = iter(known)
    while batch := list(islice(rest, _BATCH)):
        for _, novelty in store_known(store, batch, clock()).values():
            new += novelty.kind is NoveltyKind.NEW
            copies += novelty.kind is NoveltyKind.DUPLICATE
        read += len(batch)
        for one in batch:
            step(one.id)
    return {"read": read, "new": new, "duplicate": copies, "known": read - new - copies}
