"""Veille's own health: the conditions that are on at present, from the store's and the process's facts.

    (Facts, now) -conditions-> Condition...

Thresholds only; who is told, and when it is over, is the caller's business.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType

from worker.model import times
from worker.model.times import counted

_DAY = timedelta(days=1)
_NEVER: Mapping[str, datetime] = MappingProxyType({})

#: Arrivals that a rhythm is known by, and the shortest silence that is told.
FEWEST_ARRIVALS, SHORTEST_SILENCE = 10, _DAY
#: Entries in a row whose pages were not taken, before it is told.
PAGES_LOST = 5
#: Matches, and days with some, that a rule's past needs; the shortest silence that is told.
FEWEST_MATCHES, FEWEST_DAYS, SHORTEST_QUIET = 10, 5, timedelta(days=7)
#: Matches of one day that may be a spike, and how many times the busiest day before.
SPIKE_MATCHES, SPIKE_TIMES = 20, 5
#: Days that a spike is compared with, and how many of them a rule must have had.
SPIKE_PAST, SPIKE_FEWEST = 14, timedelta(days=7)
#: Bytes left on the store's disk: too few below the first, enough again above the second.
DISK_LOW, DISK_ENOUGH = 500_000_000, 750_000_000
#: For so long the names of feeds may not be found, before it is told.
NAMES_LOST = timedelta(minutes=30)
#: A silence, a quiet or a spike that was told is over only well below what began it, as two clocks may disagree.
LEEWAY = timedelta(hours=1)
#: Feeds that one notice lists by name.
_NAMED = 5
#: Bytes of SQLite's log: somebody reads for so long that it cannot be taken back into the store.
LOG_LARGE = 256 * 1024 * 1024


class Kind(StrEnum):
    """Kinds of conditions; the same word in row, metric and screen."""

    FEED_FAILS = "feed_fails"
    FEED_SILENT = "feed_silent"
    FEED_GAP = "feed_gap"
    FEED_PAGES = "feed_pages"
    FEED_DATES = "feed_dates"
    DNS_DOWN = "dns_down"
    RULE_QUIET = "rule_quiet"
    RULE_SPIKES = "rule_spikes"
    TICK_MISSED = "tick_missed"
    TARGET_PARKED = "target_parked"
    DISK_LOW = "disk_low"
    STORE_BUSY = "store_busy"
    LOG_LARGE = "log_large"
    LEDGER = "ledger"
    WORKER_FAULT = "worker_fault"


#: True of one process alone, which no other can see; over also when that process is gone.
OWN = frozenset({Kind.TICK_MISSED, Kind.STORE_BUSY, Kind.WORKER_FAULT})
#: What nobody who could judge it has seen for so long is over: its worker is gone, or its feed or rule was taken out.
OWN_UNSEEN, UNSEEN = timedelta(minutes=15), timedelta(minutes=30)
#: Looked for often, since they come at once; the others tell of days.
OFTEN = OWN | {Kind.TARGET_PARKED, Kind.DISK_LOW, Kind.LOG_LARGE}
#: While one of these is on, alerts may be late or lost: the dead man's switch is let go.
SEVERE = OWN | {Kind.TARGET_PARKED, Kind.DISK_LOW, Kind.LEDGER}
#: Told in the transaction in which they come about, and so not once more; `poll` tells also when a feed recovers.
SENT_ELSEWHERE = frozenset({Kind.FEED_FAILS, Kind.TARGET_PARKED})
RECOVERY_SENT_ELSEWHERE = frozenset({Kind.FEED_FAILS})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFacts:
    """A configured feed."""

    #: `model.Feed.id`.
    key: str
    name: str
    #: Failures in a row, and from how many on it counts as failing.
    failures: int = 0
    fails_at: int = 8
    #: When it last answered.
    answered: datetime | None = None
    #: When it brought something new, oldest first: the last two hundred times, its first poll left out.
    arrivals: tuple[datetime, ...] = ()
    #: Its last document held new items only, so that others may have passed unseen.
    gap: bool = False
    #: At its last poll no name server would say where its host is, which is no fault of the feed's.
    unresolved: bool = False
    #: Entries in a row whose page was not taken when it was first asked for.
    pages_failed: int = 0
    #: Dates of its last document that could not be read, and the first of them.
    dates_unread: int = 0
    date_unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts:
    """A rule in force."""

    id: str
    #: Its matches of the last weeks, oldest first.
    matches: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is asked; what is left out is well."""

    #: The process that asks.
    owner: str = ""
    feeds: Sequence[FeedFacts] = ()
    rules: Sequence[RuleFacts] = ()
    #: Target -> why nothing is sent to it.
    parked: Sequence[tuple[str, str]] = ()
    breaches: Sequence[str] = ()
    #: Bytes left on the store's disk; None where the store is elsewhere.
    free: int | None = None
    #: Bytes of SQLite's log.
    log: int = 0
    #: The longest pause between two ticks of late, if one was missed.
    late: timedelta | None = None
    #: Transactions of late that the store was too busy for.
    refused: int = 0
    #: What this process cannot do at present, whatever it works on: the exceptions that say so.
    faults: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that is wrong at present."""

    kind: Kind
    #: What it is about: a feed's key, a rule's or a target's id, the process that it is true of; empty: the store.
    about: str = ""
    #: One sentence, the same for as long as it lasts.
    subject: str
    body: str = ""

    @property
    def key(self) -> str:
        """The key of the condition."""
        return f"{self.kind}:{self.about}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveCondition:
    """A condition that was written down, and that the operators were told of."""

    key: str
    kind: Kind
    words: str
    since: datetime
    #: When somebody last found it still so.
    seen: datetime


def conditions(
    facts: Facts, now: datetime, on: frozenset[str] = frozenset(), *, began: Mapping[str, datetime] = _NEVER
) -> tuple[Condition, ...]:
    """Conditions that are on; `on` names by key those of before, since some need more to end than to begin.

    `began`: since when. A silence is over when something came, and not because the past that it was judged by is kept
    no longer.
    """
    return tuple(
        found
        for part in (
            _of_feeds(facts, now, on, began),
            _of_names(facts, now),
            _of_rules(facts, now, on, began),
            _of_targets(facts),
            _of_itself(facts, on),
        )
        for found in part
    )


def ended(
    on: Iterable[ActiveCondition],
    found: Iterable[Condition],
    facts: Facts,
    *,
    looked_for: Collection[Kind],
    now: datetime,
) -> tuple[ActiveCondition, ...]:
    """Those of `on` that are over: not found by a look that could judge them, or seen by nobody for long.

    Several workers share a store: none ends what is true of another process, nor what its own configuration lacks.
    """
    still = {one.key for one in found}
    return tuple(
        one
        for one in on
        if one.kind in looked_for and one.key not in still and (_judges(facts, one) or _unseen(one, now))
    )


def _judges(facts: Facts, one: ActiveCondition) -> bool:
    about = one.key.removeprefix(f"{one.kind}:")
    if one.kind in OWN:
        return about == facts.owner
    if one.kind in {Kind.FEED_FAILS, Kind.FEED_SILENT, Kind.FEED_GAP, Kind.FEED_PAGES, Kind.FEED_DATES}:
        return any(feed.key == about for feed in facts.feeds)
    if one.kind in {Kind.RULE_QUIET, Kind.RULE_SPIKES}:
        return any(rule.id == about for rule in facts.rules)
    return True


def _unseen(one: ActiveCondition, now: datetime) -> bool:
    # Seen in the future: a clock was set back since.
    return abs(now - one.seen) > (OWN_UNSEEN if one.kind in OWN else UNSEEN)


def _still(began: Mapping[str, datetime], kind: Kind, about: str, came: Sequence[datetime]) -> Condition | None:
    """The silence that is on, while nothing came since it began; None where none is, or something did."""
    since = began.get(f"{kind}:{about}")
    if since is None or (came and came[-1] >= since):
        return None
    return Condition(kind=kind, about=about, subject=f"{about}: nothing new since {times.say(since)}")


def _of_feeds(facts: Facts, now: datetime, on: frozenset[str], began: Mapping[str, datetime]) -> Iterator[Condition]:
    for feed in facts.feeds:
        if feed.failures >= feed.fails_at:
            yield Condition(
                kind=Kind.FEED_FAILS, about=feed.key, subject=f"{feed.name}: {counted(feed.failures, 'poll')} failed"
            )
        known = f"{Kind.FEED_SILENT}:{feed.key}" in on
        usual = _longest(feed.arrivals)
        # One that begins to fail has not broken its silence.
        if still := _still(began, Kind.FEED_SILENT, feed.key, feed.arrivals):
            yield still
        elif usual and feed.answered is not None and (known or feed.failures < feed.fails_at):
            silent = min(feed.answered, now) - feed.arrivals[-1]
            if silent > max(2 * usual, SHORTEST_SILENCE) - known * LEEWAY:
                body = f"It answers, but brings nothing. It was never silent for longer than {_said(usual)} of late."
                subject = f"{feed.name}: nothing new since {times.say(feed.arrivals[-1])}"
                yield Condition(kind=Kind.FEED_SILENT, about=feed.key, subject=subject, body=body)
        if feed.gap:
            body = "Its last document held new items only, so that others may have come and gone: poll it more often."
            subject = f"{feed.name}: items may have passed unseen"
            yield Condition(kind=Kind.FEED_GAP, about=feed.key, subject=subject, body=body)
        if feed.pages_failed >= (1 if f"{Kind.FEED_PAGES}:{feed.key}" in on else PAGES_LOST):
            body = "Its articles go by what the feed itself says. `veille status` counts why their pages are not taken."
            subject = f"{feed.name}: the pages of its articles cannot be used"
            yield Condition(kind=Kind.FEED_PAGES, about=feed.key, subject=subject, body=body)
        if feed.dates_unread:
            body = (
                f"{feed.dates_unread} dates of its last document, such as {feed.date_unread!r}. Its articles count as"
                " of when they were first seen, so that old ones are taken for new: `max_age` does not hold."
            )
            subject = f"{feed.name}: dates cannot be read"
            yield Condition(kind=Kind.FEED_DATES, about=feed.key, subject=subject, body=body)


def _of_names(facts: Facts, now: datetime) -> Iterator[Condition]:
    waiting = [feed for feed in facts.feeds if feed.unresolved]
    if any(feed.answered is None or now - feed.answered > NAMES_LOST for feed in waiting):
        names = ", ".join(feed.name for feed in waiting[:_NAMED]) + (", ..." if len(waiting) > _NAMED else "")
        share = f"{len(waiting)} of {counted(len(facts.feeds), 'feed')}"
        body = f"{share} cannot be polled: {names}. Their failures are not counted."
        yield Condition(kind=Kind.DNS_DOWN, subject="the name server does not answer", body=body)


def _longest(arrivals: Sequence[datetime]) -> timedelta | None:
    """The longest pause between arrivals; None where they are too few to tell."""
    if len(arrivals) < FEWEST_ARRIVALS:
        return None
    return max(after - before for before, after in pairwise(arrivals))


def _of_rules(facts: Facts, now: datetime, on: frozenset[str], began: Mapping[str, datetime]) -> Iterator[Condition]:
    for rule in facts.rules:
        matches = rule.matches
        if still := _still(began, Kind.RULE_QUIET, rule.id, matches):
            yield still
        elif len(matches) >= FEWEST_MATCHES and len({time.date() for time in matches}) >= FEWEST_DAYS:
            usual = max(after - before for before, after in pairwise(matches))
            known = f"{Kind.RULE_QUIET}:{rule.id}" in on
            if now - matches[-1] > max(3 * usual, SHORTEST_QUIET) - known * LEEWAY:
                body = f"It was never quiet for longer than {_said(usual)} in the weeks before."
                subject = f"rule {rule.id}: no match since {times.bare(matches[-1], times.DAY)}"
                yield Condition(kind=Kind.RULE_QUIET, about=rule.id, subject=subject, body=body)
        today = sum(time > now - _DAY for time in matches)
        known = f"{Kind.RULE_SPIKES}:{rule.id}" in on
        if today >= SPIKE_MATCHES / (1 + known) and matches[0] <= now - SPIKE_FEWEST:
            most = max(_in_day(matches, now - n * _DAY) for n in range(1, SPIKE_PAST + 1))
            if today > SPIKE_TIMES / (1 + known) * most:
                body = f"{counted(today, 'match')} in a day; {most} on the busiest day of the two weeks before."
                subject = f"rule {rule.id}: many more matches than ever"
                yield Condition(kind=Kind.RULE_SPIKES, about=rule.id, subject=subject, body=body)


def _in_day(matches: Sequence[datetime], end: datetime) -> int:
    return sum(end - _DAY < time <= end for time in matches)


def _of_targets(facts: Facts) -> Iterator[Condition]:
    for target, reason in facts.parked:
        yield Condition(kind=Kind.TARGET_PARKED, about=target, subject=f"{target}: nothing can be sent", body=reason)


def _of_itself(facts: Facts, on: frozenset[str]) -> Iterator[Condition]:
    # The last part of an owner is when it began: too much for a subject.
    worker = facts.owner.rpartition(":")[0] or facts.owner or "the worker"
    if facts.late is not None:
        body = f"The longest pause between two ticks was {_said(facts.late)}: the machine slept, or is too busy."
        subject = f"{worker}: the tick came late"
        yield Condition(kind=Kind.TICK_MISSED, about=facts.owner, subject=subject, body=body)
    low = DISK_ENOUGH if f"{Kind.DISK_LOW}:" in on else DISK_LOW
    if facts.free is not None and facts.free < low:
        body = f"{facts.free // 1_000_000} MB are left. When it is full, nothing new is stored until there is room."
        yield Condition(kind=Kind.DISK_LOW, subject="the store's disk is nearly full", body=body)
    if facts.refused:
        body = f"{facts.refused} transactions had to wait too long. Another process writes to the store for long."
        subject = f"{worker}: the store is busy"
        yield Condition(kind=Kind.STORE_BUSY, about=facts.owner, subject=subject, body=body)
    if facts.faults:
        reasons = "\n".join(facts.faults)
        body = f"{reasons}\nNothing is given up for it: all of it waits, and goes on when that is put right."
        subject = f"{worker}: it cannot do its work"
        yield Condition(kind=Kind.WORKER_FAULT, about=facts.owner, subject=subject, body=body)
    if facts.log > LOG_LARGE:
        body = f"It has {facts.log // 1_000_000} MB. Some process has been reading the store for long, and keeps it."
        yield Condition(kind=Kind.LOG_LARGE, subject="the store's log grows", body=body)
    if facts.breaches:
        body = "\n".join(facts.breaches)
        yield Condition(kind=Kind.LEDGER, subject="the ledger does not add up", body=body)


def _said(span: timedelta) -> str:
    """A duration as a person says it."""
    seconds = span.total_seconds()
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"
