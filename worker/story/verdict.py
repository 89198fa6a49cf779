"""The decision: which story a new article tells, one article at a time, and which stories it shows to be one.

    vector, candidates -cosine-> similarity to each article -mean-> likeness to each story -1 or more-> joins the best

Average link, as a story grows by one article at a time (Allan, Papka and Lavrenko, On-line new event detection and
tracking, SIGIR 1998). Likeness is similarity over what texts of that length need: two headlines that share a tenth of
their weight share a name by chance, two reports the event.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from worker.story.terms import Vector

#: An article joins stories that had one within this time.
WINDOW = timedelta(days=7)
#: Articles of a story, its newest, that a new one is compared with: thirty gave the same answers for more work.
COMPARED = 12
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A story that may be the new article's, with its newest articles."""

    story_id: int
    articles: tuple[Told, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryVerdict:
    """The story of an article, with the reason."""

    #: None: it begins one.
    story_id: int | None
    #: Stories that turn out to be the same one; they are merged into `story_id`.
    merged: tuple[int, ...] = ()
    #: Likeness to the story, 1 or more; 0 for a new one.
    score: float = 0.0
    #: One sentence for people.
    why: str = ""


def decide(new: Told, words: Mapping[int, str], candidates: Sequence[Candidate]) -> StoryVerdict:
    """The story of `new`, whose terms are `words` by hash; it is the oldest of those that it shows to be one."""
    vector = _Weighed(new)
    likeness = []
    for candidate in candidates:
        near = [_Weighed(told) for told in candidate.articles if abs(told.published - new.published) <= WINDOW]
        if near:
            told = [_Weighed(told) for told in candidate.articles[-COMPARED:]]
            likeness.append((_mean(_like(vector, one) for one in told), candidate.story_id, told))
    likeness.sort(key=lambda found: (-found[0], found[1]))
    if not likeness or likeness[0][0] < 1:
        why = "No story of the last days is like it."
        if likeness:
            why = f"It is most like story {likeness[0][1]} ({likeness[0][0]:.0%} of what it takes)."
        return StoryVerdict(story_id=None, why=why)
    best, story_id, told = likeness[0]
    merged = [other_id for score, other_id, other in likeness[1:] if score >= 1 and _is_one(told, other)][:1]
    first, *others = sorted((story_id, *merged))
    shared = ", ".join(_shared(vector, told, words))
    why = f"Like story {first} in: {shared}."
    if others:
        why = f"Like stories {story_id} and {merged[0]}, which are one, in: {shared}."
    return StoryVerdict(story_id=first, merged=tuple(others), score=round(best, 4), why=why)


class _Weighed:
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


def _like(a: _Weighed, b: _Weighed) -> float:
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


def _cosine(a: _Weighed, b: _Weighed, *, is_report: bool) -> float:
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


def _by_names(a: _Weighed, b: _Weighed) -> float:
    """The cosine of names, numbers and places alone, which are the same in every language."""
    lengths = a.names_length * b.names_length
    return sum(weight * b.names[key] for key, weight in a.names.items() if key in b.names) / lengths if lengths else 0.0


def _length(terms: int) -> float:
    """0 for a headline of up to 12 terms, 1 for a report of 100, between both by the logarithm."""
    share = (math.log(max(terms, 1)) - math.log(_FEW)) / (math.log(_MANY) - math.log(_FEW))
    return min(1.0, max(0.0, share))


def _is_one(some: Sequence[_Weighed], others: Sequence[_Weighed]) -> bool:
    """Whether two stories are as like one another as an article must be to join."""
    return _mean(_like(a, b) for a in some for b in others) >= 1


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _shared(vector: _Weighed, told: Sequence[_Weighed], words: Mapping[int, str]) -> list[str]:
    """The terms that weigh most in what the article and the story have in common."""
    common: dict[int, float] = {}
    for one in told:
        for key in vector.weights.keys() & one.weights.keys():
            common[key] = common.get(key, 0.0) + vector.weights[key] * one.weights[key]
    most = sorted(common, key=lambda key: (-common[key], key))[:_NAMED]
    return [words[key].lstrip("@") for key in most if key in words] or ["terms whose words are not kept"]
