"""page: the article's own page into its text; the summary never waits for it longer than a minute."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import FEED, START, VISIT, Desk, Inline, feed, scripted
from rig import Item

from worker.child import ChildReason
from worker.engine.embedded import LEASE
from worker.pipeline.ingest import ingest
from worker.pipeline.page import page
from worker.store import entries

LINK = "https://a.example/article-1"
SUMMARY = "Le programme d'une rencontre régionale est connu depuis ce matin à Hanoï."
FULL = (
    "Le programme d'une rencontre régionale est connu depuis ce matin à Hanoï. Les ministres ouvriront les travaux. "
    "Ils parleront de l'eau, des routes et des écoles de la région pendant deux jours entiers."
)


def html(text: str) -> bytes:
    """A page that says `text` among the furniture of a site."""
    return (
        "<html><head><title>Le Fil</title></head><body><nav><a href='/'>Accueil</a></nav><article><h1>Un titre</h1>"
        + "".join(f"<p>{part}</p>" for part in text.split("\n\n"))
        + "</article><footer>Mentions</footer></body></html>"
    ).encode()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with Desk(tmp_path, feeds=[feed(full_text=True)]) as made:
        made.web.feed(FEED, [Item("1", "Une rencontre régionale", SUMMARY, LINK)])
        yield scripted(monkeypatch, made)


def take_pages(desk: Desk) -> tuple[entries.PageWanted, ...]:
    with desk.store.write() as tx:
        return entries.take_pages(tx, now=desk.now, lease=LEASE, limit=10)


async def ingest_ready(desk: Desk) -> int:
    """Ingest what is ready now; how many entries."""
    with desk.store.write() as tx:
        ids = entries.take_ready(tx, now=desk.now, lease=LEASE, limit=50)
    if ids:
        await ingest(desk.edges, ids)
    return len(ids)


def bodies(desk: Desk) -> list[str]:
    return [row[0] for row in desk.rows("SELECT body FROM revision ORDER BY id")]


async def test_the_page_wins_over_the_summary(desk: Desk) -> None:
    """An entry waits for its page, and its article has the page's text."""
    desk.web.answer(LINK, html(FULL + "\n\n" + VISIT))
    await desk.poll()
    assert await ingest_ready(desk) == 0
    (wanted,) = take_pages(desk)
    assert await page(desk.edges, wanted)
    assert await ingest_ready(desk) == 1
    assert "écoles de la région" in bodies(desk)[0]
    assert desk.one("SELECT count(*) FROM obligation WHERE verdict = 'owed'") == 1


async def test_after_a_minute_the_summary_goes_on_alone(desk: Desk) -> None:
    """Not before; and no page has to fail for it."""
    await desk.poll()
    desk.later(seconds=59)
    assert await ingest_ready(desk) == 0
    desk.later(seconds=2)
    assert await ingest_ready(desk) == 1
    assert bodies(desk) == [SUMMARY]


@pytest.mark.parametrize(("late", "told"), [(FULL, 0), (FULL + "\n\n" + VISIT, 1)], ids=["no match", "matches anew"])
async def test_a_late_page_is_a_revision(desk: Desk, late: str, told: int) -> None:
    """It is told where it brings a match that the summary did not have, and only then."""
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.later(seconds=61)
    assert await ingest_ready(desk) == 1
    desk.web.answer(LINK, html(late))
    assert await page(desk.edges, wanted)
    assert await ingest_ready(desk) == 1
    assert len(bodies(desk)) == 2
    assert desk.one("SELECT count(*) FROM article WHERE origin = 'feed'") == 1
    occasions = desk.rows("SELECT occasion, verdict FROM obligation")
    assert occasions == [("development", "owed")] * told


async def test_a_late_page_tells_nobody_twice(desk: Desk) -> None:
    """What the summary told is not told again by the page."""
    desk.web.feed(FEED, [Item("1", "Une rencontre régionale", SUMMARY + " " + VISIT, LINK)])
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.later(seconds=61)
    await ingest_ready(desk)
    desk.web.answer(LINK, html(FULL + "\n\n" + VISIT))
    await page(desk.edges, wanted)
    await ingest_ready(desk)
    assert len(bodies(desk)) == 2
    assert desk.rows("SELECT occasion FROM obligation") == [("first",)]


async def test_three_tries_and_then_alone(desk: Desk) -> None:
    """A page that never comes is asked for three times, with pauses; then nothing waits for it."""
    desk.web.answer(LINK, status=503)
    await desk.poll()
    for _ in range(3):
        (wanted,) = take_pages(desk)
        assert not await page(desk.edges, wanted)
        assert take_pages(desk) == ()
        desk.later(seconds=16)
    assert take_pages(desk) == ()
    assert sum(str(request.url) == LINK for request in desk.web.requests) == 3
    assert desk.now - START < LEASE
    assert await ingest_ready(desk) == 1, "48 s have passed: nothing is waited for any more"
    assert bodies(desk) == [SUMMARY]


@pytest.mark.parametrize("reason", list(ChildReason))
async def test_p19_a_page_that_kills_its_child(desk: Desk, reason: ChildReason) -> None:
    """Extraction that ends in a dead child is a page that did not come."""
    desk.web.answer(LINK, html(FULL))
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.children.instead = Inline.failing(reason)
    assert not await page(desk.edges, wanted)
    desk.children.instead = lambda *_: None
    desk.later(seconds=61)
    assert await ingest_ready(desk) == 1
    assert bodies(desk) == [SUMMARY]


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\x00", b"<html></html>", b"%PDF-1.7 \x00\x01"], ids=["empty", "bytes", "bare", "pdf"]
)
async def test_a_page_without_text(desk: Desk, body: bytes) -> None:
    """It never replaces a summary that says something."""
    desk.web.answer(LINK, body)
    await desk.poll()
    (wanted,) = take_pages(desk)
    assert not await page(desk.edges, wanted, last=True)
    assert await ingest_ready(desk) == 1, "the last try: the summary goes on at once"
    assert bodies(desk) == [SUMMARY]


async def test_a_feed_that_was_removed_frees_its_entries(desk: Desk) -> None:
    """Its page is not fetched any more, and the summary does not wait for it."""
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.reload(feeds=[])
    assert not await page(desk.edges, wanted)
    assert not any(str(request.url) == LINK for request in desk.web.requests)
    assert await ingest_ready(desk) == 1


async def test_one_pass_does_not_wait(desk: Desk) -> None:
    """`veille poll` fetches each page once and goes on with what it has."""
    desk.web.answer(LINK, status=500)
    done = await desk.pass_()
    assert done.articles["new"] == 1
    assert bodies(desk) == [SUMMARY]
