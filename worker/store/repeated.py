"""Lines that a feed or a host repeats under different titles: standing text, which proves nothing.

A line is learnt with the first article that carries it, and is standing text from the first repetition in another
article of another title on. So are titles: one that recurs over different texts names a rubric. Copies teach nothing:
they repeat their original. What a source has is bounded; the lines that it used longest ago go first, those that were
never repeated before those that were.
"""

import json
from collections.abc import Collection
from urllib.parse import urlsplit

import sqlalchemy as sa

from worker.analysis.copies import Fingerprint, key_of
from worker.model import Origin
from worker.store.database import Tx
from worker.store.tables import ArticleRow, LineRow

_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_line: sa.Table = LineRow.__table__  # type: ignore[attr-defined]  # as above

#: Lines kept of one feed or host, and how often they are counted: once in so many articles of it.
MAX_LINES = 2_000
_COUNT_EVERY = 64

_LEARN = """
    INSERT INTO line (source, line, stands_under, article_id, other_id, last_id)
    SELECT s.value, {line}, {under}, CAST(:article AS integer), NULL, CAST(:article AS integer)
    FROM {sources} AS s {value} CROSS JOIN {lines} AS l {pair} WHERE true
    ON CONFLICT (source, line) DO UPDATE SET
        last_id = excluded.last_id,
        other_id = CASE WHEN line.other_id IS NULL AND line.article_id <> excluded.article_id
            AND line.stands_under <> excluded.stands_under THEN excluded.article_id ELSE line.other_id END
"""
_LEARN_SQLITE = sa.text(
    _LEARN.format(
        line="json_extract(l.value, '$[0]')",
        under="json_extract(l.value, '$[1]')",
        sources="json_each(:sources)",
        value="",
        lines="json_each(:lines)",
        pair="",
    )
)
_LEARN_POSTGRESQL = sa.text(
    _LEARN.format(
        line="l.line",
        under="l.under",
        sources="unnest(CAST(:sources AS bigint[]))",
        value="(value)",
        lines="unnest(CAST(:lines AS bigint[]), CAST(:unders AS bigint[]))",
        pair="(line, under)",
    )
)


def sources_of(source: str, url: str) -> frozenset[str]:
    """The names of what may repeat lines under an article: its feed, and its host."""
    host = urlsplit(url).hostname or ""
    return frozenset(name for name in (source, host.removeprefix("www.")) if name)


def learn(tx: Tx, article_id: int, sources: Collection[str], fingerprint: Fingerprint) -> None:
    """Note the lines and the title of an article that is no copy; under the ingest lock."""
    found = fingerprint.learnable
    if not found or not sources:
        return
    keys = sorted(_key(name) for name in sources)
    if tx.dialect.name == "sqlite":
        tx.execute(_LEARN_SQLITE, {"sources": json.dumps(keys), "lines": json.dumps(found), "article": article_id})
    else:
        lines, unders = (list(column) for column in zip(*found, strict=True))
        tx.execute(_LEARN_POSTGRESQL, {"sources": keys, "lines": lines, "unders": unders, "article": article_id})
    if article_id % _COUNT_EVERY == 0:
        for key in keys:
            _prune(tx, key)


def standing(tx: Tx, sources: Collection[str], lines: Collection[int]) -> dict[int, str]:
    """Those of `lines` that are standing text of one of these feeds and hosts, with the name of one that repeats it."""
    if not sources or not lines:
        return {}
    names = {_key(name): name for name in sources}
    query = sa.select(_line.c.line, _line.c.source).where(
        _line.c.source.in_(sorted(names)), _line.c.line.in_(sorted(lines)), _line.c.other_id.is_not(None)
    )
    return {r.line: names[r.source] for r in tx.execute(query.order_by(_line.c.source.desc(), _line.c.line))}


def forget(tx: Tx) -> int:
    """Drop lines never repeated and not used since the oldest article that feeds brought; returns how many."""
    oldest = sa.select(sa.func.min(_article.c.id)).where(_article.c.origin == Origin.FEED).scalar_subquery()
    return tx.execute(sa.delete(_line).where(_line.c.other_id.is_(None), _line.c.last_id < oldest)).rowcount


def _key(name: str) -> int:
    return key_of("source", name)


def _prune(tx: Tx, source: int) -> None:
    count = tx.execute(sa.select(sa.func.count()).where(_line.c.source == source)).scalar_one()
    if count <= MAX_LINES:
        return
    oldest = (
        sa.select(_line.c.line)
        .where(_line.c.source == source)
        .order_by(_line.c.other_id.is_not(None), _line.c.last_id)
        .limit(count - MAX_LINES)
    )
    tx.execute(sa.delete(_line).where(_line.c.source == source, _line.c.line.in_(oldest)))
