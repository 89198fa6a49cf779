"""The address guard for code that opens its own connections; for child processes, since it hooks the interpreter."""

import socket
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

from worker.net.guard import Allow

_active: "Guard | None" = None
_hooked = False


class Guard:
    """While entered, names resolve to permitted addresses only, and nothing else is dialled."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._allow = Allow(allow)
        self._resolve: Callable[..., Any] = socket.getaddrinfo
        self._permitted: set[tuple[str, int]] = set()
        #: Whether an address was refused, and whether one was dialled.
        self.refused = False
        self.opened = False

    def __enter__(self) -> Self:
        """Guard this process."""
        global _active, _hooked  # noqa: PLW0603 - an audit hook cannot be taken out again, only set to rest
        if not _hooked:
            sys.addaudithook(_audit)
            _hooked = True
        _active = self
        socket.getaddrinfo = self._guarded
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it as it was."""
        global _active  # noqa: PLW0603 - as above
        _active = None
        socket.getaddrinfo = self._resolve

    def _guarded(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        """`socket.getaddrinfo` without the addresses that are refused."""
        found = self._resolve(host, port, *args, **kwargs)
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
        kept = [info for info in found if self._allow.permits(name, info[4][0], info[4][1])]
        self._permitted.update((info[4][0], info[4][1]) for info in kept)
        if not kept:
            self.refused = True
            raise socket.gaierror(socket.EAI_NONAME, "address refused")
        return kept

    def dial(self, address: Any) -> None:
        """Called before every connection and datagram; raises for what the allow-list does not permit."""
        if not isinstance(address, tuple):  # a Unix socket's path
            return
        host, port = str(address[0]), int(address[1])
        if not _is_address(host):
            self._guarded(host, port)
        elif (host, port) not in self._permitted and not self._allow.permits(host, host, port):
            self.refused = True
            raise ConnectionRefusedError(f"{host} refused")
        self.opened = True


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _audit(event: str, args: tuple[Any, ...]) -> None:
    # (socket, address), where sendmsg's address may be None: then the socket is connected already.
    if _active is not None and event in {"socket.connect", "socket.sendto", "socket.sendmsg"} and args[1] is not None:
        _active.dial(args[1])
