"""From a feed's bytes to its entries."""

import json
import pickle
import re
import sys
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.feeds.parse import ParseFailed, parse, syndication
from worker.model import FetchReason, ParsedEntry, ParsedFeed

URL = "https://news.example/feeds/rss.xml"
FEEDS = Path(__file__).parents[2] / "shared" / "data" / "feeds"
needs_feeds = pytest.mark.skipif(not FEEDS.is_dir(), reason="the shared data is not here")


def rss(*items: str, head: str = "", prologue: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'{prologue}<rss version="2.0"><channel><title>Desk</title>{head}{body}</channel></rss>'.encode()


def atom(*entries: str, base: str = "") -> bytes:
    body = "".join(f"<entry>{entry}</entry>" for entry in entries)
    mark = f' xml:base="{base}"' if base else ""
    return f'<feed xmlns="http://www.w3.org/2005/Atom"{mark}><title>Desk</title>{body}</feed>'.encode()


def read(body: bytes, content_type: str = "application/xml") -> ParsedFeed:
    found = parse(body, URL, content_type)
    assert isinstance(found, ParsedFeed), found
    return found


def only(body: bytes, content_type: str = "application/xml") -> ParsedEntry:
    (found,) = read(body, content_type).entries
    return found


def titles(body: bytes) -> list[str]:
    return [entry.title for entry in read(body).entries]


def test_an_rss_entry_whole():
    """Every field of an RSS item arrives, in UTC and absolute."""
    found = only(
        rss(
            "<title>Le Premier ministre &amp; son hôte</title><link>/a/1</link><guid isPermaLink='false'>n-1</guid>"
            "<description>&lt;p&gt;Un résumé&lt;/p&gt;</description><author>Lan</author>"
            "<pubDate>Wed, 18 Feb 2026 10:30:00 +0700</pubDate>",
            head="<language>fr-FR</language>",
        )
    )
    assert found == ParsedEntry(
        guid="n-1",
        link="https://news.example/a/1",
        title="Le Premier ministre & son hôte",
        summary="<p>Un résumé</p>",
        published=datetime(2026, 2, 18, 3, 30, tzinfo=UTC),
        author="Lan",
        language="fr-FR",
    )


def test_a_json_feed_entry_whole():
    """JSON Feed is mapped field by field; numbers serve as ids, and plain text is kept apart from markup."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Desk",
        "language": "vi",
        "items": [
            {
                "id": 7,
                "url": "/a/7",
                "title": "A < B",
                "content_text": "1 < 2 & 3",
                "date_published": "2026-02-18T10:30:00+07:00",
                "authors": [{"name": "Lan"}, {"name": "Minh"}],
            },
            "not an object",
            {"id": "https://news.example/a/8", "content_html": "<p>x</p>", "date_published": "soon"},
        ],
    }
    found = read(json.dumps(feed).encode())
    assert (found.version, found.title, found.language) == ("json1", "Desk", "vi")
    first, second = found.entries
    assert first == ParsedEntry(
        guid="7",
        link="https://news.example/a/7",
        title="A < B",
        content="1 &lt; 2 &amp; 3",
        published=datetime(2026, 2, 18, 3, 30, tzinfo=UTC),
        author="Lan, Minh",
        language="vi",
    )
    assert (second.link, second.content, second.published) == ("https://news.example/a/8", "<p>x</p>", None)
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"<!DOCTYPE html><html><body><form>log in</form></body></html>", "HTML"),
        (b"<!-- portal --><HTML><head></head></HTML>", "HTML"),
        (b"<html xmlns:atom='http://www.w3.org/2005/Atom'><body>x</body></html>", "HTML"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "binary"),
        (b"GIF89a\x01\x00\x01\x00", "binary"),
        (b'{"error": "rate limited"}', "JSON"),
        (b"[1, 2]", "neither"),
        (b"/etc/passwd", "neither"),
        (b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url/></urlset>", "urlset"),
        (b"<opml xmlns:atom='http://www.w3.org/2005/Atom'><body><outline text='feed'/></body></opml>", "opml"),
    ],
    ids=[
        "empty",
        "blank",
        "login page",
        "portal",
        "page that declares Atom",
        "png",
        "gif",
        "json",
        "json list",
        "a path",
        "sitemap",
        "opml",
    ],
)
def test_p09_not_a_feed(body: bytes, detail: str):
    """A document that is no feed is refused, with what it is."""
    found = parse(body, URL, "text/html")
    assert isinstance(found, ParseFailed)
    assert found.reason is FetchReason.NOT_A_FEED
    assert detail in found.detail


def test_a_feed_without_entries_is_one():
    """An empty feed is no failure."""
    assert read(rss()).entries == ()


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("AT&amp;T", "AT&T"),
        ("Tom &amp;amp; Jerry", "Tom & Jerry"),
        ("L&amp;#39;accord", "L'accord"),
        ("&lt;b&gt;Hun&lt;/b&gt; Sen", "Hun Sen"),
        ("<![CDATA[Hun <i>Sen</i> &eacute;lu]]>", "Hun Sen élu"),
        ("1 &lt; 2 et 3 &gt; 2", "1 < 2 et 3 > 2"),
        ("&amp;lt;b&amp;gt; en HTML", "<b> en HTML"),
        ("Ligne\n   suivante", "Ligne suivante"),
        ("Une&lt;br/&gt;coupe", "Une coupe"),
        ("&lt;script&gt;x()&lt;/script&gt;", "x()"),
    ],
    ids=[
        "ampersand",
        "escaped twice",
        "reference",
        "tags",
        "cdata",
        "less than",
        "a tag as text",
        "white space",
        "break",
        "script",
    ],
)
def test_rss_titles_are_plain_text(title: str, expected: str):
    """Tags and references of a title are resolved once."""
    assert only(rss(f"<title>{title}</title>")).title == expected


@pytest.mark.parametrize(
    ("kind", "title", "expected"),
    [
        ("text", "Tom &amp;amp; Jerry", "Tom & Jerry"),
        ("text", "&lt;b&gt; en HTML", "<b> en HTML"),
        ("html", "Tom &amp;amp; &lt;b&gt;Jerry&lt;/b&gt;", "Tom & Jerry"),
        ("xhtml", '<div xmlns="http://www.w3.org/1999/xhtml">Tom &amp; <b>Jerry</b> &lt; 3</div>', "Tom & Jerry < 3"),
    ],
    ids=["escaped twice", "text with a tag", "html", "xhtml"],
)
def test_atom_titles_say_what_they_are(kind: str, title: str, expected: str):
    """Atom's `type` decides how a title is read (RFC 4287 section 3.1.1)."""
    assert only(atom(f'<id>1</id><title type="{kind}">{title}</title>')).title == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("<link>a/1</link>", "https://news.example/feeds/a/1"),
        ("<link>//cdn.example/a</link>", "https://cdn.example/a"),
        ("<link>\n https://e.org/a \n</link>", "https://e.org/a"),
        ("<link>javascript:alert(1)</link>", ""),
        ("<link>file:///etc/passwd</link>", ""),
        ("<link>ftp://e.org/a</link>", ""),
        ("<guid>https://e.org/g</guid>", "https://e.org/g"),
        ("<guid>12345</guid>", ""),
        ("<guid>urn:uuid:1</guid><link>/a</link>", "https://news.example/a"),
        ("<link>https://e.org/?a=1&amp;b=2</link>", "https://e.org/?a=1&b=2"),
    ],
    ids=[
        "relative",
        "no scheme",
        "white space",
        "script",
        "file",
        "ftp",
        "guid as link",
        "guid is a number",
        "link beats guid",
        "query",
    ],
)
def test_links(item: str, expected: str):
    """A link is an absolute http(s) URL, or nothing."""
    assert only(rss(f"<title>T</title>{item}")).link == expected


@pytest.mark.parametrize(
    ("site", "link", "expected"),
    [
        ("https://site.example/", "/a/1", "https://site.example/a/1"),
        ("https://site.example/fr/", "a/1", "https://site.example/fr/a/1"),
        ("https://site.example/fr", "?id=3", "https://site.example/fr?id=3"),
        ("//site.example/", "/a/1", "https://site.example/a/1"),
        ("/fr/", "a/1", "https://news.example/fr/a/1"),
        ("", "/a/1", "https://news.example/a/1"),
        ("about:blank", "/a/1", "https://news.example/a/1"),
        ("https://site.example/", "https://e.org/a", "https://e.org/a"),
        ("https://site.example/", "//cdn.example/a", "https://cdn.example/a"),
    ],
)
def test_relative_links_belong_to_the_site(site: str, link: str, expected: str):
    """To the front page that the channel names, in each format; to the feed's own address where it names none."""
    documents = [
        rss(f"<title>T</title><link>{link}</link>", head=f"<link>{site}</link>"),
        json.dumps(
            {"version": "https://jsonfeed.org/version/1", "home_page_url": site, "items": [{"id": "1", "url": link}]}
        ).encode(),
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title><link href="{URL}" rel="self"/>'
        f'<link href="{site}"/><entry><id>1</id><title>T</title><link href="{link}"/></entry></feed>'.encode(),
    ]
    assert [only(document).link for document in documents] == [expected] * 3


def test_xml_base_of_an_entry_comes_before_the_site():
    """It is the nearest (XML Base, section 4)."""
    body = atom('<id>1</id><title>T</title><link href="a/1"/>', base="https://base.example/x/")
    site = body.replace(b"<title>Desk</title>", b'<title>Desk</title><link href="https://site.example/"/>')
    assert only(site).link == "https://base.example/x/a/1"


def test_xml_base():
    """Atom links are resolved against xml:base."""
    body = atom('<id>1</id><title>T</title><link href="a/1"/>', base="https://base.example/x/")
    assert only(body).link == "https://base.example/x/a/1"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Wed, 18 Feb 2026 10:30:00 +0700", datetime(2026, 2, 18, 3, 30, tzinfo=UTC)),
        ("Wed, 18 Feb 2026 10:30:00 GMT+7", datetime(2026, 2, 18, 3, 30, tzinfo=UTC)),
        ("2026-02-18T10:30:00Z", datetime(2026, 2, 18, 10, 30, tzinfo=UTC)),
        ("2099-01-01T00:00:00Z", datetime(2099, 1, 1, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("0000-00-00", None),
        ("0000-00-00T00:00:00Z", None),
        ("0000-00-00 00:00:00", None),
        ("-0001-11-30T00:00:00+00:00", None),
        ("10000-01-01T00:00:00Z", None),
        ("1999-12-31T23:30:00-05:00", datetime(2000, 1, 1, 4, 30, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", None),
        ("-1", None),
        ("Wed, 99 Feb 2026 99:99:99 +9999", None),
    ],
)
def test_p10_dates_never_raise(date: str, expected: datetime | None):
    """A date is aware UTC, or None."""
    assert only(rss(f"<title>T</title><pubDate>{date}</pubDate>")).published == expected


def test_updated_is_not_published():
    """One date is not taken for the other."""
    found = only(atom("<id>1</id><title>T</title><updated>2026-02-18T10:30:00Z</updated>"))
    assert (found.published, found.updated) == (None, datetime(2026, 2, 18, 10, 30, tzinfo=UTC))
    assert only(rss("<title>T</title><pubDate>Wed, 18 Feb 2026 10:30:00 GMT</pubDate>")).updated is None


@pytest.mark.parametrize(
    "reference", ["&#xD800;", "&#x110000;", "&#xFFFFFFFF;", "&#0;", "&#1;", "&#" + "9" * 400 + ";"]
)
def test_p06_a_bad_reference_loses_nothing(reference: str):
    """A reference to no character is shown as missing; its siblings stand."""
    found = titles(rss(f"<title>a{reference}b</title>", *(f"<title>t{n}</title>" for n in range(19))))
    assert found == ["a\ufffdb", *(f"t{n}" for n in range(19))]


def test_a_backslash_in_an_entity():
    """An entity whose value holds a backslash is read."""
    body = rss("<title>&p;</title>", prologue=r'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY p "C:\data">]>')
    assert titles(body) == [r"C:\data"]


def test_p01_p02_entities_do_not_explode():
    """Nested entities stay unexpanded, and the other entries stand."""
    nested = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    prologue = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "lol">{nested}]>'
    found = titles(rss("<title>&a9;</title>", "<title>good</title>", prologue=prologue))
    assert found[-1] == "good"
    assert len(found[0]) < 100


def test_f06_p03_no_file_is_opened(tmp_path: Path):
    """Neither a body that is a path nor an external entity opens a file."""
    secret = tmp_path / "secret.txt"
    secret.write_text("CANARY")
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    external = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file://{secret}">]>'
    parse(str(secret).encode(), URL, "")
    parse(f"file://{secret}".encode(), URL, "")
    assert "CANARY" not in repr(read(rss("<title>&x;</title>", prologue=external)))
    assert str(secret) not in opened


@pytest.mark.parametrize(
    "text", ["a\x00b", "a\x0bb", "a\x08b", "a\u202eb", "a\ufffeb", "a\x9cb"], ids=lambda text: f"{ord(text[1]):x}"
)
def test_p07_controls_are_cleaned(text: str):
    """No control, override or non-character reaches the store."""
    found = only(rss(f"<title>{text}</title><description>{text}</description><guid>{text}</guid>"))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe]", found.title + found.summary + found.guid)
    assert text[1] not in found.title


def test_texts_are_capped():
    """A title holds 1,000 characters, a body 256 KiB of text, and no body ends within a tag."""
    found = only(rss(f"<title>{'é ' * 5000}</title><description>{'&lt;p&gt;é été&lt;/p&gt;' * 60_000}</description>"))
    assert len(found.title) <= 1000
    assert 255 * 1024 < len(re.sub("<[^>]+>", "", found.summary).encode()) <= 256 * 1024
    assert found.summary.rfind("<") < found.summary.rfind(">") or found.summary.endswith("é")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("é".encode(), "application/xml"),
        ("é".encode(), "text/xml"),
        ("é".encode(), "text/xml; charset=iso-8859-1"),
        ("é".encode("latin-1"), "text/xml; charset=iso-8859-1"),
        ("é".encode("latin-1"), "text/xml"),
        ("é".encode("latin-1"), "text/xml; charset=utf-8"),
    ],
    ids=["utf-8", "text/xml without charset", "wrong header", "header", "nothing declared", "declared utf-8, is not"],
)
def test_p08_encodings(body: bytes, content_type: str):
    """Bytes that are UTF-8 are read so whatever is declared; others by what is."""
    document = b"<rss version='2.0'><channel><item><title>caf" + body + b"</title></item></channel></rss>"
    assert only(document, content_type).title == "café"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "koi8-r", "windows-1251", "utf-32"])
def test_declared_encodings(encoding: str):
    """A byte order mark or the declaration names the encoding."""
    declared = f'<?xml version="1.0" encoding="{encoding}"?>'
    text = f"{declared}<rss version='2.0'><channel><item><title>Привет мир</title></item></channel></rss>"
    assert only(text.encode(encoding)).title == "Привет мир"


def test_a_stray_byte_spoils_only_itself():
    """One byte of Windows-1252 in a UTF-8 feed leaves the rest as it is."""
    body = rss("<title>Tô Lâm à Hanoï</title>", "<title>d@accord</title>").replace(b"@", b"\x92")
    assert titles(body) == ["Tô Lâm à Hanoï", "d’accord"]


@pytest.mark.parametrize(
    ("cut", "expected"),
    [("<item><title>c</ti", ["a", "b"]), ("<item><description><![CDATA[<p>c", ["a", "b"]), ("", ["a"])],
    ids=["in an item", "in a CDATA section", "between items"],
)
def test_a_truncated_document_keeps_all_but_its_last_entry(cut: str, expected: list[str]):
    """The last entry of a document that ends early is not trusted."""
    whole = rss("<title>a</title>", "<title>b</title>").decode()
    found = read((whole.removesuffix("</channel></rss>") + cut).encode())
    assert found.truncated
    assert [entry.title for entry in found.entries] == expected


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: b"\n\n" + body,
        lambda body: body + b"\n<!-- cached --><script>x</script>",
        lambda body: b"<br /><b>Warning</b>: mysql in /var/www<br />" + body,
        lambda body: body.replace(b"t1", b"t1 R&D &foo; &nbsp;"),
        lambda body: body.replace(b"<title>t1</title>", b"<title>t1</title><media:x a='1'/>"),
        lambda body: body.replace(b"<title>t1</title>", b"<title>t1</title><b>open"),
    ],
    ids=["blank lines first", "junk behind", "a warning first", "ampersands", "an undeclared prefix", "an open tag"],
)
def test_faults_that_lose_nothing(spoil):
    """A fault in the document is survived, and is no truncation."""
    found = read(spoil(rss(*(f"<title>t{n}</title><guid>g{n}</guid>" for n in range(4)))))
    assert [entry.guid for entry in found.entries] == ["g0", "g1", "g2", "g3"]
    assert not found.truncated


@pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
def test_p05_the_newest_two_thousand(*, dated: bool):
    """Entries beyond the limit are counted; where dates tell, the newest are kept, in their order."""
    date = "<pubDate>Wed, 18 Feb 2026 {:02}:{:02}:00 GMT</pubDate>"
    items = [f"<title>t{n}</title>{date.format(n // 100, n % 60) if dated else ''}" for n in range(2300)]
    found = read(rss(*items))
    assert (len(found.entries), found.dropped) == (2000, 300)
    assert [entry.title for entry in found.entries] == [f"t{n}" for n in (range(300, 2300) if dated else range(2000))]


def test_p20_one_entry_that_cannot_be_mapped(monkeypatch: pytest.MonkeyPatch):
    """An error within one entry costs that entry alone, and is reported."""
    real = syndication._bodies

    def failing(raw):
        if raw.get("title") == "t7":
            raise ZeroDivisionError("planted")
        return real(raw)

    monkeypatch.setattr(syndication, "_bodies", failing)
    found = read(rss(*(f"<title>t{n}</title>" for n in range(50))))
    assert [entry.title for entry in found.entries] == [f"t{n}" for n in range(50) if n != 7]
    assert "planted" in found.problems[0]


def test_one_entry_on_which_feedparser_raises(monkeypatch: pytest.MonkeyPatch):
    """Items that feedparser can read are kept if it raises on another."""
    real = syndication._feedparser

    def failing(text: str):
        if "poison" in text:
            raise ValueError("planted")
        return real(text)

    monkeypatch.setattr(syndication, "_feedparser", failing)
    found = read(rss(*(f"<title>{'poison' if n == 3 else n}</title>" for n in range(9))))
    assert [entry.title for entry in found.entries] == ["0", "1", "2", "4", "5", "6", "7", "8"]
    assert "planted" in found.problems[0]


SWALLOWED = {
    "an end tag spoilt": "<title>t1</title><guid>g1</guid><description>x</descr=ption>",
    "an end of the channel": "<title>t1</title></channel><guid>g1</guid><description>x",
    "a tag never closed": "<title>t1</title><guid>g1</guid><description>x<",
    "a comment never closed": "<title>t1</title><guid>g1</guid><!-- x",
    "a CDATA section never closed": "<title>t1</title><guid>g1</guid><description><![CDATA[x</description>",
}


@pytest.mark.parametrize("spoilt", SWALLOWED.values(), ids=list(SWALLOWED))
def test_an_item_that_swallows_its_neighbours(spoilt: str):
    """Those behind it are found again, each once."""
    good = [f"<title>t{n}</title><guid>g{n}</guid>" for n in (0, 2, 3, 4)]
    found = read(rss(good[0], spoilt, *good[1:]))
    assert [entry.guid for entry in found.entries if entry.guid != "g1"] == ["g0", "g2", "g3", "g4"]


@pytest.mark.parametrize(
    ("item", "link"),
    [
        ("<title>A &amp; B<link>https://s.example/1</link><guid>g</guid>", "https://s.example/1"),
        ("<title>A &amp; B<link>https://s.example/2</link><description>text</description>", "https://s.example/2"),
        ("<title>A &amp; B</title><description>a <b>bold<link>no</description><link>https://s.example/3</link>", None),
    ],
)
def test_a_title_that_is_never_closed_leaves_the_link(item: str, link: str | None) -> None:
    """The title ends where an element begins that stands in no title; in a description nothing is assumed."""
    (entry,) = read(rss(item)).entries
    assert entry.title == "A & B"
    assert link is None or entry.link == link


def test_a_head_that_swallows_an_item():
    """The head before the items may be damaged too: the first is then read without it."""
    head = "<entryd>x</id><summary>Texte </channel>Hanoï</summa>ry></\ufffdentry>"
    entries = "".join(f"<entry><id>g{n}</id><title>Été {n}</title></entry>" for n in range(3))
    body = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{head}{entries}</feed>'
    assert [entry.guid for entry in read(body.encode()).entries] == ["g0", "g1", "g2"]


def test_items_that_were_taken_out():
    """An item in a comment or a CDATA section is none, also in a document with a fault."""
    hidden = "<!-- <item><guid>old</guid></item> -->"
    quoted = "<title>b</title><guid>b</guid><description><![CDATA[<item><guid>no</guid></item>]]></description>"
    body = rss("<title>a</title><guid>a</guid><description>R&D</b></description>", quoted, head=hidden)
    assert [entry.guid for entry in read(body).entries] == ["a", "b"]


BROKEN_JSON = {
    "a quote": ('{"id": "g1, "title": "t"}', [0, 2, 3]),
    "a brace": ('{"id": "g1", "title": "t"', [0, 2, 3]),
    "junk between": ('{"id": "g1"} oops', [0, 1, 2, 3]),
    "the end of a list": ('{"id": "g1"}]]>', [0, 1, 2, 3]),
    "the end of a list, once": ('{"id": "g1"}]', [0, 1, 2, 3]),
    "a comma too many": ('{"id": "g1",}', [0, 2, 3]),
    "a control character": ('{"id": "g1", "title": "a\tb"}', [0, 1, 2, 3]),
    "no number": ('{"id": NaN0, "authors": [{"name": "Lan"}, {"name": "Minh"}]}', [0, 2, 3]),
}


@pytest.mark.parametrize(("spoilt", "kept"), BROKEN_JSON.values(), ids=list(BROKEN_JSON))
def test_json_that_is_broken(spoilt: str, kept: list[int]):
    """The items that can be read are; what stands within a broken one is none; the others are counted."""
    items = [f'{{"id": "g{n}"}}' for n in range(4)]
    items[1] = spoilt
    found = read(
        f'{{"version": "https://jsonfeed.org/version/1", "title": "Fil", "items": [{",".join(items)}]}}'.encode()
    )
    assert [entry.guid for entry in found.entries] == [f"g{n}" for n in kept]
    assert (found.title, found.truncated) == ("Fil", False)
    assert found.unread == (0 if spoilt.startswith('{"id": "g1", "title": "a') else 1)


def test_json_that_ends_early():
    """Items before the end are kept, and that the document ends early is said."""
    whole = b'{"version": "https://jsonfeed.org/version/1", "items": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}'
    found = read(whole[:-10])
    assert ([entry.guid for entry in found.entries], found.truncated) == (["a", "b"], True)


def test_broken_json_of_something_else():
    """No feed says so: nothing is made of it."""
    found = parse(b'{"items": [{"id": "a"}, {"id": ', URL, "application/json")
    assert isinstance(found, ParseFailed)
    assert found.reason is FetchReason.PARSE_ERROR


def test_content_and_summary():
    """Content is kept beside a summary that says something else, and once where it does not."""
    space = 'xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    body = rss("<title>T</title><description>Short</description><content:encoded>Long</content:encoded>").decode()
    found = only(body.replace("<rss", f"<rss {space}").encode())
    assert (found.summary, found.content) == ("Short", "Long")
    found = only(atom('<id>1</id><title>T</title><content type="html">&lt;p&gt;x&lt;/p&gt;</content>'))
    assert (found.summary, found.content) == ("", "<p>x</p>")


MEDIA = 'xmlns:media="http://search.yahoo.com/mrss/" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
PICTURE = (
    "<media:content url='a.jpg'><media:title>Vue</media:title><media:description>{}</media:description></media:content>"
)


@pytest.mark.parametrize(
    ("item", "summary", "content"),
    [
        (
            "<title>T</title><description>Le pont ouvre.</description>" + PICTURE.format("Une vue du pont, au soir."),
            "Le pont ouvre.\n\nUne vue du pont, au soir.",
            "",
        ),
        (
            PICTURE.format("Le pont") + "<title>T</title><description>Le pont ouvre.</description>"
            "<content:encoded>&lt;p&gt;Il fut long.&lt;/p&gt;</content:encoded>",
            "Le pont ouvre.",
            "<div><p>Il fut long.</p></div>\n<div>Vue</div>",
        ),
        (
            "<title>T</title><description>Le pont ouvre.</description><description>Il fut long.</description>",
            "Le pont ouvre.\n\nIl fut long.",
            "",
        ),
        ("<title>T</title><description>Oui.</description><source url='x'><title>Autre</title>AFP</source>", "Oui.", ""),
        ("<title>T</title><enclosure url='a.mp3'><title>Au pied du pont</title></enclosure>", "Au pied du pont", ""),
        ("<title>T</title><description><item>dedans</item></description>", "<item>dedans</item>", ""),
    ],
    ids=["caption", "caption said already", "two descriptions", "source", "enclosure", "an item within"],
)  # fmt: skip
def test_p21_all_texts_of_an_entry(item: str, summary: str, content: str):
    """Description, content and captions are the entry's text, each once; its title stays its own."""
    found = only(rss(item).decode().replace("<rss", f"<rss {MEDIA}").encode())
    assert (found.title, found.summary, found.content) == ("T", summary, content)


@pytest.mark.parametrize(
    "silent",
    [
        "<img src='data:image/png;base64,{}'>",
        "<svg><path d='{}'/></svg>",
        "<style>{}</style>",
        "<script>{}</script>",
        "<!-- {} -->",
        "<template>{}</template>",
    ],
)
def test_p22_limits_count_text(silent: str):
    """Text behind 300 KB of markup that holds no text is kept."""
    markup = f"<p>Début.</p>{silent.format('A' * 300_000)}<p>Le pont ouvre.</p>"
    found = only(rss(f"<title>T</title><description><![CDATA[{markup}]]></description>"))
    assert "Début." in found.summary
    assert found.summary.endswith("<p>Le pont ouvre.</p>")


@pytest.mark.parametrize(
    "attributes",
    ["type='CDATA'", "type='HTML'", "type='html '", "type='TEXT/HTML'", "type='text/html; charset=utf-8'",
     "type='text/plain'",
     "type='application/html'", "type='application/octet-stream'", "type='markdown'", "type='escaped'", ""],
)  # fmt: skip
def test_p22_a_type_that_nobody_knows(attributes: str):
    """Text is text, whatever its type is called."""
    assert only(atom(f"<id>1</id><content {attributes}>Le pont ouvre.</content>")).content == "Le pont ouvre."


def test_what_xhtml_escapes_is_text():
    """A tag that a sentence of XHTML speaks of swallows nothing behind it."""
    markup = "<div xmlns='http://www.w3.org/1999/xhtml'><p>La page a un &lt;script&gt;.</p><p>Le pont ouvre.</p></div>"
    content = only(atom(f"<id>1</id><content type='xhtml'>{markup}</content>")).content
    assert "&lt;script&gt;" in content
    assert "Le pont ouvre." in content


def test_letters_without_a_type_are_no_base64():
    """Letters that no type calls coded are text, whatever they look like."""
    assert (
        only(rss("<title>T</title><description>AABBCCDDEEFFAABBCCDD</description>")).summary == "AABBCCDDEEFFAABBCCDD"
    )


def test_the_end_of_an_item_in_its_own_text():
    """In a broken feed, the last item ends behind what it quotes."""
    quoted = "<description><![CDATA[Début </item> et suite.]]></description><pubDate>2026-02-18T10:30:00Z</pubDate>"
    *_, last = read(rss("<title>x < y</title>", f"<title>T</title>{quoted}")).entries
    assert "suite" in last.summary
    assert last.published == datetime(2026, 2, 18, 10, 30, tzinfo=UTC)


def test_content_in_base64():
    """Text in base64 is read (RFC 4287 section 4.1.3.3), and a picture in it is none."""
    assert only(atom("<id>1</id><content mode='base64'>TGUgcG9udCBvdXZyZS4=</content>")).content == "Le pont ouvre."
    assert only(atom("<id>1</id><title>T</title><content mode='base64'>/9j/4AAQ</content>")).content == ""


def test_p22_a_feed_in_a_page():
    """A feed among the elements of an HTML page is read; a page that names one stays a page."""
    inner = atom("<id>1</id><title>Le pont</title>").decode()
    assert only(f"<!DOCTYPE html><html><body>{inner}</body></html>".encode()).title == "Le pont"


@pytest.mark.parametrize(
    ("item", "link"),
    [
        ("<link uri='at://x/1'>https://e.org/a</link>", "https://e.org/a"),
        ("<link>https://e.org/a</link><link>https://e.org/b</link>", "https://e.org/a"),
        ("<guid>https://e.org/g</guid><link>https://e.org/a</link>", "https://e.org/a"),
        ("<link>https://e.org/?a=1&lang=fr&copy=2&part=3</link>", "https://e.org/?a=1&lang=fr&copy=2&part=3"),
        ("<content src='https://e.org/a' type='text/html'/>", "https://e.org/a"),
    ],
    ids=["another scheme", "two links", "after a guid", "names of entities", "content elsewhere"],
)
def test_links_as_published(item: str, link: str):
    """The first link counts, and its parameters are no entities."""
    assert only(rss(f"<title>T</title>{item}")).link == link


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("L&amp;amp;#8217;accord d&amp;amp;eacute;finitif", "L’accord définitif"),
        ("&lt;![CDATA[Le pont]]&gt;", "Le pont"),
        ("&amp;lt;i&amp;gt;Le pont&amp;lt;/i&amp;gt; ouvre", "Le pont ouvre"),
        ("Les balises &lt;b&gt; et &lt;i&gt;", "Les balises <b> et <i>"),
        ("x &lt; y, a&lt;b et c&gt;d", "x < y, a<b et c>d"),
        ("AT&T, R&D &amp; cie", "AT&T, R&D & cie"),
        ("R&LT;D &AMP; d&eacute;part", "R<D & départ"),
        ("R&LT;b&GT;D", "R<b>D"),
        ("Vu&#150;lu", "Vu–lu"),
    ],
    ids=["references", "cdata", "tags", "of tags", "less", "ampersands", "capitals", "no live tag", "c1"],
)
def test_titles_escaped_too_often(title: str, expected: str):
    """They are read as they were meant; one that speaks of code is kept."""
    assert only(rss(f"<title>{title}</title>")).title == expected


def test_json_feed_texts_escaped():
    """References in what should be plain text are resolved, where all of it was escaped."""
    item = {
        "id": "1",
        "title": "L&#8217;accord &amp; la suite",
        "summary": "D&eacute;part",
        "content_text": "1 < 2 &amp; 3",
    }
    found = only(json.dumps({"version": "1.1", "items": [item]}).encode(), "application/json")
    assert (found.title, unescape(found.summary)) == ("L’accord & la suite", "Départ")
    assert unescape(found.content) == "1 < 2 &amp; 3"


def test_plain_atom_content_is_not_markup():
    """Plain text that looks like markup is escaped, so that it is read as text later."""
    assert only(atom('<id>1</id><content type="text">1 &lt; 2 &amp;amp; 3</content>')).content == "1 &lt; 2 &amp;amp; 3"


@given(st.binary(max_size=300))
def test_random_bytes_never_raise(body: bytes):
    """Whatever comes in, a value comes out, and it can cross a process."""
    found = parse(body, URL, "")
    assert pickle.loads(pickle.dumps(found)) == found


@given(st.data())
def test_cut_documents_never_raise(data: st.DataObject):
    """A feed cut or spoilt at any place gives a value."""
    whole = rss("<title>é</title><link>/a</link><description><![CDATA[<p>x</p>]]></description>", "<title>b</title>")
    at = data.draw(st.integers(0, len(whole)))
    found = parse(whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 9)) :], URL, "")
    assert isinstance(found, ParsedFeed | ParseFailed)


def _documents() -> list[Path]:
    found = [*FEEDS.glob("conformance/**/*"), *FEEDS.glob("broken/*.bin")]
    return sorted(p for p in found if p.is_file() and "LICENSE" not in p.name and not p.name.endswith(".serde.json"))


@needs_feeds
@pytest.mark.parametrize(
    "path", [p for p in _documents() if p.with_suffix(".serde.json").exists()], ids=lambda p: p.name
)
def test_conformance(path: Path):
    """Entries and titles are those that another project's parser expects."""
    expected = json.loads(path.with_suffix(".serde.json").read_text())["entries"]
    found = read(path.read_bytes(), "")
    wanted = [(entry.get("title") or {}).get("content") or "" for entry in expected]
    assert [entry.title for entry in found.entries] == [
        " ".join(unescape(re.sub("<[^>]+>", "", title)).split()) for title in wanted
    ]


@needs_feeds
def test_real_documents_never_raise():
    """Every fixture gives a value that can cross a process, and the broken real feeds all their entries."""
    found = {path.name: parse(path.read_bytes(), URL, "") for path in _documents()}
    assert pickle.loads(pickle.dumps(found)) == found
    counts = {name: len(feed.entries) for name, feed in found.items() if name.endswith(".bin")}
    assert sorted(counts.values()) == [10, 15, 17, 40]


def _by_lxml(body: bytes) -> list[str]:
    """Marks of each item that lxml finds in a document, faults and all: its guid, else its link, else its title."""
    from lxml import etree

    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return []
    items = [] if root is None else root.iter("{*}item", "{*}entry")
    found = []
    for item in items:
        told = {
            etree.QName(child).localname: (child.text or "").strip() for child in item if isinstance(child.tag, str)
        }
        links = [child.get("href") or "" for child in item.iter("{*}link")]
        found.append(
            told.get("guid") or told.get("id") or told.get("link") or "".join(links) or told.get("title") or ""
        )
    return [name for name in found if name]


def _by_feedparser(body: bytes) -> list[str]:
    """The same of the entries that feedparser finds by itself."""
    import io

    import feedparser

    try:
        found = feedparser.parse(io.BytesIO(body), sanitize_html=False, resolve_relative_uris=False)
    except Exception:  # noqa: BLE001 - it raises on some of them, and so finds nothing
        return []
    if not found.version:
        return []
    return [entry.get("id") or entry.get("link") or entry.get("title") or "" for entry in found.entries]


def _plainly(name: str) -> str:
    """A name without what parsers read in ways of their own: white space, and characters beyond ASCII."""
    return re.sub(r"[^!-~]|\ufffd", "", name)


@needs_feeds
@pytest.mark.soak
def test_no_entry_that_another_parser_finds_is_missed():
    """In every document of the shared data: feedparser alone, and lxml, find nothing that is not found here."""
    missed = {}
    for path in sorted({*_documents(), *FEEDS.glob("outlets/*.xml")}):
        body = path.read_bytes()
        found = parse(body, URL, "")
        entries = [*found.entries, *filter(None, [found.partial])] if isinstance(found, ParsedFeed) else []
        ours = {_plainly(name) for entry in entries for name in (entry.guid, entry.link, entry.title)}
        for other in (_by_lxml, _by_feedparser):
            theirs = {_plainly(name) for name in other(body)} - {""}
            # A link that is relative there is absolute here.
            lost = {name for name in theirs - ours if not any(own.endswith(f"/{name}") for own in ours)}
            if lost or len(theirs) > len(entries):
                missed[path.name, other.__name__] = (len(theirs), len(entries), sorted(lost)[:3])
    assert not missed


def test_a_page_names_its_feeds():
    """A page in place of a feed fails with the feeds that it names."""
    page = b"<html><head><link rel=stylesheet href=/x.css><link rel='alternate' type='application/rss+xml' href='/rss'>"
    found = parse(page, "https://a.example/fr/", "text/html")
    assert isinstance(found, ParseFailed)
    assert found.feeds == ("https://a.example/rss",)
    assert "https://a.example/rss" in found.detail


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ('<base href="/autre/">', "https://a.example/autre/rss.xml"),
        ("<BASE target=_top><base href=https://b.example/x/>", "https://b.example/x/rss.xml"),
        ('<base href="">', "https://a.example/fr/rss.xml"),
        ('<base href="javascript:x">', "https://a.example/fr/rss.xml"),
        ("", "https://a.example/fr/rss.xml"),
    ],
)
def test_a_page_says_what_its_links_are_relative_to(base: str, expected: str):
    """The first base with an address counts."""
    page = f"<html><head>{base}<link rel=alternate type='application/rss+xml' href='rss.xml'></head>".encode()
    found = parse(page, "https://a.example/fr/page.html", "text/html")
    assert isinstance(found, ParseFailed)
    assert found.feeds == (expected,)


def test_what_a_feed_says_of_when_to_come_back():
    """Ttl in seconds; skipHours and skipDays as numbers, and no heed to those that skip all."""
    head = "<ttl>90</ttl><skipHours><hour>0</hour><hour>23</hour></skipHours><skipDays><day>Sunday</day></skipDays>"
    found = read(rss("<title>a</title>", head=head))
    assert (found.ttl, found.skip_hours, found.skip_days) == (5400, (0, 23), (6,))


@pytest.mark.parametrize("kind", ["rss", "atom", "json"])
def test_f25_links_without_end(kind: str) -> None:
    """One of more than 8 KB is left out and counted, its item is kept; blanks in others are encoded."""
    long, fit = "https://a.test/" + "x" * 1_250_000, "https://a.test/" + "y" * 8_000
    links = [long, fit, "https://a.test/un titre", "https://a.test/" + "/amp" * 100_000]
    if kind == "json":
        items = [{"id": str(n), "url": link, "title": "t"} for n, link in enumerate(links)]
        body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "f", "items": items}).encode()
    elif kind == "atom":
        entries = "".join(
            f"<entry><id>{n}</id><title>t</title><link href='{link}'/></entry>" for n, link in enumerate(links)
        )
        body = f"<feed xmlns='http://www.w3.org/2005/Atom'><title>f</title>{entries}</feed>".encode()
    else:
        items = "".join(
            f"<item><guid>{n}</guid><title>t</title><link>{link}</link></item>" for n, link in enumerate(links)
        )
        body = f"<rss version='2.0'><channel><title>f</title>{items}</channel></rss>".encode()
    found = parse(body, "https://a.test/feed", "")
    assert isinstance(found, ParsedFeed)
    assert [entry.link for entry in found.entries] == ["", fit, "https://a.test/un%20titre", ""]
    assert found.problems[0] == "2 links of more than 8192 characters were left out"
