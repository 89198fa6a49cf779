"""Testing the tests: which small changes of a rule do its own `[[rule.test]]` cases notice?

    rule -mutants-> changed rules -its tests-> caught
                                  -all texts-> the same spans everywhere: no change at all, left out

DeMillo, Lipton and Sayward, Hints on test data selection (IEEE Computer 11(4), 1978).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from worker.analysis.text import Document, analyse
from worker.rules import Rule, RuleSet, Test
from worker.rules.match import excluded, passes
from worker.rules.query import DatedTerm, Node, Reading, SetRef, TermSet, evaluate, mutants
from worker.rules.query.nodes import Calls, children, walk, written


@dataclass(slots=True, kw_only=True)
class Mutation:
    """Counts of a rule's mutants that its tests notice, miss, or that change nothing."""

    #: Changes that the tests notice.
    caught: int = 0
    #: Changes that find other words in some text, and that no test notices.
    missed: list[str] = field(default_factory=list)
    #: Changes that make no difference to any text.
    equal: int = 0

    @property
    def score(self) -> float | None:
        """The share of real changes that are caught; None where there is none."""
        real = self.caught + len(self.missed)
        return self.caught / real if real else None


@dataclass(frozen=True, slots=True)
class _Trial:
    """A test of the rule, ready to be judged again and again."""

    case: Test
    text: "_Text"
    excluded: bool


@dataclass(frozen=True, slots=True)
class _Text:
    document: Document
    published: date

    def reading(self, sets: Mapping[str, TermSet]) -> Reading:
        return Reading(self.document, published=self.published, sets=sets)


def _text(case: Test, today: datetime) -> _Text:
    return _Text(analyse(case.title, case.text, case.language), (case.published or today).date())


def mutate(
    ruleset: RuleSet,
    corpus: Sequence[tuple[Document, date]],
    today: datetime,
    *,
    ids: Sequence[str] = (),
    step: Callable[[str], None] = lambda _: None,
) -> dict[str, Mutation]:
    """For each rule (or those of `ids`), how many of its mutants its own tests catch.

    A mutant counts if it finds other words than the rule in a text of `corpus` or of any rule's tests. `step` is
    called with the rule's id after each mutant.
    """
    own = [
        _Text(analyse(t.title, t.text, t.language), (t.published or today).date())
        for r in ruleset.rules
        for t in r.tests
    ]
    texts = [*own, *(_Text(document, published) for document, published in corpus)]
    return {rule.id: _Rule(rule, ruleset, texts, today).mutation(step) for rule in _chosen(ruleset, ids)}


def count_changes(ruleset: RuleSet, ids: Sequence[str] = ()) -> int:
    """The number of mutants of all rules, or of those of `ids`: `mutate` calls `step` so often."""
    return sum(1 for rule in _chosen(ruleset, ids) for _ in _changes(rule, ruleset.sets))


def _chosen(ruleset: RuleSet, ids: Sequence[str]) -> list[Rule]:
    return [rule for rule in ruleset.rules if not ids or rule.id in ids]


@dataclass(frozen=True, slots=True)
class _Changed:
    """A rule with one change, in its query or in a set."""

    change: str
    rule: Rule
    #: The set that lost a term, and that term.
    lost: tuple[str, DatedTerm] | None = None


class _Rule:
    """One rule under test; readings keep the answers of what a change leaves as it was."""

    def __init__(self, rule: Rule, ruleset: RuleSet, texts: Sequence[_Text], today: datetime) -> None:
        self._rule, self._sets = rule, ruleset.sets
        self._readings = [(text, text.reading(ruleset.sets)) for text in texts]
        self._trials: list[tuple[_Trial, Reading]] = []
        for case in rule.tests:
            text = _text(case, today)
            reading = text.reading(ruleset.sets)
            kept_out = rule.id in excluded(ruleset, reading)
            self._trials.append((_Trial(case, text, kept_out), reading))

    def mutation(self, step: Callable[[str], None]) -> Mutation:
        done = Mutation()
        for changed in _changes(self._rule, self._sets):
            sets = self._without(changed)
            if self._caught(changed, sets):
                done.caught += 1
            elif self._differs(changed, sets):
                done.missed.append(changed.change)
            else:
                done.equal += 1
            step(self._rule.id)
        return done

    def _without(self, changed: _Changed) -> Mapping[str, TermSet] | None:
        """The sets, if the change is in one of them."""
        if changed.lost is None:
            return None
        name, lost = changed.lost
        kept = tuple(term for term in self._sets[name].terms if term is not lost)
        return {**self._sets, name: replace(self._sets[name], terms=kept)}

    def _caught(self, changed: _Changed, sets: Mapping[str, TermSet] | None) -> bool:
        return not all(
            passes(changed.rule, trial.case, trial.text.reading(sets) if sets else reading, excluded=trial.excluded)
            for trial, reading in self._trials
        )

    def _differs(self, changed: _Changed, sets: Mapping[str, TermSet] | None) -> bool:
        """Tells whether it finds other words in any text."""
        for text, reading in self._readings:
            if changed.lost is not None and reading.answer(changed.lost[1].term) is None:
                continue  # what the set lost does not stand here
            after = _found(changed.rule, text.reading(sets) if sets else reading)
            if after != _found(self._rule, reading):
                return True
        return False


def _changes(rule: Rule, sets: Mapping[str, TermSet]) -> Iterator[_Changed]:
    if rule.query is not None:
        yield from (_Changed(m.change, replace(rule, query=m.query)) for m in mutants(rule.query, rule.calls))
    for number, weight in enumerate(rule.score.terms if rule.score else ()):
        assert rule.score is not None
        rest = rule.score.terms[:number] + rule.score.terms[number + 1 :]
        changed = replace(rule, score=replace(rule.score, terms=rest))
        yield _Changed(f"drop {written(weight.query, rule.calls)} of the score", changed)
    for name in sorted(_sets_named(rule)):
        for term in sets[name].terms if len(sets[name].terms) > 1 else ():
            yield _Changed(f"drop {term.term} of @{name}", rule, (name, term))


def _sets_named(rule: Rule) -> set[str]:
    """The sets that the rule's own text names, those that only a pattern names left out."""
    queries = [rule.query, *(term.query for term in (rule.score.terms if rule.score else ()))]
    nodes = (node for query in queries if query is not None for node in _own(query, rule.calls))
    return {node.name for node in nodes if isinstance(node, SetRef)}


def _own(node: Node, calls: Calls) -> Iterator[Node]:
    """`node` and all below it that the rule itself says: of a call of a pattern, only the arguments."""
    if calls and (call := calls.get(node)) is not None:
        for argument in call.arguments.values():
            yield from walk(argument)
        return
    yield node
    for below in children(node):
        yield from _own(below, calls)


def _found(rule: Rule, reading: Reading) -> object:
    """A rule's proof in a text: the spans of its query, and the terms of its score that hold."""
    spans = evaluate(rule.query, reading) if rule.query is not None else ()
    return spans, [term for term in (rule.score.terms if rule.score else ()) if _holds(term.query, reading)]


def _holds(query: Node, reading: Reading) -> bool:
    return reading.answer(query) is not None
