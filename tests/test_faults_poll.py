"""Faults of servers and documents on a poll, by the catalogue's ids: nothing that was served is lost."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from desk import FEED, Desk, feed, log_target, scripted
from rig import Item, rss

OLD = "Fri, 06 Feb 2026 02:00:00 GMT"
ITEMS = [Item(str(n), f"Titre {n} du matin", f"Dépêche numéro {n}.", f"https://a.example/{n}") for n in range(6)]
NEWS = Item("9", "Hun Sen en visite", "Hun Sen est en visite à Hanoï.", "https://a.example/9", OLD)
CANARY = "https://canary.example/feed"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    targets = [log_target("ops", language="en")]
    with Desk(tmp_path, feeds=[feed(), feed(CANARY)], targets=targets, operators="ops") as made:
        made.web.feed(CANARY, [NEWS])
        yield scripted(monkeypatch, made)


def state(desk: Desk, column: str):
    return desk.one(f"SELECT {column} FROM feed WHERE key = '{FEED}'")


def notices(desk: Desk) -> list[str]:
    return [row[0] for row in desk.rows("SELECT subject FROM delivery WHERE collects = 'notice' ORDER BY id")]


async def assert_nothing_lost(desk: Desk, served: list[Item]) -> None:
    """Every item served is stored, each visit is owed once, the canary's too, and the database is sound."""
    await desk.pass_()
    guids = {row[0] for row in desk.rows("SELECT json_extract(parsed, '$.guid') FROM entry WHERE feed_id = 1")}
    assert guids >= {item.guid for item in served}
    visits = sum("Hun Sen" in item.title for item in served)
    assert desk.one("SELECT count(*) FROM obligation") == max(visits, 0) + 1
    assert desk.one("SELECT count(*) FROM delivery WHERE state = 'failed'") == 0
    assert desk.one("PRAGMA integrity_check") == "ok"
    assert desk.rows("PRAGMA foreign_key_check") == []


async def test_f18_a_304_that_lies_is_found_out_within_a_day(desk: Desk) -> None:
    """After a day of 304s the document is asked for whole; what they hid is stored, and they are believed no more."""
    desk.web.feed(FEED, ITEMS, ETag='"1"')
    await desk.poll()
    desk.web.answer(FEED, status=304)
    desk.later(hours=23)
    assert (await desk.poll()).result == "not_modified"
    desk.web.feed(FEED, [*ITEMS, NEWS], ETag='"1"')
    desk.later(hours=2)
    assert (await desk.poll()).new == 1
    assert "if-none-match" not in desk.web.requests[-1].headers
    assert state(desk, "lies") == 1
    assert "304s hid" in state(desk, "last_detail")
    await desk.poll()
    assert "if-none-match" not in desk.web.requests[-1].headers


async def test_f18_a_server_that_lied_is_tried_again_after_a_month(desk: Desk) -> None:
    """Thirty days later it is sent its validators; mended, it keeps them; lying still, it loses them within a day."""
    desk.web.feed(FEED, ITEMS, ETag='"1"')
    await desk.poll()
    with desk.store.write() as tx:
        tx.exec_driver_sql("UPDATE feed SET lies = 1, lied = last_document WHERE key = ?", (FEED,))

    async def asks_with_validators() -> bool:
        await desk.poll()
        return "if-none-match" in desk.web.requests[-1].headers

    for _ in range(59):
        desk.later(hours=12)
        assert not await asks_with_validators()
    assert state(desk, "lies") == 1
    desk.later(hours=12)
    desk.web.answer(FEED, status=304)
    assert await asks_with_validators()
    assert state(desk, "lies") == 0
    desk.later(hours=12)
    desk.web.feed(FEED, [*ITEMS, NEWS], ETag='"1"')
    assert not await asks_with_validators()
    assert (state(desk, "lies"), state(desk, "lied")[:10]) == (1, f"{desk.now:%Y-%m-%d}")
    desk.later(days=29)
    assert not await asks_with_validators()
    await assert_nothing_lost(desk, [*ITEMS, NEWS])


async def test_f18_a_server_that_is_honest_keeps_its_validators(desk: Desk) -> None:
    """Items that came after the last 304 under a new entity tag were not hidden by it."""
    desk.web.feed(FEED, ITEMS, ETag='"1"')
    await desk.poll()
    desk.web.answer(FEED, status=304)
    desk.later(hours=24)
    desk.web.feed(FEED, [*ITEMS, Item("10", "Neuf", published="Sat, 07 Feb 2026 08:30:00 GMT")], ETag='"2"')
    await desk.poll()
    assert (state(desk, "lies"), state(desk, "etag")) == (0, '"2"')


@pytest.mark.parametrize("status", [429, 503])
async def test_f19_retry_after_holds_for_a_pass_too(desk: Desk, status: int) -> None:
    """`veille poll` leaves alone who asked for patience, and comes back after it."""
    desk.web.answer(FEED, status=status, Retry_After="7200")
    await desk.pass_()
    asked = sum(str(request.url) == FEED for request in desk.web.requests)
    done = await desk.pass_()
    assert done.as_json()["feeds"]["waiting"] == 1
    assert sum(str(request.url) == FEED for request in desk.web.requests) == asked
    desk.later(hours=3)
    desk.web.feed(FEED, [NEWS])
    await desk.pass_()
    assert state(desk, "last_result") == "ok"


async def test_f19_a_feed_that_is_gone_is_retired_with_one_notice(desk: Desk) -> None:
    """410: asked again within the hour, then once a day; told once, and heard again if it comes back."""
    desk.web.answer(FEED, status=410)
    await desk.poll()
    assert state(desk, "due") <= str(desk.now.replace(tzinfo=None) + timedelta(hours=1))
    assert "asked again within the hour" in state(desk, "last_detail")
    await desk.poll()
    assert notices(desk) == ["Le Fil: the feed is gone"]
    assert state(desk, "due") > str(desk.now.replace(tzinfo=None) + timedelta(hours=23))
    desk.web.feed(FEED, [*ITEMS])
    await assert_nothing_lost(desk, ITEMS)


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([410, 500] * 6, ["the feed is gone", "8 polls failed in a row"]),
        ([500, 410] * 6, ["8 polls failed in a row"]),
        ([500, 410, 410, 410], ["the feed is gone"]),
        ([410] * 12, ["the feed is gone"]),
    ],
    ids=["first", "second", "confirmed", "for good"],
)
async def test_f19_a_feed_that_is_gone_now_and_then(desk: Desk, statuses: list[int], told: list[str]) -> None:
    """A server that takes turns between 410 and other failures is told of once."""
    for status in statuses:
        desk.web.answer(FEED, status=status)
        await desk.poll()
    assert notices(desk) == [f"Le Fil: {words}" for words in told]


async def test_f20_a_move_for_good_is_told_at_its_third_sighting(desk: Desk) -> None:
    """The new address is used at once and told once; entries stay what they are."""
    import httpx

    desk.web.pages[FEED] = lambda _: httpx.Response(301, headers={"location": "https://b.example/feed"})
    desk.web.feed("https://b.example/feed", ITEMS)
    for _ in range(5):
        await desk.poll()
    assert notices(desk) == ["Le Fil: the feed has moved"]
    assert "moved for good to https://b.example/feed" in state(desk, "last_detail")
    await assert_nothing_lost(desk, ITEMS)


NEW_PLACE = "https://b.example/feed"


def moved(desk: Desk, to: str = NEW_PLACE) -> None:
    """The feed's server says that it has moved for good."""
    import httpx

    desk.web.pages[FEED] = lambda _: httpx.Response(301, headers={"location": to})


async def polled(desk: Desk, days: float, times: int = 1) -> list[str]:
    """Requests of a number of polls, each so many days after the one before."""
    before = len(desk.web.requests)
    for _ in range(times):
        desk.later(days=days)
        await desk.poll()
    return [str(request.url) for request in desk.web.requests[before:]]


async def test_f20_a_move_that_is_proven_is_used(desk: Desk) -> None:
    """Polls over three days prove it: then the old address is asked once a week, and entries stay what they are."""
    desk.web.feed(FEED, ITEMS)
    await desk.poll()
    moved(desk)
    desk.web.feed(NEW_PLACE, ITEMS)
    assert await polled(desk, 1, 3) == [FEED, NEW_PLACE] * 3
    assert await polled(desk, 1, 6) == [NEW_PLACE] * 6
    assert "where it is asked now" in state(desk, "last_detail")
    desk.web.feed(NEW_PLACE, [*ITEMS, NEWS])
    assert await polled(desk, 1, 1) == [FEED, NEW_PLACE]
    assert await polled(desk, 1, 1) == [NEW_PLACE]
    assert notices(desk) == ["Le Fil: the feed has moved"]
    assert desk.one("SELECT count(*) FROM entry WHERE feed_id = 1") == 7
    await assert_nothing_lost(desk, [*ITEMS, NEWS])


async def test_f20_the_old_address_dies_behind_a_move(desk: Desk) -> None:
    """The feed lives on where it has moved to, and nobody hears of a failure."""
    moved(desk)
    desk.web.feed(NEW_PLACE, ITEMS)
    await polled(desk, 1, 4)
    desk.web.answer(FEED, status=404)
    asked = await polled(desk, 1, 20)
    assert (asked.count(FEED), asked.count(NEW_PLACE)) == (3, 20)
    assert (state(desk, "failures"), state(desk, "last_result")) == (0, "ok")
    assert notices(desk) == ["Le Fil: the feed has moved"]


@pytest.mark.parametrize(
    "broken", [(404, b""), (200, b"<html><body>domain for sale</body></html>")], ids=["404", "html"]
)
async def test_f20_a_new_address_that_fails(desk: Desk, broken: tuple[int, bytes]) -> None:
    """The old one is asked again, and believed: where it has the feed once more, there was no move."""
    moved(desk)
    desk.web.feed(NEW_PLACE, ITEMS)
    await polled(desk, 1, 5)
    desk.web.answer(NEW_PLACE, broken[1], status=broken[0])
    desk.web.feed(FEED, [*ITEMS, NEWS])
    await polled(desk, 0.1, 2)
    assert (state(desk, "last_result"), state(desk, "moved"), state(desk, "moved_to")) == ("ok", "", "")
    assert await polled(desk, 1, 2) == [FEED] * 2
    await assert_nothing_lost(desk, [*ITEMS, NEWS])


@pytest.mark.parametrize(
    "to",
    [
        "https://b.example/feed?token=CANARY_TOKEN_MOVED",
        "https://reader:CANARY_TOKEN_MOVED@b.example/feed",
        "https://b.example/feed?page=CANARY_TOKEN_MOVED",
    ],
)
async def test_w06_a_redirect_with_a_secret(desk: Desk, to: str) -> None:
    """Followed, and shown without userinfo and values; one that looks like a secret is not stored either."""
    moved(desk, to)
    desk.web.feed(to, ITEMS)
    desk.web.feed("https://b.example/feed", ITEMS)
    await polled(desk, 1, 5)
    assert state(desk, "last_result") == "ok"
    shown = [state(desk, "moved"), state(desk, "last_detail"), *notices(desk)]
    shown += [str(row) for row in desk.rows("SELECT * FROM document")]
    shown += [str(row) for row in desk.rows("SELECT * FROM delivery")]
    assert not any("CANARY_TOKEN" in words for words in shown)
    if "page=" not in to:
        assert state(desk, "moved_to") == ""


async def test_f24_a_feed_whose_validators_no_header_can_carry(desk: Desk) -> None:
    """It is polled without them, and its news is heard."""
    import httpx

    validators = [(b"Last-Modified", "Dim, 12 F\u00e9v 2023".encode()), (b"ETag", '"\u00e9t\u00e9"'.encode("latin-1"))]
    desk.web.pages[FEED] = lambda _: httpx.Response(200, headers=validators, content=rss(ITEMS))
    await desk.poll()
    desk.web.pages[FEED] = lambda _: httpx.Response(200, headers=validators, content=rss([*ITEMS, NEWS]))
    assert (await desk.poll()).new == 1
    assert not {"if-none-match", "if-modified-since"} & set(desk.web.requests[-1].headers)
    assert (state(desk, "last_result"), state(desk, "failures")) == ("ok", 0)
    await assert_nothing_lost(desk, [*ITEMS, NEWS])


async def test_f25_links_without_end(desk: Desk) -> None:
    """The items are stored, what was cut is in the feed's status, and an item's text tells it from then on."""
    ends = ["x" * 1_250_000, "/amp" * 100_000, "?" + "&".join(f"a{n}=1" for n in range(2_000)), "/amp" * 2_000]
    hostile = [Item(f"h{n}", f"Titre {n}", f"Dépêche {n}.", f"https://a.example/{end}") for n, end in enumerate(ends)]
    desk.web.feed(FEED, [*hostile, *ITEMS, NEWS])
    assert (await desk.poll()).new == 11
    assert state(desk, "last_detail") == "3 links of more than 8192 characters were left out"
    assert desk.one("SELECT max(length(json_extract(parsed, '$.link'))) FROM entry") <= 8_192
    assert (await desk.poll()).new == 0
    await assert_nothing_lost(desk, [*hostile, *ITEMS, NEWS])


async def test_f15_a_document_that_always_ends_early_gives_its_last_entry_too(desk: Desk) -> None:
    """At first the last entry is not trusted and the feed asked soon; the second time it is all there will be."""
    whole = rss(ITEMS)
    desk.web.answer(FEED, whole[: whole.rindex(b"</item>")], ETag='"1"')
    assert (await desk.poll()).new == 5
    soon = state(desk, "due")
    assert (await desk.poll()).new == 1
    assert state(desk, "etag") == ""
    assert state(desk, "due") > soon
    await assert_nothing_lost(desk, ITEMS)


async def test_p11_new_guids_at_every_poll_are_told(desk: Desk) -> None:
    """Entries stay the same, and the feed's state says why."""
    for poll in range(3):
        desk.web.feed(FEED, [Item(f"{poll}-{item.guid}", item.title, item.text, item.link) for item in ITEMS])
        await desk.poll()
    assert "guid_churn" in state(desk, "last_detail")
    assert desk.one("SELECT count(*) FROM entry") == len(ITEMS)


async def test_p12_a_window_that_slid_past_is_suspected(desk: Desk) -> None:
    """A document of new items only: others may have passed unseen, so the feed is asked as often as allowed."""
    desk.web.feed(FEED, ITEMS)
    await desk.poll()
    later = [Item(f"b{n}", f"Soir {n}", f"Autre {n}.", f"https://a.example/b{n}") for n in range(6)]
    desk.web.feed(FEED, later)
    await desk.poll()
    assert "gap_suspected" in state(desk, "last_detail")
    assert state(desk, "gap") is not None
    await assert_nothing_lost(desk, [*ITEMS, *later])


async def test_p14_an_edited_title_without_guid_or_link_is_a_revision(desk: Desk) -> None:
    """One entry, one alert."""
    title = "Hun Sen en visite officielle au Vietnam ce jeudi"
    for shown in (title, title + " soir"):
        desk.web.feed(FEED, [Item("", shown)])
        await desk.pass_()
    assert desk.rows("SELECT changes FROM entry WHERE feed_id = 1") == [(1,)]
    assert desk.one("SELECT count(*) FROM obligation") == 2


async def test_f22_a_name_server_that_is_down_for_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No feed is called failing for it, nobody is told feed by feed, and each is asked at its usual interval."""
    import socket
    from dataclasses import replace

    from worker.net.client import Client

    async def down(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with scripted(monkeypatch, Desk(tmp_path, targets=[log_target("ops", language="en")], operators="ops")) as desk:
        works = desk.context.client
        nameless = Client(user_agent="t", resolve=down)
        desk.context = replace(desk.context, client=nameless)
        for _ in range(12):
            assert (await desk.poll()).result == "dns_error"
            assert state(desk, "due") < str(desk.now.replace(tzinfo=None) + timedelta(minutes=17))
            desk.later(minutes=20)
        assert (state(desk, "failures"), state(desk, "last_result"), notices(desk)) == (0, "dns_error", [])
        desk.context = replace(desk.context, client=works)
        await nameless.aclose()
        desk.web.feed(FEED, ITEMS)
        assert (await desk.poll()).new == len(ITEMS)
