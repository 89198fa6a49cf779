"""From HTML to paragraphs of plain text: a feed's own content, or an article's page.

Pure, and meant for a bounded child process: a hostile page may still cost all the time it is given.
"""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from worker.feeds import encoding
from worker.net.urls import absolute


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """The text of a feed's own HTML, and what the markup says of its lines."""

    #: Paragraphs parted by one empty line.
    text: str = ""
    #: Captions of pictures, which are no part of the text.
    captions: tuple[str, ...] = ()
    #: Lines of the text that are one link and nothing else; None where there was no markup to tell.
    links: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The content of an article's page."""

    #: The article, paragraphs parted by one empty line; empty where none was found.
    text: str = ""
    #: The page's headings of the first order.
    headings: tuple[str, ...] = ()
    #: Lines of the page that are one link and nothing else.
    links: frozenset[str] = frozenset()
    #: Those of them that are headings of a lower order: titles of other articles.
    teasers: frozenset[str] = frozenset()
    #: Where the page sends its reader on by itself (meta refresh); empty: it does not.
    refresh: str = ""


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Their text is not the article's.
_HIDDEN = _names(
    "audio button canvas datalist dialog embed figcaption head iframe math object option rp rt script select"
    " style svg template textarea title video"
)
#: A class of this form marks a picture's caption where the markup has no figcaption.
_CAPTION = re.compile(r"(?:^|[\s_-])(?:caption|legende|fig-?caption)(?:[_-]?text)?(?:$|\s)", re.IGNORECASE)
_BLOCKS = _names(
    "address article aside blockquote body caption center dd details dir div dl dt fieldset figure footer form h1 h2 h3"
    " h4 h5 h6 header hgroup hr html li main menu nav ol p pre section summary table tbody tfoot thead tr ul"
)
_CELLS = frozenset({"td", "th"})
_CAPTIONS = frozenset({"figcaption"})
_LOWER = frozenset({"h2", "h3", "h4", "h5", "h6"})
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)\b[^<>]*>|<!--")
#: XML's short form of an element that HTML reads as open: all that follows would belong to it.
_SELF_CLOSED = re.compile(
    r"<(audio|canvas|iframe|object|script|style|svg|textarea|title|video)\b([^<>]*)/>", re.IGNORECASE
)
_SPACES = re.compile(r"\s+")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u00ad]")
#: What follows an arrow or a label: a line that is a link but for these signs is still one.
_SIGNS = re.compile(r"^[^\w(«“\"'’]+|\s+$")
_REFRESH = re.compile(r"""\s*(\d{1,3})(?:\.\d*)?\s*[;,]\s*(?:url\s*=\s*)?["']?\s*([^"'\s]+)""", re.IGNORECASE)
#: A page that sends its reader on after that many seconds is a page of its own.
_SOON = 10
#: Lengths of a line that a mail program or an editor broke.
_WRAPPED = range(40, 101)


def texts(fragments: Sequence[tuple[str, str]]) -> tuple[Extracted, ...]:
    """The plain text of each (HTML or plain text, base URL).

    Scripts, styles and embedded media are left out, captions stand apart; a fragment without text gives an empty one.
    """
    return tuple(_extracted(fragment) for fragment, _ in fragments)


def page(html: bytes, url: str, content_type: str = "") -> Page:
    """The article on a page, as the server that answered with `content_type` gave it. Never raises."""
    import trafilatura

    decoded = encoding.decode(html, content_type)
    try:
        # A decoded string: trafilatura would guess the encoding of bytes, and fetch a URL.
        found = trafilatura.extract(decoded, url=url, favor_precision=True, include_comments=False)
    except Exception:  # noqa: BLE001 - a page that no parser survives has no text; the summary goes on without it.
        return Page()
    reader = _read(decoded, newlines=False)
    return Page(
        text=_joined((found or "").splitlines()),
        headings=tuple(reader.headings),
        links=frozenset(reader.links),
        teasers=frozenset(reader.teasers),
        refresh=_refresh(reader.refresh, url),
    )


def _refresh(content: str, url: str) -> str:
    found = _REFRESH.match(content)
    return absolute(found[2], url) if found and int(found[1]) <= _SOON else ""


def _extracted(fragment: str) -> Extracted:
    names = {name.lower() for name in _TAG.findall(fragment)}
    if not names:
        return Extracted(text=_plain(html.unescape(fragment)))
    # Markup without any block keeps the paragraphs that its line breaks show, as plain text does.
    flowing = names.isdisjoint(_BLOCKS | _CELLS | {"br"})
    reader = _read(fragment, newlines=flowing)
    text = "\n\n".join(reader.paragraphs)
    return Extracted(
        text=_plain(text) if flowing else text, captions=tuple(reader.captions), links=frozenset(reader.links)
    )


def _read(fragment: str, *, newlines: bool) -> "_Paragraphs":
    target = _Paragraphs(newlines=newlines)
    reader = etree.HTMLParser(target=target, remove_comments=True, remove_pis=True)
    reader.feed(_SELF_CLOSED.sub(r"<\1\2></\1>", _UNSTORABLE.sub("", fragment)))
    reader.close()
    return target


def _plain(text: str) -> str:
    """Paragraphs of plain text: parted by empty lines, or each line is one, unless the lines were only wrapped."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    paragraphs: list[str] = []
    for block in _BLANK_LINE.split(text):
        lines = [" ".join(line.split()) for line in block.split("\n") if line.strip()]
        wrapped = len(lines) > 2 and all(len(line) in _WRAPPED for line in lines[:-1])
        paragraphs += [" ".join(lines)] if wrapped else lines
    return _joined(paragraphs)


def _joined(paragraphs: Iterable[str]) -> str:
    cleaned = (_UNSTORABLE.sub("", paragraph).strip() for paragraph in paragraphs)
    return "\n\n".join(paragraph for paragraph in cleaned if paragraph)


class _Paragraphs:
    """Receives a parser's events: no tree is built, so that no depth of nesting can exhaust it."""

    def __init__(self, *, newlines: bool) -> None:
        self.paragraphs: list[str] = []
        self.captions: list[str] = []
        self.headings: list[str] = []
        self.links: set[str] = set()
        self.teasers: set[str] = set()
        #: The content of the first meta refresh.
        self.refresh = ""
        self._newlines = newlines
        self._pieces: list[str] = []
        #: For each piece, whether it stands in a link.
        self._linked: list[bool] = []
        #: Depth below a hidden element, itself included; what is hidden may be a caption.
        self._hidden = 0
        self._caption: list[str] | None = None
        self._pre = self._link = self._heading = self._lower = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._hidden or tag in _HIDDEN or _CAPTION.search(attributes.get("class", "")):
            self._hide(tag, attributes)
        elif tag == "br":
            self._add("\n")
        elif tag in _CELLS:
            self._add(" ")
        elif tag == "a":
            self._link += 1
        elif tag in _BLOCKS:
            self._flush()
            self._pre += tag == "pre"
            self._heading += tag == "h1"
            self._lower += tag in _LOWER

    def _hide(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "meta" and not self.refresh and attributes.get("http-equiv", "").lower() == "refresh":
            self.refresh = attributes.get("content", "")
        if not self._hidden and (tag in _CAPTIONS or tag not in _HIDDEN):
            self._caption = []
        self._hidden += tag not in _VOID

    def end(self, tag: str) -> None:
        if self._hidden:
            self._hidden -= tag not in _VOID
            if not self._hidden and self._caption is not None:
                if text := " ".join("".join(self._caption).split()):
                    self.captions.append(_UNSTORABLE.sub("", text))
                self._caption = None
        elif tag == "a":
            self._link = max(0, self._link - 1)
        elif tag in _BLOCKS:
            self._flush()
            self._pre -= tag == "pre"
            self._heading -= tag == "h1"
            self._lower -= tag in _LOWER

    def data(self, text: str) -> None:
        if not self._hidden:
            self._add(text if self._newlines or self._pre else _SPACES.sub(" ", text))
        elif self._caption is not None:
            self._caption.append(text)

    def close(self) -> None:
        if self._hidden and self._caption:  # an element that was never closed
            self.end("")
        self._flush()

    def _add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._linked.append(self._link > 0)

    def _flush(self) -> None:
        """Make paragraphs of the gathered text: two line breaks part them, one stays."""
        whole = "".join(self._pieces)
        for paragraph in _BLANK_LINE.split(whole):
            lines = (" ".join(line.split()) for line in paragraph.split("\n"))
            if text := "\n".join(line for line in lines if line):
                self.paragraphs.append(_UNSTORABLE.sub("", text))
                if self._heading > 0:
                    self.headings.append(self.paragraphs[-1])
        if any(self._linked):
            self._note_links()
        self._pieces.clear()
        self._linked.clear()

    def _note_links(self) -> None:
        """The lines in which nothing but signs stands outside links."""
        line: list[str] = []
        free: list[str] = []
        for piece, linked in (*zip(self._pieces, self._linked, strict=True), ("\n", False)):
            first, *others = piece.split("\n")
            for number, part in enumerate((first, *others)):
                if number:
                    text = " ".join("".join(line).split())
                    if text and not _SIGNS.sub("", "".join(free)) and len(text) > len("".join(free).strip()):
                        self.links.add(_UNSTORABLE.sub("", text))
                        if self._lower > 0:
                            self.teasers.add(_UNSTORABLE.sub("", text))
                    line, free = [], []
                line.append(part)
                if not linked:
                    free.append(part)
