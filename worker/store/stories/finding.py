"""The stories that an article may tell, with the articles that it is compared with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from worker.store.database import Tx
from worker.store.tables import StoryArticleRow
from worker.story import COMPARED, COMPARED_IN_GROUP, WINDOW, Candidate, Told, Vector, keys, unpacked

_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time

#: Terms that an article must share to be looked at, how many articles of one term are, and how many groups of stories.
_SHARED, _MAX_SHARING, _MAX_GROUPS = 1, 400, 60
#: The nearest groups may be the article's. Of the others, which only say how many are nearly as like, few articles do.
_NEAREST, _OF_OTHERS = 12, 2
_PERIOD = (sa.bindparam("since", type_=_told.c.published.type), sa.bindparam("until", type_=_told.c.published.type))


def _near(sharing: str) -> sa.TextClause:
    """The groups whose articles share most keys, in that order; one statement, since each costs more than its work.

    `sharing`: the articles `id` of each key, once for each.
    """
    return sa.text(f"""
        SELECT coalesce(s.perhaps_id, s.id) AS root, near.shared FROM (
            SELECT id, count(*) AS shared FROM ({sharing}) AS k WHERE id != :but
            GROUP BY id HAVING count(*) >= :shared ORDER BY count(*) DESC, id DESC LIMIT :most
        ) AS near JOIN story_article AS t ON t.article_id = near.id JOIN story AS s ON s.id = t.story_id
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


def _newest_told(roots: str, joined: str) -> sa.TextualSelect:
    """The newest articles of each story of those groups, and the groups that each of these was put apart from.

    `roots`: the groups, as a table of `value` and `place`, from 1; `joined`: numbers as one text.
    """
    columns = "root, story_id, article_id, published, language, vector"
    in_story, in_group = (
        f"row_number() OVER (PARTITION BY {part} ORDER BY t.published DESC, t.article_id DESC)"
        for part in ("t.story_id", "r.value")
    )
    return sa.text(f"""
        WITH pairs AS MATERIALIZED (
            SELECT (SELECT coalesce(perhaps_id, id) FROM story WHERE id = a.story_id) AS root,
                (SELECT coalesce(perhaps_id, id) FROM story WHERE id = a.other_id) AS other FROM story_apart AS a
        )
        SELECT {columns}, (SELECT {joined} FROM pairs WHERE pairs.root = newest.root) AS apart FROM (
            SELECT r.value AS root, t.story_id, t.article_id, t.published, t.language, t.vector,
                {in_story} AS in_story, {in_group} AS in_group,
                CASE WHEN r.place <= {_NEAREST} THEN {COMPARED_IN_GROUP} ELSE {_OF_OTHERS} END AS most
            FROM {roots} JOIN story AS s ON s.id = r.value OR s.perhaps_id = r.value
            JOIN story_article AS t ON t.story_id = s.id WHERE length(t.vector) > 0
        ) AS newest WHERE in_story <= {COMPARED} AND in_group <= most ORDER BY published, article_id
        """).columns(  # noqa: S608 - of texts of ours
        **{name: _told.c[name].type for name in ("story_id", "article_id", "published", "language", "vector")},
        root=sa.Integer,
        apart=sa.Text,
    )


_NEWEST_TOLD_SQLITE = _newest_told(
    "(SELECT value, key + 1 AS place FROM json_each(:roots)) AS r", "group_concat(other, ',')"
)
_NEWEST_TOLD_POSTGRESQL = _newest_told(
    "unnest(CAST(:roots AS integer[])) WITH ORDINALITY AS r(value, place)", "string_agg(CAST(other AS text), ',')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The stories that an article may tell."""

    candidates: tuple[Candidate, ...]
    #: The groups that they are of, by their roots.
    roots: frozenset[int]
    #: Terms that another article must share to bring its story among them.
    entry: int


def candidates(tx: Tx, vector: Vector, published: datetime, *, but: int | None = None) -> Found:
    """The stories of the groups that share most of an article's heaviest terms in these days, and at least two."""
    wanted = keys(vector).tolist()
    since, until = _around(published)
    asked = {"but": but or 0, "since": since, "until": until}
    if tx.dialect.name == "sqlite":
        rows = tx.execute(_NEAR_SQLITE, {"keys": json.dumps(wanted), **asked})
    else:
        rows = tx.execute(_NEAR_POSTGRESQL, {"keys": wanted, **asked})
    near: dict[int, int] = {}
    for row in rows:
        near.setdefault(row.root, row.shared)
    roots = list(near)[:_MAX_GROUPS]
    entry = near[roots[-1]] if len(roots) == _MAX_GROUPS else _SHARED
    return Found(candidates=_with_articles(tx, roots, but), roots=frozenset(roots), entry=entry)


def _around(published: datetime) -> tuple[datetime, datetime]:
    """The window about a moment, as far as the calendar goes: a feed may date an article in the year 1."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return (
        published - WINDOW if published - first > WINDOW else first,
        published + WINDOW if last - published > WINDOW else last,
    )


@dataclass(slots=True, kw_only=True)
class _Story:
    root: int
    apart: frozenset[int]
    articles: list[Told] = field(default_factory=list)


def _with_articles(tx: Tx, roots: Sequence[int], but: int | None) -> tuple[Candidate, ...]:
    """The stories with their newest articles that have a vector; copies have none."""
    if not roots:
        return ()
    if tx.dialect.name == "sqlite":
        rows = tx.execute(_NEWEST_TOLD_SQLITE, {"roots": json.dumps(roots)})
    else:
        rows = tx.execute(_NEWEST_TOLD_POSTGRESQL, {"roots": list(roots)})
    found: dict[int, _Story] = {}
    for r in rows:
        if r.article_id != but:
            told = Told(article_id=r.article_id, published=r.published, language=r.language, vector=unpacked(r.vector))
            if r.story_id not in found:
                apart = frozenset(map(int, (r.apart or "").split(","))) if r.apart else frozenset()
                found[r.story_id] = _Story(root=r.root, apart=apart)
            found[r.story_id].articles.append(told)
    return tuple(
        Candidate(story_id=story_id, root=one.root, apart=one.apart, articles=tuple(one.articles))
        for story_id, one in sorted(found.items())
    )
