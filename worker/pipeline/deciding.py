"""Decides what an article is to those stored: new, a copy or an update; under the ingest lock."""

from collections.abc import Iterable
from dataclasses import dataclass

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


def marks(tx: Tx, subjects: Iterable[Subject]) -> fingerprints.Marks:
    """The marks of a batch that stored texts have too; under the ingest lock."""
    return fingerprints.Marks(tx, ((one.fingerprint, one.article.url) for one in subjects))


def compare(tx: Tx, subject: Subject, marks: fingerprints.Marks) -> tuple[tuple[Candidate, ...], Novelty]:
    """Returns what may be the original of a text, and what the text is to it; the text is stored next."""
    article, fingerprint = subject.article, subject.fingerprint
    candidates = marks.candidates(tx, fingerprint, url=article.url, exclude=subject.known)
    sources = repeated.sources_of(article.source, article.url)
    all_sources = sources.union(*(candidate.sources for candidate in candidates))
    standing = repeated.standing(tx, all_sources, fingerprint.all_lines) if candidates else {}
    novelty = decide(
        fingerprint,
        document=subject.document,
        published=article.published,
        candidates=candidates,
        standing=standing,
        sources=sources,
    )
    return candidates, novelty
