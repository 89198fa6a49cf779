"""The workbench of rules: a draft checked as it is typed, and run over the stored articles a slice at a time.

draft -parse-> faults, or a rule -> its tests
rule -index-> texts that may match -replay, beside the rule in force-> what it gains and loses, and whom it tells
"""

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from worker.analysis import text
from worker.analysis.copies import Fingerprint
from worker.config import toml
from worker.console.views import explained, history
from worker.console.views.search import MAX_TEXT, pointed, terms_of
from worker.errors import Problem, UserError
from worker.evaluate.backtest import Hit, Replayer
from worker.model import Severity
from worker.pipeline.context import ActiveConfig
from worker.rules import Rule, RuleSet, Test
from worker.rules.compile import compile_rule
from worker.rules.match import Silence, Source, explain_rule, failing_tests
from worker.rules.query import Fault, Known, Node, QueryError, SetRef, nearest, parse
from worker.rules.query.nodes import in_language, shared, walk
from worker.rules.query.wording import miss
from worker.rules.ruleset import required
from worker.store import Store, Tx, finding
from worker.store import history as stored
from worker.store.history import PastText

Facts = dict[str, Any]
Item = TypeVar("Item")

#: Texts of history that a draft is run over at most: the last ones that may match.
MOST_TEXTS = 20_000
#: Texts read in one transaction, and seconds of work between two looks at how far it is.
_PAGE, _SLICE = 20, 0.25
#: Articles shown of each kind; the last texts without a match that are looked at for near misses, and those shown.
_SHOWN, _NEAR_TRIED, _NEAR_SHOWN = 20, 40, 5
#: From here on a miss is not near: a word is not there at all.
_FAR = 1.0
#: One slice at a time, whoever asks: the worker's own threads need the processor too.
_LANE = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A rule as its author has it in the form."""

    #: The id of the rule that it changes; empty: it is new.
    was: str = ""
    id: str
    name: str = ""
    severity: str = Severity.MEDIUM
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    when: str = ""
    #: The language that its terms are written for; empty: any.
    language: str = ""
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A draft as far as it can be judged without history."""

    #: None: it has mistakes, or nothing is written yet.
    rule: Rule | None
    #: Where the mistakes stand in what was written: [first, behind the last) character.
    marks: tuple[tuple[int, int], ...] = ()
    #: Each mistake with its line and caret.
    pointed: tuple[Mapping[str, Any], ...] = ()
    #: Of each test that was run, what speaks against it.
    tests: tuple[tuple[Test, Problem | None], ...] = ()


def check(live: ActiveConfig, draft: Draft, now: datetime) -> Checked:
    """The mistakes of a draft's query, or its rule and the outcome of its tests; neither before anything is written."""
    if not draft.when.strip():
        return Checked(rule=None)
    source = draft.when[: MAX_TEXT + 1]
    try:
        query = _parsed(live.ruleset, source, draft)
    except QueryError as e:
        marks = tuple((fault.start, fault.end) for fault in e.faults)
        return Checked(rule=None, marks=marks, pointed=tuple(pointed(source, fault) for fault in e.faults))
    # A rule that is switched off keeps what the form does not show: its feeds, its targets, its volume.
    base = next((rule for rule in live.ruleset.written if rule.id == draft.was), None)
    return _tested(live, _rule(draft, query, base), now)


def check_text(live: ActiveConfig, written: str, line: int, now: datetime) -> Checked:
    """The same of a rule's own lines as TOML, the first of which is that line of its file."""
    if not written.strip():
        return Checked(rule=None)
    try:
        # As many lines before it as the file has, so that mistakes name the file's.
        rule = compile_rule(toml.parse("", ("\n" * (line - 1) + written).encode()), live.ruleset)
    except UserError as e:
        marks = tuple(_mark(written, problem, line) for problem in e.problems)
        return Checked(rule=None, marks=marks, pointed=tuple(map(_pointed, e.problems)))
    return _tested(live, rule, now)


def _pointed(problem: Problem) -> Mapping[str, Any]:
    caret = " " * (problem.column - 1) + "^" if problem.column else ""
    said = {"message": problem.message, "fix": problem.fix, "number": problem.line}
    return {"line": problem.source, "caret": caret, **said}


def _mark(written: str, problem: Problem, line: int) -> tuple[int, int]:
    """The word at which a problem stands, or its line."""
    lines = written.split("\n")
    number = min(max(problem.line - line, 0), len(lines) - 1)
    begins = sum(len(before) + 1 for before in lines[:number])
    if not problem.column:
        return begins, begins + len(lines[number])
    start = begins + max(min(problem.column, len(lines[number])) - 1, 0)
    word = re.match(r"[@\w/-]+", written[start:])
    return start, start + (word.end() if word else 1)


def _tested(live: ActiveConfig, rule: Rule, now: datetime) -> Checked:
    alone = ruleset_of(live.ruleset, rule)
    outcomes = []
    for case in rule.tests:
        one = replace(rule, tests=(case,))
        failures = failing_tests(replace(alone, rules=(one,)), now)
        outcomes.append((case, failures[0] if failures else None))
    return Checked(rule=rule, tests=tuple(outcomes))


def in_force(live: ActiveConfig, rule_id: str) -> Rule | None:
    """The rule of that id that is in force."""
    return next((rule for rule in live.ruleset.rules if rule.id == rule_id), None)


def _parsed(ruleset: RuleSet, source: str, draft: Draft) -> Node:
    if len(source) > MAX_TEXT:
        fault = Fault(0, 1, f"the query has more than {MAX_TEXT} characters", "write lists of terms as sets")
        raise QueryError(source, [fault])
    node = parse(source, Known(sets=ruleset.sets, patterns=ruleset.patterns))
    return shared(in_language(node, draft.language), {})


def _rule(draft: Draft, query: Node, before: Rule | None) -> Rule:
    severity = Severity(draft.severity) if draft.severity in set(Severity) else Severity.MEDIUM
    stated: dict[str, Any] = {
        "id": draft.id or draft.was or "new",
        "name": draft.name or draft.id,
        "severity": severity,
        "languages": frozenset(draft.languages),
        "tags": frozenset(draft.tags),
        "query": query,
        "tests": draft.tests,
        "hash": "",
    }
    return Rule(file="", line=0, **stated) if before is None else replace(before, **stated)


def ruleset_of(ruleset: RuleSet, rule: Rule) -> RuleSet:
    """A rule alone, with the exclusions that name it and the sets that both need."""
    exclusions = tuple(one for one in ruleset.exclusions if rule.id in one.rules)
    queries = [node for node in (required(rule), rule.query, *(one.query for one in exclusions)) if node is not None]
    if rule.score is not None:
        queries += [term.query for term in rule.score.terms]
    named = {node.name for query in queries for node in walk(query) if isinstance(node, SetRef)}
    sets = {name: ruleset.sets[name] for name in named}
    return RuleSet(rules=(rule,), exclusions=exclusions, sets=sets)


@dataclass(slots=True, kw_only=True)
class Progress:
    """A trial so far."""

    read: int = 0
    #: Texts that are to be read, and those that may match beyond them, which are older.
    total: int = 0
    is_cut: bool = False
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """An article that the draft does not match, and what it would have needed."""

    farness: float
    past: PastText
    #: A sentence on each of the nodes that came nearest.
    misses: tuple[str, ...]


@dataclass(kw_only=True)
class Trial:
    """A draft over the stored texts since a moment, beside the rule that it changes."""

    store: Store
    live: ActiveConfig
    rule: Rule
    #: None: there is none in force.
    before: Rule | None
    since: datetime
    now: datetime
    progress: Progress = field(default_factory=Progress)
    near: list[NearMiss] = field(default_factory=list)
    _tx: Tx | None = None
    _missed: deque[PastText] = field(default_factory=lambda: deque(maxlen=_NEAR_TRIED))

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self._alone = ruleset_of(self.live.ruleset, self.rule)
        self._new = self._replayer(self.rule)
        self._old = None if self.before is None else self._replayer(self.before)

    def _replayer(self, rule: Rule) -> Replayer:
        alone = ruleset_of(self.live.ruleset, rule)
        return Replayer(replace(self.live, ruleset=alone), self._originals)

    def _originals(self, article_id: int) -> Sequence[Fingerprint]:
        assert self._tx is not None
        return stored.fingerprints(self._tx, article_id)

    def run(self) -> Iterator[Progress]:
        """Read on, and yield at each look at how far it is; each page of texts is a transaction of its own."""
        yield self.progress
        with _LANE:
            numbers = self._numbers()
        self.progress.total = len(numbers)
        yield from self._in_slices(numbers, _PAGE, self._read)
        # Last, as an explanation takes longer than an answer.
        yield from self._in_slices(tuple(self._missed), 1, self._look)
        self.progress.is_done = True
        yield self.progress

    def _in_slices(
        self, items: Sequence[Item], most: int, work: Callable[[Sequence[Item]], None]
    ) -> Iterator[Progress]:
        """Do the work on up to so many items at a time, and yield before each slice of time.

        The first pages are short, so that there is an answer to show, however long a text may take.
        """
        at, size = 0, 1
        while at < len(items):
            yield self.progress
            with _LANE:
                ends = time.perf_counter() + _SLICE
                while at < len(items) and time.perf_counter() < ends:
                    work(items[at : at + size])
                    at, size = at + size, min(2 * size, most)

    def _numbers(self) -> Sequence[int]:
        found: set[int] = set()
        with self.store.read() as tx:
            languages = finding.languages(tx)
        for node in dict.fromkeys(required(rule) for rule in (self.rule, self.before) if rule is not None):
            asked = None if node is None else terms_of(node, self.live.ruleset.sets, languages)
            with self.store.read() as tx:
                found.update(stored.numbers(tx, self.since, asked, limit=MOST_TEXTS + 1))
        numbers = sorted(found)
        self.progress.is_cut = len(numbers) > MOST_TEXTS
        return numbers[-MOST_TEXTS:]

    def _read(self, page: Sequence[int]) -> None:
        """Run both rules over these texts."""
        with self.store.read() as tx:
            self._tx = tx
            for one in stored.some_texts(tx, page):
                if one.article.published < self.since:
                    continue
                document = text.analyse(one.article.title, one.article.body, one.article.language)
                self._new.again(one, document)
                if self._old is not None:
                    self._old.again(one, document)
                if one.article_id not in self._new.done.hits[self.rule.id]:
                    self._missed.append(one)
        self._tx = None
        self.progress.read += len(page)

    def _look(self, texts: Sequence[PastText]) -> None:
        """Keep those of these texts that are among the nearest misses."""
        for one in texts:
            self._look_at(one, text.analyse(one.article.title, one.article.body, one.article.language))

    def _look_at(self, one: PastText, document: text.Document) -> None:
        feed = self.live.feed(one.feed)
        source = Source(
            feed=one.article.source,
            tags=feed.tags if feed else (),
            published=one.article.published,
            first_seen=one.article.first_seen,
        )
        found = explain_rule(document, self._alone, source, self.rule.id)
        farness = explained.farness(found)
        if found.verdict is Silence.QUERY and found.query is not None and farness < _FAR:
            misses = tuple(miss(leaf, document) for leaf in nearest(found.query)[:2])
            self.near.append(NearMiss(farness=farness, past=one, misses=misses))
            self.near.sort(key=lambda miss: miss.farness)
            del self.near[_NEAR_SHOWN:]

    def facts(self) -> Facts:
        """Everything found so far, for a page."""
        new = self._new.done.hits[self.rule.id]
        old = self._old.done.hits[self.before.id] if self._old is not None and self.before is not None else {}
        kinds = {
            "gained": [new[article] for article in new.keys() - old.keys()] if self.before else [],
            "lost": [old[article] for article in old.keys() - new.keys()],
            "both": [new[article] for article in (new.keys() & old.keys() if self.before else new.keys())],
        }
        return {
            "progress": self.progress,
            "since": self.since,
            "matched": len(new),
            "matched_before": None if self.before is None else len(old),
            "days": self._days(kinds),
            "counts": {kind: len(hits) for kind, hits in kinds.items()},
            "articles": {kind: _newest(hits) for kind, hits in kinds.items()},
            "targets": self._targets(),
            "suppressed": dict(sorted(self._new.done.suppressed.items())),
            "near": [one for one in self.near if one.past.article_id not in new],
        }

    def _days(self, kinds: Mapping[str, Sequence[Hit]]) -> list[tuple[int, int, int]]:
        zone = ZoneInfo(self.live.config.timezone)
        first, last = (at.astimezone(zone).date() for at in (self.since, self.now))
        counts = {kind: Counter(hit.day for hit in hits) for kind, hits in kinds.items()}
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return [(counts["both"][day], counts["gained"][day], counts["lost"][day]) for day in days]

    def _targets(self) -> list[tuple[str, int, int]]:
        """By target, the alerts that the rule in force would have sent, and those of the draft."""
        new, old = _by_target(self._new.done.alerts), _by_target(self._old.done.alerts if self._old else Counter())
        return [(target, old[target], new[target]) for target in sorted(new | old)]


def _newest(hits: Sequence[Hit]) -> list[Facts]:
    newest = sorted(hits, key=lambda hit: (hit.past.article.published, hit.past.article_id), reverse=True)
    return [history.hit_facts(one) for one in newest[:_SHOWN]]


def _by_target(alerts: Mapping[tuple[date, str], int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, target), count in alerts.items():
        found[target] += count
    return found
