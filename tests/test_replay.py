"""History again: the same rules tell what was told, others tell what they would have."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from desk import FEED, VISIT, Desk, feed, log_target, scripted
from rig import RULES, Item

from worker.analysis.copies import Fingerprint
from worker.evaluate.replay import Replayed, replay
from worker.feeds.normalise import Known
from worker.pipeline.imports import store_known
from worker.rules import compile_rules
from worker.store import history

OTHER, THIRD = "https://b.example/feed", "https://c.example/feed"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BRIDGE = '[[rule]]\nid = "bridge"\nwhen = "=pont"\n'
TRADE = "Les ministres du Commerce ont parlé du prix du riz pendant deux jours, dans une salle de la mairie de Huê."


def again(desk: Desk, rules: str | None = None) -> Replayed:
    """All that the desk stored, run over again."""
    live = desk.context.live
    if rules is not None:
        live = replace(live, ruleset=compile_rules({"r.toml": rules.encode()}))
    with desk.store.read() as tx:

        def originals(article_id: int) -> Sequence[Fingerprint]:
            return history.fingerprints(tx, article_id)

        done = replay(history.texts(tx, LONG_AGO), live, originals)
        assert done.texts == history.count(tx, LONG_AGO)
    return done


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    feeds = [feed(), feed(OTHER, name="L'Autre"), feed(THIRD, name="Le Troisième", alert_backlog=False)]
    with Desk(tmp_path, feeds=feeds, targets=[log_target(), log_target("night")]) as made:
        yield scripted(monkeypatch, made)


async def fill(desk: Desk) -> None:
    """A visit, a copy of it elsewhere, backlog, an update that matches anew, and what nobody asked for."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT), Item("2", "Commerce", TRADE)])
    desk.web.feed(OTHER, [Item("9", "Hun Sen attendu", VISIT)])
    desk.web.feed(
        THIRD, [Item("5", "Hun Sen encore", "Hun Sen poursuit une visite, la troisième depuis le printemps.")]
    )
    await desk.pass_()
    desk.later(hours=2)
    desk.web.feed(
        FEED, [Item("1", "Hun Sen à Hanoï", VISIT), Item("2", "Commerce", TRADE + " Hun Sen, en visite, écoutait.")]
    )
    await desk.pass_()


async def test_the_same_rules_tell_what_was_told(desk: Desk) -> None:
    """Message by message and silence by silence, as the ledger has it."""
    await fill(desk)
    done = again(desk)
    sent = desk.rows("SELECT target_id, count(*) FROM delivery WHERE state = 'sent' GROUP BY target_id")
    assert {target: sum(n for (_, t), n in done.alerts.items() if t == target) for target in ("log", "night")} == dict(
        sent
    )
    silent = desk.rows("SELECT suppression, count(*) FROM obligation WHERE suppression != '' GROUP BY suppression")
    assert done.suppressed == dict(silent)
    assert done.suppressed == {"copy": 2, "backlog": 2}
    assert set(done.hits["visit"]) == {row[0] for row in desk.rows("SELECT article_id FROM match")}


async def test_other_rules_tell_what_they_would_have(desk: Desk) -> None:
    """By day and target, with the words that match."""
    desk.web.feed(FEED, [Item("1", "Un pont", "Le pont ouvre."), Item("2", "Rien", "Une route.")])
    await desk.pass_()
    done = again(desk, BRIDGE)
    (hit,) = done.hits["bridge"].values()
    assert hit.past.article.title == "Un pont"
    assert done.alerts == {(date(2026, 2, 6), "log"): 1, (date(2026, 2, 6), "night"): 1}
    assert [hit.document.text(span.part)[slice(*span.words[0])] for span in hit.match.spans] == ["pont", "pont"]


async def test_rules_that_share_an_article_share_its_message(desk: Desk) -> None:
    """As a delivery collects all that one article owes one recipient."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    await desk.pass_()
    done = again(desk, RULES + '[[rule]]\nid = "hanoi"\nwhen = "=hanoi"\n')
    assert set(done.alerts.values()) == {1}


async def test_what_was_known_before_is_matched_and_owes_nothing(desk: Desk) -> None:
    """An imported article may be tried a rule on."""
    known = Known(
        id="a", language="fr", published=LONG_AGO, precision="day", source="s", url="", title="Un pont", body="Le pont."
    )
    store_known(desk.store, [known], desk.now)
    done = again(desk, BRIDGE)
    assert len(done.hits["bridge"]) == 1
    assert not done.alerts
    assert not done.suppressed


async def test_only_since_a_moment(desk: Desk) -> None:
    """Older articles are not read."""
    await fill(desk)
    with desk.store.read() as tx:
        assert list(history.texts(tx, desk.now)) == []


async def test_texts_come_page_by_page_in_order(desk: Desk) -> None:
    """None twice, none left out."""
    desk.web.feed(FEED, [Item(f"g{n}", f"Commune {n}", f"Le conseil numéro {n} a voté le budget.") for n in range(23)])
    await desk.pass_()
    with desk.store.read() as tx:
        found = [(one.article_id, one.article.title) for one in history.texts(tx, LONG_AGO, page=5)]
        whole = [(one.article_id, one.article.title) for one in history.texts(tx, LONG_AGO)]
    assert found == whole
    assert len(set(found)) == 23


def test_a_set_without_rules_finds_nothing(desk: Desk) -> None:
    """And does not fail."""
    live = replace(desk.context.live, ruleset=compile_rules({}))
    assert replay([], live, lambda _: ()) == Replayed()
