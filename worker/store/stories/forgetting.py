"""Retention of stories: keys and empty stories that are forgotten."""

from datetime import datetime

import sqlalchemy as sa

from worker.store.database import Tx
from worker.store.tables import StoryApartRow, StoryArticleRow, StoryKeyRow, StoryRow

_story: sa.Table = StoryRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # as above
_key: sa.Table = StoryKeyRow.__table__  # type: ignore[attr-defined]  # as above
_apart: sa.Table = StoryApartRow.__table__  # type: ignore[attr-defined]  # as above


def forget_keys(tx: Tx, *, before: datetime) -> int:
    """Drop the keys of articles published before that time: no new article looks so far back; returns how many."""
    old = sa.select(_told.c.article_id).where(_told.c.published < before)
    return tx.execute(sa.delete(_key).where(_key.c.article_id.in_(old))).rowcount


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
