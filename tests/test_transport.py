"""Requests through proxies: what they are asked for, what is judged before, and who is asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from feedserver import FeedServer
from sinks import CERTIFICATE

from worker.model import FetchReason
from worker.net import client as net

#: Names as this machine knows them; the proxy itself knows every name as loopback.
NAMES = {"feeds.test": "127.0.0.1", "other.test": "127.0.0.1", "inside.test": "10.0.0.7", "public.test": "192.0.9.1"}
LIMITS = net.Limits(seconds=20, connect=10)


@dataclass
class Proxy:
    """A proxy that carries what it is asked for to this machine."""

    url: str
    #: The first line of each request, and what it said of who asks.
    asked: list[str] = field(default_factory=list)
    authorized: list[str] = field(default_factory=list)


@asynccontextmanager
async def proxying(refusal: bytes = b"", forged: bytes = b"") -> AsyncIterator[Proxy]:
    """A running proxy, one connection after the other or several."""
    writers: list[asyncio.StreamWriter] = []
    tasks: list[asyncio.Task[None]] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ssl.SSLError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, _, rest = head.partition("\r\n")
            made.asked.append(line)
            made.authorized += [
                one[21:] for one in rest.split("\r\n") if one.lower().startswith("proxy-authorization:")
            ]
            method, target, _ = line.split(" ")
            if refusal:
                writer.write(refusal)
                writer.close()
                return
            place = target if method == "CONNECT" else target.split("/")[2]
            there, onward = await asyncio.open_connection("127.0.0.1", int(place.rpartition(":")[2]))
            writers.append(onward)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n" + forged)
            else:
                path = target.split("/", 3)[3]
                onward.write(f"{method} /{path} HTTP/1.1\r\n{rest}".encode())
            await asyncio.gather(copy(reader, onward), copy(there, writer))

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Known at once: a task that is cancelled before it began could not close its connection."""
        writers.append(writer)
        tasks.append(asyncio.get_running_loop().create_task(connected(reader, writer)))

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    made = Proxy(f"http://localhost:{server.sockets[0].getsockname()[1]}")
    try:
        yield made
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # aborted transports let go of their sockets in the loop's next turn


async def resolve(host: str, _port: int) -> Sequence[str]:
    return [NAMES.get(host, "127.0.0.1" if host == "localhost" else "")] if host in NAMES or host == "localhost" else []


@asynccontextmanager
async def asking(server: FeedServer, **more: str) -> AsyncIterator[net.Client]:
    """A client that may reach the test's server by two names, and nothing else that is private."""
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    allow = [f"{name}:{server.port}" for name in ("feeds.test", "other.test", "localhost")]
    client = net.Client(allow=allow, user_agent="t", resolve=resolve, tls=trusting, **more)
    yield client
    await client.aclose()


def certified() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(CERTIFICATE)
    return made


def told(answer: net.Response | net.NetFailure) -> object:
    return answer.body if isinstance(answer, net.Response) else answer.reason


async def test_a_proxy_is_asked_for_what_is_wanted(feedserver: FeedServer) -> None:
    """Plain HTTP by its whole URL, on one connection, with the proxy's credentials and not the feed's as such."""
    feedserver.serve("/a?b=c", b"here")
    async with proxying() as proxy:
        named = proxy.url.replace("//", "//u%40x:p%2Fw@")
        async with asking(feedserver, proxy=named) as client:
            url = feedserver.url("/a?b=c", host="feeds.test")
            assert told(await client.request("GET", url, limits=LIMITS, redirects=True)) == b"here"
        assert proxy.asked == [f"GET {url} HTTP/1.1"]
        assert proxy.authorized == ["Basic dUB4OnAvdw=="]


async def test_tls_goes_through_a_tunnel() -> None:
    """The proxy sees a name and a port; the certificate is the server's, and checked."""
    with FeedServer(tls=certified()) as server:
        server.serve("/secret", b"here")
        async with (
            proxying() as proxy,
            asking(server, proxy=proxy.url) as client,
        ):
            for _ in range(2):
                url = server.url("/secret", host="localhost")
                assert told(await client.request("GET", url, limits=LIMITS, redirects=True)) == b"here"
            assert proxy.asked == [f"CONNECT localhost:{server.port} HTTP/1.1"]
            wrong = await client.request("GET", server.url("/", host="feeds.test"), limits=LIMITS, redirects=True)
            assert told(wrong) is FetchReason.TLS


@pytest.mark.parametrize("host", ["inside.test", "10.0.0.7", "127.0.0.1", "[::1]"])
async def test_f07_the_target_is_judged_before_a_proxy_hears_of_it(host: str, feedserver: FeedServer) -> None:
    """An address that may not be dialled from here is not asked for there, at the start or after a redirect."""
    feedserver.redirect("/", f"http://{host}:{feedserver.port}/x")
    async with proxying() as proxy, asking(feedserver, proxy=proxy.url) as client:
        for url in (f"http://{host}:{feedserver.port}/x", feedserver.url("/", host="feeds.test")):
            answer = await client.request("GET", url, limits=LIMITS, redirects=True)
            assert told(answer) is FetchReason.BLOCKED_ADDRESS
            assert host.strip("[]") not in "".join(proxy.asked)
        assert len(proxy.asked) == 1


async def test_a_proxy_on_a_private_address_opens_no_way_to_it() -> None:
    """It is dialled because the configuration names it; a feed may not be there all the same."""
    with FeedServer() as stranger:
        async with proxying() as proxy, asking(stranger, proxy=proxy.url) as client:
            for through in (None, net.DIRECT):
                answer = await client.request("GET", proxy.url, limits=LIMITS, redirects=True, proxy=through)
                assert told(answer) is FetchReason.BLOCKED_ADDRESS
            assert not proxy.asked


async def test_the_request_says_which_proxy(feedserver: FeedServer) -> None:
    """Its own stands in place of the client's, and may be none."""
    feedserver.serve("/", b"here")
    url = feedserver.url("/", host="feeds.test")
    async with proxying() as general, proxying() as own, asking(feedserver, proxy=general.url) as client:
        for proxy in (own.url, net.DIRECT, None):
            assert told(await client.request("GET", url, limits=LIMITS, redirects=True, proxy=proxy)) == b"here"
        assert (len(general.asked), len(own.asked)) == (1, 1)


async def test_a_proxy_that_refuses() -> None:
    """Its status is told, nothing was sent to the server, and none of its words is repeated."""
    refusal = b"HTTP/1.1 403 CANARY_TOKEN\r\nContent-Length: 0\r\n\r\n"
    with FeedServer(tls=certified()) as server:
        async with proxying(refusal=refusal) as proxy, asking(server, proxy=proxy.url) as client:
            url = server.url("/", host="localhost")
            answer = await client.request("POST", url, content=b"x", limits=LIMITS, redirects=False)
    assert isinstance(answer, net.NetFailure)
    assert (answer.reason, answer.sent, answer.detail) == (FetchReason.CONNECT, False, "the proxy answers 403")


async def test_bytes_before_the_handshake_are_not_the_servers() -> None:
    """Bytes of a proxy after it opened the tunnel, unencrypted, are never read as the server's answer."""
    forged = bytes(16_000) + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged" * 100
    with FeedServer(tls=certified()) as server:
        server.serve("/", b"here")
        async with proxying(forged=forged) as proxy, asking(server, proxy=proxy.url) as client:
            answer = await client.request("GET", server.url("/", host="localhost"), limits=LIMITS, redirects=True)
    # Where the last of it comes during the handshake, that fails.
    assert told(answer) in {b"here", FetchReason.TLS}
