"""Articles known before the first poll: the shipped archive, and what `veille import` brings. They never alert."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from worker.analysis import archive, text
from worker.analysis import stories as story
from worker.analysis.copies import from_archive
from worker.feeds.normalise import Known
from worker.model import Article, Novelty, NoveltyKind, Origin
from worker.net.urls import key
from worker.pipeline.deciding import Comparing, Subject, subject
from worker.pipeline.stories import Weighed, Weighing, place
from worker.store import Store, Tx, articles, search, stories


def load_archive(store: Store, now: datetime) -> int:
    """Store the shipped articles that the store does not have yet; returns how many."""
    all_shipped = archive.load()
    names = [shipped.id for shipped in all_shipped]
    with store.read() as tx:  # a start need not wait for whoever has the lock
        if len(articles.names(tx, Origin.ARCHIVE, names)) == len(names):
            return 0
    with store.ingest() as tx:
        have = articles.names(tx, Origin.ARCHIVE, names)
        missing = [shipped for shipped in all_shipped if shipped.id not in have]
        for shipped in missing:
            article = Article(
                title=shipped.title,
                body="",
                language=shipped.language,
                published=shipped.published,
                first_seen=now,
                url="",
                link="",
                source=shipped.source,
            )
            article_id, _ = articles.add(
                tx,
                article,
                from_archive(shipped),
                Novelty(kind=NoveltyKind.NEW, why="shipped with Veille"),
                origin=Origin.ARCHIVE,
                name=shipped.id,
                precision=shipped.precision,
                now=now,
            )
            vector = story.from_archive(shipped)
            place(tx, article_id, article, Weighed(vector=vector, words={}), of=None, now=now)
            stories.count(tx, Counter(vector.hashes.tolist()), 1)
        if missing:
            stories.change(tx)
    return len(missing)


def store_known(store: Store, batch: Sequence[Known], now: datetime) -> dict[str, tuple[int, Novelty]]:
    """Store imported articles, those that are copies as such; returns the number and novelty of each, by its id.

    One that was imported before under the same id is left as it is, and left out.
    """
    done: dict[str, tuple[int, Novelty]] = {}
    with store.read() as tx:
        before = articles.names(tx, Origin.IMPORT, [known.id for known in batch])
    # An import that is repeated, as one that broke off is, should not think all of it through again.
    batch = [known for known in batch if known.id not in before]
    if not batch:
        return done
    subjects = [subject(_article(known, now)) for known in batch]
    comparing = Comparing(subjects)
    with store.read() as tx:
        weighing = Weighing(tx, [(one.article, one.document) for one in subjects])
    search.prepare((one.document for one in subjects), is_sqlite=store.is_sqlite)
    with store.ingest() as tx:
        have = set(articles.names(tx, Origin.IMPORT, [known.id for known in batch]))
        comparing.ask(tx)
        for at, (known, one) in enumerate(zip(batch, subjects, strict=True)):
            if known.id not in have:
                have.add(known.id)
                _, novelty = comparing.compare(tx, at)
                article_id = _add(tx, known, one, novelty, now)
                if place(tx, article_id, one.article, weighing.weigh(at), of=novelty.of, now=now).opens:
                    weighing.count(at)
                done[known.id] = article_id, novelty
        weighing.store(tx)
    return done


def store_in_order(store: Store, batch: Sequence[Known], now: datetime) -> list[tuple[int, Novelty]]:
    """Store articles, each compared with all before it; number and novelty of each. They join no story.

    For measuring copies: stories take most of the time that storing takes, and no copy depends on them.
    """
    subjects = [subject(_article(known, now)) for known in batch]
    done: list[tuple[int, Novelty]] = []
    comparing = Comparing(subjects)
    with store.ingest() as tx:
        comparing.ask(tx)
        for at, (known, one) in enumerate(zip(batch, subjects, strict=True)):
            _, novelty = comparing.compare(tx, at)
            done.append((_add(tx, known, one, novelty, now), novelty))
    return done


def _article(known: Known, now: datetime) -> Article:
    language = known.language or text.detect(known.title, known.body, "fr")
    return Article(
        title=known.title,
        body=known.body,
        language=language,
        published=(known.published or now).astimezone(UTC),
        first_seen=now,
        url=key(known.url),
        link=known.url,
        source=known.source,
        cut=known.cut,
    )


def _add(tx: Tx, known: Known, one: Subject, novelty: Novelty, now: datetime) -> int:
    article_id, _ = articles.add(
        tx,
        one.article,
        one.fingerprint,
        novelty,
        origin=Origin.IMPORT,
        name=known.id,
        precision=known.precision,
        document=one.document,
        now=now,
    )
    return article_id
