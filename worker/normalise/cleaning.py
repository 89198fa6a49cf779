"""Takes off what agencies wrap an article in, and keeps what was taken off.

    text ──captions, related lines──> ──agency heads──> ──sign-offs, and another article behind them──> body

Captions go first, since their credits look like sign-offs; and only what ends a line is a sign-off, since agencies are
also quoted.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from worker.model import Cut, CutKind
from worker.normalise.agency import glued, has_arrow, has_label, is_caption, unsigned, without_credit, without_head

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
