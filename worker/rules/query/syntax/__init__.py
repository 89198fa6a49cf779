"""From a query's text to nodes, with every mistake in its place.

A reader that knows tokens and mistakes, then terms, calls of patterns and whole queries, each built on the one before.
"""

from worker.rules.query.syntax.mistakes import Fault, Known, QueryError, suggestion
from worker.rules.query.syntax.queries import (
    calls,
    is_rule_language,
    languages,
    parse,
    parse_body,
    parse_calls,
    parse_term,
)

__all__ = [
    "Fault",
    "Known",
    "QueryError",
    "calls",
    "is_rule_language",
    "languages",
    "parse",
    "parse_body",
    "parse_calls",
    "parse_term",
    "suggestion",
]
