"""The state of the worker, its store and its feeds."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from worker.config import Config
from worker.console.views.deliveries import waiting
from worker.model import Role
from worker.net import urls
from worker.store import Store, deliveries, ledger, pages, quarantine, queues, stories, targets, upkeep
from worker.store import feeds as feed_states

Facts = dict[str, Any]

#: Entries whose pages are counted by feed.
_PAGES_SHOWN = timedelta(days=7)


def feeds(conf: Config, store: Store | None, now: datetime) -> list[Facts]:
    """The configured feeds, in the configuration's order, with their state where they were polled."""
    states, of_pages = {}, {}
    if store is not None:
        with store.read() as tx:
            states = {state.key: state for state in feed_states.statuses(tx)}
            of_pages = pages.counts(tx, now - _PAGES_SHOWN)
    rows = []
    for feed in conf.feeds:
        state = states.get(feed.id)
        rows.append(
            {
                "name": feed.name,
                "url": urls.masked(feed.id),
                "language": feed.language,
                "entries": state.entries if state else 0,
                "last_polled": state.last_polled if state else None,
                "last_success": state.last_success if state else None,
                "result": state.last_result if state else "",
                "detail": state.last_detail if state else "",
                "failures": state.failures if state else 0,
                "due": state.due if state else None,
                "not_before": state.not_before if state else None,
                "every": int(feed.every.total_seconds()),
                "interval": max(int(feed.every.total_seconds()), state.rhythm.interval if state else 0),
                "interval_why": state.rhythm.why if state else "",
                "asked_whole": state.lies if state else False,
                "gap": state.gap if state else None,
                "pages": of_pages.get(feed.id, {}),
            }
        )
    return rows


def status(conf: Config, store: Store, now: datetime, is_alive: Callable[[upkeep.Heartbeat], bool]) -> Facts:
    """The worker, the feeds, the store's counts, and every delivery that is not sent; `is_alive` judges a last tick."""
    of_feeds = feeds(conf, store, now)
    with store.read() as tx:
        workers = [_worker(beat, alive=is_alive(beat)) for beat in upkeep.heartbeats(tx)]
        due = [feed["due"] for feed in of_feeds if feed["due"] is not None]
        found = {
            "worker": next(iter(workers), None),
            "workers": workers,
            "queues": [
                {"role": str(one.role), "waiting": one.count, "since": one.since}
                for one in queues.waiting(tx, due, now=now)
            ],
            "rules": None if (in_force := upkeep.in_force(tx)) is None else _rules(in_force),
            "entries": upkeep.entry_counts(tx),
            "articles": upkeep.article_counts(tx),
            "stories": stories.counts(tx),
            "deliveries": deliveries.counts(tx),
            "parked_targets": targets.parked(tx),
            "held_targets": [
                {"target": held.id, "failures": held.failures, "failing_since": held.failing_since, "until": held.until}
                for held in targets.held(tx, now)
                if not held.parked
            ],
            "quarantine": [
                {"entry": q.id, "feed": urls.masked(q.feed), "title": q.title, "error": q.error}
                for q in quarantine.put_aside(tx, limit=50)
            ],
            "unsent": waiting(tx, deliveries.unsent(tx, limit=50), now),
            "ledger": list(ledger.audit(tx)),
            "conditions": [{"kind": str(one.kind), "words": one.words, "since": one.since} for one in upkeep.on(tx)],
        }
    return found | {"feeds": of_feeds}


def _worker(beat: upkeep.Heartbeat, *, alive: bool) -> Facts:
    """A worker, its roles, and the set of rules that it matches against."""
    return {
        "alive": alive,
        "host": beat.host,
        "pid": beat.pid,
        "roles": beat.roles.split(",") if beat.roles else [str(role) for role in Role],
        "rules": beat.rules,
        "started": beat.started,
        "tick": beat.tick,
    }


def _rules(in_force: upkeep.InForce) -> Facts:
    """The rules that the worker goes by, and why those of the files are not, where that is so."""
    return {
        "count": in_force.rules,
        "hash": in_force.hash,
        "since": in_force.since,
        "read": in_force.read,
        "ok": not in_force.problems,
        "problems": [asdict(problem) for problem in in_force.problems],
    }
