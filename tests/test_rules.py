"""Rule files: what they compile to, and every mistake in its place."""

from datetime import timedelta

import pytest

from worker.config.toml import parse
from worker.errors import UserError
from worker.model import Severity, Volume
from worker.rules import RuleSet, compile_rules
from worker.rules.compile import compile_rule

GOOD = b"""
[set.team]
kind = "person"
terms = ["Ly Mai", { term = "cheffe de chantier", until = 2024-06-30 }]
except = ["rue Ly Mai"]

[[rule]]
id = "bridge"
name = "Pont"
severity = "high"
languages = ["fr"]
feeds = ["Agence"]
tags = ["travaux"]
max_age = "3d"
when = "@team NEAR/5 pont"
[rule.alert]
to = ["desk"]
key = "article"
repeat_interval = "6h"
follow_up = ["correction"]
[[rule.test]]
title = "Ly Mai inaugure un pont"
spans = ["Ly Mai inaugure un pont"]

[[rule]]
id = "lists"
any = ["pont", "grand viaduc"]
all = ["@team"]
none = ["maquette"]

[[rule]]
id = "scored"
[rule.score]
terms = [{ when = "pont", weight = 30 }, { when = "maquette", weight = -20 }]
threshold = 20
bands = { high = 70, medium = 40 }

[[exclusion]]
id = "games"
when = "jeu"
applies_to = ["bridge"]
"""


def _problems(*sources: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        compile_rules({f"{n}.toml": source.encode() for n, source in enumerate(sources)})
    return [str(problem) for problem in caught.value.problems]


def test_a_whole_file():
    """Every key arrives."""
    ruleset = compile_rules({"a.toml": GOOD})
    bridge, lists, scored = ruleset.rules
    assert (bridge.id, bridge.name, bridge.severity, bridge.to) == ("bridge", "Pont", Severity.HIGH, ("desk",))
    assert (bridge.languages, bridge.feeds, bridge.tags) == ({"fr"}, {"Agence"}, {"travaux"})
    assert (bridge.max_age, bridge.alert.repeat_interval) == (timedelta(days=3), timedelta(hours=6))
    assert (bridge.alert.key, bridge.alert.follow_up) == ("article", ("correction",))
    assert (bridge.tests[0].line, bridge.tests[0].language) == (21, "fr")
    assert (lists.name, lists.severity) == ("lists", Severity.MEDIUM)
    assert str(lists.query) == '(pont OR "grand viaduc") AND @team AND NOT maquette'
    assert scored.score is not None
    assert scored.score.bands == ((40, Severity.MEDIUM), (70, Severity.HIGH))
    assert ruleset.exclusions[0].rules == {"bridge"}


@pytest.mark.parametrize(
    "sources", [{}, {"a.toml": b""}, {"a.toml": b"[set.x]\nterms = ['y']"}], ids=["none", "empty", "sets"]
)
def test_no_rules_are_legal(sources):
    """Nothing to watch is not a mistake."""
    assert compile_rules(sources).rules == ()
    assert RuleSet().rules == ()


def test_sets_reach_across_files():
    """A set may stand in another file than the rule that uses it."""
    files = {"b.toml": b"[[rule]]\nid='r'\nwhen='@s'", "a.toml": b"[set.s]\nterms=['x']"}
    assert [rule.id for rule in compile_rules(files).rules] == ["r"]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (b"NEAR/5", b"NEAR/6", True),
        (b'severity = "high"', b'severity = "low"', True),
        (b'"Ly Mai",', b'"Ly May",', True),
        (b"rue Ly Mai", b"place Ly Mai", True),
        (b'when = "jeu"', b'when = "match"', True),
        (b'inaugure un pont"\nspans', b'ouvre le pont"\nspans', False),
        (b"grand viaduc", b"viaduc", False),
        (b"\n[[rule]]", b"\n# a note\n[[rule]]", False),
    ],
)
def test_a_rules_hash_is_of_what_it_says(old, new, changed):
    """The rule's own text, its sets and exclusions count; tests, comments and other rules do not."""
    assert old in GOOD
    before = compile_rules({"a.toml": GOOD}).rules[0].hash
    source = GOOD.replace(old, new)
    source = source.replace(b'spans = ["Ly Mai inaugure un pont"]\n', b"") if not changed else source
    assert (compile_rules({"a.toml": source}).rules[0].hash != before) is changed


RULE = '[[rule]]\nid = "r"\n'

VOLUME = RULE + 'when = "a"\n[rule.volume]\n'

MISTAKES = [
    ("key", RULE + 'when = "a"\nseverty = "low"', 4, "unknown key `severty`", "did you mean severity?"),
    ("top", "rules = 1", 1, "unknown key `rules`", "did you mean rule?"),
    ("table", "[rule]\nid = 'r'", 1, "list of tables", "write [[rule]]"),
    ("id", '[[rule]]\nid = "../x"\nwhen = "a"', 2, "is no `id`", "small letters"),
    ("no-id", '[[rule]]\nwhen = "a"', 1, "`id` is missing", "add id"),
    ("severity", RULE + 'when = "a"\nseverity = "hihg"', 4, "is no `severity`", "did you mean high?"),
    ("nothing", RULE, 1, "asks for nothing", ""),
    ("both", RULE + 'when = "a"\nany = ["b"]', 1, "not beside it", ""),
    ("only-none", RULE + 'none = ["a"]', 3, "without any of its words", "add any or all"),
    ("syntax", RULE + "when = '''\n  accord\n  AND NOT OR x'''", 5, "OR stands", "write a term"),
    ("item", RULE + 'any = ["accord", "@nobody"]', 3, "no set is called @nobody", "[set.nobody]"),
    ("item-operator", RULE + 'any = ["a NEAR/3 b"]', 3, "in a list of terms", "write it in `when`"),
    ("duration", RULE + 'when = "a"\nmax_age = "soon"', 4, "expected a duration", ""),
    ("language", RULE + 'when = "a"\nlanguages = ["French"]', 4, "'French' is no `languages`", "language tag"),
    ("alert", RULE + 'when = "a"\n[rule.alert]\nkey = "stories"', 5, "is no `key`", "did you mean story?"),
    ("empty-test", RULE + 'when = "a"\n[[rule.test]]\nmatch = true', 4, "needs a title or a text", ""),
    ("spans", RULE + 'when = "a"\n[[rule.test]]\ntext = "b"\nmatch = false\nspans = ["b"]', 4, "only where match", ""),
    ("kind", '[set.s]\nkind = "persons"\nterms = ["x"]', 2, "is no `kind`", "did you mean person?"),
    ("set-in-set", '[set.s]\nterms = ["x"]\n[set.t]\nterms = ["@s"]', 4, "not other sets", "@one OR @other"),
    ("dates", '[set.s]\nterms = [{ term = "x", from = 2024-02-02, until = 2024-01-01 }]', 2, "from is later", ""),
    ("score", RULE + '[rule.score]\nterms = [{ when = "a", weight = 1 }]', 3, "`threshold` is missing", ""),
    (
        "free-score",
        RULE + '[rule.score]\nterms = [{ when = "a", weight = 1 }]\nthreshold = 0',
        5,
        "without any",
        "above 0",
    ),
    (
        "band",
        RULE + '[rule.score]\nterms = [{ when = "a", weight = 1 }]\nthreshold = 1\nbands = { hihg = 3 }',
        6,
        "hihg",
        "high",
    ),
    ("exclusion", '[[exclusion]]\nid = "e"\nwhen = "a"\napplies_to = ["r"]', 4, "no rule has the id `r`", ""),
    ("regex", RULE + "when = '/(a/'", 3, "RE2", ""),
    ("volume", VOLUME + 'at_leats = 5\nper = "6h"', 5, "unknown key `at_leats`", "did you mean at_least?"),
    ("volume-one", VOLUME + 'at_least = 1\nper = "6h"', 5, "one story is no wave", "write at_least = 5"),
    ("volume-text", VOLUME + 'at_least = "5"\nper = "6h"', 5, "a whole number", "write at_least = 5"),
    ("volume-per", VOLUME + 'at_least = 5\nper = "6 hours"', 6, "expected a duration", ""),
    ("volume-no-per", VOLUME + "at_least = 5", 4, "`per` is missing", 'add per = "6h"'),
    ("volume-no-time", VOLUME + 'at_least = 5\nper = "0h"', 6, "longer than 0", 'write per = "6h"'),
    ("volume-long", VOLUME + 'at_least = 5\nper = "29d"', 6, "at most 28 days", 'write per = "6h"'),
    ("volume-times", VOLUME + "times = 1", 5, "more than 1", "write times = 3"),
    ("no-tags", RULE + 'when = "a"\ntags = []', 4, "the list is empty", "drop the line"),
    ("tags-number", RULE + 'when = "a"\ntags = 3', 4, "`tags` should be a valid list", ""),
    ("volume-times-text", VOLUME + 'times = "3"', 5, "should be a number", "write times = 3"),
    ("volume-weeks", VOLUME + 'times = 3\nper = "8d"', 4, "past weeks would overlap", 'at most "7d"'),
    ("volume-empty", VOLUME, 4, "asks for nothing", "add at_least = 5"),
    ("toml", "[[rule]]\nid = ", 2, "not valid TOML", ""),
]


@pytest.mark.parametrize(
    ("source", "line", "words", "fix"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_mistakes(source, line, words, fix):
    """Each is told with its line, what is wrong and, where there is one, the fix."""
    (told,) = _problems(source)
    assert told.startswith(f"0.toml:{line}")
    assert words in told
    assert fix in told


@pytest.mark.parametrize(
    ("asked", "volume", "said"),
    [
        ('at_least = 5\nper = "6h"', Volume(at_least=5, per=timedelta(hours=6)), "when 5 stories come in 6 h"),
        (
            "times = 3",
            Volume(times=3, per=timedelta(hours=1)),
            (
                "when 3 times as many stories come in 1 h as in this hour of the rule's past 8 weeks, at least 2; "
                "until 3 of them are known, it is silent"
            ),
        ),
        (
            'times = 2.5\nat_least = 4\nper = "90m"',
            Volume(times=2.5, at_least=4, per=timedelta(minutes=90)),
            (
                "when 2.5 times as many stories come in 90 min as in this hour of the rule's past 8 weeks, at least 4; "
                "until 3 of them are known, 4 are enough"
            ),
        ),
    ],
)
def test_a_volume_draws_a_remark(asked: str, volume: Volume, said: str) -> None:
    """Whoever reads the rules should know that such a rule alerts on no single article."""
    ruleset = compile_rules({"a.toml": f"{VOLUME}{asked}\n".encode()})
    assert ruleset.rules[0].volume == volume
    (remark,) = ruleset.remarks()
    assert (remark.file, remark.line) == ("a.toml", 1)
    assert remark.message == f"`r` sends no alert for a single article: it alerts {said}"
    idle = f'{VOLUME}{asked}\n[rule.alert]\nto = ["desk"]\nkey = "story"\nrepeat_interval = "6h"\n'
    (remark,) = compile_rules({"a.toml": idle.encode()}).remarks()
    assert remark.message.endswith("; key and repeat_interval of its [rule.alert] do nothing")
    assert compile_rules({"a.toml": GOOD}).remarks() == ()


PATHS = [
    "../../x",
    "/etc/passwd",
    "..",
    "a/b",
    "a.b",
    "a\\\\b",
    "-a",
    "A",
    "é",
    "",
    "a" * 65,
    "a%2f",
    "a\\u0000b",
    "a\\n",
]


@pytest.mark.parametrize("one", PATHS)
@pytest.mark.parametrize("table", ["rule", "exclusion"])
def test_w04_an_id_is_no_path(table, one):
    """Small letters, digits and hyphens, 64 at most: nothing else is an id, so that none leads anywhere."""
    told = _problems(f'[[{table}]]\nid = "{one}"\nname = "R"\nwhen = "=a"\n')
    assert any("`id`" in words for words in told)


def test_w04_an_id_may_be_long():
    """The longest is one."""
    source = f'[[rule]]\nid = "{"a" * 64}"\nname = "R"\nseverity = "low"\nwhen = "=a"\n'
    assert [rule.id for rule in compile_rules({"a.toml": source.encode()}).rules] == ["a" * 64]


def test_a_mistake_shows_line_and_caret():
    """The caret stands under the character that is wrong, in the file's own line."""
    (told,) = _problems("[set.hun_sen]\nterms = ['x']\n" + RULE + "when = '''\n  accord AND\n  @hun_senn\n'''")
    assert told.splitlines() == [
        "0.toml:7:3: no set is called @hun_senn",
        "      @hun_senn",
        "      ^",
        "    fix: did you mean @hun_sen?",
    ]


def test_every_mistake_of_every_file_is_told_at_once():
    """One bad file, rule or key hides no other."""
    told = _problems(
        RULE + 'when = "a b"\nseverty = 1\n' + '[[rule]]\nid = "r"\nwhen = "@x"\n[set.s]\nterms = ["y*"]\nkind = 3',
        "[[[[",
        RULE.replace('"r"', '"q"') + "when = 5",
    )
    assert [line.split(": ")[0] for line in told] == [
        "0.toml:3:11",
        "0.toml:4:1",
        "0.toml:6:6",
        "0.toml:7:9",
        "0.toml:9:11",
        "0.toml:10:8",
        "1.toml:1:3",
        "2.toml:3:8",
    ]


@pytest.mark.parametrize("name", ["set", "rule", "exclusion"])
def test_names_are_given_once(name):
    """Two of one name are a mistake, wherever they stand."""
    one = {
        "set": "[set.s]\nterms = ['x']\n",
        "rule": RULE + "when = 'a'\n",
        "exclusion": RULE + "when = 'a'\n[[exclusion]]\nid = 'e'\nwhen = 'b'\napplies_to = ['r']\n",
    }[name]
    other = one.replace('id = "r"', 'id = "q"') if name == "exclusion" else one
    (told,) = _problems(one, other)
    assert told.startswith("1.toml:")
    assert "0.toml:" in told


def test_a_rule_that_is_switched_off_is_known_and_matches_nothing():
    """Its mistakes are found, and exclusions may name it."""
    off = GOOD.replace(b'id = "bridge"', b'id = "bridge"\nenabled = false')
    ruleset = compile_rules({"a.toml": off})
    assert [rule.id for rule in ruleset.rules] == ["lists", "scored"]
    assert [rule.id for rule in ruleset.off] == ["bridge"]
    assert len(ruleset.written) == 3
    assert ruleset.naming("team") == {"bridge", "lists"}, "a silence of the set holds back what it still owes"
    assert ["`bridge` is switched off" in remark.message for remark in ruleset.remarks()] == [True]
    assert ruleset.hash != compile_rules({"a.toml": GOOD}).hash
    (problem,) = _problems(off.decode().replace("@team NEAR/5", "@nobody NEAR/5"))
    assert "no set is called @nobody" in problem


def test_a_rule_is_compiled_beside_others():
    """By their sets and patterns, as all together would be."""
    ruleset = compile_rules({"a.toml": GOOD})
    alone = compile_rule(parse("", b'[[rule]]\nid = "x"\nwhen = "@team NEAR/5 pont"\n'), ruleset)
    assert alone.query == ruleset.rules[0].query
    with pytest.raises(UserError, match="this is not one rule"):
        compile_rule(parse("", GOOD), ruleset)


def test_a_key_is_read_under_its_former_name():
    """With a remark at its place; a rule that has it under both names is refused."""
    former = GOOD.replace(b"repeat_interval", b"realert")
    ruleset = compile_rules({"a.toml": former})
    assert ruleset.rules[0].alert.repeat_interval == timedelta(hours=6)
    (remark,) = ruleset.remarks()
    line = former.decode().splitlines().index('realert = "6h"') + 1
    assert (remark.file, remark.line, remark.fix) == ("a.toml", line, "write repeat_interval")
    both = GOOD.replace(b"repeat_interval", b'realert = "1h"\nrepeat_interval')
    assert "unknown key `realert`" in _problems(both.decode())[0]
