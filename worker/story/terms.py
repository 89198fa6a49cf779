"""What a story is recognised by: an article's words, weighted by how rare they are and how often they stand.

Names, numbers and places count double, and are the same in every language; other words are stems of their own language.
Weights are tf-idf (Salton and Buckley 1988), the idf as it was when the article came: it drifts slowly, and so no
article is weighed again.
"""

import json
import math
import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files
from itertools import pairwise

from worker.archive import ArchiveArticle
from worker.story.places import FIRST, LONGEST, PLACES
from worker.text import Document, stem
from worker.text.vocabulary import AGENCIES, CALENDAR, NUMBERS, PLAIN

#: A title's word stands for this many; a name weighs this much more.
_TITLE, _NAME = 2, 2.0
#: Terms that are kept of an article, and those by which others are looked for.
MOST, KEYS = 100, 64


#: Forms of verbs that stand in every text, and words that only count time, folded.
_AUXILIARY = frozenset(
    """
    ont sont avait avaient aura auront sera seront ete etre avoir etait etaient fait faire dit dits doit doivent peut
    peuvent soit an ans annee annees jour jours heure heures encore deja moins tres
    been being did do does may said say says year years day days hour hours
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)


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


def dump(vector: Vector) -> str:
    """A vector as a line of text, for a file."""
    return b64encode(vector.packed()).decode("ascii")


def from_archive(shipped: ArchiveArticle) -> Vector:
    """The vector of a stored article, which ships as `dump` wrote it."""
    return unpacked(b64decode(shipped.terms))


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


@lru_cache(maxsize=1 << 16)
def hashed(term: str, *, is_name: bool) -> int:
    """32 bits of a term; the last is set for names."""
    value = int.from_bytes(blake2b(term.encode(errors="surrogatepass"), digest_size=4).digest(), "little")
    return value | 1 if is_name else value & ~1


@cache
def _common() -> tuple[Mapping[int, int], int]:
    """What ships: in how many articles of our own each common term stands, and how many they are."""
    data = json.loads(files(__package__).joinpath("frequencies.json").read_text(encoding="utf-8"))
    return {int(key): count for key, count in data["terms"].items()}, data["articles"]


def weighted(found: Bag, frequency: Mapping[int, int], articles: int) -> tuple[Vector, dict[int, str]]:
    """The vector of a bag, and the word behind each hash.

    `frequency`: in how many of `articles` each hashed term stands, this one among them; what ships is added.
    """
    common, shipped = _common()
    all_articles = articles + shipped + 1
    words: dict[int, str] = {}
    weights: dict[int, float] = {}
    for term, count in found.counts.items():
        is_name = term in found.names
        key = hashed(term, is_name=is_name)
        rarity = math.log(all_articles / max(1, frequency.get(key, 0) + common.get(key, 0)))
        words[key] = term
        weights[key] = (1 + math.log(count)) * rarity * (_NAME if is_name else 1)
    most = sorted(weights, key=lambda key: (-weights[key], key))[:MOST]
    return Vector(weights={key: weights[key] for key in most}), {key: words[key] for key in most}


def keys(vector: Vector) -> tuple[int, ...]:
    """The heaviest terms, by which articles of the same story are looked for."""
    return tuple(sorted(vector.weights, key=lambda key: (-vector.weights[key], key))[:KEYS])


def _terms(document: Document) -> Iterator[tuple[str, bool, bool]]:
    """Each term, whether it is a name, number or place, and whether it stands in the title."""
    folded, title_words, language = document.folded, document.title_words, document.language
    initials = _initials(document)
    small = frozenset([word for word, one in zip(folded, initials, strict=True) if one.islower()])
    at = 0
    while at < len(folded):
        in_title = at < title_words
        place, length = _place(folded, at) if folded[at] in FIRST else ("", 0)
        if place:
            yield place, True, in_title
            at += length
        elif initials[at].isupper() and (name := _name(document, at, initials, small)):
            # In pairs too, so that `Hun Sen` is found in `Samdech Techo Hun Sen`, and weighs more than one Nguyên.
            pairs = [" ".join(pair) for pair in pairwise(name)]
            yield from ((term, True, in_title) for term in (*name, *pairs))
            at += len(name)
        else:
            if word := _word(folded[at], language):
                yield *word, in_title
            at += 1


@lru_cache(maxsize=1 << 16)
def _word(folded: str, language: str) -> tuple[str, bool] | None:
    """A word's term, and whether it is the same in every language; None for one that says nothing."""
    if folded in CALENDAR:
        return CALENDAR[folded], True
    if folded[:1].isdecimal():
        return (folded, True) if len(folded) > 2 else None
    if folded in PLAIN or folded in AGENCIES or folded in NUMBERS or folded in _AUXILIARY or len(folded) < 2:
        return None
    return stem(folded, language), False


def _name(document: Document, at: int, initials: Sequence[str], small: frozenset[str]) -> list[str]:
    """The names in a row that begin there, within one sentence; none, if no name does.

    `small`: words that also stand with a small letter: their capitals make no name.
    """
    found: list[str] = []
    start_of, sentence = at, document.sentences[at]
    while at < len(document.folded) and document.sentences[at] == sentence:
        folded = document.folded[at]
        if not initials[at].isupper() or folded in small or folded in PLAIN or folded in AGENCIES or folded in CALENDAR:
            break
        if len(folded) < 2 or _place(document.folded, at)[0]:
            break
        if found and not _beside(document, at):
            break
        found.append(folded)
        at += 1
    # A sentence's first word has its capital from its place, unless another name follows.
    is_first = not start_of or document.sentences[start_of - 1] != sentence
    return [] if len(found) == 1 and is_first else found


def _beside(document: Document, at: int) -> bool:
    """Whether nothing but a space or a hyphen stands before that word: `Prey Veng, Chea Somethy` are two names."""
    return document.text(document.part(at))[document.ends[at - 1] : document.starts[at]].strip() in ("", "-")


def _initials(document: Document) -> list[str]:
    """The first letter of each word, as it stands in the text."""
    title, body, first = document.title, document.body, document.title_words
    starts = document.starts
    return [title[at : at + 1] for at in starts[:first]] + [body[at : at + 1] for at in starts[first:]]


def _place(folded: tuple[str, ...], at: int) -> tuple[str, int]:
    """The place that begins there and its number of words; none: an empty key."""
    if folded[at] not in FIRST:
        return "", 0
    for length in range(LONGEST, 0, -1):
        key = PLACES.get(folded[at : at + length])
        if key is not None and at + length <= len(folded):
            return f"@{key}", length
    return "", 0
