"""A survey of rules on unlabelled text: what they fire on, for people to read and to label."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.analysis import text
from worker.evaluate.labels import Labelled, document_of
from worker.model import Span
from worker.rules import RuleSet
from worker.rules.match import Source, match


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One article that a rule fires on."""

    rule: str
    article: Labelled
    document: text.Document
    spans: Sequence[Span]

    @property
    def passages(self) -> list[str]:
        """The published text of each of the first spans, from its first word to its last."""
        return [self.document.text(span.part)[span.words[0][0] : span.words[-1][1]] for span in self.spans[:5]]


@dataclass(slots=True, kw_only=True)
class Survey:
    """Counts of how often each rule fires, with the sample to read."""

    articles: int = 0
    fired: dict[str, int] = field(default_factory=dict)
    #: By rule, the labels given before to articles that it fires on: how many say yes, how many no.
    labelled: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: Without a label yet, at most so many a rule as were asked for.
    sample: list[Firing] = field(default_factory=list)


def survey(
    articles: Iterable[Labelled],
    ruleset: RuleSet,
    now: datetime,
    *,
    most: int,
    labels: Mapping[str, Mapping[str, bool]],
    step: Callable[[str], None] = lambda _: None,
) -> Survey:
    """Returns what every rule fires on; `labels`, by article and rule, were given before and are not asked for again.

    The sample of a rule hangs on the articles' ids alone, so that it is the same again and grows with `most`.
    """
    found = Survey(fired={rule.id: 0 for rule in ruleset.rules})
    firings: dict[str, list[Firing]] = {rule.id: [] for rule in ruleset.rules}
    for one in articles:
        found.articles += 1
        for firing in _firings(one, ruleset, now):
            found.fired[firing.rule] += 1
            label = labels.get(one.known.id, {}).get(firing.rule, one.labels.get(firing.rule))
            if label is None:
                firings[firing.rule].append(firing)
            else:
                yes, no = found.labelled.get(firing.rule, (0, 0))
                found.labelled[firing.rule] = (yes + label, no + (not label))
        step(one.known.id)
    for unread in firings.values():
        found.sample.extend(sorted(unread, key=_by_chance)[:most])
    return found


def _firings(one: Labelled, ruleset: RuleSet, now: datetime) -> Iterator[Firing]:
    document, published = document_of(one.known, now)
    for matched in match(document, ruleset, Source(published=published, first_seen=published)):
        yield Firing(rule=matched.rule_id, article=one, document=document, spans=matched.spans)


def _by_chance(firing: Firing) -> bytes:
    return hashlib.sha256(f"{firing.rule} {firing.article.known.id}".encode()).digest()


def to_label(sample: Iterable[Firing], before: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a file in which the sample is labelled: those of `before` as they are, by id, then the new ones.

    Each new one says in `fired` what to answer in `labels`: {"my-rule": true}.
    """
    lines: dict[str, dict[str, Any]] = {name: dict(line) for name, line in before.items()}
    for firing in sample:
        known = firing.article.known
        line = lines.setdefault(
            known.id,
            {
                "id": known.id,
                "lang": firing.document.language,
                "published": known.published.isoformat() if known.published else "",
                "source": known.source,
                "url": known.url,
                "title": known.title,
                "text": known.body,
                "labels": {},
            },
        )
        line["fired"] = {**line.get("fired", {}), firing.rule: firing.passages}
    for line in lines.values():
        yield json.dumps(line, ensure_ascii=False)
