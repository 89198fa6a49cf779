"""Several texts of one entry as one, each said once."""

import html
import re
from collections.abc import Sequence

from worker.parse.markup import bounded

_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")
#: A teaser ends in them.
_DOTS = " .…[]"
#: A text is looked for in so many others; beyond, only its equal is: an entry of a thousand captions takes linear time.
_COMPARED = 30


def distinct(bodies: Sequence[str], known: Sequence[str] = ()) -> list[str]:
    """The bodies (HTML) that say something, without those that stand in another one or in what is `known`."""
    words = [_words(body) for body in bodies]
    said = [_words(other) for other in known]
    seen = set(said)
    kept: set[int] = set()
    for number in sorted(range(len(bodies)), key=lambda number: -len(words[number])):
        own = words[number]
        is_within = any(own.rstrip() in other for other in said[:_COMPARED])
        if own.strip() and own not in seen and not is_within:
            kept.add(number)
            said.append(own)
            seen.add(own)
    return [body for number, body in enumerate(bodies) if number in kept]


def joined(bodies: Sequence[str]) -> str:
    """The bodies one behind the other, as one."""
    if len(bodies) <= 1:
        return "".join(bodies)
    if not any(map(_TAG.search, bodies)):
        return bounded("\n\n".join(bodies))
    return bounded("\n".join(f"<div>{_paragraphs(body)}</div>" for body in bodies))


def _paragraphs(body: str) -> str:
    return body if _TAG.search(body) else _EMPTY_LINE.sub("</div>\n<div>", body)


def _words(body: str) -> str:
    """The readable part of a body, in one line and one case, between blanks."""
    plain = " ".join(html.unescape(_TAG.sub(" ", body)).casefold().split())
    return f" {plain.rstrip(_DOTS)} "
