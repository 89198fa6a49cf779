"""The likeness of two articles: 1 where they are as like as accounts of one event.

    likeness = cosine / what texts of that length need * evidence in common / what they need * time between

The cosine (Salton and Buckley 1988) says how much of the two texts is the same. Evidence says how much of that is
particular to an event: two headlines that share "the mayor's wishes" have much in common and say nothing together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from worker.analysis.stories.terms import Vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Cosine that makes likeness 1 for texts of up to 12 terms, and for texts of 100 and more.
_HEADLINES, _REPORTS = 0.09, 0.04
_FEW, _MANY = 12, 100
_LOG_FEW, _TINY = math.log(_FEW), 1e-12
#: Beyond so many words a text shares with any other more than an event: what is needed grows with the square root.
_LONG = 120
#: Evidence in common, in nats, that makes likeness 1: three or four rare words.
_EVIDENCE = 10.0
#: Names of several words that never make two articles alike by themselves: an official, and his town.
_NAMES = 2
#: Where one of two texts has a body and fewer words than that, they are alike only if its words times the evidence in
#: common beside such names come to so much, or the evidence alone: the shorter a text, the more of it is formula.
_SHORT, _BESIDE_TIMES_WORDS, _BESIDE_SHORT = 60, 160.0, 8.0
#: What a strong join needs beside such names: so much, or so much for each square root of the shorter text's terms.
_BESIDE_STRONG, _BESIDE_BY_LENGTH = 5.0, 1.1
#: Two articles are one event's as likely within that time; after it, half as likely with each further such time.
_FRESH = timedelta(days=3)
#: Terms that a reason names.
_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryMember:
    """An article, as stories are decided on."""

    #: 0 for one that is not stored yet.
    article_id: int
    published: datetime
    language: str
    vector: Vector


class Likenesses(NamedTuple):
    """The likenesses of an article to others, in their order."""

    #: 1 where the two are as like as accounts of one event.
    scores: list[float]
    #: The same where what the two share beside two names is enough for a strong join; else 0.
    strong_scores: list[float]


def likenesses(new: StoryMember, others: Sequence[StoryMember]) -> Likenesses:
    """The likeness of an article to each of others, by what they share and by the time between."""
    if not others or not len(new.vector):
        return Likenesses([0.0] * len(others), [0.0] * len(others))
    common = _Common(new, others)
    words = np.minimum(new.vector.words, common.words)
    # Texts in two languages share names alone.
    languages = np.array([1.0 if one.language == new.language else 0.5 for one in others])
    evidence, beside = common.evidence()
    # An empty one shares nothing, and is left out below.
    cosine = common.products / (new.vector.length * np.maximum(common.lengths, _TINY))
    terms = common.terms
    by_length = np.clip((np.log(np.maximum(terms, 1)) - _LOG_FEW) / (math.log(_MANY) - _LOG_FEW), 0.0, 1.0)
    needed = _HEADLINES * (1 - by_length) + _REPORTS * by_length
    score = cosine / (needed * np.maximum(1.0, np.sqrt(words / _LONG))) * np.minimum(1.0, evidence / _EVIDENCE)
    apart = [abs(new.published - one.published) for one in others]
    score *= 0.5 ** np.array([(time - _FRESH) / _FRESH if time > _FRESH else 0.0 for time in apart])
    least = languages * np.minimum(_BESIDE_SHORT, _BESIDE_TIMES_WORDS / np.maximum(words, 1))
    unlike = ~common.any | ((words > 0) & (words < _SHORT) & (beside < least))
    particular = ~unlike & (beside >= languages * np.maximum(_BESIDE_STRONG, _BESIDE_BY_LENGTH * np.sqrt(terms)))
    score[unlike] = 0.0
    return Likenesses(score.tolist(), np.where(particular, score, 0.0).tolist())


class _Common:
    """The terms that an article shares with each of others, as arrays with a row for each of these."""

    def __init__(self, new: StoryMember, others: Sequence[StoryMember]) -> None:
        vectors = [one.vector for one in others]
        sizes = np.array([len(one.hashes) for one in vectors])
        order = np.argsort(new.vector.hashes)
        known = new.vector.hashes[order]
        hashes = np.concatenate([one.hashes for one in vectors])
        # Half of each hash shows that nearly all are not shared, in a fourth of the time that looking for them takes.
        may_be_shared = np.zeros(1 << 16, bool)
        may_be_shared[known >> 16] = True
        theirs = np.flatnonzero(may_be_shared[hashes >> 16])
        at = np.minimum(np.searchsorted(known, hashes[theirs]), len(known) - 1)
        is_shared = known[at] == hashes[theirs]
        self._theirs, self._mine = theirs[is_shared], order[at[is_shared]]
        self._rows = np.searchsorted(np.cumsum(sizes), self._theirs, "right")
        self._new, self._vectors = new.vector, vectors
        #: Of the article that has fewer.
        self.terms = np.minimum(sizes, len(new.vector))
        self._is_few = len(new.vector) <= sizes
        self.words = np.array([one.words for one in vectors])
        self.lengths = np.array([one.length for one in vectors])
        self.any = np.bincount(self._rows, minlength=len(vectors)) > 0
        weights = np.concatenate([one.weights for one in vectors])[self._theirs]
        self.products = self._sum(new.vector.weights[self._mine] * weights)

    def _sum(self, values: "NDArray[np.floating[Any]]") -> "NDArray[np.floating[Any]]":
        return np.bincount(self._rows, values, len(self._vectors)).astype(np.float64)

    def evidence(self) -> "tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]":
        """The evidence in common, in nats; and that beside the two names of several words that bring most of it."""
        theirs = np.concatenate([one.evidence for one in self._vectors])[self._theirs]
        values = np.sqrt(self._new.evidence[self._mine] * theirs)
        total = self._sum(values)
        mine = self._new.names[self._mine].astype(np.int64)
        other = np.concatenate([one.names for one in self._vectors])[self._theirs].astype(np.int64)
        named = np.flatnonzero((mine + other > 0) & (values > 0))
        if not len(named):
            return total, total
        mine, other, rows = mine[named], other[named], self._rows[named]
        few = np.where(self._is_few[rows], mine, other)
        # The name in the article that has fewer terms counts; where there is none, that in the other.
        name = np.where(few > 0, few, 256 + mine + other - few)
        keys, inverse = np.unique(rows * 512 + name, return_inverse=True)
        sums = np.bincount(inverse, values[named], len(keys))
        rows = keys // 512
        order = np.lexsort((-sums, rows))
        first = np.searchsorted(rows[order], rows[order])
        most = order[np.arange(len(order)) - first < _NAMES]
        return total, total - np.bincount(rows[most], sums[most], len(self._vectors))


def shared(new: Vector, members: Sequence[StoryMember], words: Mapping[int, str]) -> list[str]:
    """The terms that are most of the evidence that the article and the story have in common, for people."""
    own = np.flatnonzero([key in words for key in new.hashes.tolist()])
    own = own[np.argsort(new.hashes[own])]
    common: dict[str, float] = {}
    if len(own):
        known = new.hashes[own]
        hashes = np.concatenate([one.vector.hashes for one in members])
        evidence = np.concatenate([one.vector.evidence for one in members])
        at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
        found = np.flatnonzero(known[at] == hashes)
        at = at[found]
        numbers = {word: number for number, word in enumerate({words[key]: None for key in known.tolist()})}
        of_word = np.array([numbers[words[key]] for key in known.tolist()])[at]
        sums = np.bincount(of_word, np.sqrt(new.evidence[own][at] * evidence[found].astype(np.float64)), len(numbers))
        is_there = np.bincount(of_word, minlength=len(numbers)) > 0
        common = {word: float(sums[number]) for word, number in numbers.items() if is_there[number]}
    for pair in sorted(word for word in common if " " in word):  # a name is read whole
        common[pair] = sum(common.pop(word, 0.0) for word in pair.split())
    most = sorted((word for word in common if common[word]), key=lambda word: (-common[word], word))[:_NAMED]
    return most or ["terms whose words are not kept"]
