"""Compiled rules: what matching reads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from worker.model import Severity
from worker.query import Node, TermSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One `[[rule.test]]`: an article, and what the rule must say of it."""

    title: str
    text: str
    language: str
    #: Aware; None: today.
    published: datetime | None
    match: bool
    #: Passages that must be among the spans, as published.
    spans: tuple[str, ...]
    #: Where it is written, to be shown when it fails.
    file: str
    line: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One term of a score: its weight counts once per article, if its query holds."""

    query: Node
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Weights that must reach a threshold, and the severities that higher sums bring."""

    terms: tuple[Weight, ...]
    threshold: int
    #: Lowest sum of each band, ascending.
    bands: tuple[tuple[int, Severity], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """`[rule.alert]`: what the rule says of its own alerts; None and empty: the configuration decides."""

    #: Targets or groups that replace what routes say.
    to: tuple[str, ...] = ()
    #: One first alert per `story` or per `article`.
    key: str | None = None
    realert: timedelta | None = None
    #: What is told in the first alert's thread: `correction`, `new-source`, `development`.
    follow_up: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, ready to match."""

    id: str
    name: str
    severity: Severity
    #: BCP 47 primary tags, feeds' names and feeds' tags that it reads; empty: all.
    languages: frozenset[str] = frozenset()
    feeds: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    #: Older articles do not alert; None: the configuration decides.
    max_age: timedelta | None = None
    alert: Alerting = Alerting()
    #: None where the score alone decides.
    query: Node | None
    score: Score | None = None
    tests: tuple[Test, ...] = ()
    #: sha256 hex of what the rule says, with the sets it uses and the exclusions that name it.
    hash: str
    #: Where it is written.
    file: str
    line: int

    @property
    def to(self) -> tuple[str, ...]:
        """Targets that the rule names itself; empty: routes choose."""
        return self.alert.to


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A subject kept out of the rules it names."""

    id: str
    query: Node
    rules: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of all files, by id; without any, nothing matches."""

    rules: tuple[Rule, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    sets: Mapping[str, TermSet] = field(default_factory=dict)
    #: sha256 hex over the rules.
    hash: str = ""

    def only(self, ids: Collection[str]) -> "RuleSet":
        """The same with these rules alone."""
        return replace(self, rules=tuple(rule for rule in self.rules if rule.id in ids))
