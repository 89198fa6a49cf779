"""The pages of feeds: health in words, a feed looked at before it is added, OPML, and the quarantine."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from consoles import Pages, sampled, text

from worker.analysis import text as words
from worker.model import Article
from worker.pipeline.discover import Found, Tried
from worker.rules.match import Source, match
from worker.store import lists
from worker.store.tables import ENTRY, FEED

NOW = datetime(2026, 2, 6, 9, tzinfo=UTC)
ADDRESS = "https://new.example/rss"
OPML = '<opml version="2.0"><body><outline type="rss" text="Deux" xmlUrl="https://two.example/rss"/></body></opml>'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with sampled(tmp_path_factory.mktemp("feeds")) as found:
        yield found


def test_health_is_said_in_words(pages: Pages) -> None:
    failing = {"failures": 3, "last_result": "dns_error", "last_detail": "<script>alert(1)</script>"}
    well = {"failures": 0, "last_result": "ok", "last_detail": ""}
    for state in (well, failing):
        with pages.store.write() as tx:
            tx.execute(FEED.update().values(state))
        assert ("all are well" in text(pages.get("/feeds"))) is (state is well)
    page = pages.get("/feeds")
    assert "its host has no address 3 tries in a row (<script>alert(1)</script>)" in text(page)
    assert "son hôte n’a pas d’adresse" in text(pages.get("/feeds", **{"Accept-Language": "fr"}))


def test_each_feed_shows_how_many_articles_came_a_day(pages: Pages) -> None:
    """As on Today; one that brought nothing has a chart of nothing."""
    feeds = pages.live.config.feeds
    quiet = replace(feeds[0], id="https://quiet.example/feed", name="Muet")
    pages.live = replace(pages.live, config=replace(pages.live.config, feeds=(*feeds, quiet)))
    with pages.store.read() as tx:
        came = lists.articles_by_feed(tx, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))["Fil 1"]
    charts = pages.get("/feeds").find_class("spark")
    assert [one.get("aria-label") for one in charts] == [f"{n} articles in 14 days" for n in (came, 0)]
    assert [len(chart.findall("rect")) for chart in charts] == [1, 0]


def test_a_feed_is_looked_at_with_what_it_matches_then_added(pages: Pages) -> None:
    article = Article(
        title="Hun Sen attendu en visite à Vientiane",
        body="Hun Sen est attendu lundi en visite à Vientiane.",
        language="fr",
        published=NOW,
        first_seen=NOW,
        url="",
        link="",
        source="Neuf",
    )
    document = words.analyse(article.title, article.body, article.language)
    source = Source(feed="Neuf", published=NOW, first_seen=NOW)
    found = tuple(match(document, pages.live.ruleset, source))
    pages.found = Found(feeds=(ADDRESS,), title="Neuf", language="fr")
    pages.tried = (Tried(article=article, document=document, matches=found), Tried(article=None, error="no text"))
    page = pages.get(f"/feeds/add?url={ADDRESS}")
    assert [text(mark) for mark in page.xpath("//mark")][:3] == ["Hun", "Sen", "visite"]
    assert "no text" in text(page)
    before, reloads = pages.desk.path.read_text("utf-8"), pages.reloads
    form = {"url": ADDRESS, "name": "Neuf", "language": "fr", "tags": "laos agence"}
    assert pages.post("/feeds/add", form) == "/feeds?said=feed_added"
    after = pages.desk.path.read_text("utf-8")
    assert after.startswith(before)
    assert 'tags = ["laos", "agence"]' in after[len(before) :]
    assert pages.reloads == reloads + 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("ftp://x.example/", "http", id="another scheme"),
        pytest.param("javascript:alert(1)", "http", id="a script"),
        pytest.param("/etc/passwd", "http", id="a path"),
    ],
)
def test_only_addresses_of_the_web_are_asked(pages: Pages, url: str, said: str) -> None:
    assert said in text(pages.get(f"/feeds/add?url={url}", 400).find_class("problem")[0])


def test_what_is_no_feed_says_why(pages: Pages) -> None:
    pages.found = Found(reason="blocked_address: 10.0.0.1 is not public")
    shown = text(pages.get("/feeds/add?url=http://10.0.0.1/").find_class("problem")[0])
    assert "its address is private, and not allowed" in shown


def test_of_several_feeds_one_is_chosen(pages: Pages) -> None:
    pages.found = Found(feeds=("https://a.example/1", "https://a.example/2"))
    page = pages.get("/feeds/add?url=https://a.example/")
    assert page.xpath("//main//li/a/@href") == [
        "/feeds/add?url=https%3A//a.example/1",
        "/feeds/add?url=https%3A//a.example/2",
    ]


def test_opml_goes_in_and_out(pages: Pages) -> None:
    assert pages.post("/feeds/import", {"opml": OPML}) == "/feeds?said=feeds_imported"
    assert "https://two.example/rss" in pages.desk.path.read_text("utf-8")
    assert pages.ask("GET", "/feeds/opml").text.startswith("<?xml")
    assert "not well-formed" in pages.post("/feeds/import", {"opml": "<opml"}, 400)


def test_what_could_not_be_read_is_tried_again(pages: Pages) -> None:
    with pages.store.write() as tx:
        first = tx.execute(ENTRY.select().limit(1)).one().id
        aside = {"state": "quarantined", "error": "<b>boom</b>", "put_aside": NOW}
        tx.execute(ENTRY.update().where(ENTRY.c.id == first).values(aside))
    assert "<b>boom</b>" in text(pages.get("/feeds/quarantine"))
    assert pages.post("/feeds/quarantine/retry", {"entry": str(first)}) == "/feeds/quarantine?said=tried_again"
    assert "Everything that came could be read" in text(pages.get("/feeds/quarantine"))
