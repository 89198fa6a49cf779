"""An article's page: its text with the words that matched, what became of it, and what its reader says of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from consoles import Pages, text
from desk import START
from lxml import html
from readings import ALONE, COPY, FIRST, HARVEST, HOSTILE, OTHER, SECOND, filled, number, rows

from worker.console.access import Caller
from worker.console.views.reading import paragraphs
from worker.model import Cut, CutKind, Judgement, Passage
from worker.store import judgements, people
from worker.store.people import Role

AUDIT = "SELECT author, action, subject, detail FROM audit"


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    made = filled(tmp_path)
    yield made
    made.close()


def article(pages: Pages, title: str, more: str = "", **headers: str) -> html.HtmlElement:
    return pages.get(f"/articles/{number(pages, title)}{more}", **headers)


def section(page: html.HtmlElement, head: str) -> html.HtmlElement:
    """The part of a page under that heading."""
    (found,) = page.xpath("//section[h2=$head]", head=head)
    return found


def marks(page: html.HtmlElement) -> list[str]:
    return [text(mark) for mark in page.xpath("//article//mark")]


def test_the_words_that_matched_are_marked_in_title_and_text(pages: Pages) -> None:
    page = article(pages, FIRST)
    assert [text(mark) for mark in page.xpath("//h1/mark")] == ["Hun", "Sen", "visite"]
    assert marks(page) == ["Hun", "Sen", "visite"]
    assert page.xpath("//p[@class='choices']//a/@href") == [f"/articles/{number(pages, FIRST)}?rule=visit"]


def test_one_rule_s_words_alone(pages: Pages) -> None:
    """The one that is chosen is named; an unknown one marks nothing."""
    assert marks(article(pages, FIRST, "?rule=other")) == []
    chosen = article(pages, FIRST, "?rule=visit")
    assert marks(chosen) == ["Hun", "Sen", "visite"]
    assert [text(one) for one in chosen.xpath("//p[@class='choices']//a[@aria-current]")] == ["Une visite de Hun Sen"]


def test_a_corrected_article_shows_both_texts_and_what_changed(pages: Pages) -> None:
    page = article(pages, FIRST)
    assert "Kratié" in text(page.find(".//article"))
    changed = section(page, "What the last correction changed")
    assert [text(mark) for mark in changed.xpath(".//mark")] == ["Stung Treng", "Kratié"]
    assert "Stung Treng" in text(article(pages, FIRST, "?revision=1").find(".//article"))
    assert "Kratié" in text(article(pages, FIRST, "?revision=99").find(".//article"))


def test_a_copy_names_its_original_and_what_differs(pages: Pages) -> None:
    page = article(pages, COPY)
    assert f"A copy of {FIRST} (Le Fil)" in text(page)
    assert "What differs (Le Fil)" in text(page)
    same = section(page, "The same text elsewhere")
    assert f"{FIRST} Le Fil · original" in text(same)
    assert "Kratié" in [text(mark) for mark in same.xpath(".//mark")]
    assert COPY in text(section(article(pages, FIRST), "The same text elsewhere"))


def test_every_alert_has_its_sentence(pages: Pages) -> None:
    said = text(section(article(pages, FIRST), "What became of the alerts"))
    assert "Une visite de Hun Sen: sent to log:log" in said
    assert "correction: not sent to log:log: the story was sent already" in said
    assert "No alert was due" in text(article(pages, HARVEST))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("state = 'open', hold = 'digest', due = '2026-02-07 08:00:00'", "held for log:log: with the digest of"),
        ("state = 'open', hold = '', due = '2026-02-07 08:00:00'", "on its way to log:log"),
        ("state = 'parked', reason = 'no such channel'", "waits until fixed: log:log: no such channel"),
        ("state = 'failed', reason = 'refused', attempts = 3", "failed for log:log: refused after 3 attempts"),
    ],
    ids=["held", "waiting", "parked", "failed"],
)
def test_what_is_not_sent_says_why(pages: Pages, state: str, said: str) -> None:
    with pages.store.write() as tx:
        tx.exec_driver_sql(f"UPDATE delivery SET {state} WHERE id = 1")
    assert said in text(section(article(pages, FIRST), "What became of the alerts"))


def test_silent_rules_say_what_is_missing(pages: Pages) -> None:
    french = text(article(pages, HARVEST, **{"Accept-Language": "fr"}))
    assert "@hun_sen est absent" in french
    assert "aucun de =visite OR =déplacement n’est dans le texte" in french
    assert "@hun_sen is absent; none of =visite OR =déplacement stands in the text" in text(article(pages, HARVEST))


def test_the_parts_that_were_cut_are_folded(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule whose words stand there alone says so."""
    cut = (Cut(kind=CutKind.CAPTION, text="Hun Sen en visite. Photo <VNA>"),)
    monkeypatch.setattr("worker.store.articles.cut_of", lambda *_: cut)
    page = article(pages, HARVEST)
    folded = page.find(".//article/details")
    assert [text(one) for one in folded] == ["What was cut from the text", "A caption", cut[0].text]
    assert "its words stand only in what was cut: a caption" in text(section(page, "Rules that stayed silent"))


def test_an_article_without_story_and_one_of_the_archive(pages: Pages) -> None:
    page = article(pages, ALONE)
    assert "belongs to no story" in text(page)
    assert not page.xpath("//form[contains(@action, '/mute')]")
    archived = article(pages, "")
    assert text(archived.find(".//h1")) == "article 002 of the archive, without a title"
    assert "The text of this article is not kept." in text(archived)
    assert "known before the first poll" in text(archived)


def test_hostile_texts_are_text(pages: Pages) -> None:
    """A title, a body, a link, a note: no element of theirs, no address that runs."""
    address = f"/articles/{number(pages, HOSTILE)}"
    pages.post(f"{address}/note", {"text": "<script>alert(3)</script>"})
    page = pages.get(address)
    assert text(page.find(".//h1")) == HOSTILE
    assert [one.get("src") for one in page.xpath("//script")] == ["/static/zone.js"]
    assert not page.xpath("//img")
    assert not page.xpath("//a[starts-with(@href, 'javascript')]")
    assert "<script>alert(3)</script>" in text(page.find(".//aside"))


def test_the_original_is_linked_without_saying_where_one_comes_from(pages: Pages) -> None:
    (link,) = article(pages, FIRST).xpath("//a[@rel='noreferrer']")
    assert link.get("href") == "https://a.example/1"


@pytest.mark.parametrize("asked", ["999", "0", "x", "1" * 5000, "-1", "1.5", "%00"])
@pytest.mark.parametrize("what", ["articles", "stories"])
def test_an_unknown_number_is_missing(pages: Pages, what: str, asked: str) -> None:
    assert "nothing at this address" in text(pages.get(f"/{what}/{asked}", 404))


def test_a_note_is_kept_with_its_author(pages: Pages) -> None:
    address = f"/articles/{number(pages, FIRST)}"
    assert pages.post(f"{address}/note", {"text": " À suivre. "}) == f"{address}?said=noted"
    pages.post(f"{address}/note", {"text": "  "})
    assert [text(one) for one in pages.get(address).find_class("note")] == ["À suivre. desk 19:30"]
    assert rows(pages, AUDIT) == [("desk", "note", f"article {number(pages, FIRST)}", "À suivre.")]


def test_a_label_counts_for_the_rule(pages: Pages) -> None:
    address = f"/articles/{number(pages, FIRST)}"
    for judgement in ("noise", "relevant"):
        assert pages.post(f"{address}/label", {"rule": "visit", "judgement": judgement}) == f"{address}?said=labelled"
    page = pages.get(address)
    assert "judged relevant by desk" in text(page)
    assert page.xpath("//button[@aria-pressed]/@value") == ["relevant"]
    assert rows(pages, "SELECT rule_id, judgement, author FROM judgement") == [("visit", "relevant", "desk")]
    assert [row[3] for row in rows(pages, AUDIT)] == ["noise for visit", "relevant for visit"]


@pytest.mark.parametrize("rule", ["visit", "gone"])
def test_a_label_is_taken_back(pages: Pages, rule: str) -> None:
    """Also that of a rule that is gone; the audit says who took it, and there is nothing to take twice."""
    one = number(pages, FIRST)
    with pages.store.write() as tx:
        judgements.judge(tx, one, rule, Judgement.NOISE, pages.desk.clock(), author="ana")
    address = f"/articles/{one}"
    assert "not relevant by ana" in text(pages.get(address))
    taken = {"rule": rule, "judgement": "none"}
    assert len(pages.get(address).xpath("//button[@value='none']")) == 1
    assert pages.post(f"{address}/label", taken) == f"{address}?said=label_taken_back"
    assert "not relevant by ana" not in text(pages.get(address))
    assert pages.get(address).xpath("//button[@value='none']") == []
    assert rows(pages, AUDIT) == [("desk", "label taken back", f"article {one}", rule)]
    assert pages.post(f"{address}/label", taken) == f"{address}?said=nothing"


def test_a_rule_that_is_off_is_not_called_gone(pages: Pages) -> None:
    """Its matches can be labelled."""
    off = replace(pages.live.ruleset, rules=(), off=pages.live.ruleset.rules)
    pages.live = replace(pages.live, ruleset=off)
    address = f"/articles/{number(pages, FIRST)}"
    assert "no longer in the configuration" not in text(pages.get(address))
    assert pages.post(f"{address}/label", {"rule": "visit", "judgement": "noise"}) == f"{address}?said=labelled"


def test_a_rule_that_missed_it_is_labelled_too(pages: Pages) -> None:
    """Such a word counts as a miss of the rule."""
    address = f"/articles/{number(pages, HARVEST)}"
    (form,) = pages.get(address).xpath("//form[contains(@action, '/label')]")
    assert form.xpath(".//option/@value") == ["visit"]
    pages.post(form.get("action"), {"rule": "visit", "judgement": "relevant"})
    assert "Une visite de Hun Sen judged relevant by desk" in text(pages.get(address))
    with pages.store.read() as tx:
        assert judgements.tallies(tx, START)["visit"].missed == 1


def test_whoever_acknowledges_is_told_to_the_other_readers(pages: Pages) -> None:
    """A second time changes nothing, whichever article of the story it is said of."""
    one, two = (f"/articles/{number(pages, title)}" for title in (FIRST, SECOND))
    assert pages.post(f"{one}/acknowledge", {}) == f"{one}?said=acknowledged"
    assert pages.post(f"{two}/acknowledge", {}) == f"{two}?said=acknowledged_before"
    assert "Acknowledged by desk" in text(pages.get(two))
    assert "Acknowledged by desk" in text(pages.get("/"))
    assert rows(pages, "SELECT recipient, state FROM delivery WHERE collects = 'notice'") == [("log:log", "open")]
    assert rows(pages, AUDIT) == [("desk", "acknowledge", f"article {number(pages, FIRST)}", "")]


def test_a_story_is_muted_for_so_many_days(pages: Pages) -> None:
    one = f"/articles/{number(pages, FIRST)}"
    assert pages.post(f"{one}/mute", {"days": "7"}) == f"{one}?said=muted"
    assert pages.post(f"{one}/mute", {"days": "1"}) == f"{one}?said=muted_before"
    assert "The story is muted, by desk, until" in text(pages.get(one))
    assert rows(pages, "SELECT story_id, author FROM silence") == [(1, "desk")]
    assert [row[1:3] for row in rows(pages, AUDIT)] == [("mute story", "story 1")]


@pytest.mark.parametrize(
    ("title", "form", "fields"),
    [
        (FIRST, "label", {"rule": "gone", "judgement": "noise"}),
        (FIRST, "label", {"rule": "visit", "judgement": "so so"}),
        (FIRST, "mute", {"days": "10000"}),
        (FIRST, "mute", {}),
        (ALONE, "mute", {"days": "7"}),
    ],
    ids=["a rule that is none", "a judgement that is none", "a mute for ever", "a mute of no time", "no story"],
)
def test_what_no_form_of_ours_asks_changes_nothing(pages: Pages, title: str, form: str, fields: dict[str, str]) -> None:
    pages.post(f"/articles/{number(pages, title)}/{form}", fields, 404)
    assert rows(pages, AUDIT) == []


def test_a_reader_sees_all_and_changes_nothing(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.console.asking.caller", lambda *_: Caller(name="lea", role=Role.READER))
    one = number(pages, FIRST)
    for path in ("/", f"/articles/{one}", "/stories/1", "/missed?since=2026-02-06"):
        assert not pages.get(path).xpath("//main//form[@method='post']")
    for path in (f"/articles/{one}/acknowledge", "/stories/1/merge", "/missed/send"):
        assert "role" in pages.post(path, {"other": "3", "target": "log"}, 403)
    assert rows(pages, AUDIT) == []


@pytest.mark.parametrize("form", ["note", "label", "acknowledge", "mute"])
def test_w02_a_form_of_another_page_changes_nothing(pages: Pages, form: str) -> None:
    fields = {"text": "x", "rule": "visit", "judgement": "noise", "days": "7"}
    address = f"/articles/{number(pages, FIRST)}/{form}"
    assert pages.ask("POST", address, fields, Origin="https://evil.example").status_code == 403
    assert pages.ask("GET", address).status_code in (404, 405)
    assert rows(pages, AUDIT) == []


@pytest.mark.parametrize(
    ("body", "marked", "found"),
    [
        pytest.param("", [], [], id="no text"),
        pytest.param("un\n\ndeux", [(4, 8)], [("un", ()), ("deux", ((0, 4),))], id="in the second"),
        pytest.param("un\ndeux", [(1, 5)], [("un", ((1, 2),)), ("deux", ((0, 2),))], id="over both"),
    ],
)
def test_marks_follow_their_paragraph(body: str, marked: list[tuple[int, int]], found: list[tuple]) -> None:
    assert paragraphs(body, marked) == [Passage(text=one, marks=some) for one, some in found]


def test_it_says_who_has_it(pages: Pages) -> None:
    with pages.store.write() as tx:
        given = people.HandOver(
            article_id=number(pages, OTHER), author="ana", person="bo", note="", created=pages.desk.clock()
        )
        people.hand_over(tx, given)
    assert "Handed over to bo" in text(article(pages, OTHER))
