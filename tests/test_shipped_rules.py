"""The rules that ship, and the manual that explains them."""

import hashlib
import re
import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from worker.analysis.text import analyse
from worker.evaluate import evaluate_rules, read_labelled
from worker.rules import compile_rules
from worker.rules.match import Source, failing_tests, match

ROOT = Path(__file__).parents[1]
SEEDS = Path(__file__).parents[2] / "shared" / "seeds"
CORPUS = Path(__file__).parents[2] / "shared" / "data" / "watch" / "articles.jsonl"
#: What the floors below were measured on.
CORPUS_HASH = "7f4c7bd26d856f5e719e4c4769ebf9003f542fede1dd91e597b4fbf2f1d7865d"
DAY = datetime(2026, 3, 1, tzinfo=UTC)
MANUAL = (ROOT / "docs" / "rules.md").read_text("utf-8")


@cache
def _shipped():
    return compile_rules({path.name: path.read_bytes() for path in (ROOT / "rules").glob("*.toml")})


def test_the_shipped_rules_hold_their_own_tests():
    """They compile, and each has six cases or more, positive and negative, all of which hold."""
    ruleset = _shipped()
    assert failing_tests(ruleset, DAY) == ()
    assert {"hun-sen-visit", "hun-sen-meeting", "border-agreement"} < {rule.id for rule in ruleset.rules}
    for rule in ruleset.rules:
        assert {case.match for case in rule.tests} == {True, False}, rule.id
        assert len(rule.tests) >= 6, rule.id


def test_the_sample_gives_three_alerts():
    """A visit and an agreement, each with a copy, and a crossing: nothing else of the sample matches."""
    found = tomllib.loads((ROOT / "worker" / "feeds" / "sample" / "articles.toml").read_text("utf-8"))["article"]
    source = Source(feed="Fil d'exemple", tags=("sample",), published=DAY, first_seen=DAY)
    ruleset = _shipped()
    # Links to other articles, and other articles behind a sign-off, are cut from a text before rules read it.
    texts = {one["id"]: (one["title"], re.sub(r"(?m)^>> .*$|(?s:\s- ?VNA\b.*)", "", one["text"])) for one in found}
    matching = {name for name, (title, body) in texts.items() if match(analyse(title, body, "fr"), ruleset, source)}
    assert matching == {410201, 410202, 410205, 410206, 410212}


@pytest.mark.skipif(not CORPUS.is_file(), reason="the shared data is not here")
def test_the_labelled_articles():
    """Each of the three main rules keeps the quality it was measured at; labels that are open to doubt do not count."""
    assert hashlib.sha256(CORPUS.read_bytes()).hexdigest() == CORPUS_HASH
    articles = [read_labelled(line) for line in CORPUS.read_text("utf-8").splitlines()]
    scores = evaluate_rules([article for article in articles if not article.weak], _shipped(), DAY)
    floors = {"hun-sen-visit": 0.95, "hun-sen-meeting": 0.95, "border-agreement": 0.95}
    assert {rule: score.f1 >= floors[rule] for rule, score in scores.items()} == dict.fromkeys(floors, True)


@pytest.mark.parametrize(
    ("name", "floors"),
    [
        ("plain", {"hun-sen-visit": 0.85, "hun-sen-meeting": 0.8, "border-agreement": 0.95}),
        ("agency", {"hun-sen-visit": 0.75, "hun-sen-meeting": 0.8, "border-agreement": 0.95}),
    ],
)
def test_the_articles_beside_the_tests(name, floors):
    """The same for articles of our own: the rules' author never saw `plain`, and learnt from `agency`."""
    lines = (ROOT / "tests" / "data" / "articles" / f"{name}.jsonl").read_text("utf-8").splitlines()
    articles = [read_labelled(line) for line in lines]
    scores = evaluate_rules([article for article in articles if not article.weak], _shipped(), DAY)
    assert {rule: score.f1 >= floors[rule] for rule, score in scores.items()} == dict.fromkeys(floors, True)


def test_people_who_are_not_the_rules_own():
    """The patterns of travelling and meeting are right for four people, in two languages and many registers: the texts
    were written before the patterns, the later ones before the last changes.
    """
    lines = (ROOT / "tests" / "data" / "roles.jsonl").read_text("utf-8").splitlines()
    scores = evaluate_rules([read_labelled(line) for line in lines], _shipped(), DAY)
    calls = [name for name in scores if "(" in name]
    assert len(calls) == 8
    assert {name: scores[name].f1 >= 0.9 for name in scores} == dict.fromkeys(scores, True)
    assert sum(scores[name].tp + scores[name].fn for name in calls) >= 55


def _seed(number: str):
    """One stored article's text, with every line a paragraph, and its date."""
    (path,) = SEEDS.glob(f"{number}_*.txt")
    raw = path.read_text("utf-8").strip()
    dated = re.match(r"date (\d{4})-(\d{2})(?:-(\d{2}))? ", raw)
    body = "\n\n".join(line for line in raw[dated.end() if dated else 0 :].splitlines() if line.strip())
    year, month, day = (int(part or 15) for part in dated.groups()) if dated else (2026, 2, 6)
    return analyse("", body, "fr"), datetime(year, month, day, tzinfo=UTC)


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("000", {"hun-sen-visit", "border-agreement"}),
        ("001", {"hun-sen-meeting", "border-agreement"}),
        ("002", {"border-agreement"}),
        ("003", {"hun-sen-meeting"}),
        ("004", set()),
    ],
)
def test_the_stored_articles(number, expected):
    """Each of the five satisfies what a reader says it does, of the three main rules."""
    document, published = _seed(number)
    found = {m.rule_id for m in match(document, _shipped(), Source(published=published, first_seen=published))}
    assert found & {"hun-sen-visit", "hun-sen-meeting", "border-agreement"} == expected


@pytest.mark.parametrize("source", re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL))
def test_the_manuals_rules(source):
    """Every rule shown in the manual compiles and holds its tests."""
    assert failing_tests(compile_rules({"manual.toml": source.encode()}), DAY) == ()


def test_the_manual_s_walk():
    """A person of one's own, by the manual: the names, one call, its tests, beside the shipped rules."""
    blocks = MANUAL.split("```")[1::2]
    (rule,) = [block for block in blocks if block.startswith("\n[[rule]]")]
    (names,) = [block.removeprefix("toml") for block in blocks if "[set.anwar]" in block]
    files = {path.name: path.read_bytes() for path in (ROOT / "rules").glob("*.toml")}
    ruleset = compile_rules(files | {"mine.toml": (names + rule).encode()})
    (mine,) = [one for one in ruleset.rules if one.file == "mine.toml"]
    assert {case.match for case in mine.tests} == {True, False}
    assert failing_tests(ruleset, DAY) == ()


def test_the_manual_names_every_pattern_that_is_meant_for_rules():
    """Those of the library that say what somebody does; the others are their parts."""
    parts = {"other", "abroad", "away", "there", "subject", "misread", "on_the_way", "journey_of", "away_any"}
    parts |= {"meeting_with", "invited_by"}
    ruleset = _shipped()
    for name in ruleset.patterns.keys() - parts:
        assert re.search(rf"\b{name}\(", MANUAL), name
        assert ruleset.patterns[name].about, name
    assert parts <= ruleset.patterns.keys()
    tested = {rule.id.partition("(")[0] for rule in ruleset.calls}
    assert ruleset.patterns.keys() - parts - {"border_agreed"} <= tested, "border_agreed is tested by its rule"


ROWS = re.findall(r"^\| `([^|]+)` \| `([^|]+)` \| `([^|]+)` \|$", MANUAL, re.MULTILINE)


@pytest.mark.parametrize(("query", "yes", "no"), ROWS, ids=[row[0] for row in ROWS])
def test_the_manuals_tables(query, yes, no):
    """Every row of the manual's tables says what is true."""
    ruleset = compile_rules({"row.toml": f"[[rule]]\nid = 'row'\nwhen = '''{query}'''".encode()})
    title = query.startswith("title:")
    answers = [
        bool(
            match(
                analyse(t if title else "", "" if title else t, "fr"),
                ruleset,
                Source(published=DAY, first_seen=DAY),
            )
        )
        for t in (yes, no)
    ]
    assert answers == [True, False]


def test_the_manual_shows_every_operator():
    """Operators of the language are all named by the manual."""
    from worker.rules.query.nodes import Operator, Scope

    assert len(ROWS) >= 23
    for word in [*Operator, *(f"{scope}:" for scope in Scope), "ATLEAST/", "AND", "OR", "NOT", "/s", "/p"]:
        assert f"{word}" in MANUAL, word


def test_the_manual_shows_every_command_and_every_change():
    """Subcommands of `veille rules` and the changes of mutants stand in the manual."""
    from worker.cli import rules

    for command in rules.app.registered_commands:
        name = command.name or command.callback.__name__
        assert f"veille rules {name}" in MANUAL, name
    for change in ("drop", "widen", "swap"):
        assert f"| {change} |" in MANUAL, change


def test_the_readme_s_rule_can_be_added():
    """The README's rule for newcomers is accepted beside the shipped rules, and its tests hold."""
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (rule,) = [block for block in blocks if "[[rule]]" in block]
    files = {path.name: path.read_bytes() for path in (ROOT / "rules").glob("*.toml")}
    ruleset = compile_rules(files | {"mine.toml": rule.encode()})
    assert "mekong-commission" in {rule.id for rule in ruleset.rules}
    assert failing_tests(ruleset, DAY) == ()
