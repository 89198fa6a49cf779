"""Conclusions about a feed from its latest document: a gap, a server that ignores validators, a rhythm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.identify import Seen, Sighting, SightingKind, churns
from worker.model import Feed, FeedState, Fetched, ParsedFeed, Rhythm
from worker.schedule import learnt

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
    """Tells whether others passed unseen, its 304s hid what is there now, and its items change their guids."""
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
