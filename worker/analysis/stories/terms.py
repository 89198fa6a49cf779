"""An article's terms, by which stories are recognised, weighted by how rare they are and how often they stand.

Each term has a weight, by which texts are compared, and evidence: how much it says of one event and no other. A rare
word says much; a country, a capital or an office little, however rare; a name as much as one word, whether it is
written with one word or with four. Names, numbers, dates and places are the same in every language; other words are
stems of their own. Rarity is the inverse document frequency (Sparck Jones 1972) as it was when the article came: it
drifts slowly, and so no article is weighed again.
"""

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property, lru_cache, partial
from hashlib import blake2b
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.analysis.archive import ArchiveArticle
from worker.analysis.stories.names import Place, Unit, read
from worker.analysis.stories.places import CAPITALS, OFFICES
from worker.analysis.text import Document, Remembered, stem
from worker.analysis.text.vocabulary import AGENCIES, CALENDAR, MONTHS, NUMBERS, PLAIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A title's word stands for this many.
_TITLE = 2
#: Terms that are kept of an article, and those by which others are looked for.
MOST, KEYS = 120, 64
#: A share of articles that is too small to tell: rarity stops growing there, whatever a store holds.
_RARE = 1 / 500


class Kind(StrEnum):
    """Kinds of terms."""

    WORD = "word"
    NUMBER = "number"
    NAME = "name"
    #: Two words of a name in a row: `Hun Sen` is found in `Samdech Techo Hun Sen`.
    PAIR = "pair"
    COUNTRY = "country"
    CAPITAL = "capital"
    OFFICE = "office"
    #: A day of a month, or a year.
    DATE = "date"

    @property
    def is_shared(self) -> bool:
        """Tells whether such a term is the same in every language."""
        return self in _SHARED


_SHARED = frozenset(Kind) - {Kind.WORD, Kind.OFFICE}
#: How much a term of a kind weighs beside a common word, and how much of its rarity is evidence. That of a pair is in
#: its words.
_WORTH = {
    Kind.WORD: (1.0, 1.0),
    Kind.NUMBER: (1.0, 1.0),
    Kind.NAME: (1.2, 1.0),
    Kind.PAIR: (1.2, 0.0),
    Kind.COUNTRY: (1.2, 0.25),
    Kind.CAPITAL: (0.6, 0.25),
    Kind.OFFICE: (0.5, 0.25),
    Kind.DATE: (1.0, 0.25),
}
_WEIGHT, _EVIDENCE = ({kind: both[at] for kind, both in _WORTH.items()} for at in (0, 1))
#: Forms of verbs that stand in every text, and words that only count time, folded.
_AUXILIARY = frozenset(
    """
    ont sont avait avaient aura auront eu eue eus sera seront ete etre avoir etait etaient fait faire dit dits doit
    doivent peut peuvent soit an ans annee annees jour jours heure heures encore deja moins tres
    been being did do does may said say says year years day days hour hours
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)


@dataclass(slots=True)
class Term:
    """A term of one article."""

    kind: Kind
    #: A word of the text that it stands for, folded.
    word: str
    #: `hashed`.
    hash: int
    #: How often it stands; a title's words twice.
    count: int = 0
    #: Words of the longest name that it is part of.
    part_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """The terms of an article as parallel arrays, each hash once."""

    hashes: "NDArray[np.uint32]"
    #: A word of the text that each stands for.
    words: list[str]
    #: The weight of its kind, and the factor for how often it stands.
    weights: "NDArray[np.float64]"
    times: "NDArray[np.float64]"
    #: The part of its rarity that is evidence, and by how many words of a name that is shared.
    evidence: "NDArray[np.float64]"
    parts: "NDArray[np.int64]"
    #: As in `Vector`.
    names: "NDArray[np.uint8]"
    #: In how many of the articles that the shipped counts stand for each stands; scaled, so not whole.
    shipped: "NDArray[np.float64]"


@dataclass(frozen=True, kw_only=True)
class Bag:
    """The terms of an article."""

    terms: Mapping[str, Term]
    #: Words of title and body together; 0 for a title without a body.
    words: int

    @cached_property
    def columns(self) -> Columns:
        """The terms as arrays."""
        terms = list({one.hash: one for one in self.terms.values()}.values())
        names = {name: at for at, name in enumerate(sorted({one.part_of for one in terms} - {()})[:255], 1)}
        common, _ = _common()
        return Columns(
            hashes=np.array([one.hash for one in terms], np.uint32),
            words=[one.word for one in terms],
            weights=np.array([_WEIGHT[one.kind] for one in terms]),
            times=np.array([_times(one.count) for one in terms]),
            evidence=np.array([_EVIDENCE[one.kind] for one in terms]),
            parts=np.array([max(1, len(one.part_of)) for one in terms], np.int64),
            names=np.array([_name(one, names) for one in terms], np.uint8),
            shipped=np.array([common.get(one.hash, 0) for one in terms], np.float64),
        )

    def counted(self, frequency: Mapping[int, int]) -> "NDArray[np.int64]":
        """The numbers of a mapping by hash, as an array beside `columns`; 0 for what is not there."""
        return np.array([frequency.get(key, 0) for key in self.columns.hashes.tolist()], np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Vector:
    """An article's weighted terms, at most 120, in parallel arrays, the heaviest first."""

    #: 32 bits of each term; the last one says that a term is the same in every language.
    hashes: "NDArray[np.uint32]"
    weights: "NDArray[np.floating[Any]]"
    #: 0 for those that have none.
    evidence: "NDArray[np.floating[Any]]"
    #: Number of the name of several words that a term is part of; 0: of none.
    names: "NDArray[np.uint8]"
    #: As in `Bag`.
    words: int = 0

    @classmethod
    def of(
        cls,
        weights: Mapping[int, float],
        evidence: Mapping[int, float] | None = None,
        names: Mapping[int, int] | None = None,
        words: int = 0,
    ) -> "Vector":
        """A vector of weights, evidence and names by hash."""
        evidence, names = evidence or {}, names or {}
        return cls(
            hashes=np.fromiter(weights, np.uint32, len(weights)),
            weights=np.fromiter(weights.values(), np.float64, len(weights)),
            evidence=np.fromiter((evidence.get(key, 0.0) for key in weights), np.float64, len(weights)),
            names=np.fromiter((names.get(key, 0) for key in weights), np.uint8, len(weights)),
            words=words,
        )

    def __len__(self) -> int:
        return len(self.hashes)

    @cached_property
    def length(self) -> float:
        """The Euclidean length of the weights."""
        weights = self.weights.astype(np.float64)
        return math.sqrt(float(weights @ weights))

    def packed(self) -> bytes:
        """Number of words, hashes, weights, evidence and names, for a column; empty for no terms."""
        if not len(self):
            return b""
        columns = self.hashes.astype("<u4"), self.weights.astype("<f4"), self.evidence.astype("<f4"), self.names
        return self.words.to_bytes(4, "little") + b"".join(column.tobytes() for column in columns)


def unpacked(column: bytes) -> Vector:
    """The vector that `packed` wrote; it reads from these bytes and copies nothing."""
    if not column:
        return Vector.of({})
    many = (len(column) - 4) // 13
    return Vector(
        hashes=np.frombuffer(column, "<u4", many, 4),
        weights=np.frombuffer(column, "<f4", many, 4 + 4 * many),
        evidence=np.frombuffer(column, "<f4", many, 4 + 8 * many),
        names=np.frombuffer(column, np.uint8, many, 4 + 12 * many),
        words=int.from_bytes(column[:4], "little"),
    )


def dump(vector: Vector) -> str:
    """A vector as a line of text, for a file."""
    return b64encode(vector.packed()).decode("ascii")


def from_archive(shipped: ArchiveArticle) -> Vector:
    """The vector of a stored article, which ships as `dump` wrote it."""
    return unpacked(b64decode(shipped.terms))


def bag(document: Document, left_out: Collection[int] = ()) -> Bag:
    """The terms of a document, of title and body together; `left_out`: numbers of words that stand in standing text."""
    found = _Terms(document.language)
    left = len(document.folded) - len(left_out)
    has_body = left > document.title_words
    units, of_title = read(document, left_out)
    for at, unit in enumerate(units):
        count = _TITLE if has_body and at < of_title else 1
        if (known := found.of_word.get(unit)) is not None:
            known.count += count
        elif isinstance(unit, str):
            if unit[:1].isdecimal():
                term, kind = _number(unit, units[max(0, at - 1)], units[min(len(units) - 1, at + 1)])
                found.add(term, kind, term.removeprefix("#"), count)
            else:
                found.word(unit, count)
        elif isinstance(unit, Place):
            found.add(f"@{unit.key}", _place(unit.key), unit.words, count)
        else:
            found.name(unit.words, count)
    return Bag(terms=found.terms, words=left if has_body else 0)


#: Of all words that say nothing.
_NOTHING = Term(Kind.WORD, "", 0)


class _Terms:
    """The terms of one article, as they are found."""

    def __init__(self, language: str) -> None:
        self.terms: dict[str, Term] = {}
        self._said = _words_of(language)
        #: The term of each word that came; one that says nothing has one that is not kept.
        self.of_word: dict[Unit, Term] = {}

    def word(self, folded: str, count: int) -> None:
        """Count a word that came for the first time."""
        said = self._said[folded]
        if said is None:
            self.of_word[folded] = _NOTHING
            return
        term, kind, key = said
        found = self.terms.get(term)
        if found is None:
            self.terms[term] = found = Term(kind, folded, key, count)
        else:
            found.count += count
        self.of_word[folded] = found

    def name(self, words: tuple[str, ...], count: int) -> None:
        """Count the words of a name, and its pairs."""
        for word in words:
            term = self.add(word, Kind.NAME, word, count)
            if len(words) > len(term.part_of):
                term.part_of = words
        for pair in map(" ".join, pairwise(words)):
            self.add(pair, Kind.PAIR, pair, count)

    def add(self, term: str, kind: Kind, word: str, count: int) -> Term:
        """Count a term."""
        found = self.terms.get(term)
        if found is None:
            self.terms[term] = found = Term(kind, word, _HASHES[kind in _SHARED][term], count)
        else:
            found.count += count
        return found


def hashed(term: str, *, is_shared: bool) -> int:
    """32 bits of a term; the last is set for those that are the same in every language."""
    value = int.from_bytes(blake2b(term.encode(errors="surrogatepass"), digest_size=4).digest(), "little")
    return value | 1 if is_shared else value & ~1


_HASHES = tuple(Remembered(partial(hashed, is_shared=is_shared)) for is_shared in (False, True))


@cache
def _common() -> tuple[Mapping[int, float], int]:
    """Returns what ships: in how many articles each common term stands, and how many they are."""
    data = json.loads(files(__package__).joinpath("frequencies.json").read_text(encoding="utf-8"))
    return {int(key): count for key, count in data["terms"].items()}, data["articles"]


def weighted(found: Bag, stands_in: "NDArray[np.int64]", articles: int) -> tuple[Vector, dict[int, str]]:
    """The vector of a bag, and the word behind each hash.

    `stands_in`: in how many of `articles` each of its `columns` stands, this one among them; what ships is added.
    """
    own = found.columns
    _, shipped = _common()
    many, at = np.unique(np.maximum(stands_in + own.shipped, 1), return_inverse=True)
    each = np.array([_rarity(one / (articles + shipped + 1)) for one in many.tolist()])
    rarity, roots = each[at], np.sqrt(each)[at]
    weights = own.weights * roots * own.times
    most = np.lexsort((own.hashes, -weights))[:MOST]
    vector = Vector(
        hashes=own.hashes[most],
        weights=weights[most],
        evidence=(rarity * own.evidence / own.parts)[most],
        names=own.names[most],
        words=found.words,
    )
    return vector, {key: own.words[place] for key, place in zip(vector.hashes.tolist(), most.tolist(), strict=True)}


def _rarity(share: float) -> float:
    return max(0.0, -math.log(share + _RARE))


def _name(term: Term, names: Mapping[tuple[str, ...], int]) -> int:
    """The number of the name of several words that a term is part of."""
    return names.get(term.part_of, 0) if len(term.part_of) > 1 and term.kind is Kind.NAME else 0


@lru_cache(maxsize=1 << 10)
def _times(count: int) -> float:
    """The factor by which a term weighs more that stands so often."""
    return 1 + math.log(count)


def keys(vector: Vector) -> "NDArray[np.uint32]":
    """The heaviest terms, by which articles of the same story are looked for."""
    return vector.hashes[np.lexsort((vector.hashes, -vector.weights))[:KEYS]]


def _place(key: str) -> Kind:
    """Returns what a place is by its key: countries and organisations have theirs in capitals."""
    return Kind.CAPITAL if key in CAPITALS else Kind.COUNTRY if key.isupper() else Kind.NAME


def _number(folded: str, before: Unit, after: Unit) -> tuple[str, Kind]:
    """A number's term: with the month beside it, the day that both write."""
    for other in (before, after):
        month = CALENDAR.get(other) if isinstance(other, str) else None
        if month in MONTHS and len(folded) <= 2:
            return f"#{int(folded)} {month}" if folded.isdecimal() else f"#{folded}", Kind.DATE
    is_year = len(folded) == 4 and folded[:2] in ("19", "20") and folded.isdecimal()
    return f"#{folded}", Kind.DATE if is_year else Kind.NUMBER


@lru_cache(maxsize=16)
def _words_of(language: str) -> Remembered[tuple[str, Kind, int] | None]:
    """The term of each word of a language, its kind and its hash; None for one that says nothing."""
    return Remembered(partial(_word, language))


def _word(language: str, folded: str) -> tuple[str, Kind, int] | None:
    if folded in CALENDAR or folded in NUMBERS or folded in PLAIN or folded in AGENCIES or folded in _AUXILIARY:
        return None
    if len(folded) < 2:
        return None
    term = stem(folded, language)
    return term, Kind.OFFICE if folded in OFFICES else Kind.WORD, hashed(term, is_shared=False)
