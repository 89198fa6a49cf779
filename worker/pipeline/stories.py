"""An article's place among the stories, decided in the transaction that stores it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.analysis.copies import lines
from worker.analysis.stories import Batch, StoryMember, Vector, bag, decide, hashes_of
from worker.analysis.text import Document
from worker.model import Article
from worker.store import Tx, repeated, stories


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """An article's terms, weighted by what the store had counted before."""

    vector: Vector
    #: The word behind each of the vector's hashes.
    words: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An article's place among the stories."""

    #: None: a copy of an article that stands in none.
    story_id: int | None
    #: It opened that story. Only then its terms are counted: another account of an event that is known makes the words
    #: of that event no commoner.
    opens: bool = False


class Weighing:
    """The terms of a batch, each article's counted with those stored before it, as if it had come alone."""

    def __init__(self, tx: Tx, texts: Sequence[tuple[Article, Document]]) -> None:
        left_out = _left_out(tx, texts)
        bags = [bag(document, own) for (_, document), own in zip(texts, left_out, strict=True)]
        # Before the ingest lock or under it: counts drift slowly.
        stored, articles = stories.frequency(tx, hashes_of(bags))
        self._batch = Batch(bags, stored, articles)

    def weigh(self, at: int) -> Weighed:
        """The terms of the batch's article at that place."""
        vector, words = self._batch.weigh(at)
        return Weighed(vector=vector, words=words)

    def count(self, at: int) -> None:
        """Let those after it count the batch's article at that place, which opens a story."""
        self._batch.count(at)

    def store(self, tx: Tx) -> None:
        """Count the terms of the articles that open a story, once a batch."""
        if self._batch.opening:
            stories.count(tx, self._batch.counts(), self._batch.opening)


def _left_out(tx: Tx, texts: Sequence[tuple[Article, Document]]) -> list[frozenset[int]]:
    """The numbers of the words that stand in standing text of a text's feed or host, or speak to the reader."""
    found = [lines(document) for _, document in texts]
    sources = [repeated.sources_of(article.source, article.url) for article, _ in texts]
    keys = [{line.key for line in own} for own in found]
    known = repeated.standing_of(tx, list(zip(sources, keys, strict=True)))
    return [
        frozenset(at for line in own if line.to_reader or line.key in standing for at in range(line.first, line.last))
        for own, standing in zip(found, known, strict=True)
    ]


def place(
    tx: Tx, article_id: int, article: Article, weighed: Weighed, *, of: int | None, is_new: bool = True, now: datetime
) -> Placed:
    """Put a stored article into the story it tells, its original's if it is a copy.

    A changed text stays in its story, unless it was alone there and now tells another.
    """
    member = StoryMember(
        article_id=article_id, published=article.published, language=article.language, vector=weighed.vector
    )
    own = None if is_new else stories.story_of(tx, article_id)
    if own is not None and (stories.is_held(tx, article_id, own) or _is_apart(tx, own, of)):
        if of is None:
            stories.renew(tx, member)
        else:
            stories.drop_terms(tx, article_id)
        return Placed(story_id=own)
    if of is not None:
        story_id = stories.add_copy(
            tx, article_id, of, published=article.published, language=article.language, before=own
        )
        return Placed(story_id=story_id)
    if own is not None:
        return Placed(story_id=_again(tx, member, weighed, own, now))
    verdict = decide(member, weighed.words, stories.candidates(tx, member.vector, member.published))
    story_id = stories.add(tx, member, verdict, title=article.heading, now=now)
    return Placed(story_id=story_id, opens=verdict.story_id is None)


def _again(tx: Tx, member: StoryMember, weighed: Weighed, own: int, now: datetime) -> int:
    """Place a changed text, whose story is `own`: if it is alone there, its story may turn out to be another one."""
    if len(stories.lines(tx, own)) > 1:
        stories.renew(tx, member)
        return own
    found = stories.candidates(tx, member.vector, member.published, exclude=member.article_id)
    others = [candidate for candidate in found if candidate.story_id != own]
    verdict = decide(member, weighed.words, others, apart=stories.apart(tx, own))
    if verdict.story_id is not None:
        return stories.add(tx, member, replace(verdict, merged=(*verdict.merged, own)), title="", now=now)
    stories.put(tx, member, own, score=0, why=verdict.why)
    if len(stories.group(tx, own)) == 1:  # others that point to it were compared with what it said
        stories.part(tx, own)
        if verdict.group is not None:
            stories.point(tx, own, verdict)
    return own


def _is_apart(tx: Tx, own: int, of: int | None) -> bool:
    """Tells whether a person put a story apart from the one that an original tells."""
    other = None if of is None else stories.story_of(tx, of)
    return other is not None and (
        other in stories.apart_from(tx, [own]) or stories.root(tx, other) in stories.apart(tx, own)
    )
