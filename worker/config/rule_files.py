"""A rule in the file of its owner: found, changed or added, while comments, order and all other lines stay."""

import copy
import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from worker.config import toml
from worker.config.folder import fault_of, read_file, remove_file, replace_file
from worker.errors import Problem, UserError

#: Names of files that are made here.
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\.toml")
#: Permissions of a new file: those of its neighbours, or these.
_MODE = 0o644
#: A test's place in the file as it was read; a test without one is new.
AT = "at"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A rule as it stands in its file."""

    file: str
    #: `digest` of the file.
    digest: str
    #: Its number among the rules of the file, from 0.
    number: int
    #: What it says, as TOML gives it.
    table: dict[str, Any]
    #: Its lines, the remarks right above them included; empty where they do not stand together.
    text: str
    #: The first of them, from 1.
    line: int


def digest(raw: bytes) -> str:
    """sha256 hex of a file, by which a change of it is noticed."""
    return sha256(raw).hexdigest()


def find(files: Mapping[str, bytes], rule_id: str) -> Written | None:
    """The first rule of that id in these files (name -> TOML); files that cannot be read have none."""
    for name, raw in files.items():
        with suppress(UserError):
            parsed = toml.parse(name, raw)
            rules = parsed.data.get("rule")
            for number, table in enumerate(rules if isinstance(rules, list) else []):
                if isinstance(table, dict) and table.get("id") == rule_id:
                    start, end = _own_lines(parsed, number)
                    text = "\n".join(parsed.lines[start:end])
                    own = text if _says(text) == {"rule": [table]} else ""
                    return Written(file=name, digest=digest(raw), number=number, table=table, text=own, line=start + 1)
    return None


def _says(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def changed(file: str, raw: bytes, number: int, values: Mapping[str, Any]) -> bytes:
    """The file with other values in one of its rules; None takes a key away, `test` lists all tests that are to be.

    Each test may say under `at` the number of the one that it was. Raises UserError where the file cannot be changed so
    that all else stays.
    """
    parsed = toml.parse(file, raw)
    lines = _lines(raw)
    start, end = _block(parsed, number, len(lines))
    expected = _expected(parsed.data, number, values)
    block = "\n".join(lines[start:end]) + "\n"
    for edited in (_edited_in_front, _edited):
        with suppress(tomllib.TOMLDecodeError, _UnfitError):
            text = "\n".join([*lines[:start], edited(block, values).rstrip("\n"), *lines[end:]])
            if tomllib.loads(text) == expected and _keeps_remarks(block, text):
                break
    else:
        fix = "edit the file, or write the rule as [[rule]]"
        _refuse(file, "this rule cannot be changed here", fix, line=start + 1)
    return _ended(text, raw)


def rewritten(file: str, raw: bytes, number: int | None, text: str) -> bytes:
    """The file with these lines for one of its rules, for a new one (None), or without the rule where they are empty.

    Every other line stays. Raises UserError where the lines are not one rule, with the places that they would have.
    """
    parsed = toml.parse(file, raw)
    lines = _lines(raw)
    start, end = (len(lines), len(lines)) if number is None else _own_lines(parsed, number)
    own = text.strip("\n").split("\n") if text.strip() else []
    if own and number is not None:
        source = "\n".join([*lines[:start], *own, *lines[end:]])
    else:
        parts = ("\n".join(part).strip("\n") for part in (lines[:start], own, lines[end:]))
        source = "".join(f"{part}\n\n" for part in parts if part)[:-1]
    before, after = parsed.data, toml.parse(file, source.encode()).data
    kept = [rule for at, rule in enumerate(before.get("rule", ())) if at != number]
    at = len(kept) if number is None else number
    rules = after.get("rule", [])
    is_one = len(rules) == len(kept) + bool(own) and [*rules[:at], *rules[at + bool(own) :]] == kept
    if not is_one or {**before, "rule": ()} != {**after, "rule": ()}:
        fix = "begin it with [[rule]]; sets, patterns and other rules are written in the file"
        _refuse(file, "this is not one rule", fix, line=start + 1)
    return _ended(source, raw) if source else b""


def added(file: str, raw: bytes, values: Mapping[str, Any]) -> bytes:
    """The file, which may be empty, with another rule at its end; raises UserError."""
    lines = _lines(raw)
    table = {key: value for key, value in values.items() if value is not None and key != "test"}
    tests = [_without_place(test) for test in values.get("test") or ()]
    text = "\n".join(lines).rstrip("\n")
    text = (
        (f"{text}\n\n" if text else "")
        + _block_of("rule", table)
        + "".join("\n" + _block_of("rule.test", test) for test in tests)
    )
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        _refuse(file, "no rule can be added to this file", "write its rules as [[rule]], or choose another file")
    if found["rule"][-1] != table | ({"test": tests} if tests else {}):
        _refuse(file, "the rule cannot be written as TOML", "take away what is no text")
    return _ended(text, raw)


def write(folder: Path, name: str, content: bytes, known: str) -> bool:
    """Put a file in its place, or take it away where nothing is left of it.

    False, and nothing is done, where its `digest` is not `known` (empty: it is new).

    Raises UserError for a name or a link that leaves the folder, and where nothing may be written.
    """
    path = folder / name
    is_new = not path.exists()
    if Path(name).name != name or not name.endswith(".toml") or (is_new and not FILE_NAME.fullmatch(name)):
        _refuse(name, "is no name for a file of rules", "small letters, digits, - and _, with .toml at its end")
    if fault := fault_of(path, folder.resolve()):
        _refuse(str(path), fault, "edit the file itself")
    if known != ("" if is_new else digest(read_file(path))):
        return False
    if not content:
        remove_file(path)
        return True
    neighbour = next((one for one in sorted(folder.glob("*.toml")) if one.is_file()), None)
    mode = (neighbour.stat().st_mode & 0o666 if neighbour else _MODE) if is_new else None
    replace_file(path, content, mode)
    return True


def text_of(table: Mapping[str, Any]) -> str:
    """Keys and values as TOML, for people."""
    import tomlkit

    return tomlkit.dumps({**table}).strip()


class _UnfitError(Exception):
    """tomlkit cannot make the change."""


def _lines(raw: bytes) -> list[str]:
    """The lines of a file that is UTF-8, without their ends and the byte order mark."""
    return raw.decode("utf-8-sig").replace("\r\n", "\n").split("\n")


def _ended(text: str, raw: bytes) -> bytes:
    """The text with the byte order mark and the line ends of the file `raw`, which it changes.

    Each line that stays keeps its end; a new one has CRLF where all lines of the file have it.
    """
    bom = raw[:3] if raw.startswith(b"\xef\xbb\xbf") else b""
    before, lines = _lines(raw), text.split("\n")
    was = ["\r" * line.endswith("\r") for line in raw.decode().split("\n")[:-1]]
    ends = ["\r" if was and all(was) else ""] * (len(lines) - 1)
    if len({*was}) > 1:
        for old, new, size in difflib.SequenceMatcher(None, before, lines).get_matching_blocks():
            # The last line of a file has no end.
            size = min(size, len(was) - old, len(ends) - new)  # noqa: PLW2901
            ends[new : new + max(size, 0)] = was[old : old + max(size, 0)]
    return bom + "\n".join(line + end for line, end in zip(lines, [*ends, ""], strict=True)).encode()


def _block(parsed: toml.Toml, number: int, count: int) -> tuple[int, int]:
    """The first line of a rule's tables and the one behind their last, from 0; remarks that follow are the next's."""
    own = ("rule", number)
    start = parsed.places.get(own, (1, 1))[0]
    others = [line for path, (line, _) in parsed.places.items() if path[:2] != own and line > start]
    end = min(others, default=count + 1) - 1
    lines = parsed.lines[:end]
    while end > start and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return start - 1, end


def _own_lines(parsed: toml.Toml, number: int) -> tuple[int, int]:
    """A rule's lines with the remarks right above them: the first, and the one behind the last, from 0."""
    start, end = _block(parsed, number, len(parsed.lines))
    while start and parsed.lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start, end


def _expected(data: Mapping[str, Any], number: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """The file's data as they are to be."""
    whole: dict[str, Any] = copy.deepcopy({**data})
    table = whole["rule"][number]
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif key == "test":
            was = table.pop("test", [])
            tests = [
                _joined(was[test[AT]], test) if test.get(AT) is not None else _without_place(test) for test in value
            ]
            table |= {"test": tests} if tests else {}
        else:
            table[key] = value
    return whole


def _joined(was: Mapping[str, Any], test: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**was, **_without_place(test)}
    return {key: value for key, value in joined.items() if value is not None}


def _without_place(test: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in test.items() if key != AT and (value is not None)}


def _edited(block: str, values: Mapping[str, Any]) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(block)
        rule = document["rule"][0]
        for key, value in values.items():
            if key != "test":
                _put(rule, key, value)
        new = _edit_tests(rule, values["test"]) if "test" in values else []
        text = tomlkit.dumps(document).rstrip("\n") + "\n"
    except (TOMLKitError, KeyError, IndexError, TypeError, AttributeError) as e:
        raise _UnfitError from e
    return text + "".join("\n" + _block_of("rule.test", test) for test in new)


def _edited_in_front(block: str, values: Mapping[str, Any]) -> str:
    """The same with new keys right under the header, where tomlkit would put them behind other tables."""
    import tomlkit

    known = tomllib.loads(block)["rule"][0]
    new = {key: value for key, value in values.items() if key not in known and key != "test" and value is not None}
    header, rest = block.split("\n", 1)
    text = header + "\n" + tomlkit.dumps({key: _item(value) for key, value in new.items()}) + rest
    return _edited(text, {key: value for key, value in values.items() if key not in new})


def _edit_tests(rule: Any, tests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Change and take away tests that stand there; returns those that are new."""
    kept = {test[AT]: test for test in tests if test.get(AT) is not None}
    for number in reversed(range(len(rule.get("test", ())))):
        if number not in kept:
            del rule["test"][number]
            continue
        for key, value in _items(kept[number]):
            _put(rule["test"][number], key, value)
    if "test" in rule and not len(rule["test"]):
        del rule["test"]
    return [_without_place(test) for test in tests if test.get(AT) is None]


def _items(test: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in test.items() if key != AT]


def _put(table: Any, key: str, value: Any) -> None:
    if value is None:
        if key in table:
            del table[key]
    elif key not in table or table[key] != value:
        table[key] = _item(value)


def _item(value: Any) -> Any:
    """A value as TOML: a text of several lines, or with quotes, as a reader would write it."""
    import tomlkit

    if not isinstance(value, str):
        return tomlkit.item(value)
    is_long = "\n" in value
    quotes = "'''" if is_long else "'"
    is_plain = not _CONTROL.search(value) and quotes not in value and not value.endswith("'")
    if is_plain and (is_long or '"' in value or "\\" in value):
        # A line break behind the opening quotes counts for nothing.
        written = quotes + "\n" * is_long + value + quotes
    elif is_long:
        escaped = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", value.replace("\\", r"\\").replace('"', r"\""))
        written = f'"""\n{escaped}"""'
    else:
        return tomlkit.string(value)
    return tomlkit.parse(f"value = {written}")["value"]


def _block_of(header: str, table: Mapping[str, Any]) -> str:
    import tomlkit

    return f"[[{header}]]\n" + tomlkit.dumps({key: _item(value) for key, value in table.items()})


def _keeps_remarks(before: str, after: str) -> bool:
    """Tells whether each line of remarks is still there, in its order."""
    lines = iter(after.splitlines())
    return all(line in lines for line in before.splitlines() if line.lstrip().startswith("#"))


def _refuse(file: str, message: str, fix: str, *, line: int = 0) -> NoReturn:
    raise UserError([Problem(file=file, line=line, message=message, fix=fix)])
