"""Regular expressions by RE2: linear time, whatever an analyst writes. The only owner of google-re2."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2


class RegexError(ValueError):
    """The expression is not valid RE2."""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """The compiled expression; raises RegexError with RE2's reason."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as e:
        reason = e.args[0] if e.args else e
        raise RegexError(reason.decode() if isinstance(reason, bytes) else str(reason)) from e


def occurrences(pattern: str, text: str) -> Iterator[tuple[int, int]]:
    """Character ranges [start, end) of the matches in `text`, leftmost first, without overlap, none empty."""
    for found in compiled(pattern).finditer(text):
        if found.start() < found.end():
            yield found.span()
