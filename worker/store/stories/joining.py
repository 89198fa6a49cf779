"""Stories that turn out to be one, and groups of stories that perhaps are.

A group is its oldest story, the root, and the stories that point to it. A pointer leads to a root, never further.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.analysis.stories import StoryVerdict
from worker.store.database import Tx
from worker.store.deferred import defer
from worker.store.stories import corrections, memory
from worker.store.tables import STORY, STORY_APART, STORY_ARTICLE

_NOWHERE = {"perhaps_id": None, "perhaps_score": 0.0, "perhaps_why": ""}
_MOMENT = sa.bindparam("moment", type_=STORY.c.first_seen.type)
_STRETCH = (
    sa.update(STORY)
    .where(STORY.c.id == sa.bindparam("story"), sa.or_(STORY.c.first_seen > _MOMENT, STORY.c.last_seen < _MOMENT))
    .values(
        first_seen=sa.case((STORY.c.first_seen > _MOMENT, _MOMENT), else_=STORY.c.first_seen),
        last_seen=sa.case((STORY.c.last_seen < _MOMENT, _MOMENT), else_=STORY.c.last_seen),
    )
)


def merge(tx: Tx, gone: int, into: int) -> None:
    """Merge story `gone`, and its group, into `into`; the old number still leads there."""
    roots = {root(tx, gone), root(tx, into)}
    was = tx.execute(sa.select(STORY).where(STORY.c.id == gone)).one()
    tx.execute(sa.update(STORY_ARTICLE).where(STORY_ARTICLE.c.story_id == gone).values(story_id=into))
    tx.execute(sa.update(STORY).where(sa.or_(STORY.c.id == gone, STORY.c.merged_into == gone)).values(merged_into=into))
    stretch(tx, into, was.first_seen)
    stretch(tx, into, was.last_seen)
    _leave(tx, gone, into)
    corrections.follow(tx, gone, into)
    # The one that is gone may have been a root.
    roots = {into if one == gone else one for one in roots}
    unite(tx, roots, score=was.perhaps_score, why=was.perhaps_why)
    memory.merge(tx, gone, into)
    memory.touch(tx, {gone, into, *roots})


def _leave(tx: Tx, gone: int, into: int) -> None:
    """Let the group of a story that is gone be the other one's."""
    tx.execute(sa.update(STORY).where(STORY.c.id == into, STORY.c.perhaps_id == gone).values(_NOWHERE))
    tx.execute(sa.update(STORY).where(STORY.c.perhaps_id == gone).values(perhaps_id=root(tx, into)))
    tx.execute(sa.update(STORY).where(STORY.c.id == gone).values(_NOWHERE))


def point(tx: Tx, story_id: int, verdict: StoryVerdict) -> None:
    """Let a story that is in no group point to the one that was decided."""
    if verdict.group is not None:
        memory.join(tx, story_id, verdict.group)
    tx.execute(sa.update(STORY).where(STORY.c.id == story_id).values(pointer(verdict)))


def pointer(verdict: StoryVerdict | None) -> dict[str, Any]:
    """The columns of a story that say where it points to."""
    if verdict is None or verdict.group is None:
        return _NOWHERE
    return {
        "perhaps_id": verdict.group,
        "perhaps_score": verdict.perhaps_score,
        "perhaps_why": verdict.perhaps_why,
    }


def unite(tx: Tx, roots: Collection[int], *, score: float = 0.0, why: str = "") -> None:
    """Let groups be one, whose root is the oldest of theirs."""
    oldest, *others = sorted(set(roots))
    if not others:
        return
    tx.execute(sa.update(STORY).where(STORY.c.perhaps_id.in_(others)).values(perhaps_id=oldest))
    values = {"perhaps_id": oldest, "perhaps_score": score, "perhaps_why": why}
    tx.execute(sa.update(STORY).where(STORY.c.id.in_(others)).values(values))
    memory.touch(tx, roots)


def part(tx: Tx, story_id: int) -> frozenset[int]:
    """Take a story out of its group; returns the stories that it was grouped with."""
    mine = root(tx, story_id)
    others = frozenset(group(tx, mine)) - {story_id}
    tx.execute(sa.update(STORY).where(STORY.c.id == story_id).values(_NOWHERE))
    if mine == story_id and others:
        oldest = min(others)
        tx.execute(sa.update(STORY).where(STORY.c.perhaps_id == story_id).values(perhaps_id=oldest))
        tx.execute(sa.update(STORY).where(STORY.c.id == oldest).values(_NOWHERE))
    memory.touch(tx, {story_id, *others})
    memory.change(tx)
    return others


def root(tx: Tx, story_id: int) -> int:
    """The root of a story's group; itself where it is in none."""
    found = tx.execute(sa.select(STORY.c.perhaps_id).where(STORY.c.id == story_id)).scalar()
    return story_id if found is None else int(found)


def group(tx: Tx, root_id: int) -> tuple[int, ...]:
    """The stories of a group, the root first."""
    query = sa.select(STORY.c.id).where(sa.or_(STORY.c.id == root_id, STORY.c.perhaps_id == root_id))
    return tuple(tx.execute(query.order_by(STORY.c.id != root_id, STORY.c.id)).scalars())


def apart(tx: Tx, story_id: int) -> frozenset[int]:
    """Roots of the groups that a person put apart from a story's."""
    others = corrections.apart_from(tx, group(tx, root(tx, story_id)))
    return frozenset(root(tx, other) for other in others)


def merged(tx: Tx, story_id: int) -> tuple[int, ...]:
    """The stories that turned out to be this one."""
    return tuple(tx.execute(sa.select(STORY.c.id).where(STORY.c.merged_into == story_id)).scalars())


def merged_into(tx: Tx, story_id: int) -> int | None:
    """The story that this one turned out to be."""
    return tx.execute(sa.select(STORY.c.merged_into).where(STORY.c.id == story_id)).scalar()


def live(tx: Tx, story_id: int) -> int | None:
    """The story that one of that number is by now; None where there is none."""
    row = tx.execute(sa.select(STORY.c.id, STORY.c.merged_into).where(STORY.c.id == story_id)).one_or_none()
    return None if row is None else row.merged_into or row.id


def stretch(tx: Tx, story_id: int, published: datetime) -> None:
    """Let a story's time cover that moment."""
    defer(tx, STORY.name, _STRETCH, {"story": story_id, "moment": published})


# Retention of stories: empty ones are forgotten.


def forget_empty(tx: Tx) -> int:
    """Drop the stories that no article tells any more, and that no other needs; returns how many.

    One that was merged stays as long as the other: a message of its thread, or what a person said of it, leads there.
    """
    has_articles = sa.exists().where(STORY_ARTICLE.c.story_id == STORY.c.id)
    into = sa.exists().where(STORY_ARTICLE.c.story_id == STORY.c.merged_into)
    other = sa.alias(STORY)
    kept = sa.exists().where(sa.or_(other.c.merged_into == STORY.c.id, other.c.perhaps_id == STORY.c.id))
    gone = tx.execute(sa.delete(STORY).where(~has_articles, ~into, ~kept)).rowcount
    if gone:
        there = sa.select(STORY.c.id)
        tx.execute(
            sa.delete(STORY_APART).where(
                sa.or_(STORY_APART.c.story_id.not_in(there), STORY_APART.c.other_id.not_in(there))
            )
        )
    return gone
