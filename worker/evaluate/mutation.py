"""Testing the tests: which small changes of a rule do its own `[[rule.test]]` cases notice?

| change | of | to |
|---|---|---|
| drop | each operand of AND and OR, each side of NEAR and BEFORE | what is left |
| drop | what NOT and the other proximities forbid; `title:`, `lead:`, `body:`; ATLEAST | what is left |
| drop | each term of a score, each term of a set that the rule itself names | the others |
| widen | a distance n; `/s` | 2n + 1, at most 100; `/p` |
| swap | AND and OR | each other |

A pattern that is called is dropped whole, or called with changed arguments: its own text has tests of its own.
(DeMillo, Lipton and Sayward, Hints on test data selection, IEEE Computer 11(4), 1978.)
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from worker.analysis.text import Document, analyse
from worker.rules import Rule, RuleSet, Score, Test
from worker.rules.match import excluded, passes
from worker.rules.query import Node, Reading, SetRef, TermSet, evaluate, nodes
from worker.rules.query.nodes import Calls, Operator, children
from worker.rules.query.wording import clipped

#: Reaches and what a change makes of them.
_WIDER: dict[nodes.Reach | None, nodes.Reach] = {n: min(2 * n + 1, 100) for n in range(100)}
_WIDER |= {nodes.Within(n, unit): nodes.Within(min(2 * n + 1, 100), unit) for n in range(100) for unit in nodes.Unit}
_WIDER[nodes.Unit.SENTENCE] = nodes.Unit.PARAGRAPH


@dataclass(slots=True, kw_only=True)
class Mutation:
    """The outcome of a rule's mutants."""

    #: The number of changes that the rule's tests notice.
    caught: int = 0
    #: Changes that find other words in some rule's test, and that no test of this rule notices.
    missed: list[str] = field(default_factory=list)
    #: The number of changes that make no difference to any test's text.
    equal: int = 0


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one change, in its text or in a set that it names."""

    change: str
    rule: Rule
    sets: Mapping[str, TermSet]
    #: The term that a set lost.
    lost: Node | None = None


def mutate(ruleset: RuleSet, today: datetime, ids: Collection[str]) -> Iterator[tuple[str, Mutation]]:
    """Each of the rules `ids`, and the outcome of its mutants."""
    documents = {case: analyse(case.title, case.text, case.language) for rule in ruleset.rules for case in rule.tests}
    for rule in ruleset.rules:
        if rule.id in ids:
            yield rule.id, _tried(rule, ruleset, documents, today)


def _tried(rule: Rule, ruleset: RuleSet, documents: Mapping[Test, Document], today: datetime) -> Mutation:
    def read(case: Test, sets: Mapping[str, TermSet]) -> Reading:
        return Reading(documents[case], published=(case.published or today).date(), sets=sets)

    before = {case: read(case, ruleset.sets) for case in documents}
    found = {case: _found(rule, reading) for case, reading in before.items()}
    kept_out = {case for case in rule.tests if rule.id in excluded(ruleset, before[case])}
    done = Mutation()
    for mutant in mutants(rule, ruleset.sets):
        after = dict(before)
        if mutant.lost is not None:
            holding = (case for case, reading in before.items() if reading.answer(mutant.lost) is not None)
            after |= {case: read(case, mutant.sets) for case in holding}
        if not all(passes(mutant.rule, case, after[case], excluded=case in kept_out) for case in rule.tests):
            done.caught += 1
        elif any(_found(mutant.rule, reading) != found[case] for case, reading in after.items()):
            done.missed.append(mutant.change)
        else:
            done.equal += 1
    return done


def _found(rule: Rule, reading: Reading) -> object:
    """A rule's proof in a text: the spans of its query, and the terms of its score that hold."""
    spans = evaluate(rule.query, reading) if rule.query is not None else ()
    return spans, [term for term in (rule.score.terms if rule.score else ()) if reading.answer(term.query) is not None]


def mutants(rule: Rule, sets: Mapping[str, TermSet]) -> Iterator[Mutant]:
    """Every change of the table to `rule`, one at a time; each leaves a query that the language allows."""
    for change, query in _changes(rule.query, rule.calls) if rule.query is not None else ():
        if _allowed(query):
            yield Mutant(change, replace(rule, query=query), sets)
    score, queries = rule.score or Score(terms=(), threshold=0), [] if rule.query is None else [rule.query]
    for term in score.terms:
        rest = replace(score, terms=tuple(other for other in score.terms if other is not term))
        yield Mutant(f"drop {nodes.written(term.query, rule.calls)} of the score", replace(rule, score=rest), sets)
        queries.append(term.query)
    for name in sorted({name for query in queries for name in _sets(query, rule.calls)}):
        for lost in sets[name].terms if len(sets[name].terms) > 1 else ():
            without = replace(sets[name], terms=tuple(term for term in sets[name].terms if term is not lost))
            yield Mutant(f"drop {lost.term} of @{name}", rule, {**sets, name: without}, lost.term)


def _changes(node: Node, calls: Calls) -> Iterator[tuple[str, Node]]:
    """Each change of one place in `node`, and what it makes of the whole; not all can be asked."""
    if calls and (call := calls.get(node)) is not None:
        for name, argument in call.arguments.items():
            for change, inner in _changes(argument, {}):
                yield f"{change}, in {clipped(call.text)}", call.written_out({**call.arguments, name: inner})
        return
    text, below = clipped(nodes.written(node, calls)), children(node)
    match node:
        case nodes.And(parts):
            yield f"AND to OR: {text}", nodes.Or(parts)
        case nodes.Or(parts):
            yield f"OR to AND: {text}", nodes.And(parts)
        case nodes.InPart(part=part) | nodes.AtLeast(part=part):
            yield f"{text} to {clipped(nodes.written(part, calls))}", part
        case nodes.Proximity(operator=operator, reach=reach) if reach in _WIDER:
            yield f"widen {operator}/{reach} to /{_WIDER[reach]}", replace(node, reach=_WIDER[reach])
    negative = isinstance(node, nodes.Proximity) and node.operator not in (Operator.NEAR, Operator.BEFORE)
    for number, part in enumerate(below):
        rest = (*below[:number], *below[number + 1 :])
        if rest and (number or not negative):
            left = rest[0] if len(rest) == 1 else nodes.Or(rest) if isinstance(node, nodes.Or) else nodes.And(rest)
            yield f"drop {clipped(nodes.written(part, calls))} of {text}", left
        for change, inner in _changes(part, calls):
            kept = iter((*below[:number], inner, *below[number + 1 :]))
            yield change, nodes.rebuilt(node, lambda _: next(kept))  # noqa: B023 - called here and now


def _allowed(query: Node) -> bool:
    """Tells whether the language has such a query: no condition in a proximity, words beside every NOT."""
    return nodes.needs_words(query) and all(
        (isinstance(node, nodes.And) or all(map(nodes.needs_words, children(node))))
        and (not isinstance(node, nodes.Proximity | nodes.AtLeast) or all(map(nodes.is_expression, children(node))))
        for node in nodes.walk(query)
    )


def _sets(node: Node, calls: Calls) -> Iterator[str]:
    """The sets that the rule's own text names: of a call of a pattern, those of the arguments."""
    call = calls.get(node) if calls else None
    if isinstance(node, SetRef) and call is None:
        yield node.name
    for below in children(node) if call is None else call.arguments.values():
        yield from _sets(below, calls if call is None else {})
