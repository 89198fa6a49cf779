"""Several texts of one entry as one, each said once."""

import html
import re
from collections.abc import Sequence

from worker.parse.markup import bounded

_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")
#: A text is looked for in so many others; beyond, only its equal is: an entry of a thousand captions takes linear time.
_COMPARED = 30


def merged(bodies: Sequence[str], known: Sequence[str] = (), *, equal_only: bool = False) -> str:
    """The bodies (HTML) one behind the other, without those that stand in another one or in what is `known`.

    `equal_only`: of what is known, only their equals count.
    """
    words = [_words(body) for body in bodies]
    said = [_words(other) for other in known]
    seen = set(said)
    kept: set[int] = set()
    within = [] if equal_only else said
    for number in sorted(range(len(bodies)), key=lambda number: -len(words[number])):
        own = words[number]
        if own.strip() and own not in seen and not any(own in other for other in within[:_COMPARED]):
            kept.add(number)
            within.append(own)
            seen.add(own)
    parts = [body for number, body in enumerate(bodies) if number in kept]
    if len(parts) <= 1 or not any(map(_TAG.search, parts)):
        return bounded("\n\n".join(parts))
    return bounded("\n".join(f"<div>{_paragraphs(part)}</div>" for part in parts))


def _paragraphs(body: str) -> str:
    return body if _TAG.search(body) else _EMPTY_LINE.sub("</div>\n<div>", body)


def _words(body: str) -> str:
    """What can be read of a body, in one line and one case, between blanks."""
    return f" {' '.join(html.unescape(_TAG.sub(' ', body)).casefold().split())} "
