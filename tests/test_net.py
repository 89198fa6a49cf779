"""The network edge: what is dialled, what is read, and how failures are told."""

import asyncio
import gzip
import itertools
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from feedserver import OK, FeedServer, endless, once, silent
from hypothesis import given
from hypothesis import strategies as st

from worker.model import FetchReason
from worker.net import client as net
from worker.net.guard import Allow, is_public

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = net.Limits(seconds=20, connect=10, wire=100_000, decoded=300_000)
QUICK = net.Limits(seconds=0.5, connect=0.3, wire=100_000, decoded=300_000)


@pytest.fixture
async def client(feedserver: FeedServer) -> AsyncIterator[net.Client]:
    """A client that may reach the test's server and no other private place."""
    client = net.Client(allow=[feedserver.place], user_agent="veille-test")
    yield client
    await client.aclose()


@pytest.fixture
async def stranger() -> AsyncIterator[net.Client]:
    """A client without an allow-list, whose name server knows every name as this machine."""

    async def resolve(host: str, port: int) -> list[str]:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

    client = net.Client(user_agent="veille-test", resolve=resolve)
    yield client
    await client.aclose()


async def get(client: net.Client, url: str, *, redirects: bool = True, limits: net.Limits = LIMITS, **more):
    return await client.request("GET", url, redirects=redirects, limits=limits, **more)


def body(answer: net.Response | net.NetFailure) -> bytes:
    assert isinstance(answer, net.Response), answer
    return answer.body


def reason(answer: net.Response | net.NetFailure) -> FetchReason:
    assert isinstance(answer, net.NetFailure), answer
    return answer.reason


# --- addresses ---------------------------------------------------------------------------------------------------

PRIVATE = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.8 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7
    203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1
    2001::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 5f00::1 fc00::1 fd00::1
    fe80::1 fe80::1%eth0 fec0::1 ff02::1
""".split()  # noqa: SIM905  a table
PUBLIC = """
    1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.1.1 223.255.255.255
    2001:200::1 2001:4860:4860::8888 2606:4700::1111 2a00:1450::1
""".split()  # noqa: SIM905  a table


@pytest.mark.parametrize("address", PRIVATE)
def test_special_addresses_are_not_public(address: str) -> None:
    """Every block of IANA's special-purpose registries is refused, tunnels to IPv4 included."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_ordinary_addresses_are_public(address: str) -> None:
    """The neighbours of special blocks and well-known servers are let through."""
    assert is_public(address)


@pytest.mark.parametrize("word", ["", "localhost", "127.1", "0x7f.1", "1.1.1.1:80", "[::1]", "１.1.1.1"])
def test_what_is_no_address_is_not_public(word: str) -> None:
    """Anything that is not written as an address is refused rather than guessed at."""
    assert not is_public(word)


@pytest.mark.parametrize(
    ("entry", "host", "ip", "port", "permitted"),
    [
        ("10.1.0.0/16", "intranet", "10.1.2.3", 80, True),
        ("10.1.0.0/16", "intranet", "10.2.2.3", 80, False),
        ("fd00::/8", "intranet", "fd12::1", 443, True),
        ("fd00::/8", "intranet", "10.0.0.1", 443, False),
        ("127.0.0.1", "localhost", "127.0.0.1", 9999, True),
        ("127.0.0.1:8080", "localhost", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "localhost", "127.0.0.1", 8081, False),
        ("127.0.0.1:8080", "evil.test", "127.0.0.2", 8080, False),
        ("[::1]:8080", "localhost", "::1", 8080, True),
        ("wiki.corp:443", "wiki.corp", "10.0.0.9", 443, True),
        ("wiki.corp:443", "WIKI.corp.", "10.0.0.9", 443, True),
        ("wiki.corp:443", "evil.test", "10.0.0.9", 443, False),
        ("wiki.corp:443", "wiki.corp", "10.0.0.9", 80, False),
        ("10.0.0.0/8", "any.test", "8.8.8.8", 80, True),
        ("10.0.0.0/8", "any.test", "no address", 80, False),
    ],
)
def test_allow_list(entry: str, host: str, ip: str, port: int, permitted: bool) -> None:
    """Networks permit addresses, places permit one port of one host, and the public internet is always permitted."""
    assert Allow([entry]).permits(host, ip, port) is permitted


@pytest.mark.parametrize(
    "entry", ["", "wiki.corp", "10.0.0.0/33", "10.0.0.1/8", "host:0", "host:65536", "host:http", ":80"]
)
def test_bad_allow_entries_are_refused(entry: str) -> None:
    """An entry that is neither a network nor a place is an error that quotes it."""
    with pytest.raises(ValueError, match="neither a network"):
        Allow([entry])


# --- F01 to F08: where a request may go --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "0", "127.1", "2130706433", "0x7f.1", "017700000001", "[::ffff:127.0.0.1]",
     "0.0.0.0", "user@127.0.0.1", "user:pass@localhost", "169.254.169.254", "[fd00::1]", "100.64.0.1",
     "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "localhost.", "127.0.0.1.", "[::]"],
)  # fmt: skip
async def test_f01_private_addresses_are_refused(host: str, stranger: net.Client, feedserver: FeedServer) -> None:
    """However loopback is spelt, nothing connects."""
    feedserver.serve("/", b"secret")
    answer = await get(stranger, f"http://{host}:{feedserver.port}/")
    # Some resolvers do not know the rarer spellings: refused all the same.
    assert reason(answer) in {FetchReason.BLOCKED_ADDRESS, FetchReason.DNS, FetchReason.BAD_URL}
    assert not answer.sent
    assert feedserver.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "user@127.0.0.1"])
async def test_f01_plain_spellings_are_refused_as_blocked(host: str, stranger: net.Client) -> None:
    """The usual spellings are told as what they are."""
    assert reason(await get(stranger, f"http://{host}:1/")) is FetchReason.BLOCKED_ADDRESS


@pytest.mark.parametrize("hops", [1, 3])
async def test_f02_redirects_to_private_addresses_are_refused(
    hops: int, feedserver: FeedServer, client: net.Client
) -> None:
    """The guard judges each hop; the target sees no connection."""
    with FeedServer() as secret:
        for hop in range(hops - 1):
            feedserver.redirect(f"/{hop}", f"/{hop + 1}")
        feedserver.redirect(f"/{hops - 1}", secret.url("/"))
        assert reason(await get(client, feedserver.url("/0"))) is FetchReason.BLOCKED_ADDRESS
        assert secret.connections == 0


async def test_f03_a_name_is_resolved_once_per_connection(feedserver: FeedServer) -> None:
    """The address that was judged is the one that is dialled."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return answers[len(asked) - 1]

    client = net.Client(allow=["127.0.0.1/32"], user_agent="t", resolve=resolve)
    feedserver.serve("/", b"ok", headers={"Connection": "close"})
    url = feedserver.url("/", host="rebind.test")
    assert body(await get(client, url)) == b"ok"
    assert asked == [("rebind.test", feedserver.port)]
    assert reason(await get(client, url)) is FetchReason.BLOCKED_ADDRESS
    await client.aclose()


async def test_the_next_address_is_tried(feedserver: FeedServer) -> None:
    """A host is there if one of its addresses is."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    client = net.Client(allow=["127.0.0.0/8"], user_agent="t", resolve=resolve)
    feedserver.serve("/", b"ok")
    assert body(await get(client, feedserver.url("/", host="two.test"))) == b"ok"
    await client.aclose()


async def test_an_address_that_swallows_packets_leaves_time_to_the_next(feedserver: FeedServer) -> None:
    """The next one is tried before the first is given up (RFC 8305)."""
    with socket.socket() as full:
        full.bind(("127.0.0.2", feedserver.port))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003
            each.connect_ex(("127.0.0.2", feedserver.port))

        async def resolve(_host: str, _port: int) -> list[str]:
            return ["127.0.0.2", "127.0.0.1"]

        client = net.Client(allow=["127.0.0.0/8"], user_agent="t", resolve=resolve)
        feedserver.serve("/", b"ok")
        limits = net.Limits(seconds=25, connect=60)
        assert body(await get(client, feedserver.url("/", host="two.test"), limits=limits)) == b"ok"
        await client.aclose()
        for each in waiting:
            each.close()


async def test_f03_one_private_answer_among_public_ones_is_refused() -> None:
    """A mixed answer is an attack or a mistake, and refused whole."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "127.0.0.1"]

    client = net.Client(user_agent="t", resolve=resolve)
    assert reason(await get(client, "http://mixed.test/")) is FetchReason.BLOCKED_ADDRESS
    await client.aclose()


@pytest.mark.parametrize(
    "url",
    [r"http://127.0.0.1:80\@public.test/", "http://public.test\t/", "http://public\n.test/", "http://a\0b/", "http://[::1",
     "http://１２７.0.0.1/", "http://", "http:///path", "//public.test/", "http://a b/", "http://public.test:99999/",
     "http://public.test:x/", "http://[v1.a]/", "http://" + "a" * 70_000 + ".test/", "", "\ud800"],
)  # fmt: skip
async def test_f04_urls_that_programs_read_differently_are_refused(url: str, stranger: net.Client) -> None:
    """A URL that is not plain is a failure, never an exception and never a guess."""
    answer = await get(stranger, url)
    assert reason(answer) is FetchReason.BAD_URL
    assert not answer.sent


@given(st.text(max_size=60))
def test_f04_no_text_as_url_raises(text: str) -> None:
    """Whatever stands where a URL should, a value comes back."""

    async def attempt() -> None:
        async def nowhere(_host: str, _port: int) -> list[str]:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        client = net.Client(user_agent="t", resolve=nowhere)
        for url in (text, f"http://{text}", f"http://h.test/{text}"):
            assert isinstance(await get(client, url), net.NetFailure)
        await client.aclose()

    asyncio.run(attempt())


SCHEMES = [
    "file:///etc/passwd",
    "ftp://public.test/",
    "gopher://public.test/",
    "/etc/passwd",
    "data:text/xml,x",
    "veille:sample",
]


@pytest.mark.parametrize("url", SCHEMES)
async def test_f05_other_schemes_are_refused(url: str, stranger: net.Client) -> None:
    """Only http and https are fetched."""
    assert reason(await get(stranger, url)) is FetchReason.BAD_URL


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://public.test/", "data:text/xml,x", "http://[::1", "file:\\\\a\\b"]
)
async def test_f05_redirects_to_other_schemes_are_refused(
    target: str, feedserver: FeedServer, client: net.Client
) -> None:
    """Neither does a server choose another scheme for us."""
    feedserver.redirect("/", target)
    assert reason(await get(client, feedserver.url("/"))) is FetchReason.BAD_URL


async def test_f07_proxies_of_the_environment_are_ignored(
    feedserver: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve names out of the guard's sight."""
    with FeedServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        # They are read when a client is made, if at all.
        client = net.Client(allow=[feedserver.place], user_agent="veille-test")
        feedserver.serve("/", b"direct")
        assert body(await get(client, feedserver.url("/"))) == b"direct"
        assert proxy.connections == 0
        await client.aclose()


async def test_the_guard_proves_itself() -> None:
    """The self-test passes on a sound client, even one whose own list permits loopback."""
    client = net.Client(allow=["127.0.0.0/8", "::1"], user_agent="t")
    assert await client.guard_works()
    await client.aclose()


async def test_a_broken_guard_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test fails when the decision says yes to everything."""
    monkeypatch.setattr(Allow, "permits", lambda *_: True)
    client = net.Client(user_agent="t")
    assert not await client.guard_works()
    await client.aclose()


# --- F09 to F16: what an answer may be ---------------------------------------------------------------------------


def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


async def test_f09_a_gzip_bomb_stops_at_the_limit(feedserver: FeedServer, client: net.Client) -> None:
    """100 MB from 100 KB are given up at the limit, with little memory."""
    bomb = _bomb(100 << 20)
    feedserver.serve("/", bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        answer = await get(client, feedserver.url("/"), limits=net.Limits(seconds=20, decoded=5 << 20))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reason(answer) is FetchReason.TOO_LARGE
    assert peak < 32 << 20


@pytest.mark.parametrize(
    "coding", ["br", "zstd", "deflate", "gzip, gzip", "gzip, br", "compress", "utf-8", ", ".join(["gzip"] * 50)]
)
async def test_f09_f16_codings_that_were_not_asked_for_are_refused(
    coding: str, feedserver: FeedServer, client: net.Client
) -> None:
    """Only gzip, and once, or nothing."""
    feedserver.serve("/", gzip.compress(b"x"), headers={"Content-Encoding": coding})
    assert reason(await get(client, feedserver.url("/"))) is FetchReason.BAD_CODING


async def test_only_gzip_is_asked_for(feedserver: FeedServer, client: net.Client) -> None:
    """The header names gzip alone, also where the caller says otherwise."""
    feedserver.serve("/", b"<rss/>", gzip=True)
    headers = [("accept-encoding", "br"), ("X-Mine", "1")]
    assert body(await get(client, feedserver.url("/"), headers=headers)) == b"<rss/>"
    seen = feedserver.log[0].headers
    assert (seen["accept-encoding"], seen["user-agent"], seen["x-mine"]) == ("gzip", "veille-test", "1")


@pytest.mark.parametrize("name", ["User-Agent", "user-agent", "USER-AGENT"])
async def test_the_callers_user_agent_is_sent(name: str, feedserver: FeedServer, client: net.Client) -> None:
    """In place of ours, once, and to where a redirect leads as well: it says nothing of who asks."""
    with FeedServer() as other:
        other.serve("/there", b"<rss/>")
        feedserver.redirect("/", other.url("/there"))
        asking = net.Client(allow=["127.0.0.1"], user_agent="veille-test")
        assert body(await get(asking, feedserver.url("/"), headers=[(name, "Mozilla/5.0 (X11)")])) == b"<rss/>"
        assert [server.log[0].headers["user-agent"] for server in (feedserver, other)] == ["Mozilla/5.0 (X11)"] * 2
        await asking.aclose()


_TEXT = "<rss><title>Vi\u1ec7t Nam</title></rss>"


@pytest.mark.parametrize(
    "coding", ["utf-8", "UTF-8", "none", "identity, utf-8", "text/xml", "br", "gzip, gzip", "null"]
)
@pytest.mark.parametrize(
    "plain",
    [_TEXT.encode(), _TEXT.encode("utf-16"), _TEXT.encode("utf-16-le"), b"<rss>caf\xe9</rss>", b"\xef\xbb\xbf{}", b""],
    ids=["utf-8", "utf-16", "utf-16 without a mark", "latin-1", "json", "nothing"],
)
async def test_f26_a_coding_that_codes_nothing(
    coding: str, plain: bytes, feedserver: FeedServer, client: net.Client
) -> None:
    """Text is read whatever coding its server claims, as browsers do."""
    feedserver.serve("/", plain, headers={"Content-Encoding": coding})
    assert body(await get(client, feedserver.url("/"))) == plain


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"/flux presse/fil.xml", "/flux%20presse/fil.xml"),
        (b"  /a.xml?q=deux mots ", "/a.xml?q=deux%20mots"),
        ("/d\u00e9p\u00eaches.xml".encode(), "/d%C3%A9p%C3%AAches.xml"),
        ("/d\u00e9p\u00eaches.xml".encode("latin-1"), "/d%E9p%EAches.xml"),
        (b'/a"b<c>.xml', "/a%22b%3Cc%3E.xml"),
        (b"/a%20b.xml", "/a%20b.xml"),
        (b"fil.xml#haut de page", "/fil.xml"),
        (b"/flux\t/fil.xml\t", "/flux/fil.xml"),
        (b"\\flux\\fil.xml", "/flux/fil.xml"),
        (b"/fil.xml?q=a\\b", "/fil.xml?q=a%5Cb"),
    ],
    ids=[
        "blank",
        "blank in the query",
        "utf-8",
        "latin-1",
        "quotes",
        "encoded before",
        "fragment",
        "tabs",
        "backslashes",
        "backslash in the query",
    ],
)
async def test_f26_where_a_redirect_leads(
    location: bytes, path: str, feedserver: FeedServer, client: net.Client
) -> None:
    """Characters that no URL may hold are encoded, as browsers do it."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    feedserver.script("/", once(answer))
    await get(client, feedserver.url("/"))
    assert [seen.path for seen in feedserver.log] == ["/", path]


async def test_f04_a_redirect_is_judged_as_it_is_read(feedserver: FeedServer, client: net.Client) -> None:
    """A private address behind a backslash or a tab is read by the guard as browsers read it."""
    for location in (r"http:\\127.0.0.2:1\@public.test/", "http://127.0.\t0.2:1/"):
        feedserver.redirect("/", location)
        assert reason(await get(client, feedserver.url("/"))) is FetchReason.BLOCKED_ADDRESS


@pytest.mark.parametrize("location", ["http://a b.test/", "http://a%20b.test/", "/a\x1fb"])
async def test_f04_redirects_that_programs_read_differently(
    location: str, feedserver: FeedServer, client: net.Client
) -> None:
    """A blank in a host is encoded by nobody."""
    feedserver.redirect("/", location)
    assert reason(await get(client, feedserver.url("/"))) is FetchReason.BAD_URL


async def test_f26_a_cookie_that_a_redirect_wants(feedserver: FeedServer, client: net.Client) -> None:
    """It is sent on the way on, with the caller's own, and forgotten with the request."""
    asked: list[str] = []

    async def gate(seen, writer) -> None:
        asked.append(seen.headers.get("cookie", ""))
        if "ok=1" in asked[-1]:
            writer.write(OK + b"Content-Length: 6\r\n\r\n<rss/>")
        else:
            writer.write(b"HTTP/1.1 302 Found\r\nSet-Cookie: ok=1; Path=/\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

    feedserver.script("/", gate)
    assert body(await get(client, feedserver.url("/"), headers=[("Cookie", "mine=2")])) == b"<rss/>"
    assert body(await get(client, feedserver.url("/"))) == b"<rss/>"
    assert asked == ["mine=2", "ok=1; mine=2", "", "ok=1"]


@pytest.mark.parametrize(
    ("first", "said", "second", "sent"),
    [
        ("http://a.site.test/", "ok=1", "http://a.site.test/x", True),
        ("http://a.site.test/", "ok=1", "http://b.site.test/x", False),
        ("http://a.site.test/", "ok=1", "http://other.test/x", False),
        ("http://a.site.test/", "ok=1; Domain=site.test", "http://b.site.test/x", True),
        ("http://a.site.test/", "ok=1; Domain=other.test", "http://other.test/x", False),
        ("http://a.site.test/", "ok=1; Domain=test", "http://other.test/x", False),
        ("http://a.co.uk/", "ok=1; Domain=co.uk", "http://b.co.uk/x", False),
        ("http://a.site.test/", "ok=1; Path=/y", "http://a.site.test/x", False),
        ("https://a.site.test/", "ok=1; Secure", "http://a.site.test/x", False),
        ("https://a.site.test/", "ok=1; Secure", "https://a.site.test/x", True),
        ("http://127.0.0.1/", "ok=1", "http://127.0.0.1/x", True),
        ("http://a.site.test/", "ok=" + "1" * 5000, "http://a.site.test/x", False),
        ("http://a.site.test/", b"ok=\xe9", "http://a.site.test/x", False),
        ("http://a.site.test/", "ok=1; Path=/中".encode(), "http://a.site.test/x", False),
    ],
)
async def test_w06_cookies_go_to_those_that_set_them(first: str, said: str | bytes, second: str, sent: bool) -> None:
    """To the host, or to the domain that it belongs to and names; nowhere else."""

    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url) == first:
            return httpx.Response(
                302,
                headers=[
                    (b"location", second.encode()),
                    (b"set-cookie", said if isinstance(said, bytes) else said.encode()),
                ],
            )
        return httpx.Response(200, content=request.headers.get("cookie", "none"))

    client = net.Client(user_agent="t", transport=httpx.MockTransport(answer))
    assert body(await get(client, first)) == (b"ok=1" if sent else b"none")


@pytest.mark.parametrize(
    ("coded", "plain"),
    [
        (gzip.compress(b"one"), b"one"),
        (gzip.compress(b"one") + gzip.compress(b"two"), b"onetwo"),
        (gzip.compress(b"one") + bytes(100), b"one"),
        (zlib.compress(b"one"), b"one"),
        (b"", b""),
        (gzip.compress(bytes(200_000)), bytes(200_000)),
    ],
    ids=["gzip", "members", "padding", "zlib", "empty", "many steps"],
)
async def test_gzip_is_read(coded: bytes, plain: bytes, feedserver: FeedServer, client: net.Client) -> None:
    """One member, several, padding behind, zlib's own format, and nothing at all."""
    feedserver.serve("/", coded, headers={"Content-Encoding": "GZIP"})
    assert body(await get(client, feedserver.url("/"))) == plain


@pytest.mark.parametrize(
    "coded",
    [b"<rss>plain</rss>", gzip.compress(b"cut " * 100)[:-9], gzip.compress(b"x")[:5], b"\x1f\x8b\x08junkjunkjunk"],
    ids=["plain", "cut", "cut in the header", "broken"],
)
async def test_f16_what_is_not_gzip_is_refused(coded: bytes, feedserver: FeedServer, client: net.Client) -> None:
    """A body that is not coded as announced, or cut short, gives nothing."""
    feedserver.serve("/", coded, headers={"Content-Encoding": "gzip"})
    assert reason(await get(client, feedserver.url("/"))) is FetchReason.BAD_CODING


async def test_f10_an_endless_body_stops_at_the_limit(feedserver: FeedServer, client: net.Client) -> None:
    """A body without end is given up at the limit on the wire."""
    url = feedserver.script("/", endless(OK + b"\r\n", b"x" * 10_000))
    assert reason(await get(client, url, limits=net.Limits(wire=1 << 20))) is FetchReason.TOO_LARGE


async def test_f10_an_announced_giant_is_not_read(feedserver: FeedServer, client: net.Client) -> None:
    """Content-Length over the limit is enough to give up."""
    url = feedserver.script("/", endless(OK + b"Content-Length: 10000000000\r\n\r\n", b"", 0.01))
    assert reason(await get(client, url, limits=net.Limits(seconds=20))) is FetchReason.TOO_LARGE


async def test_a_body_of_exactly_the_limit_is_read(feedserver: FeedServer, client: net.Client) -> None:
    """The limit itself is allowed, a byte more is not."""
    limits = net.Limits(wire=1000, decoded=1000)
    assert len(body(await get(client, feedserver.serve("/a", b"x" * 1000), limits=limits))) == 1000
    assert reason(await get(client, feedserver.serve("/b", b"x" * 1001), limits=limits)) is FetchReason.TOO_LARGE


@pytest.mark.parametrize(
    "script",
    [
        endless(OK + b"Content-Length: 9999\r\n\r\n", b"x", 0.02),
        endless(OK, b"X: y\r\n", 0.02),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
        silent,
    ],
    ids=["f11 body", "f12 headers", "f12 continue", "f12 silence"],
)
async def test_f11_f12_the_deadline_is_total(script, feedserver: FeedServer, client: net.Client) -> None:
    """A server that keeps us waiting is left at the deadline, however busy it looks."""
    start = time.monotonic()
    answer = await get(client, feedserver.script("/", script), limits=QUICK)
    assert reason(answer) is FetchReason.TIMEOUT
    assert answer.sent
    assert 0.4 < time.monotonic() - start < 2


async def test_f12_a_host_that_takes_no_connection_is_left(feedserver: FeedServer) -> None:
    """A full backlog looks like a host that is gone: the connection's own limit ends it."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003
            each.connect_ex(("127.0.0.1", port))
        client = net.Client(allow=["127.0.0.1"], user_agent="t")
        answer = await get(client, f"http://127.0.0.1:{port}/", limits=net.Limits(seconds=20, connect=0.2))
        assert (reason(answer), answer.sent) == (FetchReason.TIMEOUT, False)
        await client.aclose()
        for each in waiting:
            each.close()


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
        OK + b"".join(b"X-Header-%d: y\r\n" % n for n in range(10_000)) + b"Content-Length: 0\r\n\r\n",
        OK + b"Content-Length: 1000\r\n\r\nshort",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"",
    ],
    ids=[
        "f13 long",
        "f13 many",
        "f15 short",
        "f15 unterminated",
        "chunk",
        "f16 lengths",
        "ssh",
        "status",
        "nothing",
    ],
)
async def test_f13_f15_f16_unsound_answers_are_protocol_errors(
    answer: bytes, feedserver: FeedServer, client: net.Client
) -> None:
    """Answers that are not sound HTTP, or end early, give nothing."""
    found = await get(client, feedserver.script("/", once(answer)))
    assert reason(found) is FetchReason.PROTOCOL
    assert found.sent


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello, more",
        b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello, more",
        b"HTTP 200 OK\r\nContent-Length: 5\r\n\r\nhello, more",
        b"http/1.1 200 ok\r\nContent-Length: 5\r\n\r\nhello, more",
        b"HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\nhello, more",
        b"\r\n\r\nHTTP/1.1 200 \0\r\nContent-Length: 5\r\n\r\nhello, more",
        b"ICY 200 OK\r\n\r\nhello",
        OK + b"Content-Length:\r\n\r\nhello",
        OK + b"Content-Length: -5\r\n\r\nhello",
        OK + b"Content-Length: 5 bytes\r\n\r\nhello",
        OK + b"Content-Length: 5, 5\r\n\r\nhello, more",
        OK + b"Content-Length: none\r\nContent-Length: 5\r\n\r\nhello, more",
        OK + b"Transfer-Encoding: identity\r\n\r\nhello",
        OK + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello, more",
        OK + b"Transfer-Encoding: identity, Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)  # fmt: skip
async def test_f26_a_head_that_is_badly_written(answer: bytes, feedserver: FeedServer, client: net.Client) -> None:
    """Status lines and lengths are read as browsers read them: what says nothing is passed over."""
    assert body(await get(client, feedserver.script("/", once(answer)))) == b"hello"


async def test_f15_a_body_that_ends_with_the_connection_is_complete(feedserver: FeedServer, client: net.Client) -> None:
    """HTTP/1.0 knows no other end; whether the document is whole is for its parser to say."""
    url = feedserver.script("/", once(b"HTTP/1.0 200 OK\r\n\r\n<rss><chan"))
    assert body(await get(client, url)) == b"<rss><chan"


@pytest.mark.parametrize(
    "loop", [["/a", "/a"], ["/a", "/b", "/a"], [f"/{n}" for n in range(8)]], ids=["self", "ping-pong", "long"]
)
async def test_f14_redirects_end(loop: list[str], feedserver: FeedServer, client: net.Client) -> None:
    """Five redirects are followed, the sixth is one too many."""
    for here, there in itertools.pairwise(loop):
        feedserver.redirect(here, there)
    assert reason(await get(client, feedserver.url(loop[0]))) is FetchReason.REDIRECT_LOOP
    assert len(feedserver.log) == 6


async def test_f14_five_redirects_are_followed(feedserver: FeedServer, client: net.Client) -> None:
    """The limit itself is allowed."""
    for n in range(5):
        feedserver.redirect(f"/{n}", f"/{n + 1}")
    feedserver.serve("/5", b"here")
    answer = await get(client, feedserver.url("/0"))
    assert (body(answer), answer.url) == (b"here", feedserver.url("/5"))


# --- F21, F22 ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a self-signed certificate for `feeds.test`, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = path.with_name("key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=feeds.test", "-addext", "subjectAltName=DNS:feeds.test", "-keyout", key, "-out", path],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return str(path)


async def _loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def _tls_get(certificate: str, host: str, *, trust: bool, newest: ssl.TLSVersion | None = None):
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    if newest is not None:
        server_side.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        server_side.maximum_version = newest
    ours = ssl.create_default_context(cafile=certificate) if trust else None
    with FeedServer(tls=server_side) as server:
        server.serve("/", b"private")
        client = net.Client(allow=["127.0.0.1"], user_agent="t", resolve=_loopback, tls=ours)
        answer = await get(client, server.url("/", host=host), limits=net.Limits(seconds=20))
        await client.aclose()
        return answer, server.paths()


async def test_f21_a_trusted_certificate_of_the_right_name_is_accepted(certificate: str) -> None:
    """TLS checks the name of the URL though an address is dialled."""
    answer, _ = await _tls_get(certificate, "feeds.test", trust=True)
    assert body(answer) == b"private"


@pytest.mark.parametrize(
    ("host", "trust"), [("feeds.test", False), ("other.test", True)], ids=["self-signed", "wrong name"]
)
async def test_f21_other_certificates_are_refused(certificate: str, host: str, trust: bool) -> None:
    """Nothing is sent to a server that cannot prove its name."""
    answer, asked = await _tls_get(certificate, host, trust=trust)
    assert (reason(answer), answer.sent, asked) == (FetchReason.TLS, False, [])


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_f21_old_tls_is_refused(certificate: str) -> None:
    """Nor to one that speaks no TLS of this century."""
    answer, asked = await _tls_get(certificate, "feeds.test", trust=True, newest=ssl.TLSVersion.TLSv1_1)
    assert (reason(answer), answer.sent, asked) == (FetchReason.TLS, False, [])


async def test_f21_plain_http_on_a_tls_port_is_a_tls_error(feedserver: FeedServer, client: net.Client) -> None:
    """A server that answers a handshake with words is told apart from one that is down."""
    url = feedserver.url("/").replace("http:", "https:")
    assert reason(await get(client, url, limits=QUICK)) in {FetchReason.TLS, FetchReason.CONNECT, FetchReason.TIMEOUT}


@pytest.mark.parametrize(
    ("error", "local"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), False),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), True),
        (socket.gaierror(socket.EAI_FAIL, "failure"), True),
        (OSError("down"), False),
        (UnicodeError("label"), False),
        (None, False),
    ],
    ids=["no such name", "no answer", "no sound answer", "os", "idna", "empty"],
)
async def test_f22_a_failed_look_up_is_a_dns_error(error: Exception | None, local: bool) -> None:
    """DNS that is down is told apart, as it is no fault of the feed; a name that does not exist is."""

    async def resolve(_host: str, _port: int) -> list[str]:
        if error is not None:
            raise error
        return []

    client = net.Client(user_agent="t", resolve=resolve)
    answer = await get(client, "http://feeds.test/")
    assert (reason(answer), answer.sent, answer.local) == (FetchReason.DNS, False, local)
    await client.aclose()


async def test_f22_a_name_server_that_is_silent_is_a_dns_error() -> None:
    """The look-up has its own limit, so that the reason is told."""

    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    client = net.Client(user_agent="t", resolve=resolve)
    answer = await get(client, "http://feeds.test/", limits=net.Limits(seconds=20, connect=0.1))
    assert (reason(answer), answer.local) == (FetchReason.DNS, True)
    await client.aclose()


async def test_f22_look_ups_that_hang_do_not_hold_the_loops_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's work goes on in the default threads while every look-up hangs."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(20) and [])
    client = net.Client(user_agent="t")
    hanging = [
        asyncio.create_task(get(client, f"http://h{n}.test/", limits=net.Limits(connect=0.2))) for n in range(40)
    ]
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 15) == "done"
    assert {reason(answer) for answer in await asyncio.gather(*hanging)} == {FetchReason.DNS}
    release.set()
    await client.aclose()


async def test_a_closed_port_is_a_connect_error(feedserver: FeedServer) -> None:
    """Nobody listens: told as such, and nothing was sent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        client = net.Client(allow=["127.0.0.1"], user_agent="t")
        answer = await get(client, f"http://127.0.0.1:{port}/")
        assert (reason(answer), answer.sent) == (FetchReason.CONNECT, False)
        await client.aclose()


@pytest.mark.parametrize(
    ("count", "bytes_each", "is_read"), [(8_000, 1, True), (3, 30_000, True), (20_000, 1, False), (1, 200_000, False)]
)
async def test_headers_are_bounded(
    feedserver: FeedServer, client: net.Client, count: int, bytes_each: int, *, is_read: bool
) -> None:
    """More than any site sends are read; a flood of them is the answer's fault, and quotes nothing."""
    url = feedserver.serve("/", b"x", headers={f"X{n}": "y" * bytes_each for n in range(count)})
    start = time.process_time()
    answer = await get(client, url, limits=net.Limits(seconds=20))
    assert time.process_time() - start < 1.5
    if is_read:
        assert isinstance(answer, net.Response)
        assert answer.headers[f"x{count - 1}"] == "y" * bytes_each
    else:
        assert reason(answer) is FetchReason.PROTOCOL
        assert isinstance(answer, net.NetFailure)
        assert "yy" not in answer.detail


# --- redirects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "moved"),
    [
        ([301], "/1"),
        ([308], "/1"),
        ([302], None),
        ([301, 308], "/2"),
        ([301, 302], "/1"),
        ([302, 301], None),
        ([], None),
    ],
    ids=str,
)
async def test_f20_only_permanent_redirects_move_a_feed(
    statuses: list[int], moved: str | None, feedserver: FeedServer, client: net.Client
) -> None:
    """The new address is where the permanent redirects at the start of the chain lead."""
    for n, status in enumerate(statuses):
        feedserver.redirect(f"/{n}", f"/{n + 1}", status)
    feedserver.serve(f"/{len(statuses)}", b"here")
    answer = await get(client, feedserver.url("/0"))
    assert isinstance(answer, net.Response)
    assert answer.moved == (feedserver.url(moved) if moved else None)


async def test_another_origin_sees_no_credentials(feedserver: FeedServer) -> None:
    """Authorization and the caller's own headers stay with their origin, even when the chain returns to it."""
    with FeedServer() as other:
        feedserver.redirect("/start", feedserver.url("/same"))
        feedserver.redirect("/same", other.url("/there"))
        other.redirect("/there", feedserver.url("/back"))
        feedserver.serve("/back", b"x")
        client = net.Client(allow=["127.0.0.1"], user_agent="t")
        headers = [
            ("Authorization", "Basic c2VjcmV0"),
            ("X-Key", "secret"),
            ("Cookie", "secret"),
            ("Accept", "text/xml"),
        ]
        assert body(await get(client, feedserver.url("/start"), headers=headers)) == b"x"
        await client.aclose()
    start, same, back = (seen.headers for seen in feedserver.log)
    there = other.log[0].headers
    assert start["authorization"] == same["authorization"] == "Basic c2VjcmV0"
    assert start["x-key"] == same["x-key"] == "secret"
    for headers in (there, back):
        assert "secret" not in str(headers)
        assert "authorization" not in headers
        assert headers["accept"] == "text/xml"


@pytest.mark.parametrize(
    ("here", "there", "kept"),
    [
        ("http://a.test/", "https://a.test/", True),
        ("https://a.test/", "http://a.test/", False),
        ("https://a.test/", "https://a.test:444/", False),
        ("https://a.test/", "https://a.test:443/x", True),
        ("https://a.test/", "https://b.a.test/", False),
        ("http://a.test/", "https://a.test:8443/", False),
    ],
)
async def test_credentials_follow_only_to_the_same_host(here: str, there: str, kept: bool) -> None:
    """The one exception to one origin is a host's own step from http to https."""
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append("authorization" in request.headers)
        return httpx.Response(302, headers={"Location": there}) if len(seen) == 1 else httpx.Response(200)

    client = net.Client(user_agent="t", transport=httpx.MockTransport(answer))
    await get(client, here, headers=[("Authorization", "Bearer x")])
    assert seen == [True, kept]


async def test_redirects_are_followed_only_on_request(feedserver: FeedServer, client: net.Client) -> None:
    """Without leave the redirect itself is the answer."""
    feedserver.redirect("/", "/there")
    answer = await get(client, feedserver.url("/"), redirects=False)
    assert isinstance(answer, net.Response)
    assert (answer.status, answer.headers["location"], len(feedserver.log)) == (302, "/there", 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_post_follows_no_redirect(status: int, feedserver: FeedServer, client: net.Client) -> None:
    """A message is sent to one address only."""
    url = feedserver.redirect("/", "/there", status)
    answer = await client.request("POST", url, content=b"hello", redirects=True)
    assert isinstance(answer, net.Response)
    assert (answer.status, len(feedserver.log), feedserver.log[0].body) == (status, 1, b"hello")


# --- the client itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 304, 400, 404, 418, 500, 521, 599])
async def test_any_status_is_an_answer(status: int, feedserver: FeedServer, client: net.Client) -> None:
    """The meaning of a status is for the caller to say."""
    answer = await get(client, feedserver.serve("/", b"", status=status))
    assert isinstance(answer, net.Response)
    assert answer.status == status


async def test_no_cookies_are_kept(feedserver: FeedServer, client: net.Client) -> None:
    """A server does not recognise us by what it gave us."""
    url = feedserver.serve("/", b"x", headers={"Set-Cookie": "id=1"})
    await get(client, url)
    await get(client, url)
    assert all("cookie" not in seen.headers for seen in feedserver.log)


async def test_connections_are_reused(feedserver: FeedServer, client: net.Client) -> None:
    """Requests one after another to a server that keeps connections open share one, with a body or without."""
    feedserver.serve("/a", b"x", etag="1", headers={"Content-Encoding": "identity"})
    feedserver.serve("/b", b"", status=304, headers={"Content-Encoding": "br", "Content-Length": "99999999999"})
    for _ in range(3):
        assert body(await get(client, feedserver.url("/a"))) == b"x"
        assert body(await get(client, feedserver.url("/a"), headers=[("If-None-Match", "1")])) == b""
        assert body(await get(client, feedserver.url("/b"))) == b""
        answer = await client.request("HEAD", feedserver.url("/a"), limits=LIMITS, redirects=False)
        assert body(answer) == b""
    assert feedserver.connections == 1


async def test_cancelling_a_request_cancels_it(feedserver: FeedServer, client: net.Client) -> None:
    """Cancellation is no failure of the other side; the client goes on working."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()

    async def slow(_seen, _writer) -> None:
        loop.call_soon_threadsafe(arrived.set)
        await asyncio.sleep(60)

    task = asyncio.create_task(get(client, feedserver.script("/slow", slow), limits=net.Limits()))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert body(await get(client, feedserver.serve("/", b"x"))) == b"x"


async def test_two_requests_at_once_per_host(feedserver: FeedServer, client: net.Client) -> None:
    """F23: one host's many feeds wait for each other, and waiting does not count as their time."""
    running, most = 0, 0

    async def counted(_seen, writer) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        writer.write(OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    url = feedserver.script("/", counted)
    answers = await asyncio.gather(*(get(client, url) for _ in range(14)))
    assert all(isinstance(answer, net.Response) for answer in answers)
    assert most == 2


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (httpx.ConnectError("no"), False),
        (httpx.ConnectTimeout("no"), False),
        (httpx.ReadTimeout("no"), True),
        (httpx.ReadError("no"), True),
    ],
    ids=["connect", "connect timeout", "read timeout", "read"],
)
async def test_sent_tells_whether_a_post_may_have_arrived(error: Exception, sent: bool) -> None:
    """A post that may have arrived is not to be repeated lightly."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise error

    client = net.Client(user_agent="t", transport=httpx.MockTransport(fail))
    answer = await client.request("POST", "http://a.test/", content=b"x", redirects=False)
    assert isinstance(answer, net.NetFailure)
    assert answer.sent is sent


async def test_a_post_cut_off_after_arrival_may_have_arrived(feedserver: FeedServer, client: net.Client) -> None:
    """The other side read all of it and broke the connection without a word."""
    answer = await client.request("POST", feedserver.script("/", once(b"")), content=b"x", redirects=False)
    assert isinstance(answer, net.NetFailure)
    assert answer.sent
    assert feedserver.log[0].body == b"x"


async def test_a_header_that_cannot_be_written_is_a_failure(feedserver: FeedServer, client: net.Client) -> None:
    """A secret with a line break in it does not become two headers, nor an exception."""
    for value in ("a\r\nX-Injected: 1", "a\0b", "é\u2192"):
        answer = await get(client, feedserver.url("/"), headers=[("X-Key", value)])
        assert (reason(answer), answer.sent) == (FetchReason.PROTOCOL, False), value
    assert not feedserver.log


async def test_failures_name_no_secret(
    feedserver: FeedServer, client: net.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither words for people nor any log line holds what the URL, the headers or the answer hold."""
    caplog.set_level("DEBUG")
    # `logs.configure` keeps what others write from the log.
    caplog.set_level("WARNING", "httpcore")
    secret = "CANARY_TOKEN_7"
    feedserver.redirect(f"/r/{secret}", f"file:///{secret}")
    feedserver.script(
        f"/x/{secret}", once(b"HTTP/1.1 200 OK\r\nSet-Cookie: " + secret.encode() + b"\r\nContent-Length: 9\r\n\r\n")
    )
    urls = [
        feedserver.url(f"/r/{secret}"), feedserver.url(f"/x/{secret}"), f"http://u:{secret}@127.0.0.1:1/?key={secret}",
        f"http://no.test:{secret}/", f"http://a b/{secret}", f"ftp://x/{secret}", f"{secret}",
    ]  # fmt: skip
    for url in urls:
        answer = await get(client, url, headers=[("Authorization", secret)])
        assert isinstance(answer, net.NetFailure)
        assert secret not in repr(answer)
    assert secret not in caplog.text


# --- Retry-After -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("000000000120", 120),
        ("86401", 86_400),
        ("9" * 400, 86_400),
        ("9" * 5000, 86_400),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("١٢", None),
        ("²", None),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120),
        ("Sun, 01 Mar 2026 12:02:00", 120),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 01 Mar 2099 12:00:00 GMT", 86_400),
        ("Sun, 01 Mar 99999 12:00:00 GMT", None),
        ("Sun, 32 Mar 2026 12:00:00 GMT", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_f19_retry_after(value: str, seconds: int | None) -> None:
    """Seconds and dates are read, absurd ones survived, and nothing keeps us away for more than a day."""
    assert net.retry_after(value, NOW) == seconds


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,4} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [-+A-Z0-9]{1,6}", fullmatch=True)
)
def test_f19_no_retry_after_raises(value: str) -> None:
    """Whatever a server writes, the answer is None or within a day."""
    found = net.retry_after(value, NOW)
    assert found is None or timedelta(0) <= timedelta(seconds=found) <= timedelta(days=1)
