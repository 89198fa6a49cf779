"""Decides what an article is to those stored: new, a copy or an update; under the ingest lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from worker.analysis.copies import Candidate, Fingerprint, decide, fingerprint
from worker.analysis.text import Document, analyse
from worker.model import Article, Novelty
from worker.store import Tx, fingerprints, repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An article that is to be stored."""

    article: Article
    document: Document
    fingerprint: Fingerprint
    #: The stored article whose next text it is.
    known: int | None = None


def subject(article: Article, known: int | None = None) -> Subject:
    """An article with what it is compared by."""
    document = analyse(article.title, article.body, article.language)
    return Subject(article=article, document=document, fingerprint=fingerprint(document), known=known)


class Comparing:
    """The texts of a batch beside those that are stored.

    What is stored is asked for once, and for a text by itself where one before it in the batch may have changed it. A
    line that is forgotten while the batch is stored, as its source has too many, counts until the batch ends.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = subjects
        self._sources = [repeated.sources_of(one.article.source, one.article.url) for one in subjects]
        self._lines = [one.fingerprint.all_lines for one in subjects]
        self._originals = fingerprints.Originals([(one.fingerprint, one.article.url, one.known) for one in subjects])
        self._standing: dict[int, dict[int, str]] = {}
        #: Feed or host and line of the texts that were compared so far: they may be stored by now.
        self._since: set[tuple[str, int]] = set()

    def ask(self, tx: Tx) -> None:
        """Ask for what is stored; under the ingest lock, once."""
        self._originals.ask(tx)
        asked = {at: found for at in range(len(self._subjects)) if (found := self._originals.known(at))}
        wanted = [(self._all_sources(at, found), self._lines[at]) for at, found in asked.items()]
        self._standing = dict(zip(asked, repeated.standing_of(tx, wanted), strict=True))

    def compare(self, tx: Tx, at: int) -> tuple[tuple[Candidate, ...], Novelty]:
        """Returns what may be the original of the batch's text at that place, and what the text is to it.

        The text is stored next.
        """
        subject, sources = self._subjects[at], self._sources[at]
        is_known = self._originals.known(at) is not None
        candidates = self._originals.of(tx, at)
        all_sources, lines = self._all_sources(at, candidates), self._lines[at]
        standing: dict[int, str] = {}
        if candidates:
            is_known = is_known and self._since.isdisjoint(product(all_sources, lines))
            standing = self._standing[at] if is_known else repeated.standing(tx, all_sources, lines)
        self._since.update(product(sources, lines))
        novelty = decide(
            subject.fingerprint,
            document=subject.document,
            published=subject.article.published,
            candidates=candidates,
            standing=standing,
            sources=sources,
        )
        return candidates, novelty

    def revised(self) -> None:
        """Note that a stored article has another text: what was asked for may not be so any more."""
        self._originals.forget()

    def _all_sources(self, at: int, candidates: Sequence[Candidate]) -> frozenset[str]:
        return self._sources[at].union(*(candidate.sources for candidate in candidates))
