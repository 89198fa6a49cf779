"""Measuring copies and stories; and the quality that they were measured at, pinned with the corpus."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from desk import new_store

from worker.evaluate import (
    LabelledCopy,
    LabelledStory,
    evaluate_copies,
    evaluate_stories,
    read_article,
    read_copy,
    read_headline,
    read_story,
)
from worker.evaluate.stories import StoryScore, score
from worker.feeds.normalise import Known, Unreadable
from worker.store import Store

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
#: Stories that overlap, by their labels: pairs of them count for nothing.
OVERLAPPING = [
    frozenset({"hs-2019", "border-2019"}),
    frozenset({"recep-2025", "natday-2025", "hs-hanoi-2025"}),
    frozenset({"tl-2026", "two-2026"}),
    frozenset({"phuc-2021", "def-2021"}),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """SQLite alone: what is measured is the decision."""
    opened = new_store(tmp_path)
    yield opened
    opened.close()


def corpus(name: str, sha: str) -> list[str]:
    """The lines of a corpus that the floors were measured on."""
    raw = (DATA / name).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == sha, "measure the floors anew"
    return raw.decode("utf-8").splitlines()


# --- the scores ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "found", "expected"),
    [
        ("aabb", [1, 1, 2, 2], (1.0, 1.0, 1.0, 1.0)),
        ("aabb", [1, 1, 1, 1], (2 / 6, 1.0, 0.5, 0.0)),
        ("aabb", [1, 2, 3, 4], (None, 0.0, 0.0, 0.0)),
        ("abcd", [1, 2, 3, 4], (None, None, None, None)),
        ("aaab", [1, 1, 2, 2], (0.5, 1 / 3, 0.4, 0.0)),
    ],
    ids=["all right", "all in one", "all alone", "nothing to find", "half"],
)
def test_pairs(labels: str, found: list[int], expected: tuple[float | None, ...]) -> None:
    """Precision, recall and F1 over pairs, and the adjusted Rand index, counted by hand."""
    found = score(list(zip(labels, found, strict=True)), (), {})
    got = (found.pair_precision, found.pair_recall, found.pair_f1, found.ari)
    assert [value if value is None else pytest.approx(value) for value in expected] == list(got)


def test_bcubed_rewards_doing_nothing() -> None:
    """So it never stands alone: a stream of stories of one article scores high, and its pairs nothing."""
    found = score(list(zip("aabcdefgh", range(9), strict=True)), (), {})
    assert found.bcubed_f1 > 0.9
    assert found.pair_f1 == 0


def test_ignored_pairs_count_for_nothing() -> None:
    """Two labels that overlap may be together or apart."""
    pairs = list(zip("aabb", [1, 1, 1, 1], strict=True))
    assert score(pairs, [frozenset("ab")], {}).pair_f1 == 1.0
    assert score(pairs, [frozenset("ac")], {}).pair_f1 == 0.5


def test_strong_pairs_are_counted_beside_all() -> None:
    """All pairs are those of a group, weak ones too; the strong ones share a story. Counted by hand."""
    # Two events of three articles each. One group holds four, one of them wrongly; stories of two are in both.
    labels, groups, strong = "aaabbb", [1, 1, 1, 1, 5, 5], [1, 1, 3, 3, 5, 5]
    found = score(list(zip(labels, groups, strict=True)), (), {}, dict(enumerate(strong)))
    assert (found.pair_precision, found.pair_recall, found.stories) == (4 / 7, 4 / 6, 2)
    assert (found.strong_precision, found.strong_recall, found.strong_stories) == (2 / 3, 2 / 6, 3)


def test_a_group_is_measured_as_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs are all weak if nothing is strong: they count as pairs, and none as a strong one."""
    monkeypatch.setattr("worker.analysis.stories.decision.STRONG", 1000)
    score = evaluate_stories(store, labelled_in(OWN)[:30], NOW)
    assert (score.strong_recall, score.strong_precision, score.strong_stories) == (0, None, 30)
    assert score.pair_recall is not None
    assert score.pair_recall > 0.5
    assert score.stories < 30


@pytest.mark.parametrize(
    ("read", "line"),
    [
        (read_story, '{"title": "x"}'),
        (read_story, '{"title": "x", "story": 3}'),
        (read_copy, '{"title": "x", "of": "a", "same": "maybe"}'),
        (read_copy, '{"title": "x", "same": true}'),
        (read_story, "x"),
        (lambda line: read_headline(line, 1), "no tab"),
        (lambda line: read_headline(line, 1), "topic\t "),
    ],
)
def test_lines_that_are_no_label(read, line: str) -> None:
    """Each is told, none is guessed at."""
    assert isinstance(read(line), Unreadable)


def test_a_headlines_id_is_its_line(store: Store) -> None:
    """So that the answers can be found again."""
    labelled = [read_headline(f"t\tUn pont ouvre à Kratie numéro {n}", n) for n in (3, 7)]
    told = [one for one in labelled if isinstance(one, LabelledStory)]
    assert list(evaluate_stories(store, told, NOW).assigned) == ["3", "7"]


def test_copies_are_judged_by_their_original(store: Store) -> None:
    """A copy of another article than its own is wrong, and so is one that was missed."""
    body = "Le conseil de la commune a voté le budget de la bibliothèque, de la piscine et du marché couvert. " * 4
    other = "La récolte de riz a été bonne dans les sept districts de la province, disent les coopératives. " * 4
    known = [
        read_article(json.dumps({"id": name, "lang": "fr", "text": text})) for name, text in [("a", body), ("b", other)]
    ]
    copies = [
        read_copy(json.dumps({"id": name, "lang": "fr", "text": text, "of": of, "kind": "k", "same": same}))
        for name, text, of, same in [
            ("c", body, "a", True),
            ("d", other, "a", True),
            ("e", body, "a", False),
            ("f", "Rien.", "b", "story"),
        ]
    ]
    score = evaluate_copies(
        store, [k for k in known if isinstance(k, Known)], [c for c in copies if isinstance(c, LabelledCopy)], NOW
    )
    assert (score.tp, score.fp, score.fn) == (1, 2, 1)
    assert [(w.id, w.expected, w.got) for w in score.wrong] == [
        ("d", "a copy of a", "a copy of b"),
        ("e", "no copy", "a copy of a"),
    ]
    assert (score.texts["k"], score.right["k"]) == (4, 2)


# --- the quality ---------------------------------------------------------------------------------------------------


@needs_data
def test_copies_of_the_corpus(store: Store) -> None:
    """Every kind of edit is seen through, and no article of a template is called a copy."""
    known = [
        read_article(line)
        for line in corpus("watch/articles.jsonl", "7f4c7bd26d856f5e719e4c4769ebf9003f542fede1dd91e597b4fbf2f1d7865d")
    ]
    copies = [read_copy(line) for line in (DATA / "watch" / "copies.jsonl").read_text("utf-8").splitlines()]
    score = evaluate_copies(store, known, copies, NOW)  # type: ignore[arg-type]  none is unreadable
    assert score.f1 is not None
    assert score.f1 >= 0.97
    assert score.fp == 0
    assert all(score.right[kind] >= 0.9 * n for kind, n in score.texts.items())


#: Floors of (pair F1, pair precision, strong precision, strong recall), with the corpus they were measured on.
FLOORS = [
    pytest.param(
        "watch/articles.jsonl",
        "7f4c7bd26d856f5e719e4c4769ebf9003f542fede1dd91e597b4fbf2f1d7865d",
        (0.92, 0.95, 0.95, 0.5),
        id="watch",
    ),
    pytest.param(
        "real/feeds-en.jsonl",
        "068b750b7e52060aae7c29cf2acdc707b42c2539dc91b6d26b21a18cbec91330",
        (0.85, 0.88, 0.93, 0.7),
        id="feeds",
    ),
    pytest.param(
        "real/pages-fr.jsonl",
        "bf93e9cc1464f54cd6628515281a4e11e021aac334db72e127b63a99a446c5f6",
        (0.88, 0.95, 0.95, 0.5),
        id="pages",
    ),
    pytest.param(
        "real/briefs-en.jsonl",
        "fe646af8dd8d35c068f56019658871761590a6c0ce3e2ae510005bd7b857a401",
        (0.7, 0.8, 1.0, 0.6),
        id="briefs",
    ),
    pytest.param(
        "french-headlines.tsv",
        "ccedada28005ea4b5ad9d47d513fb824fc147ff3481a97afa1d367afb0e684ab",
        (0.68, 0.75, 0.85, 0.35),
        id="headlines",
        marks=pytest.mark.soak,
    ),
    pytest.param(
        "real/headlines-one-day.tsv",
        "8e643e8e535f85d5defae18abeaa56790ecec7f366e3a1bb3c47f253edfa0efa",
        (0.62, 0.6, 0.75, 0.35),
        id="one day",
        marks=pytest.mark.soak,
    ),
]


@needs_data
@pytest.mark.parametrize(("name", "sha", "floors"), FLOORS)
def test_stories_of_labelled_texts(store: Store, name: str, sha: str, floors: tuple[float, ...]) -> None:
    """As measured, with one set of parameters for all; pairs of overlapping stories count for nothing."""
    lines = corpus(name, sha)
    read = read_headline if name.endswith(".tsv") else lambda line, _: read_story(line)
    labelled = [read(line, number) for number, line in enumerate(lines, 1)]
    found = evaluate_stories(store, labelled, NOW, ignored=OVERLAPPING)  # type: ignore[arg-type]  none is unreadable
    got = (found.pair_f1, found.pair_precision, found.strong_precision, found.strong_recall)
    assert all(value is not None and value >= floor for value, floor in zip(got, floors, strict=True)), got


OWN = Path(__file__).parent / "data" / "articles" / "plain.jsonl"
WATCH = DATA / "watch" / "articles.jsonl"
both = pytest.mark.parametrize("file", [pytest.param(OWN, id="own"), pytest.param(WATCH, id="watch", marks=needs_data)])


def labelled_in(file: Path) -> list[LabelledStory]:
    """Its articles by the hours in which they were published."""
    labelled: list[LabelledStory] = [read_story(line) for line in file.read_text("utf-8").splitlines()]  # type: ignore[misc]  as above
    return sorted(labelled, key=lambda one: one.known.published or NOW)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], StoryScore]:
    """The stories of a file whose articles come one by one."""

    @cache
    def measured(file: Path) -> StoryScore:
        opened = new_store(tmp_path_factory.mktemp("alone"))
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("worker.evaluate.stories._BATCH", 1)
                return evaluate_stories(opened, labelled_in(file), NOW, ignored=OVERLAPPING)
        finally:
            opened.close()

    return measured


@both
def test_stories_do_not_hang_on_how_arrivals_are_batched(
    store: Store, alone: Callable[[Path], StoryScore], file: Path
) -> None:
    """Each article tells the same story whether it comes alone or among twenty: a batch is no common ground."""
    assert evaluate_stories(store, labelled_in(file), NOW, ignored=OVERLAPPING) == alone(file)


@both
def test_stories_do_not_hang_on_the_order_within_an_hour(
    store: Store, alone: Callable[[Path], StoryScore], file: Path
) -> None:
    """Feeds are polled when they are: pair F1 moves by 0.02 at most, and stays above its floor."""
    ordered = labelled_in(file)
    hours: dict[datetime, list[LabelledStory]] = {}
    for one in ordered:
        hours.setdefault((one.known.published or NOW).replace(minute=0, second=0), []).append(one)
    shuffled = [one for hour in hours.values() for one in random.Random(7).sample(hour, len(hour))]
    assert shuffled != ordered
    scores = [
        found.pair_f1 or 0 for found in (alone(file), evaluate_stories(store, shuffled, NOW, ignored=OVERLAPPING))
    ]
    assert abs(scores[0] - scores[1]) <= 0.02
    assert min(scores) >= 0.75


def test_stories_of_the_articles_beside_the_tests(store: Store) -> None:
    """Eighty of our own, with look-alikes in one week; thresholds were chosen on them, too."""
    lines = (Path(__file__).parent / "data" / "articles" / "plain.jsonl").read_text("utf-8").splitlines()
    score = evaluate_stories(store, [read_story(line) for line in lines], NOW)  # type: ignore[misc]  none is unreadable
    assert score.pair_f1 is not None
    assert score.pair_f1 >= 0.85
