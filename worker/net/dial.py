"""Connections, to permitted addresses only.

A host name is resolved once per connection, every answer is judged, and an address that was judged is the one
dialled: between the check and the use there is no second look-up that could answer otherwise (DNS rebinding).
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

import httpx

from worker.model import FetchReason
from worker.net.connection import Connection
from worker.net.guard import Allow

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

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        return await answer


class Dialler:
    """Opens connections to what `allow` permits."""

    def __init__(self, allow: Allow, resolve: Resolve, tls: ssl.SSLContext) -> None:
        self._allow = allow
        self._resolve = resolve
        self._tls = tls

    async def dial(self, host: str, port: int, *, secure: bool, seconds: float) -> Connection:
        """A connection to the first address of `host` that answers.

        At most `seconds` for the look-up, and as many for TCP and TLS. Raises NotDialled; httpx.ConnectError and
        ConnectTimeout, with the socket's or TLS's own error as their cause.
        """
        failure: httpx.TransportError | None = None
        addresses = await self._addresses(host, port, seconds)
        # Each has its share of the time, so that one that swallows packets leaves some to the next.
        for address in addresses:
            try:
                async with asyncio.timeout(seconds / len(addresses)):
                    connected = await self._connected(address, port)
                    return await self._opened(connected, host if secure else None)
            except TimeoutError as e:
                failure = httpx.ConnectTimeout("no connection in time")
                failure.__cause__ = e
            except OSError as e:
                failure = httpx.ConnectError("no connection")
                failure.__cause__ = e
        assert failure is not None
        raise failure

    async def _connected(self, address: str, port: int) -> socket.socket:
        connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        try:
            connecting.settimeout(0)
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(connecting, (address, port))
        except BaseException:
            connecting.close()
            raise
        return connecting

    async def _opened(self, connected: socket.socket, name: str | None) -> Connection:
        """The connection over a socket; with TLS where there is a `name` that the certificate is to hold."""
        loop = asyncio.get_running_loop()
        if name is None:
            return (await loop.create_connection(Connection, sock=connected))[1]
        try:
            # Certificates name hosts without the dot at the end (RFC 6066 3).
            return (
                await loop.create_connection(
                    Connection, sock=connected, ssl=self._tls, server_hostname=name.rstrip(".")
                )
            )[1]
        except ssl.SSLError:
            raise
        except OSError as e:
            raise ssl.SSLError(0, "the connection broke during the handshake") from e

    async def _addresses(self, host: str, port: int, seconds: float) -> Sequence[str]:
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
