"""Cuts what agencies wrap an article in (heads, captions, credits, sign-offs), and keeps what was cut.

    text ──captions, related lines──> ──agency heads──> ──sign-offs, and another article behind them──> body

Captions go first, since their credits look like sign-offs; and only what ends a line is a sign-off, since agencies are
also quoted.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from worker.model import Cut, CutKind

# The marks that agencies wrap an article in, line by line. Every pattern is built over the table AGENCIES.


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


_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u00ad]")
_BLANK_LINES = re.compile(r"\n\n+")
_WORD = re.compile(r"\w+")
#: What a sentence ends in, quotes and brackets behind it; a headline does not.
_SENTENCE_END = re.compile(r"[.…;:,][\s»”\"')\]]*$")
#: Another article behind a sign-off is a headline and its summary.
_LONGEST_HEADLINE, _LONGEST_TAIL, _MOST_TAIL_LINES = 200, 800, 3
#: A headline and summary of whose longer words so many stand in the text before are its own.
_OWN = 0.7
_LONG_WORD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A text without what agencies wrap it in, and what that was."""

    #: Paragraphs parted by one empty line; lines within them stay lines.
    text: str
    cut: tuple[Cut, ...] = ()


def clean(body: str) -> str:
    """The text of `cleaned`, for plain text."""
    return cleaned(body).text


def cleaned(body: str, links: Collection[str] | None = None) -> Cleaned:
    """`body` without captions, related lines, agency heads, sign-offs and another article's headline behind them.

    `links`: the lines that are one link and nothing else, where markup tells. Never empties a text: one that is all
    caption keeps its words, one that is all credit stays. Applied to its own result it changes nothing.
    """
    text, cut = tidy(body), list[Cut]()
    known = None if links is None else frozenset(map(_key, links))
    while True:
        shorter, parts = _pass(text, known)
        if shorter == text:
            return Cleaned(text=text, cut=tuple(cut))
        text = shorter
        cut += parts


def tidy(text: str) -> str:
    """One kind of line break, one space between words, one empty line between paragraphs, nothing unstorable."""
    text = _UNSTORABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def _pass(text: str, links: Collection[str] | None) -> tuple[str, list[Cut]]:
    """One pass; captions are kept, without their credits, where nothing else is there."""
    paragraphs = [paragraph.split("\n") for paragraph in glued(text).split("\n\n")]
    related = _related([line for paragraph in paragraphs for line in paragraph if line], links)
    for with_captions in (False, True):
        cut: list[Cut] = []
        found = [_lines(paragraph, related, cut, with_captions=with_captions) for paragraph in paragraphs]
        if body := tidy("\n\n".join("\n".join(lines) for lines in _signed_off(found, cut))):
            return body, cut
    return text, []


def _related(lines: Sequence[str], links: Collection[str] | None) -> frozenset[str]:
    """The lines that lead to other articles; none where they are most of the text, and so what it has to say.

    Without markup a few lines with arrows amid a text are links, many are a list of its own.
    """
    arrows = [line for line in lines if has_arrow(line)]
    if links is not None:
        found = [line for line in arrows if _key(line) in links]
    else:
        length = sum(map(len, lines))
        found = arrows if 3 * sum(map(len, arrows)) <= length else []
        found = [line for line in found if not _SENTENCE_END.search(line)]
    found += [line for line in lines if has_label(line)]
    rest = sum(map(len, lines)) - sum(map(len, found))
    return frozenset(found) if sum(map(len, found)) <= 2 * rest else frozenset()


def _key(line: str) -> str:
    return " ".join(_WORD.findall(line.casefold()))


def _lines(paragraph: Sequence[str], related: Collection[str], cut: list[Cut], *, with_captions: bool) -> list[str]:
    """A paragraph's lines without related ones, captions and agency heads."""
    kept: list[str] = []
    for line in paragraph:
        if line in related:
            cut.append(Cut(kind=CutKind.RELATED, text=line))
            continue
        if is_caption(line) and not with_captions:
            cut.append(Cut(kind=CutKind.CAPTION, text=line))
            continue
        uncredited = without_credit(line)
        _note(cut, CutKind.CREDIT, line[len(uncredited) :])
        if uncredited:
            body = without_head(uncredited)
            _note(cut, CutKind.HEAD, uncredited[: len(uncredited) - len(body)])
            kept.append(body)
    return kept


def _note(cut: list[Cut], kind: CutKind, text: str) -> None:
    if text.strip():
        cut.append(Cut(kind=kind, text=text.strip()))


def _signed_off(paragraphs: Sequence[Sequence[str]], cut: list[Cut]) -> list[list[str]]:
    """The paragraphs without their sign-offs, and without another article's headline and summary behind one.

    Several texts that are signed one by one, as briefs are, all stay.
    """
    whole = [(number, line) for number, paragraph in enumerate(paragraphs) for line in paragraph]
    bare = [unsigned(line) for _, line in whole]
    end = _end_of_own(bare, [line != short for (_, line), short in zip(whole, bare, strict=True)])
    kept: list[list[str]] = [[] for _ in paragraphs]
    for (number, line), short in zip(whole[:end], bare[:end], strict=True):
        _note(cut, CutKind.SIGN_OFF, line[len(short) :])
        kept[number].append(short)
    if end < len(whole):
        _note(cut, CutKind.TAIL, "\n".join(line for _, line in whole[end:]))
    return kept


def _end_of_own(lines: Sequence[str], signed: Sequence[bool]) -> int:
    """Tells how many of the lines are the article's; the others are another's, behind a sign-off."""
    known: set[str] = set()
    start, length, headed = 0, 0, 0
    for end in (*(at + 1 for at, is_signed in enumerate(signed) if is_signed), len(lines)):
        part = [line for line in lines[start:end] if line]
        own = sum(map(len, part))
        is_short = not signed[end - 1] or 2 * own <= length if end else False
        # Two texts with headlines of their own are the manner of this entry.
        if part and length and headed < 2 and is_short and _is_anothers(part, known):
            return start
        headed += bool(part) and _is_headline(part[0])
        if end < len(lines):  # nobody asks after the last
            known.update(*(_WORD.findall(line.casefold()) for line in part))
        length += own
        start = end
    return len(lines)


def _is_anothers(part: Sequence[str], known: Collection[str]) -> bool:
    """Tells whether lines behind a sign-off look like another article's headline and summary."""
    if not _is_headline(part[0]) or len(part) > _MOST_TAIL_LINES or sum(map(len, part)) > _LONGEST_TAIL:
        return False
    words = [word for word in _WORD.findall(" ".join(part).casefold()) if len(word) >= _LONG_WORD]
    return sum(word in known for word in words) < _OWN * len(words) or not words


def _is_headline(line: str) -> bool:
    return len(line) <= _LONGEST_HEADLINE and not _SENTENCE_END.search(line)
