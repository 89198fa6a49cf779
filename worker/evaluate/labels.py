"""Measuring rules on articles whose right answers are known."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from worker.analysis import text
from worker.feeds.normalise import Known, Unreadable, from_jsonl_line
from worker.model import Match
from worker.rules import Rule, RuleSet, called
from worker.rules.match import Explanation, Source, explain_rule, judge
from worker.rules.query import QueryError

# Right and wrong answers, and what is said of them (van Rijsbergen, Information Retrieval, 1979).


@dataclass(slots=True, kw_only=True)
class Counts:
    """True positives, false positives and false negatives."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    @property
    def precision(self) -> float | None:
        """Of what was found, the share that is right; None where nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Of what should be found, the share that was; None where nothing should."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both; None where nothing was found and nothing should."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp + self.fp + self.fn else None


#: How a corpus marks, in `note`, a label that can be defended either way.
WEAK = "[weak"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """An article of a corpus, read as `veille import` would read it, and what rules should say of it."""

    known: Known
    #: Rule id -> whether it should match.
    labels: Mapping[str, bool]
    #: The labels can be defended either way.
    weak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One article that a rule judged otherwise than its label."""

    id: str
    title: str
    expected: bool
    got: bool
    document: text.Document
    explanation: Explanation


@dataclass(slots=True, kw_only=True)
class Score(Counts):
    """A rule's answers against the labels."""

    tn: int = 0
    wrong: list[Wrong] = field(default_factory=list)


def read_labelled(line: str) -> Labelled | Unreadable:
    """The article in a line of a corpus: as for `veille import`, with `labels` and `note`; a title alone will do."""
    known = from_jsonl_line(line, title_alone=True)
    if isinstance(known, Unreadable):
        return known
    fields: dict[str, Any] = json.loads(line.removeprefix("\ufeff"))
    labels = fields.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(label, bool) for label in labels.values()):
        return Unreadable.BAD_LABELS
    return Labelled(known=known, labels=labels, weak=str(fields.get("note", "")).startswith(WEAK))


def evaluate_rules(
    corpus: Sequence[Labelled], ruleset: RuleSet, today: datetime, step: Callable[[str], None] = lambda _: None
) -> dict[str, Score]:
    """The score of each rule, and of each call of a pattern, that the corpus has labels for, by id or as written there;
    an article without a date is of `today`.

    As in `[[rule.test]]`, an article of a corpus knows no feed: a rule's `feeds` and `tags` do not count.
    """
    asked = (*ruleset.rules, *_calls(corpus, ruleset))
    rules = tuple(replace(rule, feeds=frozenset(), tags=frozenset()) for rule in asked)
    feedless = replace(ruleset, rules=rules)
    known = {rule.id for rule in rules}
    scores = {rule: Score() for rule in sorted({name for one in corpus for name in one.labels} & known)}
    for one in corpus:
        _judge(one, feedless, today, scores)
        step(one.known.id)
    return scores


def unknown_labels(corpus: Sequence[Labelled], ruleset: RuleSet) -> list[str]:
    """Ids that the corpus has labels for, and no rule has; what is no call of a pattern either."""
    known = {rule.id for rule in (*ruleset.written, *_calls(corpus, ruleset))}
    return sorted({name for one in corpus for name in one.labels} - known)


def relabelled(corpus: Sequence[Labelled], label: str, name: str) -> list[Labelled]:
    """The articles that have `label`, with that answer for `name` alone."""
    return [replace(one, labels={name: one.labels[label]}) for one in corpus if label in one.labels]


def _calls(corpus: Sequence[Labelled], ruleset: RuleSet) -> list[Rule]:
    """The calls of patterns that the corpus has labels for: `visits(@mayor, home = @belleville)`."""
    found = []
    for name in sorted({name for one in corpus for name in one.labels if "(" in name}):
        try:
            found.append(called(ruleset, name))
        except QueryError:
            continue
    return found


def document_of(known: Known, today: datetime) -> tuple[text.Document, datetime]:
    """A corpus's article as rules read it, and when it was published: `today` where it does not say."""
    language = known.language or text.detect(known.title, known.body, "fr")
    return text.analyse(known.title, known.body, language), known.published or today


def _judge(one: Labelled, ruleset: RuleSet, today: datetime, scores: Mapping[str, Score]) -> None:
    document, published = document_of(one.known, today)
    source = Source(published=published, first_seen=published)
    judged = judge(document, ruleset.only(one.labels), source)
    for rule_id, expected in one.labels.items():
        if rule_id not in scores:
            continue
        got = isinstance(judged[rule_id], Match)
        score = scores[rule_id]
        if got is expected:
            score.tp, score.tn = score.tp + got, score.tn + (not got)
            continue
        score.fp, score.fn = score.fp + got, score.fn + (not got)
        score.wrong.append(
            Wrong(
                id=one.known.id,
                title=one.known.title,
                expected=expected,
                got=got,
                document=document,
                explanation=explain_rule(document, ruleset, source, rule_id),
            )
        )
