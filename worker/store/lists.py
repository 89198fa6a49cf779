"""Lists of articles as a desk reads them: the stories of a day, the matches of a time, the copies of a text."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.model import Origin, Severity, called
from worker.store.database import Tx, read_as
from worker.store.people import HandOver
from worker.store.tables import ACKNOWLEDGEMENT, ARTICLE, HAND_OVER, MATCH, STORY, STORY_ARTICLE

#: Articles that are read of the stories of one page.
_MOST = 1_000
#: A moment, and the article that came then: the last story of a page, from which the next page goes on.
Place = tuple[datetime, int]
_LINE = (
    ARTICLE.c.id,
    ARTICLE.c.title,
    ARTICLE.c.origin,
    ARTICLE.c.name,
    ARTICLE.c.source,
    ARTICLE.c.of_id,
    ARTICLE.c.first_seen,
    ARTICLE.c.link,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An article in a list."""

    id: int
    #: None: it tells no story.
    story_id: int | None
    #: Its title, or what it is called without one.
    title: str
    source: str
    #: The original, where it is a copy.
    of_id: int | None
    first_seen: datetime
    #: As its feed gives it, of any scheme; or empty.
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStory:
    """A story that had articles in a span of time; an article without story stands for itself."""

    #: None: the last article tells no story.
    id: int | None
    title: str
    #: The last article of the span.
    last: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLine:
    """An article that a rule matched in a span of time."""

    rule_id: str
    rule_name: str
    severity: Severity
    created: datetime
    article: Line
    #: Empty where the article tells no story.
    story_title: str


def stories(
    tx: Tx, since: datetime, until: datetime, *, limit: int, after: Place | None = None, matched: bool = False
) -> tuple[DayStory, ...]:
    """The stories with articles that came in [since, until), the last one first; each stands where its last article is.

    `after`: only those behind that place; `matched`: only those of which a rule matched an article of the span. What
    was known before the first poll did not come in.
    """
    later, own = ARTICLE.alias("later"), STORY_ARTICLE.alias("own")
    followed = sa.exists().where(
        own.c.story_id == STORY_ARTICLE.c.story_id,
        own.c.article_id > ARTICLE.c.id,
        later.c.id == own.c.article_id,
        later.c.first_seen >= since,
        later.c.first_seen < until,
        later.c.origin == Origin.FEED,
    )
    query = (
        sa.select(*_LINE, STORY_ARTICLE.c.story_id, sa.func.coalesce(STORY.c.title, "").label("story_title"))
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
        .outerjoin(STORY, STORY.c.id == STORY_ARTICLE.c.story_id)
        .where(ARTICLE.c.first_seen >= since, ARTICLE.c.first_seen < until, ARTICLE.c.origin == Origin.FEED, ~followed)
        .order_by(ARTICLE.c.first_seen.desc(), ARTICLE.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        seen, number = after
        query = query.where(
            sa.or_(ARTICLE.c.first_seen < seen, sa.and_(ARTICLE.c.first_seen == seen, ARTICLE.c.id < number))
        )
    if matched:
        query = query.where(_is_matched(since, until))
    return tuple(
        DayStory(id=r.story_id, title=r.story_title or called(r.title, r.origin, r.name), last=_line(r))
        for r in tx.execute(query)
    )


def _is_matched(since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    """A rule matched the article, or another one of its story that came in the span."""
    other, place = ARTICLE.alias("other"), STORY_ARTICLE.alias("place")
    of_story = sa.exists().where(
        place.c.story_id == STORY_ARTICLE.c.story_id,
        MATCH.c.article_id == place.c.article_id,
        other.c.id == place.c.article_id,
        other.c.first_seen >= since,
        other.c.first_seen < until,
    )
    return sa.or_(sa.exists().where(MATCH.c.article_id == ARTICLE.c.id), of_story)


def articles(tx: Tx, story_ids: Collection[int], since: datetime, until: datetime) -> tuple[Line, ...]:
    """The articles of these stories that came in [since, until), the first one first; of very many, the last 1,000."""
    query = (
        sa.select(*_LINE, STORY_ARTICLE.c.story_id)
        .select_from(STORY_ARTICLE.join(ARTICLE, ARTICLE.c.id == STORY_ARTICLE.c.article_id))
        .where(
            STORY_ARTICLE.c.story_id.in_(list(story_ids)), ARTICLE.c.first_seen >= since, ARTICLE.c.first_seen < until
        )
        .order_by(ARTICLE.c.id.desc())
        .limit(_MOST)
    )
    return tuple(_line(r) for r in reversed(tx.execute(query).all()))


def matches(tx: Tx, since: datetime, until: datetime, *, limit: int) -> tuple[MatchLine, ...]:
    """Each article that a rule matched in [since, until) with its rule, once, the last one first."""
    first = (
        sa.select(MATCH.c.id).where(MATCH.c.created >= since, MATCH.c.created < until).order_by(MATCH.c.created.desc())
    )
    query = (
        sa.select(
            *_LINE,
            STORY_ARTICLE.c.story_id,
            sa.func.coalesce(STORY.c.title, "").label("story_title"),
            MATCH.c.rule_id,
            MATCH.c.rule_name,
            MATCH.c.severity,
            MATCH.c.created,
        )
        .select_from(MATCH.join(ARTICLE, ARTICLE.c.id == MATCH.c.article_id))
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
        .outerjoin(STORY, STORY.c.id == STORY_ARTICLE.c.story_id)
        .where(MATCH.c.id.in_(first.limit(limit)))
        .order_by(MATCH.c.created.desc(), MATCH.c.id.desc())
    )
    found: dict[tuple[str, int], MatchLine] = {}
    for r in tx.execute(query):
        line = MatchLine(
            rule_id=r.rule_id,
            rule_name=r.rule_name,
            severity=Severity(r.severity),
            created=r.created,
            article=_line(r),
            story_title=r.story_title,
        )
        found.setdefault((r.rule_id, r.id), line)
    return tuple(found.values())


def lines(tx: Tx, article_ids: Collection[int]) -> dict[int, Line]:
    """By id: these articles, as far as they are there."""
    query = (
        sa.select(*_LINE, STORY_ARTICLE.c.story_id)
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
        .where(ARTICLE.c.id.in_(list(article_ids)))
    )
    return {r.id: _line(r) for r in tx.execute(query)} if article_ids else {}


def copies(tx: Tx, article_id: int, *, limit: int) -> tuple[Line, ...]:
    """The original and the copies of the text that an article has, without itself, the first one first."""
    mine = sa.select(sa.func.coalesce(ARTICLE.c.of_id, ARTICLE.c.id)).where(ARTICLE.c.id == article_id)
    original = tx.execute(mine).scalar()
    query = (
        sa.select(*_LINE, STORY_ARTICLE.c.story_id)
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
        .where(sa.or_(ARTICLE.c.id == original, ARTICLE.c.of_id == original), ARTICLE.c.id != article_id)
        .order_by(ARTICLE.c.id)
        .limit(limit)
    )
    return tuple(_line(r) for r in tx.execute(query))


def matches_by_rule(tx: Tx, since: datetime, until: datetime) -> dict[str, int]:
    """By rule id: the matches of [since, until)."""
    return _counted(tx, MATCH.c.rule_id, MATCH.c.created, since, until)


def articles_by_feed(tx: Tx, since: datetime, until: datetime) -> dict[str, int]:
    """By feed's name: the articles that came in [since, until)."""
    return _counted(tx, ARTICLE.c.source, ARTICLE.c.first_seen, since, until)


def _counted(tx: Tx, what: sa.Column[Any], moment: sa.Column[Any], since: datetime, until: datetime) -> dict[str, int]:
    query = sa.select(what, sa.func.count()).where(moment >= since, moment < until).group_by(what)
    return {row[0]: int(row[1]) for row in tx.execute(query)}


def acknowledged(tx: Tx, listed: Collection[DayStory]) -> dict[int, str]:
    """By the last article of a story: who acknowledged it first."""
    return {number: r.author for number, r in reversed(_said(tx, ACKNOWLEDGEMENT, listed))}


def handed_over(tx: Tx, listed: Collection[DayStory]) -> dict[int, HandOver]:
    """By the last article of a story: the last hand-over, whose person has it."""
    return {
        number: HandOver(article_id=r.article_id, author=r.author, person=r.person, note=r.note, created=r.created)
        for number, r in _said(tx, HAND_OVER, listed)
    }


def _said(tx: Tx, table: sa.Table, listed: Collection[DayStory]) -> list[tuple[int, Any]]:
    """The rows that were written of any article of these stories, the oldest first, by the last article of each."""
    last = {one.id: one.last.id for one in listed if one.id is not None}
    alone = [one.last.id for one in listed if one.id is None]
    query = (
        sa.select(STORY_ARTICLE.c.story_id, table)
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == table.c.article_id)
        .where(sa.or_(STORY_ARTICLE.c.story_id.in_(list(last)), table.c.article_id.in_(alone)))
        .order_by(table.c.id)
    )
    return [(last.get(r.story_id, r.article_id), r) for r in tx.execute(query)]


def _line(r: Any) -> Line:
    return read_as(Line, r, title=called(r.title, r.origin, r.name))
