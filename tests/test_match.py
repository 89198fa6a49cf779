"""Matching: rules against articles, with severities, filters, exclusions and the rules' own tests."""

from datetime import UTC, datetime, timedelta

import pytest

from worker.analysis.text import analyse
from worker.model import Part, Severity
from worker.rules import RuleSet, compile_rules
from worker.rules.match import Silence, Source, failing_tests, judge, match

DAY = datetime(2026, 3, 1, 8, tzinfo=UTC)


HERE = Source(published=DAY, first_seen=DAY)


def _ids(
    rules: str, title: str, body: str = "", *, language: str = "fr", feed: str = "", tags: tuple[str, ...] = ()
) -> list[str]:
    ruleset = compile_rules({"r.toml": rules.encode()})
    return [
        m.rule_id
        for m in match(
            analyse(title, body, language), ruleset, Source(published=DAY, first_seen=DAY, feed=feed, tags=tags)
        )
    ]


def _rule(rule_id: str, when: str, more: str = "") -> str:
    return f"[[rule]]\nid = '{rule_id}'\nwhen = '''{when}'''\n{more}\n"


def test_a_match_carries_its_proof():
    """Spans are ranges of the published text, each word alone, in the part it stands in."""
    source = _rule(
        "pont", "pont NEAR/3 (ouvrir OR inaugurer)", 'name = "Ponts"\nseverity = "high"\n[rule.alert]\nto = ["desk"]'
    )
    title, body = "Rien", "Demain, l’ouverture ?\n\nLe Pont neuf est inauguré."
    ruleset = compile_rules({"r.toml": source.encode()})
    (found,) = match(analyse(title, body, "fr"), ruleset, HERE)
    (span,) = found.spans
    assert [body[start:end] for start, end in span.words] == ["Pont", "inauguré"]
    assert (span.part, found.rule_name, found.severity, found.to) == (Part.BODY, "Ponts", Severity.HIGH, ("desk",))
    assert (found.rule_hash, found.ruleset_hash) == (ruleset.rules[0].hash, ruleset.hash)


def test_most_severe_first():
    """Severity orders matches, then the id."""
    source = "".join(_rule(i, "pont", f"severity = '{s}'") for i, s in [("b", "low"), ("c", "critical"), ("a", "low")])
    assert _ids(source, "Un pont") == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("more", "given", "matches"),
    [
        ("languages = ['fr']", {"language": "fr"}, True),
        ("languages = ['fr']", {"language": "fr-FR"}, True),
        ("languages = ['en']", {"language": "fr"}, False),
        ("feeds = ['A']", {"feed": "A"}, True),
        ("feeds = ['A']", {"feed": "B"}, False),
        ("tags = ['x', 'y']", {"tags": ("y",)}, True),
        ("tags = ['x']", {"tags": ()}, False),
    ],
)
def test_what_a_rule_reads(more, given, matches):
    """Language, feed and tags decide whether a rule reads an article at all."""
    assert bool(_ids(_rule("r", "pont", more), "Un pont", **given)) is matches


SCORE = """
[[rule]]
id = "s"
severity = "info"
[rule.score]
terms = [{ when = "pont", weight = 30 }, { when = "route", weight = 40 }, { when = "maquette", weight = -35 }]
threshold = 30
bands = { medium = 40, high = 70 }
"""


@pytest.mark.parametrize(
    ("title", "severity", "contributions"),
    [
        ("pont pont", Severity.INFO, (("pont", 30),)),
        ("route", Severity.MEDIUM, (("route", 40),)),
        ("pont et route", Severity.HIGH, (("pont", 30), ("route", 40))),
        ("pont, route, maquette", Severity.INFO, (("pont", 30), ("route", 40), ("maquette", -35))),
        ("route et maquette", None, ()),
        ("rien", None, ()),
    ],
)
def test_scores(title, severity, contributions):
    """Each term counts once; bands set the severity; what contributed is told, and only positive terms are shown."""
    found = match(
        analyse(title, "", "fr"),
        compile_rules({"s.toml": SCORE.encode()}),
        HERE,
    )
    assert [m.severity for m in found] == ([severity] if severity else [])
    assert [m.contributions for m in found] == ([contributions] if severity else [])
    for m in found:
        assert "maquette" not in {title[start:end] for span in m.spans for start, end in span.words}


def test_a_scored_rules_query_must_hold_as_well():
    """A score does not replace `when`."""
    source = SCORE.replace('id = "s"', 'id = "s"\nwhen = "ville"')
    assert _ids(source, "pont") == []
    assert _ids(source, "le pont de la ville") == ["s"]


def test_exclusions_keep_subjects_out_of_the_rules_they_name():
    """Only the named rule is kept away."""
    exclusion = "[[exclusion]]\nid = 'games'\nwhen = 'jeu'\napplies_to = ['a']\n"
    source = _rule("a", "pont") + _rule("b", "pont") + exclusion
    assert _ids(source, "Un pont") == ["a", "b"]
    assert _ids(source, "Un pont dans un jeu") == ["b"]


def test_no_rules_match_nothing():
    """An empty RuleSet is legal."""
    assert match(analyse("Un pont", "", "fr"), RuleSet(), HERE) == ()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ('title = "Un pont neuf"', None),
        ('title = "Un pont neuf"\nspans = ["pont neuf"]', None),
        ('title = "Un pont vieux"\nmatch = false', None),
        ('title = "La cheffe ouvre"\npublished = 2024-01-01', None),
        ('title = "La cheffe ouvre"\npublished = 2024-01-01T10:00:00Z', None),
        ('title = "La cheffe ouvre"', "does not match"),
        ('title = "Un pont vieux"', "does not match"),
        ('text = "Un pont neuf"\nmatch = false', 'finds "pont neuf"'),
        ('title = "Un pont neuf"\nspans = ["pont"]', 'no span "pont"'),
        ('title = "Un pont neuf"\nlang = "en"', "the test's lang is en"),
    ],
)
def test_rules_test_themselves(case, words):
    """A test that does not hold is a problem at its own line; feeds and tags do not count."""
    sets = '[set.c]\nterms = [{ term = "cheffe", until = 2024-06-30 }]\n'
    source = sets + _rule("r", "pont BEFORE/0 neuf OR @c", f"languages = ['fr']\nfeeds = ['A']\n[[rule.test]]\n{case}")
    problems = failing_tests(compile_rules({"r.toml": source.encode()}), DAY)
    assert [problem.line for problem in problems] == ([8] if words else [])
    assert all(words in str(problem) for problem in problems)


def test_every_silence_has_its_reason():
    """A rule that does not match says why: what it reads, its exclusions, its query, its score."""
    rules = {
        Silence.LANGUAGE: _rule("a", "pont", "languages = ['en']"),
        Silence.FEED: _rule("b", "pont", "feeds = ['Other']"),
        Silence.TAGS: _rule("c", "pont", "tags = ['other']"),
        Silence.TOO_OLD: _rule("d", "pont", "max_age = '2d'"),
        Silence.EXCLUDED: _rule("e", "pont") + "[[exclusion]]\nid = 'x'\nwhen = 'neuf'\napplies_to = ['e']\n",
        Silence.QUERY: _rule("f", "tunnel"),
        Silence.SCORE: "[[rule]]\nid = 'g'\n[rule.score]\nterms = [{ when = 'pont', weight = 1 }]\nthreshold = 2\n",
    }
    ruleset = compile_rules({f"{n}.toml": text.encode() for n, text in enumerate(rules.values())})
    source = Source(feed="Here", tags=("t",), published=DAY - timedelta(days=3), first_seen=DAY)
    judged = judge(analyse("Le pont neuf", "", "fr"), ruleset, source)
    assert list(judged.values()) == list(rules)
    fresh = judge(analyse("Le pont neuf", "", "fr"), ruleset, HERE)
    assert not isinstance(fresh["d"], Silence)
