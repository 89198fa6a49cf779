"""A story told: first message, follow-ups below it, digests, nights, silences; through the whole job."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from datetime import time, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from desk import START, Desk, email_target, feed, scripted
from rig import Item

from worker.model import (
    DigestPolicy,
    Escalation,
    NotificationPolicy,
    Outcome,
    Quiet,
    Receipt,
    Route,
    Suppression,
    Throttle,
)
from worker.pipeline.redeciding import owe_again
from worker.runtime.single_pass import deliver_due
from worker.store import ledger, notification_history, revisiting, silences

A, B, C = (f"https://{name}.example/feed" for name in "abc")
MAIL = "mailto:a@example.org"
OPENING = (
    "Hun Sen est arrivé en visite officielle à Vientiane. Le président du Sénat du Cambodge y a été reçu par "
    "Thongloun Sisoulith au palais présidentiel."
)
#: Three accounts of one event, each in its own words.
ACCOUNTS = [
    f"{OPENING} Les deux hommes ont parlé du pont de Stung Treng et du corridor ferroviaire.",
    (
        "Hun Sen, président du Sénat cambodgien, poursuit sa visite officielle à Vientiane. Thongloun Sisoulith a "
        "salué le pont de Stung Treng et le corridor ferroviaire entre les deux pays."
    ),
    (
        "À Vientiane, la visite officielle de Hun Sen s'achève par une déclaration sur le corridor ferroviaire et le "
        "pont de Stung Treng, que Thongloun Sisoulith appelle de ses vœux."
    ),
]
#: As likely to be told, but of another event.
ELSEWHERE = "Hun Sen prépare une visite de la centrale de Kampot, où les turbines neuves attendent leurs techniciens."


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    feeds = [feed(url, name=name) for url, name in ((A, "Le Fil"), (B, "La Dépêche"), (C, "Le Courrier"))]
    targets = [replace(email_target("desk", "a@example.org"), timezone="UTC")]
    with Desk(tmp_path, feeds=feeds, targets=targets, notification=NotificationPolicy()) as made:
        yield scripted(monkeypatch, made)


def publish(desk: Desk, url: str, *texts: str, key: str = "v", title: str = "Hun Sen en visite à Vientiane") -> None:
    """Let a feed hold these articles."""
    minute = desk.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
    desk.web.feed(url, [Item(f"{key}{n}", title, text, published=minute) for n, text in enumerate(texts)])


def mails(desk: Desk) -> list[EmailMessage]:
    """Mails that were sent, in order."""
    return [
        email.message_from_bytes(claimed.message.content, policy=email.policy.default)  # type: ignore[misc]
        for _, claimed in desk.attempts
    ]


def plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def occasions(desk: Desk) -> list[str]:
    return [row[0] for row in desk.rows("SELECT occasion || ' ' || verdict || suppression FROM obligation ORDER BY id")]


async def test_one_thread_a_story(desk: Desk) -> None:
    """The first account begins the thread; another outlet's goes below it, under the same subject."""
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    desk.later(hours=1)
    publish(desk, B, ACCOUNTS[1])
    await desk.pass_()
    desk.later(hours=1)
    publish(desk, C, ACCOUNTS[2])
    await desk.pass_()
    assert occasions(desk) == ["first owed", "follow-up owed", "follow-up owed"]
    first, second, third = mails(desk)
    assert first["In-Reply-To"] is None
    assert second["In-Reply-To"] == first["Message-ID"]
    assert third["In-Reply-To"] == second["Message-ID"]
    assert third["References"].split() == [first["Message-ID"], second["Message-ID"]]
    assert second["Subject"] == third["Subject"] == f"Re: {first['Subject']}"


async def test_accounts_that_come_together_are_one_message(desk: Desk) -> None:
    """While its delivery is open, it collects; what is of another story has a message of its own."""
    for url, text in zip((A, B), ACCOUNTS, strict=False):
        publish(desk, url, text)
    publish(desk, C, ELSEWHERE, title="Hun Sen attendu à Kampot")
    await desk.pass_()
    assert len(desk.attempts) == 2
    assert desk.one("SELECT count(*) FROM obligation WHERE verdict = 'owed'") == 3


async def test_the_most_severe_stands_first(desk: Desk) -> None:
    """In one message on a story, whichever came first; the subject is of that one."""
    # The first account alone holds the one word, the second the other.
    rules = "".join(
        f'[[rule]]\nid = "{name}"\nname = "{name}"\nseverity = "{name}"\nwhen = "={word}"\n'
        for name, word in (("medium", "arrivé"), ("critical", "poursuit"))
    )
    desk.reload(rules=rules, notification=NotificationPolicy(group_wait=timedelta(minutes=5)))
    publish(desk, A, ACCOUNTS[0], title="Le premier")
    await desk.pass_()
    publish(desk, B, ACCOUNTS[1], title="Le second")
    await desk.pass_()
    desk.later(minutes=10)
    await deliver_due(desk.context)
    (mail,) = mails(desk)
    assert mail["Subject"] == "[critical] critical: Le second (+1)"
    text = plain(mail)
    assert text.index("Le second") < text.index("Le premier")


async def test_what_perhaps_is_the_same_is_a_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own thread, with the other's title and outlet; "also in" names no outlet that only resembles."""
    monkeypatch.setattr("worker.analysis.stories.decision.STRONG", 1000)
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    publish(desk, B, ACCOUNTS[1])
    await desk.pass_()
    assert occasions(desk) == ["first owed", "first owed"]
    first, second = mails(desk)
    assert second["In-Reply-To"] is None
    assert "Peut-être la même affaire que : Hun Sen en visite à Vientiane (Le Fil)" in plain(second)
    assert "Peut-être" not in plain(first)
    assert "Aussi dans" not in plain(first) + plain(second)


async def test_a_follow_up_waits_for_its_first(desk: Desk) -> None:
    """While the first cannot be sent the follow-up is held; once it was, it goes below it."""
    desk.script["desk"] = [Receipt(outcome=Outcome.RETRY)]
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    publish(desk, B, ACCOUNTS[1])
    await desk.pass_()
    assert len(desk.attempts) == 1
    desk.later(minutes=10)
    await deliver_due(desk.context)
    first, again, second = mails(desk)
    assert first["Message-ID"] == again["Message-ID"] == second["In-Reply-To"]


async def test_a_follow_up_becomes_the_first_if_that_dies(desk: Desk) -> None:
    """Nobody is answered to a message that never came."""
    desk.script["desk"] = [Receipt(outcome=Outcome.RETRY), Receipt(outcome=Outcome.PERMANENT)]
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    publish(desk, B, ACCOUNTS[1])
    await desk.pass_()
    desk.later(minutes=10)
    await deliver_due(desk.context)
    _, _, second = mails(desk)
    assert second["In-Reply-To"] is None
    assert not second["Subject"].startswith("Re:")


async def test_a_correction_is_told_where_it_is_asked_for(desk: Desk) -> None:
    """Changes stand in the mail, before and after; a text that is only reworded is recorded and no more."""
    desk.reload(notification=NotificationPolicy(follow_up=("correction",)))
    publish(desk, A, f"{OPENING} Le pont coûtera 120 millions de dollars.")
    await desk.pass_()
    desk.later(hours=1)
    publish(desk, A, f"{OPENING} Le pont coûtera 210 millions de dollars.")
    await desk.pass_()
    desk.later(hours=1)
    publish(desk, A, f"{OPENING} Le pont coûtera donc 210 millions de dollars.")
    await desk.pass_()
    assert occasions(desk) == ["first owed", "correction owed"]
    first, correction = mails(desk)
    assert correction["In-Reply-To"] == first["Message-ID"]
    assert "120" in plain(correction)
    assert "210" in plain(correction)


async def test_what_follow_up_leaves_out_is_told_together(desk: Desk) -> None:
    """With a repeat_interval nothing is lost: the other accounts come in one message when the time is over."""
    desk.reload(notification=NotificationPolicy(follow_up=(), repeat_interval=timedelta(hours=6)))
    for hours, url, text in zip((1, 1, 1), (A, B, C), ACCOUNTS, strict=True):
        publish(desk, url, text)
        await desk.pass_()
        desk.later(hours=hours)
    assert len(desk.attempts) == 1
    assert desk.rows("SELECT state, hold FROM delivery WHERE state != 'sent'") == [("open", "realert")]
    desk.later(hours=3, minutes=1)
    await deliver_due(desk.context)
    assert len(desk.attempts) == 2
    assert all(name in plain(mails(desk)[1]) for name in ("La Dépêche", "Le Courrier"))


async def test_a_digest_says_what_was_held_back(desk: Desk) -> None:
    """At its hour everything comes in one message, which ends with what was not told and why."""
    desk.reload(
        targets=[replace(desk.targets[0], digest=DigestPolicy(at="30 7 * * *"))],
        notification=NotificationPolicy(follow_up=()),
    )
    publish(desk, A, ACCOUNTS[0])
    publish(desk, C, ELSEWHERE, title="Hun Sen attendu à Kampot")
    await desk.pass_()
    publish(desk, B, ACCOUNTS[1])
    await desk.pass_()
    assert desk.attempts == []
    desk.now = desk.now.replace(hour=7, minute=29) + timedelta(days=1)
    await deliver_due(desk.context)
    assert desk.attempts == []
    desk.later(minutes=1)
    await deliver_due(desk.context)
    (digest,) = mails(desk)
    assert "Kampot" in plain(digest)
    assert "Vientiane" in plain(digest)
    assert [row[0] for row in desk.rows("SELECT suppression FROM obligation WHERE verdict != 'owed'")] == ["same-story"]
    with desk.store.read() as tx:
        assert notification_history.held_back(tx, MAIL) == {}
    assert "1 " in plain(digest).rstrip().splitlines()[-1]


async def test_a_night_holds_once_and_what_is_critical_breaks_it(desk: Desk) -> None:
    """Quiet hours hold what came in them until they end; a critical alert of the story takes it along."""
    night = (Quiet(since=time(22), until=time(6, 30)),)
    desk.reload(targets=[replace(desk.targets[0], quiet=night)], now=desk.now.replace(hour=23))
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    assert desk.rows("SELECT state, hold FROM delivery") == [("open", "quiet-hours")]
    desk.now = desk.now.replace(hour=6, minute=30) + timedelta(days=1)
    await deliver_due(desk.context)
    await deliver_due(desk.context)
    assert len(desk.attempts) == 1


async def test_what_was_due_before_the_night_is_not_sent_in_it(desk: Desk) -> None:
    """A worker that was away until the night does not wake anybody with what it found."""
    publish(desk, A, ACCOUNTS[0])
    await desk.poll(A)
    night = (Quiet(since=time(22), until=time(6, 30)),)
    desk.reload(notification=NotificationPolicy(group_wait=timedelta(minutes=5)))
    await desk.pass_()
    desk.reload(targets=[replace(desk.targets[0], quiet=night)], now=desk.now.replace(hour=23))
    await deliver_due(desk.context)
    assert desk.attempts == []
    assert desk.one("SELECT hold FROM delivery") == "quiet-hours"


async def test_throttled_alerts_come_together(desk: Desk) -> None:
    """Beyond its number a rule's alerts wait until the time is over, and come as one."""
    desk.reload(
        targets=[replace(desk.targets[0], throttle=Throttle(alerts=1, per=timedelta(hours=1)))],
        notification=NotificationPolicy(key="article"),
    )
    publish(desk, A, *ACCOUNTS)
    await desk.pass_()
    assert len(desk.attempts) == 1
    assert desk.rows("SELECT hold FROM delivery WHERE state = 'open'") == [("throttled",)]
    desk.later(hours=1, seconds=1)
    await deliver_due(desk.context)
    assert len(desk.attempts) == 2


def silence(desk: Desk, **what: object) -> None:
    given = {"author": "ana", "reason": "connu", "created": desk.now, "until": desk.now + timedelta(days=1), **what}
    with desk.store.write() as tx:
        silences.add(tx, silences.Silence(**given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "what",
    [{"rule_id": "visit"}, {"set_name": "hun_sen"}, {"feed": "Le Fil"}, {"story_id": 1, "until": None}],
    ids=["rule", "set", "feed", "story"],
)
@pytest.mark.parametrize("when", ["before", "while open"])
async def test_a_silence_holds_what_comes_and_what_was_open(desk: Desk, what: dict[str, object], when: str) -> None:
    """A silence before the article or after it: nothing is sent, and the ledger says who asked for it."""
    desk.reload(notification=NotificationPolicy(group_wait=timedelta(minutes=5)))
    if when == "before" and "story_id" not in what:
        silence(desk, **what)
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    silence(desk, **what)
    desk.later(minutes=6)
    await deliver_due(desk.context)
    assert desk.attempts == []
    wanted = "muted-story" if "story_id" in what else "silenced"
    ((suppression, why),) = desk.rows("SELECT suppression, why FROM obligation")
    assert suppression == wanted
    assert why.startswith("by ana")
    assert desk.rows("SELECT * FROM delivery") == []
    with desk.store.read() as tx:
        assert ledger.audit(tx) == ()


@pytest.mark.parametrize("answered", [False, True], ids=["nobody", "acknowledged"])
async def test_escalation(desk: Desk, answered: bool) -> None:
    """A second target is told when nobody acknowledged in time, and not when somebody did."""
    boss = replace(email_target("boss", "boss@example.org"), timezone="UTC")
    route = Route(
        targets=("desk",),
        notification=NotificationPolicy(escalation=Escalation(targets=("boss",), after=timedelta(minutes=30))),
    )
    desk.reload(targets=[*desk.targets, boss], routes=[route])
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    if answered:
        with desk.store.write() as tx:
            silences.acknowledge(tx, 1, "ana", desk.now)
    desk.later(minutes=31)
    await deliver_due(desk.context)
    assert desk.told == ([MAIL] if answered else [MAIL, "mailto:boss@example.org"])
    assert occasions(desk) == ["first owed", f"escalation {'suppressedacknowledged' if answered else 'owed'}"]


@pytest.mark.parametrize("what", [{"recipient": MAIL}, {"rule_id": "visit"}, {"story_id": 1}], ids=str)
@pytest.mark.parametrize("lifted", [False, True], ids=["for good", "told after all"])
async def test_an_escalation_goes_with_its_first_alert(desk: Desk, what: dict[str, object], lifted: bool) -> None:
    """An alert that was silenced before it was sent is not reminded of; sent after all, it is."""
    boss = replace(email_target("boss", "boss@example.org"), timezone="UTC")
    notification = NotificationPolicy(
        group_wait=timedelta(minutes=10), escalation=Escalation(targets=("boss",), after=timedelta(minutes=30))
    )
    desk.reload(targets=[*desk.targets, boss], routes=[Route(targets=("desk",), notification=notification)])
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    silence(desk, **what, until=desk.now + timedelta(minutes=30))
    desk.later(minutes=11)
    await deliver_due(desk.context)
    desk.later(minutes=40)
    await deliver_due(desk.context)
    reason = "muted-story" if "story_id" in what else "silenced"
    assert desk.told == []
    assert occasions(desk) == [f"first suppressed{reason}", f"escalation suppressed{reason}"]
    if not lifted:
        return
    with desk.store.ingest() as tx:
        (one,) = (d for d in revisiting.suppressed(tx, list(Suppression), START) if d.id == 1)
        assert owe_again(tx, desk.context.live, one, desk.now)
    desk.later(minutes=11)
    await deliver_due(desk.context)
    desk.later(minutes=31)
    await deliver_due(desk.context)
    assert desk.told == [MAIL, "mailto:boss@example.org"]


async def test_an_escalation_goes_where_its_first_becomes_a_follow_up(desk: Desk) -> None:
    """Two stories turn out to be one while a first message waits: a follow-up has no reminder."""
    boss = replace(email_target("boss", "boss@example.org"), timezone="UTC")
    notification = NotificationPolicy(
        group_wait=timedelta(minutes=10), escalation=Escalation(targets=("boss",), after=timedelta(minutes=30))
    )
    desk.reload(targets=[*desk.targets, boss], routes=[Route(targets=("desk",), notification=notification)])
    publish(desk, C, ELSEWHERE, title="Hun Sen attendu à Kampot")
    await desk.pass_()
    with desk.store.write() as tx:
        ledger.call_follow_up(tx, 1)
    desk.later(minutes=41)
    await deliver_due(desk.context)
    await deliver_due(desk.context)
    assert desk.told == [MAIL]
    assert occasions(desk) == ["follow-up owed", "escalation suppressedsame-story"]


@pytest.mark.parametrize("sealed", [True, False], ids=["both told", "one still open"])
async def test_stories_that_turn_out_to_be_one(desk: Desk, sealed: bool) -> None:
    """Messages that were sent stay; open ones become a follow-up; later articles go below the thread."""
    desk.reload(notification=NotificationPolicy() if sealed else NotificationPolicy(group_wait=timedelta(minutes=5)))
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    desk.later(minutes=6)
    await deliver_due(desk.context)
    publish(desk, C, ELSEWHERE, title="Hun Sen attendu à Kampot")
    await desk.pass_()
    desk.later(minutes=1)
    with desk.store.ingest() as tx:
        from sqlalchemy import text

        tx.execute(text("UPDATE story_article SET story_id = 1 WHERE story_id = 2"))
        tx.execute(text("UPDATE story SET merged_into = 1 WHERE id = 2"))
    assert desk.rows("SELECT id FROM story WHERE merged_into IS NOT NULL") == [(2,)]
    desk.later(minutes=6)
    for _ in range(2):
        await deliver_due(desk.context)
    publish(desk, B, ACCOUNTS[1])
    await desk.pass_()
    desk.later(minutes=6)
    for _ in range(2):
        await deliver_due(desk.context)
    first, *_, last = mails(desk)
    assert len(desk.attempts) == 3
    assert first["Message-ID"] in last["References"]
    assert occasions(desk)[1] == ("first owed" if sealed else "follow-up owed")
    with desk.store.read() as tx:
        assert ledger.audit(tx) == ()
