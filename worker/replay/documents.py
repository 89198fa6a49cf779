"""The kept documents of a period, read once more into a store that is thrown away.

    KeptDocument... -parse, extract, normalise, match, compare-> a store -beside the live one-> Differences

The jobs are those of a worker, each document on the clock of its poll. Nothing is fetched or sent, and the live store
is only read; what people decided since (merged stories, silences) has no part in it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.model import Feed, Fetched, Secret
from worker.pipeline.edges import Edges
from worker.pipeline.ingest import ingest
from worker.pipeline.live import Live
from worker.pipeline.poll import read_again
from worker.replay.differences import Differences, compare
from worker.store import Store, entries, feeds, kept, pages
from worker.store.kept import KeptDocument
from worker.story import WINDOW

_BATCH = 50
_LEASE = timedelta(minutes=10)

#: A progress bar: given how many steps there will be, what to call after each with its name.
Watch = Callable[[int], AbstractContextManager[Callable[[str], None]]]


@dataclass(slots=True, kw_only=True)
class Rerun:
    """What came of the documents."""

    #: Articles that were first seen since then are compared; None: no document is kept.
    start: datetime | None = None
    #: Documents that were read, those of the days before `start` among them.
    documents: int = 0
    #: Documents whose bytes are not kept.
    bytes_gone: int = 0
    #: Feeds that the configuration has no more: read without their language and tags.
    feeds_gone: int = 0
    differences: Differences


async def rerun(live_store: Store, edges: Edges, since: datetime, watch: Watch) -> Rerun:
    """Read the documents since then into the empty store of `edges`, and compare what came of them.

    It begins some days before, as far as documents are kept, so that copies and stories find what they are compared
    with. The clock and the feeds of `edges` become those of each document. Raises StoreError.
    """
    with live_store.read() as tx:
        first = kept.first(tx)
        start = since if first is None else max(since, first)
        documents = kept.documents(tx, since - WINDOW)
        then = kept.articles(tx, start)
    done = Rerun(start=None if first is None else start, differences=Differences())
    gone = _gone(edges.live, documents)
    done.feeds_gone = len(gone)
    edges.live = _with_feeds(edges.live, gone)
    with edges.store.write() as tx:
        feeds.ensure(tx, edges.live.config.feeds, since)
    with watch(len(documents)) as step:
        for document in documents:
            is_kept = await _read(live_store, edges, document)
            done.documents += is_kept
            done.bytes_gone += not is_kept
            step(document.name)
    with edges.store.read() as tx:
        now, known_by = kept.articles(tx), kept.known_by(tx)
    done.differences = compare(then, now, _known(live_store, known_by), start)
    return done


def _known(live_store: Store, known_by: Mapping[int, tuple[str, Collection[str]]]) -> dict[int, list[int | None]]:
    """By article of the replay: what the live store has under the keys of its entry, see `kept.articles_by_key`."""
    by_feed: defaultdict[str, set[str]] = defaultdict(set)
    for feed, keys in known_by.values():
        by_feed[feed].update(keys)
    with live_store.read() as tx:
        live = {feed: kept.articles_by_key(tx, feed, keys) for feed, keys in by_feed.items()}
    return {number: [live[feed][key] for key in keys if key in live[feed]] for number, (feed, keys) in known_by.items()}


def _gone(live: Live, documents: Sequence[KeptDocument]) -> tuple[Feed, ...]:
    """The feeds of those documents that the configuration has no more."""
    named = {document.feed: document.name for document in documents if live.feed(document.feed) is None}
    return tuple(Feed(id=key, url=Secret(key), name=name) for key, name in named.items())


def _with_feeds(live: Live, gone: Sequence[Feed]) -> Live:
    """The configuration with those feeds too; no page is awaited, and no operator is told of anything."""
    every = tuple(replace(feed, full_text=False) for feed in (*live.config.feeds, *gone))
    return replace(live, config=replace(live.config, feeds=every, operators=""))


async def _read(live_store: Store, edges: Edges, document: KeptDocument) -> bool:
    """Read one document, and make articles of its entries; False if its bytes are not kept."""
    with live_store.read() as tx:
        body = entries.raw(tx, document.sha256)
    feed = edges.live.feed(document.feed)
    if body is None or feed is None:
        return False
    edges.clock = lambda: document.at
    fetched = Fetched(body=body, url=document.url or feed.url.reveal(), content_type=document.content_type)
    await read_again(edges, feed, fetched)
    _give_pages(live_store, edges, feed)
    while ids := _take(edges, document.at):
        await ingest(edges, ids)
    return True


def _give_pages(live_store: Store, edges: Edges, feed: Feed) -> None:
    """Give entries the text of their pages, where the live store has it."""
    with edges.store.read() as tx:
        waiting = kept.waiting(tx, feed.id)
    with live_store.read() as tx:
        found = kept.pages(tx, feed.id, waiting)
    if found:
        with edges.store.write() as tx:
            for number, page in {waiting[key]: page for key, page in found.items()}.items():
                pages.page_came(tx, number, page.text, teasers=page.teasers)


def _take(edges: Edges, now: datetime) -> tuple[int, ...]:
    with edges.store.write() as tx:
        return entries.take_ready(tx, now=now, lease=_LEASE, limit=_BATCH)
