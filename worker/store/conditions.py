"""Conditions that are on at present, stored so that a restart repeats no notice; and the facts they are judged by."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.store.database import Tx, insert
from worker.store.tables import ConditionRow, EntryRow, FeedRow, MatchRow
from worker.vigil import Condition, Kind, On

_condition: sa.Table = ConditionRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_entry: sa.Table = EntryRow.__table__  # type: ignore[attr-defined]  # as above
_feed: sa.Table = FeedRow.__table__  # type: ignore[attr-defined]  # as above
_match: sa.Table = MatchRow.__table__  # type: ignore[attr-defined]  # as above

#: Entries that a feed's arrivals are read from, and arrivals that are kept of them.
_ENTRIES, _ARRIVALS = 1_000, 200
#: How old it may grow that a condition was seen: a write every minute would say no more.
_SEEN_EVERY = timedelta(minutes=3)


def on(tx: Tx) -> tuple[On, ...]:
    """The conditions that are on, the longest first."""
    rows = tx.execute(sa.select(_condition).order_by(_condition.c.since, _condition.c.key))
    return tuple(On(key=r.key, kind=Kind(r.kind), words=r.words, since=r.since, seen=r.seen or r.since) for r in rows)


def begin(tx: Tx, found: Iterable[Condition], *, now: datetime) -> list[Condition]:
    """Write down what is wrong; returns what nobody had written down before, by its key."""
    begun = []
    for one in sorted(found, key=lambda one: one.key):
        values = {"key": one.key, "kind": one.kind, "words": one.subject, "since": now, "seen": now}
        # Another worker on the same store may have been first, and has told it.
        statement = insert(tx, _condition).values(values).on_conflict_do_nothing().returning(_condition.c.key)
        if tx.execute(statement).scalar_one_or_none():
            begun.append(one)
    return begun


def see(tx: Tx, keys: Iterable[str], *, now: datetime) -> None:
    """Write down that these are still on."""
    tx.execute(sa.update(_condition).where(_condition.c.key.in_(list(keys))).values(seen=now))


def unwritten(on: Iterable[On], found: Iterable[Condition], *, now: datetime) -> list[str]:
    """The keys of what was found again and was last seen some minutes ago."""
    still = {one.key for one in found}
    return sorted(one.key for one in on if one.key in still and abs(now - one.seen) >= _SEEN_EVERY)


def end(tx: Tx, over: Iterable[On]) -> list[On]:
    """Strike out what is over; returns what no other worker had struck out, nor begun anew, before."""
    return [
        one
        for one in sorted(over, key=lambda one: one.key)
        if tx.execute(
            sa.delete(_condition).where(_condition.c.key == one.key, _condition.c.since == one.since)
        ).rowcount
    ]


def counts(tx: Tx) -> dict[str, int]:
    """Conditions that are on, by kind, each kind named."""
    found = {r[0]: int(r[1]) for r in tx.execute(sa.select(_condition.c.kind, sa.func.count()).group_by("kind"))}
    return {str(kind): found.get(kind, 0) for kind in Kind}


def arrivals(tx: Tx, key: str) -> tuple[datetime, ...]:
    """The times at which a feed brought something new, oldest first: the last two hundred, its first poll left out."""
    newest = (
        sa.select(_entry.c.first_seen)
        .where(_entry.c.feed_id == sa.select(_feed.c.id).where(_feed.c.key == key).scalar_subquery())
        .where(_entry.c.backlog.is_(sa.false()))
        .order_by(_entry.c.id.desc())
        .limit(_ENTRIES)
        .subquery()
    )
    query = sa.select(newest.c.first_seen).distinct().order_by(newest.c.first_seen.desc()).limit(_ARRIVALS)
    return tuple(reversed(tx.execute(query).scalars().all()))


def matched(tx: Tx, since: datetime) -> dict[str, tuple[datetime, ...]]:
    """The times of each rule's matches since then, oldest first."""
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    query = sa.select(_match.c.rule_id, _match.c.created).where(_match.c.created >= since).order_by(_match.c.created)
    for row in tx.execute(query):
        found[row.rule_id].append(row.created)
    return {rule: tuple(times) for rule, times in found.items()}
