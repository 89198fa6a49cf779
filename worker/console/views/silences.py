"""Silences: those in force, and a new one, which must be of something that there is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from worker.store import Tx, stories
from worker.store.silences import Silence

if TYPE_CHECKING:
    from worker.pipeline.context import ActiveConfig
    from worker.rules import RuleSet

Facts = dict[str, Any]


def silence(one: Silence) -> Facts:
    """A silence's line in a list."""
    return {
        "id": one.id,
        "rule": one.rule_id,
        "story": one.story_id,
        "set": one.set_name,
        "feed": one.feed,
        "recipient": one.recipient,
        "until": one.until,
        "author": one.author,
        "reason": one.reason,
        "created": one.created,
    }


def of_rule(found: Sequence[Silence], ruleset: "RuleSet", rule_id: str) -> list[Silence]:
    """Those of these silences that keep back the alerts of a rule: its own, and those of a set that it names."""
    return [one for one in found if rule_id in ({one.rule_id} if one.rule_id else ruleset.naming(one.set_name))]


def unknown(tx: Tx, live: "ActiveConfig", one: Silence) -> str:
    """A sentence about what a silence names and there is not: it would silence nothing, and nobody would know."""
    # Here, as lists do without what reads rules.
    from worker.rules.query import suggestion

    known = {
        "rule": (one.rule_id, [rule.id for rule in live.ruleset.rules]),
        "set": (one.set_name, list(live.ruleset.sets)),
        "feed": (one.feed, [feed.name for feed in live.config.feeds]),
    }
    for what, (asked, names) in known.items():
        if asked and asked not in names:
            hint = suggestion(asked, names)
            return f"there is no {what} {asked!r}" + (f": {hint}" if hint else "")
    if one.story_id is not None and stories.get(tx, one.story_id) is None:
        return f"there is no story {one.story_id}"
    return ""
