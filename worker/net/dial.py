"""Connections, to permitted addresses only.

A host name is resolved once per connection, every answer is judged, and an address that was judged is the one
dialled: between the check and the use there is no second look-up that could answer otherwise (DNS rebinding).
"""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextvars import ContextVar
from ipaddress import ip_address
from types import SimpleNamespace

import aiohttp
import httpx
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult

from worker.model import FetchReason
from worker.net.guard import Allow

#: (host, port) -> the addresses of host; raises OSError (socket.gaierror) where there are none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

#: Idle connections are rarely used again, as feeds live on many hosts, and each is a file descriptor: a process polls a
#: few hundred hosts a second at most, and systems commonly allow it 1,024. Servers commonly close after 5 seconds.
_IDLE_SECONDS = 1.0
#: Of an answer: so many headers, and so many bytes of one (security policies of some sites take more than aiohttp's own
#: 8,190). Together 8 MiB at most, which the limits of a body do not see.
_HEADERS = 256
_HEADER_BYTES = 1 << 15
#: Of the request that is being made: aiohttp hands its resolver no limits.
_LOOK_UP_SECONDS: ContextVar[float] = ContextVar("_LOOK_UP_SECONDS", default=10)
#: A header's name, and what its value may not hold (RFC 9110 5.1 and 5.5).
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
#: What breaks a connection that had come about, so in the middle of the handshake if it was for TLS.
_BROKEN = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)

# Of a cookie with an odd name it warns; none is kept.
logging.getLogger("aiohttp.internal").setLevel(logging.ERROR)


class NotDialled(Exception):  # noqa: N818  no error of the program: it carries an expected failure through aiohttp
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


class GuardedResolver(AbstractResolver):
    """Gives aiohttp the addresses to dial: those that `allow` permits; raises NotDialled for the rest.

    aiohttp asks for names only; addresses in URLs are for `judge_literal`.
    """

    def __init__(self, allow: Allow, resolve: Resolve) -> None:
        self._allow = allow
        self._resolve = resolve

    def judge_literal(self, host: str, port: int) -> None:
        """Raise NotDialled where `host` is an address that may not be dialled."""
        try:
            addresses = [str(ip_address(host))]
        except ValueError:
            # What aiohttp takes for an address too, such as 127.1, and inet_aton(3) for another than one would read.
            if ":" in host or not host.strip("0123456789."):
                raise NotDialled(FetchReason.BLOCKED_ADDRESS, f"{host} is no address as RFC 3986 writes it") from None
        else:
            self._judge(host, addresses, port)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of `host`, all of them permitted; the system's order, not `family`, says which comes first."""
        del family
        addresses: Sequence[str] = []
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS.get()):
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
        self._judge(host, addresses, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    def _judge(self, host: str, addresses: Sequence[str], port: int) -> None:
        for address in addresses:
            if not self._allow.permits(host, address, port):
                raise NotDialled(FetchReason.BLOCKED_ADDRESS, f"{host}:{port} is at {address}, which is not public")

    async def close(self) -> None:
        """Nothing is kept."""


class Transport(httpx.AsyncBaseTransport):
    """httpx requests over aiohttp's connections, to what `allow` permits.

    aiohttp's cost a fifth of httpcore's (benchmarks/README.md), and its pool does not grow dear with its size.

    Raises NotDialled, httpx's errors with the socket's or TLS's own as their cause, and UnicodeError on headers that
    are not ASCII.
    """

    def __init__(self, allow: Allow, resolve: Resolve, tls: ssl.SSLContext) -> None:
        self._resolver = GuardedResolver(allow, resolve)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body still to come.

        Of the extensions, `timeout` gives the seconds for the look-up and for TCP and TLS (`connect`), and `sent` is
        called when the request begins to be written.
        """
        # Without what stands before the @, which aiohttp would send as credentials.
        plain = request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url
        url = yarl.URL(str(plain), encoded=True)
        seconds = request.extensions["timeout"]["connect"]
        _LOOK_UP_SECONDS.set(seconds)
        # As aiohttp reads the URL, which httpx might read otherwise.
        self._resolver.judge_literal(url.raw_host or "", url.port or 0)
        with _explained(secure=url.scheme == "https"):
            answer = await self._opened().request(
                request.method,
                url,
                headers=[_written(name, value) for name, value in request.headers.raw],
                data=request.content or None,
                allow_redirects=False,
                # Several addresses are tried one after the other where they do not answer.
                timeout=aiohttp.ClientTimeout(total=None, connect=2 * seconds, sock_connect=seconds, ceil_threshold=60),
                trace_request_ctx=request.extensions.get("sent"),
            )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer))

    def _opened(self) -> aiohttp.ClientSession:
        """The session; made late, as aiohttp makes one only where a loop runs."""
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_request_headers_sent.append(_tell)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    # How many requests run at once is the caller's to bound: a queue in here would count as their time.
                    limit=0,
                    ssl=self._tls,
                    resolver=self._resolver,
                    use_dns_cache=False,
                    keepalive_timeout=_IDLE_SECONDS,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                max_line_size=_HEADER_BYTES,
                max_field_size=_HEADER_BYTES,
                max_headers=_HEADERS,
                trace_configs=[tracing],
            )
        return self._session

    async def aclose(self) -> None:
        """Close all connections; another request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class _Body(httpx.AsyncByteStream):
    """The body of aiohttp's answer, as httpx wants it."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _explained():
            async for chunk in self._answer.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        # A connection whose body was read to its end has gone back to the pool before.
        self._answer.close()


async def _tell(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx()


def _written(name: bytes, value: bytes) -> tuple[str, str]:
    if not _NAME.fullmatch(name) or _CONTROL.search(value):
        raise httpx.LocalProtocolError("no header")
    return name.decode("ascii"), value.decode("ascii")


@contextlib.contextmanager
def _explained(*, secure: bool = False) -> Iterator[None]:
    """Failures as httpx has them; `secure` says that connections are made for TLS. None quotes a URL or an answer."""
    try:
        yield
    except aiohttp.ClientConnectorError as e:
        broken = secure and isinstance(e.os_error, _BROKEN)
        raise httpx.ConnectError("broken" if broken else "no connection") from (
            ssl.SSLError(0, "the connection broke during the handshake") if broken else e.os_error
        )
    except aiohttp.ConnectionTimeoutError as e:
        raise httpx.ConnectTimeout("no connection in time") from e
    except aiohttp.ServerDisconnectedError as e:
        raise httpx.RemoteProtocolError("it ended before it began") from e
    except aiohttp.ClientPayloadError as e:
        raise httpx.RemoteProtocolError("its body is incomplete") from e
    except aiohttp.ClientResponseError as e:
        # Behind the first colon or bracket it quotes.
        raise httpx.RemoteProtocolError(re.split(r"[:(\n]", e.message)[0].strip().lower()) from e
    except aiohttp.InvalidURL as e:
        raise httpx.LocalProtocolError("no URL") from e
    except aiohttp.ClientOSError as e:
        raise httpx.ReadError("broken") from OSError(*e.args)
    except aiohttp.ClientError as e:
        raise httpx.ReadError("broken") from e
