"""Measuring stories: articles of which it is known what event they tell, stored in order.

Pairs that share a story, or point to one, count for precision, recall and F1, and those that share one alone for
`strong_precision` and `strong_recall`; B-cubed (Bagga and Baldwin 1998) is an article's mean, and
rewards a stream of stories of one article for doing nothing; the adjusted Rand index (Hubert and Arabie 1985) is what
the pairs are worth above chance.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from worker.feeds.normalise import Known, Unreadable, from_jsonl_line
from worker.pipeline.imports import store_known
from worker.store import Store, stories

#: Articles stored at once, as a feed may bring them; one by one they would tell the same stories in twice the time.
_BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledStory:
    """An article, and the event that it tells."""

    known: Known
    story: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryScore:
    """Measures of telling events apart, each 0 to 1 (ari: -1 to 1); None where there is nothing to tell."""

    pair_precision: float | None
    pair_recall: float | None
    pair_f1: float | None
    bcubed_f1: float
    ari: float | None
    #: Groups of stories found; a story that points to none, and to which none points, is one by itself.
    stories: int
    #: Article id -> number of its group.
    assigned: dict[str, int]
    #: Of the pairs in one story, without those that only point to it.
    strong_precision: float | None
    strong_recall: float | None
    #: Stories found.
    strong_stories: int


def read_story(line: str) -> LabelledStory | Unreadable:
    """The article in a line with `story`; a title alone will do."""
    known = from_jsonl_line(line, title_alone=True)
    if isinstance(known, Unreadable):
        return known
    story = json.loads(line.removeprefix("\ufeff")).get("story")
    return LabelledStory(known=known, story=story) if isinstance(story, str) and story else Unreadable.BAD_LABELS


def read_headline(line: str, number: int) -> LabelledStory | Unreadable:
    """The headline in a line of a topic, a tab and the headline; its id is the line's number. All are French."""
    topic, tab, headline = line.rstrip("\r").partition("\t")
    if not tab or not topic.strip() or not headline.strip():
        return Unreadable.NO_TEXT
    known = Known(
        id=str(number),
        language="fr",
        published=None,
        precision="",
        source="",
        url="",
        title=" ".join(headline.split()),
        body="",
    )
    return LabelledStory(known=known, story=topic.strip())


def evaluate_stories(
    store: Store,
    corpus: Sequence[LabelledStory],
    now: datetime,
    *,
    ignored: Sequence[frozenset[str]] = (),
    step: Callable[[str], None] = lambda _: None,
) -> StoryScore:
    """Store all articles in order, and compare their stories with the labels; `store` should be new.

    Pairs of two stories that `ignored` names together count for nothing, whichever way they were decided.
    """
    numbers: dict[str, int] = {}
    rest = iter(corpus)
    while batch := list(islice(rest, _BATCH)):
        done = store_known(store, [one.known for one in batch], now)
        numbers |= {name: article_id for name, (article_id, _) in done.items()}
        for one in batch:
            step(one.known.id)
    with store.read() as tx:
        strong = {name: stories.story_of(tx, article_id) or -article_id for name, article_id in numbers.items()}
        assigned = {name: stories.root(tx, story) for name, story in strong.items()}
    placed = [one for one in corpus if one.known.id in assigned]
    pairs = [(one.story, assigned[one.known.id]) for one in placed]
    return score(pairs, ignored, assigned, {one.known.id: strong[one.known.id] for one in placed})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """Pairs of articles: that share a label, that were put together, and both."""

    cells: Counter[tuple[str, int]]
    labels: Counter[str]
    found: Counter[int]
    both: int
    in_labels: int
    in_found: int
    #: Put together, but to be ignored.
    ignored: int

    @property
    def precision(self) -> float | None:
        counted = self.in_found - self.ignored
        return self.both / counted if counted else None

    @property
    def recall(self) -> float | None:
        return self.both / self.in_labels if self.in_labels else None

    @property
    def f1(self) -> float | None:
        counted = self.in_found - self.ignored + self.in_labels
        return 2 * self.both / counted if counted else None


def _counted(pairs: Sequence[tuple[str, int]], ignored: Sequence[frozenset[str]]) -> _Counts:
    cells, labels, found = Counter(pairs), Counter(label for label, _ in pairs), Counter(story for _, story in pairs)
    # A pair that is to be ignored has two labels, so it is right only by being apart.
    overlapping = [(cell, count) for cell, count in cells.items() if any(cell[0] in names for names in ignored)]
    wrongly = sum(
        count * other
        for (label, story), count in overlapping
        for (label_2, story_2), other in overlapping
        if story == story_2 and label < label_2 and any(label in names and label_2 in names for names in ignored)
    )
    return _Counts(
        cells=cells,
        labels=labels,
        found=found,
        both=sum(map(_pairs, cells.values())),
        in_labels=sum(map(_pairs, labels.values())),
        in_found=sum(map(_pairs, found.values())),
        ignored=wrongly,
    )


def score(
    pairs: Sequence[tuple[str, int]],
    ignored: Sequence[frozenset[str]],
    assigned: dict[str, int],
    strong: dict[str, int] | None = None,
) -> StoryScore:
    """The score of (label, group) pairs; `strong`: the story of each article, in order, where that is not its group."""
    all_ = _counted(pairs, ignored)
    sure = all_
    if strong is not None:
        sure = _counted([(label, story) for (label, _), story in zip(pairs, strong.values(), strict=True)], ignored)
    return StoryScore(
        pair_precision=all_.precision,
        pair_recall=all_.recall,
        pair_f1=all_.f1,
        bcubed_f1=_bcubed(all_.cells, all_.labels, all_.found, len(pairs)),
        ari=_ari(all_.both, all_.in_labels, all_.in_found, _pairs(len(pairs))),
        stories=len(all_.found),
        assigned=assigned,
        strong_precision=sure.precision,
        strong_recall=sure.recall,
        strong_stories=len(sure.found),
    )


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def _bcubed(cells: Counter[tuple[str, int]], labels: Counter[str], found: Counter[int], total: int) -> float:
    precision = sum(count * count / found[story] for (_, story), count in cells.items()) / max(total, 1)
    recall = sum(count * count / labels[label] for (label, _), count in cells.items()) / max(total, 1)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _ari(both: int, in_labels: int, in_found: int, all_pairs: int) -> float | None:
    expected = in_labels * in_found / all_pairs if all_pairs else 0.0
    most = (in_labels + in_found) / 2
    return (both - expected) / (most - expected) if most != expected else None
