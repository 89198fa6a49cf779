"""httpx's requests through httpcore, over connections that the guard permits."""

import resource
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from worker.net.dial import Dialler, Resolve
from worker.net.guard import Allow

if TYPE_CHECKING:
    from worker.net.connection import Connection

#: Hosts whose connections are kept; each is one file descriptor, or two.
_HOSTS = 256
_PORTS = {"http": 80, "https": 443}
#: What may be asked once more where a connection that had served before ends (RFC 9110 9.2.2).
_SAFE = frozenset({"GET", "HEAD"})
#: A proxy stands where the operator says.
_ANYWHERE = Allow(("0.0.0.0/0", "::/0"))


@dataclass(slots=True)
class _Pool:
    """The connections to one host."""

    transport: httpx.AsyncHTTPTransport
    #: Requests that run.
    users: int = 0


class Transport(httpx.AsyncBaseTransport):
    """A small pool for each host: httpcore looks through all of a pool's connections at each request.

    Raises NotDialled, OSError, and httpx's errors. Of a request's extensions, `timeout` gives the seconds for the
    look-up, and for TCP and TLS (`connect`), `begun` is called before the first byte is written, and `proxy` is the
    URL of an HTTP proxy, or None. What a proxy is asked for is judged first, as if it were dialled from here.
    """

    def __init__(self, allow: Allow, resolve: Resolve, tls: ssl.SSLContext) -> None:
        self._dialler = Dialler(allow, resolve)
        self._to_proxies = Dialler(_ANYWHERE, resolve)
        self._tls = tls
        #: By scheme, host, port and proxy; the one used last at the end.
        self._pools: dict[tuple[object, ...], _Pool] = {}
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._at_most = min(_HOSTS, files // 4) if files != resource.RLIM_INFINITY else _HOSTS

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body still to come."""
        url, proxy = request.url, request.extensions["proxy"]
        host, port = url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]
        if proxy is not None:
            await self._dialler.addresses(host, port, request.extensions["timeout"]["connect"])
        key = url.scheme, host, port, proxy
        pool = self._pools[key] = self._pools.pop(key) if key in self._pools else _Pool(self._made(proxy))
        pool.users += 1
        try:
            answer = await _asked(pool.transport, request)
        except BaseException:
            pool.users -= 1
            raise
        finally:
            await self._close_idle()
        answer.stream = _Body(request, answer, pool)
        return answer

    def _made(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        made = httpx.AsyncHTTPTransport(
            verify=self._tls, trust_env=False, proxy=proxy, limits=httpx.Limits(max_connections=None)
        )
        # httpcore takes a network backend; httpx has no argument for it. `Client.guard_works` proves at each start
        # that this is where connections are made.
        made._pool._network_backend = self._dialler if proxy is None else self._to_proxies  # noqa: SLF001
        return made

    async def _close_idle(self) -> None:
        """Keep the hosts that were used last."""
        excess = len(self._pools) - self._at_most
        for key in [key for key, pool in self._pools.items() if not pool.users][: max(0, excess)]:
            await self._pools.pop(key).transport.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.transport.aclose()


async def _asked(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
    """The answer; what is safe is asked again where an old connection ends before its answer."""
    is_new = False

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        nonlocal is_new
        if event == "connection.connect_tcp.started":
            is_new = True
        elif event == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            request.extensions["begun"]()

    request.extensions = {**request.extensions, "trace": trace}
    while True:
        try:
            return await transport.handle_async_request(request)
        except (OSError, httpx.RemoteProtocolError):
            if is_new or request.method not in _SAFE:
                raise


class _Body(httpx.AsyncByteStream):
    """The body of an answer, which holds its connection until it is read or closed."""

    def __init__(self, request: httpx.Request, answer: httpx.Response, pool: _Pool) -> None:
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        self._pieces = answer.stream
        self._connection: Connection = answer.extensions["network_stream"]
        self._pool = pool
        self._length = _length(request, answer)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            self._connection.took(len(piece))
            yield piece

    async def aclose(self) -> None:
        self._connection.rest(self._length)
        await self._pieces.aclose()
        self._pool.users -= 1


def _length(request: httpx.Request, answer: httpx.Response) -> int | None:
    """The bytes of a body as its head gives them (RFC 9112 6.3); None where only the body itself tells its end."""
    if request.method == "HEAD" or answer.status_code in {204, 304}:
        return 0
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() and "transfer-encoding" not in answer.headers else None
