"""Alerts of a story over time: first, follow-ups, digests, quiet hours, throttles, silences, escalations."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import match, target

from worker.alerts import About, History, Silenced, Standing, alert
from worker.alerts.schedule import next_digest, quiet_until
from worker.model import (
    AlertPolicy,
    DigestPolicy,
    Escalation,
    Match,
    NotificationPolicy,
    Novelty,
    NoveltyKind,
    Obligation,
    Occasion,
    Quiet,
    Route,
    Severity,
    Target,
    Throttle,
)

NEW, UPDATE = Novelty(kind=NoveltyKind.NEW), Novelty(kind=NoveltyKind.UPDATE)
NOON = datetime(2026, 2, 6, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
A, B = (replace(target(name), timezone="UTC") for name in "ab")
VISIT_A = ("visit", "log:a")
#: `log:a` was told of the story by Le Fil, an hour ago.
TOLD = {VISIT_A: Standing(last=NOON - HOUR, sources=frozenset({"Le Fil"}))}


def about(**more: object) -> About:
    """An article of Le Fil's that tells story 7."""
    given = {"article_id": 3, "story_id": 7, "feed": "Le Fil", "source": "Le Fil", "language": "fr"}
    return About(**{**given, "published": NOON, "first_seen": NOON, "now": NOON, **more})  # type: ignore[arg-type]


def decided(
    *,
    history: History | None = None,
    found: Match | None = None,
    to: Target = A,
    novelty: Novelty = NEW,
    policy: AlertPolicy | None = None,
    **more: object,
) -> tuple[Obligation, ...]:
    """The decision on one match for one target."""
    return alert([found or match()], novelty, history or History(), policy or AlertPolicy(targets=(to,)), about(**more))


def said(obligation: Obligation) -> str:
    """Occasion, verdict or reason, what carries it, hold, and in how many minutes it is due."""
    if obligation.suppression:
        return f"{obligation.occasion} {obligation.suppression}"
    assert obligation.due is not None
    minutes = (obligation.due - NOON) // timedelta(minutes=1)
    return f"{obligation.occasion} {obligation.collects} {obligation.hold or 'now'} {minutes}"


@pytest.mark.parametrize(
    ("notification", "source", "standing", "wanted"),
    [
        pytest.param(NotificationPolicy(), "Le Fil", {}, "first story:7 now 0", id="first"),
        pytest.param(NotificationPolicy(), "Le Fil", TOLD, "development story:7 now 0", id="same-outlet"),
        pytest.param(NotificationPolicy(), "Autre", TOLD, "follow-up story:7 now 0", id="another-outlet"),
        pytest.param(NotificationPolicy(follow_up=()), "Autre", TOLD, "follow-up same-story", id="no-follow-ups"),
        pytest.param(
            NotificationPolicy(follow_up=("correction",)), "Le Fil", TOLD, "development same-story", id="corrections"
        ),
        pytest.param(
            NotificationPolicy(follow_up=(), repeat_interval=6 * HOUR),
            "Autre",
            TOLD,
            "follow-up story:7 realert 300",
            id="realert-waits",
        ),
        pytest.param(
            NotificationPolicy(follow_up=(), repeat_interval=HOUR / 2),
            "Autre",
            TOLD,
            "follow-up story:7 now 0",
            id="realert-long-ago",
        ),
        pytest.param(NotificationPolicy(key="article"), "Autre", TOLD, "first article:3 now 0", id="by-article"),
        pytest.param(NotificationPolicy(group_wait=HOUR), "Le Fil", {}, "first story:7 group-wait 60", id="group-wait"),
    ],
)
def test_how_often_a_story_is_told(
    notification: NotificationPolicy, source: str, standing: dict[tuple[str, str], Standing], wanted: str
) -> None:
    """One first message a story; later articles by what follow_up and repeat_interval say."""
    policy = AlertPolicy(targets=(A,), notification=notification)
    (found,) = decided(history=History(standing=standing), policy=policy, source=source)
    assert said(found) == wanted


def test_an_article_without_a_story_stands_for_itself() -> None:
    """An article of no known story is its own key."""
    assert said(decided(story_id=None, history=History(standing=TOLD))[0]) == "first article:3 now 0"


@pytest.mark.parametrize(
    ("said_by", "wanted"),
    [
        pytest.param({"rule": "article", "route": "story", "alerts": "story"}, "article:3", id="rule"),
        pytest.param({"route": "article", "alerts": "story"}, "article:3", id="route"),
        pytest.param({"alerts": "article"}, "article:3", id="alerts"),
        pytest.param({}, "story:7", id="nobody"),
    ],
)
def test_who_says_it_first(said_by: dict[str, str], wanted: str) -> None:
    """A rule's own word counts before its route's, that before [alerts]."""
    found = replace(match(), notification=NotificationPolicy(key=said_by.get("rule")))
    route = Route(targets=("a",), notification=NotificationPolicy(key=said_by.get("route")))
    policy = AlertPolicy(targets=(A,), routes=(route,), notification=NotificationPolicy(key=said_by.get("alerts")))
    assert decided(found=found, policy=policy)[0].collects == wanted


@pytest.mark.parametrize(
    ("route", "wanted"),
    [
        pytest.param(Route(targets=("a",), feeds=frozenset({"Le Fil"})), 1, id="feed"),
        pytest.param(Route(targets=("a",), feeds=frozenset({"Autre"})), 0, id="another-feed"),
        pytest.param(Route(targets=("a",), languages=frozenset({"fr", "en"})), 1, id="language"),
        pytest.param(Route(targets=("a",), languages=frozenset({"vi"})), 0, id="another-language"),
    ],
)
def test_routes_by_feed_and_language(route: Route, wanted: int) -> None:
    """A route may ask for feeds by name, and for the article's language."""
    assert len(decided(policy=AlertPolicy(targets=(A,), routes=(route,)))) == wanted


@pytest.mark.parametrize(
    ("change", "told", "revision", "follow_up", "wanted"),
    [
        pytest.param(Occasion.CORRECTION, {VISIT_A}, 2, ("correction",), ["correction story:7 now 0"], id="told"),
        pytest.param(Occasion.CORRECTION, {VISIT_A}, 4, ("correction",), ["correction-4 story:7 now 0"], id="fourth"),
        pytest.param(Occasion.CORRECTION, {VISIT_A}, 6, ("correction",), ["correction-6 story:7 now 0"], id="sixth"),
        pytest.param(
            Occasion.CORRECTION, {VISIT_A}, 7, ("correction",), ["correction-7 often-corrected"], id="seventh"
        ),
        pytest.param(
            Occasion.CORRECTION, {VISIT_A}, 24, ("correction",), ["correction-24 often-corrected"], id="flapping"
        ),
        pytest.param(Occasion.CORRECTION, {VISIT_A}, 2, None, ["correction same-story"], id="not-asked-for"),
        pytest.param(Occasion.CORRECTION, set(), 2, ("correction",), [], id="its-first-is-still-open"),
        pytest.param(None, {VISIT_A}, 2, ("correction",), [], id="reworded"),
    ],
)
def test_corrections(
    change: Occasion | None,
    told: set[tuple[str, str]],
    revision: int,
    follow_up: tuple[str, ...] | None,
    wanted: list[str],
) -> None:
    """A correction of an article that somebody was sent goes below it, where that is asked for."""
    history = History(decided=frozenset({VISIT_A}), notified_at=dict.fromkeys(told, NOON), standing=TOLD, change=change)
    policy = AlertPolicy(targets=(A,), notification=NotificationPolicy(follow_up=follow_up))
    assert [said(o) for o in decided(history=history, novelty=UPDATE, policy=policy, revision=revision)] == wanted


@pytest.mark.parametrize("story_id", [None, 7], ids=["no-story", "told-by-article"])
def test_a_correction_that_is_left_out_waits_for_its_interval(story_id: int | None) -> None:
    """Also where the article is told by itself: from when its recipient was last told of it."""
    history = History(
        decided=frozenset({VISIT_A}),
        notified_at={VISIT_A: NOON - HOUR},
        change=Occasion.CORRECTION,
    )
    policy = AlertPolicy(
        targets=(A,), notification=NotificationPolicy(key="article", follow_up=(), repeat_interval=3 * HOUR)
    )
    (made,) = decided(history=history, novelty=UPDATE, policy=policy, revision=2, story_id=story_id)
    assert said(made) == "correction article:3 realert 120"


DIGEST = replace(A, digest=DigestPolicy(at="30 7 * * *"))
NIGHT = (Quiet(since=time(11), until=time(13, 30)),)


@pytest.mark.parametrize(
    ("to", "severity", "recent", "wanted"),
    [
        pytest.param(DIGEST, Severity.HIGH, 0, "first digest digest 1170", id="digest"),
        pytest.param(DIGEST, Severity.CRITICAL, 0, "first story:7 now 0", id="critical-past-the-digest"),
        pytest.param(replace(A, quiet=NIGHT), Severity.HIGH, 0, "first story:7 quiet-hours 90", id="quiet"),
        pytest.param(replace(A, quiet=NIGHT), Severity.CRITICAL, 0, "first story:7 now 0", id="critical-wakes"),
        pytest.param(replace(DIGEST, quiet=NIGHT), Severity.LOW, 0, "first digest digest 1170", id="digest-at-night"),
        pytest.param(
            replace(A, throttle=Throttle(alerts=5, per=HOUR)), Severity.HIGH, 4, "first story:7 now 0", id="within"
        ),
        pytest.param(
            replace(A, throttle=Throttle(alerts=5, per=HOUR)),
            Severity.HIGH,
            5,
            "first digest throttled 60",
            id="beyond",
        ),
        pytest.param(
            replace(A, throttle=Throttle(alerts=5, per=HOUR)),
            Severity.CRITICAL,
            5,
            "first story:7 now 0",
            id="critical-beyond",
        ),
    ],
)
def test_what_carries_an_alert_and_when(to: Target, severity: Severity, recent: int, wanted: str) -> None:
    """At once, in the morning, with the digest, or when the throttle allows; what is critical breaks through."""
    history = History(recent={("visit", "a"): recent})
    assert said(decided(to=to, found=match(severity=severity), history=history)[0]) == wanted


@pytest.mark.parametrize(
    ("silence", "wanted"),
    [
        pytest.param(Silenced(rules=frozenset({"visit"}), until=NOON + HOUR), "first silenced", id="rule"),
        pytest.param(Silenced(rules=frozenset({"trade"}), until=NOON + HOUR), "first story:7 now 0", id="another-rule"),
        pytest.param(Silenced(rules=frozenset({"visit"}), until=NOON), "first story:7 now 0", id="over"),
        pytest.param(Silenced(story_id=7), "first muted-story", id="story"),
        pytest.param(Silenced(story_id=8), "first story:7 now 0", id="another-story"),
        pytest.param(Silenced(feed="Le Fil", until=NOON + HOUR), "first silenced", id="feed"),
        pytest.param(Silenced(story_id=7, recipient="log:b"), "first story:7 now 0", id="of-somebody-else"),
    ],
)
def test_silences(silence: Silenced, wanted: str) -> None:
    """A silence covers what all its fields name, until it ends; its author stands in the reason."""
    silence = replace(silence, author="ana", reason="connu")
    (found,) = decided(history=History(silences=(silence,)))
    assert said(found) == wanted
    assert not found.suppression or found.why.startswith("by ana")


def test_old_news_is_not_told() -> None:
    """An article older than max_age when it was first seen is not sent, and the ledger says its date."""
    policy = AlertPolicy(targets=(A,), max_age=timedelta(days=7))
    (old,) = decided(policy=policy, published=NOON - timedelta(days=8))
    assert (said(old), old.why) == ("first old-news", "published 2026-01-29")
    assert said(decided(policy=policy, published=NOON - timedelta(days=6))[0]) == "first story:7 now 0"


def test_nobody_acknowledges() -> None:
    """The first message owes a second target its reminder, which waits; follow-ups owe none."""
    route = Route(targets=("a",), notification=NotificationPolicy(escalation=Escalation(targets=("b",), after=HOUR)))
    policy = AlertPolicy(targets=(A, B), routes=(route,))
    first, second = decided(policy=policy)
    assert said(first) == "first story:7 now 0"
    assert (second.recipient, said(second)) == ("log:b", "escalation escalation:story:7 escalation 60")
    assert len(decided(policy=policy, history=History(standing=TOLD))) == 1


# --- hours ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "zone", "after", "wanted"),
    [
        pytest.param("30 7 * * *", "Asia/Ho_Chi_Minh", "2026-02-06T00:29", "2026-02-06T00:30", id="today"),
        pytest.param("30 7 * * *", "Asia/Ho_Chi_Minh", "2026-02-06T00:30", "2026-02-07T00:30", id="never-now"),
        pytest.param("0 9 * * 1", "UTC", "2026-02-06T12:00", "2026-02-09T09:00", id="weekly"),
        pytest.param("30 2 * * *", "Europe/Paris", "2026-03-28T12:00", "2026-03-29T01:00", id="hour-left-out"),
        pytest.param("30 2 * * *", "Europe/Paris", "2026-10-24T12:00", "2026-10-25T00:30", id="hour-that-comes-twice"),
        pytest.param("30 2 * * *", "Europe/Paris", "2026-10-25T00:30", "2026-10-26T01:30", id="but-once"),
    ],
)
def test_the_next_digest(at: str, zone: str, after: str, wanted: str) -> None:
    """By the clock of the target's zone, once a day through a change of clocks."""
    found = next_digest(at, zone, datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


_hours = st.times().map(lambda t: t.replace(minute=t.minute // 15 * 15, second=0, microsecond=0, tzinfo=None))
_quiet = st.lists(
    st.builds(Quiet, since=_hours, until=_hours, days=st.frozensets(st.integers(0, 6), max_size=4)).filter(
        lambda q: q.since != q.until
    ),
    max_size=3,
)


def is_quiet(hours: list[Quiet], wall: datetime) -> bool:
    """True if a moment of the wall's clock is quiet, counted minute by minute from the window's start."""
    for quiet in hours:
        length = (datetime.combine(wall, quiet.until) - datetime.combine(wall, quiet.since)) % timedelta(days=1)
        for back in (0, 1):
            start = datetime.combine(wall.date() - timedelta(days=back), quiet.since)
            if start <= wall < start + length and (not quiet.days or start.weekday() in quiet.days):
                return True
    return False


@given(
    _quiet,
    st.sampled_from(["UTC", "Asia/Ho_Chi_Minh", "Asia/Kathmandu"]),
    st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 20)),
)
def test_quiet_hours_end_at_the_first_moment_that_is_not_quiet(hours: list[Quiet], zone: str, when: datetime) -> None:
    """Nothing before it is loud, and it is; a week without a loud moment has no end to wait for."""
    when = when.replace(second=0, microsecond=0, tzinfo=UTC)

    def loud(moment: datetime) -> bool:
        return not is_quiet(hours, moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None))

    step = timedelta(minutes=1)
    first = when
    while not loud(first) and first < when + timedelta(days=8):
        first += step
        step = timedelta(minutes=15 - first.minute % 15)
    if loud(first):
        assert quiet_until(hours, zone, when) == first


@pytest.mark.parametrize(
    ("until", "moment", "wanted"),
    [
        pytest.param(time(2, 30), "2026-10-25T00:15", "2026-10-25T00:30", id="first-of-two"),
        pytest.param(time(2, 30), "2026-10-25T01:15", "2026-10-25T01:30", id="second-of-two"),
        pytest.param(time(2, 30), "2026-03-29T00:15", "2026-03-29T01:30", id="left-out"),
        pytest.param(time(6), "2026-03-28T23:00", "2026-03-29T04:00", id="a-short-night"),
        pytest.param(time(6), "2026-10-24T23:00", "2026-10-25T05:00", id="a-long-night"),
    ],
)
def test_quiet_hours_through_a_change_of_clocks(until: time, moment: str, wanted: str) -> None:
    """They end by the clock on the wall, in Paris, whose clocks change at 01:00 UTC."""
    quiet = Quiet(since=time(22), until=until)
    found = quiet_until([quiet], "Europe/Paris", datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(wanted).replace(tzinfo=UTC)
