"""Lines of a text, by which what a feed or a host repeats under different titles is learnt.

A line is a sentence, or a paragraph where no stop parts it. A subscription footer, a standing description, a by-line,
a wall and an error page are lines that recur whole, while what surrounds them changes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

from worker.analysis.text import Document

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
            key = key_of("line", " ".join(words))
            yield Line(key=key, first=first, last=last, to_reader=_is_to_reader(document.folded[first:last]))


def speaks_to_reader(words: Sequence[str], share: float) -> bool:
    """Tells whether a text has two words or more, and that share of all, by which publishers speak to their readers."""
    found = sum(word in _ADDRESS for word in words)
    return found >= _ADDRESSES and found >= share * len(words)


def _is_to_reader(words: Sequence[str]) -> bool:
    if any(word.isdecimal() for word in words):
        return False
    row = f" {' '.join(words)} "
    is_stock = len(words) <= _STOCK_WORDS and any(f" {phrase} " in row for phrase in _STOCK)
    return is_stock or speaks_to_reader(words, _OF_A_LINE)


def _without(words: tuple[str, ...], title: tuple[str, ...]) -> tuple[str, ...]:
    """A line without the title, which publishing systems write into a line of their own: `The post ... appeared`."""
    if len(title) < _TITLE or len(title) >= len(words):
        return words
    for at in range(len(words) - len(title) + 1):
        if words[at : at + len(title)] == title:
            return words[:at] + words[at + len(title) :]
    return words
