"""Matching: the rules that an article satisfies, and the words that prove it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from worker.analysis.text import Document, analyse, detect
from worker.errors import Problem
from worker.model import Match, Part, Severity, Span
from worker.rules import Rule, RuleSet, Test
from worker.rules.query import MAX_SPANS, Explained, Node, Reading, evaluate, explain, first_spans, nearest
from worker.rules.query import Span as Words
from worker.rules.query.wording import clipped, miss


class Silence(StrEnum):
    """Reasons for which a rule does not match an article; the first that holds, in this order."""

    LANGUAGE = "language"
    FEED = "feed"
    TAGS = "tags"
    #: Published longer ago than the rule's `max_age` when it was first seen.
    TOO_OLD = "too_old"
    EXCLUDED = "excluded"
    QUERY = "query"
    SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An article's feed and dates, as far as rules ask for them."""

    #: The feed's name and tags.
    feed: str = ""
    tags: Collection[str] = ()
    published: datetime
    first_seen: datetime


def match(document: Document, ruleset: RuleSet, source: Source) -> tuple[Match, ...]:
    """The rules that `document` satisfies, most severe first, then by id.

    Spans are ranges of the published text, shortest extent first, then leftmost, at most 10,000 a rule.
    """
    judged = judge(document, ruleset.candidates(document), source).values()
    matches = [found for found in judged if isinstance(found, Match)]
    return tuple(sorted(matches, key=lambda found: (-found.severity.rank, found.rule_id)))


def judge(document: Document, ruleset: RuleSet, source: Source) -> dict[str, Match | Silence]:
    """Each rule's verdict on `document`, by id: its match, or the reason for none."""
    reading = Reading(document, published=source.published.date(), sets=ruleset.sets)
    kept_out = excluded(ruleset, reading)
    judged: dict[str, Match | Silence] = {}
    for rule in ruleset.rules:
        found = _unread(rule, source) or (Silence.EXCLUDED if rule.id in kept_out else _verdict(rule, reading))
        judged[rule.id] = _match(rule, ruleset, found, document) if isinstance(found, _Verdict) else found
    return judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One term of a rule's score, and whether its weight counted."""

    weight: int
    query: Explained


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A rule's verdict on an article, with everything it rests on."""

    rule: Rule
    verdict: Match | Silence
    #: None where the score alone decides.
    query: Explained | None
    score: tuple[Weighed, ...] = ()
    #: Ids of the exclusions that keep the rule from the article, with what they found.
    exclusions: tuple[tuple[str, Explained], ...] = ()

    @property
    def total(self) -> int:
        """The score reached."""
        return sum(term.weight for term in self.score if term.query.held)


def explain_rule(document: Document, ruleset: RuleSet, source: Source, rule_id: str) -> Explanation:
    """Explain node by node why the rule matches `document` or not; raises KeyError for an id that no rule has."""
    rule = next((rule for rule in ruleset.rules if rule.id == rule_id), None)
    if rule is None:
        raise KeyError(rule_id)
    published = source.published.date()
    reading = Reading(document, published=published, sets=ruleset.sets)

    def explained(node: Node) -> Explained:
        return explain(node, reading, ruleset.sets, published)

    one = RuleSet(rules=(rule,), exclusions=ruleset.exclusions, sets=ruleset.sets)
    keeping = [e for e in ruleset.exclusions if rule.id in e.rules and evaluate(e.query, reading)]
    return Explanation(
        rule=rule,
        verdict=judge(document, one, source)[rule.id],
        query=None if rule.query is None else explained(rule.query),
        score=tuple(
            Weighed(weight=term.weight, query=explained(term.query))
            for term in (rule.score.terms if rule.score else ())
        ),
        exclusions=tuple((exclusion.id, explained(exclusion.query)) for exclusion in keeping),
    )


def _unread(rule: Rule, source: Source) -> Silence | None:
    """The reason for which the rule does not read that source; None if it does."""
    if rule.feeds and source.feed not in rule.feeds:
        return Silence.FEED
    if rule.tags and rule.tags.isdisjoint(source.tags):
        return Silence.TAGS
    if rule.max_age is not None and source.first_seen - source.published > rule.max_age:
        return Silence.TOO_OLD
    return None


def failing_tests(ruleset: RuleSet, today: datetime, ids: Collection[str] | None = None) -> tuple[Problem, ...]:
    """The `[[rule.test]]` and `[[pattern.test]]` cases that do not hold; one without a date is of `today`.

    `ids` are those of rules, or names of patterns; None: all.

    Tests know no feed, so a rule's `feeds` and `tags` do not count here; its `languages` do.
    """
    asked = (*ruleset.rules, *ruleset.calls)
    chosen = [rule for rule in asked if ids is None or rule.id in ids or rule.id.partition("(")[0] in ids]
    return tuple(problem for rule in chosen for case in rule.tests for problem in _failures(rule, case, ruleset, today))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The proof of a rule that holds."""

    spans: tuple[Words, ...]
    severity: Severity
    #: Each term of the score that held, as written, with its weight.
    contributions: tuple[tuple[str, int], ...] = ()


def _verdict(rule: Rule, reading: Reading) -> _Verdict | Silence:
    """The verdict of `rule` on the text, exclusions left aside."""
    if rule.languages and reading.document.language not in rule.languages:
        return Silence.LANGUAGE
    spans: tuple[Words, ...] = ()
    if rule.query is not None and not (spans := evaluate(rule.query, reading)):
        return Silence.QUERY
    if rule.score is None:
        return _Verdict(spans, rule.severity)
    held = [term for term in rule.score.terms if reading.answer(term.query) is not None]
    total = sum(term.weight for term in held)
    if total < rule.score.threshold:
        return Silence.SCORE
    proofs = (span for term in held if term.weight > 0 for span in evaluate(term.query, reading))
    severity = rule.severity
    for lowest, named in rule.score.bands:
        if total >= lowest:
            severity = named
    contributions = tuple((str(term.query), term.weight) for term in held)
    return _Verdict(first_spans((*spans, *proofs), MAX_SPANS), severity, contributions)


def excluded(ruleset: RuleSet, reading: Reading) -> frozenset[str]:
    """Ids of the rules that an exclusion keeps from this article."""
    held = (exclusion for exclusion in ruleset.exclusions if evaluate(exclusion.query, reading))
    return frozenset(rule for exclusion in held for rule in exclusion.rules)


def _match(rule: Rule, ruleset: RuleSet, verdict: _Verdict, document: Document) -> Match:
    return Match(
        rule_id=rule.id,
        rule_name=rule.name,
        rule_hash=rule.hash,
        ruleset_hash=ruleset.hash,
        severity=verdict.severity,
        spans=published_spans(verdict.spans, document),
        to=rule.to,
        contributions=verdict.contributions,
        notification=rule.alert,
        volume=rule.volume,
    )


def published_spans(spans: Iterable[Words], document: Document) -> tuple[Span, ...]:
    """Spans as ranges of the published text."""
    return tuple(
        Span(part=document.part(span[0]), words=tuple((document.starts[w], document.ends[w]) for w in span))
        for span in spans
    )


def _failures(rule: Rule, case: Test, ruleset: RuleSet, today: datetime) -> Iterator[Problem]:
    document = analyse(case.title, case.text, case.language)
    published = (case.published or today).date()
    reading = Reading(document, published=published, sets=ruleset.sets)
    judged = Silence.EXCLUDED if rule.id in excluded(ruleset, reading) else _verdict(rule, reading)
    for message, seen in _against(rule, case, judged, document):
        fix = ""
        if judged is Silence.QUERY and rule.query is not None:
            fix = _read_in(rule, case, ruleset, published)
            seen = "" if fix else _missed(rule, explain(rule.query, reading, ruleset.sets, published), document)  # noqa: PLW2901
        yield _failure(rule, case, message, seen, fix)


def _read_in(rule: Rule, case: Test, ruleset: RuleSet, published: date) -> str:
    """Advice on a test whose text is of another language than it says; empty where the rule misses that, too."""
    language = detect(case.title, case.text, case.language)
    document = analyse(case.title, case.text, language)
    reading = Reading(document, published=published, sets=ruleset.sets)
    if language == case.language or isinstance(_verdict(rule, reading), Silence):
        return ""
    return f'the text is in another language than the test says ({case.language}): write lang = "{language}"'


def _missed(rule: Rule, explained: Explained, document: Document) -> str:
    """The nearest misses; what a pattern looks for is said of the call, whose arguments the rule's author chose."""
    folded = nearest(explained, rule.calls.keys())[:3]
    return "; ".join(
        f"{clipped(call.text)} does not hold, see {call.pattern.place}: {_missed_in(leaf, document)}"
        if (call := rule.calls.get(leaf.node))
        else miss(leaf, document)
        for leaf in folded
    )


def _missed_in(call: Explained, document: Document) -> str:
    return "; ".join(miss(leaf, document) for leaf in nearest(call)[:2])


def passes(rule: Rule, case: Test, reading: Reading, *, excluded: bool) -> bool:
    """Tells whether `rule` says of the test's article, which is `reading`, what the test expects."""
    judged = Silence.EXCLUDED if excluded else _verdict(rule, reading)
    return not any(True for _ in _against(rule, case, judged, reading.document))


def _against(rule: Rule, case: Test, judged: _Verdict | Silence, document: Document) -> Iterator[tuple[str, str]]:
    """Yields what speaks against a test that expects otherwise, and what is there instead."""
    verdict = judged if isinstance(judged, _Verdict) else None
    found = [] if verdict is None else [_passage(span, document) for span in verdict.spans]
    if case.match and verdict is None:
        seen = ""
        if judged is Silence.LANGUAGE:
            seen = f"the rule reads only {', '.join(sorted(rule.languages))}; the test's lang is {case.language}"
        yield "the rule does not match, and should", seen
    elif not case.match and verdict is not None:
        yield "the rule matches, and should not", f"it finds {_shown(found)}"
    elif verdict is not None:
        for passage in case.spans:
            if passage not in found:
                yield f'there is no span "{passage}"', f"it finds {_shown(found)}"


def _failure(rule: Rule, case: Test, message: str, seen: str, fix: str) -> Problem:
    return Problem(
        file=case.file,
        line=case.line,
        message=f"a test of `{rule.id}` fails: {message}: {_named(case)}",
        fix=fix,
        seen=seen,
        source=case.source,
    )


def _named(case: Test) -> str:
    """The test's title, or how its text begins."""
    words = (case.title or case.text).split()
    return f'"{" ".join(words[:12])}{" …" * (len(words) > 12)}"'


def _passage(span: Words, document: Document) -> str:
    """The published text from the span's first word to its last."""
    part = document.part(span[0])
    text = document.title if part is Part.TITLE else document.body
    return text[document.starts[span[0]] : document.ends[span[-1]]]


def _shown(passages: Iterable[str]) -> str:
    first = [f'"{passage}"' for passage in list(passages)[:5]]
    return ", ".join(first)
