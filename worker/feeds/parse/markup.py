"""Markup and references in the texts of feeds: what was escaped twice, what is a tag, and how much of it is text."""

import html
import re
from collections import defaultdict

#: Bytes of UTF-8 that a text may have; its markup may take as much again, three times over.
BODY = 256 * 1024

_REFERENCE = r"#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};"
#: What a text that was escaped once too often never holds.
_ONCE = re.compile(rf"&lt;|&(?!{_REFERENCE})|&amp;(?!{_REFERENCE})")
_TWICE = re.compile(rf"&amp;({_REFERENCE})")
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[\s/][^<>]*)?)>")
_ATTRIBUTE = re.compile(r"\s[a-zA-Z][\w:-]*\s?=")


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


_INLINE = _names(
    "a abbr acronym b bdi bdo big blink cite code del dfn em font i ins kbd mark q s samp small span strike strong sub"
    " sup tt u var wbr"
)
_BLOCKS = _names(
    "address article aside audio blockquote body br center div embed figcaption figure footer form h1 h2 h3 h4 h5 h6"
    " head header hr html iframe img input li link main meta nav object ol p pre script section style svg table tbody"
    " td th thead title tr ul video"
)
_VOID = _names("br embed hr img input link meta wbr")
#: What holds no text: between these tags, or in the addresses of pictures.
_SILENT = re.compile(r"<(?:(script|style|svg|template)\b[^<>]*|!--)", re.IGNORECASE)
_DATA = re.compile(r"""(=\s*["']?)data:[^"'<>\s]*""", re.IGNORECASE)
_NAMED = re.compile(r"&(?:#\d+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*;?)")


def once(text: str) -> str:
    """HTML as its writer meant it, where it was escaped once too often or a CDATA section was escaped with it.

    It was, where each `&amp;` begins what is a reference without it, and neither a bare ampersand nor an escaped `<`
    stands beside: who escapes twice, escapes all of it twice.
    """
    if "<![CDATA[" in text:
        text = _CDATA.sub("", text)
    if "&amp;" in text and not _ONCE.search(text):
        text = _TWICE.sub(_single, text)
    if "&lt;" in text and "<" not in text and _pairs(unescaped := html.unescape(text)):
        return unescaped
    return text


def _single(match: re.Match[str]) -> str:
    reference = f"&{match[1]}"
    return reference if html.unescape(reference) != reference else match[0]


def shown(text: str) -> str:
    """HTML of one line as text: tags are dropped, references resolved.

    A title may speak of tags: one that is bare and has no partner is text, as is what has no attributes but words.
    """
    text = html.unescape(_without_tags(once(text)))
    return _without_tags(text, bare=True) if "<" in text else text


def attribute(text: str) -> str:
    """The value of an attribute in HTML, where a name without a semicolon before `=` or a letter is no reference."""
    return _NAMED.sub(_referred, text) if "&" in text else text


def _referred(match: re.Match[str]) -> str:
    reference = match[0]
    if reference.endswith(";") or reference.startswith("&#"):
        return html.unescape(reference)
    following = match.string[match.end() : match.end() + 1]
    found = html.unescape(reference)
    # html.unescape also knows the beginning of a longer name; here only the whole counts.
    return found if len(found) == 1 and following != "=" else reference


def _without_tags(text: str, *, bare: bool = False) -> str:
    paired = _pairs(text)

    def untagged(match: re.Match[str]) -> str:
        name = match[2].lower()
        known = name in _INLINE or name in _BLOCKS
        single = not bare and (name in _VOID or _ATTRIBUTE.match(match[3]) is not None)
        if not known or not (single or match.start() in paired):
            return match[0]
        return "" if name in _INLINE else " "

    return _TAG.sub(untagged, text)


def _pairs(text: str) -> frozenset[int]:
    """The places where HTML's tags stand that have a partner."""
    opened: defaultdict[str, list[int]] = defaultdict(list)
    found: list[int] = []
    for tag in _TAG.finditer(text):
        name = tag[2].lower()
        if name not in _INLINE and name not in _BLOCKS:
            continue
        if not tag[1]:
            opened[name].append(tag.start())
        elif opened[name]:
            found += [opened[name].pop(), tag.start()]
    return frozenset(found)


def bounded(text: str) -> str:
    """HTML with at most `BODY` bytes of text; a longer one loses scripts, drawings and pictures within it."""
    if len(text) * 4 <= BODY or len(text.encode()) <= BODY:
        return text
    text = _DATA.sub(r"\1", _spoken(text))
    if len(text.encode()) <= 4 * BODY and len(_TAG.sub("", text).encode()) <= BODY:
        return text
    pieces: list[str] = []
    start = said = tags = 0
    for tag in (*_TAG.finditer(text), None):
        piece = text[start : tag.start() if tag else len(text)]
        size = len(piece.encode())
        if said + size > BODY:
            pieces.append(_cut(piece, BODY - said))
            break
        said += size
        pieces.append(piece)
        if tag is None:
            break
        kept = tag[0] if tags < BODY else f"<{tag[1]}{tag[2]}>"
        tags += len(kept)
        if tags > 3 * BODY:
            break
        pieces.append(kept)
        start = tag.end()
    return "".join(pieces)


def _cut(text: str, size: int) -> str:
    text = text.encode()[: max(0, size)].decode(errors="ignore")
    return text[: text.rfind("<")] if text.rfind("<") > text.rfind(">") else text


def _spoken(text: str) -> str:
    """HTML without comments, scripts, styles and drawings; what is never closed stays."""
    pieces: list[str] = []
    start, open_ended = 0, set[str]()
    for begin in _SILENT.finditer(text):
        closing = f"</{begin[1].lower()}" if begin[1] else "-->"
        if begin.start() < start or closing in open_ended:
            continue
        end = re.compile(re.escape(closing), re.IGNORECASE).search(text, begin.end())
        if end is None:
            open_ended.add(closing)
            continue
        pieces.append(text[start : begin.start()])
        start = text.find(">", end.start()) + 1 or len(text)
    return "".join((*pieces, text[start:]))
