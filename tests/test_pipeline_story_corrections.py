"""Decisions of people on stories, on both databases; and what later decisions make of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from desk import Desk, email_target, feed, scripted
from stored import NOW
from test_store_stories import AGAIN, BRIDGE, RICE, of, tell
from test_story_alerts import ACCOUNTS, ELSEWHERE, A, B, C, mails, occasions, publish

from worker.config import Config
from worker.model import AlertPolicy, NotificationPolicy
from worker.pipeline import answering, story_corrections
from worker.pipeline.context import ActiveConfig
from worker.pipeline.story_corrections import By, Done, Refused
from worker.rules import compile_rules
from worker.runtime.single_pass import deliver_due
from worker.store import Store, ledger, stories

BY = By(author="ana", note="autre affaire", now=NOW)
THIRD = (
    "Rouvert mercredi, le pont de Neak Loeung a 2.215 mètres. Les travaux de la société Chip Mong à Prey Veng sont "
    "terminés, et le gouverneur Chea Somethy a salué le chantier avec les habitants de la rive."
)
LIVE = ActiveConfig(
    config=Config(
        path=Path("config.toml"), store_url="", rules_folder=Path("rules"), feeds=(), alerts=AlertPolicy(targets=())
    ),
    ruleset=compile_rules({}),
)


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on, nothing is like enough to join."""
    return lambda: monkeypatch.setattr("worker.analysis.stories.decision.STRONG", 1000)


def split(store: Store, article_id: int) -> Done | Refused:
    with store.ingest() as tx:
        return story_corrections.split(tx, LIVE, article_id, BY)


def merge(store: Store, one: int | None, other: int | None) -> Done | Refused:
    with store.ingest() as tx:
        return story_corrections.merge(tx, LIVE, one or 0, other or 0, BY)


def move(store: Store, article_id: int, to: int | None) -> Done | Refused:
    with store.ingest() as tx:
        return story_corrections.move(tx, LIVE, article_id, to or 0, BY)


def root(store: Store, story_id: int | None) -> int:
    with store.read() as tx:
        return stories.root(tx, story_id or 0)


def test_a_split_article_founds_a_story_with_its_copies(store: Store) -> None:
    """The others stay; both stories have the title and the time of what is left, and say who did it."""
    one = tell(store, "Un", BRIDGE)
    two = tell(store, "Deux", AGAIN, published=NOW + timedelta(hours=2))
    copy = tell(store, "Trois", AGAIN, of=two)
    was = of(store, one)
    done = split(store, two)
    assert isinstance(done, Done)
    assert (done.from_id, done.moved) == (was, (two, copy))
    assert of(store, one) == was
    assert of(store, two) == of(store, copy) == done.to_id != was
    with store.read() as tx:
        made, left = stories.get(tx, done.to_id), stories.get(tx, was or 0)
        assert made is not None
        assert left is not None
        assert (made.title, made.articles, left.title, left.articles) == ("Deux", 2, "Un", 1)
        assert left.last_seen == NOW
        assert "by ana" in next(one.why for one in stories.lines(tx, done.to_id) if one.article_id == two)
        assert [hand.kind for hand in stories.of_story(tx, done.to_id)] == ["split"]


def test_a_copy_that_is_split_is_compared_again(store: Store) -> None:
    """It had no vector of its own, as its original had; later accounts find it by its text."""
    one = tell(store, "Un", BRIDGE)
    copy = tell(store, "Deux", RICE, of=one)
    split(store, copy)
    assert of(store, tell(store, "Trois", RICE + " Les prix montent.")) == of(store, copy) != of(store, one)


def test_what_was_split_is_never_joined_again(store: Store) -> None:
    """Not by its next text, which is that of the others, nor by a new account of both."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN)
    split(store, two)
    tell(store, "Deux", BRIDGE, article_id=two)
    assert of(store, two) != of(store, one)
    third = tell(store, "Trois", THIRD)
    assert of(store, third) in (of(store, one), of(store, two))
    assert of(store, two) != of(store, one)
    with store.read() as tx:
        assert stories.counts(tx)["merged"] == 0


def test_what_was_split_is_not_joined_by_a_merge_of_others(store: Store, weak: Callable[[], None]) -> None:
    """A third story becomes one with the first; then it is no more one with what was split from that."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN)
    split(store, two)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("worker.analysis.stories.decision.STRONG", 1000)
        third = tell(store, "Trois", THIRD)
    assert of(store, third) not in (of(store, one), of(store, two))
    merge(store, of(store, one), of(store, third))
    tell(store, "Quatre", THIRD + " Oui.")
    assert of(store, two) not in (of(store, one), of(store, third))
    weak()
    tell(store, "Deux", THIRD, article_id=two)
    assert root(store, of(store, two)) != root(store, of(store, one))


def test_no_pointer_leads_to_what_was_split(store: Store, weak: Callable[[], None]) -> None:
    """Nor does one that points to both bring them into one group."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN)
    split(store, two)
    weak()
    tell(store, "Deux", BRIDGE, article_id=two)
    third = tell(store, "Trois", THIRD)
    roots = [root(store, of(store, article)) for article in (one, two, third)]
    assert roots[0] != roots[1]
    assert roots[2] in roots[:2]


def test_a_split_takes_back_what_a_story_perhaps_is(store: Store, weak: Callable[[], None]) -> None:
    """Of an article that is alone: it points nowhere, and to it none does; the others go on as a group."""
    weak()
    one, two, three = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN), tell(store, "Trois", THIRD)
    assert {root(store, of(store, article)) for article in (one, two, three)} == {of(store, one)}
    assert isinstance(split(store, one), Done)
    assert root(store, of(store, one)) == of(store, one)
    assert root(store, of(store, three)) == root(store, of(store, two)) == of(store, two)
    assert split(store, one) is Refused.ALONE
    tell(store, "Un", AGAIN, article_id=one)
    assert root(store, of(store, one)) == of(store, one)


def test_what_was_merged_is_never_parted(store: Store) -> None:
    """Whatever a next text says, and whichever came first: later accounts of either join the one."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE)
    gone = of(store, two)
    assert isinstance(merge(store, of(store, two), of(store, one)), Done)
    assert of(store, two) == of(store, one) != gone
    tell(store, "Deux", "Un concert de jazz réunit mille personnes à Phnom Penh samedi.", article_id=two)
    assert of(store, two) == of(store, one)
    tell(store, "Deux", BRIDGE, article_id=two, of=tell(store, "Trois", RICE + " Les prix ont monté.", published=LATER))
    assert of(store, two) == of(store, one), "a text that is a copy's now stays where a hand put it"
    with store.read() as tx:
        assert stories.live(tx, gone or 0) == of(store, one)


LATER = NOW + timedelta(days=30)


def test_a_merge_undoes_a_split(store: Store) -> None:
    """The last word counts."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN)
    split(store, two)
    merge(store, of(store, one), of(store, two))
    assert of(store, one) == of(store, two)
    assert of(store, tell(store, "Trois", THIRD)) == of(store, one)


def test_a_weak_likeness_is_made_strong_by_a_merge(store: Store, weak: Callable[[], None]) -> None:
    """And what else points there goes on pointing."""
    weak()
    one, two, three = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN), tell(store, "Trois", THIRD)
    merge(store, of(store, two), of(store, one))
    assert of(store, two) == of(store, one)
    assert of(store, three) != of(store, one)
    assert root(store, of(store, three)) == of(store, one)


def test_an_article_is_moved(store: Store) -> None:
    """With its copies; the story that it leaves is not joined with the one that it goes to."""
    one, two, rice = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN), tell(store, "Trois", RICE)
    copy = tell(store, "Quatre", AGAIN, of=two)
    assert move(store, two, of(store, two)) is Refused.SAME
    done = move(store, two, of(store, rice))
    assert isinstance(done, Done)
    assert of(store, two) == of(store, copy) == of(store, rice) != of(store, one)
    tell(store, "Deux", BRIDGE, article_id=two)
    assert of(store, two) == of(store, rice)
    tell(store, "Cinq", THIRD)
    assert of(store, one) != of(store, rice)


def test_the_only_article_of_a_story_takes_it_along(store: Store) -> None:
    """Nobody is left there: the story is the other one from now on, and what is known of it goes with it."""
    one, rice = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE)
    gone = of(store, rice)
    move(store, rice, of(store, one))
    assert of(store, rice) == of(store, one)
    with store.read() as tx:
        assert stories.live(tx, gone or 0) == of(store, one)


def test_a_copy_of_what_was_put_apart_stays_where_it_is(store: Store) -> None:
    """The article that stayed behind has the words of the one that was split off, by its next text."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN)
    split(store, two)
    tell(store, "Un", AGAIN, article_id=one, of=two)
    assert of(store, one) != of(store, two)


@pytest.mark.parametrize("what", ["split", "move", "merge"])
def test_what_is_not_there_is_refused(store: Store, what: str) -> None:
    """With the reason, and nothing is changed or written down."""
    one = tell(store, "Un", BRIDGE)
    done = {
        "split": lambda: split(store, 99),
        "move": lambda: move(store, one, 99),
        "merge": lambda: merge(store, 99, of(store, one)),
    }[what]()
    assert done is (Refused.NO_STORY if what == "split" else Refused.NOT_THERE)
    with store.read() as tx:
        assert stories.of_story(tx, of(store, one) or 0) == ()


# --- what is owed --------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    feeds = [feed(url, name=name) for url, name in ((A, "Le Fil"), (B, "La Dépêche"), (C, "Le Courrier"))]
    targets = [replace(email_target("desk", "a@example.org"), timezone="UTC")]
    with Desk(tmp_path, feeds=feeds, targets=targets, notification=NotificationPolicy()) as made:
        yield scripted(monkeypatch, made)


def by_hand(desk: Desk, what: Callable[..., Done | Refused], *args: int) -> None:
    with desk.store.ingest() as tx:
        done = what(tx, desk.context.live, *args, By(author="ana", now=desk.now))
        assert isinstance(done, Done)
        assert ledger.audit(tx) == ()


def story_of(desk: Desk, article: int) -> int:
    return int(desk.one(f"SELECT story_id FROM story_article WHERE article_id = {article}"))


async def told(desk: Desk, *texts: tuple[str, str]) -> None:
    for url, text in texts:
        publish(desk, url, text)
        await desk.pass_()
        desk.later(hours=1)


@pytest.mark.parametrize("waits", [True, False], ids=["not sealed", "sent"])
async def test_a_split_of_what_waits_is_a_first_of_its_own(desk: Desk, waits: bool) -> None:
    """A follow-up that is not sealed goes out by itself, in no thread; what was sent stays as it is."""
    await told(desk, (A, ACCOUNTS[0]))
    desk.reload(notification=NotificationPolicy(group_wait=timedelta(minutes=90)) if waits else NotificationPolicy())
    await told(desk, (B, ACCOUNTS[1]))
    by_hand(desk, story_corrections.split, 2)
    assert occasions(desk) == ["first owed", "first owed" if waits else "follow-up owed"]
    desk.later(hours=2)
    await deliver_due(desk.context)
    first, second = mails(desk)
    assert second["In-Reply-To"] == (None if waits else first["Message-ID"])
    assert desk.rows("SELECT state FROM delivery") == [("sent",), ("sent",)]
    await told(desk, (C, ACCOUNTS[2]))
    desk.later(hours=2)
    await deliver_due(desk.context)
    assert len(desk.attempts) == 3


async def test_a_split_parts_what_waits_in_one_message(desk: Desk) -> None:
    """Two articles of one open message have one each."""
    desk.reload(notification=NotificationPolicy(group_wait=timedelta(hours=5)))
    await told(desk, (A, ACCOUNTS[0]), (B, ACCOUNTS[1]))
    assert desk.one("SELECT count(*) FROM delivery") == 1
    by_hand(desk, story_corrections.split, 1)
    assert occasions(desk) == ["first owed", "first owed"]
    assert desk.rows("SELECT collects FROM delivery ORDER BY id") == [("story:1",), ("story:2",)]
    desk.later(hours=5)
    await deliver_due(desk.context)
    assert len(desk.attempts) == 2


async def test_what_was_kept_back_as_the_same_story_is_told_once_it_is_another(desk: Desk) -> None:
    """It was never sent, and is the first of its own now; the rest of the story stays kept back."""
    desk.reload(notification=NotificationPolicy(follow_up=()))
    await told(desk, (A, ACCOUNTS[0]), (B, ACCOUNTS[1]), (C, ACCOUNTS[2]))
    assert occasions(desk)[1:] == ["follow-up suppressedsame-story"] * 2
    by_hand(desk, story_corrections.split, 2)
    assert occasions(desk) == ["first owed", "first owed", "follow-up suppressedsame-story"]
    await deliver_due(desk.context)
    assert len(desk.attempts) == 2


async def test_what_is_left_without_its_first_is_told(desk: Desk) -> None:
    """The article that was sent was another event: of this one nobody heard yet."""
    desk.reload(notification=NotificationPolicy(follow_up=()))
    await told(desk, (A, ACCOUNTS[0]), (B, ACCOUNTS[1]), (C, ACCOUNTS[2]))
    by_hand(desk, story_corrections.split, 1)
    assert occasions(desk) == ["first owed", "first owed", "follow-up suppressedsame-story"]


@pytest.mark.parametrize("silenced", [False, True], ids=["free", "its rule is silenced"])
async def test_what_was_muted_with_its_story_is_told_once_it_is_another(desk: Desk, silenced: bool) -> None:
    """Unless something else keeps it back; the story stays muted."""
    await told(desk, (A, ACCOUNTS[0]))
    with desk.store.write() as tx:
        assert answering.mute(tx, 1, desk.now, author="ana") is not None
    await told(desk, (B, ACCOUNTS[1]))
    assert occasions(desk)[1:] == ["follow-up suppressedmuted-story"]
    if silenced:
        from worker.store import silences

        with desk.store.write() as tx:
            made = silences.Silence(rule_id="visit", until=desk.now + timedelta(days=1), author="bo", created=desk.now)
            silences.add(tx, made)
    by_hand(desk, story_corrections.split, 2)
    assert occasions(desk)[1:] == ["follow-up suppressedmuted-story" if silenced else "first owed"]


async def test_a_merge_makes_what_waits_a_follow_up(desk: Desk) -> None:
    """Its thread goes on below the other one's."""
    await told(desk, (A, ACCOUNTS[0]))
    desk.reload(notification=NotificationPolicy(group_wait=timedelta(minutes=90)))
    publish(desk, C, ELSEWHERE, title="Hun Sen attendu à Kampot")
    await desk.pass_()
    assert occasions(desk) == ["first owed", "first owed"]
    by_hand(desk, story_corrections.merge, story_of(desk, 1), story_of(desk, 2))
    assert occasions(desk) == ["first owed", "follow-up owed"]
    desk.later(hours=2)
    await deliver_due(desk.context)
    first, second = mails(desk)
    assert second["In-Reply-To"] == first["Message-ID"]


async def test_a_mute_follows_a_story_that_has_no_message_of_its_own(desk: Desk) -> None:
    """Alerts that go by article collect under no story; the merged story stays muted."""
    desk.reload(notification=NotificationPolicy(key="article"))
    await told(desk, (A, ACCOUNTS[0]))
    publish(desk, C, ELSEWHERE, title="Hun Sen attendu à Kampot")
    await desk.pass_()
    first, second = story_of(desk, 1), story_of(desk, 2)
    assert first != second
    with desk.store.write() as tx:
        answering.mute(tx, 2, desk.now, author="ana")
    by_hand(desk, story_corrections.merge, first, second)
    assert desk.rows("SELECT story_id FROM silence") == [(min(first, second),)]


async def test_a_copy_put_apart_from_its_original_is_told(desk: Desk) -> None:
    """A split says that it is another article: one that was kept back as a copy is a first alert."""
    await told(desk, (A, ACCOUNTS[0]), (B, ACCOUNTS[0]))
    assert occasions(desk) == ["first owed", "follow-up suppressedcopy"]
    by_hand(desk, story_corrections.split, 2)
    assert occasions(desk) == ["first owed", "first owed"]


async def test_a_move_into_a_muted_story_is_not_sent(desk: Desk) -> None:
    """A waiting message is looked at before it is sealed, and is of that story now."""
    await told(desk, (A, ACCOUNTS[0]))
    with desk.store.write() as tx:
        answering.mute(tx, 1, desk.now, author="ana")
    desk.reload(notification=NotificationPolicy(group_wait=timedelta(minutes=90)))
    publish(desk, C, ELSEWHERE, title="Hun Sen attendu à Kampot")
    await desk.pass_()
    by_hand(desk, story_corrections.move, 2, story_of(desk, 1))
    desk.later(hours=2)
    await deliver_due(desk.context)
    assert occasions(desk)[1] == "follow-up suppressedmuted-story"
    assert len(desk.attempts) == 1
