"""What came from outside, in order: with its effect or not at all, kept as long as raw bytes are; on both databases."""

from datetime import timedelta

import pytest
from stored import LEASE, NOW, claim, finish, open_one, publish, sighting, target

from worker.model import DeliveryState, Notice, Outcome, Suppression
from worker.store import Store, collecting, deliveries, entries, events, ledger, silences, upkeep
from worker.store.events import Kind

HOUR = timedelta(hours=1)


def noted(store: Store) -> list[tuple[Kind, dict]]:
    """All events, without their numbers."""
    with store.read() as tx:
        first = events.start(tx, NOW - 1000 * HOUR)
        return [] if first is None else [(event.kind, event.data) for event in events.after(tx, first[0])]


@pytest.mark.parametrize(
    ("hours", "since", "expected"),
    [
        ((0, 1, 2), 0, (1, 0)),
        ((0, 1, 2), 1, (2, 1)),
        ((0, 3), 1, (2, 3)),
        ((0, 1, 2), 3, None),
        ((), 0, None),
        ((0, 5, 1, 2), 4, (2, 1)),
        ((0, 5, 1, 6, 2), 6, (2, 1)),
    ],
    ids=["all", "from one on", "the next one", "none later", "none", "clock set back", "set back within"],
)
def test_where_a_replay_begins(
    store: Store, hours: tuple[int, ...], since: int, expected: tuple[int, int] | None
) -> None:
    """The first event, and a moment before which nothing of what follows happened, whatever the clock did."""
    with store.write() as tx:
        for hour in hours:
            events.note(tx, Kind.ARCHIVE, NOW + hour * HOUR)
    with store.read() as tx:
        found = events.start(tx, NOW + since * HOUR)
        many = events.count(tx, NOW + since * HOUR)
        assert events.last(tx) == len(hours)
    assert found == (None if expected is None else (expected[0], NOW + expected[1] * HOUR))
    assert many == (0 if expected is None else len(hours) - expected[0] + 1)


def _fail_after(store: Store, made: silences.Silence) -> None:
    with store.write() as tx:
        silences.add(tx, made)
        raise ZeroDivisionError


def test_an_event_stands_or_falls_with_its_effect(store: Store) -> None:
    """They are one transaction."""
    made = silences.Silence(rule_id="visit", author="ana", created=NOW, until=NOW + HOUR)
    with pytest.raises(ZeroDivisionError):
        _fail_after(store, made)
    assert noted(store) == []
    with store.write() as tx:
        number = silences.add(tx, made)
    with store.write() as tx:
        assert silences.end(tx, number, NOW + HOUR / 2)
        assert not silences.end(tx, number, NOW + HOUR / 2)
    (one, said), (other, ended) = noted(store)
    assert (one, other) == (Kind.SILENCED, Kind.SILENCE_ENDED)
    assert said["rule_id"] == "visit"
    assert ended == {"until": (NOW + HOUR).isoformat()}


def test_what_became_of_messages(store: Store) -> None:
    """Sealed, parked, due again, given up, sent; not each attempt, and nothing of notices."""
    one = open_one(store)
    claimed = claim(store, one)
    assert claimed is not None
    finish(store, claimed, Outcome.RETRY, state="retry")
    again = claim(store, one, now=NOW + LEASE)
    assert again is not None
    finish(store, again, Outcome.PERMANENT, state="failed", now=NOW + LEASE)
    with store.write() as tx:
        deliveries.revive(tx, [one], NOW + HOUR)
    last = claim(store, one, now=NOW + HOUR)
    assert last is not None
    finish(store, last, Outcome.SENT, state="sent", now=NOW + HOUR)
    with store.write() as tx:
        collecting.notify(tx, "a", target("a").recipients, Notice(subject="s", body="b"), NOW)
    with store.read() as tx:
        (notice,) = (line.id for line in deliveries.unsent(tx))
    with store.write() as tx:
        deliveries.settle(tx, notice, DeliveryState.FAILED, "why", now=NOW)
    assert [data["state"] for kind, data in noted(store) if kind is Kind.DELIVERY] == [
        "sealed",
        "failed",
        "retry",
        "sent",
    ]
    assert {data["key"] for _, data in noted(store)} == {claimed.key}


def test_what_is_dropped_is_said(store: Store) -> None:
    """A delivery that leaves no trace in its table."""
    one = open_one(store)
    with store.write() as tx:
        for carried in ledger.carried(tx, one):
            ledger.suppress(tx, carried.obligation_id, Suppression.SILENCED, "by ana")
        collecting.drop(tx, one, NOW)
    assert [kind for kind, _ in noted(store)] == [Kind.DROPPED]


def test_bytes_are_kept_for_their_events(store: Store) -> None:
    """A document that came long ago and was given again lately stays; what no event names goes, and then the events."""
    publish(store, sighting("a"), now=NOW)
    with store.write() as tx:
        kept = entries.keep_raw(tx, b"again", NOW)
        gone = entries.keep_raw(tx, b"once", NOW)
        events.note(tx, Kind.DOCUMENT, NOW, sha256=gone, about=1)
        events.note(tx, Kind.DOCUMENT, NOW + 3 * HOUR, sha256=kept, about=1)
        upkeep.forget_raw(tx, before=NOW + HOUR)
        assert entries.raw(tx, kept) == b"again"
        assert entries.raw(tx, gone) is None
        assert events.forget(tx, before=NOW + HOUR) == 1
    assert len(noted(store)) == 1
