"""Stories for people: lists, one story's time line, and which articles tell which."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.model import NO_TITLE, called
from worker.store.database import Tx
from worker.store.tables import ARTICLE, STORY, STORY_ARTICLE

_OF_TITLE = (ARTICLE.c.title, ARTICLE.c.origin, ARTICLE.c.name)


def _precision(moment: sa.Column[Any]) -> sa.Label[str]:
    """The most that an article of a story tells of a moment; of two articles, one whose hour is known has the say."""
    query = (
        sa.select(ARTICLE.c.precision)
        .join(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
        .where(STORY_ARTICLE.c.story_id == STORY.c.id, STORY_ARTICLE.c.published == moment)
        .order_by(sa.func.length(ARTICLE.c.precision))
        .limit(1)
    )
    return sa.func.coalesce(query.scalar_subquery(), "").label(moment.name.replace("seen", "precision"))


_PRECISIONS = (_precision(STORY.c.first_seen), _precision(STORY.c.last_seen))

# Statements of every alert, made once.
_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_ONE = sa.select(
    STORY,
    sa.select(sa.func.count())
    .select_from(STORY_ARTICLE)
    .where(STORY_ARTICLE.c.story_id == STORY.c.id)
    .scalar_subquery()
    .label("articles"),
    *_PRECISIONS,
).where(STORY.c.id == sa.bindparam("one"))
_OUTLETS = (
    sa.select(STORY_ARTICLE.c.story_id, ARTICLE.c.source)
    .join(ARTICLE, ARTICLE.c.id == STORY_ARTICLE.c.article_id)
    .where(STORY_ARTICLE.c.story_id.in_(_IDS), ARTICLE.c.source != "")
    .distinct()
    .order_by(ARTICLE.c.source)
)
_root = STORY.alias("root")
_FIRST_SOURCE = (
    sa.select(ARTICLE.c.source)
    .join(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
    .where(STORY_ARTICLE.c.story_id == _root.c.id)
    .order_by(STORY_ARTICLE.c.article_id)
    .limit(1)
    .scalar_subquery()
)
_PERHAPS = (
    sa.select(STORY, _root.c.title.label("root_title"), sa.func.coalesce(_FIRST_SOURCE, "").label("source"))
    .join(_root, _root.c.id == STORY.c.perhaps_id)
    .where(STORY.c.id.in_(_IDS))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStory:
    """A story, for people."""

    id: int
    #: Of its first article, or what that is called.
    title: str
    #: When its first and its last article were published.
    first_seen: datetime
    last_seen: datetime
    #: What is known of either: `year`, `month` or `day`; empty: the hour too.
    first_precision: str
    last_precision: str
    articles: int
    outlets: tuple[str, ...]
    #: The story that it turned out to be.
    merged_into: int | None
    #: The story that it perhaps is the same as.
    perhaps: "Perhaps | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Perhaps:
    """A story that another one perhaps is the same as."""

    story_id: int
    title: str
    #: Of its first article, as far as that is there.
    source: str
    #: Likeness, 1 or more; 0 where another story brought the two together.
    score: float
    #: What they share, in one sentence for people.
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
    """One article of a story's time line."""

    article_id: int
    published: datetime
    #: `year`, `month` or `day`, where the hour is not known.
    precision: str
    source: str
    #: Its title, or what it is called without one.
    title: str
    #: The original, where it is a copy.
    of_id: int | None
    score: float
    why: str


def newest(
    tx: Tx, *, limit: int, several: bool = False, after: tuple[datetime, int] | None = None
) -> tuple[StoredStory, ...]:
    """The stories that had an article last; with `several`, only those of more than one.

    `after`: only those behind the one that was last seen then, and has that id.
    """
    counted = (
        sa.select(STORY_ARTICLE.c.story_id, sa.func.count().label("articles"))
        .group_by(STORY_ARTICLE.c.story_id)
        .subquery()
    )
    query = sa.select(STORY, counted.c.articles, *_PRECISIONS).join(counted, counted.c.story_id == STORY.c.id)
    query = query.where(STORY.c.merged_into.is_(None)).order_by(STORY.c.last_seen.desc(), STORY.c.id.desc())
    if several:
        query = query.where(counted.c.articles > 1)
    if after is not None:
        seen, number = after
        same = sa.and_(STORY.c.last_seen == seen, STORY.c.id < number)
        query = query.where(sa.or_(STORY.c.last_seen < seen, same))
    rows = tx.execute(query.limit(limit)).all()
    outlets = _outlets(tx, [row.id for row in rows])
    perhaps = _perhaps(tx, [row.id for row in rows])
    titles = _titles(tx, rows)
    return tuple(_stored(row, titles[row.id], outlets.get(row.id, ()), perhaps.get(row.id)) for row in rows)


def get(tx: Tx, story_id: int) -> StoredStory | None:
    """One story by id."""
    row = tx.execute(_ONE, {"one": story_id}).one_or_none()
    if row is None:
        return None
    outlets, perhaps = _outlets(tx, [story_id]).get(story_id, ()), _perhaps(tx, [story_id]).get(story_id)
    return _stored(row, _titles(tx, [row])[story_id], outlets, perhaps)


def lines(tx: Tx, story_id: int, *, limit: int | None = None) -> tuple[StoryLine, ...]:
    """A story's articles by time."""
    query = (
        sa.select(STORY_ARTICLE, *_OF_TITLE, ARTICLE.c.source, ARTICLE.c.of_id, ARTICLE.c.precision)
        .join(ARTICLE, ARTICLE.c.id == STORY_ARTICLE.c.article_id)
        .where(STORY_ARTICLE.c.story_id == story_id)
        .order_by(STORY_ARTICLE.c.published, STORY_ARTICLE.c.article_id)
        .limit(limit)
    )
    return tuple(
        StoryLine(
            article_id=r.article_id,
            published=r.published,
            precision=r.precision,
            source=r.source,
            title=called(r.title, r.origin, r.name),
            of_id=r.of_id,
            score=r.score,
            why=r.why,
        )
        for r in tx.execute(query)
    )


def counts(tx: Tx) -> dict[str, int]:
    """Counts stories: all, of several articles, merged into another, and pointing to one."""
    of_story = (
        sa.select(sa.func.count().label("articles"))
        .select_from(STORY_ARTICLE)
        .group_by(STORY_ARTICLE.c.story_id)
        .subquery()
    )
    several = sa.select(sa.func.count()).select_from(of_story).where(of_story.c.articles > 1)
    merged = sa.select(sa.func.count()).select_from(STORY).where(STORY.c.merged_into.is_not(None))
    perhaps = sa.select(sa.func.count()).select_from(STORY).where(STORY.c.perhaps_id.is_not(None))
    return {
        "stories": int(tx.execute(sa.select(sa.func.count()).select_from(of_story)).scalar_one()),
        "several": int(tx.execute(several).scalar_one()),
        "merged": int(tx.execute(merged).scalar_one()),
        "perhaps": int(tx.execute(perhaps).scalar_one()),
    }


def _outlets(tx: Tx, story_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for row in tx.execute(_OUTLETS, {"ids": list(story_ids)}):
        found[row.story_id].append(row.source)
    return {story_id: tuple(sources) for story_id, sources in found.items()}


def _perhaps(tx: Tx, story_ids: Sequence[int]) -> dict[int, Perhaps]:
    """By story: the one that it points to."""
    return {
        r.id: Perhaps(
            story_id=r.perhaps_id, title=r.root_title, source=r.source, score=r.perhaps_score, why=r.perhaps_why
        )
        for r in tx.execute(_PERHAPS, {"ids": list(story_ids)})
    }


def pointing(tx: Tx, story_id: int) -> tuple[tuple[int, str], ...]:
    """(id, title) of the stories that perhaps are the same as this one, and point to it."""
    query = sa.select(STORY.c.id, STORY.c.title).where(STORY.c.perhaps_id == story_id).order_by(STORY.c.id)
    rows = tx.execute(query).all()
    titles = _titles(tx, rows)
    return tuple((r.id, titles[r.id]) for r in rows)


def _titles(tx: Tx, rows: Sequence[Any]) -> dict[int, str]:
    """By story: its title, else what its first article is called."""
    untitled = [r.id for r in rows if not r.title]
    query = sa.select(STORY_ARTICLE.c.story_id, *_OF_TITLE).join(ARTICLE, ARTICLE.c.id == STORY_ARTICLE.c.article_id)
    query = query.where(STORY_ARTICLE.c.story_id.in_(untitled)).order_by(STORY_ARTICLE.c.article_id.desc())
    first = {r.story_id: called(r.title, r.origin, r.name) for r in tx.execute(query)} if untitled else {}
    return {r.id: r.title or first.get(r.id, NO_TITLE) for r in rows}


def _stored(r: Any, title: str, outlets: tuple[str, ...], perhaps: Perhaps | None) -> StoredStory:
    return StoredStory(
        id=r.id,
        title=title,
        first_seen=r.first_seen,
        last_seen=r.last_seen,
        first_precision=r.first_precision,
        last_precision=r.last_precision,
        articles=r.articles,
        outlets=outlets,
        merged_into=r.merged_into,
        perhaps=perhaps,
    )
