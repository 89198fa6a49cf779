"""Faults in documents and pages, through the whole pipeline: P01 to P20.

Two stores serve them all. In one, every feed shows its own hostile document at the same moment, to parsers in children
that are watched; in the other, documents change over weeks. The oracle is asked at the end of both; each row's own
promise stands below.
"""

import asyncio
import email
import email.policy
import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from desk import until
from feedserver import OK, Document, Script, endless, once
from loopback import Loopback, dispatch, is_told, name_of
from rig import Item, rss
from watched import ENTRIES, FORBIDDEN, POISON, Watched

from worker.model import Feed
from worker.net import client as net
from worker.store import entries, quarantine

#: Bombs come compressed.
LIMITS = net.Limits(seconds=10, connect=1, wire=2 << 20, decoded=12 << 20)
SECRET_FILE = "CANARY_TOKEN_FILE"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A document, and what is to become of it."""

    body: bytes
    items: Sequence[Item] = ()
    result: str = "ok"
    content_type: str = "application/xml"


def number(row: int, item: int = 0) -> int:
    """For items of a row's documents."""
    return 10_000 + 100 * row + item


def some(row: int, count: int, *, first: int = 0, told: int = -1) -> list[Item]:
    """A row's items; `told` is the one that is to be told."""
    return [dispatch(number(row, n), told=n - first == told) for n in range(first, first + count)]


def doc(shown: Sequence[Item], *, prologue: str = '<?xml version="1.0" encoding="utf-8"?>', **swap: str) -> bytes:
    """An RSS document with another prologue, and with pieces of it swapped: `title_3=...` for what stands in it."""
    text = rss(shown).decode().replace('<?xml version="1.0" encoding="utf-8"?>', prologue)
    for n, item in enumerate(shown):
        if (other := swap.get(f"title_{n}")) is not None:
            text = text.replace(f"<title>{item.title}</title>", f"<title>{item.title} {other}</title>")
        if (other := swap.get(f"item_{n}")) is not None:
            text = text.replace(f"<title>{item.title}</title>", f"<title>{item.title}</title>{other}")
    return text.encode()


def laughs() -> str:
    """Ten levels of entities, ten times each."""
    nested = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "{"lol" * 30}">{nested}]>'


WAYS = ("file", "http", "dtd", "parameter", "include")


def external(folder: Path, it: Loopback) -> dict[str, Case]:
    """Documents that point to a file, and to a port where nothing may connect."""
    file = folder / f"{FORBIDDEN}.txt"
    file.write_text(SECRET_FILE)
    url = it.secret.url("/x.dtd")
    ways = {
        "file": (f'<!DOCTYPE rss [<!ENTITY x SYSTEM "file://{file}">]>', "&x;"),
        "http": (f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{url}">]>', "&x;"),
        "dtd": (f'<!DOCTYPE rss SYSTEM "{url}">', "&x;"),
        "parameter": (f'<!DOCTYPE rss [<!ENTITY % x SYSTEM "{url}"> %x;]>', ""),
        "include": ("", f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{file}" parse="text"/>'),
    }
    found = {}
    for n, (way, (doctype, reference)) in enumerate(ways.items()):
        shown = some(3, 2, first=2 * n, told=1)
        body = doc(shown, prologue=f'<?xml version="1.0"?>{doctype}', title_0=reference)
        found[f"p03-{way}"] = Case(body=body, items=shown)
    assert tuple(ways) == WAYS
    return found


#: What stands in the first item's description; the last one kills its parser.
BOMBS = {
    "p04-cdata": "<![CDATA[" + "<p>x</p>" * 100_000 + "]]>",
    "p04-deep": "<b>" * 10_000,
    "p04-less": "<" * 30_000,
    "p04-divs": "<![CDATA[" + "<div>" * 20_000 + "]]>",
    "p04-tags": "<b/>" * 2_000_000,
}
BAD_REFERENCES = ("&#xD800;", "&#x110000;", "&#xFFFFFFFF;", "&#" + "9" * 400 + ";")
UNCLEAN = ("&#0;", "\x00", "\x0b", "&#8;", "\u202e", "\ufffe", "\x9c", "&#xDFFF;", "é" * 50_000)
#: Ways to write the same document: (encoding of the bytes, declared in the document, in the header).
ENCODINGS = {
    "header": ("latin-1", "", "text/xml; charset=iso-8859-1"),
    "utf-8 called latin-1": ("utf-8", "", "text/xml; charset=iso-8859-1"),
    "none": ("latin-1", "", "text/xml"),
    "latin-1 called utf-8": ("latin-1", "utf-8", "application/xml; charset=utf-8"),
    "mark": ("utf-16", "utf-16", "application/xml"),
    "signature": ("utf-8-sig", "utf-8", "application/xml"),
    "unknown": ("utf-8", "x-klingon", "application/xml; charset=x-klingon"),
    "utf-7": ("utf-8", "utf-7", "application/xml; charset=utf-7"),
    "no feed's type": ("utf-8", "utf-8", "image/png"),
}
NO_FEEDS = {
    "login": b"<!DOCTYPE html><html><body><form>log in</form></body></html>",
    "portal": b"<html><head><title>Wifi</title></head><body>Accept the terms</body></html>",
    "json": b'{"error": "rate limited"}',
    "image": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "words": b"database error",
}
DATES = (
    "",
    "<pubDate/>",
    "<pubDate>demain</pubDate>",
    "<pubDate>Fri, 01 Jan 2099 00:00:00 GMT</pubDate>",
    "<pubDate>0000-00-00T00:00:00Z</pubDate>",
    "<pubDate>-0001-01-01T00:00:00Z</pubDate>",
    "<pubDate>10000-01-01T00:00:00Z</pubDate>",
    "<pubDate>0001-01-01T00:00:00+14:00</pubDate>",
)
#: Where a reader's program could take text for markup, a command or an address.
XSS = (
    "<script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&lt;img src=x onerror=alert(1)&gt;",
    "&lt;a href=&quot;javascript:alert(1)&quot;&gt;x&lt;/a&gt;",
    "&lt;svg/onload=alert(1)&gt;",
    "&lt;!channel&gt; &lt;@U123&gt; @everyone",
    "&amp;lt;iframe src=//evil.test&amp;gt;",
    "\u202egnp.exe",
)


def dated(item: Item, date: str) -> str:
    """The item's document with that date alone."""
    return rss([item]).decode().replace(f"<pubDate>{item.published}</pubDate>", date)


def joined(documents: Sequence[str]) -> bytes:
    """One document with the items of all."""
    items = "".join(re.findall("<item>.*</item>", "".join(documents), re.DOTALL))
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>{items}</channel></rss>'.encode()


def tabled() -> dict[str, Case]:
    """The documents, by feed."""
    one, two, six, seven = some(1, 3, told=2), some(2, 2, told=1), some(6, 9, told=8), some(7, 11, told=10)
    quadratic = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "{"x" * 100_000}">]>'
    data = r'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY p "C:\data">]>'
    ten = [dispatch(number(10, n), told=True) for n in range(len(DATES))]
    same = [replace(item, guid="one") for item in some(13, 10, told=9)]
    hostile = some(18, len(XSS), told=-1)
    poisoned = some(20, 20, told=19)
    return {
        "p01": Case(body=doc(one, prologue=laughs(), title_0="&a9;"), items=one),
        "p02": Case(body=doc(two, prologue=quadratic, title_0="&a;" * 1000), items=two),
        **{name: bombed(n, middle) for n, (name, middle) in enumerate(BOMBS.items())},
        "p05": many(),
        "p06": Case(body=doc(six, **{f"title_{n}": bad for n, bad in enumerate(BAD_REFERENCES)}), items=six),
        "p06-entity": Case(body=doc(some(6, 2, first=30), prologue=data, title_0="&p;"), items=some(6, 2, first=30)),
        "p07": Case(body=doc(seven, **{f"title_{n}": bad for n, bad in enumerate(UNCLEAN)}), items=seven),
        **{f"p08-{n}": encoded(n, *how) for n, how in enumerate(ENCODINGS.values())},
        **{f"p09-{name}": Case(body=body, result="not_a_feed") for name, body in NO_FEEDS.items()},
        "p10": Case(body=joined([dated(item, date) for item, date in zip(ten, DATES, strict=True)]), items=ten),
        "p13": Case(body=rss(same), items=same),
        "p18": Case(body=scripted(hostile), items=[told_too(item) for item in hostile]),
        "p18-name": Case(body=b"<script><x>alert(1)</x></script>", result="not_a_feed"),
        "p20": Case(body=doc(poisoned, title_7=POISON), items=[*poisoned[:7], *poisoned[8:]]),
    }


def bombed(row: int, middle: str) -> Case:
    """A bomb in the first item, and a good one after it."""
    shown = some(4, 2, first=10 * row, told=1)
    body = doc(shown, item_0=f"<description>{middle}</description>")
    return Case(body=body, items=shown) if "<b/>" not in middle else Case(body=body, result="parse_timeout")


def many() -> Case:
    """More items than are kept, the newest first."""
    shown = [
        replace(
            dispatch(number(5, n), told=n == 3), published=f"Fri, 06 Feb 2026 0{7 - n // 60}:{59 - n % 60:02}:00 GMT"
        )
        for n in range(ENTRIES + 12)
    ]
    return Case(body=rss(shown), items=shown[:ENTRIES])


def encoded(row: int, encoding: str, declared: str, header: str) -> Case:
    """A document in that encoding; its title holds what the encodings write in other ways."""
    shown = [
        dispatch(
            number(8, row),
            title=f"Été Z{number(8, row)} à Hanoï « œuvré »"
            if "latin" not in encoding
            else f"Été Z{number(8, row)} à Hanoï",
        )
    ]
    mark = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    text = rss(shown).decode().replace('<?xml version="1.0" encoding="utf-8"?>', mark)
    return Case(body=text.encode(encoding, "replace"), items=shown, content_type=header)


def told_too(item: Item) -> Item:
    """As it is told."""
    return replace(item, text=f"Hun Sen part en visite. {item.text}")


def scripted(shown: Sequence[Item]) -> bytes:
    """A document with hostile text wherever it may have some."""
    swap = {}
    for n, bad in enumerate(XSS):
        swap[f"title_{n}"] = bad
        swap[f"item_{n}"] = f"<author>{bad}</author><category>{bad}</category>"
    body = doc([told_too(item) for item in shown], **swap).decode()
    for n, item in enumerate(shown):
        link = ("javascript:alert(1)", "data:text/html,x", f"https://example.org/{item.guid}")[n % 3]
        body = body.replace(f"<link>{item.link}</link>", f"<link>{link}</link>")
    return body.replace("<title>t</title>", f"<title>{XSS[1]}</title>").encode()


#: Articles' pages that must not hold anything up.
PAGES: Sequence[tuple[str, Document | Script]] = (
    ("p19-endless", endless(OK + b"Content-Type: text/html\r\n\r\n", b"<p>x</p>" * 10_000)),
    ("p19-announced", endless(OK + b"Content-Length: 52428800\r\n\r\n", b"<p>x</p>", 0.05)),
    ("p19-tags", once(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"<i>x</i>" * 1_000_000))),
    ("p19-tables", Document(body=b"<html><body>" + b"<table><tr><td>" * 20_000)),
)


_STATES = "SELECT name, last_result, last_detail FROM feed"


@dataclass
class Table:
    """The fate of all documents."""

    it: Loopback
    cases: Mapping[str, Case]
    #: After the first poll, by feed: its state's result and detail.
    first: Mapping[str, tuple[str, str]] = field(default_factory=dict)


async def show(table: Table) -> None:
    """All at the same moment."""
    it = table.it
    for name, case in table.cases.items():
        it.serve(name, case.items, case.body, content_type=case.content_type, gzip=True, etag='"1"')
    for n, (name, page) in enumerate(PAGES):
        link = it.server.put(f"/page-{n}", page)
        it.serve(name, [dispatch(number(19, n), told=True, link=link)], etag='"1"')
    it.publish(dispatch(1, told=True))
    async with it.engine():
        await until(lambda: "/page-2" in it.server.paths(), 200)
        # Asked again, there is no such page: one killed child is enough.
        it.server.serve("/page-2", status=404)
        await it.rest()
    table.first = {name: (result, detail) for name, result, detail in it.desk.rows(_STATES)}
    it.serve("p04-tags", some(4, 2, first=90, told=1), etag='"2"')
    it.publish(dispatch(2, told=True))
    await it.round(minutes=20)
    it.assert_nothing_lost()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    """Every document, polled twice."""
    folder = tmp_path_factory.mktemp("table")
    pages = [partial(full_text, name) for name, _ in PAGES]
    names = [*tabled(), *(f"p03-{way}" for way in WAYS)]
    with Loopback(folder, [*names, *pages], limits=LIMITS, children=partial(Watched, cpu_seconds=1)) as it:
        found = Table(it=it, cases=tabled() | external(folder, it))
        asyncio.run(show(found))
        yield found


def full_text(name: str, it: Loopback) -> Feed:
    """A feed whose items' pages are fetched."""
    return it.feed(name, full_text=True)


def titles(table: Table, name: str) -> list[str]:
    """Of a feed's entries."""
    return [entry["title"] for entry in table.it.entries(name)]


def of(mark: str) -> list[str]:
    """The names of a row's feeds."""
    return [name for name in tabled() if name.startswith(mark)]


def told(table: Table, name: str) -> list[bool]:
    """Each item that is due, with whether it was sent."""
    return [table.it.was_told(item) for item in table.cases[name].items if is_told(item)]


def test_p01_entities_within_entities(table: Table) -> None:
    """They stay unexpanded, and the other entries stand."""
    assert titles(table, "p01") == ["Dépêche Z10100 &a9;", "Dépêche Z10101", "Dépêche Z10102"]
    assert told(table, "p01") == [True]


def test_p02_a_long_entity_a_thousand_times(table: Table) -> None:
    """A title is at most a thousand characters, and the other entry stands."""
    assert [len(title) <= 1000 for title in titles(table, "p02")] == [True, True]
    assert told(table, "p02") == [True]


@pytest.mark.parametrize("way", WAYS)
def test_p03_entities_of_elsewhere(table: Table, way: str) -> None:
    """No file is opened and nothing is connected to, or the parser would have died of it; nothing is left out."""
    name = f"p03-{way}"
    assert table.first[name][0] == "ok"
    assert table.it.secret.connections == 0
    assert len(titles(table, name)) == 2
    assert told(table, name) == [True]


@pytest.mark.parametrize("name", of("p04"))
def test_p04_bombs(table: Table, name: str) -> None:
    """A document that a child reads in time is read, with its siblings; else it is kept, and read when put right."""
    assert table.first[name][0] == table.cases[name].result
    assert len(titles(table, name)) == 2
    if name == "p04-tags":
        assert kept(table, name) == [("parse_timeout", table.cases[name].body)]
    else:
        assert told(table, name) == [True]


def kept(table: Table, name: str) -> list[tuple[str, bytes]]:
    """The feed's documents as `veille quarantine` has them: why, and their bytes."""
    it = table.it
    feed = next(one.id for one in it.feeds if one.name == name)
    with it.desk.store.read() as tx:
        return [
            (one.reason, entries.raw(tx, one.sha256) or b"")
            for one in quarantine.unread(tx, limit=100)
            if one.feed == feed
        ]


def test_p05_more_items_than_are_kept(table: Table) -> None:
    """The newest are; how many were left out is said, also after a 304."""
    assert len(titles(table, "p05")) == ENTRIES
    assert told(table, "p05") == [True]
    assert table.first["p05"] == ("ok", "12 older entries left out")
    assert table.it.state("p05", "last_result") == "not_modified"
    assert "12 older entries left out" in table.it.state("p05", "last_detail")


def test_p06_references_to_no_character(table: Table) -> None:
    """Shown as missing; the siblings stand."""
    assert [title.partition(" Z")[2][6:] for title in titles(table, "p06")] == ["\ufffd"] * 4 + [""] * 5
    assert titles(table, "p06-entity")[0].endswith(r"C:\data")
    assert told(table, "p06") == [True]


def test_p07_characters_that_no_store_holds(table: Table) -> None:
    """Cleaned before they are stored, in a title that is no novel."""
    for title in titles(table, "p07"):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ufffe\ud800-\udfff]", title)
        assert len(title) <= 1000
    assert told(table, "p07") == [True]


@pytest.mark.parametrize("name", of("p08"), ids=list(ENCODINGS))
def test_p08_encodings(table: Table, name: str) -> None:
    """The title as it was written, whatever was declared."""
    assert titles(table, name) == [item.title for item in table.cases[name].items]


@pytest.mark.parametrize("name", of("p09"))
def test_p09_documents_that_are_no_feeds(table: Table, name: str) -> None:
    """A failure with its reason, never "nothing new"; the document can be looked at."""
    assert table.first[name][0] == "not_a_feed"
    assert table.it.state(name, "failures") == 2
    assert kept(table, name) == [("not_a_feed", table.cases[name].body)]


def test_p10_dates_of_no_calendar(table: Table) -> None:
    """Each item is told once, as of when it was first seen."""
    assert told(table, "p10") == [True] * len(DATES)
    dates = table.it.desk.rows(
        "SELECT a.published, a.first_seen FROM article a JOIN entry e ON e.article_id = a.id"
        " JOIN feed f ON f.id = e.feed_id WHERE f.name = 'p10'"
    )
    assert len(dates) == len(DATES)
    assert {published == seen for published, seen in dates} == {True}, dates


def test_p13_one_guid_for_all(table: Table) -> None:
    """Told apart by link and text; the second reading brings nothing."""
    assert len(titles(table, "p13")) == 10
    assert told(table, "p13") == [True]


class Markup(HTMLParser):
    """The parts of a mail's HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action"}]


def test_p18_hostile_texts_in_messages(table: Table) -> None:
    """A mail's HTML holds no element, attribute or link of theirs, a Slack message no mention and no link."""
    assert told(table, "p18") == [True] * len(XSS)
    mails = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in (table.it.folder / "alerts").glob("*.eml")
    ]
    hostile = [mail for mail in mails if re.search(r"Z118\d\d", mail["subject"])]
    assert len(hostile) == len(XSS)
    for mail in hostile:
        part = mail.get_body(("html",))
        assert part is not None
        found = Markup(part.get_content())
        assert not found.tags & {"script", "img", "svg", "iframe", "x", "object", "form", "base", "link"}
        assert not {name for name in found.attributes if name.startswith("on")}
        assert all(link.startswith(("https://", "http://")) for link in found.links)
    payloads = [post.body.decode() for post in table.it.sink.received]
    for bad in ("<!channel>", "<@U123>", "javascript:", "<script"):
        assert not any(bad in payload for payload in payloads)


def test_p18_hostile_names_in_reasons(table: Table) -> None:
    """The feed's state quotes an element's name, and nothing that could be one."""
    assert table.first["p18-name"] == ("not_a_feed", "XML of <script>")


@pytest.mark.parametrize("name", [name for name, _ in PAGES])
def test_p19_pages_that_are_bombs(table: Table, name: str) -> None:
    """The summary is told all the same, a minute after the entry was seen at the latest."""
    (late,) = table.it.desk.rows(
        "SELECT (julianday(max(a.started)) - julianday(e.first_seen)) * 86400 FROM attempt a"
        " JOIN obligation o ON o.delivery_id = a.delivery_id JOIN entry e ON e.article_id = o.article_id"
        f" JOIN feed f ON f.id = e.feed_id WHERE f.name = '{name}'"
    )
    assert 0 <= late[0] <= 61


def test_p20_an_entry_that_cannot_be_mapped(table: Table) -> None:
    """It costs itself alone; its document is kept with the reason, and that is said for as long as it stands there."""
    assert len(titles(table, "p20")) == 19
    assert told(table, "p20") == [True]
    assert kept(table, "p20") == [("parse_error", table.cases["p20"].body)]
    assert "could not be read: ZeroDivisionError" in table.first["p20"][1]
    assert "could not be read: ZeroDivisionError" in table.it.state("p20", "last_detail")


# --- documents that change -----------------------------------------------------------------------------------------

#: Polls in a row that fail before the operators are told, and those of the whole time.
PATIENCE, POLLS = 8, 10
CHANGING = ("p09", "p11", "p12", "p12-window", "p14", "p15", "p16-a", "p16-b", "p16-c", "p17")
FLAPS = 30


def at(row: int, count: int, *, first: int = 0, told: int = -1) -> list[Item]:
    """Items of the second store; `told` is the number of the one that is to be told."""
    return [dispatch(30_000 + 100 * row + n, told=n == told) for n in range(first, first + count)]


def churned(poll: int) -> list[Item]:
    """Twenty items with other guids at each poll."""
    return [replace(item, guid=f"{poll}-{item.guid}") for item in at(11, 20, told=7)]


def window(poll: int) -> list[Item]:
    """Ten items; thirty more are published between two polls, once."""
    return at(12, 10, first=50 if poll < 5 else 80, told=82)


def reordered(poll: int) -> list[Item]:
    """Ten items, of which half vanish for three polls, in an order of each poll's own."""
    shown = at(12, 10, told=2)
    shown = shown[5:] if 1 <= poll <= 3 else shown
    return shown[poll % len(shown) :] + shown[: poll % len(shown)]


def nameless(poll: int) -> list[Item]:
    """An item without guid and link, whose title is edited."""
    (item,) = at(14, 1, told=0)
    return [replace(item, guid="", link="", title=item.title + (", selon la radio" if poll else ""))]


def flapping(poll: int) -> list[Item]:
    """An item that says how late it is."""
    (item,) = at(15, 1, told=0)
    return [replace(item, text=f"{item.text} Il est {poll // 60 + 8} h {poll % 60:02}, page vue {poll} fois.")]


def elsewhere(name: str) -> list[Item]:
    """One article under an address of each outlet's own."""
    (item,) = at(16, 1, told=0)
    link = {
        "p16-a": item.link,
        "p16-b": f"{item.link.replace('https', 'http')}/?utm_source=b",
        "p16-c": f"{item.link}?utm_medium=rss&utm_campaign=c",
    }[name]
    return [replace(item, guid=f"{name}-{item.guid}", link=link)]


def first_poll(poll: int) -> list[Item]:
    """Twelve old items; one of them, and a later one, are what the rule looks for."""
    old = at(17, 12, told=5)
    return [*old, *at(17, 1, first=12, told=12)] if poll else old


@dataclass
class Weeks:
    """The fate of feeds whose documents change."""

    it: Loopback
    #: After each poll, by feed: its entries, and its state's detail.
    polls: list[Mapping[str, tuple[int, str]]] = field(default_factory=list)

    async def live(self) -> None:
        """Ten polls of all; then of one alone, again and again."""
        it = self.it
        it.backlog = {("p17", name_of(item.title)) for item in first_poll(0)}
        for poll in range(POLLS):
            shown = {
                "p11": churned(poll),
                "p12": reordered(poll),
                "p12-window": window(poll),
                "p14": nameless(poll),
                "p15": flapping(poll),
                "p17": first_poll(poll),
            } | {name: elsewhere(name) for name in CHANGING if name.startswith("p16")}
            for name, items in shown.items():
                it.serve(name, items)
            it.serve("p09", [], NO_FEEDS["portal"], content_type="text/html")
            if poll == POLLS - 1:
                it.serve("p09", at(9, 2, told=1))
            it.publish(dispatch(100 + poll, told=True))
            await it.desk.pass_()
            rows = it.desk.rows(
                "SELECT name, last_detail, (SELECT count(*) FROM entry WHERE feed_id = feed.id) FROM feed"
            )
            self.polls.append({name: (entries, detail) for name, detail, entries in rows})
            it.desk.later(hours=1)
        flaps = next(feed.id for feed in it.feeds if feed.name == "p15")
        for poll in range(POLLS, FLAPS):
            it.serve("p15", flapping(poll))
            await it.desk.poll(flaps)
            it.desk.later(hours=1)
        await it.desk.pass_()
        await it.desk.context.client.aclose()
        it.assert_nothing_lost()


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weeks]:
    """All of them."""
    feeds = [*CHANGING[:-1], lambda it: it.feed("p17", alert_backlog=False)]
    with Loopback(tmp_path_factory.mktemp("weeks"), feeds) as it:
        found = Weeks(it)
        asyncio.run(found.live())
        yield found


def counts(weeks: Weeks, name: str) -> list[int]:
    """A feed's entries after each poll."""
    return [poll[name][0] for poll in weeks.polls]


def times_told(weeks: Weeks, item: Item) -> int:
    """The number of times that Slack has it."""
    return sum(name_of(item.title) in text for text in weeks.it.posted())


def test_p09_the_operators_hear_of_it(weeks: Weeks) -> None:
    """Once, after eight polls in a row; and once more when it is a feed again, whose items are told."""
    assert [words.removeprefix("[Veille] ") for words in weeks.it.notices() if "p09" in words] == [
        f"p09 : {PATIENCE} relevés de suite ont échoué",
        "p09 : le flux répond de nouveau",
    ]
    assert times_told(weeks, at(9, 2)[1]) == 1


def test_p11_new_guids_at_every_poll(weeks: Weeks) -> None:
    """Twenty entries, one alert, and the feed's state says why."""
    assert counts(weeks, "p11") == [20] * POLLS
    assert times_told(weeks, churned(0)[7]) == 1
    assert "guid_churn" in weeks.polls[-1]["p11"][1]


def test_p12_items_that_vanish_and_come_back(weeks: Weeks) -> None:
    """Known, in whatever order."""
    assert counts(weeks, "p12") == [10] * POLLS
    assert times_told(weeks, reordered(0)[2]) == 1


def test_p12_a_window_that_slid_past(weeks: Weeks) -> None:
    """Items that may have been missed are reported, once it has happened."""
    assert counts(weeks, "p12-window") == [10] * 5 + [20] * 5
    assert ["gap_suspected" in poll["p12-window"][1] for poll in weeks.polls] == [n == 5 for n in range(POLLS)]
    assert times_told(weeks, window(5)[2]) == 1


def test_p14_an_edited_title_without_guid_or_link(weeks: Weeks) -> None:
    """A revision: one entry, one alert."""
    assert counts(weeks, "p14") == [1] * POLLS
    assert times_told(weeks, nameless(0)[0]) == 1


def test_p15_a_body_that_holds_the_time(weeks: Weeks) -> None:
    """No more than twenty-four texts after the first, and one alert."""
    assert counts(weeks, "p15") == [1] * POLLS
    changes, revisions = weeks.it.desk.rows(
        "SELECT e.changes, (SELECT count(*) FROM revision WHERE article_id = e.article_id) FROM entry e"
        " JOIN feed f ON f.id = e.feed_id WHERE f.name = 'p15'"
    )[0]
    assert changes == 24
    assert revisions <= 25
    assert times_told(weeks, flapping(0)[0]) == 1


def test_p16_one_article_in_three_feeds(weeks: Weeks) -> None:
    """Three entries, one alert; the others are copies in the ledger."""
    assert [counts(weeks, name)[-1] for name in ("p16-a", "p16-b", "p16-c")] == [1, 1, 1]
    item = elsewhere("p16-a")[0]
    assert times_told(weeks, item) == 1
    lines = [line for line in weeks.it.ledger() if line.name == name_of(item.title)]
    assert sorted(line.suppression for line in lines) == ["", "copy", "copy"]


def test_p17_a_feeds_first_document(weeks: Weeks) -> None:
    """Stored and not told; what comes later is."""
    assert counts(weeks, "p17") == [12] + [13] * (POLLS - 1)
    assert times_told(weeks, first_poll(0)[5]) == 0
    assert times_told(weeks, first_poll(1)[12]) == 1
    (line,) = [line for line in weeks.it.ledger() if line.name == name_of(first_poll(0)[5].title)]
    assert (line.verdict, line.suppression) == ("suppressed", "backlog")
