"""poll: a feed's document into entries, in one transaction with the validators that stand for them."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from desk import FEED, START, Desk, Inline, feed
from rig import Item, rss

from worker.errors import StoreBusyError
from worker.feeds.child import ChildReason
from worker.feeds.parse import parse
from worker.model import NotModified
from worker.pipeline import poll as poll_job
from worker.pipeline.poll import Polled, poll
from worker.runtime.self_watch import SelfWatch
from worker.store import entries
from worker.store.feeds import OvertakenError

ITEMS = [Item(str(n), f"Titre numéro {n}", f"Texte de la dépêche numéro {n}.") for n in range(3)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        yield made


async def test_new_then_not_modified(desk: Desk) -> None:
    """The validators of the first answer are sent with the second request, whose 304 changes no entry."""
    desk.web.feed(FEED, ITEMS, ETag='"1"', Last_Modified="Fri, 06 Feb 2026 08:00:00 GMT")
    first = await desk.poll()
    assert (first.result, first.new) == ("ok", 3)
    desk.web.answer(FEED, status=304)
    assert (await desk.poll()).result == "not_modified"
    assert desk.web.requests[1].headers["if-none-match"] == '"1"'
    assert desk.web.requests[1].headers["if-modified-since"] == "Fri, 06 Feb 2026 08:00:00 GMT"
    assert desk.one("SELECT count(*) FROM entry") == 3
    assert desk.rows("SELECT last_result, failures FROM feed") == [("not_modified", 0)]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "not_found"), (401, "unauthorized"), (429, "rate_limited"), (503, "server_error")],
)
async def test_failures_back_off(desk: Desk, status: int, reason: str) -> None:
    """Each failure in a row waits longer, its reason stands in the store, and a success forgets them all."""
    desk.web.answer(FEED, status=status)
    waits = []
    for _ in range(4):
        assert (await desk.poll()).result == reason
        due = desk.one("SELECT due FROM feed")
        waits.append(_moment(due) - desk.now)
    assert waits == sorted(waits)
    assert waits[0] >= timedelta(minutes=15)
    assert waits[3] > 3 * waits[0]
    assert desk.rows("SELECT last_result, failures, last_success FROM feed") == [(reason, 4, None)]
    desk.web.feed(FEED, ITEMS)
    assert (await desk.poll()).new == 3
    assert desk.rows("SELECT last_result, failures FROM feed") == [("ok", 0)]
    assert _moment(desk.one("SELECT due FROM feed")) - desk.now < timedelta(minutes=20)


async def test_retry_after_is_kept(desk: Desk) -> None:
    """A server that asks for two hours is left alone for two hours."""
    desk.web.answer(FEED, status=503, Retry_After="7200")
    await desk.poll()
    assert _moment(desk.one("SELECT due FROM feed")) >= START + timedelta(hours=2)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"<html><body>Access denied</body></html>", "not_a_feed"), (b"{" * 20, "parse_error"), (b"", "empty_body")],
    ids=["html", "broken json", "empty"],
)
async def test_what_is_no_feed(desk: Desk, body: bytes, reason: str) -> None:
    """It is a failure of the feed; what could not be read is kept to be looked at, and its validators are not."""
    desk.web.answer(FEED, body, ETag='"x"')
    assert (await desk.poll()).result == reason
    assert desk.rows("SELECT etag, failures FROM feed") == [("", 1)]
    with desk.store.read() as tx:
        kept = [entries.raw(tx, sha) for (sha,) in desk.rows("SELECT sha256 FROM raw")]
    assert kept == ([body] if body else [])


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        (ChildReason.TIMEOUT, "parse_timeout"),
        (ChildReason.DIED, "parse_error"),
        (ChildReason.MEMORY, "parse_error"),
        (ChildReason.RAISED, "parse_error"),
    ],
)
async def test_p04_a_document_that_kills_its_child(desk: Desk, child: ChildReason, reason: str) -> None:
    """A parser that ends is a failure of this feed, with the document kept."""
    desk.children.instead = Inline.failing(child, FEED)
    desk.web.feed(FEED, ITEMS)
    assert (await desk.poll()).result == reason
    assert desk.one("SELECT count(*) FROM raw") == 1
    assert desk.one("SELECT count(*) FROM entry") == 0


async def test_f17_truncated_document_keeps_no_validators(desk: Desk) -> None:
    """A document that ends early is asked for again in full, or the rest of it would be lost behind a 304."""
    whole = rss(ITEMS)
    desk.web.answer(FEED, whole[: whole.rindex(b"<item>") + 60], ETag='"1"', Cache_Control="max-age=80000")
    first = await desk.poll()
    assert (first.result, first.new) == ("ok", 2)
    assert _moment(desk.one("SELECT due FROM feed")) < START + timedelta(minutes=20)
    desk.web.answer(FEED, whole, ETag='"1"')
    assert (await desk.poll()).new == 1
    assert "if-none-match" not in desk.web.requests[1].headers


async def test_f17_entries_and_validators_commit_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that dies before its commit leaves neither entries nor validators."""

    def die(point: str) -> None:
        if point == "before_commit":
            raise KeyboardInterrupt

    desk.web.feed(FEED, ITEMS, ETag='"1"')
    desk.context.fault_point = die
    with pytest.raises(KeyboardInterrupt):
        poll_job._store(desk.context, desk.feeds[0], _state(desk), _fetched(), parse(rss(ITEMS), FEED, ""))
    assert desk.rows("SELECT etag, baseline FROM feed") == [("", False)]
    assert desk.one("SELECT count(*) FROM entry") == 0
    assert desk.one("SELECT count(*) FROM raw") == 0


async def test_a_document_that_cannot_be_stored_is_a_failure(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours in one feed backs off and shows, instead of coming back at every tick."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("as the test says")

    monkeypatch.setattr(poll_job, "identify", broken)
    desk.web.feed(FEED, ITEMS)
    polled = await desk.poll()
    assert (polled.result, polled.detail) == ("parse_error", "ZeroDivisionError: as the test says")
    assert desk.rows("SELECT failures, lease_until FROM feed") == [(1, None)]


async def test_s03_a_busy_store_is_no_failure_of_the_feed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's troubles are raised, for the engine to try again."""

    def busy(*_: object, **__: object) -> None:
        raise StoreBusyError

    monkeypatch.setattr(poll_job, "identify", busy)
    desk.web.feed(FEED, ITEMS)
    with pytest.raises(StoreBusyError):
        await desk.poll()
    assert desk.rows("SELECT failures, last_result FROM feed") == [(0, "")]


async def test_a_feed_that_was_removed_is_not_polled(desk: Desk) -> None:
    """A reload may come between the claim and the job."""
    assert await poll(desk.context, "https://gone.example/") is None
    assert desk.web.requests == []


async def test_two_polls_at_once_store_each_item_once(desk: Desk) -> None:
    """Two workers that poll one feed, as after a lease that ran out: one of them gives way."""
    desk.web.feed(FEED, ITEMS)
    came = await asyncio.gather(desk.poll(), desk.poll(), return_exceptions=True)
    assert desk.one("SELECT count(*) FROM entry") == 3
    assert sum(one.new for one in came if not isinstance(one, BaseException)) == 3


@pytest.mark.parametrize(("alert_backlog", "backlog"), [(False, [1, 1, 1, 0]), (True, [0, 0, 0, 0])])
async def test_p17_backlog_is_what_the_first_poll_finds(
    tmp_path: Path, alert_backlog: bool, backlog: list[int]
) -> None:
    """Items of the first poll are backlog, unless the feed asks for them; later ones never are."""
    with Desk(tmp_path, feeds=[feed(alert_backlog=alert_backlog)]) as desk:
        desk.web.answer(FEED, status=500)
        await desk.poll()
        desk.web.feed(FEED, ITEMS)
        await desk.poll()
        desk.web.feed(FEED, [*ITEMS, Item("9", "Un autre titre", "Un autre texte.")])
        await desk.poll()
        assert [row[0] for row in desk.rows("SELECT backlog FROM entry ORDER BY id")] == backlog


@pytest.mark.parametrize("between", ["", "304"], ids=["at once", "after a 304"])
async def test_backlog_is_what_the_first_document_with_entries_finds(tmp_path: Path, between: str) -> None:
    """Of a channel that was empty at first: what is dated before that poll, or not at all; later ones are news."""
    with Desk(tmp_path, feeds=[feed(alert_backlog=False)]) as desk:
        desk.web.feed(FEED, [], etag='"1"')
        await desk.poll()
        if between:
            desk.later(minutes=20)
            desk.web.answer(FEED, status=304)
            await desk.poll()
        items = [
            Item("old", "Avant", published="Tue, 03 Mar 2020 01:00:00 GMT"),
            Item("undated", "Sans date", published=""),
            Item("fresh", "Après", published="Fri, 06 Feb 2026 08:40:00 GMT"),
        ]
        desk.later(minutes=20)
        desk.web.feed(FEED, items)
        await desk.poll()
        desk.web.feed(FEED, [*items, Item("next", "Plus tard", published="Tue, 03 Mar 2020 02:00:00 GMT")])
        desk.later(minutes=20)
        await desk.poll()
        found = desk.rows("SELECT parsed, backlog FROM entry ORDER BY id")
        assert {json.loads(parsed)["guid"]: bool(backlog) for parsed, backlog in found} == {
            "old": True,
            "undated": True,
            "fresh": False,
            "next": False,
        }


async def test_what_a_feed_that_stood_empty_brings_is_news(tmp_path: Path) -> None:
    """After days without a date; on the same day with a date that gives the day alone."""
    with Desk(tmp_path, feeds=[feed(alert_backlog=False)]) as desk:
        desk.web.feed(FEED, [])
        await desk.poll()
        desk.later(hours=50)
        desk.web.feed(FEED, [Item("undated", "Sans date", published="")])
        await desk.poll()
        assert desk.one("SELECT backlog FROM entry") == 0
    other = tmp_path / "other"
    other.mkdir()
    with Desk(other, feeds=[feed(alert_backlog=False)]) as desk:
        desk.web.feed(FEED, [])
        await desk.poll()
        desk.later(hours=5)
        desk.web.feed(FEED, [Item("day", "Le jour seul", published=desk.now.strftime("%a, %d %b %Y 00:00:00 GMT"))])
        await desk.poll()
        assert desk.one("SELECT backlog FROM entry") == 0


EMPTY = {
    # hours empty, item dated so many hours after the first poll -> backlog; None: without a date
    "an hour: last week": (1, -168, True),
    "an hour: the evening before": (1, -12, True),
    "an hour: just before": (1, -0.5, False),
    "an hour: meanwhile": (1, 0.5, False),
    "an hour: without date": (1, None, True),
    "five hours: the day before": (5, -20, True),
    "five hours: meanwhile": (5, 4, False),
    "three days: last week": (72, -168, True),
    "three days: the day before": (72, -20, False),
    "three days: meanwhile": (72, 30, False),
    "three days: without date": (72, None, False),
}


@pytest.mark.parametrize("others", ["200", "304", "503"])
@pytest.mark.parametrize(("hours", "dated", "backlog"), EMPTY.values(), ids=EMPTY)
async def test_p17_thirty_items_after_empty_polls(
    tmp_path: Path, hours: float, dated: float | None, backlog: bool, others: str
) -> None:
    """The first document with items is backlog but for what came after the feed was first found empty, by its date."""
    with Desk(tmp_path, feeds=[feed(alert_backlog=False)]) as desk:
        desk.web.feed(FEED, [], etag='"1"')
        await desk.poll()
        moment = "" if dated is None else format_datetime(desk.now + timedelta(hours=dated))
        desk.later(hours=hours / 2)
        if others != "200":
            desk.web.answer(FEED, status=int(others))
        await desk.poll()
        desk.later(hours=hours / 2)
        desk.web.feed(FEED, [Item(str(n), f"Titre {n}", f"Texte {n}.", published=moment) for n in range(30)])
        await desk.poll()
        assert desk.rows("SELECT backlog, count(*) FROM entry GROUP BY backlog") == [(backlog, 30)]


@pytest.mark.parametrize("first", ["<html>", "{", ""], ids=["a page", "cut", "nothing"])
async def test_p17_the_first_document_after_unreadable_ones(tmp_path: Path, first: str) -> None:
    """A document that could not be read says nothing of when a feed began: all that comes first is backlog."""
    with Desk(tmp_path, feeds=[feed(alert_backlog=False)]) as desk:
        desk.web.answer(FEED, first.encode())
        await desk.poll()
        desk.later(hours=72)
        items = [Item(str(n), f"Titre {n}", f"Texte {n}.", published=date) for n, date in enumerate(DATES)]
        desk.web.feed(FEED, items)
        await desk.poll()
        assert desk.rows("SELECT backlog, count(*) FROM entry GROUP BY backlog") == [(True, len(items))]


DATES = ("", "Fri, 06 Feb 2026 08:00:00 GMT", "Mon, 09 Feb 2026 08:00:00 GMT")


async def test_p24_max_age_holds_for_dates_in_words(tmp_path: Path) -> None:
    """Dates of months ago in whatever words are no news; one that cannot be read is counted, and told to operators."""
    told = {
        "Hun Sen en visite à Hanoï": "mar., 04 nov. 2025 08:00:00 +0700",
        "À Vientiane, Hun Sen visite les quais du port": "Mardi, 4 Novembre, 2025 - 08:00",
        "Une école de Kampot attend la visite de Hun Sen": "Thứ ba, 04/11/2025 - 08:00",
        "Riz : Hun Sen visite les greniers de Battambang": "lun, 03 nov 2025 08:00:00 CET",
        "Hun Sen rend visite aux pêcheurs du Tonlé Sap": "ថ្ងៃទី៤ ខែវិច្ឆិកា ឆ្នាំ២០២៥",
        "La visite de Hun Sen à Bangkok remise au printemps": "le 4 brumaire an 234",
    }
    items = [Item(str(n), title, title, published=date) for n, (title, date) in enumerate(told.items())]
    with Desk(tmp_path, feeds=[feed()], max_age=timedelta(days=7)) as desk:
        desk.web.feed(FEED, items)
        await desk.pass_()
        said = dict(desk.rows("SELECT a.title, o.suppression FROM obligation o JOIN article a ON a.id = o.article_id"))
        assert said == dict.fromkeys(told, "old-news") | {items[-1].title: ""}
        detail = desk.one("SELECT last_detail FROM feed")
        assert "1 date could not be read: 'le 4 brumaire an 234'" in detail
        SelfWatch(desk.context).look(0, desk.now, everything=True)
        assert desk.rows("SELECT kind, words FROM condition") == [("feed_dates", "Le Fil: dates cannot be read")]
        desk.web.feed(FEED, items[:5])
        desk.later(minutes=20)
        await desk.poll()
        SelfWatch(desk.context).look(0, desk.now, everything=True)
        assert desk.rows("SELECT kind, words FROM condition") == []


async def test_raw_is_kept_once(desk: Desk) -> None:
    """The same bytes twice are stored once."""
    desk.web.feed(FEED, ITEMS)
    await desk.poll()
    await desk.poll()
    assert desk.one("SELECT count(*) FROM raw") == 1


async def test_credentials_are_sent_and_not_stored(tmp_path: Path) -> None:
    """W06: the store knows the feed by what the configuration wrote, not by what was fetched."""
    from worker.model import Feed, Secret

    url = "https://a.example/feed?token=CANARY-1"
    secret = Feed(
        id="https://a.example/feed?token=${TOKEN}",
        url=Secret(url),
        name="Le Fil",
        username="u",
        password=Secret("CANARY-2"),
    )
    with Desk(tmp_path, feeds=[secret]) as desk:
        desk.web.pages[url] = lambda _: httpx.Response(404)
        assert (await desk.poll(secret.id)).result == "not_found"
        assert desk.web.requests[0].headers["authorization"].startswith("Basic ")
        desk.web.feed(url, ITEMS)
        assert (await desk.poll(secret.id)).new == 3
        rows = [desk.rows(f"SELECT * FROM {table}") for table in ("feed", "entry", "seen")]
    assert "CANARY" not in str(rows)


def _moment(text: str):
    from datetime import UTC, datetime

    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _state(desk: Desk):
    from worker.store import feeds

    with desk.store.read() as tx:
        return feeds.states(tx, [FEED])[0]


def _fetched():
    from worker.model import Fetched

    return Fetched(body=rss(ITEMS), url=FEED, etag='"1"')


async def test_one_of_several_unchanged_feeds_polled_by_another_meanwhile(tmp_path: Path) -> None:
    """Answered 304 together and recorded together: the one that another worker was first with is told apart."""
    urls = [f"https://{name}.example/feed" for name in "abc"]
    with Desk(tmp_path, feeds=[feed(url) for url in urls]) as desk:
        for url in urls:
            desk.web.feed(url, ITEMS, ETag='"1"')
            await poll(desk.context, url)
            desk.web.answer(url, status=304)
        before = poll_job._states(desk.context, urls)
        desk.later(minutes=5)
        with desk.store.write() as tx:
            tx.execute(sa.text("UPDATE feed SET last_polled = NULL WHERE key = :key"), {"key": urls[1]})
        answers = [(feed(url), state, NotModified()) for url, state in zip(urls, before, strict=True)]
        done = poll_job._not_modified(desk.context, answers)
        assert [type(one) for one in done] == [Polled, OvertakenError, Polled]
        assert [row[0] for row in desk.rows("SELECT last_result FROM feed ORDER BY key")] == [
            "not_modified",
            "ok",
            "not_modified",
        ]
