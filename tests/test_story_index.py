"""Stories in memory: what is found, and likeness in arrays beside the loops that it stands for."""

import math
from datetime import UTC, datetime, timedelta
from heapq import nlargest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.analysis.stories import Index, StoryMember, Vector
from worker.analysis.stories import likeness as module

NOW = datetime(2026, 2, 6, 8, tzinfo=UTC)


def told(number: int, *terms: int, days: float = 0, language: str = "fr") -> StoryMember:
    """An article of terms that weigh alike."""
    vector = Vector.of(dict.fromkeys(terms, 1.0), dict.fromkeys(terms, 1.0))
    return StoryMember(article_id=number, published=NOW + timedelta(days=days), language=language, vector=vector)


def found(index: Index, *terms: int, days: float = 0) -> dict[int, list[int]]:
    """The articles of each story that one of these terms is compared with."""
    asked = told(0, *terms, days=days)
    candidates = index.candidates(asked.vector, asked.published)
    return {one.story_id: [each.article_id for each in one.articles] for one in candidates}


def test_a_story_that_was_merged_is_found_by_the_terms_of_the_one_that_is_gone() -> None:
    """Under the number of the other."""
    index = Index()
    index.put(told(1, 2, 4), 10)
    index.put(told(2, 6, 8), 11)
    index.move(11, 10)
    assert found(index, 8) == {10: [1, 2]}


def test_articles_are_found_by_what_they_share() -> None:
    """In the days about a moment, whatever else there is."""
    index = Index()
    index.put(told(1, 2, 4), 10)
    index.put(told(2, 6, 8), 11)
    index.put(told(3, 2, 8, days=-8), 12)
    assert found(index, 2) == {10: [1]}
    assert found(index, 8) == {11: [2]}
    assert found(index, 8, days=-3) == {11: [2], 12: [3]}
    assert found(index, 99) == {}


def test_an_article_tells_what_it_was_put_into_last() -> None:
    """With its last terms; one that was dropped tells nothing."""
    index = Index()
    index.put(told(1, 2), 10)
    index.put(told(1, 4), 11)
    assert (found(index, 2), found(index, 4)) == ({}, {11: [1]})
    index.drop(1)
    assert found(index, 4) == {}


def test_a_group_is_found_by_any_of_its_stories() -> None:
    """With the newest articles of each; a story that has left is found by its own."""
    index = Index()
    for number, story_id in ((1, 10), (2, 11), (3, 12)):
        index.put(told(number, 2 * number, days=-number), story_id)
    index.group(10, {10, 11})
    index.join(12, 10)
    assert found(index, 2) == {10: [1], 11: [2], 12: [3]}
    index.group(11, {11})
    assert found(index, 2) == {10: [1], 12: [3]}
    assert found(index, 4) == {11: [2]}


@pytest.mark.parametrize("count", [12, 13, 40])
def test_only_the_newest_of_a_story_are_compared(count: int) -> None:
    """Twelve, by when they were published, in whatever order they came."""
    index = Index()
    for number in sorted(range(1, count + 1), key=lambda n: n * 7 % 41):
        index.put(told(number, 2, days=number / 100), 10)
    assert found(index, 2) == {10: list(range(count - 11, count + 1))}


def test_days_that_were_read_later_push_nothing_out() -> None:
    """Of very many articles of one term those of the days asked for count, whenever they came into the index."""
    index = Index()
    index.put(told(1_000, 2), 10)
    for number in range(1, 500):
        index.put(told(number, 2, days=-40), 10_000 + number)
    assert found(index, 2) == {10: [1_000]}


def test_a_story_that_is_merged_tells_nothing_any_more() -> None:
    """All of its articles tell the other one, also those that are not among the newest."""
    index = Index()
    for number in range(1, 41):
        index.put(told(number, 2, 100 + 2 * number, days=number / 100), 11)
    index.put(told(50, 2, days=1), 10)
    index.move(11, 10)
    assert found(index, 102) == found(index, 2) == {10: [*range(30, 41), 50]}


terms = st.dictionaries(
    st.integers(0, 30),
    st.tuples(st.floats(0.125, 9, width=32), st.sampled_from([0.0, 0.5, 3.0, 9.0]), st.integers(0, 3)),
    max_size=16,
)


@st.composite
def articles(draw: st.DrawFn) -> StoryMember:
    """Articles of few terms, so that they share some."""
    of = draw(terms)
    vector = Vector.of(
        {key: weight for key, (weight, _, _) in of.items()},
        {key: evidence for key, (_, evidence, _) in of.items()},
        {key: name for key, (_, _, name) in of.items()},
        draw(st.sampled_from([0, 30, 59, 60, 500])),
    )
    moment = NOW + timedelta(hours=draw(st.integers(-200, 200)))
    return StoryMember(article_id=1, published=moment, language=draw(st.sampled_from(["fr", "en"])), vector=vector)


@given(articles(), st.lists(articles(), max_size=6))
def test_arrays_say_what_loops_say(new: StoryMember, others: list[StoryMember]) -> None:
    """Of each pair, for any articles."""
    for found, strong, other in zip(*module.likenesses(new, others), others, strict=True):
        score, is_particular, margin = by_loops(new, other)
        assert found == pytest.approx(score, abs=1e-9)
        assert strong == (found if is_particular else 0.0) or margin < 1e-9


def by_loops(a: StoryMember, b: StoryMember) -> tuple[float, bool, float]:
    """The likeness of two articles, whether what they share is particular, and how near that was to being otherwise."""
    few, many = (a, b) if len(a.vector) <= len(b.vector) else (b, a)
    one, other = columns(few.vector), columns(many.vector)
    shared = [key for key in one if key in other]
    if not shared:
        return 0.0, False, 1.0
    lengths = [math.sqrt(sum(weight**2 for weight, _, _ in each.values())) for each in (one, other)]
    cosine = sum(one[key][0] * other[key][0] for key in shared) / math.prod(lengths)
    total, names = 0.0, dict[tuple[int, int], float]()
    for key in shared:
        value = math.sqrt(one[key][1] * other[key][1])
        total += value
        name = (one[key][2], other[key][2])
        if value and any(name):
            whose = (name[0], 0) if name[0] else name
            names[whose] = names.get(whose, 0.0) + value
    beside = total - sum(nlargest(2, names.values()))
    languages = 1.0 if a.language == b.language else 0.5
    words = min(a.vector.words, b.vector.words)
    if 0 < words < 60 and beside < languages * min(8.0, 160.0 / words):
        return 0.0, False, abs(beside - languages * min(8.0, 160.0 / words))
    by_length = min(1.0, max(0.0, math.log(len(one) / 12) / math.log(100 / 12)))
    needed = (0.09 * (1 - by_length) + 0.04 * by_length) * max(1.0, math.sqrt(words / 120))
    apart = max(0.0, (abs(a.published - b.published) - timedelta(days=3)) / timedelta(days=3))
    least = languages * max(5.0, 1.1 * math.sqrt(len(one)))
    return cosine / needed * min(1.0, total / 10) * 0.5**apart, beside >= least, abs(beside - least)


def columns(vector: Vector) -> dict[int, tuple[float, float, int]]:
    """Weight, evidence and name by term."""
    values = zip(vector.weights.tolist(), vector.evidence.tolist(), vector.names.tolist(), strict=True)
    return dict(zip(vector.hashes.tolist(), values, strict=True))
