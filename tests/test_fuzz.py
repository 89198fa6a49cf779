"""Mutated feeds of every shape: no crash, and no entry lost that still stands. Each document is its seed's own."""

import os
import random
import re
from collections import Counter

import pytest

from worker.feeds.parse import ParseFailed, parse
from worker.model import ParsedFeed

URL = "https://a.example/feed"
_SPOILS = (b"&#xD800;", b"&#x110000;", b"&nbsp;", b"&", b"\x00", b"\x1b", b"\xff\xfe", b"\xe9", b"]]>", b"</b>", b"<b>")
_SPOILS += (b"<x:y/>", b"<", b">", b"&#0;", b"<script>", b"%", b'"', b"\xed\xa0\x80", b"\r", b"&foo;", b"<!x")
_SPOILS += (
    b"<!--",
    b"<![CDATA[",
    b"<?",
    b"</item>",
    b"</entry>",
    b"</channel>",
    b"</rss>",
    b"<item>",
    b"&#",
    b"'",
    b"\\",
)
_ITEMS = 5
_XML = '<?xml version="1.0" encoding="utf-8"?>'


def _rss(version: str, item: str, spaces: str = "") -> tuple[str, str, str]:
    return f'{_XML}<rss version="{version}"{spaces}><channel><title>t</title>', item, "</channel></rss>"


_SPACES = (
    ' xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:media="http://search.yahoo.com/mrss/"'
)
_RDF = (
    f'{_XML}<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
    "<channel rdf:about='https://a.example/'><title>t</title></channel>"
)
#: Before the items, an item (`%d` is its number), after them.
SHAPES: dict[str, tuple[str, str, str]] = {
    "rss 0.91": _rss(
        "0.91", "<item><title>Été %d</title><link>https://a.example/%d</link><description>Texte %d</description></item>"
    ),
    "rss 2.0": _rss(
        "2.0", "<item><guid>g%d</guid><title>Été %d</title><description>Texte %d à Hanoï</description></item>"
    ),
    "rss 2.0 with namespaces": _rss(
        "2.0",
        "<item><title><![CDATA[Été %d]]></title><dc:creator>Lan</dc:creator><guid isPermaLink='false'>g%d</guid>"
        "<media:content url='https://a.example/%d.jpg'/><content:encoded><![CDATA[<p>Texte</p>]]></content:encoded></item>",
        _SPACES,
    ),
    "rdf": (
        _RDF,
        "<item rdf:about='https://a.example/%d'><title>Été %d</title><link>https://a.example/%d</link></item>",
        "</rdf:RDF>",
    ),
    "atom": (
        f'{_XML}<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>',
        "<entry><id>g%d</id><title type='html'>Été %d</title><summary>Texte %d à Hanoï</summary></entry>",
        "</feed>",
    ),
    "json": (
        '{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [',
        '{"id": "g%d", "title": "Été %d", "content_text": "Texte %d"},',
        '{"id": "last", "title": "Fin"}]}',
    ),
}
#: What quotes, and what ends it.
_QUOTES = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"))


def mutated(seed: int) -> tuple[str, bytes, set[int]]:
    """A feed of five items with one of them spoilt: its shape, its bytes, the numbers of the items that still stand."""
    chance = random.Random(seed)
    shape = chance.choice(list(SHAPES))
    head, item, tail = SHAPES[shape]
    items = [item.replace("%d", str(n)).encode() for n in range(_ITEMS)]
    spoilt = chance.randrange(_ITEMS)
    body = bytearray(items[spoilt])
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(6, len(body))
        if chance.random() < 0.7:
            body[at:at] = chance.choice(_SPOILS)
        elif chance.random() < 0.5:
            body[at] = chance.randrange(256)
        else:
            del body[at : at + chance.randint(1, 9)]
    items[spoilt] = bytes(body)
    behind = b"".join(items[spoilt + 1 :])
    owed = set() if is_quoted(bytes(body), behind) else set(range(spoilt + 1, _ITEMS))
    return shape, head.encode() + b"".join(items) + tail.encode(), owed | set(range(spoilt))


def is_quoted(spoilt: bytes, behind: bytes) -> bool:
    """True if the damage opened a quotation that something behind it ends: the text between is rightly no item."""
    return any(
        opening in spoilt and closing not in spoilt[spoilt.rindex(opening) :] and closing in behind
        for opening, closing in _QUOTES
    )


def found_in(feed: ParsedFeed) -> set[int]:
    """The numbers of the items that were found."""
    names = (entry.guid or entry.link for entry in feed.entries)
    return {int(n) for name in names for n in re.findall(r"(?:^g|example/)(\d)\b", name)}


def fuzz(first: int, last: int) -> None:
    """Try the seeds from `first` to before `last`."""
    tried: Counter[str] = Counter()
    fruitful: Counter[str] = Counter()
    for seed in range(first, last):
        shape, body, owed = mutated(seed)
        found = parse(body, URL, "application/json" if shape == "json" else "application/rss+xml")
        assert isinstance(found, ParsedFeed | ParseFailed), seed
        have = found_in(found) if isinstance(found, ParsedFeed) else set()
        tried[shape] += 1
        fruitful[shape] += bool(have)
        assert not owed - have, f"seed {seed}: {sorted(owed - have)} of {body!r}"
    assert all(2 * fruitful[shape] >= times for shape, times in tried.items())


def test_mutated_feeds_lose_nothing() -> None:
    """A thousand, of every shape: what stands before the damage and what stands behind it."""
    fuzz(0, 1_000)


@pytest.mark.soak
def test_many_mutated_feeds_lose_nothing() -> None:
    """A hundred thousand; FUZZ_FROM=seed goes on where a run was broken off."""
    first = int(os.environ.get("FUZZ_FROM", "1000"))
    for at in range(first, 102_000, 1_000):
        fuzz(at, at + 1_000)
        print(f"seeds to {at + 1_000}")
