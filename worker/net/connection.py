"""A connection's bytes as httpcore reads and writes them, over asyncio's transport.

httpcore has such a stream of its own, which cannot say whether bytes wait that nobody asked for, and closes with
ceremony.
"""

import asyncio
import ssl
from typing import Any

import httpcore

from worker.net.head import Head

#: Bytes that are read at a time, between two turns of the loop: as chunks of a byte each they take a tenth of a second.
_PIECE = 16 << 10
#: Bytes that wait for whoever reads them; more wait on the other side.
_BUFFER = 256 << 10
#: Bytes of a head, interim answers (1xx) before it included.
_HEAD = 160 << 10
#: Bytes of a body's framing, beyond as many as its text has: chunks of a byte each are no answer.
_FRAMING = 48 << 10
#: Feeds live on many hosts, so that most connections are never used again; servers commonly close after 5 seconds.
_IDLE_SECONDS = 3.0


class Connection(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """The bytes of one connection, which carries one exchange at a time; see `Head` for what it leaves out.

    Raises OSError (ssl.SSLError included) where the connection broke, httpcore's RemoteProtocolError where an answer
    is more framing than text, and ConnectTimeout. It closes at once, without waiting for the server's close.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._head = Head()
        self._received = bytearray()
        self._waiting: asyncio.Future[None] | None = None
        #: The other side has ended, or the connection broke, for this reason.
        self._has_ended = False
        self._broken: Exception | None = None
        #: Of this exchange: bytes read, and those of them that were the body's text, its framing removed.
        self._bytes = self._text = 0
        #: Runs while no exchange does.
        self._idle: asyncio.TimerHandle | None = None

    # --- asyncio's side ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol; what nobody asked for ends the connection, as it would answer the next request."""
        assert self._transport is not None
        if self._idle is not None:
            self._abort()
            return
        self._received += data
        if len(self._received) > _BUFFER:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """See asyncio.Protocol."""
        self._has_ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._has_ended, self._broken = True, exc
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _abort(self) -> None:
        self._has_ended = True
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    # --- httpcore's side ---------------------------------------------------------------------------------------------

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109  as httpcore has it
        """The next bytes; none where the other side has ended."""
        while True:
            data = await self._more()
            self._bytes += len(data)
            sound, after = self._head.fed(data), self._head.after
            if after > _FRAMING + 2 * self._text or self._bytes - after > _HEAD:
                raise httpcore.RemoteProtocolError("more framing than text")
            # To httpcore, no bytes are the end of all.
            if sound or not data:
                return sound

    async def _more(self) -> bytes:
        assert self._transport is not None
        if self._received and self._bytes:
            await asyncio.sleep(0)
        while not self._received:
            if self._broken is not None:
                raise self._broken
            if self._has_ended:
                return b""
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        data = bytes(self._received[:_PIECE])
        del self._received[:_PIECE]
        if not self._has_ended and len(self._received) <= _BUFFER:
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109  as httpcore has it
        """Send bytes of a request; the head of an answer follows."""
        assert self._transport is not None
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
            self._begin()
        self._transport.write(buffer)

    def _begin(self) -> None:
        self._bytes = self._text = 0
        self._head.begin()

    async def aclose(self) -> None:
        """Close at once; whoever reads learns that it ended."""
        self._abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  as httpcore has it
    ) -> "Connection":
        """The same connection, encrypted."""
        assert self._transport is not None
        # Certificates name hosts without the dot at the end (RFC 6066 3).
        name = (server_hostname or "").rstrip(".")
        # What a proxy sent before the handshake would be taken for the server's own text.
        self._received.clear()
        try:
            async with asyncio.timeout(timeout):
                self._transport = await asyncio.get_running_loop().start_tls(
                    self._transport, self, ssl_context, server_hostname=name
                )
        except BaseException as e:
            self._abort()
            if isinstance(e, TimeoutError):
                raise httpcore.ConnectTimeout("no connection in time") from e
            if isinstance(e, OSError) and not isinstance(e, ssl.SSLError):
                raise ssl.SSLError(0, "the connection broke during the handshake") from e
            raise
        # The head of the proxy's answer is over.
        self._begin()
        return self

    def get_extra_info(self, info: str) -> Any:
        """Facts that httpcore asks for."""
        if info == "is_readable":
            # It asks this of an idle connection: one that has something to say will not serve again.
            return self._has_ended
        return self._transport.get_extra_info(info) if self._transport is not None else None

    # --- the client's side -------------------------------------------------------------------------------------------

    def took(self, text: int) -> None:
        """Count bytes of the body's text: they allow for framing."""
        self._text += text

    def rest(self, length: int | None) -> None:
        """Wait for another exchange for a few seconds; close where not exactly `length` bytes followed the head.

        httpcore would read what is left over as the next answer. None: where the body ends cannot be seen from here.
        """
        if self._has_ended or self._received or self._head.after != length:
            self._abort()
        elif self._idle is None:
            self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._abort)
