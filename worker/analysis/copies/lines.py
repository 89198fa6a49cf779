"""Lines of a text, by which what a feed or a host repeats under different titles is learnt.

A line is a sentence, or a paragraph where no stop parts it. A subscription footer, a standing description, a by-line,
a wall and an error page are lines that recur whole, while what surrounds them changes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from worker.analysis.text import Document, once

#: A line of one word is learnt by nobody.
_LEAST = 2
#: A title of fewer words is no mark of a line that was made of it.
_TITLE = 3
#: Lines kept of one end of a text: what a site repeats stands at its top or at its foot.
_AT_AN_END = 8

#: Words by which a text speaks to its reader or of its own publisher, folded.
_ADDRESS = frozenset(
    """
    nous notre nos vous votre vos abonnez abonne abonnement cliquez inscrivez retrouvez suivez telechargez
    we our us you your subscribe sign click follow newsletter brings
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)
_ADDRESSES, _OF_A_LINE = 2, 0.15
#: What stands at the foot of summaries, in lines of few words.
_STOCK = ("continue reading", "read more", "read the full", "sign up", "click here", "lire la suite", "lire l article",
          "lire aussi", "en savoir plus", "cliquez ici", "continuer la lecture", "tous droits reserves",
          "all rights reserved")  # fmt: skip
_STOCK_WORDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a text."""

    #: Signed 64 bits of its folded words, without those of the article's title.
    key: int
    #: Its words [first, last) in `Document.folded`.
    first: int
    last: int
    #: It bids its reader subscribe, read on or consent, and reports nothing.
    to_reader: bool


@once
def lines(document: Document) -> tuple[Line, ...]:
    """The lines of the body that may be learnt: of a long text the first and the last eight."""
    places = [place for place in document.sentence_words if place[0] >= document.title_words]
    title = document.folded[: document.title_words]
    first = list(islice(_lines(document, title, places), _AT_AN_END))
    if len(first) == _AT_AN_END:
        places = [place for place in places if place[0] >= first[-1].last]
        last = list(islice(_lines(document, title, reversed(places)), _AT_AN_END))
        first += reversed(last)
    return tuple(first)


def key_of(kind: str, words: str) -> int:
    """A signed 64-bit key of some words."""
    made = blake2b(f"{kind} {words}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(made, "big", signed=True)


def _lines(document: Document, title: tuple[str, ...], places: Iterable[tuple[int, int]]) -> Iterator[Line]:
    """Those of these sentences that are lines of two words and more without the title."""
    for first, last in places:
        words = document.folded[first:last]
        row = " ".join(words)
        own = _without(words, title, row)
        if len(own) >= _LEAST:
            key = key_of("line", row if own is words else " ".join(own))
            yield Line(key=key, first=first, last=last, to_reader=_is_to_reader(words, row))


def speaks_to_reader(words: Sequence[str], share: float) -> bool:
    """Tells whether a text has two words or more, and that share of all, by which publishers speak to their readers."""
    found = sum(map(_ADDRESS.__contains__, words))
    return found >= _ADDRESSES and found >= share * len(words)


def _is_to_reader(words: Sequence[str], row: str) -> bool:
    is_stock = len(words) <= _STOCK_WORDS and any(phrase in row and f" {phrase} " in f" {row} " for phrase in _STOCK)
    return (is_stock or speaks_to_reader(words, _OF_A_LINE)) and not any(map(str.isdecimal, words))


def _without(words: tuple[str, ...], title: tuple[str, ...], row: str) -> tuple[str, ...]:
    """A line without the title, which publishing systems write into a line of their own: `The post ... appeared`."""
    if len(title) < _TITLE or len(title) >= len(words) or " ".join(title) not in row:
        return words
    for at in range(len(words) - len(title) + 1):
        if words[at : at + len(title)] == title:
            return words[:at] + words[at + len(title) :]
    return words
