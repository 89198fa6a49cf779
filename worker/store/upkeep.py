"""The store's own affairs: the worker's heartbeat, the rules in force, counts, and what may be forgotten."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.alerts.self_watch import ActiveCondition, Condition, Kind
from worker.errors import Problem
from worker.model import DeliveryState, EntryState, Verdict
from worker.store import search
from worker.store.database import Tx, insert, read_as
from worker.store.fingerprints import forget_bands
from worker.store.stories import change
from worker.store.tables import (
    ACKNOWLEDGEMENT,
    ARTICLE,
    ATTEMPT,
    CONDITION,
    DELIVERY,
    DOCUMENT,
    ENTRY,
    FEED,
    FINGERPRINT,
    HAND_OVER,
    HEARTBEAT,
    IN_FORCE,
    JUDGEMENT,
    MATCH,
    NOTE,
    OBLIGATION,
    RAW,
    REVISION,
    SEEN,
    STORY_ARTICLE,
    WAVE,
)

_BATCH = 500
# Lists rather than "not": only what is named is found by an index.
_NOT_DONE = [state for state in EntryState if state is not EntryState.DONE]
_ENDED = [DeliveryState.SENT, DeliveryState.FAILED]
_NOT_ENDED = [state for state in DeliveryState if state not in _ENDED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The worker on this store, and when it last ticked."""

    owner: str
    host: str
    pid: int
    started: datetime
    tick: datetime
    #: The run of the machine that ticked, and the seconds that it had been up: they outlast a step of its clock.
    boot: str = ""
    turned: float | None = None
    #: As in its table: the roles of a worker of a cluster, and the rules that it goes by.
    roles: str = ""
    rules: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The rules that the worker on this store goes by, and what its last reading of their files came to."""

    owner: str
    #: `RuleSet.hash`.
    hash: str
    rules: int
    since: datetime
    #: When configuration or rules were last read.
    read: datetime
    #: Why what stands in the files is not what is in force; empty: it is.
    problems: tuple[Problem, ...] = ()


def beat(tx: Tx, heartbeat: Heartbeat) -> None:
    """Write down that the worker ticks."""
    values = asdict(heartbeat)
    statement = insert(tx, HEARTBEAT).values(values)
    tx.execute(statement.on_conflict_do_update(index_elements=["owner"], set_=values))


def put_in_force(tx: Tx, state: InForce) -> None:
    """Write down which rules are in force."""
    values = asdict(state)
    values |= {"id": 1, "problems": json.dumps(values["problems"], ensure_ascii=False)}
    statement = insert(tx, IN_FORCE).values(values)
    tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def in_force(tx: Tx) -> InForce | None:
    """The rules in force, if a worker runs."""
    r = tx.execute(sa.select(IN_FORCE)).one_or_none()
    if r is None:
        return None
    problems = tuple(Problem(**one) for one in json.loads(r.problems))
    return read_as(InForce, r, problems=problems)


def rest(tx: Tx, owner: str) -> None:
    """The worker has stopped in order: nobody should take its last tick for life, nor its rules for in force."""
    for table in (HEARTBEAT, IN_FORCE):
        tx.execute(sa.delete(table).where(table.c.owner == owner))


def heartbeat(tx: Tx) -> Heartbeat | None:
    """The last tick of all workers that run, or died."""
    return next(iter(heartbeats(tx)), None)


def heartbeats(tx: Tx) -> tuple[Heartbeat, ...]:
    """The last tick of each worker that has not stopped in order, the newest first."""
    rows = tx.execute(sa.select(HEARTBEAT).order_by(HEARTBEAT.c.tick.desc()))
    return tuple(read_as(Heartbeat, r) for r in rows)


def entry_counts(tx: Tx) -> dict[str, int]:
    """Entries by state, each state named."""
    query = sa.select(ENTRY.c.state, sa.func.count()).group_by(ENTRY.c.state)
    found = {row[0]: int(row[1]) for row in tx.execute(query)}
    return {str(state): found.get(state, 0) for state in EntryState}


def article_counts(tx: Tx) -> dict[str, int]:
    """Articles by origin, and how many of all are duplicates."""
    query = sa.select(ARTICLE.c.origin, sa.func.count()).group_by(ARTICLE.c.origin)
    found = {row[0]: int(row[1]) for row in tx.execute(query)}
    duplicates = sa.select(sa.func.count()).select_from(ARTICLE).where(ARTICLE.c.of_id.is_not(None))
    return found | {"duplicates": tx.execute(duplicates).scalar_one()}


def forget_raw(tx: Tx, *, before: datetime) -> int:
    """Drop documents that came last before that time and that no entry still waits on; returns how many."""
    waiting = sa.select(ENTRY.c.raw_sha256).where(ENTRY.c.state.in_(_NOT_DONE))
    again = sa.select(DOCUMENT.c.sha256).where(DOCUMENT.c.at >= before)
    old = (RAW.c.first_seen < before, RAW.c.sha256.not_in(waiting), RAW.c.sha256.not_in(again))
    return tx.execute(sa.delete(RAW).where(*old)).rowcount


def forget_articles(tx: Tx, *, before: datetime, ledger_before: datetime | None) -> int:
    """Drop up to 500 articles from feeds first seen before that time; returns how many.

    One that stands in the ledger only if it was first seen before `ledger_before` as well (None: never), since the
    ledger's lines stand on it. Never one that is owed to somebody, nor the original of a copy that stays, nor the
    keys its entries are known by: what comes again is still known.
    """
    unsettled = (
        sa.select(OBLIGATION.c.article_id)
        .join(DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id)
        .where(DELIVERY.c.state.in_(_NOT_ENDED))
    )
    astray = sa.exists().where(
        OBLIGATION.c.article_id == ARTICLE.c.id,
        OBLIGATION.c.verdict == Verdict.OWED,
        OBLIGATION.c.delivery_id.is_(None),
    )
    copies = sa.alias(ARTICLE)
    in_ledger = sa.exists().where(OBLIGATION.c.article_id == ARTICLE.c.id)
    may_go = ~in_ledger if ledger_before is None else sa.or_(~in_ledger, ARTICLE.c.first_seen < ledger_before)
    ids = list(
        tx.execute(
            sa.select(ARTICLE.c.id)
            .where(
                ARTICLE.c.first_seen < before,
                ARTICLE.c.origin == "feed",
                may_go,
                ARTICLE.c.id.not_in(unsettled),
                ~astray,
                ~sa.exists().where(copies.c.of_id == ARTICLE.c.id),
                ~sa.exists().where(ENTRY.c.article_id == ARTICLE.c.id, ENTRY.c.state.in_(_NOT_DONE)),
            )
            .limit(_BATCH)
        ).scalars()
    )
    if not ids:
        return 0
    entries = sa.select(ENTRY.c.id).where(ENTRY.c.article_id.in_(ids))
    tx.execute(sa.update(SEEN).where(SEEN.c.entry_id.in_(entries)).values(entry_id=None))
    forget_bands(tx, ids)
    search.forget(tx, ids)
    for table in (
        OBLIGATION,
        MATCH,
        JUDGEMENT,
        ACKNOWLEDGEMENT,
        NOTE,
        HAND_OVER,
        REVISION,
        FINGERPRINT,
        ENTRY,
        STORY_ARTICLE,
    ):
        tx.execute(sa.delete(table).where(table.c.article_id.in_(ids)))
    tx.execute(sa.delete(WAVE).where(WAVE.c.article_id.in_(ids)))
    tx.execute(sa.delete(ARTICLE).where(ARTICLE.c.id.in_(ids)))
    change(tx, is_all=True)
    return len(ids)


def forget_deliveries(tx: Tx, *, before: datetime) -> int:
    """Drop up to 500 finished deliveries, with their attempts, that carry nothing any more; returns how many."""
    carries = sa.exists().where(OBLIGATION.c.delivery_id == DELIVERY.c.id)
    ids = list(
        tx.execute(
            sa.select(DELIVERY.c.id)
            .where(DELIVERY.c.finished < before, ~carries, DELIVERY.c.state.in_(_ENDED))
            .limit(_BATCH)
        ).scalars()
    )
    if ids:
        tx.execute(sa.delete(ATTEMPT).where(ATTEMPT.c.delivery_id.in_(ids)))
        tx.execute(sa.delete(DELIVERY).where(DELIVERY.c.id.in_(ids)))
    return len(ids)


# Conditions that are on at present, stored so that a restart repeats no notice; and the facts they are judged by.


#: Entries that a feed's arrivals are read from, and arrivals that are kept of them.
_ENTRIES, _ARRIVALS = 1_000, 200
#: How old it may grow that a condition was seen: a write every minute would say no more.
_SEEN_EVERY = timedelta(minutes=3)


def on(tx: Tx) -> tuple[ActiveCondition, ...]:
    """The conditions that are on, the longest first."""
    rows = tx.execute(sa.select(CONDITION).order_by(CONDITION.c.since, CONDITION.c.key))
    return tuple(
        ActiveCondition(key=r.key, kind=Kind(r.kind), words=r.words, since=r.since, seen=r.seen or r.since)
        for r in rows
    )


def begin(tx: Tx, found: Iterable[tuple[Condition, str]], *, now: datetime) -> list[Condition]:
    """Write down what is wrong, in words; returns what nobody had written down before, by its key."""
    begun = []
    for one, words in sorted(found, key=lambda one: one[0].key):
        values = {"key": one.key, "kind": one.kind, "words": words, "since": now, "seen": now}
        # Another worker on the same store may have been first, and has reported it.
        statement = insert(tx, CONDITION).values(values).on_conflict_do_nothing().returning(CONDITION.c.key)
        if tx.execute(statement).scalar_one_or_none():
            begun.append(one)
    return begun


def see(tx: Tx, keys: Iterable[str], *, now: datetime) -> None:
    """Write down that these are still on."""
    tx.execute(sa.update(CONDITION).where(CONDITION.c.key.in_(list(keys))).values(seen=now))


def unwritten(on: Iterable[ActiveCondition], found: Iterable[Condition], *, now: datetime) -> list[str]:
    """The keys of what was found again and was last seen some minutes ago."""
    still = {one.key for one in found}
    return sorted(one.key for one in on if one.key in still and abs(now - one.seen) >= _SEEN_EVERY)


def end(tx: Tx, over: Iterable[ActiveCondition]) -> list[ActiveCondition]:
    """Strike out what is over; returns what no other worker had struck out, nor begun anew, before."""
    return [
        one
        for one in sorted(over, key=lambda one: one.key)
        if tx.execute(sa.delete(CONDITION).where(CONDITION.c.key == one.key, CONDITION.c.since == one.since)).rowcount
    ]


def counts(tx: Tx) -> dict[str, int]:
    """Conditions that are on, by kind, each kind named."""
    found = {r[0]: int(r[1]) for r in tx.execute(sa.select(CONDITION.c.kind, sa.func.count()).group_by("kind"))}
    return {str(kind): found.get(kind, 0) for kind in Kind}


def arrivals(tx: Tx, key: str) -> tuple[datetime, ...]:
    """The times at which a feed brought something new, oldest first: the last two hundred, its first poll left out."""
    newest = (
        sa.select(ENTRY.c.first_seen)
        .where(ENTRY.c.feed_id == sa.select(FEED.c.id).where(FEED.c.key == key).scalar_subquery())
        .where(ENTRY.c.backlog.is_(sa.false()))
        .order_by(ENTRY.c.id.desc())
        .limit(_ENTRIES)
        .subquery()
    )
    query = sa.select(newest.c.first_seen).distinct().order_by(newest.c.first_seen.desc()).limit(_ARRIVALS)
    return tuple(reversed(tx.execute(query).scalars().all()))


def matched(tx: Tx, since: datetime) -> dict[str, tuple[datetime, ...]]:
    """The times of each rule's matches since then, oldest first."""
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    query = sa.select(MATCH.c.rule_id, MATCH.c.created).where(MATCH.c.created >= since).order_by(MATCH.c.created)
    for row in tx.execute(query):
        found[row.rule_id].append(row.created)
    return {rule: tuple(times) for rule, times in found.items()}
