"""simplemma's dictionaries on folded forms: which headwords a form has, which forms a headword."""

import re
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, islice

from worker.text.folding import fold_alphabet, fold_text
from worker.text.inflection import english

#: Form -> headword, where simplemma's dictionary is wrong: Laos is no plural of `lao`, nor Huê a form of `huer`.
_ERRATA = {
    "fr": {"traite": "traiter", "laos": "laos", "hue": "hue", "messieurs": "monsieur"},
    "en": {"customs": "customs"},
}
#: Form -> headword, where it has only another: the east and the summer are forms of `être` to it.
_ADDED = {"fr": {"est": "est", "ete": "ete"}, "en": english.IRREGULAR}


class Lexicon:
    """A language's dictionary on folded forms."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        lines: set[bytes] = set()
        participles: list[str] = []
        written = (f"{form}\t{headword}" for form, headword in entries if form.isalpha() and headword.isalpha())
        # Piece by piece: whole, the text takes tens of megabytes that are not given back.
        while text := "\n".join(islice(written, 10_000)):
            lines.update(fold_alphabet(text).encode().split(b"\n"))
            participles.append("\n".join(_PARTICIPLE.findall(text)))
        self._heads = {line.partition(b"\t")[2] for line in lines}
        lines |= {b"%b\t%b" % (headword, headword) for headword in self._heads}
        self._headwords = _Table(lines)
        self._forms = _Table(b"\t".join(line.split(b"\t")[::-1]) for line in lines)
        self._verbs = dict(self._read("\n".join(participles)))

    def _read(self, participles: str) -> Iterator[tuple[str, str]]:
        for line in filter(None, participles.split("\n")):
            form, _, verb = line.partition("\t")
            if self.is_headword(fold_text(form)):
                yield form, fold_text(verb)

    def headwords(self, form: str) -> list[str]:
        """The headwords that the folded `form` belongs to; none for an unknown word."""
        return list(self._headwords.values(form))

    def verb_of(self, participle: str) -> str | None:
        """The folded infinitive of a participle in -é or -és as written, that folds as another headword (`signé`)."""
        return self._verbs.get(participle)

    def forms(self, headword: str) -> set[str]:
        """The folded forms of a folded headword."""
        return set(self._forms.values(headword))

    def is_headword(self, form: str) -> bool:
        """Whether the folded `form` is itself a headword."""
        return form.encode() in self._heads


def lexicon(language: str) -> Lexicon | None:
    """The language's table, or None where simplemma has none. Loaded at first use, about a second; kept for good."""
    with _LOADING:
        return _load(language)


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


_PARTICIPLE = re.compile(r"^\w+és?\t\w+er$", re.MULTILINE)
_LOADING = threading.Lock()


@cache
def _load(language: str) -> Lexicon | None:
    # Imported where the first dictionary is needed: commands that match nothing should not pay for it.
    from simplemma.strategies.dictionaries.dictionary_factory import (
        DefaultDictionaryFactory,
    )

    try:
        dictionary = DefaultDictionaryFactory(cache_max_size=1).get_dictionary(language)
    except ValueError:
        return None
    errata = _ERRATA.get(language, {})
    entries = ((form, errata.get(form, headword)) for form, headword in dictionary.items())
    return Lexicon(chain(entries, errata.items(), _ADDED.get(language, {}).items()))
