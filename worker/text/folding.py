"""Folding: the form in which words are compared."""

import re
import sys
import unicodedata
from functools import cache, lru_cache

#: Every character that is written for an apostrophe. Some are letters to Unicode, none is one to us.
APOSTROPHES = "'\u2019\u2018\u201b\u02bc\u02b9\u02bb\u02bd\u2032\u0060\u00b4\uff07\ua78c"

_APOSTROPHES = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))
_LETTERS = str.maketrans({"đ": "d", "œ": "oe"})


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """The form in which `word` is compared: NFKC, case folded, no marks on Latin letters, `đ` as d, `œ` as oe.

    Folding twice is folding once. Marks of other scripts stay: they are vowels there. Apostrophes become `'`.
    """
    # Interned: equal words are then one object, which halves the time that a large index of rules takes to find them.
    return sys.intern(fold_text(word))


def fold_text(text: str) -> str:
    """`fold` for a long text, which is not worth remembering."""
    if text.isascii():
        return text.lower().replace("`", "'")
    folded = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).casefold()
    folded = _marked().sub(_without_marks, unicodedata.normalize("NFD", folded)).translate(_LETTERS)
    # Case folding can leave compatibility characters behind (UAX 15, NFKC_Casefold), so until nothing changes.
    folded = unicodedata.normalize("NFKC", folded)
    return folded if folded == text else fold_text(folded)


def fold_alphabet(text: str) -> str:
    """`fold` for millions of characters of few kinds: each is folded once, if none looks at its neighbour."""
    alphabet = set(text)
    if any(unicodedata.category(char).startswith("M") or _is_jamo(char) for char in alphabet):
        return fold_text(text)
    # One pass for each kind is faster than one table asked for each character. What a pass writes is folded already.
    for char in alphabet:
        if (folded := fold_text(char)) != char:
            text = text.replace(char, folded)
    return text


def _is_jamo(char: str) -> bool:
    """Hangul's single letters, the only ones that join with what follows without being marks."""
    return "\u1100" <= char <= "\u11ff" or "\ua960" <= char <= "\ua97f" or "\ud7b0" <= char <= "\ud7ff"


@cache
def marks() -> str:
    """All combining marks, as the inside of a regular expression's character class.

    The list takes some milliseconds, so it is made when the first word needs it.
    """
    ranges: list[list[int]] = []
    for code in (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0)):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


@cache
def _marked() -> re.Pattern[str]:
    return re.compile(rf"([^\W\d_])[{marks()}]+")


def _without_marks(found: re.Match[str]) -> str:
    return found[1] if _is_latin(found[1]) else found[0]


@cache
def _is_latin(char: str) -> bool:
    return unicodedata.name(char, "").startswith("LATIN")
