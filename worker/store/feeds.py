"""State of feeds between polls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from worker.errors import StoreBusyError
from worker.model import Feed, FeedState, Move, Rhythm
from worker.store.database import Tx, insert, read_as
from worker.store.tables import ENTRY, FEED

_UNKNOWN = Rhythm()
#: A list of thousands that is imported must not keep the feeds waiting that news is awaited from, nor wait for ever.
_NEW_YIELD = timedelta(hours=1)
# Made once: SQLAlchemy takes longer to put a statement together than SQLite to run it.
_STATES = sa.select(FEED).where(FEED.c.key.in_(sa.bindparam("keys", expanding=True)))


class OvertakenError(StoreBusyError):
    """Another poll of the feed committed since this one began; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """A feed's state, for people."""

    key: str
    name: str
    due: datetime
    failures: int
    last_polled: datetime | None
    last_success: datetime | None
    last_result: str
    last_detail: str
    entries: int
    #: It is not asked before, however it is polled.
    not_before: datetime | None = None
    lies: bool = False
    #: When its document last held new items only.
    gap: datetime | None = None
    rhythm: Rhythm = _UNKNOWN
    #: Entries in a row whose page was not taken when it was first asked for.
    pages_failed: int = 0
    #: Dates of its last document that could not be read, and the first of them.
    dates_unread: int = 0
    date_unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """A poll's findings about the feed itself."""

    #: `ok`, `not_modified`, or a FetchReason.
    result: str
    detail: str = ""
    #: The validators to send next time; None leaves those of before.
    validators: tuple[str, str] | None = None
    due: datetime
    success: bool
    #: A failure that counts against the feed.
    counts: bool = True
    #: The document was there to its end, and held entries: what comes later is news.
    whole: bool = True
    #: The server asked not to be polled before.
    not_before: datetime | None = None
    #: The document itself came, and not a 304.
    document: bool = False
    #: None leaves what was known.
    lies: bool | None = None
    #: None leaves what was known.
    move: Move | None = None
    rhythm: Rhythm | None = None
    gap: bool = False
    #: As in `FeedStatus`; None leaves what was known.
    dates_unread: tuple[int, str] | None = None


def ensure(tx: Tx, feeds: Iterable[Feed], now: datetime) -> None:
    """Give every configured feed a state; a new one is due at once."""
    rows = [
        {
            "key": f.id,
            "name": f.name,
            "due": now,
            "etag": "",
            "last_modified": "",
            "failures": 0,
            "baseline": False,
            "last_result": "",
            "last_detail": "",
            "lies": False,
            "moved": "",
            "moved_times": 0,
            "moved_to": "",
            "rhythm": "",
            "pages_failed": 0,
            "dates_unread": 0,
            "date_unread": "",
        }
        for f in feeds
    ]
    if rows:
        tx.execute(insert(tx, FEED).on_conflict_do_nothing(index_elements=["key"]), rows)
    for row in rows:
        tx.execute(sa.update(FEED).where(FEED.c.key == row["key"], FEED.c.name != row["name"]).values(name=row["name"]))


def due(tx: Tx, keys: Sequence[str], *, now: datetime) -> tuple[str, ...]:
    """Those of `keys` that are due and free, most overdue first; a feed never polled counts as due an hour later."""
    columns = (FEED.c.key, FEED.c.due, FEED.c.last_polled)
    query = sa.select(*columns).where(FEED.c.due <= now, _free(now)).order_by(FEED.c.due, FEED.c.id)
    wanted = frozenset(keys)
    found = [row for row in tx.execute(query) if row.key in wanted]
    found.sort(key=lambda row: row.due + (_NEW_YIELD if row.last_polled is None else timedelta()))
    return tuple(row.key for row in found)


def waiting(tx: Tx, *, now: datetime) -> frozenset[str]:
    """The feeds whose servers asked to be left alone until after `now`."""
    return frozenset(tx.execute(sa.select(FEED.c.key).where(FEED.c.not_before > now)).scalars())


def claim(tx: Tx, keys: Sequence[str], *, now: datetime, lease: timedelta, owner: str = "") -> tuple[str, ...]:
    """Take a lease for `owner` on those of `keys` that are still free, and return them."""
    free = tx.execute(
        sa.select(FEED.c.key).where(FEED.c.key.in_(list(keys)), _free(now)).with_for_update(skip_locked=True)
    ).scalars()
    found = set(free)
    if found:
        tx.execute(sa.update(FEED).where(FEED.c.key.in_(list(found))).values(lease_until=now + lease, owner=owner))
    return tuple(key for key in keys if key in found)


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(FEED.c.lease_until.is_(None), FEED.c.lease_until <= now)


def states(tx: Tx, keys: Sequence[str]) -> tuple[FeedState, ...]:
    """The states of these feeds at the start of polls; KeyError for one without a state."""
    rows = {row.key: row for row in tx.execute(_STATES, {"keys": list(keys)})}
    return tuple(
        read_as(
            FeedState,
            row,
            move=Move(
                shown=row.moved, url=row.moved_to, times=row.moved_times, since=row.moved_since, asked=row.moved_asked
            ),
            rhythm=_rhythm_of(row.rhythm),
        )
        for row in map(rows.__getitem__, keys)
    )


@cache
def _rhythm() -> TypeAdapter[Rhythm]:
    # It takes long to make, and most commands read none.
    return TypeAdapter(Rhythm)


def _rhythm_of(written: str) -> Rhythm:
    return _rhythm().validate_json(written) if written else _UNKNOWN


def record(tx: Tx, before: FeedState, poll: PollResult, *, now: datetime) -> None:
    """Commit what a poll that started from `before` found, in the transaction of its entries; the lease ends.

    Raises OvertakenError, which undoes that transaction, where another poll of the feed committed meanwhile: both
    would take the same items for new.
    """
    values: dict[str, object] = {
        "last_polled": now,
        "last_result": poll.result,
        "last_detail": poll.detail[:500],
        "due": poll.due,
        "lease_until": None,
        "not_before": poll.not_before,
        **(_of_move(poll.move) if poll.move is not None else {}),
    }
    if poll.success:
        values |= {"failures": 0, "last_success": now}
        if before.first_success is None:
            values["first_success"] = now
        if poll.whole:
            values["baseline"] = True
    if poll.document:
        values["last_document"] = now
    if poll.lies is not None:
        values["lies"] = poll.lies
        if poll.lies and not before.lies:
            values["lied"] = now
    if poll.rhythm is not None:
        values["rhythm"] = _rhythm().dump_json(poll.rhythm, exclude_defaults=True).decode()
    if poll.gap:
        values["gap"] = now
    pairs = {("etag", "last_modified"): poll.validators, ("dates_unread", "date_unread"): poll.dates_unread}
    values |= {c: value for columns, found in pairs.items() if found for c, value in zip(columns, found, strict=True)}
    update = _recording(frozenset(values))
    given = values | {"its_id": before.id, "polled_before": before.last_polled}
    if not poll.success:
        given["one_more"] = int(poll.counts)
    if not tx.execute(update, given).rowcount:
        raise OvertakenError("another worker polled this feed meanwhile; it is polled again when it is due")


def _of_move(move: Move) -> dict[str, object]:
    return {
        "moved": move.shown,
        "moved_to": move.url,
        "moved_times": move.times,
        "moved_since": move.since,
        "moved_asked": move.asked,
    }


@cache
def _recording(columns: frozenset[str]) -> sa.Update:
    """Sets `columns`, and adds to the failures where these are none of them. Made once for each kind of poll."""
    values: dict[str, Any] = {name: sa.bindparam(name, type_=FEED.c[name].type) for name in sorted(columns)}
    if "failures" not in columns:
        values["failures"] = FEED.c.failures + sa.bindparam("one_more", type_=FEED.c.failures.type)
    before = sa.bindparam("polled_before", type_=FEED.c.last_polled.type)
    return (
        sa.update(FEED)
        .where(FEED.c.id == sa.bindparam("its_id"), FEED.c.last_polled.is_not_distinct_from(before))
        .values(values)
    )


def release(tx: Tx) -> None:
    """End every lease: for a worker that knows it is alone."""
    tx.execute(sa.update(FEED).where(FEED.c.lease_until.is_not(None)).values(lease_until=None))


def statuses(tx: Tx) -> tuple[FeedStatus, ...]:
    """Every feed ever polled, in order of first configuration."""
    query = sa.select(ENTRY.c.feed_id, sa.func.count()).group_by(ENTRY.c.feed_id)
    counts = {row[0]: int(row[1]) for row in tx.execute(query)}
    return tuple(
        read_as(FeedStatus, r, entries=counts.get(r.id, 0), rhythm=_rhythm_of(r.rhythm))
        for r in tx.execute(sa.select(FEED).order_by(FEED.c.id))
    )
