"""`veille stories` and people's corrections, `mute-story`, `review`, and words that fit several articles."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from feedserver import FeedServer
from rig import Item, Site, rss
from test_pipeline_rejudging import OTHER
from test_story_alerts import ACCOUNTS

from worker.cli.show import terminal

ITEMS = [
    Item("1", "Hun Sen en visite à Vientiane", ACCOUNTS[0]),
    Item("2", "Hun Sen à Vientiane", ACCOUNTS[1]),
    Item("3", "Hun Sen ouvre une fabrique", OTHER),
]


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two accounts of one event and one of another, from one feed that is there as long as the tests."""
    with FeedServer() as server:
        made = Site(
            tmp_path_factory.mktemp("polled"),
            feeds=[server.serve("/a", rss(ITEMS))],
            allow=[server.place],
            alerts="",
        )
        made.poll()
        yield made


@pytest.fixture
def site(tmp_path: Path, polled: Site) -> Site:
    """The same, with a store of its own."""
    shutil.copy(polled.folder / "veille.db", tmp_path)
    return Site(tmp_path, feeds=polled.feeds, allow=polled.allow, alerts="")


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is like enough to join."""
    monkeypatch.setattr("worker.analysis.stories.decision.STRONG", 1000)


def number(veille, site: Site, title: str) -> int:
    """Of the article with that title."""
    found = json.loads(veille("articles", "--json", site=site).out)
    return next(one["id"] for one in found if one["title"] == title)


def story(veille, site: Site, article: int) -> dict:
    return json.loads(veille("why", article, "--json", site=site).out)["story"]


def test_a_number_shows_a_story_as_ever(veille, site: Site) -> None:
    """Options stand before or after it; without one the newest are listed."""
    one = story(veille, site, number(veille, site, ITEMS[0].title))["id"]
    for words in (("stories", one, "--json"), ("stories", "--json", one), ("stories", "list", one, "--json")):
        assert len(json.loads(veille(*words, site=site).out)["timeline"]) == 2
    several = json.loads(veille("stories", "--several", "--json", site=site).out)
    assert one in [found["id"] for found in several]
    assert {found["articles"] for found in several} == {2}
    assert len(json.loads(veille("stories", "--json", site=site).out)) > len(several)
    assert "Hun Sen" in veille("stories", site=site).out
    assert veille("stories", 99, site=site).code == 1
    assert veille("stories", "splot", site=site).code == 2


def test_no_hour_is_shown_of_an_article_known_to_the_month(veille, site: Site) -> None:
    """The articles that ship have a year and a month; those of a feed have the hour."""
    found = {one["title"]: one for one in json.loads(veille("stories", "--json", site=site).out)}
    archived = next(one for title, one in found.items() if "9e consultation" in title)
    assert (archived["first_seen"], archived["last_seen"]) == ("2025-07", "2025-07")
    assert "T" in found[ITEMS[0].title]["last_seen"]
    shown = json.loads(veille("stories", archived["id"], "--json", site=site).out)
    assert [line["published"] for line in shown["timeline"]] == ["2025-07"]
    assert "2025-07 to 2025-07" in veille("stories", archived["id"], site=site).out


@pytest.mark.parametrize(("columns", "lines"), [(80, 2), (140, 1)])
def test_a_title_has_a_line_of_its_own_where_there_is_little_room(
    veille, site: Site, monkeypatch: pytest.MonkeyPatch, columns: int, lines: int
) -> None:
    """At 80 columns below its number; where there is room in a column."""
    monkeypatch.setattr(terminal.out, "width", columns)
    number_of = str(number(veille, site, ITEMS[2].title))
    rows = veille("articles", site=site).out.splitlines()
    at = next(at for at, row in enumerate(rows) if row.startswith(f"{number_of} "))
    assert ITEMS[2].title in rows[at + lines - 1]


def test_corrections(veille, site: Site) -> None:
    """Split, moved back by a merge, moved; each is said by `why` and by the story, with its author and note."""
    one, two, other = (number(veille, site, item.title) for item in ITEMS)
    done = json.loads(
        veille("stories", "split", two, "--by", "ana", "--note", "autre affaire", "--json", site=site).out
    )
    assert (done["done"], done["articles"]) == ("split", [two])
    assert story(veille, site, two)["id"] == done["to"] != story(veille, site, one)["id"]
    for out in (veille("why", two, site=site).out, veille("stories", done["to"], site=site).out):
        assert "by ana" in out
        assert "autre affaire" in out
    refused = veille("stories", "split", two, site=site)
    assert (refused.code, "alone" in refused.err) == (1, True)
    assert "is story" in veille("stories", "merge", done["from"], done["to"], site=site).out
    assert story(veille, site, two)["id"] == story(veille, site, one)["id"]
    place = story(veille, site, other)["id"]
    assert f"now of story {place}" in veille("stories", "move", two, place, site=site).out
    assert story(veille, site, two)["id"] == place
    assert veille("stories", "merge", place, place, site=site).code == 1
    assert "adds up" in veille("ledger", site=site).out


def test_what_perhaps_is_the_same_is_said(veille, tmp_path: Path, feedserver, weak: None) -> None:
    """In the message, by `why` with what was shared and what was missing, and by both stories."""
    site = Site(tmp_path, feeds=[feedserver.serve("/a", rss(ITEMS[:2]))], allow=[feedserver.place], alerts="")
    veille("poll", site=site)
    ids = [number(veille, site, item.title) for item in ITEMS[:2]]
    places = {article: story(veille, site, article) for article in ids}
    ((pointing, place),) = [(article, one) for article, one in places.items() if one["perhaps"]]
    root = next(one for article, one in places.items() if article != pointing)
    assert place["perhaps"]["story"] == root["id"] != place["id"]
    out = veille("why", pointing, site=site).out
    assert f"perhaps the same as story {root['id']}: {root['title']}" in out
    assert any(word in place["perhaps"]["why"] for word in ("vientiane", "corridor", "thongloun"))
    assert "times as much" in out
    assert "perhaps the same" in veille("stories", root["id"], site=site).out
    assert f"perhaps {root['id']}" in veille("stories", site=site).out
    messages = [file.read_bytes() for file in sorted((tmp_path / "alerts").rglob("*.eml"))]
    assert len(messages) == 2
    assert sum(b"Peut-" in message or b"Perhaps" in message for message in messages) == 1


def test_a_mute_says_what_it_covers_and_how_it_ends(veille, site: Site) -> None:
    """By number and title, for a week unless it is said otherwise; the same again changes nothing."""
    one, two, _ = (number(veille, site, item.title) for item in ITEMS)
    out = veille("mute-story", one, site=site).out
    for words in (f"  {one}  ", f"  {two}  ", ITEMS[1].title, "veille silence --end 1", "until 20"):
        assert words in out
    assert ITEMS[2].title not in out
    again = json.loads(veille("mute-story", one, "--for", "2d", "--json", site=site).out)
    assert again["silence"] == 1
    assert [article["id"] for article in again["articles"]] == [one, two]
    longer = json.loads(veille("mute-story", one, "--for", "30d", "--json", site=site).out)
    assert longer["silence"] == 2
    assert longer["until"] > again["until"]
    veille("silence", "--end", "1", site=site)
    veille("silence", "--end", "2", site=site)
    assert json.loads(veille("silence", "--json", site=site).out) == []


@pytest.mark.parametrize(
    "words",
    [
        ("ack", "Hun Sen"),
        ("mute-story", "Hun Sen"),
        ("rules", "label", "Hun Sen", "visit", "noise"),
        ("stories", "split", "Hun Sen"),
    ],
    ids=lambda words: words[0],
)
def test_words_that_fit_several_articles_are_refused(veille, site: Site, words: tuple[str, ...]) -> None:
    """With the list, as a mistake in the command; nothing is done."""
    done = veille(*words, site=site)
    assert done.code == 2
    for item in ITEMS:
        assert f"{number(veille, site, item.title)}  " in done.err
        assert item.title in done.err
    assert json.loads(veille("silence", "--json", site=site).out) == []
    assert veille(*(word.replace("Hun Sen", "une fabrique") for word in words), site=site).code in (0, 1)


def test_review_lists_and_sends(veille, site: Site) -> None:
    """An alert that was sent is no longer listed; a number that is not listed is refused, and so is none at all."""
    assert "nothing to review" in veille("review", site=site).out
    article = number(veille, site, ITEMS[2].title)
    with sqlite3.connect(site.folder / "veille.db") as db:
        gone = "UPDATE obligation SET verdict = 'suppressed', suppression = 'muted-story', delivery_id = NULL"
        db.execute(f"{gone} WHERE article_id = ?", (article,))
    (line,) = json.loads(veille("review", "--json", site=site).out)
    assert (line["article_id"], line["suppression"]) == (article, "muted-story")
    assert ITEMS[2].title in veille("review", site=site).out
    for words in (("--send",), ("--send", "x"), ("--send", "999")):
        assert veille("review", *words, site=site).code == 2
    assert json.loads(veille("review", "--send", line["id"], "--json", site=site).out) == {"sent": [line["id"]]}
    assert json.loads(veille("review", "--json", site=site).out) == []
    assert veille("review", "--send", "all", site=site).code == 0
    assert "adds up" in veille("ledger", site=site).out
