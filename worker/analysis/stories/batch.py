"""The terms of a batch of articles, each article's weighed by those before it, as if it had come alone."""

from collections.abc import Mapping, Sequence

import numpy as np

from worker.analysis.stories.terms import Bag, Vector, weighted


def hashes_of(bags: Sequence[Bag]) -> list[int]:
    """The hashes of all terms of some articles, each once, in order."""
    found: list[int] = np.unique(
        np.concatenate([np.zeros(0, np.uint32), *(one.columns.hashes for one in bags)])
    ).tolist()
    return found


class Batch:
    """The articles of a batch with what was counted before them: terms of articles that open a story are counted too.

    A batch that counted all its own words as common would be judged by how it happened to arrive.
    """

    def __init__(self, bags: Sequence[Bag], stored: Mapping[int, int], articles: int) -> None:
        """Take articles; `stored`: in how many of `articles` each hashed term stands."""
        self._bags, self._articles = bags, articles
        self._terms = np.array(hashes_of(bags), np.uint32)
        #: The places among those of each article's terms.
        self._own = [np.searchsorted(self._terms, one.columns.hashes) for one in bags]
        self._stored = np.array([stored.get(term, 0) for term in self._terms.tolist()], np.int64)
        #: In how many of the batch's articles that open a story each term stands.
        self._counts = np.zeros(len(self._terms), np.int64)
        #: How many articles of the batch open a story.
        self.opening = 0

    def weigh(self, at: int) -> tuple[Vector, dict[int, str]]:
        """The vector of the article at that place, and the word behind each hash."""
        own = self._own[at]
        stands_in = self._stored[own] + self._counts[own] + 1
        return weighted(self._bags[at], stands_in, self._articles + self.opening + 1)

    def count(self, at: int) -> None:
        """Let those after it count the article at that place, which opens a story."""
        self._counts[self._own[at]] += 1
        self.opening += 1

    def counts(self) -> dict[int, int]:
        """In how many of the batch's articles that open a story each hashed term stands."""
        counted = self._counts > 0
        return dict(zip(self._terms[counted].tolist(), self._counts[counted].tolist(), strict=True))
