"""Lines that a feed or a host repeats under different titles: standing text, which proves nothing.

A line is learnt with the first article that carries it, and is standing text from the first repetition in another
article of another title on. So are titles: one that recurs over different texts names a rubric. Copies teach nothing:
they repeat their original. What a source has is bounded; the lines that it used longest ago go first, those that were
never repeated before those that were.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

import sqlalchemy as sa

from worker.analysis.copies import Fingerprint, key_of
from worker.model import Origin
from worker.store.database import Tx
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

_STANDING_SQLITE = sa.text(
    "SELECT source, line FROM line WHERE source IN (SELECT value FROM json_each(:sources)) "
    "AND line IN (SELECT value FROM json_each(:lines)) AND other_id IS NOT NULL"
)
_STANDING_POSTGRESQL = sa.text(
    "SELECT source, line FROM line WHERE source = ANY(CAST(:sources AS bigint[])) "
    "AND line = ANY(CAST(:lines AS bigint[])) AND other_id IS NOT NULL"
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
    for key in keys:
        for line, under in found:
            defer(tx, LINE.name, _write_lines, (key, line, under, article_id))
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
        columns = zip(("sources", "lines", "under", "articles"), map(list, zip(*some, strict=True)), strict=True)
        tx.execute(_LEARN_POSTGRESQL, dict(columns))


def standing(tx: Tx, sources: Collection[str], lines: Collection[int]) -> dict[int, str]:
    """Those of `lines` that are standing text of one of these feeds and hosts, with the name of one that repeats it."""
    if not sources or not lines:
        return {}
    names = {_key(name): name for name in sources}
    if any(source in names and line in lines for source, line, *_ in waiting(tx, LINE.name)):
        found = _standing(tx, names, lines)
    else:
        with asking_for_stored(tx):
            found = _standing(tx, names, lines)
    # Of several that repeat a line, the one whose key is the lowest is named.
    found.sort(key=lambda one: (-one[0], one[1]))
    return {line: names[source] for source, line in found}


def standing_of(tx: Tx, wanted: Sequence[tuple[Collection[str], Collection[int]]]) -> list[frozenset[int]]:
    """For each of some texts, given by feed and host and by its lines: those that are standing text there."""
    keys = [frozenset(map(_key, sources)) for sources, _ in wanted]
    all_lines = {line for _, lines in wanted for line in lines}
    by_source: dict[int, set[int]] = {}
    for source, line in _standing(tx, frozenset[int]().union(*keys), all_lines):
        by_source.setdefault(source, set()).add(line)
    return [
        frozenset(line for source in sources for line in by_source.get(source, ()) if line in lines)
        for sources, (_, lines) in zip(keys, wanted, strict=True)
    ]


def _standing(tx: Tx, sources: Collection[int], lines: Collection[int]) -> list[tuple[int, int]]:
    """(source, line) of those of `lines` that one of these sources repeats."""
    if not sources or not lines:
        return []
    asked: dict[str, object] = {"sources": list(sources), "lines": list(lines)}
    if tx.dialect.name == "sqlite":
        asked = {name: json.dumps(value) for name, value in asked.items()}
        return [(r.source, r.line) for r in tx.execute(_STANDING_SQLITE, asked)]
    return [(r.source, r.line) for r in tx.execute(_STANDING_POSTGRESQL, asked)]


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
        .order_by(LINE.c.other_id.is_not(None), LINE.c.last_id)
        .limit(count - MAX_LINES)
    )
    tx.execute(sa.delete(LINE).where(LINE.c.source == source, LINE.c.line.in_(oldest)))
