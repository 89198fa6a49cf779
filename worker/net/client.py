"""HTTP with a guard on addresses, limits on everything, and failures as values."""

import asyncio
import functools
import re
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote

import httpx

from worker.model import FetchReason
from worker.net.dial import NotDialled, Resolve, Resolver
from worker.net.failure import AFTER_SENDING, EXPECTED, NOT_WRITABLE, BadURLError, explained
from worker.net.guard import Allow
from worker.net.inflate import Inflater, TooLargeError
from worker.net.transport import Transport

MEBIBYTE = 1 << 20
#: In place of a proxy's URL: none.
DIRECT = "direct"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERMANENT = frozenset({301, 308})
#: Of the caller's headers, those that another origin may see: they say what is wanted, not who asks.
_FORWARDED = frozenset(
    {"accept", "accept-language", "cache-control", "if-modified-since", "if-none-match", "user-agent"}
)
#: Where programs disagree on a URL, one that checks and one that fetches see two hosts: controls, blanks, backslash.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")
#: What WHATWG's URL parser strips at both ends, and leaves out everywhere; and where a query or a fragment begins.
_CONTROLS = "".join(map(chr, range(0x21)))
_UNSEEN = re.compile(r"[\t\r\n]")
_QUERY = re.compile(r"([^?#]*)([?#]?)(.*)", re.DOTALL)
#: Requests that run at once against one host.
_PER_HOST = 2
#: Bytes of a cookie with its attributes; browsers drop longer ones.
_COOKIE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one request, redirects included."""

    #: From the first look-up to the last byte.
    seconds: float = 30
    #: Bytes of the body, as they come over the wire and once inflated.
    wire: int = 5 * MEBIBYTE
    decoded: int = 15 * MEBIBYTE
    redirects: int = 5
    #: Seconds for the look-up, and as many for TCP and TLS.
    connect: float = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer, of whatever status, with all of its body."""

    status: int
    #: Names in lower case; repeated headers are joined by a comma.
    headers: Mapping[str, str]
    #: Inflated.
    body: bytes
    #: Where it was found, after redirects.
    url: str
    #: Where it was moved for good (301, 308), if it was.
    moved: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetFailure:
    """No usable answer."""

    reason: FetchReason
    #: For people; names hosts, never paths, queries, headers or bodies.
    detail: str
    #: The request may have reached the application on the other side.
    sent: bool
    #: The name server did not answer: no fault of the other side.
    local: bool = False


class Client:
    """The only way to the network by HTTP.

    Dials public addresses and what `allow` lists (see `Allow`; ValueError on a bad entry), goes through `proxy` if
    there is one, reads no proxy and no credentials from the environment, keeps no cookie beyond the redirects of one
    request. `transport` and `tls` are for tests.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        user_agent: str,
        proxy: str | None = None,
        resolve: Resolve | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._proxy = proxy
        self._transport = transport or Transport(Allow(allow), resolve or Resolver(), tls or _tls())
        self._turns = _Turns()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        content: bytes | None = None,
        limits: Limits = Limits(),
        redirects: bool,
        proxy: str | None = None,
    ) -> Response | NetFailure:
        """The answer to one request, or why there is none; raises nothing but CancelledError.

        Redirects are followed where `redirects` says so, for GET and HEAD only, each through the guard; another
        origin sees neither credentials nor the caller's own headers. At most two GETs run per host; waiting for a
        turn is not counted as the request's time. `proxy` stands in place of the client's own; DIRECT is none.
        """
        proxy = self._proxy if proxy is None else proxy
        exchange = _Exchange(self._transport, self._user_agent, limits, proxy if proxy != DIRECT else None)
        reads = method in {"GET", "HEAD"}
        try:
            start = _checked(url)
            if not reads:
                return await exchange.run(method, start, headers, content, follow=False)
            async with self._turns.take(start.host):
                return await exchange.run(method, start, headers, content, follow=redirects)
        except EXPECTED as e:
            reason, detail = explained(e, seconds=limits.seconds, connect=limits.connect)
            sent = (exchange.sent and not isinstance(e, NOT_WRITABLE)) or isinstance(e, AFTER_SENDING)
            local = isinstance(e, NotDialled) and e.local
            return NetFailure(reason=reason, detail=detail, sent=sent, local=local)

    async def guard_works(self) -> bool:
        """True if a client without an allow-list refuses loopback, by address and by name, before any packet."""

        async def loopback(_host: str, _port: int) -> Sequence[str]:
            return ("127.0.0.1",)

        probe = Client(user_agent=self._user_agent, resolve=loopback, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        try:
            for host in ("127.0.0.1", "[::1]", "guard.invalid"):
                found = await probe.request("GET", f"http://{host}:9/", limits=Limits(seconds=5), redirects=False)
                if not isinstance(found, NetFailure) or found.reason is not FetchReason.BLOCKED_ADDRESS:
                    return False
        finally:
            await probe.aclose()
        return True

    async def aclose(self) -> None:
        """Close idle connections; requests under way fail."""
        await self._transport.aclose()


class _Exchange:
    """One request and the redirects it meets, under one deadline."""

    def __init__(self, transport: httpx.AsyncBaseTransport, user_agent: str, limits: Limits, proxy: str | None) -> None:
        self._transport = transport
        self._proxy = proxy
        self._limits = limits
        self._user_agent = user_agent
        #: What the redirects have set.
        self._cookies: httpx.Cookies | None = None
        #: The request began to be written.
        self.sent = False

    async def run(
        self, method: str, url: httpx.URL, headers: Sequence[tuple[str, str]], content: bytes | None, *, follow: bool
    ) -> Response:
        """The answer, after redirects where `follow` says so."""
        permanent, moved = True, None
        async with asyncio.timeout(self._limits.seconds):
            for _ in range(self._limits.redirects + 1 if follow else 1):
                async with self._answer(method, url, headers, content) as answer:
                    location = answer.headers.get("location")
                    if not (follow and location and answer.status_code in _REDIRECTS):
                        return Response(
                            status=answer.status_code,
                            headers=dict(answer.headers.items()),
                            body=await self._body(method, answer),
                            url=str(url),
                            moved=moved,
                        )
                target = _checked(_location(answer.headers), base=url)
                if not _may_see_all(url, target):
                    headers = [(name, value) for name, value in headers if name.lower() in _FORWARDED]
                permanent = permanent and answer.status_code in _PERMANENT
                url, moved = target, str(target) if permanent else moved
        raise httpx.TooManyRedirects(f"more than {self._limits.redirects} redirects")

    @asynccontextmanager
    async def _answer(
        self, method: str, url: httpx.URL, headers: Sequence[tuple[str, str]], content: bytes | None
    ) -> AsyncGenerator[httpx.Response]:
        """The answer to one request; its connection is released at the end, closed if the body was not read."""
        request = httpx.Request(
            method,
            url,
            headers=headers,
            content=content,
            extensions={"timeout": {"connect": self._limits.connect}, "begun": self._begun, "proxy": self._proxy},
        )
        request.headers["Accept-Encoding"] = "gzip"
        request.headers.setdefault("User-Agent", self._user_agent)
        self._add_cookies(request)
        answer = await self._transport.handle_async_request(request)
        try:
            self._keep_cookies(request, answer)
            yield answer
        finally:
            await answer.stream.aclose()  # type: ignore[union-attr]  # an async transport's stream is async

    def _add_cookies(self, request: httpx.Request) -> None:
        """Send what a redirect has set for this host, before the caller's own cookies."""
        if self._cookies is None:
            return
        own = request.headers.pop("Cookie", "")
        self._cookies.set_cookie_header(request)
        if both := [part for part in (request.headers.get("Cookie", ""), own) if part]:
            request.headers["Cookie"] = "; ".join(both)

    def _keep_cookies(self, request: httpx.Request, answer: httpx.Response) -> None:
        said = [
            ("Set-Cookie", one)
            for one in answer.headers.get_list("set-cookie")
            if len(one) <= _COOKIE and one.isascii()
        ]
        if said and answer.status_code in _REDIRECTS:
            if self._cookies is None:
                # Strict: nobody sets cookies for all names that are registered under a suffix such as `.co.uk`.
                self._cookies = httpx.Cookies(CookieJar(DefaultCookiePolicy(strict_domain=True)))
            self._cookies.extract_cookies(httpx.Response(answer.status_code, headers=said, request=request))

    def _begun(self) -> None:
        self.sent = True

    async def _body(self, method: str, answer: httpx.Response) -> bytes:
        bodiless = method == "HEAD" or answer.status_code in {204, 304}
        length = answer.headers.get("content-length", "")
        if not bodiless and length.isdecimal() and (len(length) > 18 or int(length) > self._limits.wire):
            raise TooLargeError("the body is announced as larger than the limit")
        # Headers of an answer without a body describe the body it would have had (RFC 9110 8.6 and 15.4.5); it is
        # read all the same, because only then is its connection free for the next request.
        coding = "" if bodiless else answer.headers.get("content-encoding", "")
        inflater = Inflater(coding, wire=self._limits.wire, decoded=self._limits.decoded)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        async for chunk in answer.stream:
            for _ in inflater.feed(chunk):
                await asyncio.sleep(0)
        return inflater.finish()


class _Turns:
    """Bounds the requests that run at once against one host."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def take(self, host: str) -> AsyncGenerator[None]:
        """One turn with `host`, once it is free."""
        free, users = self._hosts.get(host, (asyncio.Semaphore(_PER_HOST), 0))
        self._hosts[host] = free, users + 1
        try:
            async with free:
                yield
        finally:
            free, users = self._hosts.pop(host)
            if users > 1:
                self._hosts[host] = free, users - 1


def _location(headers: httpx.Headers) -> str:
    r"""The value of Location as browsers read it (WHATWG URL 4.4).

    Tabs and line breaks are left out, `\` before the query is `/`, blanks are encoded, letters beyond ASCII are UTF-8
    or else bytes.
    """
    raw = next(value for name, value in headers.raw if name.lower() == b"location")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = quote(raw, safe=bytes(range(0x80)))
    text = _UNSEEN.sub("", text.strip(_CONTROLS))
    path, mark, query = _QUERY.match(text).groups()  # type: ignore[union-attr]  # it matches any text
    return (path.replace("\\", "/") + mark + query.replace("\\", "%5C")).replace(" ", "%20")


def _checked(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """`url`, in relation to `base`, as an http(s) URL with a host; raises BadURLError."""
    if _AMBIGUOUS.search(url):
        raise BadURLError("the URL holds a blank, a control character or a backslash")
    try:
        parsed = base.join(url) if base is not None else httpx.URL(url)
        host, port = parsed.host, parsed.port
    except (httpx.InvalidURL, ValueError) as e:
        # Their own words quote the URL.
        raise BadURLError("not a URL") from e
    if parsed.scheme not in {"http", "https"}:
        raise BadURLError("only http and https are fetched")
    # An encoded host is one with a blank in it; but of an IPv6 address, `%` begins the zone.
    if not host or ("%" in host and ":" not in host) or not 0 < (port or 80) < 65_536:
        raise BadURLError("the URL names no host, or no port that exists")
    return parsed.copy_with(fragment=None) if "#" in url else parsed


def _may_see_all(here: httpx.URL, there: httpx.URL) -> bool:
    """True where `there` may see what was meant for `here`: the same origin, or the same host gone to https."""
    if here.host != there.host:
        return False
    if (here.scheme, here.port) == (there.scheme, there.port):
        return True
    return here.scheme == "http" and there.scheme == "https" and here.port is None and there.port is None


@functools.cache
def _tls() -> ssl.SSLContext:
    # It costs 60 ms of CPU to make, so all clients share one. SSL_CERT_FILE is honoured: an authority of the
    # house is something the environment may add.
    return httpx.create_ssl_context()


# When a server wants to be asked again.


#: Seconds; nothing a server says keeps us away for longer.
DAY = 86_400


def seconds(text: str) -> int | None:
    """A number of seconds as headers write it (RFC 9111 1.2.2), at most a day; None for anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal()):
        return None
    # Python refuses to read thousands of digits.
    return DAY if len(text.lstrip("0")) > 6 else min(int(text[-7:]), DAY)


def retry_after(value: str, now: datetime) -> int | None:
    """Retry-After, seconds or a date (RFC 9110 10.2.3), in seconds from `now`: 0 to a day; None if unreadable."""
    if (wait := seconds(value)) is not None:
        return wait
    try:
        date = parsedate_to_datetime(value)
        # A date without a zone is a mistake; HTTP's dates are UTC.
        delta = (date if date.tzinfo else date.replace(tzinfo=now.tzinfo)) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0, min(int(delta.total_seconds()), DAY))
