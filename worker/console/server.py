"""The worker's small HTTP endpoint: `/healthz` says whether the tick is alive, `/readyz` whether more may be asked of
the worker, `/metrics` what Prometheus reads. `/answer/TOKEN` takes the answers that people give with one click.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.console import pages
from worker.console.answers import Read, Take, routes
from worker.console.connections import Bounded, Hosts, most
from worker.console.desk import Desk, in_thread
from worker.console.metrics import CONTENT_TYPE, Measured, exposition
from worker.errors import StoreError, VeilleError

#: Pages load nothing but files of ours, and nothing stands in them that could run.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
#: A store that does not answer by then is not well.
_SECONDS = 5


def application(
    healthy: Callable[[], bool],
    measured: Callable[[], Measured],
    unready: Callable[[], str] = lambda: "",
    answering: Sequence[Route] = (),
    hosts: Callable[[], Sequence[str]] = tuple,
    shown: Sequence[BaseRoute] = (),
    is_open: Callable[[], bool] = lambda: False,
) -> ASGIApp:
    """The endpoint's pages; all are asked at every request, in a thread, and may raise StoreError.

    `unready` says why the worker is not ready, or nothing; `hosts`: names that it answers to, besides those that no
    stranger can register; `shown`: the console's pages;
    `is_open`: nobody signs in.
    """
    measuring = asyncio.Lock()

    async def healthz(_request: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(_SECONDS):
                tick = "alive" if await asyncio.to_thread(healthy) else "late"
        except (StoreError, TimeoutError):
            tick = "unknown"
        return JSONResponse({"tick": tick}, status_code=200 if tick == "alive" else 503)

    async def readyz(_request: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(_SECONDS):
                reason = await asyncio.to_thread(unready)
        except (StoreError, TimeoutError):
            reason = "the store does not answer"
        return JSONResponse({"ready": not reason, "reason": reason}, status_code=503 if reason else 200)

    async def metrics(_request: Request) -> Response:
        try:
            # One at a time: each counts the whole store.
            async with asyncio.timeout(_SECONDS), measuring:
                found = await in_thread(measured)
        except (StoreError, TimeoutError):
            return Response("the store does not answer\n", status_code=503, media_type="text/plain")
        return Response(exposition(found), headers={"Content-Type": CONTENT_TYPE})

    pages = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics), *answering, *shown]
    return _Headers(Hosts(Starlette(routes=pages), hosts, is_open=is_open))


class _Headers:
    """Adds the headers to every answer: pages, refusals and errors."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._inner(scope, receive, sent)


class Console:
    """Serves the endpoint inside the worker's own event loop, which owns the signals.

    Raises VeilleError if it cannot listen there.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        healthy: Callable[[], bool],
        measured: Callable[[], Measured],
        unready: Callable[[], str] = lambda: "",
        answering: tuple[Read, Take] | None = None,
        public_url: Callable[[], str] = str,
        desk: Desk | None = None,
    ) -> None:
        host, port = listen

        def hosts() -> Sequence[str]:
            return [host, urlsplit(public_url()).hostname or ""]

        try:
            # Here, because uvicorn would end the process where the port is taken.
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
            self._socket = socket.create_server((host, port), family=family)
        except (OSError, UnicodeError) as e:
            words = getattr(e, "strerror", None) or str(e)
            raise VeilleError(f"[http] listen: {host}:{port} cannot be had: {words}") from e
        self._server = _Server(
            uvicorn.Config(
                application(
                    healthy,
                    measured,
                    unready,
                    routes(*answering) if answering else (),
                    hosts,
                    pages.routes(desk) if desk else (),
                    (lambda: desk.is_open) if desk else lambda: False,
                ),
                log_config=None,
                access_log=False,
                server_header=False,
                # By X-Forwarded-For anybody could give the address of a trusted proxy as their own.
                proxy_headers=False,
                lifespan="off",
                http=Bounded,
                # asyncio accepts so many at once before any of them is counted.
                backlog=most(),
                # uvicorn would wait for an open request for ever.
                timeout_graceful_shutdown=3,
            )
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    async def serve(self) -> None:
        """Serve until `stop`."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Answer what is open, for at most 3 s, and return from `serve`."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `runtime`: uvicorn would replace its handlers."""
        yield
