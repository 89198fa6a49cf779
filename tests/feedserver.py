"""A feed server on loopback, in a thread of its own: documents with validators, and whatever lies a test wants told.

    with FeedServer() as server:
        server.serve("/feed.xml", b"<rss/>", etag='"1"', gzip=True)
        ... server.url("/feed.xml") ... server.log[0].headers["if-none-match"]

Raw asyncio, so that it can also drip, break off and speak nonsense: see `script`.
"""

import asyncio
import contextlib
import gzip as gzip_module
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self

import pytest


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    #: With the query.
    path: str
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Document:
    """The answer at a path."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/rss+xml"
    etag: str = ""
    last_modified: str = ""
    gzip: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Seconds before the answer.
    delay: float = 0
    #: What a test knows to stand in the body: told in `served` once all of it is written.
    items: Sequence[object] = ()


#: Takes the request and the open connection; the connection is closed when it returns.
Script = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


class FeedServer:
    """Serves from `with` to its end; every method may be called from any thread."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        #: Any that is free, from the start on, where none was asked for.
        self.port = port
        #: Every request, in the order of arrival.
        self.log: list[Seen] = []
        #: Connections accepted, with or without a request.
        self.connections = 0
        #: (path, item) of all that was answered in whole documents.
        self.served: list[tuple[str, object]] = []
        #: Requests that are being answered, by path, and the most that ever were at once, by host.
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._tls = tls
        self._documents: dict[str, Document | Script] = {}
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="feedserver", daemon=True)

    def serve(self, path: str, body: bytes = b"", **what: object) -> str:
        """Answer `body` at `path` from now on (see `Document`); returns the URL."""
        self._documents[path] = Document(body=body, **what)  # type: ignore[arg-type]  the dataclass tells
        return self.url(path)

    def script(self, path: str, script: Script) -> str:
        """Let `script` write whatever it likes at `path`; returns the URL."""
        return self.put(path, script)

    def put(self, path: str, what: Document | Script) -> str:
        """Answer with either at `path`; returns the URL."""
        self._documents[path] = what
        return self.url(path)

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        """Answer `path` with a redirect; returns the URL."""
        return self.serve(path, status=status, headers={"Location": to})

    def url(self, path: str = "/", host: str = "") -> str:
        """The URL of `path`, under another name of this machine if `host` is given."""
        return f"{'https' if self._tls else 'http'}://{host or self.host}:{self.port}{path}"

    @property
    def place(self) -> str:
        """`host:port`, for an allow-list."""
        return f"{self.host}:{self.port}"

    def paths(self) -> list[str]:
        """The paths asked for so far."""
        return [seen.path for seen in self.log]

    def tell(self, path: str, items: Sequence[object]) -> None:
        """Remember that a document with `items` was served whole: for scripts."""
        self.served += [(path, item) for item in items]

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accepted, self.host, self.port, ssl=self._tls))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _stop(self) -> None:
        self._server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            # The loop's own task that accepts a connection would never close it, if it were cancelled before it began.
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            # Before Python 3.11.4 a TLS transport that is closed already has nothing left to abort.
            with contextlib.suppress(AttributeError):
                writer.transport.abort()
        # Aborted transports let go of their sockets in the loop's next turns.
        await asyncio.sleep(0.01)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Known at once: a task that is cancelled before it began could not close its connection."""
        self._writers.append(writer)
        self._tasks.append(self._loop.create_task(self._connected(reader, writer)))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (seen := await self._read(reader)) is not None:
                self.log.append(seen)
                with self._counted(seen):
                    if not await self._answer(seen, writer):
                        break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays open."""
        answer = self._documents.get(seen.path, Document(status=404))
        if not isinstance(answer, Document):
            await answer(seen, writer)
            return False
        await asyncio.sleep(answer.delay)
        written = _written(answer, seen)
        writer.write(written)
        await writer.drain()
        if answer.status == 200 and not written.startswith(b"HTTP/1.1 304"):
            self.tell(seen.path, answer.items)
        return True

    @contextlib.contextmanager
    def _counted(self, seen: Seen) -> Iterator[None]:
        host = seen.headers.get("host", "")
        self.under_way.update([seen.path, host])
        self.most[host] = max(self.most[host], self.under_way[host])
        try:
            yield
        finally:
            self.under_way.subtract([seen.path, host])

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Seen | None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Seen(method, path, headers, body)


def _written(document: Document, seen: Seen) -> bytes:
    headers = {"Content-Type": document.content_type, **document.headers}
    validators = {"ETag": document.etag, "Last-Modified": document.last_modified}
    headers |= {name: value for name, value in validators.items() if value}
    status, body = document.status, document.body
    if status == 200 and _unchanged(document, seen):
        status, body = 304, b""
    elif document.gzip and "gzip" in seen.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = gzip_module.compress(body)
    if status != 304:
        headers.setdefault("Content-Length", str(len(body)))
    words = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {words}\r\n{head}\r\n".encode("latin-1") + (b"" if seen.method == "HEAD" else body)


def _unchanged(document: Document, seen: Seen) -> bool:
    """RFC 9110 13.2.2: If-None-Match decides alone where both are sent."""
    if "if-none-match" in seen.headers:
        return bool(document.etag) and seen.headers["if-none-match"] == document.etag
    return bool(document.last_modified) and seen.headers.get("if-modified-since") == document.last_modified


# --- scripts -------------------------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"


def endless(head: bytes, chunk: bytes, pause: float = 0) -> Script:
    """Writes `head`, then `chunk` for ever."""

    async def script(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)

    return script


def once(data: bytes) -> Script:
    """Writes `data` and closes."""

    async def script(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return script


async def silent(_seen: Seen, _writer: asyncio.StreamWriter) -> None:
    """Says nothing."""
    await asyncio.sleep(60)


async def reset(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Begins a document and resets the connection."""
    writer.write(OK + b"Content-Length: 1000\r\n\r\n<rss>")
    await writer.drain()
    # No lingering: the close is a reset (socket(7)).
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.fixture
def feedserver() -> Iterator[FeedServer]:
    """A server for one test."""
    with FeedServer() as server:
        yield server
