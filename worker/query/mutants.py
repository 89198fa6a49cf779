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

A change that leaves nothing to ask for is none. A set's mutants, without one of its terms each, are made by `match`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeGuard

from worker.query.nodes import (
    And,
    AtLeast,
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
)

_FARTHEST = 100
_SWAPPED = {Operator.NEAR: Operator.BEFORE, Operator.BEFORE: Operator.NEAR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A query with one change."""

    #: What was done, for people.
    change: str
    query: Node


def mutants(node: Node) -> Iterator[Mutant]:
    """Every change of the list to `node`, one at a time, each a query that the language allows."""
    for change, query in _changes(node):
        if query is not None and needs_words(query):
            yield Mutant(change=change, query=query)


def _changes(node: Node) -> Iterator[tuple[str, Node | None]]:
    """What may stand in `node`'s place, the changes below it included; None: nothing."""
    match node:
        case And(parts) | Or(parts):
            yield from _of_list(node, parts)
        case Not(part):
            yield f"drop NOT {_short(part)}", None
            yield from ((change, Not(inner)) for change, inner in _changes(part) if _stands_alone(inner))
        case InPart(scope, part):
            yield f"drop {scope}:", part
            yield from ((change, InPart(scope, inner)) for change, inner in _changes(part) if _stands_alone(inner))
        case AtLeast(count, part):
            yield f"drop ATLEAST/{count}", part
            yield from ((change, AtLeast(count, inner)) for change, inner in _changes(part) if _fits(inner))
        case Proximity():
            yield from _of_proximity(node)


def _of_list(node: And | Or, parts: tuple[Node, ...]) -> Iterator[tuple[str, Node | None]]:
    for number, part in enumerate(parts):
        rest = parts[:number] + parts[number + 1 :]
        if not isinstance(part, Not):
            yield f"drop {_short(part)}", _joined(node, rest)
        for change, inner in _changes(part):
            kept = rest if inner is None else (*parts[:number], inner, *parts[number + 1 :])
            yield change, _joined(node, kept)
    if isinstance(node, Or):
        yield f"OR to AND: {_short(node)}", And(parts)
    elif not any(isinstance(part, Not) for part in parts):
        yield f"AND to OR: {_short(node)}", Or(parts)


def _joined(node: And | Or, parts: tuple[Node, ...]) -> Node:
    return parts[0] if len(parts) == 1 else replace(node, parts=parts)


def _of_proximity(node: Proximity) -> Iterator[tuple[str, Node | None]]:
    positive = node.operator in _SWAPPED
    yield f"drop {node.operator} {_short(node.right)}", node.left
    if positive:
        yield f"drop {_short(node.left)} {node.operator}", node.right
        yield f"{node.operator} to {_SWAPPED[node.operator]}", replace(node, operator=_SWAPPED[node.operator])
    for what, reach in _reaches(node.reach):
        yield f"{what} {node.operator}/{node.reach} to /{reach}", replace(node, reach=reach)
    for change, inner in _changes(node.left):
        if _fits(inner):
            yield change, replace(node, left=inner)
    for change, inner in _changes(node.right):
        if _fits(inner):
            yield change, replace(node, right=inner)


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
    """Whether it may stand inside a proximity."""
    return node is not None and is_expression(node)


def _stands_alone(node: Node | None) -> TypeGuard[Node]:
    """Whether it may stand without an AND beside it."""
    return node is not None and not isinstance(node, Not)


def _short(node: Node) -> str:
    text = str(node)
    return text if len(text) <= 40 else text[:39] + "…"
