"""Feeds, their documents, and their entries."""

import sqlalchemy as sa

from worker.store.tables.columns import EMPTY, METADATA, binary, boolean, id_column, integer, text, time

_PAGE_WANTED = sa.text("page_tries > 0")

#: A feed's state between polls.
FEED = sa.Table(
    "feed",
    METADATA,
    id_column(),
    #: `model.Feed.id`: the URL as the configuration writes it.
    text("key", unique=True),
    text("name", default=""),
    text("etag", default=""),
    text("last_modified", default=""),
    #: Failures in a row.
    integer("failures", default=0),
    #: True once a first poll has committed.
    boolean("baseline", default=False),
    time("due"),
    #: The worker that polls it.
    text("owner", default="", server_default=EMPTY),
    time("lease_until", nullable=True),
    time("last_polled", nullable=True),
    time("last_success", nullable=True),
    #: `ok`, `not_modified`, or a FetchReason.
    text("last_result", default=""),
    text("last_detail", default=""),
    #: Not polled before, by nobody: Retry-After.
    time("not_before", nullable=True),
    time("last_document", nullable=True),
    #: Its 304s were found to hide new items.
    boolean("lies", default=False, server_default=sa.false()),
    #: When that was last found out.
    time("lied", nullable=True),
    #: Masked.
    text("moved", default="", server_default=EMPTY),
    integer("moved_times", default=0, server_default="0"),
    #: When the first of these polls named it, and when the feed's own address was last asked.
    time("moved_since", nullable=True),
    time("moved_asked", nullable=True),
    #: In full, where no part of it looks like a secret; else empty.
    text("moved_to", default="", server_default=EMPTY),
    #: `model.Rhythm` as JSON.
    text("rhythm", default="", server_default=EMPTY),
    #: When its document last held new items only, so that others may have passed unseen.
    time("gap", nullable=True),
    #: When a poll first succeeded, even if its document held no entries.
    time("first_success", nullable=True),
    #: Entries in a row whose page was not taken when it was first asked for.
    integer("pages_failed", default=0, server_default="0"),
    #: Dates of its last document that could not be read, and the first of them.
    integer("dates_unread", default=0, server_default="0"),
    text("date_unread", default="", server_default=EMPTY),
)

#: A feed's document as received, compressed, once per content.
RAW = sa.Table(
    "raw",
    METADATA,
    #: sha256 hex of the body.
    text("sha256", primary_key=True),
    binary("body"),
    time("first_seen", index=True),
)

#: A document that a feed gave and that was not the one before it, in the order they came.
DOCUMENT = sa.Table(
    "document",
    METADATA,
    id_column(),
    integer("feed_id", sa.ForeignKey("feed.id")),
    #: Of its bytes, which are in `raw`.
    text("sha256", index=True),
    time("at", index=True),
    #: Where it was found, less credentials and query; empty: at the feed's own address.
    text("url", default=""),
    text("content_type", default=""),
    #: `ok`, or the FetchReason for which it could not be read.
    text("result"),
    text("detail", default=""),
    sa.Index("document_feed", "feed_id", "id"),
)

#: A key under which an entry of a feed is known; outlives its entry.
SEEN = sa.Table(
    "seen",
    METADATA,
    integer("feed_id", primary_key=True),
    text("key", primary_key=True),
    integer("entry_id", nullable=True, index=True),
    text("digest"),
)

#: An item as its feed published it last.
ENTRY = sa.Table(
    "entry",
    METADATA,
    id_column(),
    integer("feed_id", sa.ForeignKey("feed.id"), index=True),
    text("state"),
    #: `model.ParsedEntry` as JSON.
    text("parsed"),
    text("raw_sha256", index=True),
    time("first_seen"),
    boolean("backlog", default=False),
    #: Tries to make an article of it, counted before each.
    integer("attempts", default=0),
    text("error", default=""),
    #: Since when it is quarantined.
    time("put_aside", nullable=True),
    integer("article_id", sa.ForeignKey("article.id"), nullable=True, index=True),
    #: Texts under this identity after the first.
    integer("changes", default=0),
    #: The worker that makes an article of it.
    text("owner", default="", server_default=EMPTY),
    time("lease_until", nullable=True),
    #: Where its page is wanted: when the summary goes on alone.
    time("page_due", nullable=True),
    #: Tries to fetch the page still allowed; 0: none wanted or all used.
    integer("page_tries", default=0),
    time("page_lease_until", nullable=True),
    text("page_text", default=""),
    #: Where its page is wanted: not asked for before.
    time("page_at", nullable=True),
    #: Other articles that stood behind it on its page.
    text("page_teasers", default="", server_default=EMPTY),
    #: A PageReason, where its page was asked for and its text not taken; and what there is to say of it.
    text("page_reason", default="", server_default=EMPTY),
    text("page_detail", default="", server_default=EMPTY),
    #: Its page, and nothing that the feed says, is other than when its article was last stored.
    boolean("page_only", default=False, server_default=sa.false()),
    sa.Index("entry_state", "state", "backlog", "attempts", "id"),
    # Asked for at every tick, and nearly always empty.
    sa.Index("entry_page", "page_at", sqlite_where=_PAGE_WANTED, postgresql_where=_PAGE_WANTED),
)

#: The text of a page, by which it is known on the other pages of its host.
PAGE_SEEN = sa.Table(
    "page_seen",
    METADATA,
    id_column(),
    text("host"),
    integer("entry_id"),
    #: What the feed gave of that entry.
    text("title"),
    text("own"),
    text("link"),
    #: The keys of its lines, eight bytes each.
    binary("lines"),
    #: When a page of the host last had the same.
    time("seen", index=True),
    sa.Index("page_seen_host", "host", "seen"),
)
