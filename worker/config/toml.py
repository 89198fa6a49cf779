"""TOML as a user wrote it: plain data, and the place of every value, so that each mistake can be shown where it is.

`tomllib` gives values without places. Places are found by a second, lenient walk over text that `tomllib` has already
accepted, so the walk need not validate anything.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from worker.errors import Problem, UserError

#: Of a file of rules, and of any other that does not say more.
MAX_BYTES = 1 << 20

KeyPath = tuple[str | int, ...]

_AT = re.compile(r"\(at line (\d+), column (\d+)\)")
_UNCLOSED = r"(Illegal|Found invalid) character '\\n'|Unterminated string|Expected \"'"
#: `tomllib`'s messages, matched from their beginning; the words that stand for them, empty where theirs are plain; the
#: fix. The first that matches counts.
_FIXES: tuple[tuple[str, str, str], ...] = (
    (_UNCLOSED, "a text is not closed", "end it with the quote that it begins with; one over several lines has three"),
    ("(Illegal|Found invalid) character", "", r"take it away; in double quotes it may be written as \uXXXX"),
    (r"Unescaped '\\'", "", r"write \\ for a backslash, or put the text in single quotes"),
    ("Invalid hex|Escaped character", "", r"write \u and four hexadecimal digits, or \\ for a backslash"),
    ("Invalid value", "", 'put text in straight quotes: "..."; true and false have none'),
    ("Invalid date", "", "write a day as 2026-01-31, and text in quotes"),
    ("Unclosed array", "", "write a comma between items and ] after the last; is a quote missing?"),
    ("Unclosed inline", "", "write it on one line, a comma between pairs and } after the last; is a quote missing?"),
    ("Expected '='|Invalid statement|Invalid initial", "", "write key = value, [table], or # before a remark"),
    ("Expected newline", "", "write one setting on a line; is a quote, or the # of a remark, missing?"),
    (r"Expected '\]\]'", "", "write [[name]]"),
    (r"Expected '\]'", "", "write [name]"),
    (
        "Cannot|Duplicate",
        "",
        "it stands there already: leave one out, or make one of both; a list of tables has [[name]]",
    ),
)


@dataclass(frozen=True, slots=True)
class Toml:
    """A parsed TOML file: `data`, and where each value stands."""

    file: str
    data: dict[str, Any]
    lines: tuple[str, ...]
    #: Path of keys and array indexes -> (line, column of the value, or of the table's header), both 1-based.
    places: dict[KeyPath, tuple[int, int]] = field(repr=False)

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of the value at `path`, or of its nearest ancestor that has a place of its own."""
        parts = tuple(path)
        while parts and parts not in self.places:
            parts = parts[:-1]
        return self.places.get(parts, (1, 1))

    def place_within(self, path: Sequence[str | int], index: int) -> tuple[int, int]:
        """Line and column of the character `index` of the string at `path`."""
        line, column = self.place(path)
        if tuple(path) not in self.places:
            return line, column
        source = "\n".join([self.lines[line - 1][column - 1 :], *self.lines[line:]])
        before = source[: _offset_in_string(source, index)]
        newlines = before.count("\n")
        return line + newlines, len(before) - before.rfind("\n") if newlines else column + len(before)

    def problem(self, path: Sequence[str | int], message: str, fix: str = "", *, at: int | None = None) -> Problem:
        """A problem with the value at `path`, showing its line; with `at`, a caret at that character of the string."""
        line, column = (self.place(path)[0], 0) if at is None else self.place_within(path, at)
        return Problem(
            file=self.file,
            line=line,
            column=column,
            message=message,
            fix=fix,
            source=self.lines[line - 1].rstrip() if self.lines else "",
        )

    def pointed(self, path: Sequence[str | int], message: str, fix: str = "", *, key: str = "") -> Problem:
        """A problem with a caret under the value at `path` or, with `key`, under that key before it."""
        line, column = self.place(path)
        source = self.lines[line - 1]
        found = source.rfind(key, 0, column - 1) if key else -1
        return replace(self.problem(path, message, fix), column=column if found < 0 else found + 1)


def parse(file: str, raw: bytes, limit: int = MAX_BYTES) -> Toml:
    """The TOML in `raw`, read from `file`; raises UserError with one Problem if it cannot be read.

    Too deep, not UTF-8 and over `limit` bytes are mistakes like any other. A byte order mark is accepted.
    """

    def fail(message: str, line: int = 0, **more: Any) -> UserError:
        return UserError([Problem(file=file, line=line, message=message, **more)])

    if len(raw) > limit:
        raise fail(f"the file has {len(raw)} bytes, more than {limit}", fix="split it")
    try:
        source = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as e:
        raise fail("the file is not UTF-8", raw[: e.start].count(b"\n") + 1, fix="save it as UTF-8") from e
    lines = tuple(source.split("\n"))
    try:
        data = tomllib.loads(source)
        places = _Walk(source).places()
    except RecursionError as e:
        raise fail("brackets are nested too deeply", fix="write fewer inside each other") from e
    except tomllib.TOMLDecodeError as e:
        at = _AT.search(str(e))
        line, column = (int(at[1]), int(at[2])) if at else _opening(source, str(e)) or (len(lines), 0)
        message, fix = _explained(_AT.sub("", str(e)).replace("(at end of document)", "at the end of the file").strip())
        raise fail(f"not valid TOML: {message}", line, column=column, source=lines[line - 1], fix=fix) from e
    return Toml(file, data, lines, places)


def _opening(source: str, message: str) -> tuple[int, int] | None:
    """Line and column of the quote behind which a text runs to the end of the file; None where it is not for that."""
    if not re.match(_UNCLOSED, message):
        return None
    # Of a text in double quotes the message does not say how many there are; one alone ends with its line.
    last = source.rfind("\n") + 1
    quote = "'''" if "'''" in message else "'" if "'" in message else '"' if _is_toml(source[:last]) else '"""'
    before = source[: max(source.rfind(quote), 0)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _explained(message: str) -> tuple[str, str]:
    """A message of `tomllib` in words for people, and the fix."""
    found = ((words or message, fix) for begins, words, fix in _FIXES if re.match(begins, message))
    return next(found, (message, "https://toml.io says how values are written"))


#: The header of a table, finished or not. Lines of an array or of a text may look like one: so many are looked beyond.
_MOST_LOOKALIKES = 8
_HEADER = re.compile(r"\s*\[{1,2}\s*[\w\"']")
#: Tables that are TOML alone and not together, such as one that stands there twice.
_MOST_CLASHES = 20


def parse_readable(file: str, raw: bytes, limit: int = MAX_BYTES) -> tuple[Toml, tuple[str, ...]]:
    """The TOML in `raw` without the tables that are none, and the lines that are left out; bytes may be no UTF-8.

    Raises UserError where nothing can be read, as of a file of more than `limit` bytes.
    """
    if len(raw) > limit:
        parse(file, raw, limit)
    lines = raw.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")
    starts = [0, *(number for number, line in enumerate(lines) if number and _HEADER.match(line)), len(lines)]
    kept = list(lines)
    at = 0
    while at < len(starts) - 1:
        ends = range(at + 1, min(at + 1 + _MOST_LOOKALIKES, len(starts)))
        end = next((end for end in ends if _is_toml("\n".join(lines[starts[at] : starts[end]]))), None)
        if end is None:
            kept[starts[at] : starts[at + 1]] = [""] * (starts[at + 1] - starts[at])
        at = end or at + 1
    found = Toml(file, {}, (), {})
    for _ in range(_MOST_CLASHES):
        try:
            found = parse(file, "\n".join(kept).encode(), limit)
            break
        except UserError as e:
            line = e.problems[0].line
        start, end = max(at for at in starts if at < max(line, 1)), min(at for at in starts if at >= max(line, 1))
        kept[start:end] = [""] * (end - start)
    else:
        kept = [""] * len(lines)
    return replace(found, lines=tuple(lines)), tuple(
        line for line, left in zip(lines, kept, strict=True) if line != left
    )


def _is_toml(source: str) -> bool:
    try:
        tomllib.loads(source)
    except (RecursionError, tomllib.TOMLDecodeError):
        return False
    return True


_SPACE = re.compile(r"(?:[ \t\n\r]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*')[ \t]*""")
_STRING = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}(?!")|\'\'\'.*?'{3,5}(?!')|"(?:\\.|[^"\\])*"|'[^']*\'''',
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]*")
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|.)")
_FOLDED_LINE = re.compile(r"\\[ \t]*\n[ \t\n]*")


class _Walk:
    """One pass over a TOML text that is known to be valid."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._found: dict[KeyPath, int] = {}
        #: How many tables each array of tables has so far.
        self._counts: dict[KeyPath, int] = {}

    def places(self) -> dict[KeyPath, tuple[int, int]]:
        """Line and column of every value and table."""
        table: KeyPath = ()
        self._skip()
        while self._at < len(self._source):
            if self._source[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()
        starts = [0, *(m.end() for m in re.finditer("\n", self._source))]
        places = {}
        for path, offset in self._found.items():
            line = bisect_right(starts, offset)
            places[path] = (line, offset - starts[line - 1] + 1)
        return places

    def _skip(self) -> None:
        found = _SPACE.match(self._source, self._at)
        self._at = found.end() if found else self._at

    def _header(self) -> KeyPath:
        start = self._at
        opening = "[[" if self._source.startswith("[[", start) else "["
        self._at += len(opening)
        *outer, last = self._keys()
        self._at += len(opening)
        path: KeyPath = ()
        for name in outer:
            path = self._latest((*path, name))
        path = (*path, last)
        if opening == "[[":
            self._counts[path] = self._counts.get(path, 0) + 1
        path = self._latest(path)
        self._found.setdefault(path, start)
        return path

    def _latest(self, path: KeyPath) -> KeyPath:
        """`path`, or the last table of the array of tables that stands there."""
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def _keys(self) -> list[str]:
        keys = []
        while found := _KEY_PART.match(self._source, self._at):
            self._at = found.end()
            key = found[1]
            keys.append(next(iter(tomllib.loads(f"{key}=0"))) if key[0] in "\"'" else key)
            if not self._source.startswith(".", self._at):
                break
            self._at += 1
        return keys

    def _pair(self, table: KeyPath) -> None:
        path = (*table, *self._keys())
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        while self._source.startswith((" ", "\t"), self._at):
            self._at += 1
        self._found[path] = self._at
        opening = self._source[self._at]
        if opening == "[":
            self._members("]", lambda number: self._value((*path, number)))
        elif opening == "{":
            self._members("}", lambda _: self._pair(path))
        else:
            found = (_STRING if opening in "\"'" else _SCALAR).match(self._source, self._at)
            self._at = found.end() if found else len(self._source)

    def _members(self, closing: str, member: Callable[[int], None]) -> None:
        """The members of an array or inline table, up to its end."""
        self._at += 1
        number = 0
        self._skip()
        while not self._source.startswith(closing, self._at):
            member(number)
            number += 1
            self._skip()
            if self._source.startswith(",", self._at):
                self._at += 1
                self._skip()
        self._at += 1


def _offset_in_string(source: str, index: int) -> int:
    """The offset in `source`, which starts with a TOML string, of the string's character `index`."""
    quote = source[:3] if source[:3] in ('"""', "'''") else source[:1]
    at = len(quote)
    if len(quote) == 3 and source.startswith("\n", at):
        at += 1
    basic = quote[0] == '"'
    for left in range(index, -1, -1):
        while basic and (folded := _FOLDED_LINE.match(source, at)):
            at = folded.end()
        if left:
            escape = _ESCAPE.match(source, at) if basic else None
            at = escape.end() if escape else at + 1
    return min(at, len(source))
