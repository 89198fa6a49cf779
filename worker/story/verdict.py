"""The decision: which story a new article tells, one article at a time, and which stories it shows to be one.

    vector, candidates -cosine-> similarity to each article -mean-> likeness to each story -1 or more-> joins the best

Average link, as a story grows by one article at a time (Allan, Papka and Lavrenko, On-line new event detection and
tracking, SIGIR 1998).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from worker.story.likeness import Told, Weighed, likeness, shared

#: An article joins stories that had one within this time.
WINDOW = timedelta(days=7)
#: Articles of a story, its newest, that a new one is compared with: thirty gave the same answers for more work.
COMPARED = 12


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
    vector = Weighed(new)
    found = []
    for candidate in candidates:
        near = [Weighed(told) for told in candidate.articles if abs(told.published - new.published) <= WINDOW]
        if near:
            told = [Weighed(told) for told in candidate.articles[-COMPARED:]]
            found.append((_mean(likeness(vector, one) for one in told), candidate.story_id, told))
    found.sort(key=lambda one: (-one[0], one[1]))
    if not found or found[0][0] < 1:
        why = "No story of the last days is like it."
        if found:
            why = f"It is most like story {found[0][1]} ({found[0][0]:.0%} of what it takes)."
        return StoryVerdict(story_id=None, why=why)
    best, story_id, told = found[0]
    merged = [other_id for score, other_id, other in found[1:] if score >= 1 and _is_one(told, other)][:1]
    first, *others = sorted((story_id, *merged))
    terms = ", ".join(shared(vector, told, words))
    why = f"Like story {first} in: {terms}."
    if others:
        why = f"Like stories {story_id} and {merged[0]}, which are one, in: {terms}."
    return StoryVerdict(story_id=first, merged=tuple(others), score=round(best, 4), why=why)


def _is_one(some: Sequence[Weighed], others: Sequence[Weighed]) -> bool:
    """Whether two stories are as like one another as an article must be to join."""
    return _mean(likeness(a, b) for a in some for b in others) >= 1


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
