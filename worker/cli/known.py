"""`veille import`: articles known already, from files into the store."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from worker.app.clock import clock
from worker.errors import Problem, UserError
from worker.normalise import Known, Unreadable, from_jsonl_line, from_txt
from worker.pipeline.known import store_known
from worker.store import Store

#: Small enough that a running worker never waits long for its turn at the store.
_BATCH = 100
_UNREADABLE = {
    Unreadable.NOT_JSON: "the line is not JSON",
    Unreadable.NOT_AN_OBJECT: "the line is not a JSON object",
    Unreadable.NO_TEXT: "the line has no `text`",
    Unreadable.BAD_DATE: "`published` is no ISO 8601 date",
}


def read_known(files: Sequence[Path]) -> list[Known]:
    """The articles of `.jsonl` and `.txt` files; raises UserError with every line that is none."""
    problems: list[Problem] = []
    found: list[Known] = []
    for file in files:
        for known in _read(file):
            if isinstance(known, Problem):
                problems.append(known)
            else:
                found.append(known)
    if problems:
        raise UserError(problems)
    return found


def _read(file: Path) -> Iterator[Known | Problem]:
    """What one file holds, in order."""

    def problem(message: str, mend: str = "", line: int = 0) -> Problem:
        return Problem(file=str(file), line=line, message=message, mend=mend)

    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as e:
        yield problem(f"cannot be read: {e.strerror}")
        return
    except UnicodeDecodeError:
        yield problem("the file is not UTF-8", "save it as UTF-8")
        return
    if not text.strip():
        yield problem("the file is empty")
    elif file.suffix == ".txt":
        yield from_txt(text)
    elif file.suffix == ".jsonl":
        # Only a line feed parts lines here: JSON texts may hold other characters that Python takes for line ends.
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                known = from_jsonl_line(line)
                yield known if isinstance(known, Known) else problem(_UNREADABLE[known], line=number)
    else:
        yield problem("neither .jsonl nor .txt", "rename it, or convert it")


def store_all(store: Store, known: Sequence[Known], step: Callable[[str], None]) -> dict[str, int]:
    """Store them batch by batch, beside a running worker if there is one; returns the counts."""
    new = copies = 0
    rest = iter(known)
    while batch := list(islice(rest, _BATCH)):
        came = store_known(store, batch, clock())
        new, copies = new + came[0], copies + came[1]
        for one in batch:
            step(one.id)
    return {"read": len(known), "new": new, "duplicate": copies, "known": len(known) - new - copies}
