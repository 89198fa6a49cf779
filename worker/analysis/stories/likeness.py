"""The likeness of two articles: 1 where they are as like as accounts of one event.

    likeness = cosine / what texts of that length need * evidence in common / what they need * time between

The cosine (Salton and Buckley 1988) says how much of the two texts is the same. Evidence says how much of that is
particular to an event: two headlines that share "the mayor's wishes" have much in common and say nothing together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from heapq import nlargest

from worker.analysis.stories.terms import Vector

#: Cosine that makes likeness 1 for texts of up to 12 terms, and for texts of 100 and more.
_HEADLINES, _REPORTS = 0.09, 0.04
_FEW, _MANY = 12, 100
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


class Weighed:
    """A vector with its length."""

    def __init__(self, told: StoryMember) -> None:
        self.language = told.language
        self.published = told.published
        self.weights = told.vector.weights
        self.evidence = told.vector.evidence
        self.names = told.vector.names
        self.words = told.vector.words

    @cached_property
    def length(self) -> float:
        return math.sqrt(sum(weight * weight for weight in self.weights.values()))


@dataclass(frozen=True, slots=True)
class Likeness:
    """The likeness of two articles."""

    #: 1 where they are as like as accounts of one event.
    score: float
    #: Whether what they share beside two names is enough for a strong join.
    is_particular: bool


def likeness(a: Weighed, b: Weighed) -> Likeness:
    """Tells how like two articles are, by what they share and by the time between."""
    few, many = (a, b) if len(a.weights) <= len(b.weights) else (b, a)
    shared = [key for key in few.weights if key in many.weights]
    if not shared:
        return Likeness(0.0, is_particular=False)
    terms = len(few.weights)
    cosine = sum(few.weights[key] * many.weights[key] for key in shared) / (few.length * many.length)
    evidence, beside = _evidence(few, many, shared)
    # Texts in two languages share names alone.
    languages = 1.0 if a.language == b.language else 0.5
    words = min(a.words, b.words)
    if 0 < words < _SHORT and beside < languages * min(_BESIDE_SHORT, _BESIDE_TIMES_WORDS / words):
        return Likeness(0.0, is_particular=False)
    by_length = _length(terms)
    needed = _HEADLINES * (1 - by_length) + _REPORTS * by_length
    needed *= max(1.0, math.sqrt(words / _LONG))
    score = cosine / needed
    score *= min(1.0, evidence / _EVIDENCE)
    apart = abs(a.published - b.published) - _FRESH
    score *= 0.5 ** max(0.0, apart / _FRESH)
    return Likeness(
        score, is_particular=beside >= languages * max(_BESIDE_STRONG, _BESIDE_BY_LENGTH * math.sqrt(terms))
    )


def _evidence(few: Weighed, many: Weighed, shared: Sequence[int]) -> tuple[float, float]:
    """The evidence in common, in nats; and that beside the two names of several words that bring most of it."""
    total = 0.0
    names: dict[tuple[int, int], float] = {}
    for key in shared:
        product = few.evidence.get(key, 0.0) * many.evidence.get(key, 0.0)
        if not product:
            continue
        value = math.sqrt(product)
        total += value
        name = (few.names.get(key, 0), many.names.get(key, 0))
        if any(name):
            whose = (name[0], 0) if name[0] else name
            names[whose] = names.get(whose, 0.0) + value
    return total, total - sum(nlargest(_NAMES, names.values()))


def _length(terms: int) -> float:
    """0 for a headline of up to 12 terms, 1 for a report of 100, between both by the logarithm."""
    share = (math.log(max(terms, 1)) - math.log(_FEW)) / (math.log(_MANY) - math.log(_FEW))
    return min(1.0, max(0.0, share))


def shared(vector: Weighed, told: Sequence[Weighed], words: Mapping[int, str]) -> list[str]:
    """The terms that are most of the evidence that the article and the story have in common, for people."""
    common: dict[str, float] = {}
    for one in told:
        for key in vector.weights.keys() & one.weights.keys() & words.keys():
            found = vector.evidence.get(key, 0.0) * one.evidence.get(key, 0.0)
            common[words[key]] = common.get(words[key], 0.0) + math.sqrt(found)
    for pair in sorted(word for word in common if " " in word):  # a name is read whole
        common[pair] = sum(common.pop(word, 0.0) for word in pair.split())
    most = sorted((word for word in common if common[word]), key=lambda word: (-common[word], word))[:_NAMED]
    return most or ["terms whose words are not kept"]
