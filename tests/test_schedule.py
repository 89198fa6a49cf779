"""The schedules of polling and of sending."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.alerts.retries import next_attempt
from worker.feeds import schedule
from worker.model import Freshness, Rhythm

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
IDS = [f"https://feeds.test/{n}" for n in range(500)]


def wait(feed_id: str = "f", every: timedelta = 15 * MINUTE, failures: int = 0, **fresh: int) -> timedelta:
    return schedule.next_poll(feed_id, every, freshness=Freshness(**fresh), failures=failures, now=NOW) - NOW


@pytest.mark.parametrize(
    ("every", "fresh", "least", "most"),
    [
        (15 * MINUTE, {}, 15 * MINUTE, 16.5 * MINUTE),
        (15 * MINUTE, {"max_age": 60}, 15 * MINUTE, 16.5 * MINUTE),
        (15 * MINUTE, {"max_age": 3600}, HOUR, 65 * MINUTE),
        (15 * MINUTE, {"retry_after": 3600}, HOUR, 65 * MINUTE),
        (15 * MINUTE, {"max_age": 60, "retry_after": 7200}, 2 * HOUR, 125 * MINUTE),
        (15 * MINUTE, {"max_age": 10**9}, 4 * HOUR, 245 * MINUTE),
        (15 * MINUTE, {"retry_after": 10**9}, DAY, DAY),
        (15 * MINUTE, {"max_age": 10**18}, 4 * HOUR, 245 * MINUTE),
        (15 * MINUTE, {"max_age": -60, "retry_after": -5}, 15 * MINUTE, 16.5 * MINUTE),
        (7 * DAY, {"max_age": 60}, 7 * DAY, 7 * DAY + 5 * MINUTE),
    ],
    ids=str,
)
def test_after_a_success(every: timedelta, fresh: dict[str, int], least: timedelta, most: timedelta) -> None:
    """The longest of what we and the server want, four hours at most of freshness, and a little late."""
    for feed_id in IDS[:50]:
        assert least <= wait(feed_id, every, **fresh) <= most


@pytest.mark.parametrize(
    ("failures", "expected"),
    [(1, 15 * MINUTE), (2, 30 * MINUTE), (3, HOUR), (5, HOUR), (50, HOUR), (10**6, HOUR)],
)
def test_after_failures(failures: int, expected: timedelta) -> None:
    """The wait doubles up to an hour, less at most a tenth."""
    for feed_id in IDS[:50]:
        assert max(15 * MINUTE, 0.9 * expected) <= wait(feed_id, failures=failures) <= expected


def test_after_failures_the_server_is_heard() -> None:
    """Retry-After lengthens a wait and never shortens it; the life of a document that failed counts for nothing."""
    assert wait(failures=1, retry_after=7200) == 2 * HOUR
    assert wait(failures=8, retry_after=60) > 53 * MINUTE
    assert wait(every=2 * HOUR, failures=8) == 2 * HOUR
    assert wait(failures=1, retry_after=10**9) == DAY
    assert wait(failures=1, max_age=7200) == 15 * MINUTE


def test_f23_feeds_spread() -> None:
    """Feeds that were polled together do not come back together, and the same history gives the same time."""
    after_success = {wait(feed_id) for feed_id in IDS}
    after_failure = {wait(feed_id, failures=8) for feed_id in IDS}
    assert len(after_success) > 490
    assert len(after_failure) > 490
    assert max(after_failure) - min(after_failure) > 5 * MINUTE
    assert wait(IDS[0]) == wait(IDS[0])


@given(
    st.text(),
    st.timedeltas(min_value=MINUTE, max_value=timedelta(days=60)),
    st.none() | st.integers(-10, 10**7),
    st.none() | st.integers(-10, 10**7),
    st.integers(0, 10**9),
)
def test_a_poll_is_never_early_and_never_lost(
    feed_id: str, every: timedelta, max_age: int | None, retry_after: int | None, failures: int
) -> None:
    """Whatever came before: not before `every`, not before Retry-After (a day of it), and within a day or `every`."""
    freshness = Freshness(max_age=max_age, retry_after=retry_after)
    found = schedule.next_poll(feed_id, every, freshness=freshness, failures=failures, now=NOW) - NOW
    assert found >= every
    assert found >= timedelta(seconds=min(retry_after or 0, 86_400))
    assert found <= max(DAY, every + 5 * MINUTE)


@pytest.mark.parametrize(
    ("attempt", "least"),
    [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 750), (7, 750), (1000, 750), (0, 30)],
)
def test_deliveries_are_retried_ever_later(attempt: int, least: int) -> None:
    """From half a minute to a quarter of an hour, spread over a fifth."""
    times = {next_attempt(key, attempt, after=None, now=NOW) for key in IDS}
    assert len(times) > 490
    assert min(times) >= NOW + timedelta(seconds=least)
    assert max(times) <= NOW + timedelta(seconds=min(1.2 * least, 900))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (HOUR, HOUR),
        (2 * DAY, 2 * DAY),
        (timedelta.max, timedelta(days=30)),
    ],
    ids=str,
)
def test_a_target_that_says_when_is_heard(after: timedelta, expected: timedelta) -> None:
    """Not before it wants us, and in this life."""
    assert next_attempt("k", 1, after=after, now=NOW) == NOW + expected


@pytest.mark.parametrize("after", [None, timedelta(0), timedelta(seconds=-9), timedelta(seconds=1)], ids=str)
def test_a_target_does_not_hurry_us(after: timedelta | None) -> None:
    """Nor earlier than we would come by ourselves."""
    assert next_attempt("k", 1, after=after, now=NOW) == next_attempt("k", 1, after=None, now=NOW)


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ([1, 2, 3], timedelta(0)),
        ([1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6], 15 * MINUTE),
        ([2 * n for n in range(1, 11)], 30 * MINUTE),
        ([24 * n for n in range(1, 11)], HOUR),
        ([-5, -4, -3, -2, -1, 0, 1], timedelta(0)),
    ],
    ids=["too few dates", "often", "every two hours", "daily", "dates to come"],
)
def test_an_interval_is_learnt_from_dates(ages: list[float], expected: timedelta) -> None:
    """A quarter of the usual pause between articles (ages in hours), from `every` to an hour, with its reason."""
    interval, why = schedule.learnt([NOW - age * HOUR for age in ages], 15 * MINUTE, now=NOW)
    assert interval == expected
    assert bool(why) == bool(expected)


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=9000)), max_size=30), st.timedeltas(MINUTE, 9 * DAY))
def test_a_learnt_interval_stays_within_its_bounds(ages: list[timedelta], every: timedelta) -> None:
    """Never more often than the configuration says, never more rarely than an hour or that."""
    interval, _ = schedule.learnt([NOW - age for age in ages], every, now=NOW)
    assert interval == timedelta(0) or every <= interval <= max(every, HOUR)


@pytest.mark.parametrize(
    ("rhythm", "least", "most"),
    [
        (Rhythm(interval=1800), 30 * MINUTE, 33 * MINUTE),
        (Rhythm(ttl=3600), HOUR, 65 * MINUTE),
        (Rhythm(ttl=10**6), 4 * HOUR, 245 * MINUTE),
        (Rhythm(skip_hours=(12, 13)), 2 * HOUR, 125 * MINUTE),
        (Rhythm(skip_days=(6,)), 4 * HOUR, 5 * HOUR),
    ],
    ids=["learnt", "ttl", "ttl of days", "skipHours", "skipDays"],
)
def test_what_a_feed_says_of_itself_is_heard(rhythm: Rhythm, least: timedelta, most: timedelta) -> None:
    """For four hours at most: NOW is a Sunday's noon."""
    found = schedule.next_poll("f", 15 * MINUTE, freshness=Freshness(), failures=0, now=NOW, rhythm=rhythm) - NOW
    assert least <= found <= most
