"""The likeness of two articles: 1 where they are as like as accounts of one event.

Likeness is similarity over what texts of that length need: two headlines that share a tenth of their weight share a
name by chance, two reports the event.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from worker.story.terms import Vector

#: Cosine that makes likeness 1 for texts of up to 12 terms, for texts of 100 and more, and, by names, numbers and
#: places alone, for texts in two languages. Chosen on labelled articles: docs/design.md.
_HEADLINES, _REPORTS, _LANGUAGES = 0.16, 0.05, 0.05
_FEW, _MANY = 12, 100
#: Two articles are one event's as likely within that time; after it, half as likely with each further such time.
_FRESH = timedelta(days=3)
#: A text of so many terms has more to share than names, which may weigh so many times what other common words do.
_REPORT, _NAMES_TO_WORDS = 20, 3.0
#: Terms that a reason names.
_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An article, as stories are decided on."""

    #: 0 for one that is not stored yet.
    article_id: int
    published: datetime
    language: str
    vector: Vector


class Weighed:
    """A vector with its lengths."""

    def __init__(self, told: Told) -> None:
        self.language = told.language
        self.published = told.published
        self.weights = told.vector.weights

    @cached_property
    def names(self) -> dict[int, float]:
        return {key: weight for key, weight in self.weights.items() if key & 1}

    @cached_property
    def length(self) -> float:
        return math.sqrt(sum(weight * weight for weight in self.weights.values()))

    @cached_property
    def names_length(self) -> float:
        return math.sqrt(sum(weight * weight for weight in self.names.values()))


def likeness(a: Weighed, b: Weighed) -> float:
    """How like two articles are, 1 where they are as like as one event's: by their words, and by the time between."""
    terms = min(len(a.weights), len(b.weights))
    length = _length(terms)
    if a.language == b.language:
        needed = _HEADLINES * (1 - length) + _REPORTS * length
        like = _cosine(a, b, is_report=terms >= _REPORT) / needed
    else:
        like = _by_names(a, b) / _LANGUAGES
    apart = abs(a.published - b.published) - _FRESH
    return float(like * 0.5 ** max(0.0, apart / _FRESH))


def _cosine(a: Weighed, b: Weighed, *, is_report: bool) -> float:
    """The cosine; in reports, names count at most three times what other common words do.

    Two reports of a week may share an official and his town, and nothing else; two headlines have no more.
    """
    products = [(key & 1, weight * b.weights[key]) for key, weight in a.weights.items() if key in b.weights]
    names = sum(product for is_name, product in products if is_name)
    words = sum(product for is_name, product in products if not is_name)
    if is_report:
        names = min(names, words * _NAMES_TO_WORDS)
    lengths = a.length * b.length
    return (names + words) / lengths if lengths else 0.0


def _by_names(a: Weighed, b: Weighed) -> float:
    """The cosine of names, numbers and places alone, which are the same in every language."""
    lengths = a.names_length * b.names_length
    return sum(weight * b.names[key] for key, weight in a.names.items() if key in b.names) / lengths if lengths else 0.0


def _length(terms: int) -> float:
    """0 for a headline of up to 12 terms, 1 for a report of 100, between both by the logarithm."""
    share = (math.log(max(terms, 1)) - math.log(_FEW)) / (math.log(_MANY) - math.log(_FEW))
    return min(1.0, max(0.0, share))


def shared(vector: Weighed, told: Sequence[Weighed], words: Mapping[int, str]) -> list[str]:
    """The terms that weigh most in what the article and the story have in common."""
    common: dict[int, float] = {}
    for one in told:
        for key in vector.weights.keys() & one.weights.keys():
            common[key] = common.get(key, 0.0) + vector.weights[key] * one.weights[key]
    most = sorted(common, key=lambda key: (-common[key], key))[:_NAMED]
    return [words[key].lstrip("@") for key in most if key in words] or ["terms whose words are not kept"]
