"""Other workers on a store: who beats no more is dead, by this process's own clock."""

from datetime import UTC, datetime, timedelta

import pytest

from worker.runtime.self_watch import LOST_AFTER, Others
from worker.store.upkeep import Heartbeat

NOW = datetime(2026, 2, 6, 8, 30, tzinfo=UTC)


def beat(owner: str, seconds: float) -> Heartbeat:
    """A heartbeat, written so many seconds after the hour by its own worker's clock."""
    return Heartbeat(owner=owner, host="h", pid=1, started=NOW, tick=NOW + timedelta(seconds=seconds))


def looks(others: Others, until: float, *beats: Heartbeat, since: float = 0.0) -> list[tuple[str, ...]]:
    """Dead workers found by a look each five seconds, the others' beats being the same all the time."""
    return [others.lost(beats, since + at) for at in range(0, int(until - since) + 1, 5)]


@pytest.mark.parametrize("clock", [0.0, -3600.0, 86_400.0], ids=["in time", "an hour behind", "a day ahead"])
def test_who_beats_no_more_is_dead(clock: float) -> None:
    """Whatever its own clock says: what counts is that its beat did not change for as long as it was looked at."""
    others = Others("me")
    found = looks(others, LOST_AFTER, beat("me", 0), beat("gone", clock))
    assert found == [()] * (len(found) - 1) + [("gone",)]


def test_who_beats_is_alive() -> None:
    """As slowly as a busy machine lets it."""
    others = Others("me")
    for at in range(0, 600, 5):
        assert others.lost([beat("slow", at // 35)], float(at)) == ()


def test_a_store_that_answered_nobody_shows_nothing() -> None:
    """While this worker could not look, others could not beat: they are given their time again."""
    others = Others("me")
    assert looks(others, LOST_AFTER - 5, beat("other", 0))[-1] == ()
    assert looks(others, 300 + LOST_AFTER - 5, beat("other", 0), since=300)[-1] == ()
    assert others.lost([beat("other", 0)], 300 + LOST_AFTER) == ("other",)


def test_two_on_one_machine_are_judged_apart() -> None:
    """One that begins is not the one that died a moment ago."""
    others = Others("me")
    looks(others, LOST_AFTER - 5, beat("old", 0))
    assert others.lost([beat("old", 0), beat("new", 35)], LOST_AFTER) == ("old",)
