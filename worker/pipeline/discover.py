"""The feeds at an address: it is one, or a page that names some; and what its articles would match."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

from worker.analysis import text
from worker.feeds.child import ChildFailed, Children
from worker.feeds.fetch import fetch_feed
from worker.feeds.parse import ParseFailed, parse
from worker.model import (
    Article,
    Feed,
    FeedState,
    FetchFailed,
    FetchReason,
    Match,
    NotModified,
    ParsedEntry,
    ParsedFeed,
    Secret,
    StoredEntry,
)
from worker.net.client import Client
from worker.pipeline.reading import Unread, read
from worker.rules import RuleSet
from worker.rules.match import Source, match

#: Where sites keep a feed that their pages do not name, the commonest first.
PLACES = ("/feed", "/rss", "/feed.xml", "/rss.xml", "/atom.xml", "/index.xml", "/feed.json")
_PARSE_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The document at an address: a feed, or a page with feeds."""

    #: Addresses of feeds: the one that was asked for, if it is one.
    feeds: tuple[str, ...] = ()
    #: Of the feed that was read, as it says.
    title: str = ""
    language: str = ""
    #: Why there is none, in one sentence.
    reason: str = ""
    #: Of the feed that was read, in the document's order.
    entries: tuple[ParsedEntry, ...] = ()


async def discover(client: Client, children: Children, url: str, now: datetime, chosen: int | None = None) -> Found:
    """The feed at `url`, or those that the page there names, in its order; else the first of the well-known places.

    The only one that a page names, or the `chosen` one (from 1; raises IndexError), is read for what it calls itself.
    Asked for with the client's address guard, and read in a child process.
    """
    found = await _read(client, children, url, now)
    if found.feeds and (chosen is not None or len(found.feeds) == 1):
        named = _chosen(found.feeds, chosen)
        return found if named == url else await _named(client, children, named, now)
    if found.feeds or not found.reason.startswith(FetchReason.NOT_A_FEED):
        return found
    for place in PLACES:
        there = await _read(client, children, urljoin(url, place), now)
        if there.feeds:
            return there
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An entry of a feed that is not polled yet: its article, or why it gives none, and the rules that it matches."""

    article: Article | None
    error: str = ""
    document: text.Document | None = None
    matches: tuple[Match, ...] = ()


#: Entries that are tried, and seconds for all of them.
_TRIED, _TRY_SECONDS = 10, 15
#: Characters of a text that are read for it.
_TRIED_TEXT = 20_000


async def try_rules(
    children: Children, entries: Sequence[ParsedEntry], rules: RuleSet, feed: Feed, now: datetime
) -> tuple[Tried, ...]:
    """The first entries as articles, and what the rules say of them; nothing is stored or sent."""
    batch = [
        Unread(
            entry=StoredEntry(id=0, feed=feed.id, parsed=one, first_seen=now, backlog=True, article_id=None),
            source=feed.name,
            language=feed.language,
        )
        for one in entries[:_TRIED]
    ]
    found: Sequence[Article | str] | ChildFailed = await children.run(read, batch, seconds=_TRY_SECONDS)
    if isinstance(found, ChildFailed):
        return (Tried(article=None, error=f"{found.reason}: {found.detail}"),)
    return await asyncio.to_thread(lambda: tuple(_tried(one, rules, feed) for one in found))


def _tried(one: Article | str, rules: RuleSet, feed: Feed) -> Tried:
    if isinstance(one, str):
        return Tried(article=None, error=one)
    document = text.analyse(one.title, one.body[:_TRIED_TEXT], one.language)
    source = Source(feed=feed.name, tags=feed.tags, published=one.published, first_seen=one.first_seen)
    return Tried(article=one, document=document, matches=tuple(match(document, rules, source)))


async def _named(client: Client, children: Children, url: str, now: datetime) -> Found:
    """The feed at an address that a page names, or the reason for none."""
    there = await _read(client, children, url, now)
    if there.feeds == (url,):
        return there
    return Found(reason=f"the page names {url}, {there.reason or 'which is a page too'}")


def _chosen(feeds: tuple[str, ...], number: int | None) -> str:
    if number is None:
        return feeds[0]
    if not 1 <= number <= len(feeds):
        raise IndexError(number)
    return feeds[number - 1]


async def _read(client: Client, children: Children, url: str, now: datetime) -> Found:
    feed = Feed(id=url, url=Secret(url), name="")
    fetched = await fetch_feed(client, feed, FeedState(id=0), now=now)
    if isinstance(fetched, NotModified):  # by a server that answers so whatever it is asked
        return Found(reason="not_modified: the server says so of what it never sent")
    if isinstance(fetched, FetchFailed):
        return Found(reason=f"{fetched.reason}: {fetched.detail}")
    parsed: ParsedFeed | ParseFailed | ChildFailed = await children.run(
        parse, fetched.body, fetched.url, fetched.content_type, seconds=_PARSE_SECONDS
    )
    if isinstance(parsed, ParsedFeed):
        return Found(feeds=(url,), title=parsed.title, language=parsed.language, entries=parsed.entries)
    if isinstance(parsed, ParseFailed) and parsed.feeds:
        return Found(feeds=parsed.feeds)
    return Found(reason=f"{parsed.reason}: {parsed.detail}")
