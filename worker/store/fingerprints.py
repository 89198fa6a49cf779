"""Fingerprints of articles, and the index of their bands: the articles that may be the original of a text."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from worker.analysis.copies import Candidate, Fingerprint
from worker.store.database import Tx, array
from worker.store.deferred import defer
from worker.store.repeated import sources_of
from worker.store.tables import ARTICLE, BAND, FINGERPRINT

#: A text: its fingerprint, its address or "", and the article that it is the next text of.
Asked = tuple[Fingerprint, str, int | None]
#: Candidates that are compared exactly; more share a band only in a store full of one template.
MAX_CANDIDATES = 64
_MAX_SHARING = 256


def _near(sharing: str, own: str) -> str:
    """Possible originals of a text; one statement, since each costs more than its work.

    `sharing`: the articles `id` of each band, once for each; `own`: what stands before the name of a value of the text.
    `+` keeps SQLite from the index of `of_id`, which is empty for nearly all.
    """
    return f"""
        WITH near(id) AS (
            SELECT article_id FROM (
                SELECT article_id FROM fingerprint WHERE digest = {own}digest ORDER BY article_id LIMIT :sharing
            ) AS same UNION SELECT id FROM (
                SELECT id FROM article WHERE url = {own}url AND {own}url <> '' ORDER BY id LIMIT :sharing
            ) AS there UNION SELECT id FROM (
                SELECT id FROM ({sharing}) AS k GROUP BY id ORDER BY count(*) DESC, id LIMIT :most
            ) AS like_it
        )
        SELECT coalesce(a.of_id, a.id) AS article_id, a.of_id, a.published, a.url, a.source,
            coalesce(r.title, a.title) AS title, f.scheme, f.digest, f.shingles, f.facts, f.words,
            f.article_id AS near_id, f.revision
        FROM near CROSS JOIN article AS a CROSS JOIN fingerprint AS f
        LEFT JOIN revision AS r ON r.article_id = f.article_id AND r.number = f.revision
        LEFT JOIN article AS o ON o.id = a.of_id
        WHERE a.id = near.id AND f.article_id = near.id AND coalesce(a.of_id, a.id) <> {own}but
            AND (+a.of_id IS NULL OR (f.digest = {own}digest AND o.of_id IS NULL))
    """  # noqa: S608 - of two texts of ours


def _typed(statement: str) -> sa.TextualSelect:
    types: dict[str, Any] = {"place": sa.Integer}
    types |= {"article_id": sa.Integer, "of_id": sa.Integer, "published": ARTICLE.c.published.type}
    types |= {"url": sa.Text, "source": sa.Text, "title": sa.Text, "scheme": sa.Integer, "digest": sa.Text}
    types |= {"shingles": sa.LargeBinary, "facts": sa.Text, "words": sa.Integer}
    types |= {"near_id": sa.Integer, "revision": sa.Integer}
    return sa.text(statement).bindparams(sharing=_MAX_SHARING, most=MAX_CANDIDATES).columns(**types)


# SQLite has no LATERAL, but its json_each is one for a single column: each text is asked for by itself.
_SHARING_SQLITE = (
    "SELECT a.value AS id FROM json_each(:bands) AS v, json_each((SELECT json_group_array(article_id) FROM "
    "(SELECT article_id FROM band WHERE value = v.value ORDER BY article_id DESC LIMIT :sharing))) AS a"
)
_NEAR_SQLITE = _typed(
    f"SELECT 0 AS place, t.* FROM ({_near(_SHARING_SQLITE, ':')}) AS t ORDER BY t.near_id, t.revision"  # noqa: S608 - as above
)
_SHARING_POSTGRESQL = (
    "SELECT b.article_id AS id FROM json_array_elements_text(q.bands) AS v(value) CROSS JOIN LATERAL "
    "(SELECT article_id FROM band WHERE band.value = CAST(v.value AS bigint) "
    "ORDER BY article_id DESC LIMIT :sharing) AS b"
)
_NEAR_POSTGRESQL = _typed(
    f"""
    SELECT q.place, t.* FROM json_to_recordset(CAST(:asked AS json))
        AS q(place integer, digest text, url text, but integer, bands json)
    CROSS JOIN LATERAL ({_near(_SHARING_POSTGRESQL, "q.")}) AS t ORDER BY q.place, t.near_id, t.revision
    """  # noqa: S608 - as above
)
_ADD_BANDS_SQLITE = "INSERT INTO band (value, article_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
_ADD_BANDS_POSTGRESQL = sa.text(
    "INSERT INTO band (value, article_id) SELECT * "
    "FROM unnest(CAST(:bands AS bigint[]), CAST(:articles AS integer[])) ON CONFLICT DO NOTHING"
)
_ADD_FINGERPRINT = sa.insert(FINGERPRINT)
#: Marks that some stored text has too.
_THERE_SQLITE = (
    "SELECT v.value FROM json_each(:marks) AS v WHERE EXISTS (SELECT 1 FROM {table} WHERE {column} = v.value)"
)
_THERE_POSTGRESQL = (
    "SELECT v.value FROM json_array_elements_text(CAST(:marks AS json)) AS e(mark) "
    "CROSS JOIN LATERAL CAST(e.mark AS {type}) AS v(value) "
    "WHERE EXISTS (SELECT 1 FROM {table} WHERE {column} = v.value)"
)
_MARKS = (
    {"table": "fingerprint", "column": "digest", "type": "text"},
    {"table": "article", "column": "url", "type": "text"},
    {"table": "band", "column": "value", "type": "bigint"},
)
_THERE = {
    "sqlite": [sa.text(_THERE_SQLITE.format(**mark)) for mark in _MARKS],
    "postgresql": [sa.text(_THERE_POSTGRESQL.format(**mark)) for mark in _MARKS],
}
#: Bits of a band that the index keeps, from the left: among a million articles one text in 100,000 finds one by chance.
_BAND_BITS = 48


class Originals:
    """The articles that may be the originals of a batch's texts.

    What is stored is asked for once. A text is asked for by itself where one before it in the batch has a mark in
    common with it, or was a stored article's next text.
    """

    def __init__(self, texts: Sequence[Asked]) -> None:
        self._texts = texts
        self._marks = [_marks(text) for text in texts]
        #: Whether a stored text has a mark in common with each; nothing before `ask`.
        self._is_stored: list[bool] = []
        #: The marks of those that were asked for so far: they may be stored by now.
        self._since: set[tuple[int, str | int]] = set()
        self._found: dict[int, tuple[Candidate, ...]] = {}

    def ask(self, tx: Tx) -> None:
        """Ask for what is stored; under the ingest lock, once."""
        stored = _stored(tx, {mark for own in self._marks for mark in own})
        self._is_stored = [not stored.isdisjoint(own) for own in self._marks]
        asked = [at for at, is_stored in enumerate(self._is_stored) if is_stored]
        found = candidates_of(tx, [self._texts[at] for at in asked])
        self._found = dict(zip(asked, found, strict=True))

    def known(self, at: int) -> tuple[Candidate, ...] | None:
        """The candidates of the batch's text at that place, unless it must be asked for by itself."""
        if not self._since.isdisjoint(self._marks[at]):
            return None
        return self._found.get(at) if self._is_stored[at] else ()

    def of(self, tx: Tx, at: int) -> tuple[Candidate, ...]:
        """The candidates of the batch's text at that place, which is then stored."""
        found = self.known(at)
        if found is None:
            (found,) = candidates_of(tx, [self._texts[at]])
        self._since.update(self._marks[at])
        return found

    def forget(self) -> None:
        """Ask for each by itself from now on, as a stored article is another one."""
        self._found.clear()


def _marks(text: Asked) -> list[tuple[int, str | int]]:
    """The marks of a text, each with its place in `_MARKS`."""
    fingerprint, url, _ = text
    own: list[tuple[int, str | int]] = [(2, key) for key in band_keys(fingerprint.bands)]
    return [(0, fingerprint.digest), *([(1, url)] if url else []), *own]


def _stored(tx: Tx, marks: Iterable[tuple[int, str | int]]) -> set[tuple[int, str | int]]:
    """The marks that a stored text has too."""
    wanted: tuple[list[str | int], ...] = ([], [], [])
    for kind, mark in marks:
        wanted[kind].append(mark)
    found: set[tuple[int, str | int]] = set()
    for kind, own in enumerate(wanted):
        asked = json.dumps(own)
        rows = tx.execute(_THERE[tx.dialect.name][kind], {"marks": asked}) if own else ()
        found.update((kind, row[0]) for row in rows)
    return found


def candidates(tx: Tx, fingerprint: Fingerprint, *, url: str, exclude: int | None) -> tuple[Candidate, ...]:
    """The articles that may be the original of a text: same digest, same address, or most bands in common.

    A duplicate is never an original: copies of copies lead to the first. One of the same title and text stands for its
    original, which may have had another title. An article that had several texts is there once for each. Of a band that
    very many articles have, as a slogan that an outlet puts under each, only the newest are looked at: it would cost
    more with every year, and tells nothing.
    """
    return candidates_of(tx, [(fingerprint, url, exclude)])[0]


def candidates_of(tx: Tx, texts: Sequence[Asked]) -> list[tuple[Candidate, ...]]:
    """The `candidates` of each of some texts."""
    asked = [
        {"place": place, "digest": fingerprint.digest, "url": url, "but": exclude or 0, "bands": bands}
        for place, (fingerprint, url, exclude) in enumerate(texts)
        for bands in [sorted(band_keys(fingerprint.bands))]
    ]
    found: list[list[Candidate]] = [[] for _ in texts]
    if tx.dialect.name == "sqlite":
        rows = [
            (place, row)
            for place, one in enumerate(asked)
            for row in tx.execute(_NEAR_SQLITE, one | {"bands": json.dumps(one["bands"])})
        ]
    else:
        rows = [(row.place, row) for row in tx.execute(_NEAR_POSTGRESQL, {"asked": json.dumps(asked)})] if asked else []
    for place, r in rows:
        fingerprint, url, _ = texts[place]
        one = _without_bands(r)
        title = fingerprint.title_digest
        if r.of_id is None or (title and one.title_digest == title):
            found[place].append(
                Candidate(
                    article_id=r.article_id,
                    published=r.published,
                    title=r.title,
                    same_url=bool(url) and r.url == url,
                    sources=sources_of(r.source, r.url),
                    fingerprint=one,
                )
            )
    return [tuple(own) for own in found]


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


def add(tx: Tx, article_id: int, revision: int, fingerprint: Fingerprint, *, indexed: bool) -> None:
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
    defer(tx, FINGERPRINT.name, _ADD_FINGERPRINT, values)
    if keys:
        defer(tx, BAND.name, _write_bands, (article_id, keys))


def _write_bands(tx: Tx, rows: list[tuple[int, list[int]]]) -> None:
    # In the order of the index, which is large.
    pairs = sorted((key, article_id) for article_id, keys in rows for key in keys)
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(_ADD_BANDS_SQLITE, pairs)
    else:
        bands, article_ids = zip(*pairs, strict=True)
        tx.execute(_ADD_BANDS_POSTGRESQL, {"bands": array(bands), "articles": array(article_ids)})


def fingerprint_of(tx: Tx, article_id: int) -> Fingerprint:
    """The fingerprint of an article's newest text, without its bands."""
    query = sa.select(FINGERPRINT).where(FINGERPRINT.c.article_id == article_id)
    return _without_bands(tx.execute(query.order_by(FINGERPRINT.c.revision.desc()).limit(1)).one())
