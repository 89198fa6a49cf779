"""Today: the stories of a day, what matched and what became of it, and what is new to its reader."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from consoles import Pages, broken, browser, needs_browser, text
from lxml import html
from readings import ALONE, COPY, FIRST, HARVEST, HOSTILE, NOW, OTHER, SECOND, filled, number, on_a_port, rows, story

from worker.console import spans
from worker.console.pages.today import Activity
from worker.store import lists

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    made = filled(tmp_path)
    yield made
    made.close()


def titles(pages: Pages, path: str = "/") -> list[str]:
    return [text(link) for link in _links(pages.get(path))]


def _links(page: html.HtmlElement) -> list[html.HtmlElement]:
    """The links to the stories of a day, in order."""
    return page.xpath("//ol[@class='rows day']/li/div/*[self::h2 or self::a][1]/descendant-or-self::a[1]")


def test_a_day_has_its_stories_by_time_each_once(pages: Pages) -> None:
    """Three articles are one story, where its last article stands; what nothing matched takes one line."""
    assert titles(pages) == [FIRST, OTHER, HOSTILE, ALONE, HARVEST]
    first, _, *slight = pages.get("/").xpath("//ol[@class='rows day']/li")
    assert "Le Fil, La Dépêche, Le Courrier" in text(first)
    assert "3 articles, 1 of them a copy" in text(first)
    assert [text(mark) for mark in first.xpath(".//p[@class='passage']/mark")][:3] == ["Hun", "Sen", "visite"]
    assert text(first.find_class("tag")[0]) == "Une visite de Hun Sen"
    assert "sent to log" in text(first)
    assert "not sent to log: a copy of an article that the same rule has matched" in text(first)
    assert all("slight" in one.get("class") for one in slight)


def test_a_story_leads_to_its_page_and_an_article_without_one_to_its_own(pages: Pages) -> None:
    addresses = {text(link): link.get("href") for link in _links(pages.get("/"))}
    assert addresses[FIRST] == f"/stories/{story(pages, FIRST)}"
    assert addresses[ALONE] == f"/articles/{number(pages, ALONE)}"


def test_only_what_matched(pages: Pages) -> None:
    assert titles(pages, "/?only=matched") == [FIRST, OTHER]


def test_a_page_goes_on_where_the_one_before_ends(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """No story comes twice, none is left out."""
    monkeypatch.setattr("worker.console.pages.today._STORIES", 2)
    seen, path = [], "/"
    while path:
        page = pages.get(path)
        seen += [text(link) for link in _links(page)]
        path = next(iter(page.xpath("//p[@class='more']/a/@href")), "")
    assert seen == [FIRST, OTHER, HOSTILE, ALONE, HARVEST]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("/?day=2026-02-05", "No article came that day.", id="a day without articles"),
        pytest.param("/?day=2026-02-05&only=matched", "No article of that day matched a rule.", id="without matches"),
        pytest.param("/?day=9999-12-31", FIRST, id="a day beyond the calendar is today"),
        pytest.param("/?day=x&after=x~y", FIRST, id="no day"),
        pytest.param("/?after=2026-02-06T08:30:00~x", FIRST, id="a place without a number"),
        pytest.param("/?after=0001-01-01T00:00%2B14:00~1", FIRST, id="a place before the calendar"),
    ],
)
def test_other_days(pages: Pages, path: str, said: str) -> None:
    assert said in text(pages.get(path))


def test_a_day_is_the_reader_s(pages: Pages) -> None:
    """At 08:30 UTC it is still the day before in Honolulu: an hour and a half before midnight."""
    pages.cookies.set("zone", "Pacific/Honolulu")
    assert titles(pages, "/?day=2026-02-05") == [OTHER, FIRST, HOSTILE, ALONE, HARVEST]
    assert titles(pages, "/?day=2026-02-06") == [FIRST]


def test_what_came_since_the_last_visit_is_new(pages: Pages) -> None:
    """Within one visit nothing becomes old by looking at it twice."""
    pages.now = NOW - timedelta(hours=3, minutes=30)
    pages.get("/")
    pages.now = NOW
    for _ in range(2):
        new = [text(one) for one in pages.get("/").xpath("//li[.//span[@class='new']]//h2/a")]
        assert new == [FIRST, OTHER]
        pages.now += timedelta(minutes=5)
    assert "/missed?since=" in pages.get("/").xpath("//aside//a[contains(@href, 'since')]/@href")[0]


def test_what_is_wrong_stands_beside(pages: Pages) -> None:
    with pages.store.write() as tx:
        tx.exec_driver_sql("UPDATE delivery SET state = 'failed' WHERE id = 1")
        tx.exec_driver_sql(
            "INSERT INTO condition (key, kind, words, since) "
            "VALUES ('x', 'feed_fails', '<b>Le Fil</b> se tait', '2026-02-06 08:00:00')"
        )
    beside = text(pages.get("/").find(".//aside"))
    assert "1 message given up" in beside
    assert "<b>Le Fil</b> se tait" in beside


def test_each_rule_and_feed_has_a_chart_that_says_its_sum(pages: Pages) -> None:
    assert "5 matches in 14 days" in pages.get("/").xpath("//svg/@aria-label")


def test_days_that_are_over_are_counted_once(pages: Pages) -> None:
    asked = []

    def count(_tx: object, since: datetime, _until: datetime) -> dict[str, int]:
        asked.append(since)
        return {"visit": len(asked)}

    activity, days = Activity(), spans.bounds(NOW.date(), 3, PARIS)
    with pages.store.read() as tx:
        first = activity.each(tx, count, days, NOW)
        assert first == {"visit": (1, 2, 3)}
        assert activity.each(tx, count, days, NOW) == {"visit": (1, 2, 4)}


def test_a_french_page_is_french(pages: Pages) -> None:
    said = text(pages.get("/", **{"Accept-Language": "fr"}))
    assert "pas envoyée à log : copie d’un article déjà" in said.replace("\N{NO-BREAK SPACE}", " ")
    assert not {"sent to", "copy", "article came", "Filter"} & set(said.split())


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("2026-11-29", "2026-11-28 23:00"),
        ("2026-11-29T10:00", "2026-11-29 09:00"),
        ("2026-11-29T10:00+00:00", "2026-11-29 10:00"),
        ("0001-01-01", None),
        ("9999-12-31", None),
        ("x", None),
    ],
)
def test_moments_of_addresses(said: str, found: str | None) -> None:
    moment = spans.moment(said, PARIS)
    assert (f"{moment:%Y-%m-%d %H:%M}" if moment else None) == found


@pytest.mark.parametrize(
    ("now", "night", "weekend"),
    [
        pytest.param("2026-11-30 09:00", ("29 18:00", "30 08:00"), ("27 18:00", "30 08:00"), id="Monday morning"),
        pytest.param("2026-11-30 06:00", ("29 18:00", "30 06:00"), ("27 18:00", "30 06:00"), id="Monday, early"),
        pytest.param("2026-11-28 10:00", ("27 18:00", "28 08:00"), ("27 18:00", "28 10:00"), id="Saturday"),
        pytest.param("2026-11-27 12:00", ("26 18:00", "27 08:00"), ("20 18:00", "23 08:00"), id="Friday noon"),
    ],
)
def test_usual_spans(now: str, night: tuple[str, str], weekend: tuple[str, str]) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=PARIS).astimezone(UTC)
    for found, wanted in ((spans.night(at, PARIS), night), (spans.weekend(at, PARIS), weekend)):
        assert tuple(f"{moment.astimezone(PARIS):%d %H:%M}" for moment in found) == wanted


def test_a_day_of_summer_time_has_its_own_length() -> None:
    begins, ends = spans.bounds(datetime(2026, 3, 29, tzinfo=UTC).date(), 1, PARIS)
    assert ends - begins == timedelta(hours=23)


def test_lists_are_read_by_an_index(pages: Pages) -> None:
    """Or a look at today would read all that there ever was."""
    with pages.store.read() as tx:
        for what, index in (
            ("source, count(*) FROM article WHERE first_seen >= '2' AND first_seen < '3' GROUP BY 1", "article_seen"),
            ("rule_id, count(*) FROM match WHERE created >= '2' AND created < '3' GROUP BY 1", "match_seen"),
        ):
            assert index in str(tx.exec_driver_sql(f"EXPLAIN QUERY PLAN SELECT {what}").all())
        assert lists.copies(tx, number(pages, COPY), limit=5)[0].title == FIRST


@needs_browser
def test_reading_stands_in_nobody_s_way(pages: Pages) -> None:
    """WCAG as far as axe judges it, and nothing wider than a telephone, on pages with all that they can have."""
    for path, form in (("note", {"text": "Long" * 100}), ("label", {"rule": "visit", "judgement": "noise"})):
        pages.post(f"/articles/1/{path}", form)
    with pages.store.write() as tx:
        tx.exec_driver_sql("UPDATE story SET perhaps_id = 1, perhaps_why = 'They share x' WHERE id = 3")
        tx.exec_driver_sql("UPDATE delivery SET state = 'failed', reason = 'refused' WHERE id = 1")
    found = []
    with on_a_port(pages) as base, browser() as chromium:
        page = chromium.new_page(viewport={"width": 360, "height": 800})
        page.set_default_timeout(120_000)
        for path in ("/", "/articles/1", "/articles/5", "/stories/1", "/stories/3", "/missed?since=2026-02-06"):
            page.goto(base + path)
            found += broken(page)
            if page.evaluate("document.documentElement.scrollWidth") > 360:
                found.append(f"{path} is too wide")
    assert found == []


@needs_browser
def test_with_the_keyboard_alone(pages: Pages) -> None:
    """From Today to a story, to its article, to a label: by Tab and Enter."""
    with on_a_port(pages) as base, browser() as chromium:
        page = chromium.new_page(locale="en-GB")
        page.set_default_timeout(120_000)
        page.goto(base)

        def follow(name: str) -> None:
            for _ in range(80):
                page.keyboard.press("Tab")
                said = page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent")
                if said.strip() == name:
                    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
                    page.keyboard.press("Enter")
                    return
            raise AssertionError(f"{name!r} is not reached by Tab")

        follow(FIRST)
        page.wait_for_url("**/stories/*")
        follow(FIRST)
        page.wait_for_url("**/articles/*")
        follow("Relevant: Une visite de Hun Sen")
        page.wait_for_url("**said=labelled")
    assert rows(pages, "SELECT rule_id, judgement, author FROM judgement") == [("visit", "relevant", "desk")]


@pytest.mark.parametrize("title", [SECOND, ALONE], ids=["story", "article alone"])
def test_who_has_a_story_stands_there(pages: Pages, title: str) -> None:
    """The last one whom it was handed over to, and what for; an article that tells no story has its own line."""
    for person, note in (("Bo", ""), ("Linh", "<b>appeler</b>")):
        given = {"article": str(number(pages, title)), "person": person, "note": note}
        pages.post("/alerts/hand-over", given)
    shown = text(pages.get("/"))
    assert "Acknowledged by desk" in shown
    assert "Handed over to Linh by desk: <b>appeler</b>" in shown
    assert "Handed over to Bo" not in shown
