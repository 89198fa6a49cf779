"""Obligations of a match, and a delivery's state after an attempt: tables, and properties that always hold."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import NOW, match, target

from worker.alerts import GIVE_UP, MAX_UNCERTAIN, MAX_UNCERTAIN_MAIL, About, History, alert, recipients, settle
from worker.model import (
    AlertPolicy,
    DeliveryState,
    Match,
    Novelty,
    NoveltyKind,
    Origin,
    Outcome,
    Receipt,
    Route,
    Severity,
    Target,
)

NEW = Novelty(kind=NoveltyKind.NEW)
UPDATE = Novelty(kind=NoveltyKind.UPDATE)
COPY = Novelty(kind=NoveltyKind.DUPLICATE, of=1)
A, B, C = (target(name) for name in "abc")
EVERYONE = AlertPolicy(targets=(A, B))
DECIDED = frozenset({("visit", "log:a")})


def to(*names: str, rule: str = "visit", severity: Severity = Severity.HIGH) -> Match:
    """A match of a rule that names its targets itself."""
    one = match(rule, severity)
    return Match(
        rule_id=rule, rule_name=one.rule_name, rule_hash=one.rule_hash, severity=severity, spans=one.spans, to=names
    )


def mail(name: str, *addresses: str) -> Target:
    """A target of several recipients."""
    one = target(name)
    return Target(
        id=name, channel=one.channel, settings=one.settings, recipients=tuple(f"mailto:{a}" for a in addresses)
    )


def reached(found: Match, policy: AlertPolicy, about: About) -> tuple[tuple[str, str], ...]:
    """(target, recipient) of everyone a match concerns."""
    return tuple((to.target.id, to.recipient) for to in recipients(found, policy, about))


@pytest.mark.parametrize(
    ("novelty", "history", "verdicts"),
    [
        pytest.param(NEW, History(), ["first owed", "first owed"], id="new"),
        pytest.param(UPDATE, History(), ["development owed"] * 2, id="revision-that-matches-at-last"),
        pytest.param(UPDATE, History(decided=DECIDED), ["", "development owed"], id="revision-told-before"),
        pytest.param(NEW, History(decided=DECIDED), ["", "first owed"], id="job-that-runs-again"),
        pytest.param(NEW, History(backlog=True), ["first backlog"] * 2, id="backlog"),
        pytest.param(
            COPY,
            History(original=Origin.FEED, decided_for_original=DECIDED),
            ["first copy", "first owed"],
            id="copy-of-what-one-was-told",
        ),
        pytest.param(
            COPY,
            History(original=Origin.FEED, decided_for_original=DECIDED, decided=DECIDED),
            ["", "first owed"],
            id="copy-decided-itself",
        ),
        pytest.param(
            COPY,
            History(original=Origin.FEED, decided_for_original=DECIDED, news=frozenset({"visit"})),
            ["first owed"] * 2,
            id="copy-with-news",
        ),
        pytest.param(
            COPY,
            History(original=Origin.FEED, decided_for_original=DECIDED, backlog=True),
            ["first copy", "first backlog"],
            id="copy-in-backlog",
        ),
        pytest.param(COPY, History(original=Origin.FEED), ["first owed"] * 2, id="copy-of-what-nobody-heard-of"),
        pytest.param(COPY, History(original=Origin.ARCHIVE), ["first archive"] * 2, id="copy-of-archive"),
        pytest.param(COPY, History(original=Origin.IMPORT), ["first archive"] * 2, id="copy-of-import"),
        pytest.param(
            COPY,
            History(original=Origin.ARCHIVE, news=frozenset({"visit"})),
            ["first owed"] * 2,
            id="archive-with-news",
        ),
        pytest.param(
            UPDATE, History(original=Origin.ARCHIVE), ["development archive"] * 2, id="revision-that-became-a-copy"
        ),
    ],
)
def test_what_a_match_owes(novelty: Novelty, history: History, verdicts: list[str]) -> None:
    """Owed or silent with a reason, to log:a and to log:b; nothing where it was decided before."""
    found = {
        o.recipient: f"{o.occasion} {o.suppression or o.verdict}"
        for o in alert([match()], novelty, history, EVERYONE, About())
    }
    assert [found.get("log:a", ""), found.get("log:b", "")] == verdicts


ROUTED = AlertPolicy(
    targets=(A, B, C),
    routes=(
        Route(targets=("a",), rules=frozenset({"visit", "trade"})),
        Route(targets=("b",), severities=frozenset({Severity.HIGH, Severity.CRITICAL})),
        Route(targets=("team",), tags=frozenset({"mekong"}), rules=frozenset({"flood"})),
    ),
    groups=(("team", ("b", "c")),),
)


@pytest.mark.parametrize(
    ("found", "policy", "tags", "wanted"),
    [
        pytest.param(match(), EVERYONE, (), ["a", "b"], id="no-routes-everyone"),
        pytest.param(match(), ROUTED, (), ["a", "b"], id="two-routes"),
        pytest.param(match("trade", Severity.LOW), ROUTED, (), ["a"], id="by-rule"),
        pytest.param(match("other", Severity.CRITICAL), ROUTED, (), ["b"], id="by-severity"),
        pytest.param(match("flood", Severity.LOW), ROUTED, ("vna", "mekong"), ["b", "c"], id="by-tag-and-rule-group"),
        pytest.param(match("flood", Severity.LOW), ROUTED, ("vna",), [], id="another-tag"),
        pytest.param(match("other", Severity.LOW), ROUTED, ("mekong",), [], id="no-route"),
        pytest.param(to("c"), ROUTED, (), ["c"], id="rule-names-target"),
        pytest.param(to("team", "b", "a"), ROUTED, (), ["b", "c", "a"], id="rule-names-group"),
        pytest.param(to("gone", "c"), ROUTED, (), ["c"], id="target-gone"),
        pytest.param(match(), AlertPolicy(targets=()), (), [], id="nobody"),
    ],
)
def test_whom_a_match_concerns(found: Match, policy: AlertPolicy, tags: tuple[str, ...], wanted: list[str]) -> None:
    """Those its rule names, else those the routes choose, else all; each once."""
    assert reached(found, policy, About(tags=tags)) == tuple((name, f"log:{name}") for name in wanted)


def test_a_recipient_of_two_targets_is_told_through_the_first() -> None:
    """One address in two lists gets one mail."""
    policy = AlertPolicy(
        targets=(mail("desk", "x@example.org", "y@example.org"), mail("all", "y@example.org", "z@a.b"))
    )
    assert reached(match(), policy, About()) == (
        ("desk", "mailto:x@example.org"),
        ("desk", "mailto:y@example.org"),
        ("all", "mailto:z@a.b"),
    )


_names = st.sampled_from("abcde")
_targets = st.lists(
    st.builds(mail, _names, *(st.sampled_from(["x@e.org", "y@e.org", "z@e.org"]) for _ in range(2))),
    unique_by=lambda t: t.id,
    max_size=5,
)
_rules = st.sampled_from(["visit", "trade", "flood"])
_routes = st.lists(
    st.builds(
        Route,
        targets=st.lists(st.sampled_from([*"abcde", "g1", "g2"]), max_size=4).map(tuple),
        rules=st.frozensets(_rules),
        severities=st.frozensets(st.sampled_from(list(Severity))),
        tags=st.frozensets(st.sampled_from(["t", "u"])),
    ),
    max_size=4,
)
_policies = st.builds(
    AlertPolicy,
    targets=_targets.map(tuple),
    routes=_routes.map(tuple),
    groups=st.just((("g1", ("a", "b")), ("g2", ("b", "c", "a")))),
)
_matches = st.lists(
    st.builds(
        lambda rule, severity, names: to(*names, rule=rule, severity=severity),
        _rules,
        st.sampled_from(list(Severity)),
        st.lists(st.sampled_from([*"ab", "g1", "gone"]), max_size=3),
    ),
    unique_by=lambda m: m.rule_id,
    max_size=3,
)
_pairs = st.frozensets(st.tuples(_rules, st.sampled_from(["mailto:x@e.org", "mailto:y@e.org"])))
_histories = st.builds(
    History,
    decided=_pairs,
    original=st.none() | st.sampled_from(list(Origin)),
    decided_for_original=_pairs,
    news=st.frozensets(_rules),
    backlog=st.booleans(),
)
_novelties = st.sampled_from([NEW, UPDATE, COPY])
_tags = st.frozensets(st.sampled_from(["t", "u"]))


@given(_matches, _novelties, _histories, _policies, _tags)
def test_everyone_concerned_is_decided_once(
    matches: list[Match], novelty: Novelty, history: History, policy: AlertPolicy, tags: frozenset[str]
) -> None:
    """Each (rule, recipient) gets one verdict now or had one before; a silence has a reason; a target is real."""
    found = alert(matches, novelty, history, policy, About(tags=tags))
    pairs = [(o.rule_id, o.recipient) for o in found]
    assert len(pairs) == len(set(pairs))
    concerned = {(m.rule_id, recipient) for m in matches for _, recipient in reached(m, policy, About(tags=tags))}
    assert set(pairs) == concerned - history.decided
    reach = {t.id: t.recipients for t in policy.targets}
    for obligation in found:
        assert (obligation.verdict == "suppressed") == (obligation.suppression is not None)
        assert obligation.recipient in reach[obligation.target_id]
        assert obligation.occasion == ("development" if novelty is UPDATE else "first")
        if history.original is None and not history.backlog:
            assert obligation.verdict == "owed"


@given(_matches, _novelties, _histories, _policies, _tags)
def test_a_decision_is_never_taken_twice(
    matches: list[Match], novelty: Novelty, history: History, policy: AlertPolicy, tags: frozenset[str]
) -> None:
    """A decision that is remembered leaves nothing to decide the second time."""
    pairs = frozenset((o.rule_id, o.recipient) for o in alert(matches, novelty, history, policy, About(tags=tags)))
    after = History(
        decided=history.decided | pairs,
        original=history.original,
        decided_for_original=history.decided_for_original,
        news=history.news,
        backlog=history.backlog,
    )
    assert alert(matches, UPDATE, after, policy, About(tags=tags)) == ()


@pytest.mark.parametrize(
    ("outcome", "uncertain", "age", "state", "reason"),
    [
        pytest.param(Outcome.SENT, 0, timedelta(0), "sent", "", id="sent"),
        pytest.param(Outcome.SENT, 5, GIVE_UP * 2, "sent", "", id="sent-late"),
        pytest.param(Outcome.PERMANENT, 0, timedelta(0), "failed", "refused: words", id="refused"),
        pytest.param(Outcome.BROKEN, 0, GIVE_UP * 2, "parked", "words", id="broken"),
        pytest.param(Outcome.RETRY, 0, timedelta(0), "retry", "words", id="retry"),
        pytest.param(Outcome.RETRY, 3, timedelta(hours=72), "retry", "words", id="retry-after-72-h"),
        pytest.param(Outcome.RETRY, 0, GIVE_UP, "retry", "words", id="retry-at-seven-days"),
        pytest.param(Outcome.RETRY, 0, GIVE_UP + timedelta(seconds=1), "failed", "expired: words", id="given-up"),
        pytest.param(Outcome.UNCERTAIN, 0, timedelta(0), "retry", "may have arrived", id="uncertain"),
        pytest.param(
            Outcome.UNCERTAIN,
            1,
            timedelta(0),
            "failed",
            "uncertain: tried 2 times, may have arrived: words",
            id="twice",
        ),
    ],
)
def test_what_an_outcome_makes_of_a_delivery(
    outcome: Outcome, uncertain: int, age: timedelta, state: str, reason: str
) -> None:
    """An outage of three days loses nothing; what may have arrived is repeated once."""
    receipt = Receipt(outcome=outcome, detail="words")
    settled = settle(receipt, key="k", attempt=3, uncertain=uncertain, first_attempt=NOW - age, now=NOW)
    assert (settled.state, settled.reason) == (state, reason)


@given(
    st.builds(
        Receipt,
        outcome=st.sampled_from(list(Outcome)),
        detail=st.text(max_size=5),
        after=st.none() | st.timedeltas(min_value=timedelta(0), max_value=timedelta.max),
    ),
    st.text(max_size=40),
    st.integers(1, 10_000),
    st.integers(0, 20),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)),
)
def test_no_outcome_loses_a_delivery(receipt: Receipt, key: str, attempt: int, uncertain: int, age: timedelta) -> None:
    """It ends, waits for a person, or comes again: soon, and not before the other side wants it."""
    settled = settle(receipt, key=key, attempt=attempt, uncertain=uncertain, first_attempt=NOW - age, now=NOW)
    assert settled.state in {DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.PARKED, DeliveryState.RETRY}
    assert (settled.state is DeliveryState.SENT) == (receipt.outcome is Outcome.SENT)
    if settled.state is not DeliveryState.RETRY:
        assert settled.due is None
        return
    assert settled.due is not None
    assert receipt.outcome is not Outcome.UNCERTAIN or uncertain + 1 < MAX_UNCERTAIN
    assert receipt.outcome is not Outcome.RETRY or age <= GIVE_UP
    wait = settled.due - NOW
    assert timedelta(seconds=30) <= wait <= timedelta(days=30)
    if receipt.after is None:
        assert wait <= timedelta(minutes=15)
    elif receipt.outcome is Outcome.RETRY:
        assert wait >= min(receipt.after, timedelta(days=30))


@given(st.integers(1, 60))
def test_a_delivery_that_keeps_failing_comes_to_its_end(outcomes: int) -> None:
    """Whatever the chance of its pauses, it is given up after seven days, and not before three."""
    now, attempt = NOW, 1
    while True:
        settled = settle(
            Receipt(outcome=Outcome.RETRY), key=f"k{outcomes}", attempt=attempt, uncertain=0, first_attempt=NOW, now=now
        )
        if settled.state is DeliveryState.FAILED:
            break
        assert settled.due is not None
        now, attempt = settled.due, attempt + 1
    assert timedelta(days=7) < now - NOW < timedelta(days=7, minutes=16)
    assert attempt > 24 * 7 * 4


def test_mail_is_tried_through_a_stall_of_three_days() -> None:
    """A server that takes every message and never says so is asked again, ever less often, for 72 h and more."""
    now, tries = NOW, 0
    while True:
        receipt = Receipt(outcome=Outcome.UNCERTAIN, detail="silent")
        settled = settle(
            receipt,
            key="k",
            attempt=tries + 1,
            uncertain=tries,
            most_uncertain=MAX_UNCERTAIN_MAIL,
            first_attempt=NOW,
            now=now,
        )
        tries += 1
        if settled.due is None:
            break
        now = settled.due
    assert settled.state is DeliveryState.FAILED
    assert (tries, now - NOW > timedelta(hours=72)) == (7, True)
