"""What a story is recognised by: an article's words, weighted by how rare they are and how often they stand.

Names, numbers and places count double, and are the same in every language; other words are stems of their own language.
Weights are tf-idf (Salton and Buckley 1988), the idf as it was when the article came: it drifts slowly, and so no
article is weighed again.
"""

import math
import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from worker.story.places import LONGEST, PLACES
from worker.text import Document, stem
from worker.text.vocabulary import AGENCIES, CALENDAR, PLAIN

#: A title's word stands for this many; a name weighs this much more.
_TITLE, _NAME = 2, 2.0
#: Terms that are kept of an article, and those by which others are looked for.
MOST, KEYS = 100, 32
#: Articles that the counts are taken to have seen before the first, so that a new store does not take all words for
#: common.
_PRIOR = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """An article's terms and how often each stands."""

    #: By `term`; how often, a title's words twice.
    counts: Mapping[str, int]
    #: Those that are names, numbers or places.
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """An article's weighted terms; the hash's last bit tells a name from another word."""

    #: By hash, at most 100.
    weights: Mapping[int, float]

    def packed(self) -> bytes:
        """Hashes and weights, for a column."""
        hashes, weights = array("I", self.weights.keys()), array("f", self.weights.values())
        if sys.byteorder == "big":
            hashes.byteswap()
            weights.byteswap()
        return hashes.tobytes() + weights.tobytes()


def unpacked(column: bytes) -> Vector:
    """The vector that `packed` wrote."""
    half = len(column) // 2
    hashes, weights = array("I", column[:half]), array("f", column[half:])
    if sys.byteorder == "big":
        hashes.byteswap()
        weights.byteswap()
    return Vector(weights=dict(zip(hashes, weights, strict=True)))


def bag(document: Document) -> Bag:
    """The terms of a document: of title and body together."""
    counts: dict[str, int] = {}
    names: set[str] = set()
    has_body = len(document.folded) > document.title_words
    for term, is_name, in_title in _terms(document):
        counts[term] = counts.get(term, 0) + (_TITLE if in_title and has_body else 1)
        if is_name:
            names.add(term)
    return Bag(counts=counts, names=frozenset(names))


def hashed(term: str, *, is_name: bool) -> int:
    """32 bits of a term; the last is set for names."""
    value = int.from_bytes(blake2b(term.encode(), digest_size=4).digest(), "little")
    return value | 1 if is_name else value & ~1


def weighted(found: Bag, frequency: Mapping[int, int], articles: int) -> tuple[Vector, dict[int, str]]:
    """The vector of a bag, and the word behind each hash.

    `frequency`: in how many of `articles` earlier ones each hashed term stands.
    """
    words = {hashed(term, is_name=term in found.names): term for term in found.counts}
    total = articles + _PRIOR + 2
    weights = {
        key: (1 + math.log(found.counts[term]))
        * math.log(total / (frequency.get(key, 0) + 1))
        * (_NAME if key & 1 else 1)
        for key, term in words.items()
    }
    most = sorted(weights, key=lambda key: (-weights[key], key))[:MOST]
    return Vector(weights={key: weights[key] for key in most}), {key: words[key] for key in most}


def keys(vector: Vector) -> tuple[int, ...]:
    """The heaviest terms, by which articles of the same story are looked for."""
    return tuple(sorted(vector.weights, key=lambda key: (-vector.weights[key], key))[:KEYS])


def _terms(document: Document) -> Iterator[tuple[str, bool, bool]]:
    """Each term, whether it is a name, number or place, and whether it stands in the title."""
    small = _small(document)
    at = 0
    while at < len(document.folded):
        in_title = at < document.title_words
        place, length = _place(document.folded, at)
        if place:
            yield place, True, in_title
            at += length
            continue
        folded = document.folded[at]
        written = document.text(document.part(at))[document.starts[at] : document.starts[at] + 1]
        at += 1
        if folded in PLAIN or folded in AGENCIES or (len(folded) < 2 and not folded.isdecimal()):
            continue
        if folded in CALENDAR:
            yield CALENDAR[folded], True, in_title
        elif folded[0].isdecimal() or (written.isupper() and folded not in small):
            yield folded, True, in_title
        else:
            yield stem(folded, document.language), False, in_title


def _small(document: Document) -> frozenset[str]:
    """The words that also stand with a small letter: their capitals make no name."""
    return frozenset(
        folded
        for folded, start, at in zip(document.folded, document.starts, range(len(document.folded)), strict=True)
        if document.text(document.part(at))[start : start + 1].islower()
    )


def _place(folded: tuple[str, ...], at: int) -> tuple[str, int]:
    """The place that begins there and its number of words; none: an empty key."""
    for length in range(LONGEST, 0, -1):
        key = PLACES.get(folded[at : at + length])
        if key is not None and at + length <= len(folded):
            return f"@{key}", length
    return "", 0
