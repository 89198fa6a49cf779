"""Makes broken XML well-formed, item by item, so that the damage of one item stays in it.

As a browser does with HTML: what is open is closed where its parent ends, an end tag without a beginning is left out,
and what is no tag is text. Each character is read once.
"""

import re
from collections import Counter

from worker.feeds.parse.document import Items

_NAME = r"[A-Za-z_][A-Za-z0-9_.:-]*+"
_TAG = re.compile(
    rf"""<(/?)({_NAME})((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>|<(/?)({_NAME})([^<>]*+)>""",
)
_ATTRIBUTE = re.compile(rf"""(?<![\w.:-])({_NAME})\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_CDATA = "<![CDATA["
#: What a feed's items stand in.
_FRAME = frozenset({"rss", "rdf", "feed", "channel"})
#: What other elements of a feed may stand in.
_HOLDERS = _FRAME | frozenset(
    "item entry items source author contributor image textinput media:group media:content itunes:owner".split()  # noqa: SIM905 - one word a line would fill the page
)
#: Elements of a feed that are none of HTML: whatever else is open ends before one.
_FEEDS_OWN = frozenset({"guid", "pubdate", "enclosure", "comments", "category", "published", "updated", "description"})
#: Elements of a feed that are HTML's as well, and yet stand in no title: one that is open ends before them.
_NEVER_IN_TITLE = frozenset({"link", "author", "summary", "content", "source", "id"})
_PREFIXES = frozenset({"content", "media", "dc", "dcterms", "itunes", "slash", "wfw", "georss", "feedburner"})
_VOID = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "wbr"})
#: The namespaces of prefixes that feeds use without declaring them.
_NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "itunes": "http://www.itunes.com/DTDs/PodCast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rss": "http://backend.userland.com/rss",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "xhtml": "http://www.w3.org/1999/xhtml",
}


def repaired(broken: Items) -> str:
    """A well-formed document with all that `broken` holds, its references and comments repaired before."""
    writer = _Writer()
    writer.write(broken.head)
    writer.frame(broken.items[0] if broken.items else "")
    for item in broken.items:
        writer.write(item)
        writer.close()
    writer.write(broken.tail)
    writer.close()
    return writer.document()


class _Writer:
    """Writes tags so that each is closed in its turn."""

    def __init__(self) -> None:
        self._written: list[str] = []
        #: Names of open elements, as written; the first `_floor` of them stay open for all items.
        self._open: list[str] = []
        self._floor = 0
        #: Of those above the floor, in lower case.
        self._count: Counter[str] = Counter()
        self._prefixes: dict[str, None] = {}
        self._root = 0

    def write(self, text: str) -> None:
        """Write a part of the document."""
        place = 0
        while (start := text.find("<", place)) >= 0:
            self._text(text[place:start])
            if text.startswith(_CDATA, start) and (end := text.find("]]>", start) + 3) > 2:
                self._written += [text[start:end]] if self._open else []
                place = end
            elif (found := _TAG.match(text, start)) is not None:
                self._tag(*(found.groups()[:3] if found[2] else found.groups()[3:]))
                place = found.end()
            else:
                self._text("&lt;")
                place = start + 1
        self._text(text[place:])

    def frame(self, item: str) -> None:
        """End the head: what items stand in stays open, and is made where the document lacks it."""
        kept = 0
        while kept < len(self._open) and _local(self._open[kept]) in _FRAME:
            kept += 1
        while len(self._open) > kept:
            self._end()
        if not self._open and item:
            is_atom = item[:9].lower().partition(":")[2].startswith("entry") or item[:6].lower() == "<entry"
            self._tag("", "feed", f' xmlns="{_NAMESPACES["atom"]}"') if is_atom else self._tag("", "rss", "")
        self._floor = len(self._open)
        self._count.clear()

    def close(self) -> None:
        """End whatever stands above the frame."""
        while len(self._open) > self._floor:
            self._end()

    def document(self) -> str:
        """The whole, its frame closed and its prefixes declared."""
        self._floor = 0
        self.close()
        root = self._written[self._root] if self._written else ""
        missing = [prefix for prefix in self._prefixes if f" xmlns:{prefix}=" not in root]
        spaces = "".join(f' xmlns:{prefix}="{_NAMESPACES.get(prefix, "urn:" + prefix)}"' for prefix in missing)
        if root:
            end = -2 if root.endswith("/>") else -1
            self._written[self._root] = f"{root[:end]}{spaces}{root[end:]}"
        return "".join(self._written)

    def _text(self, text: str) -> None:
        if self._open:
            self._written.append(text.replace("]]>", "]]&gt;"))

    def _tag(self, closing: str, name: str, rest: str) -> None:
        name = self._named(name)
        low = name.lower()
        if closing:
            if self._count[low]:
                while self._end() != low:
                    pass
            return
        if not self._open:
            if self._written:  # a second root
                return
            self._root = len(self._written)
        elif low in _FEEDS_OWN or low.partition(":")[0] in _PREFIXES:
            while len(self._open) > self._floor and not _is_holder(self._open[-1]):
                self._end()
        elif low in _NEVER_IN_TITLE and self._open[-1].lower() == "title" and _is_holder("".join(self._open[-2:-1])):
            self._end()
        single = rest.endswith("/") or low in _VOID
        self._written.append(f"<{name}{self._attributes(rest)}{'/' * single}>")
        if not single:
            self._open.append(name)
            self._count[low] += 1

    def _end(self) -> str:
        name = self._open.pop()
        self._written.append(f"</{name}>")
        self._count[name.lower()] -= 1
        return name.lower()

    def _attributes(self, rest: str) -> str:
        found: dict[str, str] = {}
        for name, double, single, bare in _ATTRIBUTE.findall(rest):
            value = double or single or bare.removesuffix("/")
            if value or not name.startswith("xmlns"):
                found.setdefault(self._named(name), value.replace('"', "&quot;"))
        return "".join(f' {name}="{value}"' for name, value in found.items())

    def _named(self, name: str) -> str:
        """A name with at most one colon; its prefix is noted."""
        prefix, colon, local = name.partition(":")
        if colon and (":" in local or not re.match(r"[A-Za-z_]", local)):
            return name.replace(":", "_")
        if colon and prefix not in {"xml", "xmlns"}:
            self._prefixes[prefix] = None
        return name


def _local(name: str) -> str:
    return name.lower().rpartition(":")[2]


def _is_holder(name: str) -> bool:
    return name.lower() in _HOLDERS or (_local(name) in _HOLDERS and name.lower().partition(":")[0] not in _PREFIXES)
