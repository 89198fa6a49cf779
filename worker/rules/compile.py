"""Compiling rule files: every mistake of every file at once, or a whole RuleSet."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.config.toml import KeyPath, Toml
from worker.config.toml import parse as parse_toml
from worker.errors import Problem, UserError
from worker.model import NotificationPolicy, Severity, Volume
from worker.rules.patterns import compile_pattern, named_sets, pattern_tables, rules_of_tests
from worker.rules.query import (
    Call,
    DatedTerm,
    Known,
    Node,
    Pattern,
    QueryError,
    Regex,
    SetRef,
    Term,
    TermSet,
    calls,
    languages,
    parse,
    parse_calls,
    parse_term,
    suggestion,
)
from worker.rules.query.nodes import And, How, Not, Or, Word, in_language, needs_words, shared
from worker.rules.ruleset import Exclusion, Rule, RuleSet, Score, Weight
from worker.rules.shape import (
    SET_NAME,
    ExclusionShape,
    RuleShape,
    ScoreShape,
    SetShape,
    Table,
    read,
    sha256,
    tests_of,
)

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


def compile_rule(toml: Toml, beside: RuleSet) -> Rule:
    """The one rule of `toml`, which may use the sets and patterns of `beside`; raises UserError with its mistakes."""
    compiler = _Compiler(_beside=beside, _compiled=dict(beside.patterns))
    compiler.add(toml)
    found = compiler.ruleset()
    if len(found.written) != 1 or toml.data.keys() != {"rule"}:
        fix = "begin it with [[rule]]; sets and patterns are written in the file"
        raise UserError([toml.pointed((), "this is not one rule", fix)])
    return found.written[0]


@dataclass(slots=True)
class _Compiler:
    """Tables of all files, and the problems found in them."""

    problems: list[Problem] = field(default_factory=list)
    _sets: dict[str, Table] = field(default_factory=dict)
    _patterns: dict[str, Table] = field(default_factory=dict)
    _compiled: dict[str, Pattern] = field(default_factory=dict)
    _rules: list[Table] = field(default_factory=list)
    #: Compiled before: its sets and patterns may be used.
    _beside: RuleSet = field(default_factory=RuleSet)
    _exclusions: list[Table] = field(default_factory=list)
    _pool: dict[Node, Node] = field(default_factory=dict)
    #: Patterns that are being compiled, or cannot be.
    _broken: set[str] = field(default_factory=set)

    def add(self, toml: Toml) -> None:
        """Take in one file."""
        for key, value in toml.data.items():
            match key, value:
                case "set", dict():
                    for name, data in value.items():
                        self._add_set(Table(toml, ("set", name), data), name)
                case "pattern", dict():
                    for name, table in pattern_tables(toml, value, self.problems):
                        self._add_pattern(table, name)
                case "rule", list():
                    self._rules.extend(Table(toml, ("rule", n), data) for n, data in enumerate(value))
                case "exclusion", list():
                    self._exclusions.extend(Table(toml, ("exclusion", n), data) for n, data in enumerate(value))
                case (("rule" | "exclusion"), _):
                    self._say(toml, (key,), f"`{key}` is a list of tables", f"write [[{key}]]")
                case (("set" | "pattern"), _):
                    self._say(toml, (key,), f"`{key}` holds named {key}s", f"write [{key}.name]")
                case _:
                    fix = (
                        suggestion(key, ("set", "pattern", "rule", "exclusion"))
                        or "expected [set.name], [pattern.name], [[rule]], [[exclusion]]"
                    )
                    self._say(toml, (key,), f"unknown key `{key}`", fix)

    def ruleset(self) -> RuleSet:
        """Everything compiled; raises UserError if anything is wrong."""
        sets = {name: self._set(table) for name, table in self._sets.items()}
        for name in self._patterns:
            self._pattern(name, ())
        called = [
            rule
            for name, table in self._patterns.items()
            if (pattern := self._compiled.get(name)) is not None
            for rule in rules_of_tests(table, pattern, self._known, self._pool, self.problems)
        ]
        exclusions = [self._exclusion(table) for table in self._exclusions]
        rules = [self._rule(table) for table in self._rules]
        self._check_ids("rule", self._rules)
        self._check_ids("exclusion", self._exclusions)
        if self.problems:
            raise UserError(sorted(self.problems, key=lambda p: (p.file, p.line, p.column)))
        compiled = sorted((rule for rule in rules if rule is not None), key=lambda rule: rule.id)
        off = {table.data["id"] for table in self._rules if not table.data.get("enabled", True)}
        return RuleSet(
            rules=tuple(rule for rule in compiled if rule.id not in off),
            off=tuple(rule for rule in compiled if rule.id in off),
            exclusions=tuple(exclusion for exclusion in exclusions if exclusion is not None),
            sets=sets,
            patterns=dict(self._compiled),
            calls=tuple(called),
            hash=sha256([[rule.id, rule.hash] for rule in compiled]),
        )

    def _say(self, toml: Toml, path: KeyPath, message: str, fix: str = "") -> None:
        self.problems.append(toml.pointed(path, message, fix))

    def _add_set(self, table: Table, name: str) -> None:
        if not re.fullmatch(SET_NAME, name):
            self._say(
                table.toml, table.path, f"`{name}` is no set's name", "small letters, digits, _ and -, at most 64"
            )
        if name in self._sets:
            other = self._sets[name].toml
            line, _ = other.place(table.path)
            self._say(table.toml, table.path, f"[set.{name}] stands twice", f"the other is at {other.file}:{line}")
        self._sets[name] = table

    def _add_pattern(self, table: Table, name: str) -> None:
        if name in self._patterns:
            self._say(table.toml, table.path, f"[pattern.{name}] stands twice", f"see {self._patterns[name].place}")
        self._patterns[name] = table

    def _check_ids(self, kind: str, tables: Iterable[Table]) -> None:
        seen: dict[str, Table] = {}
        for table in tables:
            for path, name in table.at("id"):
                if (first := seen.setdefault(name, table)) is not table:
                    line, _ = first.toml.place((*first.path, "id"))
                    self._say(table.toml, path, f"two {kind}s have the id `{name}`", f"see {first.toml.file}:{line}")

    # --- texts ---

    @property
    def _known(self) -> Known:
        sets = {*self._sets, *self._beside.sets}
        return Known(sets=sets, patterns=self._compiled, unread=self._patterns.keys() - self._compiled.keys())

    def _query(self, table: Table, path: KeyPath, source: str) -> Node | None:
        try:
            return shared(in_language(parse(source, self._known), table.language), self._pool)
        except QueryError as e:
            self._faults(table.toml, path, e)
            return None

    def _item(self, table: Table, path: KeyPath, source: str) -> Node | None:
        try:
            return in_language(parse_term(source, self._known), table.language)
        except QueryError as e:
            self._faults(table.toml, path, e)
            return None

    def _faults(self, toml: Toml, path: KeyPath, error: QueryError) -> None:
        self.problems.extend(toml.problem(path, f.message, f.fix, at=f.start) for f in error.faults)

    def _items(self, table: Table, key: str) -> list[Node]:
        return [node for path, text in table.at(key) if (node := self._item(table, path, text)) is not None]

    def _when(self, table: Table) -> Node | None:
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

    def _pattern(self, name: str, within: tuple[str, ...]) -> None:
        """Compile a pattern, and those that it uses before it; `within` are those that are waiting for it."""
        table = self._patterns[name]
        if name in self._compiled or (name in self._broken and name not in within):
            return
        if name in within:
            way = " uses ".join([*within[within.index(name) :], name])
            self._say(table.toml, (*table.path, "when"), f"a pattern may not use itself: {way}", "write one without it")
            return
        self._broken.add(name)
        for _, source in table.at("when"):
            for other in sorted(calls(source) & self._patterns.keys()):
                self._pattern(other, (*within, name))
        pattern = compile_pattern(name, table, self._known, self.problems)
        if pattern is not None:
            self._compiled[name] = pattern

    def _set(self, table: Table) -> TermSet:
        shape, problems = read(SetShape, table.toml, table.path, table.data)
        self.problems.extend(problems)
        as_written = isinstance(table.data, dict) and table.data.get("kind") in _AS_WRITTEN
        exceptions = [self._set_term(table, path, text, as_written=as_written) for path, text in table.at("except")]
        terms = []
        for number, path, text in table.terms():
            if (term := self._set_term(table, path, text, as_written=as_written)) is not None and shape is not None:
                if term in exceptions:
                    self._say(
                        table.toml, path, "this term is its own exception, and can never match", "drop one of both"
                    )
                dated = shape.terms[number]
                terms.append(DatedTerm(term=term, since=dated.since, until=dated.until))
        return TermSet(terms=tuple(terms), exceptions=tuple(term for term in exceptions if term is not None))

    def _set_term(self, table: Table, path: KeyPath, text: str, *, as_written: bool) -> Term | Regex | None:
        node = self._item(table, path, text)
        if isinstance(node, SetRef):
            self._say(table.toml, path, "a set holds terms, not other sets", "in a rule, write (@one OR @other)")
            return None
        if isinstance(node, Term) and as_written:
            words = (Word(w.text, How.FOLDED) if w.how is How.INFLECTED else w for w in node.words)
            return Term(tuple(words), node.language)
        return node if isinstance(node, Term | Regex) else None

    def _exclusion(self, table: Table) -> Exclusion | None:
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

    def _rule(self, table: Table) -> Rule | None:
        shape, problems = read(RuleShape, table.toml, table.path, table.data)
        self.problems.extend(problems)
        self._check_languages(table, shape)
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
            languages=frozenset(shape.languages),
            feeds=frozenset(shape.feeds),
            tags=frozenset(shape.tags),
            max_age=shape.max_age,
            to=shape.alert.to,
            alert=NotificationPolicy(**shape.alert.model_dump(exclude={"to"})),
            volume=_volume(shape),
            query=query,
            score=score,
            tests=tuple(tests_of(table, shape.test)),
            calls=self._calls_in(table),
            places=_places(table),
            sets=named_sets(queries),
            hash=self._hash(table, shape.id, queries),
            file=table.toml.file,
            line=table.line,
        )

    def _calls_in(self, table: Table) -> dict[Node, Call]:
        """The calls of patterns in a rule's queries, by what they are written out as."""
        terms = (term.get("when") for term in _score_terms(table) if isinstance(term, dict))
        sources = [*(text for _, text in table.at("when")), *(text for text in terms if isinstance(text, str))]
        return {
            shared(node, self._pool): call
            for source in sources
            if calls(source)
            for node, call in self._read_calls(source, table.language)
        }

    def _read_calls(self, source: str, language: str) -> Iterable[tuple[Node, Call]]:
        try:
            return parse_calls(source, self._known, language).items()
        except QueryError:  # reported where the query is read
            return ()

    def _check_languages(self, table: Table, shape: RuleShape | None) -> None:
        """Terms for a language that the rule does not read can never match."""
        read_in = shape.languages if shape is not None else ()
        for path, source in (item for key in ("when", "any", "all", "none") for item in table.at(key)):
            for at, language in languages(source):
                if read_in and language not in read_in:
                    message = f"{language}: can never match: the rule reads only {', '.join(read_in)}"
                    fix = f'add "{language}" to languages, or drop the term'
                    self.problems.append(table.toml.problem(path, message, fix, at=at))

    def _weight(self, table: Table, number: int, data: Any) -> Node | None:
        source = data.get("when") if isinstance(data, dict) else None
        if not isinstance(source, str):
            return None
        return self._query(table, (*table.path, "score", "terms", number, "when"), source)

    def _hash(self, table: Table, rule_id: str, queries: Iterable[Node | None]) -> str:
        naming = [t for t in self._exclusions if rule_id in {name for _, name in t.at("applies_to")}]
        texts = [str(table.without_tests()), *(str(exclusion.data) for exclusion in naming)]
        called = set[str]().union(*(calls(text) for text in texts)) & self._compiled.keys()
        called |= {other for name in called for other in self._compiled[name].patterns}
        used = set(named_sets(queries)) | {set_name for name in called for set_name in self._compiled[name].sets}
        for text in texts[1:]:
            used.update(re.findall(r"@([a-z0-9_-]+)", text))
        return sha256(
            {
                "rule": table.without_tests(),
                "patterns": {
                    name: self._patterns[name].without_tests() for name in sorted(called & self._patterns.keys())
                },
                "sets": {name: self._sets[name].data for name in sorted(used & self._sets.keys())},
                "exclusions": [exclusion.data for exclusion in naming],
            }
        )


def _places(table: Table) -> dict[tuple[str, str], Problem]:
    """Problems without words at what a rule reads, by what it is, and at the targets that it names."""
    alert = table.data.get("alert")
    own = Table(table.toml, (*table.path, "alert"), alert)
    found = [(what, path, name) for what in ("feed", "tag", "language") for path, name in table.at(f"{what}s")]
    found += [("target", path, name) for path, name in own.at("to")]
    if isinstance(alert, dict) and "realert" in alert:
        found.append(("key", (*own.path, "realert"), "realert"))
    return {(what, name): table.toml.pointed(path, "") for what, path, name in found}


def _either(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))


def _score_terms(table: Table) -> list[Any]:
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


def _volume(shape: RuleShape) -> Volume | None:
    asked = shape.volume
    return None if asked is None else Volume(at_least=asked.at_least, per=asked.window, times=asked.times)
