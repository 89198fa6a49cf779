"""The query language: what an analyst writes in `when`, and where it is true in an article."""

from worker.rules.query.evaluator import Reading, evaluate
from worker.rules.query.explain import Explained, Miss, decisive, distance, explain, nearest
from worker.rules.query.indexed import All, Any, Indexed, Wanted, indexed
from worker.rules.query.nodes import Call, DatedTerm, Node, Pattern, Regex, Scope, SetRef, Term, TermSet
from worker.rules.query.presearch import Candidates, Presearch
from worker.rules.query.spans import MAX_SPANS, Span, first_spans
from worker.rules.query.syntax import (
    Fault,
    Known,
    QueryError,
    calls,
    is_rule_language,
    languages,
    parse,
    parse_body,
    parse_calls,
    parse_term,
    suggestion,
)

__all__ = [
    "MAX_SPANS",
    "All",
    "Any",
    "Call",
    "Candidates",
    "DatedTerm",
    "Explained",
    "Fault",
    "Indexed",
    "Known",
    "Miss",
    "Node",
    "Pattern",
    "Presearch",
    "QueryError",
    "Reading",
    "Regex",
    "Scope",
    "SetRef",
    "Span",
    "Term",
    "TermSet",
    "Wanted",
    "calls",
    "decisive",
    "distance",
    "evaluate",
    "explain",
    "first_spans",
    "indexed",
    "is_rule_language",
    "languages",
    "nearest",
    "parse",
    "parse_body",
    "parse_calls",
    "parse_term",
    "suggestion",
]
