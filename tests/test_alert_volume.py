"""Volumes measured: tables, and sequences of arrivals against a count that is made apart from the code."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import match, target

from worker.alerts import About, Arrival, History, LastAlert, Level, alert, measure, of_wave, story_key
from worker.alerts.volume import needed
from worker.evaluate.backtest import Volumes
from worker.model import AlertPolicy, Novelty, NoveltyKind, Origin, Suppression, Verdict, Volume, Wave, spoken

NOON = datetime(2026, 2, 6, 12, 0, tzinfo=UTC)
FIVE = Volume(at_least=5, per=timedelta(hours=6))


@pytest.mark.parametrize(
    ("at_least", "times", "weeks", "wanted"),
    [
        (5, None, (), 5),
        (None, 3, (), None),
        (None, 3, (9, 9), None),
        (4, 3, (9, 9), 4),
        (None, 3, (1, 2, 3), 6),
        (None, 3, (0, 0, 1), 2),
        (None, 2, (0, 0, 0, 0), 2),
        (9, 3, (1, 2, 3), 9),
        (None, 2.2, (25, 25, 25), 55),
        (None, 2.5, (1, 1, 3), 5),
    ],
    ids=[
        "at_least alone",
        "no past",
        "two weeks are too few",
        "until then at_least",
        "three times the mean",
        "two at least",
        "two, however quiet",
        "at_least is the floor",
        "exactly, not as floats have it",
        "rounded up",
    ],
)
def test_how_many_stories_make_a_wave(
    at_least: int | None, times: float | None, weeks: Sequence[int], wanted: int | None
) -> None:
    assert needed(Volume(at_least=at_least, times=times, per=timedelta(hours=1)), weeks) == wanted


def arrivals(*minutes_and_stories: tuple[int, int]) -> tuple[Arrival, ...]:
    """So many minutes before noon, each of a story."""
    return tuple(
        Arrival(number=number, story=story, at=NOON - timedelta(minutes=minutes))
        for number, (minutes, story) in enumerate(minutes_and_stories, 1)
    )


@pytest.mark.parametrize(
    ("before", "story", "stories", "begins"),
    [
        ((), 1, 1, False),
        (((50, 1), (40, 2), (30, 3), (20, 4)), 5, 5, True),
        (((50, 1), (40, 2), (30, 3), (20, 4)), 4, 4, False),
        (((50, 1), (40, 1), (30, 3), (20, 4)), 5, 4, False),
        (((360, 1), (40, 2), (30, 3), (20, 4)), 5, 4, False),
        (((359, 1), (40, 2), (30, 3), (20, 4)), 5, 5, True),
        (((-5, 1), (40, 2), (30, 3), (20, 4)), 5, 5, True),
    ],
    ids=["alone", "the fifth", "a story of the window", "two of one story", "too old", "just not", "a clock set back"],
)
def test_the_window_counts_stories(
    before: Sequence[tuple[int, int]], story: int, stories: int, *, begins: bool
) -> None:
    found = measure(FIVE, Level(arrivals=arrivals(*before)), story=story, article_id=9, now=NOON)
    assert (found.stories, found.begins, found.ends) == (stories, begins, False)
    assert found.wave == (Wave(article_id=9, began=NOON, per=FIVE.per) if begins else None)


def test_an_article_without_a_story_counts_itself() -> None:
    """And is never taken for a story of its number."""
    assert len({story_key(None, 7), story_key(7, 7), story_key(None, 8)}) == 3


def test_figures_are_for_people() -> None:
    level = Level(arrivals=arrivals((50, 1), (40, 2)), weeks=(1, 2, 2))
    volume = Volume(times=3, per=timedelta(minutes=90))
    assert measure(FIVE, level, story=3, article_id=9, now=NOON).why == "3 of 5 stories in 6 h"
    assert measure(FIVE, Level(), story=3, article_id=9, now=NOON).why == "1 of 5 stories in 6 h"
    assert measure(volume, level, story=3, article_id=9, now=NOON).why == (
        "3 of 5 stories in 90 min; 1.7 at this hour of 3 past weeks, and it takes 3 times that"
    )
    assert measure(volume, Level(weeks=(1,)), story=3, article_id=9, now=NOON).why == (
        "1 story in 90 min; 1 of the rule's past weeks are known, and a comparison takes 3"
    )
    assert [spoken(timedelta(seconds=s)) for s in (45, 60, 5_400, 7_200, 86_400, 604_800)] == [
        "45 s",
        "1 min",
        "90 min",
        "2 h",
        "1 d",
        "7 d",
    ]


def test_it_tells_again_for_stories_that_the_last_alert_did_not_count() -> None:
    """One that comes back was told; as many others as it takes make an alert."""
    wave = Wave(article_id=5, began=NOON - timedelta(minutes=10), per=FIVE.per)
    told = {"log:a": LastAlert(number=6, at=NOON - timedelta(minutes=10), alerts=1)}
    before = ((400, 11), (50, 1), (40, 2), (30, 3), (20, 4), (10, 5))
    level = Level(arrivals=arrivals(*before, (9, 1), (8, 6), (7, 7), (6, 8), (5, 9)), wave=wave, last_alerts=told)
    seen = ((story, Suppression.IN_WAVE) for story in (2, 5, 9))
    for story, wanted in (*seen, (10, None), (11, None)):
        found = measure(FIVE, level, story=story, article_id=99, now=NOON)
        occasion, suppression = of_wave(found, FIVE, level, "log:a", story)
        assert (occasion, suppression) == ("wave" if wanted else "wave-2", wanted)
        assert of_wave(found, FIVE, level, "log:b", story) == ("wave", None)


def test_a_revision_is_never_counted_again() -> None:
    """Whatever it changes, and whoever was notified of the text before."""
    history = History(decided=frozenset({("flood", "log:gone")}), notified_at={("flood", "log:a"): NOON})
    about = About(article_id=3, story_id=7, revision=2, now=NOON, published=NOON, first_seen=NOON)
    assert (
        alert(
            [replace(match("flood"), volume=FIVE)],
            Novelty(kind=NoveltyKind.UPDATE),
            history,
            AlertPolicy(targets=(target("a"),)),
            about,
        )
        == ()
    )


# --- sequences, counted apart ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """An article that the rule matches, so many minutes after the one before."""

    after: int
    story: int
    kind: str = "news"


EVENTS = st.lists(
    st.builds(
        Event,
        after=st.sampled_from([0, 0, 1, 7, 30, 59, 60, 61, 200]),
        story=st.integers(1, 9),
        kind=st.sampled_from(["news"] * 6 + ["copy", "backlog", "revision"]),
    ),
    max_size=40,
)


def counted_apart(events: Sequence[Event], at_least: int, minutes: int) -> list[str]:
    """The fate of each arrival: loops over all that came before, by the manual alone."""
    said: list[str] = []
    clock = 0
    came: list[tuple[int, int]] = []  # (minute, story) of what counts
    in_wave = False
    last = -1  # how many had come, as the wave was told last
    for event in events:
        clock += event.after
        if event.kind != "news":
            said.append("nothing")
            continue
        came.append((clock, event.story))
        window = {story for minute, story in came if clock - minute < minutes}
        if len(window) < at_least:
            in_wave = False
            said.append("below")
        elif not in_wave:
            in_wave, last = True, len(came)
            said.append("told")
        else:
            told_at = came[last - 1][0]
            before = {story for minute, story in came[:last] if told_at - minute < minutes}
            fresh = {story for _, story in came[last:]} - before
            if len(fresh) >= at_least:
                last = len(came)
                said.append("told")
            else:
                said.append("in")
    return said


def by_the_rules(events: Sequence[Event], volume: Volume) -> list[str]:
    """The answer of `alert` on the same, with its earlier answers kept as a replay keeps them."""
    policy = AlertPolicy(targets=(target("a"),))
    found = replace(match("flood"), volume=volume)
    volumes, now, said = Volumes(), NOON, []
    words = {Suppression.BELOW_VOLUME: "below", Suppression.IN_WAVE: "in", None: "told"}
    for number, event in enumerate(events, 1):
        now += timedelta(minutes=event.after)
        pair = frozenset({("flood", "log:a")})
        history = History(
            decided=pair if event.kind == "revision" else frozenset(),
            backlog=event.kind == "backlog",
            original=Origin.FEED if event.kind == "copy" else None,
            decided_for_original=pair if event.kind == "copy" else frozenset(),
            levels={"flood": volumes.level("flood", volume, now)},
        )
        kind = NoveltyKind.UPDATE if event.kind == "revision" else NoveltyKind.NEW
        about = About(article_id=number, story_id=event.story, now=now, published=now, first_seen=now)
        owed = alert([found], Novelty(kind=kind), history, policy, about)
        volumes.add(owed, story_key(event.story, number), now)
        said.append(words.get(owed[0].suppression, "nothing") if owed else "nothing")
        assert not owed or (owed[0].verdict is Verdict.OWED) == (owed[0].suppression is None)
    return said


@given(EVENTS, st.integers(2, 5), st.sampled_from([1, 60, 240]))
def test_any_sequence_is_told_as_a_count_apart_has_it(events: list[Event], at_least: int, minutes: int) -> None:
    """Also where several come at one moment, stories come back and waves follow one another."""
    volume = Volume(at_least=at_least, per=timedelta(minutes=minutes))
    assert by_the_rules(events, volume) == counted_apart(events, at_least, minutes)
