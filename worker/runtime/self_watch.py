"""The worker's watch on itself: gathers facts, has `alerts.self_watch` judge them, and reports each change once."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from worker.alerts import self_watch
from worker.alerts.self_watch import ActiveCondition, Condition, Facts, FeedFacts, Kind, RuleFacts
from worker.model import FetchReason, times
from worker.notify.render import NoticeWording, conditions
from worker.pipeline.context import ActiveConfig, JobContext
from worker.pipeline.notices import Gathered, notify_operators, words
from worker.pipeline.poll import NOTICE_AFTER
from worker.runtime.clock import LATE_AFTER
from worker.store import Store, Tx, feeds, ledger, targets, upkeep
from worker.store.upkeep import Heartbeat

_log = structlog.get_logger()

#: Weeks of matches that a rule is judged by.
_PAST = timedelta(days=35)
#: Seconds for which a tick that was missed, or a store that was busy, is remembered.
_LATELY = 600.0
#: How long a document that held new items only is a condition.
_GAP_SHOWN = timedelta(days=1)
#: Conditions that one notice lists.
_MOST = 20


class SelfWatch:
    """One process's health, and the conditions that the store shows."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._ticked: float | None = None
        self._late: tuple[float, timedelta] | None = None
        self._refused, self._refused_before = 0, context.store.refused
        self._refused_at: float | None = None
        #: Nothing is wrong that may make an alert late; True until the first look.
        self.well = True

    def tick(self, at: float) -> None:
        """A sweep went through, at that time of the loop's clock."""
        if self._ticked is not None and (pause := timedelta(seconds=at - self._ticked)) >= LATE_AFTER:
            self._late = at, pause
        self._ticked = at

    def look(self, at: float, now: datetime, *, everything: bool) -> None:
        """Look for what is wrong and report what changed; also for what shows over days, with `everything`."""
        live, looked_for = self._context.live, frozenset(Kind) if everything else self_watch.OFTEN
        with self._context.store.read() as tx:
            facts = gathered(tx, self._context.store, live, now, everything=everything)
            on = upkeep.on(tx)
        facts = self._with_own(facts, at)
        keys = frozenset(one.key for one in on)
        found = self_watch.conditions(facts, now, keys, began={one.key: one.since for one in on})
        over = self_watch.ended(on, found, facts, looked_for=looked_for, now=now)
        new = [one for one in found if one.key not in keys]
        old = upkeep.unwritten(on, found, now=now)
        if new or over or old:
            with self._context.store.write() as tx:
                upkeep.see(tx, old, now=now)
                _notify(
                    tx,
                    live,
                    upkeep.begin(tx, [(one, conditions.subject(one, "en")) for one in new], now=now),
                    upkeep.end(tx, over),
                    now,
                )
        with self._context.store.read() as tx:
            self.well = not any(self._concerns(one) for one in upkeep.on(tx))

    def _concerns(self, one: ActiveCondition) -> bool:
        """Tells whether it may make an alert late that this worker is to send; another's troubles are the other's."""
        anothers = one.kind in self_watch.OWN and one.key != f"{one.kind}:{self._context.owner}"
        return one.kind in self_watch.SEVERE and not anothers

    def _with_own(self, facts: Facts, at: float) -> Facts:
        if (count := self._context.store.refused) > self._refused_before:
            self._refused, self._refused_at = count - self._refused_before, at
            self._refused_before = count
        if self._refused_at is not None and at - self._refused_at > _LATELY:
            self._refused, self._refused_at = 0, None
        if self._late is not None and at - self._late[0] > _LATELY:
            self._late = None
        late = self._late[1] if self._late else None
        # From other threads they come and go.
        faults = tuple(sorted(set(self._context.faults.copy().values())))
        return replace(facts, owner=self._context.owner, late=late, refused=self._refused, faults=faults)


def gathered(tx: Tx, store: Store, live: ActiveConfig, now: datetime, *, everything: bool) -> Facts:
    """Facts that any process can read from the store; with `everything` also those that take longer."""
    parked = tuple(sorted(targets.parked(tx).items()))
    free = None if store.path is None else shutil.disk_usage(store.path.parent).free
    if not everything:
        return Facts(parked=parked, free=free, log=store.log_bytes())
    matched = upkeep.matched(tx, now - _PAST)
    return Facts(
        feeds=_feeds(tx, live, now),
        rules=[RuleFacts(id=rule.id, matches=matched.get(rule.id, ())) for rule in live.ruleset.rules],
        parked=parked,
        breaches=ledger.audit(tx),
        free=free,
        log=store.log_bytes(),
    )


def _feeds(tx: Tx, live: ActiveConfig, now: datetime) -> list[FeedFacts]:
    states = {state.key: state for state in feeds.statuses(tx)}
    return [
        FeedFacts(
            key=feed.id,
            name=feed.name,
            failures=state.failures,
            fails_at=NOTICE_AFTER,
            answered=state.last_success,
            arrivals=upkeep.arrivals(tx, feed.id),
            gap=state.gap is not None and now - state.gap < _GAP_SHOWN,
            # Where it counts as a failure it is reported as one.
            unresolved=state.last_result == FetchReason.DNS and not state.failures,
            pages_failed=state.pages_failed if feed.full_text else 0,
            dates_unread=state.dates_unread,
            date_unread=state.date_unread,
        )
        for feed in live.config.feeds
        if (state := states.get(feed.id)) is not None
    ]


def _notify(
    tx: Tx, live: ActiveConfig, begun: Sequence[Condition], over: Sequence[ActiveCondition], now: datetime
) -> None:
    said = words(live)
    for one in begun:
        _log.warning("something is wrong", kind=one.kind, about=one.about, subject=conditions.subject(one, "en"))
    for past in over:
        _log.info("it is over", kind=past.kind, subject=past.words)
    new = [one for one in begun if one.kind not in self_watch.SENT_ELSEWHERE]
    if new:
        subjects = [conditions.subject(one, said.language) for one in new]
        bodies = [conditions.body(one, said.language) for one in new]
        lines = [f"{subject}\n{body}".rstrip() for subject, body in zip(subjects, bodies, strict=True)]
        more = said.counted(said.more, len(new) - _MOST) if len(new) > _MOST else ""
        body = "\n\n".join([*lines[:_MOST], f"{more}{said.doctor}"])
        notify_operators(tx, live, _headed(subjects, said), body, now=now)
    ended = [one for one in over if one.kind not in self_watch.RECOVERY_SENT_ELSEWHERE]
    if ended:
        names = _named(tx, ended)
        subjects = [conditions.ended(one.kind, name, said.language) for one, name in zip(ended, names, strict=True)]
        since = [said.began.format(since=times.say(one.since)) for one in ended]
        lines = [f"{subject}{began}" for subject, began in zip(subjects, since, strict=True)]
        body = "\n".join([*lines[:_MOST], "", said.is_over])
        notify_operators(tx, live, said.over + _headed(subjects, said), body, now=now, kind=Gathered.OVER)


def _named(tx: Tx, ended: Sequence[ActiveCondition]) -> list[str]:
    """The names of what conditions are about; the store knows those of feeds that were taken out, too."""
    known = {feed.key: feed.name for feed in feeds.statuses(tx)}
    return [
        self_watch.process(one.about) if one.kind in self_watch.OWN else known.get(one.about, one.about)
        for one in ended
    ]


def _headed(subjects: Sequence[str], said: NoticeWording) -> str:
    others = len(subjects) - 1
    return f"{subjects[0]}, {said.counted(said.and_more, others)}" if others else subjects[0]


# The other workers on a store, as their heartbeats show: one that beats no more is lost.


#: Seconds without a beat after which a worker is taken for lost; it beats every five.
LOST_AFTER = 40.0
#: Seconds between two looks after which nothing is known: while the store refused this worker, others were refused too.
_LOOKS_APART = 15.0


class Others:
    """The heartbeats of other workers, as one worker has seen them.

    A beat counts by whether it changed from one look to the next, on this process's monotonic clock: the clocks of two
    machines disagree, and may be set.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        #: Owner -> its last beat, and when that was first seen.
        self._seen: dict[str, tuple[datetime, float]] = {}
        self._looked = 0.0

    def lost(self, beats: Iterable[Heartbeat], at: float) -> tuple[str, ...]:
        """The owners whose heart stopped, as these beats show; `at` is in seconds of a monotonic clock."""
        before = self._seen if at - self._looked <= _LOOKS_APART else {}
        self._looked = at
        self._seen = {
            beat.owner: was if (was := before.get(beat.owner)) and was[0] == beat.tick else (beat.tick, at)
            for beat in beats
            if beat.owner != self._owner
        }
        return tuple(owner for owner, (_, since) in self._seen.items() if at - since >= LOST_AFTER)
