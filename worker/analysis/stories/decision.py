"""The decision: which story a new article joins, and to which stories it is alike enough to point to.

    new, candidates -likeness-> mean to each story -STRONG or more-> it joins the best; else it opens a story of its own
                                mean to each group -1 or more-> its story perhaps is the same as the group's

Average link, as a story grows by one article at a time (Allan, Papka and Lavrenko, On-line new event detection and
tracking, SIGIR 1998), at two levels: articles joined on strong evidence are one story; stories that are alike on weak
evidence are one group, whose stories point to its oldest, the root.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from worker.analysis.stories.likeness import StoryMember, likenesses, shared

#: Number of the way in which terms are weighed and stories decided; a store that was judged by an older one is judged
#: again.
SCHEME = 2
#: An article joins stories that had one within this time.
WINDOW = timedelta(days=7)
#: Articles of a story, its newest, that a new one is compared with: thirty gave the same answers for more work.
COMPARED = 12
#: The same of a group.
COMPARED_IN_GROUP = 30
#: Likeness from which an article joins a story. From 1 on it is as like as one event's, which is enough to point.
STRONG = 2.3
_WEAK = 1.0
#: An article that is nearly as like many other groups is like none in particular: so many times the mean likeness to
#: the next so many groups is taken off. Speaker verification calls it score normalisation (Auckenthaler, Carey and
#: Lloyd-Thomas 2000).
_RIVALRY, _RIVALS = 6.0, 15


class Candidate(NamedTuple):
    """A story that may be the new article's, with its newest articles."""

    story_id: int
    #: The oldest story of its group; itself where it is in none.
    root: int
    articles: Sequence[StoryMember]
    #: Roots of the groups that a person put apart from its group.
    apart: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryVerdict:
    """The story of an article, with the reason."""

    #: None: it begins one.
    story_id: int | None
    #: Stories that turn out to be the same one; they are merged into `story_id`.
    merged: tuple[int, ...] = ()
    #: Likeness to the story, `STRONG` or more; 0 for a new one.
    score: float = 0.0
    #: One sentence for people.
    why: str = ""
    #: The group that its story is of, by its root: that of `story_id`, or the one to which its new story points.
    group: int | None = None
    #: Roots of groups that turn out to be one with that one.
    grouped: tuple[int, ...] = ()
    #: Likeness to the group that it points to, 1 or more; 0: to none.
    perhaps_score: float = 0.0
    #: What they share, in one sentence for people.
    perhaps_why: str = ""


#: An article that the new one was compared with, their likeness and their strong likeness.
_Compared = tuple[StoryMember, float, float]


class _Some:
    """Some articles that the new one is compared with: a story's, or a group's."""

    __slots__ = ("_new", "apart", "compared", "number", "root", "score", "strong_score")

    def __init__(
        self, number: int, new: StoryMember, compared: Sequence[_Compared], *, root: int, apart: frozenset[int]
    ) -> None:
        self.number, self.root, self.apart = number, root, apart
        self._new, self.compared = new, compared
        #: The mean likeness of the new article to these, and that where only what is particular to an event counts.
        if len(compared) == 1:  # as most of them are
            _, self.score, self.strong_score = compared[0]
        else:
            self.score = _mean([score for _, score, _ in compared])
            self.strong_score = _mean([strong_score for _, _, strong_score in compared])

    @property
    def articles(self) -> list[StoryMember]:
        """These articles."""
        return [member for member, _, _ in self.compared]

    def likeness(self, other: "_Some") -> float:
        """The mean likeness of two."""
        return _mean([score for one in self.articles for score in likenesses(one, other.articles).scores])

    def strong_likeness(self, other: "_Some") -> float:
        """The same, as if the new article were in this one, where only what is particular to an event counts."""
        articles = (*self.articles, self._new)
        return _mean([score for one in articles for score in likenesses(one, other.articles).strong_scores])

    def may_be(self, other: "_Some") -> bool:
        """Tells whether nobody put the two, or what is in a group with them, apart."""
        return self.root == other.root or (other.root not in self.apart and self.root not in other.apart)


def decide(
    new: StoryMember, words: Mapping[int, str], candidates: Sequence[Candidate], *, apart: Collection[int] = ()
) -> StoryVerdict:
    """The story of `new`, whose terms are `words` by hash; it is the oldest of those that it shows to be one.

    `apart`: roots of the groups from which a person put it apart.
    """
    stories, groups = _near(new, candidates)
    rivalry = _rivalry(groups)
    stories = [one for one in stories if one.root not in apart]
    groups = [one for one in groups if one.root not in apart]
    best = min(stories, key=lambda one: (-one.strong_score, one.number), default=None)
    if best is not None and best.strong_score - rivalry[best.root] >= STRONG:
        return _joined(new, words, best, stories, groups, rivalry)
    if not groups:
        return StoryVerdict(story_id=None, why="No story of the last days is like it.")
    nearest = min(groups, key=_order)
    score = nearest.score - rivalry[nearest.root]
    if score < _WEAK:
        return StoryVerdict(story_id=None, why=_too_little(nearest, rivalry[nearest.root]))
    return StoryVerdict(
        story_id=None,
        why=f"It is like story {nearest.number}, but not enough to be surely the same.",
        group=nearest.root,
        grouped=_grouped(nearest, groups, rivalry),
        perhaps_score=round(score, 4),
        perhaps_why=f"They share {', '.join(shared(new.vector, nearest.articles, words))}; {_missing(score)}.",
    )


def _rivalry(groups: Sequence["_Some"]) -> dict[int, float]:
    """By a group's root, what the groups that the article is less like take off its likeness."""
    ordered = sorted(groups, key=_order)
    scores = [one.score for one in ordered]
    return {one.root: _RIVALRY * sum(scores[at + 1 : at + 1 + _RIVALS]) / _RIVALS for at, one in enumerate(ordered)}


def _near(new: StoryMember, candidates: Sequence[Candidate]) -> tuple[list[_Some], list[_Some]]:
    """The stories and the groups that had an article within the window."""
    members = [member for one in candidates for member in one.articles]
    compared = list(zip(members, *likenesses(new, members), strict=True))
    is_near = [abs(member.published - new.published) <= WINDOW for member in members]
    stories: list[_Some] = []
    of_group: dict[int, list[_Compared]] = {}
    groups: dict[int, _Some] = {}
    first = 0
    for story_id, root, articles, apart in candidates:
        last = first + len(articles)
        own = compared[first:last]
        if root in of_group:
            of_group[root] += own
        else:
            of_group[root] = own
        if any(is_near[first:last]):
            story = _Some(story_id, new, own[-COMPARED:], root=root, apart=apart)
            stories.append(story)
            groups[root] = story
        first = last
    for root, story in groups.items():
        if story.number != root or len(story.compared) < len(of_group[root]):
            all_compared = sorted(of_group[root], key=_order_of)[-COMPARED_IN_GROUP:]
            groups[root] = _Some(root, new, all_compared, root=root, apart=story.apart)
    return stories, list(groups.values())


def _order_of(compared: _Compared) -> tuple[datetime, int]:
    return compared[0].published, compared[0].article_id


def _joined(
    new: StoryMember,
    words: Mapping[int, str],
    best: _Some,
    stories: Sequence[_Some],
    groups: Sequence[_Some],
    rivalry: Mapping[int, float],
) -> StoryVerdict:
    """It joins the best story, and with it one other at most that it shows to be the same."""
    others = sorted((one for one in stories if one is not best), key=_order)
    same = next((one for one in others if one.strong_score >= STRONG and _is_same(best, one)), None)
    first, *merged = sorted({best.number} | ({same.number} if same else set()))
    terms = ", ".join(shared(new.vector, best.articles, words))
    why = f"Like story {first} in: {terms}."
    if same is not None:
        why = f"Like stories {best.number} and {same.number}, which are one, in: {terms}."
    group = next(one for one in groups if one.root == best.root)
    roots = {same.root} - {best.root} if same is not None else set(_grouped(group, groups, rivalry))
    return StoryVerdict(
        story_id=first,
        merged=tuple(merged),
        score=round(best.strong_score - rivalry[best.root], 4),
        why=why,
        group=best.root,
        grouped=tuple(roots),
    )


def _is_same(best: _Some, other: _Some) -> bool:
    return best.may_be(other) and best.strong_likeness(other) >= STRONG


def _grouped(group: _Some, groups: Sequence[_Some], rivalry: Mapping[int, float]) -> tuple[int, ...]:
    """The nearest other group that the article shows to be one with this one."""
    near = [one for one in groups if one is not group and one.score - rivalry[one.root] >= _WEAK]
    found = next(
        (
            one
            for one in sorted(near, key=_order)
            if group.may_be(one) and group.likeness(one) - rivalry[one.root] >= _WEAK
        ),
        None,
    )
    return () if found is None else (found.root,)


def _too_little(nearest: _Some, rivalry: float) -> str:
    if rivalry > _WEAK and nearest.score >= _WEAK:
        return f"It is most like story {nearest.number}, but nearly as like several others."
    return f"It is most like story {nearest.number} ({max(0.0, nearest.score - rivalry):.0%} of what it takes)."


def _missing(score: float) -> str:
    if score >= STRONG:
        return "to be surely the same, they would have to share more than names"
    return f"to be surely the same takes {STRONG / score:.1f} times as much"


def _order(one: _Some) -> tuple[float, int]:
    return -one.score, one.number


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
