"""Retention: deletes what is older than the configuration keeps, and gives up deliveries that were parked too long."""

from datetime import datetime, timedelta

from worker.alerts import PARKED_FOR
from worker.pipeline.context import ActiveConfig
from worker.pipeline.notices import Gathered, notify_operators, words
from worker.store import Store, deliveries, ledger, people, quarantine, repeated, stories, upkeep

#: Messages that were given up together and are listed one by one.
_MOST_LISTED = 50


def forget(store: Store, live: ActiveConfig, now: datetime, *, ahead: timedelta = timedelta()) -> None:
    """Drop what the configuration no longer keeps, in small transactions, and give up what was parked too long.

    Ages are counted to the time that the clock would show without having been stepped `ahead`.
    """
    keep, until = live.config.retention, now - ahead
    with store.write() as tx:
        upkeep.forget_raw(tx, before=until - keep.raw)
        quarantine.forget_documents(tx, before=until - keep.raw)
        if keep.audit is not None:
            people.forget_changes(tx, before=until - keep.audit)
    _expire(store, live, until - PARKED_FOR, now)
    ledger_before = None if keep.ledger is None else until - keep.ledger
    if keep.articles is not None:
        before, more = until - keep.articles, True
        while more:
            # No batch is decided meanwhile: those who keep stories in memory see the change at their next.
            with store.ingest() as tx:
                more = bool(upkeep.forget_articles(tx, before=before, ledger_before=ledger_before))
                stories.forget_empty(tx)
                if not more:
                    repeated.forget(tx)
    if ledger_before is not None:
        more = True
        while more:
            with store.write() as tx:
                more = bool(upkeep.forget_deliveries(tx, before=ledger_before))


def _expire(store: Store, live: ActiveConfig, before: datetime, now: datetime) -> None:
    with store.write() as tx:
        if expired := deliveries.expire_parked(tx, before=before, now=now):
            said = words(live)
            failures = [
                said.failure(line.recipient, ledger.titles(tx, line.id), line.reason)
                for line in deliveries.lines(tx, expired[:_MOST_LISTED])
            ]
            body = "\n\n".join([*failures, said.not_fixed.format(days=PARKED_FOR.days)])
            notify_operators(tx, live, said.counted(said.expired, len(expired)), body, now=now, kind=Gathered.MESSAGE)
