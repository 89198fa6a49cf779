"""Connections, to permitted addresses only.

A host name is resolved once per connection, every answer is judged, and an address that was judged is the one
dialled: between the check and the use there is no second look-up that could answer otherwise (DNS rebinding).
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address

import httpcore
import httpx

from worker.model import FetchReason
from worker.net.guard import Allow

#: (host, port) -> the addresses of host; raises OSError (socket.gaierror) where there are none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

#: Idle connections are rarely used again, as feeds live on many hosts, and each costs every request some work
#: (httpcore looks at all of them). Servers commonly close after 5 seconds.
_IDLE_CONNECTIONS = 4
_IDLE_SECONDS = 3.0


class NotDialled(Exception):  # noqa: N818  no error of the program: it carries an expected failure through httpcore
    """No connection was opened, for this reason."""

    def __init__(self, reason: FetchReason, detail: str, *, local: bool = False) -> None:
        self.reason = reason
        self.detail = detail
        #: The name server's fault, not the host's.
        self.local = local
        super().__init__(detail)


class Resolver:
    """`socket.getaddrinfo` in threads of its own.

    The loop's own threads are shared with the store: a dead name server would block it. These are daemons, because
    a look-up cannot be stopped and must not hold up the end of the process, and never more than `threads`.
    """

    def __init__(self, threads: int = 8) -> None:
        self._slots = asyncio.Semaphore(threads)

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, in the system's order of preference."""
        loop = asyncio.get_running_loop()
        await self._slots.acquire()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def finish(addresses: list[str], error: OSError | UnicodeError | None) -> None:
            self._slots.release()
            if answer.done():
                return
            if error is None:
                answer.set_result(addresses)
            else:
                answer.set_exception(error)

        def look_up() -> None:
            addresses: list[str] = []
            error: OSError | UnicodeError | None = None
            try:
                addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            except (OSError, UnicodeError) as e:
                error = e
            # By now the loop may be closed, and nobody waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, addresses, error)

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        return await answer


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Dials what `allow` permits; raises NotDialled for the rest, and where no connection comes about."""

    def __init__(self, allow: Allow, resolve: Resolve) -> None:
        self._allow = allow
        self._resolve = resolve
        self._dial = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of `host` that answers."""
        failure: Exception | None = None
        addresses = await self._addresses(host, port, timeout)
        # Each has its share of the time, so that one that swallows packets leaves some to the next.
        share = timeout / len(addresses) if timeout is not None else None
        for address in addresses:
            try:
                return await self._dial.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as e:
                failure = e
        assert failure is not None
        raise failure

    async def _addresses(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        """Every address of `host`, all of them permitted."""
        try:
            addresses: Sequence[str] = [str(ip_address(host))]
        except ValueError:
            try:
                async with asyncio.timeout(seconds):
                    addresses = list(dict.fromkeys(await self._resolve(host, port)))
            except TimeoutError:
                raise NotDialled(FetchReason.DNS, f"{host}: the name server does not answer", local=True) from None
            except (OSError, UnicodeError) as e:
                words = getattr(e, "strerror", None) or "no such name"
                # No answer, or none that is one (resolver(5)); a name that does not exist is another matter.
                local = getattr(e, "errno", None) in {socket.EAI_AGAIN, socket.EAI_FAIL}
                raise NotDialled(FetchReason.DNS, f"{host}: {words}", local=local) from e
        if not addresses:
            raise NotDialled(FetchReason.DNS, f"{host}: no address")
        for address in addresses:
            if not self._allow.permits(host, address, port):
                raise NotDialled(FetchReason.BLOCKED_ADDRESS, f"{host}:{port} is at {address}, which is not public")
        return addresses


class Transport(httpx.AsyncBaseTransport):
    """httpx requests over httpcore's pool and a GuardedBackend; raises httpcore's errors and NotDialled."""

    def __init__(self, allow: Allow, resolve: Resolve, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            # How many requests run at once is the caller's to bound: a queue in here would count as their time.
            max_connections=None,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=GuardedBackend(allow, resolve),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body still to come."""
        url = request.url
        assert isinstance(request.stream, httpx.AsyncByteStream)
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of httpcore's answer, as httpx wants it."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.aiter_stream()

    async def aclose(self) -> None:
        await self._answer.aclose()
