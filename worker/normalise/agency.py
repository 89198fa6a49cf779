"""The marks that agencies wrap an article in, line by line. Every pattern is built over the table AGENCIES."""

import re

#: Codes under which agencies and newspapers sign, as written; a newcomer goes here and nowhere else.
AGENCIES = (
    "AFP", "AKP", "ANSA", "ANTARA", "AP", "AVI", "BERNAMA", "BNEWS", "CNA", "CTV", "CVN", "DPA", "EFE", "KPL", "KUNA",
    "KYODO", "Kyodo", "NDEL", "NDO", "NNA", "PANA", "PNA", "RIA", "Reuters", "REUTERS", "SGGP", "Sputnik", "TASS",
    "TTXVN", "VNA", "VNP", "VNS", "VOV", "VOV5", "VOVWORLD", "VietnamPlus", "Vietnam+", "XINHUA", "Xinhua", "YONHAP",
    "Yonhap",
)  # fmt: skip
#: Marks that close an article without naming anyone.
ENDS = ("(end)", "(End)", "(END)", "(fin)", "(Fin)", "(FIN)", "(Hết)")
#: What may introduce a link to another article at the start of a line, and may as well open an item of a list.
ARROWS = (">>", "»»", "►", "▶", "→", "➜", "➤", "⇒", "⮕")
#: What introduces nothing but a link to another article.
LABELS = ("Lire aussi :", "À lire aussi :", "A lire aussi :", "Voir aussi :", "Read also:", "Read more:", "See also:",
          "Xem thêm:", "Đọc thêm:")  # fmt: skip

_KNOWN = "|".join(re.escape(code) for code in sorted(AGENCIES, key=len, reverse=True))
#: One code or several joined by slashes, of which one is known: `VNA`, `AFP/VNA/CVN`, `TTXVN/Vietnam+`.
_AGENCY = rf"(?:[A-Z][\w+]{{1,11}}/){{0,3}}(?:{_KNOWN})(?:/[A-Z][\w+]{{1,11}}){{0,3}}(?![\w+])"
_DASH = r"[-–—―]{1,2}"
_CAPITAL = r"[^\W\d_a-zà-öø-ÿ]"
_PARTICLE = r"(?:d['’]|l['’]|de|du|des|la|le|les|et|en|sur|of|the|and)"
#: `Phnom Penh`, `Hanoï`, `Hô Chi Minh-Ville`, `Washington D.C.`
_PLACE = rf"(?:{_CAPITAL}[\w'’.\-]*)(?:(?:[ /]|[ ][\-–][ ])(?:{_PARTICLE}[ ]?)?{_CAPITAL}[\w'’.\-]*){{0,5}}"
#: `, le 20 décembre 2016`, `, 6 février`, `, Feb 17`, `, ngày 6/2`
_DATE = r",[ ](?:(?:le|on|ngày)[ ])?(?=[^()\n]{0,24}\d)[\w./ ]{1,24}?"
_HEAD = re.compile(
    rf"(?:{_PLACE}(?:{_DATE})?[ ]?)?\({_AGENCY}\)[ ]?(?:{_DASH}|:)?[ ]*"
    rf"|{_AGENCY}[ ]{_PLACE}{_DATE}[ ]?{_DASH}[ ]*"
    rf"|{_AGENCY}[ ]{_DASH}[ ]+"
)
#: A head that extraction glued behind a caption or a lead.
_GLUED_HEAD = re.compile(rf"(?<=[.!?…»”\"])[ ]*(?={_PLACE}(?:{_DATE})?[ ]?\({_AGENCY}\)[ ]?{_DASH})")

_WORD_PHOTO = r"(?:Photos?|PHOTOS?|Ph|Ảnh|Crédits?(?:[ ]photos?)?|Images?|Illustration)"
_CREDIT = re.compile(
    # `Photo : VNA`, `(Photo: AFP/VNA)`, `Photo d'illustration : VNA/CVN`, `Lan Anh/VNA` as the one who took it.
    rf"[ ]*[(\[]?(?:{_DASH}[ ]?)?\b{_WORD_PHOTO}(?:[ ][\w'’ ]{{1,24}})?[ ]?[:/©][ ]?(?:[\w .'’\-]{{1,40}}[/\-–][ ]?)?"
    rf"{_AGENCY}[.)\]]*$"
    # `— VNA/VNS Photo An Hieu`
    rf"|[ ]*{_DASH}[ ]?{_AGENCY}[ ]Photos?(?:[ ]{_PLACE})?[.)\]]*$"
    # Anyone else's credit must stand apart from the sentence before it, and be a name.
    rf"|(?:^|(?<=[.!?…»”\"])[ ]*|[ ]*[(\[]){_WORD_PHOTO}[ ]?[:©][ ]?(?:Internet|[Aa]rchives|{_PLACE})[)\].]*$"
)
_GLUED_CREDIT = re.compile(
    rf"(?<=[.!?…»”\"])[ ]*\b{_WORD_PHOTO}[ ]?:[ ]?(?:{_KNOWN})(?:/(?:{_KNOWN}))*[.)]?(?:[ ]+(?={_CAPITAL})"
    rf"|(?={_CAPITAL}[^\WA-Z\d_]))"
)
#: A caption is a sentence or two; a longer line that ends in a credit is an article glued together.
_LONGEST_CAPTION = 600
_LONGEST_MARK = 160
#: A longer line that opens with a label holds more than the link.
_LONGEST_LABELLED = 250

_NAME = rf"{_CAPITAL}[\w'’\-]*(?:[ ]{_CAPITAL}[\w'’\-]*){{0,4}}"
_ENDS = "|".join(re.escape(end) for end in ENDS)
_SIGN_OFF = re.compile(
    # Alone on its line, perhaps after the author's name: `VNA/CVN`, `(VNA)`, `-VNA`, `Thanh Tuê/CVN`.
    rf"^(?:{_NAME}[ ]?[/\-–—][ ]?)?(?:{_DASH}[ ]?)?[(\[]?{_AGENCY}[)\]]?[./ ]*$"
    # After a dash, or after the end of a sentence: `…. -VNA`, `…. – VNA`, `….VNA/CVN`, `…. (VNA)`.
    rf"|[ ]*{_DASH}[ ]?[(\[]?{_AGENCY}[)\]]?[./ ]*$"
    rf"|(?<=[.!?…»”\")])[ ]*[(\[]?{_AGENCY}[)\]]?[./ ]*$"
    rf"|[ ]*(?:{_ENDS})$"
    # `/.` closes an article behind its last full stop, or with one of its own: `….`, `…./.` and `…../.` end alike.
    r"|(?<=[.!?…»”\"])[ ]*\.?/\.$|[ ]+\.?/\.$|/\.$"
)
_ARROW = re.compile("|".join(re.escape(mark) for mark in ARROWS))
_LABEL = re.compile("|".join(re.escape(mark) for mark in LABELS))


def glued(text: str) -> str:
    """The text with the paragraphs parted again that extraction glued at a head or a credit."""
    return _GLUED_HEAD.sub("\n\n", _GLUED_CREDIT.sub("\n\n", text))


def is_caption(line: str) -> bool:
    """Tells whether the line is a picture's caption with its credit, and not an article that a credit was glued to."""
    return without_credit(line) != line and len(line) <= _LONGEST_CAPTION


def has_arrow(line: str) -> bool:
    """Tells whether the line opens with an arrow."""
    return _ARROW.match(line) is not None


def has_label(line: str) -> bool:
    """Tells whether the line says of itself that it leads to another article."""
    return _LABEL.match(line) is not None and len(line) <= _LONGEST_LABELLED


def without_credit(line: str) -> str:
    """The line without the credits that it ends in."""
    return _without_end(line, _CREDIT)


def without_head(line: str) -> str:
    """The line without the agency heads that it opens with, unless it is nothing else."""
    while (found := _HEAD.match(line)) and found.end() < len(line):
        line = line[found.end() :]
    return line


def unsigned(line: str) -> str:
    """The line without the sign-offs that it ends in."""
    return _without_end(line, _SIGN_OFF)


def has_credit_or_head(line: str) -> bool:
    """Tells whether a line is a caption with its credit, or opens with an agency's head."""
    return without_credit(line) != line or _HEAD.match(line) is not None


def _without_end(line: str, mark: re.Pattern[str]) -> str:
    """The line without what `mark` matches at its end, looked for in its last characters only: a mark is short."""
    end = len(line)
    while found := mark.search(line, max(0, end - _LONGEST_MARK), end):
        end = found.start()
        while end and line[end - 1].isspace():
            end -= 1
    return line[:end]
