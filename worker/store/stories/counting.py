"""In how many articles each term stands."""

import json
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from worker.store.database import Tx
from worker.store.tables import TermRow

_term: sa.Table = TermRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time

#: The row of `term` that counts the articles themselves; terms have 32 bits.
_ARTICLES = -1
_FREQUENCY_SQLITE = sa.text("SELECT hash, articles FROM term WHERE hash IN (SELECT value FROM json_each(:hashes))")
_FREQUENCY_POSTGRESQL = sa.text("SELECT hash, articles FROM term WHERE hash = ANY(CAST(:hashes AS bigint[]))")
_COUNT_SQLITE = sa.text(
    "INSERT INTO term (hash, articles) SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') "
    "FROM json_each(:counts) WHERE true ON CONFLICT (hash) DO UPDATE SET articles = term.articles + excluded.articles"
)
_COUNT_POSTGRESQL = sa.text(
    "INSERT INTO term (hash, articles) SELECT * FROM unnest(CAST(:hashes AS bigint[]), CAST(:counts AS integer[])) "
    "ON CONFLICT (hash) DO UPDATE SET articles = term.articles + excluded.articles"
)


def frequency(tx: Tx, hashes: Iterable[int]) -> tuple[dict[int, int], int]:
    """In how many articles each term stands, and how many articles were counted."""
    wanted = [*hashes, _ARTICLES]
    if tx.dialect.name == "sqlite":
        rows = tx.execute(_FREQUENCY_SQLITE, {"hashes": json.dumps(wanted)})
    else:
        rows = tx.execute(_FREQUENCY_POSTGRESQL, {"hashes": wanted})
    found = {row.hash: row.articles for row in rows}
    return found, found.pop(_ARTICLES, 0)


def count(tx: Tx, hashes: Mapping[int, int], articles: int) -> None:
    """Add to the counts: by term, the articles that it stands in."""
    # In order, so that two that count at once never wait for each other.
    counts = sorted({**hashes, _ARTICLES: articles}.items())
    if tx.dialect.name == "sqlite":
        tx.execute(_COUNT_SQLITE, {"counts": json.dumps(counts)})
    else:
        tx.execute(_COUNT_POSTGRESQL, {"hashes": [key for key, _ in counts], "counts": [n for _, n in counts]})


def forget_counts(tx: Tx) -> None:
    """Begin to count anew."""
    tx.execute(sa.delete(_term))
