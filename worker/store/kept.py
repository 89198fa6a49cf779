"""Kept documents, and the articles that a store made of them: what a replay reads and compares."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from worker.model import EntryState, Origin
from worker.store.database import Tx, read_as
from worker.store.tables import ARTICLE, DOCUMENT, ENTRY, FEED, MATCH, REVISION, SEEN, STORY_ARTICLE

_MANY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDocument:
    """A document as it came; its bytes are `entries.raw` of its hash, unless they were dropped since."""

    #: `model.Feed.id`, and the feed's name.
    feed: str
    name: str
    at: datetime
    sha256: str
    #: Where it was found; empty: at the feed's own address.
    url: str
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeArticle:
    """An article as a store holds it, in its newest text."""

    id: int
    first_seen: datetime
    source: str
    title: str
    body: str
    language: str
    published: datetime
    link: str
    #: The article that it is a copy of.
    of: int | None
    story: int | None
    #: The spans that prove each rule's newest match, as stored, by rule id.
    matches: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The text of an entry's page, and what stood behind it."""

    text: str
    teasers: str


def first(tx: Tx) -> datetime | None:
    """The time since which documents are kept."""
    found: datetime | None = tx.execute(sa.select(sa.func.min(DOCUMENT.c.at))).scalar()
    return found


def documents(tx: Tx, since: datetime) -> tuple[KeptDocument, ...]:
    """The documents of all feeds since then, in the order they came; those that could not be read, too."""
    query = (
        sa.select(DOCUMENT, FEED.c.key, FEED.c.name)
        .join(FEED, FEED.c.id == DOCUMENT.c.feed_id)
        .where(DOCUMENT.c.at >= since)
        .order_by(DOCUMENT.c.id)
    )
    return tuple(read_as(KeptDocument, r, feed=r.key) for r in tx.execute(query))


def articles(tx: Tx, since: datetime | None = None) -> dict[int, MadeArticle]:
    """The articles of feeds, by id; with `since` those that were first seen since then."""
    mine = sa.and_(ARTICLE.c.origin == Origin.FEED, sa.true() if since is None else ARTICLE.c.first_seen >= since)
    newest = sa.and_(REVISION.c.article_id == ARTICLE.c.id, REVISION.c.number == ARTICLE.c.revision)
    query = (
        sa.select(ARTICLE, REVISION.c.body, STORY_ARTICLE.c.story_id)
        .join(REVISION, newest)
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
        .where(mine)
        .order_by(ARTICLE.c.id)
    )
    found = {r.id: read_as(MadeArticle, r, of=r.of_id, story=r.story_id, matches={}) for r in tx.execute(query)}
    matched = sa.select(MATCH).join(ARTICLE, ARTICLE.c.id == MATCH.c.article_id).where(mine)
    for r in tx.execute(matched.order_by(MATCH.c.revision_id)):
        if r.article_id in found:
            found[r.article_id].matches[r.rule_id] = r.spans
    return found


def known_by(tx: Tx) -> dict[int, tuple[str, list[str]]]:
    """By article that a feed gave: the feed's id, and the keys by which the entry is known, as they are stored."""
    query = (
        sa.select(ENTRY.c.article_id, FEED.c.key.label("feed"), SEEN.c.key)
        .join(SEEN, SEEN.c.entry_id == ENTRY.c.id)
        .join(FEED, FEED.c.id == ENTRY.c.feed_id)
        .where(ENTRY.c.article_id.is_not(None))
    )
    found: dict[int, tuple[str, list[str]]] = {}
    for r in tx.execute(query):
        found.setdefault(r.article_id, (r.feed, []))[1].append(r.key)
    return found


def articles_by_key(tx: Tx, feed: str, keys: Collection[str]) -> dict[str, int | None]:
    """The article of each known key of a feed, by the form of `known_by`; None: not made yet, or forgotten.

    A key is left out whose entry came to its end without an article.
    """
    ended = ENTRY.c.state.in_((EntryState.DONE, EntryState.QUARANTINED))
    without = sa.and_(ENTRY.c.id.is_not(None), ENTRY.c.article_id.is_(None), ended)
    query = (
        sa.select(SEEN.c.key, ENTRY.c.article_id)
        .join(FEED, FEED.c.id == SEEN.c.feed_id)
        .outerjoin(ENTRY, ENTRY.c.id == SEEN.c.entry_id)
        .where(FEED.c.key == feed, ~without)
    )
    wanted = sorted(keys)
    found: dict[str, int | None] = {}
    for at in range(0, len(wanted), _MANY):
        rows = tx.execute(query.where(SEEN.c.key.in_(wanted[at : at + _MANY])))
        found |= {r.key: r.article_id for r in rows}
    return found


def pages(tx: Tx, feed: str, keys: Collection[str]) -> dict[str, Page]:
    """The page of each entry of a feed that has one, by those of its keys."""
    query = (
        sa.select(SEEN.c.key, ENTRY.c.page_text, ENTRY.c.page_teasers)
        .join(ENTRY, ENTRY.c.id == SEEN.c.entry_id)
        .join(FEED, FEED.c.id == ENTRY.c.feed_id)
        .where(FEED.c.key == feed, ENTRY.c.page_text != "")
    )
    wanted = sorted(keys)
    found: dict[str, Page] = {}
    for at in range(0, len(wanted), _MANY):
        rows = tx.execute(query.where(SEEN.c.key.in_(wanted[at : at + _MANY])))
        found |= {r.key: Page(text=r.page_text, teasers=r.page_teasers) for r in rows}
    return found


def waiting(tx: Tx, feed: str) -> dict[str, int]:
    """The entries of a feed of which articles are to be made, by each of their keys."""
    query = (
        sa.select(SEEN.c.key, ENTRY.c.id)
        .join(ENTRY, ENTRY.c.id == SEEN.c.entry_id)
        .join(FEED, FEED.c.id == ENTRY.c.feed_id)
        .where(FEED.c.key == feed, ENTRY.c.state == EntryState.READY)
    )
    return {r.key: r.id for r in tx.execute(query)}
