"""Small changes to a query that its rule's tests should notice (mutation testing): a fixed list.

| change | of | to |
|---|---|---|
| drop | each operand of AND and OR | the others |
| drop | either side of NEAR and BEFORE | the other side |
| drop | what NOT NEAR, NOT BEFORE, NOT AFTER and WITHOUT forbid | the left side alone |
| drop | NOT and what it denies; `title:`, `lead:`, `body:`; ATLEAST | what is left, what stands behind |
| widen | a distance n; `/s`; `/ns` | 2n + 1, at most 100; `/p`; `/n` |
| narrow | a distance n; `/p` | n / 2, rounded down; `/s` |
| swap | NEAR and BEFORE; AND and OR | each other |

A change that leaves nothing to ask for is none. A pattern that is called is changed in the arguments that the call
gives it, and dropped whole; its own text has tests of its own. A set's mutants, without one of its terms
each, are made by `evaluate`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeGuard

from worker.rules.query.nodes import (
    And,
    AtLeast,
    Call,
    Calls,
    InPart,
    Node,
    Not,
    Operator,
    Or,
    Proximity,
    Reach,
    Unit,
    Within,
    is_expression,
    needs_words,
    written,
)

_FARTHEST = 100
_SWAPPED = {Operator.NEAR: Operator.BEFORE, Operator.BEFORE: Operator.NEAR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A query with one change."""

    #: What was done, for people.
    change: str
    query: Node


def mutants(node: Node, calls: Calls | None = None) -> Iterator[Mutant]:
    """Every change of the list to `node`, one at a time, each a query that the language allows.

    `calls` are the calls of patterns in it, by what they are written out as.
    """
    for change, query in _Changes(calls or {}).of(node):
        if query is not None and needs_words(query):
            yield Mutant(change=change, query=query)


_Changed: TypeAlias = Iterator[tuple[str, Node | None]]


class _Changes:
    """The changes of one query."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def of(self, node: Node) -> _Changed:
        """Yield each node that may stand in `node`'s place, the changes below it included; None: nothing."""
        if self._calls and (call := self._calls.get(node)) is not None:
            yield from self._of_call(call)
            return
        match node:
            case And(parts) | Or(parts):
                yield from self._of_list(node, parts)
            case Not(part):
                yield f"drop NOT {self._short(part)}", None
                yield from ((change, Not(inner)) for change, inner in self.of(part) if _stands_alone(inner))
            case InPart(scope, part):
                yield f"drop {scope}:", part
                yield from ((change, InPart(scope, inner)) for change, inner in self.of(part) if _stands_alone(inner))
            case AtLeast(count, part):
                yield f"drop ATLEAST/{count}", part
                yield from ((change, AtLeast(count, inner)) for change, inner in self.of(part) if _fits(inner))
            case Proximity():
                yield from self._of_proximity(node)

    def _of_call(self, call: Call) -> _Changed:
        for name, argument in call.arguments.items():
            for change, inner in _Changes({}).of(argument):
                if _fits(inner):
                    yield f"{change}, in {_clipped(call.text)}", call.written_out({**call.arguments, name: inner})

    def _of_list(self, node: And | Or, parts: tuple[Node, ...]) -> _Changed:
        for number, part in enumerate(parts):
            rest = parts[:number] + parts[number + 1 :]
            if not isinstance(part, Not):
                yield f"drop {self._short(part)}", _joined(node, rest)
            for change, inner in self.of(part):
                kept = rest if inner is None else (*parts[:number], inner, *parts[number + 1 :])
                yield change, _joined(node, kept)
        if isinstance(node, Or):
            yield f"OR to AND: {self._short(node)}", And(parts)
        elif not any(isinstance(part, Not) for part in parts):
            yield f"AND to OR: {self._short(node)}", Or(parts)

    def _of_proximity(self, node: Proximity) -> _Changed:
        positive = node.operator in _SWAPPED
        yield f"drop {node.operator} {self._short(node.right)}", node.left
        if positive:
            yield f"drop {self._short(node.left)} {node.operator}", node.right
            yield f"{node.operator} to {_SWAPPED[node.operator]}", replace(node, operator=_SWAPPED[node.operator])
        for what, reach in _reaches(node.reach):
            yield f"{what} {node.operator}/{node.reach} to /{reach}", replace(node, reach=reach)
        for change, inner in self.of(node.left):
            if _fits(inner):
                yield change, replace(node, left=inner)
        for change, inner in self.of(node.right):
            if _fits(inner):
                yield change, replace(node, right=inner)

    def _short(self, node: Node) -> str:
        return _clipped(written(node, self._calls))


def _joined(node: And | Or, parts: tuple[Node, ...]) -> Node:
    return parts[0] if len(parts) == 1 else replace(node, parts=parts)


def _reaches(reach: Reach | None) -> Iterator[tuple[str, Reach]]:
    match reach:
        case Unit.SENTENCE:
            yield "widen", Unit.PARAGRAPH
        case Unit.PARAGRAPH:
            yield "narrow", Unit.SENTENCE
        case Within(words, unit):
            yield from ((what, Within(number, unit)) for what, number in _numbers(words))
            yield "widen", words
        case int():
            yield from _numbers(reach)


def _numbers(words: int) -> Iterator[tuple[str, int]]:
    if words < _FARTHEST:
        yield "widen", min(2 * words + 1, _FARTHEST)
    if words:
        yield "narrow", words // 2


def _fits(node: Node | None) -> TypeGuard[Node]:
    """Tells whether it may stand inside a proximity."""
    return node is not None and is_expression(node)


def _stands_alone(node: Node | None) -> TypeGuard[Node]:
    """Tells whether it may stand without an AND beside it."""
    return node is not None and not isinstance(node, Not)


def _clipped(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
