"""Folding: the form in which words are compared."""

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Literal

#: Every character that is written for an apostrophe. Some are letters to Unicode, none is one to us.
APOSTROPHES = "'\u2019\u2018\u201b\u02bc\u02b9\u02bb\u02bd\u2032\u0060\u00b4\uff07\ua78c"

#: Characters of a word: some become eighteen, and all words are remembered.
_LONGEST = 1_000

_APOSTROPHES = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))
#: Letters that Unicode does not take apart, and that are typed without their stroke or apart.
_LETTERS = str.maketrans({"đ": "d", "ð": "d", "œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "ı": "i"})


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """The form in which `word` is compared: NFKC, case folded, no marks on Latin letters, `đ` as d, `œ` as oe.

    Folding twice is folding once. Marks of other scripts stay, in one order: they are vowels there. Characters that
    are not shown vanish, as do the full stops of dotted capitals. Apostrophes become `'`. Of a longer word, the first
    1,000 characters count.
    """
    folded = fold_text(word[:_LONGEST]).replace(".", "")[:_LONGEST]
    # Interned: equal words are then one object, which halves the time that a large index of rules takes to find them.
    return sys.intern(folded)


def normal(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """`unicodedata.normalize` in time that grows with the text: of more than 30 marks in a row, 30 are kept.

    To put marks in order takes the square of their number. No language needs more of them on a letter than UAX 15
    allows in its Stream-Safe Text Format.
    """
    if _GAP.search(text):  # marks are no letters, and the class of all marks is slow to ask
        text = _GAP.sub(lambda found: _many_marks().sub(r"\1", found[0]), text)
    return unicodedata.normalize(form, text)


_GAP = re.compile(r"[^\w\s\x00-\x7f]{31,}")


@cache
def _many_marks() -> re.Pattern[str]:
    return re.compile(rf"([{marks()}]{{30}})[{marks()}]+")


def fold_text(text: str) -> str:
    """`fold` for a long text, which is not worth remembering."""
    if text.isascii():
        return text.lower().replace("`", "'")
    shown = _INVISIBLE.sub("", text)
    folded = normal("NFKC", shown.translate(_APOSTROPHES)).casefold()
    folded = _marked().sub(_without_marks, normal("NFD", folded)).translate(_LETTERS)
    # Case folding can leave compatibility characters behind (UAX 15, NFKC_Casefold), so until nothing changes.
    folded = in_one_order(normal("NFKC", folded))
    return folded if folded == text else fold_text(folded)


def fold_alphabet(text: str) -> str:
    """`fold` for millions of characters of few kinds: each is folded once, if none looks at its neighbour."""
    alphabet = set(text)
    if any(unicodedata.category(char).startswith("M") or _is_jamo(char) or _is_ordered(char) for char in alphabet):
        return fold_text(text)
    # One pass for each kind is faster than one table asked for each character. What a pass writes is folded already.
    for char in alphabet:
        if (folded := fold_text(char)) != char:
            text = text.replace(char, folded)
    return text


def _is_jamo(char: str) -> bool:
    """Hangul's single letters, the only ones that join with what follows without being marks."""
    return "\u1100" <= char <= "\u11ff" or "\ua960" <= char <= "\ua97f" or "\ud7b0" <= char <= "\ud7ff"


def _is_ordered(char: str) -> bool:
    """Tells whether its spelling depends on its neighbours: Thai, Lao and Khmer."""
    return "\u0e00" <= char <= "\u0eff" or "\u1780" <= char <= "\u17ff"


#: What is not shown and parts no words: soft hyphens, zero widths, marks of direction, Khmer's inherent vowels, and
#: what else Unicode calls a format character or ignorable by default. As the inside of a character class.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")


def plain(text: str) -> tuple[str, list[int] | None]:
    """`text` in NFC without what is not shown, and for each of its characters and its end the offset in `text`.

    None where each character stands where it stood.
    """
    if text.isascii() or (unicodedata.is_normalized("NFC", text) and not _INVISIBLE.search(text)):
        return text, None
    pieces: list[str] = []
    offsets: list[int] = []
    for found in _composed().finditer(text):
        piece = normal("NFC", _INVISIBLE.sub("", found[0]))
        pieces.append(piece)
        # All of what composes to several characters begins where the first does.
        offsets.extend([found.start()] * len(piece))
    return "".join(pieces), [*offsets, len(text)]


@cache
def _composed() -> re.Pattern[str]:
    """A character and whatever may join with it under NFC."""
    jamo = "\u1160-\u11ff\ud7b0-\ud7ff"
    return re.compile(rf"(?s:.)[{marks()}{jamo}{INVISIBLE}]*")


def in_one_order(folded: str) -> str:
    """Thai, Lao and Khmer spelt in one way: vowels of two codes as one, marks of one letter in one order."""
    if not _ORDERED.search(folded):
        return folded
    for two, one in _TWO_CODES.items():
        folded = folded.replace(two, one)
    folded = _KHMER.sub(_khmer, folded)
    return _MARKS_ABOVE.sub(lambda found: "".join(sorted(found[0])), folded)


_ORDERED = re.compile("[\u0e00-\u0eff\u1780-\u17ff]")
#: SARA E twice for SARA AE, Thai and Lao; HO and NO, HO and MO are taken apart by NFKC already.
_TWO_CODES = {"\u0e40\u0e40": "\u0e41", "\u0ec0\u0ec0": "\u0ec1"}
_MARKS_ABOVE = re.compile("[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece]{2,}")
_KHMER = re.compile("(?:\u17d2[\u1780-\u17b3]|[\u17b6-\u17d1\u17dd])+")
_KHMER_PART = re.compile("\u17d2.|.")
#: E and II are OE, E and AA are OO (Unicode core specification, 16.4); TA under a letter looks as DA does.
_KHMER_VOWELS = {"\u17c1\u17b8": "\u17be", "\u17c1\u17b6": "\u17c4"}
_KHMER_RANKS = "\u17cc\u17c9\u17ca"


def _khmer(found: re.Match[str]) -> str:
    """Robat and shifters, letters below (RO last), vowels, signs."""
    parts = sorted(_KHMER_PART.findall(found[0].replace("\u17d2\u178a", "\u17d2\u178f")), key=_khmer_rank)
    ordered = "".join(parts)
    for two, one in _KHMER_VOWELS.items():
        ordered = ordered.replace(two, one)
    return ordered


def _khmer_rank(part: str) -> tuple[int, str]:
    if part[0] == "\u17d2":
        return 2, "" if part[1] != "\u179a" else part
    if part in _KHMER_RANKS:
        return 1, ""
    # E before what it joins with; then vowels before signs, as their codes are ordered.
    return 3, "" if part == "\u17c1" else part


@cache
def marks() -> str:
    """All combining marks, as the inside of a regular expression's character class.

    The list takes some milliseconds, so it is made when the first word needs it.
    """
    codes = (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0))
    return _ranges(chr(code) for code in codes if unicodedata.category(chr(code)).startswith("M"))


def _ranges(chars: Iterable[str]) -> str:
    """Ascending characters as the inside of a regular expression's character class."""
    ranges: list[list[int]] = []
    for code in map(ord, chars):
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
