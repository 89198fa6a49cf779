"""The console as a test asks for it: its pages in this process, without a port; or from a worker that runs.


pages = Pages(site)
pages.get("/").find("h1")
"""

import asyncio
import shutil
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from lxml import html
from playwright.sync_api import Browser, Page, sync_playwright
from rig import Site, wait_for

from worker.console.answers import routes as answer_routes
from worker.console.desk import Desk
from worker.console.pages import routes
from worker.console.server import application
from worker.pipeline.answering import read, take
from worker.pipeline.discover import Found, Tried
from worker.runtime.load import load
from worker.store import open_store

CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
#: Alone on its own profile, quiet on the network.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
#: Axe as a script.
AXE = Axe().axe_script
LOOPBACK = '[http]\nlisten = "127.0.0.1:8080"\n'


class Pages:
    """The pages over a site's store, asked as a browser on this machine asks."""

    def __init__(self, site: Site, *, now: datetime | None = None, base: str = "http://127.0.0.1:8080") -> None:
        self.site = site
        self.live = load(site.config)
        self.store = open_store(self.live.config.store_url, create=False)
        self.now = now
        self.reloads = 0
        #: What the worker finds at an address, and what becomes of its entries.
        self.found = Found(reason="not_a_feed: nothing was asked")
        self.tried: tuple[Tried, ...] = ()
        self.desk = Desk(
            store=self.store,
            live=lambda: self.live,
            clock=lambda: self.now or datetime.now(UTC),
            path=site.config,
            bound=self.live.config.listen,
            is_alive=lambda _beat: True,
            reload=self._reload,
            discover=lambda _url: self.found,
            try_rules=lambda _entries, _feed: self.tried,
        )
        answering = answer_routes(
            lambda token: read(self.store, self.live, token, self.desk.clock()),
            lambda said: take(self.store, self.live, said, self.desk.clock()),
        )
        shown = routes(self.desk)
        self.routes = [*answering, *shown]
        self.app = application(lambda: True, _unmeasured, answering=answering, shown=shown)
        self.base = base
        #: From which the browser asks.
        self.address = "127.0.0.1"
        #: The cookies that the browser keeps.
        self.cookies = httpx.Cookies()
        #: The store and the files of the site at `keep`.
        self._kept = sqlite3.connect(":memory:", check_same_thread=False)
        self._files: dict[Path, bytes] = {}
        self._live = self.live

    def _reload(self) -> None:
        self.reloads += 1

    def ask(
        self, method: str, path: str, form: Mapping[str, Any] | bytes | None = None, **headers: str | bytes
    ) -> httpx.Response:
        """The answer to any request, with a form or with bytes; redirects are not followed."""
        body = {"content": form} if isinstance(form, bytes) else {"data": form}

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(self.address, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url=self.base, cookies=self.cookies) as client:
                answer = await client.request(method, path, headers={"Accept-Language": "en", **headers}, **body)
                self.cookies.update(client.cookies)
                return answer

        return asyncio.run(asked())

    def get(self, path: str, code: int = 200, **headers: str) -> html.HtmlElement:
        """The page at a path."""
        answer = self.ask("GET", path, **headers)
        assert answer.status_code == code, f"{path}: {answer.status_code}\n{answer.text}"
        return html.document_fromstring(answer.text)

    def post(self, path: str, form: Mapping[str, Any], code: int = 303, **headers: str) -> str:
        """The address that the answer to a form leads to; its text, where it leads nowhere."""
        answer = self.ask("POST", path, form, Origin=self.base, **headers)
        assert answer.status_code == code, f"{path}: {answer.status_code}\n{answer.text}"
        return answer.headers.get("location", answer.text)

    def keep(self) -> None:
        """Remember the store, the configuration and the rules, to which `restore` returns."""
        self._files = self._as_they_are()
        with closing(sqlite3.connect(self.site.folder / "veille.db")) as store:
            store.backup(self._kept)

    def restore(self) -> None:
        """Undo all that a test did to the store, to the files and in the browser."""
        with closing(sqlite3.connect(self.site.folder / "veille.db")) as store:
            self._kept.backup(store)
        self.live = self._live
        if self._as_they_are() != self._files:
            shutil.rmtree(self.live.config.rules_folder)
            for path, content in self._files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self.live = self._live = load(self.site.config)
        self.cookies.clear()
        self.reloads = 0

    def _as_they_are(self) -> dict[Path, bytes]:
        """The content of each file that a page may change; a link has none."""
        paths = [self.site.config, *self.live.config.rules_folder.rglob("*")]
        return {path: path.read_bytes() if path.is_file() and not path.is_symlink() else b"" for path in paths}

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()
        self._kept.close()


@contextmanager
def served(folder: Path, **site: str) -> Iterator[tuple[Site, str]]:
    """A site whose worker runs, and the address of its console; the sample feed is polled before."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    listen = f'[http]\nlisten = "127.0.0.1:{port}"\n'
    made = Site(folder, feeds=("veille:sample",), more=listen + site.pop("more", ""), **site)
    made.poll()
    with made.running():
        wait_for(lambda: _answers(port))
        yield made, f"http://127.0.0.1:{port}"


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == HTTPStatus.OK
    except httpx.HTTPError:
        return False


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def broken(page: Page) -> list[str]:
    """The rules that axe finds broken on a page, with the place of each: all of them in the light theme, and those on
    colours in the dark one, which changes nothing but colours.
    """
    found: list[str] = []
    page.evaluate(AXE)
    for theme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]})):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        violations = page.evaluate(
            "async options => (await axe.run(document, options)).violations", {"resultTypes": ["violations"], **rules}
        )
        found += [f"{page.url} ({theme}): {one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations]
    page.emulate_media(color_scheme="light")
    return found


def _unmeasured() -> object:
    raise AssertionError("nobody asks for metrics here")


def text(element: html.HtmlElement) -> str:
    """An element's text, its spaces single."""
    return " ".join(element.text_content().split())


@contextmanager
def at_a_port(pages: Pages) -> Iterator[str]:
    """The pages at a port of this machine, for a browser; gives the beginning of their addresses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(pages.app, log_config=None, lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def sampled(folder: Path, **site: str) -> Iterator[Pages]:
    """The pages over a store that one pass has filled with the sample feed."""
    made = Site(folder, feeds=("veille:sample",), more=LOOPBACK + site.pop("more", ""), **site)
    made.poll()
    pages = Pages(made)
    pages.keep()
    try:
        yield pages
    finally:
        pages.close()
