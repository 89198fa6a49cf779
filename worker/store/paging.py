"""Articles by their properties, part by part: each part begins behind the place where the one before it ended."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.store import articles, search
from worker.store.articles import StoredArticle
from worker.store.database import Tx
from worker.store.tables import ARTICLE, MATCH, STORY_ARTICLE

#: When the last one was published, and its id.
Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Properties that articles must have; what is left empty is not asked for."""

    words: str = ""
    #: Published in [since, until).
    since: datetime | None = None
    until: datetime | None = None
    outlet: str = ""
    rule: str = ""
    story: int | None = None


def found(tx: Tx, filters: Filters, *, limit: int, after: Place | None = None) -> tuple[StoredArticle, ...]:
    """The articles with those properties, the last published first."""
    where: list[sa.ColumnElement[bool]] = []
    if filters.words:
        where.append(search.holds(tx, search.read(filters.words)))
    if filters.since is not None:
        where.append(ARTICLE.c.published >= filters.since)
    if filters.until is not None:
        where.append(ARTICLE.c.published < filters.until)
    if filters.outlet:
        where.append(ARTICLE.c.source == filters.outlet)
    if filters.rule:
        where.append(ARTICLE.c.id.in_(sa.select(MATCH.c.article_id).where(MATCH.c.rule_id == filters.rule)))
    if filters.story is not None:
        told = sa.select(STORY_ARTICLE.c.article_id).where(STORY_ARTICLE.c.story_id == filters.story)
        where.append(ARTICLE.c.id.in_(told))
    if after is not None:
        published, number = after
        same = sa.and_(ARTICLE.c.published == published, ARTICLE.c.id < number)
        where.append(sa.or_(ARTICLE.c.published < published, same))
    order = (ARTICLE.c.published.desc(), ARTICLE.c.id.desc())
    ids = tx.execute(sa.select(ARTICLE.c.id).where(*where).order_by(*order).limit(limit)).scalars().all()
    return tuple(one for number in ids if (one := articles.get(tx, number)) is not None)
