"""The quality of stories, beside plain tf-idf with average link; and what unrelated articles change.

    python benchmarks/stories.py FILE... [--noise FILE] [--ignore A,B]

Each FILE is a corpus as `veille eval stories` takes it. The baseline sees the same articles in the same order, within
the same seven days: words as they stand, tf-idf over the whole corpus (known beforehand), cosine, average link.
Its threshold is the one that is best in the mean of the other corpora. With --noise, 50 articles of that file, spread
over the corpus, are stored between the others: of the strong pairs of the corpus the share that changes is printed, and
how many of them were joined through one of the 50.
"""

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from math import log
from pathlib import Path

import numpy as np

from worker.analysis import text
from worker.analysis.stories import WINDOW
from worker.cli.imports import read_corpus, read_headlines
from worker.evaluate import LabelledStory, StoryScore, evaluate_stories, read_article, read_story
from worker.evaluate.stories import score
from worker.store import open_store

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
THRESHOLDS = [step / 100 for step in range(4, 60, 2)]
NOISE = 50


def read(path: Path) -> list[LabelledStory]:
    """The articles of a corpus with their stories."""
    return read_headlines(path) if path.suffix == ".tsv" else read_corpus(path, read_story)


def cosines(corpus: Sequence[LabelledStory]) -> np.ndarray:
    """The tf-idf cosine of each pair of articles, 0 where more than the window lies between them."""
    documents = [text.analyse(one.known.title, one.known.body, one.known.language or "fr").folded for one in corpus]
    counts = [Counter(words) for words in documents]
    stands_in = Counter(word for found in counts for word in found)
    column = {word: at for at, word in enumerate(stands_in)}
    matrix = np.zeros((len(corpus), len(column)), dtype=np.float32)
    for row, found in enumerate(counts):
        for word, count in found.items():
            matrix[row, column[word]] = count * log((1 + len(corpus)) / (1 + stands_in[word]))
    lengths = np.linalg.norm(matrix, axis=1)
    matrix /= np.where(lengths > 0, lengths, 1)[:, None]
    found = matrix @ matrix.T
    when = np.array([(one.known.published or NOW).timestamp() for one in corpus])
    found[np.abs(when[:, None] - when[None, :]) > WINDOW.total_seconds()] = 0
    return found


def average_link(similar: np.ndarray, threshold: float) -> list[int]:
    """The story of each article, one article at a time: the one to which it is most like in the mean."""
    stories: list[list[int]] = []
    of: list[int] = []
    for at in range(len(similar)):
        means = [(float(similar[at, members].mean()), number) for number, members in enumerate(stories)]
        best = max(means, default=(0.0, 0))
        number = best[1] if best[0] >= threshold else len(stories)
        if number == len(stories):
            stories.append([])
        stories[number].append(at)
        of.append(number)
    return of


def baseline(corpora: dict[str, list[LabelledStory]], ignored: Sequence[frozenset[str]]) -> dict[str, float]:
    """The F1 of the baseline on each corpus, at the threshold that is best for the others."""
    table: dict[str, dict[float, float]] = {}
    for name, corpus in corpora.items():
        similar = cosines(corpus)
        table[name] = {
            threshold: score(
                [(one.story, number) for one, number in zip(corpus, average_link(similar, threshold), strict=True)],
                ignored,
                {},
            ).pair_f1
            or 0.0
            for threshold in THRESHOLDS
        }
    found = {}
    for name, scores in table.items():
        others = [table[other] for other in table if other != name] or [scores]
        best = max(THRESHOLDS, key=lambda threshold: sum(other[threshold] for other in others))
        found[name] = scores[best]
    return found


def ours(corpus: Sequence[LabelledStory], ignored: Sequence[frozenset[str]]) -> StoryScore:
    """The stories that Veille makes of a corpus in a fresh store."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/stories.db", create=True)
        try:
            return evaluate_stories(store, corpus, NOW, ignored=ignored)
        finally:
            store.close()


def disturbed(corpus: Sequence[LabelledStory], noise: Path, seed: int) -> tuple[int, int, int]:
    """Strong pairs of the corpus, how many change with unrelated articles between, and strong joins of those."""
    draw = random.Random(seed)
    others = draw.sample(read_corpus(noise, read_article), NOISE)
    mixed = list(corpus)
    for number, other in enumerate(others):
        at = draw.randrange(len(mixed))
        published = mixed[at].known.published
        known = replace(other, id=f"noise-{number}", published=published)
        mixed.insert(at, LabelledStory(known=known, story=f"noise-{number}"))
    before, after = (ours(each, ()).strong_assigned for each in (corpus, mixed))
    pairs, now = (
        {
            pair
            for pair in combinations(sorted(name for name in found if name in before), 2)
            if found[pair[0]] == found[pair[1]]
        }
        for found in (before, after)
    )
    stories = Counter(story for name, story in after.items() if not name.startswith("noise-"))
    return len(pairs), len(pairs ^ now), sum(stories[s] > 0 for name, s in after.items() if name.startswith("noise-"))


def main() -> None:
    """Print a line for each corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--ignore", action="append", default=[])
    parser.add_argument("--noise", type=Path)
    asked = parser.parse_args()
    ignored = [frozenset(names.split(",")) for names in asked.ignore]
    corpora = {file.name: read(file) for file in asked.files}
    plain = baseline(corpora, ignored)
    for name, corpus in corpora.items():
        found = ours(corpus, ignored)
        print(f"{name}: pair F1 {found.pair_f1:.3f} (precision {found.pair_precision:.3f}), tf-idf {plain[name]:.3f}")
        print(f"  strong: precision {found.strong_precision:.3f}, recall {found.strong_recall:.3f}")
        if asked.noise:
            pairs, changed, joined = disturbed(corpus, asked.noise, seed=1)
            print(f"  with {NOISE} unrelated articles: {changed} of {pairs} strong pairs change, {joined} joined")


if __name__ == "__main__":
    main()
