"""Silences: those in force, and a new one, which must be of something that there is."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from worker.config import Config
from worker.store import Tx, stories
from worker.store.silences import Silence

if TYPE_CHECKING:
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


def by_rule(found: Sequence[Silence], ruleset: "RuleSet") -> Mapping[str, Sequence[Silence]]:
    """Those of these silences that keep back a rule's alerts, by its id: its own, and those of a set that it names."""
    naming = {name: ruleset.naming(name) for name in {one.set_name for one in found} if name}
    kept: dict[str, list[Silence]] = {}
    for one in found:
        for rule_id in (one.rule_id,) if one.rule_id else naming.get(one.set_name, ()):
            kept.setdefault(rule_id, []).append(one)
    return kept


#: The names of the rules, sets and feeds that there are; None: they cannot be read.
Known = Mapping[str, Collection[str] | None]


def known(config: Config | None, ruleset: "RuleSet | None") -> Known:
    """The names that a silence may have, as far as they can be read."""
    return {
        "rule": None if ruleset is None else [rule.id for rule in ruleset.written],
        "set": None if ruleset is None else list(ruleset.sets),
        "feed": None if config is None else [feed.name for feed in config.feeds],
    }


def unknown(tx: Tx, one: Silence, names: Known) -> str:
    """A sentence about what a silence names and there is not: it would silence nothing, and nobody would know."""
    # Here, as lists do without what reads rules.
    from worker.rules.query import suggestion

    for what, asked in (("rule", one.rule_id), ("set", one.set_name), ("feed", one.feed)):
        there = names[what]
        if asked and there is not None and asked not in there:
            return f"there is no {what} {asked!r}: {suggestion(asked, there) or 'one of ' + ', '.join(there)}"
    if one.story_id is not None and stories.get(tx, one.story_id) is None:
        return f"there is no story {one.story_id}: `veille stories` lists them"
    return ""
