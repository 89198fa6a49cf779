"""Deliveries: claimed by one, counted before they are sent, the same bytes each time, on both databases."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from stored import LEASE, NOW, claim, create_obligations, finish, message, open_one, owed, states

from worker.model import DeliveryState, Notice, Outcome, TargetState
from worker.store import Store, deliveries, open_deliveries, targets

MINUTE = timedelta(minutes=1)


def due(store: Store, *, now=NOW, limit: int = 50, busy=()) -> list[int]:
    with store.read() as tx:
        return [one.id for one in deliveries.due(tx, now=now, limit=limit, busy=busy)]


def sent_to(store: Store, delivery_id: int) -> deliveries.DeliveryLine | None:
    with store.read() as tx:
        return next((line for line in deliveries.unsent(tx, limit=99) if line.id == delivery_id), None)


def test_an_attempt_is_counted_and_its_bytes_are_fixed_before_it_is_made(store: Store) -> None:
    """And every later attempt sends the same bytes under the same key, counting what never came back."""
    delivery_id = open_one(store)
    first = claim(store, delivery_id)
    assert first is not None
    assert (first.attempt, first.uncertain, first.message) == (1, 0, message(delivery_id))
    assert (first.target_id, first.recipient, first.first_attempt) == ("a", "log:a", NOW)
    later = NOW + LEASE
    again = claim(store, delivery_id, owner="two", now=later)
    assert again is not None
    assert (again.attempt, again.uncertain, again.message, again.key) == (2, 1, first.message, first.key)
    assert again.first_attempt == NOW
    with store.read() as tx:
        draft = deliveries.draft(tx, delivery_id)
    assert (draft.attempts, draft.crashes, draft.state, draft.first_attempt) == (2, 2, "sealed", NOW)


def test_one_of_two_claimers_gets_it(store: Store) -> None:
    """Both read it free; the second finds it taken, or taken and finished."""
    delivery_id = open_one(store)
    with store.read() as tx:
        before = deliveries.draft(tx, delivery_id)

    def take(owner: str) -> object:
        with store.write() as tx:
            return deliveries.claim(tx, before, message(delivery_id), owner=owner, now=NOW, lease=LEASE)

    first = take("one")
    assert first is not None
    assert take("two") is None
    finish(store, first, Outcome.RETRY, state="retry")
    assert take("two") is None
    assert states(store) == {"retry": 1}


def test_what_joins_between_draft_and_claim_is_not_left_out(store: Store) -> None:
    """The message was written without it, so it is written again."""
    delivery_id = open_one(store)
    with store.read() as tx:
        before = deliveries.draft(tx, delivery_id)
    create_obligations(store, 1, owed("trade", occasion="development"))
    with store.write() as tx:
        assert deliveries.claim(tx, before, message(delivery_id), owner="one", now=NOW, lease=LEASE) is None
    assert states(store) == {"open": 1}
    with store.read() as tx:
        assert deliveries.draft(tx, delivery_id).obligations == {1, 2}
    assert claim(store, delivery_id) is not None


@pytest.mark.parametrize("sealed", [False, True], ids=["open-without-message", "sealed-with-another"])
def test_bytes_are_fixed_once_and_never_missing(store: Store, *, sealed: bool) -> None:
    """A mistake of the caller, which would send nothing or another message."""
    delivery_id = open_one(store)
    if sealed:
        claim(store, delivery_id)
    with store.write() as tx:
        before = deliveries.draft(tx, delivery_id)
        with pytest.raises(ValueError, match="only once"):
            deliveries.claim(
                tx, before, message(delivery_id) if sealed else None, owner="x", now=NOW + LEASE, lease=LEASE
            )


@pytest.mark.parametrize("state", ["sent", "failed", "parked", "retry"])
def test_an_outcome_is_written_and_the_lease_ends(store: Store, state: str) -> None:
    """A delivery that is sent or dead is finished; one that is to be tried again is due when it was said."""
    delivery_id = open_one(store)
    claimed = claim(store, delivery_id)
    assert claimed is not None
    assert due(store) == []
    outcome = Outcome.SENT if state == "sent" else Outcome.RETRY
    assert finish(store, claimed, outcome, state=state, again_at=NOW + MINUTE)
    assert states(store) == {state: 1}
    assert due(store, now=NOW + MINUTE) == ([delivery_id] if state == "retry" else [])
    with store.read() as tx:
        finished = tx.execute(sa.text("SELECT finished FROM delivery")).scalar()
    assert (finished is not None) == (state in ("sent", "failed"))


@pytest.mark.parametrize("after", ["retry", "parked", "failed", "sent"])
def test_who_lost_its_lease_decides_nothing_but_that_it_was_sent(store: Store, after: str) -> None:
    """The second worker's word holds, except that what was sent was sent."""
    delivery_id = open_one(store)
    slow = claim(store, delivery_id, owner="slow")
    later = NOW + LEASE
    fast = claim(store, delivery_id, owner="fast", now=later)
    assert slow is not None
    assert fast is not None
    assert not finish(store, slow, Outcome.RETRY, state="retry", owner="slow", now=later)
    assert states(store) == {"sealed": 1}, "the second worker has it still"
    outcome = Outcome.SENT if after == "sent" else Outcome.RETRY
    assert finish(store, fast, outcome, state=after, owner="fast", now=later)
    assert not finish(store, slow, Outcome.SENT, state="sent", owner="slow", now=later)
    assert states(store) == {"sent": 1}
    with store.read() as tx:
        rows = tx.execute(sa.text("SELECT number, outcome FROM attempt ORDER BY number")).all()
    assert [tuple(row) for row in rows] == [(1, "sent"), (2, str(outcome))]


def test_who_lost_its_lease_to_one_that_still_sends_leaves_it_to_that_one(store: Store) -> None:
    """Its own attempt is written down; the delivery is the other's to finish."""
    delivery_id = open_one(store)
    slow = claim(store, delivery_id, owner="slow")
    assert slow is not None
    fast = claim(store, delivery_id, owner="fast", now=NOW + LEASE)
    assert fast is not None
    assert not finish(store, slow, Outcome.SENT, state="sent", owner="slow")
    assert states(store) == {"sealed": 1}
    assert finish(store, fast, Outcome.SENT, state="sent", owner="fast")


def test_what_is_not_due_is_not_claimed(store: Store) -> None:
    """Whoever read of it before it was put off finds that it waits."""
    delivery_id = open_one(store)
    first = claim(store, delivery_id)
    assert first is not None
    finish(store, first, Outcome.UNCERTAIN, state="retry", again_at=NOW + timedelta(minutes=5))
    assert claim(store, delivery_id, now=NOW + timedelta(minutes=4)) is None
    assert claim(store, delivery_id, now=NOW + timedelta(minutes=5)) is not None


def test_a_stop_is_no_crash(store: Store) -> None:
    """An attempt that its own worker cut off may have arrived, is due at once, and is neither crash nor timeout."""
    mine, others = open_one(store), open_one(store, "log:b")
    assert claim(store, others, owner="two") is not None
    for stop in range(6):
        claimed = claim(store, mine)
        assert claimed is not None
        assert (claimed.attempt, claimed.uncertain, claimed.cut_off) == (stop + 1, stop, stop)
        with store.write() as tx:
            deliveries.release_own(tx, "one", NOW)
    with store.read() as tx:
        assert deliveries.draft(tx, mine).crashes == 0
        assert [(one.id, one.crashed) for one in deliveries.due(tx, now=NOW, limit=9)] == [(mine, False)]
        rows = tx.execute(sa.text("SELECT outcome, detail FROM attempt WHERE delivery_id = :id"), {"id": mine}).all()
        assert {tuple(row) for row in rows} == {("uncertain", deliveries.CUT_OFF)}
        assert deliveries.draft(tx, others).crashes == 1, "under way"


def test_crashes_and_doubts_are_counted_apart(store: Store) -> None:
    """An attempt that never came back may have arrived, and is also a crash; one that said so is no crash."""
    delivery_id = open_one(store)
    now = NOW
    for outcome in (None, Outcome.RETRY, Outcome.UNCERTAIN, None):
        claimed = claim(store, delivery_id, now=now)
        assert claimed is not None
        if outcome:
            finish(store, claimed, outcome, state="retry", again_at=now, now=now)
        now += LEASE
    with store.read() as tx:
        assert deliveries.draft(tx, delivery_id).crashes == 2
    last = claim(store, delivery_id, now=now)
    assert last is not None
    assert (last.attempt, last.uncertain) == (5, 3)


def test_a_week_of_failures_keeps_only_the_last(store: Store) -> None:
    """And every attempt that may have arrived."""
    delivery_id = open_one(store)
    now = NOW
    for n in range(60):
        claimed = claim(store, delivery_id, now=now)
        assert claimed is not None
        assert claimed.attempt == n + 1
        outcome = Outcome.UNCERTAIN if n == 0 else Outcome.RETRY
        finish(store, claimed, outcome, state="retry", again_at=now, now=now)
        now += MINUTE
    with store.read() as tx:
        numbers = tx.execute(sa.text("SELECT number FROM attempt ORDER BY number")).scalars().all()
    assert numbers == [1, *range(40, 61)]


def test_a_target_that_is_slow_stands_in_no_other_s_way(store: Store) -> None:
    """Each target's first, fresh ones before those that keep failing, the oldest first; none that is busy."""
    slow = [open_one(store, "log:slow", due=NOW - timedelta(hours=9 - n)) for n in range(6)]
    failed, fresh = open_one(store, "log:b", due=NOW - 2 * MINUTE), open_one(store, "log:b", due=NOW - MINUTE)
    claimed = claim(store, failed)
    assert claimed is not None
    finish(store, claimed, Outcome.RETRY, state="retry", again_at=NOW - 5 * MINUTE)
    late = open_one(store, "log:c", due=NOW)
    open_one(store, "log:c", due=NOW + MINUTE)
    assert due(store, limit=3) == [slow[0], fresh, late]
    assert due(store) == [slow[0], fresh, late, slow[1], failed, *slow[2:]]
    assert due(store, limit=2, busy=[slow[0], fresh, late]) == [slow[1], failed]


def test_a_target_that_asked_for_time_gets_it(store: Store) -> None:
    """All that goes to it waits; nothing else does."""
    one, other = open_one(store, "log:a"), open_one(store, "log:b")
    with store.write() as tx:
        targets.keep(tx, "a", TargetState(blocked_until=NOW + MINUTE))
    assert due(store) == [other]
    assert due(store, now=NOW + MINUTE) == [one, other]
    with store.write() as tx:
        targets.keep(tx, "a", TargetState(blocked_until=NOW + 2 * MINUTE))
    assert due(store, now=NOW + MINUTE) == [other]


def test_a_parked_target_waits_for_the_configuration(store: Store) -> None:
    """Said once; what was sealed keeps its bytes, what was not may be written anew."""
    sealed, still_open = open_one(store, "log:a"), open_one(store, "log:a", title="second")
    claimed = claim(store, sealed)
    assert claimed is not None
    finish(store, claimed, Outcome.BROKEN, state="parked")
    with store.write() as tx:
        assert targets.park(tx, "a", "535 wrong password")
        assert not targets.park(tx, "a", "535 wrong password")
        assert deliveries.settle(tx, still_open, DeliveryState.PARKED, "cannot be made", now=NOW)
        assert targets.parked(tx) == {"a": "535 wrong password"}
    third = open_one(store, "log:a", title="third")
    assert due(store, now=NOW + timedelta(days=9)) == []
    later = NOW + MINUTE
    with store.write() as tx:
        assert deliveries.unpark(tx, later) == 2
        assert targets.parked(tx) == {}
    assert states(store) == {"retry": 1, "open": 2}
    assert sorted(due(store, now=later)) == [sealed, still_open, third]
    again = claim(store, sealed, now=later)
    assert again is not None
    assert again.message == claimed.message


def test_what_a_removed_target_left_comes_back_when_another_reaches_its_recipient(store: Store) -> None:
    """So the configuration's targets do not matter to who is unparked: who reaches nobody is parked again."""
    delivery_id = open_one(store, "log:gone")
    with store.write() as tx:
        deliveries.settle(tx, delivery_id, DeliveryState.PARKED, "no target reaches this recipient", now=NOW)
        assert deliveries.unpark(tx, NOW) == 1
    assert due(store) == [delivery_id]


def test_what_is_parked_too_long_is_given_up(store: Store) -> None:
    """Also what waits for a target that is parked, and never what waits for one that works."""
    parked, waits = open_one(store, "log:a"), open_one(store, "log:a", title="second")
    works = open_one(store, "log:b")
    with store.write() as tx:
        targets.park(tx, "a", "gone")
        deliveries.settle(tx, parked, DeliveryState.PARKED, "gone", now=NOW)
        assert deliveries.expire_parked(tx, before=NOW, now=NOW) == ()
        assert len(deliveries.expire_parked(tx, before=NOW + MINUTE, now=NOW + MINUTE)) == 2
    assert states(store) == {"failed": 2, "open": 1}
    lines = [sent_to(store, n) for n in (parked, waits, works)]
    assert [line.reason for line in lines if line] == ["expired: gone", "expired: its target is parked", ""]


@pytest.mark.parametrize("state", [DeliveryState.PARKED, DeliveryState.FAILED])
def test_nobody_puts_aside_what_another_sends_or_has_sent(store: Store, state: DeliveryState) -> None:
    """Only what is free, and not at its end."""
    delivery_id = open_one(store)
    claimed = claim(store, delivery_id)
    assert claimed is not None
    with store.write() as tx:
        assert not deliveries.settle(tx, delivery_id, state, "why", now=NOW)
    finish(store, claimed, Outcome.SENT, state="sent")
    with store.write() as tx:
        assert not deliveries.settle(tx, delivery_id, state, "why", now=NOW + LEASE)
    assert states(store) == {"sent": 1}


def test_a_notice_is_open_until_it_is_sealed_and_goes_to_each_recipient(store: Store) -> None:
    """Two notices are two messages."""
    notice = Notice(subject="Sujet", body="Le corps, accentué.")
    with store.write() as tx:
        open_deliveries.notify(tx, "ops", ["log:a", "log:b"], notice, NOW)
        open_deliveries.notify(tx, "ops", ["log:a"], notice, NOW)
    first, second, third = due(store)
    with store.read() as tx:
        draft = deliveries.draft(tx, first)
    assert (draft.notice, draft.obligations, draft.recipient) == (notice, frozenset(), "log:a")
    assert claim(store, first) is not None
    with store.read() as tx:
        assert deliveries.draft(tx, first).notice is None
    assert {second, third} == set(due(store))


def test_leases_end_for_all_or_for_one_owner(store: Store) -> None:
    """A worker that stops in order gives its own back; one that knows it is alone ends them all."""
    mine, yours = open_one(store), open_one(store, title="second")
    claim(store, mine, owner="me")
    claim(store, yours, owner="you")
    with store.write() as tx:
        deliveries.release_own(tx, "me")
    assert due(store) == [mine]
    with store.write() as tx:
        deliveries.release(tx)
    assert due(store) == [mine, yours]


def test_counts_name_every_state(store: Store) -> None:
    """Of all deliveries, or of those that a pass touched."""
    ids = [open_one(store, title=f"{n}") for n in range(3)]
    with store.read() as tx:
        assert deliveries.counts(tx) == dict.fromkeys(map(str, DeliveryState), 0) | {"open": 3}
        assert deliveries.counts(tx, ids[:1])["open"] == 1
        assert deliveries.counts(tx, [])["open"] == 0


def test_what_is_not_sent_is_listed_oldest_first(store: Store) -> None:
    """With the last attempt's words."""
    ids = [open_one(store, title=f"{n}") for n in range(3)]
    for n, state in ((0, "sent"), (1, "failed")):
        claimed = claim(store, ids[n])
        assert claimed is not None
        finish(store, claimed, Outcome.SENT if state == "sent" else Outcome.PERMANENT, state=state)
    with store.read() as tx:
        lines = deliveries.unsent(tx, limit=9)
        assert [line.id for line in deliveries.unsent(tx, limit=1)] == ids[1:2]
    assert [(line.id, line.state, line.detail) for line in lines] == [
        (ids[1], "failed", "250 ok"),
        (ids[2], "open", ""),
    ]


@pytest.mark.parametrize("state", ["failed", "parked"])
def test_what_was_given_up_is_revived_with_its_bytes(store: Store, state: str) -> None:
    """Due at once, with a new week before it, and no more the one that kills processes, or is parked."""
    delivery_id, other = open_one(store), open_one(store)
    for n in range(3):
        claim(store, delivery_id, now=NOW + n * LEASE)
    last = claim(store, delivery_id, now=NOW + 3 * LEASE)
    assert last is not None
    finish(store, last, Outcome.PERMANENT, state=state, now=NOW + 3 * LEASE)
    later = NOW + timedelta(days=9)
    with store.write() as tx:
        targets.park(tx, "a", "no_service")
        assert deliveries.revive(tx, [delivery_id, other, 99], later) == {delivery_id}
        draft = deliveries.draft(tx, delivery_id)
    assert (draft.state, draft.crashes, draft.first_attempt) == ("retry", 0, None)
    assert due(store, now=later) == [delivery_id, other]
    again = claim(store, delivery_id, now=later)
    assert again is not None
    assert (again.message, again.attempt, again.uncertain, again.first_attempt) == (last.message, 5, 3, later)


def test_what_was_given_up_unsealed_is_sealed_when_it_is_revived(store: Store) -> None:
    """It collects again until it is claimed."""
    delivery_id = open_one(store)
    with store.write() as tx:
        deliveries.settle(tx, delivery_id, DeliveryState.FAILED, "expired", now=NOW)
        assert deliveries.revive(tx, [delivery_id], NOW) == {delivery_id}
    assert states(store) == {"open": 1}
    assert claim(store, delivery_id) is not None


@pytest.mark.parametrize("state", ["sent", "failed", "parked"])
def test_what_is_over_is_not_claimed(store: Store, state: str) -> None:
    """Also by a worker whose list of what is due is a second old."""
    delivery_id = open_one(store)
    first = claim(store, delivery_id)
    assert first is not None
    finish(store, first, Outcome.SENT if state == "sent" else Outcome.PERMANENT, state=state)
    assert claim(store, delivery_id) is None
    assert states(store) == {state: 1}
