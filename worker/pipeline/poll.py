"""poll(feed): the feed's document into entries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from worker.errors import OWN_FAULTS, StoreBusyError, StoreError
from worker.feeds.child import ChildFailed, ChildReason
from worker.feeds.fetch import fetch_feed
from worker.feeds.identify import Seen, Sighting, SightingKind, edited, identify, is_bare, keys
from worker.feeds.parse import ParseFailed, parse
from worker.feeds.schedule import next_poll, next_poll_of_retired
from worker.model import (
    Feed,
    FeedState,
    Fetched,
    FetchFailed,
    FetchReason,
    Freshness,
    NotModified,
    ParsedEntry,
    ParsedFeed,
)
from worker.model.times import counted
from worker.net.urls import masked
from worker.notify.render import filled
from worker.pipeline import feed_assessment
from worker.pipeline.context import JobContext
from worker.pipeline.feed_assessment import Judged, judged, rhythm
from worker.pipeline.notices import notify_operators, words
from worker.pipeline.reading import reads_documents
from worker.store import Tx, entries, feeds, quarantine

_log = structlog.get_logger()
#: How long an entry waits for its page before the summary goes on alone.
PAGE_WITHIN = timedelta(seconds=60)
_PARSE_SECONDS = 20
#: A document that ended early is asked for again.
_SOON = timedelta(minutes=1)
_CUT = "the document ends early"
#: So often a document is asked for whole, whatever its validators say: servers lie (Media Cloud gave them up).
_WHOLE_EVERY = timedelta(hours=24)
#: So long a feed is asked without validators after its 304s lied; then they are believed again, a day at a time.
_LIES_KEPT = timedelta(days=30)
#: Failures in a row after which the operators get a notice.
NOTICE_AFTER = 8
#: A feed that says it is gone is asked again by then, before it is believed.
_GONE_AGAIN = timedelta(hours=1)
#: Said of its first 410.
_ONCE_MORE = "; asked again within the hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """The result of a poll."""

    #: `ok`, `not_modified`, or a FetchReason.
    result: str
    detail: str = ""
    #: Ids of its new entries.
    entries: tuple[int, ...] = ()

    @property
    def new(self) -> int:
        """The number of new entries."""
        return len(self.entries)


async def poll(context: JobContext, key: str) -> Polled | None:
    """Poll one feed; None if the configuration no longer has it."""
    feed = context.live.feed(key)
    if feed is None:
        return None
    state = _trusted(await context.in_batch(_states, key), context.clock())
    fetched, state = await _fetched(context, feed, state)
    context.fault_point("after_fetch")
    if isinstance(fetched, FetchFailed):
        return await context.in_thread(lambda: _failed(context, feed, state, fetched))
    if isinstance(fetched, NotModified):
        return await context.in_batch(_not_modified, (feed, state, fetched))
    return await _read_and_store(context, feed, state, fetched)


async def _read_and_store(context: JobContext, feed: Feed, state: FeedState, fetched: Fetched) -> Polled:
    parsed = await _parsed(context, fetched)
    if isinstance(parsed, ParsedFeed):
        document = parsed
        try:
            stored = await context.in_thread(lambda: _store(context, feed, state, fetched, document))
        except StoreError:
            raise
        except OWN_FAULTS as e:
            return await _put_off(context, feed, state, f"{type(e).__name__}: {e}")
        except Exception as e:  # noqa: BLE001 - logged with its trace; a failure that is seen, and backs off
            _log.exception("a document cannot be stored", feed=feed.id)
            parsed = ParseFailed(reason=FetchReason.PARSE_ERROR, detail=f"{type(e).__name__}: {e}")
        else:
            context.faults.pop("poll", None)
            return stored
    if isinstance(parsed, ChildFailed) and not await reads_documents(context.children):
        return await _put_off(context, feed, state, parsed.detail)
    failure = FetchFailed(reason=_reason(parsed), detail=parsed.detail, freshness=fetched.freshness)
    return await context.in_thread(lambda: _failed(context, feed, state, failure, fetched))


async def _fetched(
    context: JobContext, feed: Feed, state: FeedState
) -> tuple[Fetched | NotModified | FetchFailed, FeedState]:
    """The feed's document from the first of its addresses that gives it, and the state with what they said of moves."""
    asked, now = _asked(state, context.clock()), context.clock()
    first, *others = feed_assessment.addresses(feed, state, now)
    fetched = await fetch_feed(context.client, feed, asked, now=now, url=first)
    state, at = feed_assessment.asked(feed, state, first, now), first
    # Where a server asks for patience, the other address may well lead to it.
    if others and isinstance(fetched, FetchFailed) and fetched.reason is not FetchReason.RATE_LIMITED:
        at = others[0]
        fetched = await fetch_feed(context.client, feed, asked, now=now, url=at)
        state = feed_assessment.asked(feed, state, at, now)
    if isinstance(fetched, FetchFailed):
        return fetched, state
    return fetched, feed_assessment.seen(state, fetched.moved, at=at, now=now)


async def _put_off(context: JobContext, feed: Feed, state: FeedState, fault: str) -> Polled:
    """Ask again later, as this process cannot read documents at present: that is no failure of the feed."""
    context.faults["poll"] = fault
    _log.error("documents cannot be read now", fault=fault)
    failure = FetchFailed(reason=FetchReason.PARSE_ERROR, detail=fault, local=True)
    return await context.in_thread(lambda: _failed(context, feed, state, failure))


async def read_again(context: JobContext, feed: Feed, fetched: Fetched) -> Polled:
    """Read a document that was kept, as a poll that got it now would."""
    return await _read_and_store(context, feed, await context.in_batch(_states, feed.id), fetched)


async def _parsed(context: JobContext, fetched: Fetched) -> ParsedFeed | ParseFailed | ChildFailed:
    given = fetched.body, fetched.url, fetched.content_type, context.clock()
    return await context.children.run(parse, *given, seconds=_PARSE_SECONDS)


def _notify_recovery(tx: Tx, context: JobContext, feed: Feed, state: FeedState, now: datetime) -> None:
    if state.last_result not in {"", "ok", "not_modified"}:
        _log.info("a feed answers again", feed=feed.name)
    if state.failures >= NOTICE_AFTER:
        notice = filled(words(context.live).answers_again, name=feed.name, count=state.failures)
        notify_operators(tx, context.live, *notice, now=now)


def _states(context: JobContext, keys: Sequence[str]) -> Sequence[FeedState]:
    with context.store.read() as tx:
        return feeds.states(tx, keys)


def _trusted(state: FeedState, now: datetime) -> FeedState:
    """A server that lied long ago is believed once more: it may have been fixed, and a 304 spares both sides."""
    forgiven = state.lies and state.lied is not None and now - state.lied >= _LIES_KEPT
    return replace(state, lies=False) if forgiven else state


def _asked(state: FeedState, now: datetime) -> FeedState:
    """The validators to ask with: none where the server ignores changes, and none once a day to find that out."""
    last = state.last_document
    if state.lies or last is None or now - last >= _WHOLE_EVERY:
        return replace(state, etag="", last_modified="")
    return state


def _patience(freshness: Freshness, now: datetime) -> datetime | None:
    wait = freshness.retry_after
    return now + timedelta(seconds=min(wait, 86_400)) if wait else None


def _reason(parsed: ParseFailed | ChildFailed) -> FetchReason:
    if isinstance(parsed, ParseFailed):
        return parsed.reason
    return FetchReason.PARSE_TIMEOUT if parsed.reason is ChildReason.TIMEOUT else FetchReason.PARSE_ERROR


def _not_modified(
    context: JobContext, answers: Sequence[tuple[Feed, FeedState, NotModified]]
) -> Sequence[Polled | StoreBusyError]:
    """Several 304s in one transaction; one whose feed another polled meanwhile writes nothing, and hinders no other."""
    now = context.clock()
    done: list[Polled | StoreBusyError] = []
    with context.store.write() as tx:
        for feed, state, answer in answers:
            result = _unchanged(feed, state, answer, now)
            try:
                feeds.record(tx, state, result, now=now)
            except feeds.OvertakenError as e:
                done.append(e)
                continue
            _notify_recovery(tx, context, feed, state, now)
            feed_assessment.notify_moved(tx, context.live, feed, state, now)
            done.append(Polled(result="not_modified"))
    return done


def _unchanged(feed: Feed, state: FeedState, answer: NotModified, now: datetime) -> feeds.PollResult:
    return feeds.PollResult(
        result="not_modified",
        due=next_poll(feed.id, feed.every, freshness=answer.freshness, failures=0, now=now, rhythm=state.rhythm),
        success=True,
        whole=state.baseline,
        not_before=_patience(answer.freshness, now),
        lies=state.lies,
        move=state.move,
        detail="; ".join(filter(None, (_still_said(state), feed_assessment.words(state, now)))),
    )


def _failed(
    context: JobContext, feed: Feed, state: FeedState, failure: FetchFailed, unread: Fetched | None = None
) -> Polled:
    now = context.clock()
    is_gone = failure.reason is FetchReason.GONE
    is_retired = is_gone and state.last_result == FetchReason.GONE
    failures = state.failures + (not failure.local)
    if is_retired:
        due = next_poll_of_retired(feed.id, feed.every, now=now)
    else:
        every = min(feed.every, _GONE_AGAIN) if is_gone else feed.every
        due = next_poll(feed.id, every, freshness=failure.freshness, failures=max(failures, 1), now=now)
    detail = failure.detail
    if is_gone:
        detail += "; retired: asked once a day" if is_retired else _ONCE_MORE
    result = feeds.PollResult(
        result=failure.reason,
        detail=detail,
        due=due,
        success=False,
        counts=not failure.local,
        move=state.move,
        not_before=_patience(failure.freshness, now),
    )
    with context.store.write() as tx:
        if unread is not None:  # so that what could not be read can be looked at, and read again
            sha256 = entries.keep_raw(tx, unread.body, now)
            quarantine.note(tx, _document(feed, state, unread, sha256, now, failure.reason, failure.detail))
        feeds.record(tx, state, result, now=now)
        # The first of all failures, or amid others the second in a row: a server may take turns between 410 and 500.
        if is_gone and (not state.failures or (state.failures > 1 and state.last_detail.endswith(_ONCE_MORE))):
            notify_operators(tx, context.live, *filled(words(context.live).gone, name=feed.name), now=now)
        elif failures == NOTICE_AFTER > state.failures and not is_retired:
            values = {"name": feed.name, "count": NOTICE_AFTER, "reason": failure.reason, "detail": failure.detail}
            notify_operators(tx, context.live, *filled(words(context.live).failing, **values), now=now)
    if (
        not state.failures and state.last_result != failure.reason
    ):  # the log says it once, `veille status` as long as it lasts
        _log.warning("a feed fails", feed=feed.name, reason=failure.reason, detail=failure.detail)
    return Polled(result=failure.reason, detail=failure.detail)


def _still_said(state: FeedState) -> str:
    """The detail of the document that a 304 stands for: what was cut of it stays in sight."""
    if state.last_result not in {"ok", "not_modified"}:
        return ""
    return "; ".join(part for part in state.last_detail.split("; ") if not feed_assessment.is_said(part))


def _document(
    feed: Feed, state: FeedState, fetched: Fetched, sha256: str, now: datetime, result: str, detail: str = ""
) -> quarantine.Document:
    # The feed's own address may hold secrets, and is known anyway; what it redirects to may as well.
    url = "" if fetched.url == feed.url.reveal() else masked(fetched.url, values=True)
    return quarantine.Document(
        feed_id=state.id,
        sha256=sha256,
        at=now,
        url=url,
        content_type=fetched.content_type,
        result=result,
        detail=detail,
    )


def _read_whole(document: ParsedFeed) -> tuple[str, str]:
    """The word under which the document is kept: `ok`, or that some of its entries could not be read."""
    if not document.unread:
        return quarantine.READ, ""
    return FetchReason.PARSE_ERROR, f"{document.unread} of its entries could not be read: {document.unread_why}"


def _remarks(document: ParsedFeed, judged: Judged, moved: str) -> Iterator[str]:
    """Remarks on a poll that went well."""
    if document.truncated:
        yield _CUT
    if judged.gap:
        yield "gap_suspected: every item was new, so others may have passed unseen"
    if judged.lies:
        yield "its 304s hid new items: it is asked without validators"
    if judged.churns:
        yield "guid_churn: its items change their guids, and are known by link and text"
    if document.dates_unread:
        more = ", ..." if document.dates_unread > 1 else ""
        yield f"{counted(document.dates_unread, 'date')} could not be read: {document.date_unread!r}{more}"
    if document.dropped:
        yield f"{counted(document.dropped, 'older entry')} left out"
    if moved:
        yield moved
    yield from document.problems


def _entries(document: ParsedFeed, *, whole: bool) -> tuple[ParsedEntry, ...]:
    """The document's entries; with `whole`, also the one that it always ends in the middle of."""
    return (*document.entries, document.partial) if whole and document.partial else document.entries


def _sightings(
    context: JobContext, state: FeedState, found: Sequence[ParsedEntry]
) -> tuple[tuple[Sighting, ...], Mapping[str, Seen]]:
    """The document's items compared with the known ones, and these."""
    with context.store.read() as tx:
        known = entries.known(tx, state.id, [key for entry in found for key in keys(entry)])
        sightings = identify(found, known)
        if any(one.kind is SightingKind.NEW and is_bare(one.parsed) for one in sightings):
            sightings = edited(sightings, entries.bare(tx, state.id))
    return sightings, known


def _store(context: JobContext, feed: Feed, state: FeedState, fetched: Fetched, document: ParsedFeed) -> Polled:
    """Entries, seen keys, validators and the next due time, in one transaction.

    Otherwise a crash between them, followed by a 304, would lose items without a trace. The validators of a document
    that ends early are not kept, for the same reason.
    """
    now = context.clock()
    cut_again = document.truncated and state.last_detail.startswith(_CUT)
    found = _entries(document, whole=cut_again)
    sightings, known = _sightings(context, state, found)
    found_out = judged(state, fetched, sightings, known)
    learnt = rhythm(feed, document, gap=found_out.gap, now=now)
    freshness = Freshness() if document.truncated else fetched.freshness
    due = next_poll(feed.id, feed.every, freshness=freshness, failures=0, now=now, rhythm=learnt)
    result = feeds.PollResult(
        result="ok",
        detail="; ".join(_remarks(document, found_out, feed_assessment.words(state, now))),
        validators=("", "") if document.truncated else (fetched.etag, fetched.last_modified),
        due=min(due, now + _SOON) if document.truncated and not cut_again else due,
        success=True,
        whole=bool(found) and (not document.truncated or cut_again),
        not_before=_patience(fetched.freshness, now),
        document=True,
        lies=found_out.lies,
        move=state.move,
        rhythm=learnt,
        gap=found_out.gap,
        dates_unread=(document.dates_unread, document.date_unread),
    )
    with context.store.write() as tx:
        sha256 = entries.keep_raw(tx, fetched.body, now)
        quarantine.note(tx, _document(feed, state, fetched, sha256, now, *_read_whole(document)))
        new, _ = entries.record(
            tx,
            state.id,
            sightings,
            raw_sha256=sha256,
            backlog=not (state.baseline or feed.alert_backlog),
            news_since=state.first_success,
            page_within=PAGE_WITHIN if feed.full_text else None,
            now=now,
        )
        feeds.record(tx, state, result, now=now)
        _notify_recovery(tx, context, feed, state, now)
        feed_assessment.notify_moved(tx, context.live, feed, state, now)
        context.fault_point("before_commit")
    context.fault_point("after_commit")
    return Polled(result="ok", detail=result.detail, entries=new)
