"""A store for the tests of the pages for reading: a story of three outlets with a copy and a correction, and others.


pages = filled(tmp_path)
pages.get(f"/articles/{number(pages, CORRECTED)}")
"""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from consoles import LOOPBACK, Pages
from desk import START, Desk, feed, log_target, scripted
from rig import Item, Site
from stored import NEW, article, mark
from test_story_alerts import ACCOUNTS, ELSEWHERE, A, B, C

from worker.console.metrics import Measured
from worker.console.server import Console
from worker.model import NotificationPolicy, Origin
from worker.store import articles
from worker.store.database import Store

FIRST, SECOND, COPY = "Hun Sen en visite à Vientiane", "Hun Sen poursuit sa visite", "Vientiane : Hun Sen en visite"
OTHER = "Hun Sen attendu à Kampot"
HOSTILE = '<script>alert(1)</script> "Titre" & suite'
ALONE, HARVEST = "Sans affaire", "Récolte moyenne"
RICE = "Les rizières du delta ont donné une récolte moyenne, disent les coopératives de Soc Trang et de Bac Liêu."
#: When the last of them has come.
NOW = START + timedelta(hours=4)
_built: list[Path] = []


def filled(folder: Path) -> Pages:
    """The pages over a copy of that store, for the test to change."""
    if not _built:
        _built.append(Path(tempfile.mkdtemp(prefix="readings")))
        with pytest.MonkeyPatch.context() as patch:
            asyncio.run(_build(_built[0], patch))
    shutil.copy(_built[0] / "veille.db", folder / "veille.db")
    return Pages(Site(folder, feeds=(A, B, C), more=LOOPBACK), now=NOW)


def number(pages: Pages, title: str) -> int:
    """The article of that title."""
    with pages.store.read() as tx:
        return int(tx.execute(sa.text("SELECT id FROM article WHERE title = :title"), {"title": title}).scalar_one())


def story(pages: Pages, title: str) -> int:
    """The story that the article of that title tells."""
    query = sa.text("SELECT story_id FROM story_article WHERE article_id = :id")
    with pages.store.read() as tx:
        return int(tx.execute(query, {"id": number(pages, title)}).scalar_one())


def rows(pages: Pages, query: str) -> list[tuple[object, ...]]:
    """The rows that the database gives."""
    with pages.store.read() as tx:
        return [tuple(row) for row in tx.execute(sa.text(query))]


async def _build(folder: Path, patch: pytest.MonkeyPatch) -> None:
    feeds = [feed(url, name=name) for url, name in ((A, "Le Fil"), (B, "La Dépêche"), (C, "Le Courrier"))]
    with Desk(folder, feeds=feeds, targets=[log_target()], notification=NotificationPolicy()) as desk:
        scripted(patch, desk)
        first = _item(desk, "a1", FIRST, ACCOUNTS[0], "https://a.example/1")
        rice = _item(desk, "a2", HARVEST, RICE)
        desk.web.feed(A, [first, rice])
        await desk.pass_()
        desk.later(hours=1)
        desk.web.feed(B, [_item(desk, "b1", SECOND, ACCOUNTS[1]), _item(desk, "b2", OTHER, ELSEWHERE)])
        await desk.pass_()
        desk.later(hours=1)
        desk.web.feed(C, [_item(desk, "c1", COPY, ACCOUNTS[0])])
        await desk.pass_()
        desk.later(hours=1)
        corrected = replace(first, text=ACCOUNTS[0].replace("Stung Treng", "Kratié"))
        desk.web.feed(A, [corrected, rice])
        await desk.pass_()
        _known(desk.store)


def _item(desk: Desk, guid: str, title: str, text: str, link: str = "") -> Item:
    published = desk.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return Item(guid, title, text, link or f"https://news.example/{guid}", published)


def _known(store: Store) -> None:
    """Two articles that tell no story, one of them hostile, and one of the archive, without title and text."""
    with store.ingest() as tx:
        alone = replace(article(ALONE, RICE), first_seen=START, published=START)
        articles.add(tx, alone, mark(RICE), NEW, origin=Origin.FEED, now=START)
        link = "javascript:alert(1)"
        hostile = replace(alone, title=HOSTILE, body=f"{RICE}\n\n<img src=x onerror=alert(2)>", link=link, url=link)
        articles.add(tx, hostile, mark(HOSTILE), NEW, origin=Origin.FEED, now=START)
        archived = replace(article("", "x"), body="", title="", source="VNA")
        articles.add(tx, archived, mark("x"), NEW, origin=Origin.ARCHIVE, name="002", now=START)


@contextmanager
def on_a_port(pages: Pages) -> Iterator[str]:
    """The pages on a port of this machine, for a browser; returns their address."""
    console = Console(("127.0.0.1", 0), lambda: True, _unmeasured, desk=pages.desk)
    thread = threading.Thread(target=lambda: asyncio.run(console.serve()))
    thread.start()
    try:
        yield f"http://127.0.0.1:{console.port}"
    finally:
        console.stop()
        thread.join()


def _unmeasured() -> Measured:
    raise AssertionError("nobody asks for metrics here")
