"""Where a query is true in a document: the one evaluator.

A span is the sorted word indexes that matched. A few nested loops over all spans are the meaning; here the same
answers are found by place. Every node's answer is kept, so whoever explains a match asks the same `Reading` again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from heapq import nsmallest
from typing import TypeAlias, assert_never
from unicodedata import normalize

from worker.model import Part
from worker.query.nodes import (
    And,
    AtLeast,
    How,
    InPart,
    Node,
    Not,
    Operator,
    Or,
    Proximity,
    Regex,
    Scope,
    SetRef,
    Term,
    Unit,
    Word,
)
from worker.query.regex import occurrences
from worker.text import Document, family, fold

#: An expression yields no more, the shortest first.
MAX_SPANS = 10_000
#: Steps that ATLEAST may take where the nearest choice of spans is not enough.
MAX_CHOICES = 10_000

Span: TypeAlias = tuple[int, ...]
Spans: TypeAlias = tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedTerm:
    """A set's term, and the days of publication on which it holds, both included."""

    term: Term | Regex
    since: date | None = None
    until: date | None = None

    def holds(self, published: date) -> bool:
        """Whether it counts in an article published on that day."""
        return (self.since is None or self.since <= published) and (self.until is None or published <= self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermSet:
    """A named set: an occurrence of a term that lies inside one of `exceptions` is none."""

    terms: tuple[DatedTerm, ...]
    exceptions: tuple[Term | Regex, ...] = ()


def evaluate(node: Node, reading: "Reading") -> Spans:
    """The spans of everything positive in `node` that held, shortest extent first, then leftmost; none: no match."""
    return reading.answer(node) or ()


def first_spans(spans: Iterable[Span], most: int) -> Spans:
    """The `most` first of the distinct spans: shortest extent first, then leftmost."""
    return tuple(nsmallest(most, set(spans), key=_order))


class Reading:
    """One document as queries read it: all of it or one scope, with every answer given so far."""

    def __init__(
        self,
        document: Document,
        *,
        published: date,
        sets: Mapping[str, TermSet] | None = None,
        scope: frozenset[Scope] = frozenset(),
    ) -> None:
        self.document = document
        self._published = published
        self._sets = sets or {}
        self._scope = scope
        #: By the node's identity: to hash a tree costs more than to answer it. `rules` makes equal nodes one.
        self._answers: dict[int, tuple[Node, Spans | None]] = {}
        self._words: dict[tuple[How, str], Sequence[int]] = {}
        self._narrower: dict[Scope, Reading] = {}
        #: Nodes of which only the first `MAX_SPANS` spans were kept.
        self.cut: set[Node] = set()

    def answer(self, node: Node) -> Spans | None:
        """What `node` yields: None where it is false, else its positive spans (none for NOT)."""
        known = self._answers.get(id(node))
        if known is None:
            known = self._answers[id(node)] = (node, self._evaluate(node))
        return known[1]

    def within(self, scope: Scope) -> "Reading":
        """The same document with only `scope` of what this one reads."""
        if scope not in self._narrower:
            self._narrower[scope] = Reading(
                self.document, published=self._published, sets=self._sets, scope=self._scope | {scope}
            )
        return self._narrower[scope]

    def _evaluate(self, node: Node) -> Spans | None:
        match node:
            case Term() | Regex() | SetRef() | Proximity():
                return self._first(node, self._expression(node)) or None
            case Or(parts):
                answers = [answer for part in parts if (answer := self.answer(part)) is not None]
                return self._first(node, (s for answer in answers for s in answer)) if answers else None
            case And(parts):
                return self._all(node, parts)
            case Not(part):
                return () if self.answer(part) is None else None
            case InPart(scope, part):
                return self.within(scope).answer(part)
            case AtLeast(count, part):
                answer = self.answer(part)
                return answer if answer is not None and _disjoint(answer, count) else None
        assert_never(node)

    def _all(self, node: And, parts: tuple[Node, ...]) -> Spans | None:
        held: list[Span] = []
        for part in parts:
            answer = self.answer(part)
            if answer is None:
                return None
            held.extend(answer)
        return self._first(node, held)

    def _expression(self, node: Term | Regex | SetRef | Proximity) -> Iterable[Span]:
        match node:
            case Term():
                return self._term(node)
            case Regex(pattern):
                return self._regex(pattern)
            case SetRef(name):
                return self._set(self._sets[name])
            case Proximity(left=left, right=right):
                return self._proximity(node, self.answer(left) or (), self.answer(right) or ())
        assert_never(node)

    def _first(self, node: Node, spans: Iterable[Span]) -> Spans:
        """The distinct spans in their order, and no more than `MAX_SPANS`."""
        distinct = set(spans)
        if not distinct:
            return ()
        if len(distinct) > MAX_SPANS:
            self.cut.add(node)
        return first_spans(distinct, MAX_SPANS)

    # --- what is read ---

    @cached_property
    def _index(self) -> dict[str, list[int]]:
        """Where each folded word stands, within the scope."""
        index: dict[str, list[int]] = {}
        folded = self.document.folded
        for words in self._ranges.values():
            for word in words:
                index.setdefault(folded[word], []).append(word)
        return index

    @cached_property
    def _alike(self) -> dict[str, list[str]]:
        """The folded words that begin with the same three letters, as all words of one stem do."""
        alike: dict[str, list[str]] = {}
        for folded in self._index:
            alike.setdefault(folded[:3], []).append(folded)
        return alike

    @cached_property
    def _ranges(self) -> dict[Part, range]:
        """The words read of each part."""
        document = self.document
        title = range(document.title_words)
        body = range(document.title_words, len(document.folded))
        if Scope.BODY in self._scope:
            title = range(0)
        if Scope.TITLE in self._scope:
            body = range(0)
        if Scope.LEAD in self._scope and body:
            end = bisect_right(document.paragraphs, document.paragraphs[body.start])
            body = range(body.start, end)
        return {Part.TITLE: title, Part.BODY: body}

    def _text(self, part: Part) -> str:
        """The part as published, as far as it is read."""
        text = self.document.text(part)
        if not self._scope:
            return text
        words = self._ranges[part]
        if not words:
            return ""
        if Scope.LEAD in self._scope and words.stop < len(self.document.folded) and part is Part.BODY:
            return text[: self.document.ends[words.stop - 1]]
        return text

    # --- expressions ---

    def _term(self, term: Term) -> list[Span]:
        first = self._positions(term.words[0])
        others = [self._positions(word) for word in term.words[1:]] if first else []
        if len(term.words) == 1 or not first:
            return [(position,) for position in first]
        places = [set(positions) for positions in others]
        length = len(term.words)
        boundary = self.document.title_words
        return [
            tuple(range(start, start + length))
            for start in first
            if all(start + n in place for n, place in enumerate(places, 1))
            and (start >= boundary or start + length <= boundary)
        ]

    def _positions(self, word: Word) -> Sequence[int]:
        key = (word.how, word.text)
        if key not in self._words:
            self._words[key] = self._find(word)
        return self._words[key]

    def _find(self, word: Word) -> Sequence[int]:
        folded = fold(word.text)
        index = self._index
        match word.how:
            case How.FOLDED:
                return index.get(folded, ())
            case How.EXACT:
                return [p for p in index.get(folded, ()) if normalize("NFC", self._written(p)) == _nfc(word.text)]
            case How.PREFIX:
                return sorted(p for form, places in index.items() if form.startswith(folded) for p in places)
            case How.INFLECTED:
                forms = family(folded, self.document.language)
                known = [p for form in forms.forms & index.keys() for p in index[form]]
                if forms.stem:
                    alike = self._alike.get(folded[:3], ())
                    known += [p for form in alike if form not in forms.forms and form in forms for p in index[form]]
                return sorted(known)
        assert_never(word.how)

    def _written(self, word: int) -> str:
        document = self.document
        return document.text(document.part(word))[document.starts[word] : document.ends[word]]

    def _set(self, terms: TermSet) -> list[Span]:
        found = [
            span for dated in terms.terms if dated.holds(self._published) for span in self.answer(dated.term) or ()
        ]
        if not found or not terms.exceptions:
            return found
        excepted = [span for term in terms.exceptions for span in self.answer(term) or ()]
        return [s for s in found if not any(e[0] <= s[0] and s[-1] <= e[-1] for e in excepted)]

    def _regex(self, pattern: str) -> list[Span]:
        spans = []
        for part, words in self._ranges.items():
            if words:
                starts = self.document.starts[words.start : words.stop]
                ends = self.document.ends[words.start : words.stop]
                for start, end in occurrences(pattern, self._text(part)):
                    first, last = bisect_right(ends, start), bisect_left(starts, end)
                    if first < last:
                        spans.append(tuple(range(words.start + first, words.start + last)))
        return spans

    def _proximity(self, node: Proximity, left: Spans, right: Spans) -> Iterable[Span]:
        around = _Around(right, self.document)
        reach = node.reach
        match node.operator:
            case Operator.NEAR | Operator.BEFORE:
                return self._pairs(node, left, around)
            case Operator.NOT_NEAR:
                return (a for a in left if not any(True for _ in around.near(a, reach)))
            case Operator.NOT_BEFORE:
                return (a for a in left if not any(a[-1] < b[0] for b in around.near(a, reach)))
            case Operator.NOT_AFTER:
                return (a for a in left if not any(b[-1] < a[0] for b in around.near(a, reach)))
            case Operator.WITHOUT:
                return (a for a in left if not any(b[0] <= a[-1] and a[0] <= b[-1] for b in around.near(a, 0)))
        assert_never(node.operator)

    def _pairs(self, node: Proximity, left: Spans, around: "_Around") -> set[Span]:
        """The unions; once there are too many, only those no longer than the longest that will be kept."""
        found: set[Span] = set()
        longest = len(self.document.folded)
        ordered = node.operator is Operator.BEFORE
        for a in left:
            for b in around.near(a, node.reach, longest):
                if not ordered or a[0] < b[0]:
                    found.add(tuple(sorted((*a, *b))))
            if len(found) > 2 * MAX_SPANS:
                self.cut.add(node)
                kept = first_spans(found, MAX_SPANS)
                found, longest = set(kept), kept[-1][-1] - kept[-1][0]
        return found


class _Around:
    """Spans by place, to be asked which of them are near another."""

    def __init__(self, spans: Spans, document: Document) -> None:
        self._spans = sorted(spans)
        self._firsts = [span[0] for span in self._spans]
        self._longest = max((span[-1] - span[0] for span in spans), default=0)
        self._document = document

    def near(self, span: Span, reach: int | Unit | None, longest: int | None = None) -> Iterable[Span]:
        """Those at most that far from `span`, in its part, that share no word with it.

        With `longest`, those may be left out whose union with `span` is longer.
        """
        low, high = self._window(span, reach)
        first, last = low - self._longest, high
        if longest is not None:
            first, last = max(first, span[-1] - longest), min(last, span[0] + longest)
        for number in range(bisect_left(self._firsts, first), bisect_right(self._firsts, last)):
            other = self._spans[number]
            near = low <= other[0] and other[-1] <= high if isinstance(reach, Unit) else low <= other[-1]
            if near and not _shares(span, other):
                yield other

    def _window(self, span: Span, reach: int | Unit | None) -> tuple[int, int]:
        """First and last word that a near span may touch; for a unit, that it must keep within."""
        document = self._document
        if isinstance(reach, Unit):
            numbers = document.sentences if reach is Unit.SENTENCE else document.paragraphs
            number = numbers[span[0]]
            if numbers[span[-1]] != number:
                return 1, 0
            return bisect_left(numbers, number), bisect_right(numbers, number) - 1
        distance = (reach or 0) + 1
        if span[0] < document.title_words:
            return max(span[0] - distance, 0), min(span[-1] + distance, document.title_words - 1)
        return max(span[0] - distance, document.title_words), span[-1] + distance


def _order(span: Span) -> tuple[int, Span]:
    """Shortest extent first, then leftmost."""
    return (span[-1] - span[0], span)


def _shares(a: Span, b: Span) -> bool:
    if a[-1] < b[0] or b[-1] < a[0]:
        return False
    return not set(a).isdisjoint(b)


def _nfc(text: str) -> str:
    return normalize("NFC", text)


def _disjoint(spans: Spans, count: int) -> bool:
    """Whether `count` of `spans` share no word: by taking the shortest first or, where that fails, by trying."""
    taken: set[int] = set()
    found = 0
    for span in spans:
        if taken.isdisjoint(span):
            taken.update(span)
            found += 1
            if found == count:
                return True
    if count == 1 or len(spans) < count or all(len(span) == 1 for span in spans):
        return False
    return _try(sorted(spans, key=lambda span: (span[-1], -span[0])), count)


def _try(spans: list[Span], count: int) -> bool:
    """Depth-first choice, within `MAX_CHOICES` steps; beyond them the answer is no."""
    steps = MAX_CHOICES
    stack: list[tuple[int, int, frozenset[int]]] = [(0, count, frozenset())]
    while stack and steps:
        steps -= 1
        number, missing, taken = stack.pop()
        if not missing:
            return True
        if len(spans) - number < missing:
            continue
        stack.append((number + 1, missing, taken))
        if taken.isdisjoint(spans[number]):
            stack.append((number + 1, missing - 1, taken | set(spans[number])))
    return False
