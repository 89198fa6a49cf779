"""A feed's document before it is parsed: its characters, its faults, its items."""

import bisect
import codecs
import html
import html.entities
import re
from dataclasses import dataclass
from itertools import pairwise

from worker import urls
from worker.parse import texts
from worker.parse.dates import Dates

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0?\0x\0", "utf-16-le"),
    (b"\0<\0?\0x", "utf-16-be"),
)
#: As browsers read these labels (WHATWG Encoding Standard): the larger set, since servers claim the smaller one.
_READ_AS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949",
            "shift_jis": "cp932", "iso8859-9": "cp1254", "tis-620": "cp874", "iso8859-11": "cp874"}  # fmt: skip
#: Never the encoding of a feed, and ways to smuggle markup past a reader of bytes (WHATWG refuses them too).
_REFUSED = frozenset({"utf-7", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "hz"})

_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_NAMES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_ROOTS = r"(?:[A-Za-z_][\w.-]*:)?(?:rss|feed|rdf|channel|entry)"
_START = re.compile(rf"<\?xml\s|<{_ROOTS}[\s>]", re.IGNORECASE)
_ROOT = re.compile(rf"<({_ROOTS})(?=[\s>/])", re.IGNORECASE)
_OPENED = re.compile(rf"<(?:{_ROOTS})(?=[\s>/])[^>]*>(?:\s*<channel(?=[\s>])[^>]*>)?", re.IGNORECASE)
_FIRST_ELEMENT = re.compile(r"<!--.*?-->|<[?!][^>]*>|<([A-Za-z_][\w.:-]*)", re.DOTALL)
_ITEM = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?(?:item|entry))(?![A-Za-z0-9_.:-])", re.IGNORECASE)
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

    def alone(self, at: int) -> str:
        """The document with one item, and of its head no more than opens the feed: it may be what is damaged."""
        opened = _OPENED.search(self.head)
        return "".join((self.head[: opened.end()] if opened else self.head, self.items[at], self.tail))


# --- characters --------------------------------------------------------------------------------------------------


def decode(body: bytes, content_type: str) -> str:
    """The document's text, from its first character that is not white space.

    A byte order mark decides (RFC 7303), then UTF-8 where the bytes are UTF-8 and not ASCII, which no other encoding
    looks like by chance; then the HTTP header, then the XML declaration, then UTF-8 with stray bytes of Windows-1252.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body.decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    text = _utf8(body)
    if text is None:
        declared = _DECLARED.match(body)
        labels = [found[1] for found in [_CHARSET.search(content_type)] if found]
        labels += [declared[1].decode("ascii")] if declared else []
        text = next((text for text in (_labelled(body, label) for label in labels) if text is not None), None)
    if text is None:
        text = _mixed(body)
    return text.lstrip("\ufeff \t\r\n")


def _utf8(body: bytes) -> str | None:
    """The text, if the bytes are UTF-8 and say so by more than ASCII; a cut last character is no objection."""
    if body.isascii():
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return None


def _labelled(body: bytes, label: str) -> str | None:
    """The text in a declared encoding; None if that is UTF-8, which was tried, or unknown or unfit."""
    try:
        name = codecs.lookup(label).name
        if name in _REFUSED or (name.startswith("utf-8") and not body.isascii()):
            return None
        text = body.decode(_READ_AS.get(name, name), "replace")
    except (LookupError, UnicodeError, ValueError):
        return None
    # A declaration that could be read as ASCII denies an encoding of wider units.
    return text if "<" in text or "{" in text else None


def _mixed(body: bytes) -> str:
    """UTF-8 in which each byte that does not belong is a character of Windows-1252."""
    pieces = []
    start = 0
    while start < len(body):
        try:
            pieces.append(body[start:].decode())
            break
        except UnicodeDecodeError as error:
            pieces.append(body[start : start + error.start].decode())
            stray = body[start + error.start : start + error.end]
            pieces.append(stray.decode("cp1252", "replace"))
            start += error.end
    return "".join(pieces)


# --- faults ------------------------------------------------------------------------------------------------------


def not_a_feed(text: str) -> str | None:
    """What the document is, if it is plainly no feed."""
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
    """Whether an element is the root of a feed, or of an Atom entry document (RFC 4287 section 2)."""
    return _ROOT.match(f"<{element}>") is not None


def mend(text: str) -> str:
    """The document without what makes XML parsers give up: junk before it, bad references, HTML's entities."""
    if (start := _START.search(text)) is not None and not text[: start.start()].lstrip().startswith("<!"):
        text = text[start.start() :]
    text = texts.storable(text)
    root = _ROOT.search(text)
    head = text[: root.start()] if root else ""
    # feedparser uses entity values of the DOCTYPE as a regex replacement: it raises on a backslash in one.
    text = head.replace("\\", "&#92;") + text[len(head) :]
    text = _REFERENCE.sub(_reference, text)
    return text if "<!ENTITY" in head else _NAMED.sub(_named, text)


def _reference(match: re.Match[str]) -> str:
    digits, base = (match[1], 16) if match[1] else (match[2], 10)
    code = int(digits, base) if len(digits) <= 10 else 0
    fit = code in {9, 10, 13} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    return match[0] if fit else "\ufffd"


def _named(match: re.Match[str]) -> str:
    if match[1] in _XML_NAMES:
        return match[0]
    return html.entities.html5.get(f"{match[1]};", match[0])


def is_cut(text: str) -> bool:
    """Whether the root element is never closed: the document ends early."""
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
    return {name.lower(): html.unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(tag)}


# --- items -------------------------------------------------------------------------------------------------------


def cut(text: str) -> Items:
    """The document cut at its items, but for those that stand in a comment or a CDATA section."""
    quoted = _quoted(text)
    starts = [match for match in _ITEM.finditer(text) if not _is_within(match.start(), quoted)]
    if not starts:
        return Items(text, (), "")
    end = text.find(f"</{starts[-1][1]}", starts[-1].start())
    end = text.find(">", end) + 1 if end >= 0 else len(text)
    edges = [*(match.start() for match in starts), end or len(text)]
    items = tuple(text[a:b] for a, b in pairwise(edges))
    return Items(text[: edges[0]], items, text[edges[-1] :])


def _quoted(text: str) -> list[tuple[int, int]]:
    """Where comments and CDATA sections begin and end, in order; one that is never closed is none."""
    found = []
    for opening, closing in (("<!--", "-->"), ("<![CDATA[", "]]>")):
        start = text.find(opening)
        while start >= 0 and (end := text.find(closing, start)) >= 0:
            found.append((start, end))
            start = text.find(opening, end)
    return sorted(found)


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
