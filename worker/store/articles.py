"""Articles, their revisions, and what copies of them are recognised by."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.analysis.copies import Candidate, Fingerprint
from worker.analysis.text import Document
from worker.model import Article, Cut, CutKind, Novelty, Origin
from worker.store import search
from worker.store.database import Tx
from worker.store.repeated import learn, sources_of
from worker.store.tables import ARTICLE, BAND, FINGERPRINT, REVISION

_NEWEST = (ARTICLE.c.first_seen.desc(), ARTICLE.c.published.desc(), ARTICLE.c.id.desc())

#: Candidates that are compared exactly; more share a band only in a store full of one template.
MAX_CANDIDATES = 64
_MAX_SHARING = 256


def _near(sharing: str) -> sa.TextualSelect:
    """Possible originals of a text; one statement, since each costs more than its work.

    `sharing`: the articles `id` of each band, once for each. `+` keeps SQLite from the index of `of_id`, which is empty
    for nearly all.
    """
    types: dict[str, Any] = {
        "article_id": sa.Integer,
        "of_id": sa.Integer,
        "published": ARTICLE.c.published.type,
        "url": sa.Text,
        "source": sa.Text,
        "title": sa.Text,
        "scheme": sa.Integer,
    }
    types |= {"digest": sa.Text, "shingles": sa.LargeBinary, "facts": sa.Text, "words": sa.Integer}
    return (
        sa.text(f"""
        WITH near(id) AS (
            SELECT article_id FROM (
                SELECT article_id FROM fingerprint WHERE digest = :digest ORDER BY article_id LIMIT :sharing
            ) AS same UNION SELECT id FROM (
                SELECT id FROM article WHERE url = :url AND CAST(:url AS text) <> '' ORDER BY id LIMIT :sharing
            ) AS there UNION SELECT id FROM (
                SELECT id FROM ({sharing}) AS k GROUP BY id ORDER BY count(*) DESC, id LIMIT :most
            ) AS like_it
        )
        SELECT coalesce(a.of_id, a.id) AS article_id, a.of_id, a.published, a.url, a.source,
            coalesce(r.title, a.title) AS title, f.scheme, f.digest, f.shingles, f.facts, f.words
        FROM near CROSS JOIN article AS a CROSS JOIN fingerprint AS f
        LEFT JOIN revision AS r ON r.article_id = f.article_id AND r.number = f.revision
        LEFT JOIN article AS o ON o.id = a.of_id
        WHERE a.id = near.id AND f.article_id = near.id AND coalesce(a.of_id, a.id) <> :but
            AND (+a.of_id IS NULL OR (f.digest = :digest AND o.of_id IS NULL))
        ORDER BY f.article_id, f.revision
        """)  # noqa: S608 - of two texts of ours
        .bindparams(sharing=_MAX_SHARING, most=MAX_CANDIDATES)
        .columns(**types)
    )


# SQLite has no LATERAL, but its json_each is one.
_NEAR_SQLITE = _near(
    "SELECT a.value AS id FROM json_each(:bands) AS v, json_each((SELECT json_group_array(article_id) FROM "
    "(SELECT article_id FROM band WHERE value = v.value ORDER BY article_id DESC LIMIT :sharing))) AS a"
)
_NEAR_POSTGRESQL = _near(
    "SELECT b.article_id AS id FROM unnest(CAST(:bands AS bigint[])) AS v(value) CROSS JOIN LATERAL "
    "(SELECT article_id FROM band WHERE band.value = v.value ORDER BY article_id DESC LIMIT :sharing) AS b"
)
_ADD_BANDS_SQLITE = sa.text(
    "INSERT INTO band (value, article_id) SELECT v.value, :article FROM json_each(:bands) AS v WHERE true "
    "ON CONFLICT DO NOTHING"
)
_ADD_BANDS_POSTGRESQL = sa.text(
    "INSERT INTO band (value, article_id) SELECT v.value, CAST(:article AS integer) "
    "FROM unnest(CAST(:bands AS bigint[])) AS v(value) ON CONFLICT DO NOTHING"
)
# Made once: SQLAlchemy takes longer to make a statement of values than the database to store them.
_ADD_ARTICLE = sa.insert(ARTICLE).returning(ARTICLE.c.id)
_ADD_FINGERPRINT = sa.insert(FINGERPRINT)
_ADD_REVISION = sa.insert(REVISION).returning(REVISION.c.id)

#: Bits of a band that the index keeps, from the left: among a million articles one text in 100,000 finds one by chance.
_BAND_BITS = 48


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


def candidates(tx: Tx, fingerprint: Fingerprint, *, url: str, exclude: int | None) -> tuple[Candidate, ...]:
    """The articles that may be the original of a text: same digest, same address, or most bands in common.

    A duplicate is never an original: copies of copies lead to the first. One of the same title and text stands for its
    original, which may have had another title. An article that had several texts is there once for each. Of a band that
    very many articles have, as a slogan that an outlet puts under each, only the newest are looked at: it would cost
    more with every year, and tells nothing.
    """
    asked = {"digest": fingerprint.digest, "url": url, "but": exclude or 0}
    keys = sorted(band_keys(fingerprint.bands))
    if tx.dialect.name == "sqlite":
        rows = tx.execute(_NEAR_SQLITE, {"bands": json.dumps(keys), **asked})
    else:
        rows = tx.execute(_NEAR_POSTGRESQL, {"bands": keys, **asked})
    title = fingerprint.title_digest
    return tuple(
        Candidate(
            article_id=r.article_id,
            published=r.published,
            title=r.title,
            same_url=bool(url) and r.url == url,
            sources=sources_of(r.source, r.url),
            fingerprint=found,
        )
        for r in rows
        for found in [_without_bands(r)]
        if r.of_id is None or (title and found.title_digest == title)
    )


def band_keys(bands: Iterable[int]) -> frozenset[int]:
    """The index's keys of bands: two articles that share a band share its key."""
    return frozenset(band >> 64 - _BAND_BITS for band in bands)


def packed(keys: Iterable[int]) -> bytes:
    """Keys of bands as the fingerprint's row keeps them, by which they are found when the article goes."""
    return b"".join(key.to_bytes(_BAND_BITS // 8, "little", signed=True) for key in sorted(keys))


def unpacked(keys: bytes) -> frozenset[int]:
    """The values that `packed` packed."""
    size = _BAND_BITS // 8
    return frozenset(int.from_bytes(keys[at : at + size], "little", signed=True) for at in range(0, len(keys), size))


def forget_bands(tx: Tx, ids: Collection[int]) -> None:
    """Drop articles from the index; their fingerprints must still be there."""
    query = sa.select(FINGERPRINT.c.article_id, FINGERPRINT.c.bands).where(FINGERPRINT.c.article_id.in_(ids))
    rows = [{"v": key, "a": row.article_id} for row in tx.execute(query) for key in unpacked(row.bands)]
    if rows:
        theirs = sa.and_(BAND.c.value == sa.bindparam("v"), BAND.c.article_id == sa.bindparam("a"))
        tx.execute(sa.delete(BAND).where(theirs), rows)


def _without_bands(r: sa.Row[tuple[object, ...]]) -> Fingerprint:
    return Fingerprint(scheme=r.scheme, digest=r.digest, shingles=r.shingles, bands=(), facts=r.facts, words=r.words)


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
    article_id = int(tx.execute(_ADD_ARTICLE, values).scalar_one())
    _add_fingerprint(tx, article_id, int(has_text), fingerprint, indexed=novelty.of is None)
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
    _add_fingerprint(tx, article_id, number, fingerprint, indexed=of_id is None)
    if of_id is None:
        learn(tx, article_id, sources_of(article.source, article.url), fingerprint)
    search.put(tx, article_id, article, document)
    return _add_revision(tx, article_id, number, article, entry_id, now)


def _add_fingerprint(tx: Tx, article_id: int, revision: int, fingerprint: Fingerprint, *, indexed: bool) -> None:
    keys = sorted(band_keys(fingerprint.bands)) if indexed else []
    values = {
        "article_id": article_id,
        "revision": revision,
        "scheme": fingerprint.scheme,
        "digest": fingerprint.digest,
        "shingles": fingerprint.shingles,
        "facts": fingerprint.facts,
        "words": fingerprint.words,
        "bands": packed(keys),
    }
    tx.execute(_ADD_FINGERPRINT, values)
    if keys and tx.dialect.name == "sqlite":
        tx.execute(_ADD_BANDS_SQLITE, {"article": article_id, "bands": json.dumps(keys)})
    elif keys:
        tx.execute(_ADD_BANDS_POSTGRESQL, {"article": article_id, "bands": keys})


def _add_revision(tx: Tx, article_id: int, number: int, article: Article, entry_id: int | None, now: datetime) -> int:
    values = {
        "article_id": article_id,
        "number": number,
        "title": article.title,
        "body": article.body,
        "entry_id": entry_id,
        "created": now,
        "cut": _written(article.cut),
    }
    return int(tx.execute(_ADD_REVISION, values).scalar_one())


def fingerprint_of(tx: Tx, article_id: int) -> Fingerprint:
    """The fingerprint of an article's newest text, without its bands."""
    query = sa.select(FINGERPRINT).where(FINGERPRINT.c.article_id == article_id)
    return _without_bands(tx.execute(query.order_by(FINGERPRINT.c.revision.desc()).limit(1)).one())


def origin(tx: Tx, article_id: int) -> Origin:
    """An article's way into the store."""
    return Origin(tx.execute(sa.select(ARTICLE.c.origin).where(ARTICLE.c.id == article_id)).scalar_one())


def names(tx: Tx, kind: Origin, among: Collection[str]) -> frozenset[str]:
    """Those of `among` that are names of articles of that origin: what need not be imported again."""
    query = sa.select(ARTICLE.c.name).where(ARTICLE.c.name.in_(list(among)), ARTICLE.c.origin == kind)
    return frozenset(tx.execute(query).scalars())


def _select() -> sa.Select[tuple[object, ...]]:
    text = sa.and_(REVISION.c.article_id == ARTICLE.c.id, REVISION.c.number == ARTICLE.c.revision)
    return sa.select(ARTICLE, sa.func.coalesce(REVISION.c.body, "").label("body")).outerjoin(REVISION, text)


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
    row = tx.execute(_select().where(ARTICLE.c.id == article_id)).one_or_none()
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
    return tuple(_stored(row) for row in tx.execute(_select().where(ARTICLE.c.id.in_(first)).order_by(*order)))


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
