"""One HTTP/1.1 connection (RFC 9112): h11 reads and writes the messages, asyncio's transport carries them."""

import asyncio
from collections.abc import AsyncIterator, Callable

import h11
import httpx

from worker.net.head import Head

#: Bytes of a head, or of a line between chunks, as h11 counts them.
_HEAD_BYTES = 100 << 10
#: Bytes of an answer that are not its body, beyond as many as the body has: chunks of a byte each are no answer.
_FRAMING = 128 << 10
#: Bytes that are read at a time, between two turns of the loop: as chunks of a byte each they take a tenth of a second.
_PIECE = 32 << 10
#: Bytes that wait for whoever reads them; more wait on the other side.
_BUFFER = 256 << 10


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; raises httpx's errors, with the socket's or TLS's own as their cause.

    Whoever gave it a request reads the body to its end, or aborts it. It closes without ceremony: a server that does
    not take its leave holds no file descriptor of ours.
    """

    def __init__(self) -> None:
        self._messages = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
        self._head = Head()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiting: asyncio.Future[None] | None = None
        #: The other side has ended, or the connection broke, for this reason.
        self._has_ended = False
        self._broken: Exception | None = None
        #: Of this exchange: bytes of the answer, and those of them that are its body.
        self._bytes = self._body_bytes = 0
        self._is_idle = True

    # --- asyncio's side ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol; what nobody asked for ends the connection, as it would answer the next request."""
        assert self._transport is not None
        if self._is_idle:
            self.abort()
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

    # --- the client's side -------------------------------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Whether it may carry another request."""
        return self._is_idle and not self._has_ended and self._transport is not None

    @property
    def is_unheard(self) -> bool:
        """Whether nothing of an answer has come."""
        return not self._bytes

    def abort(self) -> None:
        """Close at once; whoever reads is told that it ended."""
        self._has_ended = True
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    async def ask(self, request: httpx.Request, begun: Callable[[], None]) -> httpx.Response:
        """The head of the answer, its body for `body`; `begun` is called just before the first byte is written."""
        assert self._transport is not None
        self._is_idle = False
        self._bytes = self._body_bytes = 0
        try:
            head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
            parts = [self._messages.send(head)]
            if request.content:
                parts.append(self._messages.send(h11.Data(data=request.content)))
            parts.append(self._messages.send(h11.EndOfMessage()))
        except h11.LocalProtocolError as e:
            raise httpx.LocalProtocolError(str(e)) from e
        begun()
        self._head.begin()
        self._transport.write(b"".join(part for part in parts if part))
        while True:
            # Interim answers (1xx) are heard, and count as framing.
            event = await self._next()
            if isinstance(event, h11.Response):
                return httpx.Response(event.status_code, headers=event.headers.raw_items())

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's body in pieces; afterwards see `is_usable`."""
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                self._body_bytes += len(event.data)
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._rest()
                return

    def _rest(self) -> None:
        """Ready for another exchange, if both sides are done with this one and nothing is left of it."""
        assert self._transport is not None
        both = {self._messages.our_state, self._messages.their_state}
        if both == {h11.DONE} and not (
            self._received or self._messages.trailing_data[0] or self._transport.get_write_buffer_size()
        ):
            self._messages.start_next_cycle()
            self._is_idle = True

    async def _next(self) -> h11.Event:
        while True:
            try:
                event = self._messages.next_event()
                if isinstance(event, h11.Event):
                    return event
                data = await self._more()
                self._bytes += len(data)
                if self._bytes > _FRAMING + _PIECE + 2 * self._body_bytes:
                    raise httpx.RemoteProtocolError("more framing than text")
                # To h11, no bytes are the end of all.
                if (sound := self._head.fed(data)) or not data:
                    self._messages.receive_data(sound)
            except h11.RemoteProtocolError as e:
                raise httpx.RemoteProtocolError(str(e)) from e

    async def _more(self) -> bytes:
        """What has come; nothing where the other side has ended."""
        assert self._transport is not None
        if self._received and self._bytes:
            await asyncio.sleep(0)
        while not self._received:
            if self._broken is not None:
                raise httpx.ReadError("broken") from self._broken
            if self._has_ended:
                if not self._bytes:
                    raise httpx.RemoteProtocolError("it ended before it began")
                return b""
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        data = bytes(self._received[:_PIECE])
        del self._received[:_PIECE]
        if not self._has_ended and len(self._received) <= _BUFFER:
            self._transport.resume_reading()
        return data
