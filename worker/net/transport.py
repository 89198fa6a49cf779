"""httpx's requests over connections of our own, which serve again while they are fresh."""

import asyncio
import resource
from collections.abc import AsyncIterator

import httpx

from worker.net.connection import Connection
from worker.net.dial import Dialler

#: Feeds live on many hosts, so that most connections are never used again; servers commonly close after 5 seconds.
_IDLE_SECONDS = 3.0
#: And each is a file descriptor.
_IDLE_CONNECTIONS = 256
_PORTS = {"http": 80, "https": 443}
#: What may be asked once more where a connection that had served before ends unheard (RFC 9110 9.2.2).
_SAFE = frozenset({"GET", "HEAD"})

#: Scheme, host and port.
Origin = tuple[str, str, int]


class Transport(httpx.AsyncBaseTransport):
    """httpx takes other transports; its own, over httpcore, was what made a poll dear (docs/design.md).

    Raises NotDialled and httpx's errors, with the socket's or TLS's own as their cause. Of a request's extensions,
    `timeout` gives the seconds for the look-up, and for TCP and TLS (`connect`), and `begun` is called just before the
    first byte is written.
    """

    def __init__(self, dialler: Dialler) -> None:
        self._dialler = dialler
        #: The one used last at the end.
        self._idle: dict[Connection, tuple[Origin, asyncio.TimerHandle]] = {}
        self._busy: set[Connection] = set()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        is_bounded = files != resource.RLIM_INFINITY
        self._at_most = min(_IDLE_CONNECTIONS, files // 4) if is_bounded else _IDLE_CONNECTIONS

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body still to come."""
        url = request.url
        origin = url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]
        connection = self._reused(origin)
        if connection is not None:
            try:
                return await self._asked(connection, origin, request)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                if not (connection.is_unheard and request.method in _SAFE):
                    raise
        connection = await self._dialler.dial(
            origin[1], origin[2], secure=origin[0] == "https", seconds=request.extensions["timeout"]["connect"]
        )
        return await self._asked(connection, origin, request)

    def _reused(self, origin: Origin) -> Connection | None:
        """An idle connection to `origin`, no longer idle."""
        for connection in [one for one, (its, _) in reversed(self._idle.items()) if its == origin]:
            self._idle.pop(connection)[1].cancel()
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    async def _asked(self, connection: Connection, origin: Origin, request: httpx.Request) -> httpx.Response:
        self._busy.add(connection)
        try:
            answer = await connection.ask(request, request.extensions["begun"])
        except BaseException:
            self._close(connection)
            raise
        answer.stream = _Body(self, connection, origin)
        return answer

    def _close(self, connection: Connection) -> None:
        self._busy.discard(connection)
        self._idle.pop(connection, None)
        connection.abort()

    def release(self, connection: Connection, origin: Origin) -> None:
        """Keep a connection whose answer was read for the next request, or close it."""
        if connection not in self._busy or not connection.is_usable:
            self._close(connection)
            return
        self._busy.discard(connection)
        timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._close, connection)
        self._idle[connection] = origin, timer
        while len(self._idle) > self._at_most:
            oldest = next(iter(self._idle))
            self._idle[oldest][1].cancel()
            self._close(oldest)

    async def aclose(self) -> None:
        """Close all connections."""
        for _, timer in self._idle.values():
            timer.cancel()
        for connection in [*self._idle, *self._busy]:
            self._close(connection)


class _Body(httpx.AsyncByteStream):
    """The body of an answer, which holds its connection until it is read or closed."""

    def __init__(self, transport: Transport, connection: Connection, origin: Origin) -> None:
        self._transport = transport
        self._connection = connection
        self._origin = origin

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.body()

    async def aclose(self) -> None:
        self._transport.release(self._connection, self._origin)
