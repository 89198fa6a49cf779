"""Gathers the store's figures for Prometheus."""

from worker.config import Config
from worker.metrics import Measured
from worker.store import Store, conditions, deliveries, feeds, ledger, stories, targets, upkeep


def measure(store: Store, config: Config, *, lag: float = 0.0) -> Measured:
    """The store at this moment; raises StoreError."""
    with store.read() as tx:
        beat, in_force = upkeep.heartbeat(tx), upkeep.in_force(tx)
        mine = {feed.id for feed in config.feeds}
        failing = sum(1 for state in feeds.statuses(tx) if state.key in mine and state.failures)
        return Measured(
            tick=beat.tick if beat else None,
            rules=in_force.rules if in_force else 0,
            rules_since=in_force.since if in_force else None,
            refused=len(in_force.problems) if in_force else 0,
            entries=upkeep.entry_counts(tx),
            articles=upkeep.article_counts(tx),
            deliveries=deliveries.counts(tx),
            stories=stories.counts(tx)["stories"],
            ingest_lock_seconds=store.ingest_seconds,
            feeds_failing=failing,
            targets_parked=len(targets.parked(tx)),
            breaches=len(ledger.audit(tx)),
            conditions=conditions.counts(tx),
            log_bytes=store.log_bytes(),
            lag=lag,
        )
