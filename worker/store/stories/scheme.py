"""By which scheme the stories were judged, and how far they were judged again."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.store.database import Tx, insert
from worker.store.stories import memory
from worker.store.stories.counting import forget_counts
from worker.store.tables import ArticleRow, SchemeRow, StoryArticleRow, StoryRow

_scheme: sa.Table = SchemeRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # as above
_story: sa.Table = StoryRow.__table__  # type: ignore[attr-defined]  # as above
_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # as above

_NAME = "stories"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The scheme that stories were judged by, and how far judging again has come."""

    #: `story.SCHEME`; 0 before there were any.
    number: int = 0
    #: The last article that was judged again; None: all were.
    reached: int | None = None


def judged(tx: Tx) -> Judged:
    """By which scheme, and how far."""
    r = tx.execute(sa.select(_scheme).where(_scheme.c.name == _NAME)).one_or_none()
    return Judged() if r is None else Judged(number=r.number, reached=r.reached)


def note_judged(tx: Tx, found: Judged) -> None:
    """Write it down."""
    values = {"name": _NAME, "number": found.number, "reached": found.reached}
    tx.execute(insert(tx, _scheme).values(values).on_conflict_do_update(index_elements=["name"], set_=values))


def begin_again(tx: Tx, number: int, since: datetime) -> None:
    """Forget what articles since that moment were compared by, and what stories perhaps are the same.

    None is found by a new one until it is judged again; all stay in their stories until then.
    """
    came = sa.select(_article.c.id).where(_article.c.first_seen >= since)
    theirs = sa.or_(_told.c.published >= since, _told.c.article_id.in_(came))
    tx.execute(sa.update(_told).where(theirs, sa.func.length(_told.c.vector) > 0).values(vector=b""))
    values = {"perhaps_id": None, "perhaps_score": 0.0, "perhaps_why": ""}
    tx.execute(sa.update(_story).where(_story.c.perhaps_id.is_not(None)).values(values))
    forget_counts(tx)
    memory.change(tx, is_all=True)
    note_judged(tx, Judged(number=number, reached=0))


def next_to_judge(tx: Tx, after: int, since: datetime, *, limit: int) -> tuple[int, ...]:
    """The articles that came first after that one, since that moment, and are not judged by this scheme."""
    query = (
        sa.select(_article.c.id)
        .outerjoin(_told, _told.c.article_id == _article.c.id)
        .where(_article.c.id > after, _article.c.first_seen >= since, _article.c.revision > 0)
        .where(sa.or_(_told.c.vector.is_(None), sa.func.length(_told.c.vector) == 0))
    )
    return tuple(tx.execute(query.order_by(_article.c.id).limit(limit)).scalars())


def is_taken(tx: Tx, story_id: int, since: datetime, *, but: int) -> bool:
    """Tells whether another article than `but`, come since that moment, tells a story by this scheme."""
    query = sa.select(_told.c.article_id).join(_article, _article.c.id == _told.c.article_id)
    judged = (sa.func.length(_told.c.vector) > 0, _article.c.first_seen >= since)
    query = query.where(_told.c.story_id == story_id, _told.c.article_id != but, *judged)
    return tx.execute(query.limit(1)).first() is not None
