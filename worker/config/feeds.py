"""Lists of feeds: OPML in and out, and `[[feed]]` tables added to a configuration that stays as its owner wrote it."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from worker import model
from worker.config import fields, toml
from worker.config.folder import LISTED_BYTES, read_file, replace_file
from worker.errors import Problem, UserError
from worker.net.urls import masked

#: Folders about a feed, the nearest, that become tags.
_FOLDERS = 4
#: The types of outlines that are feeds, whatever else they lack.
_FEED_TYPES = frozenset({"rss", "atom", "feed"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d)")
#: What XML 1.0 cannot hold (section 2.2).
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Listed(NamedTuple):
    """A feed of a list, as far as the list tells."""

    url: str
    name: str = ""
    language: str = ""
    #: Its categories, and the folders that it lies in.
    tags: tuple[str, ...] = ()


class Reason(StrEnum):
    """The reason why an outline's feed is not taken, as it is said to people."""

    NO_ADDRESS = "it has no address"
    NOT_WEB = "its address is not one of the web"
    RELATIVE = "its address is not a whole one"
    INVALID = "its address is none"


_FIX = {
    Reason.NO_ADDRESS: "give it an xmlUrl, or remove it",
    Reason.NOT_WEB: "write http:// or https://",
    Reason.RELATIVE: "write the whole address, with https:// and the host",
    Reason.INVALID: "write it as a browser shows it, blanks as %20",
}


class Refused(NamedTuple):
    """An outline that stands for a feed and cannot be taken."""

    #: From 1.
    line: int
    title: str
    #: As written; it may hold secrets.
    address: str
    reason: Reason

    def problem(self, file: str) -> Problem:
        """The outline as a mistake in that file."""
        named = f'"{self.title}"' if self.title else "an outline"
        address = f" ({masked(self.address)[:200]})" if self.address else ""
        return Problem(file=file, line=self.line, message=f"{named}: {self.reason}{address}", fix=_FIX[self.reason])


class Opml(NamedTuple):
    """The feeds of a list."""

    #: Each once.
    feeds: tuple[Listed, ...]
    refused: tuple[Refused, ...] = ()
    #: Outlines whose feed stood in the list before.
    repeated: int = 0


def from_opml(raw: bytes, file: str = "OPML") -> Opml:
    """The feeds that an OPML document lists, however deep its outlines (OPML 2.0), and what it has besides.

    Only http and https URLs are taken. Raises UserError if it is no OPML, or declares a document type: entities are
    refused before any is read.
    """

    def refuse(line: int, message: str, fix: str = "export it again as OPML 2.0") -> NoReturn:
        raise UserError([Problem(file=file, line=line, message=message, fix=fix)])

    if len(raw) > LISTED_BYTES:
        refuse(0, f"the file is larger than {LISTED_BYTES} bytes", "split it")
    parser = expat.ParserCreate()
    outlines = _Outlines(parser)
    try:
        parser.Parse(raw, True)  # noqa: FBT003 - expat's own signature: the last part
    except _DoctypeError:
        refuse(
            parser.CurrentLineNumber, "the file declares a document type", "remove the line that begins with <!DOCTYPE"
        )
    except (expat.ExpatError, LookupError, ValueError) as e:
        # An encoding that Python does not know is a LookupError, one that is no byte encoding a ValueError.
        refuse(getattr(e, "lineno", 0), "the file is not well-formed XML")
    if outlines.root != "opml":
        refuse(1, "the file is not OPML")
    return Opml(tuple(outlines.feeds.values()), tuple(outlines.refused), outlines.repeated)


def to_opml(feeds: Iterable[model.Feed]) -> bytes:
    """The feeds as OPML 2.0: URLs as written in the configuration, so that no secret leaves it.

    A feed that only Veille knows, or whose address is itself a secret, is left out.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        "<head><title>Veille</title></head>",
        "<body>",
    ]
    for feed in feeds:
        if feed.id.startswith(("http://", "https://")):
            address = feed.id.replace("$$", "$")  # as the configuration writes a dollar sign
            words = {"type": "rss", "text": feed.name, "title": feed.name, "xmlUrl": address}
            if feed.language:
                words["language"] = feed.language
            if feed.tags:
                words["category"] = ",".join(feed.tags)
            attributes = " ".join(f"{key}={quoteattr(_NOT_XML.sub('', word))}" for key, word in words.items())
            lines.append(f"<outline {attributes}/>")
    return "\n".join([*lines, "</body>", "</opml>", ""]).encode()


def add(path: Path, url: str, name: str = "", *, language: str = "", tags: Sequence[str] = ()) -> None:
    """Appends a `[[feed]]` to the configuration in `path`, atomically; comments and order stay.

    The values are taken literally: a `${...}` in them is written as text, so that a list of feeds from elsewhere
    cannot ask for our secrets. Raises UserError for a URL that is no feed's or is already there.
    """
    table = _table(path, url, name, language, tags)
    known = _known_urls(path)
    if table["url"] in known:
        _refuse(path, "this feed is already there", line=known[table["url"]])
    _append(path, [table])


def check(path: Path, url: str, name: str = "", *, language: str = "", tags: Sequence[str] = ()) -> None:
    """Raise UserError for what `add` would refuse of these values."""
    _table(path, url, name, language, tags)


def add_all(path: Path, feeds: Iterable[Listed]) -> tuple[str, ...]:
    """As `add`, for many at once: the URLs that were added; those already there are passed over."""
    known = set(_known_urls(path))
    tables: list[dict[str, Any]] = []
    for one in feeds:
        table = _table(path, one.url, one.name, one.language, one.tags)
        if table["url"] not in known:
            known.add(table["url"])
            tables.append(table)
    if tables:
        _append(path, tables)
    return tuple(table["url"].replace("$$", "$") for table in tables)


class _DoctypeError(Exception):
    """The document declares a type."""


class _Outlines:
    """Outlines of an OPML document, kept without a tree, so that depth costs nothing."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.root = ""
        self.feeds: dict[str, Listed] = {}
        self.refused: list[Refused] = []
        self.repeated = 0
        #: The names of the outlines that are open, and of those that are no feeds.
        self._open: list[str | None] = []
        self._parser = parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2].lower()
        self.root = self.root or name
        if name != "outline":
            return
        # Exporters write xmlUrl, xmlurl and xmlURL.
        words = {key.lower(): value.strip() for key, value in attributes.items()}
        title = _line(words.get("title") or words.get("text") or "")
        is_feed = bool(words.get("xmlurl")) or words.get("type", "").lower() in _FEED_TYPES
        self._open.append(None if is_feed else title)
        if is_feed:
            self._feed(words, title)

    def _feed(self, words: Mapping[str, str], title: str) -> None:
        address = words.get("xmlurl", "")
        url = re.sub(r"^feed:(?://)?(?=https?:)", "", address)
        try:
            url = fields.web_url(url)
        except fields.Wrong:
            self.refused.append(Refused(self._parser.CurrentLineNumber, title, address, _reason(url)))
            return
        if url in self.feeds:
            self.repeated += 1
        else:
            self.feeds[url] = Listed(url, title, _language(words), self._tags(words))

    def _end(self, tag: str) -> None:
        if tag.rpartition(":")[2].lower() == "outline":
            self._open.pop()

    def _tags(self, words: Mapping[str, str]) -> tuple[str, ...]:
        """Of `/Asia/Laos`, a category that is a path, the last part."""
        named = [_line(one.rstrip("/").rpartition("/")[2]) for one in words.get("category", "").split(",")]
        folders = [one for one in self._open[-_FOLDERS:] if one]
        return tuple(dict.fromkeys(tag for tag in (*folders, *named) if tag))

    def _doctype(self, *_: object) -> None:
        raise _DoctypeError


def _reason(url: str) -> Reason:
    if not url:
        return Reason.NO_ADDRESS
    scheme = _SCHEME.match(url)
    if scheme is None:
        return Reason.RELATIVE
    return Reason.INVALID if scheme[1].lower() in {"http", "https"} else Reason.NOT_WEB


def _line(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip()


def _language(words: Mapping[str, str]) -> str:
    try:
        return fields.language(words.get("language", ""))
    except fields.Wrong:
        return ""


def _refuse(path: Path, message: str, fix: str = "", *, line: int = 0) -> NoReturn:
    raise UserError([Problem(file=str(path), line=line, message=message, fix=fix)])


def _table(path: Path, url: str, name: str, language: str, tags: Sequence[str]) -> dict[str, Any]:
    """The `[[feed]]` as it is to be written."""
    try:
        table: dict[str, Any] = {"url": fields.feed_url(url), "name": fields.plain(name)}
        table |= {"language": fields.language(language), "tags": [fields.filled(tag) for tag in tags]}
    except fields.Wrong as e:
        _refuse(path, f"the feed cannot be added: its value {e.message}", e.fix)
    literal = {"url": _literal(table["url"]), "name": _literal(table["name"]), "language": table["language"]}
    return {key: value for key, value in {**literal, "tags": [_literal(t) for t in table["tags"]]}.items() if value}


def _literal(text: str) -> str:
    return text.replace("$", "$$") if "${" in text or "$$" in text else text


def _known_urls(path: Path) -> dict[str, int]:
    """The URLs of the file as written, each with its line."""
    parsed = toml.parse(str(path), read_file(path, limit=LISTED_BYTES), LISTED_BYTES)
    feeds = parsed.data.get("feed", [])
    tables = enumerate(feeds) if isinstance(feeds, list) else ()
    return {
        table["url"]: parsed.place(("feed", index, "url"))[0]
        for index, table in tables
        if isinstance(table, dict) and isinstance(table.get("url"), str)
    }


def _append(path: Path, tables: Sequence[dict[str, Any]]) -> None:
    raw = read_file(path, limit=LISTED_BYTES)
    bom = raw[:3] if raw.startswith(b"\xef\xbb\xbf") else b""
    written = raw[len(bom) :].decode()
    newline = "\r\n" if "\r\n" in written else "\n"
    expected = tomllib.loads(written)
    if not isinstance(expected.setdefault("feed", []), list):
        _refuse(path, "`feed` is not a list of tables", "write [[feed]], with two brackets")
    expected["feed"] += tables
    # At the end first: elsewhere a new table would part another from the comment above it.
    for edited in (_at_end, _after_last_feed):
        text = edited(written, tables).replace("\r\n", "\n").replace("\n", newline)
        # Whatever tomlkit makes of an unusual file, only one that keeps every line and says what was asked for is
        # written.
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(text) == expected and _keeps_lines(written, text):
                replace_file(path, bom + text.encode())
                return
    _refuse(path, "no feed can be added to this file", "write its feeds as [[feed]] tables")


def _keeps_lines(before: str, after: str) -> bool:
    """Tells whether every line of `before` is in `after`, in its order."""
    lines = iter(after.splitlines())
    return all(line in lines for line in before.splitlines())


def _after_last_feed(written: str, tables: Sequence[dict[str, Any]]) -> str:
    # Here, because only this command needs it.
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(written)
        for table in tables:
            document.setdefault("feed", tomlkit.aot()).append(tomlkit.item({**table}))
        return tomlkit.dumps(document)
    except TOMLKitError:
        return _at_end(written, tables)


def _at_end(written: str, tables: Sequence[dict[str, Any]]) -> str:
    import tomlkit

    blocks = [f"\n[[feed]]\n{tomlkit.dumps(table)}" for table in tables]
    gap = "" if not written or written.endswith("\n") else "\n"
    return written + gap + "".join(blocks)
