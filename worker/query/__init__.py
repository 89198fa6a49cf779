"""The query language: what an analyst writes in `when`, and where it is true in an article."""

from worker.query.explain import Explained, Miss, explain, nearest
from worker.query.mutants import Mutant, mutants
from worker.query.nodes import Node, Regex, Scope, SetRef, Term
from worker.query.spans import MAX_SPANS, DatedTerm, Reading, Span, TermSet, evaluate, first_spans
from worker.query.syntax import Fault, QueryError, parse, parse_term, suggestion

__all__ = [
    "MAX_SPANS",
    "DatedTerm",
    "Explained",
    "Fault",
    "Miss",
    "Mutant",
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
    "explain",
    "first_spans",
    "mutants",
    "nearest",
    "parse",
    "parse_term",
    "suggestion",
]
