"""Decisions by people on stories, which no later decision undoes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from worker.store.database import Tx, insert
from worker.store.stories import memory
from worker.store.tables import STORY, STORY_APART, STORY_HAND


class CorrectionKind(StrEnum):
    """A kind of decision by a person."""

    SPLIT = "split"
    MERGE = "merge"
    MOVE = "move"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryCorrection:
    """A decision by a person: a split, a merge or a move."""

    kind: CorrectionKind
    #: None: it is about all of `from_id`.
    article_id: int | None = None
    from_id: int
    to_id: int
    author: str
    note: str = ""
    created: datetime


def note(tx: Tx, correction: StoryCorrection) -> None:
    """Write it down."""
    values = {
        "kind": correction.kind,
        "article_id": correction.article_id,
        "from_id": correction.from_id,
        "to_id": correction.to_id,
        "author": correction.author,
        "note": correction.note,
        "created": correction.created,
    }
    tx.execute(sa.insert(STORY_HAND).values(values))
    memory.change(tx, is_all=True)


def put_apart(tx: Tx, story_id: int, others: Collection[int]) -> None:
    """Never let a story be one with these, or perhaps the same, unless a person says so."""
    rows = [{"story_id": a, "other_id": b} for one in others for a, b in ((story_id, one), (one, story_id)) if a != b]
    if rows:
        tx.execute(insert(tx, STORY_APART).on_conflict_do_nothing(), rows)


def put_together(tx: Tx, some: Collection[int], others: Collection[int]) -> None:
    """Take back that these were put apart from those."""
    for a, b in ((some, others), (others, some)):
        tx.execute(
            sa.delete(STORY_APART).where(STORY_APART.c.story_id.in_(list(a)), STORY_APART.c.other_id.in_(list(b)))
        )


def follow(tx: Tx, gone: int, into: int) -> None:
    """Let what a merged story was put apart from be apart from the other one."""
    others = apart_from(tx, [gone]) - {into}
    tx.execute(sa.delete(STORY_APART).where(sa.or_(STORY_APART.c.story_id == gone, STORY_APART.c.other_id == gone)))
    put_apart(tx, into, others)


def apart_from(tx: Tx, story_ids: Collection[int]) -> frozenset[int]:
    """The stories that a person put apart from any of these."""
    return frozenset(
        tx.execute(sa.select(STORY_APART.c.other_id).where(STORY_APART.c.story_id.in_(list(story_ids)))).scalars()
    )


def of_story(tx: Tx, story_id: int) -> tuple[StoryCorrection, ...]:
    """Returns what people decided of a story, and of those that were merged into it, the oldest first."""
    mine = sa.select(STORY.c.id).where(sa.or_(STORY.c.id == story_id, STORY.c.merged_into == story_id))
    query = sa.select(STORY_HAND).where(sa.or_(STORY_HAND.c.from_id.in_(mine), STORY_HAND.c.to_id.in_(mine)))
    return tuple(
        StoryCorrection(
            kind=CorrectionKind(r.kind),
            article_id=r.article_id,
            from_id=r.from_id,
            to_id=r.to_id,
            author=r.author,
            note=r.note,
            created=r.created,
        )
        for r in tx.execute(query.order_by(STORY_HAND.c.id))
    )


def is_held(tx: Tx, article_id: int, story_id: int) -> bool:
    """Tells whether a person put an article into its story, where it stays whatever its text says."""
    return any(
        correction.kind is CorrectionKind.MERGE or correction.article_id == article_id
        for correction in of_story(tx, story_id)
    )
