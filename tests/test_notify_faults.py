"""Faults of channels through the whole job, against scripted servers: N01 to N12 and N20 to N22, then the oracle.

Single attempts and what each answer means are in test_deliver.py; here it counts that nothing is lost and nothing told
twice without a reason.
"""

import email
import email.policy
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from desk import FEED, VISIT, Desk, email_target, log_target
from rig import Item
from sinks import Act, HttpSink, Reply, SmtpSink, free_port

from worker.model import Channel, Claimed, DeliveryState, Notice, Outcome, Receipt, Secret, SlackSettings, Target
from worker.net.client import Client
from worker.notify import senders as channels
from worker.pipeline import deliver as job
from worker.pipeline.deliver import deliver
from worker.pipeline.ingest import ingest
from worker.runtime.embedded import LEASE
from worker.store import deliveries, entries, ledger, open_deliveries
from worker.store import targets as target_states

MORE = "Le calendrier du bureau {n} prévoit {n} autres rencontres, dont {n} à Paksé et {n} à Savannakhet."


def slack(url: str, name: str = "mekong", *, pace: timedelta | None = None) -> Target:
    """A webhook of a sink."""
    settings = SlackSettings(webhook=Secret(f"{url}/services/{name}"))
    return Target(
        id=name, channel=Channel.SLACK, settings=settings, recipients=(f"slack:{name}",), language="en", pace=pace
    )


@dataclass
class Bench:
    """A desk whose channels are real, and its servers."""

    desk: Desk
    #: Of the articles that are to be told.
    owed: set[str]

    async def publish(self, articles: int) -> None:
        """Articles of which each second is to be told, up to what is owed."""
        desk = self.desk
        first = len(self.owed) * 2
        numbers = range(first, first + 2 * articles)
        told = [n for n in numbers if n % 2 == 0]
        items = [
            Item(f"Z{n}", f"Dépêche Z{n}", f"{VISIT if n in told else ''} {MORE.format(n=n)} {'mot ' * (n % 7)}")
            for n in numbers
        ]
        desk.web.feed(FEED, items)
        await desk.poll()
        with desk.store.write() as tx:
            ids = entries.take_ready(tx, now=desk.now, lease=LEASE, limit=200)
        await ingest(desk.context, ids)
        self.owed |= {f"Z{n}" for n in told}

    def due(self) -> list[int]:
        with self.desk.store.read() as tx:
            return [one.id for one in deliveries.due(tx, now=self.desk.now, limit=200)]

    async def sweep(self) -> list[DeliveryState | None]:
        """The engine's work at a tick; each delivery's outcome."""
        return [await deliver(self.desk.context, one) for one in self.due()]

    def next_event(self) -> datetime | None:
        """The time at which something is due again, by the store."""
        waits = "coalesce(t.blocked_until, ''), coalesce(t.probe_at, ''), coalesce(t.next_at, '')"
        at = self.desk.one(
            f"SELECT min(max(d.due, coalesce(d.lease_until, ''), {waits}))"
            " FROM delivery d LEFT JOIN target t ON t.id = d.target_id"
            " WHERE d.state IN ('open', 'sealed', 'retry') AND coalesce(t.parked, '') = ''"
        )
        return None if at is None else datetime.fromisoformat(at).replace(tzinfo=UTC)

    async def run(self, **limit: float) -> None:
        """Let time pass from one event to the next, until nothing is owed or the time is over."""
        end = self.desk.now + timedelta(**limit)
        while (at := self.next_event()) is not None and at <= end:
            self.desk.now = max(at, self.desk.now)
            await self.sweep()
        if at is not None:
            self.desk.now = end

    def states(self) -> dict[str, int]:
        with self.desk.store.read() as tx:
            return {state: n for state, n in deliveries.counts(tx).items() if n}

    def notices(self) -> list[str]:
        rows = self.desk.rows("SELECT subject FROM delivery WHERE collects = 'notice' ORDER BY id")
        return [subject.removeprefix("[Veille] ") for (subject,) in rows]

    def assert_nothing_lost(
        self, *, smtp: SmtpSink | None = None, http: HttpSink | None = None, refused: int = 0
    ) -> Counter[tuple[str, str]]:
        """The oracle, of all that was published and all that the sinks took; how often each arrived.

        The first `refused` requests of `http` were answered with a refusal.
        """
        desk = self.desk
        recipients = [one for target in desk.targets for one in target.recipients if target.channel is not Channel.LOG]
        owed = {(name, who) for name in self.owed for who in recipients}
        arrived: Counter[tuple[str, str]] = Counter()
        for mail in smtp.received if smtp else ():
            subject = email.message_from_bytes(mail.content, policy=email.policy.default)["subject"]
            arrived[_named(subject), f"mailto:{mail.recipients[0]}"] += 1
        for post in http.received[refused:] if http else ():
            arrived[_named(json.loads(post.body)["text"]), f"slack:{post.path.rpartition('/')[2]}"] += 1
        rows = desk.rows(
            "SELECT r.title, o.recipient, d.state, d.reason, d.id FROM obligation o"
            " JOIN delivery d ON d.id = o.delivery_id JOIN revision r ON r.article_id = o.article_id"
        )
        assert Counter((_named(title), who) for title, who, *_ in rows) == Counter(dict.fromkeys(owed, 1)), (
            "O2: owed once"
        )
        for title, who, state, reason, delivery in rows:
            times = arrived[_named(title), who]
            doubts = desk.one(
                f"SELECT count(*) FROM attempt WHERE delivery_id = {delivery} AND outcome IN ('', 'uncertain')"
            )
            assert state != "sent" or times >= 1, f"O3: {title} for {who} is called sent"
            assert times <= 1 + doubts, f"O3: {title} for {who} arrived {times} times without a reason"
            assert state != "failed" or reason, "O3: failed without a reason"
        with desk.store.read() as tx:
            assert ledger.audit(tx) == ()
        assert desk.rows("PRAGMA integrity_check") == [("ok",)]
        assert desk.rows("PRAGMA foreign_key_check") == []
        return arrived


def _named(text: str) -> str:
    found = re.search(r"Z\d+", text)
    assert found, text
    return found[0]


Make = Callable[..., Bench]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes a desk that reaches servers on loopback."""
    clients: list[_Both] = []

    def make(*targets: Target, operators: str = "") -> Bench:
        desk = Desk(tmp_path, targets=targets, operators=operators)
        clients.append(_Both(desk))
        desk.context = replace(desk.context, client=clients[-1])  # type: ignore[arg-type]  has what jobs call
        return Bench(desk=desk, owed=set())

    yield make
    for client in clients:
        await client.aclose()


class _Both:
    """The feeds that the test writes, and the real loopback."""

    def __init__(self, desk: Desk) -> None:
        self._feeds, self._real = desk.context.client, Client(allow=["127.0.0.0/8"], user_agent="test")

    async def request(self, method: str, url: str, **more: object) -> object:
        client = self._real if "//127.0.0.1" in url else self._feeds
        return await client.request(method, url, **more)  # type: ignore[arg-type]  as the client has it

    async def aclose(self) -> None:
        """Close the real one's connections."""
        await self._real.aclose()


# --- scripted servers ----------------------------------------------------------------------------------------------


async def test_n01_429_holds_the_whole_target(bench: Make) -> None:
    """Retry-After is meant for all that Slack is sent; mail goes on meanwhile."""
    with HttpSink(Reply(status=429, headers={"Retry-After": "3"})) as http, SmtpSink() as smtp:
        it = bench(slack(http.url), email_target("desk", "a@example.org", port=smtp.port))
        await it.publish(3)
        await it.sweep()
        assert len(http.received) == 1
        assert len(smtp.received) == 3
        it.desk.later(seconds=2.9)
        assert it.due() == []
        await it.run(hours=1)
        assert len(http.received) == 4
        assert it.states() == {"sent": 6}
        it.assert_nothing_lost(smtp=smtp, http=http, refused=1)


async def test_n03_what_refuses_is_parked_until_it_is_mended(bench: Make) -> None:
    """404, 403 and 401 are of the address: nothing is dropped, and all is sent once the configuration is read again."""
    refusals = [Reply(status=404, body=b"no_service"), Reply(status=403, body=b"action_prohibited"), Reply(status=401)]
    with HttpSink(*refusals) as http:
        it = bench(slack(http.url))
        await it.publish(4)
        for refused in range(1, len(refusals) + 1):
            await it.sweep()
            await it.run(days=2)
            assert len(http.received) == refused, "one refusal, then silence"
            it.desk.reload()
        await it.sweep()
        assert it.states() == {"sent": 4}
        it.assert_nothing_lost(http=http, refused=3)


async def test_n03_a_bad_message_is_dead_and_the_others_arrive(bench: Make) -> None:
    """400 is of the message: it is given up with its reason, and nothing else is."""
    with HttpSink(Reply(status=400, body=b"invalid_payload")) as http:
        it = bench(slack(http.url))
        await it.publish(3)
        await it.sweep()
        assert it.states() == {"sent": 2, "failed": 1}
        assert it.desk.one("SELECT reason FROM delivery WHERE state = 'failed'") == "refused: 400 invalid_payload"
        it.assert_nothing_lost(http=http, refused=1)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param([Reply(status=500)] * 3, id="500"),
        pytest.param([Reply(status=503, headers={"Retry-After": "60"}), Reply(status=502)], id="503-and-502"),
    ],
)
async def test_n04_server_errors_pass(bench: Make, fault: list[Reply]) -> None:
    """Tried again at pauses that grow, and each arrives once."""
    with HttpSink(*fault) as http:
        it = bench(slack(http.url))
        await it.publish(2)
        await it.run(hours=1)
        assert it.states() == {"sent": 2}
        assert len(http.received) == 2 + len(fault)
        it.assert_nothing_lost(http=http, refused=len(fault))


@pytest.mark.parametrize("script", [{"CONNECT": [Act.DROP] * 3}, {"RCPT": [Act.DROP] * 3}], ids=["at-once", "at-RCPT"])
async def test_n04_connections_that_break_pass(bench: Make, script: dict[str, list[Act]]) -> None:
    """A reset before the text is under way leaves nothing open: each arrives once."""
    with SmtpSink(script) as smtp:
        it = bench(email_target("desk", "a@example.org", port=smtp.port))
        await it.publish(3)
        await it.run(hours=1)
        assert it.states() == {"sent": 3}
        assert set(it.assert_nothing_lost(smtp=smtp).values()) == {1}


async def test_n04_nobody_listens(bench: Make) -> None:
    """A server that is down for hours: what waits is kept, tried with one message at a time, and sent when it is up."""
    it = bench(email_target("desk", "a@example.org", port=free_port()))
    await it.publish(8)
    await it.run(hours=8)
    attempts = it.desk.one("SELECT count(*) FROM attempt")
    assert attempts < 8 * 4 * 2, "not every message every quarter of an hour"
    with SmtpSink() as smtp:
        it.desk.reload(targets=[email_target("desk", "a@example.org", port=smtp.port)])
        await it.run(hours=1)
        assert it.states() == {"sent": 8}
        assert set(it.assert_nothing_lost(smtp=smtp).values()) == {1}


async def test_n05_taken_and_not_answered_is_told_twice_at_most(bench: Make) -> None:
    """Slack took it and hung up: it is repeated once, under the same key, and says that it may be a repeat."""
    with HttpSink(Reply(drop=True)) as http:
        it = bench(slack(http.url))
        await it.publish(1)
        await it.sweep()
        assert it.states() == {"retry": 1}
        await it.run(hours=1)
        assert it.states() == {"sent": 1}
        first, second = (json.loads(post.body) for post in http.received)
        assert second["blocks"][0] == first["blocks"][0], "the key"
        assert "(may repeat)" not in json.dumps(first)
        assert second["text"].endswith("(may repeat)")
        assert set(it.assert_nothing_lost(http=http).values()) == {2}
        sealed = json.loads(it.desk.one("SELECT content FROM delivery"))
        assert sealed == first, "what is stored is what was sealed"


async def test_n06_200_that_is_no_success(bench: Make) -> None:
    """A proxy's login page and a redirect to one that answers well are failures, and the redirect is not followed."""
    script = [Reply(body=b"<html>login</html>"), Reply(status=302, headers={"Location": "/elsewhere"})]
    with HttpSink(*script) as http:
        it = bench(slack(http.url))
        await it.publish(1)
        await it.run(hours=1)
        assert it.states() == {"sent": 1}
        assert {post.path for post in http.received} == {"/services/mekong"}
        it.assert_nothing_lost(http=http, refused=2)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the job runs after it."""


@pytest.mark.parametrize(("point", "copies"), [("before_send", 1), ("after_send_before_mark", 2)])
async def test_n07_killed_around_the_send(bench: Make, point: str, copies: int) -> None:
    """Nothing is lost; it is repeated only if it had been sent, once, with the same bytes and Message-ID."""
    with SmtpSink() as smtp:
        it = bench(email_target("desk", "a@example.org", port=smtp.port))
        await it.publish(1)

        def kill(at: str) -> None:
            if at == point:
                raise Killed

        context = it.desk.context
        with pytest.raises(Killed):
            await deliver(replace(context, fault_point=kill), it.due()[0])
        assert it.due() == [], "under its lease"
        await it.run(hours=1)
        assert it.states() == {"sent": 1}
        assert set(it.assert_nothing_lost(smtp=smtp).values()) == {copies}
        assert len({mail.content for mail in smtp.received}) == 1


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"RCPT": ["451 4.7.1 greylisted"] * 2}, id="451-at-RCPT"),
        pytest.param({"DATA": ["452 4.3.1 no space"] * 2}, id="452-at-DATA"),
        pytest.param({"TEXT": ["451 4.3.0 later"] * 2}, id="451-after-the-text"),
        pytest.param({"CONNECT": ["421 too busy"] * 2}, id="421-at-once"),
    ],
)
async def test_n08_deferred_mail_comes_back_after_five_minutes(bench: Make, script: dict[str, list[str]]) -> None:
    """A message that comes back sooner is refused again; one that is deferred holds nothing else up."""
    with SmtpSink(script) as smtp:
        it = bench(email_target("desk", "a@example.org", "b@example.org", "c@example.org", port=smtp.port))
        await it.publish(1)
        assert [str(state) for state in await it.sweep()] == ["retry", "retry", "sent"]
        began = it.desk.now
        await it.run(minutes=4.9)
        assert len(smtp.received) == 1
        await it.run(hours=1)
        assert it.states() == {"sent": 3}
        assert it.desk.now - began >= timedelta(minutes=5)
        assert set(it.assert_nothing_lost(smtp=smtp).values()) == {1}


@pytest.mark.parametrize(
    ("script", "after"),
    [
        pytest.param({"RCPT": ["550 5.1.1 no such user"]}, {"failed": 1, "sent": 1}, id="550-at-RCPT"),
        pytest.param({"DATA": ["554 5.5.1 no"]}, {"failed": 1, "sent": 1}, id="554-at-DATA"),
        pytest.param({"TEXT": ["554 5.7.1 refused"]}, {"failed": 1, "sent": 1}, id="554-after-the-text"),
    ],
)
async def test_n09_refused_mail_is_dead_for_its_recipient(
    bench: Make, script: dict[str, list[str]], after: dict[str, int]
) -> None:
    """5xx of a message is final for one recipient, with its reason, and for nobody else."""
    with SmtpSink(script) as smtp:
        it = bench(email_target("desk", "a@example.org", "b@example.org", port=smtp.port))
        await it.publish(1)
        await it.run(hours=1)
        assert it.states() == after
        assert [mail.recipients for mail in smtp.received] == [("b@example.org",)]
        it.assert_nothing_lost(smtp=smtp)


async def test_n09_refused_login_parks_the_target(bench: Make) -> None:
    """535 is of the settings: nothing is tried or dropped until they change."""
    target = email_target("desk", "a@example.org", "b@example.org")
    with SmtpSink(login=("veille", "right")) as smtp:

        def with_password(password: str) -> Target:
            settings = replace(target.settings, port=smtp.port, username="veille", password=Secret(password))
            return replace(target, settings=settings)

        it = bench(with_password("wrong"))
        await it.publish(1)
        await it.run(days=1)
        assert smtp.commands.count("AUTH") == 1
        assert it.states() == {"parked": 1, "open": 1}
        it.desk.reload(targets=[with_password("right")])
        await it.run(hours=1)
        assert it.states() == {"sent": 2}
        assert set(it.assert_nothing_lost(smtp=smtp).values()) == {1}


async def test_n10_recipients_of_one_target_fare_apart(bench: Make) -> None:
    """One mailbox is deferred, one refused, one takes it: each has what it is owed once, or a reason."""
    with SmtpSink({"RCPT": ["451 4.2.1 later", "550 5.1.1 no such user"]}) as smtp:
        it = bench(email_target("desk", "a@example.org", "b@example.org", "c@example.org", port=smtp.port))
        await it.publish(1)
        await it.run(hours=1)
        assert it.states() == {"sent": 2, "failed": 1}
        arrived = it.assert_nothing_lost(smtp=smtp)
        assert arrived == {("Z0", "mailto:a@example.org"): 1, ("Z0", "mailto:c@example.org"): 1}


@pytest.mark.parametrize(
    ("verb", "again"),
    [
        pytest.param("CONNECT", 1, id="silent-banner"),
        pytest.param("RCPT", 1, id="stall-at-RCPT"),
        pytest.param("TEXT", 2, id="stall-after-the-final-dot"),
    ],
)
async def test_n11_a_server_that_stalls(bench: Make, verb: str, again: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline ends it; only after the final dot it may have arrived, and is repeated under the same Message-ID."""
    monkeypatch.setattr(channels.email, "_SECONDS", 1.0)
    with SmtpSink({verb: [Act.STALL]}) as smtp:
        it = bench(email_target("desk", "a@example.org", port=smtp.port))
        await it.publish(1)
        await it.sweep()
        monkeypatch.setattr(channels.email, "_SECONDS", 30)
        await it.run(hours=1)
        assert it.states() == {"sent": 1}
        assert set(it.assert_nothing_lost(smtp=smtp).values()) == {again}
        assert len({mail.content for mail in smtp.received}) == 1


async def test_n12_no_tls_no_mail(bench: Make) -> None:
    """No word is said and nothing dropped if STARTTLS is required and was stripped; mail is sent once it is back."""
    target = email_target("desk", "a@example.org")
    with SmtpSink() as smtp:

        def over(tls: str) -> Target:
            return replace(target, settings=replace(target.settings, port=smtp.port, tls=tls))

        it = bench(over("starttls"), log_target("ops", language="en"), operators="ops")
        await it.publish(1)
        await it.run(days=1)
        assert "MAIL" not in smtp.commands
        assert it.notices() == ["desk: nothing can be sent"]
        it.desk.reload(targets=[over("none"), log_target("ops", language="en")])
        await it.run(hours=1)
        assert len(smtp.received) == 1


async def test_n20_one_dead_target_slows_no_other(bench: Make) -> None:
    """Of three targets one is dead: the others are told in the same sweep, once each."""
    with HttpSink() as http, SmtpSink() as smtp:
        dead = replace(slack(f"http://127.0.0.1:{free_port()}", "dead"))
        it = bench(dead, slack(http.url, "live"), email_target("desk", "a@example.org", port=smtp.port))
        await it.publish(5)
        await it.sweep()
        assert (len(http.received), len(smtp.received)) == (5, 5)
        await it.run(hours=3)
        assert (len(http.received), len(smtp.received)) == (5, 5)
        assert it.states() == {"sent": 10, "retry": 5}
        it.assert_nothing_lost(http=http, smtp=smtp)


# --- scripted outcomes ---------------------------------------------------------------------------------------------


class Line:
    """A sender that notes when it was asked for what, and answers by the clock."""

    def __init__(self, it: Bench, answer: Callable[[Target, datetime], Receipt]) -> None:
        self.asked: list[tuple[datetime, str, int]] = []
        self._it, self._answer = it, answer

    async def send(self, claimed: Claimed, target: Target, **_: object) -> Receipt:
        now = self._it.desk.now
        self.asked.append((now, target.id, claimed.id))
        return self._answer(target, now)

    def times(self, target: str) -> list[datetime]:
        return [at for at, name, _ in self.asked if name == target]


SENT = Receipt(outcome=Outcome.SENT)


def down(detail: str = "as the test says", *, after: float | None = None) -> Receipt:
    wait = None if after is None else timedelta(seconds=after)
    return Receipt(outcome=Outcome.RETRY, detail=detail, after=wait, shared=True)


def owe_notices(it: Bench, target: Target, count: int) -> None:
    """A notice, which needs no article and no feed."""
    with it.desk.store.write() as tx:
        for n in range(count):
            open_deliveries.notify(tx, target.id, target.recipients, Notice(subject=f"Z{n}", body="..."), it.desk.now)


@pytest.mark.parametrize("count", [1, 12], ids=["one-waits", "many-wait"])
@pytest.mark.parametrize("after", [1, 30, 400], ids="after-{}".format)
async def test_n02_429_for_two_hours(bench: Make, count: int, after: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second answer on, Slack is asked once in five minutes at most, whoever waits; then all is sent."""
    target = slack("http://127.0.0.1:1", pace=timedelta(seconds=1))
    it = bench(target)
    end = it.desk.now + timedelta(hours=2)
    line = Line(it, lambda _, now: down("429", after=after) if now < end else SENT)
    monkeypatch.setattr(job, "send", line.send)
    owe_notices(it, target, count)
    await it.run(hours=2)
    assert it.states().keys() <= {"retry", "open"}
    times = line.times("mekong")
    assert len(times) <= 25
    assert all(later - sooner >= timedelta(minutes=5) for sooner, later in pairwise(times[1:]))
    await it.run(hours=1)
    assert it.states() == {"sent": count}


@pytest.mark.parametrize("count", [100, pytest.param(5_000, marks=pytest.mark.soak)])
async def test_n22_a_backlog_goes_oldest_first_and_in_its_turn(
    bench: Make, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """After a day's outage at most one message a second, from the oldest; another target is not slowed."""
    target, other = slack("http://127.0.0.1:1", pace=timedelta(seconds=1)), log_target("other")
    it = bench(target, other)
    end = it.desk.now + timedelta(days=1)
    line = Line(it, lambda one, now: down() if one.id == "mekong" and now < end else SENT)
    monkeypatch.setattr(job, "send", line.send)
    owe_notices(it, target, count)
    await it.run(days=1)
    outage = len(line.asked)
    assert outage < 24 * 60 / 10, "one probe at a time"
    owe_notices(it, other, 20)
    began = it.desk.now
    await it.sweep()
    it.desk.now = it.next_event() or began
    await it.run(minutes=1)
    sent = [(at, name, one) for at, name, one in line.asked[outage:]]
    assert [at - began for at, name, _ in sent if name == "other"] == [timedelta(0)] * 20
    times, ids = zip(*((at, one) for at, name, one in sent if name == "mekong"), strict=True)
    assert all(later - sooner >= timedelta(seconds=0.9) for sooner, later in pairwise(times))
    assert times[-1] - times[0] >= timedelta(seconds=len(times) - 1.1)
    assert len(ids) > 50
    # The probe that ended the outage is not the oldest; behind it they go in order, the oldest of all first.
    assert list(ids[1:]) == sorted(set(range(1, count + 1)) - {ids[0]})[: len(ids) - 1]


async def test_n22_every_one_of_a_backlog_arrives(bench: Make) -> None:
    """All that was owed when the channel came back, each once."""
    with HttpSink(*[Reply(status=503)] * 30) as http:
        it = bench(slack(http.url, pace=timedelta(seconds=1)))
        await it.publish(16)
        await it.run(hours=12)
        assert it.states() == {"sent": 16}
        assert set(it.assert_nothing_lost(http=http, refused=30).values()) == {1}


@pytest.mark.parametrize("hours", [24, pytest.param(72, marks=pytest.mark.soak)])
async def test_an_outage_of_days_loses_nothing(bench: Make, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """Everything owed before and during it arrives, once; the operators hear of it once, and once that it is over."""
    target, ops = slack("http://127.0.0.1:1"), log_target("ops", language="en")
    it = bench(target, ops, operators="ops")
    end = it.desk.now + timedelta(hours=hours)
    line = Line(it, lambda one, now: down("no connection") if one.id == "mekong" and now < end else SENT)
    monkeypatch.setattr(job, "send", line.send)
    for _ in range(12):
        owe_notices(it, target, 5)
        await it.run(hours=hours / 12)
    assert it.states() == {"sent": 1, "retry": 60}
    (told,) = [subject for subject in it.notices() if subject.startswith("mekong")]
    assert told == "mekong: nothing has arrived since 2026-02-06 08:30 UTC"
    await it.run(hours=2)
    assert it.states() == {"sent": 62}
    assert [subject for subject in it.notices() if subject.startswith("mekong")][1:] == ["mekong: it works again"]
    arrived = Counter(one for at, name, one in line.asked if name == "mekong" and at >= end)
    assert set(arrived.values()) == {1}
    assert len(arrived) == 60


async def test_a_target_that_fails_shows_until_when(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held up since when and until when, as `veille status` prints it."""
    target = slack("http://127.0.0.1:1")
    it = bench(target)
    line = Line(it, lambda *_: down())
    monkeypatch.setattr(job, "send", line.send)
    owe_notices(it, target, 5)
    began = it.desk.now
    await it.sweep()
    assert len(line.asked) == 3
    with it.desk.store.read() as tx:
        (held,) = target_states.held(tx, it.desk.now)
    assert (held.id, held.failing_since, held.failures) == ("mekong", began, 3)
    assert held.until is not None
    assert timedelta(seconds=30) <= held.until - began <= timedelta(seconds=36)


@pytest.mark.parametrize("outcome", [Outcome.SENT, Outcome.PERMANENT, Outcome.RETRY], ids=str)
async def test_an_answer_about_a_message_closes_the_circuit(
    bench: Make, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes, refuses or defers one message is there again: the others go at once."""
    target = slack("http://127.0.0.1:1")
    it = bench(target)
    script = [down(), down(), down(), Receipt(outcome=outcome)]
    line = Line(it, lambda *_: script.pop(0) if script else SENT)
    monkeypatch.setattr(job, "send", line.send)
    owe_notices(it, target, 20)
    await it.sweep()
    await it.run(minutes=1)
    assert len(line.asked) >= 20
    with it.desk.store.read() as tx:
        assert target_states.held(tx, it.desk.now) == ()
