"""An article as words: folded forms, places, sentences, paragraphs."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, wraps
from itertools import pairwise
from typing import TypeVar

from worker.analysis.text.folding import APOSTROPHES, INVISIBLE, fold, marks
from worker.model import Part

_Made = TypeVar("_Made")

# The tokeniser: where the words of a text stand.


#: Letters that stand before an apostrophe in French and are no words of their own.
ELIDED = ("jusqu", "lorsqu", "puisqu", "quoiqu", "qu", "l", "d", "j", "m", "t", "s", "n", "c")

#: Scripts that leave no spaces: Thai, Lao, Khmer, Han, Hiragana, Katakana (Unicode blocks, without punctuation).
_SPACELESS = (
    "\u0e00-\u0eff\u1780-\u17d3\u17d7-\u17ff\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b"
    "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9d\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
#: Letters to Unicode that only complete the cluster before them: Thai and Lao AM, half-width voicing marks.
_COMPLETING = "\u0e33\u0eb3\uff9e\uff9f"
#: Khmer COENG puts the next consonant under the one before: one cluster.
_COENG = "\u17d2"
#: Two letters for one: SARA E twice for SARA AE, and Lao's HO with NO or MO, which have codes of their own too.
_DIGRAPHS = "\u0e40\u0e40|\u0ec0\u0ec0|\u0eab[\u0e99\u0ea1]"
#: Thai and Lao AM as two codes, with or without a tone between.
_AM = "\u0e4d[\u0e48-\u0e4b]*\u0e32|\u0ecd[\u0ec8-\u0ecb]*\u0eb2"


def words(text: str) -> list[tuple[int, int]]:
    """Character ranges [start, end) of the words of `text`, in order.

    A word is a run of letters, digits and their combining marks; in scripts without spaces, one character cluster.
    What is not shown parts no word; dotted capitals (`O.N.U.`) are one. Elided articles and pronouns (`l'`, `qu'`) are
    left out; `aujourd'hui` is one word.
    """
    pattern = _ASCII_WORD if text.isascii() else _any_word(_PLAIN)
    return [m.span(m.lastindex) for m in pattern.finditer(text) if m.lastindex]


_HEAD = rf"(?i:{'|'.join(ELIDED[:5])}|[{''.join(ELIDED[5:])}])"
#: `O.N.U.`, without its last full stop.
_DOTTED = r"[A-Z\u00c0-\u00d6\u00d8-\u00de](?:\.[A-Z\u00c0-\u00d6\u00d8-\u00de])++"
#: Fast ways for the commonest texts and words; the same answer as `_any_word("")` alone, which tests hold. Letters with
#: no apostrophe behind them are tried first, as nothing is elided there.
_ASCII_WORD = re.compile(
    rf"({_DOTTED}(?![A-Za-z0-9]))|([A-Za-z0-9]++)(?!['`])|{_HEAD}['`]"
    r"|((?i:aujourd)['`](?i:hui)(?![A-Za-z0-9])|[A-Za-z0-9]+)"
)
_PLAIN = (
    r"([A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01bf]++)"
    r"(?=[\s,;:!?()\u00ab\u00bb\"/-]|\.(?![A-Z\u00c0-\u00d6\u00d8-\u00de])|\Z)|"
)


@cache
def _any_word(first: str) -> re.Pattern[str]:
    """The word pattern for any text, with alternatives to be tried first."""
    letter = rf"[^\W_{APOSTROPHES}{_SPACELESS}{_COMPLETING}]"
    mark = rf"[{marks()}{_COMPLETING}]"
    hidden = f"[{INVISIBLE}]"
    run = rf"{letter}+(?:{mark}+{letter}*|{hidden}+(?:{letter}|{mark})+)*"
    base = rf"(?:{_DIGRAPHS}|(?=[^\W_])[{_SPACELESS}])"
    below = rf"{_COENG}(?=[^\W_])[{_SPACELESS}]"
    cluster = rf"{base}(?:{hidden}*(?:{below}|{_AM}|{mark}))*"
    today = rf"(?i:aujourd)[{APOSTROPHES}](?i:hui)(?!{letter}|{mark})"
    dotted = rf"{_DOTTED}(?!{letter}|{mark})"
    return re.compile(rf"{first}({dotted})|{_HEAD}[{APOSTROPHES}]|({today}|{run}|{cluster})")


#: Longer texts are read each time they come: they come once.
_REMEMBERED, _MOST_REMEMBERED = 64, 1 << 16


class Remembered(dict[str, _Made]):
    """Results for short texts, so many at most; a dictionary is asked in half the time of an `lru_cache`."""

    def __init__(self, make: Callable[[str], _Made]) -> None:
        self._make = make

    def __missing__(self, text: str) -> _Made:
        """Make it, and keep it."""
        made = self._make(text)
        if len(text) <= _REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[text] = made
        return made


def _words_of(run: str) -> tuple[tuple[int, int, str, str], ...]:
    """The words of what stands between two spaces: start, end, as written, folded."""
    return tuple((start, end, run[start:end], fold(run[start:end])) for start, end in words(run))


_runs = Remembered(_words_of)

#: A longer sentence or paragraph is cut there, so that no query's work grows without bound.
MAX_SENTENCE = 200
MAX_PARAGRAPH = 1_000


@dataclass(frozen=True, kw_only=True)
class Document:
    """An article's words, the title's first, in parallel tuples; elided words are left out."""

    title: str
    body: str
    #: BCP 47 primary tag.
    language: str
    #: Each word as published.
    written: tuple[str, ...]
    #: Each word as `fold` gives it.
    folded: tuple[str, ...]
    #: Character offsets [start, end) within the word's own part, as published.
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    #: Numbers that grow through the document; title and body share none.
    sentences: tuple[int, ...]
    paragraphs: tuple[int, ...]
    #: Words [0, title_words) are the title's, the others the body's.
    title_words: int
    #: Offsets at which the sentences of the title, and those of the body, begin.
    sentence_starts: tuple[tuple[int, ...], tuple[int, ...]]
    #: Whether some sentence, some paragraph was cut because it has too many words.
    cut_sentence: bool = False
    cut_paragraph: bool = False

    @cached_property
    def sentence_words(self) -> tuple[tuple[int, int], ...]:
        """The words [first, last) of each sentence that has some, in order."""
        if not self.folded:
            return ()
        starts = [at for at, (one, next_one) in enumerate(pairwise(self.sentences), 1) if one != next_one]
        return tuple(pairwise((0, *starts, len(self.folded))))

    @cached_property
    def capitals(self) -> tuple[int, ...]:
        """The words that begin with a capital."""
        return tuple([at for at, word in enumerate(self.written) if word[:1].isupper()])

    def part(self, word: int) -> Part:
        """The part that the word with this index stands in."""
        return Part.TITLE if word < self.title_words else Part.BODY

    def text(self, part: Part) -> str:
        """The part as published."""
        return self.title if part is Part.TITLE else self.body

    def sentence_at(self, part: Part, offset: int) -> tuple[int, int]:
        """The character range [start, end) of the sentence round `offset` in `part`, without outer white space."""
        text = self.text(part)
        starts = self.sentence_starts[0 if part is Part.TITLE else 1]
        following = bisect_right(starts, offset)
        start = starts[following - 1] if following else 0
        end = starts[following] if following < len(starts) else len(text)
        sentence = text[start:end]
        start += len(sentence) - len(sentence.lstrip())
        return start, start + len(sentence.strip())


def once(make: Callable[[Document], _Made]) -> Callable[[Document], _Made]:
    """Make a part of a document when it is first asked for, and keep it with the document."""
    name = f"{make.__module__}.{make.__name__}"

    @wraps(make)
    def part(document: Document) -> _Made:
        parts = vars(document)
        if name not in parts:
            parts[name] = make(document)
        made: _Made = parts[name]
        return made

    return part


def analyse(title: str, body: str, language: str) -> Document:
    """The words of an article. Paragraphs of `body` are parted by an empty line; any text is accepted."""
    head = _read(title, 0, 0)
    tail = _read(body, head.next_sentence, head.next_paragraph)
    return Document(
        title=title,
        body=body,
        language=language.partition("-")[0].lower(),
        written=(*head.written, *tail.written),
        folded=(*head.folded, *tail.folded),
        starts=(*head.starts, *tail.starts),
        ends=(*head.ends, *tail.ends),
        sentences=(*head.sentences, *tail.sentences),
        paragraphs=(*head.paragraphs, *tail.paragraphs),
        title_words=len(head.folded),
        sentence_starts=(tuple(head.sentence_starts), tuple(tail.sentence_starts)),
        cut_sentence=head.cut_sentence or tail.cut_sentence,
        cut_paragraph=head.cut_paragraph or tail.cut_paragraph,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """One part, read."""

    written: list[str]
    folded: list[str]
    starts: list[int]
    ends: list[int]
    sentences: list[int]
    paragraphs: list[int]
    sentence_starts: list[int]
    next_sentence: int
    next_paragraph: int
    cut_sentence: bool
    cut_paragraph: bool


def _read(text: str, sentence: int, paragraph: int) -> _Text:
    starts: list[int] = []
    ends: list[int] = []
    written: list[str] = []
    folded: list[str] = []
    at = 0
    for run in text.split(" "):  # no word has a space in it, nor depends on what stands beyond one
        for start, end, word, form in _runs[run]:
            starts.append(at + start)
            ends.append(at + end)
            written.append(word)
            folded.append(form)
        at += len(run) + 1
    empty_lines = [m.end() for m in _EMPTY_LINE.finditer(text)]
    paragraph_starts = _cut(empty_lines, starts, MAX_PARAGRAPH)
    breaks = sorted({*_sentence_breaks(text), *paragraph_starts[1:]})
    sentence_starts = _cut(breaks, starts, MAX_SENTENCE)
    return _Text(
        written=written,
        folded=folded,
        starts=starts,
        ends=ends,
        sentences=_numbers(sentence_starts, starts, sentence),
        paragraphs=_numbers(paragraph_starts, starts, paragraph),
        sentence_starts=sentence_starts,
        next_sentence=sentence + len(sentence_starts),
        next_paragraph=paragraph + len(paragraph_starts),
        cut_sentence=len(sentence_starts) > len(breaks) + 1,
        cut_paragraph=len(paragraph_starts) > len(empty_lines) + 1,
    )


def _cut(breaks: list[int], starts: list[int], most: int) -> list[int]:
    """Offsets at which units begin (0 first), given the breaks between them, none with more than `most` words."""
    begins: list[int] = []
    for begin, end in zip([0, *breaks], [*breaks, None], strict=True):
        first = bisect_left(starts, begin)
        last = len(starts) if end is None else bisect_left(starts, end)
        begins.append(begin)
        if last - first > most:
            begins.extend(starts[word] for word in range(first + most, last, most))
    return begins


def _numbers(begins: list[int], starts: list[int], number: int) -> list[int]:
    """For each word, the number of the unit it stands in; units are counted from `number`."""
    numbers: list[int] = []
    for following in begins[1:]:
        numbers.extend([number] * (bisect_left(starts, following) - len(numbers)))
        number += 1
    numbers.extend([number] * (len(starts) - len(numbers)))
    return numbers


_EMPTY_LINE = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")
_CLOSING = "\"'»”’)\\]"
_END = re.compile(
    # Stops and a space; from a row's first stop only, and without second thoughts: a long row must not cost its square.
    rf"(?<![.!?…])(?P<stop>[.!?…]++)[{_CLOSING}]*+(?:[\s\u00a0\u202f]+[»”][{_CLOSING}]*)?[\s\u00a0\u202f]+"
    r"|(?P<glued>\.)(?=[^\W\d_])"  # Sophea.Lors
    r"|[。！？｡។៕]+[」』”’）]*"
)
_MARK = re.compile(r"[.!?…。！？｡។៕]")
_OPENING = re.compile(r"[ \u00a0\u202f«“‘\"'(\[\-–—]*+")
#: Abbreviations after which a name or a number follows, folded; none that is a word or a name of its own (Sen, col).
_ABBREVIATIONS = frozenset(
    {
        *("m", "mm", "mr", "mrs", "ms", "mme", "mmes", "mlle", "mlles", "mgr", "dr", "drs", "pr", "prof", "st", "ste"),
        *("gen", "lt", "cdt", "sgt", "cf", "env", "p", "pp", "vs"),
    }
)
_LAST_WORD = re.compile(r"[^\W_]+\Z")
_THOUSANDS = re.compile(r"\d{3}(?!\d)")


def _sentence_breaks(text: str) -> list[int]:
    """Offsets at which a new sentence begins."""
    breaks = []
    end = 0
    # To search for what an end begins with takes a tenth of the time that trying `_END` everywhere does.
    for mark in _MARK.finditer(text):
        if mark.start() >= end and (found := _END.match(text, mark.start())):
            end = found.end()
            if _is_end(text, found):
                breaks.append(end)
    return breaks


def _is_end(text: str, found: re.Match[str]) -> bool:
    if found["glued"]:
        return text[found.start() - 1 : found.start()].islower() and text[found.end()].isupper()
    if not found["stop"]:
        return True
    opened = _OPENING.match(text, found.end())
    assert opened is not None
    if text[opened.end() : opened.end() + 1].islower():
        return False
    return found["stop"] != "." or not _is_abbreviated(text, found.start(), found.end())


def _is_abbreviated(text: str, stop: int, following: int) -> bool:
    """Tells whether the full stop at `stop` ends an abbreviation, an initial or the thousands of a number (6. 000)."""
    before = _LAST_WORD.search(text, max(0, stop - 12), stop)
    if before is None:
        return False
    word = before[0]
    if word.isdigit():
        return _THOUSANDS.match(text, following) is not None
    return (len(word) == 1 and word.isupper()) or fold(word) in _ABBREVIATIONS
