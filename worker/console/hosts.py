"""The Host of a request: a page of the web must not read the worker's port under a name of its own (DNS rebinding)."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

#: Names that nobody can register (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`).
_RESERVED = (".localhost", ".local", ".internal", ".home.arpa")


class Hosts:
    """Answers 400 to a Host that a stranger may have registered.

    Let through are addresses, names without a dot (of containers), names of a house, and those that are given; and what
    names no host, as HTTP/1.0 allows: browsers always name one.
    """

    def __init__(self, inner: ASGIApp, names: Callable[[], Sequence[str]]) -> None:
        self._inner = inner
        #: Asked for each request: a reload may change them.
        self._names = names

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
        if not name or "." not in name or name.endswith(_RESERVED) or _is_address(name):
            return bool(name)
        return name in (one.lower() for one in self._names())


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
