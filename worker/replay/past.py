"""What is read of the live store before anything is run over again: nothing of it is asked afterwards."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.normalise import Known
from worker.pipeline.edges import Edges
from worker.store import Store, entries, events, retold, rewind
from worker.store.events import Event, Kind
from worker.store.retold import Lines


@dataclass(slots=True, kw_only=True)
class Skipped:
    """What cannot be told of, in numbers; nothing else is left out."""

    #: Obligations that were decided before the events begin.
    owed_before: int = 0
    #: Documents and pages whose bytes are not kept.
    bytes_gone: int = 0
    #: Documents that are read otherwise now than they were then.
    read_otherwise: int = 0
    #: Entries of such documents: no article is made of them.
    entries: int = 0
    #: Feeds that the configuration has no more; they are taken without language, tags and pages.
    feeds_gone: int = 0
    #: Feeds of which the document before the start is not kept: what they held then is taken as it is known now.
    feeds_without_before: int = 0
    #: Messages to recipients that no target reaches any more.
    unreachable: int = 0


@dataclass(slots=True, kw_only=True)
class Again:
    """What happened, beside what happens when it happens again."""

    #: None: nothing has happened since.
    start: datetime | None = None
    #: Of the events that were run over again, by kind.
    events: Counter[str] = field(default_factory=Counter)
    #: Articles that stood at the start; they are taken as they are known now.
    known: int = 0
    skipped: Skipped = field(default_factory=Skipped)
    #: Of the live store since the moment asked for, and of the replay, articles under the live store's numbers.
    then: Lines = field(default_factory=Lines)
    now: Lines = field(default_factory=Lines)
    #: Articles of the live store that could not be made again.
    missing: set[int] = field(default_factory=set)
    #: Keys of the deliveries that stood at the start: what was decided before may stand in their messages.
    begun_before: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class Past:
    """All that is needed of the live store, which is let go of before anything is run."""

    start: datetime
    events: tuple[Event, ...]
    feeds: Mapping[int, tuple[str, str]]
    before: tuple[rewind.Before, ...]
    counted: tuple[rewind.Counted, ...]
    imported: Mapping[int, Known]
    #: Keys of all its deliveries.
    deliveries: frozenset[str]


def take_over(live_store: Store, edges: Edges, since: datetime, warm_up: timedelta, done: Again) -> Past | None:
    """Read the live store at one moment of it, and put what it was at the start into the other."""
    with live_store.read() as then, edges.store.write() as to:
        found = events.start(then, since - warm_up)
        done.skipped.owed_before = retold.owed_between(then, since, found[1] if found else None)
        if found is None:
            return None
        first, start = found
        done.then = retold.lines(then, max(since, start))
        happened = tuple(events.after(then, first))
        rewind.rewind(then, to, start, happened)
        polled = {event.about for event in happened if event.kind is Kind.DOCUMENT}
        before = rewind.documents_before(then, start, polled)
        rewind.copy_raw(then, to, {event.sha256 for event in happened} | {one.sha256 for one in before})
        shown = {one.feed_id for one in before if entries.raw(to, one.sha256) is not None}
        rewind.copy_purged(then, to, polled - shown, start)
        done.start, done.known, done.begun_before = start, retold.articles(to), retold.keys(to)
        imported = {a for event in happened if event.kind is Kind.IMPORTED for a in event.data["articles"]}
        return Past(
            start=start,
            events=happened,
            feeds=rewind.feeds(then),
            before=before,
            counted=rewind.counted_since(then, start) if done.known else (),
            imported=rewind.imported(then, imported),
            deliveries=retold.keys(then),
        )
