"""The cost of polling feeds that mostly answer 304: Veille's, a bare loop's of three HTTP clients, and reader's.

    python benchmarks/poll.py [--quick] [--feeds 2000] [--rounds 3] [--only veille httpx]

One host and two hundred, plain and over TLS with the certificate checked; one feed of twenty has changed at each pass.
Processor time of the client's process, the fastest round, after a pass that fetches everything. The server is a process
of its own, and counts what it answered: the same to all. aiohttp, pycurl and reader are installed, from wheels, into an
environment of their own.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import ssl
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar

import feeds as load

HERE = Path(__file__).parent
HOSTS = 200
PEERS = ("aiohttp", "pycurl", "reader")
#: One feed of so many has changed whenever it is asked for.
CHANGING = 20


# --- the server ----------------------------------------------------------------------------------------------------


@cache
def items(number: int) -> bytes:
    """Ten items of two sentences."""
    whole = load.feed(number, 10).partition(b"<item>")
    parts = (whole[1] + whole[2]).split(b"<content:encoded>")
    # Summaries only, as most feeds have them.
    return parts[0] + b"".join(b"</item>" + part.partition(b"</item>")[2] for part in parts[1:])


def document(number: int, version: int) -> bytes:
    """The feed; of its versions only the date of building differs, as is common."""
    head = f'<?xml version="1.0"?><rss version="2.0"><channel><title>Journal {number}</title><ttl>{version % 9}</ttl>'
    return head.encode() + items(number)


class Answering(asyncio.Protocol):
    """A connection that stays; as little work as can be."""

    counts: ClassVar[Counter[int]] = Counter()
    versions: ClassVar[Counter[int]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.rest = transport, b""

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while b"\r\n\r\n" in self.rest:
            head, _, self.rest = self.rest.partition(b"\r\n\r\n")
            self.transport.write(self.answer(int(head.split(b" ", 2)[1][1:]), head))

    def answer(self, number: int, head: bytes) -> bytes:
        self.versions[number] += number % CHANGING == 7
        etag = f'"{number}-{self.versions[number]}"'.encode()
        is_known = etag in head
        self.counts[304 if is_known else 200] += 1
        if is_known:
            return b"HTTP/1.1 304 Not Modified\r\nETag: " + etag + b"\r\n\r\n"
        body = document(number, self.versions[number])
        length = str(len(body)).encode()
        known = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nETag: " + etag + b"\r\nContent-Length: "
        return known + length + b"\r\n\r\n" + body


def serve(pipe: Connection, certificate: str) -> None:
    """On every loopback address, plain and TLS; tells its ports, then its counts whenever asked."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        plain = await loop.create_server(Answering, "0.0.0.0", 0, backlog=512)
        secure = await loop.create_server(Answering, "0.0.0.0", 0, backlog=512, ssl=tls)
        pipe.send([server.sockets[0].getsockname()[1] for server in (plain, secure)])

        over = asyncio.Event()

        def tell() -> None:
            try:
                pipe.recv()
            except EOFError:  # nobody is left to ask
                over.set()
                return
            pipe.send(dict(Answering.counts))
            Answering.counts.clear()

        loop.add_reader(pipe.fileno(), tell)
        await over.wait()

    asyncio.run(run())


@dataclass(frozen=True)
class Server:
    """A running server."""

    certificate: Path
    #: Of plain HTTP and of TLS.
    ports: tuple[int, int]
    _pipe: Connection

    def counts(self) -> Counter[int]:
        """Answers by status code since the last time asked."""
        self._pipe.send("counts")
        return Counter(self._pipe.recv())

    def urls(self, feeds: int, hosts: int, *, tls: bool) -> list[str]:
        """Of each feed, one host after the other."""
        scheme, port = ("https", self.ports[1]) if tls else ("http", self.ports[0])
        return [f"{scheme}://127.0.0.{number % hosts + 1}:{port}/{number}" for number in range(feeds)]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server with a certificate made now, for all its addresses."""
    certificate = folder / "certificate.pem"
    names = ",".join(f"IP:127.0.0.{number + 1}" for number in range(HOSTS))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=benchmark", "-addext", f"subjectAltName={names}", "-keyout", certificate, "-out",
         folder / "only.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    with certificate.open("ab") as file:
        file.write((folder / "only.pem").read_bytes())
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(there, str(certificate)), daemon=True)
    process.start()
    try:
        yield Server(folder / "only.pem", tuple(here.recv()), here)
    finally:
        process.terminate()
        process.join()


# --- the clients ---------------------------------------------------------------------------------------------------


def measured(name: str, python: Path, server: Server, urls: list[str], rounds: int) -> tuple[float, float]:
    """Milliseconds of CPU a poll of the client's process, and of its parser's; the fastest round's."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = str(server.certificate)
        done = subprocess.run(
            [python, HERE / "pollpasses.py", name, str(rounds), certificate, folder],
            input="\n".join(urls),
            env={
                **os.environ,
                "SSL_CERT_FILE": certificate,
                "REQUESTS_CA_BUNDLE": certificate,
                "PYTHONPATH": str(HERE.parent),
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    changing = sum(number % CHANGING == 7 for number in range(len(urls)))
    served = {200: len(urls) + rounds * changing, 304: rounds * (len(urls) - changing)}
    assert server.counts() == served, f"{name}: not the answers that all get"
    found = json.loads(done.stdout)
    assert sum(found["answers"].values()) == len(urls), name
    best = min(range(rounds), key=found["cpu"].__getitem__)
    return found["cpu"][best] / len(urls) * 1e3, found["parser"][best] / len(urls) * 1e3


def peers_python(folder: Path) -> Path:
    """The interpreter of an environment with the peers."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    quiet = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # reader brings a copy of feedparser, which needs sgmllib3k, and may come without that.
    subprocess.run([*quiet, *PEERS, "sgmllib3k"], check=True)
    return python


def main() -> None:
    """Every client on every load, the clients one after the other on each."""
    options = argparse.ArgumentParser()
    options.add_argument("--quick", action="store_true", help="two rounds of 400 feeds")
    options.add_argument("--feeds", type=int, default=2_000)
    options.add_argument("--hosts", type=int, nargs="+", default=[1, HOSTS], help=f"at most {HOSTS}")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", nargs="+", default=["veille", "httpx", *PEERS])
    options.add_argument("--peers", type=Path, help="the interpreter of an environment that has them")
    given = options.parse_args()
    count, rounds = (400, 2) if given.quick else (given.feeds, given.rounds)
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as server:
        needed = not set(PEERS).isdisjoint(given.only)
        peers = given.peers or (peers_python(Path(name) / "peers") if needed else Path())
        for hosts in given.hosts:
            for tls in (False, True):
                print(f"{count} feeds of {hosts} hosts, {'TLS' if tls else 'plain'}: ms of CPU a poll", flush=True)
                took: dict[str, float] = {}
                for client in given.only:
                    python = peers if client in PEERS else Path(sys.executable)
                    urls = server.urls(count, hosts, tls=tls)
                    took[client], parser = measured(client, python, server, urls, rounds)
                    beside = f" + {parser:.2f} in its parser processes" if parser else ""
                    ratio = f", Veille {took['veille'] / took[client]:.2f} times" if "veille" in took else ""
                    print(f"  {client:8} {took[client]:7.3f}{beside}{ratio}", flush=True)


if __name__ == "__main__":
    main()
