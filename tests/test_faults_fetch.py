"""Faults of servers, networks and name servers on feeds, through the whole pipeline: F01 to F26.

One store, one server and one clock for almost all: every feed is well, then each meets its own fault at the same time,
then all are well again. The oracle is asked after each part; each row's own promise stands below.
"""

import asyncio
import gzip
import socket
import ssl
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from desk import until
from feedserver import OK, Document, FeedServer, Script, Seen, endless, once, reset, silent
from loopback import Loopback, dispatch
from rig import Item, rss
from sinks import CERTIFICATE

from worker.feeds.child import Children
from worker.model import Feed
from worker.net.client import Limits


def bomb(size: int) -> bytes:
    """A gzip member of `size` zeros, in blocks of 1 MiB that are all alike: each process of tests makes one."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    head, end = gzip.compress(b"")[:10], packer.flush()
    return head + block * (size >> 20) + end + struct.pack("<II", zlib.crc32(bytes(size)), size)


def coded(coding: str, body: bytes = b"") -> Document:
    """An answer that claims a coding."""
    return Document(body=body or gzip.compress(b"<rss/>"), headers={"Content-Encoding": coding})


def status(number: int, **headers: str) -> Document:
    """An answer without a document."""
    return Document(status=number, body=b"no", headers={name.replace("_", "-"): said for name, said in headers.items()})


def sent_to(url: str, number: int = 302) -> Document:
    """A redirect."""
    return status(number, Location=url)


#: What a feed's server does while the fault lasts, by feed; the reason that the feed's state then names.
FAULTS: dict[str, tuple[Document | Script, str]] = {
    "f05-file": (sent_to("file:///etc/passwd"), "bad_url"),
    "f05-ftp": (sent_to("ftp://public.test/"), "bad_url"),
    "f06-path": (Document(body=b"/etc/passwd"), "not_a_feed"),
    "f06-file": (Document(body=b"file:///proc/self/environ"), "not_a_feed"),
    "f09-gzip": (coded("gzip", bomb(100 << 20)), "too_large"),
    "f09-brotli": (coded("br", b"\xcb\xff\xff\x3f\x00" + bytes(160)), "bad_coding"),
    "f09-twice": (coded("gzip, gzip", gzip.compress(gzip.compress(rss([])))), "bad_coding"),
    "f09-fifty": (coded(", ".join(["gzip"] * 50)), "bad_coding"),
    "f10-endless": (endless(OK + b"\r\n", b"x" * 10_000), "too_large"),
    "f10-announced": (endless(OK + b"Content-Length: 10000000000\r\n\r\n", b"x", 0.05), "too_large"),
    "f11-body": (endless(OK + b"Content-Length: 9999\r\n\r\n", b"x", 0.1), "timeout"),
    "f12-headers": (endless(OK, b"X: y\r\n", 0.1), "timeout"),
    "f12-continue": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.1), "timeout"),
    "f12-silence": (silent, "timeout"),
    "f13-long": (once(OK + b"X: " + b"y" * 200_000 + b"\r\n\r\n"), "protocol_error"),
    "f13-many": (once(OK + b"".join(b"X-Header-%d: y\r\n" % n for n in range(10_000)) + b"\r\n"), "protocol_error"),
    "f14-self": (sent_to("/f14-self?key=CANARY_TOKEN_URL"), "redirect_loop"),
    "f14-ping": (sent_to("/pong"), "redirect_loop"),
    "f14-six": (sent_to("/hop/5"), "redirect_loop"),
    "f15-short": (once(OK + b"Content-Length: 1000\r\n\r\nshort"), "protocol_error"),
    "f15-chunk": (once(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n<rss>\r\n"), "protocol_error"),
    "f15-reset": (reset, "connect_error"),
    "f16-plain": (coded("gzip", rss([])), "bad_coding"),
    "f16-unknown": (coded("snappy"), "bad_coding"),
    "f16-lengths": (once(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), "protocol_error"),
    "f18-empty": (Document(), "empty_body"),
    "f19-401": (status(401), "unauthorized"),
    "f19-403": (status(403), "unauthorized"),
    "f19-robot": (status(403, cf_mitigated="challenge"), "client_error"),
    "f19-404": (status(404), "not_found"),
    "f19-410": (status(410), "gone"),
    "f19-500": (status(500), "server_error"),
    "f19-503": (status(503), "server_error"),
    "f19-521": (status(521), "server_error"),
    "f19-120": (status(429, Retry_After="120"), "rate_limited"),
    "f19-date": (status(429, Retry_After="Fri, 06 Feb 2026 11:30:00 GMT"), "rate_limited"),
    "f19-minus": (status(429, Retry_After="-5"), "rate_limited"),
    "f19-400": (status(429, Retry_After="9" * 400), "rate_limited"),
    "f19-5000": (status(429, Retry_After="9" * 5000), "rate_limited"),
    "f19-soon": (status(429, Retry_After="soon"), "rate_limited"),
}
HERD = [f"f23-{n}" for n in range(16)]
#: Whose names go wrong, not their servers.
NAMED = ["f03-second", "f03-mixed", "f03-moved", "f22-down"]
OTHERS = ["f02-one", "f02-three", "f08-pages"]
HANGING = {"f11-body", "f12-headers", "f12-continue", "f12-silence"}
PRIVATE = """
    127.0.0.1 localhost [::1] 0 127.1 2130706433 0x7f.1 017700000001 [::ffff:127.0.0.1] 0.0.0.0 user@127.0.0.1
    169.254.169.254 [fd00::1] 100.64.0.1 [64:ff9b::7f00:1] [2002:7f00:1::]
""".split()  # noqa: SIM905 - a table
#: `{}` is a port that nothing may connect to.
UNFIT = (
    r"http://127.0.0.1:{}\@public.test/",
    "http://127.0.0.1:{}\t/",
    "http://127.0.0.1:{}\n/",
    "http://127.0.0.1:{}/\0",
    "http://[::1",
    "http://１２７.0.0.1:{}/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{}/",
    "gopher://127.0.0.1:{}/",
    "/etc/passwd",
)


def herded(name: str, it: Loopback) -> Feed:
    """One of many feeds of one host."""
    return it.feed(name, it.server.url(it.path(name), host="f23.test"))


def stray(name: str, url: str, it: Loopback) -> Feed:
    """A feed with a URL of its own; `{}` in it is the port that nothing may connect to."""
    return it.feed(name, url.replace("{}", str(it.secret.port)))


STRAY = {f"f01-{n}": f"http://{host}:{{}}/" for n, host in enumerate(PRIVATE)} | {
    f"f04-{n}": url for n, url in enumerate(UNFIT)
}


@dataclass(frozen=True, kw_only=True)
class State:
    """The store's knowledge of a feed."""

    result: str
    detail: str
    failures: int
    etag: str
    #: Hours from the poll.
    due: float
    entries: int


@dataclass
class Day:
    """The fate of all feeds."""

    it: Loopback
    #: The servers of feeds of https, by feed.
    tls: Mapping[str, FeedServer]
    #: After each part, by feed.
    morning: Mapping[str, State] = field(default_factory=dict)
    fault: Mapping[str, State] = field(default_factory=dict)
    evening: Mapping[str, State] = field(default_factory=dict)
    #: Feeds that were still being answered when the canary's news of that hour was told.
    hung: set[str] = field(default_factory=set)
    #: How often each name was looked up while the fault lasted.
    resolved: Mapping[str, int] = field(default_factory=dict)
    #: Bytes of memory that the process came to have meanwhile.
    grown: int = 0


def states(it: Loopback) -> Mapping[str, State]:
    rows = it.desk.rows(
        "SELECT name, last_result, last_detail, failures, etag, (julianday(due) - julianday(last_polled)) * 24,"
        " (SELECT count(*) FROM entry WHERE feed_id = feed.id) FROM feed"
    )
    return {
        name: State(result=result, detail=detail, failures=failures, etag=etag, due=due, entries=entries)
        for name, result, detail, failures, etag, due, entries in rows
    }


def items(name: str, count: int = 1) -> list[Item]:
    """The feed's first items; of each id one feed's second item is to be told."""
    number = 1000 + 10 * [*FAULTS, *NAMED, *HERD, *OTHERS].index(name)
    first = next(one for one in [*FAULTS, *NAMED, *HERD, *OTHERS] if one[:3] == name[:3])
    return [dispatch(number + n, told=n == 1 and name == first) for n in range(count)]


def begin_faults(it: Loopback) -> None:
    """From now on each feed has its own."""
    for name, (fault, _) in FAULTS.items():
        it.server.put(it.path(name), fault)
    it.server.redirect("/pong", it.path("f14-ping"))
    for hop in range(6):
        it.server.redirect(f"/hop/{hop}", f"/hop/{hop - 1}" if hop else "/never")
    it.server.redirect(it.path("f02-one"), it.secret.url("/"))
    it.server.redirect(it.path("f02-three"), "/two")
    it.server.redirect("/two", "/three")
    it.server.redirect("/three", it.secret.url("/"))
    it.serve("f03-second", items("f03-second", 2))
    it.names.answers |= {
        "f03-second.test": [["127.0.0.1"], ["127.0.0.2"]],
        "f03-mixed.test": [["127.0.0.1", "127.0.0.2"]],
        "f03-moved.test": [["127.0.0.2"]],
        "f22-down.test": [socket.gaierror(socket.EAI_AGAIN, "try again")],
    }
    it.names.asked.clear()
    it.serve("f08-pages", pages(it))


def pages(it: Loopback) -> list[Item]:
    """Whose links lead to where nothing may connect."""
    return [replace(item, link=it.secret.url(f"/{n}")) for n, item in enumerate(items("f08-pages", 3))]


def under_way(it: Loopback) -> set[str]:
    """The feeds that are being answered."""
    return {path.partition("?")[0].strip("/") for path, n in it.server.under_way.items() if n}


async def live(day: Day) -> None:
    """The three parts."""
    it = day.it
    names = [*FAULTS, *NAMED, *HERD, *OTHERS]
    for name in names:
        closed = {"Connection": "close"} if name in NAMED else {}
        it.serve(name, items(name), etag='"1"', headers=closed, delay=0.002)
    it.publish(dispatch(1, told=True))
    await it.round()
    day.morning = states(it)
    it.assert_nothing_lost()

    begin_faults(it)
    it.desk.later(hours=2)
    it.pulse.forget()
    async with it.engine():
        await until(lambda: under_way(it) >= HANGING, 200)
        it.desk.later(minutes=2)
        news = dispatch(2, told=True)
        it.publish(news)
        await until(lambda: it.was_told(news), 200)
        day.hung = under_way(it)
        await it.rest()
    day.fault, day.resolved, day.grown = states(it), dict(it.names.asked), it.pulse.grown
    it.assert_nothing_lost()

    it.names.answers.clear()
    for name in names:
        it.serve(name, pages(it) if name == "f08-pages" else items(name, 2), etag='"2"')
    it.publish(dispatch(3, told=True))
    await it.round(hours=26)
    day.evening = states(it)
    it.assert_nothing_lost()


def tls_server(certificate: str, *, old: bool = False) -> FeedServer:
    """A server that proves itself with a certificate of tests/data; or one that speaks TLS of the last century."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE.with_name(f"{certificate}.pem"))
    if old:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    return FeedServer(tls=context)


#: Feed -> its server's certificate, the name that it is asked by, and the reason that the feed's state names.
TLS = {
    "f21-good": ("localhost", "localhost", "ok"),
    "f21-wrong": ("localhost", "wrong.test", "tls_error"),
    "f21-expired": ("expired", "expired.test", "tls_error"),
    "f21-stranger": ("stranger", "stranger.test", "tls_error"),
    "f21-old": ("localhost", "localhost", "tls_error"),
}


@contextmanager
def full() -> Iterator[int]:
    """A port whose backlog is full: packets to it are swallowed."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the socket's own signature
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """A morning, a fault and an evening."""
    with ExitStack() as stack:
        port = stack.enter_context(full())
        tls = {
            name: stack.enter_context(tls_server(certificate, old=name == "f21-old"))
            for name, (certificate, *_) in TLS.items()
        }
        for name, server in tls.items():
            server.serve("/", rss([dispatch(100 + list(TLS).index(name))]))
        feeds = [
            *FAULTS,
            *NAMED,
            *OTHERS[:-1],
            lambda it: it.feed("f08-pages", full_text=True),
            *(partial(herded, name) for name in HERD),
            *(partial(stray, name, url) for name, url in STRAY.items()),
            *(partial(stray, name, tls[name].url("/", host=host)) for name, (_, host, _) in TLS.items()),
            partial(stray, "f12-full", f"http://127.0.0.1:{port}/"),
        ]
        allow = [f"127.0.0.1:{port}", *(server.place for server in tls.values())]
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        folder = tmp_path_factory.mktemp("day")
        it = stack.enter_context(Loopback(folder, feeds, children=Children, allow=allow))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patched.setenv(name, it.secret.url())
        found = Day(it=it, tls=tls)
        asyncio.run(live(found))
        yield found


def of(mark: str, *more: str) -> list[str]:
    """The names of a row's feeds."""
    return [name for name in [*FAULTS, *NAMED, *OTHERS, *more] if name.startswith(mark)]


def assert_refused(day: Day, name: str, reason: str) -> None:
    """The reason is told; the first document stays, its validators too; and then all is well."""
    fault, evening = day.fault[name], day.evening[name]
    assert (fault.result, fault.failures, fault.entries) == (reason, 1, day.morning[name].entries)
    assert fault.detail
    assert fault.etag == '"1"'
    assert 0.2 < fault.due <= 24.1
    assert (evening.result, evening.failures, evening.etag, evening.entries) == ("ok", 0, '"2"', 2)


def test_f01_nothing_connects_where_it_may_not(day: Day) -> None:
    """Not by address, redirect, proxy, a body, or an item's link, in three parts of a day."""
    assert (day.it.secret.connections, day.it.secret.paths()) == (0, [])


@pytest.mark.parametrize("name", [name for name in STRAY if name.startswith("f01")])
def test_f01_private_addresses_are_told(day: Day, name: str) -> None:
    """However loopback is spelt, the feed's state says why it is not asked."""
    for state in (day.morning[name], day.fault[name], day.evening[name]):
        assert (state.result, state.entries) == ("blocked_address", 0)


@pytest.mark.parametrize("name", of("f02"))
def test_f02_redirects_to_private_addresses(day: Day, name: str) -> None:
    """Refused at the hop; what stood in the feed before stays."""
    assert_refused(day, name, "blocked_address")


def test_f03_a_name_is_resolved_once_per_connection(day: Day) -> None:
    """The name server's second answer is never asked for, so it cannot be dialled."""
    assert (day.fault["f03-second"].result, day.fault["f03-second"].entries) == ("ok", 2)
    assert day.resolved["f03-second.test"] == 1


@pytest.mark.parametrize("name", ["f03-mixed", "f03-moved"])
def test_f03_one_private_answer_is_enough(day: Day, name: str) -> None:
    """Mixed with permitted ones, or alone after a good one."""
    assert_refused(day, name, "blocked_address")


@pytest.mark.parametrize("name", [name for name in STRAY if name.startswith("f04")])
def test_f04_f05_urls_that_are_not_plain(day: Day, name: str) -> None:
    """A value, not an exception: the feed's state says so, and the canary is on time."""
    for state in (day.morning[name], day.fault[name], day.evening[name]):
        assert (state.result, state.entries) == ("bad_url", 0)


@pytest.mark.parametrize("name", of("f05"))
def test_f05_redirects_to_other_schemes(day: Day, name: str) -> None:
    """Neither does a server choose another scheme for us."""
    assert_refused(day, name, "bad_url")


@pytest.mark.parametrize("name", of("f06"))
def test_f06_a_body_that_is_a_path_or_a_url(day: Day, name: str) -> None:
    """It is no feed; no file is opened and nothing is fetched, as their words appear nowhere."""
    assert_refused(day, name, "not_a_feed")


def test_f07_proxies_of_the_environment(day: Day) -> None:
    """They were set all day, to a port that never heard of it."""
    assert day.it.secret.connections == 0
    assert len(day.it.server.log) > 100


def test_f08_pages_pass_the_same_gate(day: Day) -> None:
    """Items whose pages may not be fetched are stored, and told, with their summaries."""
    assert day.it.secret.connections == 0
    assert (day.fault["f08-pages"].result, day.fault["f08-pages"].entries) == ("ok", 3)
    assert day.it.was_told(items("f08-pages", 2)[1])
    assert not any(row[0] for row in day.it.desk.rows("SELECT page_text FROM entry WHERE page_text <> ''"))


@pytest.mark.parametrize("name", of("f09"))
def test_f09_bombs(day: Day, name: str) -> None:
    """Given up at the limit; what the worker came to have of memory meanwhile is a fraction of the bomb."""
    assert_refused(day, name, FAULTS[name][1])
    assert day.grown < 48 << 20


@pytest.mark.parametrize("name", of("f10"))
def test_f10_bodies_without_end(day: Day, name: str) -> None:
    """Given up at the limit, or before the first byte where the size was announced."""
    assert_refused(day, name, "too_large")


@pytest.mark.parametrize("name", sorted(HANGING))
def test_f11_f12_servers_that_keep_us_waiting(day: Day, name: str) -> None:
    """Left at the deadline; the canary's news of that hour was told while they still hung."""
    assert name in day.hung
    assert_refused(day, name, "timeout")


def test_f12_a_host_that_swallows_packets(day: Day) -> None:
    """Left after the connection's own limit."""
    assert (day.fault["f12-full"].result, day.fault["f12-full"].failures) == ("timeout", 2)
    assert "no connection" in day.fault["f12-full"].detail


@pytest.mark.parametrize("name", of("f13"))
def test_f13_headers_without_end(day: Day, name: str) -> None:
    """No sound HTTP."""
    assert_refused(day, name, "protocol_error")


@pytest.mark.parametrize("name", of("f14"))
def test_f14_redirects_end(day: Day, name: str) -> None:
    """At the sixth."""
    assert_refused(day, name, "redirect_loop")


@pytest.mark.parametrize("name", of("f15"))
def test_f15_answers_that_break_off(day: Day, name: str) -> None:
    """Nothing of them is stored, and what was known of the document stands."""
    assert_refused(day, name, FAULTS[name][1])


@pytest.mark.parametrize("name", of("f16"))
def test_f16_codings_that_are_none(day: Day, name: str) -> None:
    """Nothing is guessed."""
    assert_refused(day, name, FAULTS[name][1])


def test_f18_an_empty_document(day: Day) -> None:
    """200 and no byte is a failure, not a feed without news."""
    assert_refused(day, "f18-empty", "empty_body")


@pytest.mark.parametrize("name", of("f19"))
def test_f19_statuses(day: Day, name: str) -> None:
    """Each its reason and its patience, never more than a day, whatever is said; and then its news is told."""
    assert_refused(day, name, FAULTS[name][1])
    hours = {"f19-date": 0.99, "f19-400": 24, "f19-5000": 24}.get(name, 0.25)
    assert hours <= day.fault[name].due + 1e-6 < hours + 0.1


def test_f19_what_is_gone_is_told(day: Day) -> None:
    """The operators hear of the one feed that said it is gone, and of no other."""
    assert [words for words in day.it.notices() if "disparu" in words] == ["[Veille] f19-410 : le flux a disparu"]


@pytest.mark.parametrize("name", TLS)
def test_f21_servers_that_prove_nothing(day: Day, name: str) -> None:
    """Nothing is asked of a server that cannot prove its name; one that can is read."""
    reason = TLS[name][2]
    for state in (day.morning[name], day.fault[name], day.evening[name]):
        assert (state.result, state.entries) == (reason, int(reason == "ok"))
    assert bool(day.tls[name].paths()) == (reason == "ok")


def test_f22_a_name_server_that_is_down(day: Day) -> None:
    """Told apart from the feed's own faults, and not counted with them; the first poll after it finds the feed well."""
    fault, evening = day.fault["f22-down"], day.evening["f22-down"]
    assert (fault.result, fault.failures, fault.etag, fault.entries) == ("dns_error", 0, '"1"', 1)
    assert fault.due < 0.3
    assert (evening.result, evening.entries) == ("ok", 2)


def test_f23_many_feeds_of_one_host(day: Day) -> None:
    """Two at a time; each is polled in each part of the day, and they do not come back at one moment."""
    assert day.it.server.most[f"f23.test:{day.it.server.port}"] == 2
    assert {day.fault[name].result for name in HERD} == {"not_modified"}
    assert {day.evening[name].result for name in HERD} == {"ok"}
    assert len({round(day.fault[name].due, 4) for name in HERD}) > len(HERD) // 2
    assert all(day.fault[name].due < 2 * 0.25 for name in HERD)


# --- over days -----------------------------------------------------------------------------------------------------

_AGAIN = ["f15-cut", "f15-always", "f18-lies", "f18-honest", "f20-moved", "f20-private", "f20-file", "f22-window"]


def again(name: str, count: int, first: int = 0) -> list[Item]:
    """More of a feed's items; the third is to be told."""
    return [dispatch(5000 + 20 * _AGAIN.index(name) + n, told=n == 2) for n in range(first, count)]


def cut(shown: list[Item]) -> bytes:
    """HTTP/1.0, whose body ends with the connection: in the middle of the last item."""
    whole = rss(shown)
    return b'HTTP/1.0 200 OK\r\nETag: "1"\r\n\r\n' + whole[: whole.rindex(b"<description>") + 20]


@dataclass
class Days:
    """The fate of feeds whose servers lie or move."""

    it: Loopback
    #: After each round, by feed.
    rounds: list[Mapping[str, State]] = field(default_factory=list)
    #: The requests of each round, by path.
    asked: list[Mapping[str, Seen]] = field(default_factory=list)

    async def round(self, **later: float) -> None:
        """Let time pass, with news in the canary."""
        before = len(self.it.server.log)
        self.it.publish(dispatch(10 + len(self.rounds), told=True))
        await self.it.round(**later)
        self.it.assert_nothing_lost()
        self.rounds.append(states(self.it))
        self.asked.append({seen.path.partition("?")[0].strip("/"): seen for seen in self.it.server.log[before:]})

    async def live(self) -> None:
        """A day and a few hours."""
        it = self.it
        for name in _AGAIN[2:]:
            it.serve(name, again(name, 2), etag='"1"')
        it.server.script(it.path("f15-cut"), once(cut(again("f15-cut", 3))))
        it.server.script(it.path("f15-always"), once(cut(again("f15-always", 2))))
        await self.round()

        # The same validators for other contents: only who asks without them sees the news.
        it.serve("f15-cut", again("f15-cut", 3), etag='"1"')
        it.serve("f18-lies", again("f18-lies", 4), etag='"1"')
        it.server.redirect(it.path("f20-moved"), "/there", 301)
        it.server.serve("/there", rss(again("f20-moved", 3)), items=())
        it.server.redirect(it.path("f20-private"), it.secret.url("/"), 301)
        it.server.redirect(it.path("f20-file"), "file:///etc/passwd", 301)
        it.names.answers["f22-window.test"] = [socket.gaierror(socket.EAI_NONAME, "unknown")]
        it.server.tell("f20-moved", again("f20-moved", 3))
        await self.round(hours=1)

        it.names.answers.clear()
        late = replace(again("f18-honest", 3)[2], published="Fri, 06 Feb 2026 10:00:00 GMT")
        it.serve("f18-honest", [*again("f18-honest", 2), late], etag='"2"')
        it.serve("f22-window", again("f22-window", 9, 2))
        await self.round(hours=1)
        await self.round(hours=24)
        await self.round(hours=1)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    """Five rounds."""
    with Loopback(tmp_path_factory.mktemp("days"), _AGAIN) as it:
        found = Days(it)
        asyncio.run(found.live())
        yield found


def test_f15_a_document_that_ends_early(days: Days) -> None:
    """All but its last entry is stored, its validators are not, and it is asked again soon: then all is there."""
    first, second, *_ = days.rounds
    assert (first["f15-cut"].result, first["f15-cut"].entries, first["f15-cut"].etag) == ("ok", 2, "")
    assert first["f15-cut"].due < 0.02
    assert "if-none-match" not in days.asked[1]["f15-cut"].headers
    assert (second["f15-cut"].entries, second["f15-cut"].etag) == (3, '"1"')
    assert days.it.was_told(again("f15-cut", 3)[2])


def test_f15_a_document_that_always_ends_early(days: Days) -> None:
    """The second time its last entry is all there will be."""
    assert [one["f15-always"].entries for one in days.rounds] == [1, 2, 2, 2, 2]
    assert {one["f15-always"].etag for one in days.rounds} == {""}


def test_f18_a_304_that_lies(days: Days) -> None:
    """Found out within a day; what it hid is stored and told, and it is believed no more."""
    assert [one["f18-lies"].entries for one in days.rounds] == [2, 2, 2, 4, 4]
    assert [one["f18-lies"].result for one in days.rounds[1:3]] == ["not_modified"] * 2
    assert days.it.state("f18-lies", "lies") == 1
    assert ["if-none-match" in asked["f18-lies"].headers for asked in days.asked] == [False, True, True, False, False]
    assert days.it.was_told(again("f18-lies", 3)[2])


def test_f18_a_304_that_does_not_lie(days: Days) -> None:
    """Its validators are used again after the day's whole document."""
    assert [one["f18-honest"].result for one in days.rounds] == ["ok", "not_modified", "ok", "ok", "not_modified"]
    assert days.it.state("f18-honest", "lies") == 0


def test_f20_a_feed_that_has_moved(days: Days) -> None:
    """The new address is used at once, told once, after three sightings; entries stay what they are."""
    assert [one["f20-moved"].entries for one in days.rounds] == [2, 3, 3, 3, 3]
    assert sum("moved" in words for words in days.it.notices()) == 1
    assert days.it.was_told(again("f20-moved", 3)[2])
    assert days.it.state("f20-moved", "moved").startswith("http://f20-moved.test:")


@pytest.mark.parametrize(("name", "reason"), [("f20-private", "blocked_address"), ("f20-file", "bad_url")])
def test_f20_a_feed_that_claims_to_have_moved(days: Days, name: str, reason: str) -> None:
    """To where nothing is fetched: refused, and nobody is told to follow."""
    assert {one[name].result for one in days.rounds[1:]} == {reason}
    assert days.it.secret.connections == 0
    assert not any(f"{name}: the feed has moved" in words for words in days.it.notices())


def test_f22_what_slid_past_while_names_did_not_resolve(days: Days) -> None:
    """Items still in the document are stored; as all of it is new, others may have passed, and that is said."""
    assert [one["f22-window"].result for one in days.rounds[:3]] == ["ok", "dns_error", "ok"]
    assert days.rounds[2]["f22-window"].entries == 9
    assert "gap_suspected" in days.rounds[2]["f22-window"].detail
    assert days.it.was_told(again("f22-window", 3)[2])


class Killed(BaseException):
    """Stands in for the end of the process."""


@pytest.mark.parametrize("point", ["after_fetch", "before_commit", "after_commit"])
def test_f17_a_poll_that_dies(tmp_path: Path, point: str) -> None:
    """Validators are committed with their entries or not at all: whatever comes next, all are stored and told."""
    shown = [dispatch(7000, told=True), dispatch(7001)]

    def die(at: str) -> None:
        if at == point:
            raise Killed

    async def live(it: Loopback) -> None:
        it.serve("f17", shown, etag='"1"')
        it.publish(dispatch(1, told=True))
        it.desk.context.fault_point = die
        with pytest.raises(Killed):
            await it.desk.poll(it.feeds[0].id)
        it.desk.context.fault_point = lambda _: None
        await it.round(hours=1)

    with Loopback(tmp_path, ["f17"]) as it:
        it.feeds.sort(key=lambda feed: feed.name == "canary")
        asyncio.run(live(it))
        it.assert_nothing_lost()
        asked = ["if-none-match" in seen.headers for seen in it.server.log if seen.path == it.path("f17")]
        assert asked == [False, point == "after_commit"]
        assert (it.state("f17", "etag"), len(it.entries("f17"))) == ('"1"', 2)


#: Sloppy servers, by feed: what each adds to an answer, or answers in its place.
SLOPPY = {
    "f26-203": (203, {}),
    "f26-206": (206, {}),
    "f26-202": (202, {}),
    "f26-utf8": (200, {"Content-Encoding": "utf-8"}),
    "f26-none": (200, {"Content-Encoding": "none"}),
    "f26-line": (200, {"PHP Warning": "in line 3", "Content-Type ": "text/xml"}),
}


def _dispatches(name: str) -> list[Item]:
    at = [*SLOPPY, "f26-blank", "f26-cookie", "f24-validators", "f25-links"].index(name)
    return [dispatch(8000 + 2 * at, told=True), dispatch(8001 + 2 * at)]


def test_f24_f25_f26_what_browsers_read(tmp_path: Path) -> None:
    """Sloppy answers, validators that cannot be sent back and links without end: all is stored and told."""

    async def cookie(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if "ok=1" in seen.headers.get("cookie", ""):
            body = rss(_dispatches("f26-cookie"))
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        else:
            head = f"HTTP/1.1 302 Found\r\nSet-Cookie: ok=1\r\nLocation: {seen.path}\r\nContent-Length: 0\r\n\r\n"
            writer.write(head.encode())

    def serve(it: Loopback) -> None:
        for name, (number, headers) in SLOPPY.items():
            it.serve(name, _dispatches(name), status=number, headers=headers)
        it.server.redirect(it.path("f26-blank"), "/flux presse.xml", 301)
        it.server.serve("/flux%20presse.xml", rss(_dispatches("f26-blank")), items=())
        it.server.script(it.path("f26-cookie"), cookie)
        # The server itself counts answers of status 200 only.
        for name in ("f26-blank", "f26-cookie", "f26-203", "f26-206", "f26-202"):
            it.server.tell(name, _dispatches(name))
        it.serve(
            "f24-validators", _dispatches("f24-validators"), etag='"\u00e9"', last_modified="Dim, 12 F\u00e9v 2023"
        )
        links = ["http://a.test/" + "x" * 100_000, "http://a.test/" + "/amp" * 25_000]
        shown = [replace(item, link=link) for item, link in zip(_dispatches("f25-links"), links, strict=True)]
        it.serve("f25-links", shown)

    async def live(it: Loopback) -> None:
        serve(it)
        it.publish(dispatch(1, told=True))
        await it.round()
        it.publish(dispatch(2, told=True))
        await it.round(hours=2)

    names = [*SLOPPY, "f26-blank", "f26-cookie", "f24-validators", "f25-links"]
    with Loopback(tmp_path, names, limits=Limits()) as it:
        asyncio.run(live(it))
        found = states(it)
        assert {
            name: (found[name].result, found[name].failures, found[name].entries) for name in names
        } == dict.fromkeys(names, ("ok", 0, 2))
        assert "2 links of more than" in found["f25-links"].detail
        again = [seen for seen in it.server.log if seen.path == it.path("f24-validators")]
        assert len(again) == 2
        assert not any({"if-none-match", "if-modified-since"} & set(seen.headers) for seen in again)
        it.assert_nothing_lost()
