"""The notification policy: the parts that `[alerts]`, routes and targets share."""

from collections.abc import Callable, Collection, Mapping

from worker import model
from worker.config import schema
from worker.config.fields import nearest
from worker.config.toml import KeyPath

#: Records a problem: where, what, the fix.
Wrong = Callable[[KeyPath, str, str], None]


def telling(
    table: schema.NotificationTable, path: KeyPath, known: Collection[str], wrong: Wrong
) -> model.NotificationPolicy:
    """The notification policy of one table; `known` are the ids of targets and groups."""
    escalation = None
    if table.escalate is not None:
        for place, name in enumerate(table.escalate.to):
            if name not in known:
                wrong((*path, "escalate", "to", place), f"`{name}` is no target or group", nearest(name, known))
        escalation = model.Escalation(targets=tuple(dict.fromkeys(table.escalate.to)), after=table.escalate.after)
    return model.NotificationPolicy(
        key=table.key,
        group_wait=table.group_wait,
        realert=table.realert,
        follow_up=None if table.follow_up is None else tuple(dict.fromkeys(table.follow_up)),
        escalation=escalation,
    )


def digest(table: schema.DigestTable | None) -> model.DigestPolicy | None:
    """The times of a target's digests."""
    return None if table is None else model.DigestPolicy(at=table.at, but=frozenset(table.but))


def quiet(tables: Collection[schema.QuietTable], path: KeyPath, wrong: Wrong) -> tuple[model.Quiet, ...]:
    """A target's quiet hours, in which only critical alerts are sent."""
    for place, one in enumerate(tables):
        if one.since == one.until:
            fix = "for a target that never gets an alert at once, write digest = { at = ... }"
            wrong((*path, "quiet", place), "the quiet hours end when they begin", fix)
    return tuple(model.Quiet(since=one.since, until=one.until, days=frozenset(one.days)) for one in tables)


def throttle(table: schema.ThrottleTable | None) -> model.Throttle | None:
    """The limit on alerts of one rule that a target gets at once."""
    return None if table is None else model.Throttle(alerts=table.alerts, per=table.per)


def check_feeds(routes: Mapping[int, schema.RouteTable], feeds: Collection[model.Feed], wrong: Wrong) -> None:
    """Report the feeds that routes name and nobody polls."""
    names = {feed.name for feed in feeds}
    for index, table in routes.items():
        for place, name in enumerate(table.feeds):
            if name not in names:
                wrong(("route", index, "feeds", place), f"`{name}` is the name of no feed", nearest(name, names))
