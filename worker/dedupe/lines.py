"""Lines of a text, by which what a feed or a host repeats under different titles is learnt.

A line is a sentence, or a paragraph where no stop parts it. A subscription footer, a standing description, a by-line,
a wall and an error page are lines that recur whole, while what surrounds them changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

from worker.text import Document

#: A shorter line holds no sequence of words that copies are recognised by.
_LEAST = 3
#: Lines kept of one end of a text: what a site repeats stands at its top or at its foot.
_AT_AN_END = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a text."""

    #: Signed 64 bits of its folded words, without those of the article's title.
    key: int
    #: Its words [first, last) in `Document.folded`.
    first: int
    last: int


def lines(document: Document) -> tuple[Line, ...]:
    """The lines of the body that may be learnt: of a long text the first and the last eight."""
    found = list(_lines(document))
    return tuple(found if len(found) <= 2 * _AT_AN_END else [*found[:_AT_AN_END], *found[-_AT_AN_END:]])


def key_of(kind: str, words: str) -> int:
    """A signed 64-bit key of some words."""
    made = blake2b(f"{kind} {words}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(made, "big", signed=True)


def _lines(document: Document) -> Iterator[Line]:
    title = document.folded[: document.title_words]
    places = range(document.title_words, len(document.folded))
    for _, group in groupby(places, key=document.sentences.__getitem__):
        indexes = list(group)
        first, last = indexes[0], indexes[-1] + 1
        words = _without(document.folded[first:last], title)
        if len(words) >= _LEAST:
            yield Line(key=key_of("line", " ".join(words)), first=first, last=last)


def _without(words: tuple[str, ...], title: tuple[str, ...]) -> tuple[str, ...]:
    """A line without the title, which publishing systems write into a line of their own: `The post ... appeared`."""
    if len(title) < _LEAST or len(title) >= len(words):
        return words
    for at in range(len(words) - len(title) + 1):
        if words[at : at + len(title)] == title:
            return words[:at] + words[at + len(title) :]
    return words
