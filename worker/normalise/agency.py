"""What agencies wrap an article in, and how it is taken off.

    text ──captions, related lines──> ──agency heads──> ──sign-off, and all behind it──> body

Captions go first, since their credits look like sign-offs; and only what ends a line is a sign-off, since agencies are
also quoted. Every pattern is built over the table AGENCIES.
"""

import re
from collections.abc import Callable, Sequence
from itertools import accumulate

#: Codes under which agencies and newspapers sign, as written; a newcomer goes here and nowhere else.
AGENCIES = (
    "AFP", "AKP", "ANSA", "ANTARA", "AP", "AVI", "BERNAMA", "BNEWS", "CNA", "CTV", "CVN", "DPA", "EFE", "KPL", "KUNA",
    "KYODO", "Kyodo", "NDEL", "NDO", "NNA", "PANA", "PNA", "RIA", "Reuters", "REUTERS", "SGGP", "Sputnik", "TASS",
    "TTXVN", "VNA", "VNP", "VNS", "VOV", "VOV5", "VOVWORLD", "VietnamPlus", "Vietnam+", "XINHUA", "Xinhua", "YONHAP",
    "Yonhap",
)  # fmt: skip
#: Marks that close an article without naming anyone.
ENDS = ("(end)", "(End)", "(END)", "(fin)", "(Fin)", "(FIN)", "(Hết)")
#: What introduces a link to another article, at the start of a line.
RELATED = (">>", "»»", "►", "▶", "Lire aussi :", "À lire aussi :", "A lire aussi :", "Voir aussi :", "Read also:",
           "Read more:", "See also:", "Xem thêm:", "Đọc thêm:")  # fmt: skip

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
_RELATED = re.compile(rf"(?:{'|'.join(re.escape(mark) for mark in RELATED)})")

_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u00ad]")
_BLANK_LINES = re.compile(r"\n\n+")


def clean(body: str) -> str:
    """`body` without captions, related lines, agency heads, and the sign-off with all that follows it.

    Paragraphs stay parted by one empty line, and lines within them stay lines. Never empties a text: one that is all
    caption keeps its words, one that is all credit stays. Applied to its own result it changes nothing.
    """
    text = _tidy(body)
    while (shorter := _unwrapped(text)) != text:
        text = shorter
    return text


def _unwrapped(text: str) -> str:
    """One pass; captions are kept, without their credits, where nothing else is there."""
    paragraphs = [paragraph.split("\n") for paragraph in _glue(text).split("\n\n")]
    for caption in (_without_caption, _without_credit):
        found = [_lines(paragraph, caption) for paragraph in paragraphs]
        if body := _tidy("\n\n".join("\n".join(lines) for lines in _signed_off(found))):
            return body
    return text


def _glue(text: str) -> str:
    """The text with the paragraphs parted again that extraction glued at a head or a credit."""
    return _GLUED_HEAD.sub("\n\n", _GLUED_CREDIT.sub("\n\n", text))


def _lines(paragraph: Sequence[str], caption: Callable[[str], str]) -> list[str]:
    """A paragraph's lines without related ones, captions and agency heads."""
    kept = (caption(line) for line in paragraph if not _RELATED.match(line))
    return [_without_head(line) for line in kept if line]


def _without_caption(line: str) -> str:
    shorter = _without_credit(line)
    return shorter if shorter == line or len(line) > _LONGEST_CAPTION else ""


def _without_credit(line: str) -> str:
    return _without_end(line, _CREDIT)


def _without_head(line: str) -> str:
    while (found := _HEAD.match(line)) and found.end() < len(line):
        line = line[found.end() :]
    return line


def _signed_off(paragraphs: Sequence[Sequence[str]]) -> list[list[str]]:
    """The paragraphs up to the sign-off; a mark with more text behind it, up to another mark, than before is a credit.

    A mark that nothing stands before is a source's name, and is dropped alone.
    """
    marked = [(number, _unsigned(line)) for number, paragraph in enumerate(paragraphs) for line in paragraph]
    written = [0, *accumulate(len(line) for _, (line, _) in marked)]
    marks = [index for index, (_, (_, signed)) in enumerate(marked) if signed]
    end = len(marked)
    for mark, following in zip(marks, (*marks[1:], None), strict=False):
        before = written[mark + 1]
        if before and (following is None or written[following + 1] - before <= before):
            end = mark + 1
            break
    kept: list[list[str]] = [[] for _ in paragraphs]
    for number, (line, _) in marked[:end]:
        kept[number].append(line)
    return kept


def _unsigned(line: str) -> tuple[str, bool]:
    """The line without the marks it ends in, and whether it had any."""
    shorter = _without_end(line, _SIGN_OFF)
    return shorter, shorter != line


def _without_end(line: str, mark: re.Pattern[str]) -> str:
    """The line without what `mark` matches at its end, looked for in its last characters only: a mark is short."""
    end = len(line)
    while found := mark.search(line, max(0, end - _LONGEST_MARK), end):
        end = found.start()
        while end and line[end - 1].isspace():
            end -= 1
    return line[:end]


def _tidy(text: str) -> str:
    """One kind of line break, one space between words, one empty line between paragraphs, nothing unstorable."""
    text = _UNSTORABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def has_credit_or_head(line: str) -> bool:
    """Whether a line is a caption with its credit, or opens with an agency's head."""
    return _without_credit(line) != line or _HEAD.match(line) is not None
