"""The notification policy: the parts that `[alerts]`, routes and targets share."""

from collections.abc import Callable, Collection, Mapping

from worker import model
from worker.config import schema
from worker.config.fields import nearest
from worker.config.toml import KeyPath

#: Records a problem: where, what, the fix.
Wrong = Callable[[KeyPath, str, str], None]


def policy_of(
    table: schema.NotificationTable, path: KeyPath, known: Collection[str], wrong: Wrong
) -> model.NotificationPolicy:
    """The notification policy of one table; `known` are the ids of targets and groups."""
    for place, name in enumerate(table.escalate.targets if table.escalate else ()):
        if name not in known:
            wrong((*path, "escalate", "to", place), f"`{name}` is no target or group", nearest(name, known))
    return model.NotificationPolicy(
        **table.model_dump(include={"key", "group_wait", "repeat_interval", "follow_up"}),
        escalation=model.Escalation(**dict(table.escalate)) if table.escalate else None,
    )


def quiet(tables: Collection[schema.QuietTable], path: KeyPath, wrong: Wrong) -> tuple[model.Quiet, ...]:
    """A target's quiet hours, in which only critical alerts are sent."""
    for place, one in enumerate(tables):
        if one.since == one.until:
            fix = "for a target that never gets an alert at once, write digest = { at = ... }"
            wrong((*path, "quiet", place), "the quiet hours end when they begin", fix)
    return tuple(model.Quiet(**dict(one)) for one in tables)


def check_feeds(routes: Mapping[int, schema.RouteTable], feeds: Collection[model.Feed], wrong: Wrong) -> None:
    """Report the feeds that routes name and nobody polls."""
    names = {feed.name for feed in feeds}
    for index, table in routes.items():
        for place, name in enumerate(table.feeds):
            if name not in names:
                wrong(("route", index, "feeds", place), f"`{name}` is the name of no feed", nearest(name, names))
