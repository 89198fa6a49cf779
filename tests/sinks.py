"""Scripted servers on loopback that stand in for mail servers and web services.

A script says, command by command or request by request, what to answer instead of the ordinary thing; what was received
is kept in lists. Both run in threads of their own, so that the worker under test may be a coroutine or a process:

    with SmtpSink({"RCPT": ["451 4.7.1 later"]}) as smtp, HttpSink(Reply(status=503)) as http:
        ...
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

#: A certificate for localhost and 127.0.0.1, its own authority, with its key.
CERTIFICATE = Path(__file__).parent / "data" / "localhost.pem"


class Act(Enum):
    """A server's misbehaviour, instead of an answer."""

    #: Say nothing, and keep the connection.
    STALL = auto()
    #: Reset the connection.
    DROP = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message that was accepted."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    #: The words after the address in MAIL FROM.
    options: tuple[str, ...] = ()


class SmtpSink:
    """An SMTP server (aiosmtpd) on 127.0.0.1.

    The script's keys are CONNECT (the greeting), SMTP's verbs, and TEXT (the answer to the final dot); its values are
    answers, one for each time the command comes: a text, an `Act`, or None for the ordinary one, as it is again when
    they run out. `tls` is `none`, `starttls` or `smtps`; `login` names a user and a password, and asks for them.
    """

    def __init__(
        self,
        script: Mapping[str, Iterable[str | Act | None]] | None = None,
        *,
        tls: str = "none",
        login: tuple[str, str] | None = None,
        smtputf8: bool = True,
    ) -> None:
        self.received: list[Mail] = []
        #: Verbs in the order they came, all connections together.
        self.commands: list[str] = []
        self.conversations: list[SMTP] = []
        self._heard = threading.Condition()
        self._script = {verb: iter(answers) for verb, answers in (script or {}).items()}
        self._login = login
        self._tls = tls
        self._utf8 = smtputf8
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp-sink", daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port on which it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        """Cut every connection and stop listening."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def next_answer(self, verb: str) -> str | Act | None:
        """The script's answer to this occurrence of `verb`."""
        with self._heard:
            self.commands.append(verb)
            self._heard.notify_all()
        return next(self._script.get(verb, iter(())), None)

    def wait_for(self, verb: str, seconds: float = 10) -> None:
        """Return once `verb` has come; raises AssertionError after `seconds`."""
        with self._heard:
            assert self._heard.wait_for(lambda: verb in self.commands, seconds), f"{verb} never came"

    async def _listen(self) -> asyncio.Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if self._tls != "none" else None
        if context is not None:
            context.load_cert_chain(CERTIFICATE)
        starttls = context if self._tls == "starttls" else None
        implicit = context if self._tls == "smtps" else None

        def serve() -> SMTP:
            return _Conversation(
                self,
                loop=self._loop,
                hostname="sink.example",
                tls_context=starttls,
                enable_SMTPUTF8=self._utf8,
                auth_require_tls=False,
                authenticator=self._authenticate if self._login else None,
                auth_exclude_mechanism=[] if self._login else ["LOGIN", "PLAIN"],
            )

        return await self._loop.create_server(serve, "127.0.0.1", 0, ssl=implicit)

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            # The loop's own task that accepts a connection would never close it, if it were cancelled before it began.
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for conversation in self.conversations:
            if conversation.transport is not None:
                # Before Python 3.11.4 a TLS transport that is closed already has nothing left to abort.
                with contextlib.suppress(AttributeError):
                    conversation.transport.abort()
        # Aborted transports let go of their sockets in the loop's next turns.
        await asyncio.sleep(0.01)

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self._login, handled=False)

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Called by aiosmtpd after the final dot."""
        answer = self.next_answer("TEXT")
        if isinstance(answer, str) and not answer.startswith("2"):
            return answer
        self.received.append(
            Mail(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                content=bytes(envelope.original_content or b""),
                options=tuple(envelope.mail_options),
            )
        )
        if isinstance(answer, Act):
            await _act(server, answer)
        return answer if isinstance(answer, str) else "250 2.0.0 accepted"


class _Conversation(SMTP):
    """One connection, which asks the script before it answers."""

    def __init__(self, sink: SmtpSink, **settings: Any) -> None:
        super().__init__(sink, **settings)
        self._sink = sink
        sink.conversations.append(self)
        self._smtp_methods = {verb: self._scripted(verb, method) for verb, method in self._smtp_methods.items()}

    async def _handle_client(self) -> None:
        answer = self._sink.next_answer("CONNECT")
        if isinstance(answer, Act):
            await _act(self, answer)
        elif answer is not None:
            await self.push(answer)
            self.transport.close()
        else:
            await super()._handle_client()

    def _scripted(self, verb: str, method: Any) -> Any:
        async def answer(argument: str | None) -> None:
            said = self._sink.next_answer(verb)
            if isinstance(said, Act):
                await _act(self, said)
            elif said is not None:
                await self.push(said)
            else:
                await method(argument)

        return answer


async def _act(server: SMTP, act: Act) -> None:
    if act is Act.DROP:
        server.transport.abort()
    else:
        await asyncio.Event().wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of an HTTP sink."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    #: Seconds before the answer, cut short when the sink closes.
    delay: float = 0.0
    #: Answer only once this is set.
    until: threading.Event | None = None
    #: Close the connection instead of answering.
    drop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that was received, whole."""

    method: str
    path: str
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes


class HttpSink:
    """An HTTP server on 127.0.0.1: each request takes the next reply of the script, then 200 `ok`."""

    def __init__(self, *replies: Reply) -> None:
        self.received: list[Request] = []
        self._replies: Iterator[Reply] = iter(replies)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="http-sink", daemon=True)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def then(self, *replies: Reply) -> None:
        """The next answers, before what is left of the script."""
        with self._lock:
            self._replies = chain(replies, self._replies)

    def by_path(self) -> dict[str, list[Request]]:
        """Messages received, by path."""
        found: dict[str, list[Request]] = defaultdict(list)
        for request in self.received:
            found[request.path].append(request)
        return found

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; delayed answers are given up."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("content-length", 0))
                request = Request(
                    method=self.command,
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(length),
                )
                if len(request.body) < length:  # who sent it was killed meanwhile
                    self.close_connection = True
                    return
                with sink._lock:
                    sink.received.append(request)
                    reply = next(sink._replies, Reply())
                if reply.delay and sink._closing.wait(reply.delay):
                    return
                if reply.until:
                    reply.until.wait(60)
                if not reply.drop:
                    # The other side may have hung up meanwhile; that is what some tests are about.
                    with contextlib.suppress(OSError):
                        self._answer(reply)

            do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

            def _answer(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class RawSink:
    """A server on 127.0.0.1 that reads something and writes the next bytes of its script, whatever was asked."""

    def __init__(self, greeting: bytes, *answers: bytes) -> None:
        self._script = (greeting, *answers)
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="raw-sink", daemon=True)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        """Take one connection."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Cut the connection: the client's loop, which may be the caller's, has no chance to close it meanwhile."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        self._connections.append(connection)
        with connection, contextlib.suppress(OSError):
            connection.sendall(self._script[0])
            for answer in self._script[1:]:
                if not connection.recv(1000):
                    return
                connection.sendall(answer)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
