"""Nodes of a query. `str(node)` writes it as the language does, and parses back to the same node.

Expressions yield spans: Term, SetRef, Regex, Proximity, and Or of expressions. Conditions are true or false: And, Not,
InPart, AtLeast, and Or with a condition in it; they may not stand inside a proximity.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from operator import is_
from typing import TypeAlias, cast

#: Words of the language, always upper case; as terms they stand in quotes.
KEYWORDS = frozenset({"AND", "OR", "NOT", "NEAR", "BEFORE", "AFTER", "WITHOUT", "EXCEPT", "ATLEAST"})


class How(StrEnum):
    """Ways in which a word of a term is compared; the value is the mark before it."""

    INFLECTED = ""
    FOLDED = "="
    EXACT = "=="
    #: Any word that begins so; written with a star behind.
    PREFIX = "*"
    #: A French verb that stands with a reflexive pronoun; written with `se` before it.
    REFLEXIVE = "se"


class Scope(StrEnum):
    """Parts of an article to which a condition may be restricted."""

    TITLE = "title"
    #: The title and the first paragraph.
    LEAD = "lead"
    BODY = "body"


class Operator(StrEnum):
    """The proximities."""

    NEAR = "NEAR"
    BEFORE = "BEFORE"
    NOT_NEAR = "NOT NEAR"
    NOT_BEFORE = "NOT BEFORE"
    NOT_AFTER = "NOT AFTER"
    WITHOUT = "WITHOUT"
    #: Those of the left that lie inside none of the right: `@places EXCEPT @home`.
    EXCEPT = "EXCEPT"


class Unit(StrEnum):
    """The text that both operands must share, with or without a number of words."""

    SENTENCE = "s"
    PARAGRAPH = "p"


@dataclass(frozen=True, slots=True)
class Within:
    """At most so many words apart, and in one unit."""

    words: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.words}{self.unit}"


Reach: TypeAlias = int | Unit | Within


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a term."""

    #: As written, without its mark or star.
    text: str
    how: How = How.INFLECTED


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or words in a row."""

    words: tuple[Word, ...]
    #: The language that it is written for (BCP 47 primary tag); empty: any.
    language: str = ""

    def __str__(self) -> str:
        text = " ".join(map(_written, self.words))
        mark = next((word.how.value for word in self.words if word.how in (How.FOLDED, How.EXACT)), "")
        term = f'{mark}"{text}"' if " " in text or text in KEYWORDS else mark + text
        return f"{self.language}:{term}" if self.language else term


@dataclass(frozen=True, slots=True)
class SetRef:
    """Any term of a named set."""

    name: str

    def __str__(self) -> str:
        return f"@{self.name}"


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter in the body of a pattern: stands for what a call gives."""

    name: str

    def __str__(self) -> str:
        return f"@{self.name}"


@dataclass(frozen=True, slots=True)
class Regex:
    """An RE2 expression on the text as published; the pattern stands as written between the slashes."""

    pattern: str

    def __str__(self) -> str:
        return f"/{self.pattern}/"


@dataclass(frozen=True, slots=True)
class Or:
    """Either; of expressions, the spans of all."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " OR ".join(_inner(part, (Or, And, Not)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class And:
    """All."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " AND ".join(_inner(part, (Or, And)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    part: "Node"

    def __str__(self) -> str:
        return f"NOT {_inner(self.part, (Or, And, Not))}"


@dataclass(frozen=True, slots=True)
class Proximity:
    """Spans of `left` judged by where those of `right` stand."""

    operator: Operator
    left: "Node"
    right: "Node"
    #: Words between, at most; the unit both stand in; or both. None for WITHOUT and EXCEPT.
    reach: Reach | None

    def __str__(self) -> str:
        reach = "" if self.reach is None else f"/{self.reach}"
        right = _inner(self.right, (Or, Proximity))
        return f"{_inner(self.left, (Or,))} {self.operator}{reach} {right}"


@dataclass(frozen=True, slots=True)
class InPart:
    """A condition that holds when only that part is read."""

    scope: Scope
    part: "Node"

    def __str__(self) -> str:
        return f"{self.scope}:{_inner(self.part, (Or, And, Not, Proximity))}"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """An expression yields `count` spans that share no word."""

    count: int
    part: "Node"

    def __str__(self) -> str:
        return f"ATLEAST/{self.count} {_inner(self.part, (Or, Proximity))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedTerm:
    """A set's term, and the days of publication on which it holds, both included."""

    term: Term | Regex
    since: date | None = None
    until: date | None = None

    def holds(self, published: date) -> bool:
        """Tells whether it counts in an article published on that day."""
        return (self.since is None or self.since <= published) and (self.until is None or published <= self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermSet:
    """A named set: an occurrence of a term that lies inside one of `exceptions` is none."""

    terms: tuple[DatedTerm, ...] = ()
    exceptions: tuple[Term | Regex, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A named query with parameters."""

    name: str
    params: tuple[str, ...]
    #: With a `Param` wherever an argument goes.
    body: "Node"
    #: What it is for, for people.
    about: str = ""
    #: The patterns, and the sets, that its body names; those of these patterns among them.
    patterns: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    #: Where it is written: file and line.
    place: str = ""

    @property
    def signature(self) -> str:
        """As it is called."""
        return f"{self.name}({', '.join(self.params)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A pattern as a query calls it; where the query is read, what it stands for is written out."""

    #: As written.
    text: str
    pattern: Pattern
    arguments: Mapping[str, "Node"]
    #: What its terms are written for where neither they nor the pattern say so; empty: any.
    language: str = ""

    def __str__(self) -> str:
        return self.text

    def written_out(self, arguments: Mapping[str, "Node"] | None = None) -> "Node":
        """The pattern's body with the call's arguments, or with others in their place."""
        return in_language(filled(self.pattern.body, self.arguments if arguments is None else arguments), self.language)


#: Calls of patterns by what they are written out as.
Calls: TypeAlias = Mapping["Node", Call]

Node: TypeAlias = Term | SetRef | Param | Regex | Or | And | Not | Proximity | InPart | AtLeast


def _written(word: Word) -> str:
    match word.how:
        case How.PREFIX:
            return f"{word.text}*"
        case How.REFLEXIVE:
            return f"se {word.text}"
        case _:
            return word.text


def _inner(node: Node, bracketed: tuple[type, ...]) -> str:
    return f"({node})" if isinstance(node, bracketed) else str(node)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order written."""
    match node:
        case Or(parts) | And(parts):
            return parts
        case Not(part) | InPart(part=part) | AtLeast(part=part):
            return (part,)
        case Proximity(left=left, right=right):
            return (left, right)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """`node` and all nodes below it."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def depth(node: Node) -> int:
    """The number of levels of a query's tree. Asked before anything that recurses."""
    levels = 0
    level: Sequence[Node] = [node]
    while level:
        levels += 1
        level = [child for parent in level for child in children(parent)]
    return levels


def rebuilt(node: Node, make: Callable[[Node], Node]) -> Node:
    """`node` with what `make` makes of each node directly below it; itself, if those are what stood there."""
    before = children(node)
    after = tuple(map(make, before))
    if all(map(is_, before, after)):
        return node
    match node:
        case Or() | And():
            return replace(node, parts=after)
        case Proximity():
            return replace(node, left=after[0], right=after[1])
        case Not() | InPart() | AtLeast():
            return replace(node, part=after[0])
        case _:
            return node


def changed(node: Node, leaf: Callable[[Node], Node]) -> Node:
    """`node` with what `leaf` makes of each of its terms, sets, parameters and regexes."""
    return rebuilt(node, lambda below: changed(below, leaf)) if children(node) else leaf(node)


def written(node: Node, calls: Calls) -> str:
    """A query as its author wrote it: `str(node)` with the calls of patterns in place of their bodies."""

    def folded(inner: Node) -> Node:
        # A call stands wherever a set does, and is only to be printed.
        return cast("Node", calls[inner]) if inner in calls else rebuilt(inner, folded)

    return str(folded(node) if calls else node)


def in_language(node: Node, language: str) -> Node:
    """`node` with all its terms written for `language`, but those that name their own."""

    def written(leaf: Node) -> Node:
        return replace(leaf, language=language) if isinstance(leaf, Term) and not leaf.language else leaf

    return changed(node, written) if language else node


def filled(body: Node, arguments: Mapping[str, Node]) -> Node:
    """The body of a pattern with its arguments in place of its parameters."""
    return changed(body, lambda leaf: arguments.get(leaf.name, leaf) if isinstance(leaf, Param) else leaf)


def shared(node: Node, pool: dict[Node, Node]) -> Node:
    """An equal node in which everything that `pool` has seen is one object, so that it is answered once a text."""
    node = rebuilt(node, lambda below: shared(below, pool))
    return pool.setdefault(node, node)


def is_expression(node: Node) -> bool:
    """Tells whether `node` yields spans that a proximity can judge."""
    if isinstance(node, Or):
        return all(is_expression(part) for part in node.parts)
    return isinstance(node, Term | SetRef | Param | Regex | Proximity)


def needs_words(node: Node) -> bool:
    """Tells whether `node` can hold only where some positive term of it stands."""
    match node:
        case Or(parts):
            return all(needs_words(part) for part in parts)
        case And(parts):
            return any(needs_words(part) for part in parts)
        case Not():
            return False
        case InPart(part=part) | AtLeast(part=part):
            return needs_words(part)
        case _:
            return True
