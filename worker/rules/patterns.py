"""Patterns: named queries with parameters, as rule files write them."""

import re
from collections.abc import Iterator
from typing import Any

from worker.config.toml import KeyPath, Toml
from worker.errors import Problem
from worker.model import Severity
from worker.rules.query import Known, Pattern, QueryError, SetRef, calls, parse, parse_body
from worker.rules.query.nodes import Param, in_language, walk
from worker.rules.ruleset import Rule, RuleSet
from worker.rules.shape import PATTERN_NAME, PatternShape, Table, read


def pattern_tables(toml: Toml, data: dict[str, Any], problems: list[Problem]) -> Iterator[tuple[str, Table]]:
    """The `[pattern.NAME]` of a file, each with the `[[pattern.test]]` that stand between it and the next."""
    loose = data["test"] if isinstance(data.get("test"), list) else []
    cases = list(enumerate(loose))
    names = [name for name in data if name != "test" or not loose]
    begins = {name: toml.place(("pattern", name))[0] for name in names}
    for number, _ in cases:
        if not any(line < toml.place(("pattern", "test", number))[0] for line in begins.values()):
            problems.append(
                toml.pointed(
                    ("pattern", "test", number), "this test follows no pattern", "write it below [pattern.name]"
                )
            )
    for name, begin in begins.items():
        path: KeyPath = ("pattern", name)
        if not re.fullmatch(PATTERN_NAME, name) or name == "test":
            fix = "small letters, digits, _ and -, at most 64, a letter first; `test` is taken"
            problems.append(toml.pointed(path, f"`{name}` is no pattern's name", fix))
        following = min((line for line in begins.values() if line > begin), default=len(toml.lines) + 2)
        own = [n for n, _ in cases if begin < toml.place(("pattern", "test", n))[0] < following]
        table = data[name]
        if isinstance(table, dict) and own:
            inner = table.get("test", [])
            below = [(*path, "test", n) for n in range(len(inner))]
            table = {**table, "test": [*inner, *(loose[n] for n in own)]}
            yield name, Table(toml, path, table, tests=(*below, *(("pattern", "test", n) for n in own)))
        else:
            yield name, Table(toml, path, table)


def compile_pattern(name: str, table: Table, known: Known, problems: list[Problem]) -> Pattern | None:
    """The pattern that `table` writes, where every pattern that it uses is in `known`; None with what is wrong."""
    shape, wrong = read(PatternShape, table.toml, table.path, table.data)
    problems.extend(wrong)
    if shape is None:
        return None
    params = tuple(shape.params)
    inside = Known(sets=known.sets, patterns=known.patterns, unread=known.unread, params=params)
    path = (*table.path, "when")
    try:
        body = in_language(parse_body(shape.when, inside), table.language)
    except QueryError as e:
        problems.extend(table.toml.problem(path, fault.message, fault.fix, at=fault.start) for fault in e.faults)
        return None
    used = {node.name for node in walk(body) if isinstance(node, Param)}
    unread = calls(shape.when) & set(known.unread)
    if (unused := [param for param in params if param not in used]) and not unread:
        problems.append(table.toml.pointed(path, f"nothing asks for the parameter @{unused[0]}", "use it, or drop it"))
        return None
    others = calls(shape.when) & known.patterns.keys()
    return Pattern(
        name=name,
        params=params,
        body=body,
        about=shape.about or "",
        patterns=frozenset(others).union(*(known.patterns[other].patterns for other in others)),
        sets=frozenset(node.name for node in walk(body) if isinstance(node, SetRef)),
        place=table.place,
    )


def called(ruleset: RuleSet, call: str) -> Rule:
    """A rule that asks for a call of one of the set's patterns, and is known by it; raises QueryError."""
    query = parse(call, Known(sets=ruleset.sets, patterns=ruleset.patterns))
    sets = frozenset(node.name for node in walk(query) if isinstance(node, SetRef))
    return Rule(id=call, name=call, severity=Severity.MEDIUM, query=query, sets=sets, hash="", file="", line=0)
