"""Search: what is asked, as words or in the rule language, and the stored articles that answer it.

    text -> terms or a query -> candidates by the index -> the evaluator -> hits with their passages

Of a query in the rule language no more than so many candidates are read at a time; `Found.after` is where to go on.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from worker.analysis import text
from worker.console.views.articles import article
from worker.model import Feed, Passage, Span
from worker.notify.render import opening, passages
from worker.rules import RuleSet
from worker.rules.match import published_spans
from worker.rules.query import (
    All,
    Fault,
    Indexed,
    Known,
    Node,
    QueryError,
    Reading,
    Wanted,
    evaluate,
    indexed,
    is_rule_language,
    parse,
)
from worker.rules.query.nodes import And, How, Term, TermSet, Word
from worker.store import Store, finding, search
from worker.store.articles import StoredArticle
from worker.store.finding import Filters, Place

Facts = dict[str, Any]

#: Characters of what is asked.
MAX_TEXT = 20_000
#: Candidates of a query that are read in one transaction, and at most for one answer.
_SLICE, MOST_READ = 100, 500


class As(StrEnum):
    """Ways to read what is asked."""

    WORDS = "words"
    RULE = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as it was read."""

    asked: str
    read_as: As
    #: For words, the terms that the index is asked for.
    terms: tuple[search.Term, ...] = ()
    #: The evaluator's question: with words, it says which of them to mark.
    query: Node | None = None
    #: Mistakes, where it was to be read as a query.
    faults: tuple[Fault, ...] = ()
    #: Mistakes that kept it from being read as the query that it looks like.
    almost: tuple[Fault, ...] = ()

    @property
    def as_rule(self) -> str:
        """The question in the rule language: of words, every form of each; empty where there is none."""
        if self.read_as is As.RULE:
            return self.asked
        terms = [Term(tuple(Word(word) for word in term.words)) for term in self.terms]
        return "" if not terms else str(terms[0]) if len(terms) == 1 else str(And(tuple(terms)))


def question(asked: str, ruleset: RuleSet | None, chosen: As | None = None) -> Question:
    """A question as words, or as a query where it is one and no other way is chosen; it may ask for nothing.

    Without a rule set, queries know no sets and no patterns.
    """
    asked = asked.strip()[:MAX_TEXT]
    faults: tuple[Fault, ...] = ()
    if asked and (chosen is As.RULE or (chosen is None and is_rule_language(asked))):
        try:
            known = Known(sets=ruleset.sets, patterns=ruleset.patterns) if ruleset else Known(sets=())
            return Question(asked=asked, read_as=As.RULE, query=parse(asked, known))
        except QueryError as e:
            faults = e.faults
        if chosen is As.RULE:
            return Question(asked=asked, read_as=As.RULE, faults=faults)
    terms = search.read(asked)
    return Question(asked=asked, read_as=As.WORDS, terms=terms, query=_marking(terms), almost=faults)


def _marking(terms: Sequence[search.Term]) -> Node | None:
    """A query for the words that the index found."""
    parts = tuple(_term(term) for term in terms)
    return None if not parts else parts[0] if len(parts) == 1 else And(parts)


def _term(term: search.Term) -> Term:
    how = How.PREFIX if term.is_start else How.FOLDED
    return Term(tuple(Word(word, how) for word in term.words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An article that answers, and the passages that show it, its title among them where words of it are marked."""

    stored: StoredArticle
    title: Passage
    passages: tuple[Passage, ...]

    def facts(self) -> Facts:
        """The article's line in a list, and its passages."""
        shown = [*([self.title] if self.title.marks else []), *self.passages]
        return article(self.stored) | {
            "passages": [{"text": one.text, "marks": [list(mark) for mark in one.marks]} for one in shown]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A part of the answer."""

    hits: tuple[Hit, ...] = ()
    #: Candidates that were read for it.
    read: int = 0
    #: Where the next part begins; None: this is the last.
    after: Place | None = None


def answer(
    store: Store,
    asked: Question,
    filters: Filters,
    ruleset: RuleSet | None,
    *,
    limit: int,
    after: Place | None = None,
    most: int = MOST_READ,
) -> Found:
    """The next articles that answer, the last published first; candidates are read a few at a time."""
    if asked.faults or (asked.query is None and filters == Filters()):
        return Found()
    reader = _Reader(asked, ruleset, store)
    size = _SLICE if asked.read_as is As.RULE else limit
    hits: list[Hit] = []
    read = 0
    while read < most:
        size = min(size, most - read)
        with store.read() as tx:
            some = finding.found(tx, reader.terms, filters, limit=size + 1, after=after)
        more, some = len(some) > size, some[:size]
        for one in some:
            read, after = read + 1, finding.place_of(one)
            if (hit := reader.hit(one)) is not None:
                hits.append(hit)
            if len(hits) == limit:
                more = more or one is not some[-1]
                return Found(hits=tuple(hits), read=read, after=after if more else None)
        if not more:
            return Found(hits=tuple(hits), read=read)
    return Found(hits=tuple(hits), read=read, after=after)


def feed_keys(feeds: Sequence[Feed], named: str, tag: str) -> frozenset[str] | None:
    """The keys of the feeds with that name or key, and with that tag; None: neither is asked for."""
    if not named and not tag:
        return None
    return frozenset(feed.id for feed in feeds if named in ("", feed.name, feed.id) and (not tag or tag in feed.tags))


class _Reader:
    """Reads articles as a question asks."""

    def __init__(self, asked: Question, ruleset: RuleSet | None, store: Store) -> None:
        self._asked = asked
        self._sets = ruleset.sets if ruleset else {}
        self.terms: search.Asked | None = search.AllOf(asked.terms) if asked.terms else None
        if asked.read_as is As.RULE and asked.query is not None:
            with store.read() as tx:
                languages = finding.languages(tx)
            self.terms = terms_of(asked.query, self._sets, languages)

    def hit(self, one: StoredArticle) -> Hit | None:
        """The article with its passages; None: the query does not hold there."""
        found = one.article
        document = text.analyse(found.title, found.body, found.language)
        spans: tuple[Span, ...] = ()
        if self._asked.query is not None:
            reading = Reading(document, published=found.published.date(), sets=self._sets)
            held = evaluate(self._asked.query, reading)
            if not held and self._asked.read_as is As.RULE:
                return None
            spans = published_spans(held, document)
        title, sentences = passages(document, spans)
        return Hit(stored=one, title=title, passages=sentences or ((opening(document, spans),) if found.body else ()))


def terms_of(query: Node, sets: Mapping[str, TermSet], languages: Collection[str]) -> search.Asked | None:
    """The terms that the index must have where a query can hold; None: it may hold anywhere."""
    wanted = indexed(query, sets, languages)
    return None if wanted is None else _asked(wanted)


def _asked(wanted: Wanted) -> search.Asked:
    if isinstance(wanted, Indexed):
        return search.Term((wanted.word[: search.MAX_WORD],), is_start=wanted.is_start)
    parts = tuple(map(_asked, wanted.parts))
    return search.AllOf(parts) if isinstance(wanted, All) else search.AnyOf(parts)


def pointed(source: str, fault: Fault) -> dict[str, str]:
    """A mistake of a query: its line as written, a caret under its place, the message and the fix."""
    begin = source.rfind("\n", 0, fault.start) + 1
    line = source[begin:].split("\n", 1)[0]
    before = "".join("\t" if char == "\t" else " " for char in source[begin : fault.start])
    caret = before + "^" * max(1, min(fault.end, begin + len(line)) - fault.start)
    return {"line": line, "caret": caret, "message": fault.message, "fix": fault.fix}
