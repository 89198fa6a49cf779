"""The sentences that prove a match, with the words to mark."""

import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from worker.model import Part, Passage, Span

if TYPE_CHECKING:
    from worker.analysis.text import Document

#: Characters of a text that stand for a title that is missing.
_OPENING = 90
#: A character range [start, end).
Range = tuple[int, int]

#: Embeddings, overrides and isolates (UAX 9) reorder what follows them: a title could pass for another one.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def passages(document: "Document", spans: Sequence[Span], *, limit: int = 3) -> tuple[Passage, tuple[Passage, ...]]:
    """The title with its marks, and at most `limit` sentences of the body that hold matched words, in reading order.

    Sentences that show words not yet shown come first, then those with more marks, then earlier ones.
    """
    title = tuple(word for span in spans if span.part is Part.TITLE for word in span.words)
    by_sentence: dict[Range, list[Range]] = defaultdict(list)
    for sentence, mark in _placed(document, spans):
        by_sentence[sentence].append(mark)
    found = {
        sentence: _passage(
            document.body[slice(*sentence)], ((start - sentence[0], end - sentence[0]) for start, end in marks)
        )
        for sentence, marks in sorted(by_sentence.items())
    }
    chosen = _telling(found, limit)
    return _passage(document.title, title), tuple(found[sentence] for sentence in sorted(chosen))


def opening(document: "Document", spans: Sequence[Span]) -> Passage:
    """The first words of a body with their marks, for an article without title; cut behind a word, with an ellipsis."""
    text = document.body
    ends = document.ends[document.title_words :]
    end = max((end for end in ends if end <= _OPENING), default=_OPENING)
    end = end if ends and end < ends[-1] else len(text)
    marks = [word for span in spans if span.part is Part.BODY for word in span.words if word[1] <= end]
    return _passage(text[:end] + ("…" if end < len(text) else ""), marks)


def tidy(passage: Passage) -> Passage:
    """The passage on one line, without control characters, lone surrogates and bidirectional controls."""
    text = passage.text
    if "  " not in text.strip() and text.strip().isprintable():
        return _passage(text, passage.marks)
    kept: list[int] = []
    spaced = True
    for index, char in enumerate(text):
        space = char.isspace()
        if (space and spaced) or (not space and (char in _BIDI or unicodedata.category(char) in {"Cc", "Cs"})):
            continue
        kept.append(index)
        spaced = space
    if kept and spaced:
        kept.pop()
    shown = "".join(" " if text[index].isspace() else text[index] for index in kept)
    return _passage(shown, ((bisect_left(kept, start), bisect_left(kept, end)) for start, end in passage.marks))


def clip(passage: Passage, size: int) -> Passage:
    """The passage in at most `size` characters (at least 3), around its first mark, with an ellipsis at each cut."""
    text = passage.text
    if len(text) <= size:
        return passage
    first = passage.marks[0][0] if passage.marks else 0
    start = 0 if first < size * 2 // 3 else min(first - size // 3, len(text) - size + 1)
    end = start + size - 1 - (start > 0)
    start, end = _at_words(text, start, min(end, len(text)))
    head, tail = "…" if start else "", "…" if end < len(text) else ""
    return _passage(
        head + text[start:end] + tail,
        ((max(a, start) - start + len(head), min(b, end) - start + len(head)) for a, b in passage.marks),
    )


def pieces(passage: Passage) -> list[tuple[str, bool]]:
    """The text in order, cut where marking begins and ends; marks parted by no letter or digit are joined."""
    joined: list[list[int]] = []
    for start, end in passage.marks:
        if joined and not any(char.isalnum() for char in passage.text[joined[-1][1] : start]):
            joined[-1][1] = max(end, joined[-1][1])
        else:
            joined.append([start, end])
    parts: list[tuple[str, bool]] = []
    place = 0
    for start, end in joined:
        parts += [(passage.text[place:start], False), (passage.text[start:end], True)]
        place = end
    parts.append((passage.text[place:], False))
    return [(text, marked) for text, marked in parts if text]


def _placed(document: "Document", spans: Sequence[Span]) -> Iterator[tuple[Range, Range]]:
    """Each matched range of the body with its sentence, cut where it runs over a sentence's end (a regex may)."""
    for start, end in sorted({word for span in spans if span.part is Part.BODY for word in span.words}):
        place = start
        while place < end:
            sentence = document.sentence_at(Part.BODY, place)
            stop = min(end, max(sentence[1], place + 1))
            if sentence[0] <= place < sentence[1]:
                yield sentence, (place, stop)
            place = stop


def _passage(text: str, marks: Iterable[Range]) -> Passage:
    """A passage without outer white space; its marks lie inside, in order, and do not overlap."""
    lead = len(text) - len(text.lstrip())
    bare = text.strip()
    merged: list[Range] = []
    for start, end in sorted((max(a - lead, 0), min(b - lead, len(bare))) for a, b in marks):
        if start >= end:
            continue
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return Passage(text=bare, marks=tuple(merged))


def _telling(found: dict[Range, Passage], limit: int) -> list[Range]:
    """The sentences to show."""
    left = {
        sentence: {passage.text[start:end].casefold() for start, end in passage.marks}
        for sentence, passage in found.items()
        if passage.marks
    }
    shown: set[str] = set()
    chosen: list[Range] = []
    while left and len(chosen) < limit:
        best = max(left, key=lambda sentence: (len(left[sentence] - shown), len(found[sentence].marks), -sentence[0]))
        shown |= left.pop(best)
        chosen.append(best)
    return chosen


def _at_words(text: str, start: int, end: int) -> Range:
    """The range drawn in to word borders, where one lies near enough; scripts without spaces are cut anywhere."""
    if start:
        border = text.find(" ", start, start + 30)
        start = border + 1 if border >= 0 else start
    if end < len(text):
        border = text.rfind(" ", end - 30, end + 1)
        end = border if border > start else end
    return start, end
