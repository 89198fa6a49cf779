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
    """The texts of a batch beside those that are stored; under the ingest lock.

    What is stored is asked for once, and for a text by itself where one before it in the batch may have changed it.
    """

    def __init__(self, tx: Tx, subjects: Sequence[Subject]) -> None:
        self._subjects = subjects
        self._sources = [repeated.sources_of(one.article.source, one.article.url) for one in subjects]
        self._originals = fingerprints.Originals(
            tx, [(one.fingerprint, one.article.url, one.known) for one in subjects]
        )
        asked = {at: found for at in range(len(subjects)) if (found := self._originals.known(at))}
        wanted = [(self._all_sources(at, found), subjects[at].fingerprint.all_lines) for at, found in asked.items()]
        self._standing = dict(zip(asked, repeated.standing_of(tx, wanted), strict=True))
        #: What texts were compared so far, by feed or host and by line: it may be stored by now.
        self._said: set[tuple[str, int]] = set()

    def compare(self, tx: Tx, at: int) -> tuple[tuple[Candidate, ...], Novelty]:
        """Returns what may be the original of the batch's text at that place, and what the text is to it.

        The text is stored next.
        """
        subject, sources = self._subjects[at], self._sources[at]
        is_known = self._originals.known(at) is not None
        candidates = self._originals.of(tx, at)
        all_sources, lines = self._all_sources(at, candidates), subject.fingerprint.all_lines
        standing: dict[int, str] = {}
        if candidates:
            is_known = is_known and self._said.isdisjoint(product(all_sources, lines))
            standing = self._standing[at] if is_known else repeated.standing(tx, all_sources, lines)
        self._said.update(product(sources, lines))
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
