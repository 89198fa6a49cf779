"""A document as names, places and other words: what is said of whom and where, in the order of the text.

A name is a run of words with capitals inside one sentence. The first word of a sentence and the words of a headline in
capitals have theirs from their place, and are names only where the text says so elsewhere.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from worker.analysis.stories.places import FIRST, HONOURS, LONGEST, OFFICES, PLACES
from worker.analysis.text import Document, Remembered, is_listed
from worker.analysis.text.folding import fold
from worker.analysis.text.vocabulary import AGENCIES, CALENDAR, PLAIN, in_capitals

#: A place of so few letters is one in capitals only.
_INITIALS = 2


class Name(NamedTuple):
    """A name: its words, folded, without honours before it."""

    words: tuple[str, ...]


class Place(NamedTuple):
    """A country, an organisation of countries or a city by its key, the same in every language."""

    key: str
    #: As the text has it, folded.
    words: str


#: A text is a word, folded, that is no part of a name.
Unit = str | Name | Place


def read(document: Document, left_out: Collection[int] = ()) -> tuple[list[Unit], int]:
    """The units of a document but for the words of these numbers; of how many the first word is the title's."""
    reading = _Reading(document)
    folded, title_words = document.folded, document.title_words
    units: list[Unit] = []
    of_title = -1
    at = 0
    for begin in (*reading.begins, len(folded)):  # most words are neither a place nor a name's
        if begin < at or begin in left_out:
            continue
        if of_title < 0 and begin >= title_words:
            units += _plain(folded, at, title_words, left_out)
            of_title, at = len(units), max(at, title_words)
        units += _plain(folded, at, begin, left_out)
        at = begin
        if begin < len(folded):
            found, at = reading.unit(begin)
            units += found
    return units, of_title


def _plain(folded: Sequence[str], first: int, last: int, left_out: Collection[int]) -> Sequence[str]:
    if not left_out:
        return folded[first:last]
    return [folded[at] for at in range(first, last) if at not in left_out]


_NO_NAMES = AGENCIES | OFFICES | frozenset(CALENDAR)
#: Words, as written, that a name may have at all.
_MAY_BE_OF_NAME = Remembered(lambda raw: raw[:1].isupper() and len(fold(raw)) > 1 and fold(raw) not in _NO_NAMES)


class _Reading:
    """The capitals of a document that mark names."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._raw, self._folded = document.written, document.folded
        self._firsts = frozenset(first for first, _ in document.sentence_words)
        self._in_capitals = frozenset(document.sentences[first] for first in in_capitals(document))
        #: The words at which a place or a name can begin at all.
        self.begins = sorted({*document.capitals, *(at for at, word in enumerate(self._folded) if word in FIRST)})
        #: Words that also stand with a small letter: their capitals make no name.
        self._small = {word for word, raw in zip(self._folded, self._raw, strict=True) if raw[:1].islower()}
        inner = [at for at in document.capitals if self._marks(at)]
        self._inner = frozenset(self._folded[at] for at in inner)
        follows = {b for a, b in pairwise(inner) if b == a + 1}
        self._inner_pairs = frozenset((self._folded[at - 1], self._folded[at]) for at in follows)

    def unit(self, at: int) -> tuple[Sequence[Unit], int]:
        """The units that begin at one of `begins`, and their end."""
        key, length = self.place(at)
        if length:
            return [Place(key, " ".join(self._folded[at : at + length]))], at + length
        name, end = self.name(at)
        if not name:
            return [self._folded[at]], at + 1
        if words := _words(name):
            return [Name(words)], end
        return [folded for _, folded in name], end  # an honour that nobody's name follows is a word

    def place(self, at: int) -> tuple[str, int]:
        """The place that begins there and its number of words; none: an empty key and 0."""
        if self._folded[at] not in FIRST:
            return "", 0
        key, length = _place(self._folded, at)
        # "Il y a eu" is no European Union.
        is_word = length == 1 and len(self._raw[at]) <= _INITIALS and not self._raw[at].isupper()
        return ("", 0) if is_word else (key, length)

    def name(self, start: int) -> tuple[list[tuple[str, str]], int]:
        """The words, as written and folded, of the name that begins there, and its end; none if no name does."""
        found: list[tuple[str, str]] = []
        at = start
        while at < len(self._raw) and self._document.sentences[at] == self._document.sentences[start]:
            if found and not self._may_be_of_name(at):
                at = self._over_hyphens(at)
            if at == len(self._raw) or not self._may_be_of_name(at) or (found and not self._beside(at)):
                break
            found.append((self._raw[at], self._folded[at]))
            at += 1
        alone = len(found) == 1 and not self._marks(start)
        return ([], start) if alone and not self._is_name_anywhere(start) else (found, at)

    def _is_name_anywhere(self, at: int) -> bool:
        """Tells whether a word with a capital from its place is a name: by the text, or as no dictionary lists it."""
        folded = self._folded[at]
        return folded in self._inner or not (folded in self._small or is_listed(folded, self._document.language))

    def _marks(self, at: int) -> bool:
        """Tells whether a capital there marks a name: inside a sentence that is not set in capitals."""
        is_inside = at not in self._firsts and self._document.sentences[at] not in self._in_capitals
        return self._raw[at][:1].isupper() and is_inside

    def _may_be_of_name(self, at: int) -> bool:
        raw, folded = self._raw[at], self._folded[at]
        if not _MAY_BE_OF_NAME[raw]:
            return False
        if self._document.sentences[at] in self._in_capitals:
            return folded not in PLAIN and self._is_name_anywhere(at)
        if folded in PLAIN:
            return self._is_name_although_plain(at)
        if self.place(at)[1]:
            return False
        return folded not in self._small or self._marks(at)

    def _is_name_although_plain(self, at: int) -> bool:
        """Tells whether a word like *to* or *le* is part of a name: `To Lam`, `Lê Hoài Trung`."""
        raw, folded = self._raw[at], self._folded
        if at + 1 >= len(folded) or not self._raw[at + 1][:1].isupper() or folded[at + 1] in PLAIN:
            return False
        if folded[at + 1] in OFFICES or self.place(at + 1)[1]:
            return False
        has_marks = raw.casefold() != folded[at]
        return has_marks or self._marks(at) or (folded[at], folded[at + 1]) in self._inner_pairs

    def _beside(self, at: int) -> bool:
        """Tells whether only a space or a hyphen stands before that word: `Prey Veng, Chea Somethy` are two names."""
        return self._before(at).strip() in ("", "-")

    def _over_hyphens(self, at: int) -> int:
        """The word with which a name goes on behind small words: `Saint-Jacques-de-la-Lande`; `at` if it does not."""
        end = at
        sentences = self._document.sentences
        while end < len(self._raw) and sentences[end] == sentences[at - 1] and self._before(end) == "-":
            if self._may_be_of_name(end):
                return end
            end += 1
        return at

    def _before(self, at: int) -> str:
        """Returns what stands between that word and the one before it, in the same part."""
        document = self._document
        return document.text(document.part(at))[document.ends[at - 1] : document.starts[at]]


def _words(name: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The folded words of a name, without honours, `HunSen` as two."""
    return tuple(part for raw, folded in name if folded not in HONOURS for part in _parts(raw, folded))


def _parts(raw: str, folded: str) -> tuple[str, ...]:
    """The names that are written as one word."""
    for at in range(2, len(raw) - 1):
        if raw[at].isupper() and raw[at - 1].islower() and raw[at + 1].islower():
            return fold(raw[:at]), fold(raw[at:])
    return (folded,)


def _place(folded: Sequence[str], at: int) -> tuple[str, int]:
    """The place that begins there and its number of words; none: an empty key and 0."""
    for length in range(LONGEST, 0, -1):
        key = PLACES.get(tuple(folded[at : at + length]))
        if key is not None and at + length <= len(folded):
            return key, length
    return "", 0
