"""A feed's document before it is parsed: its characters, its faults, its items."""

import bisect
import html
import html.entities
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from worker.feeds import encoding
from worker.feeds.parse import markup, texts
from worker.feeds.parse.dates import Dates
from worker.model import FetchReason
from worker.net import urls

_REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|([A-Za-z_][A-Za-z0-9._-]{0,31});)?")
_ENTITY = re.compile(r"""<!ENTITY\s+([A-Za-z_][\w.-]*)\s+(?:"([^"&<%]*|&#\w+;)"|'([^'&<%]*|&#\w+;)')\s*>""")
#: Characters that a DOCTYPE's entities may add to a document.
_ENTITIES_ADD = 1_000_000
_CDATA = "<![CDATA["
_INSTRUCTION = re.compile(r"<\?[^<>]*>")
_EMBEDDED = re.compile(r"<(rss|feed|rdf:RDF)\b[^<>]*(?:version|xmlns)[^<>]*>", re.IGNORECASE)
_XML_NAMES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_ROOTS = r"(?:[A-Za-z_][\w.-]*:)?(?:rss|feed|rdf|channel|entry)"
_ROOT = re.compile(rf"<({_ROOTS})(?=[\s>/])", re.IGNORECASE)
_FIRST_ELEMENT = re.compile(r"<!--.*?-->|<[?!][^>]*>|<([A-Za-z_][\w.:-]*)", re.DOTALL)
_ITEM = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?(?:item|entry))(?![A-Za-z0-9_.:-])", re.IGNORECASE)
_ITEM_END = re.compile(r"</(?:[A-Za-z_][\w.-]*:)?(?:item|entry)\s*>", re.IGNORECASE)
_QUOTING = re.compile(r"<!--|<!\[CDATA\[")
_DATE = re.compile(
    r"<(?:[A-Za-z_][\w.-]*:)?(?:pubDate|published|updated|date|issued|modified)(?=[\s>])[^>]*>"
    r"\s*(?:<!\[CDATA\[)?\s*([^<\]]{6,60})",
    re.IGNORECASE,
)
#: A document's first element is looked for so far and no further, which bounds the search on hostile input.
_PROLOGUE = 16_384
#: A page names its feeds near its start.
_PAGE_HEAD = 512 * 1024
_BINARY = re.compile("[\x00-\x08\x0e-\x1a]")


@dataclass(frozen=True, slots=True)
class Items:
    """An XML feed cut at its items: `head + items + tail` is the document again."""

    head: str
    items: tuple[str, ...]
    tail: str

    def document(self, start: int = 0, stop: int | None = None) -> str:
        """The document with only the items from `start` to `stop`."""
        return "".join((self.head, *self.items[start:stop], self.tail))


# --- characters --------------------------------------------------------------------------------------------------


def decode(body: bytes, content_type: str) -> str:
    """The document's text, from its first character that is not white space."""
    return encoding.decode(body, content_type).lstrip("\ufeff \t\r\n")


# --- faults ------------------------------------------------------------------------------------------------------


def not_a_feed(text: str) -> str | None:
    """The kind of a document that is plainly no feed; None for others."""
    if not text:
        return "an empty document"
    if text.startswith("{"):
        return None
    element = first_element(text)
    if element in {"html", "head", "body"}:
        return "an HTML page"
    if not _ROOT.search(text):
        if _BINARY.search(text[:512]):
            return "binary data"
        return f"XML of <{element[:40]}>" if element else "neither XML nor JSON"
    return None


def first_element(text: str) -> str:
    """The name of the document's first element, in lower case; nothing if none is found near its start."""
    found = (match[1] for match in _FIRST_ELEMENT.finditer(text[:_PROLOGUE]) if match[1])
    return next(found, "").lower()


def is_feed_root(element: str) -> bool:
    """Tells whether an element is the root of a feed, or of an Atom entry document (RFC 4287 section 2)."""
    return _ROOT.match(f"<{element}>") is not None


def embedded(text: str) -> str:
    """The feed that an HTML page holds as its own elements, or nothing."""
    start = _EMBEDDED.search(text)
    if start is None:
        return ""
    end = text.rfind(f"</{start[1]}")
    return text[start.start() : text.find(">", end) + 1 if end > start.start() else len(text)]


def repair(text: str) -> str:
    """The document from its root on, without what makes XML parsers give up.

    That is junk before it, comments, bad references, ampersands that begin none, HTML's entities and the DOCTYPE's;
    these are replaced as far as the text does not grow beyond measure (P02).
    """
    text = texts.storable(text)
    quoted = _quoted(text)
    root = next((found for found in _ROOT.finditer(text) if not _is_within(found.start(), quoted)), None)
    start = root.start() if root else 0
    references = _References(_entities(text[:start]))
    pieces: list[str] = []
    for begin, end in quoted:
        if begin < start:
            continue
        pieces.append(references.resolved(text[start:begin]))
        if text.startswith(_CDATA, begin):
            pieces.append(text[begin:end])
        start = end
    pieces.append(references.resolved(text[start:]))
    return "".join(pieces)


def _entities(prologue: str) -> dict[str, str]:
    """The DOCTYPE's entities that hold plain text; others, of files or of one another, are not read."""
    return {name: html.unescape(double or single) for name, double, single in _ENTITY.findall(prologue)}


class _References:
    """Replaces references outside CDATA sections by what any XML parser reads."""

    def __init__(self, entities: Mapping[str, str]) -> None:
        self._entities = entities
        #: Characters that entities may still add.
        self._left = _ENTITIES_ADD

    def resolved(self, text: str) -> str:
        text = text.replace(_CDATA, "").replace("<!--", "")  # what is never closed
        return _REFERENCE.sub(self._reference, _INSTRUCTION.sub("", text))

    def _reference(self, match: re.Match[str]) -> str:
        hexadecimal, decimal, name = match.groups()
        if hexadecimal or decimal:
            return _character(hexadecimal or decimal, 16 if hexadecimal else 10)
        if name in _XML_NAMES:
            return match[0]
        value = self._entities.get(name) if name else None
        if value is not None and len(value) <= self._left:
            self._left -= len(value)
            return html.escape(value)
        known = html.entities.html5.get(f"{name};") if name else None
        return html.escape(known) if known else f"&amp;{match[0][1:]}"


def _character(digits: str, base: int) -> str:
    """A numeric reference that XML allows; those to C1 controls are read as Windows-1252, as in HTML."""
    code = int(digits, base) if len(digits) <= 10 else 0
    if 0x80 <= code < 0xA0:
        return html.unescape(f"&#{code};")
    fit = code in {9, 10, 13} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    return f"&#{code};" if fit else "\ufffd"


def is_cut(text: str) -> bool:
    """Tells whether the root element is never closed: the document ends early."""
    root = _ROOT.search(text)
    return root is not None and re.search(rf"</{re.escape(root[1])}\s*>", text) is None


# --- what it says of itself --------------------------------------------------------------------------------------

_TTL = re.compile(r"<ttl>\s*(\d{1,7})\s*</ttl>", re.IGNORECASE)
_HOURS = re.compile(r"<skipHours>(.{0,2000}?)</skipHours>", re.IGNORECASE | re.DOTALL)
_DAYS = re.compile(r"<skipDays>(.{0,1000}?)</skipDays>", re.IGNORECASE | re.DOTALL)
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def timing(text: str) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """An RSS document's ttl in seconds (0: none), and the hours and days (0 is Monday) that it asks to skip.

    All hours or all days are a mistake of whoever wrote them, and none.
    """
    ttl = _TTL.search(text)
    hours = {int(hour) % 24 for part in _HOURS.findall(text)[:1] for hour in re.findall(r"\b(\d{1,2})\b", part)}
    named = {word.lower() for part in _DAYS.findall(text)[:1] for word in re.findall(r"[A-Za-z]+", part)}
    days = {number for number, day in enumerate(_WEEK) if day in named}
    return (
        int(ttl[1]) * 60 if ttl else 0,
        tuple(sorted(hours)) if len(hours) < 24 else (),
        tuple(sorted(days)) if len(days) < 7 else (),
    )


_LINK = re.compile(r"<link\b[^<>]{0,2000}>", re.IGNORECASE)
_BASE = re.compile(r"<base\b[^<>]{0,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-z]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"})


def alternates(text: str, url: str) -> tuple[str, ...]:
    """The feeds that an HTML page names (`<link rel="alternate">`), absolute, in its order.

    The first `<base>` that has an address is what its links are relative to (HTML 4.2.3).
    """
    head = text[:_PAGE_HEAD]
    bases = (_attributes(tag).get("href", "") for tag in _BASE.findall(head))
    base = urls.absolute(next(filter(None, bases), ""), url) or url
    found: dict[str, None] = {}
    for tag in _LINK.findall(head):
        words = _attributes(tag)
        kind = words.get("type", "").partition(";")[0].strip().lower()
        if "alternate" in words.get("rel", "").lower().split() and kind in _FEED_TYPES:
            found |= dict.fromkeys(filter(None, [urls.absolute(words.get("href", ""), base)]))
    return tuple(found)


def _attributes(tag: str) -> dict[str, str]:
    return {name.lower(): markup.attribute(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(tag)}


# --- items -------------------------------------------------------------------------------------------------------


def cut(text: str) -> Items:
    """The document cut at its items, but for those that stand in a comment or a CDATA section."""
    quoted = _quoted(text)
    starts = [match for match in _ITEM.finditer(text) if not _is_within(match.start(), quoted)]
    if not starts:
        return Items(text, (), "")
    end = text.find(f"</{starts[-1][1]}", starts[-1].start())
    while end >= 0 and _is_within(end, quoted):
        end = text.find(f"</{starts[-1][1]}", end + 1)
    end = text.find(">", end) + 1 if end >= 0 else len(text)
    context = [*(match.start() for match in starts), end or len(text)]
    items = tuple(text[a:b] for a, b in pairwise(context))
    return Items(text[: context[0]], items, text[context[-1] :])


def _quoted(text: str) -> list[tuple[int, int]]:
    """The places where comments and CDATA sections begin and end, in order; one that is never closed is none.

    A CDATA section that would hold the end of an item and another section was never closed either.
    """
    found: list[tuple[int, int]] = []
    place, ends = 0, {"-->": 0, "]]>": 0}
    while opening := _QUOTING.search(text, place):
        place = opening.end()
        closing = "-->" if opening[0] == "<!--" else "]]>"
        if 0 <= ends[closing] < place:
            ends[closing] = text.find(closing, place)
        end = ends[closing]
        if end >= 0 and (opening[0] == "<!--" or not _is_swallowing(text, place, end)):
            place = end + 3
            found.append((opening.start(), place))
    return found


def _is_swallowing(text: str, start: int, end: int) -> bool:
    again = text.find(_CDATA, start, end)
    return again >= 0 and _ITEM_END.search(text, start, again) is not None


def _is_within(place: int, spans: list[tuple[int, int]]) -> bool:
    index = bisect.bisect(spans, (place, len(spans) and spans[-1][1])) - 1
    return index >= 0 and spans[index][0] < place < spans[index][1]


#: Items of which the newest are looked for; of more, the dates would cost seconds to read.
_RANKED = 30_000


def newest(document: Items, limit: int) -> Items:
    """The document with its `limit` newest items, in their order; the first ones where dates are missing.

    Of a document with tens of thousands of items only the first are looked at, as feeds begin with the newest.
    """
    found = [_DATE.search(item) for item in document.items[:_RANKED]]
    read = Dates(match[1] for match in found if match).read
    dates = [read(match[1]) if match else None for match in found]
    if None not in dates:
        ranked = sorted(range(len(dates)), key=lambda index: dates[index], reverse=True)  # type: ignore[arg-type,return-value]  # None was ruled out above.
    else:
        ranked = list(range(len(dates)))
    kept = tuple(document.items[index] for index in sorted(ranked[:limit]))
    return Items(document.head, kept, document.tail)


# Reasons for which a document gives no feed.


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseFailed:
    """A document that is no feed, or that no parser can read."""

    #: NOT_A_FEED or PARSE_ERROR.
    reason: FetchReason
    #: For people.
    detail: str = ""
    #: The feeds that the document, a page, names: absolute URLs.
    feeds: tuple[str, ...] = ()
