"""Texts as the store can hold them: no control characters, no lone surrogates, bounded."""

import html
import re
from collections.abc import Sequence

from worker.feeds.parse import markup as markup_
from worker.feeds.parse.markup import bounded

#: Characters; a title beyond this is no title.
TITLE = 1_000
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

_SPACES = re.compile(r"\s+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")


def storable(text: str) -> str:
    """`text` without NUL, control characters but tab and newline, and lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def plain(text: str, *, markup: bool, limit: int = TITLE) -> str:
    """One line of plain text, from HTML with `markup`; what was escaped once too often is read as it was meant."""
    text = markup_.shown(text if markup else html.escape(text, quote=False))
    text = _BIDI.sub("", storable(text))
    return _SPACES.sub(" ", text[: limit * 4]).strip()[:limit].rstrip()


def label(text: str) -> str:
    """A name, such as an author's: one short line of plain text."""
    return plain(text, markup=True, limit=_LABEL)


def guid(text: str) -> str:
    """An identifier as published."""
    return storable(text).strip()[:_GUID]


def body(text: str, *, markup: bool = True) -> str:
    """A summary or content as HTML with at most 256 KiB of text; plain text that could be read as markup is escaped."""
    text = storable(text).strip()
    if not markup and ("<" in text or "&" in text):
        text = html.escape(text, quote=False)
    return markup_.bounded(markup_.once(text))


def language(tag: str) -> str:
    """A BCP 47 tag (RFC 5646), or nothing."""
    tag = tag.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) and tag.lower() != "und" else ""


# Several texts of one entry as one, each said once.


_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")
#: A teaser ends in them.
_DOTS = " .…[]"
#: A text is looked for in so many others; beyond, only its equal is: an entry of a thousand captions takes linear time.
_COMPARED = 30


def distinct(bodies: Sequence[str], known: Sequence[str] = ()) -> list[str]:
    """The bodies (HTML) that say something, without those that stand in another one or in what is `known`."""
    words = [_words(body) for body in bodies]
    said = [_words(other) for other in known]
    seen = set(said)
    kept: set[int] = set()
    for number in sorted(range(len(bodies)), key=lambda number: -len(words[number])):
        own = words[number]
        is_within = any(own.rstrip() in other for other in said[:_COMPARED])
        if own.strip() and own not in seen and not is_within:
            kept.add(number)
            said.append(own)
            seen.add(own)
    return [body for number, body in enumerate(bodies) if number in kept]


def joined(bodies: Sequence[str]) -> str:
    """The bodies one behind the other, as one."""
    if len(bodies) <= 1:
        return "".join(bodies)
    if not any(map(_TAG.search, bodies)):
        return bounded("\n\n".join(bodies))
    return bounded("\n".join(f"<div>{_paragraphs(body)}</div>" for body in bodies))


def _paragraphs(body: str) -> str:
    return body if _TAG.search(body) else _EMPTY_LINE.sub("</div>\n<div>", body)


def _words(body: str) -> str:
    """The readable part of a body, in one line and one case, between blanks."""
    plain = " ".join(html.unescape(_TAG.sub(" ", body)).casefold().split())
    return f" {plain.rstrip(_DOTS)} "
