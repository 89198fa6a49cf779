"""Explains why a query is true of a document, or what came nearest: the evaluator's own answers, node by node."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import product

from worker.analysis.text import Document
from worker.model import Part
from worker.rules.query.evaluator import Reading
from worker.rules.query.nodes import (
    And,
    AtLeast,
    InPart,
    Node,
    Not,
    Operator,
    Or,
    Proximity,
    SetRef,
    Term,
    TermSet,
    Unit,
    Within,
)
from worker.rules.query.spans import Span, Spans

#: Spans that a node shows, and spans of each operand that are tried for the nearest pair: people read it.
_SHOWN, _TRIED = 5, 300


class Miss(StrEnum):
    """Reasons for which a node does not hold."""

    ABSENT = "absent"
    #: The term is written for another language than the article's.
    OTHER_LANGUAGE = "other_language"
    #: The words of a phrase stand, but not in a row.
    NOT_IN_A_ROW = "not_in_a_row"
    #: A set's term stands, but only inside one of its exceptions.
    EXCEPTED = "excepted"
    #: A set's term stands, but does not hold on the day of publication.
    OUT_OF_TIME = "out_of_time"
    #: Something below does not hold.
    OPERAND = "operand"
    TOO_FAR = "too_far"
    OTHER_SENTENCE = "other_sentence"
    OTHER_PARAGRAPH = "other_paragraph"
    #: One stands in the title, the other in the body.
    OTHER_PART = "other_part"
    WRONG_ORDER = "wrong_order"
    #: Both operands found only words that they share.
    SAME_WORDS = "same_words"
    #: Each place has such a neighbour as NOT NEAR, NOT BEFORE, NOT AFTER or WITHOUT forbids.
    FORBIDDEN = "forbidden"
    #: What stands behind NOT is there.
    PRESENT = "present"
    #: It holds in the article, but not in that part.
    ELSEWHERE = "elsewhere"
    TOO_FEW = "too_few"


#: How far each is from holding, to be compared: a word that is not there at all is 1.
_COST = {
    Miss.ABSENT: 1.0,
    Miss.OTHER_LANGUAGE: 1.0,
    Miss.NOT_IN_A_ROW: 0.7,
    Miss.EXCEPTED: 0.6,
    Miss.OUT_OF_TIME: 0.6,
    Miss.OTHER_SENTENCE: 0.4,
    Miss.OTHER_PARAGRAPH: 0.6,
    Miss.OTHER_PART: 0.8,
    Miss.WRONG_ORDER: 0.5,
    Miss.SAME_WORDS: 0.9,
    Miss.FORBIDDEN: 0.5,
    Miss.PRESENT: 0.5,
    Miss.ELSEWHERE: 0.5,
    Miss.TOO_FEW: 0.5,
}
#: Words that are as far as another sentence.
_FAR = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One node of a query, and what became of it in one document."""

    node: Node
    held: bool
    #: The first of its spans, and how many there are.
    spans: Spans = ()
    count: int = 0
    #: None where it held.
    miss: Miss | None = None
    #: Words too many between the nearest two (too far); spans that are missing (too few).
    by: int = 0
    #: What came nearest: two spans of a proximity, or what stands where it should not.
    near: Spans = ()
    #: The nodes below it; of a phrase that is absent, its words.
    parts: tuple["Explained", ...] = ()


def explain(node: Node, reading: Reading, sets: Mapping[str, TermSet], published: date) -> Explained:
    """`node` in `reading`, whose sets and day of publication are `sets` and `published`; any query, never raises."""
    return _Explainer(sets, published).explain(node, reading)


def nearest(explained: Explained, whole: Collection[Node] = ()) -> tuple[Explained, ...]:
    """The least that would have to be otherwise for it to hold: all misses of AND, the nearest alternative of OR.

    What lies below the nodes of `whole` is left to them.
    """
    return tuple(_leaves(explained, whole))


def decisive(explained: Explained) -> tuple[Explained, ...]:
    """The terms, sets and regexes on which the answer rests: those that prove it, or those that came nearest."""
    return tuple(_proofs(explained)) if explained.held else nearest(explained)


def _proofs(explained: Explained) -> Iterator[Explained]:
    parts = explained.parts
    if isinstance(explained.node, Proximity) and explained.node.operator not in (Operator.NEAR, Operator.BEFORE):
        parts = parts[:1]
    if not parts and explained.held and explained.spans:
        yield explained
    for part in () if isinstance(explained.node, Not) else parts:
        if part.held:
            yield from _proofs(part)


def _leaves(explained: Explained, whole: Collection[Node] = ()) -> Iterator[Explained]:
    if explained.held:
        return
    if explained.miss is not Miss.OPERAND or explained.node in whole:
        yield explained
        return
    missing = [part for part in explained.parts if not part.held]
    match explained.node:
        case Or():
            missing = [min(missing, key=distance)]
        case Proximity(operator) if operator not in (Operator.NEAR, Operator.BEFORE):
            # What it must not be near to is not missed.
            missing = missing[:1]
    for part in missing:
        yield from _leaves(part, whole)


def distance(explained: Explained) -> float:
    """Tells how far it is from holding, to be compared: the sum of what each of the nearest misses costs."""
    return sum(_COST.get(leaf.miss, 0.4 * min(leaf.by / _FAR, 1)) for leaf in _leaves(explained) if leaf.miss)


class _Explainer:
    """Explains the nodes of one query with the same sets and day."""

    def __init__(self, sets: Mapping[str, TermSet], published: date) -> None:
        self._sets = sets
        self._published = published

    def explain(self, node: Node, reading: Reading) -> Explained:
        answer = reading.answer(node)
        if answer is None:
            return self._missed(node, reading)
        parts = self._parts(node, reading)
        return Explained(node=node, held=True, spans=answer[:_SHOWN], count=len(answer), parts=parts)

    def _missed(self, node: Node, reading: Reading) -> Explained:  # noqa: PLR0911 - one return a case reads best
        match node:
            case Term():
                return self._term(node, reading)
            case SetRef():
                return self._set(node, reading)
            case Proximity():
                return self._proximity(node, reading)
            case Not(part):
                near = (reading.answer(part) or ())[:_SHOWN]
                return Explained(node=node, held=False, miss=Miss.PRESENT, near=near, parts=self._parts(node, reading))
            case InPart(part=part):
                around = reading.answer(part)
                if around is not None:
                    return Explained(node=node, held=False, miss=Miss.ELSEWHERE, near=around[:_SHOWN])
                return Explained(node=node, held=False, miss=Miss.OPERAND, parts=self._parts(node, reading))
            case AtLeast(count, part):
                found, parts = reading.answer(part), self._parts(node, reading)
                if found is None:
                    return Explained(node=node, held=False, miss=Miss.OPERAND, parts=parts)
                by = count - _disjoint(found)
                return Explained(
                    node=node, held=False, miss=Miss.TOO_FEW, by=max(by, 1), near=found[:_SHOWN], parts=parts
                )
            case And() | Or():
                parts = self._parts(node, reading)
                absent = isinstance(node, Or) and all(part.miss in (Miss.ABSENT, Miss.OTHER_LANGUAGE) for part in parts)
                return Explained(node=node, held=False, miss=Miss.ABSENT if absent else Miss.OPERAND, parts=parts)
            case _:
                return Explained(node=node, held=False, miss=Miss.ABSENT)

    def _parts(self, node: Node, reading: Reading) -> tuple[Explained, ...]:
        match node:
            case And(parts) | Or(parts):
                return tuple(self.explain(part, reading) for part in parts)
            case Proximity(left=left, right=right):
                return self.explain(left, reading), self.explain(right, reading)
            case InPart(scope, part):
                return (self.explain(part, reading.within(scope)),)
            case Not(part) | AtLeast(part=part):
                return (self.explain(part, reading),)
            case _:
                return ()

    def _term(self, node: Term, reading: Reading) -> Explained:
        if len(node.words) == 1:
            other = node.language not in ("", reading.document.language)
            return Explained(node=node, held=False, miss=Miss.OTHER_LANGUAGE if other else Miss.ABSENT)
        if node.language not in ("", reading.document.language):
            return Explained(node=node, held=False, miss=Miss.OTHER_LANGUAGE)
        words = tuple(self.explain(Term((word,), node.language), reading) for word in node.words)
        if all(word.held for word in words):
            return Explained(
                node=node, held=False, miss=Miss.NOT_IN_A_ROW, near=tuple(w.spans[0] for w in words), parts=words
            )
        return Explained(node=node, held=False, miss=Miss.ABSENT, parts=words)

    def _set(self, node: SetRef, reading: Reading) -> Explained:
        terms = self._sets[node.name].terms
        excepted = _first(reading, (dated.term for dated in terms if dated.holds(self._published)))
        if excepted:
            return Explained(node=node, held=False, miss=Miss.EXCEPTED, near=excepted)
        untimely = _first(reading, (dated.term for dated in terms if not dated.holds(self._published)))
        if untimely:
            return Explained(node=node, held=False, miss=Miss.OUT_OF_TIME, near=untimely)
        return Explained(node=node, held=False, miss=Miss.ABSENT)

    def _proximity(self, node: Proximity, reading: Reading) -> Explained:
        parts = self._parts(node, reading)
        left, right = reading.answer(node.left), reading.answer(node.right)
        if left is None or (right is None and node.operator in (Operator.NEAR, Operator.BEFORE)):
            return Explained(node=node, held=False, miss=Miss.OPERAND, parts=parts)
        if node.operator is Operator.EXCEPT:
            return Explained(node=node, held=False, miss=Miss.EXCEPTED, near=left[:_SHOWN], parts=parts)
        judge = _Nearest(node, reading.document)
        miss, by, near = judge.miss(left, right or ())
        return Explained(node=node, held=False, miss=miss, by=by, near=near, parts=parts)


def _first(reading: Reading, terms: Iterable[Node]) -> Spans:
    """The first spans of the first terms that stand in the text."""
    found: list[Span] = []
    for term in terms:
        found += (reading.answer(term) or ())[:1]
        if len(found) >= _SHOWN:
            break
    return tuple(found)


def _disjoint(spans: Spans) -> int:
    taken: set[int] = set()
    count = 0
    for span in spans:
        if taken.isdisjoint(span):
            taken.update(span)
            count += 1
    return count


class _Nearest:
    """The pair of spans that came nearest to what a proximity asks, and why it is none."""

    def __init__(self, node: Proximity, document: Document) -> None:
        self._node = node
        self._document = document

    def miss(self, left: Spans, right: Spans) -> tuple[Miss, int, Spans]:
        pairs = [(a, b) for a, b in product(left[:_TRIED], right[:_TRIED]) if set(a).isdisjoint(b)]
        if not pairs:
            return Miss.SAME_WORDS, 0, left[:1]
        together = [pair for pair in pairs if self._part(pair[0]) is self._part(pair[1])]
        if not together:
            return Miss.OTHER_PART, 0, pairs[0]
        if self._node.operator not in (Operator.NEAR, Operator.BEFORE):
            return Miss.FORBIDDEN, 0, min(filter(self._forbidden(), together), key=_between, default=together[0])
        in_order = [(a, b) for a, b in together if self._node.operator is Operator.NEAR or a[0] < b[0]]
        turned = min((pair for pair in together if pair not in in_order), key=_between, default=None)
        nearest = min(in_order, key=_between, default=None)
        if nearest is None or (turned is not None and _between(turned) < _between(nearest) and self._reaches(turned)):
            assert turned is not None
            return Miss.WRONG_ORDER, 0, turned
        reach = self._node.reach
        unit = reach.unit if isinstance(reach, Within) else reach
        if isinstance(unit, Unit) and not self._together(nearest, unit):
            return Miss.OTHER_SENTENCE if unit is Unit.SENTENCE else Miss.OTHER_PARAGRAPH, 0, nearest
        most = reach.words if isinstance(reach, Within) else reach
        return Miss.TOO_FAR, _between(nearest) - (most if isinstance(most, int) else 0), nearest

    def _forbidden(self) -> Callable[[tuple[Span, Span]], bool]:
        """Tells whether `b` stands on the side of `a`, and in the unit, that the operator speaks of."""
        match self._node.operator:
            case Operator.NOT_BEFORE:
                return lambda pair: pair[0][-1] < pair[1][0]
            case Operator.NOT_AFTER:
                return lambda pair: pair[1][-1] < pair[0][0]
            case Operator.WITHOUT:
                return lambda pair: pair[1][0] <= pair[0][-1] and pair[0][0] <= pair[1][-1]
        return self._reaches

    def _reaches(self, pair: tuple[Span, Span]) -> bool:
        match self._node.reach:
            case Unit() as unit:
                return self._together(pair, unit)
            case Within(words, unit):
                return _between(pair) <= words and self._together(pair, unit)
            case reach:
                return _between(pair) <= (reach or 0)

    def _together(self, pair: tuple[Span, Span], unit: Unit) -> bool:
        """Tells whether both stand in one sentence, or in one paragraph."""
        numbers = self._document.sentences if unit is Unit.SENTENCE else self._document.paragraphs
        return len({numbers[word] for span in pair for word in (span[0], span[-1])}) == 1

    def _part(self, span: Span) -> Part:
        return self._document.part(span[0])


def _between(pair: tuple[Span, Span]) -> int:
    """Words between two spans, 0 where their extents overlap."""
    first, second = sorted(pair)
    return max(0, second[0] - first[-1] - 1)
