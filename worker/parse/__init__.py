"""From a feed's bytes to its entries: RSS 0.9x to 2.0, RDF, Atom, JSON Feed.

    bytes ──decode──> text ──mend, repair──> well-formed text ──read──> raw items ──map──> ParsedFeed

Pure, and meant for a bounded child process: a hostile document may still cost all the time it is given.
"""

from datetime import datetime

from worker import urls
from worker.model import FetchReason, ParsedFeed
from worker.parse import document, jsonfeed, syndication
from worker.parse.failure import ParseFailed

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
                return found
            feeds = document.alternates(text, url)
            named = f"; it names a feed: {urls.masked(feeds[0])}" if feeds else ""
            return ParseFailed(reason=FetchReason.NOT_A_FEED, detail=kind + named, feeds=feeds)
        if text.startswith("{"):
            return jsonfeed.parse(text, url, now)
        return syndication.parse(text, url, now)
    except Exception as error:  # noqa: BLE001 - no document may take the worker down; the reason is kept.
        return ParseFailed(reason=FetchReason.PARSE_ERROR, detail=f"{type(error).__name__}: {error}"[:200])
