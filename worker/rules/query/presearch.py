"""Candidates before evaluation: the queries that an article can satisfy at all.

A query is filed under the keys of its three rarest clauses, and an article looks up those that it has: what it does
not have costs nothing, however many queries there are. Nothing that holds is missed; what is found is evaluated.
A few operations on numpy arrays replace a look at each query filed under a word.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, repeat
from typing import TYPE_CHECKING

from worker.analysis.text import Document, kin, plain, stem_of_unknown
from worker.rules.query.evaluator import lead
from worker.rules.query.nodes import DatedTerm, Node, Regex, Term, TermSet
from worker.rules.query.regex import RegexSet
from worker.rules.query.requirements import (
    ANY_FORM,
    MARK,
    MOST_CLAUSES,
    PREFIX,
    PREFIX_LETTERS,
    REGEX,
    Clauses,
    Key,
    Requirements,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The key that every article has: it stands for the clauses that a query has not. Its number is 0.
ALWAYS = "\0"
#: Letters that all words of one stem share: see `Family`.
STEM_LETTERS = 3
#: Words that are remembered of articles, per language.
MOST_LEARNT = 1 << 16
#: Languages that are kept: what a feed says of its language may be anything.
MOST_LANGUAGES = 32


@dataclass(frozen=True, slots=True)
class Candidates:
    """The queries that an article can satisfy."""

    #: Numbers of the queries, ascending.
    queries: Sequence[int]
    #: The sets, with no more than the terms and exceptions that can occur in the article.
    sets: Mapping[str, TermSet]


class Presearch:
    """An index of queries, made once; the forms of a language are added with its first article."""

    def __init__(self, queries: Sequence[Node | None], sets: Mapping[str, TermSet]) -> None:
        """The queries by number; None stands for one that must always be tried."""
        requirements = Requirements(queries, sets)
        self._count = len(queries)
        #: Items of sets are filed behind the queries.
        self._items: list[tuple[str, DatedTerm | Term | Regex]] = [
            (name, item) for name, terms in sets.items() for item in (*terms.terms, *terms.exceptions)
        ]
        files = _Files()
        for number, query in enumerate(queries):
            files.file(number, () if query is None else requirements.of(query))
        for number, (_, item) in enumerate(self._items, len(queries)):
            files.file(number, requirements.of(item.term if isinstance(item, DatedTerm) else item))
        self._index = files.index()
        self._keys = _Keys(files.numbers, requirements.groups)
        self._regexes = RegexSet(self._keys.marked(REGEX))
        self._languages: dict[str, _Words] = {}

    def search(self, document: Document) -> Candidates:
        """The queries that `document` can satisfy, and what it can hold of the sets."""
        found = self._index.found(self._numbers(document))
        queries = [number for number in found if number < self._count]
        return Candidates(queries, self._sets(found[len(queries) :]))

    def _numbers(self, document: Document) -> set[int]:
        """The numbers of the keys that the article has."""
        found = {0}
        found.update(*self._words_of(document.language).all(document.folded))
        if self._regexes:
            # A lead ends where the body does not, and so may a regex.
            for pattern in self._regexes.found(
                plain(part)[0] for part in (document.title, document.body, lead(document))
            ):
                found.update(self._keys.implied(REGEX + pattern))
        return found

    def _words_of(self, language: str) -> "_Words":
        words = self._languages.get(language)
        if words is None:
            if len(self._languages) >= MOST_LANGUAGES:
                self._languages.clear()
            words = self._languages[language] = _Words(self._keys, language)
        return words

    def _sets(self, numbers: Iterable[int]) -> dict[str, TermSet]:
        """By name, the sets of which something can occur; others are empty."""
        items: dict[str, list[DatedTerm | Term | Regex]] = {}
        for number in numbers:
            name, item = self._items[number - self._count]
            items.setdefault(name, []).append(item)
        found: dict[str, TermSet] = defaultdict(TermSet)
        for name, held in items.items():
            found[name] = TermSet(
                terms=tuple(item for item in held if isinstance(item, DatedTerm)),
                exceptions=tuple(item for item in held if not isinstance(item, DatedTerm)),
            )
        return found


class _Files:
    """Queries by the keys that they require, one row for each combination of its clauses' keys."""

    def __init__(self) -> None:
        #: Numbers of the keys.
        self.numbers: dict[Key, int] = {ALWAYS: 0}
        #: Three keys and what is filed under them, row after row.
        self._rows = array("i")

    def file(self, number: int, clauses: Clauses) -> None:
        """File `number` under its clauses, the rarest first."""
        numbers = self.numbers
        for keys in product(*clauses):
            row = [numbers.setdefault(key, len(numbers)) for key in keys]
            self._rows.extend(row)
            self._rows.extend([0] * (MOST_CLAUSES - len(row)))
            self._rows.append(number)

    def index(self) -> "_Index":
        """All that is filed, by the first key."""
        import numpy as np

        rows = np.array(self._rows, dtype=np.int32).reshape(-1, MOST_CLAUSES + 1)
        return _Index(rows[rows[:, 0].argsort(kind="stable")], len(self.numbers))


class _Index:
    """Rows of three keys and what is filed under them, sorted by the first key."""

    def __init__(self, rows: "NDArray[np.int32]", keys: int) -> None:
        import numpy as np

        self._keys = keys
        first, *others, filed = (np.ascontiguousarray(column) for column in rows.T)
        self._others = others
        self._filed = filed
        #: For each key, how many rows it has, and where they begin.
        self._sizes = np.bincount(first, minlength=keys)
        self._starts = self._sizes.cumsum() - self._sizes

    def found(self, keys: set[int]) -> list[int]:
        """The queries under three of these keys, ascending."""
        import numpy as np

        at = np.fromiter(keys, np.int64, len(keys))
        sizes = self._sizes[at]
        ends = sizes.cumsum()
        if not ends[-1]:
            return []
        present = np.zeros(self._keys, np.bool_)
        present[at] = True
        rows = (self._starts[at] - ends + sizes).repeat(sizes)
        rows += np.arange(len(rows))
        for other in self._others:
            rows = rows[present[other[rows]]]
        return sorted(set(self._filed[rows].tolist()))


class _Keys:
    """The keys that an article has with one key: the key itself, and the groups that it is in."""

    def __init__(self, numbers: Mapping[Key, int], groups: Mapping[Key, Iterable[Key]]) -> None:
        self._numbers = numbers
        self._groups: dict[Key, list[Key]] = {}
        for group, members in groups.items():
            for member in members:
                self._groups.setdefault(member, []).append(group)

    def implied(self, key: Key) -> set[int]:
        """The numbers of `key` and of its groups, as far as something is filed under them."""
        found = {self._numbers[key]} if key in self._numbers else set()
        for group in self._groups.get(key, ()):
            found |= self.implied(group)
        return found

    def marked(self, mark: str) -> list[str]:
        """The texts of the keys with that mark, sorted; without a mark, the words."""
        keys = self._numbers.keys() | self._groups.keys()
        return sorted(key[len(mark) :] for key in keys if key[:MARK] == mark or not (mark or key.startswith(ALWAYS)))


class _Words(dict[str, tuple[int, ...]]):
    """Any word -> the numbers of the keys that an article of one language has by it.

    What is asked is known from the start; other words are learnt where they may begin as asked, or share a stem.
    """

    def __init__(self, keys: _Keys, language: str) -> None:
        self._language = language
        self._learnt: list[str] = []
        numbers: dict[str, set[int]] = {word: keys.implied(word) for word in keys.marked("")}
        #: By the first letters and the stem of words that no dictionary knows.
        self._stems: dict[tuple[str, str], set[int]] = {}
        for word in keys.marked(ANY_FORM):
            implied = keys.implied(ANY_FORM + word)
            written_for, _, written = word.partition(":")
            family = kin(written, written_for, language)
            for form in family.forms if family else ():
                numbers.setdefault(form, set()).update(implied)
            if family and family.stem:
                self._stems.setdefault((family.word[:STEM_LETTERS], family.stem), set()).update(implied)
        self._stemmed = {letters for letters, _ in self._stems}
        #: By their first letters, beginnings and the keys that they stand for.
        self._prefixes: dict[str, list[tuple[str, set[int]]]] = {}
        for prefix in keys.marked(PREFIX):
            implied = keys.implied(PREFIX + prefix)
            self._prefixes.setdefault(prefix[:PREFIX_LETTERS], []).append((prefix, implied))
        for word, own in numbers.items():
            self[word] = tuple(own | self._by_letters(word))

    def all(self, words: Iterable[str]) -> Iterable[tuple[int, ...]]:
        """The numbers by each of these words."""
        if self._stems or self._prefixes:
            return map(self.__getitem__, words)
        return map(self.get, words, repeat(()))

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self._learnt) >= MOST_LEARNT:
            for learnt in self._learnt:
                self.pop(learnt, None)
            self._learnt = []
        self._learnt.append(word)
        self[word] = numbers = tuple(self._by_letters(word))
        return numbers

    def _by_letters(self, word: str) -> set[int]:
        """By the word's stem and its beginnings."""
        found: set[int] = set()
        letters = word[:STEM_LETTERS]
        if letters in self._stemmed and (stem := stem_of_unknown(word, self._language)):
            found.update(self._stems.get((letters, stem), ()))
        for prefix, implied in self._prefixes.get(word[:PREFIX_LETTERS], ()):
            if word.startswith(prefix):
                found |= implied
        return found
