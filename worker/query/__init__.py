"""The query language: what an analyst writes in `when`, and where it is true in an article."""

from worker.query.nodes import Node, Regex, Scope, SetRef, Term
from worker.query.spans import MAX_SPANS, DatedTerm, Reading, Span, TermSet, evaluate, first_spans
from worker.query.syntax import Fault, QueryError, parse, parse_term, suggestion

__all__ = [
    "MAX_SPANS",
    "DatedTerm",
    "Fault",
    "Node",
    "QueryError",
    "Reading",
    "Regex",
    "Scope",
    "SetRef",
    "Span",
    "Term",
    "TermSet",
    "evaluate",
    "first_spans",
    "parse",
    "parse_term",
    "suggestion",
]
