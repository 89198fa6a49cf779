"""Patterns: named queries with parameters, as rule files write them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from worker.config.toml import KeyPath, Toml
from worker.errors import Problem
from worker.model import Severity
from worker.rules.query import Call, Known, Node, Pattern, QueryError, SetRef, calls, parse, parse_body
from worker.rules.query.nodes import Param, in_language, shared, walk
from worker.rules.ruleset import Rule, RuleSet, Test
from worker.rules.shape import PATTERN_NAME, PatternShape, Table, read, sha256, tests_of


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
        sets=named_sets([body]),
        place=table.place,
    )


def rules_of_tests(
    table: Table, pattern: Pattern, known: Known, pool: dict[Node, Node], problems: list[Problem]
) -> Iterator[Rule]:
    """A rule for each way in which the tests of a pattern call it; `pool` is that of `shared`."""
    shape, _ = read(PatternShape, table.toml, table.path, table.data)
    tests: dict[str, list[Test]] = {}
    queries: dict[str, Node] = {}
    for number, (case, test) in enumerate(zip(shape.test, tests_of(table, shape.test), strict=True)):
        call = f"{pattern.name}({', '.join(f'{param} = {text}' for param, text in case.arguments.items())})"
        try:
            queries[call] = queries.get(call) or shared(parse(call, known), pool)
        except QueryError as e:
            path = (*table.test_path(number), "with")
            problems.extend(table.toml.pointed(path, f"{fault.message} (in {call})", fault.fix) for fault in e.faults)
            return
        tests.setdefault(call, []).append(test)
    for call, query in queries.items():
        yield Rule(
            id=call,
            name=call,
            severity=Severity.MEDIUM,
            query=query,
            tests=tuple(tests[call]),
            calls={query: Call(text=call, pattern=pattern, arguments={})},
            sets=named_sets([query]),
            hash=sha256(table.without_tests()),
            file=table.toml.file,
            line=table.line,
        )


def called(ruleset: RuleSet, call: str) -> Rule:
    """A rule that asks for a call of one of the set's patterns, and is known by it; raises QueryError."""
    query = parse(call, Known(sets=ruleset.sets, patterns=ruleset.patterns))
    sets = named_sets([query])
    return Rule(id=call, name=call, severity=Severity.MEDIUM, query=query, sets=sets, hash="", file="", line=0)


def named_sets(queries: Iterable[Node | None]) -> frozenset[str]:
    """The sets that queries name."""
    return frozenset(
        node.name for query in queries if query is not None for node in walk(query) if isinstance(node, SetRef)
    )
