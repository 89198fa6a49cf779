"""page(entry): an article's page into its text, for feeds that ask for full text.

    PageWanted -fetch-> Fetched -extract, judge-> ReadPage -compare with others of its host-> text, or why none is taken

The page enriches: where it proves nothing, the feed's own text stands, the entry says why, and the page is asked for
again later.
"""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from worker.feeds.child import ChildFailed
from worker.feeds.fetch import fetch_page
from worker.feeds.normalise.pages import (
    FeedText,
    PageVerdict,
    alike,
    carries,
    is_front,
    line_key,
    line_keys,
    own_lines,
)
from worker.model import Feed, FetchFailed, PageReason
from worker.net import urls
from worker.pipeline.context import JobContext
from worker.pipeline.reading import ReadPage, read_page
from worker.store import Tx, pages

_EXTRACT_SECONDS = 20
#: So much of a page's text that others of its host got makes it theirs, unless the rest carries the feed's words.
_THEIRS = 0.5


async def page(context: JobContext, wanted: pages.PageWanted) -> bool:
    """Fetch one page; whether its text was taken."""
    feed = context.live.feed(wanted.feed)
    if feed is None:
        return await context.in_thread(lambda: _not_taken(context, wanted, "the feed was removed", again=False))
    found = await _read(context, feed, wanted, wanted.link)
    if isinstance(found, ReadPage) and found.verdict.reason and found.refresh:
        after = await _read(context, feed, wanted, found.refresh)
        found = after if isinstance(after, ReadPage) else found
    if isinstance(found, str):
        detail = found
        return await context.in_thread(lambda: _not_taken(context, wanted, detail))
    read = found
    return await context.in_thread(lambda: _commit(context, wanted, read))


async def _read(context: JobContext, feed: Feed, wanted: pages.PageWanted, url: str) -> ReadPage | str:
    """The page, read; or what went wrong on the way to it."""
    fetched = await fetch_page(context.client, feed, url)
    if isinstance(fetched, FetchFailed):
        return f"{fetched.reason}: {fetched.detail}"
    read = await context.children.run(read_page, fetched, wanted.parsed, seconds=_EXTRACT_SECONDS)
    if isinstance(read, ChildFailed):
        nothing = PageVerdict(reason=PageReason.NO_TEXT, detail=f"extract: {read.reason}")
        return ReadPage(verdict=nothing, feed=FeedText(title=wanted.parsed.title, text="", link=wanted.link))
    return read


def _not_taken(context: JobContext, wanted: pages.PageWanted, detail: str, *, again: bool = True) -> bool:
    now = context.clock()
    with context.store.write() as tx:
        if pages.is_as_taken(tx, wanted):
            pages.page_failed(tx, wanted, PageReason.NOT_FETCHED, detail, now=now, again=again)
    return False


def _commit(context: JobContext, wanted: pages.PageWanted, read: ReadPage) -> bool:
    now = context.clock()
    with context.store.write() as tx:
        if not pages.is_as_taken(tx, wanted):
            return False  # what its feed says now has a page of its own to ask for
        verdict = _compared(tx, wanted, read, now) if read.verdict.found else read.verdict
        if verdict.reason is not None:
            pages.page_failed(tx, wanted, verdict.reason, verdict.detail, now=now, again=True)
            return False
        pages.page_came(tx, wanted.entry_id, verdict.text, teasers=verdict.teasers)
    return True


def _compared(tx: Tx, wanted: pages.PageWanted, read: ReadPage, now: datetime) -> PageVerdict:
    """The verdict once it is known what other entries of the host got; a text that they got too is nobody's."""
    verdict, host = read.verdict, _host(wanted.link)
    keys = line_keys(verdict.found)
    # Alike both ways: a report that quotes an earlier one whole is a page of its own, and so is that one.
    others = [
        other for other in pages.seen_on(tx, host) if _share(other.lines, keys) > _THEIRS and _is_another(other, wanted)
    ]
    rest, theirs = own_lines(verdict.found, frozenset[bytes]().union(*(other.lines for other in others)))
    is_repeated = theirs > _THEIRS and not carries(read.feed, rest)
    if is_repeated and verdict.reason is None:
        verdict = PageVerdict(reason=PageReason.REPEATED, found=verdict.found)
    if verdict.reason is not None:
        _give_up(tx, others, keys, now)
    if is_repeated:
        pages.seen_again(tx, [other.id for other in others], now=now)
    else:
        pages.remember(tx, host, wanted, read.feed.text, keys, now=now)
    return verdict


def _host(link: str) -> str:
    return urlsplit(urls.canonical(link)).netloc


def _is_another(other: pages.SeenPage, wanted: pages.PageWanted) -> bool:
    """Tells whether it was the page of another article, and not the same under another address or title."""
    same_link = urls.canonical(other.link) == urls.canonical(wanted.link) and not is_front(wanted.link)
    return other.entry_id != wanted.entry_id and not same_link and not alike(other.title, wanted.parsed.title)


def _share(lines: frozenset[bytes], of: Sequence[bytes]) -> float:
    return len(lines.intersection(of)) / max(len(lines), 1)


def _give_up(tx: Tx, others: Sequence[pages.SeenPage], keys: Sequence[bytes], now: datetime) -> None:
    """Let entries that took such a page go back to what their feeds said."""
    for other in others:
        taken = pages.taken_text(tx, other.entry_id)
        own = {line_key(line) for line in other.own.split("\n")}
        page_lines = "\n".join(line for line in taken.split("\n") if line_key(line) not in own)
        rest, theirs = own_lines(page_lines, frozenset(keys))
        feed = FeedText(title=other.title, text=other.own, link=other.link)
        if taken and theirs > _THEIRS and not carries(feed, rest):
            again_at = now + pages.AGAIN_AFTER[0]
            pages.page_came(tx, other.entry_id, "", reason=PageReason.REPEATED, again_at=again_at)
