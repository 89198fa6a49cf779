"""Decisions by people on stories: an article is split off, moved, or two stories are merged.

Each is written down, holds against every later decision, and what is not sealed is decided again.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.analysis import text
from worker.analysis.stories import StoryMember
from worker.model import Article, times
from worker.pipeline.context import ActiveConfig
from worker.pipeline.redeciding import decide_again
from worker.pipeline.stories import Weighing
from worker.store import Tx, articles, stories
from worker.store.stories import CorrectionKind, StoryCorrection


class Refused(StrEnum):
    """Reasons for which nothing was done."""

    NO_STORY = "the article belongs to no story"
    ALONE = "the article is alone in its story, which points to no other and to which none points"
    SAME = "it is one story already"
    NOT_THERE = "there is no such story"


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """The author of a decision, its time and its reason."""

    author: str
    note: str = ""
    now: datetime

    @property
    def why(self) -> str:
        return f"by {self.author} at {times.say(self.now)}" + (f": {self.note}" if self.note else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The kinds of decision that a person makes of stories."""

    kind: CorrectionKind
    from_id: int
    to_id: int
    #: Articles that tell another story than before: the one that was named, and its copies.
    moved: tuple[int, ...] = ()


def split(tx: Tx, live: ActiveConfig, article_id: int, by: By) -> Done | Refused:
    """Let an article found a story of its own, which is never joined with the one it leaves; under the ingest lock."""
    own = stories.story_of(tx, article_id)
    if own is None:
        return Refused.NO_STORY
    moved, stay = _parted(tx, own, article_id)
    if not stay:
        return _part_group(tx, own, article_id, by)
    stored = _stored(tx, article_id)
    to = stories.begin(tx, stored.heading, stored.published, by.now)
    _put(tx, article_id, moved, to, f"It was set apart from story {own} {by.why}.")
    stories.put_apart(tx, to, [own])
    return _done(tx, live, CorrectionKind.SPLIT, article_id, (own, to), moved, by)


def move(tx: Tx, live: ActiveConfig, article_id: int, to: int, by: By) -> Done | Refused:
    """Move an article and its copies to another story and keep the two apart. Under the ingest lock.

    Where nothing stays behind, the two stories are merged instead.
    """
    own, into = stories.story_of(tx, article_id), stories.live(tx, to)
    if own is None or into is None:
        return Refused.NO_STORY if own is None else Refused.NOT_THERE
    if own == into:
        return Refused.SAME
    moved, stay = _parted(tx, own, article_id)
    if not stay:
        return _merge(tx, live, own, into, by)
    stories.put_together(tx, [own], [into])
    _put(tx, article_id, moved, into, f"It was put here {by.why}.")
    if stories.root(tx, own) == stories.root(tx, into):
        stories.part(tx, own)
    stories.put_apart(tx, own, [into])
    return _done(tx, live, CorrectionKind.MOVE, article_id, (own, into), moved, by)


def merge(tx: Tx, live: ActiveConfig, one: int, other: int, by: By) -> Done | Refused:
    """Let two stories be one, the older of the two; under the ingest lock."""
    found = stories.live(tx, one), stories.live(tx, other)
    if found[0] is None or found[1] is None:
        return Refused.NOT_THERE
    if found[0] == found[1]:
        return Refused.SAME
    return _merge(tx, live, max(found[0], found[1]), min(found[0], found[1]), by)


def _merge(tx: Tx, live: ActiveConfig, gone: int, into: int, by: By) -> Done:
    stories.put_together(tx, [gone], [into])
    # What stands in a group with one of them may have been put apart from the other.
    for mine, theirs in ((gone, into), (into, gone)):
        for one in stories.group(tx, stories.root(tx, mine)):
            others = stories.group(tx, stories.root(tx, theirs))
            if one != mine and not stories.apart_from(tx, [one]).isdisjoint(others):
                stories.part(tx, one)
    moved = tuple(line.article_id for line in stories.lines(tx, gone))
    stories.merge(tx, gone, into)
    return _done(tx, live, CorrectionKind.MERGE, None, (gone, into), moved, by)


def _part_group(tx: Tx, own: int, article_id: int, by: By) -> Done | Refused:
    """Take back that a story is perhaps the same as others."""
    root = stories.root(tx, own)
    others = stories.part(tx, own)
    if not others:
        return Refused.ALONE
    stories.put_apart(tx, own, others)
    from_id = min(others) if root == own else root
    _note(tx, CorrectionKind.SPLIT, article_id, (from_id, own), by)
    return Done(kind=CorrectionKind.SPLIT, from_id=from_id, to_id=own)


def _parted(tx: Tx, own: int, article_id: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The articles of a story that go, one with its copies, and those that stay."""
    lines = stories.lines(tx, own)
    goes = [line.article_id for line in lines if article_id in (line.article_id, line.of_id)]
    return tuple(sorted(goes)), tuple(line.article_id for line in lines if line.article_id not in goes)


def _put(tx: Tx, article_id: int, moved: tuple[int, ...], story_id: int, why: str) -> None:
    member = _weighed(tx, article_id)
    if member is not None:
        stories.put(tx, member, story_id, score=0, why=why)
    stories.put_copies(tx, moved if member is None else [one for one in moved if one != article_id], story_id)


def _weighed(tx: Tx, article_id: int) -> StoryMember | None:
    """An article as stories are decided on, weighed by what is counted now; None for one whose text is not kept."""
    stored = articles.get(tx, article_id)
    if stored is None or not stored.revision:
        return None
    one = stored.article
    vector = Weighing(tx, [(one, text.analyse(one.title, one.body, one.language))]).weigh(0).vector
    return StoryMember(article_id=article_id, published=one.published, language=one.language, vector=vector)


def _done(
    tx: Tx,
    live: ActiveConfig,
    kind: CorrectionKind,
    article_id: int | None,
    ids: tuple[int, int],
    moved: tuple[int, ...],
    by: By,
) -> Done:
    _note(tx, kind, article_id, ids, by)
    for story_id in ids:
        stories.retitle(tx, story_id)
    decide_again(tx, live, ids, moved, by.now)
    return Done(kind=kind, from_id=ids[0], to_id=ids[1], moved=moved)


def _note(tx: Tx, kind: CorrectionKind, article_id: int | None, ids: tuple[int, int], by: By) -> None:
    correction = StoryCorrection(
        kind=kind,
        article_id=article_id,
        from_id=ids[0],
        to_id=ids[1],
        author=by.author,
        note=by.note,
        created=by.now,
    )
    stories.note(tx, correction)


def _stored(tx: Tx, article_id: int) -> Article:
    stored = articles.get(tx, article_id)
    assert stored is not None, "an article that tells a story is there"
    return stored.article
