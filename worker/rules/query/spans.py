"""Spans: what an expression yields, and which of two operands' spans stand near each other.

A span is the sorted word indexes that matched. A few nested loops over all spans are the meaning, and short lists are
answered so; in long ones the same answers are found by place.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TypeAlias

from worker.analysis.text import Document
from worker.rules.query.nodes import Reach, Unit, Within

#: An expression yields no more, the shortest first.
MAX_SPANS = 10_000
#: Steps that ATLEAST may take where the nearest choice of spans is not enough.
MAX_CHOICES = 10_000
#: Up to so many spans are asked one by one; it takes longer to set more of them in order.
FEW = 8

Span: TypeAlias = tuple[int, ...]
Spans: TypeAlias = tuple[Span, ...]


def first_spans(spans: Iterable[Span], most: int) -> Spans:
    """The `most` first of the distinct spans: shortest extent first, then leftmost."""
    return tuple(sorted(set(spans), key=_order)[:most])


def kept(found: set[Span]) -> Spans:
    """The spans in their order, and no more than `MAX_SPANS`."""
    if len(found) > MAX_SPANS:
        return first_spans(found, MAX_SPANS)
    return tuple(found) if len(found) == 1 else tuple(sorted(found, key=_order))


class Around:
    """Spans by place, to be asked which of them are near another."""

    def __init__(self, spans: Spans, document: Document) -> None:
        self._document = document
        self._spans: Spans | list[Span] = spans
        self._firsts: list[int] | None = None
        self._longest = 0
        if len(spans) > FEW:
            self._spans = sorted(spans)
            self._firsts = [span[0] for span in self._spans]
            self._longest = max(span[-1] - span[0] for span in spans)

    def near(self, span: Span, reach: Reach | None, longest: int | None = None) -> Iterator[Span]:
        """Those at most that far from `span`, in its part, that share no word with it; and with which the extent of
        both is at most `longest`.
        """
        low, high = self._window(span, reach)
        floor, ceiling = self._unit(span, reach)
        first, final = span[0], span[-1]
        if longest is not None:
            floor, ceiling = max(floor, final - longest), min(ceiling, first + longest)
        words = frozenset(span)
        for other in self._from(max(low - self._longest, floor), min(high, ceiling)):
            begin, end = other[0], other[-1]
            near = low <= end and begin <= high and floor <= begin and end <= ceiling
            if near and (end < first or final < begin or words.isdisjoint(other)):
                yield other

    def shorter(self, longest: int) -> "Around":
        """Only the spans whose extent is at most that long."""
        return Around(tuple(span for span in self._spans if span[-1] - span[0] <= longest), self._document)

    def _from(self, low: int, high: int) -> Iterable[Span]:
        """Those that begin at `low` to `high`, and maybe others."""
        if self._firsts is None:
            return self._spans
        return self._spans[bisect_left(self._firsts, low) : bisect_right(self._firsts, high)]

    def _window(self, span: Span, reach: Reach | None) -> tuple[int, int]:
        """First and last word that a near span may touch."""
        boundary, last = self._document.title_words, len(self._document.folded)
        if isinstance(reach, Unit):
            return 0, last
        distance = (reach.words if isinstance(reach, Within) else reach or 0) + 1
        low, high = span[0] - distance, span[-1] + distance
        if span[0] < boundary:
            return low, min(high, boundary - 1)
        return max(low, boundary), high

    def _unit(self, span: Span, reach: Reach | None) -> tuple[int, int]:
        """First and last word that a near span must keep within."""
        document = self._document
        unit = reach.unit if isinstance(reach, Within) else reach
        if not isinstance(unit, Unit):
            return 0, len(document.folded)
        numbers = document.sentences if unit is Unit.SENTENCE else document.paragraphs
        number = numbers[span[0]]
        if numbers[span[-1]] != number:
            return 1, 0
        return bisect_left(numbers, number), bisect_right(numbers, number) - 1


def pairs(left: Spans, right: Spans, reach: Reach | None, document: Document, *, ordered: bool) -> tuple[Spans, bool]:
    """The unions of near pairs, `left` first where `ordered`; and whether there were more than `MAX_SPANS`."""
    around = Around(right, document)
    found: set[Span] = set()
    longest = len(document.folded)
    cut = False
    for a in left:
        if a[-1] - a[0] > longest:
            break  # `left` has the shortest first: all unions to come would be too long
        for b in around.near(a, reach, longest):
            if not (ordered and b[0] < a[0]):
                found.add(a + b if a[-1] < b[0] else b + a if b[-1] < a[0] else tuple(sorted(a + b)))
        if len(found) > 2 * MAX_SPANS:
            cut = True
            shortest = first_spans(found, MAX_SPANS)
            found, longest = set(shortest), shortest[-1][-1] - shortest[-1][0]
            around = around.shorter(longest)
    return kept(found), cut or len(found) > MAX_SPANS


def outside(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """Those of `spans` whose extent lies inside that of none of `others`."""
    ordered = sorted(others)
    firsts = [span[0] for span in ordered]
    lasts = list(accumulate((span[-1] for span in ordered), max))
    found = []
    for span in spans:
        before = bisect_right(firsts, span[0])
        if not before or lasts[before - 1] < span[-1]:
            found.append(span)
    return found


def disjoint(spans: Spans, count: int) -> bool:
    """Tells whether `count` of `spans` share no word: by taking the shortest first or, where that fails, by trying."""
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


def _order(span: Span) -> tuple[int, Span]:
    """Shortest extent first, then leftmost."""
    return (span[-1] - span[0], span)
