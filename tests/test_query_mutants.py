"""The fixed list of changes that a rule's tests are tested with."""

import pytest

from worker.rules.query import mutants, parse
from worker.rules.query.nodes import Operator

CASES = [
    ("a", []),
    ("a OR b", ["b", "a", "a AND b"]),
    ("a AND b", ["b", "a", "a OR b"]),
    ("a AND b AND c", ["b AND c", "a AND c", "a AND b", "a OR b OR c"]),
    ("a AND NOT b", ["a"]),
    ("a AND NOT (b OR c)", ["a", "a AND NOT c", "a AND NOT b", "a AND NOT (b AND c)"]),
    ("title:a", ["a"]),
    ("ATLEAST/3 a", ["a"]),
    ("a NEAR/8 b", ["a", "b", "a BEFORE/8 b", "a NEAR/17 b", "a NEAR/4 b"]),
    ("a BEFORE/1 b", ["a", "b", "a NEAR/1 b", "a BEFORE/3 b", "a BEFORE/0 b"]),
    ("a NEAR/0 b", ["a", "b", "a BEFORE/0 b", "a NEAR/1 b"]),
    ("a NEAR/100 b", ["a", "b", "a BEFORE/100 b", "a NEAR/50 b"]),
    ("a NEAR/60 b", ["a", "b", "a BEFORE/60 b", "a NEAR/100 b", "a NEAR/30 b"]),
    ("a NEAR/s b", ["a", "b", "a BEFORE/s b", "a NEAR/p b"]),
    ("a BEFORE/p b", ["a", "b", "a NEAR/p b", "a BEFORE/s b"]),
    ("a NEAR/4s b", ["a", "b", "a BEFORE/4s b", "a NEAR/9s b", "a NEAR/2s b", "a NEAR/4 b"]),
    ("a NOT AFTER/0p b", ["a", "a NOT AFTER/1p b", "a NOT AFTER/0 b"]),
    ("a EXCEPT b", ["a"]),
    ("a WITHOUT b", ["a"]),
    ("a NOT NEAR/2 b", ["a", "a NOT NEAR/5 b", "a NOT NEAR/1 b"]),
    ("a WITHOUT (b OR c)", ["a", "a WITHOUT c", "a WITHOUT b"]),
]


@pytest.mark.parametrize(("query", "expected"), CASES, ids=[case[0] for case in CASES])
def test_the_changes(query: str, expected: list[str]) -> None:
    """Each change of the list, once, and no other."""
    assert [str(mutant.query) for mutant in mutants(parse(query))] == expected


def test_changes_reach_every_depth() -> None:
    """A word within a proximity within a condition is dropped, too."""
    found = [str(mutant.query) for mutant in mutants(parse("title:((a OR b) NEAR/3 c) AND NOT d"))]
    assert "title:(b NEAR/3 c) AND NOT d" in found
    assert "title:((a OR b) NEAR/7 c) AND NOT d" in found
    assert "(a OR b) NEAR/3 c AND NOT d" in found


def test_every_mutant_is_a_query_that_the_language_allows() -> None:
    """It parses back to itself, and asks for a word that must be there."""
    query = "(title:a OR b) AND ATLEAST/2 (c OR d NEAR/s e) AND NOT (f AND NOT g) AND h NOT AFTER/3 (i OR j)"
    found = [mutant.query for mutant in mutants(parse(query))]
    assert found
    for mutant in found:
        assert parse(str(mutant)) == mutant


def test_every_operator_has_a_change() -> None:
    """None is forgotten when the language grows."""
    for operator in Operator:
        reach = "" if operator in (Operator.WITHOUT, Operator.EXCEPT) else "/3"
        assert list(mutants(parse(f"a {operator}{reach} b"))), operator
