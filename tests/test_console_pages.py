"""Pages of the console: whoever may ask gets them, and nothing is changed from elsewhere."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from consoles import Pages, sampled, text

from worker.console.drawing import LANGUAGES, marked, words


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
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
