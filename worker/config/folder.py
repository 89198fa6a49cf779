"""Files that users keep on disk: one file, or a folder of rules, read, and replaced in one step."""

import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.config.toml import MAX_BYTES
from worker.errors import Problem, UserError
from worker.model import Templates

#: Of a configuration, and of a list of feeds: a hundred thousand of them.
LISTED_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A folder of rules seen from outside: equal for as long as nobody writes the files that `read_rules` reads."""

    #: Of each file its name, mode, size and times, or the error that the system gives instead. Not its inode: some
    #: network shares give a new number at every look.
    files: tuple[tuple[object, ...], ...]


def read_file(path: Path, fix: str = "", *, limit: int = MAX_BYTES) -> bytes:
    """The file's bytes, at most one beyond the limit, so that it shows; raises UserError."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as e:
        missing = isinstance(e, FileNotFoundError)
        message = "there is no such file" if missing else f"cannot be read: {e.strerror or e}"
        raise UserError([Problem(file=str(path), line=0, message=message, fix=fix if missing else "")]) from e
    except ValueError as e:
        raise UserError([Problem(file=repr(str(path)), line=0, message="is no file name")]) from e


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Put `content` in the file's place in one step, with the file's permissions, or `mode`; raises UserError."""
    real = path.resolve()
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=real.parent, prefix=f".{real.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(real, temporary) if mode is None else temporary.chmod(mode)
        temporary.replace(real)
    except OSError as e:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        message = f"the file cannot be replaced: {e.strerror}"
        fix = "make its folder writable, or edit it yourself"
        raise UserError([Problem(file=str(path), line=0, message=message, fix=fix)]) from e


def remove_file(path: Path) -> None:
    """Take a file away; raises UserError."""
    try:
        path.unlink()
    except OSError as e:
        fix = "make its folder writable, or remove it yourself"
        message = f"the file cannot be removed: {e.strerror}"
        raise UserError([Problem(file=str(path), line=0, message=message, fix=fix)]) from e


def read_rules(folder: Path) -> dict[str, bytes]:
    """Every `*.toml` of `folder` by file name, sorted; names that begin with a dot are an editor's, not rules.

    Raises UserError with a Problem for each file that cannot be read, is no regular file, or is a link to somewhere
    outside the folder.
    """
    try:
        inside = folder.resolve(strict=True)
        paths = _paths(folder)
    except (OSError, RuntimeError, ValueError) as e:
        # Before Python 3.13 a loop of links is a RuntimeError; a NUL in the name is a ValueError.
        message = f"the folder of rules cannot be read: {getattr(e, 'strerror', None) or 'no such folder'}"
        raise UserError([Problem(file=str(folder), line=0, message=message, fix="see [rules] folder")]) from e
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    for path in paths:
        if fault := fault_of(path, inside):
            problems.append(Problem(file=str(path), line=0, message=fault, fix="move it out of the folder of rules"))
            continue
        try:
            files[path.name] = read_file(path)
        except UserError as e:
            problems += e.problems
    if problems:
        raise UserError(problems)
    return files


def read_templates(folder: Path) -> Templates:
    """Every file of `folder`, sorted; names that begin with a dot are an editor's, not templates.

    Raises UserError with a Problem for each that cannot be read or is no text.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name[0] != ".")
    except OSError as e:
        message = f"the folder of templates cannot be read: {e.strerror or e}"
        raise UserError([Problem(file=str(folder), line=0, message=message, fix="see [messages] templates")]) from e
    sources: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            sources.append((path.name, read_file(path).decode("utf-8-sig")))
        except UserError as e:
            problems += e.problems
        except UnicodeDecodeError:
            problems.append(Problem(file=str(path), line=0, message="is no UTF-8 text", fix="save it as UTF-8"))
    if problems:
        raise UserError(problems)
    return Templates(folder=str(folder), sources=tuple(sources))


def look(folder: Path) -> Look:
    """The present state of `folder`; a folder that cannot be read has a state like any other."""
    try:
        return Look(files=tuple(_outside(path) for path in _paths(folder)))
    except (OSError, RuntimeError, ValueError) as e:
        return Look(files=(("", type(e).__name__),))


def _outside(path: Path) -> tuple[object, ...]:
    try:
        found = path.stat()
    except (OSError, RuntimeError) as e:
        return path.name, getattr(e, "errno", None)
    return path.name, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _paths(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.name[0] != ".")


def fault_of(path: Path, inside: Path) -> str:
    """The reason for not opening `path`; empty if it may be opened, or if opening it will give the reason."""
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except FileNotFoundError:
        return "is a link to a file that does not exist" if path.is_symlink() else ""
    except (OSError, RuntimeError) as e:
        return f"cannot be read: {getattr(e, 'strerror', None) or 'a link that leads to itself'}"
    if not target.is_relative_to(inside):
        return "is a link that leaves the folder"
    if stat.S_ISDIR(mode):
        return "is a folder"
    return "" if stat.S_ISREG(mode) else "is no regular file"
