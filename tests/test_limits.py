"""Bounds on rules and texts: a job ends soon, with a clear error or with word of what was cut."""

from datetime import UTC, date, datetime

import pytest

from worker.analysis.text import analyse
from worker.errors import UserError
from worker.rules import compile_rules
from worker.rules.match import Source, match
from worker.rules.query import MAX_SPANS, QueryError, Reading, evaluate, parse
from worker.rules.query.nodes import InPart, Proximity

DAY = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Source(published=DAY, first_seen=DAY)


def _rule(when: str) -> dict[str, bytes]:
    return {"r.toml": f"[[rule]]\nid = 'r'\nwhen = '''{when}'''\n".encode()}


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){12}x", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_regexes_that_ruin_other_engines_end(pattern):
    """RE2 takes time in proportion to the text; Python's `re` would not end in a lifetime."""
    document = analyse("", "a" * 100_000 + "!", "fr")
    assert match(document, compile_rules(_rule(f"/{pattern}/")), HERE) == ()


@pytest.mark.parametrize("pattern", [r"(?<=a)b", r"(a)\1", "a{5000}", r"\u00e9", "(a"])
def test_regexes_that_cannot_be_kept_in_bounds_are_refused(pattern):
    """Each is an error with its rule's line and RE2's reason."""
    with pytest.raises(UserError) as caught:
        compile_rules(_rule(f"pont AND /{pattern}/"))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == ("r.toml", 3, 20)
    assert "RE2" in problem.message


DEEP = {
    "parentheses": "(" * 4_000 + "a1" + ")" * 4_000,
    "parts": "title:" * 3_000 + "a1",
    "a chain": " NEAR/1 ".join(["a1"] * 2_000),
    "chains in parentheses": "(" * 45 + "a1" + " NEAR/1 b1 NEAR/1 c1)" * 45 + " NEAR/1 d1" * 45,
}


@pytest.mark.parametrize("when", DEEP.values(), ids=DEEP)
def test_deep_queries_are_refused(when):
    """However a query is made deep, it is told so in its place."""
    with pytest.raises(QueryError, match="more than"):
        parse(when)


def test_the_deepest_query_is_matched():
    """A query as deep as the limit allows passes through every part."""
    words = [f"a{number}" for number in range(100)]
    ruleset = compile_rules(_rule(" NEAR/1 ".join(words)))
    (found,) = match(analyse("", " ".join(words), "fr"), ruleset, HERE)
    assert [len(span.words) for span in found.spans] == [100]


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_sets_of_many_terms(count):
    """A large set is compiled, and an article looks only at what it can hold."""
    terms = ",".join(f"'t{number:05}'" for number in range(count))
    source = f"[set.s]\nterms = [{terms}]\n[[rule]]\nid = 'r'\nwhen = '@s NEAR/2 pont'\n"
    ruleset = compile_rules({"r.toml": source.encode()})
    document = analyse("", "T00042 au pont, t07777 et t1", "xx")
    (found,) = match(document, ruleset, HERE)
    assert [[document.body[start:end] for start, end in span.words] for span in found.spans] == [
        ["pont", "t07777"],
        ["T00042", "pont"],
    ]
    assert len(ruleset.candidates(document).sets["s"].terms) == 2


def _cut(query: str, body: str) -> tuple[int, set[type]]:
    """The number of spans, and the kinds of nodes that say something was cut."""
    reading = Reading(analyse("", body, "fr"), published=date(2026, 1, 1))
    return len(evaluate(parse(query), reading)), {type(node) for node in reading.cut}


LONG = [
    ("a1 NEAR/s b1", "a1 " + "x1 " * 198 + "b1.", 1, set()),
    ("a1 NEAR/s b1", "a1 " + "x1 " * 199 + "b1.", 0, {Proximity}),
    ("a1 NEAR/100 b1", "a1 " + "x1 " * 199 + "b1.", 0, set()),
    ("a1 NEAR/p b1", "a1. " + "X1 x1. " * 499 + "B1.", 1, set()),
    ("a1 NEAR/p b1", "a1. " + "X1 x1. " * 500 + "B1.", 0, {Proximity}),
    ("lead:b1", "x1 " * 999 + "b1", 1, set()),
    ("lead:b1", "x1 " * 1_000 + "b1", 0, {InPart}),
    ("title:b1 OR body:b1", "x1 " * 1_000 + "b1", 1, set()),
    ("a1 NEAR/100 b1", "a1 b1 " * 100, 7_599, set()),
    ("a1 NEAR/100 b1", "a1 b1 " * 500, MAX_SPANS, {Proximity}),
]


@pytest.mark.parametrize(("query", "body", "count", "cut"), LONG, ids=[f"{q}, {len(b)}" for q, b, _, _ in LONG])
def test_what_is_cut_is_told(query, body, count, cut):
    """A sentence has 200 words at most, a paragraph 1,000, an answer 10,000 spans; whoever was asked says what went."""
    assert _cut(query, body) == (count, cut)


SPAM = [
    "(a1 NEAR/p b1) NEAR/p (c1 NEAR/p d1)",
    "(a1 NEAR/100 b1 NEAR/100 c1) NEAR/100 (a1 NEAR/100 b1 NEAR/100 d1)",
    "(a1 NEAR/100 b1) NOT NEAR/100 (c1 NEAR/100 d1)",
    "(a1 NEAR/100 b1) WITHOUT (a1 NEAR/100 b1)",
    "ATLEAST/100 (a1 NEAR/100 b1)",
]


@pytest.mark.parametrize("query", SPAM)
def test_a_page_of_nothing_but_a_rules_words_ends(query):
    """Millions of pairs are never listed: 10,000 spans are kept at each step, and what is longer is passed over."""
    assert _cut(query, "a1 b1 c1 d1 " * 300)[1] == {Proximity}
