"""Retention of stories: empty ones are forgotten."""

import sqlalchemy as sa

from worker.store.database import Tx
from worker.store.tables import StoryApartRow, StoryArticleRow, StoryRow

_story: sa.Table = StoryRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # as above
_apart: sa.Table = StoryApartRow.__table__  # type: ignore[attr-defined]  # as above


def forget_empty(tx: Tx) -> int:
    """Drop the stories that no article tells any more, and that no other needs; returns how many.

    One that was merged stays as long as the other: a message of its thread, or what a person said of it, leads there.
    """
    told = sa.exists().where(_told.c.story_id == _story.c.id)
    into = sa.exists().where(_told.c.story_id == _story.c.merged_into)
    other = sa.alias(_story)
    kept = sa.exists().where(sa.or_(other.c.merged_into == _story.c.id, other.c.perhaps_id == _story.c.id))
    gone = tx.execute(sa.delete(_story).where(~told, ~into, ~kept)).rowcount
    if gone:
        there = sa.select(_story.c.id)
        tx.execute(sa.delete(_apart).where(sa.or_(_apart.c.story_id.not_in(there), _apart.c.other_id.not_in(there))))
    return gone
