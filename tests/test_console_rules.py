"""The rules' pages: the list, the workbench, and saving through the gate."""

import json
import os
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from consoles import Pages, sampled, text
from lxml import html

from worker import config
from worker.console.access import Caller
from worker.console.views import history
from worker.console.views.workbench import Draft, Trial, check, ruleset_of
from worker.errors import Problem
from worker.model import Judgement
from worker.runtime.load import load
from worker.store import articles, judgements, people, silences, upkeep
from worker.store.people import Role
from worker.store.silences import Silence

RULES = """\
# Ours.
[set.hun_sen]
kind = "person"
terms = ["Hun Sen"]

[[rule]]
id = "visit"
name = "Une visite de Hun Sen"   # as it is called
severity = "high"
# Where he goes.
when = '''
  @hun_sen NEAR/12 (=visite OR =déplacement)
'''
max_age = "400d"
[[rule.test]]
title = "Hun Sen en visite"
published = 2026-01-02

[[rule]]
id = "boulevard"
name = "Un <b>boulevard</b>"
when = "=boulevard"

# Waves.
[[rule]]
id = "wave"
any = ["Hanoï", "visite"]   # words
[rule.volume]
at_least = 2   # stories
per = "6h"
[[rule.test]]
title = "Hanoï"

[[exclusion]]
id = "none"
when = "football"
applies_to = ["boulevard"]
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with sampled(tmp_path_factory.mktemp("rules"), rules=RULES) as found:
        yield found


def folder(pages: Pages) -> Path:
    return pages.live.config.rules_folder


def fields(page: html.HtmlElement) -> dict[str, str]:
    """The fields of the page's own form, as a browser would send them."""
    (form,) = (one for one in page.forms if one.get("id") in ("workbench", "review"))
    # A browser drops the line break behind the tag of a text area, which is there to be dropped.
    areas = {area.name for area in form.iter("textarea")}
    values = ((name, value or "") for name, value in form.form_values())
    return {name: value.removeprefix("\n") if name in areas else value for name, value in values}


def problems(text_of_page: str) -> str:
    page = html.document_fromstring(text_of_page)
    return "\n".join(one.text_content() for one in page.find_class("problem"))


# --- the list ------------------------------------------------------------------------------------------------------


def test_the_list_says_of_each_rule_how_it_does(pages: Pages) -> None:
    with pages.store.write() as tx:
        (article, *_) = [one.id for one in articles.newest(tx, limit=50, containing="visite hanoi")]
        judgements.judge(tx, article, "visit", Judgement.RELEVANT, pages.desk.clock())
    page = pages.get("/rules")
    rows = {text(row.find_class("title")[0]): text(row) for row in page.iter("tr") if row.find_class("title")}
    assert list(rows) == ["Une visite de Hun Sen", "Un <b>boulevard</b>", "wave"]
    assert "100 % (1)" in rows["Une visite de Hun Sen"]
    assert "rules.toml" in rows["Une visite de Hun Sen"]
    assert page.find_class("spark")


def test_files_that_are_refused_stand_on_top(pages: Pages) -> None:
    problem = Problem(file="x.toml", line=3, message="`whn` is no <key>", fix="write when")
    state = upkeep.InForce(
        owner="w", hash="h", rules=1, since=pages.desk.clock(), read=pages.desk.clock(), problems=(problem,)
    )
    with pages.store.write() as tx:
        upkeep.put_in_force(tx, state)
    try:
        assert "x.toml:3: `whn` is no <key>" in text(pages.get("/rules").find_class("problem")[0])
    finally:
        with pages.store.write() as tx:
            upkeep.rest(tx, "w")


# --- the workbench -------------------------------------------------------------------------------------------------


def test_the_form_holds_what_the_file_says(pages: Pages) -> None:
    found = fields(pages.get("/rules/visit"))
    assert (found["id"], found["name"], found["severity"]) == ("visit", "Une visite de Hun Sen", "high")
    assert found["when"].strip() == "@hun_sen NEAR/12 (=visite OR =déplacement)"
    assert found["test-0-title"] == "Hun Sen en visite"
    assert fields(pages.get("/rules/new?query=hun+AND+sen"))["when"] == "hun AND sen"
    assert "max_age" in pages.get("/rules/visit").text_content()


@pytest.mark.parametrize(
    "address",
    ["/rules/nosuch", "/rules/..%2f..%2fx", "/rules/../../x", "/rules/A", "/rules/a%0a", "/rules/" + "a" * 65],
)
def test_w04_an_id_that_no_rule_has_is_not_there(pages: Pages, address: str) -> None:
    assert pages.ask("GET", address).status_code == 404


def checked(pages: Pages, **form: str) -> dict:
    return json.loads(pages.post("/rules/check", {"tests": "0", **form}, 200))


def test_a_mistake_has_its_caret_while_it_is_typed(pages: Pages) -> None:
    found = checked(pages, when="pont NEAR/5\n  @hun_senn")
    assert not found["ok"]
    assert "did you mean @hun_sen?" in found["html"]
    (pointed,) = html.fragment_fromstring(f"<div>{found['html']}</div>").find_class("pointed")
    assert pointed.text_content() == "  @hun_senn\n  ^^^^^^^^^"
    assert found["marks"] == [[14, 23]]
    assert checked(pages, when="\U0001f600 NEAR/5 pont")["marks"] == [[0, 2]]


def test_tests_run_with_each_check(pages: Pages) -> None:
    form = {"tests": "2", "test-0-title": "Un pont", "test-1-title": "Une route", "test-1-match": "no"}
    assert "All 2 tests hold" in checked(pages, when="=pont", **form)["html"]
    failed = checked(pages, when="=route", **form)["html"]
    assert "2 tests of 2 fail" in failed
    assert "Un pont" in failed


@pytest.mark.parametrize(
    "when",
    [
        pytest.param("(" * 9_000 + "a", id="deep"),
        pytest.param("pont " * 5_000, id="long"),
        pytest.param("x" * 900_000, id="very long"),
        pytest.param("/(a+)+$/ OR /((a*)*)*b/", id="regex"),
        pytest.param("/" + "a{1000}" * 200 + "/", id="a regex that is too large"),
        pytest.param("", id="empty"),
        pytest.param("NOT pont", id="without words"),
        pytest.param("\x00\ud7ff AND \U0010ffff", id="strange letters"),
    ],
)
def test_no_query_holds_up_the_workbench(pages: Pages, when: str) -> None:
    """It is answered, by its mistakes or as it is."""
    assert checked(pages, when=when)["html"]
    pages.post("/rules/history", {"when": when, "tests": "0"}, 200)
    assert pages.ask("POST", "/rules/check", {"when": when * 12}, Origin=pages.base).status_code in (200, 413)


def steps(pages: Pages, **form: str) -> list[dict]:
    lines = pages.post("/rules/history", {"tests": "0", **form}, 200)
    return [json.loads(line) for line in lines.splitlines()]


def test_history_shows_what_a_draft_gains_and_loses(pages: Pages) -> None:
    """A bar a day, the articles with their marks, the alerts of each target, and what came near."""
    *_, last = steps(pages, was="visit", id="visit", when="=boulevard OR (@hun_sen NEAR/2 =déplacement)")
    assert last["done"]
    shown = html.fragment_fromstring(f"<div>{last['html']}</div>")
    assert shown.find_class("bars")
    gained, lost = (text(shown.find_class(f"articles-{kind}")[0]) for kind in ("gained", "lost"))
    assert "boulevard Samdech" in gained
    assert "attendu à Hanoï" in lost
    assert any(text(mark) == "boulevard" for mark in shown.iter("mark"))
    assert any(text(row).startswith("log") for row in shown.iter("tr"))


def test_near_misses_say_what_was_missing(pages: Pages) -> None:
    *_, last = steps(pages, id="new", when="@hun_sen NEAR/0 =Hanoï")
    near = text(html.fragment_fromstring(f"<div>{last['html']}</div>").find_class("near")[0])
    assert "stand 2 words too far apart for NEAR/0" in near


@pytest.mark.parametrize(
    "when", ["@hun_sen NEAR/12 (=visite OR =déplacement)", "=boulevard", "/(?i)hanoi|hanoï/", "pont"]
)
def test_a_trial_matches_and_tells_as_a_backtest_does(pages: Pages, when: str) -> None:
    """By the index it reads less, and finds the same."""
    now = pages.desk.clock()
    since = now - timedelta(days=90)
    rule = check(pages.live, Draft(was="visit", id="visit", severity="high", when=when), now).rule
    assert rule is not None
    trial = Trial(store=pages.store, live=pages.live, rule=rule, before=None, since=since, now=now)
    assert [step.is_done for step in trial.run()][-1]
    found = trial.facts()
    from dataclasses import replace

    with pages.store.read() as tx:
        whole = replace(pages.live, ruleset=ruleset_of(pages.live.ruleset, rule))
        expected = history.backtest(history.Past(tx=tx, since=since), whole, "visit")
    assert {one["article"] for one in found["articles"]["both"]} == {one["article"] for one in expected["articles"]}
    assert {target: new for target, _, new in found["targets"]} == expected["alerts_by_target"]
    assert found["progress"].total <= expected["texts"]


def test_without_script_the_whole_answer_is_a_page(pages: Pages) -> None:
    form = fields(pages.get("/rules/visit")) | {"when": "=boulevard"}
    page = html.document_fromstring(pages.post("/rules/visit/try", form, 200))
    assert page.find_class("bars")
    assert "1 test of 1 fails" in text(page)
    assert fields(page)["when"] == "=boulevard"


# --- saving --------------------------------------------------------------------------------------------------------


def saved(pages: Pages, form: dict[str, str]) -> str:
    """Review, then save, as the page asks for."""
    shown = html.document_fromstring(pages.post(f"/rules/{form['was'] or 'new'}/review", form, 200))
    return pages.post(f"/rules/{form['was'] or 'new'}/save", fields(shown))


def test_a_change_is_shown_then_saved_with_all_remarks(pages: Pages) -> None:
    form = fields(pages.get("/rules/visit")) | {"name": "Visites", "when": "@hun_sen NEAR/9 (=visite OR =séjour)"}
    shown = html.document_fromstring(pages.post("/rules/visit/review", form, 200))
    diff = shown.find_class("diff")[0]
    assert next(text(line) for line in diff.find_class("less")) == '-name = "Une visite de Hun Sen" # as it is called'
    assert (folder(pages) / "rules.toml").read_text(encoding="utf-8") == RULES
    assert pages.post("/rules/visit/save", fields(shown)) == "/rules/visit?said=rule_saved"
    new = (folder(pages) / "rules.toml").read_text(encoding="utf-8")
    assert new == RULES.replace('"Une visite de Hun Sen" ', '"Visites" ').replace(
        "'''\n  @hun_sen NEAR/12 (=visite OR =déplacement)\n'''", '"@hun_sen NEAR/9 (=visite OR =séjour)"'
    )
    with pages.store.read() as tx:
        change = people.changes(tx, limit=1)[0]
    assert (change.author, change.action, change.subject) == ("desk", "rule saved", "rule visit")
    waiting = pages.get("/rules/visit?said=rule_saved")
    assert waiting.get_element_by_id("state").get("data-state") == "waiting"
    pages.live = load(pages.live.config.path)
    assert 'data-state="in_force"' in pages.ask("GET", "/rules/visit/state").text
    row = next(row for row in pages.get("/rules").iter("tr") if "Visites" in text(row))
    assert "desk" in text(row)


def test_nothing_changed_is_nothing_saved(pages: Pages) -> None:
    page = html.document_fromstring(pages.post("/rules/visit/review", fields(pages.get("/rules/visit")), 200))
    assert "Nothing differs" in text(page)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_new_rule_goes_to_a_file_of_its_own_name(pages: Pages, line_end: str) -> None:
    form = fields(pages.get("/rules/new?query=pont")) | {"id": "ponts", "name": "Ponts «neufs»"}
    form |= {"when": f"pont{line_end}OR passerelle", "test-0-title": "Un pont", "test-0-match": "yes"}
    assert saved(pages, form) == "/rules/ponts?said=rule_saved"
    (rule,) = tomllib.loads((folder(pages) / "ponts.toml").read_text(encoding="utf-8"))["rule"]
    assert rule["when"] == "pont\nOR passerelle\n"
    assert rule["test"] == [{"title": "Un pont", "match": True}]
    assert load(pages.live.config.path).ruleset.rules


def test_a_new_rule_goes_to_a_chosen_file(pages: Pages) -> None:
    form = fields(pages.get("/rules/new?query=pont")) | {"id": "ponts", "file": "rules.toml"}
    assert saved(pages, form)
    assert (folder(pages) / "rules.toml").read_text(encoding="utf-8").startswith(RULES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"when": "@nosuch"}, "rules.toml:11:9: no set is called @nosuch", id="a set"),
        pytest.param({"when": "=pont"}, "a test of `visit` fails", id="a test that fails"),
        pytest.param({"id": "boulevard"}, "two rules have the id `boulevard`", id="an id twice"),
        pytest.param({"id": "../../x"}, "is no `id`", id="an id that is a path"),
        pytest.param({"severity": "loud"}, "'loud' is no `severity`", id="a severity"),
        pytest.param({"languages": "french"}, "languages", id="a language"),
        pytest.param({"tags": "nosuch"}, "nosuch", id="a tag that no feed has"),
        pytest.param({"when": ""}, "the rule asks for nothing", id="no query"),
    ],
)
def test_what_the_gate_refuses_is_not_saved(pages: Pages, change: dict[str, str], said: str) -> None:
    """Neither at the review nor by a form that skips it; the text says where, and what is in the form stays."""
    form = fields(pages.get("/rules/visit")) | change
    for step in ("review", "save"):
        page = pages.post(f"/rules/visit/{step}", form, 422)
        assert said in problems(page)
        assert fields(html.document_fromstring(page)) | {"digest": ""} == form | {"digest": ""}
    assert (folder(pages) / "rules.toml").read_text(encoding="utf-8") == RULES


@pytest.mark.parametrize("name", ["../x.toml", "/etc/x.toml", ".x.toml", "a/b", "x y"])
def test_w04_a_new_rule_stays_in_the_folder(pages: Pages, name: str) -> None:
    form = fields(pages.get("/rules/new?query=pont")) | {"id": "ponts", "file": name}
    assert "no name for a file" in problems(pages.post("/rules/new/save", form, 422))
    assert [path.name for path in folder(pages).iterdir()] == ["rules.toml"]


def test_a_link_out_of_the_folder_is_refused(pages: Pages, tmp_path: Path) -> None:
    (tmp_path / "out.toml").write_text('[[rule]]\nid = "out"\nwhen = "pont"\n')
    (folder(pages) / "link.toml").symlink_to(tmp_path / "out.toml")
    assert "leaves the folder" in text(pages.get("/rules/out"))
    form = fields(pages.get("/rules/new?query=pont")) | {"id": "out"}
    assert "leaves the folder" in problems(pages.post("/rules/new/save", form, 422))


def test_w06_a_file_changed_meanwhile_is_shown_and_not_overwritten(pages: Pages) -> None:
    """The text in the form stays, and the next review is against the file as it is now."""
    form = fields(pages.get("/rules/visit")) | {"severity": "low"}
    shown = fields(html.document_fromstring(pages.post("/rules/visit/review", form, 200)))
    theirs = RULES.replace("NEAR/12", "NEAR/20")
    (folder(pages) / "rules.toml").write_text(theirs, encoding="utf-8")
    for step in ("review", "save"):
        page = pages.post(f"/rules/visit/{step}", shown, 409)
        assert "changed by somebody else" in problems(page)
        assert "NEAR/20" in problems(page)
    assert (folder(pages) / "rules.toml").read_text(encoding="utf-8") == theirs
    again = fields(html.document_fromstring(page))
    assert again["severity"] == "low"
    assert saved(pages, again)


def test_a_rule_that_is_gone_meanwhile_is_said(pages: Pages) -> None:
    form = fields(pages.get("/rules/boulevard"))
    (folder(pages) / "rules.toml").write_text(RULES[: RULES.index('[[rule]]\nid = "boulevard"')], encoding="utf-8")
    assert "changed by somebody else" in problems(pages.post("/rules/boulevard/save", form, 409))


def test_a_folder_that_may_not_be_written_gives_the_text_to_copy(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    form = fields(pages.get("/rules/visit")) | {"severity": "low"}
    monkeypatch.setattr(os, "access", lambda *_: False)
    page = html.document_fromstring(pages.post("/rules/visit/review", form, 200))
    assert "may not write" in text(page)
    assert 'severity = "low"' in page.get_element_by_id("copy").value
    assert "Save" not in [text(button) for button in page.iter("button")]

    def refused(*_: object, **__: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refused)
    assert "Read-only file system" in problems(pages.post("/rules/visit/save", form, 422))


@pytest.mark.parametrize("path", ["/rules/check", "/rules/history", "/rules/visit/review", "/rules/visit/save"])
def test_w02_no_other_site_may_ask(pages: Pages, path: str) -> None:
    assert pages.ask("POST", path, {"when": "pont"}, Origin="http://evil.example").status_code == 403


@pytest.mark.parametrize("language", ["fr", "en"])
def test_both_languages(pages: Pages, language: str) -> None:
    pages.cookies.set("language", language)
    before = config.look(folder(pages))
    try:
        for address in ("/rules", "/rules/visit", f"/rules/new?{urlencode({'query': 'pont'})}"):
            assert pages.get(address).get("lang") == language
        form = fields(pages.get("/rules/visit")) | {"when": "@hun_sen NEAR/0 =Hanoï", "test-0-title": ""}
        assert html.document_fromstring(pages.post("/rules/visit/try", form, 200)).get("lang") == language
        assert html.document_fromstring(pages.post("/rules/visit/review", form, 200)).get("lang") == language
        assert re.search("[a-z]", pages.post("/rules/visit/review", form | {"when": "@x"}, 422))
        assert config.look(folder(pages)) == before
    finally:
        pages.cookies.clear()


def test_a_reader_sees_rules_and_changes_none(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    form = fields(pages.get("/rules/visit"))
    monkeypatch.setattr("worker.console.access.ANYBODY", Caller(name="lea", role=Role.READER))
    page = pages.get("/rules/visit")
    assert "not change them" in text(page)
    assert "See the change" not in [text(button) for button in page.iter("button")]
    assert not list(page.get_element_by_id("main").iter("input", "textarea", "select"))
    assert "@hun_sen NEAR/12" in text(page)
    assert "at_least" in text(pages.get("/rules/wave"))
    for step in ("/rules/check", "/rules/history", "/rules/visit/try", "/rules/visit/review", "/rules/visit/save"):
        pages.post(step, form, 403)


# --- the whole rule as text ----------------------------------------------------------------------------------------


def test_what_the_form_cannot_hold_is_a_text(pages: Pages) -> None:
    """A rule with a volume, or without a query of its own; any other one too, where it is asked for."""
    found = fields(pages.get("/rules/wave"))
    assert found["text"].startswith('# Waves.\n[[rule]]\nid = "wave"')
    assert "exclusion" not in found["text"]
    assert "text" not in fields(pages.get("/rules/visit"))
    assert 'max_age = "400d"' in fields(pages.get("/rules/visit?as=text"))["text"]
    assert fields(pages.get("/rules/new?as=text&query=pont"))["text"].endswith('when = "pont"\n')


def test_the_whole_rule_is_saved_as_it_is_written(pages: Pages) -> None:
    """By the same gate; all other lines stay."""
    form = fields(pages.get("/rules/wave"))
    form["text"] = form["text"].replace("at_least = 2", "at_least = 3").replace("# words", "# the words")
    assert saved(pages, form) == "/rules/wave?said=rule_saved"
    expected = RULES.replace("at_least = 2", "at_least = 3").replace("# words", "# the words")
    assert (folder(pages) / "rules.toml").read_text(encoding="utf-8") == expected
    new = fields(pages.get("/rules/new?as=text")) | {"text": '[[rule]]\nid = "ponts"\nany = ["pont"]\n'}
    assert saved(pages, new) == "/rules/ponts?said=rule_saved"
    assert (folder(pages) / "ponts.toml").read_text(encoding="utf-8") == new["text"]


@pytest.mark.parametrize(
    ("old", "new", "said", "place"),
    [
        pytest.param("at_least = 2", "at_lest = 2", "unknown key `at_lest`", "at_lest = 2   # stories", id="a key"),
        pytest.param('"visite"]', '"visite]', "not valid TOML", 'any = ["Hanoï", "visite]   # words', id="TOML"),
        pytest.param('"Hanoï",', '"@nosuch",', "no set is called @nosuch", 'any = ["@nosuch"', id="a set"),
        pytest.param("[[rule]]", '[set.x]\nterms = ["y"]\n[[rule]]', "this is not one rule", "", id="a set beside it"),
    ],
)
def test_a_mistake_in_a_text_has_its_line_and_caret(pages: Pages, old: str, new: str, said: str, place: str) -> None:
    """While it is typed and when it is refused, by the line of the file; nothing is saved."""
    form = fields(pages.get("/rules/wave"))
    form["text"] = form["text"].replace(old, new, 1)
    found = checked(pages, **form)
    shown = html.fragment_fromstring(f"<div>{found['html']}</div>")
    assert said in text(shown)
    assert not found["ok"]
    if place:
        number = 1 + next(at for at, line in enumerate(RULES.replace(old, new, 1).split("\n")) if place in line)
        assert f"Line {number}" in text(shown)
        start, end = found["marks"][0]
        assert form["text"][start:end] in place
    page = pages.post("/rules/wave/review", form, 422)
    assert said in problems(page)
    assert fields(html.document_fromstring(page))["text"] == form["text"]
    assert (folder(pages) / "rules.toml").read_text(encoding="utf-8") == RULES


def test_a_text_is_tried_on_history(pages: Pages) -> None:
    form = fields(pages.get("/rules/wave"))
    form["text"] = form["text"].replace('"visite"', '"=boulevard"')
    *_, last = steps(pages, **form)
    assert last["done"]
    assert (
        "boulevard"
        in html.fragment_fromstring(f"<div>{last['html']}</div>").find_class("articles-gained")[0].text_content()
    )


# --- removed, and switched off -------------------------------------------------------------------------------------


def acted(pages: Pages, rule: str, act: str) -> str:
    """Buttons of a rule's page: the change is shown, then made."""
    (form,) = (one for one in pages.get(f"/rules/{rule}").forms if "acts" in one.getparent().get("class", ""))
    shown = html.document_fromstring(pages.post(form.action, {**dict(form.form_values()), "act": act}, 200))
    assert shown.find_class("diff")
    return pages.post(f"/rules/{rule}/save", fields(shown))


def test_a_rule_is_switched_off_and_on(pages: Pages) -> None:
    """It stands in its file, and matches nothing; who did it stands in the audit."""
    assert acted(pages, "boulevard", "off") == "/rules/boulevard?said=rule_off"
    pages.live = load(pages.live.config.path)
    assert [rule.id for rule in pages.live.ruleset.rules] == ["visit", "wave"]
    assert "matches nothing" in text(pages.get("/rules/boulevard").get_element_by_id("state"))
    row = next(row for row in pages.get("/rules").iter("tr") if "boulevard" in text(row))
    assert "off" in [text(tag) for tag in row.find_class("tag")]
    assert "boulevard" in pages.get("/alerts/ledger").xpath("//option/@value")
    assert "boulevard" in pages.get("/alerts/silences").xpath("//option/@value")
    with pages.store.read() as tx:
        change = people.changes(tx, limit=1)[0]
    assert (change.author, change.subject) == ("desk", "rule boulevard")
    assert change.detail.startswith("switched off")
    assert acted(pages, "boulevard", "on") == "/rules/boulevard?said=rule_on"
    assert (folder(pages) / "rules.toml").read_text(encoding="utf-8") == RULES


def test_a_rule_is_removed(pages: Pages) -> None:
    """With its remarks; the last one takes its file along."""
    assert acted(pages, "wave", "remove") == "/rules?said=rule_removed"
    new = (folder(pages) / "rules.toml").read_text(encoding="utf-8")
    assert new == RULES.replace(RULES[RULES.index("# Waves.") : RULES.index("[[exclusion]]")], "")
    with pages.store.read() as tx:
        assert people.changes(tx, limit=1)[0].action == "rule removed"
    (folder(pages) / "one.toml").write_text('[[rule]]\nid = "one"\nwhen = "pont"\n', encoding="utf-8")
    acted(pages, "one", "remove")
    assert [path.name for path in folder(pages).iterdir()] == ["rules.toml"]


@pytest.mark.parametrize("act", ["off", "remove"])
def test_w06_a_file_changed_meanwhile_keeps_its_rule(pages: Pages, act: str) -> None:
    (form,) = (one for one in pages.get("/rules/wave").forms if "acts" in one.getparent().get("class", ""))
    shown = fields(html.document_fromstring(pages.post(form.action, {**dict(form.form_values()), "act": act}, 200)))
    theirs = RULES.replace("NEAR/12", "NEAR/20")
    (folder(pages) / "rules.toml").write_text(theirs, encoding="utf-8")
    assert "changed by somebody else" in problems(pages.post("/rules/wave/save", shown, 409))
    assert (folder(pages) / "rules.toml").read_text(encoding="utf-8") == theirs


def test_what_others_name_is_not_removed(pages: Pages) -> None:
    """The gate says who."""
    (form,) = (one for one in pages.get("/rules/boulevard").forms if "acts" in one.getparent().get("class", ""))
    page = pages.post(form.action, {**dict(form.form_values()), "act": "remove"}, 422)
    assert "no rule has the id `boulevard`" in problems(page)
    assert fields(html.document_fromstring(page))["id"] == "boulevard"


def test_a_rule_that_is_off_is_tried_as_it_is_written(pages: Pages) -> None:
    """With what the form does not show; the workbench compares it with nothing, as nothing is in force."""
    (folder(pages) / "rules.toml").write_text(RULES.replace('id = "visit"', 'id = "visit"\nenabled = false'), "utf-8")
    pages.live = load(pages.live.config.path)
    rule = check(pages.live, Draft(was="visit", id="visit", when="=boulevard"), pages.desk.clock()).rule
    assert rule is not None
    assert rule.max_age == timedelta(days=400)
    row = next(row for row in pages.get("/rules").iter("tr") if "Une visite" in text(row))
    assert "✓" not in text(row), "its tests are not run"
    *_, last = steps(pages, was="visit", id="visit", when="=boulevard")
    assert not html.fragment_fromstring(f"<div>{last['html']}</div>").find_class("articles-gained")


# --- silences, and what a draft is shown with ----------------------------------------------------------------------


def test_a_silence_in_force_is_shown_where_its_rule_is(pages: Pages) -> None:
    """On the list, on the rule's page and on Today: until when, by whom, what for; also one of a set that it names."""
    now = pages.desk.clock()
    with pages.store.write() as tx:
        for what in ({"rule_id": "boulevard"}, {"set_name": "hun_sen"}):
            one = Silence(until=now + timedelta(hours=3), author="lea", reason="<known>", created=now, **what)
            silences.add(tx, one)
    for address in ("/rules/boulevard", "/rules/visit", "/rules", "/"):
        said = next(one for one in pages.get(address).find_class("waiting") if "silenced until" in text(one))
        assert "lea" in text(said)
        assert "<known>" in text(said)
        (link,) = (one for one in said.iter("a") if "End it" in text(one))
        assert pages.get("/alerts/silences").get_element_by_id(link.get("href").partition("#")[2]) is not None
    assert "silenced until" not in text(pages.get("/rules/wave"))


def test_nothing_is_wrong_before_anything_is_written(pages: Pages) -> None:
    assert checked(pages, when="  ") == {
        "html": checked(pages, when="")["html"],
        "marks": [],
        "ok": False,
        "failing": [],
    }
    assert "problem" not in checked(pages, when="")["html"]
    assert "problem" not in checked(pages, **{"as": "text", "text": ""})["html"]


def test_a_test_that_fails_is_open(pages: Pages) -> None:
    """The nearest miss is no fix, and is not called one."""
    form = fields(pages.get("/rules/visit")) | {"when": "@hun_sen NEAR/5 =boulevard"}
    assert checked(pages, **form)["failing"] == [0]
    page = html.document_fromstring(pages.post("/rules/visit/draft", form, 200))
    assert [one.get("open") is not None for one in page.find_class("test")] == [True, False]
    refused = problems(pages.post("/rules/visit/review", form, 422))
    assert "a test of `visit` fails" in refused
    assert "is absent" in refused
    assert "fix:" not in refused


def test_what_a_query_may_use_is_listed(pages: Pages) -> None:
    page = pages.get("/rules/visit")
    listed = {
        one.get("data-name"): text(one.getparent().getparent()) for one in page.iter("code") if one.get("data-name")
    }
    assert "Hun Sen" in listed["@hun_sen"]
    assert {"NEAR/5", "title:", "AND"} <= listed.keys()
