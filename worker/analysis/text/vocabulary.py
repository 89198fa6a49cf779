"""Words of French and English that write numbers and dates, folded, and those that no name consists of."""

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import compress

from worker.analysis.text.document import Document, Remembered, once
from worker.analysis.text.folding import fold
from worker.model import Part

_CALENDAR = {
    "Monday": "lundi monday",
    "Tuesday": "mardi tuesday",
    "Wednesday": "mercredi wednesday",
    "Thursday": "jeudi thursday",
    "Friday": "vendredi friday",
    "Saturday": "samedi saturday",
    "Sunday": "dimanche sunday",
    "January": "janvier january jan",
    "February": "fevrier february feb fevr",
    "March": "mars march",
    "April": "avril april",
    # English "may" is far oftener a verb.
    "May": "mai",
    "June": "juin june",
    "July": "juillet july juil",
    "August": "aout august aug",
    "September": "septembre september",
    "October": "octobre october oct",
    "November": "novembre november nov",
    "December": "decembre december dec",
}

DAYS = frozenset(list(_CALENDAR)[:7])
MONTHS = frozenset(list(_CALENDAR)[7:])
#: Folded words to the day or month they name; the capital keeps it apart from folded words.
CALENDAR = {word: name for name, words in _CALENDAR.items() for word in words.split()}

_CARDINALS = {
    2: "deux two",
    3: "trois three",
    4: "quatre four",
    5: "cinq five",
    6: "six",
    7: "sept seven",
    8: "huit eight huitaine",
    9: "neuf nine",
    10: "dix ten dizaine",
    11: "onze eleven",
    12: "douze twelve douzaine dozen",
    13: "treize thirteen",
    14: "quatorze fourteen",
    15: "quinze fifteen quinzaine",
    16: "seize sixteen",
    17: "seventeen",
    18: "eighteen",
    19: "nineteen",
    20: "vingt vingts twenty vingtaine",
    30: "trente thirty trentaine",
    40: "quarante forty quarantaine",
    50: "cinquante fifty cinquantaine",
    60: "soixante sixty soixantaine",
    70: "septante seventy",
    80: "octante huitante eighty",
    90: "nonante ninety",
    100: "cent cents hundred hundreds centaine centaines",
    1000: "mille thousand thousands millier milliers",
    1_000_000: "million millions",
    1_000_000_000: "milliard milliards billion billions",
}
_ORDINALS = {
    1: "premier premiere first",
    2: "deuxieme",
    3: "troisieme third",
    4: "quatrieme fourth",
    5: "cinquieme fifth",
    6: "sixieme sixth",
    7: "septieme seventh",
    8: "huitieme eighth",
    9: "neuvieme ninth",
    10: "dixieme tenth",
    11: "onzieme eleventh",
    12: "douzieme twelfth",
    13: "treizieme thirteenth",
    14: "quatorzieme fourteenth",
    15: "quinzieme fifteenth",
    16: "seizieme sixteenth",
    20: "vingtieme twentieth",
    30: "trentieme thirtieth",
    40: "quarantieme fortieth",
    50: "cinquantieme fiftieth",
    60: "soixantieme sixtieth",
    100: "centieme hundredth",
}

#: Words to the number they write; `un`, `one`, `second` are left out: oftener articles, pronouns and time.
NUMBERS = {
    word: number for table in (_CARDINALS, _ORDINALS) for number, words in table.items() for word in words.split()
}

#: Articles, prepositions, pronouns, forms of address: no names of their own, even when written with a capital.
PLAIN = frozenset(
    """
    a afin ainsi alors apres au aucun aujourd hui aujourdhui aussi autre autres aux avant avec c ce cela celle
    celui ces cet cette ceux chaque chez ci comme comment concernant contre d dans de depuis des dont du durant elle
    elles en enfin ensuite entre est et etait face il ils j jusqu l la le lequel les leur leurs lors lorsqu lorsque m
    mais malgre meme mme monsieur madame n ne ni nos notre nous on or ou par parmi pendant plus plusieurs pour pourtant
    pres puis quand que quel quelle quelque quelques qui qu s sa sans se selon ses si sinon son sous sur t tandis tous
    tout toute toutefois toutes un une vers voici voila vos votre vous y
    about after all also although an and any are as at be because been before both but by during each for from had has
    have he her his how i in into is it its later mr mrs ms new no not of on one only other our over she since so some
    such than that the their them then there these they this those through to under until was we were what when where
    which while who will with would you
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)

#: Agencies, whose initials change from outlet to outlet.
AGENCIES = frozenset(["afp", "akp", "ap", "avi", "cvn", "kpl", "reuters", "tass", "upi", "vna", "vnp", "vov", "xinhua"])


# Capitals: which words of a text are names, as far as its letters say so.


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


#: A sentence of more such words, of which so many begin with a capital, is set in capitals.
_FEW_ABLE, _MOSTLY = 4, 0.7


#: Words that may tell whether a sentence is set in capitals: those with a letter that are no grammar.
_TELLING = Remembered(lambda raw: raw[:1].isalpha() and fold(raw) not in PLAIN)


@once
def _telling(document: Document) -> tuple[list[int], list[int]]:
    """The words that may tell, and those of them that begin with a capital."""
    able = list(compress(range(len(document.written)), map(_TELLING.__getitem__, document.written)))
    return able, [at for at in able if document.written[at][0].isupper()]


@once
def in_capitals(document: Document) -> frozenset[int]:
    """The sentences, by the first word of each, that are set in capitals, which then mark no name."""
    return frozenset(first for first, last in document.sentence_words if is_in_capitals(document, first, last))


def is_in_capitals(document: Document, first: int, last: int) -> bool:
    """Tells whether most of the words [first, last) begin with a capital, grammar left out."""
    able, capitals = (bisect_left(found, last) - bisect_left(found, first) for found in _telling(document))
    return able > _FEW_ABLE and capitals > _MOSTLY * able


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
