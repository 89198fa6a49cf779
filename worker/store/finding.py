"""Finds articles by words of the index and by what is known of them, the last published first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.store import articles, search
from worker.store.articles import StoredArticle
from worker.store.database import Tx
from worker.store.tables import ARTICLE, ENTRY, FEED, MATCH, STORY_ARTICLE

_ORDER = (ARTICLE.c.published.desc(), ARTICLE.c.id.desc())


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Properties that an article must have; empty: any will do."""

    #: Published in [since, until).
    since: datetime | None = None
    until: datetime | None = None
    #: The name under which it was published.
    outlet: str = ""
    #: Keys of feeds, one of which brought it; None: any.
    feeds: Collection[str] | None = None
    #: BCP 47 primary tag.
    language: str = ""
    #: A rule that matched it when it came.
    rule: str = ""
    story: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """An article's place in the order of search."""

    published: datetime
    id: int


def place_of(one: StoredArticle) -> Place:
    """The place of an article that was found."""
    return Place(one.article.published, one.id)


def found(
    tx: Tx,
    question: search.Asked | None,
    filters: Filters,
    *,
    limit: int,
    after: Place | None = None,
) -> tuple[StoredArticle, ...]:
    """The articles whose newest text holds what is asked for, as the index has it; `after`: those behind it."""
    asked = [search.holds_all_of(tx, question), *_conditions(filters)]
    if after is not None:
        older = ARTICLE.c.published < after.published
        asked.append(sa.or_(older, sa.and_(ARTICLE.c.published == after.published, ARTICLE.c.id < after.id)))
    return articles.first(tx, sa.and_(*asked), _ORDER, limit)


def languages(tx: Tx) -> tuple[str, ...]:
    """The languages of all articles, sorted; each is one step on their index, however many articles there are."""
    first = sa.select(sa.func.min(ARTICLE.c.language).label("language")).cte("step", recursive=True)
    following = sa.select(sa.func.min(ARTICLE.c.language)).where(ARTICLE.c.language > first.c.language)
    steps = first.union_all(sa.select(following.scalar_subquery()).where(first.c.language.is_not(None)))
    found = tx.execute(sa.select(steps.c.language).where(steps.c.language != "")).scalars()
    return tuple(sorted(found))


def _conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    asked: list[sa.ColumnElement[bool]] = []
    if filters.since is not None:
        asked.append(ARTICLE.c.published >= filters.since)
    if filters.until is not None:
        asked.append(ARTICLE.c.published < filters.until)
    if filters.outlet:
        asked.append(ARTICLE.c.source == filters.outlet)
    if filters.language:
        # Not by its index, which half of all articles may share.
        asked.append(ARTICLE.c.language.concat("") == filters.language)
    if filters.feeds is not None:
        theirs = sa.select(FEED.c.id).where(FEED.c.key.in_(list(filters.feeds)))
        asked.append(sa.exists().where(ENTRY.c.article_id == ARTICLE.c.id, ENTRY.c.feed_id.in_(theirs)))
    if filters.rule:
        asked.append(sa.exists().where(MATCH.c.article_id == ARTICLE.c.id, MATCH.c.rule_id == filters.rule))
    if filters.story is not None:
        theirs = sa.select(STORY_ARTICLE.c.article_id).where(STORY_ARTICLE.c.story_id == filters.story)
        asked.append(ARTICLE.c.id.in_(theirs))
    return asked
