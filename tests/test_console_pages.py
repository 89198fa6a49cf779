"""Pages of the console: whoever may ask gets them, and nothing is changed from elsewhere."""

import ast
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from consoles import Pages, sampled, text

from worker.console.drawing import LANGUAGES, marked, words

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with sampled(tmp_path_factory.mktemp("console")) as found:
        yield found


def test_today_lists_the_stories_of_the_sample(pages: Pages) -> None:
    titles = [text(title) for title in pages.get("/").find_class("title")]
    assert any("Hun Sen" in title for title in titles)


@pytest.mark.parametrize(("asked", "language"), [("fr-FR,fr;q=0.9", "fr"), ("en", "en"), ("de,en", "en"), ("de", "fr")])
def test_a_page_speaks_the_reader_s_language(pages: Pages, asked: str, language: str) -> None:
    assert pages.get("/", **{"Accept-Language": asked}).get("lang") == language


@pytest.mark.parametrize(
    "name", ["../server.py", "..%2f..%2fserver.py", "%2fetc%2fpasswd", "veille.css/../../server.py", "nothing.css"]
)
def test_w04_no_file_but_ours_is_served(pages: Pages, name: str) -> None:
    assert pages.ask("GET", f"/static/{name}").status_code == 404


def _keys(table: object, place: str = "") -> set[str]:
    if not isinstance(table, dict):
        return {place}
    return {one for key, value in table.items() for one in _keys(value, f"{place}.{key}")}


def _texts(table: object) -> Iterator[str]:
    if isinstance(table, dict):
        for value in table.values():
            yield from _texts(value)
    else:
        yield str(table)


def test_no_line_of_french_begins_with_a_colon() -> None:
    """A space that is no break stands before high punctuation and within guillemets, however the words are typed."""
    found = list(_texts(dict(words("fr")._found)))
    assert [one for one in found if re.search(" [;:?!%»]|« ", one)] == []
    assert "Affaire\N{NO-BREAK SPACE}:" in found


def test_both_languages_have_the_same_words() -> None:
    first, second = (_keys(dict(words(language)._found)) for language in LANGUAGES)
    assert first == second


@pytest.mark.parametrize(
    ("marks", "drawn"),
    [
        pytest.param([], "a &lt;b&gt; c", id="none"),
        pytest.param([(2, 5)], "a <mark>&lt;b&gt;</mark> c", id="one, escaped"),
        pytest.param([(0, 3), (2, 5)], "<mark>a &lt;</mark><mark>b&gt;</mark> c", id="two that overlap"),
    ],
)
def test_marks_are_drawn_and_all_else_is_text(marks: list[tuple[int, int]], drawn: str) -> None:
    assert str(marked("a <b> c", marks)) == drawn


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, 200, id="an old browser"),
        pytest.param({"Sec-Fetch-Site": "none"}, 200, id="typed"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 200, id="ours"),
        pytest.param(
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            200,
            id="a link that is followed",
        ),
        pytest.param(
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            403,
            id="a frame",
        ),
        pytest.param(
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
            403,
            id="a picture",
        ),
    ],
)
def test_w02_another_site_s_page_costs_no_work(pages: Pages, headers: dict[str, str], code: int) -> None:
    """It sees nothing of the answer, but a search would be done all the same."""
    for path in ("/", "/search?q=hun", "/api/v1/articles"):
        assert pages.ask("GET", path, **headers).status_code == code


def test_w03_too_many_pages_at_once_are_refused(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.console.desk._room", threading.BoundedSemaphore(1))
    pages.get("/feeds")
    assert _room_of_one().acquire(blocking=False)
    assert "does not answer at present" in text(pages.get("/feeds", 503))
    _room_of_one().release()
    pages.get("/feeds")


def _room_of_one() -> threading.BoundedSemaphore:
    from worker.console import desk

    return desk._room


def test_w01_a_reload_opens_no_desk(pages: Pages) -> None:
    """The socket stays what it was at the start, whatever the file says since."""
    assert pages.desk.is_open
    assert not replace(pages.desk, bound=("0.0.0.0", 8080)).is_open


def test_whatever_was_done_has_its_words() -> None:
    """Each key that a page gives to the one after it."""
    given = {
        word.value
        for path in (ROOT / "worker" / "console" / "pages").glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "to"
        for word in ast.walk(call.args[1] if len(call.args) > 1 else ast.Constant(0))
        if isinstance(word, ast.Constant) and isinstance(word.value, str) and word.value
    }
    assert len(given) > 10
    assert [key for key in sorted(given) if key not in words("en").said] == []


@pytest.mark.parametrize(
    ("next_", "path"),
    [
        ("/rules/a?x=1", "/rules/a?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
    ],
)
def test_w04_another_language_leads_back_to_the_page(pages: Pages, next_: str, path: str) -> None:
    answer = pages.ask("GET", f"/language?to=en&next={quote(next_)}")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
