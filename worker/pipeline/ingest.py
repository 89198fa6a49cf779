"""ingest(entries): entries into articles, matches, and what is owed."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from worker import text
from worker.alert import History, alert
from worker.child import ChildFailed
from worker.dedupe import Fingerprint, compare_revision, decide, fingerprint, news
from worker.errors import StoreError
from worker.match import Source, match
from worker.model import Article, Match, Novelty, NoveltyKind, Origin, StoredEntry
from worker.pipeline.edges import Edges
from worker.pipeline.live import Live
from worker.pipeline.reading import Unread, read
from worker.pipeline.stories import Weighed, count, place, weigh
from worker.store import Tx, articles, entries, ledger, savepoint

_log = structlog.get_logger()
#: For a batch, and for an entry alone: fifty that stall, two at a time, end before the engine's lease does.
_BATCH_SECONDS, _ALONE_SECONDS = 30, 10
_RETRY = timedelta(seconds=30)


@dataclass(slots=True, kw_only=True)
class Ingested:
    """What a batch came to."""

    novelties: Counter[NoveltyKind] = field(default_factory=Counter)
    #: Matches of new texts by rule id.
    matches: Counter[str] = field(default_factory=Counter)
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """An entry, thought through as far as other articles do not matter."""

    entry: StoredEntry
    article: Article
    document: text.Document
    fingerprint: Fingerprint
    matches: tuple[Match, ...]
    tags: tuple[str, ...]


async def ingest(edges: Edges, ids: Sequence[int]) -> Ingested:
    """Make articles of entries that the caller holds a lease on. One that fails never stops the others."""
    live = edges.live
    batch = await edges.in_thread(lambda: _read(edges, ids))
    found = await _articles(edges, live, batch)
    prepared, errors = await edges.in_thread(lambda: _prepare_all(batch, found, live))
    try:
        terms = await edges.in_thread(lambda: weigh(edges.store, [one.document for one in prepared]))
        return await edges.in_thread(lambda: _commit(edges, live, prepared, terms, errors))
    except StoreError:
        await edges.in_thread(lambda: _give_back(edges, ids))
        raise


def _give_back(edges: Edges, ids: Sequence[int]) -> None:
    """A disk that is full for an hour must not put aside what it could not store."""
    with contextlib.suppress(StoreError), edges.store.write() as tx:
        entries.give_back(tx, ids, retry_at=edges.clock() + _RETRY)


def _read(edges: Edges, ids: Sequence[int]) -> tuple[StoredEntry, ...]:
    with edges.store.read() as tx:
        return entries.read(tx, ids)


async def _articles(edges: Edges, live: Live, batch: Sequence[StoredEntry]) -> Sequence[Article | str]:
    """The article of each entry, or why there is none; one that takes its child down takes no other entry with it."""
    unread = [_unread(entry, live) for entry in batch]
    found = await edges.children.run(read, unread, seconds=_BATCH_SECONDS)
    if not isinstance(found, ChildFailed):
        return found
    if len(unread) == 1:
        return [_said(found)]
    alone = await asyncio.gather(*(edges.children.run(read, [one], seconds=_ALONE_SECONDS) for one in unread))
    return [_said(one) if isinstance(one, ChildFailed) else one[0] for one in alone]


def _said(failed: ChildFailed) -> str:
    return f"extract: {failed.reason}: {failed.detail}"


def _unread(entry: StoredEntry, live: Live) -> Unread:
    feed = live.feed(entry.feed)
    return Unread(entry=entry, source=feed.name if feed else entry.feed, language=feed.language if feed else "")


def _prepare_all(
    batch: Sequence[StoredEntry], found: Sequence[Article | str], live: Live
) -> tuple[list[_Prepared], dict[int, str]]:
    prepared: list[_Prepared] = []
    errors: dict[int, str] = {}
    for entry, article in zip(batch, found, strict=True):
        if isinstance(article, str):
            _log.error("entry failed", entry=entry.id, feed=entry.feed, error=article)
            errors[entry.id] = article
            continue
        try:
            prepared.append(_prepare(entry, article, live))
        except Exception as e:  # noqa: BLE001 - whatever one entry does, the others go on
            _log.exception("entry failed", entry=entry.id, feed=entry.feed)
            errors[entry.id] = f"{type(e).__name__}: {e}"
    return prepared, errors


def _prepare(entry: StoredEntry, article: Article, live: Live) -> _Prepared:
    feed = live.feed(entry.feed)
    tags = feed.tags if feed else ()
    document = text.analyse(article.title, article.body, article.language)
    source = Source(feed=article.source, tags=tags, published=article.published, first_seen=article.first_seen)
    return _Prepared(
        entry=entry,
        article=article,
        document=document,
        fingerprint=fingerprint(document),
        matches=match(document, live.ruleset, source),
        tags=tags,
    )


def _commit(
    edges: Edges, live: Live, prepared: Sequence[_Prepared], terms: Sequence[Weighed], errors: dict[int, str]
) -> Ingested:
    done = Ingested()
    new: list[Weighed] = []
    now = edges.clock()
    with edges.store.ingest() as tx:
        held = entries.held(tx, [one.entry for one in prepared])
        for one, weighed in zip(prepared, terms, strict=True):
            if one.entry.id not in held:
                continue
            try:
                with savepoint(tx):
                    novelty = _commit_one(tx, one, weighed, live, now)
            except StoreError:
                raise
            except Exception as e:  # noqa: BLE001 - whatever one entry does, the others go on
                _log.exception("entry failed", entry=one.entry.id, feed=one.entry.feed)
                errors[one.entry.id] = f"{type(e).__name__}: {e}"
                continue
            if novelty is not None:
                done.novelties[novelty.kind] += 1
                done.matches.update(m.rule_id for m in one.matches)
                new += [weighed] * (novelty.kind is NoveltyKind.NEW)
        count(tx, new)
        if errors:
            entries.failed(tx, errors, retry_at=now + _RETRY, now=now)
        edges.at("before_ingest_commit")
    edges.at("after_ingest_commit")
    done.failed = len(errors)
    return done


def _commit_one(tx: Tx, one: _Prepared, weighed: Weighed, live: Live, now: datetime) -> Novelty | None:
    """Store one entry's article; None when its text says nothing that the article does not say already."""
    known = one.entry.article_id
    if known is None and not one.document.folded:
        entries.empty(tx, one.entry.id)
        return None
    candidates = articles.candidates(tx, one.fingerprint, url=one.article.url, but=known)
    novelty = decide(one.fingerprint, published=one.article.published, candidates=candidates)
    originals = [c.fingerprint for c in candidates if c.article_id == novelty.of]
    own = news(one.document, one.matches, originals, novelty)
    if known is None:
        article_id, revision_id = articles.add(
            tx, one.article, one.fingerprint, novelty, origin=Origin.FEED, entry_id=one.entry.id, now=now
        )
    else:
        article_id = known
        if not compare_revision(articles.fingerprint_of(tx, known), one.fingerprint):
            entries.done(tx, one.entry.id, known)
            return None
        revision_id = articles.revise(
            tx, known, one.article, one.fingerprint, entry_id=one.entry.id, of_id=novelty.of, now=now
        )
        novelty = Novelty(kind=NoveltyKind.UPDATE, of=novelty.of, score=novelty.score, why=novelty.why)
    place(tx, article_id, one.article, weighed, of=novelty.of, now=now)
    match_ids = ledger.add_matches(tx, article_id, revision_id, one.matches, now)
    history = _history(tx, article_id, novelty.of, backlog=one.entry.backlog, news=own)
    owed = alert(one.matches, novelty, history, live.config.alerts, one.tags)
    ledger.add_obligations(tx, article_id, match_ids, owed, due=now, now=now)
    entries.done(tx, one.entry.id, article_id)
    return novelty


def _history(tx: Tx, article_id: int, original: int | None, *, backlog: bool, news: frozenset[str]) -> History:
    return History(
        decided=ledger.decided(tx, article_id),
        original=None if original is None else articles.origin(tx, original),
        decided_for_original=frozenset() if original is None else ledger.decided_for_text(tx, original),
        backlog=backlog,
        news=news,
    )
