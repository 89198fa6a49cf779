"""The console: /healthz tells the truth, every answer has its headers, and the signals stay the worker's."""

import asyncio
import resource
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from desk import Desk, feed, until
from prometheus_client.parser import text_string_to_metric_families

from worker.console import connections, server
from worker.console.metrics import Measured, exposition, measure
from worker.console.server import Console, application
from worker.errors import StoreBusyError, VeilleError
from worker.store import targets

MEASURED = Measured(
    tick=datetime(2026, 3, 1, 8, tzinfo=UTC),
    rules=15,
    rules_since=datetime(2026, 3, 1, 7, tzinfo=UTC),
    refused=2,
    entries={"done": 7, "quarantined": 1},
    articles={"feed": 7, "archive": 5},
    deliveries={"sent": 3, "open": 0},
    stories=9,
    ingest_lock_seconds=1.5,
    feeds_failing=1,
    targets_parked=0,
    breaches=0,
    conditions={"disk_low": 1},
    log_bytes=4096,
    lag=0.25,
)


async def get(
    healthy, path: str = "/healthz", method: str = "GET", measured=lambda: MEASURED, host: str = "console"
) -> httpx.Response:
    app = application(healthy, measured, hosts=lambda: ["watch.example", ""])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        return await client.request(method, path, headers={"Host": host})


def refuse() -> bool:
    raise StoreBusyError


def mistake() -> bool:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("healthy", "status", "body"),
    [
        pytest.param(lambda: True, 200, {"tick": "alive"}, id="alive"),
        pytest.param(lambda: False, 503, {"tick": "late"}, id="late"),
        pytest.param(refuse, 503, {"tick": "unknown"}, id="store"),
    ],
)
async def test_healthz(healthy, status: int, body: dict) -> None:
    """200 only while the tick is alive; a store that cannot be asked is no good sign."""
    answer = await get(healthy)
    assert (answer.status_code, answer.json()) == (status, body)


async def test_c12_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks gets an answer, and it is no."""
    import threading

    monkeypatch.setattr(server, "_SECONDS", 0.1)
    free = threading.Event()
    answer = await get(lambda: free.wait(10))
    free.set()
    assert answer.status_code == 503


@pytest.mark.parametrize(
    ("path", "method", "healthy", "status"),
    [
        ("/healthz", "GET", lambda: True, 200),
        ("/healthz", "HEAD", lambda: True, 200),
        ("/healthz", "POST", lambda: True, 405),
        ("/nothing", "GET", lambda: True, 404),
        ("/healthz", "GET", mistake, 500),
    ],
)
async def test_w08_headers(path: str, method: str, healthy, status: int) -> None:
    """On pages and on errors; no server and no version is named."""
    answer = await get(healthy, path, method)
    assert answer.status_code == status
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/static/..%2f..%2fetc/passwd", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/healthz/../../x"],
)
async def test_w04_no_path_leads_to_a_file(path: str) -> None:
    """There are no files behind the console: whatever else is asked for is not there."""
    answer = await get(lambda: True, path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/nothing"])
@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:8080", True),
        ("10.1.2.3", True),
        ("[::1]:8080", True),
        ("localhost", True),
        ("veille:8080", True),
        ("veille.monitoring.svc.cluster.local", True),
        ("WATCH.example:443", True),
        ("watch.example.", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("watch.example.evil.example", False),
        ("evil.example:8080", False),
        ("[evil.example]", False),
        ("127.0.0.1:evil.example", False),
        ("", True),
        ("local.", True),
        (".", False),
    ],
)
async def test_w01_hosts(path: str, host: str, is_ours: bool) -> None:
    """A name that a stranger may have registered gets no answer, on any page: 400, and nothing is measured."""
    asked: list[str] = []

    def measured() -> Measured:
        asked.append(host)
        return MEASURED

    answer = await get(lambda: True, path, measured=measured, host=host)
    assert (answer.status_code == 400) is not is_ours
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert is_ours or not asked


@pytest.mark.parametrize(
    ("host", "code"),
    [
        *((host, 200) for host in ("localhost:8080", "127.0.0.1", "127.8.9.1:80", "[::1]:8080", "x.localhost", "")),
        *((host, 400) for host in ("printer.local", "printer", "desk.internal", "192.168.1.4", "evil.example")),
    ],
)
async def test_w01_an_open_desk_has_no_name_of_the_house(host: str, code: int) -> None:
    """Any neighbour may answer to such a name, and then lead it to this machine."""
    app = application(lambda: True, lambda: MEASURED, is_open=lambda: True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/healthz", headers={"Host": host} if host else {})
    assert answer.status_code == code


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_w07_labels_are_bounded_whatever_feeds_say(tmp_path: Path, count: int) -> None:
    """Thousands of feeds with hostile names and addresses leave the metrics as they were: no label is theirs."""
    hostile = [feed(f'https://h{n}.example/"}}\n# EVIL_{n}', name=f'"}} EVIL{{a="{n}') for n in range(count)]
    with Desk(tmp_path, feeds=[feed()]) as desk:
        few = exposition(measure(desk.store, desk.context.live.config, desk.now, lag=0.0))
        desk.reload(feeds=hostile)
        with desk.store.write() as tx:
            tx.exec_driver_sql("UPDATE feed SET failures = 9, last_detail = 'EVIL'")
            targets.park(tx, 'EVIL"} 1', "EVIL")
        many = exposition(measure(desk.store, desk.context.live.config, desk.now, lag=0.0))
    assert b"EVIL" not in many
    assert f"veille_feeds_failing {count}.0".encode() in many
    assert len(many.splitlines()) == len(few.splitlines())


async def test_w07_metrics_are_what_prometheus_reads() -> None:
    """Its own parser finds every value, and no label that a feed could write."""
    answer = await get(lambda: True, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples == {
        ("veille_last_tick_timestamp_seconds",): 1772352000.0,
        ("veille_rules_in_force",): 15,
        ("veille_rules_in_force_since_timestamp_seconds",): 1772348400.0,
        ("veille_rules_last_reload_successful",): 0,
        ("veille_entries", "done"): 7,
        ("veille_entries", "quarantined"): 1,
        ("veille_articles", "feed"): 7,
        ("veille_articles", "archive"): 5,
        ("veille_deliveries", "sent"): 3,
        ("veille_deliveries", "open"): 0,
        ("veille_stories",): 9,
        ("veille_ingest_lock_seconds_total",): 1.5,
        ("veille_feeds_failing",): 1,
        ("veille_targets_parked",): 0,
        ("veille_ledger_breaches",): 0,
        ("veille_conditions", "disk_low"): 1,
        ("veille_store_log_bytes",): 4096,
        ("veille_loop_lag_seconds",): 0.25,
    }


async def test_metrics_of_a_store_that_does_not_answer() -> None:
    """503, so that the scrape fails and somebody is told."""
    answer = await get(lambda: True, "/metrics", measured=refuse)
    assert answer.status_code == 503


@asynccontextmanager
async def serving(made: Console) -> AsyncIterator[None]:
    task = asyncio.create_task(made.serve())
    try:
        yield
    finally:
        made.stop()
        await asyncio.wait_for(task, 60)


async def test_serves_and_stops_without_touching_signals() -> None:
    """Uvicorn would put its own handlers in the place of the worker's."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    made = Console(("127.0.0.1", 0), lambda: True, lambda: MEASURED)
    async with serving(made), httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{made.port}/healthz")
        assert answer.json() == {"tick": "alive"}
        assert "server" not in answer.headers
        assert {number: signal.getsignal(number) for number in before} == before
    assert {number: signal.getsignal(number) for number in before} == before


async def _half_sent(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
    await writer.drain()
    return reader, writer


async def _ended(reader: asyncio.StreamReader) -> bool:
    """True if the worker closed the connection without an answer."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_w10_a_request_must_come_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request, a byte now and then, and half a second one after an answer: closed when the time is over."""
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.5)
    made = Console(("127.0.0.1", 0), lambda: True, lambda: MEASURED)
    async with serving(made):
        silent, _keep = await asyncio.open_connection("127.0.0.1", made.port)
        half, dripping = await _half_sent(made.port)
        second, again = await asyncio.open_connection("127.0.0.1", made.port)
        again.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"alive" in await second.readuntil(b"}")
        again.write(b"GET /healthz HTTP/1.1\r\n")

        async def drip() -> None:
            while not dripping.is_closing():
                dripping.write(b"X: y\r\n")
                await asyncio.sleep(0.05)

        dropping = asyncio.create_task(drip())
        assert await asyncio.wait_for(asyncio.gather(*map(_ended, (silent, half, second))), 60) == [True] * 3
        dropping.cancel()
        for writer in (_keep, dripping, again):
            writer.close()


async def test_w10_an_answer_must_be_read_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for more than the machine's buffers hold and reads nothing of it is cut off, too."""
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.5)
    # Some 24 MB; Linux keeps at most 4 of them for a connection, and asyncio the rest.
    huge = replace(MEASURED, conditions=dict.fromkeys(("x" * 40_000 + str(number) for number in range(600)), 1))
    made = Console(("127.0.0.1", 0), lambda: True, lambda: huge)
    async with serving(made):
        _, writer = await asyncio.open_connection("127.0.0.1", made.port, limit=1)
        # After such an answer nothing is waited for but its end.
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await until(lambda: made._server.server_state.total_requests)
        await until(lambda: not made._server.server_state.connections)
        writer.transport.abort()


async def test_w10_many_connections_leave_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has waited longest makes room for a new one; one that is being answered stays; told once."""
    import threading

    from structlog.testing import capture_logs

    monkeypatch.setattr(connections, "most", lambda: 4)
    monkeypatch.setattr(connections.Bounded, "_said", -1e9)
    asked, free = threading.Event(), threading.Event()

    def slow() -> bool:
        asked.set()
        return free.wait(10)

    made = Console(("127.0.0.1", 0), slow, lambda: MEASURED)
    with capture_logs() as logs:
        async with serving(made):
            answered, writer = await asyncio.open_connection("127.0.0.1", made.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await asyncio.to_thread(asked.wait, 10)
            idle = [await _half_sent(made.port) for _ in range(20)]
            assert await asyncio.gather(*(_ended(reader) for reader, _ in idle[:17])) == [True] * 17
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"http://127.0.0.1:{made.port}/metrics")).status_code == 200
            free.set()
            assert b"alive" in await answered.read()
            for _, each in [*idle, (None, writer)]:
                each.close()
    assert [line["event"][:20] for line in logs] == ["too many connections"]


@pytest.mark.parametrize(("files", "held"), [(64, 8), (256, 32), (1024, 64), (4, 1), (-1, 64)])
def test_w10_the_worker_keeps_most_of_its_files(monkeypatch: pytest.MonkeyPatch, files: int, held: int) -> None:
    """An eighth of them at most is for whoever connects."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert connections.most() == held


async def test_c06_stop_with_an_open_connection() -> None:
    """A client that opened a connection and says nothing does not hold up the end."""
    made = Console(("127.0.0.1", 0), lambda: True, lambda: MEASURED)
    async with serving(made):
        _, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        await writer.drain()
    writer.close()


async def test_c06_stop_with_an_open_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose answer hangs is cut off; without a limit it would hold up the end for as long."""
    import threading

    monkeypatch.setattr(server, "_SECONDS", 60)
    asked, free = threading.Event(), threading.Event()

    def hang() -> bool:
        asked.set()
        return free.wait(60)

    made = Console(("127.0.0.1", 0), hang, lambda: MEASURED)
    try:
        async with serving(made):
            _, writer = await asyncio.open_connection("127.0.0.1", made.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.to_thread(asked.wait, 10)
    finally:
        free.set()
    writer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid", "192.0.2.1"])
def test_a_place_that_cannot_be_had(host: str) -> None:
    """A port in use, a name without address, an address of others: a sentence that names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(VeilleError, match=rf"\[http\] listen: {host}:{port} cannot be had"):
            Console((host, port), lambda: True, lambda: MEASURED)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_ipv6() -> None:
    """`listen = "[::1]:0"` works."""
    try:
        made = Console(("::1", 0), lambda: True, lambda: MEASURED)
    except VeilleError:
        pytest.skip("this machine has no IPv6 address")
    async with serving(made), httpx.AsyncClient() as client:
        assert (await client.get(f"http://[::1]:{made.port}/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("unready", "status", "reason"),
    [
        pytest.param(lambda: "", 200, "", id="ready"),
        pytest.param(lambda: "the tick is late", 503, "the tick is late", id="late"),
        pytest.param(refuse, 503, "the store does not answer", id="store"),
    ],
)
async def test_readyz(unready, status: int, reason: str) -> None:
    """200 only where more may be asked of the worker; else why not."""
    transport = httpx.ASGITransport(application(lambda: True, lambda: MEASURED, unready))
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (status, {"ready": not reason, "reason": reason})
