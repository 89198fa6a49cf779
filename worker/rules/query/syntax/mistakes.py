"""Mistakes of a query, each in its place, and the names that a query may use."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from worker.rules.query.nodes import Pattern


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a query: the characters [start, end) it is about, and what was expected."""

    start: int
    end: int
    message: str
    fix: str = ""


class QueryError(ValueError):
    """A query cannot be read; `faults` in the order of the text, never empty."""

    def __init__(self, source: str, faults: Collection[Fault]) -> None:
        self.source = source
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.start, fault.end)))
        super().__init__("; ".join(fault.message for fault in self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Names that a query may use. None: any set."""

    sets: Collection[str] | None = None
    patterns: Mapping[str, Pattern] = field(default_factory=dict)
    #: Parameters, where the query is a pattern's body.
    params: Collection[str] = ()
    #: Patterns that have mistakes of their own, or are being read: their names are known, and no more.
    unread: Collection[str] = ()


def suggestion(name: str, known: Collection[str]) -> str:
    """`did you mean ...?` for the nearest of `known`, or nothing."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""
