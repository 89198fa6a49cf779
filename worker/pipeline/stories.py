"""An article's place among the stories, decided in the transaction that stores it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.model import Article
from worker.store import Store, Tx, stories
from worker.story import Told, Vector, bag, decide, hashed, weighted
from worker.text import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """An article's terms, weighted by what the store had counted before."""

    vector: Vector
    #: The word behind each of the vector's hashes.
    words: Mapping[int, str]
    #: All its terms, to be counted if the article is new.
    hashes: frozenset[int]


def weigh(store: Store, documents: Sequence[Document]) -> list[Weighed]:
    """The terms of each document, counted with those that come with it; before the ingest lock: counts drift slowly."""
    bags = [bag(document) for document in documents]
    hashes = [frozenset(hashed(term, is_name=term in found.names) for term in found.counts) for found in bags]
    with store.read() as tx:
        stored, articles = stories.frequency(tx, frozenset[int]().union(*hashes))
    frequency = Counter(stored)
    for own in hashes:
        frequency.update(own)
    vectors = [weighted(found, frequency, articles + len(bags)) for found in bags]
    return [Weighed(vector=v, words=words, hashes=own) for (v, words), own in zip(vectors, hashes, strict=True)]


def place(tx: Tx, article_id: int, article: Article, weighed: Weighed, *, of: int | None, now: datetime) -> int | None:
    """Put a stored article into the story it tells, its original's if it is a copy; returns the story's id.

    A changed text stays in its story, unless it was alone there and now tells another.
    """
    if of is not None:
        return stories.tell_copy(tx, article_id, of, published=article.published, language=article.language)
    told = Told(article_id=article_id, published=article.published, language=article.language, vector=weighed.vector)
    candidates = stories.candidates(tx, told.vector, told.published, but=article_id)
    own = stories.story_of(tx, article_id)
    if own is not None and len(stories.lines(tx, own)) > 1:
        stories.renew(tx, told)
        return own
    verdict = decide(told, weighed.words, [candidate for candidate in candidates if candidate.story_id != own])
    if own is not None:
        if verdict.story_id is None:
            stories.renew(tx, told)
            return own
        verdict = replace(verdict, merged=(*verdict.merged, own))
    return stories.tell(tx, told, verdict, title=article.title or article.body[:200] or article.source, now=now)


def count(tx: Tx, new: Sequence[Weighed]) -> None:
    """Count the terms of new articles, once a batch."""
    if new:
        stories.count(tx, Counter(term for weighed in new for term in weighed.hashes), len(new))
