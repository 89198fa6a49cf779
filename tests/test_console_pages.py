"""Pages of the console: whoever may ask gets them, and nothing is changed from elsewhere."""

from collections.abc import Iterator

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
