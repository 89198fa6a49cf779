"""Decides, under the ingest lock, whether an article is new, a copy or an update, and which story it joins.

    look: candidates are read, texts compared, what is newest noted -ingest lock-> what came since is read -> decision

What was thought before the lock holds inside, unless something newer bears on it; then, and only then, the question is
asked again there. So the answers are those of a store where everything is decided under the lock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.dedupe import Candidate, Fingerprint, decide
from worker.model import Article, Novelty, NoveltyKind
from worker.pipeline import stories as placing
from worker.pipeline.stories import Weighed, Weighing
from worker.store import Store, Tx, articles, repeated, stories
from worker.store.newer import Newer, Newest, newer, newest
from worker.story import WINDOW, StoryVerdict, keys
from worker.text import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An article that is to be stored."""

    article: Article
    document: Document
    fingerprint: Fingerprint
    #: The stored article whose next text it is.
    known: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """What was found out about a subject before the lock, on the snapshot of its `Look`."""

    subject: Subject
    weighed: Weighed
    candidates: tuple[Candidate, ...]
    novelty: Novelty
    #: None: it is not decided ahead (a copy tells its original's story; a changed text mostly stays in its own).
    verdict: StoryVerdict | None = None
    #: What it was decided on.
    found: stories.Found | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A batch, thought through on one snapshot of the store."""

    newest: Newest
    thoughts: tuple[Thought, ...]


def look(store: Store, subjects: Sequence[Subject]) -> Look:
    """Read what is known and compare, before the ingest lock; may take its time."""
    seen: set[str] = set()
    thoughts: list[Thought] = []
    with store.read() as tx:
        snapshot = newest(tx)
        weighing = Weighing(tx, [(subject.article, subject.document) for subject in subjects])
        for at, subject in enumerate(subjects):
            candidates, novelty = compare(tx, subject)
            is_new = subject.known is None and novelty.kind is NoveltyKind.NEW
            weighed = weighing.weigh(at)
            verdict, found = placing.judge(tx, subject.article, weighed) if is_new else (None, None)
            opens = verdict is not None and verdict.story_id is None and bool(subject.document.folded)
            if opens and subject.fingerprint.digest not in seen:
                weighing.count(at)
            seen.add(subject.fingerprint.digest)
            thoughts.append(
                Thought(
                    subject=subject,
                    weighed=weighed,
                    candidates=candidates,
                    novelty=novelty,
                    verdict=verdict,
                    found=found,
                )
            )
    return Look(newest=snapshot, thoughts=tuple(thoughts))


def compare(tx: Tx, subject: Subject) -> tuple[tuple[Candidate, ...], Novelty]:
    """Returns what may be the original of a text, and what the text is to it."""
    article, fingerprint = subject.article, subject.fingerprint
    candidates = articles.candidates(tx, fingerprint, url=article.url, but=subject.known)
    sources = repeated.sources_of(article.source, article.url)
    standing: Mapping[int, str] = {}
    if candidates:
        all_sources = sources.union(*(candidate.sources for candidate in candidates))
        standing = repeated.standing(tx, all_sources, fingerprint.all_lines)
    novelty = decide(
        fingerprint,
        document=subject.document,
        published=article.published,
        candidates=candidates,
        standing=standing,
        sources=sources,
    )
    return candidates, novelty


class Lane:
    """Decides under the ingest lock, for one batch; each article sees those decided before it."""

    def __init__(self, tx: Tx, look: Look) -> None:
        self._tx = tx
        self._newer: Newer = newer(tx, look.newest)
        self._counted: list[Weighed] = []
        #: Of the articles of this batch that are no copies; of others that are newer it is not known.
        self._lines: set[int] = set()
        self._is_alone = not self._newer.articles

    def novelty(self, thought: Thought) -> tuple[tuple[Candidate, ...], Novelty]:
        """What the text is to those stored, and what it was compared with."""
        if self._bears_on_copies(thought) or (thought.candidates and self._bears_on_lines(thought)):
            return compare(self._tx, thought.subject)
        return thought.candidates, thought.novelty

    def place(self, article_id: int, thought: Thought, *, of: int | None, now: datetime) -> None:
        """Put the article, stored by now as a copy of `of` or none, into its story; one that opens a story counts."""
        subject, weighed = thought.subject, thought.weighed
        verdict = None if self._bears_on_stories(thought) else thought.verdict
        touched: set[int] = set()
        placed = placing.place(
            self._tx, article_id, subject.article, weighed, of=of, now=now, verdict=verdict, touched=touched
        )
        self._note(article_id, thought, of, touched)
        if placed.opens:
            self._counted.append(thought.weighed)

    def count(self) -> None:
        """Count the terms of the articles that open a story, once a batch."""
        placing.count(self._tx, self._counted)

    def _bears_on_copies(self, thought: Thought) -> bool:
        """Whether a newer article may be an original of the text, or one that it was compared with has changed."""
        fingerprint, newer = thought.subject.fingerprint, self._newer
        return (
            thought.subject.known in newer.articles
            or fingerprint.digest in newer.digests
            or thought.subject.article.url in newer.urls
            or not newer.bands.isdisjoint(articles.band_keys(fingerprint.bands))
            or any(candidate.article_id in newer.articles for candidate in thought.candidates)
        )

    def _bears_on_lines(self, thought: Thought) -> bool:
        """Tells whether a newer article may have made standing text of a line."""
        return not self._is_alone or not self._lines.isdisjoint(thought.subject.fingerprint.all_lines)

    def _bears_on_stories(self, thought: Thought) -> bool:
        """Whether a newer article is near enough to be compared with, or tells a story that the text was."""
        found, newer, published = thought.found, self._newer, thought.subject.article.published
        if found is None or newer.rearranged:
            return True
        own = frozenset(keys(thought.weighed.vector).tolist())
        return (
            not newer.stories.isdisjoint(found.roots)
            or any(story.story_id in newer.stories for story in found.candidates)
            or any(told.article_id in newer.articles for story in found.candidates for told in story.articles)
            or any(abs(when - published) <= WINDOW and len(own & other) >= found.entry for when, other in newer.keys)
        )

    def _note(self, article_id: int, thought: Thought, of: int | None, touched: Iterable[int]) -> None:
        """Let those after it in the batch see it. What is rolled back stays noted: it is asked for, and not found."""
        fingerprint, newer = thought.subject.fingerprint, self._newer
        newer.articles.add(article_id)
        newer.digests.add(fingerprint.digest)
        newer.stories.update(touched)
        if thought.subject.article.url:
            newer.urls.add(thought.subject.article.url)
        if of is None:
            self._lines.update(fingerprint.all_lines)
            newer.bands.update(articles.band_keys(fingerprint.bands))
            newer.keys.append((thought.subject.article.published, frozenset(keys(thought.weighed.vector).tolist())))
