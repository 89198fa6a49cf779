"""Articles, their revisions, and what copies of them are recognised by."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.dedupe import Candidate, Fingerprint
from worker.model import Article, Novelty, Origin
from worker.store.database import Tx, insert
from worker.store.tables import ArticleRow, BandRow, FingerprintRow, RevisionRow

_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_revision: sa.Table = RevisionRow.__table__  # type: ignore[attr-defined]  # as above
_fingerprint: sa.Table = FingerprintRow.__table__  # type: ignore[attr-defined]  # as above
_band: sa.Table = BandRow.__table__  # type: ignore[attr-defined]  # as above

_NEWEST = (_article.c.first_seen.desc(), _article.c.published.desc(), _article.c.id.desc())

#: Candidates that are compared exactly; more share a band only in a store full of one template.
MAX_CANDIDATES = 64
_MAX_SHARING = 256
# One statement for all bands, since each costs more than its work. SQLite has no LATERAL.
_WITH_BANDS_SQLITE = sa.text(
    "SELECT (SELECT json_group_array(article_id) FROM (SELECT article_id FROM band WHERE value = v.value "
    "ORDER BY article_id DESC LIMIT :most)) FROM json_each(:bands) AS v"
)
_WITH_BANDS = sa.text(
    "SELECT b.article_id FROM unnest(CAST(:bands AS bigint[])) AS v(value) CROSS JOIN LATERAL "
    "(SELECT article_id FROM band WHERE band.value = v.value ORDER BY article_id DESC LIMIT :most) AS b"
)


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


def candidates(tx: Tx, fingerprint: Fingerprint, *, url: str, but: int | None) -> tuple[Candidate, ...]:
    """The articles that may be the original of a text: same digest, same address, or most bands in common.

    A duplicate is never an original: copies of copies lead to the first. An article that had several texts is there
    once for each.
    """
    with_text = sa.select(_fingerprint.c.article_id).where(_fingerprint.c.digest == fingerprint.digest)
    ids = set(tx.execute(with_text.order_by(_fingerprint.c.article_id).limit(_MAX_SHARING)).scalars())
    if url:
        at_url = sa.select(_article.c.id).where(_article.c.url == url).order_by(_article.c.id)
        ids |= set(tx.execute(at_url.limit(_MAX_SHARING)).scalars())
    ids |= _sharing(tx, fingerprint.bands)
    # Two steps, both by primary key: SQLite would take the index of `of_id`, which is empty for nearly all.
    columns = (_article.c.id, _article.c.of_id, _article.c.published, _article.c.url)
    found = tx.execute(sa.select(*columns).where(_article.c.id.in_(ids))).all() if ids else []
    originals = {r.id: r for r in found if r.of_id is None and r.id != but}
    query = sa.select(_fingerprint).where(_fingerprint.c.article_id.in_(originals))
    query = query.order_by(_fingerprint.c.article_id, _fingerprint.c.revision)
    return tuple(
        Candidate(
            article_id=r.article_id,
            published=originals[r.article_id].published,
            same_url=bool(url) and originals[r.article_id].url == url,
            fingerprint=_without_bands(r),
        )
        for r in (tx.execute(query) if originals else ())
    )


def _without_bands(r: sa.Row[tuple[object, ...]]) -> Fingerprint:
    return Fingerprint(scheme=r.scheme, digest=r.digest, shingles=r.shingles, bands=(), facts=r.facts, words=r.words)


def _sharing(tx: Tx, bands: Sequence[int]) -> set[int]:
    """The articles with most bands in common; duplicates have none stored.

    Of a band that very many articles have, as a slogan that an outlet puts under each, only the newest are looked at:
    it would cost more with every year, and tells nothing.
    """
    shared: Counter[int] = Counter()
    wanted = list(set(bands))
    if tx.dialect.name == "sqlite":
        for found in tx.execute(_WITH_BANDS_SQLITE, {"bands": json.dumps(wanted), "most": _MAX_SHARING}).scalars():
            shared.update(json.loads(found))
    else:
        shared.update(tx.execute(_WITH_BANDS, {"bands": wanted, "most": _MAX_SHARING}).scalars())
    most = sorted(shared.items(), key=lambda item: (-item[1], item[0]))
    return {article_id for article_id, _ in most[:MAX_CANDIDATES]}


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
    now: datetime,
) -> tuple[int, int]:
    """Store an article with its first revision; returns both ids. The archive's have no text: revision id 0."""
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
    article_id = int(tx.execute(sa.insert(_article).values(values).returning(_article.c.id)).scalar_one())
    _add_fingerprint(tx, article_id, int(has_text), fingerprint, indexed=novelty.of is None)
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
    now: datetime,
) -> int:
    """Give an article its next text; returns the revision's id. `of_id`: the original, while it is a duplicate."""
    number = int(
        tx.execute(
            sa.update(_article)
            .where(_article.c.id == article_id)
            .values(
                revision=_article.c.revision + 1,
                title=article.title,
                language=article.language,
                link=article.link,
                url=article.url,
                of_id=of_id,
            )
            .returning(_article.c.revision)
        ).scalar_one()
    )
    # Those of the texts before stay: other outlets go on copying what this one has corrected.
    _add_fingerprint(tx, article_id, number, fingerprint, indexed=of_id is None)
    return _add_revision(tx, article_id, number, article, entry_id, now)


def _add_fingerprint(tx: Tx, article_id: int, revision: int, fingerprint: Fingerprint, *, indexed: bool) -> None:
    values = {
        "article_id": article_id,
        "revision": revision,
        "scheme": fingerprint.scheme,
        "digest": fingerprint.digest,
        "shingles": fingerprint.shingles,
        "facts": fingerprint.facts,
        "words": fingerprint.words,
    }
    tx.execute(sa.insert(_fingerprint).values(values))
    if indexed and fingerprint.bands:
        rows = [{"value": value, "article_id": article_id} for value in set(fingerprint.bands)]
        tx.execute(insert(tx, _band).on_conflict_do_nothing(), rows)


def _add_revision(tx: Tx, article_id: int, number: int, article: Article, entry_id: int | None, now: datetime) -> int:
    values = {
        "article_id": article_id,
        "number": number,
        "title": article.title,
        "body": article.body,
        "entry_id": entry_id,
        "created": now,
    }
    return int(tx.execute(sa.insert(_revision).values(values).returning(_revision.c.id)).scalar_one())


def fingerprint_of(tx: Tx, article_id: int) -> Fingerprint:
    """The fingerprint of an article's newest text, without its bands."""
    query = sa.select(_fingerprint).where(_fingerprint.c.article_id == article_id)
    return _without_bands(tx.execute(query.order_by(_fingerprint.c.revision.desc()).limit(1)).one())


def origin(tx: Tx, article_id: int) -> Origin:
    """How an article came into the store."""
    return Origin(tx.execute(sa.select(_article.c.origin).where(_article.c.id == article_id)).scalar_one())


def names(tx: Tx, kind: Origin, among: Collection[str]) -> frozenset[str]:
    """Those of `among` that are names of articles of that origin: what need not be imported again."""
    query = sa.select(_article.c.name).where(_article.c.name.in_(list(among)), _article.c.origin == kind)
    return frozenset(tx.execute(query).scalars())


def _select() -> sa.Select[tuple[object, ...]]:
    text = sa.and_(_revision.c.article_id == _article.c.id, _revision.c.number == _article.c.revision)
    return sa.select(_article, sa.func.coalesce(_revision.c.body, "").label("body")).outerjoin(_revision, text)


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
    row = tx.execute(_select().where(_article.c.id == article_id)).one_or_none()
    return None if row is None else _stored(row)


def find(tx: Tx, words: str, url: str, *, limit: int = 10) -> tuple[StoredArticle, ...]:
    """Articles whose name or address is given, or whose title holds `words`: originals first, then the newest."""
    is_it = sa.or_(
        _article.c.name == words,
        sa.and_(_article.c.url == url, _article.c.url != ""),
        _article.c.link == words,
        _article.c.title.icontains(words, autoescape=True),
    )
    query = _select().where(is_it).order_by(_article.c.of_id.is_not(None), *_NEWEST).limit(limit)
    return tuple(_stored(row) for row in tx.execute(query))


def newest(tx: Tx, *, limit: int, containing: str = "") -> tuple[StoredArticle, ...]:
    """The articles that were last seen first, of one poll the last published."""
    query = _select().order_by(*_NEWEST).limit(limit)
    if containing:
        query = query.where(_article.c.title.icontains(containing, autoescape=True))
    return tuple(_stored(row) for row in tx.execute(query))


def revisions(tx: Tx, article_id: int) -> Sequence[datetime]:
    """When each text of an article came, first to last."""
    query = sa.select(_revision.c.created).where(_revision.c.article_id == article_id).order_by(_revision.c.number)
    return tx.execute(query).scalars().all()


def text_of(tx: Tx, article_id: int, number: int) -> tuple[str, str] | None:
    """Title and body of one text of an article; None if it has none of that number."""
    query = sa.select(_revision.c.title, _revision.c.body)
    found = tx.execute(query.where(_revision.c.article_id == article_id, _revision.c.number == number)).one_or_none()
    return None if found is None else (found.title, found.body)
