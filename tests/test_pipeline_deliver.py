"""deliver: sealed before it is sent, counted before it is tried, and what came of it written down."""

import asyncio
import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from desk import FEED, VISIT, Desk, email_target, log_target, scripted, slack_target
from rig import Item
from sinks import SmtpSink

from worker.alert import MAX_CRASHES, PARKED_FOR
from worker.app.worker import forget
from worker.engine.embedded import LEASE
from worker.errors import StoreBusyError
from worker.model import DeliveryState, Outcome, Receipt, Templates
from worker.pipeline import deliver as job
from worker.pipeline.deliver import deliver
from worker.store import deliveries
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


async def owe(desk: Desk, articles: int = 1) -> list[int]:
    """Publish articles that match, up to what is owed; the deliveries' ids."""
    desk.script["nobody"] = []
    items = [Item(f"v{n}", f"Hun Sen en visite, jour {n}", f"{VISIT} {MORE.format(n=n)}") for n in range(articles)]
    desk.web.feed(FEED, items)
    await desk.poll()
    from worker.pipeline.ingest import ingest
    from worker.store import entries

    with desk.store.write() as tx:
        ids = entries.take_ready(tx, now=desk.now, lease=LEASE, limit=50)
    await ingest(desk.edges, ids)
    return [row[0] for row in desk.rows("SELECT id FROM delivery ORDER BY id")]


def due(desk: Desk) -> list[int]:
    with desk.store.read() as tx:
        return sorted(one.id for one in deliveries.due(tx, now=desk.now, limit=100))


def state(desk: Desk, delivery: int = 1) -> str:
    return str(desk.one(f"SELECT state FROM delivery WHERE id = {delivery}"))


async def test_a_template_that_fails_loses_nothing(desk: Desk) -> None:
    """The shipped template makes the message, and the log says which one did not."""
    (one,) = await owe(desk)
    own = Templates(folder="/own", sources=(("alert.html", "<p>\n{{ nothing }}</p>"),))
    desk.edges.live = replace(desk.edges.live, config=replace(desk.edges.live.config, templates=own))
    with structlog.testing.capture_logs() as logged:
        assert await deliver(desk.edges, one) is DeliveryState.SENT
    ((_, claimed),) = desk.attempts
    assert b"<!doctype html>" in claimed.message.content
    (said,) = [line for line in logged if "problem" in line]
    assert said["problem"] == "/own/alert.html:2: the template fails: 'nothing' is undefined"


async def test_the_operators_hear_once_of_a_template_that_fails(desk: Desk) -> None:
    """However many messages it fails for; the notice's own template may fail as well."""
    await owe(desk, 3)
    own = Templates(folder="/own", sources=(("alert.html", "{{ nothing }}"), ("notice.html", "{{ nothing }}")))
    config = replace(desk.edges.live.config, templates=own, operators="desk")
    desk.edges.live = replace(desk.edges.live, config=config)
    while waiting := due(desk):
        for one in waiting:
            await deliver(desk.edges, one)
    notices = [row[0] for row in desk.rows("SELECT subject FROM delivery WHERE collects = 'notice' ORDER BY id")]
    assert notices == ["[Veille] a template fails"] * 2, "one for each template"


async def test_a_template_makes_the_message(desk: Desk) -> None:
    """The user's own, where it works."""
    (one,) = await owe(desk)
    own = Templates(folder="/own", sources=(("alert.html", "<p>{{ views[0].source }}</p>"),))
    desk.edges.live = replace(desk.edges.live, config=replace(desk.edges.live.config, templates=own))
    await deliver(desk.edges, one)
    ((_, claimed),) = desk.attempts
    assert b"<p>Le Fil</p>" in claimed.message.content


async def test_sealed_once_and_sent_the_same(desk: Desk) -> None:
    """Every retry sends the same bytes under the same Message-ID, whatever changed meanwhile."""
    (one,) = await owe(desk)
    desk.script["desk"] = [outcome("retry"), outcome("uncertain"), outcome("retry")]
    for n in range(4):
        desk.reload(now=desk.now + timedelta(hours=n), targets=[replace(desk.targets[0], language="en")])
        await deliver(desk.edges, one)
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
    """When a sender is called, its bytes and its attempt are in the store already."""
    (one,) = await owe(desk)
    seen = []

    async def look() -> Receipt:
        seen.extend(desk.rows("SELECT d.content, d.attempts, a.outcome FROM delivery d JOIN attempt a"))
        return outcome("sent")

    desk.script["desk"] = [look]
    await deliver(desk.edges, one)
    assert seen == [(desk.attempts[0][1].message.content, 1, "")]


async def test_retries_back_off_and_keep_what_the_server_asked(desk: Desk) -> None:
    """A retry waits half a minute at first, and never less than the other side said."""
    (one,) = await owe(desk)
    desk.script["desk"] = [outcome("retry"), outcome("retry", after=3600)]
    assert await deliver(desk.edges, one) is DeliveryState.RETRY
    desk.later(seconds=29)
    assert due(desk) == []
    desk.later(seconds=9)
    assert due(desk) == [one]
    await deliver(desk.edges, one)
    desk.later(seconds=3599)
    assert due(desk) == []
    desk.later(seconds=2)
    assert due(desk) == [one]


async def test_n01_slack_429_blocks_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web service's "later" is meant for all that it is sent; other targets go on."""
    targets = [slack_target(), log_target()]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets)) as desk:
        await owe(desk, articles=3)
        first = desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong' ORDER BY id")[0][0]
        desk.script["mekong"] = [outcome("retry", after=120, shared=True)]
        await deliver(desk.edges, first)
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
        first, second = await owe(desk)
        desk.script["mailto:a@example.org"] = [outcome("retry", after=300)]
        await deliver(desk.edges, first)
        assert due(desk) == [second]


@pytest.mark.parametrize("sealed", [False, True], ids=["open", "sealed"])
async def test_a_removed_target_parks_and_returns(desk: Desk, sealed: bool) -> None:
    """R06: what is owed to a target that a reload removed waits, and is sent when it is back."""
    (one,) = await owe(desk)
    if sealed:
        desk.script["desk"] = [outcome("retry")]
        await deliver(desk.edges, one)
        desk.later(minutes=1)
    target = desk.targets[0]
    desk.reload(targets=[log_target()])
    await deliver(desk.edges, one)
    assert state(desk) == "parked"
    assert due(desk) == []
    desk.reload(targets=[target])
    assert due(desk) == [one]
    await deliver(desk.edges, one)
    assert state(desk) == "sent"
    assert len({claimed.message.content for _, claimed in desk.attempts}) == 1


async def test_another_target_may_reach_the_recipient(desk: Desk) -> None:
    """A mailbox that another list holds is told through that one; also one that is added later."""
    (one,) = await owe(desk)
    desk.reload(targets=[])
    await deliver(desk.edges, one)
    assert state(desk) == "parked"
    desk.reload(targets=[email_target("other", "a@example.org")])
    await deliver(desk.edges, one)
    assert state(desk) == "sent"


async def test_n03_broken_parks_and_tells_the_operators_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that refuses is left alone until a reload, whatever is owed to it; one notice says so."""
    targets = [slack_target(), log_target("ops")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await owe(desk, articles=3)
        mekong = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong' ORDER BY id")]
        desk.script["mekong"] = [outcome("broken", detail="no_service")] * 3
        for one in mekong[:2]:
            await deliver(desk.edges, one)
        assert not set(mekong) & set(due(desk))
        with desk.store.read() as tx:
            assert target_states.parked(tx) == {"mekong": "no_service"}
        assert _notices(desk) == ["mekong: nothing can be sent"]
        for one in due(desk):
            await deliver(desk.edges, one)
        content = [c.message.content.decode() for who, c in desk.attempts if who == "log:ops"][-1]
        assert "no_service" in content
        desk.script["mekong"] = []
        desk.reload()
        assert set(mekong) <= set(due(desk))
        for one in mekong:
            assert await deliver(desk.edges, one) is DeliveryState.SENT


async def test_the_operators_own_target_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told of it by the way that does not work."""
    with scripted(monkeypatch, Desk(tmp_path, targets=[slack_target("ops")], operators="ops")) as desk:
        (one,) = await owe(desk)
        desk.script["ops"] = [outcome("broken")]
        await deliver(desk.edges, one)
        assert _notices(desk) == []


def _notices(desk: Desk) -> list[str]:
    return [row[0] for row in desk.rows("SELECT subject FROM delivery WHERE collects = 'notice' ORDER BY id")]


async def test_n05_uncertain_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may have arrived is repeated once, then given up, and the operators hear of it."""
    targets = [slack_target(), log_target("ops")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await owe(desk)
        (one,) = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong'")]
        desk.script["mekong"] = [outcome("uncertain"), outcome("uncertain")]
        assert await deliver(desk.edges, one) is DeliveryState.RETRY
        assert one not in due(desk)
        desk.later(minutes=6)
        assert await deliver(desk.edges, one) is DeliveryState.DEAD
        assert _notices(desk) == ["mekong: a message was given up"]
        desk.later(days=1)
        assert one not in due(desk)


async def test_permanent_is_dead_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is refused for good ends there; the target goes on."""
    targets = [slack_target(), log_target("ops")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await owe(desk, articles=2)
        first, second = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong'")]
        desk.script["mekong"] = [outcome("permanent", detail="invalid_payload")]
        assert await deliver(desk.edges, first) is DeliveryState.DEAD
        assert await deliver(desk.edges, second) is DeliveryState.SENT
        assert desk.one(f"SELECT reason FROM delivery WHERE id = {first}") == "refused: invalid_payload"
        assert _notices(desk) == ["mekong: a message was given up"]


async def test_n21_poison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message whose attempts never come back is given up after five, each counted before it was made."""
    targets = [slack_target(), log_target("ops")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await owe(desk)
        (one,) = [row[0] for row in desk.rows("SELECT id FROM delivery WHERE target_id = 'mekong'")]
        desk.script["mekong"] = [ZeroDivisionError("as the test says")] * 10
        for _ in range(MAX_CRASHES):
            with pytest.raises(ZeroDivisionError):
                await deliver(desk.edges, one)
            assert one not in due(desk), "under its lease"
            desk.later(minutes=10)
            assert one in due(desk)
        await deliver(desk.edges, one)
        assert state(desk, one) == "dead"
        assert len([who for who in desk.told if who == "slack:mekong"]) == MAX_CRASHES
        assert _notices(desk) == ["mekong: a message was not sent"]


async def test_a_message_that_cannot_be_made_is_parked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes back every second for ever; a version that can make it finds it at its start."""

    def broken(*_: object, **__: object) -> None:
        raise OverflowError("as the test says")

    (one,) = await owe(desk)
    with monkeypatch.context() as patch:
        patch.setattr(job, "seal", broken)
        assert await deliver(desk.edges, one) is None
    assert state(desk) == "parked"
    assert desk.one("SELECT reason FROM delivery") == "the message cannot be made: OverflowError: as the test says"
    assert due(desk) == []
    desk.reload()
    await deliver(desk.edges, one)
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
    (one,) = await owe(desk)
    assert await deliver(desk.edges, one) is DeliveryState.SENT


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
        await ingest(desk.edges, ids)

    await ingest_ready()
    desk.web.feed(FEED, [Item("1", "Un titre", VISIT + " " + MORE.format(n=4))])
    await desk.poll()
    await ingest_ready()
    (one,) = due(desk)
    await deliver(desk.edges, one)
    content = email.message_from_bytes(desk.attempts[0][1].message.content, policy=email.policy.default)
    text = content.get_body(["plain"]).get_content()
    assert "Une visite" in text
    assert "Un lieu" in text
    assert desk.one("SELECT count(*) FROM obligation") == 2


async def test_two_workers_send_once(desk: Desk) -> None:
    """Of two that take the same delivery at once, one sends."""
    (one,) = await owe(desk)
    came = await asyncio.gather(deliver(desk.edges, one), deliver(desk.edges, one))
    assert sorted(came, key=str) == [None, DeliveryState.SENT]
    assert len(desk.attempts) == 1


async def test_s03_what_was_sent_is_written_down_when_the_store_is_free(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is busy after the send is asked again, instead of the recipient being told again."""
    (one,) = await owe(desk)
    real = job.deliveries.finish
    refusals = [StoreBusyError("busy")] * 3

    def finish(*args, **kwargs):
        if refusals:
            raise refusals.pop()
        return real(*args, **kwargs)

    monkeypatch.setattr(job.deliveries, "finish", finish)
    monkeypatch.setattr(job, "_PAUSES", (0, 0, 0, 0))
    assert await deliver(desk.edges, one) is DeliveryState.SENT
    assert len(desk.attempts) == 1


async def test_seven_days_then_dead(desk: Desk) -> None:
    """An outage of three days loses nothing; after seven it is given up."""
    (one,) = await owe(desk)
    desk.script["desk"] = [outcome("retry")] * 4
    assert await deliver(desk.edges, one) is DeliveryState.RETRY
    desk.later(days=3)
    assert await deliver(desk.edges, one) is DeliveryState.RETRY
    desk.later(days=5)
    assert await deliver(desk.edges, one) is DeliveryState.DEAD


async def test_parked_for_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After thirty days nobody waits for a target's mend any more, and the operators are told how many it were."""
    targets = [slack_target(), log_target("ops")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, operators="ops")) as desk:
        await owe(desk)
        desk.reload(targets=targets[1:])
        for one in due(desk):
            await deliver(desk.edges, one)
        desk.now += PARKED_FOR + timedelta(hours=1)
        forget(desk.store, desk.edges.live, desk.now)
        assert desk.rows("SELECT state FROM delivery WHERE target_id = 'mekong'") == [("dead",)]
        assert _notices(desk) == ["1 parked messages were given up"]


async def test_through_a_real_mail_server(tmp_path: Path) -> None:
    """451 for one mailbox, 250 for the other; then both have it, under one Message-ID each."""
    with SmtpSink({"RCPT": ["451 4.7.1 later"]}) as smtp:
        targets = [email_target("desk", "a@example.org", "b@example.org", port=smtp.port)]
        with Desk(tmp_path, targets=targets) as desk:
            first, second = await owe(desk)
            assert await deliver(desk.edges, first) is DeliveryState.RETRY
            assert await deliver(desk.edges, second) is DeliveryState.SENT
            desk.later(hours=1)
            assert await deliver(desk.edges, first) is DeliveryState.SENT
            ids = dict(desk.rows("SELECT recipient, message_id FROM delivery"))
    received = {
        mail.recipients[0]: email.message_from_bytes(mail.content, policy=email.policy.default)["Message-ID"]
        for mail in smtp.received
    }
    assert received == {who.removeprefix("mailto:"): key for who, key in ids.items()}
