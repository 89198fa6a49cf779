"""What came into the store since a snapshot: all that can change what was decided on the snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from worker.store.articles import unpacked
from worker.store.database import Tx
from worker.store.tables import (
    ArticleRow,
    FingerprintRow,
    RevisionRow,
    SchemeRow,
    StoryArticleRow,
    StoryHandRow,
    StoryKeyRow,
    StoryRow,
)

_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_revision: sa.Table = RevisionRow.__table__  # type: ignore[attr-defined]  # as above
_fingerprint: sa.Table = FingerprintRow.__table__  # type: ignore[attr-defined]  # as above
_story: sa.Table = StoryRow.__table__  # type: ignore[attr-defined]  # as above
_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # as above
_key: sa.Table = StoryKeyRow.__table__  # type: ignore[attr-defined]  # as above
_hand: sa.Table = StoryHandRow.__table__  # type: ignore[attr-defined]  # as above
_scheme: sa.Table = SchemeRow.__table__  # type: ignore[attr-defined]  # as above


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest rows of a snapshot. Ids are given under the ingest lock, so that a higher one is a later one."""

    article: int
    revision: int
    #: What a person decided of stories.
    hand: int
    #: How far stories were judged again, while they are.
    judged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Newer:
    """What articles that are newer than a snapshot, or have a newer text, are found by."""

    articles: set[int] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    #: `articles.band_keys`.
    bands: set[int] = field(default_factory=set)
    #: Of each article that later ones are compared with: when it was published, and its story keys.
    keys: list[tuple[datetime, frozenset[int]]] = field(default_factory=list)
    #: Stories that they tell, those that were merged into one of these, and the groups of both.
    stories: set[int] = field(default_factory=set)
    #: Stories are others than the articles say: a person decided of some, or they were judged again.
    rearranged: bool = False


def newest(tx: Tx) -> Newest:
    """The newest rows that this transaction sees."""
    article, revision, hand, judged = tx.execute(
        sa.select(
            sa.select(sa.func.max(_article.c.id)).scalar_subquery(),
            sa.select(sa.func.max(_revision.c.id)).scalar_subquery(),
            sa.select(sa.func.max(_hand.c.id)).scalar_subquery(),
            sa.select(sa.func.max(_scheme.c.reached)).scalar_subquery(),
        )
    ).one()
    return Newest(article=article or 0, revision=revision or 0, hand=hand or 0, judged=judged or 0)


def newer(tx: Tx, than: Newest) -> Newer:
    """What came after a snapshot; to be asked under the ingest lock, where nothing more can come."""
    now = newest(tx)
    found = Newer(rearranged=(now.hand, now.judged) != (than.hand, than.judged))
    if (now.article, now.revision) == (than.article, than.revision):
        return found
    added = sa.select(_article.c.id).where(_article.c.id > than.article)
    revised = sa.select(_revision.c.article_id).where(_revision.c.id > than.revision)
    ids = sorted(tx.execute(sa.union(added, revised)).scalars())
    for at in range(0, len(ids), 500):
        _read(tx, ids[at : at + 500], found)
    return found


def _read(tx: Tx, ids: list[int], found: Newer) -> None:
    def column(wanted: sa.Column[object], whose: sa.Column[object]) -> Iterable[object]:
        return tx.execute(sa.select(wanted).where(whose.in_(ids))).scalars()

    found.articles.update(ids)
    found.digests.update(map(str, column(_fingerprint.c.digest, _fingerprint.c.article_id)))
    found.urls.update(str(url) for url in column(_article.c.url, _article.c.id) if url)
    for packed in tx.execute(sa.select(_fingerprint.c.bands).where(_fingerprint.c.article_id.in_(ids))).scalars():
        found.bands.update(unpacked(packed))
    query = sa.select(_told.c.article_id, _told.c.story_id, _told.c.published)
    told = tx.execute(query.where(_told.c.article_id.in_(ids), _told.c.vector != b"")).all()
    keys: dict[int, set[int]] = {row.article_id: set() for row in told}
    for row in tx.execute(sa.select(_key.c.article_id, _key.c.term).where(_key.c.article_id.in_(keys))):
        keys[row.article_id].add(row.term)
    found.keys.extend((row.published, frozenset(keys[row.article_id])) for row in told)
    stories = {row.story_id for row in told}
    if stories:
        roots = sa.select(sa.func.coalesce(_story.c.perhaps_id, _story.c.id)).where(_story.c.id.in_(stories))
        near = (_story.c.merged_into.in_(stories), _story.c.perhaps_id.in_(roots), _story.c.id.in_(roots))
        found.stories.update(stories, tx.execute(sa.select(_story.c.id).where(sa.or_(*near))).scalars())
