"""The texts that were stored, in the order they came: what rules can be run over again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.analysis.copies import Fingerprint
from worker.model import Article, Novelty, NoveltyKind, Origin
from worker.store.database import Tx
from worker.store.tables import ArticleRow, EntryRow, FeedRow, FingerprintRow, RevisionRow, StoryArticleRow

_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_entry: sa.Table = EntryRow.__table__  # type: ignore[attr-defined]  # as above
_feed: sa.Table = FeedRow.__table__  # type: ignore[attr-defined]  # as above
_fingerprint: sa.Table = FingerprintRow.__table__  # type: ignore[attr-defined]  # as above
_revision: sa.Table = RevisionRow.__table__  # type: ignore[attr-defined]  # as above

_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # as above


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
    query = sa.select(sa.func.count()).select_from(_revision.join(_article, _revision.c.article_id == _article.c.id))
    return int(tx.execute(query.where(_article.c.published >= since)).scalar_one())


def texts(tx: Tx, since: datetime, *, page: int = 200) -> Iterator[PastText]:
    """Every text of the articles published since then, in the order they came; a few at a time in memory."""
    original = _article.alias("original")
    joined = (
        _revision.join(_article, _revision.c.article_id == _article.c.id)
        .outerjoin(_entry, _revision.c.entry_id == _entry.c.id)
        .outerjoin(_feed, _entry.c.feed_id == _feed.c.id)
        .outerjoin(original, _article.c.of_id == original.c.id)
        .outerjoin(_told, _told.c.article_id == _article.c.id)
    )
    query = (
        sa.select(
            _revision.c.id.label("revision_id"),
            _revision.c.number,
            _revision.c.title.label("text_title"),
            _revision.c.body,
            _article,
            _feed.c.key.label("feed"),
            sa.func.coalesce(_entry.c.backlog, False).label("backlog"),
            original.c.origin.label("original_origin"),
            _told.c.story_id,
        )
        .select_from(joined)
        .where(_article.c.published >= since)
        .order_by(_revision.c.id)
        .limit(page)
    )
    last = 0
    while rows := tx.execute(query.where(_revision.c.id > last)).all():
        yield from map(_text, rows)
        last = rows[-1].revision_id


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
    query = sa.select(_fingerprint).where(_fingerprint.c.article_id == article_id).order_by(_fingerprint.c.revision)
    return tuple(
        Fingerprint(scheme=r.scheme, digest=r.digest, shingles=r.shingles, bands=(), facts=r.facts, words=r.words)
        for r in tx.execute(query)
    )
