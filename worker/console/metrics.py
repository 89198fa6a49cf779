"""Metrics for Prometheus. Names and units as prometheus.io/docs/practices/naming asks; labels are our own words only.

The only owner of prometheus-client. Everything but this process's own time under the ingest lock is read from the store
when it is asked for, so that several workers on one store say the same, and a restart sets nothing back.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.config import Config
from worker.model import Role
from worker.store import Store, deliveries, feeds, ledger, queues, stories, targets, upkeep

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Figures of the store at one moment."""

    #: When the worker last ticked; None: none runs.
    tick: datetime | None
    #: How many rules are in force, since when, and how many mistakes keep the files' own rules out.
    rules: int
    rules_since: datetime | None
    refused: int
    #: By state, by origin and by state.
    entries: Mapping[str, int]
    articles: Mapping[str, int]
    deliveries: Mapping[str, int]
    stories: int
    #: Seconds that this process held the ingest lock since it began.
    ingest_lock_seconds: float
    #: Configured feeds whose last poll failed.
    feeds_failing: int
    targets_parked: int
    #: Lines of the ledger that do not add up.
    breaches: int
    #: What is wrong at present, by kind.
    conditions: Mapping[str, int]
    #: Bytes of SQLite's log.
    log_bytes: int
    #: The event loop's worst lag of the last minute, in seconds.
    lag: float
    #: Workers by role, and by role what waits, and for how many seconds the oldest of it has waited.
    workers: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)
    waited: Mapping[str, float] = field(default_factory=dict)


def exposition(measured: Measured) -> bytes:
    """The metrics in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(measured))
    return bytes(generate_latest(registry))


class _Collector(Collector):
    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        m = self._measured
        yield _gauge("veille_last_tick_timestamp_seconds", "When the worker last ticked; 0: none runs.", _unix(m.tick))
        yield _gauge("veille_rules_in_force", "Rules that articles are matched against.", m.rules)
        yield _gauge("veille_rules_in_force_since_timestamp_seconds", "Since when.", _unix(m.rules_since))
        yield _gauge(
            "veille_rules_last_reload_successful", "1, or 0 where the rules in the files were refused.", not m.refused
        )
        yield _by("veille_entries", "Entries by state.", "state", m.entries)
        yield _by("veille_articles", "Articles by origin; duplicates are counted in both.", "origin", m.articles)
        yield _by("veille_deliveries", "Deliveries by state.", "state", m.deliveries)
        yield _gauge("veille_stories", "Stories that articles belong to.", m.stories)
        yield CounterMetricFamily(
            "veille_ingest_lock_seconds",
            "Time under the ingest lock, by this process: one second a second is all there is.",
            value=m.ingest_lock_seconds,
        )
        yield _gauge("veille_feeds_failing", "Configured feeds whose last poll failed.", m.feeds_failing)
        yield _gauge("veille_targets_parked", "Targets that wait until their configuration is fixed.", m.targets_parked)
        yield _gauge("veille_ledger_breaches", "Lines of the ledger that do not add up.", m.breaches)
        yield _by("veille_conditions", "What is wrong at present, by kind.", "kind", m.conditions)
        yield _gauge("veille_store_log_bytes", "The size of SQLite's write-ahead log.", m.log_bytes)
        yield _gauge("veille_loop_lag_seconds", "The event loop's worst lag of the last minute.", m.lag)
        yield _by("veille_workers", "Workers that run or died a moment ago, by role.", "role", m.workers)
        yield _by("veille_queue_waiting", "Due feeds, ready entries and due deliveries, by role.", "role", m.waiting)
        yield _by("veille_queue_age_seconds", "For how long the oldest of a queue has waited.", "role", m.waited)


def _unix(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp()


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=float(value))


def _by(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def measure(store: Store, config: Config, now: datetime, *, lag: float = 0.0) -> Measured:
    """The store at this moment; raises StoreError."""
    with store.read() as tx:
        beats, in_force = upkeep.heartbeats(tx), upkeep.in_force(tx)
        mine = {feed.id for feed in config.feeds}
        states = [state for state in feeds.statuses(tx) if state.key in mine]
        waiting = queues.waiting(tx, [state.due for state in states], now=now)
        return Measured(
            tick=beats[0].tick if beats else None,
            rules=in_force.rules if in_force else 0,
            rules_since=in_force.since if in_force else None,
            refused=len(in_force.problems) if in_force else 0,
            entries=upkeep.entry_counts(tx),
            articles=upkeep.article_counts(tx),
            deliveries=deliveries.counts(tx),
            stories=stories.counts(tx)["stories"],
            ingest_lock_seconds=store.ingest_seconds,
            feeds_failing=sum(1 for state in states if state.failures),
            targets_parked=len(targets.parked(tx)),
            breaches=len(ledger.audit(tx)),
            conditions=upkeep.counts(tx),
            log_bytes=store.log_bytes(),
            lag=lag,
            workers=Counter(role for beat in beats for role in (beat.roles.split(",") if beat.roles else Role)),
            waiting={one.role: one.count for one in waiting},
            waited={one.role: (now - one.since).total_seconds() if one.since else 0.0 for one in waiting},
        )
