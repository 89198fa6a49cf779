"""Connections, to permitted addresses only.

A host name is resolved once per connection, every answer is judged, and an address that was judged is the one
dialled: between the check and the use there is no second look-up that could answer otherwise (DNS rebinding).
"""

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

import httpcore

from worker.model import FetchReason
from worker.net.connection import Connection
from worker.net.guard import Allow

#: Seconds before the next address is tried beside the one before (RFC 8305 8).
_HEAD_START = 0.25

#: (host, port) -> the addresses of host; raises OSError (socket.gaierror) where there are none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class NotDialled(Exception):  # noqa: N818  no error of the program: it carries an expected failure to the client
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

        try:
            threading.Thread(target=look_up, name="resolver", daemon=True).start()
        except RuntimeError as e:  # no thread is left
            finish([], OSError(errno.EAGAIN, str(e)))
        return await answer


class Dialler(httpcore.AsyncNetworkBackend):
    """httpcore's way to the network: connections to what `allow` permits."""

    def __init__(self, allow: Allow, resolve: Resolve) -> None:
        self._allow = allow
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as httpcore has it
        local_address: str | None = None,  # noqa: ARG002  as httpcore has it
        socket_options: object = None,  # noqa: ARG002  as httpcore has it
    ) -> Connection:
        """A connection to the address of `host` that answers first.

        At most `timeout` seconds for the look-up, and as many for TCP. Raises NotDialled, OSError and httpcore's
        ConnectTimeout.
        """
        addresses = await self.addresses(host, port, timeout)
        try:
            async with asyncio.timeout(timeout):
                connected = await _first(addresses, port)
        except TimeoutError as e:
            raise httpcore.ConnectTimeout("no connection in time") from e
        return (await asyncio.get_running_loop().create_connection(Connection, sock=connected))[1]

    async def addresses(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        """Every address of `host`, all of them permitted; raises NotDialled, after `seconds` at the latest."""
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


async def _first(addresses: Sequence[str], port: int) -> socket.socket:
    """A socket connected to the address that answers first; raises the last one's OSError.

    Each has a head start of a quarter of a second (RFC 8305 5), so that one that swallows packets costs no more.
    anyio and asyncio do the same, but only with names that they look up themselves.
    """
    left, begun = list(addresses), set[asyncio.Task[socket.socket]]()
    try:
        while True:
            if left:
                begun.add(asyncio.create_task(_connected(left.pop(0), port)))
            done, _ = await asyncio.wait(
                begun, timeout=_HEAD_START if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in done:
                if attempt.exception() is None:
                    begun.discard(attempt)
                    return attempt.result()
            if done and done == begun and not left:
                return done.pop().result()
            begun -= done
    finally:
        for attempt in begun:
            attempt.add_done_callback(_closed)
            attempt.cancel()


async def _connected(address: str, port: int) -> socket.socket:
    connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        connecting.settimeout(0)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connecting, (address, port))
    except BaseException:
        connecting.close()
        raise
    return connecting


def _closed(attempt: asyncio.Task[socket.socket]) -> None:
    """Close the socket of an attempt that came second."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
