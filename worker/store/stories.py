"""Stories, the articles that tell them, and what a new article's story is found by."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from worker.store.database import Tx
from worker.store.tables import ArticleRow, StoryArticleRow, StoryKeyRow, StoryRow
from worker.story import COMPARED, WINDOW, Candidate, StoryVerdict, Told, Vector, keys, unpacked

_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_story: sa.Table = StoryRow.__table__  # type: ignore[attr-defined]  # as above
_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # as above
_key: sa.Table = StoryKeyRow.__table__  # type: ignore[attr-defined]  # as above

#: The row of `term` that counts the articles themselves; terms have 32 bits.
_ARTICLES = -1
#: Terms that an article must share to be looked at, how many articles of one term are, and how many stories.
_SHARED, _MAX_SHARING, _MAX_STORIES = 2, 200, 6
_PERIOD = (sa.bindparam("since", type_=_told.c.published.type), sa.bindparam("until", type_=_told.c.published.type))


def _near(sharing: str) -> sa.TextClause:
    """The stories whose articles share most keys, in that order; one statement, since each costs more than its work.

    `sharing`: the articles `id` of each key, once for each.
    """
    return sa.text(f"""
        SELECT t.story_id, near.shared FROM (
            SELECT id, count(*) AS shared FROM ({sharing}) AS k WHERE id != :but
            GROUP BY id HAVING count(*) >= :shared ORDER BY count(*) DESC, id DESC LIMIT :most
        ) AS near JOIN story_article AS t ON t.article_id = near.id
        WHERE t.published BETWEEN :since AND :until ORDER BY near.shared DESC, near.id DESC
    """).bindparams(*_PERIOD, shared=_SHARED, most=_MAX_SHARING)  # noqa: S608 - of two texts of ours


# SQLite has no LATERAL, but its json_each is one.
_NEAR_SQLITE = _near(
    "SELECT a.value AS id FROM json_each(:keys) AS v, json_each((SELECT json_group_array(article_id) FROM "
    "(SELECT article_id FROM story_key WHERE term = v.value ORDER BY article_id DESC LIMIT :most))) AS a"
)
_NEAR_POSTGRESQL = _near(
    "SELECT a.id FROM unnest(CAST(:keys AS bigint[])) AS v(value) CROSS JOIN LATERAL "
    "(SELECT article_id AS id FROM story_key WHERE term = v.value ORDER BY article_id DESC LIMIT :most) AS a"
)


_ADD_KEYS_SQLITE = sa.text(
    "INSERT INTO story_key (term, article_id) SELECT k.value, :article FROM json_each(:keys) AS k"
)
_ADD_KEYS_POSTGRESQL = sa.text(
    "INSERT INTO story_key (term, article_id) SELECT k.value, CAST(:article AS integer) "
    "FROM unnest(CAST(:keys AS bigint[])) AS k(value)"
)
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
# Made once: SQLAlchemy takes longer to make a statement of values than the database to store them.
_ADD_STORY = sa.insert(_story).returning(_story.c.id)
_PUT = sa.text(
    "INSERT INTO story_article (article_id, story_id, score, why, language, published, vector) "
    "VALUES (:article_id, :story_id, :score, :why, :language, :published, :vector) "
    "ON CONFLICT (article_id) DO UPDATE SET story_id = excluded.story_id, score = excluded.score, why = excluded.why, "
    "language = excluded.language, published = excluded.published, vector = excluded.vector"
).bindparams(sa.bindparam("published", type_=_told.c.published.type), sa.bindparam("vector", type_=sa.LargeBinary))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStory:
    """A story, for people."""

    id: int
    #: Of its first article.
    title: str
    #: When its first and its last article were published.
    first_seen: datetime
    last_seen: datetime
    articles: int
    outlets: tuple[str, ...]
    #: The story that it turned out to be.
    merged_into: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
    """One article of a story's time line."""

    article_id: int
    published: datetime
    source: str
    title: str
    #: The original, where it is a copy.
    of_id: int | None
    score: float
    why: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The stories that an article may tell."""

    candidates: tuple[Candidate, ...]
    #: Terms that another article must share to bring its story among them.
    entry: int


def candidates(tx: Tx, vector: Vector, published: datetime, *, but: int | None = None) -> Found:
    """The stories of the last days that share most of an article's heaviest terms, and at least two."""
    wanted = list(keys(vector))
    since, until = _around(published)
    asked = {"but": but or 0, "since": since, "until": until}
    if tx.dialect.name == "sqlite":
        rows = tx.execute(_NEAR_SQLITE, {"keys": json.dumps(wanted), **asked})
    else:
        rows = tx.execute(_NEAR_POSTGRESQL, {"keys": wanted, **asked})
    near: dict[int, int] = {}
    for row in rows:
        near.setdefault(row.story_id, row.shared)
    story_ids = list(near)[:_MAX_STORIES]
    entry = near[story_ids[-1]] if len(story_ids) == _MAX_STORIES else _SHARED
    return Found(candidates=_with_articles(tx, story_ids, but), entry=entry)


def _around(published: datetime) -> tuple[datetime, datetime]:
    """The window about a moment, as far as the calendar goes: a feed may date an article in the year 1."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return (
        published - WINDOW if published - first > WINDOW else first,
        published + WINDOW if last - published > WINDOW else last,
    )


def _newest_told(among: str) -> sa.TextualSelect:
    columns = "story_id, article_id, published, language, vector"
    newest_first = "row_number() OVER (PARTITION BY story_id ORDER BY published DESC, article_id DESC)"
    return sa.text(f"""
        SELECT {columns} FROM (
            SELECT {columns}, {newest_first} AS number FROM story_article WHERE {among} AND length(vector) > 0
        ) AS newest WHERE number <= {COMPARED} ORDER BY published, article_id
    """).columns(*(_told.c[name] for name in columns.split(", ")))  # noqa: S608 - of texts of ours


_NEWEST_TOLD_SQLITE = _newest_told("story_id IN (SELECT value FROM json_each(:stories))")
_NEWEST_TOLD_POSTGRESQL = _newest_told("story_id = ANY(CAST(:stories AS integer[]))")


def _with_articles(tx: Tx, story_ids: Sequence[int], but: int | None) -> tuple[Candidate, ...]:
    """The stories with their newest articles that have a vector; copies have none."""
    if not story_ids:
        return ()
    found: defaultdict[int, list[Told]] = defaultdict(list)
    if tx.dialect.name == "sqlite":
        rows = tx.execute(_NEWEST_TOLD_SQLITE, {"stories": json.dumps(story_ids)})
    else:
        rows = tx.execute(_NEWEST_TOLD_POSTGRESQL, {"stories": list(story_ids)})
    for r in rows:
        if r.article_id != but:
            told = Told(article_id=r.article_id, published=r.published, language=r.language, vector=unpacked(r.vector))
            found[r.story_id].append(told)
    return tuple(Candidate(story_id=story_id, articles=tuple(told)) for story_id, told in sorted(found.items()))


def tell(tx: Tx, told: Told, verdict: StoryVerdict, *, title: str, now: datetime) -> int:
    """Store an article as part of the story that was decided; returns the story's id."""
    story_id = verdict.story_id
    if story_id is None:
        values = {"title": title, "first_seen": told.published, "last_seen": told.published, "created": now}
        story_id = int(tx.execute(_ADD_STORY, values).scalar_one())
    for merged in verdict.merged:
        _merge(tx, merged, story_id)
    _put(tx, told.article_id, story_id, told, verdict)
    if verdict.merged:  # it may be its own story of before, with its keys
        _drop_keys(tx, told.article_id)
    _put_keys(tx, told)
    if verdict.story_id is not None:
        _stretch(tx, story_id, told.published)
    return story_id


def renew(tx: Tx, told: Told) -> None:
    """Compare later articles with an article's new text; it stays in its story."""
    mine = _told.c.article_id == told.article_id
    tx.execute(sa.update(_told).where(mine).values(vector=told.vector.packed(), language=told.language))
    _drop_keys(tx, told.article_id)
    _put_keys(tx, told)


def _drop_keys(tx: Tx, article_id: int) -> None:
    tx.execute(sa.delete(_key).where(_key.c.article_id == article_id))


def _put_keys(tx: Tx, told: Told) -> None:
    values = list(keys(told.vector))
    if values and tx.dialect.name == "sqlite":
        tx.execute(_ADD_KEYS_SQLITE, {"article": told.article_id, "keys": json.dumps(values)})
    elif values:
        tx.execute(_ADD_KEYS_POSTGRESQL, {"article": told.article_id, "keys": values})


def tell_copy(tx: Tx, article_id: int, original: int, *, published: datetime, language: str) -> int | None:
    """Put a copy into its original's story; None if that tells none."""
    story_id = story_of(tx, original)
    if story_id is None:
        return None
    told = Told(article_id=article_id, published=published, language=language, vector=Vector(weights={}))
    why = f"It is a copy of article {original}."
    _put(tx, article_id, story_id, told, StoryVerdict(story_id=story_id, score=0.0, why=why))
    _stretch(tx, story_id, published)
    return story_id


def story_of(tx: Tx, article_id: int) -> int | None:
    """The story that an article tells."""
    return tx.execute(sa.select(_told.c.story_id).where(_told.c.article_id == article_id)).scalar()


def merged(tx: Tx, story_id: int) -> tuple[int, ...]:
    """The stories that turned out to be this one."""
    return tuple(tx.execute(sa.select(_story.c.id).where(_story.c.merged_into == story_id)).scalars())


def merged_into(tx: Tx, story_id: int) -> int | None:
    """The story that this one turned out to be."""
    return tx.execute(sa.select(_story.c.merged_into).where(_story.c.id == story_id)).scalar()


def _put(tx: Tx, article_id: int, story_id: int, told: Told, verdict: StoryVerdict) -> None:
    values = {
        "article_id": article_id,
        "story_id": story_id,
        "score": verdict.score,
        "why": verdict.why,
        "language": told.language,
        "published": told.published,
        "vector": told.vector.packed(),
    }
    tx.execute(_PUT, values)


def _merge(tx: Tx, gone: int, into: int) -> None:
    """What one story was, the other is from now on; both stay known."""
    tx.execute(sa.update(_told).where(_told.c.story_id == gone).values(story_id=into))
    tx.execute(
        sa.update(_story).where(sa.or_(_story.c.id == gone, _story.c.merged_into == gone)).values(merged_into=into)
    )
    first, last = tx.execute(sa.select(_story.c.first_seen, _story.c.last_seen).where(_story.c.id == gone)).one()
    _stretch(tx, into, first)
    _stretch(tx, into, last)


def _stretch(tx: Tx, story_id: int, published: datetime) -> None:
    """Let a story's time cover that moment."""
    beyond = sa.or_(_story.c.first_seen > published, _story.c.last_seen < published)
    first = sa.case((_story.c.first_seen > published, published), else_=_story.c.first_seen)
    last = sa.case((_story.c.last_seen < published, published), else_=_story.c.last_seen)
    tx.execute(sa.update(_story).where(_story.c.id == story_id, beyond).values(first_seen=first, last_seen=last))


# --- for people ----------------------------------------------------------------------------------------------------


def newest(tx: Tx, *, limit: int, several: bool = False) -> tuple[StoredStory, ...]:
    """The stories that had an article last; with `several`, only those of more than one."""
    counted = sa.select(_told.c.story_id, sa.func.count().label("articles")).group_by(_told.c.story_id).subquery()
    query = sa.select(_story, counted.c.articles).join(counted, counted.c.story_id == _story.c.id)
    query = query.where(_story.c.merged_into.is_(None)).order_by(_story.c.last_seen.desc(), _story.c.id.desc())
    if several:
        query = query.where(counted.c.articles > 1)
    rows = tx.execute(query.limit(limit)).all()
    outlets = _outlets(tx, [row.id for row in rows])
    return tuple(_stored(row, outlets.get(row.id, ())) for row in rows)


def get(tx: Tx, story_id: int) -> StoredStory | None:
    """One story by id."""
    articles = sa.select(sa.func.count()).select_from(_told).where(_told.c.story_id == story_id).scalar_subquery()
    row = tx.execute(sa.select(_story, articles.label("articles")).where(_story.c.id == story_id)).one_or_none()
    return None if row is None else _stored(row, _outlets(tx, [story_id]).get(story_id, ()))


def lines(tx: Tx, story_id: int) -> tuple[StoryLine, ...]:
    """A story's articles by time."""
    query = (
        sa.select(_told, _article.c.title, _article.c.source, _article.c.of_id)
        .join(_article, _article.c.id == _told.c.article_id)
        .where(_told.c.story_id == story_id)
        .order_by(_told.c.published, _told.c.article_id)
    )
    return tuple(
        StoryLine(
            article_id=r.article_id,
            published=r.published,
            source=r.source,
            title=r.title,
            of_id=r.of_id,
            score=r.score,
            why=r.why,
        )
        for r in tx.execute(query)
    )


def counts(tx: Tx) -> dict[str, int]:
    """How many stories there are, how many of several articles, and how many were merged into another."""
    of_story = sa.select(sa.func.count().label("articles")).select_from(_told).group_by(_told.c.story_id).subquery()
    several = sa.select(sa.func.count()).select_from(of_story).where(of_story.c.articles > 1)
    merged = sa.select(sa.func.count()).select_from(_story).where(_story.c.merged_into.is_not(None))
    return {
        "stories": int(tx.execute(sa.select(sa.func.count()).select_from(of_story)).scalar_one()),
        "several": int(tx.execute(several).scalar_one()),
        "merged": int(tx.execute(merged).scalar_one()),
    }


def _outlets(tx: Tx, story_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    query = (
        sa.select(_told.c.story_id, _article.c.source)
        .join(_article, _article.c.id == _told.c.article_id)
        .where(_told.c.story_id.in_(story_ids), _article.c.source != "")
        .distinct()
        .order_by(_article.c.source)
    )
    found: defaultdict[int, list[str]] = defaultdict(list)
    for row in tx.execute(query):
        found[row.story_id].append(row.source)
    return {story_id: tuple(sources) for story_id, sources in found.items()}


def _stored(r: sa.Row[tuple[object, ...]], outlets: tuple[str, ...]) -> StoredStory:
    return StoredStory(
        id=r.id,
        title=r.title,
        first_seen=r.first_seen,
        last_seen=r.last_seen,
        articles=r.articles,
        outlets=outlets,
        merged_into=r.merged_into,
    )


# --- upkeep --------------------------------------------------------------------------------------------------------


def forget_keys(tx: Tx, *, before: datetime) -> int:
    """Drop the keys of articles published before that time: no new article looks so far back; returns how many."""
    old = sa.select(_told.c.article_id).where(_told.c.published < before)
    return tx.execute(sa.delete(_key).where(_key.c.article_id.in_(old))).rowcount


def forget_empty(tx: Tx) -> int:
    """Drop the stories that no article tells any more and none was merged into; returns how many."""
    told = sa.exists().where(_told.c.story_id == _story.c.id)
    other = sa.alias(_story)
    kept = sa.exists().where(other.c.merged_into == _story.c.id)
    return tx.execute(sa.delete(_story).where(~told, ~kept)).rowcount
