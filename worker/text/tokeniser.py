"""The tokeniser: where the words of a text stand."""

import re
from functools import cache

from worker.text.folding import APOSTROPHES, INVISIBLE, marks

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
