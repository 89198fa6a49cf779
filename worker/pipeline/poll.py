"""poll(feed): the feed's document into entries."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from worker.child import ChildFailed, ChildReason
from worker.errors import StoreError
from worker.fetch import fetch_feed
from worker.identify import identify, keys
from worker.model import Feed, FeedState, Fetched, FetchFailed, FetchReason, Freshness, NotModified, ParsedFeed
from worker.parse import ParseFailed, parse
from worker.pipeline.edges import Edges
from worker.pipeline.operators import tell
from worker.schedule import next_poll
from worker.store import Tx, entries, feeds, quarantine
from worker.urls import masked

_log = structlog.get_logger()
#: How long an entry waits for its page before the summary goes on alone.
PAGE_WITHIN = timedelta(seconds=60)
_PARSE_SECONDS = 20
#: A document that ended early is asked for again.
_SOON = timedelta(minutes=1)
#: Failures in a row after which the operators are told.
TELL_AFTER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What a poll came to."""

    #: `ok`, `not_modified`, or a FetchReason.
    result: str
    detail: str = ""
    new: int = 0
    changed: int = 0


async def poll(edges: Edges, key: str) -> Polled | None:
    """Poll one feed; None if the configuration no longer has it."""
    feed = edges.live.feed(key)
    if feed is None:
        return None
    state = await edges.in_thread(lambda: _state(edges, key))
    fetched = await fetch_feed(edges.client, feed, state, now=edges.clock())
    edges.at("after_fetch")
    if isinstance(fetched, NotModified):
        return await edges.in_thread(lambda: _not_modified(edges, feed, state, fetched))
    if isinstance(fetched, FetchFailed):
        return await edges.in_thread(lambda: _failed(edges, feed, state, fetched))
    parsed = await edges.children.run(parse, fetched.body, fetched.url, fetched.content_type, seconds=_PARSE_SECONDS)
    if isinstance(parsed, ParsedFeed):
        document = parsed
        try:
            return await edges.in_thread(lambda: _store(edges, feed, state, fetched, document))
        except StoreError:
            raise
        except Exception as e:  # noqa: BLE001 - logged with its trace; a failure that is seen, and backs off
            _log.exception("a document cannot be stored", feed=key)
            parsed = ParseFailed(reason=FetchReason.PARSE_ERROR, detail=f"{type(e).__name__}: {e}")
    failure = FetchFailed(reason=_reason(parsed), detail=parsed.detail, freshness=fetched.freshness)
    return await edges.in_thread(lambda: _failed(edges, feed, state, failure, fetched))


def _tell_recovery(tx: Tx, edges: Edges, feed: Feed, state: FeedState, now: datetime) -> None:
    if state.failures >= TELL_AFTER:
        body = f"It failed {state.failures} times in a row. What stood in it only meanwhile was not seen."
        tell(tx, edges.live, f"{feed.name}: the feed answers again", body, now=now)


def _state(edges: Edges, key: str) -> FeedState:
    with edges.store.read() as tx:
        return feeds.state(tx, key)


def _reason(parsed: ParseFailed | ChildFailed) -> FetchReason:
    if isinstance(parsed, ParseFailed):
        return parsed.reason
    return FetchReason.PARSE_TIMEOUT if parsed.reason is ChildReason.TIMEOUT else FetchReason.PARSE_ERROR


def _not_modified(edges: Edges, feed: Feed, state: FeedState, answer: NotModified) -> Polled:
    now = edges.clock()
    due = next_poll(feed.id, feed.every, freshness=answer.freshness, failures=0, now=now)
    with edges.store.write() as tx:
        feeds.record(tx, state, feeds.PollResult(result="not_modified", due=due, success=True), now=now)
        _tell_recovery(tx, edges, feed, state, now)
    return Polled(result="not_modified")


def _failed(edges: Edges, feed: Feed, state: FeedState, failure: FetchFailed, unread: Fetched | None = None) -> Polled:
    now = edges.clock()
    due = next_poll(feed.id, feed.every, freshness=failure.freshness, failures=state.failures + 1, now=now)
    result = feeds.PollResult(result=failure.reason, detail=failure.detail, due=due, success=False)
    with edges.store.write() as tx:
        if unread is not None:  # so that what could not be read can be looked at, and read again
            sha256 = entries.keep_raw(tx, unread.body, now)
            quarantine.note(tx, _document(feed, state, unread, sha256, now, failure.reason, failure.detail))
        feeds.record(tx, state, result, now=now)
        if state.failures + 1 == TELL_AFTER:
            words = f"{failure.reason}: {failure.detail}\n\nIt goes on being asked, every hour at least."
            tell(tx, edges.live, f"{feed.name}: {TELL_AFTER} polls failed in a row", words, now=now)
    if not state.failures:  # the log says it once, `veille status` as long as it lasts
        _log.warning("a feed fails", feed=feed.name, reason=failure.reason, detail=failure.detail)
    return Polled(result=failure.reason, detail=failure.detail)


def _document(
    feed: Feed, state: FeedState, fetched: Fetched, sha256: str, now: datetime, result: str, detail: str = ""
) -> quarantine.Document:
    # The feed's own address may hold secrets, and is known anyway; what it redirects to may as well.
    url = "" if fetched.url == feed.url.reveal() else masked(fetched.url)
    return quarantine.Document(
        feed_id=state.id,
        sha256=sha256,
        at=now,
        url=url,
        content_type=fetched.content_type,
        result=result,
        detail=detail,
    )


def _remarks(fetched: Fetched, document: ParsedFeed) -> Iterator[str]:
    """What a good poll should still be told with."""
    yield from document.problems
    if document.dropped:
        yield f"{document.dropped} older entries were left out"
    if fetched.moved:
        yield f"moved for good to {masked(fetched.moved)}"


def _store(edges: Edges, feed: Feed, state: FeedState, fetched: Fetched, document: ParsedFeed) -> Polled:
    """Entries, seen keys, validators and the next due time, in one transaction.

    Otherwise a crash between them, followed by a 304, would lose items without a trace. The validators of a document
    that ends early are not kept, for the same reason.
    """
    now = edges.clock()
    wanted = [key for entry in document.entries for key in keys(entry)]
    freshness = Freshness() if document.truncated else fetched.freshness
    due = next_poll(feed.id, feed.every, freshness=freshness, failures=0, now=now)
    result = feeds.PollResult(
        result="ok",
        detail="; ".join(_remarks(fetched, document)),
        validators=("", "") if document.truncated else (fetched.etag, fetched.last_modified),
        due=min(due, now + _SOON) if document.truncated else due,
        success=True,
        whole=not document.truncated,
    )
    with edges.store.read() as tx:
        known = entries.known(tx, state.id, wanted)
    sightings = identify(document.entries, known)
    with edges.store.write() as tx:
        sha256 = entries.keep_raw(tx, fetched.body, now)
        quarantine.note(tx, _document(feed, state, fetched, sha256, now, "ok"))
        new, changed = entries.record(
            tx,
            state.id,
            sightings,
            raw_sha256=sha256,
            backlog=not (state.baseline or feed.alert_backlog),
            page_within=PAGE_WITHIN if feed.full_text else None,
            now=now,
        )
        feeds.record(tx, state, result, now=now)
        _tell_recovery(tx, edges, feed, state, now)
        edges.at("before_commit")
    edges.at("after_commit")
    return Polled(result="ok", detail=result.detail, new=new, changed=changed)
