"""What is wrong at present, written down so that a restart tells nothing twice; and what that is judged by."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.store.database import Tx, insert
from worker.store.tables import ConditionRow, EntryRow, FeedRow, MatchRow
from worker.vigil import Condition, Kind

_condition: sa.Table = ConditionRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_entry: sa.Table = EntryRow.__table__  # type: ignore[attr-defined]  # as above
_feed: sa.Table = FeedRow.__table__  # type: ignore[attr-defined]  # as above
_match: sa.Table = MatchRow.__table__  # type: ignore[attr-defined]  # as above

#: Entries that a feed's arrivals are read from, and arrivals that are kept of them.
_ENTRIES, _ARRIVALS = 1_000, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class On:
    """A condition that is on."""

    key: str
    kind: Kind
    words: str
    since: datetime


def on(tx: Tx) -> tuple[On, ...]:
    """What is wrong, longest first."""
    rows = tx.execute(sa.select(_condition).order_by(_condition.c.since, _condition.c.key))
    return tuple(On(key=r.key, kind=Kind(r.kind), words=r.words, since=r.since) for r in rows)


def change(
    tx: Tx, found: Iterable[Condition], *, looked_for: Collection[Kind], now: datetime
) -> tuple[list[Condition], list[On]]:
    """Write down what is wrong of the kinds that were looked for; returns what began and what is over."""
    before = {one.key: one for one in on(tx) if one.kind in looked_for}
    wanted = {one.key: one for one in found}
    begun = []
    for key in wanted.keys() - before.keys():
        one = wanted[key]
        values = {"key": key, "kind": one.kind, "words": one.subject, "since": now}
        # Another worker on the same store may have been first, and has told it.
        statement = insert(tx, _condition).values(values).on_conflict_do_nothing().returning(_condition.c.key)
        if tx.execute(statement).scalar_one_or_none():
            begun.append(one)
    gone = sorted(before.keys() - wanted.keys())
    over = [before[key] for key in gone if tx.execute(sa.delete(_condition).where(_condition.c.key == key)).rowcount]
    return sorted(begun, key=lambda one: one.key), over


def counts(tx: Tx) -> dict[str, int]:
    """Conditions that are on, by kind, each kind named."""
    found = {r[0]: int(r[1]) for r in tx.execute(sa.select(_condition.c.kind, sa.func.count()).group_by("kind"))}
    return {str(kind): found.get(kind, 0) for kind in Kind}


def arrivals(tx: Tx, key: str) -> tuple[datetime, ...]:
    """When a feed brought something new, oldest first: the last two hundred times, its first poll left out."""
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
