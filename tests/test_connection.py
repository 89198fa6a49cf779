"""Connections beneath the client: what servers may do with one, and when it serves again."""

import asyncio
import resource
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sinks import CERTIFICATE

from worker.model import FetchReason
from worker.net import client as net
from worker.net.connection import Connection

OK = b"HTTP/1.1 200 OK\r\n"
LIMITS = net.Limits(seconds=2, connect=1)
#: What a server does with each request of a connection: (its number in all, the writer); False ends the connection.
Act = Callable[[int, asyncio.StreamWriter], Awaitable[bool]]


@asynccontextmanager
async def serving(act: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[net.Client, str, list[bytes]]]:
    """A client, the URL of a server that acts, and what it was asked, each with its connection's number."""
    heads: list[bytes] = []
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        mine = connections
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                heads.append(b"%d %s" % (mine, head.partition(b" HTTP")[0]))
                if not await act(len(heads), writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    writers: list[asyncio.StreamWriter] = []
    tasks: list[asyncio.Task[None]] = []

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Known at once: a task that is cancelled before it began could not close its connection."""
        writers.append(writer)
        tasks.append(asyncio.get_running_loop().create_task(connected(reader, writer)))

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
    place = f"localhost:{server.sockets[0].getsockname()[1]}"
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    client = net.Client(allow=[place, place.replace("localhost", "127.0.0.1")], user_agent="t", tls=trusting)
    try:
        yield client, f"{'https' if tls else 'http'}://{place}/", heads
    finally:
        await client.aclose()
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports let go of their sockets in the loop's next turn


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection without taking leave (socket(7))."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def ask(client: net.Client, url: str, method: str = "GET") -> net.Response | net.NetFailure:
    content = b"x" if method == "POST" else None
    return await client.request(method, url, content=content, limits=LIMITS, redirects=True)


def told(answer: net.Response | net.NetFailure) -> object:
    """The body, or the reason for none."""
    return answer.body if isinstance(answer, net.Response) else answer.reason


STALE = OK + b"Content-Length: 5\r\n\r\nSTALE"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("gap", [0, 0.05], ids=["at once", "later"])
async def test_an_answer_that_nobody_asked_for_answers_nothing(method: str, gap: float) -> None:
    """A server that sends two answers to one question has that connection closed; the next is asked anew."""
    done = asyncio.Event()

    async def act(number: int, writer: asyncio.StreamWriter) -> bool:
        mine = OK + b"Content-Length: 1\r\n\r\n%d" % number
        if number > 1:
            writer.write(mine)
            return True
        writer.write(mine + (STALE if not gap else b""))
        if gap:
            await asyncio.sleep(gap)
            writer.write(STALE)
        await writer.drain()
        done.set()
        return True

    async with serving(act) as (client, url, heads):
        assert told(await ask(client, url)) == b"1"
        await done.wait()
        await asyncio.sleep(0.02)
        assert told(await ask(client, url, method)) == b"2"
        assert heads == [b"1 GET /", b"2 %s /" % method.encode()]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", b""),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", b""),
        (OK + b"Content-Length: 5\r\n\r\nhello, more", b"hello"),
        (OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello, more", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + STALE, b"STALE"),
    ],
    ids=["304 with a body", "304 with chunks", "more than it says", "the same, closing", "interim answers"],
)
async def test_what_is_too_much_costs_no_answer(answer: bytes, expected: bytes) -> None:
    """Sound answers are heard whatever follows them in the same packet, and what follows answers nothing else."""

    async def act(number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer if number == 1 else OK + b"Content-Length: 4\r\n\r\nnext")
        return True

    async with serving(act) as (client, url, _):
        assert told(await ask(client, url)) == expected
        assert told(await ask(client, url)) == b"next"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (OK + b"\r\n", FetchReason.CONNECT),
        (OK + b"Content-Length: 50\r\n\r\n", FetchReason.CONNECT),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n", FetchReason.CONNECT),
        (OK, FetchReason.CONNECT),
    ],
    ids=["until the end", "length", "chunk", "head"],
)
async def test_f15_a_reset_is_no_end(head: bytes, reason: FetchReason) -> None:
    """Half a document is none, also where only the end of the connection would have told its length."""

    async def act(_number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(head + b"<rss>")
        await writer.drain()
        await asyncio.sleep(0.05)
        reset(writer)
        return False

    async with serving(act) as (client, url, _):
        assert told(await ask(client, url)) is reason


@pytest.mark.parametrize(
    "piece",
    [b"1\r\nx\r\n", b"1;" + b"e" * 5_000 + b"\r\nx\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n"],
    ids=["chunks of a byte", "extensions", "interim answers", "blank lines"],
)
async def test_f10_framing_without_end(piece: bytes) -> None:
    """Framing without text is bounded too, and holds up nothing else."""

    async def act(_number: int, writer: asyncio.StreamWriter) -> bool:
        if piece[:1] in b"1":
            writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(piece * 1_000)
            await writer.drain()

    async with serving(act) as (client, url, _):
        began = time.process_time()
        assert told(await ask(client, url)) is FetchReason.PROTOCOL
        assert time.process_time() - began < 1.5


async def test_f10_a_flood_after_the_answer_is_not_kept() -> None:
    """A server that goes on sending after its answer is cut off."""
    broken = asyncio.Event()

    async def act(_number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK + b"Content-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        try:
            while True:
                writer.write(bytes(100_000))
                await writer.drain()
        finally:
            broken.set()

    async with serving(act) as (client, url, _):
        assert told(await ask(client, url)) == b""
        await asyncio.wait_for(broken.wait(), 60)


def open_files() -> int:
    """The number of files that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc")
async def test_f11_a_server_that_takes_no_leave_holds_no_file() -> None:
    """At the deadline the connection is gone, whether or not TLS was ended in order."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    arrived: list[socket.socket] = []

    async def act(_number: int, writer: asyncio.StreamWriter) -> bool:
        arrived.append(writer.get_extra_info("socket"))
        # It will never hear that the other side goes.
        writer.transport.pause_reading()  # type: ignore[attr-defined]  a server's transport reads too
        await asyncio.sleep(60)
        return False

    async with serving(act, server) as (client, url, _):
        before, quick = open_files(), net.Limits(seconds=0.3, connect=1)
        answers = await asyncio.gather(*(client.request("GET", url, limits=quick, redirects=False) for _ in range(2)))
        assert {told(answer) for answer in answers} == {FetchReason.TIMEOUT}
        assert len(arrived) == 2
        await asyncio.sleep(0.05)
        # What is left is the server's side.
        assert open_files() <= before + 2


async def test_a_safe_request_is_asked_again_where_an_old_connection_ends_unheard() -> None:
    """A server that closes just as it is asked: GET goes to a new connection, POST fails as sent (RFC 9110 9.2.2)."""

    async def act(number: int, writer: asyncio.StreamWriter) -> bool:
        if number in {2, 5}:
            return False
        writer.write(OK + b"Content-Length: 1\r\n\r\n%d" % number)
        return True

    async with serving(act) as (client, url, heads):
        assert told(await ask(client, url)) == b"1"
        assert told(await ask(client, url)) == b"3"
        assert told(await ask(client, url)) == b"4"
        failed = await ask(client, url, "POST")
        assert isinstance(failed, net.NetFailure)
        assert (failed.reason, failed.sent) == (FetchReason.PROTOCOL, True)
        assert heads == [b"1 GET /", b"1 GET /", b"2 GET /", b"2 GET /", b"2 POST /"]


@pytest.mark.parametrize(
    ("files", "connections"),
    [(resource.RLIM_INFINITY, [1, 2, 1]), (1024, [1, 2, 1]), (4, [1, 2, 3])],
    ids=["no limit", "the usual limit", "hardly any"],
)
async def test_few_files_keep_few_connections(
    files: int, connections: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of what may be open is kept, the one used last; what was let go is dialled again."""

    async def act(_number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK + b"Content-Length: 0\r\n\r\n")
        return True

    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    async with serving(act) as (client, url, heads):
        for host in ("localhost", "127.0.0.1", "localhost"):
            assert told(await ask(client, url.replace("localhost", host))) == b""
        assert [int(head.split()[0]) for head in heads] == connections


@pytest.mark.parametrize(
    "host", ["[2606:4700::1%a]", "[2606:4700::1%25a.example]", "[fe80::1%lo]", "[::1%[]", "[::1%a]b]"]
)
async def test_f04_a_zone_is_of_this_machine(host: str) -> None:
    """An address with a zone, which would need a second look-up, is refused as a value."""
    client = net.Client(user_agent="t")
    answer = await ask(client, f"http://{host}/")
    await client.aclose()
    assert told(answer) in {FetchReason.BLOCKED_ADDRESS, FetchReason.BAD_URL}


_LINES = {
    "a blank before the colon": b"Server : foo",
    "a blank within the name": b"X Cache: HIT",
    "an error's words": b"get-ban/forum.php: userdata not support",
    "no colon": b"PHP Warning",
    "no name": b": 1",
    "a control": b"X-A: a\0b",
    "a bare return": b"X-A: a\rb",
    "a folded nothing": b"PHP Warning\r\n  in line 3",
    "letters": "Caf\u00e9: 1".encode(),
}


@pytest.mark.parametrize("line", _LINES.values(), ids=_LINES)
@pytest.mark.parametrize("whole", [True, False], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
async def test_f26_a_line_that_is_no_header_is_passed_over(line: bytes, whole: bool, end: bytes) -> None:
    """The headers around it count, in answers before the last one too, and the connection serves again."""
    body = b"<rss>X Cache: a\r\n\r\nb</rss>"
    head = OK + b"X-One: 1\r\n" + line + b"\r\nContent-Length : %d\r\nX-Two: 2\r\n folded\r\n\r\n" % len(body)
    sent = (b"HTTP/1.1 103 Early Hints\r\n" + line + b"\r\n\r\n" + head).replace(b"\r\n", end) + body

    async def act(_number: int, writer: asyncio.StreamWriter) -> bool:
        for piece in [sent] if whole else [sent[n : n + 1] for n in range(len(sent))]:
            writer.write(piece)
            await writer.drain()
        return True

    async with serving(act) as (client, url, heads):
        for _ in range(2):
            answer = await ask(client, url)
            assert isinstance(answer, net.Response), answer
            assert (answer.body, answer.headers["x-one"], answer.headers["x-two"]) == (body, "1", "2 folded")
        assert [int(one.split()[0]) for one in heads] == [1, 1]


async def test_f13_a_status_line_quotes_nothing() -> None:
    """An answer that is none at all is refused, in words that hold nothing of it."""

    async def act(_number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"CANARY_TOKEN 200 OK\r\n\r\n")
        return False

    async with serving(act) as (client, url, _):
        answer = await ask(client, url)
        assert isinstance(answer, net.NetFailure)
        assert answer.reason is FetchReason.PROTOCOL
        assert "CANARY" not in answer.detail


async def test_a_body_that_waits_is_not_heaped_up() -> None:
    """Reading stops where nobody takes what came, and goes on afterwards."""

    class Carrier(asyncio.Transport):
        paused = 0

        def pause_reading(self) -> None:
            self.paused += 1

        def resume_reading(self) -> None:
            self.paused = 0

        def write(self, data: object) -> None:
            """Nobody reads it."""

        def get_write_buffer_size(self) -> int:
            return 0

        def abort(self) -> None:
            """Nothing is open."""

    carrier, connection = Carrier(), Connection()
    connection.connection_made(carrier)
    await connection.write(b"GET / HTTP/1.1\r\n\r\n")
    connection.data_received(OK + b"\r\n")
    head = await connection.read(1)
    for _ in range(10):
        connection.data_received(bytes(100_000))
    assert carrier.paused
    assert head.startswith(b"HTTP/1.1 200")
    read = 0
    while read < 1_000_000:
        piece = await connection.read(1)
        read += len(piece)
        connection.took(len(piece))
    assert not carrier.paused
