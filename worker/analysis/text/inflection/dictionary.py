"""simplemma's dictionaries on folded forms: which headwords a form has, which forms a headword."""

import hashlib
import marshal
import os
import re
import sys
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata, util
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import cast
from unicodedata import unidata_version

from worker.analysis.text.folding import fold_alphabet, fold_text
from worker.analysis.text.inflection import english

# The dictionaries' tables as Python keeps byte code: beside it, made at first use, believed only if they fit.
#
# Two languages take seconds of CPU to make and milliseconds to read. Where nothing can be written, they are made at
# each start; `python -m worker.analysis.text.inflection` makes those of French and English for an image.


#: Starts and blob of the table of headwords and of that of forms, and the verbs.
Parts = tuple[tuple[bytes, bytes], tuple[bytes, bytes], dict[str, str]]
_DIGEST = 32


def read(language: str) -> Parts | None:
    """The tables that were kept for a language; None where there are none, or others than would be made now."""
    try:
        kept = _place(language).read_bytes()
    except OSError:
        return None
    key, digest, payload = kept[:_DIGEST], kept[_DIGEST : 2 * _DIGEST], kept[2 * _DIGEST :]
    if key != _key() or digest != hashlib.sha256(payload).digest():
        return None
    return cast("Parts", marshal.loads(payload))  # noqa: S302 - as far to be trusted as the byte code it lies beside


def keep(language: str, parts: Parts) -> None:
    """Keep the tables of a language, if anything may be written there."""
    place = _place(language)
    payload = marshal.dumps(parts)
    written = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        try:
            written.write_bytes(_key() + hashlib.sha256(payload).digest() + payload)
            written.replace(place)
        finally:
            written.unlink(missing_ok=True)


def _place(language: str) -> Path:
    return Path(util.cache_from_source(__file__)).with_name(f"lexicon-{language}.bin")


@cache
def _key() -> bytes:
    """The versions on which the tables depend: dictionaries, this Python, the code that folds and completes."""
    here = Path(__file__).parent
    sources = (here / "dictionary.py", here / "english.py", here.parent / "folding.py")
    versions = f"{metadata.version('simplemma')} {sys.implementation.cache_tag} {sys.byteorder} {unidata_version}"
    return hashlib.sha256(b"\0".join([versions.encode(), *(one.read_bytes() for one in sources)])).digest()


#: Form -> headword, where simplemma's dictionary is wrong: Laos is no plural of `lao`, nor Huê a form of `huer`.
_ERRATA = {
    "fr": {"traite": "traiter", "laos": "laos", "hue": "hue", "messieurs": "monsieur"},
    "en": {"customs": "customs"},
}
#: Form -> headword, where it has only another: the east and the summer are forms of `être` to it.
_ADDED = {"fr": {"est": "est", "ete": "ete"}, "en": english.IRREGULAR}


class Lexicon:
    """A language's dictionary on folded forms."""

    def __init__(self, headwords: "Table", forms: "Table", verbs: dict[str, str]) -> None:
        self._headwords = headwords
        self._forms = forms
        self._verbs = verbs

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str]]) -> "Lexicon":
        """The dictionary of (form, headword) as written."""
        lines: set[bytes] = set()
        participles: list[str] = []
        written = (f"{form}\t{headword}" for form, headword in entries if form.isalpha() and headword.isalpha())
        # Piece by piece: whole, the text takes tens of megabytes that are not given back.
        while text := "\n".join(islice(written, 10_000)):
            lines.update(fold_alphabet(text).encode().split(b"\n"))
            participles += _PARTICIPLE.findall(text)
        lines |= {b"%b\t%b" % (headword, headword) for headword in {line.partition(b"\t")[2] for line in lines}}
        made = cls(Table.of(lines), Table.of(b"\t".join(line.split(b"\t")[::-1]) for line in lines), {})
        for form, _, verb in (line.partition("\t") for line in participles):
            if made.is_headword(fold_text(form)):
                made._verbs[form] = fold_text(verb)
        return made

    @classmethod
    def from_parts(cls, parts: Parts) -> "Lexicon":
        """Make a lexicon again from its `parts`."""
        headwords, forms, verbs = parts
        return cls(Table(*headwords), Table(*forms), verbs)

    def parts(self) -> Parts:
        """All of it, in what Python's byte code is made of."""
        return self._headwords.parts(), self._forms.parts(), self._verbs

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
        """Tells whether the folded `form` is itself a headword."""
        return form in self._headwords.values(form)


def lexicon(language: str) -> Lexicon | None:
    """The language's table, or None where simplemma has none. Loaded at first use and kept for good.

    Building it takes about a second, so it is kept beside the byte code.
    """
    with _LOADING:
        return _load(language)


class Table:
    """Sorted lines `key TAB value` in a few bytes each: one blob, and where each line starts."""

    def __init__(self, starts: bytes, blob: bytes) -> None:
        self._starts = array("I", starts)
        self._blob = blob

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> "Table":
        """The table of these lines, in any order."""
        ordered = sorted(lines)
        return cls(array("I", accumulate(map(len, ordered), initial=0)).tobytes(), b"".join(ordered))

    def parts(self) -> tuple[bytes, bytes]:
        """The two arguments from which the table is made again."""
        return self._starts.tobytes(), self._blob

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
    if (kept := read(language)) is not None:
        return Lexicon.from_parts(kept)
    made = _made(language)
    if made is not None:
        keep(language, made.parts())
    return made


def _made(language: str) -> Lexicon | None:
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
    return Lexicon.of(chain(entries, errata.items(), _ADDED.get(language, {}).items()))
