"""A store as it was at an earlier moment, made in an empty SQLite store: what a replay starts from.

Exact where rows are only ever added. What was changed since is put back as far as the events say; the rest is taken as
it is known now: the story of an article whose story was merged since, the vector of a text that was revised since.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from worker.identify import Sighting
from worker.model import DeliveryState, EntryState, ParsedEntry
from worker.normalise import Known
from worker.store.database import Tx, insert
from worker.store.entries import short
from worker.store.events import Event, Kind
from worker.store.quarantine import READ
from worker.store.tables import (
    NOTICE,
    AcknowledgementRow,
    ArticleRow,
    BandRow,
    DeliveryRow,
    DocumentRow,
    EntryRow,
    FeedRow,
    FingerprintRow,
    LineRow,
    MatchRow,
    ObligationRow,
    RawRow,
    RevisionRow,
    SecretRow,
    SeenRow,
    SilenceRow,
    StoryArticleRow,
    StoryKeyRow,
    StoryRow,
    TermRow,
    WaveRow,
)

_acknowledged: sa.Table = AcknowledgementRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # as above
_band: sa.Table = BandRow.__table__  # type: ignore[attr-defined]  # as above
_delivery: sa.Table = DeliveryRow.__table__  # type: ignore[attr-defined]  # as above
_document: sa.Table = DocumentRow.__table__  # type: ignore[attr-defined]  # as above
_entry: sa.Table = EntryRow.__table__  # type: ignore[attr-defined]  # as above
_feed: sa.Table = FeedRow.__table__  # type: ignore[attr-defined]  # as above
_fingerprint: sa.Table = FingerprintRow.__table__  # type: ignore[attr-defined]  # as above
_line: sa.Table = LineRow.__table__  # type: ignore[attr-defined]  # as above
_match: sa.Table = MatchRow.__table__  # type: ignore[attr-defined]  # as above
_obligation: sa.Table = ObligationRow.__table__  # type: ignore[attr-defined]  # as above
_raw: sa.Table = RawRow.__table__  # type: ignore[attr-defined]  # as above
_revision: sa.Table = RevisionRow.__table__  # type: ignore[attr-defined]  # as above
_secret: sa.Table = SecretRow.__table__  # type: ignore[attr-defined]  # as above
_seen: sa.Table = SeenRow.__table__  # type: ignore[attr-defined]  # as above
_silence: sa.Table = SilenceRow.__table__  # type: ignore[attr-defined]  # as above
_story: sa.Table = StoryRow.__table__  # type: ignore[attr-defined]  # as above
_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # as above
_key: sa.Table = StoryKeyRow.__table__  # type: ignore[attr-defined]  # as above
_term: sa.Table = TermRow.__table__  # type: ignore[attr-defined]  # as above
_wave: sa.Table = WaveRow.__table__  # type: ignore[attr-defined]  # as above
_parsed = TypeAdapter(ParsedEntry)

_Row = dict[str, Any]
_MANY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The document that a feed had given last before the moment; its bytes may not be kept any more."""

    feed_id: int
    sha256: str
    url: str
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A text by which words were counted after the moment."""

    title: str
    body: str
    language: str


def rewind(then: Tx, to: Tx, moment: datetime, happened: Sequence[Event]) -> None:
    """Put into an empty store what the store of `then` held before `moment`; `happened` is what happened since."""
    # Rows come table by table, and an article may be a copy of one with a higher number.
    to.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    stood = sa.or_(
        sa.exists().where(_revision.c.article_id == _article.c.id, _revision.c.created < moment),
        sa.and_(_article.c.revision == 0, _article.c.first_seen < moment),
    )
    base = sa.select(_article.c.id).where(stood)
    _copy(then, to, _feed, change=lambda row: row | {"lease_until": None})
    _copy(then, to, _secret)
    _entries(then, to, moment, happened)
    _copy(then, to, _article, stood)
    _copy(then, to, _revision, _revision.c.created < moment)
    for table in (_fingerprint, _band, _told, _key):
        _copy(then, to, table, table.c.article_id.in_(base))
    came = sa.select(_article.c.id).where(~stood)
    _copy(then, to, _line, _line.c.article_id.not_in(came), _lines(then, came))
    told = sa.select(_told.c.story_id).where(_told.c.article_id.in_(base))
    _copy(then, to, _story, sa.or_(_story.c.created < moment, _story.c.id.in_(told)))
    _copy(then, to, _acknowledged, _acknowledged.c.created < moment)
    _copy(then, to, _silence, _silence.c.created < moment, _silences(happened))
    _copy(then, to, _match, _match.c.created < moment)
    is_alert = sa.and_(_delivery.c.created < moment, _delivery.c.collects != NOTICE)
    _copy(then, to, _delivery, is_alert, _deliveries(happened))
    _copy(then, to, _obligation, _obligation.c.created < moment)
    _copy(then, to, _wave, _wave.c.began < moment, lambda row: row | {"ended": _before(row["ended"], moment)})
    if to.execute(sa.select(_told.c.article_id).limit(1)).first() is not None:
        _copy(then, to, _term)
    _cut(to)


def _copy(
    then: Tx,
    to: Tx,
    table: sa.Table,
    where: sa.ColumnElement[bool] | None = None,
    change: Callable[[_Row], _Row] = lambda row: row,
) -> None:
    query = sa.select(table) if where is None else sa.select(table).where(where)
    for rows in then.execute(query).mappings().partitions(_MANY):
        to.execute(sa.insert(table), [change(dict(row)) for row in rows])


def _entries(then: Tx, to: Tx, moment: datetime, happened: Sequence[Event]) -> None:
    """Entries as they may be taken again; whoever takes one says so by its number."""
    with_page = {event.about for event in happened if event.kind is Kind.PAGE}

    def ready(row: _Row) -> _Row:
        return row | {
            "state": EntryState.READY,
            "attempts": 0,
            "error": "",
            "put_aside": None,
            "lease_until": None,
            "page_lease_until": None,
            "page_tries": 0,
            "page_only": False,
            "page_text": "" if row["id"] in with_page else row["page_text"],
        }

    stood = sa.select(_entry.c.id).where(_entry.c.first_seen < moment)
    _copy(then, to, _entry, _entry.c.first_seen < moment, ready)
    _copy(then, to, _seen, _seen.c.entry_id.in_(stood))


def copy_purged(then: Tx, to: Tx, feed_ids: Collection[int], moment: datetime) -> None:
    """Take over the keys of forgotten entries of those feeds that were polled before the moment.

    When an entry was forgotten is not known: one that came since may be among them.
    """
    polled = sa.or_(
        sa.exists().where(_document.c.feed_id == _seen.c.feed_id, _document.c.at < moment),
        sa.exists().where(_entry.c.feed_id == _seen.c.feed_id, _entry.c.first_seen < moment),
    )
    _copy(then, to, _seen, sa.and_(_seen.c.entry_id.is_(None), _seen.c.feed_id.in_(list(feed_ids)), polled))


def _lines(then: Tx, came: sa.Select[tuple[int]]) -> Callable[[_Row], _Row]:
    """Lines as they were before the articles came that repeated them since."""
    since = frozenset(then.execute(came).scalars())
    return lambda row: row | {"other_id": None if row["other_id"] in since else row["other_id"]}


def _silences(happened: Sequence[Event]) -> Callable[[_Row], _Row]:
    """Silences as they were, before they were ended."""
    until = {
        event.about: event.data["until"] and datetime.fromisoformat(event.data["until"])
        for event in reversed(happened)
        if event.kind is Kind.SILENCE_ENDED
    }
    return lambda row: row | {"until": until.get(row["id"], row["until"])}


def _deliveries(happened: Sequence[Event]) -> Callable[[_Row], _Row]:
    """Deliveries as they were: open before they were sealed, under way before they came to their end."""
    first: dict[str, str] = {}
    for event in happened:
        if event.kind is Kind.DELIVERY:
            first.setdefault(event.data["key"], event.data["state"])

    def before(row: _Row) -> _Row:
        row |= {"owner": "", "lease_until": None}
        match first.get(row["key"]):
            case None:
                return row
            case DeliveryState.SEALED:
                unsealed = {"content": b"", "message_id": "", "subject": "", "attempts": 0, "first_attempt": None}
                return row | unsealed | {"state": DeliveryState.OPEN, "finished": None, "ref": "", "reason": ""}
            case DeliveryState.OPEN:
                return row | {"state": DeliveryState.PARKED, "finished": None, "ref": ""}
            case _:
                return row | {"state": DeliveryState.SEALED, "finished": None, "ref": ""}

    return before


def _before(at: datetime | None, moment: datetime) -> datetime | None:
    """A time, as it was known before the moment."""
    return None if at is None or at >= moment else at


def _cut(to: Tx) -> None:
    """Let go of what came later: of texts, originals, merged stories and deliveries that are not there."""
    newest = sa.select(_revision).where(_revision.c.article_id == _article.c.id)
    number = newest.with_only_columns(sa.func.max(_revision.c.number)).scalar_subquery()
    title = newest.with_only_columns(_revision.c.title).order_by(_revision.c.number.desc()).limit(1).scalar_subquery()
    to.execute(sa.update(_article).where(_article.c.revision > number).values(revision=number, title=title))
    kept = sa.select(_article.c.revision).where(_article.c.id == _fingerprint.c.article_id).scalar_subquery()
    to.execute(sa.delete(_fingerprint).where(_fingerprint.c.revision > kept))
    for table, column in ((_article, "of_id"), (_entry, "article_id"), (_story, "merged_into"), (_story, "perhaps_id")):
        other = (_story if table is _story else _article).alias("other")
        gone = ~sa.exists().where(other.c.id == table.c[column])
        to.execute(sa.update(table).where(table.c[column].is_not(None), gone).values({column: None}))
    carried = ~sa.exists().where(_delivery.c.id == _obligation.c.delivery_id)
    to.execute(sa.update(_obligation).where(_obligation.c.delivery_id.is_not(None), carried).values(delivery_id=None))
    there = sa.exists().where(_wave.c.rule_id == _obligation.c.rule_id, _wave.c.article_id == _obligation.c.wave)
    to.execute(sa.update(_obligation).where(_obligation.c.wave.is_not(None), ~there).values(wave=None))


def copy_raw(then: Tx, to: Tx, shas: Collection[str]) -> None:
    """Take over kept bytes, as far as they are kept."""
    wanted = sorted(shas)
    for at in range(0, len(wanted), 100):
        _copy(then, to, _raw, _raw.c.sha256.in_(wanted[at : at + 100]))


def documents_before(then: Tx, moment: datetime, feed_ids: Collection[int]) -> tuple[Before, ...]:
    """The last readable document of each of these feeds before the moment, where there was one."""
    newest = (
        sa.select(sa.func.max(_document.c.id))
        .where(_document.c.at < moment, _document.c.result == READ, _document.c.feed_id.in_(list(feed_ids)))
        .group_by(_document.c.feed_id)
    )
    query = sa.select(_document).where(_document.c.id.in_(newest)).order_by(_document.c.feed_id)
    return tuple(
        Before(feed_id=r.feed_id, sha256=r.sha256, url=r.url, content_type=r.content_type) for r in then.execute(query)
    )


def put_back(to: Tx, feed_id: int, sightings: Sequence[Sighting]) -> None:
    """Let entries be what a document before the moment showed of them; those that are not there were forgotten."""
    for one in sightings:
        if one.entry_id is None:
            rows = [{"feed_id": feed_id, "key": short(key), "entry_id": None, "digest": one.digest} for key in one.keys]
            if rows:
                to.execute(insert(to, _seen).on_conflict_do_nothing(index_elements=["feed_id", "key"]), rows)
            continue
        parsed = _parsed.dump_json(one.parsed, exclude_defaults=True).decode()
        to.execute(sa.update(_entry).where(_entry.c.id == one.entry_id).values(parsed=parsed))
        to.execute(sa.update(_seen).where(_seen.c.entry_id == one.entry_id).values(digest=one.digest))


def counted_since(then: Tx, moment: datetime) -> tuple[Counted, ...]:
    """The texts of the new articles that opened a story since the moment: their words were not counted before."""
    query = (
        sa.select(_revision.c.title, _revision.c.body, _article.c.language)
        .join(_article, _article.c.id == _revision.c.article_id)
        .join(_told, _told.c.article_id == _article.c.id)
        .where(_revision.c.created >= moment, _revision.c.number == 1, _article.c.novelty == "new", _told.c.score == 0)
    )
    return tuple(Counted(title=r.title, body=r.body, language=r.language) for r in then.execute(query))


def feeds(then: Tx) -> Mapping[int, tuple[str, str]]:
    """Key and name of every feed ever polled, by number."""
    return {r.id: (r.key, r.name) for r in then.execute(sa.select(_feed.c.id, _feed.c.key, _feed.c.name))}


def imported(then: Tx, article_ids: Collection[int]) -> dict[int, Known]:
    """Those imported articles, by number, as they were given."""
    wanted, found = sorted(article_ids), {}
    for at in range(0, len(wanted), _MANY):
        query = (
            sa.select(_article, _revision.c.title.label("first_title"), _revision.c.body)
            .join(_revision, _revision.c.article_id == _article.c.id)
            .where(_article.c.id.in_(wanted[at : at + _MANY]), _revision.c.number == 1)
        )
        for r in then.execute(query):
            found[r.id] = Known(
                id=r.name,
                language=r.language,
                published=r.published,
                precision=r.precision,
                source=r.source,
                url=r.link,
                title=r.first_title,
                body=r.body,
            )
    return found
