"""The stories of some days in memory: which of them an article may tell.

An article is found by the terms that weigh most in it, its keys, and compared with the newest articles of each story of
the groups that share most of them. Nothing here reads a store: what is in an index is put there, and taken out again.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from operator import attrgetter

import numpy as np

from worker.analysis.stories.decision import COMPARED, COMPARED_IN_GROUP, WINDOW, Candidate
from worker.analysis.stories.likeness import StoryMember
from worker.analysis.stories.terms import Vector, keys

#: How many articles of one key, the newest, and how many of all are looked at, and how many groups of stories.
_MOST_SHARING, _MOST_GROUPS = 400, 60
#: The nearest groups may be the article's. Of the others, which only say how many are nearly as like, few articles do.
_NEAREST, _OF_OTHERS = 12, 2
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Index:
    """Articles with their stories. Not safe for use from several threads."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        #: By slot: an article that has a new text is given another one.
        self._times = array("d")
        self._articles = array("q")
        self._stories = array("q")
        self._is_there = array("b")
        self._postings: dict[int, array[int]] = {}
        self._story: dict[int, int] = {}
        #: Of each story its newest articles, as many as are compared of a group, by time.
        self._members: dict[int, list[StoryMember]] = {}
        self._root: dict[int, int] = {}
        self._groups: dict[int, set[int]] = {}
        #: By the root of a group: those of the groups that a person put apart from it.
        self.apart: Mapping[int, frozenset[int]] = {}

    def __len__(self) -> int:
        """The number of slots, those of articles that are gone included."""
        return len(self._times)

    def holds(self, article_id: int, story_id: int) -> bool:
        """Tells whether an article is there, as one of that story."""
        return self._story.get(article_id) == story_id

    def put(self, member: StoryMember, story_id: int) -> None:
        """Put an article into a story, whichever it was in before."""
        self.drop(member.article_id)
        slot = len(self._times)
        self._slots[member.article_id] = slot
        self._times.append((member.published - _BEGINNING).total_seconds())
        self._articles.append(member.article_id)
        self._stories.append(story_id)
        self._is_there.append(1)
        for key in keys(member.vector).tolist():
            found = self._postings.get(key)
            if found is None:
                self._postings[key] = found = array("i")
            found.append(slot)
        self._story[member.article_id] = story_id
        members = self._members.setdefault(story_id, [])
        members.append(member)
        if len(members) > 1 and _order(member) < _order(members[-2]):
            members.sort(key=_order)
        del members[:-COMPARED_IN_GROUP]

    def drop(self, article_id: int) -> None:
        """Take an article out."""
        slot = self._slots.pop(article_id, None)
        if slot is not None:
            self._is_there[slot] = 0
            story_id = self._story.pop(article_id)
            left = [one for one in self._members[story_id] if one.article_id != article_id]
            self._members[story_id] = left

    def move(self, gone: int, into: int) -> None:
        """Move every article of one story into another."""
        for article_id in [one for one, story_id in self._story.items() if story_id == gone]:
            self._story[article_id] = into
            self._stories[self._slots[article_id]] = into
        members = [*self._members.pop(gone, ()), *self._members.get(into, ())]
        self._members[into] = sorted(members, key=_order)[-COMPARED_IN_GROUP:]

    def group(self, root: int, story_ids: Collection[int]) -> None:
        """Let these stories be one group, each taken out of the one that it was in."""
        for story_id in story_ids:
            before = self._root.get(story_id, story_id)
            if before in self._groups:
                self._groups[before].discard(story_id)
            self._root[story_id] = root
        self._groups[root] = {*story_ids, root}
        self._root[root] = root

    def join(self, story_id: int, root: int) -> None:
        """Add a story to a group."""
        self.group(root, {*self._groups.get(root, ()), story_id})

    def candidates(self, vector: Vector, published: datetime, *, exclude: int | None = None) -> tuple[Candidate, ...]:
        """The stories of the groups that share most of an article's keys in these days, with their newest articles."""
        found = []
        for place, root in enumerate(self._near(vector, published, exclude)):
            most = COMPARED_IN_GROUP if place < _NEAREST else _OF_OTHERS
            apart = self.apart.get(root, _NONE)
            for story_id, articles in self._newest(root, most):
                others = articles
                if exclude is not None:
                    others = [one for one in articles if one.article_id != exclude]
                if others:
                    found.append(Candidate(story_id, root, others, apart))
        found.sort(key=_number)
        return tuple(found)

    def _near(self, vector: Vector, published: datetime, exclude: int | None) -> list[int]:
        """The roots of the groups that share most keys, in that order."""
        postings = [found for key in keys(vector).tolist() if (found := self._postings.get(key))]
        if not postings:
            return []
        apart = np.abs(np.frombuffer(self._times) - (published - _BEGINNING).total_seconds())
        asked = (np.frombuffer(self._is_there, np.int8) > 0) & (apart <= WINDOW.total_seconds())
        articles = np.frombuffer(self._articles, np.int64)
        few = [posting for posting in postings if len(posting) <= _MOST_SHARING]
        slots = np.frombuffer(b"".join(few), np.int32)
        sharing = [slots[asked[slots]]]
        for posting in postings:
            if len(posting) > _MOST_SHARING:
                slots = np.frombuffer(posting, np.int32)
                slots = slots[asked[slots]]
                if len(slots) > _MOST_SHARING:
                    slots = slots[np.argpartition(articles[slots], -_MOST_SHARING)[-_MOST_SHARING:]]
                sharing.append(slots)
        counts = np.bincount(np.concatenate(sharing))
        near = np.flatnonzero(counts)
        nearest = near[np.lexsort((-articles[near], -counts[near]))][:_MOST_SHARING]
        if exclude is not None:
            nearest = nearest[articles[nearest] != exclude]
        stories, first = np.unique(np.frombuffer(self._stories, np.int64)[nearest], return_index=True)
        roots: dict[int, None] = {}
        for story_id in stories[np.argsort(first)].tolist():
            roots[self._root.get(story_id, story_id)] = None
            if len(roots) == _MOST_GROUPS:
                break
        return list(roots)

    def _newest(self, root: int, most: int) -> Iterable[tuple[int, list[StoryMember]]]:
        """The newest articles of each story of a group, among the newest of the group."""
        story_ids = self._groups.get(root) or (root,)
        if len(story_ids) > 1:
            return self._newest_of(story_ids, most)
        (story_id,) = story_ids
        return ((story_id, self._members.get(story_id, [])[-min(COMPARED, most) :]),)

    def _newest_of(self, story_ids: Collection[int], most: int) -> Iterator[tuple[int, list[StoryMember]]]:
        of_group = sorted((one for each in story_ids for one in self._members.get(each, [])), key=_order)
        newest = {one.article_id for one in of_group[-most:]}
        for story_id in story_ids:
            of_story = self._members.get(story_id, [])[-COMPARED:]
            yield story_id, [one for one in of_story if one.article_id in newest]


_number = attrgetter("story_id")
_NONE = frozenset[int]()


def _order(member: StoryMember) -> tuple[datetime, int]:
    return member.published, member.article_id
