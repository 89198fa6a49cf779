"""Inflection: which folded words are forms of the same dictionary word.

simplemma's dictionaries say which form belongs to which dictionary word; on folded forms they become a table that is
asked per term of a rule, not per word of an article. Snowball speaks only where the dictionary knows neither word, as
it would put `Sen` with `Sénat` and `Laos` with `laotien`.
"""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from worker.text.folding import fold, fold_alphabet
from worker.text.stemming import SNOWBALL, stem

#: Snowball leaves shorter words alone: names and abbreviations.
MIN_STEMMED = 5


#: Form -> headword, where simplemma's dictionary is wrong.
_ERRATA = {"fr": {"traite": "traiter"}}
#: Folded, dû, né and tû are among the commonest words of all: as forms of another word they would match everywhere.
_DROWNED = {"fr": frozenset({"du", "ne", "tu"})}


@dataclass(frozen=True, slots=True)
class Family:
    """All forms of one word: those listed and, of words no dictionary knows, those with its stem."""

    word: str
    language: str
    #: Folded; the word itself among them.
    forms: frozenset[str]
    #: Snowball's stem where no dictionary knows the word, else empty.
    stem: str = ""

    def __contains__(self, folded: str) -> bool:
        """Whether the folded word is a form of this one."""
        if folded in self.forms:
            return True
        return bool(self.stem) and folded[:3] == self.word[:3] and _stem_of_unknown(folded, self.language) == self.stem


@lru_cache(maxsize=1 << 16)
def family(word: str, language: str) -> Family:
    """The forms of the dictionary word that `word` (any spelling) is in `language` (BCP 47 primary tag).

    A headword stands for itself alone (`parti` is not `partir`, `traité` not `traiter`); any other form stands for
    the headwords it belongs to. Loads the language's dictionary at first use; languages without one do not inflect.
    """
    folded = fold(word)
    lexicon = _lexicon(language)
    if lexicon is None:
        return Family(folded, language, frozenset({folded}), _stem_of_unknown(folded, language))
    headwords = [folded] if lexicon.is_headword(folded) else lexicon.headwords(folded)
    forms: set[str] = set()
    for headword in headwords:
        own = lexicon.forms(headword)
        forms |= own | _french_verb(headword, own, lexicon) if language == "fr" else own
    stem = "" if headwords else _stem_of_unknown(folded, language)
    return Family(folded, language, frozenset(forms - _DROWNED.get(language, frozenset()) | {folded}), stem)


class _Table:
    """Sorted lines `key TAB value` in a few bytes each: one blob, and where each line starts."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._starts = array("I", [0])
        blob = bytearray()
        for line in sorted(lines):
            blob += line
            self._starts.append(len(blob))
        self._blob = bytes(blob)

    def values(self, key: str) -> Iterator[str]:
        """The values of `key`, sorted."""
        prefix = f"{key}\t".encode()
        count = len(self._starts) - 1
        number = bisect_left(range(count), prefix, key=self._line)
        while number < count and (line := self._line(number)).startswith(prefix):
            yield line[len(prefix) :].decode()
            number += 1

    def _line(self, number: int) -> bytes:
        return self._blob[self._starts[number] : self._starts[number + 1]]


class _Lexicon:
    """A language's dictionary on folded forms: which headwords a form has, which forms a headword."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        text = fold_alphabet("\n".join(f"{f}\t{h}" for f, h in entries if f.isalpha() and h.isalpha()))
        lines = {line.encode() for line in text.split("\n") if line}
        lines |= {b"%b\t%b" % (headword, headword) for headword in {line.partition(b"\t")[2] for line in lines}}
        self._headwords = _Table(lines)
        self._forms = _Table(b"\t".join(line.split(b"\t")[::-1]) for line in lines)

    def headwords(self, form: str) -> list[str]:
        """The headwords that the folded `form` belongs to; none for an unknown word."""
        return list(self._headwords.values(form))

    def forms(self, headword: str) -> set[str]:
        """The folded forms of a folded headword."""
        return set(self._forms.values(headword))

    def is_headword(self, form: str) -> bool:
        """Whether the folded `form` is itself a headword."""
        return next(self._forms.values(form), None) is not None


def _french_verb(headword: str, forms: set[str], lexicon: _Lexicon) -> set[str]:
    """Forms of a French verb that the dictionary, which gives each form one headword, leaves to another word.

    `visite`, `rencontre` and `signe` are nouns to it, and `reçue` is an adjective's.
    """
    stem = headword.removesuffix("er")
    if stem != headword and f"{stem}ant" in forms:
        return {stem + ending for ending in ("e", "es", "ee", "ees")}
    if headword.endswith(("ir", "re")):
        return {f for form in forms if lexicon.is_headword(form) for f in lexicon.forms(form) if f[:-2] in form}
    return set()


_LOADING = threading.Lock()


def _lexicon(language: str) -> _Lexicon | None:
    with _LOADING:
        return _load(language)


@cache
def _load(language: str) -> _Lexicon | None:
    """The language's table, or None where simplemma has none. Takes about a second; kept for good."""
    # Imported where the first dictionary is needed: commands that match nothing should not pay for it.
    from simplemma.strategies.dictionaries.dictionary_factory import (
        DefaultDictionaryFactory,
    )

    try:
        dictionary = DefaultDictionaryFactory(cache_max_size=1).get_dictionary(language)
    except ValueError:
        return None
    errata = _ERRATA.get(language, {})
    return _Lexicon((form, errata.get(form, headword)) for form, headword in dictionary.items())


@lru_cache(maxsize=1 << 16)
def _stem_of_unknown(folded: str, language: str) -> str:
    """Snowball's stem of a word that the dictionary does not know; empty for known, short and mixed words."""
    if len(folded) < MIN_STEMMED or not folded.isalpha() or language not in SNOWBALL:
        return ""
    lexicon = _lexicon(language)
    if lexicon is not None and lexicon.headwords(folded):
        return ""
    return stem(folded, language)
