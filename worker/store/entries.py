"""Entries, the keys they are known by, and the documents they came in."""

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from worker.feeds.identify import Bare, Seen, Sighting, SightingKind
from worker.model import EntryState, ParsedEntry, Role, StoredEntry
from worker.store import pages
from worker.store.database import Tx, insert
from worker.store.deferred import wake
from worker.store.tables import ENTRY, FEED, RAW, SEEN

_parsed = TypeAdapter(ParsedEntry)
# Made once: SQLAlchemy takes longer to make a statement of values than the database to store them.
_ADD = sa.insert(ENTRY).returning(ENTRY.c.id, sort_by_parameter_order=True)
_DONE = (
    sa.update(ENTRY)
    .where(ENTRY.c.id == sa.bindparam("entry"))
    .values(state=EntryState.DONE, article_id=sa.bindparam("article"), lease_until=None, error="", attempts=0)
)

#: What a date may be off by.
_A_DAY = timedelta(days=1)

#: Texts kept under one identity; a body that holds the time of day would make one a poll (reader's limit).
MAX_CHANGES = 24
#: Tries to make an article of an entry before it is put aside.
MAX_ATTEMPTS = 5
#: Tries that did not come to their end, after which an entry is tried alone.
_ALONE = 2
_KEY_LENGTH = 200


def keep_raw(tx: Tx, body: bytes, now: datetime) -> str:
    """Keep a document once; returns its sha256 hex."""
    sha = hashlib.sha256(body).hexdigest()
    row = {"sha256": sha, "body": zlib.compress(body), "first_seen": now}
    tx.execute(insert(tx, RAW).values(row).on_conflict_do_nothing(index_elements=["sha256"]))
    return sha


def raw(tx: Tx, sha256: str) -> bytes | None:
    """A kept document's bytes."""
    body = tx.execute(sa.select(RAW.c.body).where(RAW.c.sha256 == sha256)).scalar()
    return None if body is None else zlib.decompress(body)


def short(key: str) -> str:
    """The form in which a key is stored."""
    # PostgreSQL indexes at most 2,704 bytes, and a publisher may put a whole page into a guid.
    if len(key) <= _KEY_LENGTH:
        return key
    return f"{key[:40]}…{hashlib.sha256(key.encode()).hexdigest()}"


def known(tx: Tx, feed_id: int, keys: Iterable[str]) -> dict[str, Seen]:
    """Entries seen before under `keys` in this feed."""
    wanted = {short(key): key for key in keys}
    shorts = list(wanted)
    found: dict[str, Seen] = {}
    for at in range(0, len(shorts), 500):
        query = sa.select(SEEN).where(SEEN.c.feed_id == feed_id, SEEN.c.key.in_(shorts[at : at + 500]))
        for row in tx.execute(query):
            found[wanted[row.key]] = Seen(entry_id=row.entry_id, digest=row.digest)
    return found


def bare(tx: Tx, feed_id: int, *, limit: int = 200) -> tuple[Bare, ...]:
    """The feed's newest entries that have neither guid nor link, so that only their text tells them."""
    query = (
        sa.select(ENTRY.c.id, ENTRY.c.parsed)
        .where(ENTRY.c.feed_id == feed_id)
        .where(ENTRY.c.parsed.not_like('%"guid":%'), ENTRY.c.parsed.not_like('%"link":%'))
        .order_by(ENTRY.c.id.desc())
        .limit(limit)
    )
    return tuple(Bare(entry_id=r.id, parsed=_parsed.validate_json(r.parsed)) for r in tx.execute(query))


def record(
    tx: Tx,
    feed_id: int,
    sightings: Sequence[Sighting],
    *,
    raw_sha256: str,
    backlog: bool,
    news_since: datetime | None = None,
    page_within: timedelta | None,
    now: datetime,
) -> tuple[tuple[int, ...], int]:
    """Store what a document showed; returns the ids of new entries and how many changed.

    Of a `backlog` the entries that are dated `news_since` or later are news. With `page_within` an entry that has a
    link waits for its page, and goes on without it after that time.
    """
    is_new = [one for one in sightings if one.kind is SightingKind.NEW]
    rows = [
        _values(
            feed_id,
            one,
            raw_sha256,
            backlog=backlog and not _is_since(one.parsed, news_since, now),
            page_within=page_within,
            now=now,
        )
        for one in is_new
    ]
    new = tuple(tx.execute(_ADD, rows).scalars()) if rows else ()
    changed = 0
    # By id, as ingest locks them: two transactions that lock the same rows in other orders wait for each other.
    by_id = sorted(sightings, key=lambda s: s.entry_id or 0)
    for sighting in by_id:
        if sighting.kind is SightingKind.CHANGED and sighting.entry_id is not None:
            entry_id = sighting.entry_id
            changed += _change(tx, entry_id, sighting, raw_sha256, page_within=page_within, now=now)
            tx.execute(sa.update(SEEN).where(SEEN.c.entry_id == entry_id).values(digest=sighting.digest))
    # Keys lead to the entry that a sighting is of; those that are new were added in their order.
    known = [(one, one.entry_id) for one in by_id if one.kind is not SightingKind.NEW]
    to_remember = [
        {"feed_id": feed_id, "key": short(key), "entry_id": entry_id, "digest": sighting.digest}
        for sighting, entry_id in [*zip(is_new, new, strict=True), *known]
        for key in sighting.keys
    ]
    if to_remember:
        statement = insert(tx, SEEN).on_conflict_do_nothing(index_elements=["feed_id", "key"])
        tx.execute(statement, to_remember)
    if new or changed:
        wake(tx, Role.INGEST if page_within is None else Role.POLL)
    return new, changed


def _is_since(parsed: ParsedEntry, moment: datetime | None, now: datetime) -> bool:
    """Tells whether an entry came into its feed after that moment, the feed's first success, by its date.

    Zones and clocks differ: a date before still counts, by as much as the feed has stood empty, at most a day; that of
    a day alone by a day. One without a date is new where the feed has stood empty for more than a day.
    """
    if moment is None:
        return False
    dated, empty = parsed.published or parsed.updated, now - moment
    if dated is None:
        return empty > _A_DAY
    return dated >= moment - (_A_DAY if dated.time() == time() else min(_A_DAY, max(empty, timedelta())))


def _waiting(parsed: ParsedEntry, page_within: timedelta | None, now: datetime) -> dict[str, Any]:
    if page_within is None or not parsed.link:
        return {"state": EntryState.READY, "page_due": None, "page_tries": 0, "page_at": None}
    return {"state": EntryState.NEW, "page_due": now + page_within, "page_tries": pages.TRIES, "page_at": now}


def _values(
    feed_id: int,
    sighting: Sighting,
    raw_sha256: str,
    *,
    backlog: bool,
    page_within: timedelta | None,
    now: datetime,
) -> dict[str, Any]:
    return {
        "feed_id": feed_id,
        "parsed": _parsed.dump_json(sighting.parsed, exclude_defaults=True).decode(),
        "raw_sha256": raw_sha256,
        "first_seen": now,
        "backlog": backlog,
        "attempts": 0,
        "error": "",
        "changes": 0,
        "page_text": "",
        "page_teasers": "",
        "page_reason": "",
        "page_detail": "",
        "page_only": False,
    } | _waiting(sighting.parsed, page_within, now)


def _change(
    tx: Tx, entry_id: int, sighting: Sighting, raw_sha256: str, *, page_within: timedelta | None, now: datetime
) -> int:
    values = {
        "parsed": _parsed.dump_json(sighting.parsed, exclude_defaults=True).decode(),
        "raw_sha256": raw_sha256,
        "changes": ENTRY.c.changes + 1,
        "attempts": 0,
        "error": "",
        "page_text": "",
        "page_teasers": "",
        "page_reason": "",
        "page_detail": "",
        "page_only": False,
        "page_lease_until": None,
        "page_owner": "",
        # Once its article stands, what changes in it is news and no longer backlog.
        "backlog": sa.case((ENTRY.c.article_id.is_not(None), sa.false()), else_=ENTRY.c.backlog),
    } | _waiting(sighting.parsed, page_within, now)
    # A lease stays: whoever holds it finds in `held` that the text is another.
    return tx.execute(
        sa.update(ENTRY).where(ENTRY.c.id == entry_id, ENTRY.c.changes < MAX_CHANGES).values(values)
    ).rowcount


def take_ready(tx: Tx, *, now: datetime, lease: timedelta, limit: int, owner: str = "") -> tuple[int, ...]:
    """At most `limit` entries to make articles of, oldest first, under a lease for `owner`.

    What may alert comes before the backlog of feeds that are new, and alone: two thousand feeds bring twenty thousand
    old items, and news must not wait for the last of them, also where it was begun and did not come to its end. An
    entry whose page did not come in time goes on. One that failed, or whose try was cut short twice, comes alone, so
    that it takes no other entry with it if it takes the process down; once may happen to anything.
    """
    late = (
        sa.select(ENTRY.c.id)
        .where(ENTRY.c.state == EntryState.NEW, ENTRY.c.page_due <= now)
        .with_for_update(skip_locked=True)
    )
    tx.execute(sa.update(ENTRY).where(ENTRY.c.id.in_(late)).values(state=EntryState.READY))
    found = tx.execute(
        sa.select(ENTRY.c.id, ENTRY.c.attempts, ENTRY.c.backlog, ENTRY.c.error)
        .where(ENTRY.c.state == EntryState.READY, _free(now))
        .order_by(ENTRY.c.backlog, ENTRY.c.attempts, ENTRY.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    first = [row for row in found if not row.backlog] or found
    together = [row for row in first if row.attempts < _ALONE and not row.error]
    ids = tuple(row.id for row in together or first[:1])
    if ids:
        tx.execute(
            sa.update(ENTRY)
            .where(ENTRY.c.id.in_(ids))
            .values(lease_until=now + lease, owner=owner, attempts=ENTRY.c.attempts + 1)
        )
    return ids


def waiting(tx: Tx, *, now: datetime) -> tuple[bool, bool]:
    """Tells whether an entry is ready to be taken, and whether a page is wanted."""
    row = tx.execute(_WAITING, {"now": now}).one()
    return bool(row[0] or row[1]), bool(row[2])


def _free(now: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    return sa.or_(ENTRY.c.lease_until.is_(None), ENTRY.c.lease_until <= now)


_now: sa.BindParameter[datetime] = sa.bindparam("now")
_WAITING = sa.select(
    sa.exists().where(ENTRY.c.state == EntryState.NEW, ENTRY.c.page_due <= _now),
    sa.exists().where(ENTRY.c.state == EntryState.READY, _free(_now)),
    sa.exists().where(*pages.wanted(_now)),
)


def read(tx: Tx, ids: Sequence[int]) -> tuple[StoredEntry, ...]:
    """Entries by id, in order of id."""
    query = sa.select(ENTRY, FEED.c.key).join(FEED, FEED.c.id == ENTRY.c.feed_id).where(ENTRY.c.id.in_(ids))
    return tuple(
        StoredEntry(
            id=r.id,
            feed=r.key,
            parsed=_parsed.validate_json(r.parsed),
            first_seen=r.first_seen,
            backlog=r.backlog,
            article_id=r.article_id,
            page_text=r.page_text,
            page_teasers=r.page_teasers,
            page_only=r.page_only,
            attempts=r.attempts,
            changes=r.changes,
        )
        for r in tx.execute(query.order_by(ENTRY.c.id))
    )


def held(tx: Tx, batch: Sequence[StoredEntry]) -> frozenset[int]:
    """Those of `batch` that are as they were read, locked until the transaction ends: only these may be made articles.

    The others changed, their page came, or another worker was faster, while they were being thought through. Where
    their new form waits for its turn it may be taken at once.
    """
    rows = tx.execute(
        sa.select(ENTRY.c.id, ENTRY.c.changes, ENTRY.c.page_text, ENTRY.c.article_id)
        .where(ENTRY.c.id.in_([entry.id for entry in batch]), ENTRY.c.state != EntryState.DONE)
        .order_by(ENTRY.c.id)
        .with_for_update()
    )
    now_is = {r.id: (r.changes, r.page_text, r.article_id) for r in rows}
    same = frozenset(e.id for e in batch if now_is.get(e.id) == (e.changes, e.page_text, e.article_id))
    if others := now_is.keys() - same:
        tx.execute(sa.update(ENTRY).where(ENTRY.c.id.in_(others)).values(lease_until=None))
    return same


def done(tx: Tx, articles: Mapping[int, int]) -> None:
    """Store the article of each of these entries. A page that is still wanted stays wanted: it will be a revision."""
    if articles:
        tx.execute(_DONE, [{"entry": entry_id, "article": articles[entry_id]} for entry_id in sorted(articles)])


def empty(tx: Tx, entry_id: int) -> None:
    """The entry holds no word: it is kept, and makes no article until it changes."""
    tx.execute(
        sa.update(ENTRY)
        .where(ENTRY.c.id == entry_id)
        .values(state=EntryState.DONE, lease_until=None, error="it holds no words", attempts=0)
    )


def failed(tx: Tx, errors: Mapping[int, str], *, retry_at: datetime, now: datetime) -> None:
    """These entries failed: they are tried again later, or put aside after the last try."""
    last = ENTRY.c.attempts >= MAX_ATTEMPTS
    for entry_id, error in errors.items():
        tx.execute(
            sa.update(ENTRY)
            .where(ENTRY.c.id == entry_id)
            .values(
                error=error[:2000],
                lease_until=retry_at,
                owner="",
                state=sa.case((last, EntryState.QUARANTINED), else_=ENTRY.c.state),
                put_aside=sa.case((last, sa.bindparam("now", now, ENTRY.c.put_aside.type)), else_=None),
            )
        )


def give_back(tx: Tx, ids: Sequence[int], *, retry_at: datetime) -> None:
    """The store failed, not they: these entries are tried again later, without ever being put aside.

    From the second time on each alone, as one that the store does not take must not keep the others from it.
    """
    few = sa.case((ENTRY.c.attempts > _ALONE, _ALONE), else_=ENTRY.c.attempts)
    tx.execute(
        sa.update(ENTRY)
        .where(ENTRY.c.id.in_(ids), ENTRY.c.state == EntryState.READY)
        .values(attempts=few, lease_until=retry_at, owner="")
    )


def pause(tx: Tx, ids: Sequence[int], *, until: datetime) -> None:
    """Their tries came to nothing, and nobody knows why: these entries are tried again later, with what was counted."""
    waits = (ENTRY.c.id.in_(ids), ENTRY.c.state == EntryState.READY)
    tx.execute(sa.update(ENTRY).where(*waits).values(lease_until=until, owner=""))


def quarantine_poisoned(tx: Tx, *, now: datetime) -> int:
    """Put aside entries whose last allowed try never came back, as when it took the process down."""
    return tx.execute(
        sa.update(ENTRY)
        .where(
            ENTRY.c.state == EntryState.READY,
            ENTRY.c.attempts >= MAX_ATTEMPTS,
            _free(now),
        )
        .values(
            state=EntryState.QUARANTINED,
            put_aside=now,
            error=sa.case((ENTRY.c.error == "", "the worker died of it"), else_=ENTRY.c.error),
        )
    ).rowcount


def of_article(tx: Tx, article_id: int) -> str | None:
    """The id of the feed that an article came from."""
    query = sa.select(FEED.c.key).join(ENTRY, ENTRY.c.feed_id == FEED.c.id).where(ENTRY.c.article_id == article_id)
    found: str | None = tx.execute(query.limit(1)).scalar()
    return found


def release(tx: Tx) -> None:
    """End every lease: for a worker that knows it is alone."""
    waits = ENTRY.c.state.in_([EntryState.NEW, EntryState.READY])
    tx.execute(sa.update(ENTRY).where(waits, ENTRY.c.lease_until.is_not(None)).values(lease_until=None))
    wanted = ENTRY.c.page_tries > sa.literal_column("0")
    leased = sa.update(ENTRY).where(wanted, ENTRY.c.page_lease_until.is_not(None))
    tx.execute(leased.values(page_lease_until=None, page_owner=""))
