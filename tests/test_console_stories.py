"""A story's page: its time line, and the corrections that people make of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from consoles import Pages, text
from readings import ALONE, COPY, FIRST, HARVEST, HOSTILE, OTHER, SECOND, filled, number, rows, story

from worker.console.drawing import LANGUAGES, words
from worker.pipeline.story_corrections import Refused

AUDIT = "SELECT author, action, subject, detail FROM audit"


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    made = filled(tmp_path)
    yield made
    made.close()


def test_a_story_is_its_articles_by_time(pages: Pages) -> None:
    """Each with its outlet, what it is a copy of, the words that matched and what was sent."""
    page = pages.get(f"/stories/{story(pages, FIRST)}")
    first, second, copy = page.xpath("//ol[@class='rows']/li")
    assert [text(one.find(".//a")) for one in (first, second, copy)] == [FIRST, SECOND, COPY]
    assert "sent to log" in text(second)
    assert f"Le Courrier · copy of {FIRST} (Le Fil)" in text(copy)
    assert "not sent to log: a copy" in text(copy)
    assert [text(mark) for mark in second.xpath(".//mark")] == ["Hun", "Sen", "visite"]
    assert "3 articles" in text(page.find(".//main"))


def test_a_copy_whose_original_is_in_no_list_names_it(pages: Pages) -> None:
    """By title and outlet; and a decision names its article."""
    (one,) = pages.get(f"/stories/{story(pages, FIRST)}").xpath("//form[contains(@action, 'split')]//select")
    with pages.store.write() as tx:
        tx.exec_driver_sql(f"UPDATE article SET of_id = {number(pages, HARVEST)} WHERE title = '{SECOND}'")
    assert f"copy of {HARVEST} (Le Fil)" in text(pages.get(f"/stories/{story(pages, FIRST)}"))
    moved = {"article": str(number(pages, SECOND)), "to": str(story(pages, OTHER))}
    where = pages.post(one.getparent().getparent().get("action").replace("split", "move"), moved)
    assert f"Article “{SECOND}” was moved" in text(pages.get(where))


def test_the_notes_of_its_articles_stand_there(pages: Pages) -> None:
    pages.post(f"/articles/{number(pages, SECOND)}/note", {"text": "<b>À suivre</b>"})
    (note,) = pages.get(f"/stories/{story(pages, FIRST)}").find_class("note")
    assert text(note).startswith("<b>À suivre</b> desk")


def test_a_weak_likeness_is_offered_on_both_pages_and_merged(pages: Pages) -> None:
    """The merged story leads to the one that it became."""
    one, other = story(pages, FIRST), story(pages, OTHER)
    with pages.store.write() as tx:
        tx.exec_driver_sql(f"UPDATE story SET perhaps_id = {one}, perhaps_why = 'They share <x>' WHERE id = {other}")
    assert OTHER in text(pages.get(f"/stories/{one}").find(".//aside"))
    beside = pages.get(f"/stories/{other}").find(".//aside")
    assert "They share <x>" in text(beside)
    (form,) = beside.xpath(".//form[contains(@action, 'merge')][.//input[@type='hidden']]")
    fields = {field.get("name"): field.get("value") for field in form.xpath(".//input")}
    assert pages.post(form.get("action"), fields) == f"/stories/{one}?said=merged"
    moved = pages.ask("GET", f"/stories/{other}")
    assert (moved.status_code, moved.headers["location"]) == (303, f"/stories/{one}")
    assert "Story 3 was merged into story 1, desk" in text(pages.get(f"/stories/{one}"))
    assert [row[:3] for row in rows(pages, AUDIT)] == [("desk", "story merge", f"story {other}")]


def test_a_weak_likeness_is_taken_back(pages: Pages) -> None:
    one, other = story(pages, FIRST), story(pages, OTHER)
    with pages.store.write() as tx:
        tx.exec_driver_sql(f"UPDATE story SET perhaps_id = {one} WHERE id = {other}")
    form = {"article": str(number(pages, OTHER))}
    assert pages.post(f"/stories/{other}/split", form) == f"/stories/{other}?said=parted"
    assert "Perhaps the same story" not in text(pages.get(f"/stories/{other}"))


def test_an_article_is_split_off_with_its_reason(pages: Pages) -> None:
    one = story(pages, FIRST)
    form = {"article": str(number(pages, SECOND)), "note": "autre <affaire>"}
    where = pages.post(f"/stories/{one}/split", form)
    assert where == f"/stories/{story(pages, SECOND)}?said=split"
    assert "autre <affaire>" in text(pages.get(where))
    assert SECOND not in text(pages.get(f"/stories/{one}").find(".//ol"))


def test_an_article_is_moved(pages: Pages) -> None:
    form = {"article": str(number(pages, SECOND)), "to": str(story(pages, OTHER))}
    assert pages.post(f"/stories/{story(pages, FIRST)}/move", form) == f"/stories/{story(pages, OTHER)}?said=moved"
    assert story(pages, SECOND) == story(pages, OTHER)
    assert [row[1] for row in rows(pages, AUDIT)] == ["story move"]


@pytest.mark.parametrize(
    ("form", "fields", "said"),
    [
        ("merge", {"other": "99"}, "There is no story of that number."),
        ("merge", {"other": "1"}, "It is one story already."),
        ("merge", {"other": "x"}, "There is no story of that number."),
        ("split", {"article": ALONE}, "The article belongs to no story."),
        ("split", {"article": OTHER}, "The article is alone in its story"),
        ("move", {"article": SECOND, "to": "99"}, "There is no story of that number."),
    ],
)
def test_what_cannot_be_done_is_said(pages: Pages, form: str, fields: dict[str, str], said: str) -> None:
    """And nothing is changed, nor written down."""
    if "article" in fields:
        fields = fields | {"article": str(number(pages, fields["article"]))}
    assert said in pages.post(f"/stories/1/{form}", fields, 409)
    assert rows(pages, AUDIT) == []


def test_every_answer_has_its_words() -> None:
    said = {"noted", "labelled", "acknowledged", "acknowledged_before", "muted", "muted_before"}
    said |= {"merged", "split", "parted", "moved", "sent"}
    for language in LANGUAGES:
        assert not said - set(words(language).said._found)  # type: ignore[union-attr]
        assert not {reason.name for reason in Refused} - set(words(language).story.refused._found)  # type: ignore[union-attr]


def test_long_stories_are_cut(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.console.pages.stories._LINES", 2)
    page = pages.get(f"/stories/{story(pages, FIRST)}")
    assert len(page.xpath("//ol[@class='rows']/li")) == 2
    assert "The list ends" in text(page)


def test_a_hostile_title_is_text(pages: Pages) -> None:
    with pages.store.write() as tx:
        tx.exec_driver_sql("UPDATE story SET title = (SELECT title FROM article WHERE title LIKE '<script>%')")
    page = pages.get(f"/stories/{story(pages, FIRST)}")
    assert text(page.find(".//h1")) == HOSTILE
    assert len(page.xpath("//script")) == 1


def test_a_french_page_is_french(pages: Pages) -> None:
    said = text(pages.get(f"/stories/{story(pages, FIRST)}", **{"Accept-Language": "fr"}))
    assert f"copie de {FIRST} (Le Fil)" in said
    assert "Corriger l’affaire" in said
    assert not {"copy", "Merge", "Split", "sent"} & set(said.split())


@pytest.mark.parametrize("form", ["merge", "split", "move"])
def test_w02_a_form_of_another_page_changes_nothing(pages: Pages, form: str) -> None:
    fields = {"other": "2", "article": "1", "to": "2"}
    assert pages.ask("POST", f"/stories/1/{form}", fields, Origin="null").status_code == 403
    assert rows(pages, AUDIT) == []
