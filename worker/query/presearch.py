"""Which queries an article can satisfy at all: candidates before evaluation.

A query is filed under pairs of keys of its two rarest clauses, and an article looks up the keys that it has: what it
does not have costs nothing, however many queries there are. Nothing that holds is missed; what is found is evaluated.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from worker.query.nodes import DatedTerm, Node, Regex, Term, TermSet
from worker.query.reading import lead
from worker.query.regex import RegexSet
from worker.query.requirements import ANY_FORM, PREFIX, PREFIX_LETTERS, REGEX, SET, Clauses, Key, Requirements
from worker.text import Document, family

#: The key that every article has, for the second of a pair where a query has one clause alone.
ALWAYS = "\0"
#: Pairs under which one query is filed at most.
MOST_PAIRS = 64
#: Letters that all words of one stem share: see `Family`.
STEM_LETTERS = 3


@dataclass(frozen=True, slots=True)
class Candidates:
    """What an article can satisfy."""

    #: Numbers of the queries, ascending.
    queries: Sequence[int]
    #: The sets, with no more than the terms and exceptions that can occur in the article.
    sets: Mapping[str, TermSet]


class Presearch:
    """An index of queries, made once; the forms of a language are added with its first article."""

    def __init__(self, queries: Sequence[Node | None], sets: Mapping[str, TermSet]) -> None:
        """The queries by number; None stands for one that must always be tried."""
        requirements = Requirements(queries, sets)
        self._sets = _Sets(sets, requirements)
        self._queries = _Files()
        self._queries.file(
            (number, () if query is None else requirements.of(query)) for number, query in enumerate(queries)
        )
        asked = self._queries.asked() | self._sets.asked()
        self._inflected = _marked(asked, ANY_FORM)
        self._regexes = RegexSet(_marked(asked, REGEX))
        self._prefixes: dict[str, list[str]] = {}
        for prefix in _marked(asked, PREFIX):
            self._prefixes.setdefault(prefix[:PREFIX_LETTERS], []).append(prefix)
        self._forms: dict[str, _Forms] = {}

    def search(self, document: Document) -> Candidates:
        """The queries that `document` can satisfy, and what it can hold of the sets."""
        keys = self._keys(document)
        sets = self._sets.found(keys)
        keys.update(SET + name for name, terms in sets.items() if terms.terms)
        return Candidates(sorted(self._queries.found(keys)), sets)

    def _keys(self, document: Document) -> set[Key]:
        """All that the article has of what is asked, but for sets."""
        words = set(document.folded)
        keys = words | {ALWAYS}
        if self._inflected:
            keys.update(self._forms_of(document.language).keys(words))
        if self._prefixes:
            for word in words:
                for prefix in self._prefixes.get(word[:PREFIX_LETTERS], ()):
                    if word.startswith(prefix):
                        keys.add(PREFIX + prefix)
        if self._regexes:
            # A lead ends where the body does not, and so may a regex.
            texts = (document.title, document.body, lead(document))
            keys.update(REGEX + pattern for pattern in self._regexes.found(texts))
        return keys

    def _forms_of(self, language: str) -> "_Forms":
        forms = self._forms.get(language)
        if forms is None:
            forms = self._forms[language] = _Forms(self._inflected, language)
        return forms


class _Files:
    """Numbers, filed under the keys that they require."""

    def __init__(self) -> None:
        self._always: list[int] = []
        self._filed: dict[Key, dict[Key, Sequence[int]]] = {}
        #: Clauses that are asked of what the pairs have found.
        self._others: dict[int, Clauses] = {}

    def file(self, filed: Iterable[tuple[int, Clauses]]) -> None:
        """File all numbers, each under its clauses, the rarest first."""
        pairs: dict[tuple[Key, Key], list[int]] = {}
        for number, clauses in filed:
            for pair in self._pairs(number, clauses):
                pairs.setdefault(pair, []).append(number)
        for (first, second), numbers in pairs.items():
            self._filed.setdefault(first, {})[second] = tuple(numbers)

    def asked(self) -> set[Key]:
        """All keys that make a difference."""
        asked = set(self._filed)
        for seconds in self._filed.values():
            asked.update(seconds)
        for clauses in self._others.values():
            asked.update(*clauses)
        return asked

    def found(self, keys: set[Key]) -> set[int]:
        """The numbers whose clauses hold with these keys."""
        found = set(self._always)
        filed = self._filed
        for first in filed.keys() & keys:
            seconds = filed[first]
            for second in seconds.keys() & keys:
                found.update(seconds[second])
        others = self._others
        return {n for n in found if n not in others or not any(map(keys.isdisjoint, others[n]))}

    def _pairs(self, number: int, clauses: Clauses) -> Iterator[tuple[Key, Key]]:
        """Where it is filed; the clauses that no pair stands for are kept."""
        if not clauses:
            self._always.append(number)
            return
        first, *others = clauses
        second = frozenset((ALWAYS,))
        if others and len(first) * len(others[0]) <= MOST_PAIRS:
            second = others.pop(0)
        if others:
            self._others[number] = tuple(others)
        yield from product(first, second)


class _Sets:
    """The items of sets, filed alike."""

    def __init__(self, sets: Mapping[str, TermSet], requirements: Requirements) -> None:
        self._files = _Files()
        self._items: list[tuple[str, DatedTerm | Term | Regex]] = [
            (name, item) for name, terms in sets.items() for item in (*terms.terms, *terms.exceptions)
        ]
        self._files.file(
            (number, requirements.of(item.term if isinstance(item, DatedTerm) else item))
            for number, (_, item) in enumerate(self._items)
        )
        self.asked = self._files.asked

    def found(self, keys: set[Key]) -> dict[str, TermSet]:
        """By name, the sets of which something can occur; others are empty."""
        items: dict[str, list[DatedTerm | Term | Regex]] = {}
        for number in sorted(self._files.found(keys)):
            name, item = self._items[number]
            items.setdefault(name, []).append(item)
        found: dict[str, TermSet] = defaultdict(TermSet)
        for name, held in items.items():
            found[name] = TermSet(
                terms=tuple(item for item in held if isinstance(item, DatedTerm)),
                exceptions=tuple(item for item in held if not isinstance(item, DatedTerm)),
            )
        return found


class _Forms:
    """The keys of inflected words, by the forms that they have in one language."""

    def __init__(self, words: Iterable[str], language: str) -> None:
        self._language = language
        self._forms: dict[str, tuple[Key, ...]] = {}
        #: By the first letters and the stem of words that no dictionary knows.
        self._stems: dict[tuple[str, str], tuple[Key, ...]] = {}
        for word in words:
            kin = family(word, language)
            for form in kin.forms:
                self._forms[form] = (*self._forms.get(form, ()), ANY_FORM + word)
            if kin.stem:
                stem = (word[:STEM_LETTERS], kin.stem)
                self._stems[stem] = (*self._stems.get(stem, ()), ANY_FORM + word)
        self._beginnings = {letters for letters, _ in self._stems}

    def keys(self, words: Iterable[str]) -> set[Key]:
        """The keys of the words of which one of these is a form."""
        found: set[Key] = set()
        for keys in filter(None, map(self._forms.get, words)):
            found.update(keys)
        if self._stems:
            for word in words:
                letters = word[:STEM_LETTERS]
                if letters in self._beginnings and (stem := family(word, self._language).stem):
                    found.update(self._stems.get((letters, stem), ()))
        return found


def _marked(keys: Iterable[Key], mark: str) -> list[str]:
    """What the keys with that mark stand for, sorted."""
    return sorted(key[len(mark) :] for key in keys if key.startswith(mark))
