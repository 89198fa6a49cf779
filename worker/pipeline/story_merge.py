"""Merges two stories that turn out to be one: unsealed alerts are decided again, and threads go on as one."""

from worker.alerts import ESCALATION
from worker.model import DEFAULT_NOTIFICATION, Occasion, Suppression
from worker.pipeline.context import ActiveConfig
from worker.store import Tx, ledger, notification_history, open_deliveries, silences, stories


def join(tx: Tx, live: ActiveConfig, story_id: int) -> None:
    """Let the deliveries of every story that was merged into this one be this one's; under the ingest lock."""
    for merged in stories.merged(tx, story_id):
        # A story sent by digest alone has no delivery of its own, and may be muted all the same.
        silences.follow(tx, merged, story_id)
        names = (f"story:{merged}", f"{ESCALATION}story:{merged}")
        if not open_deliveries.is_known(tx, names):
            continue
        again = [found for name in names for found in open_deliveries.open_of(tx, name)]
        for name, into in zip(names, (f"story:{story_id}", f"{ESCALATION}story:{story_id}"), strict=True):
            open_deliveries.rename(tx, name, into)
        for delivery_id, recipient in again:
            _decide(tx, live, story_id, delivery_id, recipient)


def settle_open(tx: Tx, live: ActiveConfig, story_id: int) -> None:
    """Decide again what open deliveries of a story carry, after others were alerted of it."""
    for name in (f"story:{story_id}", f"{ESCALATION}story:{story_id}"):
        for delivery_id, recipient in open_deliveries.open_of(tx, name):
            _decide(tx, live, story_id, delivery_id, recipient)


def is_merged(tx: Tx, collects: str) -> bool:
    """Tells whether the story that a delivery is about turned out to be another one."""
    return _into(tx, collects) is not None


def join_into(tx: Tx, live: ActiveConfig, collects: str) -> None:
    """Join what a delivery collects to the story that its own turned out to be."""
    into = _into(tx, collects)
    if into is not None:
        join(tx, live, into)


def _into(tx: Tx, collects: str) -> int | None:
    number = collects.removeprefix(ESCALATION).removeprefix("story:")
    return stories.merged_into(tx, int(number)) if number.isdecimal() else None


def _decide(tx: Tx, live: ActiveConfig, story_id: int, delivery_id: int, recipient: str) -> None:
    """A first that is none any more becomes a follow-up, or is not owed where its rule tells none of that kind."""
    earlier = notification_history.of_story(tx, story_id, exclude=delivery_id)
    for one in ledger.carried(tx, delivery_id):
        if one.occasion != Occasion.FIRST or (one.rule_id, recipient) not in earlier:
            continue
        if "new-source" in _follow_up(live, one.rule_id):
            ledger.call_follow_up(tx, one.obligation_id)
        else:
            why = f"its story turned out to be story {story_id}"
            ledger.suppress(tx, one.obligation_id, Suppression.SAME_STORY, why)
    if open_deliveries.is_open(tx, delivery_id) and not ledger.carried(tx, delivery_id):
        open_deliveries.drop(tx, delivery_id)


def _follow_up(live: ActiveConfig, rule_id: str) -> tuple[str, ...]:
    rule = next((rule for rule in live.ruleset.written if rule.id == rule_id), None)
    said = (
        rule.alert.follow_up if rule else None,
        live.config.alerts.notification.follow_up,
        DEFAULT_NOTIFICATION.follow_up,
    )
    return next((kinds for kinds in said if kinds is not None), ())
