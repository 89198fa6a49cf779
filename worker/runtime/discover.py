"""The feeds at an address: it is one, or a page that names some."""

from dataclasses import dataclass
from urllib.parse import urljoin

from worker.config import Config
from worker.feeds.child import ChildFailed, Children
from worker.feeds.fetch import fetch_feed
from worker.feeds.parse import ParseFailed, parse
from worker.model import Feed, FeedState, FetchFailed, FetchReason, NotModified, ParsedFeed, Secret
from worker.net import Client
from worker.runtime.clock import clock
from worker.runtime.load import client_of

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


async def discover(conf: Config, url: str, chosen: int | None = None) -> Found:
    """The feed at `url`, or those that the page there names, in its order; else the first of the well-known places.

    The only one that a page names, or the `chosen` one (from 1; raises IndexError), is read for what it calls itself.
    Asked for with the configuration's address guard, and read in a child process.
    """
    client, children = client_of(conf), Children(size=1)
    try:
        found = await _read(client, children, url)
        if found.feeds and (chosen is not None or len(found.feeds) == 1):
            named = _chosen(found.feeds, chosen)
            return found if named == url else await _named(client, children, named)
        if found.feeds or not found.reason.startswith(FetchReason.NOT_A_FEED):
            return found
        for place in PLACES:
            there = await _read(client, children, urljoin(url, place))
            if there.feeds:
                return there
        return found
    finally:
        children.close()
        await client.aclose()


async def _named(client: Client, children: Children, url: str) -> Found:
    """The feed at an address that a page names, or the reason for none."""
    there = await _read(client, children, url)
    if there.feeds == (url,):
        return there
    return Found(reason=f"the page names {url}, {there.reason or 'which is a page too'}")


def _chosen(feeds: tuple[str, ...], number: int | None) -> str:
    if number is None:
        return feeds[0]
    if not 1 <= number <= len(feeds):
        raise IndexError(number)
    return feeds[number - 1]


async def _read(client: Client, children: Children, url: str) -> Found:
    feed = Feed(id=url, url=Secret(url), name="")
    fetched = await fetch_feed(client, feed, FeedState(id=0), now=clock())
    if isinstance(fetched, NotModified):  # by a server that answers so whatever it is asked
        return Found(reason="not_modified: the server says so of what it never sent")
    if isinstance(fetched, FetchFailed):
        return Found(reason=f"{fetched.reason}: {fetched.detail}")
    parsed: ParsedFeed | ParseFailed | ChildFailed = await children.run(
        parse, fetched.body, fetched.url, fetched.content_type, seconds=_PARSE_SECONDS
    )
    if isinstance(parsed, ParsedFeed):
        return Found(feeds=(url,), title=parsed.title, language=parsed.language)
    if isinstance(parsed, ParseFailed) and parsed.feeds:
        return Found(feeds=parsed.feeds)
    return Found(reason=f"{parsed.reason}: {parsed.detail}")
