"""After an upgrade: stored stories judged again, one notice, nothing sent; and what is sent after all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from desk import Desk, email_target, feed, log_target, scripted
from stored import NOW
from test_pipeline_story_corrections import LIVE, THIRD, merge, root, split
from test_store_stories import AGAIN, BRIDGE, RICE, of, tell
from test_story_alerts import ACCOUNTS, A, B, C, mails, occasions, publish

from worker.analysis.stories import SCHEME
from worker.model import NotificationPolicy, Route
from worker.pipeline import rejudging, reviewing
from worker.pipeline.rejudging import rejudge
from worker.runtime.single_pass import deliver_due
from worker.store import Store, ledger, silences, stories
from worker.store.stories import Judged

#: Another event, which the old scheme took for the same: an official and a day in common.
OTHER = (
    "Hun Sen ouvre à Kampot, lors d'une visite, une fabrique de poivre où quatre cents ouvrières trient les grains "
    "de la récolte. Les machines viennent de Malaisie et les séchoirs tournent au soleil."
)
LATER = NOW + timedelta(days=1)


def make_old(store: Store) -> None:
    """Let a store be one that an older scheme judged: all articles are of one story, and it knows of no scheme."""
    with store.write() as tx:
        tx.execute(sa.text("UPDATE story_article SET story_id = 1"))
        tx.execute(sa.text("UPDATE story SET merged_into = 1, perhaps_id = NULL WHERE id != 1"))
        tx.execute(sa.text("DELETE FROM scheme"))


def judged(store: Store) -> Judged:
    with store.read() as tx:
        return stories.judged(tx)


# --- stories, on both databases ------------------------------------------------------------------------------------


def test_a_new_store_is_judged(store: Store) -> None:
    """Articles of a new store are judged by the scheme of today; nothing is done again."""
    assert judged(store) == Judged(number=SCHEME)
    tell(store, "Un", BRIDGE)
    rejudge(store, LIVE, lambda: LATER)
    assert judged(store) == Judged(number=SCHEME)


@pytest.mark.parametrize("batch", [1, 100])
def test_a_story_that_mixes_events_is_parted(store: Store, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """Its number stays with the article that came first; copies go with their originals; it happens once."""
    one, rice, two = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE), tell(store, "Trois", AGAIN)
    copy = tell(store, "Quatre", RICE, of=rice)
    make_old(store)
    monkeypatch.setattr(rejudging, "_BATCH", batch)
    rejudge(store, LIVE, lambda: LATER)
    assert of(store, one) == of(store, two) == 1
    assert of(store, rice) == of(store, copy) != 1
    assert judged(store) == Judged(number=SCHEME)
    with store.read() as tx:
        apart = stories.get(tx, of(store, rice) or 0)
        assert apart is not None
        assert (apart.title, apart.articles) == ("Deux", 2)
    assert root(store, of(store, tell(store, "Cinq", THIRD))) == 1
    with store.write() as tx:
        tx.execute(sa.text("UPDATE story_article SET story_id = 1"))
    rejudge(store, LIVE, lambda: LATER)
    assert of(store, rice) == 1


def test_a_story_that_is_left_is_the_other_one(store: Store) -> None:
    """Two stories that are one by now: the later one's number leads to the earlier."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE)
    gone = of(store, two)
    with store.write() as tx:
        again = {"b": AGAIN, "a": two}
        tx.execute(sa.text("UPDATE revision SET body = :b WHERE article_id = :a"), again)
        tx.execute(sa.text("DELETE FROM scheme"))
    rejudge(store, LIVE, lambda: LATER)
    assert of(store, two) == of(store, one)
    with store.read() as tx:
        assert stories.live(tx, gone or 0) == of(store, one)


def test_what_people_corrected_holds(store: Store) -> None:
    """A merge of two events, and a split of one, are as people left them."""
    one, two, rice = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN), tell(store, "Trois", RICE)
    split(store, two)
    merge(store, of(store, one), of(store, rice))
    before = [of(store, article) for article in (one, two, rice)]
    with store.write() as tx:
        tx.execute(sa.text("DELETE FROM scheme"))
    rejudge(store, LIVE, lambda: LATER)
    assert [of(store, article) for article in (one, two, rice)] == before
    assert len(set(before)) == 2


def test_only_the_last_days_are_judged_again(store: Store) -> None:
    """Articles that came longer ago stay where they are."""
    one, rice = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE)
    make_old(store)
    rejudge(store, LIVE, lambda: NOW + timedelta(days=31))
    assert of(store, one) == of(store, rice) == 1


def test_what_broke_off_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last article that was placed; one that came meanwhile is not placed twice."""
    one, rice, two = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE), tell(store, "Trois", AGAIN)
    make_old(store)
    monkeypatch.setattr(rejudging, "_BATCH", 1)
    count = rejudging.Weighing.store
    calls: list[int] = []

    def dies(*args: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError
        count(*args)  # type: ignore[arg-type]  as it was called

    monkeypatch.setattr(rejudging.Weighing, "store", dies)
    with pytest.raises(RuntimeError):
        rejudge(store, LIVE, lambda: LATER)
    assert judged(store) == Judged(number=SCHEME, reached=rice)
    rejudge(store, LIVE, lambda: LATER)
    assert of(store, one) == of(store, two) == 1
    assert of(store, rice) != 1
    assert len(calls) == 4


# --- what operators are told, and what is sent after all -----------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    feeds = [feed(url, name=name) for url, name in ((A, "Le Fil"), (B, "La Dépêche"), (C, "Le Courrier"))]
    targets = [replace(email_target("desk", "a@example.org"), timezone="UTC"), log_target("ops", language="en")]

    routes = [Route(targets=("desk",))]
    with Desk(
        tmp_path, feeds=feeds, targets=targets, operators="ops", routes=routes, notification=NotificationPolicy()
    ) as made:
        yield scripted(monkeypatch, made)


async def old_desk(desk: Desk) -> None:
    """Traces of an older scheme: a mute without an end, an alert muted with another event, one called a copy."""
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    publish(desk, B, OTHER, title="Hun Sen à Kampot")
    await desk.pass_()
    publish(desk, C, ACCOUNTS[1])
    await desk.pass_()
    make_old(desk.store)
    with desk.store.write() as tx:
        silences.add(tx, silences.Silence(story_id=1, author="ana", created=desk.now))
        for article, why in ((2, "muted-story"), (3, "copy")):
            gone = "UPDATE obligation SET verdict = 'suppressed', suppression = :why, delivery_id = NULL"
            tx.execute(sa.text(f"{gone} WHERE article_id = :a"), {"why": why, "a": article})
        tx.execute(sa.text("UPDATE article SET of_id = 1, novelty = 'duplicate' WHERE id = 3"))
    desk.attempts.clear()


def review(desk: Desk) -> list[tuple[int, str]]:
    with desk.store.read() as tx:
        return [(one.article_id, one.suppression) for one in reviewing.reviewed(tx, desk.now)]


async def test_operators_get_one_notice_and_nobody_else_anything(desk: Desk) -> None:
    """It names the mutes and when they end, each alert that would not be kept back now, and what sends it."""
    await old_desk(desk)
    rejudge(desk.store, desk.context.live, lambda: desk.now)
    rejudge(desk.store, desk.context.live, lambda: desk.now)
    await deliver_due(desk.context)
    assert desk.told == ["log:ops"]
    said = mails(desk)[0].get_body(("plain",))
    assert said is not None
    text = str(said.get_content())
    assert f"until {desk.now + timedelta(days=7):%Y-%m-%d %H:%M} UTC" in text
    assert "veille silence --end 1" in text
    assert "Hun Sen à Kampot" in text
    assert "veille review --send" in text
    assert review(desk) == [(2, "muted-story"), (3, "copy")]
    with desk.store.read() as tx:
        assert [one.until for one in silences.active(tx, desk.now)] == [desk.now + timedelta(days=7)]


async def test_what_is_still_kept_back_is_not_listed(desk: Desk) -> None:
    """A copy that is one by its words, and an account of the muted story itself."""
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    with desk.store.write() as tx:
        silences.add(tx, silences.Silence(story_id=1, author="ana", created=desk.now))
    publish(desk, B, ACCOUNTS[0])
    await desk.pass_()
    publish(desk, C, ACCOUNTS[1])
    await desk.pass_()
    assert sorted(occasions(desk)) == [
        "first owed",
        "first suppressedcopy",
        "follow-up suppressedmuted-story",
    ] or sorted(occasions(desk)) == ["first owed", "follow-up suppressedcopy", "follow-up suppressedmuted-story"]
    with desk.store.write() as tx:
        tx.execute(sa.text("DELETE FROM scheme"))
    rejudge(desk.store, desk.context.live, lambda: desk.now)
    assert review(desk) == []


async def test_without_anything_to_say_nobody_is_told(desk: Desk) -> None:
    """An upgrade that changes nothing makes no message."""
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    make_old(desk.store)
    desk.attempts.clear()
    rejudge(desk.store, desk.context.live, lambda: desk.now)
    await deliver_due(desk.context)
    assert desk.told == []


@pytest.mark.parametrize("chosen", ["one", "all"])
async def test_the_chosen_are_sent(desk: Desk, chosen: str) -> None:
    """Each on its own occasion, once; the ledger adds up, and the list is shorter."""
    await old_desk(desk)
    rejudge(desk.store, desk.context.live, lambda: desk.now)
    await deliver_due(desk.context)
    before = occasions(desk)
    with desk.store.ingest() as tx:
        found = reviewing.reviewed(tx, desk.now)
        unknown = reviewing.send(tx, desk.context.live, [found[0].id, 99], desk.now)
        assert (unknown.sent, unknown.unknown) == ((), (99,))
        done = reviewing.send(tx, desk.context.live, [found[0].id] if chosen == "one" else None, desk.now)
        assert ledger.audit(tx) == ()
    assert [one.article_id for one in done.sent] == ([2] if chosen == "one" else [2, 3])
    await deliver_due(desk.context)
    assert [one.partition(" ")[0] for one in occasions(desk)] == [one.partition(" ")[0] for one in before]
    assert "Kampot" in str(mails(desk)[1]["Subject"]) + str(mails(desk)[-1]["Subject"])
    sent_now = len(desk.attempts) - 1
    # The account of the muted story itself is no copy, but its story is muted.
    assert sent_now == 1
    assert review(desk) == ([(3, "copy")] if chosen == "one" else [])


async def test_what_waits_is_parted(desk: Desk) -> None:
    """Two events in one message that is not sealed have one each."""
    desk.reload(notification=NotificationPolicy(group_wait=timedelta(hours=5)))
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    publish(desk, B, OTHER, title="Hun Sen à Kampot")
    await desk.pass_()
    make_old(desk.store)
    with desk.store.write() as tx:
        tx.execute(sa.text("UPDATE obligation SET delivery_id = 1, occasion = 'follow-up' WHERE article_id = 2"))
        tx.execute(sa.text("DELETE FROM delivery WHERE id = 2"))
    rejudge(desk.store, desk.context.live, lambda: desk.now)
    assert occasions(desk) == ["first owed", "first owed"]
    desk.later(hours=5)
    await deliver_due(desk.context)
    assert len([to for to in desk.told if to.startswith("mailto:")]) == 2
