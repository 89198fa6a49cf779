"""Missed: everything that matched in a span of time, by rule or by story, sent where it is wanted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from consoles import Pages, text
from readings import COPY, FIRST, NOW, OTHER, SECOND, filled, number, rows, story

from worker.console.access import COOKIE, digest
from worker.store import people
from worker.store.people import Person, Role

DAY = "since=2026-02-06&until=2026-02-06"


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    made = filled(tmp_path)
    yield made
    made.close()


def groups(pages: Pages, asked: str) -> dict[str, list[str]]:
    """The titles under each heading."""
    found = pages.get(f"/missed?{asked}").xpath("//section[h2]")
    return {text(one.find("h2")): [text(link) for link in one.xpath(".//li//a[@class='title']")] for one in found}


def test_by_rule_and_by_story(pages: Pages) -> None:
    """Each article once for a rule, where it last matched."""
    assert groups(pages, DAY) == {"High importance Une visite de Hun Sen": [SECOND, OTHER, COPY, FIRST]}
    assert groups(pages, f"{DAY}&by=story") == {FIRST: [SECOND, COPY, FIRST], OTHER: [OTHER]}
    assert "not sent to log: a copy of an article that the same rule has matched" in text(pages.get(f"/missed?{DAY}"))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param("since=2026-02-06T10:00&until=2026-02-06T11:00", [], id="the reader's hours, Phnom Penh's"),
        pytest.param("since=2026-02-06T09:00Z&until=2026-02-06T11:00Z", [SECOND, OTHER, COPY], id="in UTC"),
        pytest.param("since=2026-02-07&until=2026-02-06", [SECOND, OTHER, COPY, FIRST], id="the wrong way round"),
        pytest.param("since=2026-02-06", [SECOND, OTHER, COPY, FIRST], id="until now"),
        pytest.param("since=x&until=y", [], id="neither: the last night"),
        pytest.param("since=0001-01-01&until=9999-12-31", [], id="beyond the calendar"),
    ],
)
def test_spans(pages: Pages, asked: str, found: list[str]) -> None:
    assert [title for some in groups(pages, asked).values() for title in some] == found


def test_usual_spans_are_links_that_stay_what_they_are(pages: Pages) -> None:
    """A visit, a night, a weekend, a silence: their moments stand in the address."""
    with pages.store.write() as tx:
        tx.exec_driver_sql(
            "INSERT INTO silence (rule_id, set_name, feed, recipient, until, author, reason, created) "
            "VALUES ('visit', '', '', '', '2026-02-06 11:00:00', 'ana', '', '2026-02-06 09:00:00')"
        )
    pages.now = NOW - timedelta(hours=2)
    pages.get("/")
    pages.now = NOW
    links = {text(one): one.get("href") for one in pages.get("/missed").xpath("//nav[@class='choices']/a")}
    assert list(links)[:4] == ["Since your last visit", "Last night", "The weekend", "The last 24 hours"]
    assert "since=2026-02-06T10%3A30" in links["Since your last visit"]
    assert "since=2026-02-06T09%3A00%2B00%3A00&until=2026-02-06T11%3A00%2B00%3A00" in links["During silence 1"]


def test_a_long_list_says_that_it_ends(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.console.pages.missed._MOST", 2)
    assert "The list ends" in text(pages.get(f"/missed?{DAY}"))
    assert groups(pages, DAY) == {"High importance Une visite de Hun Sen": [COPY, FIRST]}


@pytest.mark.parametrize(
    ("language", "subject", "line"),
    [
        ("en", "Matches from Friday 6 February 2026 07:00", "not sent to log: a copy"),
        (
            "fr",
            "Articles trouvés du vendredi 6 février 2026 07:00",
            "pas envoyée à log\N{NO-BREAK SPACE}: copie d’un article déjà",
        ),
    ],
)
def test_the_list_is_sent_as_a_message(pages: Pages, language: str, subject: str, line: str) -> None:
    """A delivery like any other, in the sender's language, as text; and who sent it is written down."""
    with pages.store.write() as tx:
        tx.exec_driver_sql("UPDATE article SET title = '<b>& Deux' WHERE id = 3")
    page = pages.get("/missed?since=2026-02-06T00:00Z&until=2026-02-06T12:00Z&by=story")
    (form,) = page.xpath("//form[@action='/missed/send']")
    fields = {one.get("name"): one.get("value") for one in form.xpath(".//input")} | {"target": "log"}
    where = pages.post("/missed/send", fields, **{"Accept-Language": language})
    assert "said=sent" in where
    assert "by=story" in where
    ((collects, recipient, said, body),) = rows(
        pages, "SELECT collects, recipient, subject, content FROM delivery WHERE state = 'open'"
    )
    content = body.decode() if isinstance(body, bytes) else ""
    assert (collects, recipient) == ("notice", "log:log")
    assert str(said).startswith(subject)
    assert "<b>& Deux [Une visite de Hun Sen]\n    https://news.example/b1\n" in content
    assert content.count("http") == 4
    assert line in content
    assert [row[:2] for row in rows(pages, "SELECT action, subject, detail FROM audit")] == [
        ("list sent", "target log")
    ]


@pytest.mark.parametrize(("until", "line"), [("T12:00Z", "- 16:30 La D"), ("", "- Friday 6 February 2026 16:30 La D")])
def test_a_long_span_names_the_days(pages: Pages, until: str, line: str) -> None:
    since = "2026-02-06T00:00Z" if until else "2026-02-05"
    pages.post("/missed/send", {"since": since, "until": f"2026-02-06{until}", "target": "log"})
    ((body,),) = rows(pages, "SELECT content FROM delivery WHERE state = 'open'")
    assert isinstance(body, bytes)
    assert line in body.decode()


def test_only_a_target_of_ours_is_sent_to(pages: Pages) -> None:
    pages.post("/missed/send", {"since": "2026-02-06", "target": "mailto:evil@example.org"}, 404)
    assert pages.ask("POST", "/missed/send", {"target": "log"}, Origin="https://evil.example").status_code == 403
    assert rows(pages, "SELECT id FROM delivery WHERE state = 'open'") == []


def test_a_very_long_list_is_clipped(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.console.pages.missed._LONGEST", 100)
    pages.post("/missed/send", {"since": "2026-02-06", "target": "log"})
    ((body,),) = rows(pages, "SELECT content FROM delivery WHERE state = 'open'")
    assert isinstance(body, bytes)
    assert body.decode().endswith("\n…")


def test_a_line_leads_to_its_article_and_a_group_to_its_page(pages: Pages) -> None:
    page = pages.get(f"/missed?{DAY}&by=story")
    assert page.xpath("//section/h2/a/@href") == [f"/stories/{story(pages, one)}" for one in (FIRST, OTHER)]
    assert "/rules/visit" in pages.get(f"/missed?{DAY}").xpath("//section/h2/a/@href")


def test_what_is_sent_leads_to_the_console_where_others_reach_it(pages: Pages) -> None:
    """To the same list, and to the page of an article that has no address that a browser opens."""
    config = replace(pages.live.config, public_url="https://veille.example.org")
    pages.live = replace(pages.live, config=config)
    with pages.store.write() as tx:
        tx.exec_driver_sql(f"UPDATE article SET link = 'javascript:alert(1)' WHERE title = '{SECOND}'")
        people.put(tx, Person(name="ana", password_hash="", role=Role.EDITOR, created=NOW))
        people.sign_in(tx, digest("ana"), "ana", NOW, timedelta(hours=1))
    said = {"since": "2026-02-06T00:00Z", "until": "2026-02-06T12:00Z", "target": "log"}
    pages.post("/missed/send", said, Cookie=f"{COOKIE}=ana")
    ((body,),) = rows(pages, "SELECT content FROM delivery WHERE state = 'open'")
    assert isinstance(body, bytes)
    assert f"    https://veille.example.org/articles/{number(pages, SECOND)}\n" in body.decode()
    assert "javascript" not in body.decode()
    list_of_it = (
        "https://veille.example.org/missed?since=2026-02-06T00%3A00%2B00%3A00&until=2026-02-06T12%3A00%2B00%3A00"
    )
    assert list_of_it in body.decode()


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        pytest.param("", ["Last night"], id="as it opens"),
        pytest.param("by=story", ["Last night"], id="as it opens, by story"),
        pytest.param("since=2026-02-05T12:30Z&until=2026-02-06T12:31Z", ["The last 24 hours"], id="a day"),
        pytest.param(DAY, [], id="one of one's own"),
    ],
)
def test_the_span_that_is_shown_is_marked(pages: Pages, asked: str, chosen: list[str]) -> None:
    page = pages.get(f"/missed?{asked}")
    assert [text(one) for one in page.xpath("//nav[@class='choices']/a[@aria-current]")] == chosen
