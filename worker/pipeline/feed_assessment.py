"""Conclusions about a feed from its latest document: a gap, a server that ignores validators, a rhythm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.feeds.identify import Seen, Sighting, SightingKind, churns
from worker.feeds.schedule import learnt
from worker.model import Feed, FeedState, Fetched, Move, ParsedFeed, Rhythm
from worker.net.urls import masked
from worker.notify.render import filled
from worker.pipeline import notices
from worker.pipeline.context import ActiveConfig
from worker.store import Tx

#: An item that was published so long before a 304 should have stood in the document: caches on the way are slow.
_OVERDUE = timedelta(hours=1)
#: Fewer items than that say nothing of whether others were missed.
_GAP_ITEMS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Conclusions about a feed from its latest document."""

    gap: bool
    lies: bool
    churns: bool


def judged(state: FeedState, fetched: Fetched, sightings: Sequence[Sighting], known: Mapping[str, Seen]) -> Judged:
    """Judge whether items were missed, whether 304s hid items, and whether the feed changes known guids."""
    new = [one for one in sightings if one.kind is SightingKind.NEW]
    # Asked whole after 304s: what came under the same validators, or stood there long before, had been denied.
    validators = (state.etag, state.last_modified)
    hidden = (
        new if validators == (fetched.etag, fetched.last_modified) else [one for one in new if _overdue(one, state)]
    )
    asked_whole = state.last_result == "not_modified" and any(validators)
    return Judged(
        gap=state.baseline and len(new) == len(sightings) >= _GAP_ITEMS,
        lies=state.lies or (asked_whole and bool(hidden)),
        churns=churns(sightings, known),
    )


def _overdue(one: Sighting, state: FeedState) -> bool:
    published = one.parsed.published
    return published is not None and state.last_polled is not None and published < state.last_polled - _OVERDUE


def rhythm(feed: Feed, document: ParsedFeed, *, gap: bool, now: datetime) -> Rhythm:
    """The interval learnt from the document's dates, and the one that it asks for."""
    dates = [entry.published or entry.updated for entry in document.entries]
    interval, why = learnt((date for date in dates if date is not None), feed.every, now=now)
    if gap:
        interval, why = feed.every, "its last document held new articles only"
    return Rhythm(
        interval=int(interval.total_seconds()),
        why=why,
        ttl=document.ttl,
        skip_hours=document.skip_hours,
        skip_days=document.skip_days,
    )


# Feeds whose servers say that they have moved for good (301, 308).
#
# A server's word is followed at each poll; after some days of it the new address is asked without a detour, so that
# the feed outlives its old address. The configuration stays as it is, and so does the feed's id, by which its entries
# are known.


#: Polls in a row that must name the same new address before the operators get a notice.
NOTICE_AFTER = 3
#: A new address is proven when at least so many polls in a row have named it, over so long.
_PROVEN_POLLS, _PROVEN_AFTER = 3, timedelta(days=3)
#: The feed's own address is asked so often even then: moves are taken back.
_ASKED_EVERY = timedelta(days=7)
_SAID = "moved for good to"


def addresses(feed: Feed, state: FeedState, now: datetime) -> tuple[str, ...]:
    """Addresses to ask for the feed, in the order in which they are tried.

    Where it has moved to for good comes first once that is proven: but not once a week, nor after a poll that failed.
    """
    own, move = feed.url.reveal(), state.move
    if not move.url or not _is_proven(move, now):
        return (own,)
    was_asked = move.asked is not None and timedelta(0) <= now - move.asked < _ASKED_EVERY
    return (move.url, own) if was_asked and not state.failures else (own, move.url)


def asked(feed: Feed, state: FeedState, at: str, now: datetime) -> FeedState:
    """The state once the feed was asked for at `at`, with or without success."""
    return replace(state, move=replace(state.move, asked=now)) if at == feed.url.reveal() else state


def seen(state: FeedState, moved: str, *, at: str, now: datetime) -> FeedState:
    """The state after the feed was had at `at`, which sent us on to `moved` for good; empty: it did not."""
    if at == state.move.url:
        return replace(state, move=replace(state.move, times=state.move.times + 1))
    if not moved:
        return replace(state, move=Move())
    # What looks like a secret is not stored, so that such an address is never asked but by a redirect.
    url = moved if masked(moved) == moved else ""
    move = Move(shown=masked(moved, values=True), url=url, times=1, since=now, asked=now)
    if move.shown == state.move.shown and state.move.url in {"", url}:
        move = replace(move, times=state.move.times + 1, since=state.move.since or now)
    return replace(state, move=move)


def words(state: FeedState, now: datetime) -> str:
    """The words for it in the feed's status; empty where the feed has not moved."""
    move = state.move
    if not move.times:
        return ""
    return f"{_SAID} {move.shown}{', where it is asked now' if move.url and _is_proven(move, now) else ''}"


def is_said(words: str) -> bool:
    """Tells whether these are the words of a move."""
    return words.startswith(_SAID)


def notify_moved(tx: Tx, live: ActiveConfig, feed: Feed, state: FeedState, now: datetime) -> None:
    """Tell the operators, once, that a feed has moved."""
    move = state.move
    if move.times != NOTICE_AFTER:
        return
    said = notices.words(live)
    hidden = said.values_hidden if "?" in move.shown else ""
    notice = filled(said.moved, name=feed.name, count=move.times, address=move.shown, hidden=hidden)
    notices.notify_operators(tx, live, *notice, now=now)


def _is_proven(move: Move, now: datetime) -> bool:
    return move.times >= _PROVEN_POLLS and move.since is not None and now - move.since >= _PROVEN_AFTER
