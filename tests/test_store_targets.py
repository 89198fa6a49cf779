"""Targets: how fast they take messages and how they answer, on both databases."""

from datetime import timedelta

import pytest
from stored import LEASE, NOW, open_one

from worker.alerts.retries import BREAK_AFTER, after_failure
from worker.model import TargetState
from worker.store import Store, deliveries, targets

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def due(store: Store, now=NOW) -> list[int]:
    with store.read() as tx:
        return [one.id for one in deliveries.due(tx, now=now, limit=50)]


def turn(store: Store, now=NOW, *, target: str = "a", delivery: int = 1, pace: timedelta | None = None) -> bool:
    with store.write() as tx:
        return targets.take_turn(tx, target, delivery, pace=pace, now=now, lease=LEASE)


def keep(store: Store, state: TargetState, target: str = "a") -> None:
    with store.write() as tx:
        targets.keep(tx, target, state)


def test_a_rate_spaces_what_goes_to_one_target(store: Store) -> None:
    """One at a time and each in its turn, the oldest first; another target, and an end of the rate, know no turns."""
    first, second, other = open_one(store, "log:a"), open_one(store, "log:a"), open_one(store, "log:b")
    assert turn(store, pace=2 * SECOND)
    assert not turn(store, NOW + SECOND, pace=2 * SECOND)
    assert due(store, NOW + SECOND) == [other]
    assert turn(store, NOW + SECOND, target="b")
    assert due(store, NOW + 2 * SECOND) == [first, other]
    assert turn(store, NOW + 2 * SECOND)
    assert due(store, NOW + 2 * SECOND) == [first, other, second]


def test_a_rate_holds_over_a_while_though_ticks_are_uneven(store: Store) -> None:
    """Looked at every 0.97 to 1.03 s, one message a second is one a second, not one every two."""
    taken, now = 0, NOW
    for tick in range(1, 101):
        now = NOW + tick * SECOND + timedelta(milliseconds=30 * (-1) ** tick)
        taken += turn(store, now, pace=SECOND)
    assert 99 <= taken <= 100


def test_when_the_next_turn_is(store: Store) -> None:
    """Only of what is due, not busy, and waits for nothing else."""
    one = open_one(store, "log:a")
    turn(store, pace=2 * SECOND)

    def next_turn(now=NOW, busy=()):
        with store.read() as tx:
            return targets.next_turn(tx, now=now, busy=busy)

    assert next_turn() == NOW + 2 * SECOND
    assert next_turn(busy=[one]) is None
    assert next_turn(NOW - MINUTE) is None
    keep(store, TargetState(blocked_until=NOW + MINUTE))
    assert next_turn() is None


def test_a_target_that_fails_is_tried_with_one(store: Store) -> None:
    """The pause over, one worker gets one delivery; the next try comes when that is over or its lease is."""
    ids = [open_one(store, "log:a") for _ in range(3)]
    keep(store, TargetState(failures=3, failing_since=NOW, probe_at=NOW + MINUTE, probe=ids[0]))
    assert due(store) == []
    assert not turn(store, delivery=ids[0])
    assert due(store, NOW + MINUTE) == ids[:1]
    assert turn(store, NOW + MINUTE, delivery=ids[0])
    assert not turn(store, NOW + MINUTE, delivery=ids[1])
    assert due(store, NOW + MINUTE) == []
    assert turn(store, NOW + MINUTE + LEASE, delivery=ids[1])


def test_reading_the_configuration_lets_a_failing_target_be_tried_but_keeps_what_it_asked(store: Store) -> None:
    """Somebody may have mended the settings; a service's own pause is not ours to shorten."""
    one = open_one(store, "log:a")
    keep(store, TargetState(failures=5, failing_since=NOW, probe_at=NOW + MINUTE, probe=one))
    with store.write() as tx:
        deliveries.unpark(tx, NOW)
    assert due(store) == [one]
    keep(store, TargetState(blocked_until=NOW + MINUTE))
    with store.write() as tx:
        deliveries.unpark(tx, NOW)
    assert due(store) == []


def test_what_holds_targets_up_is_told(store: Store) -> None:
    """Parked, failing, or asked for time; the later of two times counts; who works well is left out."""
    for target in "abcd":
        turn(store, target=target, pace=SECOND)
    with store.write() as tx:
        targets.park(tx, "a", "535 wrong password")
    keep(store, TargetState(failures=3, failing_since=NOW, probe_at=NOW + MINUTE, blocked_until=NOW + SECOND), "b")
    keep(store, TargetState(blocked_until=NOW + MINUTE), "c")
    with store.read() as tx:
        held = targets.held(tx, NOW)
        assert targets.held(tx, NOW + 2 * MINUTE) == tuple(
            line if line.id == "a" else targets.TargetLine(id="b", parked="", failures=3, failing_since=NOW, until=None)
            for line in held[:2]
        )
    assert [(line.id, line.parked, line.failing_since, line.until) for line in held] == [
        ("a", "535 wrong password", None, None),
        ("b", "", NOW, NOW + MINUTE),
        ("c", "", None, NOW + MINUTE),
    ]


def fail(was: TargetState, delivery: int, now, *, after: timedelta | None = None, started=None) -> TargetState:
    return after_failure("a", was, delivery=delivery, started=started or now, after=after, now=now)


def test_three_deliveries_break_a_target_and_one_never_does() -> None:
    """A delivery that fails alone may be what is wrong; pauses then grow to a quarter of an hour."""
    state = TargetState()
    for n in range(9):
        state = fail(state, 1, NOW + n * MINUTE)
    assert (state.failures, state.probe_at, state.failing_since) == (1, None, NOW)
    pauses, now = [], NOW + timedelta(hours=1)
    for n in range(12):
        state = fail(state, state.probe if state.probe_at else n + 2, now)
        pauses.append(None if state.probe_at is None else (state.probe_at - now).total_seconds())
        now = state.probe_at or now
    assert pauses[: BREAK_AFTER - 2] == [None]
    nominal = [30, 60, 120, 240, 480, *[750] * 6]
    assert all(low <= pause <= 1.2 * low for low, pause in zip(nominal, pauses[1:], strict=True)), pauses


def test_what_was_under_way_when_a_target_broke_says_nothing_new() -> None:
    """Its pause stays, else eight failures at once would cost an hour."""
    state = TargetState()
    for delivery in range(1, 9):
        state = fail(state, delivery, NOW)
    assert state.failures == BREAK_AFTER
    assert state.probe_at is not None
    assert state.probe_at <= NOW + timedelta(seconds=36)


@pytest.mark.parametrize(
    ("started", "wait"),
    [
        pytest.param(-MINUTE, 3 * SECOND, id="sent-before-the-first-answer"),
        pytest.param(MINUTE, 5 * MINUTE, id="sent-after-it"),
    ],
)
def test_who_asks_for_time_again_gets_five_minutes(started: timedelta, wait: timedelta) -> None:
    """The first time what it asked for; a volley that was under way counts as one time."""
    first = fail(TargetState(), 1, NOW, after=3 * SECOND)
    assert first.blocked_until == NOW + 3 * SECOND
    now = NOW + 2 * MINUTE
    again = fail(first, 2, now, after=3 * SECOND, started=NOW + started)
    assert again.blocked_until == now + wait


@pytest.mark.parametrize("seconds", [10**6, 10**12], ids=["11-days", "30-thousand-years"])
def test_a_time_that_overflows_is_a_month(seconds: int) -> None:
    """Whatever a server says, the clock can hold it."""
    state = fail(TargetState(), 1, NOW, after=timedelta(seconds=seconds))
    assert state.blocked_until == NOW + min(timedelta(seconds=seconds), timedelta(days=30))
