"""Patterns: named queries with parameters, from the file that writes them to the rule that calls them."""

from datetime import UTC, datetime

import pytest

from worker.analysis.text import analyse
from worker.errors import UserError
from worker.evaluate import mutants, mutate
from worker.rules import called, compile_rules
from worker.rules.match import Source, failing_tests, match
from worker.rules.query import Known, QueryError, parse
from worker.rules.query.nodes import TermSet, in_language

DAY = datetime(2026, 1, 1, 8, tzinfo=UTC)
HERE = Source(published=DAY, first_seen=DAY)

LIBRARY = """
[set.mayor]
kind  = "person"
terms = ["Ly Mai"]

[set.town]
kind  = "place"
terms = ["Belleville"]

[pattern.goes]
params = ["who", "where"]
about  = "Somebody goes somewhere."
when   = '''@who BEFORE/8s fr:(aller OR "se rendre") BEFORE/3s @where'''

[[pattern.test]]
with  = { who = "@mayor", where = "@town" }
title = "Ly Mai se rend à Belleville"
spans = ["Ly Mai se rend à Belleville"]

[[pattern.test]]
with  = { who = "@mayor", where = "@town" }
title = "Ly Mai rend Belleville heureuse"
match = false

[pattern.goes_quietly]
params = ["who"]
when   = "goes(@who, where = @town) AND NOT title:foule"

[[pattern.goes_quietly.test]]
with  = { who = "@mayor" }
title = "Ly Mai va à Belleville"
"""


def _rules(more: str):
    return compile_rules({"library.toml": LIBRARY.encode(), "mine.toml": more.encode()})


def _rule(when: str, rule_id: str = "r") -> str:
    return f"[[rule]]\nid = '{rule_id}'\nwhen = '''{when}'''\n"


def _faults(more: str):
    with pytest.raises(UserError) as caught:
        _rules(more)
    return caught.value.problems


CALLS = [
    ("goes(@mayor, @town)", "Ly Mai va à Belleville", True),
    ("goes(@mayor, where = @town)", "Ly Mai va à Belleville", True),
    ("goes(where = @town, who = @mayor)", "Ly Mai va à Belleville", True),
    ("goes(who=@mayor, where=Lyon)", "Ly Mai va à Lyon", True),
    ('goes("Ly Mai", (@town OR Lyon))', "Ly Mai va à Lyon", True),
    ("goes(=maire, (Lyon NEAR/2s gare))", "Le maire va à la gare de Lyon", True),
    ("goes(@mayor, /L[iy]on,? là/)", "Ly Mai va à Lyon, là", True),
    ("goes(@mayor, goes(@town, Lyon))", "Ly Mai va à Belleville, qui va à Lyon", True),
    ("goes(@mayor, @town) NEAR/4s demain", "Ly Mai va à Belleville demain", True),
    ("goes(@mayor, @town) NEAR/4s demain", "Demain. Ly Mai va à Belleville", False),
    ("ATLEAST/2 goes(@mayor, @town)", "Ly Mai va à Belleville", False),
    ("title:goes(@mayor, @town)", "Ly Mai va à Belleville", True),
    ("goes_quietly(@mayor)", "Ly Mai va à Belleville", True),
    ("goes_quietly(@mayor)", "La foule. Ly Mai va à Belleville", False),
    ("NOT goes_quietly(@mayor) AND foule", "La foule. Ly Mai va à Belleville", True),
]


@pytest.mark.parametrize(("when", "title", "matches"), CALLS, ids=[f"{when} | {title}" for when, title, _ in CALLS])
def test_calls(when, title, matches):
    """Arguments are sets, terms or places, by position or by name; a call stands wherever its body could."""
    assert bool(match(analyse(title, "", "fr"), _rules(_rule(when)), HERE)) is matches


FAULTS = [
    ("goes(@mayor)", 7, "goes(who, where) at library.toml:10 needs `where`"),
    ("goes()", 7, "needs `who`, `where`"),
    ("goes(@mayor, @town, Lyon)", 27, "an argument too many for goes(who, where) at library.toml:10"),
    ("goes(@mayor, wher = @town)", 20, "has no parameter `wher`"),
    ("goes(@mayor, who = @town)", 20, "`who` of goes(who, where) at library.toml:10 is given twice"),
    ("goes(where = @town, @mayor)", 27, "without a name behind one with a name"),
    ("goes(@mayor, (a AND b))", 20, "an argument yields places"),
    ("goes(@mayor, )", 20, "an argument is missing"),
    ("goes(@mayor, @twon)", 20, "no set is called @twon"),
    ("gose(@mayor, @town)", 7, "no pattern is called gose"),
    ("goes_quietly(@mayor) NEAR/3 a", 7, "goes_quietly(who) at library.toml:25 holds of the article"),
    ("goes(@mayor, @town", 7, "never closed"),
]


@pytest.mark.parametrize(("when", "column", "words"), FAULTS, ids=[when for when, _, _ in FAULTS])
def test_a_wrong_call_has_its_place_and_the_pattern_s(when, column, words):
    """The call is pointed at, and where the pattern is written is said."""
    problems = _faults(f"[[rule]]\nid = 'r'\nwhen = '{when}'")
    (problem,) = [problem for problem in problems if words in problem.message]
    assert (problem.file, problem.line, problem.column) == ("mine.toml", 3, column + 2), problem
    assert problem.fix


PATTERNS = [
    ('[pattern.a]\nparams = ["x"]\nwhen = "b(@x)"\n[pattern.b]\nparams = ["x"]\nwhen = "a(@x)"', 3, "a uses b uses a"),
    ('[pattern.a]\nparams = ["x"]\nwhen = "@x NEAR/3 a(@x)"', 3, "may not use itself"),
    ('[pattern.a]\nparams = ["x"]\nwhen = "pont"', 3, "nothing asks for the parameter @x"),
    ('[pattern.a]\nparams = ["x", "x"]\nwhen = "@x"', 1, "a parameter stands twice"),
    ('[pattern.a]\nparams = ["X"]\nwhen = "@X"', 2, "is no `params`"),
    ('[pattern.a]\nparams = ["x"]\nwhen = "@y NEAR/3 @x"', 3, "no set or parameter is called @y"),
    ('[pattern.a]\nparams = ["x"]\nwhen = "@x NEAR pont"', 3, "NEAR needs"),
    ('[pattern.A]\nwhen = "pont"', 1, "is no pattern's name"),
    ('[pattern.a]\nwhat = "pont"', 1, "`when` is missing"),
    ('[pattern.goes]\nwhen = "pont"', 1, "[pattern.goes] stands twice"),
    ('[[pattern.test]]\ntitle = "x"\n[pattern.a]\nwhen = "pont"', 1, "follows no pattern"),
    (
        '[pattern.a]\nparams = ["x"]\nwhen = "@x"\n[[pattern.test]]\nwith = { y = "pont" }\ntitle = "x"',
        5,
        "has no parameter `y`",
    ),
    ('[[pattern]]\nwhen = "pont"', 1, "`pattern` holds named patterns"),
]


@pytest.mark.parametrize(("text", "line", "words"), PATTERNS, ids=[words for _, _, words in PATTERNS])
def test_a_wrong_pattern_is_refused_in_its_place(text, line, words):
    """Recursion, unused parameters, unknown names and shapes are mistakes like any other."""
    problems = _faults(text)
    assert any((p.file, p.line, words in p.message) == ("mine.toml", line, True) for p in problems), problems


def test_patterns_that_use_patterns_are_bounded():
    """Each uses the one before twice: what is written out would grow without end."""
    tower = "".join(f"[pattern.t{n}]\nparams = ['x']\nwhen = 't{n - 1}(@x) OR t{n - 1}(@x)'\n" for n in range(1, 16))
    problems = _faults(f"[pattern.t0]\nparams = ['x']\nwhen = '@x OR pont'\n{tower}")
    assert any("becomes too large here" in problem.message for problem in problems)


def test_the_tests_of_a_pattern_are_those_of_its_calls():
    """Each stands with the pattern before it, whichever way it is written; one that fails says what it calls."""
    ruleset = _rules("")
    assert {rule.id: len(rule.tests) for rule in ruleset.calls} == {
        "goes(who = @mayor, where = @town)": 2,
        "goes_quietly(who = @mayor)": 1,
    }
    assert failing_tests(ruleset, DAY) == ()
    broken = LIBRARY.replace("Ly Mai rend Belleville", "Ly Mai ira à Belleville")
    (problem,) = failing_tests(compile_rules({"library.toml": broken.encode()}), DAY)
    assert "a test of `goes(who = @mayor, where = @town)` fails: the rule matches, and should not" in problem.message
    assert problem.line == 20
    assert failing_tests(compile_rules({"library.toml": broken.encode()}), DAY, ["goes_quietly"]) == ()
    assert len(failing_tests(compile_rules({"library.toml": broken.encode()}), DAY, ["goes"])) == 1


def test_a_rule_is_another_when_a_pattern_that_it_uses_is():
    """Its hash holds the patterns it uses, those that these use and their sets; not their tests, nor other patterns."""

    def hashes(old: str = "", new: str = ""):
        more = _rule("goes_quietly(@mayor)", "a") + _rule("pont", "b") + "[pattern.other]\nwhen = 'quai'\n"
        ruleset = compile_rules(
            {"l.toml": LIBRARY.replace(old, new).encode() if old else LIBRARY.encode(), "m.toml": more.encode()}
        )
        return [rule.hash for rule in ruleset.rules]

    same = hashes()
    assert hashes("BEFORE/8s", "BEFORE/9s") == [ANY, same[1]]
    assert hashes('terms = ["Belleville"]', 'terms = ["Bellecombe"]')[0] != same[0]
    assert hashes("Ly Mai va à Belleville", "Ly Mai va vite à Belleville") == same


class _Any:
    """Equal to whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # it stands in no set


ANY = _Any()


def test_a_pattern_s_terms_have_its_language():
    """`language` of a pattern, a rule or a set holds for all its terms, but those that name their own."""
    more = """
    [set.bridge]
    language = "fr"
    terms = ["pont", "en:bridge"]
    [pattern.a]
    language = "fr"
    when = "tour OR en:tower"
    [[rule]]
    id = "calls"
    when = "a()"
    [[rule]]
    id = "own"
    language = "en"
    when = "tour OR @bridge"
    """
    ruleset = _rules(more)

    def found(title: str, language: str) -> list[str]:
        return [one.rule_id for one in match(analyse(title, "", language), ruleset, HERE)]

    assert found("la tour", "fr") == ["calls"]
    assert found("the tour", "en") == ["own"]
    assert found("le pont", "fr") == ["own"]
    assert found("the pont", "en") == []
    assert found("the bridge and the tower", "en") == ["calls", "own"]


def test_a_call_is_measured_as_a_rule():
    """By its text, with what the set of rules knows."""
    rule = called(_rules(""), "goes(@mayor, where = Lyon)")
    assert (rule.id, rule.sets) == ("goes(@mayor, where = Lyon)", {"mayor"})
    with pytest.raises(QueryError):
        called(_rules(""), "gose(@mayor)")


CANNOT = [
    ("[[rule]]\nid = 'r'\nlanguages = ['fr']\nwhen = 'en:bridge OR pont'", "en: can never match"),
    ("[[rule]]\nid = 'r'\nlanguages = ['fr']\nany = ['pont', 'en:bridge']", "en: can never match"),
    ("[set.s]\nterms = ['pont', 'quai']\nexcept = ['pont']", "this term is its own exception"),
]


@pytest.mark.parametrize(("text", "words"), CANNOT, ids=[words for _, words in CANNOT])
def test_a_term_that_can_never_match_says_so(text, words):
    """It is a mistake, as it would be silent for ever."""
    assert any(words in problem.message for problem in _faults(text))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("goes(@mayor, @town)", []),
        ("goes(@mayor, @town) AND pont", ["goes(@mayor, @town) OR pont", "pont", "goes(@mayor, @town)"]),
        (
            "goes((@mayor OR maire), where = @town)",
            ["goes(maire, where = @town)", "goes(@mayor, where = @town)"],
        ),
        ("fr:(goes(@mayor, @town) OR pont)", ["goes(@mayor, @town) AND pont", "pont", "goes(@mayor, @town)"]),
    ],
)
def test_a_rule_s_mutants_leave_patterns_as_they_are(when: str, expected: list[str]) -> None:
    """A call is dropped whole or called with other arguments; its body is never changed."""
    (rule,) = _rules(_rule(when)).rules
    assert rule.query is not None
    found = list(mutants(rule, {"mayor": TermSet(), "town": TermSet()}))
    language = "fr" if when.startswith("fr:") else ""
    known = Known(sets=_rules("").sets, patterns=_rules("").patterns)
    assert [one.rule.query for one in found] == [in_language(parse(query, known), language) for query in expected]
    assert not any("BEFORE" in one.change for one in found)


def test_a_rule_that_calls_a_pattern_loses_no_term_of_the_pattern_s_sets() -> None:
    """Only the sets that the rule itself names are tried without each of their terms."""
    more = _rule("goes_quietly(@walkers)") + "[set.walkers]\nterms = ['Lan', 'Mai']\n[set.unused]\nterms = ['a', 'b']"
    rules = compile_rules(
        {"library.toml": LIBRARY.replace('["Belleville"]', '["Belleville", "Lyon"]').encode(), "m": more.encode()}
    )
    (rule,) = rules.rules
    assert [one.change for one in mutants(rule, rules.sets)] == ["drop Lan of @walkers", "drop Mai of @walkers"]
    assert next(mutate(rules, DAY, ["r"]))[1].missed == []


@pytest.mark.parametrize(
    ("when", "title", "said"),
    [
        ("en:=bridge", "The mayor opens the bridge over the river on Monday morning", 'write lang = "en"'),
        (
            "goes(@mayor, @town)",
            "Ly Mai ouvre le pont sur la rivière lundi matin",
            "goes(@mayor, @town) does not hold, see library.toml:10: ",
        ),
    ],
)
def test_a_failing_test_says_what_its_author_can_do(when: str, title: str, said: str) -> None:
    """The language of the test; else the call with what it misses, not only what stands in another's pattern."""
    (failed,) = failing_tests(_rules(_rule(when) + f'[[rule.test]]\ntitle = "{title}"'), DAY)
    assert said in (failed.fix or failed.seen)
