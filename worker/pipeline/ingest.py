"""ingest(entries): entries into articles, matches, and what is owed."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from worker.analysis.copies import compare_revision, news
from worker.errors import StoreBusyError, StoreError
from worker.feeds.child import ChildFailed
from worker.model import Article, Match, Novelty, NoveltyKind, Occasion, Origin, StoredEntry
from worker.pipeline.context import ActiveConfig, JobContext
from worker.pipeline.deciding import Comparing, Subject, subject
from worker.pipeline.obligations import StoredRevision, changed, create_obligations
from worker.pipeline.reading import Failed, Unread, good_entry, read
from worker.pipeline.stories import Weighing, place
from worker.rules.match import Source, match
from worker.store import Tx, articles, entries, fingerprints, flush, search

_log = structlog.get_logger()
#: For a batch, and for an entry alone: fifty that stall, two at a time, end before the engine's lease does.
_BATCH_SECONDS, _ALONE_SECONDS = 30, 10
_RETRY = timedelta(seconds=30)
#: Under which this job's faults are known.
_JOB = "ingest"


@dataclass(slots=True, kw_only=True)
class Ingested:
    """Counts of a batch."""

    novelties: Counter[NoveltyKind] = field(default_factory=Counter)
    #: Matches of new texts by rule id.
    matches: Counter[str] = field(default_factory=Counter)
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """An entry, thought through as far as other articles do not matter."""

    entry: StoredEntry
    subject: Subject
    matches: tuple[Match, ...]
    tags: tuple[str, ...]


async def ingest(context: JobContext, ids: Sequence[int]) -> Ingested:
    """Make articles of entries that the caller holds a lease on. One that fails never stops the others.

    An entry is counted as failed only where another one does not fail: what this process cannot do condemns none.
    """
    live = context.live.ageless if context.ahead() else context.live
    batch: tuple[StoredEntry, ...] = ()
    try:
        batch = await context.in_thread(lambda: _read(context, ids))
        found = await _articles(context, live, batch)
        prepared, failed = await context.in_thread(lambda: _prepare_all(batch, found, live))
        done, made = await context.in_thread(lambda: _commit(context, live, prepared, failed))
    except StoreError:
        await _put_off(context, ids)
        raise
    except Exception as e:  # noqa: BLE001 - logged with its trace; nobody knows yet whose fault it is
        _log.exception("a batch failed")
        one = Failed.of(e)
        if len(ids) > 1 and not one.any_entry:
            if await _works(context, live, batch):
                await context.in_thread(lambda: _fail(context, {}, ids))  # tries stay counted, so that each comes alone
                return Ingested()
            one = replace(one, any_entry=True)
        done, made, failed = Ingested(), False, dict.fromkeys(ids, one)
    if failed:
        await _blame(context, live, batch, failed, made=made)
        done.failed = len(failed)
    elif made:
        context.faults.pop(_JOB, None)
    return done


async def _blame(
    context: JobContext, live: ActiveConfig, batch: Sequence[StoredEntry], failed: dict[int, Failed], *, made: bool
) -> None:
    """Count a failure against its entry, unless it would have struck any: then that entry waits."""
    any_entry = {entry_id for entry_id, one in failed.items() if one.any_entry}
    if any_entry or not made:
        # A child may have read anything: what it says of its failure is believed where a good entry fails as well.
        works = await _works(context, live, batch)
        any_entry = set() if works else any_entry if made else set(failed)
    if any_entry:
        fault = next(failed[entry_id].error for entry_id in sorted(any_entry))
        context.faults[_JOB] = fault
        _log.error("no entry can be read now; they wait", fault=fault, entries=len(any_entry))
        await _put_off(context, sorted(any_entry))
    else:
        context.faults.pop(_JOB, None)
    if own := {entry_id: one.error for entry_id, one in failed.items() if entry_id not in any_entry}:
        await context.in_thread(lambda: _fail(context, own, ()))


def _fail(context: JobContext, errors: dict[int, str], cut_short: Sequence[int]) -> None:
    with context.store.write() as tx:
        entries.failed(tx, errors, retry_at=context.clock() + _RETRY, now=context.clock())
        entries.pause(tx, cut_short, until=context.clock() + _RETRY)


async def _put_off(context: JobContext, ids: Sequence[int]) -> None:
    """Give entries back to the store; also where no thread can be started."""
    try:
        await context.in_thread(lambda: _give_back(context, ids))
    except (RuntimeError, MemoryError):
        _give_back(context, ids)


def _give_back(context: JobContext, ids: Sequence[int]) -> None:
    """A disk that is full for an hour must not put aside what it could not store."""
    with contextlib.suppress(StoreError), context.store.write() as tx:
        entries.give_back(tx, ids, retry_at=context.clock() + _RETRY)


async def _works(context: JobContext, live: ActiveConfig, batch: Sequence[StoredEntry]) -> bool:
    """Tell whether an entry that nothing is wrong with becomes an article; nothing of it is kept."""
    good = good_entry(batch[0].feed if batch else "", context.clock())
    try:
        (found,) = await _articles(context, live, [good])
        if isinstance(found, Failed):
            return False
        if not batch:  # they cannot even be read from the store
            return True
        prepared = replace(_prepare(good, found, live), entry=replace(good, id=batch[0].id))
        await context.in_thread(lambda: _try_to_store(context, live, prepared))
    except StoreError:
        return False
    except Exception:  # noqa: BLE001 - that is the answer
        _log.exception("not even a good entry can be read")
        return False
    return True


def _try_to_store(context: JobContext, live: ActiveConfig, good: _Prepared) -> None:
    with contextlib.suppress(_EnoughError), context.store.ingest() as tx:
        comparing = Comparing([good.subject])
        comparing.ask(tx)
        _commit_one(tx, good, _weighing(tx, [good]), 0, live, context.clock(), comparing)
        flush(tx)
        raise _EnoughError


class _EnoughError(Exception):
    """Roll back: it was a test."""


def _read(context: JobContext, ids: Sequence[int]) -> tuple[StoredEntry, ...]:
    with context.store.read() as tx:
        return entries.read(tx, ids)


async def _articles(
    context: JobContext, live: ActiveConfig, batch: Sequence[StoredEntry]
) -> Sequence[Article | Failed]:
    """The article of each entry, or why there is none; one that takes its child down takes no other entry with it."""
    unread = [_unread(entry, live) for entry in batch]
    found = await context.children.run(read, unread, seconds=_BATCH_SECONDS)
    if not isinstance(found, ChildFailed):
        return [Failed(error=one) if isinstance(one, str) else one for one in found]
    if len(unread) == 1:
        return [_said(found)]
    alone = await asyncio.gather(*(context.children.run(read, [one], seconds=_ALONE_SECONDS) for one in unread))
    return [
        _said(one) if isinstance(one, ChildFailed) else Failed(error=one[0]) if isinstance(one[0], str) else one[0]
        for one in alone
    ]


def _said(failed: ChildFailed) -> Failed:
    return Failed(error=f"extract: {failed.reason}: {failed.detail}", any_entry=failed.any_job)


def _unread(entry: StoredEntry, live: ActiveConfig) -> Unread:
    feed = live.feed(entry.feed)
    return Unread(entry=entry, source=feed.name if feed else entry.feed, language=feed.language if feed else "")


def _prepare_all(
    batch: Sequence[StoredEntry], found: Sequence[Article | Failed], live: ActiveConfig
) -> tuple[list[_Prepared], dict[int, Failed]]:
    prepared: list[_Prepared] = []
    errors: dict[int, Failed] = {}
    for entry, article in zip(batch, found, strict=True):
        if isinstance(article, Failed):
            _log.error("entry failed", entry=entry.id, feed=entry.feed, error=article.error)
            errors[entry.id] = article
            continue
        try:
            prepared.append(_prepare(entry, article, live))
        except Exception as e:  # noqa: BLE001 - whatever one entry does, the others go on
            _log.exception("entry failed", entry=entry.id, feed=entry.feed)
            errors[entry.id] = Failed.of(e)
    return prepared, errors


def _prepare(entry: StoredEntry, article: Article, live: ActiveConfig) -> _Prepared:
    feed = live.feed(entry.feed)
    tags = feed.tags if feed else ()
    found = subject(article, entry.article_id)
    source = Source(feed=article.source, tags=tags, published=article.published, first_seen=article.first_seen)
    return _Prepared(
        entry=entry,
        subject=found,
        matches=match(found.document, live.ruleset, source),
        tags=tags,
    )


def _commit(
    context: JobContext, live: ActiveConfig, prepared: Sequence[_Prepared], errors: dict[int, Failed]
) -> tuple[Ingested, bool]:
    """Store what was prepared; what fails is added to `errors`. Also tells whether any entry came to its end.

    A batch that fails is decided again in halves, until what fails is alone.
    """
    if not prepared:
        return Ingested(), False
    try:
        return _commit_all(context, live, prepared)
    except StoreError:
        raise
    except Exception as e:  # noqa: BLE001 - whatever one entry does, the others go on
        if len(prepared) == 1:
            entry = prepared[0].entry
            _log.exception("entry failed", entry=entry.id, feed=entry.feed)
            errors[entry.id] = Failed.of(e)
            return Ingested(), False
    middle = len(prepared) // 2
    first, is_first_made = _commit(context, live, prepared[:middle], errors)
    second, is_second_made = _commit(context, live, prepared[middle:], errors)
    novelties, matches = first.novelties + second.novelties, first.matches + second.matches
    return Ingested(novelties=novelties, matches=matches), is_first_made or is_second_made


def _commit_all(context: JobContext, live: ActiveConfig, prepared: Sequence[_Prepared]) -> tuple[Ingested, bool]:
    done = Ingested()
    now = context.clock()
    comparing = Comparing([one.subject for one in prepared])
    with context.store.read() as tx:
        weighing = _weighing(tx, prepared)
    search.prepare((one.subject.document for one in prepared), is_sqlite=context.store.is_sqlite)
    with context.store.ingest() as tx:
        held = entries.held(tx, [one.entry for one in prepared])
        comparing.ask(tx)
        made: dict[int, int] = {}
        for at, one in enumerate(prepared):
            if context.ending.is_set():  # the store is needed to end in order
                raise StoreBusyError("the worker stops")
            if one.entry.id not in held:
                continue
            novelty, article_id = _commit_one(tx, one, weighing, at, live, now, comparing)
            if article_id is not None:
                made[one.entry.id] = article_id
            if novelty is not None:
                done.novelties[novelty.kind] += 1
                done.matches.update(m.rule_id for m in one.matches)
        entries.done(tx, made)
        weighing.store(tx)
        context.fault_point("before_ingest_commit")
    context.fault_point("after_ingest_commit")
    return done, bool(held)


def _weighing(tx: Tx, prepared: Sequence[_Prepared]) -> Weighing:
    return Weighing(tx, [(one.subject.article, one.subject.document) for one in prepared])


def _commit_one(
    tx: Tx,
    one: _Prepared,
    weighing: Weighing,
    at: int,
    live: ActiveConfig,
    now: datetime,
    comparing: Comparing,
) -> tuple[Novelty | None, int | None]:
    """Store one entry's article; returns what it is, and its number.

    It is nothing where its text says no more than the article says already, and has no number where it has no words.
    """
    known, subject = one.entry.article_id, one.subject
    if known is None and not subject.document.folded:
        entries.empty(tx, one.entry.id)
        return None, None
    candidates, novelty = comparing.compare(tx, at)
    originals = [c.fingerprint for c in candidates if c.article_id == novelty.of]
    changed_to: Occasion | None = None
    own = news(subject.document, one.matches, originals, novelty)
    if known is None:
        article_id, revision_id = articles.add(
            tx,
            subject.article,
            subject.fingerprint,
            novelty,
            origin=Origin.FEED,
            entry_id=one.entry.id,
            document=subject.document,
            now=now,
        )
    else:
        article_id = known
        if not compare_revision(fingerprints.fingerprint_of(tx, known), subject.fingerprint):
            return None, known
        has_page = bool(one.entry.page_text)
        if not one.entry.page_only:  # a page that comes late corrects nothing
            changed_to = changed(tx, known, subject.fingerprint, subject.document, has_page=has_page)
        revision_id = articles.revise(
            tx,
            known,
            subject.article,
            subject.fingerprint,
            entry_id=one.entry.id,
            of_id=novelty.of,
            document=subject.document,
            now=now,
        )
        comparing.revised()
        novelty = Novelty(kind=NoveltyKind.UPDATE, of=novelty.of, score=novelty.score, why=novelty.why)
    weighed, is_new = weighing.weigh(at), known is None
    if place(tx, article_id, subject.article, weighed, of=novelty.of, is_new=is_new, now=now).opens:
        weighing.count(at)
    came = StoredRevision(
        article_id=article_id,
        revision_id=revision_id,
        article=subject.article,
        matches=one.matches,
        novelty=novelty,
        tags=one.tags,
        backlog=one.entry.backlog,
        news=own,
        change=changed_to,
        page_only=known is not None and one.entry.page_only,
    )
    create_obligations(tx, live, came, now)
    return novelty, article_id
