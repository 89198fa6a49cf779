"""Changes that a correction made: the sentences that differ between two texts, side by side."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice

from worker.analysis.text import Document, analyse, words
from worker.analysis.text.folding import normal
from worker.model import Change, Part, Passage

#: Of the changes shown; of the sentences compared; and of those that one sentence may have become.
_SHOWN = 5
_COMPARED = 200
_NEAR = 4
#: Words and signs of a sentence that are compared: to find what two have in common may take the cube of their number.
_WORDS = 100
#: Below this likeness of their words, one sentence is not what another became.
_LIKE = 0.5
#: Signs that change what a number says.
_SIGN = re.compile(r"[%‰€$£¥₫៛+]|(?<!\w)[-−–](?=\d)")

#: A character range [start, end).
Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    text: str
    #: Of its words and signs, in order.
    places: tuple[Range, ...]
    #: What each says: neither case nor how it is typed.
    key: tuple[str, ...]


def changes(before: str, after: str) -> tuple[Change, ...]:
    """At most five sentences that differ, in reading order, with the words that differ marked.

    Quotes, dashes, spaces, capitals and punctuation are no difference, nor is a sentence that stands elsewhere.
    """
    old, new = _sentences(before), _sentences(after)
    found: list[Change] = []
    matcher = SequenceMatcher(None, [one.key for one in old], [one.key for one in new], autojunk=False)
    in_new, in_old = {one.key for one in new}, {one.key for one in old}
    for tag, a, b, c, d in matcher.get_opcodes():
        left = [one for one in old[a:b] if one.key not in in_new]
        right = [one for one in new[c:d] if one.key not in in_old]
        if tag != "equal" and _said(left) != _said(right):
            found += islice(_paired(left, right), _SHOWN - len(found))
    return tuple(found)


def _paired(old: Sequence[_Sentence], new: Sequence[_Sentence]) -> Iterator[Change]:
    """Each sentence beside what it became; what became nothing, or came of nothing, alone."""
    place = 0
    for one in old:
        near = new[place : place + _NEAR]
        alike = [_likeness(one, other) for other in near]
        best = max(range(len(near)), key=alike.__getitem__, default=None)
        if best is None or alike[best] < _LIKE:
            yield Change(before=Passage(text=one.text), after=Passage(text=""))
            continue
        yield from _added(near[:best])
        yield _marked(one, near[best])
        place += best + 1
    yield from _added(new[place:])


def _added(sentences: Sequence[_Sentence]) -> Iterator[Change]:
    return (Change(before=Passage(text=""), after=Passage(text=one.text)) for one in sentences)


def _marked(old: _Sentence, new: _Sentence) -> Change:
    """Both sentences, with the words that stand in one of them alone."""
    blocks = [
        block for block in SequenceMatcher(None, old.key, new.key, autojunk=False).get_opcodes() if block[0] != "equal"
    ]
    return Change(
        before=Passage(text=old.text, marks=tuple(_span(old, a, b) for _, a, b, _, _ in blocks if a < b)),
        after=Passage(text=new.text, marks=tuple(_span(new, c, d) for _, _, _, c, d in blocks if c < d)),
    )


def _span(sentence: _Sentence, first: int, end: int) -> Range:
    return sentence.places[first][0], sentence.places[end - 1][1]


def _likeness(old: _Sentence, new: _Sentence) -> float:
    matcher = SequenceMatcher(None, old.key, new.key, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= _LIKE else 0.0


def _said(sentences: Sequence[_Sentence]) -> list[str]:
    """Without the borders of sentences, which punctuation alone may move."""
    return [word for one in sentences for word in one.key]


def _sentences(body: str) -> list[_Sentence]:
    document = analyse("", body, "")
    starts = document.sentence_starts[1][:_COMPARED]
    read = (_sentence(document, start) for start in starts)
    return [one for one in read if one.key]


def _sentence(document: Document, offset: int) -> _Sentence:
    text = document.body[slice(*document.sentence_at(Part.BODY, offset))]
    places = sorted({*words(text), *(sign.span() for sign in _SIGN.finditer(text))})[:_WORDS]
    return _Sentence(text=text, places=tuple(places), key=tuple(_typed(text[slice(*place)]) for place in places))


def _typed(word: str) -> str:
    said = normal("NFKC", word).casefold()
    return "-" if said in "−–" else said
