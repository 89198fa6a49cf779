"""Compiled rules: the values that matching reads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from worker.analysis.text import Document
from worker.errors import Problem
from worker.model import NotificationPolicy, Severity, Volume
from worker.rules.query import Node, Pattern, Presearch, TermSet
from worker.rules.query.nodes import And, Calls, Or


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One `[[rule.test]]` or `[[pattern.test]]`: an article, and what must be said of it."""

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
    #: Targets or groups that replace what routes say; empty: routes choose.
    to: tuple[str, ...] = ()
    #: `[rule.alert]`: what the rule says of its own alerts.
    alert: NotificationPolicy = field(default_factory=NotificationPolicy)
    #: It alerts on waves, and on no single article; None: on each article, as `alert` says.
    volume: Volume | None = None
    #: None where the score alone decides.
    query: Node | None
    score: Score | None = None
    tests: tuple[Test, ...] = ()
    #: The calls of patterns in its queries, by what they are written out as.
    calls: Calls = field(default_factory=dict, compare=False)
    #: Where it says what it reads and where it is sent: by `feed`, `tag`, `language` or `target` and the name.
    places: Mapping[tuple[str, str], Problem] = field(default_factory=dict, compare=False)
    #: Names of the sets that its queries name.
    sets: frozenset[str] = frozenset()
    #: sha256 hex of what the rule says, with the patterns and sets it uses and the exclusions that name it.
    hash: str
    #: Where it is written.
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A subject kept out of the rules it names."""

    id: str
    query: Node
    rules: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """All rules of all files, by id; without any, nothing matches."""

    rules: tuple[Rule, ...] = ()
    #: Those that are switched off: they are known, and match nothing.
    off: tuple[Rule, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    sets: Mapping[str, TermSet] = field(default_factory=dict)
    patterns: Mapping[str, Pattern] = field(default_factory=dict)
    #: For each way in which the tests of a pattern call it, a rule that asks for that call, with these tests.
    calls: tuple[Rule, ...] = ()
    #: sha256 hex over the rules.
    hash: str = ""

    @property
    def written(self) -> tuple[Rule, ...]:
        """The rules in force, and those that are switched off."""
        return (*self.rules, *self.off)

    def only(self, ids: Collection[str]) -> "RuleSet":
        """The same with these rules alone."""
        return replace(self, rules=tuple(rule for rule in self.rules if rule.id in ids))

    def switched_on(self, ids: Collection[str]) -> "RuleSet":
        """The same with these rules in force, even those that are switched off: to try them."""
        on = tuple(rule for rule in self.off if rule.id in ids)
        return replace(self, rules=(*self.rules, *on), off=tuple(rule for rule in self.off if rule not in on))

    def naming(self, set_name: str) -> frozenset[str]:
        """Ids of the rules that name a set, those that are switched off too: alerts of theirs may still wait."""
        return frozenset(rule.id for rule in self.written if set_name in rule.sets)

    def remarks(self) -> tuple[Problem, ...]:
        """Remarks on rules that are right, and may surprise their author."""
        off = (
            Problem(
                file=rule.file,
                line=rule.line,
                message=f"`{rule.id}` is switched off, and matches nothing",
                fix="take `enabled = false` away",
            )
            for rule in self.off
        )
        waves = (
            Problem(
                file=rule.file,
                line=rule.line,
                message=f"`{rule.id}` sends no alert for a single article: it alerts {rule.volume}{_idle(rule.alert)}",
                fix=f"`veille rules backtest {rule.id}` shows its waves",
            )
            for rule in self.rules
            if rule.volume is not None
        )
        renamed = (
            replace(
                rule.places["key", "realert"],
                message="`realert` is the former name of `repeat_interval`",
                fix="write repeat_interval",
            )
            for rule in self.written
            if ("key", "realert") in rule.places
        )
        return (*off, *waves, *renamed)

    def candidates(self, document: Document) -> "RuleSet":
        """No more than the rules that `document` can satisfy, and what it can need of the rest; to match it alone."""
        found = self._presearch.search(document)
        count = len(self.rules)
        rules = tuple(self.rules[number] for number in found.queries if number < count)
        exclusions = tuple(self.exclusions[number - count] for number in found.queries if number >= count)
        return RuleSet(rules=rules, exclusions=exclusions if rules else (), sets=found.sets, hash=self.hash)

    @cached_property
    def _presearch(self) -> Presearch:
        """The index of what rules, and after them exclusions, require: made with the first article."""
        queries = [*map(required, self.rules), *(exclusion.query for exclusion in self.exclusions)]
        return Presearch(queries, self.sets)


def _idle(alert: NotificationPolicy) -> str:
    """A remark on settings for single articles that have no effect beside a volume."""
    idle = [name for name in ("key", "repeat_interval", "follow_up") if getattr(alert, name) is not None]
    return f"; {' and '.join(idle)} of its [rule.alert] do nothing" if idle else ""


def required(rule: Rule) -> Node | None:
    """A query that holds wherever `rule` does."""
    if rule.score is None:
        return rule.query
    parts = [] if rule.query is None else [rule.query]
    missing = rule.score.threshold
    if missing > 0:
        # Without the others, those of the least weight cannot reach the threshold.
        terms = sorted((term for term in rule.score.terms if term.weight > 0), key=lambda term: term.weight)
        while terms and terms[0].weight < missing:
            missing -= terms.pop(0).weight
        parts.append(Or(tuple(term.query for term in terms)))
    return And(tuple(parts)) if parts else None
