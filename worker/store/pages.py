"""The pages of entries: which are wanted and when, what came of them, and what other pages of a host looked like."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from worker.model import EntryState, PageReason, ParsedEntry, Role
from worker.store.database import Tx
from worker.store.deferred import wake
from worker.store.tables import ENTRY, FEED, PAGE_SEEN

_parsed = TypeAdapter(ParsedEntry)

#: A page whose text is not taken is asked for again after 10 minutes, an hour and six hours since the first time.
AGAIN_AFTER = (timedelta(minutes=10), timedelta(minutes=50), timedelta(hours=5))
#: Times that a page is asked for.
TRIES = 1 + len(AGAIN_AFTER)
#: Pages that are remembered of a host, how much of what the feed gave of each, and for how long.
_PER_HOST, _LONGEST_OWN, _REMEMBERED = 64, 2_000, timedelta(days=60)
_KEY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWanted:
    """An entry whose page is to be fetched, under lease."""

    entry_id: int
    feed: str
    #: As its feed published it last.
    parsed: ParsedEntry
    #: Times that it may still be asked for after this one.
    tries: int

    @property
    def link(self) -> str:
        """The page's address."""
        return self.parsed.link


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPage:
    """A page that an entry of the host got, whether its text was taken or not."""

    id: int
    entry_id: int
    #: What the feed gave of that entry.
    title: str
    own: str
    link: str
    lines: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """The result of asking for an entry's page, for people."""

    entry_id: int
    #: Its text was taken.
    taken: bool
    #: A PageReason, or empty.
    reason: str
    detail: str
    #: When it is asked for again, if it is.
    again_at: datetime | None


def wanted(now: datetime | sa.BindParameter[datetime]) -> tuple[sa.ColumnElement[bool], ...]:
    """The entries whose page is to be asked for now."""
    # The number stands in the statement, since a parameter would not find the partial index.
    free = sa.or_(ENTRY.c.page_lease_until.is_(None), ENTRY.c.page_lease_until <= now)
    return ENTRY.c.page_tries > sa.literal_column("0"), ENTRY.c.page_at <= now, free


def take_pages(tx: Tx, *, now: datetime, lease: timedelta, limit: int, owner: str = "") -> tuple[PageWanted, ...]:
    """At most `limit` entries whose page is to be fetched, newest first, under a lease for `owner`."""
    found = tx.execute(
        sa.select(ENTRY.c.id, ENTRY.c.parsed, ENTRY.c.page_tries, FEED.c.key)
        .join(FEED, FEED.c.id == ENTRY.c.feed_id)
        .where(*wanted(now))
        # Not by the plain column: SQLite would take that order for a way to find them, and read the table.
        .order_by(sa.literal_column("+entry.id").desc())
        .limit(limit)
        .with_for_update(skip_locked=True, of=ENTRY)
    ).all()
    if found:
        tx.execute(
            sa.update(ENTRY)
            .where(ENTRY.c.id.in_([r.id for r in found]))
            .values(page_lease_until=now + lease, page_owner=owner, page_tries=ENTRY.c.page_tries - 1)
        )
    return tuple(
        PageWanted(entry_id=r.id, feed=r.key, parsed=_parsed.validate_json(r.parsed), tries=r.page_tries - 1)
        for r in found
    )


def is_as_taken(tx: Tx, one: PageWanted) -> bool:
    """Tells whether the entry is as it was when its page was asked for; locked until the transaction ends."""
    query = sa.select(ENTRY.c.parsed).where(ENTRY.c.id == one.entry_id).with_for_update()
    found = tx.execute(query).scalar()
    return found is not None and _parsed.validate_json(found) == one.parsed


def page_came(
    tx: Tx, entry_id: int, text: str, *, teasers: str = "", reason: str = "", again_at: datetime | None = None
) -> None:
    """The page's text is taken, or given up again (`reason`, and no text): the entry goes on with what it has now.

    A lease stays: whoever holds it, with the text of before, finds in `entries.held` that there is another.
    """
    later = {"page_tries": 0} if again_at is None else {"page_tries": len(AGAIN_AFTER), "page_at": again_at}
    tx.execute(
        sa.update(ENTRY)
        .where(ENTRY.c.id == entry_id)
        .values(
            page_text=text,
            page_teasers=teasers,
            page_reason=reason,
            page_detail="",
            page_lease_until=None,
            page_owner="",
            # An entry that waited for its page has no article yet that this one could differ from.
            page_only=sa.case((ENTRY.c.state == EntryState.DONE, sa.true()), else_=ENTRY.c.page_only),
            state=EntryState.READY,
            attempts=0,
            **later,
        )
    )
    wake(tx, Role.INGEST)
    if text:
        tx.execute(sa.update(FEED).where(FEED.c.id == _feed_of(entry_id)).values(pages_failed=0))


def page_failed(tx: Tx, one: PageWanted, reason: PageReason, detail: str, *, now: datetime, again: bool) -> None:
    """The page's text is not taken: the entry goes on with the feed's own, and its page is asked for again."""
    first = one.tries == TRIES - 1
    values: dict[str, Any] = {"page_reason": reason, "page_detail": detail[:500]}
    values |= {"page_lease_until": None, "page_owner": ""}
    if again and one.tries:
        values["page_at"] = now + AGAIN_AFTER[-one.tries]
    else:
        values["page_tries"] = 0
    tx.execute(sa.update(ENTRY).where(ENTRY.c.id == one.entry_id).values(values))
    waits = (ENTRY.c.id == one.entry_id, ENTRY.c.state == EntryState.NEW)
    tx.execute(sa.update(ENTRY).where(*waits).values(state=EntryState.READY))
    wake(tx, Role.INGEST)
    if first and again:
        more = FEED.c.pages_failed + 1
        tx.execute(sa.update(FEED).where(FEED.c.id == _feed_of(one.entry_id)).values(pages_failed=more))


def _feed_of(entry_id: int) -> sa.ScalarSelect[int]:
    return sa.select(ENTRY.c.feed_id).where(ENTRY.c.id == entry_id).scalar_subquery()


def taken_text(tx: Tx, entry_id: int) -> str:
    """The text of its page that an entry goes by, or nothing."""
    query = sa.select(ENTRY.c.page_text).where(ENTRY.c.id == entry_id).with_for_update()
    return tx.execute(query).scalar() or ""


def seen_on(tx: Tx, host: str) -> tuple[SeenPage, ...]:
    """The pages that are remembered of a host, newest first."""
    query = (
        sa.select(PAGE_SEEN).where(PAGE_SEEN.c.host == host).order_by(PAGE_SEEN.c.seen.desc(), PAGE_SEEN.c.id.desc())
    )
    return tuple(
        SeenPage(
            id=r.id,
            entry_id=r.entry_id,
            title=r.title,
            own=r.own,
            link=r.link,
            lines=frozenset(r.lines[at : at + _KEY] for at in range(0, len(r.lines), _KEY)),
        )
        for r in tx.execute(query.limit(_PER_HOST))
    )


def remember(tx: Tx, host: str, one: PageWanted, own: str, lines: Sequence[bytes], *, now: datetime) -> None:
    """Keep what a page looked like; of a host only the newest are kept, and those that others got again."""
    tx.execute(sa.delete(PAGE_SEEN).where(PAGE_SEEN.c.entry_id == one.entry_id, PAGE_SEEN.c.host == host))
    values = {
        "host": host,
        "entry_id": one.entry_id,
        "title": one.parsed.title,
        "own": own[:_LONGEST_OWN],
        "link": one.link,
        "lines": b"".join(lines),
        "seen": now,
    }
    tx.execute(sa.insert(PAGE_SEEN).values(values))
    newest = (
        sa.select(PAGE_SEEN.c.id)
        .where(PAGE_SEEN.c.host == host)
        .order_by(PAGE_SEEN.c.seen.desc(), PAGE_SEEN.c.id.desc())
    )
    kept = list(tx.execute(newest.limit(_PER_HOST)).scalars())
    tx.execute(sa.delete(PAGE_SEEN).where(PAGE_SEEN.c.host == host, PAGE_SEEN.c.id.not_in(kept)))
    tx.execute(sa.delete(PAGE_SEEN).where(PAGE_SEEN.c.seen < now - _REMEMBERED))


def seen_again(tx: Tx, ids: Sequence[int], *, now: datetime) -> None:
    """Another entry got what these pages hold: they are remembered anew."""
    tx.execute(sa.update(PAGE_SEEN).where(PAGE_SEEN.c.id.in_(list(ids))).values(seen=now))


def counts(tx: Tx, since: datetime) -> dict[str, dict[str, int]]:
    """By feed: of how many entries since then the page was `taken`, and for which reasons it was not."""
    was = sa.case((ENTRY.c.page_text != "", "taken"), else_=ENTRY.c.page_reason).label("was")
    query = (
        sa.select(FEED.c.key, was, sa.func.count().label("times"))
        .join(FEED, FEED.c.id == ENTRY.c.feed_id)
        .where(ENTRY.c.first_seen >= since, sa.or_(ENTRY.c.page_text != "", ENTRY.c.page_reason != ""))
        .group_by(FEED.c.key, was)
        .order_by(FEED.c.key, was)
    )
    found: dict[str, dict[str, int]] = {}
    for r in tx.execute(query):
        found.setdefault(r.key, {})[r.was] = int(r.times)
    return found


def of_article(tx: Tx, article_id: int) -> PageState | None:
    """Returns what came of the page of the entry behind an article; None where none was ever wanted."""
    query = sa.select(ENTRY).where(ENTRY.c.article_id == article_id).order_by(ENTRY.c.id.desc()).limit(1)
    r = tx.execute(query).one_or_none()
    if r is None or not (r.page_text or r.page_reason):
        return None
    return PageState(
        entry_id=r.id,
        taken=bool(r.page_text),
        reason=r.page_reason,
        detail=r.page_detail,
        again_at=r.page_at if r.page_tries else None,
    )
