"""Limits on connections to the worker's port: the time for a whole request, and how many may be open at a time.

uvicorn waits for ever for the rest of a request, and takes as many connections as come. The worker needs its files for
feeds, mail and the store: out of them, its polls stand still.
"""

import asyncio
import resource
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_log = structlog.get_logger()

#: Seconds in which a request must be there, from the connection's beginning or from the answer before it.
IDLE_SECONDS = 10.0
#: Connections at a time, and the share of the process's files that they may take.
_MOST, _SHARE = 64, 8
#: Seconds between two lines in the log that say that there are too many.
_SAY_EVERY = 3600.0


def most() -> int:
    """The number of connections that are held at a time."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else max(1, min(_MOST, files // _SHARE))


class Bounded(H11Protocol):
    """Closes a connection whose request does not come, and for a new one too many, the one that has waited longest."""

    #: When it was last said that there are too many, by the loop's clock; of all connections of the process.
    _said = -_SAY_EVERY

    #: Closes it, while it waits for a request.
    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self.wait()
        if len(self.connections) > most():
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        if self._is_answering:
            self.stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is there already."""
        super().on_response_complete()
        if not (self._is_answering or self.transport.is_closing()):
            self.wait()

    def pause_writing(self) -> None:
        """See asyncio.Protocol; whoever does not read its answer has as long for it as for a request."""
        super().pause_writing()
        self.wait()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        super().resume_writing()
        if self._is_answering:
            self.stop_waiting()

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def wait(self) -> None:
        """Give the next request its time."""
        self.stop_waiting()
        self.timer = self.loop.call_later(IDLE_SECONDS, self.transport.abort)

    def stop_waiting(self) -> None:
        """End that time: the request is there, or never will be."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _make_room(self) -> None:
        waiting = [one for one in self.connections if isinstance(one, Bounded) and one.timer is not None]
        # Where all the others are being answered, the new one has to go.
        longest = min(waiting, key=lambda one: one.timer.when() if one.timer else 0.0, default=self)
        longest.stop_waiting()
        self.connections.discard(longest)
        longest.transport.abort()
        now = self.loop.time()
        if now - Bounded._said >= _SAY_EVERY:
            Bounded._said = now
            _log.warning("too many connections to [http] listen; those that wait longest are closed", most=most())


# The Host of a request: a page of the web must not read the worker's port under a name of its own (DNS rebinding).


#: Names that nobody can register (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`).
_RESERVED = (".localhost", ".local", ".internal", ".home.arpa")


class Hosts:
    """Answers 400 to a Host that a stranger may have registered.

    Let through are addresses, names without a dot (of containers), names of a house, and those that are given; and what
    names no host, as HTTP/1.0 allows: browsers always name one. Where nobody signs in, only names of this machine are:
    any neighbour may answer to a name of the house.
    """

    def __init__(
        self, inner: ASGIApp, names: Callable[[], Sequence[str]], *, is_open: Callable[[], bool] = lambda: False
    ) -> None:
        self._inner = inner
        #: Asked for each request: a reload may change them.
        self._names, self._is_open = names, is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        host = Headers(scope=scope).get("host", "")
        if scope["type"] == "http" and host and not self._is_ours(host):
            refusal = PlainTextResponse("not a name of this worker; [http] public_url gives it one\n", status_code=400)
            await refusal(scope, receive, send)
            return
        await self._inner(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        if self._is_open() and not _is_here(name):
            return name in (one.lower() for one in self._names())
        if not name or "." not in name or name.endswith(_RESERVED) or _is_address(name):
            return bool(name)
        return name in (one.lower() for one in self._names())


def _is_here(name: str) -> bool:
    """True of names that lead to this very machine wherever they are looked up (RFC 6761 6.3)."""
    if _is_address(name):
        return ip_address(name).is_loopback
    return name == "localhost" or name.endswith(".localhost")


def _name(host: str) -> str:
    """The name in a Host header (RFC 9110 7.2), in lower case; empty for what is none."""
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        return address if bracket and ":" in address and _is_port(port) and _is_address(address) else ""
    name, colon, port = host.partition(":")
    return name.rstrip(".").lower() if _is_port(colon + port) else ""


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and (text[1:].isdecimal() or not text[1:]))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
