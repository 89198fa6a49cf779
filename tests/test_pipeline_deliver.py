"""deliver: sealed before it is sent, counted before it is tried, and what came of it written down."""

import asyncio
import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from desk import FEED, VISIT, Desk, email_target, log_target, scripted, slack_target
from rig import Item
from sinks import SmtpSink

from worker.alerts import MAX_CRASHES, PARKED_FOR
from worker.errors import StoreBusyError
from worker.model import DeliveryState, Notice, Outcome, Receipt, Route, Templates
from worker.pipeline import deliver as job
from worker.pipeline.deliver import deliver
from worker.runtime.embedded import LEASE
from worker.runtime.retention import forget
from worker.store import deliveries, open_deliveries
from worker.store import targets as target_states

MORE = "Le calendrier du bureau {n} prévoit {n} autres rencontres, dont {n} à Paksé et {n} à Savannakhet."


def outcome(
    what: str, after: float | None = None, detail: str = "as the test says", *, shared: bool = False
) -> Receipt:
    wait = None if after is None else timedelta(seconds=after)
    return Receipt(outcome=Outcome(what), detail=detail, after=wait, shared=shared)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with Desk(tmp_path, targets=[email_target("desk", "a@example.org")]) as made:
        yield scripted(monkeypatch, made)


async def create_obligations(desk: Desk, articles: int = 1) -> list[int]:
    """Publish articles that match, up to what is owed; the deliveries' ids."""
    desk.script["nobody"] = []
    items = [Item(f"v{n}", f"Hun Sen en visite, jour {n}", f"{VISIT} {MORE.format(n=n)}") for n in range(articles)]
    desk.web.feed(FEED, items)
    await desk.poll()
    from worker.pipeline.ingest import ingest
    from worker.store import entries

    with desk.store.write() as tx:
        ids = entries.take_ready(tx, now=desk.now, lease=LEASE, limit=50)
    await ingest(desk.context, ids)
    return [row[0] for row in desk.rows("SELECT id FROM delivery ORDER BY id")]


def due(desk: Desk) -> list[int]:
    with desk.store.read() as tx:
        return sorted(one.id for one in deliveries.due(tx, now=desk.now, limit=100))


def state(desk: Desk, delivery: int = 1) -> str:
    return str(desk.one(f"SELECT state FROM delivery WHERE id = {delivery}"))


async def test_a_template_that_fails_loses_nothing(desk: Desk) -> None:
    """The shipped template makes the message, and the log says which one did not."""
    (one,) = await create_obligations(desk)
    own = Templates(folder="/own", sources=(("alert.html", "<p>\n{{ nothing }}</p>"),))
    desk.context.live = replace(desk.context.live, config=replace(desk.context.live.config, templates=own))
    with structlog.testing.capture_logs() as logged:
        assert await deliver(desk.context, one) is DeliveryState.SENT
    ((_, claimed),) = desk.attempts
    assert b"<!doctype html>" in claimed.message.content
    (said,) = [line for line in logged if "problem" in line]
    assert said["problem"] == "/own/alert.html:2: the template fails: 'nothing' is undefined"


async def test_the_operators_hear_once_of_a_template_that_fails(desk: Desk) -> None:
    """However many messages it fails for; the notice's own template may fail as well."""
    await create_obligations(desk, 3)
    own = Templates(folder="/own", sources=(("alert.html", "{{ nothing }}"), ("notice.html", "{{ nothing }}")))
    config = replace(desk.context.live.config, templates=own, operators="desk")
    desk.context.live = replace(desk.context.live, config=config)
    while waiting := due(desk):
        for one in waiting:
            await deliver(desk.context, one)
    notices = [row[0] for row in desk.rows("SELECT subject FROM delivery WHERE collects = 'notice' ORDER BY id")]
    assert notices == ["[Veille] un modèle de message échoue"] * 2, "one for each template"


async def test_a_template_makes_the_message(desk: Desk) -> None:
    """The user's own, where it works."""
    (one,) = await create_obligations(desk)
    own = Templates(folder="/own", sources=(("alert.html", "<p>{{ views[0].source }}</p>"),))
    desk.context.live = replace(desk.context.live, config=replace(desk.context.live.config, templates=own))
    await deliver(desk.context, one)
    ((_, claimed),) = desk.attempts
    assert b"<p>Le Fil</p>" in claimed.message.content


async def test_sealed_once_and_sent_the_same(desk: Desk) -> None:
    """Every retry sends the same bytes under the same Message-ID, whatever changed meanwhile."""
    (one,) = await create_obligations(desk)
    desk.script["desk"] = [outcome("retry"), outcome("uncertain"), outcome("retry")]
    for n in range(4):
        desk.reload(now=desk.now + timedelta(hours=n), targets=[replace(desk.targets[0], language="en")])
        await deliver(desk.context, one)
    contents = {claimed.message.content for _, claimed in desk.attempts}
    assert len(desk.attempts) == 4
    assert len(contents) == 1
    assert len({claimed.message.message_id for _, claimed in desk.attempts}) == 1
    assert [claimed.attempt for _, claimed in desk.attempts] == [1, 2, 3, 4]
    message = email.message_from_bytes(contents.pop(), policy=email.policy.default)
    assert message["Message-ID"] == desk.attempts[0][1].message.message_id
    assert state(desk) == "sent"
    assert due(desk) == []


async def test_the_seal_is_stored_before_the_send(desk: Desk) -> None:
    """A message's bytes and its attempt are in the store before a sender is called."""
    (one,) = await create_obligations(desk)
    seen = []

    async def look() -> Receipt:
        seen.extend(desk.rows("SELECT d.content, d.attempts, a.outcome FROM delivery d JOIN attempt a"))
        return outcome("sent")

    desk.script["desk"] = [look]
    await deliver(desk.context, one)
    assert seen == [(desk.attempts[0][1].message.content, 1, "")]


async def test_retries_back_off_and_keep_what_the_server_asked(desk: Desk) -> None:
    """A retry waits half a minute at first, and never less than the other side said."""
    (one,) = await create_obligations(desk)
    desk.script["desk"] = [outcome("retry"), outcome("retry", after=3600)]
    assert await deliver(desk.context, one) is DeliveryState.RETRY
    desk.later(seconds=29)
    assert due(desk) == []
    desk.later(seconds=9)
    assert due(desk) == [one]
    await deliver(desk.context, one)
    desk.later(seconds=3599)
    assert due(desk) == []
    desk.later(seconds=2)
    assert due(desk) == [one]


async def test_n01_slack_429_blocks_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web service's "later" is meant for all that it is sent; other targets go on."""
    targets = [slack_target(), log_target()]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets)) as desk:
        await create_obligations(desk, articles=3)
        first = desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong' ORDER BY id")[0][0]
        desk.script["mekong"] = [outcome("retry", after=120, shared=True)]
        await deliver(desk.context, first)
        blocked = {row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong'")}
        assert len(blocked) == 3
        assert not blocked & set(due(desk))
        assert len(due(desk)) == 3
        desk.later(seconds=121)
        assert blocked <= set(due(desk))


async def test_n08_greylisting_is_of_one_mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail server that defers one recipient is asked for the others at once."""
    targets = [email_target("desk", "a@example.org", "b@example.org")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets)) as desk:
        first, second = await create_obligations(desk)
        desk.script["mailto:a@example.org"] = [outcome("retry", after=300)]
        await deliver(desk.context, first)
        assert due(desk) == [second]


@pytest.mark.parametrize("sealed", [False, True], ids=["open", "sealed"])
async def test_a_removed_target_parks_and_returns(desk: Desk, sealed: bool) -> None:
    """R06: what is owed to a target that a reload removed waits, and is sent when it is back."""
    (one,) = await create_obligations(desk)
    if sealed:
        desk.script["desk"] = [outcome("retry")]
        await deliver(desk.context, one)
        desk.later(minutes=1)
    target = desk.targets[0]
    desk.reload(targets=[log_target()])
    await deliver(desk.context, one)
    assert state(desk) == "parked"
    assert due(desk) == []
    desk.reload(targets=[target])
    assert due(desk) == [one]
    await deliver(desk.context, one)
    assert state(desk) == "sent"
    assert len({claimed.message.content for _, claimed in desk.attempts}) == 1


async def test_another_target_may_reach_the_recipient(desk: Desk) -> None:
    """A mailbox that another list holds is told through that one; also one that is added later."""
    (one,) = await create_obligations(desk)
    desk.reload(targets=[])
    await deliver(desk.context, one)
    assert state(desk) == "parked"
    desk.reload(targets=[email_target("other", "a@example.org")])
    await deliver(desk.context, one)
    assert state(desk) == "sent"


async def test_n03_broken_parks_and_tells_the_operators_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that refuses is left alone until a reload, whatever is owed to it; one notice says so."""
    targets = [slack_target(), log_target("ops", language="en")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await create_obligations(desk, articles=3)
        mekong = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong' ORDER BY id")]
        desk.script["mekong"] = [outcome("broken", detail="no_service")] * 3
        for one in mekong[:2]:
            await deliver(desk.context, one)
        assert not set(mekong) & set(due(desk))
        with desk.store.read() as tx:
            assert target_states.parked(tx) == {"mekong": "no_service"}
        assert _notices(desk) == ["mekong: nothing can be sent"]
        for one in due(desk):
            await deliver(desk.context, one)
        content = [c.message.content.decode() for who, c in desk.attempts if who == "log:ops"][-1]
        assert "no_service" in content
        desk.script["mekong"] = []
        desk.reload()
        assert set(mekong) <= set(due(desk))
        for one in mekong:
            assert await deliver(desk.context, one) is DeliveryState.SENT


async def test_the_operators_own_target_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told of it by the way that does not work."""
    with scripted(monkeypatch, Desk(tmp_path, targets=[slack_target("ops")], operators="ops")) as desk:
        (one,) = await create_obligations(desk)
        desk.script["ops"] = [outcome("broken")]
        await deliver(desk.context, one)
        assert _notices(desk) == []


def _notices(desk: Desk) -> list[str]:
    return [row[0] for row in desk.rows("SELECT subject FROM delivery WHERE collects = 'notice' ORDER BY id")]


async def test_n05_uncertain_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that may have arrived is repeated once, then given up, and the operators hear of it."""
    targets = [slack_target(), log_target("ops", language="en")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await create_obligations(desk)
        (one,) = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong'")]
        desk.script["mekong"] = [outcome("uncertain"), outcome("uncertain")]
        assert await deliver(desk.context, one) is DeliveryState.RETRY
        assert one not in due(desk)
        desk.later(minutes=6)
        assert await deliver(desk.context, one) is DeliveryState.FAILED
        assert _notices(desk) == ["mekong: a message was given up"]
        desk.later(days=1)
        assert one not in due(desk)


async def test_n05_a_doubt_holds_for_whoever_read_of_it_before(desk: Desk) -> None:
    """The pause after it keeps also another worker's list, and a second call in the same second, from sending."""
    (one,) = await create_obligations(desk)
    desk.script["desk"] = [outcome("uncertain")]
    assert await deliver(desk.context, one) is DeliveryState.RETRY
    assert await deliver(desk.context, one) is None
    desk.later(minutes=5)
    assert await deliver(desk.context, one) is DeliveryState.SENT
    assert len(desk.attempts) == 2


async def test_c16_a_doubt_after_stops_is_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five sends that stops cut off say nothing of the service: its own first timeout is tried once more."""
    with scripted(monkeypatch, Desk(tmp_path, targets=[slack_target()])) as desk:
        (one,) = await create_obligations(desk)
        for _ in range(5):
            started, forever = asyncio.Event(), asyncio.Event()

            async def hang(started: asyncio.Event = started, forever: asyncio.Event = forever) -> None:
                started.set()
                await forever.wait()

            desk.script["mekong"] = [hang]
            sending = asyncio.create_task(deliver(desk.context, one))
            await started.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            with desk.store.write() as tx:
                deliveries.release_own(tx, "desk", desk.now)
        desk.script["mekong"] = [outcome("uncertain")]
        assert await deliver(desk.context, one) is DeliveryState.RETRY
        assert desk.attempts[-1][1].uncertain == 5, "the message says that it may repeat"
        desk.later(minutes=6)
        assert await deliver(desk.context, one) is DeliveryState.SENT


@pytest.mark.parametrize("stale", ["sent", "not due", "collected more"])
async def test_a_turn_is_used_by_what_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stale: str) -> None:
    """A delivery that cannot go out takes neither the turn of a target with a rate nor another one's message."""
    target = replace(email_target("desk", "a@example.org"), pace=timedelta(minutes=10))
    with scripted(monkeypatch, Desk(tmp_path, targets=[target])) as desk:
        first, second = await create_obligations(desk, 2)
        desk.script["desk"] = [outcome("uncertain" if stale == "not due" else "sent")]
        assert await deliver(desk.context, first) is not None
        desk.later(minutes=2 if stale == "not due" else 11)
        if stale == "not due":
            with desk.store.write() as tx:
                tx.execute(sa.text("UPDATE target SET next_at = :now"), {"now": f"{desk.now:%F %T.%f}"})
        before = desk.one("SELECT next_at FROM target")
        if stale == "collected more":
            await sealing_a_moment_too_late(desk, monkeypatch, second)
        else:
            assert await deliver(desk.context, first) is None
        assert desk.one("SELECT next_at FROM target") == before
        assert await deliver(desk.context, second) is DeliveryState.SENT


async def sealing_a_moment_too_late(desk: Desk, monkeypatch: pytest.MonkeyPatch, delivery: int) -> None:
    """Try to send while one more obligation joins the delivery between its message and its claim."""
    made = job._sealed

    def slow(context: object, *rest: object) -> object:
        found = made(context, *rest)
        columns = "match_id, rule_id, article_id, target_id, recipient, verdict, suppression, why, delivery_id, created"
        with desk.store.write() as tx:
            tx.execute(
                sa.text(
                    f"INSERT INTO obligation (occasion, {columns}) "
                    f"SELECT 'development', {columns} FROM obligation WHERE delivery_id = :id"
                ),
                {"id": delivery},
            )
        return found

    with monkeypatch.context() as patch:
        patch.setattr(job, "_sealed", slow)
        assert await deliver(desk.context, delivery) is None


async def test_a_probe_is_used_by_what_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a target that fails, the one message that may be tried is not spent on one that was sent before."""
    target = email_target("desk", *(f"{name}@example.org" for name in "abcde"))
    with scripted(monkeypatch, Desk(tmp_path, targets=[target])) as desk:
        ids = await create_obligations(desk)
        desk.script["desk"] = [outcome("sent"), *[outcome("retry", shared=True)] * 3]
        for one in ids[:4]:
            await deliver(desk.context, one)
        assert desk.one("SELECT failures FROM target") == 3
        desk.later(minutes=2)
        assert await deliver(desk.context, ids[0]) is None
        assert await deliver(desk.context, ids[4]) is DeliveryState.SENT


async def test_operators_hear_of_a_failure_only_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a message that another worker sent meanwhile nothing is said, though it could not be made here."""
    targets = [slack_target(), log_target("ops", language="en")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        (one, *_) = await create_obligations(desk)

        def broken(*_: object, **__: object) -> None:
            with desk.store.write() as tx:
                tx.execute(sa.text("UPDATE delivery SET state = 'sent' WHERE id = :id"), {"id": one})
            raise OverflowError("as the test says")

        monkeypatch.setattr(job, "seal", broken)
        assert await deliver(desk.context, one) is None
        assert (state(desk, one), _notices(desk)) == ("sent", [])


@pytest.mark.parametrize(
    ("language", "subject", "lines"),
    [
        ("en", "mekong: a message was given up", ["slack:mekong: Hun Sen en visite, jour {n}", "refused: no {n}"]),
        (
            "fr",
            "mekong : un message a été abandonné",
            ["slack:mekong : Hun Sen en visite, jour {n}", "refusé : no {n}"],
        ),
    ],
)
async def test_failures_are_told_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, subject: str, lines: list[str]
) -> None:
    """The first at once; those of the quarter of an hour after it in one message, each with recipient and article."""
    targets = [slack_target(), log_target("ops", language=language)]
    routes = [Route(targets=("mekong",))]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, routes=routes, operators="ops")) as desk:
        ids = await create_obligations(desk, 6)
        desk.script["mekong"] = [outcome("permanent", detail=f"no {n}") for n in range(6)]
        assert await deliver(desk.context, ids[0]) is DeliveryState.FAILED
        (notice,) = set(due(desk)) - set(ids)
        assert await deliver(desk.context, notice) is DeliveryState.SENT
        for one in ids[1:]:
            await deliver(desk.context, one)
            desk.later(minutes=1)
        assert due(desk) == []
        desk.later(minutes=11)
        (together,) = due(desk)
        assert await deliver(desk.context, together) is DeliveryState.SENT
        first, second = (
            email.message_from_bytes(claimed.message.content, policy=email.policy.default)
            for who, claimed in desk.attempts
            if who == "log:ops"
        )
        assert [first["subject"], second["subject"]] == [f"[Veille] {subject}", f"[Veille] {subject} (+4)"]
        told = second.get_body(("plain",)).get_content().replace("\r\n", "\n")
        for n in range(1, 6):
            assert "\n".join(lines).format(n=n) in told
        assert lines[0].format(n=0) not in told


async def test_a_notice_that_grows_while_it_is_sealed_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice that joins between its bytes and its claim is in the next try's."""
    with scripted(monkeypatch, Desk(tmp_path, feeds=[], targets=[log_target("ops")])) as desk:

        def tell(subject: str) -> None:
            with desk.store.write() as tx:
                notice = Notice(subject=subject, body="Une ligne.", kind="message")
                open_deliveries.notify(tx, "ops", ["log:ops"], notice, desk.now)

        tell("un")
        made = job._sealed
        with monkeypatch.context() as patch:
            patch.setattr(job, "_sealed", lambda *given: (made(*given), tell("deux"))[0])
            assert await deliver(desk.context, 1) is None
        assert await deliver(desk.context, 1) is DeliveryState.SENT
        assert desk.attempts[0][1].message.subject == "[Veille] un (+1)"


async def test_permanent_is_dead_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is refused for good ends there; the target goes on."""
    targets = [slack_target(), log_target("ops", language="en")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await create_obligations(desk, articles=2)
        first, second = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong'")]
        desk.script["mekong"] = [outcome("permanent", detail="invalid_payload")]
        assert await deliver(desk.context, first) is DeliveryState.FAILED
        assert await deliver(desk.context, second) is DeliveryState.SENT
        assert desk.one(f"SELECT reason FROM delivery WHERE id = {first}") == "refused: invalid_payload"
        assert _notices(desk) == ["mekong: a message was given up"]


async def test_n21_poison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message whose attempts never come back is given up after five, each counted before it was made."""
    targets = [slack_target(), log_target("ops", language="en")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await create_obligations(desk)
        (one,) = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong'")]
        desk.script["mekong"] = [ZeroDivisionError("as the test says")] * 10
        for _ in range(MAX_CRASHES):
            with pytest.raises(ZeroDivisionError):
                await deliver(desk.context, one)
            assert one not in due(desk), "under its lease"
            desk.later(minutes=10)
            assert one in due(desk)
        await deliver(desk.context, one)
        assert state(desk, one) == "failed"
        assert len([who for who in desk.told if who == "slack:mekong"]) == MAX_CRASHES
        assert _notices(desk) == ["mekong: a message was not sent"]


async def test_a_message_that_cannot_be_made_is_parked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes back every second for ever; a version that can make it finds it at its start."""

    def broken(*_: object, **__: object) -> None:
        raise OverflowError("as the test says")

    (one,) = await create_obligations(desk)
    with monkeypatch.context() as patch:
        patch.setattr(job, "seal", broken)
        assert await deliver(desk.context, one) is None
    assert state(desk) == "parked"
    assert desk.one("SELECT reason FROM delivery") == "the message cannot be made: OverflowError: as the test says"
    assert due(desk) == []
    desk.reload()
    await deliver(desk.context, one)
    assert state(desk) == "sent"


async def test_a_date_that_no_zone_can_show(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first day of the calendar, told in New York: it is told all the same."""
    from worker.pipeline import ingest as ingest_job

    first = datetime(1, 1, 1, tzinfo=UTC)
    real = ingest_job.entries.read
    monkeypatch.setattr(
        ingest_job.entries,
        "read",
        lambda tx, ids: tuple(replace(e, parsed=replace(e.parsed, published=first)) for e in real(tx, ids)),
    )
    monkeypatch.setattr(ingest_job.entries, "held", lambda _, batch: frozenset(entry.id for entry in batch))
    desk.reload(targets=[replace(desk.targets[0], timezone="America/New_York")])
    (one,) = await create_obligations(desk)
    assert await deliver(desk.context, one) is DeliveryState.SENT


async def test_two_rules_of_one_article_collect(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a delivery is open, an update's match joins it: one message, both rules."""
    desk.reload(
        rules="""
[[rule]]
id = "visit"
name = "Une visite"
severity = "low"
when = "=visite"
[[rule]]
id = "place"
name = "Un lieu"
severity = "high"
when = "=Savannakhet"
"""
    )
    desk.web.feed(FEED, [Item("1", "Un titre", VISIT)])
    await desk.poll()
    from worker.pipeline.ingest import ingest
    from worker.store import entries

    async def ingest_ready() -> None:
        with desk.store.write() as tx:
            ids = entries.take_ready(tx, now=desk.now, lease=LEASE, limit=50)
        await ingest(desk.context, ids)

    await ingest_ready()
    desk.web.feed(FEED, [Item("1", "Un titre", VISIT + " " + MORE.format(n=4))])
    await desk.poll()
    await ingest_ready()
    (one,) = due(desk)
    await deliver(desk.context, one)
    content = email.message_from_bytes(desk.attempts[0][1].message.content, policy=email.policy.default)
    text = content.get_body(["plain"]).get_content()
    assert "Une visite" in text
    assert "Un lieu" in text
    assert desk.one("SELECT count(*) FROM obligation") == 2


async def test_those_that_wait_at_once_are_claimed_in_one_transaction(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them that no message can be made of is parked, and holds up no other."""
    ids = await create_obligations(desk, 3)
    bad = desk.one(f"SELECT key FROM delivery WHERE id = {ids[1]}")
    seal, points = job.seal, []

    def seal_most(*args: object, key: str, **named: object) -> object:
        if key == bad:
            raise ValueError(key)
        return seal(*args, key=key, **named)

    monkeypatch.setattr(job, "seal", seal_most)
    desk.context.fault_point = points.append
    came = await asyncio.gather(*(deliver(desk.context, one) for one in ids))
    assert came == [DeliveryState.SENT, None, DeliveryState.SENT]
    assert [state(desk, one) for one in ids] == ["sent", "parked", "sent"]
    assert points.count("before_claim_commit") == 1


async def test_two_workers_send_once(desk: Desk) -> None:
    """Of two that take the same delivery at once, one sends."""
    (one,) = await create_obligations(desk)
    came = await asyncio.gather(deliver(desk.context, one), deliver(desk.context, one))
    assert sorted(came, key=str) == [None, DeliveryState.SENT]
    assert len(desk.attempts) == 1


@pytest.mark.parametrize(
    "error",
    [StoreBusyError("busy"), MemoryError(), RuntimeError("can't start new thread"), KeyError("a bug")],
    ids=lambda error: type(error).__name__,
)
async def test_s03_what_was_sent_is_written_down_when_the_store_is_free(
    error: Exception, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure after the send is repaired without a second send: the store is busy, or this process at fault."""
    (one,) = await create_obligations(desk)
    real = job.deliveries.finish
    refusals = [error] * 3

    def finish(*args, **kwargs):
        if refusals:
            raise refusals.pop()
        return real(*args, **kwargs)

    monkeypatch.setattr(job.deliveries, "finish", finish)
    monkeypatch.setattr(job, "_PAUSES", (0, 0, 0, 0))
    assert await deliver(desk.context, one) is DeliveryState.SENT
    assert len(desk.attempts) == 1


async def test_seven_days_then_dead(desk: Desk) -> None:
    """An outage of three days loses nothing; after seven it is given up."""
    (one,) = await create_obligations(desk)
    desk.script["desk"] = [outcome("retry")] * 4
    assert await deliver(desk.context, one) is DeliveryState.RETRY
    desk.later(days=3)
    assert await deliver(desk.context, one) is DeliveryState.RETRY
    desk.later(days=5)
    assert await deliver(desk.context, one) is DeliveryState.FAILED


async def test_parked_for_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After thirty days nobody waits for a target's fix any more, and the operators are told how many it were."""
    targets = [slack_target(), log_target("ops", language="en")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await create_obligations(desk)
        desk.reload(targets=targets[1:])
        for one in due(desk):
            await deliver(desk.context, one)
        desk.now += PARKED_FOR + timedelta(hours=1)
        forget(desk.store, desk.context.live, desk.now)
        assert desk.rows("SELECT state FROM delivery WHERE target_id = 'mekong'") == [("failed",)]
        assert _notices(desk) == ["a parked message was given up"]


async def test_through_a_real_mail_server(tmp_path: Path) -> None:
    """451 for one mailbox, 250 for the other; then both have it, under one Message-ID each."""
    with SmtpSink({"RCPT": ["451 4.7.1 later"]}) as smtp:
        targets = [email_target("desk", "a@example.org", "b@example.org", port=smtp.port)]
        with Desk(tmp_path, targets=targets) as desk:
            first, second = await create_obligations(desk)
            assert await deliver(desk.context, first) is DeliveryState.RETRY
            assert await deliver(desk.context, second) is DeliveryState.SENT
            desk.later(hours=1)
            assert await deliver(desk.context, first) is DeliveryState.SENT
            ids = dict(desk.rows("SELECT recipient, message_id FROM delivery"))
    received = {
        mail.recipients[0]: email.message_from_bytes(mail.content, policy=email.policy.default)["Message-ID"]
        for mail in smtp.received
    }
    assert received == {who.removeprefix("mailto:"): key for who, key in ids.items()}
