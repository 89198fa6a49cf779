"""From the network to entries."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EntryState(StrEnum):
    """States of an entry on its way to an article."""

    #: Its page is still to be fetched.
    NEW = "new"
    #: Ingest may take it.
    READY = "ready"
    #: Its article is stored.
    DONE = "done"
    #: It failed five times; its bytes are kept.
    QUARANTINED = "quarantined"


class FetchReason(StrEnum):
    """Reasons for which a feed or page could not be fetched; the same word in row, log and screen."""

    BAD_URL = "bad_url"
    BLOCKED_ADDRESS = "blocked_address"
    DNS = "dns_error"
    CONNECT = "connect_error"
    TLS = "tls_error"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol_error"
    REDIRECT_LOOP = "redirect_loop"
    TOO_LARGE = "too_large"
    BAD_CODING = "bad_coding"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    GONE = "gone"
    RATE_LIMITED = "rate_limited"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    EMPTY = "empty_body"
    NOT_A_FEED = "not_a_feed"
    PARSE_TIMEOUT = "parse_timeout"
    PARSE_ERROR = "parse_error"


class PageReason(StrEnum):
    """Reasons for which an entry has no text of its page; the same word in row, log and screen."""

    #: It could not be fetched.
    NOT_FETCHED = "not_fetched"
    #: No text was found on it, or reading it took too long.
    NO_TEXT = "no_text"
    #: Its address led to the front page, to another article or to a login.
    REDIRECTED = "redirected"
    #: It carries neither the title nor the summary that the feed gave: an error page, a wall, a challenge.
    OTHER_TEXT = "other_text"
    #: It lists other articles.
    LISTING = "listing"
    #: The feed's own text is longer.
    SHORTER = "shorter"
    #: Another entry of its host got the same.
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """A feed's rhythm: the interval that it asks for, and the one that its dates show."""

    #: Between polls, in seconds, learnt from its articles' dates; 0: nothing learnt yet.
    interval: int = 0
    #: Why, for people; empty where nothing was learnt.
    why: str = ""
    #: RSS: how long its document may be kept, in seconds; 0: it does not say.
    ttl: int = 0
    #: RSS: hours (UTC, 0 to 23) and days (0 is Monday) in which it asks not to be polled.
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The place where a feed's address was last said to have moved for good (301, 308); empty: nowhere."""

    #: For people: masked.
    shown: str = ""
    #: In full, where no part of it looks like a secret; else empty.
    url: str = ""
    #: Polls in a row that were sent or went there.
    times: int = 0
    #: When the first of them was, and when the feed's own address was last asked.
    since: datetime | None = None
    asked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """A feed's stored state at the start of a poll."""

    id: int
    etag: str = ""
    last_modified: str = ""
    #: Failures in a row.
    failures: int = 0
    #: True once a first poll that held entries has committed: later entries are news, not backlog.
    baseline: bool = False
    #: When a poll first succeeded, even if it held no entries.
    first_success: datetime | None = None
    #: When a poll last committed; another since then, and this one's is refused.
    last_polled: datetime | None = None
    #: Of that poll: `ok`, `not_modified`, or a FetchReason; and what it said.
    last_result: str = ""
    last_detail: str = ""
    #: When its document last came whole, rather than a 304.
    last_document: datetime | None = None
    #: Its 304s were found to hide new items: validators are not sent any more.
    lies: bool = False
    #: When that was last found out.
    lied: datetime | None = None
    move: Move = Move()
    rhythm: Rhythm = Rhythm()


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """The pause that the server asks for, in seconds; None where it did not say (RFC 9111 5.2.2.1, RFC 9110 10.2.3)."""

    max_age: int | None = None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A feed's document."""

    body: bytes
    #: Where it was found, after redirects; the base of relative links.
    url: str
    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    freshness: Freshness = Freshness()
    #: Where it was moved for good (301, 308), or empty; may hold secrets.
    moved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """304: the validators still hold."""

    freshness: Freshness = Freshness()
    #: As in `Fetched`.
    moved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailed:
    """A feed or page could not be had."""

    reason: FetchReason
    #: For people; free of secrets.
    detail: str = ""
    freshness: Freshness = Freshness()
    #: This machine's trouble: no name server answers, or nothing can be read here. It does not count against the feed.
    local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEntry:
    """An item as its feed published it; texts are cleaned of what no store can hold (NUL, C0, lone surrogates)."""

    #: Empty where the feed gives none.
    guid: str = ""
    #: Absolute http(s) URL, or empty.
    link: str = ""
    #: Plain text, at most 1,000 characters.
    title: str = ""
    #: HTML or plain text, at most 256 KiB of text each; what is said of pictures stands behind the content, if there is
    #: some, else behind the summary.
    summary: str = ""
    content: str = ""
    #: Aware UTC datetimes, or None where absent or unreadable.
    published: datetime | None = None
    updated: datetime | None = None
    author: str = ""
    #: BCP 47 tag of the entry or its feed, or empty.
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """A parsed document."""

    #: feedparser's word (`rss20`, `atom10` ...) or `json1`.
    version: str
    title: str = ""
    language: str = ""
    entries: tuple[ParsedEntry, ...] = ()
    #: What was wrong and survived, for people.
    problems: tuple[str, ...] = ()
    #: Entries that could not be read, and what was said of the first of them.
    unread: int = 0
    unread_why: str = ""
    #: Dates that could not be read, and the first of them.
    dates_unread: int = 0
    date_unread: str = ""
    #: Entries beyond the limit, not kept.
    dropped: int = 0
    #: The document ends early: its last entry is not trusted, its validators are not kept.
    truncated: bool = False
    #: That last entry, as far as it goes: all there will be, where the document always ends there.
    partial: ParsedEntry | None = None
    #: What the document says of when to come back: see `Rhythm`.
    ttl: int = 0
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry as the store hands it to `page` and `ingest`."""

    id: int
    feed: str
    parsed: ParsedEntry
    first_seen: datetime
    #: Stored with the feed's first poll, which does not alert.
    backlog: bool
    #: The article that an earlier form of this entry became.
    article_id: int | None = None
    #: The page's HTML-free text by paragraphs, where one was fetched and taken.
    page_text: str = ""
    #: Other articles that stood behind it on its page.
    page_teasers: str = ""
    #: Its page, and nothing that the feed says, is other than when its article was last stored.
    page_only: bool = False
    attempts: int = 0
    #: How often its text changed in its feed.
    changes: int = 0
