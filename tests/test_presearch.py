"""Candidates: an index that must never miss what trying every rule would find, and should find little else."""

from datetime import UTC, datetime
from itertools import islice
from random import Random

import naive
import pytest

from worker.analysis.text import analyse
from worker.model import Match, Severity
from worker.rules import Exclusion, Rule, RuleSet, Score, Weight, compile_rules
from worker.rules.match import Source, judge, match
from worker.rules.query import All, Any, Indexed, Presearch, Reading, evaluate, indexed, parse, parse_term
from worker.rules.query.nodes import DatedTerm, TermSet
from worker.rules.query.regex import RegexSet

DAY = datetime(2026, 1, 1, 8, tzinfo=UTC)
HERE = Source(published=DAY, first_seen=DAY)


def _every(document, ruleset):
    """The matches by trying every rule, in the promised order."""
    found = [verdict for verdict in judge(document, ruleset, HERE).values() if isinstance(verdict, Match)]
    return tuple(sorted(found, key=lambda found: (-found.severity.rank, found.rule_id)))


def _ruleset(rng, nodes):
    """Rules that ask for `nodes`, some by scores, and exclusions that keep some of them away."""
    rules = []
    while (node := next(nodes, None)) is not None:
        score = None
        if rng.random() < 0.3:
            weights = tuple(
                Weight(query=query, weight=rng.choice([-20, 10, 20, 30])) for query in islice(nodes, rng.randint(1, 4))
            )
            score = Score(terms=weights, threshold=rng.choice([-10, 0, 10, 30, 50]), bands=((30, Severity.HIGH),))
        rules.append(
            Rule(
                id=f"r{len(rules):03}",
                name="",
                severity=rng.choice(list(Severity)),
                languages=frozenset({"fr"}) if rng.random() < 0.1 else frozenset(),
                query=None if score is not None and score.threshold > 0 and rng.random() < 0.5 else node,
                score=score,
                hash="",
                file="",
                line=1,
            )
        )
    exclusions = [
        Exclusion(id="x", query=query, rules=frozenset(rule.id for rule in rng.sample(rules, len(rules) // 4)))
        for query in islice(naive.queries(rng), rng.randint(0, 2))
    ]
    return RuleSet(rules=tuple(rules), exclusions=tuple(exclusions), sets=naive.SETS)


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_candidates_answer_as_every_rule_does(count, monkeypatch):
    """On random rule sets and texts in several languages the same matches, spans included, in the same order."""
    monkeypatch.setattr("worker.rules.query.presearch.MOST_LEARNT", 3)
    monkeypatch.setattr("worker.rules.query.presearch.MOST_LANGUAGES", 2)
    rng = Random(count)
    found = tried = left_out = 0
    while tried < count:
        nodes = list(islice(naive.queries(rng), rng.choice([1, 10, 40])))
        ruleset = _ruleset(rng, iter(nodes))
        for _ in range(5):
            language = rng.choice(["fr", "fr", "en", "xx"])
            document = analyse(naive.text(rng, 6), naive.text(rng, 12), language)
            expected = _every(document, ruleset)
            assert match(document, ruleset, HERE) == expected, (language, document.title, document.body)
            found += len(expected)
            tried += len(ruleset.rules)
            left_out += len(ruleset.rules) - len(ruleset.candidates(document).rules)
    print(f"{found} matches of {tried} random pairs; {left_out} not tried")
    assert found >= 0.2 * count
    assert left_out >= 0.1 * count


CANDIDATES = [
    ("pont", "Des ponts", True),
    ("pont", "Le pontage", False),
    ("=pont", "Des ponts", False),
    ("=TÔ", "to", True),
    ("==Tô", "To", True),
    ("==Tô", "Ta", False),
    ("signé", "ils signeront", True),
    ("zorbales", "la zorbale", True),
    ("zorbales", "la zorbiture", False),
    ("visit*", "un visiteur", True),
    ("visit*", "une vis", False),
    ('"accord frontalier"', "les accords frontaliers", True),
    ('"accord frontalier"', "les accords", False),
    ("@name", "Hun Sen", True),
    ("@name", "rien", False),
    ("@name NEAR/3 a1", "Hun Sen", False),
    ("@bridge", "un pont", True),
    ("@bridge", "une route", False),
    ("/n° ?\\d+/", "le n°3", True),
    ("/n° ?\\d+/", "le n° x", False),
    ("a1 OR b1", "b1", True),
    ("a1 OR (b1 AND c1)", "b1", False),
    ("(a1 OR b1) NEAR/3 (c1 OR d1)", "d1 b1", True),
    ("(a1 OR b1) NEAR/3 (c1 OR d1)", "a1 b1", False),
    ("a1 BEFORE/3 b1", "b1 a1", True),
    ("a1 NOT NEAR/3 b1", "a1", True),
    ("a1 NOT NEAR/3 b1", "b1", False),
    ("a1 WITHOUT b1", "a1", True),
    ("a1 AND NOT b1", "a1", True),
    ("a1 AND NOT b1", "b1", False),
    ("ATLEAST/2 a1", "a1", True),
    ("ATLEAST/2 a1", "b1", False),
    ("title:a1 AND lead:b1", "a1 b1", True),
    ("lead:/b1$/", "c1", False),
    ("lead:/b1$/", "b1\n\nc1", True),
    ("a1 AND b1 AND c1 AND d1", "a1 b1 c1 d1", True),
    ("a1 AND b1 AND c1 AND d1", "b1 c1 d1", False),
]


@pytest.mark.parametrize(("query", "body", "tried"), CANDIDATES, ids=[f"{q} | {b}" for q, b, _ in CANDIDATES])
def test_what_is_tried(query, body, tried):
    """A query is tried where the words that it requires stand, in any form that it may have."""
    sets = {
        "name": TermSet(terms=(DatedTerm(term=parse_term("Hun Sen")),)),
        "bridge": TermSet(terms=(DatedTerm(term=parse_term("pont")), DatedTerm(term=parse_term("/tunnel/")))),
    }
    presearch = Presearch([parse("other"), parse(query)], sets)
    assert (1 in presearch.search(analyse("", body, "fr")).queries) is tried


def test_sets_are_as_small_as_the_article_allows():
    """Of a set only what can occur is left: its terms, whatever their dates, and its exceptions."""
    ruleset = compile_rules(
        {
            "r.toml": b"""
            [set.s]
            terms = ["pont", { term = "route", from = 2030-01-01 }, "grand tunnel", "/gu./"]
            except = ["pont neuf", "route bleue"]
            [[rule]]
            id = "r"
            when = "@s"
            """
        }
    )
    found = ruleset.candidates(analyse("", "Les ponts neufs, les routes, un tunnel", "fr")).sets["s"]
    assert [str(dated.term) for dated in found.terms] == ["pont", "route"]
    assert [str(term) for term in found.exceptions] == ['"pont neuf"']


def test_a_regex_of_a_set_may_hold_in_the_lead_alone():
    """A lead ends where the body does not."""
    rule = "[set.s]\nterms = ['/pont$/']\n[[rule]]\nid = 'r'\nwhen = 'lead:@s'\n"
    ruleset = compile_rules({"r.toml": rule.encode()})
    assert [m.rule_id for m in match(analyse("", "Un pont\n\nUne route", "fr"), ruleset, HERE)] == ["r"]


def test_an_article_without_candidates_takes_no_rule():
    """Nor an exclusion that could keep one away."""
    rule = "[[rule]]\nid = 'r'\nwhen = 'pont'\n[[exclusion]]\nid = 'x'\nwhen = 'jeu'\napplies_to = ['r']\n"
    ruleset = compile_rules({"r.toml": rule.encode()})
    assert ruleset.candidates(analyse("", "Un jeu", "fr")) == RuleSet(hash=ruleset.hash)


@pytest.mark.parametrize("room", [16 << 20, 3_000, 200])
@pytest.mark.parametrize("size", [500, 2])
def test_regexes_at_once(room, size, monkeypatch):
    """A set that RE2 finds too large for its memory is parted; what no set takes may always occur."""
    monkeypatch.setattr("worker.rules.query.regex.SET_BYTES", room)
    monkeypatch.setattr("worker.rules.query.regex.SET_SIZE", size)
    patterns = {rf"n° {number}\d+\b": f"le n° {number}7" for number in range(20)} | {"x{500}y": "x" * 500 + "y"}
    regexes = RegexSet(patterns)
    for pattern, text in patterns.items():
        assert pattern in regexes.found(("", text))
    if room == 16 << 20:
        assert regexes.found(("rien", "n° 37")) == {r"n° 3\d+\b"}


@pytest.mark.parametrize("count", [100, pytest.param(20_000, marks=pytest.mark.soak)])
def test_an_index_of_words_misses_no_text_in_which_a_query_holds(count):
    """On random queries and texts, it has what is asked for of every text that the evaluator finds."""
    rng = Random(19)
    queries = naive.queries(rng)
    documents = [analyse(naive.text(rng), naive.text(rng), rng.choice(["fr", "en"])) for _ in range(30)]
    held = asked = 0
    for node in islice(queries, count):
        wanted = indexed(node, naive.SETS, ["en", "fr"])
        asked += wanted is not None
        for document in documents:
            if evaluate(node, Reading(document, published=naive.DAY, sets=naive.SETS)):
                held += 1
                assert wanted is None or _has(wanted, document.folded), str(node)
    assert held > count / 2
    assert asked > count / 3


def test_what_every_way_asks_for_is_asked_for_once():
    """A pattern says in many ways what somebody may do: the index is asked for whom it is called with."""
    query = parse('("=grand pont" AND =neuf) OR ("=grand pont" AND =vieux) OR (=pont AND =grand AND =long)')
    pont, grand = Indexed("pont"), Indexed("grand")
    wanted = indexed(query, {}, ["fr"])
    assert isinstance(wanted, All)
    assert set(wanted.parts) == {pont, grand, Any((Indexed("neuf"), Indexed("vieux"), Indexed("long")))}
    assert indexed(parse("=pont OR (=pont AND =neuf)"), {}, ["fr"]) == pont


def _has(wanted, words):
    match wanted:
        case Indexed(word, is_start):
            return any(one == word or (is_start and one.startswith(word)) for one in words)
        case All(parts):
            return all(_has(part, words) for part in parts)
        case Any(parts):
            return any(_has(part, words) for part in parts)
