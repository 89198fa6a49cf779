"""By which scheme the stories were judged, and how far they were judged again."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.store.database import Tx, array, insert
from worker.store.stories import memory
from worker.store.tables import ARTICLE, SCHEME, STORY, STORY_ARTICLE, TERM

# In how many articles each term stands.


#: The row of `term` that counts the articles themselves; terms have 32 bits.
_ARTICLES = -1
_FREQUENCY_SQLITE = sa.text("SELECT hash, articles FROM term WHERE hash IN (SELECT value FROM json_each(:hashes))")
_FREQUENCY_POSTGRESQL = sa.text("SELECT hash, articles FROM term WHERE hash = ANY(CAST(:hashes AS bigint[]))")
_COUNT_SQLITE = (
    "INSERT INTO term (hash, articles) VALUES (?, ?) "
    "ON CONFLICT (hash) DO UPDATE SET articles = articles + excluded.articles"
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
        rows = tx.execute(_FREQUENCY_POSTGRESQL, {"hashes": array(wanted)})
    found = {row.hash: row.articles for row in rows}
    return found, found.pop(_ARTICLES, 0)


def count(tx: Tx, hashes: Mapping[int, int], articles: int) -> None:
    """Add to the counts: by term, the articles that it stands in."""
    # In order, so that two that count at once never wait for each other.
    counts = sorted({**hashes, _ARTICLES: articles}.items())
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(_COUNT_SQLITE, counts)
    else:
        tx.execute(
            _COUNT_POSTGRESQL, {"hashes": array(key for key, _ in counts), "counts": array(n for _, n in counts)}
        )


def forget_counts(tx: Tx) -> None:
    """Begin to count anew."""
    tx.execute(sa.delete(TERM))


_NAME = "stories"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The scheme that stories were judged by, and how far judging again has come."""

    #: `story.SCHEME`; 0 before there were any.
    number: int = 0
    #: The last article that was judged again; None: all were.
    reached: int | None = None


def judged(tx: Tx) -> Judged:
    """By which scheme, and how far."""
    r = tx.execute(sa.select(SCHEME).where(SCHEME.c.name == _NAME)).one_or_none()
    return Judged() if r is None else Judged(number=r.number, reached=r.reached)


def note_judged(tx: Tx, found: Judged) -> None:
    """Write it down."""
    values = {"name": _NAME, "number": found.number, "reached": found.reached}
    tx.execute(insert(tx, SCHEME).values(values).on_conflict_do_update(index_elements=["name"], set_=values))


def begin_again(tx: Tx, number: int, since: datetime) -> None:
    """Forget what articles since that moment were compared by, and what stories perhaps are the same.

    None is found by a new one until it is judged again; all stay in their stories until then.
    """
    came = sa.select(ARTICLE.c.id).where(ARTICLE.c.first_seen >= since)
    theirs = sa.or_(STORY_ARTICLE.c.published >= since, STORY_ARTICLE.c.article_id.in_(came))
    tx.execute(sa.update(STORY_ARTICLE).where(theirs, sa.func.length(STORY_ARTICLE.c.vector) > 0).values(vector=b""))
    values = {"perhaps_id": None, "perhaps_score": 0.0, "perhaps_why": ""}
    tx.execute(sa.update(STORY).where(STORY.c.perhaps_id.is_not(None)).values(values))
    forget_counts(tx)
    memory.change(tx, is_all=True)
    note_judged(tx, Judged(number=number, reached=0))


def next_to_judge(tx: Tx, after: int, since: datetime, *, limit: int) -> tuple[int, ...]:
    """The articles that came first after that one, since that moment, and are not judged by this scheme."""
    query = (
        sa.select(ARTICLE.c.id)
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
        .where(ARTICLE.c.id > after, ARTICLE.c.first_seen >= since, ARTICLE.c.revision > 0)
        .where(sa.or_(STORY_ARTICLE.c.vector.is_(None), sa.func.length(STORY_ARTICLE.c.vector) == 0))
    )
    return tuple(tx.execute(query.order_by(ARTICLE.c.id).limit(limit)).scalars())


def is_taken(tx: Tx, story_id: int, since: datetime, *, exclude: int) -> bool:
    """Tells whether an article other than `exclude`, first seen since then, tells this story by today's scheme."""
    query = sa.select(STORY_ARTICLE.c.article_id).join(ARTICLE, ARTICLE.c.id == STORY_ARTICLE.c.article_id)
    judged = (sa.func.length(STORY_ARTICLE.c.vector) > 0, ARTICLE.c.first_seen >= since)
    query = query.where(STORY_ARTICLE.c.story_id == story_id, STORY_ARTICLE.c.article_id != exclude, *judged)
    return tx.execute(query.limit(1)).first() is not None
