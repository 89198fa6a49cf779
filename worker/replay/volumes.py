"""Waves over again: what the store would know of each rule's volume, kept in memory while texts go by."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.alert import Arrival, LastAlert, Level
from worker.model import WEEKS, Obligation, Occasion, Verdict, Volume, Wave

_WEEK = timedelta(days=7)


@dataclass(slots=True, kw_only=True)
class Waved:
    """A wave of a rule, and what would have been sent of it."""

    wave: Wave
    #: The most stories that its window held.
    most: int
    #: Articles for which an alert would have been sent, whatever the number of recipients.
    alerts: int = 0


def _at(one: Arrival) -> datetime:
    return one.at


@dataclass(slots=True)
class _Rule:
    """Everything known of one rule by now."""

    #: By time.
    arrivals: list[Arrival] = field(default_factory=list)
    #: When it matched first, whether that counted or not.
    first: datetime | None = None
    wave: Wave | None = None
    last_alerts: dict[str, LastAlert] = field(default_factory=dict)

    def between(self, after: datetime, until: datetime) -> Sequence[Arrival]:
        """The arrivals later than one moment and no later than the other."""
        return self.arrivals[bisect_right(self.arrivals, after, key=_at) : bisect_right(self.arrivals, until, key=_at)]


class Volumes:
    """The volumes of all rules that have one."""

    def __init__(self) -> None:
        self._rules: defaultdict[str, _Rule] = defaultdict(_Rule)
        self._count = 0
        #: By rule, in the order in which they began.
        self.waves: defaultdict[str, list[Waved]] = defaultdict(list)

    def level(self, rule_id: str, volume: Volume, now: datetime) -> Level:
        """Everything known before a text is decided, as `store.waves.level` has it."""
        rule = self._rules[rule_id]
        rule.first = min(rule.first or now, now)
        since = min(now, *(one.at for one in rule.last_alerts.values())) if rule.last_alerts else now
        return Level(
            arrivals=rule.arrivals[bisect_right(rule.arrivals, since - volume.per, key=_at) :],
            wave=rule.wave,
            last_alerts=rule.last_alerts,
            weeks=() if volume.times is None else self._weeks(rule, volume.per, now),
        )

    def _weeks(self, rule: _Rule, per: timedelta, now: datetime) -> tuple[int, ...]:
        past = (now - number * _WEEK for number in range(1, WEEKS + 1))
        ends = [end for end in past if rule.first is not None and end >= rule.first]
        return tuple(len({one.story for one in rule.between(end - per, end)}) for end in ends)

    def add(self, obligations: Sequence[Obligation], story: int, now: datetime) -> None:
        """Take in what was decided of a text."""
        self._count += 1
        for rule_id, found in {one.rule_id: one.measured for one in obligations if one.measured is not None}.items():
            rule = self._rules[rule_id]
            insort(rule.arrivals, Arrival(number=self._count, story=story, at=now), key=_at)
            if found.begins or found.ends:
                rule.wave, rule.last_alerts = found.wave, {}
            if found.wave is None:
                continue
            if found.begins:
                self.waves[rule_id].append(Waved(wave=found.wave, most=0))
            newest = self.waves[rule_id][-1]
            newest.most = max(newest.most, found.stories)
            sent = [
                one.recipient
                for one in obligations
                if one.rule_id == rule_id and one.verdict is Verdict.OWED and one.occasion != Occasion.ESCALATION
            ]
            newest.alerts += bool(sent)
            for recipient in sent:
                before = rule.last_alerts[recipient].alerts if recipient in rule.last_alerts else 0
                rule.last_alerts[recipient] = LastAlert(number=self._count, at=now, alerts=before + 1)
