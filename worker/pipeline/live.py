"""The configuration and rules in force, which a reload replaces."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from worker.config import Config, Look
from worker.model import Feed, Target

if TYPE_CHECKING:
    from worker.rules import RuleSet


@dataclass(frozen=True, kw_only=True)
class Live:
    """The configuration and rules in force."""

    config: Config
    ruleset: "RuleSet"
    #: How the folder of rules looked just before it was read; None for rules that come from elsewhere.
    seen: Look | None = None

    def feed(self, key: str) -> Feed | None:
        """The feed with that id, unless it was removed."""
        return self._feeds.get(key)

    @cached_property
    def _feeds(self) -> dict[str, Feed]:
        return {feed.id: feed for feed in self.config.feeds}

    @cached_property
    def ageless(self) -> "Live":
        """The same without any `max_age`, for while the clock may be wrong."""
        rules = tuple(replace(rule, max_age=None) for rule in self.ruleset.rules)
        alerts = replace(self.config.alerts, max_age=None)
        return replace(self, config=replace(self.config, alerts=alerts), ruleset=replace(self.ruleset, rules=rules))

    @property
    def paced(self) -> tuple[str, ...]:
        """Ids of the targets that take only so many messages in a time."""
        return tuple(target.id for target in self.config.alerts.targets if target.pace is not None)

    def target(self, target_id: str, recipient: str) -> Target | None:
        """The target, if it still reaches the recipient; else another one that does."""
        reach = [target for target in self.config.alerts.targets if recipient in target.recipients]
        return next((target for target in reach if target.id == target_id), reach[0] if reach else None)
