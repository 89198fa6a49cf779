"""Moments as people at the desk read them."""

from datetime import UTC, datetime

import pytest

from worker.model import times
from worker.model.times import counted

SUMMER, WINTER = datetime(2026, 7, 1, 3, 6, 9, tzinfo=UTC), datetime(2026, 12, 1, 3, 6, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "moment", "said", "head"),
    [
        ("UTC", WINTER, "2026-12-01 03:06 UTC", "due (UTC)"),
        ("Asia/Ho_Chi_Minh", WINTER, "2026-12-01 10:06 UTC+07", "due (UTC+07)"),
        ("Asia/Kathmandu", WINTER, "2026-12-01 08:51 UTC+05:45", "due (UTC+05:45)"),
        ("Europe/Paris", WINTER, "2026-12-01 04:06 CET", "due (Europe/Paris)"),
        ("Europe/Paris", SUMMER, "2026-07-01 05:06 CEST", "due (Europe/Paris)"),
        ("America/Caracas", WINTER, "2026-11-30 23:06 UTC-04", "due (UTC-04)"),
    ],
)
def test_a_moment_has_its_zone(zone: str, moment: datetime, said: str, head: str) -> None:
    """By its letters where it has some; a column of a zone with summer time has the zone's own name."""
    times.use(zone)
    assert times.say(moment) == said
    assert times.bare(moment) == said[:16]
    assert times.column("due", moment) == head


@pytest.mark.parametrize(
    ("precision", "said"),
    [("year", "2026"), ("month", "2026-07"), ("day", "2026-07-01"), ("", "2026-07-01T03:06:09+00:00")],
)
def test_a_date_is_said_as_far_as_it_is_known(precision: str, said: str) -> None:
    """No hour, day or month is invented."""
    assert times.known(SUMMER, precision) == said


def test_what_is_no_moment_or_no_local_one() -> None:
    """Nothing is said of none; the calendar's ends, which feeds do name, raise nothing."""
    times.use("Asia/Ho_Chi_Minh")
    assert times.say(None) == times.bare(None) == ""
    assert times.say(datetime.max.replace(tzinfo=UTC)).startswith("9999-12-31")


@pytest.mark.parametrize(
    ("number", "what", "said"),
    [
        (1, "feed", "1 feed"),
        (0, "feed", "0 feeds"),
        (2, "copy", "2 copies"),
        (2, "day", "2 days"),
        (2, "match", "2 matches"),
    ],
)
def test_counted(number: int, what: str, said: str) -> None:
    """One has the singular, nought and two the plural."""
    assert counted(number, what) == said


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 30, 17, tzinfo=UTC)),
        ("2026-01-31T10:00", datetime(2026, 1, 31, 3, tzinfo=UTC)),
        ("2026-01-31T10:00+00:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
    ids=["day", "hour", "hour with its zone"],
)
def test_a_day_begins_at_the_desk(said: str, moment: datetime) -> None:
    """Midnight is the desk's; a zone that is named counts."""
    times.use("Asia/Ho_Chi_Minh")
    assert times.read(said) == moment


@pytest.mark.parametrize("said", ["", "soon", "2026-02-31", "0001-01-01"])
def test_what_names_no_moment(said: str) -> None:
    """Nor does what lies beyond the calendar."""
    times.use("Asia/Ho_Chi_Minh")
    with pytest.raises(ValueError):  # noqa: PT011 - its words are Python's own
        times.read(said)
