"""Compiling rule files: every mistake of every file at once, or a whole RuleSet."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

from worker.errors import Problem, UserError
from worker.model import Severity
from worker.query import DatedTerm, Node, QueryError, Regex, SetRef, Term, TermSet, parse, parse_term, suggestion
from worker.query.nodes import And, How, Not, Or, Word, needs_words, shared, walk
from worker.rules.ruleset import Alerting, Exclusion, Rule, RuleSet, Score, Test, Weight
from worker.rules.shape import SET_NAME, ExclusionShape, RuleShape, ScoreShape, SetShape, TestShape, read
from worker.toml import KeyPath, Toml
from worker.toml import parse as parse_toml

#: Kinds of sets whose terms match as written.
_AS_WRITTEN = frozenset({"person", "place"})


def compile_rules(sources: Mapping[str, bytes]) -> RuleSet:
    """The rules in `sources` (file name -> TOML); raises UserError with every problem of every file.

    Sets and exclusions reach across files. No files, or files without rules, make an empty RuleSet.
    """
    compiler = _Compiler()
    for name in sorted(sources):
        try:
            compiler.add(parse_toml(name, sources[name]))
        except UserError as e:
            compiler.problems.extend(e.problems)
    return compiler.ruleset()


@dataclass(frozen=True, slots=True)
class _Table:
    """One `[set.x]`, `[[rule]]` or `[[exclusion]]` as written."""

    toml: Toml
    path: KeyPath
    data: Any

    def at(self, key: str) -> list[tuple[KeyPath, str]]:
        """The texts that stand at `key`, one or a list, with their paths; whatever is no text is left out."""
        value = self.data.get(key) if isinstance(self.data, dict) else None
        if isinstance(value, str):
            return [((*self.path, key), value)]
        items = value if isinstance(value, list) else []
        return [((*self.path, key, n), item) for n, item in enumerate(items) if isinstance(item, str)]


@dataclass(slots=True)
class _Compiler:
    """What the files hold, and what is wrong with it."""

    problems: list[Problem] = field(default_factory=list)
    _sets: dict[str, _Table] = field(default_factory=dict)
    _rules: list[_Table] = field(default_factory=list)
    _exclusions: list[_Table] = field(default_factory=list)
    _pool: dict[Node, Node] = field(default_factory=dict)

    def add(self, toml: Toml) -> None:
        """Take in one file."""
        for key, value in toml.data.items():
            match key, value:
                case "set", dict():
                    for name, data in value.items():
                        self._add_set(_Table(toml, ("set", name), data), name)
                case "rule", list():
                    self._rules.extend(_Table(toml, ("rule", n), data) for n, data in enumerate(value))
                case "exclusion", list():
                    self._exclusions.extend(_Table(toml, ("exclusion", n), data) for n, data in enumerate(value))
                case (("rule" | "exclusion"), _):
                    self._say(toml, (key,), f"`{key}` is a list of tables", f"write [[{key}]]")
                case "set", _:
                    self._say(toml, (key,), "`set` holds named sets", "write [set.name]")
                case _:
                    mend = (
                        suggestion(key, ("set", "rule", "exclusion")) or "expected [set.name], [[rule]], [[exclusion]]"
                    )
                    self._say(toml, (key,), f"unknown key `{key}`", mend)

    def ruleset(self) -> RuleSet:
        """Everything compiled; raises UserError if anything is wrong."""
        sets = {name: self._set(table) for name, table in self._sets.items()}
        exclusions = [self._exclusion(table) for table in self._exclusions]
        rules = [self._rule(table) for table in self._rules]
        self._check_ids("rule", self._rules)
        self._check_ids("exclusion", self._exclusions)
        if self.problems:
            raise UserError(sorted(self.problems, key=lambda p: (p.file, p.line, p.column)))
        compiled = sorted((rule for rule in rules if rule is not None), key=lambda rule: rule.id)
        return RuleSet(
            rules=tuple(compiled),
            exclusions=tuple(exclusion for exclusion in exclusions if exclusion is not None),
            sets=sets,
            hash=_sha256([[rule.id, rule.hash] for rule in compiled]),
        )

    def _say(self, toml: Toml, path: KeyPath, message: str, mend: str = "") -> None:
        self.problems.append(toml.pointed(path, message, mend))

    def _add_set(self, table: _Table, name: str) -> None:
        if not re.fullmatch(SET_NAME, name):
            self._say(
                table.toml, table.path, f"`{name}` is no set's name", "small letters, digits, _ and -, at most 64"
            )
        if name in self._sets:
            other = self._sets[name].toml
            line, _ = other.place(table.path)
            self._say(table.toml, table.path, f"[set.{name}] stands twice", f"the other is at {other.file}:{line}")
        self._sets[name] = table

    def _check_ids(self, kind: str, tables: Iterable[_Table]) -> None:
        seen: dict[str, _Table] = {}
        for table in tables:
            for path, name in table.at("id"):
                if (first := seen.setdefault(name, table)) is not table:
                    line, _ = first.toml.place((*first.path, "id"))
                    self._say(table.toml, path, f"two {kind}s have the id `{name}`", f"see {first.toml.file}:{line}")

    # --- texts ---

    def _query(self, table: _Table, path: KeyPath, source: str) -> Node | None:
        try:
            return shared(parse(source, self._sets), self._pool)
        except QueryError as e:
            self._faults(table.toml, path, e)
            return None

    def _item(self, table: _Table, path: KeyPath, source: str) -> Node | None:
        try:
            return parse_term(source, self._sets)
        except QueryError as e:
            self._faults(table.toml, path, e)
            return None

    def _faults(self, toml: Toml, path: KeyPath, error: QueryError) -> None:
        self.problems.extend(toml.problem(path, f.message, f.mend, at=f.start) for f in error.faults)

    def _items(self, table: _Table, key: str) -> list[Node]:
        return [node for path, text in table.at(key) if (node := self._item(table, path, text)) is not None]

    def _when(self, table: _Table) -> Node | None:
        """The query of `when`, or of `any`, `all` and `none`."""
        queries = [self._query(table, path, text) for path, text in table.at("when")]
        if queries:
            return queries[0]
        either, every, none = (self._items(table, key) for key in ("any", "all", "none"))
        parts = [*([_either(either)] if either else []), *every, *([Not(_either(none))] if none else [])]
        if not parts:
            return None
        node = parts[0] if len(parts) == 1 else And(tuple(parts))
        if not needs_words(node):
            self._say(
                table.toml, (*table.path, "none"), "the rule can match without any of its words", "add any or all"
            )
        return node

    # --- tables ---

    def _set(self, table: _Table) -> TermSet:
        shape, problems = read(SetShape, table.toml, table.path, table.data)
        self.problems.extend(problems)
        as_written = isinstance(table.data, dict) and table.data.get("kind") in _AS_WRITTEN
        exceptions = [self._set_term(table, path, text, as_written=as_written) for path, text in table.at("except")]
        terms = []
        for number, path, text in _set_terms(table):
            if (term := self._set_term(table, path, text, as_written=as_written)) is not None and shape is not None:
                dated = shape.terms[number]
                terms.append(DatedTerm(term=term, since=dated.since, until=dated.until))
        return TermSet(terms=tuple(terms), exceptions=tuple(term for term in exceptions if term is not None))

    def _set_term(self, table: _Table, path: KeyPath, text: str, *, as_written: bool) -> Term | Regex | None:
        node = self._item(table, path, text)
        if isinstance(node, SetRef):
            self._say(table.toml, path, "a set holds terms, not other sets", "in a rule, write (@one OR @other)")
            return None
        if isinstance(node, Term) and as_written:
            return Term(tuple(Word(w.text, How.FOLDED) if w.how is How.INFLECTED else w for w in node.words))
        return node if isinstance(node, Term | Regex) else None

    def _exclusion(self, table: _Table) -> Exclusion | None:
        shape, problems = read(ExclusionShape, table.toml, table.path, table.data)
        self.problems.extend(problems)
        query = self._when(table)
        ids = {name for rule in self._rules for _, name in rule.at("id")}
        for path, name in table.at("applies_to"):
            if name not in ids:
                self._say(table.toml, path, f"no rule has the id `{name}`", suggestion(name, ids))
        if shape is None or query is None:
            return None
        return Exclusion(id=shape.id, query=query, rules=frozenset(shape.applies_to))

    def _rule(self, table: _Table) -> Rule | None:
        shape, problems = read(RuleShape, table.toml, table.path, table.data)
        self.problems.extend(problems)
        query = self._when(table)
        weights = [self._weight(table, number, data) for number, data in enumerate(_score_terms(table))]
        if shape is None:
            return None
        if shape.score is not None and shape.score.threshold <= 0 and query is None:
            path = (*table.path, "score", "threshold")
            self._say(table.toml, path, "the rule can match without any of its words", "raise threshold above 0")
        score = _score(shape.score, weights) if shape.score is not None else None
        queries = [query, *(term.query for term in score.terms)] if score is not None else [query]
        return Rule(
            id=shape.id,
            name=shape.name or shape.id,
            severity=shape.severity,
            languages=frozenset(shape.languages or ()),
            feeds=frozenset(shape.feeds or ()),
            tags=frozenset(shape.tags or ()),
            max_age=shape.max_age,
            alert=_alerting(shape),
            query=query,
            score=score,
            tests=tuple(_tests(table, shape)),
            sets=_named(queries),
            hash=self._hash(table, shape.id, queries),
            file=table.toml.file,
            line=table.toml.place(table.path)[0],
        )

    def _weight(self, table: _Table, number: int, data: Any) -> Node | None:
        source = data.get("when") if isinstance(data, dict) else None
        if not isinstance(source, str):
            return None
        return self._query(table, (*table.path, "score", "terms", number, "when"), source)

    def _hash(self, table: _Table, rule_id: str, queries: Iterable[Node | None]) -> str:
        used = set(_named(queries))
        naming = [t for t in self._exclusions if rule_id in {name for _, name in t.at("applies_to")}]
        for exclusion in naming:
            used.update(re.findall(r"@([a-z0-9_-]+)", str(exclusion.data)))
        return _sha256(
            {
                "rule": {key: value for key, value in table.data.items() if key != "test"},
                "sets": {name: self._sets[name].data for name in sorted(used & self._sets.keys())},
                "exclusions": [exclusion.data for exclusion in naming],
            }
        )


def _named(queries: Iterable[Node | None]) -> frozenset[str]:
    """The sets that queries name."""
    return frozenset(
        node.name for query in queries if query is not None for node in walk(query) if isinstance(node, SetRef)
    )


def _either(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))


def _set_terms(table: _Table) -> Iterator[tuple[int, KeyPath, str]]:
    """Number, path and text of each of the set's terms, as far as they are texts."""
    terms = table.data.get("terms") if isinstance(table.data, dict) else None
    for number, item in enumerate(terms if isinstance(terms, list) else []):
        path: KeyPath = (*table.path, "terms", number)
        if isinstance(item, str):
            yield number, path, item
        elif isinstance(item, dict) and isinstance(item.get("term"), str):
            yield number, (*path, "term"), item["term"]


def _score_terms(table: _Table) -> list[Any]:
    score = table.data.get("score") if isinstance(table.data, dict) else None
    terms = score.get("terms") if isinstance(score, dict) else None
    return terms if isinstance(terms, list) else []


def _score(shape: ScoreShape, queries: Iterable[Node | None]) -> Score:
    return Score(
        terms=tuple(
            Weight(query=query, weight=term.weight)
            for query, term in zip(queries, shape.terms, strict=True)
            if query is not None
        ),
        threshold=shape.threshold,
        bands=tuple(sorted((lowest, Severity(severity)) for severity, lowest in shape.bands.items())),
    )


def _alerting(shape: RuleShape) -> Alerting:
    alert = shape.alert
    return Alerting(
        to=tuple(alert.to or ()),
        key=alert.key,
        realert=alert.realert,
        follow_up=None if alert.follow_up is None else tuple(alert.follow_up),
    )


def _tests(table: _Table, shape: RuleShape) -> Iterator[Test]:
    for number, case in enumerate(shape.test):
        line, _ = table.toml.place((*table.path, "test", number))
        yield Test(
            title=case.title,
            text=case.text,
            language=case.lang,
            published=_moment(case),
            match=case.match,
            spans=tuple(case.spans),
            file=table.toml.file,
            line=line,
            source=table.toml.lines[line - 1].rstrip(),
        )


def _moment(case: TestShape) -> datetime | None:
    published = case.published
    if published is None:
        return None
    if not isinstance(published, datetime):
        return datetime.combine(published, time(), UTC)
    return published if published.tzinfo else published.replace(tzinfo=UTC)


def _sha256(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
