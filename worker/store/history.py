"""Stored texts in the order they came, for rules to be run over them again."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.analysis.copies import Fingerprint
from worker.model import Article, Novelty, NoveltyKind, Origin
from worker.store import search
from worker.store.database import Tx
from worker.store.tables import ARTICLE, ENTRY, FEED, FINGERPRINT, REVISION, STORY_ARTICLE

#: Articles that are asked for in one statement.
_MANY = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PastText:
    """One text of an article, and how it stood to the others when it came."""

    article_id: int
    article: Article
    origin: Origin
    novelty: Novelty
    #: How the original came, where the article is a duplicate.
    original: Origin | None
    #: Key of the feed it came from; empty where it came from none.
    feed: str
    #: The entry stood in the feed at its first poll.
    backlog: bool
    #: The story that the article tells by now.
    story_id: int | None = None


def count(tx: Tx, since: datetime) -> int:
    """The number of texts that `texts` will yield."""
    query = sa.select(sa.func.count()).select_from(REVISION.join(ARTICLE, REVISION.c.article_id == ARTICLE.c.id))
    return int(tx.execute(query.where(ARTICLE.c.published >= since)).scalar_one())


def texts(tx: Tx, since: datetime, *, page: int = 200) -> Iterator[PastText]:
    """Every text of the articles published since then, in the order they came; a few at a time in memory."""
    query = _texts().where(ARTICLE.c.published >= since).limit(page)
    last = 0
    while rows := tx.execute(query.where(REVISION.c.id > last)).all():
        yield from map(_text, rows)
        last = rows[-1].revision_id


def some_texts(tx: Tx, numbers: Collection[int]) -> tuple[PastText, ...]:
    """The texts of these numbers that are still stored, in the order they came."""
    return tuple(map(_text, tx.execute(_texts().where(REVISION.c.id.in_(numbers)))))


def numbers(tx: Tx, since: datetime, asked: search.Asked | None, *, limit: int) -> Sequence[int]:
    """The numbers of the texts of articles published since then that may hold what is asked for: the last `limit`.

    A few may be of articles that were published before, and came late. The index knows the newest text of an article;
    where there are others, all count that hold the words or do not.
    """
    if asked is None:
        return _numbers(tx, since, sa.true(), limit)
    # The sum keeps databases from looking for the least number among all articles instead of the last ones' dates.
    first = tx.execute(sa.select(sa.func.min(ARTICLE.c.id + 0)).where(ARTICLE.c.published >= since)).scalar()
    if first is None:
        return ()
    revised = sa.select(REVISION.c.article_id).where(REVISION.c.number > 1, REVISION.c.article_id >= first)
    found = set(_numbers(tx, since, ARTICLE.c.id.in_(revised), limit))
    # Of common words that is much less than all that hold them; each article has a text, so `limit` are enough.
    ids = search.ids(tx, asked, first=first, limit=limit)
    for start in range(0, len(ids), _MANY):
        # Without a look at the articles themselves, which lie all over the disk.
        some = sa.select(REVISION.c.id).where(REVISION.c.article_id.in_(ids[start : start + _MANY]))
        found.update(tx.execute(some).scalars())
    return sorted(found)[-limit:]


def _numbers(tx: Tx, since: datetime, condition: sa.ColumnElement[bool], limit: int) -> Sequence[int]:
    joined = REVISION.join(ARTICLE, REVISION.c.article_id == ARTICLE.c.id)
    query = sa.select(REVISION.c.id).select_from(joined).where(condition, ARTICLE.c.published >= since)
    return tx.execute(query.order_by(REVISION.c.id.desc()).limit(limit)).scalars().all()


def _texts() -> sa.Select[tuple[object, ...]]:
    original = ARTICLE.alias("original")
    joined = (
        REVISION.join(ARTICLE, REVISION.c.article_id == ARTICLE.c.id)
        .outerjoin(ENTRY, REVISION.c.entry_id == ENTRY.c.id)
        .outerjoin(FEED, ENTRY.c.feed_id == FEED.c.id)
        .outerjoin(original, ARTICLE.c.of_id == original.c.id)
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
    )
    return (
        sa.select(
            REVISION.c.id.label("revision_id"),
            REVISION.c.number,
            REVISION.c.title.label("text_title"),
            REVISION.c.body,
            ARTICLE,
            FEED.c.key.label("feed"),
            sa.func.coalesce(ENTRY.c.backlog, False).label("backlog"),
            original.c.origin.label("original_origin"),
            STORY_ARTICLE.c.story_id,
        )
        .select_from(joined)
        .order_by(REVISION.c.id)
    )


def _text(r: sa.Row[tuple[object, ...]]) -> PastText:
    kind = NoveltyKind(r.novelty) if r.number == 1 else NoveltyKind.UPDATE
    return PastText(
        article_id=r.id,
        article=Article(
            title=r.text_title,
            body=r.body,
            language=r.language,
            published=r.published,
            first_seen=r.first_seen,
            url=r.url,
            link=r.link,
            source=r.source,
        ),
        origin=Origin(r.origin),
        novelty=Novelty(kind=kind, of=r.of_id, score=r.score, why=r.why),
        original=None if r.original_origin is None else Origin(r.original_origin),
        feed=r.feed or "",
        backlog=bool(r.backlog),
        story_id=r.story_id,
    )


def fingerprints(tx: Tx, article_id: int) -> tuple[Fingerprint, ...]:
    """The fingerprints of an article's texts, first to last, without their bands."""
    query = sa.select(FINGERPRINT).where(FINGERPRINT.c.article_id == article_id).order_by(FINGERPRINT.c.revision)
    return tuple(
        Fingerprint(scheme=r.scheme, digest=r.digest, shingles=r.shingles, bands=(), facts=r.facts, words=r.words)
        for r in tx.execute(query)
    )
