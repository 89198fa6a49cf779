"""The evaluator: places in a document where a query is true.

Every node's answer is kept, so whoever explains a match asks the same `Reading` again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, KeysView, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import assert_never

from worker.analysis.text import Document, Names, fold, is_own_form, is_reflexive, kin, plain
from worker.analysis.text.folding import normal
from worker.model import Part
from worker.rules.query.nodes import (
    And,
    AtLeast,
    How,
    InPart,
    Node,
    Not,
    Operator,
    Or,
    Param,
    Proximity,
    Regex,
    Scope,
    SetRef,
    Term,
    TermSet,
    Unit,
    Within,
    Word,
)
from worker.rules.query.regex import occurrences
from worker.rules.query.spans import MAX_SPANS, Around, Span, Spans, disjoint, kept, outside, pairs


def evaluate(node: Node, reading: "Reading") -> Spans:
    """The spans of everything positive in `node` that held, shortest extent first, then leftmost; none: no match."""
    return reading.answer(node) or ()


def lead(document: Document) -> str:
    """The body's first paragraph as published: what of the body is read in `lead:`."""
    following = _second_paragraph(document)
    if following == len(document.folded):
        return document.body
    # A paragraph begins where a sentence does: the last one that begins before its first word.
    starts = document.sentence_starts[1]
    return document.body[: starts[bisect_right(starts, document.starts[following]) - 1]].rstrip()


def _second_paragraph(document: Document) -> int:
    """The first word behind the body's first paragraph."""
    first = document.title_words
    return bisect_right(document.paragraphs, document.paragraphs[first]) if first < len(document.folded) else first


class Reading:
    """One document as queries read it: all of it or one scope, with every answer given so far."""

    def __init__(
        self,
        document: Document,
        *,
        published: date,
        sets: Mapping[str, TermSet] | None = None,
    ) -> None:
        self.document = document
        self._published = published
        self._sets = {} if sets is None else sets
        self._scope: frozenset[Scope] = frozenset()
        self._places = Places(document.folded)
        #: By the node's identity: to hash a tree costs more than to answer it. `rules` makes equal nodes one.
        self._answers: dict[int, tuple[Node, Spans | None]] = {}
        self._words: dict[tuple[How, str, str], Sequence[int]] = {}
        self._names = Names(document)
        self._narrower: dict[Scope, Reading] = {}
        #: Nodes of which only the first `MAX_SPANS` spans were kept, or that were asked of a sentence or a paragraph
        #: in a text where a long one was cut.
        self.cut: set[Node] = set()

    def answer(self, node: Node) -> Spans | None:
        """The answer of `node`: None where it is false, else its positive spans (none for NOT)."""
        known = self._answers.get(id(node))
        if known is None:
            known = self._answers[id(node)] = (node, self._evaluate(node))
        return known[1]

    def within(self, scope: Scope) -> "Reading":
        """The same document with only `scope` of what this one reads."""
        if scope not in self._narrower:
            narrower = Reading(self.document, published=self._published, sets=self._sets)
            narrower._scope = self._scope | {scope}
            narrower._places, narrower._names = self._places, self._names
            narrower.cut = self.cut
            self._narrower[scope] = narrower
        return self._narrower[scope]

    def _evaluate(self, node: Node) -> Spans | None:
        match node:
            case Term():
                return self._term(node) or None
            case Proximity():
                return self._proximity(node) or None
            case SetRef() | Regex():
                spans = self._set(self._sets[node.name]) if isinstance(node, SetRef) else self._regex(node.pattern)
                return self._kept(node, spans) or None
            case InPart(scope, part):
                if scope is Scope.LEAD and self.document.cut_paragraph:
                    self.cut.add(node)
                return self.within(scope).answer(part)
            case AtLeast(count, part):
                answer = self.answer(part)
                return answer if answer is not None and disjoint(answer, count) else None
            case Param(name):
                raise ValueError(f"a pattern's parameter is not filled in: @{name}")
        return self._condition(node)

    def _condition(self, node: And | Or | Not) -> Spans | None:
        match node:
            case And(parts):
                return self._all(node, parts)
            case Or(parts):
                asked = [parts[at] for at in self._asked(node, parts)]
                answers = [answer for part in asked if (answer := self.answer(part)) is not None]
                return self._kept(node, (s for answer in answers for s in answer)) if answers else None
            case Not(part):
                return () if self.answer(part) is None else None
        assert_never(node)

    def _all(self, node: And, parts: tuple[Node, ...]) -> Spans | None:
        held: list[Span] = []
        for part in parts:
            answer = self.answer(part)
            if answer is None:
                return None
            held.extend(answer)
        return self._kept(node, held)

    def _kept(self, node: Node, spans: Iterable[Span]) -> Spans:
        """The distinct spans in their order; a node that had too many is noted."""
        distinct = set(spans)
        if not distinct:
            return ()
        answer = kept(distinct)
        if len(answer) < len(distinct):
            self.cut.add(node)
        return answer

    # --- what is read ---

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
            body = range(body.start, _second_paragraph(document))
        return {Part.TITLE: title, Part.BODY: body}

    def _text(self, part: Part) -> str:
        """The part as published, as far as it is read."""
        if part is Part.BODY and Scope.LEAD in self._scope:
            return lead(self.document)
        return self.document.text(part)

    # --- expressions ---

    def _term(self, term: Term) -> Spans:
        words, language = term.words, term.language
        first = self._positions(words[0], language)
        length = len(words)
        if length > 1 and first:
            places = [set(self._positions(word, language)) for word in words[1:]]
            boundary = self.document.title_words
            first = [
                start
                for start in first
                if all(start + n in place for n, place in enumerate(places, 1))
                and (start >= boundary or start + length <= boundary)
            ]
        if len(first) > MAX_SPANS:
            self.cut.add(term)
            first = first[:MAX_SPANS]
        # All are equally long, and the leftmost stands first.
        return tuple([tuple(range(start, start + length)) for start in first])

    def _positions(self, word: Word, language: str) -> Sequence[int]:
        """The places where the word, written for that language, stands within the scope, ascending."""
        key = (word.how, word.text, language)
        found = self._words.get(key)
        if found is None:
            found = self._find(word, language)
            if self._scope:
                ranges = self._ranges.values()
                found = [place for place in found if any(place in part for part in ranges)]
            self._words[key] = found
        return found

    def _find(self, word: Word, language: str) -> Sequence[int]:
        if language not in ("", self.document.language):
            return ()
        folded = fold(word.text)
        places = self._places
        match word.how:
            case How.FOLDED:
                return places.of(folded)
            case How.EXACT:
                exact = normal("NFC", word.text)
                return [p for p in places.of(folded) if normal("NFC", self._written(p)) == exact]
            case How.PREFIX:
                return places.of_all(form for form in places.forms if form.startswith(folded))
            case How.INFLECTED:
                return self._inflected(word, language)
            case How.REFLEXIVE:
                return [place for place in self._inflected(word, language) if is_reflexive(self.document, place)]
        assert_never(word.how)

    def _inflected(self, word: Word, language: str) -> Sequence[int]:
        """The places where forms of the word stand: of names, only the word itself and its plural."""
        family = kin(word.text, language, self.document.language)
        assert family is not None
        places, folded = self._places, family.word
        forms = set(family.forms & places.forms)
        if family.stem:
            forms.update(form for form in places.alike(folded) if form in family)
        others = {form for form in forms if not is_own_form(form, folded)}
        if not others:
            return places.of_all(forms)
        names = self._names
        found = [place for place in places.of_all(others) if place not in names]
        return sorted([*found, *places.of_all(forms - others)]) if len(others) < len(forms) else found

    def _written(self, word: int) -> str:
        document = self.document
        return document.text(document.part(word))[document.starts[word] : document.ends[word]]

    def _set(self, terms: TermSet) -> list[Span]:
        asked = [terms.terms[at] for at in self._asked(terms, [dated.term for dated in terms.terms])]
        found = [span for dated in asked if dated.holds(self._published) for span in self.answer(dated.term) or ()]
        excepted = [span for term in terms.exceptions for span in self.answer(term) or ()] if found else []
        return outside(found, excepted) if excepted else found

    def _asked(self, whole: Or | TermSet, parts: Sequence[Node]) -> list[int]:
        """Those of many alternatives that may stand in the text at all: of hundreds few do, and answers cost."""
        key = (id(whole), self.document.language)
        known = _ALTERNATIVES.get(key)
        if known is None or known[0] is not whole:
            if len(_ALTERNATIVES) > _MOST_ALTERNATIVES:
                _ALTERNATIVES.clear()
            known = _ALTERNATIVES[key] = (whole, _Alternatives(parts, self.document.language))
        return known[1].among(self._places.forms)

    def _regex(self, pattern: str) -> list[Span]:
        spans = []
        for part, words in self._ranges.items():
            if words:
                starts = self.document.starts[words.start : words.stop]
                ends = self.document.ends[words.start : words.stop]
                read, offsets = plain(self._text(part))
                for start, end in occurrences(pattern, read):
                    if offsets is not None:
                        start, end = offsets[start], offsets[end]  # noqa: PLW2901 - the same places, as published
                    first, last = bisect_right(ends, start), bisect_left(starts, end)
                    if first < last:
                        spans.append(tuple(range(words.start + first, words.start + last)))
        return spans

    def _proximity(self, node: Proximity) -> Spans:
        left = self.answer(node.left) or ()
        right = self.answer(node.right) if left else None
        operator = node.operator
        unit = node.reach.unit if isinstance(node.reach, Within) else node.reach
        if isinstance(unit, Unit) and self._cuts(unit):
            self.cut.add(node)
        if operator is Operator.NEAR or operator is Operator.BEFORE:
            if not right:
                return ()
            found, cut = pairs(left, right, node.reach, self.document, ordered=operator is Operator.BEFORE)
            if cut:
                self.cut.add(node)
            return found
        if not right:
            return left
        if operator is Operator.EXCEPT:
            return tuple(outside(left, right))
        around = Around(right, self.document)
        reach = 0 if operator is Operator.WITHOUT else node.reach
        return tuple(a for a in left if not any(_keeps(operator, a, b) for b in around.near(a, reach)))

    def _cuts(self, unit: Unit) -> bool:
        """Tells whether the text has a unit that was cut; what ends a paragraph ends a sentence."""
        return self.document.cut_sentence if unit is Unit.SENTENCE else self.document.cut_paragraph


def _keeps(operator: Operator, a: Span, b: Span) -> bool:
    """Tells whether the near `b` stands on the side of `a`, or within it, of which the operator speaks."""
    match operator:
        case Operator.NOT_BEFORE:
            return a[-1] < b[0]
        case Operator.NOT_AFTER:
            return b[-1] < a[0]
        case Operator.WITHOUT:
            return b[0] <= a[-1] and a[0] <= b[-1]
        case _:
            return True


class _Alternatives:
    """Alternatives by the folded forms that the first word of each may have in texts of a language."""

    def __init__(self, parts: Sequence[Node], language: str) -> None:
        self._by_form: dict[str, list[int]] = {}
        self._always: list[int] = []
        for at, part in enumerate(parts):
            forms = _first_forms(part, language)
            if forms is None:
                self._always.append(at)
            for form in forms or ():
                self._by_form.setdefault(form, []).append(at)

    def among(self, forms: KeysView[str]) -> list[int]:
        """The alternatives that may stand in a text with these words."""
        found = {at for form in self._by_form.keys() & forms for at in self._by_form[form]}
        return sorted(found.union(self._always))


#: By the node's identity, with the node, and a language; a reload makes new nodes.
_ALTERNATIVES: dict[tuple[int, str], tuple[Or | TermSet, _Alternatives]] = {}
_MOST_ALTERNATIVES = 1 << 13


def _first_forms(part: Node, language: str) -> frozenset[str] | None:
    """The folded forms of a term's first word; None: the text must be asked."""
    if not isinstance(part, Term) or part.words[0].how is How.PREFIX:
        return None
    word = part.words[0]
    if part.language not in ("", language):
        return frozenset()
    if word.how is How.INFLECTED or word.how is How.REFLEXIVE:
        family = kin(word.text, part.language, language)
        assert family is not None
        return None if family.stem else family.forms
    return frozenset({fold(word.text)})


class Places:
    """The places of each folded word of a text."""

    def __init__(self, folded: Sequence[str]) -> None:
        self._folded = folded

    def of(self, form: str) -> Sequence[int]:
        """The places where the folded word stands, ascending."""
        return self._places.get(form, ())

    def of_all(self, forms: Iterable[str]) -> Sequence[int]:
        """The places where any of the folded words stands, ascending."""
        found = [self.of(form) for form in forms]
        return found[0] if len(found) == 1 else sorted(place for places in found for place in places)

    @property
    def forms(self) -> KeysView[str]:
        """The distinct folded words."""
        return self._places.keys()

    def alike(self, form: str) -> list[str]:
        """The folded words that begin with the same three letters, as all words of one stem do."""
        return self._alike.get(form[:3], [])

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, form in enumerate(self._folded):
            if form in places:
                places[form].append(place)
            else:
                places[form] = [place]
        return places

    @cached_property
    def _alike(self) -> dict[str, list[str]]:
        alike: dict[str, list[str]] = {}
        for form in self.forms:
            alike.setdefault(form[:3], []).append(form)
        return alike
