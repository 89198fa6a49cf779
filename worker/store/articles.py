"""Articles, their revisions, and what copies of them are recognised by."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.analysis.copies import Fingerprint
from worker.analysis.text import Document
from worker.model import Article, Cut, CutKind, Novelty, Origin
from worker.store import fingerprints, search
from worker.store.database import Tx
from worker.store.deferred import defer, next_id
from worker.store.repeated import learn, sources_of
from worker.store.tables import ARTICLE, REVISION

_NEWEST = (ARTICLE.c.first_seen.desc(), ARTICLE.c.published.desc(), ARTICLE.c.id.desc())


# Made once: SQLAlchemy takes longer to make a statement of values than the database to store them.
_ADD_ARTICLE = sa.insert(ARTICLE)
_ADD_REVISION = sa.insert(REVISION)
_ALL = sa.select(ARTICLE, sa.func.coalesce(REVISION.c.body, "").label("body")).outerjoin(
    REVISION, sa.and_(REVISION.c.article_id == ARTICLE.c.id, REVISION.c.number == ARTICLE.c.revision)
)
_ONE = _ALL.where(ARTICLE.c.id == sa.bindparam("one"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArticle:
    """An article and its newest text, for people and for rendering."""

    id: int
    origin: Origin
    name: str
    article: Article
    precision: str
    novelty: str
    of_id: int | None
    score: float
    why: str
    revision: int


def add(  # noqa: PLR0913 - an article comes with all of this, and nothing else belongs together
    tx: Tx,
    article: Article,
    fingerprint: Fingerprint,
    novelty: Novelty,
    *,
    origin: Origin,
    name: str = "",
    precision: str = "",
    entry_id: int | None = None,
    document: Document | None = None,
    now: datetime,
) -> tuple[int, int]:
    """Store an article with its first revision; returns both ids. The archive's have no text: revision id 0.

    `document`: its words, if they are known already.
    """
    has_text = bool(article.body or origin is not Origin.ARCHIVE)
    values = {
        "origin": origin,
        "name": name,
        "url": article.url,
        "link": article.link,
        "source": article.source,
        "language": article.language,
        "title": article.title,
        "published": article.published,
        "precision": precision,
        "first_seen": article.first_seen,
        "novelty": novelty.kind,
        "of_id": novelty.of,
        "score": novelty.score,
        "why": novelty.why,
        "revision": int(has_text),
    }
    article_id = next_id(tx, ARTICLE)
    defer(tx, ARTICLE.name, _ADD_ARTICLE, {"id": article_id, **values})
    fingerprints.add(tx, article_id, int(has_text), fingerprint, indexed=novelty.of is None)
    if novelty.of is None:
        learn(tx, article_id, sources_of(article.source, article.url), fingerprint)
    search.put(tx, article_id, article, document)
    if not has_text:
        return article_id, 0
    return article_id, _add_revision(tx, article_id, 1, article, entry_id, now)


def revise(
    tx: Tx,
    article_id: int,
    article: Article,
    fingerprint: Fingerprint,
    *,
    entry_id: int,
    of_id: int | None,
    document: Document | None = None,
    now: datetime,
) -> int:
    """Give an article its next text; returns the revision's id. `of_id`: the original, while it is a duplicate."""
    search.forget(tx, [article_id])
    number = int(
        tx.execute(
            sa.update(ARTICLE)
            .where(ARTICLE.c.id == article_id)
            .values(
                revision=ARTICLE.c.revision + 1,
                title=article.title,
                language=article.language,
                link=article.link,
                url=article.url,
                of_id=of_id,
            )
            .returning(ARTICLE.c.revision)
        ).scalar_one()
    )
    # Those of the texts before stay: other outlets go on copying what this one has corrected.
    fingerprints.add(tx, article_id, number, fingerprint, indexed=of_id is None)
    if of_id is None:
        learn(tx, article_id, sources_of(article.source, article.url), fingerprint)
    search.put(tx, article_id, article, document)
    return _add_revision(tx, article_id, number, article, entry_id, now)


def _add_revision(tx: Tx, article_id: int, number: int, article: Article, entry_id: int | None, now: datetime) -> int:
    revision_id = next_id(tx, REVISION)
    values = {
        "id": revision_id,
        "article_id": article_id,
        "number": number,
        "title": article.title,
        "body": article.body,
        "entry_id": entry_id,
        "created": now,
        "cut": _written(article.cut),
    }
    defer(tx, REVISION.name, _ADD_REVISION, values)
    return revision_id


def origin(tx: Tx, article_id: int) -> Origin:
    """An article's way into the store."""
    return Origin(tx.execute(sa.select(ARTICLE.c.origin).where(ARTICLE.c.id == article_id)).scalar_one())


def names(tx: Tx, kind: Origin, among: Collection[str]) -> frozenset[str]:
    """Those of `among` that are names of articles of that origin: what need not be imported again."""
    query = sa.select(ARTICLE.c.name).where(ARTICLE.c.name.in_(list(among)), ARTICLE.c.origin == kind)
    return frozenset(tx.execute(query).scalars())


def _stored(r: sa.Row[tuple[object, ...]]) -> StoredArticle:
    return StoredArticle(
        id=r.id,
        origin=Origin(r.origin),
        name=r.name,
        precision=r.precision,
        novelty=r.novelty,
        of_id=r.of_id,
        score=r.score,
        why=r.why,
        revision=r.revision,
        article=Article(
            title=r.title,
            body=r.body,
            language=r.language,
            published=r.published,
            first_seen=r.first_seen,
            url=r.url,
            link=r.link,
            source=r.source,
        ),
    )


def get(tx: Tx, article_id: int) -> StoredArticle | None:
    """One article by id."""
    row = tx.execute(_ONE, {"one": article_id}).one_or_none()
    return None if row is None else _stored(row)


def find(tx: Tx, words: str, url: str, *, limit: int = 10) -> tuple[StoredArticle, ...]:
    """Articles of that name or address; else whose title, else whose text holds the words: originals, then newest."""
    order = (ARTICLE.c.of_id.is_not(None), *_NEWEST)
    is_it = sa.or_(ARTICLE.c.name == words, sa.and_(ARTICLE.c.url == url, ARTICLE.c.url != ""), ARTICLE.c.link == words)
    terms = search.read(words)
    for condition in (is_it, search.holds(tx, terms, in_title=True), search.holds(tx, terms)):
        if found := first(tx, condition, order, limit):
            return found
    return ()


def newest(tx: Tx, *, limit: int, containing: str = "") -> tuple[StoredArticle, ...]:
    """The articles that were last seen first, of one poll the last published; with all the words `containing`."""
    condition = search.holds(tx, search.read(containing)) if containing else sa.true()
    return first(tx, condition, _NEWEST, limit)


def first(
    tx: Tx, condition: sa.ColumnElement[bool], order: Sequence[sa.ColumnElement[Any]], limit: int
) -> tuple[StoredArticle, ...]:
    """The first articles of those; sorted without their texts, which are long."""
    first = sa.select(ARTICLE.c.id).where(condition).order_by(*order).limit(limit)
    return tuple(_stored(row) for row in tx.execute(_ALL.where(ARTICLE.c.id.in_(first)).order_by(*order)))


def revisions(tx: Tx, article_id: int) -> Sequence[datetime]:
    """The times of an article's texts, first to last."""
    query = sa.select(REVISION.c.created).where(REVISION.c.article_id == article_id).order_by(REVISION.c.number)
    return tx.execute(query).scalars().all()


def cut_of(tx: Tx, article_id: int, number: int) -> tuple[Cut, ...]:
    """The parts that cleaning took out of one text of an article."""
    query = sa.select(REVISION.c.cut).where(REVISION.c.article_id == article_id, REVISION.c.number == number)
    written = tx.execute(query).scalar()
    return tuple(Cut(kind=CutKind(kind), text=text) for kind, text in json.loads(written)) if written else ()


def _written(cut: Sequence[Cut]) -> str:
    return json.dumps([[one.kind, one.text] for one in cut], ensure_ascii=False) if cut else ""


def text_of(tx: Tx, article_id: int, number: int) -> tuple[str, str] | None:
    """Title and body of one text of an article; None if it has none of that number."""
    query = sa.select(REVISION.c.title, REVISION.c.body)
    found = tx.execute(query.where(REVISION.c.article_id == article_id, REVISION.c.number == number)).one_or_none()
    return None if found is None else (found.title, found.body)
