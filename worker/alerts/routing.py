"""Whom a match concerns, and how often they want to hear of it."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from worker.alerts.history import About
from worker.model import DEFAULT_NOTIFICATION, AlertPolicy, Match, NotificationPolicy, Route, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """One recipient of a match, through the first target that reaches it."""

    target: Target
    recipient: str
    #: Every field set.
    notification: NotificationPolicy


def recipients(match: Match, policy: AlertPolicy, about: About) -> tuple[Addressee, ...]:
    """Everyone a match concerns: those its rule names, else those the routes choose, else everyone; each once."""
    found: dict[str, Addressee] = {}
    for target, notification in _targets(match, policy, about):
        for recipient in target.recipients:
            full = _layered(
                match.notification or NotificationPolicy(), notification, policy.notification, DEFAULT_NOTIFICATION
            )
            found.setdefault(recipient, Addressee(target=target, recipient=recipient, notification=full))
    return tuple(found.values())


def expanded(names: tuple[str, ...], policy: AlertPolicy) -> Iterator[Target]:
    """The targets that ids of targets and groups name, as far as they exist."""
    targets = {target.id: target for target in policy.targets}
    groups = dict(policy.groups)
    for name in names:
        for target_id in groups.get(name, (name,)):
            if target_id in targets:
                yield targets[target_id]


def _targets(match: Match, policy: AlertPolicy, about: About) -> Iterator[tuple[Target, NotificationPolicy]]:
    if match.to:
        yield from ((target, NotificationPolicy()) for target in expanded(match.to, policy))
    elif policy.routes:
        for route in policy.routes:
            if _meets(route, match, about):
                yield from ((target, route.notification) for target in expanded(route.targets, policy))
    else:
        yield from ((target, NotificationPolicy()) for target in policy.targets)


def _meets(route: Route, match: Match, about: About) -> bool:
    return (
        (not route.rules or match.rule_id in route.rules)
        and (not route.severities or match.severity in route.severities)
        and (not route.tags or not route.tags.isdisjoint(about.tags))
        and (not route.feeds or about.feed in route.feeds)
        and (not route.languages or about.language in route.languages)
    )


def _layered(*layers: NotificationPolicy) -> NotificationPolicy:
    """The policy, each field from the first layer that sets it."""
    said = {
        field.name: next((value for layer in layers if (value := getattr(layer, field.name)) is not None), None)
        for field in fields(NotificationPolicy)
    }
    return NotificationPolicy(**said)
