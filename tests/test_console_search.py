"""The search page: words and the rule language, filters in the address, exports."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from consoles import LOOPBACK, Pages, sampled, text
from rig import Site
from stored import add

from worker.analysis.text import analyse
from worker.console.pages.search import _harmless
from worker.console.views import search
from worker.console.views.search import As, question
from worker.model import Origin
from worker.rules.query import Reading, evaluate, parse
from worker.runtime.load import open_for
from worker.store import articles
from worker.store.finding import Filters


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with sampled(tmp_path_factory.mktemp("search")) as found:
        yield found


def titles(pages: Pages, **asked: str) -> list[str]:
    """The titles that a search shows."""
    return [text(title) for title in pages.get(f"/search?{urlencode(asked)}").find_class("title")]


def test_words_are_found_without_accents_and_marked(pages: Pages) -> None:
    """The last published first, each with the passage in which the words stand."""
    page = pages.get("/search?q=HANOI+visite")
    assert all("Hanoï" in text(title) for title in page.find_class("title"))
    assert {text(mark).lower() for mark in page.iter("mark")} >= {"hanoï", "visite"}
    assert titles(pages, q="introuvable") == []
    assert titles(pages, q="hun", until="9999-12-31") == titles(pages, q="hun")


QUERIES = (
    "@hun_sen NEAR/12 visite",
    "(accord OR traité) AND NOT title:pont",
    "title:Hanoï",
    "frontière NOT NEAR/4 pont",
    "ATLEAST/2 visite",
    "/(?i)samdech/",
    "délégation BEFORE/30 prov*",
    "@hun_sen WITHOUT boulevard",
)


@pytest.mark.parametrize("asked", QUERIES)
def test_a_query_finds_what_the_evaluator_finds(pages: Pages, asked: str) -> None:
    """In every article of the sample, and no more."""
    with pages.store.read() as tx:
        stored = [one for one in articles.newest(tx, limit=1000) if one.origin is Origin.FEED]
    rules = pages.live.ruleset
    node = parse(asked, rules.sets)
    expected = {
        one.id
        for one in stored
        if evaluate(
            node,
            Reading(
                analyse(one.article.title, one.article.body, one.article.language),
                published=one.article.published.date(),
                sets=rules.sets,
            ),
        )
    }
    found = search.answer(pages.store, question(asked, rules), Filters(), rules, limit=1000)
    assert {hit.stored.id for hit in found.hits if hit.stored.origin is Origin.FEED} == expected
    assert expected or asked == "ATLEAST/2 visite"


@pytest.mark.parametrize(
    ("asked", "chosen", "read_as"),
    [
        pytest.param("hun sen visite", None, As.WORDS, id="words"),
        pytest.param('"hun sen"', None, As.WORDS, id="a phrase"),
        pytest.param("hun NEAR/3 sen", None, As.RULE, id="an operator"),
        pytest.param("@hun_sen", None, As.RULE, id="a set"),
        pytest.param("title:pont", None, As.RULE, id="a part"),
        pytest.param("=pont", None, As.RULE, id="a mark"),
        pytest.param("visit*", None, As.RULE, id="a star"),
        pytest.param("https://a.example/pont", None, As.WORDS, id="an address"),
        pytest.param("visite AND", None, As.WORDS, id="almost a query"),
        pytest.param("hun NEAR/3 sen", As.WORDS, As.WORDS, id="words by choice"),
        pytest.param("visite", As.RULE, As.RULE, id="a query by choice"),
        pytest.param("(" * 5000 + "a", As.RULE, As.RULE, id="very deep"),
        pytest.param("/(a+)+$/ AND pont", None, As.RULE, id="a regex that others would never end"),
    ],
)
def test_a_question_says_how_it_was_read(pages: Pages, asked: str, chosen: As | None, read_as: As) -> None:
    assert question(asked, pages.live.ruleset, chosen).read_as is read_as


def test_a_page_says_how_it_read_and_leads_to_the_other_way(pages: Pages) -> None:
    page = pages.get("/search?q=hun+NEAR/3+sen")
    assert "Read in the rule language" in text(page)
    links = {text(link): link.get("href") for link in page.iter("a")}
    assert parse_qs(urlsplit(links["Read it as words instead"]).query)["as"] == ["words"]
    assert parse_qs(urlsplit(links["Make this a rule"]).query) == {"query": ["hun NEAR/3 sen"]}
    words = {text(link): link.get("href") for link in pages.get("/search?q=hun+visite").iter("a")}
    assert parse_qs(urlsplit(words["Make this a rule"]).query) == {"query": ["hun AND visite"]}


def test_a_mistake_in_a_query_stands_with_its_caret(pages: Pages) -> None:
    page = pages.get("/search?as=rule&q=visite+NEAR/5")
    assert page.find_class("pointed")[0].text_content() == "visite NEAR/5\n             ^"
    assert "visite NEAR/5" in page.get_element_by_id("q").value


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param({"outlet": "Fil 1"}, True, id="outlet"),
        pytest.param({"outlet": "Nobody"}, False, id="another outlet"),
        pytest.param({"feed": "Fil 1"}, True, id="feed"),
        pytest.param({"feed": "veille:sample"}, True, id="feed by its address"),
        pytest.param({"feed": "Fil 2"}, False, id="another feed"),
        pytest.param({"tag": "none"}, False, id="tag"),
        pytest.param({"language": "fr"}, True, id="language"),
        pytest.param({"language": "km"}, False, id="another language"),
        pytest.param({"rule": "visit"}, True, id="rule"),
        pytest.param({"rule": "other"}, False, id="another rule"),
        pytest.param({"since": "2020-01-01"}, True, id="since"),
        pytest.param({"until": "2020-01-01"}, False, id="until"),
        pytest.param({"until": "2099-12-31"}, True, id="until later"),
        pytest.param({"rule": "visit", "language": "fr", "outlet": "Fil 1", "since": "2020-01-01"}, True, id="all"),
    ],
)
def test_filters_narrow_words_and_queries(pages: Pages, filters: dict[str, str], found: bool) -> None:
    """Also without words; each stands as a tag that leads to the search without it."""
    for asked in ("hun sen hanoi", "Hun NEAR/2 Sen", ""):
        assert bool(titles(pages, q=asked, **filters)) is found
    page = pages.get(f"/search?{urlencode({'q': 'hun', **filters})}")
    (tags,) = page.find_class("tags")
    left = [parse_qs(urlsplit(link.get("href")).query).keys() & filters.keys() for link in tags.iter("a")]
    assert sorted(map(sorted, left)) == sorted(sorted(filters.keys() - {name}) for name in filters)


def test_a_story_is_a_filter(pages: Pages) -> None:
    with pages.store.read() as tx:
        first = next(one.id for one in articles.newest(tx, limit=50) if "attendu à Hanoï" in one.article.title)
        story = tx.exec_driver_sql(f"SELECT story_id FROM story_article WHERE article_id = {first}").scalar()
    assert len(titles(pages, story=str(story))) >= 2
    assert titles(pages, story="999999") == []


@pytest.mark.parametrize(("name", "value"), [("since", "soon"), ("until", "31/12/2026"), ("story", "x")])
def test_a_filter_that_cannot_be_read_searches_nothing(pages: Pages, name: str, value: str) -> None:
    page = pages.get(f"/search?{urlencode({'q': 'hun', name: value})}")
    assert not page.find_class("title")
    assert page.find_class("problem")


def test_an_answer_goes_on_where_it_ended(pages: Pages) -> None:
    """The parts put together are the whole: nothing is missing, and nothing is there twice."""
    asked, rules = question("hun OR accord OR pont", None), None
    whole = search.answer(pages.store, asked, Filters(), rules, limit=1000)
    parts, after = [], None
    while True:
        found = search.answer(pages.store, asked, Filters(), rules, limit=2, after=after, most=3)
        assert found.read <= 3
        parts += [hit.stored.id for hit in found.hits]
        if (after := found.after) is None:
            break
    assert parts == [hit.stored.id for hit in whole.hits]
    assert len(parts) > 3


@pytest.mark.parametrize(
    "after", ["x", "2026-01-01_1", "2026-01-01T00:00:00+00:00_x", "_", "9999-99-99T00:00:00+00:00_1"]
)
def test_a_place_that_is_none_begins_at_the_newest(pages: Pages, after: str) -> None:
    assert titles(pages, q="hun", after=after) == titles(pages, q="hun")


def test_exports_hold_what_the_page_shows(pages: Pages) -> None:
    answer = pages.ask("GET", "/search?q=hun+sen&format=csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["title"] for row in rows] == titles(pages, q="hun sen")
    found = json.loads(pages.ask("GET", "/search?q=hun+NEAR/1+sen&format=json").text)
    assert (found["read_as"], found["next"]) == ("rule", None)
    assert [one["title"] for one in found["articles"]] == titles(pages, q="hun NEAR/1 sen")
    assert found["articles"][0]["passages"][0]["marks"]
    brief = pages.get("/search?q=hun+sen&format=brief")
    assert [text(title) for title in brief.iter("h2")] == titles(pages, q="hun sen")
    links = [link.get("href") for one in brief.find_class("brief") for link in one.iter("a")]
    assert len(links) == len(rows)
    assert all(link.startswith("https://") for link in links)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_a_cell_is_no_formula(cell: str) -> None:
    assert _harmless(cell) == f"'{cell}"


def test_w08_a_title_with_script_stays_text(tmp_path) -> None:
    """In the list, in a mark and in an export."""
    site = Site(tmp_path, more=LOOPBACK)
    pages = _over(site)
    title = '<script>alert(1)</script> "pont" =HYPERLINK'
    add(pages.store, title, body="Le pont <b>neuf</b>.")
    page = pages.get("/search?q=pont")
    assert text(page.find_class("title")[0]) == title
    assert not [one for one in page.iter("script") if one.get("src") is None]
    assert not list(page.iter("b"))
    pages.close()


def _over(site: Site) -> Pages:
    """The pages over an empty store."""
    from worker.runtime.load import load

    open_for(load(site.config).config, create=True).close()
    return Pages(site)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_both_languages(pages: Pages, language: str) -> None:
    pages.cookies.set("language", language)
    try:
        for address in ("/search", "/search?q=hun&since=2020-01-01", "/search?q=hun+NEAR/1+sen", "/search?q=hun+AND"):
            assert pages.get(address).get("lang") == language
        assert pages.get("/search?q=hun&format=brief").get("lang") == language
    finally:
        pages.cookies.clear()


def test_a_day_is_the_reader_s(pages: Pages) -> None:
    """From its first moment to its last, in their zone."""
    with pages.store.read() as tx:
        one = next(one for one in articles.newest(tx, limit=50) if one.origin is Origin.FEED)
    day = one.article.published.astimezone(UTC).date().isoformat()
    pages.cookies.set("zone", "UTC")
    try:
        assert one.article.title in titles(pages, since=day, until=day)
    finally:
        pages.cookies.clear()


def test_a_cell_holds_no_formula_behind_a_semicolon() -> None:
    """A spreadsheet that parts cells at semicolons, as in French, would take it for one."""
    assert _harmless("Alerte;=1+cmd") == "Alerte;'=1+cmd"
    assert _harmless("trois ; quatre") == "trois ; quatre"
