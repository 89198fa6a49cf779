"""From HTML to paragraphs of plain text: a feed's own content, or an article's page.

Pure, and meant for a bounded child process: a hostile page may still cost all the time it is given.
"""

import codecs
import html
import re
from collections.abc import Iterable, Mapping, Sequence

from lxml import etree


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: Their text is not the article's.
_HIDDEN = _names(
    "audio button canvas datalist dialog embed figcaption head iframe math noscript object option rp rt script select"
    " style svg template textarea title video"
)
#: A class of this form marks a picture's caption where the markup has no figcaption.
_CAPTION = re.compile(r"(?:^|[\s_-])(?:caption|legende|fig-?caption)(?:[_-]?text)?(?:$|\s)", re.IGNORECASE)
_BLOCKS = _names(
    "address article aside blockquote body caption center dd details dir div dl dt fieldset figure footer form h1 h2 h3"
    " h4 h5 h6 header hgroup hr html li main menu nav ol p pre section summary table tbody tfoot thead tr ul"
)
_CELLS = frozenset({"td", "th"})
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)\b[^<>]*>|<!--")
#: XML's short form of an element that HTML reads as open: all that follows would belong to it.
_SELF_CLOSED = re.compile(
    r"<(audio|canvas|iframe|object|script|style|svg|textarea|title|video)\b([^<>]*)/>", re.IGNORECASE
)
_SPACES = re.compile(r"\s+")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u00ad]")
_META_CHARSET = re.compile(rb"""<meta[^<>]{0,200}?charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
#: Lengths of a line that a mail program or an editor broke.
_WRAPPED = range(40, 101)


def texts(fragments: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The plain text of each (HTML or plain text, base URL): paragraphs parted by one empty line.

    Scripts, styles, captions and embedded media are left out; a fragment without text gives an empty string.
    """
    return tuple(_text(fragment) for fragment, _ in fragments)


def page(html: bytes, url: str) -> str:
    """The article on a page as paragraphs parted by one empty line; empty when none is found. Never raises."""
    import trafilatura

    try:
        # A decoded string: trafilatura would guess the encoding of bytes, and fetch a URL.
        found = trafilatura.extract(_decoded(html), url=url, favor_precision=True, include_comments=False)
    except Exception:  # noqa: BLE001 - a page that no parser survives has no text; the summary goes on without it.
        return ""
    return _joined((found or "").splitlines())


def _text(fragment: str) -> str:
    names = {name.lower() for name in _TAG.findall(fragment)}
    if not names:
        return _plain(html.unescape(fragment))
    # Markup without any block keeps the paragraphs that its line breaks show, as plain text does.
    flowing = names.isdisjoint(_BLOCKS | _CELLS | {"br"})
    reader = etree.HTMLParser(target=_Paragraphs(newlines=flowing), remove_comments=True, remove_pis=True)
    reader.feed(_SELF_CLOSED.sub(r"<\1\2></\1>", _UNSTORABLE.sub("", fragment)))
    text = str(reader.close())
    return _plain(text) if flowing else text


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
        self._newlines = newlines
        self._paragraphs: list[str] = []
        self._pieces: list[str] = []
        #: Depth below a hidden element, itself included.
        self._hidden = 0
        self._pre = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._hidden or tag in _HIDDEN or _CAPTION.search(attributes.get("class", "")):
            self._hidden += tag not in _VOID
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in _CELLS:
            self._pieces.append(" ")
        elif tag in _BLOCKS:
            self._flush()
            self._pre += tag == "pre"

    def end(self, tag: str) -> None:
        if self._hidden:
            self._hidden -= tag not in _VOID
        elif tag in _BLOCKS:
            self._flush()
            self._pre -= tag == "pre"

    def data(self, text: str) -> None:
        if not self._hidden:
            self._pieces.append(text if self._newlines or self._pre else _SPACES.sub(" ", text))

    def close(self) -> str:
        self._flush()
        return "\n\n".join(self._paragraphs)

    def _flush(self) -> None:
        """What was gathered becomes paragraphs: two line breaks part them, one stays."""
        for paragraph in _BLANK_LINE.split("".join(self._pieces)):
            lines = (" ".join(line.split()) for line in paragraph.split("\n"))
            if text := "\n".join(line for line in lines if line):
                self._paragraphs.append(_UNSTORABLE.sub("", text))
        self._pieces.clear()


def _decoded(page: bytes) -> str:
    """The page's text: a byte order mark decides, then UTF-8 if the bytes are that, then its own declaration."""
    for mark, encoding in _BOMS:
        if page.startswith(mark):
            return page.decode(encoding, "replace")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(page)
    except UnicodeDecodeError:
        declared = _META_CHARSET.search(page[:4096])
    try:
        return page.decode(declared[1].decode("ascii") if declared else "cp1252", "replace")
    except (LookupError, ValueError):
        return page.decode("cp1252", "replace")
