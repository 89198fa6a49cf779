"""Feeds, their documents, and their entries."""

from datetime import datetime

from sqlalchemy import (
    Index,
    LargeBinary,
    false,
    text,
)
from sqlmodel import Field, SQLModel

from worker.store.tables.columns import text_column, time_column


class FeedRow(SQLModel, table=True):
    """A feed's state between polls."""

    __tablename__ = "feed"
    id: int | None = Field(default=None, primary_key=True)
    #: `model.Feed.id`: the URL as the configuration writes it.
    key: str = text_column(unique=True)
    name: str = text_column(default="")
    etag: str = text_column(default="")
    last_modified: str = text_column(default="")
    #: Failures in a row.
    failures: int = 0
    #: True once a first poll has committed.
    baseline: bool = False
    due: datetime = time_column()
    #: The worker that polls it.
    owner: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    lease_until: datetime | None = time_column(default=None, nullable=True)
    last_polled: datetime | None = time_column(default=None, nullable=True)
    last_success: datetime | None = time_column(default=None, nullable=True)
    #: `ok`, `not_modified`, or a FetchReason.
    last_result: str = text_column(default="")
    last_detail: str = text_column(default="")
    #: Not polled before, by nobody: Retry-After.
    not_before: datetime | None = time_column(default=None, nullable=True)
    last_document: datetime | None = time_column(default=None, nullable=True)
    #: Its 304s were found to hide new items.
    lies: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    #: When that was last found out.
    lied: datetime | None = time_column(default=None, nullable=True)
    #: Masked.
    moved: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    moved_times: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    #: When the first of these polls named it, and when the feed's own address was last asked.
    moved_since: datetime | None = time_column(default=None, nullable=True)
    moved_asked: datetime | None = time_column(default=None, nullable=True)
    #: In full, where no part of it looks like a secret; else empty.
    moved_to: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    #: `model.Rhythm` as JSON.
    rhythm: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    #: When its document last held new items only, so that others may have passed unseen.
    gap: datetime | None = time_column(default=None, nullable=True)
    #: When a poll first succeeded, even if its document held no entries.
    first_success: datetime | None = time_column(default=None, nullable=True)
    #: Entries in a row whose page was not taken when it was first asked for.
    pages_failed: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    #: Dates of its last document that could not be read, and the first of them.
    dates_unread: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    date_unread: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})


class RawRow(SQLModel, table=True):
    """A feed's document as received, compressed, once per content."""

    __tablename__ = "raw"
    #: sha256 hex of the body.
    sha256: str = text_column(primary_key=True)
    body: bytes = Field(sa_type=LargeBinary)
    first_seen: datetime = time_column(index=True)


class DocumentRow(SQLModel, table=True):
    """A document that a feed gave and that was not the one before it, in the order they came."""

    __tablename__ = "document"
    __table_args__ = (Index("document_feed", "feed_id", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    feed_id: int = Field(foreign_key="feed.id")
    #: Of its bytes, which are in `raw`.
    sha256: str = text_column(index=True)
    at: datetime = time_column(index=True)
    #: Where it was found, less credentials and query; empty: at the feed's own address.
    url: str = text_column(default="")
    content_type: str = text_column(default="")
    #: `ok`, or the FetchReason for which it could not be read.
    result: str = text_column()
    detail: str = text_column(default="")


class SeenRow(SQLModel, table=True):
    """A key under which an entry of a feed is known; outlives its entry."""

    __tablename__ = "seen"
    feed_id: int = Field(primary_key=True)
    key: str = text_column(primary_key=True)
    entry_id: int | None = Field(default=None, index=True)
    digest: str = text_column()


class EntryRow(SQLModel, table=True):
    """An item as its feed published it last."""

    __tablename__ = "entry"
    __table_args__ = (
        Index("entry_state", "state", "backlog", "attempts", "id"),
        # Asked for at every tick, and nearly always empty.
        Index("entry_page", "page_at", sqlite_where=text("page_tries > 0"), postgresql_where=text("page_tries > 0")),
    )
    id: int | None = Field(default=None, primary_key=True)
    feed_id: int = Field(foreign_key="feed.id", index=True)
    state: str = text_column()
    #: `model.ParsedEntry` as JSON.
    parsed: str = text_column()
    raw_sha256: str = text_column(index=True)
    first_seen: datetime = time_column()
    backlog: bool = False
    #: Tries to make an article of it, counted before each.
    attempts: int = 0
    error: str = text_column(default="")
    #: Since when it is quarantined.
    put_aside: datetime | None = time_column(default=None, nullable=True)
    article_id: int | None = Field(default=None, foreign_key="article.id", index=True)
    #: Texts under this identity after the first.
    changes: int = 0
    #: The worker that makes an article of it.
    owner: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    lease_until: datetime | None = time_column(default=None, nullable=True)
    #: Where its page is wanted: when the summary goes on alone.
    page_due: datetime | None = time_column(default=None, nullable=True)
    #: Tries to fetch the page still allowed; 0: none wanted or all used.
    page_tries: int = 0
    #: The worker that fetches it.
    page_owner: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    page_lease_until: datetime | None = time_column(default=None, nullable=True)
    page_text: str = text_column(default="")
    #: Where its page is wanted: not asked for before.
    page_at: datetime | None = time_column(default=None, nullable=True)
    #: Other articles that stood behind it on its page.
    page_teasers: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    #: A PageReason, where its page was asked for and its text not taken; and what there is to say of it.
    page_reason: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    page_detail: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    #: Its page, and nothing that the feed says, is other than when its article was last stored.
    page_only: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class PageSeenRow(SQLModel, table=True):
    """The text of a page, by which it is known on the other pages of its host."""

    __tablename__ = "page_seen"
    __table_args__ = (Index("page_seen_host", "host", "seen"),)
    id: int | None = Field(default=None, primary_key=True)
    host: str = text_column()
    entry_id: int
    #: What the feed gave of that entry.
    title: str = text_column()
    own: str = text_column()
    link: str = text_column()
    #: The keys of its lines, eight bytes each.
    lines: bytes = Field(sa_type=LargeBinary)
    #: When a page of the host last had the same.
    seen: datetime = time_column(index=True)
