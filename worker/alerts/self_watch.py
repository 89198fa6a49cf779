"""Veille's own health: the conditions that are on at present, from the store's and the process's facts.

    (Facts, now) -conditions-> Condition...

Thresholds only: conditions are values, and the words for them are made where a notice is written.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import pairwise
from types import MappingProxyType

_DAY = timedelta(days=1)
_NEVER: Mapping[str, datetime] = MappingProxyType({})

#: Arrivals that a rhythm is known by, and the shortest silence that is reported.
FEWEST_ARRIVALS, SHORTEST_SILENCE = 10, _DAY
#: Entries in a row whose pages were not taken, before it is reported.
PAGES_LOST = 5
#: Matches, and days with some, that a rule's past needs; the shortest silence that is reported.
FEWEST_MATCHES, FEWEST_DAYS, SHORTEST_QUIET = 10, 5, timedelta(days=7)
#: Matches of one day that may be a spike, and how many times the busiest day before.
SPIKE_MATCHES, SPIKE_TIMES = 20, 5
#: Days that a spike is compared with, and how many of them a rule must have had.
SPIKE_PAST, SPIKE_FEWEST = 14, timedelta(days=7)
#: Bytes left on the store's disk: too few below the first, enough again above the second.
DISK_LOW, DISK_ENOUGH = 500_000_000, 750_000_000
#: For so long the names of feeds may not be found, before it is reported.
NAMES_LOST = timedelta(minutes=30)
#: A silence, a quiet or a spike that was reported is over only well below what began it, as two clocks may disagree.
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
#: Reported in the transaction in which they come about, and so not once more; `poll` reports recoveries as well.
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
    """Something that is wrong at present, as values."""

    kind: Kind
    #: What it is about: a feed's key, a rule's or a target's id, the process that it is true of; empty: the store.
    about: str = ""
    #: For people.
    name: str = ""
    #: When something last came; None where that is not known, or not what it is about.
    last: datetime | None = None
    #: The longest silence before, or the pause between two ticks.
    span: timedelta | None = None
    #: Polls, dates, feeds, matches, transactions or megabytes that are too many, or too few; and of how many, or
    #: compared with how many.
    count: int = 0
    of: int = 0
    #: Reasons, names, or an example.
    lines: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key of the condition."""
        return f"{self.kind}:{self.about}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveCondition:
    """A condition that was written down, and of which the operators got a notice."""

    key: str
    kind: Kind
    #: In English, as `status` and `doctor` show it.
    words: str
    since: datetime
    #: When somebody last found it still so.
    seen: datetime

    @property
    def about(self) -> str:
        """The condition's own `about`."""
        return self.key.removeprefix(f"{self.kind}:")


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
    if one.kind in OWN:
        return one.about == facts.owner
    if one.kind in {Kind.FEED_FAILS, Kind.FEED_SILENT, Kind.FEED_GAP, Kind.FEED_PAGES, Kind.FEED_DATES}:
        return any(feed.key == one.about for feed in facts.feeds)
    if one.kind in {Kind.RULE_QUIET, Kind.RULE_SPIKES}:
        return any(rule.id == one.about for rule in facts.rules)
    return True


def _unseen(one: ActiveCondition, now: datetime) -> bool:
    # Seen in the future: a clock was set back since.
    return abs(now - one.seen) > (OWN_UNSEEN if one.kind in OWN else UNSEEN)


def _still(began: Mapping[str, datetime], one: Condition, arrivals: Sequence[datetime]) -> Condition | None:
    """The silence that is on, while nothing came since it began; None where none is, or something did."""
    since = began.get(one.key)
    return None if since is None or (arrivals and arrivals[-1] >= since) else replace(one, last=since)


def _of_feeds(facts: Facts, now: datetime, on: frozenset[str], began: Mapping[str, datetime]) -> Iterator[Condition]:
    for feed in facts.feeds:
        of = partial(Condition, about=feed.key, name=feed.name)
        if feed.failures >= feed.fails_at:
            yield of(kind=Kind.FEED_FAILS, count=feed.failures)
        silence = of(kind=Kind.FEED_SILENT)
        known = silence.key in on
        usual = _longest(feed.arrivals)
        # One that begins to fail has not broken its silence.
        if still := _still(began, silence, feed.arrivals):
            yield still
        elif usual and feed.answered is not None and (known or feed.failures < feed.fails_at):
            silent = min(feed.answered, now) - feed.arrivals[-1]
            if silent > max(2 * usual, SHORTEST_SILENCE) - known * LEEWAY:
                yield replace(silence, last=feed.arrivals[-1], span=usual)
        if feed.gap:
            yield of(kind=Kind.FEED_GAP)
        if feed.pages_failed >= (1 if f"{Kind.FEED_PAGES}:{feed.key}" in on else PAGES_LOST):
            yield of(kind=Kind.FEED_PAGES)
        if feed.dates_unread:
            yield of(kind=Kind.FEED_DATES, count=feed.dates_unread, lines=(repr(feed.date_unread),))


def _of_names(facts: Facts, now: datetime) -> Iterator[Condition]:
    waiting = [feed for feed in facts.feeds if feed.unresolved]
    if any(feed.answered is None or now - feed.answered > NAMES_LOST for feed in waiting):
        names = (*(feed.name for feed in waiting[:_NAMED]), *["..."] * (len(waiting) > _NAMED))
        yield Condition(kind=Kind.DNS_DOWN, count=len(waiting), of=len(facts.feeds), lines=names)


def _longest(arrivals: Sequence[datetime]) -> timedelta | None:
    """The longest pause between arrivals; None where they are too few to tell."""
    if len(arrivals) < FEWEST_ARRIVALS:
        return None
    return max(after - before for before, after in pairwise(arrivals))


def _of_rules(facts: Facts, now: datetime, on: frozenset[str], began: Mapping[str, datetime]) -> Iterator[Condition]:
    for rule in facts.rules:
        matches = rule.matches
        of = partial(Condition, about=rule.id, name=rule.id)
        quiet = of(kind=Kind.RULE_QUIET)
        if still := _still(began, quiet, matches):
            yield still
        elif len(matches) >= FEWEST_MATCHES and len({time.date() for time in matches}) >= FEWEST_DAYS:
            usual = max(after - before for before, after in pairwise(matches))
            if now - matches[-1] > max(3 * usual, SHORTEST_QUIET) - (quiet.key in on) * LEEWAY:
                yield replace(quiet, last=matches[-1], span=usual)
        today = sum(time > now - _DAY for time in matches)
        known = f"{Kind.RULE_SPIKES}:{rule.id}" in on
        if today >= SPIKE_MATCHES / (1 + known) and matches[0] <= now - SPIKE_FEWEST:
            most = max(_in_day(matches, now - n * _DAY) for n in range(1, SPIKE_PAST + 1))
            if today > SPIKE_TIMES / (1 + known) * most:
                yield of(kind=Kind.RULE_SPIKES, count=today, of=most)


def _in_day(matches: Sequence[datetime], end: datetime) -> int:
    return sum(end - _DAY < time <= end for time in matches)


def _of_targets(facts: Facts) -> Iterator[Condition]:
    for target, reason in facts.parked:
        yield Condition(kind=Kind.TARGET_PARKED, about=target, name=target, lines=(reason,))


def _of_itself(facts: Facts, on: frozenset[str]) -> Iterator[Condition]:
    own = partial(Condition, about=facts.owner, name=process(facts.owner))
    if facts.late is not None:
        yield own(kind=Kind.TICK_MISSED, span=facts.late)
    low = DISK_ENOUGH if f"{Kind.DISK_LOW}:" in on else DISK_LOW
    if facts.free is not None and facts.free < low:
        yield Condition(kind=Kind.DISK_LOW, count=facts.free // 1_000_000)
    if facts.refused:
        yield own(kind=Kind.STORE_BUSY, count=facts.refused)
    if facts.faults:
        yield own(kind=Kind.WORKER_FAULT, lines=tuple(facts.faults))
    if facts.log > LOG_LARGE:
        yield Condition(kind=Kind.LOG_LARGE, count=facts.log // 1_000_000)
    if facts.breaches:
        yield Condition(kind=Kind.LEDGER, lines=tuple(facts.breaches))


def process(owner: str) -> str:
    """A worker as a subject names it: the last part of an owner, its beginning in seconds, is too much there."""
    return owner.rpartition(":")[0] or owner or "Veille"
