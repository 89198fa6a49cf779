"""Feeds whose servers say that they have moved for good (301, 308).

A server's word is followed at each poll; after some days of it the new address is asked without a detour, so that the
feed outlives its old address. The configuration stays as it is, and so does the feed's id, by which its entries are
known.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from worker.model import Feed, FeedState, Move
from worker.pipeline.live import Live
from worker.pipeline.operators import tell
from worker.store import Tx
from worker.urls import masked

#: Polls in a row that must name the same new address before the operators are told.
TELL_AFTER = 3
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


def tell_moved(tx: Tx, live: Live, feed: Feed, state: FeedState, now: datetime) -> None:
    """Tell the operators, once, that a feed has moved."""
    move = state.move
    if move.times != TELL_AFTER:
        return
    body = f"Each of the last {move.times} polls was sent on, for good, to\n{move.shown}\n\nChange its url to that one"
    hidden = " (values of its query are not shown)" if "?" in move.shown else ""
    tell(tx, live, f"{feed.name}: the feed has moved", f"{body}{hidden}.", now=now)


def _is_proven(move: Move, now: datetime) -> bool:
    return move.times >= _PROVEN_POLLS and move.since is not None and now - move.since >= _PROVEN_AFTER
