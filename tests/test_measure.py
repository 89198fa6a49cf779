"""Figures for Prometheus, from a store that a pass has filled."""

from pathlib import Path

from desk import FEED, START, VISIT, Desk, scripted
from rig import Item

from worker.console.metrics import measure
from worker.errors import Problem
from worker.store import upkeep


async def test_the_store_is_measured(tmp_path: Path, monkeypatch) -> None:
    """Counts are the store's; a refusal of the rules shows as long as it lasts."""
    with Desk(tmp_path) as desk:
        scripted(monkeypatch, desk)
        desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT), Item("2", "Hun Sen attendu mardi à Hanoï", VISIT)])
        await desk.pass_()
        before = measure(desk.store, desk.context.live.config, desk.now)
        assert (before.tick, before.rules, before.refused) == (None, 0, 0)
        assert (before.entries["done"], before.articles["feed"], before.deliveries["sent"]) == (2, 2, 1)
        assert (before.stories, before.feeds_failing, before.breaches) == (1, 0, 0)
        problem = Problem(file="rules/r.toml", line=3, message="no")
        in_force = upkeep.InForce(owner="desk", hash="a", rules=4, since=START, read=START, problems=(problem,))
        beat = upkeep.Heartbeat(owner="desk", host="h", pid=1, started=START, tick=START)
        with desk.store.write() as tx:
            upkeep.put_in_force(tx, in_force)
            upkeep.beat(tx, beat)
        desk.web.answer(FEED, status=500)
        desk.later(hours=1)
        await desk.pass_()
        after = measure(desk.store, desk.context.live.config, desk.now)
        assert (after.tick, after.rules, after.rules_since, after.refused) == (START, 4, START, 1)
        assert after.feeds_failing == 1
