"""An entry's summary and its content as one text: a standfirst is part of the article, and is said once."""

import re
from collections.abc import Iterator, Sequence

from worker.analysis.text import fold

#: Letters of scripts without spaces stand for words of their own: Thai, Lao, Khmer, Chinese, Japanese.
_WORD = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")
#: Sequences of so many words are compared, so that a standfirst made of an article's words is not taken for a part.
_RUN = 3
#: A teaser ends so, and within a word.
_CUT = re.compile(r"(?:…|\.\.\.)\W*$")


def with_standfirst(summary: str, content: str) -> str:
    """Both texts, paragraphs parted by an empty line, without what either repeats of the other.

    The longer one stays whole; what only the summary says goes before the content, as a standfirst does.
    """
    if len(summary) > len(content):
        return "\n\n".join((summary, *_missing(content, summary)))
    return "\n\n".join((*_missing(summary, content), content))


def _missing(text: str, other: str) -> Iterator[str]:
    """The paragraphs of a text that the other one does not hold."""
    there = set(_runs(_words(other)))
    words = frozenset(_words(other))
    for paragraph in text.split("\n\n"):
        own = _words(paragraph)
        runs = _runs(own)
        if not own:
            continue
        if _CUT.search(paragraph):
            own, runs = own[:-1], runs[:-1]
        # Whole, since one new word may be the news: what is said twice costs less than what is lost.
        if not (there.issuperset(runs) if runs else words.issuperset(own)):
            yield paragraph


def _words(text: str) -> list[str]:
    return _WORD.findall(fold(text))


def _runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(_RUN)), strict=False))
