"""Feeds and pages: what is asked, and what the answers mean."""

import base64
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from feedserver import FeedServer

from worker.feeds import fetch
from worker.model import Feed, FeedState, Fetched, FetchFailed, FetchReason, Freshness, NotModified, Secret
from worker.net import client as net

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RSS = b"<rss version='2.0'><channel><title>t</title></channel></rss>"
NEW = FeedState(id=1)


@pytest.fixture
async def client(feedserver: FeedServer) -> AsyncIterator[net.Client]:
    """A client that may reach loopback."""
    client = net.Client(allow=["127.0.0.1"], user_agent="veille-test")
    yield client
    await client.aclose()


def feed(url: str, **more) -> Feed:
    return Feed(id="feed", url=Secret(url), name="A feed", **more)


async def test_a_feed_is_fetched(client: net.Client, feedserver: FeedServer) -> None:
    """The document comes with what its next poll and its parser need."""
    url = feedserver.serve(
        "/",
        RSS,
        etag='"1"',
        last_modified="Sun, 01 Mar 2026 11:00:00 GMT",
        content_type="text/xml; charset=utf-8",
        gzip=True,
    )
    assert await fetch.fetch_feed(client, feed(url), NEW, now=NOW) == Fetched(
        body=RSS,
        url=url,
        content_type="text/xml; charset=utf-8",
        etag='"1"',
        last_modified="Sun, 01 Mar 2026 11:00:00 GMT",
    )
    seen = feedserver.log[0].headers
    assert "if-none-match" not in seen
    assert "if-modified-since" not in seen
    assert "application/rss+xml" in seen["accept"]


@pytest.mark.parametrize(
    ("state", "document"),
    [
        ({"etag": '"1"'}, {"etag": '"1"'}),
        ({"last_modified": "Sun, 01 Mar 2026 11:00:00 GMT"}, {"last_modified": "Sun, 01 Mar 2026 11:00:00 GMT"}),
        ({"etag": 'W/"1"', "last_modified": "yesterday"}, {"etag": 'W/"1"'}),
    ],
    ids=["etag", "last modified", "both"],
)
async def test_an_unchanged_feed_is_not_sent_again(state, document, client: net.Client, feedserver: FeedServer) -> None:
    """Validators go back as they came."""
    url = feedserver.serve("/", RSS, headers={"Cache-Control": "max-age=60"}, **document)
    answer = await fetch.fetch_feed(client, feed(url), FeedState(id=1, **state), now=NOW)
    assert answer == NotModified(freshness=Freshness(max_age=60))


async def test_a_changed_feed_is_sent(client: net.Client, feedserver: FeedServer) -> None:
    """A validator of another document does not matter."""
    url = feedserver.serve("/", RSS, etag='"2"')
    answer = await fetch.fetch_feed(client, feed(url), FeedState(id=1, etag='"1"'), now=NOW)
    assert isinstance(answer, Fetched)
    assert answer.etag == '"2"'


async def test_f18_304_without_a_question_is_a_failure(client: net.Client, feedserver: FeedServer) -> None:
    """Not modified since when? There would be no document, ever."""
    answer = await fetch.fetch_feed(client, feed(feedserver.serve("/", status=304)), NEW, now=NOW)
    assert isinstance(answer, FetchFailed)
    assert answer.reason is FetchReason.PROTOCOL


@pytest.mark.parametrize("body", [b"", b" \r\n\t "], ids=["empty", "blank"])
async def test_f18_an_empty_document_is_a_failure(body: bytes, client: net.Client, feedserver: FeedServer) -> None:
    """A feed without items still has a root element."""
    answer = await fetch.fetch_feed(client, feed(feedserver.serve("/", body, etag='"e"')), NEW, now=NOW)
    assert isinstance(answer, FetchFailed)
    assert answer.reason is FetchReason.EMPTY


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (204, FetchReason.EMPTY),
        (205, FetchReason.EMPTY),
        (300, FetchReason.PROTOCOL),
        (302, FetchReason.PROTOCOL),
        (400, FetchReason.CLIENT_ERROR),
        (401, FetchReason.UNAUTHORIZED),
        (403, FetchReason.UNAUTHORIZED),
        (404, FetchReason.NOT_FOUND),
        (410, FetchReason.GONE),
        (429, FetchReason.RATE_LIMITED),
        (451, FetchReason.CLIENT_ERROR),
        (500, FetchReason.SERVER_ERROR),
        (503, FetchReason.SERVER_ERROR),
        (521, FetchReason.SERVER_ERROR),
        (599, FetchReason.SERVER_ERROR),
    ],
)
async def test_f19_statuses(status: int, reason: FetchReason, client: net.Client, feedserver: FeedServer) -> None:
    """Each has its reason, with Retry-After where it was said and no life of a document that is none."""
    headers = {"Retry-After": "120", "Cache-Control": "max-age=3600"}
    url = feedserver.serve("/", b"" if status in {204, 205, 304} else b"sorry", status=status, headers=headers)
    answer = await fetch.fetch_feed(client, feed(url), NEW, now=NOW)
    assert isinstance(answer, FetchFailed)
    assert (answer.reason, answer.freshness) == (reason, Freshness(retry_after=120))
    assert str(status) in answer.detail


@pytest.mark.parametrize("status", [200, 202, 203, 206, 226])
async def test_f26_successes_that_carry_a_document(status: int, client: net.Client, feedserver: FeedServer) -> None:
    """Whatever kind of success it is: the document is read, and an empty one is a failure."""
    url = feedserver.serve("/", RSS, status=status, etag='"1"')
    answer = await fetch.fetch_feed(client, feed(url), NEW, now=NOW)
    assert isinstance(answer, Fetched)
    assert (answer.body, answer.etag) == (RSS, '"1"')
    empty = await fetch.fetch_feed(client, feed(feedserver.serve("/empty", b"", status=status)), NEW, now=NOW)
    assert isinstance(empty, FetchFailed)
    assert (empty.reason, empty.detail) == (FetchReason.EMPTY, f"status {status} with an empty body")


@pytest.mark.parametrize(
    ("state", "sent"),
    [
        ({"last_modified": "Dim, 12 F\u00e9v 2023"}, set()),
        ({"etag": '"caf\u00e9"'}, set()),
        ({"etag": '"a\r\nX-Evil: 1"'}, set()),
        ({"etag": '"a\nb"'}, set()),
        ({"etag": '"a\0b"'}, set()),
        ({"etag": "\ud800"}, set()),
        ({"etag": '"' + "a" * 50_000 + '"'}, set()),
        ({"etag": '"1"', "last_modified": "F\u00e9v"}, {"if-none-match"}),
        ({"etag": "\u201c1\u201d", "last_modified": "yesterday"}, {"if-modified-since"}),
    ],
    ids=["month", "letters", "line break", "bare line feed", "nul", "surrogate", "long", "tag alone", "date alone"],
)
async def test_f24_validators_that_no_header_can_carry(
    state, sent: set[str], client: net.Client, feedserver: FeedServer
) -> None:
    """The feed is asked without them; a 304 to nothing is still a failure."""
    url = feedserver.serve("/", RSS)
    assert isinstance(await fetch.fetch_feed(client, feed(url), FeedState(id=1, **state), now=NOW), Fetched)
    assert {"if-none-match", "if-modified-since", "x-evil"} & set(feedserver.log[0].headers) == sent
    unasked = await fetch.fetch_feed(
        client, feed(feedserver.serve("/304", status=304)), FeedState(id=1, **state), now=NOW
    )
    assert isinstance(unasked, NotModified if sent else FetchFailed)


async def test_f19_a_robot_check_is_told_apart(client: net.Client, feedserver: FeedServer) -> None:
    """Cloudflare's 403 has nothing to do with the feed's credentials."""
    url = feedserver.serve("/", b"<html>", status=403, headers={"CF-Mitigated": "challenge"})
    answer = await fetch.fetch_feed(client, feed(url), NEW, now=NOW)
    assert isinstance(answer, FetchFailed)
    assert answer.reason is FetchReason.CLIENT_ERROR
    assert "robot" in answer.detail


@pytest.mark.parametrize(
    ("headers", "freshness"),
    [
        ({}, Freshness()),
        ({"Cache-Control": "max-age=300"}, Freshness(max_age=300)),
        ({"Cache-Control": 'public, MAX-AGE="300" , must-revalidate'}, Freshness(max_age=300)),
        ({"Cache-Control": "max-age=300", "Age": "120"}, Freshness(max_age=180)),
        ({"Cache-Control": "max-age=300", "Age": "900"}, Freshness(max_age=0)),
        ({"Cache-Control": "max-age=300", "Age": "soon"}, Freshness(max_age=300)),
        ({"Cache-Control": "s-maxage=300, no-cache"}, Freshness()),
        ({"Cache-Control": "max-age=-1"}, Freshness()),
        ({"Cache-Control": "max-age=" + "9" * 5000}, Freshness(max_age=86_400)),
        ({"Cache-Control": "max-age"}, Freshness()),
        ({"Retry-After": "600"}, Freshness(retry_after=600)),
        ({"Retry-After": "Sun, 01 Mar 2026 13:00:00 GMT"}, Freshness(retry_after=3600)),
        ({"Retry-After": "soon"}, Freshness()),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_freshness(headers, freshness: Freshness, client: net.Client, feedserver: FeedServer) -> None:
    """The server's time to come back, less what caches have used up of it."""
    answer = await fetch.fetch_feed(client, feed(feedserver.serve("/", RSS, headers=headers)), NEW, now=NOW)
    assert isinstance(answer, Fetched)
    assert answer.freshness == freshness


async def test_credentials_and_headers_of_a_feed_are_sent(client: net.Client, feedserver: FeedServer) -> None:
    """Basic authentication in UTF-8, and the feed's own headers."""
    url = feedserver.serve("/", RSS)
    own = feed(url, username="désk", password=Secret("pä:ss"), headers=(("X-Api-Key", Secret("k")),))
    assert isinstance(await fetch.fetch_feed(client, own, NEW, now=NOW), Fetched)
    seen = feedserver.log[0].headers
    assert base64.b64decode(seen["authorization"].removeprefix("Basic ")).decode() == "désk:pä:ss"
    assert seen["x-api-key"] == "k"


async def test_f20_a_move_for_good_is_told(client: net.Client, feedserver: FeedServer) -> None:
    """The document is used, and the new address told with it."""
    feedserver.redirect("/old", "/new", 301)
    new = feedserver.serve("/new", RSS)
    answer = await fetch.fetch_feed(client, feed(feedserver.url("/old")), NEW, now=NOW)
    assert isinstance(answer, Fetched)
    assert (answer.url, answer.moved) == (new, new)


@pytest.mark.parametrize(
    ("own", "there", "sent"),
    [
        ("http://a.test/feed", "http://a.test/new", True),
        ("http://a.test/feed", "http://b.test/new", False),
        ("http://a.test/feed", "http://a.test:8080/new", False),
    ],
)
async def test_a_feed_asked_elsewhere_keeps_its_credentials(own: str, there: str, sent: bool) -> None:
    """The address that it has moved to sees them on the same origin only, its User-Agent everywhere."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=RSS)

    client = net.Client(user_agent="t", transport=httpx.MockTransport(answer))
    headers = (("X-Key", Secret("k")), ("user-agent", Secret("Reader")))
    asked = feed(own, username="u", password=Secret("p"), headers=headers)
    assert isinstance(await fetch.fetch_feed(client, asked, NEW, now=NOW, url=there), Fetched)
    assert str(seen[0].url) == there
    assert ("authorization" in seen[0].headers, "x-key" in seen[0].headers) == (sent, sent)
    assert seen[0].headers["user-agent"] == "Reader"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest", FetchReason.BLOCKED_ADDRESS),
        ("http://[::1]/", FetchReason.BLOCKED_ADDRESS),
        ("file:///etc/passwd", FetchReason.BAD_URL),
        ("http://[::1", FetchReason.BAD_URL),
        ("http://127.0.0.1:1/", FetchReason.CONNECT),
    ],
)
@pytest.mark.parametrize("what", ["feed", "page"])
async def test_f08_feeds_and_pages_pass_the_same_gate(
    what: str, url: str, reason: FetchReason, client: net.Client
) -> None:
    """A refused address is a failure with its reason, for each."""
    if what == "feed":
        answer = await fetch.fetch_feed(client, feed(url), NEW, now=NOW)
    else:
        answer = await fetch.fetch_page(client, feed("https://news.test/"), url)
    assert isinstance(answer, FetchFailed)
    assert answer.reason is reason


async def test_a_page_is_fetched(client: net.Client, feedserver: FeedServer) -> None:
    """With its type, for the extraction."""
    url = feedserver.serve("/a", b"<p>x", content_type="text/html")
    answer = await fetch.fetch_page(client, feed(feedserver.url("/feed")), url)
    assert answer == Fetched(body=b"<p>x", url=url, content_type="text/html")
    assert "text/html" in feedserver.log[0].headers["accept"]
    missing = await fetch.fetch_page(client, feed(feedserver.url("/feed")), feedserver.url("/b"))
    assert isinstance(missing, FetchFailed)
    assert missing.reason is FetchReason.NOT_FOUND


async def test_a_page_elsewhere_sees_no_credentials(client: net.Client, feedserver: FeedServer) -> None:
    """Credentials are for the feed's own origin, whose pages may need them too."""
    with FeedServer() as other:
        own = feed(
            feedserver.url("/feed"), username="u", password=Secret("secret"), headers=(("X-Key", Secret("secret")),)
        )
        for server in (feedserver, other):
            await fetch.fetch_page(client, own, server.serve("/a", b"<p>x"))
        assert "authorization" in feedserver.log[0].headers
        assert feedserver.log[0].headers["x-key"] == "secret"
        assert not {"authorization", "x-key"} & set(other.log[0].headers)


async def test_the_sample_is_served_once(client: net.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed that ships is dated relative to now, and new only when its text has changed."""
    sample = pytest.importorskip("worker.feeds.sample")
    first = await fetch.fetch_feed(client, feed("veille:sample"), NEW, now=NOW)
    assert isinstance(first, Fetched)
    assert first.body == sample.document(NOW)
    state = FeedState(id=1, etag=first.etag)
    for later in itertools.accumulate([timedelta(hours=7)] * 20, initial=NOW):
        assert isinstance(await fetch.fetch_feed(client, feed("veille:sample"), state, now=later), NotModified)
    monkeypatch.setattr(sample, "document", lambda _now: b"<rss>another text</rss>")
    assert isinstance(await fetch.fetch_feed(client, feed("veille:sample"), state, now=NOW), Fetched)
