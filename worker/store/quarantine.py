"""The quarantine: documents and entries that could not be read, and entries without an article, with their bytes."""

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter

from worker.model import EntryState, ParsedEntry, Role
from worker.store.database import Tx, read_as
from worker.store.deferred import wake
from worker.store.tables import DOCUMENT, ENTRY, FEED

_parsed = TypeAdapter(ParsedEntry)

READ = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it came."""

    feed_id: int
    sha256: str
    at: datetime
    #: Where it was found, free of secrets; empty: at the feed's own address.
    url: str = ""
    content_type: str = ""
    #: `ok`, or the FetchReason for which it could not be read.
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A document that could not be read, for people."""

    id: int
    #: `model.Feed.id`.
    feed: str
    at: datetime
    sha256: str
    url: str
    content_type: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAside:
    """An entry that failed too often, for people."""

    id: int
    #: `model.Feed.id`.
    feed: str
    #: Since when; None where an older Veille put it aside.
    at: datetime | None
    title: str
    error: str
    attempts: int
    first_seen: datetime
    parsed: ParsedEntry
    #: Of the document it came in.
    sha256: str


def note(tx: Tx, document: Document) -> None:
    """Write a document down, unless it is the one that the feed gave before and came to the same."""
    query = sa.select(DOCUMENT.c.sha256, DOCUMENT.c.result).where(DOCUMENT.c.feed_id == document.feed_id)
    last = tx.execute(query.order_by(DOCUMENT.c.id.desc()).limit(1)).one_or_none()
    if last is not None and (last.sha256, last.result) == (document.sha256, document.result):
        return
    tx.execute(sa.insert(DOCUMENT).values(asdict(document) | {"detail": document.detail[:500]}))


def put_aside(tx: Tx, *, limit: int, entry_id: int | None = None) -> tuple[PutAside, ...]:
    """Entries that were put aside, newest first; with `entry_id` that one alone."""
    query = (
        sa.select(ENTRY, FEED.c.key)
        .join(FEED, FEED.c.id == ENTRY.c.feed_id)
        .where(ENTRY.c.state == EntryState.QUARANTINED)
        .order_by(ENTRY.c.id.desc())
        .limit(limit)
    )
    if entry_id is not None:
        query = query.where(ENTRY.c.id == entry_id)
    return tuple(
        read_as(
            PutAside,
            r,
            feed=r.key,
            at=r.put_aside,
            title=(parsed := _parsed.validate_json(r.parsed)).title,
            parsed=parsed,
            sha256=r.raw_sha256,
        )
        for r in tx.execute(query)
    )


def retry(tx: Tx, entry_id: int | None = None) -> int:
    """Give entries that were put aside all their tries again, one or every one; returns how many there are."""
    which = [ENTRY.c.state == EntryState.QUARANTINED]
    if entry_id is not None:
        which.append(ENTRY.c.id == entry_id)
    again = {"state": EntryState.READY, "attempts": 0, "error": "", "lease_until": None, "put_aside": None}
    count = tx.execute(sa.update(ENTRY).where(*which).values(again)).rowcount
    if count:
        wake(tx, Role.INGEST)
    return count


def unread(tx: Tx, *, limit: int, document_id: int | None = None) -> tuple[Unread, ...]:
    """Documents not read, or not whole, whose bytes are kept, newest first; with `document_id` that one alone."""
    query = (
        sa.select(DOCUMENT, FEED.c.key)
        .join(FEED, FEED.c.id == DOCUMENT.c.feed_id)
        .where(DOCUMENT.c.result != READ)
        .order_by(DOCUMENT.c.id.desc())
        .limit(limit)
    )
    if document_id is not None:
        query = query.where(DOCUMENT.c.id == document_id)
    return tuple(read_as(Unread, r, feed=r.key, reason=r.result) for r in tx.execute(query))


def forget_documents(tx: Tx, *, before: datetime) -> int:
    """Drop what is known of documents that came before that time; returns how many."""
    return tx.execute(sa.delete(DOCUMENT).where(DOCUMENT.c.at < before)).rowcount
