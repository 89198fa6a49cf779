"""From a feed's bytes to its entries: RSS 0.9x to 2.0, RDF, Atom, JSON Feed.

    bytes ──decode──> text ──repair──> well-formed text ──read──> raw items ──map──> ParsedFeed

Pure, and meant for a bounded child process: a hostile document may still cost all the time it is given.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from worker.feeds.parse import document, jsonfeed, syndication
from worker.feeds.parse.document import ParseFailed
from worker.model import FetchReason, ParsedEntry, ParsedFeed
from worker.net import urls

__all__ = ["ParseFailed", "parse"]


def parse(body: bytes, url: str, content_type: str, now: datetime | None = None) -> ParsedFeed | ParseFailed:
    """The feed in `body`; `url` is where it was found, `content_type` its HTTP header, `now` when.

    Never raises: what is no feed is `ParseFailed(NOT_A_FEED)`, and what no parser can read `PARSE_ERROR`.
    """
    try:
        text = document.decode(body, content_type)
        if (kind := document.not_a_feed(text)) is not None:
            found = syndication.parse(inner, url, now) if (inner := document.embedded(text)) else None
            if isinstance(found, ParsedFeed) and found.entries:
                return _with_links(found)
            feeds = document.alternates(text, url)
            named = f"; it names a feed: {urls.masked(feeds[0])}" if feeds else ""
            return ParseFailed(reason=FetchReason.NOT_A_FEED, detail=kind + named, feeds=feeds)
        if text.startswith("{"):
            return _with_links(jsonfeed.parse(text, url, now))
        return _with_links(syndication.parse(text, url, now))
    except Exception as error:  # noqa: BLE001 - no document may take the worker down; the reason is kept.
        return ParseFailed(reason=FetchReason.PARSE_ERROR, detail=f"{type(error).__name__}: {error}"[:200])


def _with_links(found: ParsedFeed | ParseFailed) -> ParsedFeed | ParseFailed:
    """The feed with links as they can be asked for; one that is too long is left out and counted."""
    if isinstance(found, ParseFailed):
        return found
    long = sum(len(entry.link) > urls.LONGEST for entry in found.entries)
    words = (f"{long} links of more than {urls.LONGEST} characters were left out",) if long else ()
    partial = next(iter(_linked(filter(None, [found.partial]))), None)
    return replace(found, entries=tuple(_linked(found.entries)), partial=partial, problems=(*words, *found.problems))


def _linked(entries: Iterable[ParsedEntry]) -> Iterable[ParsedEntry]:
    for entry in entries:
        link = urls.requestable(entry.link) if len(entry.link) <= urls.LONGEST else ""
        yield entry if link == entry.link else replace(entry, link=link)
