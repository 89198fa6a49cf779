"""Regular expressions by RE2: linear time, whatever an analyst writes. The only owner of google-re2."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import re2

from worker.analysis.text import plain

#: Patterns that one set holds at most, and the bytes that it may take; more patterns make more sets.
SET_SIZE = 500
SET_BYTES = 16 << 20


class RegexError(ValueError):
    """The expression is not valid RE2."""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """The compiled expression; raises RegexError with RE2's reason."""
    try:
        return re2.compile(plain(pattern)[0], _options())
    except re2.error as e:
        reason = e.args[0] if e.args else e
        raise RegexError(reason.decode() if isinstance(reason, bytes) else str(reason)) from e


def occurrences(pattern: str, text: str) -> Iterator[tuple[int, int]]:
    """Character ranges [start, end) of the matches in `text`, leftmost first, without overlap, none empty."""
    for found in compiled(pattern).finditer(text):
        if found.start() < found.end():
            yield found.span()


class RegexSet:
    """Many valid expressions, asked at once which of them occur in a text; their empty matches count too."""

    def __init__(self, patterns: Iterable[str]) -> None:
        ordered = sorted(patterns)
        self._sets = [
            made for at in range(0, len(ordered), SET_SIZE) for made in _sets(tuple(ordered[at : at + SET_SIZE]))
        ]

    def __bool__(self) -> bool:
        """Tells whether there are any."""
        return bool(self._sets)

    def found(self, texts: Iterable[str]) -> set[str]:
        """The patterns that occur in any of `texts`."""
        encoded = {text.encode() for text in texts}
        return {pattern for made in self._sets for text in encoded for pattern in made.found(text)}


class _Set:
    """As many patterns as one automaton takes."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = patterns
        self._set = re2.Set.SearchSet(_options(SET_BYTES))
        # Matches everywhere: RE2 answers a lack of memory as it answers that nothing matches (re2/set.cc).
        self._set.Add("")
        for pattern in patterns:
            self._set.Add(plain(pattern)[0])
        self._set.Compile()

    def found(self, text: bytes) -> Sequence[str]:
        numbers = self._set.Match(text)
        if not numbers:
            return self._patterns
        return [self._patterns[number - 1] for number in numbers if number]


class _Unset:
    """A pattern too large for a set: it may always occur."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = patterns

    def found(self, _text: bytes) -> Sequence[str]:
        return self._patterns


def _sets(patterns: tuple[str, ...]) -> Iterator[_Set | _Unset]:
    """`patterns` in one set or, where they are too large together, in several."""
    try:
        yield _Set(patterns)
    except re2.error:
        if len(patterns) == 1:
            yield _Unset(patterns)
        else:
            middle = len(patterns) // 2
            yield from _sets(patterns[:middle])
            yield from _sets(patterns[middle:])


def _options(memory: int = 0) -> Any:
    options = re2.Options()
    options.log_errors = False
    if memory:
        options.max_mem = memory
    return options
