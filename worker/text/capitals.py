"""Capitals: which words of a text are names, as far as its letters say so."""

import re
from bisect import bisect_left, bisect_right
from functools import cached_property

from worker.model import Part
from worker.text.document import Document

#: What stands between two words where a new sentence begins, though no full stop does: a colon, a bullet, a line's end,
#: a dash with a space, a quotation mark that opens.
_BEGINS = re.compile(r"[:\n•·▪●■◦►‣*|]|(?:^|\s)[-–—‒―]+\s|--|[–—―]$|[«“„‹]\s*$|(?:^|[\s(\[])[\"'‘]\s*$")
#: `Hanoï (VNA)`, `Phnom Penh, 6 February (AKP)`: a place, a date, an agency in brackets.
_DATELINE = re.compile(r"[^\n.:;]{2,60}\([A-Z][A-Za-z/. ]{1,20}\)\s*")
_LINE_END = re.compile(r"\n")
#: Shorter words may be small in a line set in title case: articles, prepositions.
_SMALL = 4
#: A title-case line has so many capitalised words at least, and no more words in all.
_FEWEST, _MOST = 3, 30


class Names:
    """The words of a document that are names: capitalised inside a sentence, in a line that is not all capitals."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._lines: dict[tuple[Part, int], bool] = {}

    def __contains__(self, word: object) -> bool:
        """Tells whether the word with this index is one."""
        assert isinstance(word, int)
        document = self._document
        part = document.part(word)
        text = document.text(part)
        start = document.starts[word]
        if not text[start].isupper() or self._begins_sentence(word, text):
            return False
        line = self._line(part, start)
        if (part, line) not in self._lines:
            self._lines[part, line] = self._is_titled(part, text, line)
        return not self._lines[part, line]

    @cached_property
    def _lines_begin(self) -> dict[Part, list[int]]:
        """The offsets at which the lines of each part begin: to search for each word's backwards costs their square."""
        parts = {part: self._document.text(part) for part in Part}
        return {part: [0, *(found.end() for found in _LINE_END.finditer(text))] for part, text in parts.items()}

    def _line(self, part: Part, offset: int) -> int:
        begins = self._lines_begin[part]
        return begins[bisect_right(begins, offset) - 1]

    def _begins_sentence(self, word: int, text: str) -> bool:
        document = self._document
        if word == 0 or document.sentences[word - 1] != document.sentences[word]:
            return True
        gap = text[document.ends[word - 1] : document.starts[word]]
        if gap == " ":
            return False
        if ")" in gap:
            line = self._line(document.part(word), document.starts[word])
            return _DATELINE.fullmatch(text, line, document.starts[word]) is not None
        return _BEGINS.search(gap) is not None

    def _is_titled(self, part: Part, text: str, line: int) -> bool:
        """Tells whether the line that begins there is set in capitals or in title case."""
        document = self._document
        end = text.find("\n", line)
        end = len(text) if end < 0 else end
        letters = [char for char in text[line:end] if char.isalpha()]
        if sum(char.isupper() for char in letters) > 0.7 * len(letters):
            return True
        first = 0 if part is Part.TITLE else document.title_words
        last = document.title_words if part is Part.TITLE else len(document.folded)
        inside = range(bisect_left(document.starts, line, first, last), bisect_left(document.starts, end, first, last))
        words = [text[document.starts[n] : document.ends[n]] for n in inside]
        if len(words) > _MOST:
            return False
        capitals = sum(word[0].isupper() for word in words)
        return capitals >= _FEWEST and not any(word[0].islower() and len(word) > _SMALL for word in words)
