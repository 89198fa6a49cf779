"""Texts as the store can hold them: no control characters, no lone surrogates, bounded."""

import html
import re


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Characters; a title beyond this is no title.
TITLE = 1_000
#: Bytes of UTF-8.
BODY = 256 * 1024
_LABEL = 200
_GUID = 2_048

#: Vertical tab, form feed, the separators and NEL part words; other controls carry nothing and are shown as missing.
_BLANKS = dict.fromkeys((0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x1F, 0x85), " ")
_CONTROLS = {
    **{code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0), 0xFFFE, 0xFFFF) if chr(code) not in "\t\n\r"},
    **_BLANKS,
}
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Embeddings, overrides and isolates would reorder the line that a title stands in (UAX 9).
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:[\s/][^<>]*)?>")
_INLINE = _names(
    "a abbr acronym b bdi bdo big blink cite code del dfn em font i ins kbd mark q s samp small span strike strong sub"
    " sup tt u var wbr"
)
_BLOCKS = _names(
    "audio blockquote body br center div embed form figure h1 h2 h3 h4 h5 h6 head hr html iframe img input li link meta"
    " object ol p pre script section style svg table td th title tr ul video"
)
_SPACES = re.compile(r"\s+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")


def storable(text: str) -> str:
    """`text` without NUL, control characters but tab and newline, and lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def plain(text: str, *, markup: bool, limit: int = TITLE) -> str:
    """One line of plain text; with `markup`, tags are dropped and references resolved, once."""
    if markup:
        text = html.unescape(_TAG.sub(_untagged, text))
    text = _BIDI.sub("", storable(text))
    return _SPACES.sub(" ", text[: limit * 4]).strip()[:limit].rstrip()


def label(text: str) -> str:
    """A name, such as an author's: one short line of plain text."""
    return plain(text, markup=True, limit=_LABEL)


def guid(text: str) -> str:
    """An identifier as published."""
    return storable(text).strip()[:_GUID]


def body(text: str, *, markup: bool = True) -> str:
    """A summary or content as published; plain text that could be read as markup is escaped."""
    text = storable(text).strip()
    if not markup and ("<" in text or "&" in text):
        text = html.escape(text, quote=False)
    if len(text) * 4 > BODY and len(data := text.encode()) > BODY:
        text = data[:BODY].decode(errors="ignore")
        if text.rfind("<") > text.rfind(">"):
            text = text[: text.rfind("<")]
    return text


def language(tag: str) -> str:
    """A BCP 47 tag (RFC 5646), or nothing."""
    tag = tag.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) and tag.lower() != "und" else ""


def _untagged(match: re.Match[str]) -> str:
    name = match[2].lower()
    if name in _INLINE:
        return ""
    return " " if name in _BLOCKS else match[0]
