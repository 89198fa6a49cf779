"""Lines that a feed or a host repeats under different titles: standing text, which proves nothing.

A line is learnt with the first article that carries it, and is standing text from the first repetition in another
article of another title on. So are titles: one that recurs over different texts names a rubric. Copies teach nothing:
they repeat their original. What a source has is bounded; the lines that it used longest ago go first, those that were
never repeated before those that were.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from itertools import chain, product
from urllib.parse import urlsplit

import sqlalchemy as sa

from worker.analysis.copies import Fingerprint, key_of
from worker.model import Origin
from worker.store.database import Tx, array
from worker.store.deferred import asking_for_stored, defer, waiting
from worker.store.tables import ARTICLE, LINE

#: Lines kept of one feed or host, and how often they are counted: once in so many articles of it.
MAX_LINES = 2_000
_COUNT_EVERY = 64

_LEARN = """
    INSERT INTO line (source, line, stands_under, article_id, other_id, last_id) {rows}
    ON CONFLICT (source, line) DO UPDATE SET
        last_id = excluded.last_id,
        other_id = CASE WHEN line.other_id IS NULL AND line.article_id <> excluded.article_id
            AND line.stands_under <> excluded.stands_under THEN excluded.article_id ELSE line.other_id END
"""
_LEARN_SQLITE = _LEARN.format(rows="VALUES (?1, ?2, ?3, ?4, NULL, ?4)")
_LEARN_POSTGRESQL = sa.text(
    _LEARN.format(
        rows="SELECT source, line, under, article, NULL, article FROM unnest(CAST(:sources AS bigint[]), "
        "CAST(:lines AS bigint[]), CAST(:under AS bigint[]), CAST(:articles AS integer[])) "
        "AS learnt(source, line, under, article)"
    )
)

_STANDING = "SELECT l.source, l.line FROM {pairs} CROSS JOIN line AS l WHERE l.source = {source} AND l.line = {line} "
_STANDING_SQLITE = sa.text(
    _STANDING.format(
        pairs="json_each(:pairs) AS p", source="json_extract(p.value, '$[0]')", line="json_extract(p.value, '$[1]')"
    )
    + "AND l.other_id IS NOT NULL"
)
_STANDING_POSTGRESQL = sa.text(
    _STANDING.format(
        pairs="unnest(CAST(:sources AS bigint[]), CAST(:lines AS bigint[])) AS p(source, line)",
        source="p.source",
        line="p.line",
    )
    + "AND l.other_id IS NOT NULL"
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
    defer(tx, LINE.name, _write_lines, *((key, line, under, article_id) for key in keys for line, under in found))
    if article_id % _COUNT_EVERY == 0:
        for key in keys:
            _prune(tx, key)


def _write_lines(tx: Tx, rows: list[tuple[int, int, int, int]]) -> None:
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(_LEARN_SQLITE, rows)
        return
    # One statement changes a row once: what a batch repeats comes in the statements after.
    statements: list[list[tuple[int, int, int, int]]] = []
    repeated = Counter[tuple[int, int]]()
    for row in rows:
        at = repeated[row[:2]]
        repeated[row[:2]] += 1
        if at == len(statements):
            statements.append([])
        statements[at].append(row)
    for some in statements:
        columns = zip(("sources", "lines", "under", "articles"), map(array, zip(*some, strict=True)), strict=True)
        tx.execute(_LEARN_POSTGRESQL, dict(columns))


def standing(tx: Tx, sources: Collection[str], lines: Collection[int]) -> dict[int, str]:
    """Those of `lines` that are standing text of one of these feeds and hosts, with the name of one that repeats it."""
    return standing_of(tx, [(sources, lines)])[0]


def standing_of(tx: Tx, wanted: Sequence[tuple[Collection[str], Collection[int]]]) -> list[dict[int, str]]:
    """The `standing` of each of some texts, given by feeds and hosts and by its lines."""
    names = {_key(name): name for sources, _ in wanted for name in sources}
    keys = [sorted(map(_key, sources), reverse=True) for sources, _ in wanted]
    pairs = (product(own, lines) for own, (_, lines) in zip(keys, wanted, strict=True))
    found = _standing(tx, set(chain.from_iterable(pairs)))
    # Of several that repeat a line, the one whose key is the lowest is named.
    return [
        {line: names[key] for key in own for line in lines if (key, line) in found}
        for own, (_, lines) in zip(keys, wanted, strict=True)
    ]


def _standing(tx: Tx, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """The pairs of a source and a line that it repeats."""
    if not pairs:
        return set()
    # Lines that wait are written before they are asked for.
    is_waiting = any(row[:2] in pairs for row in waiting(tx, LINE.name))
    with nullcontext() if is_waiting else asking_for_stored(tx):
        if tx.dialect.name == "sqlite":
            rows = tx.execute(_STANDING_SQLITE, {"pairs": json.dumps(list(pairs))})
        else:
            sources, lines = zip(*pairs, strict=True)
            rows = tx.execute(_STANDING_POSTGRESQL, {"sources": array(sources), "lines": array(lines)})
    return {(row.source, row.line) for row in rows}


def forget(tx: Tx) -> int:
    """Drop lines never repeated and not used since the oldest article that feeds brought; returns how many."""
    oldest = sa.select(sa.func.min(ARTICLE.c.id)).where(ARTICLE.c.origin == Origin.FEED).scalar_subquery()
    return tx.execute(sa.delete(LINE).where(LINE.c.other_id.is_(None), LINE.c.last_id < oldest)).rowcount


def _key(name: str) -> int:
    return key_of("source", name)


def _prune(tx: Tx, source: int) -> None:
    count = tx.execute(sa.select(sa.func.count()).where(LINE.c.source == source)).scalar_one()
    if count <= MAX_LINES:
        return
    oldest = (
        sa.select(LINE.c.line)
        .where(LINE.c.source == source)
        .order_by(LINE.c.other_id.is_not(None), LINE.c.last_id, LINE.c.line)
        .limit(count - MAX_LINES)
    )
    tx.execute(sa.delete(LINE).where(LINE.c.source == source, LINE.c.line.in_(oldest)))
