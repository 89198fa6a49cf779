"""URLs for identity, for eyes, and as links."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.net import urls

SAME = {
    "scheme": ["http://news.test/a", "https://news.test/a", "HTTPS://NEWS.test/a"],
    "host": ["https://news.test/a", "https://www.news.test/a", "https://m.news.test/a", "https://amp.news.test/a",
             "https://www.m.news.test/a", "https://mobile.news.test/a", "https://news.test./a"],
    "port": ["http://news.test:80/a", "https://news.test:443/a", "http://news.test/a", "https://news.test:/a"],
    "slash": ["https://news.test/a", "https://news.test/a/", "https://news.test//a//", "https://news.test/./a/b/.."],
    "root": ["https://news.test", "https://news.test/", "https://news.test?", "https://news.test/#top"],
    "fragment": ["https://news.test/a#comments", "https://news.test/a#xtor=RSS-1", "https://news.test/a"],
    "amp": ["https://news.test/a/b", "https://news.test/a/b/amp", "https://news.test/a/b/amp/", "https://news.test/amp/a/b",
            "https://news.test/a/b?amp=1", "https://news.test/a/b?outputType=amp", "https://news.test/a/b?amp",
            "https://news-test.cdn.ampproject.org/c/s/news.test/a/b", "https://www.google.com/amp/s/news.test/a/b",
            "https://www.google.com/amp/s/amp.news.test/a/b%3Fxtor=1"],
    "amp file": ["https://news.test/a.html", "https://news.test/a.amp.html"],
    "tracking": ["https://news.test/a?utm_source=rss&utm_medium=x", "https://news.test/a?fbclid=1&gclid=2",
                 "https://news.test/a?xtor=RSS-1", "https://news.test/a?at_medium=5&at_campaign=rss",
                 "https://news.test/a?ref=rss", "https://news.test/a?source=twitter&CMP=1", "https://news.test/a?mc_cid=1",
                 "https://news.test/a?UTM_Source=1", "https://news.test/a?amp;utm_source=1", "https://news.test/a?&&"],
    "escaped": ["https://news.test/a?id=1&amp;utm_source=2", "https://news.test/a?id=1"],
    "order": ["https://news.test/a?b=2&a=1", "https://news.test/a?a=1&b=2", "https://news.test/a?a=1&utm_term=3&b=2"],
    "escapes": ["https://news.test/caf%C3%A9", "https://news.test/caf%c3%a9", "https://news.test/café", "https://news.test/c%61f%C3%A9"],
    "credentials": ["https://user:pw@news.test/a", "https://news.test/a"],
    "name": ["https://xn--caf-dma.test/a", "https://café.test/a", "https://CAFÉ.test/a"],
    "number": ["https://fr.vietnamplus.vn/visite-a-hanoi-post128156.vnp", "http://fr.vietnamplus.vn/visite-a-hanoi/128156.vnp",
               "https://fr.vietnamplus.vn/autre-titre/128156.vnp", "https://m.fr.vietnamplus.vn/128156.vnp",
               "https://fr.vietnamplus.vn/visite-a-hanoi-post128156.vnp?utm_source=x"],
    "post": ["https://paper.test/world/title-post712345.html", "https://paper.test/world/new-title-post712345.html"],
    "section": ["https://ldo.test/world/un-titre-1234567.ldo", "https://ldo.test/asia/autre-titre-1234567.ldo"],
}  # fmt: skip


@pytest.mark.parametrize("spellings", SAME.values(), ids=SAME)
def test_spellings_of_one_page_are_one(spellings: list[str]) -> None:
    """Differences without another page behind them do not count."""
    assert len({urls.canonical(url) for url in spellings}) == 1
    assert urls.canonical(spellings[0]) != ""


DIFFERENT = {
    "host": ["https://news.test/a", "https://en.news.test/a", "https://mnews.test/a", "https://amp.test/a", "https://m.test/a"],
    "amp elsewhere": ["https://news.test/camp", "https://news.test/amp-a", "https://news.test/a/ampere", "https://news.test/a"],
    "path": ["https://news.test/a", "https://news.test/A", "https://news.test/a/b", "https://news.test/camp", "https://news.test/"],
    "port": ["https://news.test/a", "https://news.test:8443/a"],
    "query": ["https://news.test/?p=1", "https://news.test/?p=2", "https://news.test/?p=1&page=2", "https://news.test/?p"],
    "order of equal names": ["https://news.test/?a=1&a=2", "https://news.test/?a=2&a=1"],
    "reference": ["https://news.test/?ref=4711", "https://news.test/?ref=4712", "https://news.test/?source=12", "https://news.test/"],
    "escapes that mean something": ["https://news.test/a%2Fb", "https://news.test/a/b", "https://news.test/a%3Fb", "https://news.test/a?b"],
    "plus": ["https://news.test/?q=a+b", "https://news.test/?q=a%2Bb"],
    "numbers that may restart": ["https://news.test/2019/08/1234.html", "https://news.test/2019/09/1234.html", "https://news.test/1234.html"],
    "files": ["https://news.test/a/1234.mp3", "https://news.test/b/1234.mp3"],
    "number": ["https://fr.vietnamplus.vn/a-post128156.vnp", "https://fr.vietnamplus.vn/a-post128157.vnp",
               "https://en.vietnamplus.vn/a-post128156.vnp", "https://fr.vietnamplus.vn/a-en-2019.vnp"],
    "ordinal": ["https://blog.test/my-post1.html", "https://blog.test/your-post1.html"],
}  # fmt: skip


@pytest.mark.parametrize("pages", DIFFERENT.values(), ids=DIFFERENT)
def test_pages_stay_apart(pages: list[str]) -> None:
    """Two pages made one would lose the second: what may tell them apart counts."""
    assert len({urls.canonical(url) for url in pages}) == len(pages)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("  http://WWW.News.test:80/b//a/?z=1&y=&utm_id=3#x ", "https://news.test/b/a?y=&z=1"),
        ("http://[2001:DB8::1]:8080/a", "https://[2001:db8::1]:8080/a"),
        ("https://news.test/100%", "https://news.test/100%25"),
        ("https://news.test/%FF", "https://news.test/%FF"),
        ("https://fr.vietnamplus.vn/titre-post128156.vnp", "https://fr.vietnamplus.vn/post128156.vnp"),
    ],
)
def test_the_form(url: str, expected: str) -> None:
    """The one form, written out."""
    assert urls.canonical(url) == expected


AMP = re.compile(r"(?:/amp|\.amp)(?=$|\.html?$)|^/amp(?=/.)", re.IGNORECASE)


def mark_by_mark(path: str) -> str:
    """The result of `canonical` on AMP marks, the slow way: until none is left."""
    while (shorter := AMP.sub("", path).rstrip("/")) != path:
        path = shorter
    return path


@given(st.lists(st.sampled_from(["/amp", "/AMP", ".amp", ".html", ".htm", "/a", ".", "amp"]), max_size=8).map("".join))
def test_marks_of_amp_go_as_one_by_one(path: str) -> None:
    """At once, and as if each pass took one layer."""
    path = "/" + path.lstrip("/")
    assert urls._without_amp(path) == mark_by_mark(path)


@pytest.mark.parametrize(
    "tail",
    [
        "/amp",
        ".amp",
        "/...amp",
        "/..amp/x",
        "google.com/amp/s/",
        "cdn.ampproject.org/c/s/",
        "%25",
        "&amp;",
        "/a/..",
        "www.",
    ],
)
@pytest.mark.parametrize("host", ["https://", "https://news.test/"])
def test_f25_the_form_of_a_hostile_link(tail: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many marks it repeats, its text is read a few times and no more; longer ones have no form."""
    read: list[int] = []
    form = urls._form
    monkeypatch.setattr(urls, "_form", lambda url: read.append(len(url)) or form(url))
    url = (host + tail * urls.LONGEST)[: urls.LONGEST]
    once = urls.canonical(url)
    assert len(read) <= 10
    assert urls.canonical(once) == once
    read.clear()
    assert urls.canonical(host + tail * 100_000) == ""
    assert not read


def test_all_values_of_a_query_are_masked() -> None:
    """Of an address that a server made up, no value is known to be harmless."""
    assert (
        urls.masked("https://u@a.test/x?page=2&q=a+b&c#d", values=True) == "https://***@a.test/x?page=***&q=***&c=***#d"
    )
    assert urls.masked("https://a.test/x", values=True) == "https://a.test/x"


@pytest.mark.parametrize(
    "text",
    ["", " ", "news", "/a/b", "//news.test/a", "mailto:a@news.test", "javascript:alert(1)", "file:///a", "ftp://news.test/",
     "urn:uuid:1", "tag:news.test,2026:1", "http://", "http:///a", "http://[::1", "http://[v1.x]/", "http://a:b/", "http://h:99999/",
     "http://a b.test/", r"http://a\b.test/", "http://" + "é" * 70 + ".test/", "http://..test/", "\ud800", "http://\ud800.test/"],
)  # fmt: skip
def test_what_is_no_address_has_no_form(text: str) -> None:
    """Empty for what is no http(s) URL."""
    assert urls.canonical(text) == ""


MARKS = r"""
    http:// https:// www. m. amp. news .test .vn :80 :443 :8080 / // /amp .amp .html /amp/ a É %41 %2F %2f % %%41
    %2541 + ? & &amp; amp; %61mp; utm_a=1 b=2 a=1 ref=rss = ; # /123456.vnp -post123456.vnp -post1234.html
    cdn.ampproject.org/c/s/ cdn.ampproject.org/%63/s/ google.com/amp/s/ .. . @ \ [ ]
"""
PIECES = st.lists(st.sampled_from([*MARKS.split(), " ", "\t"]), max_size=12).map("".join)


@given(st.text(max_size=30).map("https://news.test/".__add__) | PIECES.map("https://news.test".__add__) | PIECES)
def test_the_form_is_stable(url: str) -> None:
    """No text raises; the form of a form is itself, and is an http(s) URL with a host."""
    once = urls.canonical(url)
    assert urls.canonical(once) == once
    assert once == "" or once.startswith("https://")
    assert once.isascii()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://news.test/feed?id=1&lang=fr", "https://news.test/feed?id=1&lang=fr"),
        ("https://news.test/feed?id=1&token=CANARY", "https://news.test/feed?id=1&token=***"),
        ("https://news.test/feed?api_key=CANARY&apiKey=CANARY", "https://news.test/feed?api_key=***&apiKey=***"),
        ("https://news.test/feed?X-Amz-Signature=CANARY", "https://news.test/feed?X-Amz-Signature=***"),
        ("https://news.test/feed?PASSWORD=CANARY&auth=CANARY&sig=CANARY", "https://news.test/feed?PASSWORD=***&auth=***&sig=***"),
        ("https://user:CANARY@news.test/feed", "https://***@news.test/feed"),
        ("https://CANARY@news.test:8080/feed", "https://***@news.test:8080/feed"),
        ("https://a@CANARY@news.test/feed", "https://***@news.test/feed"),
        ("mailtos://user:CANARY@mail.test", "mailtos://***@mail.test"),
        ("https://hooks.test/services/T0AB/B0CD/x9CANARYdefGHI234jklMNO5", "https://hooks.test/services/T0AB/B0CD/***"),
        ("https://chat.test/bot123456:AAcanaryDEFghi789-JKL_mno/send", "https://chat.test/***/send"),
        ("https://news.test/feed/0123456789abcdef0123456789abcdef", "https://news.test/feed/***"),
        ("https://news.test/#access_token=CANARY", "https://news.test/#***"),
        ("https://news.test/un-titre-assez-long-de-2026-post128156.vnp", "https://news.test/un-titre-assez-long-de-2026-post128156.vnp"),
        ("veille:sample", "veille:sample"),
        ("http://[::1", "***"),
    ],
)  # fmt: skip
def test_secrets_are_masked(url: str, expected: str) -> None:
    """A part that looks like a secret is not shown, and the rest is."""
    assert urls.masked(url) == expected


@given(st.text(max_size=40))
def test_a_token_never_shows(text: str) -> None:
    """Whatever stands around it, a token's value is masked, and no text raises."""
    assert "CANARY" not in urls.masked(f"https://news.test/?token=CANARY&x={text}".replace("#", ""))
    urls.masked(text)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://news.test/a", "https://news.test/a"),
        ("/a?b=1#c", "https://base.test/a?b=1#c"),
        ("a", "https://base.test/feeds/a"),
        ("../a", "https://base.test/a"),
        ("//other.test/a", "https://other.test/a"),
        (" https://news.test/a\n", "https://news.test/a"),
        ("", "https://base.test/feeds/rss.xml"),
        ("javascript:alert(1)", ""),
        ("JavaScript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("mailto:a@b.test", ""),
        ("file:///etc/passwd", ""),
        ("http://", ""),
        ("http://[::1", ""),
        (r"http://a\@b.test/", ""),
        ("https://café.test/é", "https://café.test/é"),
    ],
)
def test_links_become_absolute(link: str, expected: str) -> None:
    """Against the document they stand in; only http and https are links."""
    assert urls.absolute(link, "https://base.test/feeds/rss.xml") == expected


@given(st.text(max_size=40), st.text(max_size=20))
def test_no_link_raises(link: str, base: str) -> None:
    """Whatever a feed holds, a link is an http(s) URL or empty."""
    found = urls.absolute(link, base)
    assert found == "" or urls.canonical(found) != ""


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (" https://a.test/bai viet/tin moi.html ", "https://a.test/bai%20viet/tin%20moi.html"),
        ('https://a.test/a"b<c>?x={1|2}', "https://a.test/a%22b%3Cc%3E?x=%7B1%7C2%7D"),
        ("https://a.test/a%20b?c=d&e=%C3%A9", "https://a.test/a%20b?c=d&e=%C3%A9"),
        ("https://a.test/a\nb", "https://a.test/a\nb"),
    ],
    ids=["blanks", "quotes and brackets", "escaped already", "a line break, which is refused"],
)
def test_requestable(url: str, asked: str) -> None:
    """Characters that browsers escape before they ask, and no more."""
    assert urls.requestable(url) == asked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/rss?author=desk", "https://h.example/rss?author=desk"),
        ("https://h.example/rss?keywords=Hun+Sen", "https://h.example/rss?keywords=Hun+Sen"),
        ("https://h.example/rss?passage=2&tokenize=yes", "https://h.example/rss?passage=2&tokenize=yes"),
        ("https://h.example/a/Vietnam-Cambodge-Frontieres-2026/", "https://h.example/a/Vietnam-Cambodge-Frontieres-2026/"),
        ("https://h.example/v.xml?channel_id=UCknLrEdhRCp1aegoMqRaCZg", "https://h.example/v.xml?channel_id=UCknLrEdhRCp1aegoMqRaCZg"),
        ("https://h.example/rss?feed_key=desk", "https://h.example/rss?feed_key=***"),
        ("https://h.example/rss?authtoken=desk&a=1", "https://h.example/rss?authtoken=***&a=1"),
        ("https://h.example/rss?X-Amz-Credential=desk", "https://h.example/rss?X-Amz-Credential=***"),
        ("https://h.example/rss?PHPSESSID=desk", "https://h.example/rss?PHPSESSID=***"),
        ("https://h.example/s/xR4t-9Kq_LmZ27bVw0Pc/", "https://h.example/s/***/"),
    ],
)  # fmt: skip
def test_masks_secrets_alone(url: str, shown: str) -> None:
    """A harmless word that begins like a secret's name, a title with its year and a public number stay readable."""
    assert urls.masked(url) == shown


@pytest.mark.parametrize("length", [10, 499, 500, 501, 4_000])
def test_a_key_is_short_and_tells_long_addresses_apart(length: int) -> None:
    """PostgreSQL indexes at most 2,704 bytes."""
    path = "https://e.example/" + "x" * length
    one, other = urls.key(path + "a"), urls.key(path + "b")
    assert one != other
    assert len(one) <= 500
    assert urls.key(path + "a") == one
    assert one == urls.canonical(path + "a") or len(urls.canonical(path + "a")) > 500
