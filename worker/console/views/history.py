"""Rules run over the stored articles: what they match, and what would have been sent."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from worker.analysis import text
from worker.analysis.copies import Fingerprint
from worker.evaluate.replay import Hit, Replayed, replay
from worker.notify.render import passages
from worker.pipeline.context import ActiveConfig
from worker.rules import RuleSet
from worker.rules.match import Source, match
from worker.store import Tx, history, judgements

Facts = dict[str, Any]

#: Articles that a rule's cost is measured on.
_MEASURED = 200


Progress = Callable[[str, int], AbstractContextManager[Callable[[str], None]]]


def _unseen(_what: str, _steps: int) -> AbstractContextManager[Callable[[str], None]]:
    return nullcontext(lambda _step: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The stored texts since a moment."""

    tx: Tx
    since: datetime
    #: Shows how far it is: what is done, of how many steps.
    progress: Progress = _unseen

    def run(self, live: ActiveConfig) -> Replayed:
        """Other rules over all of them."""

        def originals(article_id: int) -> Sequence[Fingerprint]:
            return history.fingerprints(self.tx, article_id)

        with self.progress("replaying", history.count(self.tx, self.since)) as step:
            return replay(history.texts(self.tx, self.since), live, originals, step)


def backtest(past: Past, live: ActiveConfig, rule_id: str) -> Facts:
    """The articles that one rule matches, newest first, and what would have been sent."""
    done = past.run(live)
    hits = sorted(done.hits[rule_id].values(), key=lambda hit: hit.past.article.published, reverse=True)
    return {
        "rule": rule_id,
        "since": past.since,
        "texts": done.texts,
        "matched": len(hits),
        "days": {str(day): count for day, count in sorted(Counter(hit.day for hit in hits).items())},
        "alerts": sum(done.alerts.values()),
        "messages": len(done.messages),
        "obligations": done.obligations,
        "imported": sum(hit.past.origin != "feed" for hit in hits),
        "alerts_by_target": _by_target(done),
        "suppressed": dict(sorted(done.suppressed.items())),
        "waves": _waves(done, rule_id),
        "articles": [hit_facts(hit) for hit in hits],
    }


def diff(past: Past, old: ActiveConfig, new: ActiveConfig) -> Facts:
    """Per rule, what the new set gains and loses; per target, the alerts a day of both."""
    before, after = past.run(old), past.run(new)
    return {
        "since": past.since,
        "texts": after.texts,
        "rules": {
            rule: _change(before.hits.get(rule), after.hits.get(rule))
            | {"waves": {"old": len(before.waves.get(rule, ())), "new": len(after.waves.get(rule, ()))}}
            for rule in sorted(before.hits.keys() | after.hits.keys())
        },
        "alerts": {
            target: {"old": _days(before, target), "new": _days(after, target)}
            for target in sorted({target for _, target in before.alerts | after.alerts})
        },
    }


def stats(past: Past, ruleset: RuleSet) -> Facts:
    """Per rule, its cost on recent articles, its matches, and what was said of them."""
    texts = list(islice(history.texts(past.tx, past.since), _MEASURED))
    read = [
        (
            text.analyse(one.article.title, one.article.body, one.article.language),
            Source(published=one.article.published, first_seen=one.article.first_seen),
        )
        for one in texts
    ]
    tallies = judgements.tallies(past.tx, past.since)
    known = [rule.id for rule in ruleset.rules]
    with past.progress("measuring", len(known)) as step:
        costs = {rule_id: _cost(ruleset.only([rule_id]), read, step, rule_id) for rule_id in known}
    rows = {}
    for rule_id in [*known, *sorted(tallies.keys() - set(known))]:
        rows[rule_id] = {"microseconds": costs.get(rule_id)} | tallies.get(rule_id, judgements.Tally()).facts()
    return {"since": past.since, "articles": len(read), "rules": rows}


def _cost(
    one: RuleSet, read: Sequence[tuple[text.Document, Source]], step: Callable[[str], None], rule_id: str
) -> float | None:
    """Microseconds an article, the rule alone."""
    if not read:
        return None
    for document, source in read[:1]:
        match(document, one, source)  # dictionaries load once
    start = time.perf_counter()
    for document, source in read:
        match(document, one, source)
    step(rule_id)
    return round((time.perf_counter() - start) / len(read) * 1e6, 1)


def _change(before: Mapping[int, Hit] | None, after: Mapping[int, Hit] | None) -> Facts:
    old, new = before or {}, after or {}
    both = old.keys() & new.keys()
    either = old.keys() | new.keys()
    return {
        "is": "new" if before is None else "gone" if after is None else "in both",
        "old": len(old),
        "new": len(new),
        # Jaccard's: of what either finds, the share that both find.
        "overlap": round(len(both) / len(either), 4) if either else None,
        "gained": [hit_facts(new[article]) for article in sorted(new.keys() - old.keys())],
        "lost": [hit_facts(old[article]) for article in sorted(old.keys() - new.keys())],
    }


def hit_facts(hit: Hit) -> Facts:
    title, sentences = passages(hit.document, hit.match.spans)
    shown = [*([title] if title.marks else []), *sentences]
    return {
        "article": hit.past.article_id,
        "day": str(hit.day),
        "title": hit.past.article.title,
        "source": hit.past.article.source,
        "origin": str(hit.past.origin),
        "severity": str(hit.match.severity),
        "alerts": sum(1 for o in hit.obligations if o.verdict == "owed"),
        "suppressed": sorted({str(o.suppression) for o in hit.obligations if o.suppression}),
        "passages": [{"text": p.text, "marks": [list(mark) for mark in p.marks]} for p in shown],
    }


def _waves(done: Replayed, rule_id: str) -> list[Facts]:
    return [
        {"began": one.wave.began, "article": one.wave.article_id, "most": one.most, "alerts": one.alerts}
        for one in done.waves.get(rule_id, ())
    ]


def _by_target(done: Replayed) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (_, target), count in done.alerts.items():
        found[target] += count
    return dict(sorted(found.items()))


def _days(done: Replayed, target: str) -> dict[str, int]:
    return {str(day): count for (day, name), count in sorted(done.alerts.items()) if name == target}
