"""Today: the stories of a day by time, and beside them how busy rules and feeds were, and what is wrong."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from worker.console import spans
from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.console.views import today
from worker.errors import StoreError
from worker.model import DeliveryState
from worker.store import Tx, deliveries, lists, people, upkeep
from worker.store.lists import Place

#: Stories of a page; days of a small chart; charts of rules, and of feeds.
_STORIES, _DAYS, _CHARTS = 60, 14, 25
#: A visit is written down again only after so long.
_SEEN_EVERY = timedelta(minutes=1)


def routes(desk: Desk) -> list[Route]:
    """`/`."""
    return [page(desk, "/", _today)]


def _today(ask: Ask) -> Response:
    here = ask.now.astimezone(ask.zone).date()
    day = spans.day(ask.query.get("day", ""), here)
    only = ask.query.get("only") == "matched"
    days = spans.bounds(day, _DAYS, ask.zone)
    visited = visit(ask)
    with ask.desk.store.read() as tx:
        stories, more = today.entries(
            tx,
            (days[-2], days[-1]),
            limit=_STORIES,
            after=_place(ask.query.get("after", "")),
            matched=only,
            visited=visited,
        )
        side = _side(ask, tx, days)
    return ask.page(
        "today.html",
        begins=days[-2],
        is_today=day == here,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1) if day < here else None,
        only=only,
        stories=stories,
        more=None if more is None else _address(ask, more),
        visited=visited,
        **side,
    )


def visit(ask: Ask) -> datetime | None:
    """The end of the caller's visit before this one, which is written down; None at the first."""
    try:
        with ask.desk.store.read() as tx:
            last = people.last_visit(tx, ask.caller.name)
        if last is not None and timedelta() <= ask.now - last.seen < _SEEN_EVERY:
            return last.since
        with ask.desk.store.write() as tx:
            return people.visit(tx, ask.caller.name, ask.now)
    except StoreError:
        # The page is worth more than this; a store that may not be written to shows it too.
        return None


def _side(ask: Ask, tx: Tx, days: Sequence[datetime]) -> dict[str, Any]:
    """The small charts of rules and feeds, the busiest first, and what is wrong."""
    live = ask.desk.live()
    matches, articles = lists.matches_each(tx, days), lists.articles_each(tx, days)
    none = (0,) * (len(days) - 1)
    rules = [(rule.id, rule.name, matches.get(rule.id, none)) for rule in live.ruleset.rules]
    feeds = [(feed.name, articles.get(feed.name, none)) for feed in live.config.feeds]
    return {
        "rules": sorted(rules, key=lambda one: (-sum(one[2]), one[1]))[:_CHARTS],
        "all_rules": len(rules),
        "feeds": sorted(feeds, key=lambda one: (-sum(one[1]), one[0]))[:_CHARTS],
        "all_feeds": len(feeds),
        "conditions": upkeep.on(tx),
        "failed": deliveries.count(tx, DeliveryState.FAILED),
    }


def _place(said: str) -> Place | None:
    """The place behind which a page goes on, as `_address` writes it."""
    at, _, number = said.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        return None if moment.tzinfo is None else (moment, int(number[:9]))
    except ValueError:
        return None


def _address(ask: Ask, more: Place) -> str:
    kept = {name: ask.query[name] for name in ("day", "only") if name in ask.query}
    return "/?" + urlencode(kept | {"after": f"{more[0].isoformat()}~{more[1]}"})
