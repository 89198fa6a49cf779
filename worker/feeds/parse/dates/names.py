"""The names of months and days in the languages of CLDR that feeds write, and the form in which they are compared.

`names.txt` is made by `tests/datenames.py`.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

#: Accents of Latin, Greek and Cyrillic letters; the vowels of Khmer, Lao and Thai are other marks, and stay.
_ACCENTS = dict.fromkeys(range(768, 880))
#: Zero widths, soft hyphens, marks of direction.
_UNSEEN = dict.fromkeys((173, *range(8203, 8208), *range(8234, 8239), *range(8288, 8298), 65279))
#: Of other scripts.
_DIGITS = re.compile(r"[^\D0-9]")
#: Of an abbreviation.
_STOPS = re.compile(r"(?<=[^\d\s])\.")
#: Hyphens, dashes and the minus sign.
_DASHES = dict.fromkeys((*range(8208, 8214), 8722), "-")


#: A number or a word, whatever stands between them.
TOKEN = re.compile(r"\d+|[^\s\d:;,./()\[\]+\-|'’\"–—&@·•=_*~#!?]+")


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


#: Words of dates that carry nothing, folded.
FILLERS = _words(
    "t at on of the and h hrs hour hours o clock de del di da do d den der dem um uhr am le la el les las los a as alle"
    " ore ora heure heures g г р v года року ngay nam luc vao hoi kl klo pukul y e"
)


class Names(NamedTuple):
    """Words in folded form, with the months (1 to 12) and days (0 is Monday) that they mean."""

    months: Mapping[str, int]
    days: Mapping[str, int]


def composed(text: str) -> str:
    """`text` in lower case, with compatibility forms resolved, digits of any script as 0 to 9, one kind of dash."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text.translate(_UNSEEN)).casefold().translate(_DASHES)
    return _DIGITS.sub(lambda found: str(unicodedata.decimal(found[0])), text)


def folded(text: str) -> str:
    """`text` as `composed`, without accents, and without full stops behind letters (`sept.`, `p.m.`)."""
    text = composed(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).translate(_ACCENTS))
    return _STOPS.sub("", text)


@cache
def names() -> Names:
    """The table, read once."""
    months: dict[str, int] = {}
    days: dict[str, int] = {}
    for line in (files(__package__) / "names.txt").read_text(encoding="utf-8").splitlines():
        kind, number, *words = line.split(" ")
        (months if kind == "month" else days).update(dict.fromkeys(words, int(number)))
    return Names(months, days)
