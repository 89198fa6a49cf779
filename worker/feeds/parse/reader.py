"""Reads a well-formed document: its texts are read here, all else by feedparser.

feedparser takes captions and titles of media for an entry's own, decodes what is decoded already, and drops texts of
a type that it does not know. So it never sees a text of an entry.
"""

import base64
import binascii
import html
import io
import re
import xml.sax.handler
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from xml.sax import expatreader, xmlreader

from feedparser.api import StrictFeedParser


class Part(Enum):
    """The part that a text has in its entry."""

    #: A title of the entry, or of its pictures and recordings.
    TITLE = 0
    #: Description, summary, standfirst.
    SUMMARY = 1
    CONTENT = 2
    #: What is said of pictures and recordings.
    CAPTION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of an entry, as its document holds it."""

    part: Part
    value: str
    #: Whether it is HTML, by what the document says of it.
    markup: bool
    #: Whether it is the entry's own, and not within another element.
    direct: bool

    @property
    def is_own(self) -> bool:
        """True where it is a summary or the content of the entry itself."""
        return self.direct and self.part in {Part.SUMMARY, Part.CONTENT}

    @property
    def is_content(self) -> bool:
        """True where it is content."""
        return self.part is Part.CONTENT

    @property
    def is_title(self) -> bool:
        """True where it may head an entry that has no title."""
        return self.part is Part.TITLE


_PARTS = {
    "title": Part.TITLE, "dc:title": Part.TITLE, "itunes:title": Part.TITLE, "media:title": Part.TITLE,
    "description": Part.SUMMARY, "summary": Part.SUMMARY, "abstract": Part.SUMMARY, "tagline": Part.SUMMARY,
    "subtitle": Part.SUMMARY, "dc:description": Part.SUMMARY, "dcterms:abstract": Part.SUMMARY,
    "itunes:summary": Part.SUMMARY, "itunes:subtitle": Part.SUMMARY, "googleplay:description": Part.SUMMARY,
    "content": Part.CONTENT, "content:encoded": Part.CONTENT, "body": Part.CONTENT, "xhtml:body": Part.CONTENT,
    "fullitem": Part.CONTENT, "yandex:full-text": Part.CONTENT, "full-text": Part.CONTENT,
    "media:description": Part.CAPTION, "media:text": Part.CAPTION,
}  # fmt: skip
#: Elements of an entry that describe something else.
_OTHERS = frozenset({"source", "author", "contributor", "image", "textinput", "itunes:owner"})
_PLAIN = frozenset({"text", "plain", "text/plain"})
_VOID = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "wbr"})
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
#: An author's name in which an address is looked for; feedparser's way to do so takes the square of its length.
_LONGEST_NAME = 1_000


def read(text: str) -> dict[str, Any]:
    """The feed, its entries and version, in feedparser's words; each with its `texts`. Raises SAXException."""
    reader = _Reader()
    parser = expatreader.create_parser()  # noqa: S315 - no DOCTYPE reaches it, and so no entity
    parser.setFeature(xml.sax.handler.feature_namespaces, 1)
    parser.setFeature(xml.sax.handler.feature_external_ges, 0)
    parser.setContentHandler(reader)
    parser.setErrorHandler(reader)
    source = xmlreader.InputSource()
    source.setByteStream(io.BytesIO(text.encode(errors="replace")))
    source.setEncoding("utf-8")
    parser.parse(source)
    return {"feed": reader.feeddata, "entries": reader.entries, "version": reader.version}


class _Open:
    """A text element that is being read."""

    def __init__(
        self, name: str, attributes: Mapping[str, str], *, direct: bool, default: str, language: str | None
    ) -> None:
        self.name = name
        self.source = attributes.get("src", "")
        self.language = attributes.get("xml:lang", language)
        self._direct = direct
        self.depth = 0
        self.kind = attributes.get("type", default).partition(";")[0].strip().lower()
        self.mode = attributes.get("mode", "").strip().lower()
        self._pieces: list[tuple[bool, str]] = []

    def start(self, tag: str, attributes: Sequence[tuple[str, str]]) -> None:
        self.depth += 1
        said = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes if not name.startswith("xmlns"))
        self._pieces.append((True, f"<{tag.rpartition(':')[2]}{said}>"))

    def end(self, tag: str) -> None:
        self.depth -= 1
        local = tag.rpartition(":")[2]
        self._pieces.append((True, "" if local in _VOID else f"</{local}>"))

    def data(self, text: str) -> None:
        self._pieces.append((False, text))

    def text(self) -> Text:
        """The text, markup within it as HTML."""
        is_nested = any(is_tag for is_tag, _ in self._pieces)
        value = "".join(piece for is_tag, piece in self._pieces if not is_tag)
        if is_nested and ("xhtml" in self.kind or not _TAG.search(value)):
            value = "".join(piece if is_tag else html.escape(piece, quote=False) for is_tag, piece in self._pieces)
        elif is_nested:  # HTML as text, and some as elements
            value = "".join(piece for _, piece in self._pieces)
        value = value.strip()
        is_unknown = self.kind and self.kind not in _PLAIN and "html" not in self.kind and "xml" not in self.kind
        if self.mode == "base64" or is_unknown:
            value = _unpacked(value, certain=self.mode == "base64")
        return Text(
            part=_PARTS[self.name], value=value, markup=is_nested or self.kind not in _PLAIN, direct=self._direct
        )


def _unpacked(value: str, *, certain: bool) -> str:
    """The text in base64 (RFC 4287 section 4.1.3.3), if it is that; what is no text at all is none."""
    packed = "".join(value.split())
    try:
        data = base64.b64decode(packed, validate=True) if certain or (len(packed) >= 16 and packed == value) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None:
        return value
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "" if certain or b"\0" in data else value


class _Reader(StrictFeedParser):  # type: ignore[misc]  # feedparser has no types
    """feedparser's reader of well-formed XML, without its reading of texts."""

    def __init__(self) -> None:
        # This spelling keeps it from decoding once more what looks like UTF-8 read as Latin-1: `député »` does.
        super().__init__("", None, "utf_8")
        self.resolve_relative_uris = self.sanitize_html = False
        self._path: list[str] = []
        #: Where the entry begins in the path.
        self._entry = 0
        #: Open elements that describe something else.
        self._others = 0
        self._text: _Open | None = None
        #: Namespaces that feedparser does not know, by the prefix of this document.
        self._spaces: dict[str, str] = {}
        self._before: str | None = None

    def startElementNS(self, name: tuple[str | None, str], _: object, attrs: Any) -> None:  # noqa: N802 - SAX's name
        found: dict[str, str] = {}
        for (space, local), value in attrs.items():
            found[self._prefixed(space, local)] = value
        self.unknown_starttag(self._prefixed(*name), list(found.items()))

    def endElementNS(self, name: tuple[str | None, str], _: object) -> None:  # noqa: N802 - SAX's name
        self.unknown_endtag(self._prefixed(*name))

    def startPrefixMapping(self, prefix: str | None, uri: str | None) -> None:  # noqa: N802 - SAX's name
        super().startPrefixMapping(prefix, uri)
        if uri:
            self._spaces.setdefault(uri.lower(), prefix or "")

    def _prefixed(self, space: str | None, local: str) -> str:
        local = local.lower()
        if not space:
            return local
        space = space.lower()
        if "backend.userland.com/rss" in space:
            return local
        prefix = self._matchnamespaces.get(space, self._spaces.get(space, ""))
        return f"{prefix}:{local}" if prefix else local

    def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
        if self._text is not None:
            self._text.start(tag, attrs)
            return
        self._path.append(tag)
        if tag in {"item", "entry"}:
            self._entry = len(self._path)
        self._others += tag in _OTHERS
        if tag in _PARTS and (self.inentry or self.infeed):
            default = "text" if self._path[0] in {"feed", "entry"} else ""
            direct = (
                len(self._path) == self._entry + 1 if self.inentry else self._path[-2:-1] in (["channel"], ["feed"])
            )
            self._text = _Open(tag, dict(attrs), direct=direct, default=default, language=self.lang)
            return
        if tag == "link":  # a `uri` is no address of a page
            attrs = [(name, value) for name, value in attrs if name != "uri"]
        super().unknown_starttag(tag, attrs)

    def unknown_endtag(self, tag: str) -> None:
        if self._text is not None and self._text.depth:
            self._text.end(tag)
            return
        if self._path:
            self._others -= self._path.pop() in _OTHERS
        if self._text is None:
            super().unknown_endtag(tag)
            return
        opened, self._text = self._text, None
        text, context = opened.text(), self._get_context()
        if opened.source:  # content that stands elsewhere (RFC 4287 section 4.1.3.2) is the entry's page
            context.setdefault("links", []).append({"rel": "alternate", "href": self.resolve_uri(opened.source)})
        if self._others or not text.value:
            return
        if tag == "title" and text.direct and "title" not in context:
            context["title"] = text.value
            context["title_detail"] = {"markup": text.markup, "language": opened.language}
        else:
            context.setdefault("texts", []).append(text)

    def handle_data(self, text: str, escape: int = 1) -> None:
        if self._text is not None:
            self._text.data(text)
        else:
            if self.inentry and not text.isspace():
                self.entries[-1]["said"] = True
            super().handle_data(text, escape)

    # Of several links and ids the first counts; feedparser takes the last.

    def _start_link(self, attrs_d: dict[str, str]) -> None:
        self._before = self._get_context().get("link")
        super()._start_link(attrs_d)
        self._keep_first_link()

    def _end_link(self) -> None:
        self._before = self._get_context().get("link")
        super()._end_link()
        self._keep_first_link()

    def _keep_first_link(self) -> None:
        context = self._get_context()
        link = context.get("link")
        if link == self._before:
            return
        if self._before and (not link or context.get("linked")):
            context["link"] = self._before
        else:
            context["linked"] = bool(link)

    def _end_guid(self) -> None:
        context = self._get_context()
        before = context.get("id") if context.get("identified") else None
        super()._end_guid()
        if before:
            context["id"] = before
        context["identified"] = bool(context.get("id"))

    _end_id = _end_guid

    # What is not used here, and takes the square of its length.

    def _add_tag(self, *_: object) -> None:
        self._get_context().setdefault("tags", [])

    def _sync_author_detail(self, key: str = "author") -> None:
        if len(self._get_context().get(key) or "") <= _LONGEST_NAME:
            super()._sync_author_detail(key)
