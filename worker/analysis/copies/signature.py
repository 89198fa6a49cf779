"""A document's fingerprint. All hashes are crc32 (RFC 1952) and sha256 (FIPS 180-4): a store outlives every library.

Bands are not those of MinHash. Rows of minima find texts of like size: thirty-two rows of four miss nine in ten
two-sentence summaries and nearly every round-up. A band here is a sequence of eight words: the forty with the smallest
hashes (a bottom-k sketch: Cohen and Kaplan 2007), which are the same in whatever text the passage stands, and those of
the opening, where cut texts are alike.
"""

import json
import sys
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

import numpy as np

from worker.analysis.archive import ArchiveArticle
from worker.analysis.copies import entities as facts
from worker.analysis.copies.lines import key_of, lines
from worker.analysis.text import Document, once
from worker.model import Part, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Number = TypeVar("_Number", np.uint32, np.uint64)

#: Raised with every change that makes new fingerprints differ from stored ones.
SCHEME = 1

_SHINGLE = 3
_BAND = 8
#: Bands by smallest hash, and bands of the opening.
_SAMPLE = 40
_OPENING = 8
_WORD = 2**64
#: Odd multipliers of a multilinear hash (Lemire and Kaser 2014): uniform in its high bits, which order the sample.
_A, _B, _C = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """The marks by which copies of a text are recognised, without the text."""

    #: sha256 hex of the folded words of the body, or of the title where there is no body.
    digest: str
    #: The sorted distinct 32-bit hashes of the three-word shingles of the same words, little-endian.
    shingles: bytes
    #: Signed 64-bit keys: of two texts that share none, neither is looked at as a copy of the other.
    bands: tuple[int, ...]
    #: Numbers, dates and names, each with its place, as `facts.read` writes them.
    facts: str
    #: How many words the digest stands for.
    words: int
    #: Keys of its lines, by which standing text is learnt; empty once it is stored.
    lines: tuple[int, ...] = ()
    #: Fingerprints of different schemes are not compared.
    scheme: int = SCHEME

    @property
    def title_digest(self) -> str:
        """16 hex digits of its title's words; empty where it has no title."""
        return str(json.loads(self.facts).get("title", ""))

    @property
    def title_line(self) -> int:
        """The key under which its title is learnt, as one of its lines; 0 where it has no title."""
        title = self.title_digest
        return key_of("title", title) if title else 0

    @property
    def all_lines(self) -> frozenset[int]:
        """The keys of its lines and of its title."""
        return frozenset(line for line, _ in self.learnable)

    @property
    def learnable(self) -> tuple[tuple[int, int], ...]:
        """Each line with what it stands under: its title; the title with the text that it stands over."""
        text, title = key_of("text", self.digest), self.title_line
        found = [(line, title or text) for line in dict.fromkeys(self.lines)]
        return tuple([*found, (title, text)] if title else found)


def fingerprint(document: Document) -> Fingerprint:
    """The fingerprint of a document: of its body, or of its title where it has no body."""
    title, body = document.folded[: document.title_words], document.folded[document.title_words :]
    words = body or title
    hashes = shingles(document)
    bands = _bands(hashes)
    if title:
        bands.add(_signed(_whole(shingles_of(title))))
    return Fingerprint(
        digest=_digest(words),
        shingles=_distinct(np.array(hashes, "<u4")).tobytes(),
        bands=tuple(sorted(bands)),
        facts=facts.read(document, _digest(title)[:16] if title else ""),
        words=len(words),
        lines=tuple([line.key for line in lines(document)]),
    )


@once
def shingles(document: Document) -> list[int]:
    """The shingles of the body, or of the title where there is no body."""
    return shingles_of(document.folded[document.title_words :] or document.folded)


def dump(fingerprint: Fingerprint) -> str:
    """A fingerprint as one line of JSON, for a file."""
    fields = asdict(fingerprint) | {"shingles": b64encode(fingerprint.shingles).decode("ascii")}
    del fields["lines"]
    return json.dumps(fields, ensure_ascii=False, sort_keys=True)


def from_archive(shipped: ArchiveArticle) -> Fingerprint:
    """The fingerprint of a stored article, which ships as `dump` wrote it."""
    fields = json.loads(shipped.fingerprint)
    shingles, bands = b64decode(fields.pop("shingles")), tuple(fields.pop("bands"))
    return Fingerprint(shingles=shingles, bands=bands, **fields)


def unpacked(shingles: bytes) -> set[int]:
    """The hashes in `Fingerprint.shingles`."""
    hashes = array("I", shingles)
    if sys.byteorder == "big":
        hashes.byteswap()
    return set(hashes)


class Originals:
    """Texts that a document repeats, to be asked which of its words are theirs."""

    def __init__(self, document: Document, originals: Sequence[Fingerprint]) -> None:
        first, last = document.title_words, len(document.folded)
        self._hashes = {
            Part.TITLE: shingles_of(document.folded[:first]),
            Part.BODY: shingles_of(document.folded[first:last]),
        }
        self._starts = {Part.TITLE: document.starts[:first], Part.BODY: document.starts[first:last]}
        self._known = [unpacked(original.shingles) for original in originals]

    def hold(self, span: Span) -> bool:
        """True where every word of a span stands in words that one of them has too, three in a row."""
        hashes, starts = self._hashes[span.part], self._starts[span.part]
        words = {bisect_right(starts, start) - 1 for start, _ in span.words}
        shingles = [hashes[max(0, word - 2) : word + 1] for word in words]
        return any(all(not known.isdisjoint(those) for those in shingles) for known in self._known)


def _little(hashes: Iterable[int]) -> bytes:
    packed = array("I", hashes)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _digest(words: Sequence[str]) -> str:
    return sha256(" ".join(words).encode()).hexdigest()


def shingles_of(words: Sequence[str]) -> list[int]:
    """The hash of every three words in a row, in order; of all words where there are fewer."""
    row = " ".join(words).encode()
    if len(words) < _SHINGLE:
        return [crc32(row)] if words else []
    lengths = map(len, words) if row.isascii() else [len(word.encode()) for word in words]
    starts = list(accumulate(lengths, lambda start, length: start + length + 1, initial=0))
    return [crc32(row[start : end - 1]) for start, end in zip(starts, starts[_SHINGLE:], strict=False)]


def _bands(hashes: Sequence[int]) -> set[int]:
    """The opening's bands and the sample's; of a text of fewer than eight words, one band for all of it."""
    if not hashes:
        return set()
    # The shingles at 0, 3 and 5 hold the eight words from 0 to 7.
    own = np.array(hashes, np.uint64)
    most = max(0, len(own) - (_BAND - _SHINGLE))
    bands = _A * own[:most] + _B * own[3 : most + 3] + _C * own[_BAND - _SHINGLE :]
    if not most:
        return {_signed(_whole(hashes))}
    opening = bands[:_OPENING].view(np.int64).tolist()
    return {*opening, *_distinct(bands)[:_SAMPLE].view(np.int64).tolist()}


def _distinct(values: "NDArray[_Number]") -> "NDArray[_Number]":
    """The distinct values, in order; in a third of the time that `numpy.unique` takes for so few."""
    values.sort()
    is_first = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=is_first[1:])
    return values[is_first]


def _whole(hashes: Sequence[int]) -> int:
    """One band for a whole run of words, however long."""
    return int.from_bytes(sha256(_little(hashes)).digest()[:8], "big")


def _signed(band: int) -> int:
    """The same 64 bits as a signed number."""
    return band - _WORD if band >= _WORD // 2 else band
