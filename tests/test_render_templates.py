"""Templates of the user's own: tried before they count, and never in the way of a message."""

import re

import pytest
from configfile import ROOT
from messages import ITEM, Shown, part, sealed, target, told

from worker.errors import Problem
from worker.model import Alert, Channel, Digest, Notice, Templates
from worker.notify.render import check
from worker.notify.render.templates import NAMES

CONTENTS = (Alert(items=(ITEM,)), Digest(items=(ITEM,)), Notice(subject="Un flux est muet", body="Une ligne."))
GOOD = {
    "alert.html": "<p>{% for view in views %}{{ view.title.text }}{% endfor %}</p>",
    "digest.html": '{% extends "shipped/digest.html" %}{% block preheader %}À la une{% endblock %}',
    "notice.html": "<pre>{{ text }}</pre>",
    "layout.html": "<html>Le Desk {% block preheader %}{% endblock %}{% block content %}{% endblock %}</html>",
}


def templates(**sources: str) -> Templates:
    named = {name if name.endswith(".html") else f"{name}.html": source for name, source in sources.items()}
    return Templates(folder="/own", sources=tuple(sorted(named.items())))


def wrong(own: Templates) -> list[tuple[str, int, str, str]]:
    return [(one.file.removeprefix("/own/"), one.line, one.message, one.fix) for one in check(own)]


def test_none_is_well() -> None:
    """Without a folder, and with an empty one, the shipped templates stand."""
    assert check(Templates()) == check(Templates(folder="/own")) == ()
    assert told(CONTENTS[0], templates=Templates(folder="/own")) == told(CONTENTS[0])


def test_a_template_stands_for_the_shipped_one() -> None:
    """Whole, or extending the one that it stands for; what has none of its own uses the user's layout."""
    own = templates(**GOOD)
    assert check(own) == ()
    alert, digest, notice = (part(told(content, templates=own), "html") for content in CONTENTS)
    assert alert.strip() == "<p>Hun Sen attendu à Hanoï</p>"
    assert digest.startswith("<html>Le Desk À la une")
    assert "Synthèse du 12 mars : 1 alerte" in digest
    assert notice.startswith("<pre>Une ligne.")
    assert {told(content, templates=own).problem for content in CONTENTS} == {""}
    assert part(told(CONTENTS[0], templates=own), "plain") == part(told(CONTENTS[0]), "plain")


def test_articles_stay_text_in_any_template() -> None:
    """A template cannot turn escaping off."""
    own = templates(alert="{{ views[0].title.text }}")
    hostile = told(Alert(items=(ITEM,)), templates=own)
    assert part(hostile, "html").strip() == ITEM.title.text
    assert wrong(templates(alert="{{ views[0].title.text | safe }}")) == [
        ("alert.html", 1, "No filter named 'safe'.", "")
    ]
    assert wrong(templates(alert="\n{% autoescape false %}{{ subject }}{% endautoescape %}")) == [
        ("alert.html", 2, "escaping cannot be switched", "remove the `autoescape` block")
    ]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param(
            {"alerte.html": ""},
            ("alerte.html", 0, "no message has a template of this name", "did you mean alert.html?"),
            id="name",
        ),
        pytest.param(
            {"footer.html": ""},
            (
                "footer.html",
                0,
                "no message has a template of this name",
                "it may hold alert.html, digest.html, item.html, layout.html, notice.html",
            ),
            id="far-name",
        ),
        pytest.param(
            {"alert": "<p>\n{% for view in views %}\n</p>"},
            ("alert.html", 3, "Unexpected end of template. Jinja was looking for the following tags: 'endfor'", ""),
            id="syntax",
        ),
        pytest.param(
            {"alert": "<p>\n{% if false %}{{ veiws }}{% endif %}</p>"},
            ("alert.html", 2, "'veiws' is undefined", "did you mean views?"),
            id="variable-in-a-branch-not-taken",
        ),
        pytest.param(
            {"alert": "<p>\n{{ views[0].titel }}</p>"},
            ("alert.html", 2, "the template fails: View has no attribute 'titel'", "did you mean title?"),
            id="attribute",
        ),
        pytest.param(
            {"digest": "{% for story in digest.stories %}\n{{ story.first.title.text + 1 }}{% endfor %}"},
            ("digest.html", 2, 'the template fails: can only concatenate str (not "int") to str', ""),
            id="types",
        ),
        pytest.param(
            {"notice": '{% include "footer.html" %}'},
            ("notice.html", 1, "the template fails: there is no template footer.html", ""),
            id="another-template",
        ),
        pytest.param(
            {"notice": '{% extends "notice.html" %}'},
            ("notice.html", 1, "the template fails: maximum recursion depth exceeded", ""),
            id="itself",
        ),
        pytest.param(
            {"notice": "{{ ''.__class__.__mro__ }}"},
            ("notice.html", 1, "the template fails: access to attribute '__class__' of 'str' object is unsafe.", ""),
            id="sandbox",
        ),
        pytest.param(
            {"item": "{% macro marked(passage) %}x{% endmacro %}"},
            ("/own", 0, "the template fails: 'jinja2.environment.TemplateModule object' has no attribute 'item'", ""),
            id="item-without-what-others-use",
        ),
    ],
)
def test_mistakes_have_a_place_and_a_mend(sources: dict[str, str], expected: tuple[str, int, str, str]) -> None:
    """Names, syntax, variables, and what fails with a sample, with file and line."""
    first = wrong(templates(**sources))[0]
    assert (first[0], first[1], first[3]) == (expected[0], expected[1], expected[3])
    assert first[2].startswith(expected[2])


def test_mistakes_are_told_once() -> None:
    """However many samples show them, and all of them at once."""
    found = wrong(templates(alert="{{ views[0].titel }}", notice="{{ txt }}", digset=""))
    assert [one[0] for one in found] == ["digset.html", "notice.html"]
    assert len(wrong(templates(alert="{{ views[0].titel }}"))) == 1


@pytest.mark.parametrize("content", CONTENTS, ids=["alert", "digest", "notice"])
@pytest.mark.parametrize("channel", list(Channel))
def test_no_message_is_lost_to_a_template(content: Alert | Digest | Notice, channel: Channel) -> None:
    """A template that fails at sending gives way to the shipped one, and the message says so."""
    own = templates(alert="\n{{ nothing }}", digest="\n{{ nothing }}", notice="\n{{ nothing }}")
    message, shipped = told(content, to=target(channel), templates=own), told(content, to=target(channel))
    assert message.content == shipped.content
    if channel in {Channel.EMAIL, Channel.LOG}:
        assert re.fullmatch(r"/own/\w+\.html:2: the template fails: 'nothing' is undefined", message.problem)
    else:
        assert message.problem == ""
    assert Shown(part(sealed(ITEM), "html")).tags


def test_the_manual_lists_them_and_its_example_works() -> None:
    """docs/messages.md names every template, and what it tells to write is good."""
    manual = (ROOT / "docs/messages.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+\.html)` \|", manual, re.MULTILINE) == sorted(NAMES, key=manual.index)
    assert {path.name for path in (ROOT / "worker/notify/render/templates").iterdir()} == set(NAMES)
    (example,) = re.findall(r"```html\n(.*?)```", manual, re.DOTALL)
    own = templates(layout=example)
    assert check(own) == ()
    assert all("Le Desk Mékong" in Shown(part(told(content, templates=own), "html")).text for content in CONTENTS)


def test_a_problem_is_a_sentence() -> None:
    """As everything that a user wrote is reported."""
    (problem,) = check(templates(alert="{{ subjct }}"))
    assert str(problem) == "/own/alert.html:1: 'subjct' is undefined\n    fix: did you mean subject?"
    assert isinstance(problem, Problem)


def test_a_message_that_is_too_large_is_refused() -> None:
    """Output of a few lines must be of a size that mail servers take."""
    ((file, line, message, _),) = wrong(templates(notice="{% for n in range(70000) %}{{ text }}{% endfor %}"))
    assert (file, line) == ("/own", 0)
    assert "more than 1048576" in message
