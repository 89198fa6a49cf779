"""Judgements of analysts on articles, counted by rule, on both databases."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from stored import NOW, add, create_obligations, owed

from worker.model import Judgement
from worker.store import Store, judgements, upkeep
from worker.store.judgements import Tally

LONG_AGO = NOW - timedelta(days=365)
RELEVANT, NOISE = Judgement.RELEVANT, Judgement.NOISE


def tallies(store: Store, since: datetime = LONG_AGO) -> Mapping[str, Tally]:
    with store.read() as tx:
        return judgements.tallies(tx, since)


def judge(store: Store, article_id: int, rule: str, judgement: Judgement, now: datetime = NOW) -> None:
    with store.write() as tx:
        judgements.judge(tx, article_id, rule, judgement, now)


def test_matches_and_judgements_are_counted_by_rule(store: Store) -> None:
    """Judged or not, each article once for each rule; what was missed is told apart."""
    one, two, three = (add(store, title) for title in ("Un", "Deux", "Trois"))
    create_obligations(store, one, owed("visit"), owed("visit", "log:b"), owed("trade"))
    create_obligations(store, two, owed("visit"))
    judge(store, one, "visit", RELEVANT)
    judge(store, two, "visit", NOISE)
    judge(store, three, "visit", RELEVANT)
    judge(store, three, "flood", RELEVANT)
    judge(store, three, "trade", NOISE)
    assert tallies(store) == {
        "visit": Tally(matched=2, last=NOW, relevant=1, noise=1, missed=1),
        "trade": Tally(matched=1, last=NOW),
        "flood": Tally(missed=1),
    }


def test_the_last_word_counts(store: Store) -> None:
    """An analyst may think again."""
    one = add(store, "Un")
    create_obligations(store, one, owed("visit"))
    judge(store, one, "visit", RELEVANT)
    judge(store, one, "visit", NOISE)
    assert tallies(store)["visit"] == Tally(matched=1, last=NOW, relevant=0, noise=1)


def test_only_since_a_moment(store: Store) -> None:
    """Older matches and judgements are left out."""
    create_obligations(store, add(store, "Un"), owed("visit"))
    judge(store, add(store, "Deux"), "flood", RELEVANT)
    assert not tallies(store, NOW + timedelta(seconds=1))


def test_an_article_that_is_forgotten_takes_its_judgements_with_it(store: Store) -> None:
    """Retention is not held up by them."""
    judge(store, add(store, "Un"), "visit", RELEVANT)
    later = NOW + timedelta(days=400)
    with store.write() as tx:
        assert upkeep.forget_articles(tx, before=later, ledger_before=later) == 1
    assert not tallies(store)


def test_matches_and_alerts_are_counted_by_rule_and_day(store: Store) -> None:
    """Each article once, however many it was told to; what is older does not count."""
    one, two = (add(store, title) for title in ("Un", "Deux"))
    create_obligations(store, one, owed("visit"), owed("visit", "log:b"))
    create_obligations(store, two, owed("visit"), owed("trade"))
    with store.read() as tx:
        assert judgements.daily(tx, LONG_AGO) == {
            "visit": {NOW.date().isoformat(): 2},
            "trade": {NOW.date().isoformat(): 1},
        }
        assert judgements.alerts(tx, LONG_AGO) == {"visit": 2, "trade": 1}
        later = NOW + timedelta(seconds=1)
        assert (judgements.daily(tx, later), judgements.alerts(tx, later)) == ({}, {})
