"""Feeds and pages: what to ask a server, and what its answer means."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlsplit

from worker import net
from worker.model import Feed, FeedState, Fetched, FetchFailed, FetchReason, Freshness, NotModified
from worker.net.urls import requestable

SAMPLE = "veille:sample"

_FEEDS = (
    "application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
_PAGES = "text/html, application/xhtml+xml, */*;q=0.5"
#: A validator that can be sent back: letters of ASCII in one line, and no more of them than servers take.
_SENDABLE = re.compile(r"[\x20-\x7e]{1,1024}")
#: That say there is no document (RFC 9110 15.3.5 and 15.3.6).
_BODILESS = frozenset({204, 205})
_REASONS = {
    401: FetchReason.UNAUTHORIZED,
    403: FetchReason.UNAUTHORIZED,
    404: FetchReason.NOT_FOUND,
    407: FetchReason.UNAUTHORIZED,
    410: FetchReason.GONE,
    429: FetchReason.RATE_LIMITED,
}


async def fetch_feed(
    client: net.Client, feed: Feed, state: FeedState, *, now: datetime, url: str = ""
) -> Fetched | NotModified | FetchFailed:
    """The feed's document, unless it is still the one that `state`'s validators stand for (RFC 9110 13.1).

    `url`: where to ask, if not at the feed's own address; its credentials stay with the latter's origin.
    """
    if feed.url.reveal() == SAMPLE:
        return _sample(state, now)
    url = url or feed.url.reveal()
    validators = [
        (name, value)
        for name, value in (("If-None-Match", state.etag), ("If-Modified-Since", state.last_modified))
        if _SENDABLE.fullmatch(value)
    ]
    headers = [("Accept", _FEEDS), *_headers_for(feed, url), *validators]
    answer = await client.request("GET", url, headers=headers, redirects=True, proxy=_proxy(feed))
    if isinstance(answer, net.NetFailure):
        return FetchFailed(reason=answer.reason, detail=answer.detail, local=answer.local)
    freshness = _freshness(answer.headers, now)
    if answer.status == 304 and validators:
        return NotModified(freshness=freshness, moved=answer.moved or "")
    return _fetched(answer, freshness)


async def fetch_page(client: net.Client, feed: Feed, url: str) -> Fetched | FetchFailed:
    """The page of an entry of `feed`; the feed's credentials and headers go to the feed's own origin only."""
    headers = [("Accept", _PAGES), *_headers_for(feed, url)]
    answer = await client.request("GET", requestable(url), headers=headers, redirects=True, proxy=_proxy(feed))
    if isinstance(answer, net.NetFailure):
        return FetchFailed(reason=answer.reason, detail=answer.detail)
    return _fetched(answer, Freshness())


def _proxy(feed: Feed) -> str | None:
    return feed.proxy.reveal() if feed.proxy else None


def _fetched(answer: net.Response, freshness: Freshness) -> Fetched | FetchFailed:
    # Any success may carry the document: of a proxy that changed it (203), of a cache that answers in part (206) ...
    if not 200 <= answer.status < 300 or answer.status in _BODILESS:
        return _refused(answer, freshness)
    if not answer.body.strip():
        detail = f"status {answer.status} with an empty body"
        return FetchFailed(reason=FetchReason.EMPTY, detail=detail, freshness=freshness)
    return Fetched(
        body=answer.body,
        url=answer.url,
        content_type=answer.headers.get("content-type", ""),
        etag=answer.headers.get("etag", ""),
        last_modified=answer.headers.get("last-modified", ""),
        freshness=freshness,
        moved=answer.moved or "",
    )


def _refused(answer: net.Response, freshness: Freshness) -> FetchFailed:
    """A status that carries no document; of its freshness only Retry-After speaks of failures."""
    detail = f"status {answer.status}"
    if "cf-mitigated" in answer.headers:
        # The same address is let in at another time, so it is not a matter of credentials.
        reason, detail = FetchReason.CLIENT_ERROR, f"{detail}, held up as a robot by Cloudflare"
    elif answer.status in _BODILESS:
        reason = FetchReason.EMPTY
    elif answer.status < 400:
        reason = FetchReason.PROTOCOL
    else:
        fallback = FetchReason.CLIENT_ERROR if answer.status < 500 else FetchReason.SERVER_ERROR
        reason = _REASONS.get(answer.status, fallback)
    return FetchFailed(reason=reason, detail=detail, freshness=Freshness(retry_after=freshness.retry_after))


def _headers_for(feed: Feed, url: str) -> Sequence[tuple[str, str]]:
    """The feed's headers and its credentials (basic: RFC 7617), in clear; of another origin, its User-Agent alone."""
    headers = [(name, value.reveal()) for name, value in feed.headers]
    if _origin(url) != _origin(feed.url.reveal()):
        return [(name, value) for name, value in headers if name.lower() == "user-agent"]
    if feed.username or feed.password is not None:
        password = feed.password.reveal() if feed.password is not None else ""
        pair = base64.b64encode(f"{feed.username}:{password}".encode()).decode("ascii")
        headers.append(("Authorization", f"Basic {pair}"))
    return headers


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname or "", port


def _freshness(headers: Mapping[str, str], now: datetime) -> Freshness:
    max_age = None
    for directive in headers.get("cache-control", "").split(","):
        name, _, value = directive.partition("=")
        if name.strip().lower() == "max-age":
            max_age = net.seconds(value.strip().strip('"'))
    if max_age is None and "expires" in headers:
        max_age = _expires_in(headers, now)
    if max_age is not None:
        # The part of its life that it has spent in caches on the way (RFC 9111 4.2.3).
        max_age = max(0, max_age - (net.seconds(headers.get("age", "")) or 0))
    after = headers.get("retry-after")
    return Freshness(max_age=max_age, retry_after=net.retry_after(after, now) if after is not None else None)


def _expires_in(headers: Mapping[str, str], now: datetime) -> int | None:
    """Seconds that an answer stays fresh by Expires and Date (RFC 9111 4.2.1); `0` and other non-dates: none."""
    date = net.retry_after(headers.get("date", ""), now)
    expires = net.retry_after(headers["expires"], now) if not headers["expires"].strip().isdecimal() else 0
    return None if expires is None else max(0, expires - (date or 0))


def _sample(state: FeedState, now: datetime) -> Fetched | NotModified:
    """The feed that ships, as a server would give it; a new document only when its text has changed."""
    from worker.feeds import sample

    # Its items are dated relative to `now`: only at a fixed instant do equal texts give equal bytes.
    etag = '"' + sha256(sample.document(datetime(2000, 1, 1, tzinfo=UTC))).hexdigest()[:32] + '"'
    if state.etag == etag:
        return NotModified()
    return Fetched(body=sample.document(now), url=SAMPLE, content_type="application/rss+xml", etag=etag)
