"""Today: the stories of a day by time, and beside them how busy rules and feeds were, and what is wrong."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
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
from worker.store import Tx, deliveries, lists, people, silences, upkeep
from worker.store.lists import Place

#: Stories of a page; days of a small chart; charts of rules, and of feeds.
_STORIES, DAYS, _CHARTS = 40, 14, 25
#: An article may come late into a day that is over, by so much; counts of so many days are kept.
_SETTLED, _KEPT = timedelta(hours=6), 500
#: A visit is written down again only after so long.
_SEEN_EVERY = timedelta(minutes=1)


#: Counts something by name in [since, until).
Count = Callable[[Tx, datetime, datetime], dict[str, int]]


class Activity:
    """Counts of days, by rule and by feed; those of days that are over are kept, as every look asks for them again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Count, datetime, datetime], dict[str, int]] = {}

    def each(self, tx: Tx, count: Count, days: Sequence[datetime], now: datetime) -> dict[str, tuple[int, ...]]:
        """By name: the counts from each of the ascending moments to the next."""
        found = [self._of(tx, count, since, until, now) for since, until in pairwise(days)]
        return {name: tuple(day.get(name, 0) for day in found) for name in set().union(*found)}

    def last(self, tx: Tx, count: Count, ask: Ask) -> dict[str, tuple[int, ...]]:
        """By name: the counts of the reader's last days, today among them."""
        return self.each(tx, count, spans.bounds(ask.now.astimezone(ask.zone).date(), DAYS, ask.zone), ask.now)

    def _of(self, tx: Tx, count: Count, since: datetime, until: datetime, now: datetime) -> dict[str, int]:
        kept = self._kept.get((count, since, until))
        if kept is not None:
            return kept
        found = count(tx, since, until)
        if until < now - _SETTLED:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[count, since, until] = found
        return found


def routes(desk: Desk) -> list[Route]:
    """`/`."""
    return [page(desk, "/", partial(_today, Activity()))]


def _today(activity: Activity, ask: Ask) -> Response:
    here = ask.now.astimezone(ask.zone).date()
    day = spans.day(ask.query.get("day", ""), here)
    only = ask.query.get("only") == "matched"
    days = spans.bounds(day, DAYS, ask.zone)
    visited = visit(ask)
    with ask.desk.store.read() as tx:
        stories, more = today.entries(
            tx,
            (days[-2], days[-1]),
            limit=_STORIES,
            after=_place(ask),
            matched=only,
            visited=visited,
        )
        side = _side(ask, tx, activity, days)
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


def _side(ask: Ask, tx: Tx, activity: Activity, days: Sequence[datetime]) -> dict[str, Any]:
    """The small charts of rules and feeds, the busiest first, and what is wrong."""
    live = ask.desk.live()
    matches = activity.each(tx, lists.matches_by_rule, days, ask.now)
    articles = activity.each(tx, lists.articles_by_feed, days, ask.now)
    none = (0,) * (len(days) - 1)
    rules = [(rule.id, rule.name, matches.get(rule.id, none)) for rule in live.ruleset.rules]
    feeds = [(feed.name, articles.get(feed.name, none)) for feed in live.config.feeds]
    return {
        "rules": sorted(rules, key=lambda one: (-sum(one[2]), one[1]))[:_CHARTS],
        "all_rules": len(rules),
        "feeds": sorted(feeds, key=lambda one: (-sum(one[1]), one[0]))[:_CHARTS],
        "all_feeds": len(feeds),
        "conditions": upkeep.on(tx),
        # A muted story says so itself.
        "silences": [one for one in silences.active(tx, ask.now) if one.story_id is None],
        "failed": deliveries.count(tx, DeliveryState.FAILED),
    }


def _place(ask: Ask) -> Place | None:
    """The place behind which a page goes on, as `_address` writes it."""
    at, _, number = ask.query.get("after", "").partition("~")
    moment = spans.moment(at, ask.zone)
    is_number = number.isascii() and number.isdecimal() and len(number) < 10
    return (moment, int(number)) if moment is not None and is_number else None


def _address(ask: Ask, more: Place) -> str:
    kept = {name: ask.query[name] for name in ("day", "only") if name in ask.query}
    return "/?" + urlencode(kept | {"after": f"{more[0].isoformat()}~{more[1]}"})
