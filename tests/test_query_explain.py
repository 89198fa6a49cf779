"""Explanations of a query's hit or miss: the verdict of each node, and what a miss came nearest to."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.analysis.text import Document, analyse
from worker.rules.query import (
    DatedTerm,
    Explained,
    Miss,
    Reading,
    TermSet,
    distance,
    evaluate,
    explain,
    nearest,
    parse,
    parse_term,
)
from worker.rules.query.nodes import And, Not, Or, Term
from worker.rules.query.wording import miss

DAY = date(2026, 1, 1)


def _term(text: str) -> Term:
    node = parse_term(text)
    assert isinstance(node, Term)
    return node


SETS = {
    "maire": TermSet(
        terms=(
            DatedTerm(term=_term("=Lam")),
            DatedTerm(term=_term("maire de Vinh"), until=date(2024, 12, 31)),
        ),
        exceptions=(_term("rue Lam"),),
    )
}


def _explain(query: str, body: str, title: str = "") -> tuple[Explained, Document]:
    document = analyse(title, body, "xx")
    reading = Reading(document, published=DAY, sets=SETS)
    return explain(parse(query, SETS), reading, SETS, DAY), document


MISSES = [
    ("a1", "b1", [("a1", Miss.ABSENT, 0, [])]),
    ('"a1 b1"', "b1 x a1", [('"a1 b1"', Miss.NOT_IN_A_ROW, 0, ["a1", "b1"])]),
    ('"a1 b1"', "b1 x", [('"a1 b1"', Miss.ABSENT, 0, [])]),
    ("@maire", "x", [("@maire", Miss.ABSENT, 0, [])]),
    ("@maire", "la rue Lam", [("@maire", Miss.EXCEPTED, 0, ["lam"])]),
    ("@maire", "maire de Vinh", [("@maire", Miss.OUT_OF_TIME, 0, ["maire de vinh"])]),
    ("/zz/", "x", [("/zz/", Miss.ABSENT, 0, [])]),
    ("a1 AND b1", "a1", [("b1", Miss.ABSENT, 0, [])]),
    ("a1 AND b1", "x", [("a1", Miss.ABSENT, 0, []), ("b1", Miss.ABSENT, 0, [])]),
    ("a1 OR b1", "x", [("a1 OR b1", Miss.ABSENT, 0, [])]),
    ("(a1 AND b1) OR c1", "a1", [("b1", Miss.ABSENT, 0, [])]),
    ("a1 AND NOT b1", "a1 b1", [("NOT b1", Miss.PRESENT, 0, ["b1"])]),
    ("a1 NEAR/2 b1", "a1 x x x x x b1", [("a1 NEAR/2 b1", Miss.TOO_FAR, 3, ["a1", "b1"])]),
    ("a1 NEAR/2 b1", "a1 x x x x x b1 x x x a1", [("a1 NEAR/2 b1", Miss.TOO_FAR, 1, ["a1", "b1"])]),
    ("a1 NEAR/2 b1", "a1", [("b1", Miss.ABSENT, 0, [])]),
    ("a1 BEFORE/5 b1", "b1 a1", [("a1 BEFORE/5 b1", Miss.WRONG_ORDER, 0, ["a1", "b1"])]),
    ("a1 BEFORE/1 b1", "a1 x x b1", [("a1 BEFORE/1 b1", Miss.TOO_FAR, 1, ["a1", "b1"])]),
    ("a1 NEAR/s b1", "Un a1. Puis b1.", [("a1 NEAR/s b1", Miss.OTHER_SENTENCE, 0, ["a1", "b1"])]),
    ("a1 NEAR/p b1", "Un a1.\n\nPuis b1.", [("a1 NEAR/p b1", Miss.OTHER_PARAGRAPH, 0, ["a1", "b1"])]),
    ("a1 NEAR/2s b1", "Un a1. Puis b1.", [("a1 NEAR/2s b1", Miss.OTHER_SENTENCE, 0, ["a1", "b1"])]),
    ("a1 NEAR/2s b1", "Un a1 x x x b1.", [("a1 NEAR/2s b1", Miss.TOO_FAR, 1, ["a1", "b1"])]),
    ("a1 NEAR/2p b1", "Un a1.\n\nPuis b1.", [("a1 NEAR/2p b1", Miss.OTHER_PARAGRAPH, 0, ["a1", "b1"])]),
    ("a1 BEFORE/2s b1", "Le b1 x a1.", [("a1 BEFORE/2s b1", Miss.WRONG_ORDER, 0, ["a1", "b1"])]),
    ("a1 NOT NEAR/2s b1", "Un a1 x b1.", [("a1 NOT NEAR/2s b1", Miss.FORBIDDEN, 0, ["a1", "b1"])]),
    ('a1 EXCEPT "a1 b1"', "a1 b1", [('a1 EXCEPT "a1 b1"', Miss.EXCEPTED, 0, ["a1"])]),
    ("fr:a1", "a1", [("fr:a1", Miss.OTHER_LANGUAGE, 0, [])]),
    ('fr:"a1 b1"', "a1 b1", [('fr:"a1 b1"', Miss.OTHER_LANGUAGE, 0, [])]),
    ("a1 NEAR/9 (a1 OR =a1)", "a1", [("a1 NEAR/9 (a1 OR =a1)", Miss.SAME_WORDS, 0, ["a1"])]),
    ("a1 NOT NEAR/2 b1", "a1 x b1", [("a1 NOT NEAR/2 b1", Miss.FORBIDDEN, 0, ["a1", "b1"])]),
    ("a1 NOT NEAR/2 b1", "b1", [("a1", Miss.ABSENT, 0, [])]),
    ("a1 NOT BEFORE/2 b1", "b1 a1 x b1", [("a1 NOT BEFORE/2 b1", Miss.FORBIDDEN, 0, ["a1", "b1"])]),
    ("a1 NOT AFTER/2 b1", "b1 a1", [("a1 NOT AFTER/2 b1", Miss.FORBIDDEN, 0, ["a1", "b1"])]),
    ("(a1 NEAR/3 c1) WITHOUT b1", "a1 b1 c1", [("a1 NEAR/3 c1 WITHOUT b1", Miss.FORBIDDEN, 0, ["a1 c1", "b1"])]),
    ("title:a1", "a1", [("title:a1", Miss.ELSEWHERE, 0, ["a1"])]),
    ("title:a1", "x", [("a1", Miss.ABSENT, 0, [])]),
    ("ATLEAST/3 a1", "a1 a1", [("ATLEAST/3 a1", Miss.TOO_FEW, 1, ["a1", "a1"])]),
    ("ATLEAST/3 a1", "x", [("a1", Miss.ABSENT, 0, [])]),
]


@pytest.mark.parametrize(("query", "body", "expected"), MISSES, ids=[f"{q} in {b!r}" for q, b, _ in MISSES])
def test_the_nearest_miss(query: str, body: str, expected: list[tuple[str, Miss, int, list[str]]]) -> None:
    """The change that would be needed: the node, why it fails, by how much, and the words that came nearest."""
    explained, document = _explain(query, body)
    assert not explained.held
    found = [
        (str(leaf.node), leaf.miss, leaf.by, [" ".join(document.folded[w] for w in span) for span in leaf.near])
        for leaf in nearest(explained)
    ]
    assert found == expected


def test_the_nearer_of_two_misses_is_known() -> None:
    """A word that is one too far away is nearer than one in another sentence, and that than one that is absent."""
    queries = ["a1 NEAR/2 b1", "a1 NEAR/s b1", "a1 AND c1", "c1 AND d1"]
    far = [distance(_explain(query, "Un a1 x x x. Puis b1.")[0]) for query in queries]
    assert far == sorted(far)
    assert far[0] < far[-1]
    assert distance(_explain("a1", "a1")[0]) == 0


def test_title_and_body_are_told_apart() -> None:
    """A pair never spans both parts."""
    explained, _ = _explain("a1 NEAR/50 b1", "b1", title="a1")
    assert explained.miss is Miss.OTHER_PART


def test_the_nearest_alternative_counts() -> None:
    """Of an OR, the alternative that needs least: a pair that is a little too far before words that are absent."""
    explained, _ = _explain("(c1 AND d1) OR a1 NEAR/2 b1", "a1 x x x b1")
    assert [str(leaf.node) for leaf in nearest(explained)] == ["a1 NEAR/2 b1"]


def test_what_holds_shows_its_words() -> None:
    """Every node of a query that holds, with the first of its spans and their number."""
    explained, document = _explain("(a1 NEAR/2 b1) AND NOT c1", "a1 b1 x x x a1 x b1")
    pair, none = explained.parts
    assert (explained.held, pair.held, none.held) == (True, True, True)
    assert pair.count == 2
    assert [document.folded[word] for word in pair.spans[0]] == ["a1", "b1"]
    assert [part.count for part in pair.parts] == [2, 2]
    assert not nearest(explained)


_WORDS = st.sampled_from(["a1", "b1", "c1", "d1"])
_QUERIES = st.recursive(
    _WORDS,
    lambda inner: st.one_of(
        st.builds("({} OR {})".format, inner, inner),
        st.builds("({} NEAR/{} {})".format, inner, st.integers(0, 4), inner),
        st.builds("({} BEFORE/{} {})".format, inner, st.integers(0, 4), inner),
        st.builds("({} NOT NEAR/{} {})".format, inner, st.integers(0, 4), inner),
        st.builds("({} WITHOUT {})".format, inner, inner),
    ),
    max_leaves=6,
)
_CONDITIONS = st.one_of(
    _QUERIES,
    st.builds("({} AND {})".format, _QUERIES, _QUERIES),
    st.builds("({} AND NOT {})".format, _QUERIES, _QUERIES),
    st.builds("title:{}".format, _QUERIES),
    st.builds("ATLEAST/2 {}".format, _WORDS),
)
_TEXTS = st.lists(st.sampled_from(["a1", "b1", "c1", "d1", "x", "x.", "\n\n"]), max_size=14).map(" ".join)


@settings(deadline=None)
@given(_CONDITIONS, _TEXTS, _TEXTS)
def test_explanations_agree_with_the_evaluator(query: str, title: str, body: str) -> None:
    """Every node's verdict is the evaluator's; what fails has a reason, and what holds none."""
    node = parse(query)
    document = analyse(title.replace("\n", ""), body, "xx")
    reading = Reading(document, published=DAY)
    explained = explain(node, reading, {}, DAY)
    assert explained.held == bool(evaluate(node, reading))
    assert bool(nearest(explained)) is not explained.held
    stack = [explained]
    while stack:
        one = stack.pop()
        assert (one.miss is None) is one.held
        held = [part.held for part in one.parts]
        match one.node:
            case And():
                assert one.held is all(held)
            case Or():
                assert one.held is any(held)
            case Not():
                assert one.held is not held[0]
        stack.extend(one.parts)


@pytest.mark.parametrize("kind", list(Miss))
def test_each_kind_of_a_miss_has_a_sentence(kind: Miss) -> None:
    """A new kind must not end a page in a trace."""
    document = analyse("", "Un pont", "fr")
    found = explain(parse("gare"), Reading(document, published=DAY), {}, DAY)
    assert miss(replace(found, miss=kind), document)
