"""Requirements that a text must meet for a query to hold: clauses, of which all must hold.

A clause is a set of keys and holds where an article has one of them. A key is a folded word or, marked, any form of a
word, a beginning of words, a regex, or a group of keys, which an article has if it has one of them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from worker.analysis.text import fold
from worker.rules.query.nodes import (
    How,
    Node,
    Not,
    Operator,
    Or,
    Proximity,
    Regex,
    SetRef,
    Term,
    TermSet,
    Word,
    children,
)

Key: TypeAlias = str
Clause: TypeAlias = frozenset[Key]
#: The rarest first.
Clauses: TypeAlias = tuple[Clause, ...]

#: Marks of keys that are no folded words.
ANY_FORM, PREFIX, REGEX, GROUP = "\0f", "\0p", "\0r", "\0g"
MARK = len(ANY_FORM)
#: Letters by which beginnings are looked up.
PREFIX_LETTERS = 3
#: Clauses kept of a query, and keys of a clause before it becomes a group: a query is filed under their product.
MOST_CLAUSES, MOST_KEYS = 3, 4
#: How much commoner than long words those of 0, 1, 2 ... letters are taken to be; from the last on, 1.
_COMMONER = (64, 64, 64, 16, 8, 4, 2, 1)
#: What no length tells of: a beginning has more forms, and a regex may be anything.
_PREFIX_WEIGHT, _REGEX_WEIGHT = 4, 50


class Requirements:
    """The clauses of queries. How many of them ask for a word tells how common it may be, as does its length."""

    def __init__(self, queries: Iterable[Node | None], sets: Mapping[str, TermSet]) -> None:
        #: What each group has, which may be other groups.
        self.groups: dict[Key, Clause] = {}
        self._sets = sets
        self._uses: Counter[Key] = Counter()
        self._single: dict[Key, Clause] = {}
        #: By the identity of nodes, which must stay alive.
        self._known: dict[int, Clauses] = {}
        self._set_clauses: dict[str, Clauses] = {}
        self._group_keys: dict[Clause, Key] = {}
        self._group_weights: dict[Key, int] = {}
        for query in queries:
            if query is not None:
                self._count(query)
        for terms in sets.values():
            for dated in terms.terms:
                self._count(dated.term)

    def of(self, node: Node) -> Clauses:
        """The requirements of `node`, the rarest first; none: it may hold anywhere. `node` must stay alive."""
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = self._rarest(self._of(node))
        return known

    def _of(self, node: Node) -> Iterable[Clause]:
        match node:
            case Term(words):
                return (self._clause(self._key(word, node.language)) for word in words if not _is_short(word))
            case Regex(pattern):
                return (self._clause(REGEX + pattern),)
            case SetRef(name):
                return self._of_set(name)
            case Or(parts):
                return map(self._grouped, _either([self.of(part) for part in parts]))
        return (clause for part in positive(node) for clause in self.of(part))

    def _of_set(self, name: str) -> Clauses:
        """Any of its terms, by the rarest clause of each."""
        if name not in self._set_clauses:
            terms = [self.of(dated.term) for dated in self._sets[name].terms]
            any_of_them = frozenset[Key]().union(*(clauses[0] for clauses in terms if clauses))
            self._set_clauses[name] = (self._grouped(any_of_them),) if all(terms) else ()
        return self._set_clauses[name]

    def _grouped(self, clause: Clause) -> Clause:
        """A clause that holds where `clause` does, and has few keys."""
        if len(clause) <= MOST_KEYS:
            return clause
        key = self._group_keys.get(clause)
        if key is None:
            key = self._group_keys[clause] = f"{GROUP}{len(self.groups)}"
            self._group_weights[key] = self._weight(clause)
            self.groups[key] = clause
        return self._clause(key)

    def _rarest(self, clauses: Iterable[Clause]) -> Clauses:
        distinct = tuple(dict.fromkeys(clauses))
        return distinct if len(distinct) < 2 else tuple(sorted(distinct, key=self._weight)[:MOST_CLAUSES])

    def _weight(self, clause: Clause) -> int:
        return sum(map(self._weight_of, clause))

    def _weight_of(self, key: Key) -> int:
        mark = key[:MARK]
        if mark == REGEX:
            return _REGEX_WEIGHT
        if mark == GROUP:
            return self._group_weights[key]
        written = key[MARK:].partition(":")[2] if mark == ANY_FORM else key[MARK:] if mark == PREFIX else key
        letters = len(written)
        weight = self._uses[key] * _COMMONER[min(letters, len(_COMMONER) - 1)]
        return weight * _PREFIX_WEIGHT if mark == PREFIX else weight

    def _clause(self, key: Key) -> Clause:
        clause = self._single.get(key)
        if clause is None:
            clause = self._single[key] = frozenset((key,))
        return clause

    def _key(self, word: Word, language: str) -> Key:
        match word.how:
            case How.INFLECTED | How.REFLEXIVE:
                # As written: an accent may tell which word it is a form of.
                return f"{ANY_FORM}{language}:{word.text}"
            case How.PREFIX:
                return PREFIX + fold(word.text)
            case _:
                return fold(word.text)

    def _count(self, node: Node) -> None:
        if isinstance(node, Term):
            self._uses.update(self._key(word, node.language) for word in node.words)
        for child in children(node):
            self._count(child)


def positive(node: Node) -> tuple[Node, ...]:
    """The nodes below, all of which hold where `node` does."""
    match node:
        case Not():
            return ()
        case Proximity(operator=operator, left=left) if operator not in (Operator.NEAR, Operator.BEFORE):
            return (left,)
        case _:
            return children(node)


def _either(branches: Sequence[Clauses]) -> Iterator[Clause]:
    """One branch holds, and so a clause of each together: their rarest, their second rarest and so on."""
    if not branches:
        yield frozenset()
    elif all(branches):
        for number in range(max(map(len, branches))):
            yield frozenset[Key]().union(*(clauses[min(number, len(clauses) - 1)] for clauses in branches))


def _is_short(word: Word) -> bool:
    """Tells whether it is a beginning of too few letters to be looked up."""
    return word.how is How.PREFIX and len(fold(word.text)) < PREFIX_LETTERS
