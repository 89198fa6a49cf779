"""The worker's eye on itself: facts are gathered, judged by `worker.vigil`, and told once, with the recovery."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from worker import times, vigil
from worker.app.clock import LATE_AFTER
from worker.model import FetchReason
from worker.pipeline.edges import Edges
from worker.pipeline.live import Live
from worker.pipeline.operators import Gathered, tell, words
from worker.pipeline.poll import TELL_AFTER
from worker.store import Store, Tx, conditions, feeds, ledger, targets
from worker.vigil import Condition, Facts, FeedFacts, Kind, On, RuleFacts

_log = structlog.get_logger()

#: Weeks of matches that a rule is judged by.
_PAST = timedelta(days=35)
#: Seconds for which a tick that was missed, or a store that was busy, is remembered.
_LATELY = 600.0
#: How long a document that held new items only is a condition.
_GAP_SHOWN = timedelta(days=1)
#: Conditions that one notice lists.
_MOST = 20


class Vigil:
    """One process's health, and the conditions that the store shows."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._ticked: float | None = None
        self._late: tuple[float, timedelta] | None = None
        self._refused, self._refused_before = 0, edges.store.refused
        self._refused_at: float | None = None
        #: Nothing is wrong that may make an alert late; True until the first look.
        self.well = True

    def tick(self, at: float) -> None:
        """A sweep went through, at that time of the loop's clock."""
        if self._ticked is not None and (pause := timedelta(seconds=at - self._ticked)) >= LATE_AFTER:
            self._late = at, pause
        self._ticked = at

    def look(self, at: float, now: datetime, *, everything: bool) -> None:
        """Look for what is wrong and tell what changed; also for what tells of days, with `everything`."""
        live, looked_for = self._edges.live, frozenset(Kind) if everything else vigil.OFTEN
        with self._edges.store.read() as tx:
            facts = gathered(tx, self._edges.store, live, now, everything=everything)
            on = conditions.on(tx)
        facts = self._with_own(facts, at)
        keys = frozenset(one.key for one in on)
        found = vigil.conditions(facts, now, keys, began={one.key: one.since for one in on})
        over = vigil.ended(on, found, facts, looked_for=looked_for, now=now)
        new = [one for one in found if one.key not in keys]
        old = conditions.unwritten(on, found, now=now)
        if new or over or old:
            with self._edges.store.write() as tx:
                conditions.see(tx, old, now=now)
                _tell(tx, live, conditions.begin(tx, new, now=now), conditions.end(tx, over), now)
        with self._edges.store.read() as tx:
            self.well = not any(self._concerns(one) for one in conditions.on(tx))

    def _concerns(self, one: On) -> bool:
        """Tells whether it may make an alert late that this worker is to send; another's troubles are the other's."""
        anothers = one.kind in vigil.OWN and one.key != f"{one.kind}:{self._edges.owner}"
        return one.kind in vigil.SEVERE and not anothers

    def _with_own(self, facts: Facts, at: float) -> Facts:
        if (count := self._edges.store.refused) > self._refused_before:
            self._refused, self._refused_at = count - self._refused_before, at
            self._refused_before = count
        if self._refused_at is not None and at - self._refused_at > _LATELY:
            self._refused, self._refused_at = 0, None
        if self._late is not None and at - self._late[0] > _LATELY:
            self._late = None
        late = self._late[1] if self._late else None
        # From other threads they come and go.
        faults = tuple(sorted(set(self._edges.faults.copy().values())))
        return replace(facts, owner=self._edges.owner, late=late, refused=self._refused, faults=faults)


def gathered(tx: Tx, store: Store, live: Live, now: datetime, *, everything: bool) -> Facts:
    """Facts that any process can read from the store; with `everything` also those that take longer."""
    parked = tuple(sorted(targets.parked(tx).items()))
    free = None if store.path is None else shutil.disk_usage(store.path.parent).free
    if not everything:
        return Facts(parked=parked, free=free, log=store.log_bytes())
    matched = conditions.matched(tx, now - _PAST)
    return Facts(
        feeds=_feeds(tx, live, now),
        rules=[RuleFacts(id=rule.id, matches=matched.get(rule.id, ())) for rule in live.ruleset.rules],
        parked=parked,
        breaches=ledger.audit(tx),
        free=free,
        log=store.log_bytes(),
    )


def _feeds(tx: Tx, live: Live, now: datetime) -> list[FeedFacts]:
    states = {state.key: state for state in feeds.statuses(tx)}
    return [
        FeedFacts(
            key=feed.id,
            name=feed.name,
            failures=state.failures,
            fails_at=TELL_AFTER,
            answered=state.last_success,
            arrivals=conditions.arrivals(tx, feed.id),
            gap=state.gap is not None and now - state.gap < _GAP_SHOWN,
            # Where it counts as a failure it is told as one.
            unresolved=state.last_result == FetchReason.DNS and not state.failures,
            pages_failed=state.pages_failed if feed.full_text else 0,
            dates_unread=state.dates_unread,
            date_unread=state.date_unread,
        )
        for feed in live.config.feeds
        if (state := states.get(feed.id)) is not None
    ]


def _tell(tx: Tx, live: Live, begun: Sequence[Condition], over: Sequence[On], now: datetime) -> None:
    for one in begun:
        _log.warning("something is wrong", kind=one.kind, about=one.about, subject=one.subject)
    for gone in over:
        _log.info("it is over", kind=gone.kind, subject=gone.words)
    new = [one for one in begun if one.kind not in vigil.TOLD_ELSEWHERE]
    if new:
        lines = "\n\n".join(f"{one.subject}\n{one.body}".rstrip() for one in new[:_MOST])
        tell(tx, live, _headed([one.subject for one in new]), f"{lines}\n\n{_doctor(new)}", now=now)
    ended = [one for one in over if one.kind not in vigil.RECOVERY_TOLD_ELSEWHERE]
    if ended:
        said = words(live)
        lines = "\n".join(f"{one.words} (since {times.say(one.since)})" for one in ended[:_MOST])
        subject = said.over + _headed([one.words for one in ended])
        tell(tx, live, subject, f"{lines}\n\n{said.is_over}", now=now, kind=Gathered.OVER)


def _headed(subjects: Sequence[str]) -> str:
    return subjects[0] + (f", and {len(subjects) - 1} more" if len(subjects) > 1 else "")


def _doctor(new: Sequence[Condition]) -> str:
    more = f"{len(new) - _MOST} more. " if len(new) > _MOST else ""
    return f"{more}`veille doctor` shows what is wrong; a notice follows when it is over."
