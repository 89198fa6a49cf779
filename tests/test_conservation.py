"""The conservation law under random policies, articles, clocks, failures and answers, after every step."""

import asyncio
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from unittest import mock

from desk import Desk, email_target, examples, feed
from hypothesis import given
from hypothesis import strategies as st
from rig import Item
from test_story_alerts import ACCOUNTS, ELSEWHERE, A, B

from worker.model import DigestPolicy, NotificationPolicy, Outcome, Quiet, Receipt, Severity, Throttle
from worker.pipeline import deliver as job
from worker.pipeline import story_corrections
from worker.runtime.single_pass import deliver_due
from worker.store import ledger, silences

TEXTS = [*ACCOUNTS, ELSEWHERE, "Hun Sen annule sa visite de la halle aux poissons de Kep, fermée pour travaux."]

_quiet = st.lists(st.builds(Quiet, since=st.just(time(22)), until=st.just(time(6, 30))), max_size=1).map(tuple)
_targets = st.builds(
    lambda digest, quiet, throttle, two: [
        replace(
            email_target("desk", *(["a@e.org", "b@e.org"] if two else ["a@e.org"])),
            timezone="UTC",
            digest=digest,
            quiet=quiet,
            throttle=throttle,
        )
    ],
    st.none() | st.just(DigestPolicy(at="30 7 * * *", but=frozenset({Severity.CRITICAL}))),
    _quiet,
    st.none() | st.just(Throttle(alerts=1, per=timedelta(hours=2))),
    st.booleans(),
)
_tellings = st.builds(
    NotificationPolicy,
    key=st.sampled_from(["story", "article"]),
    group_wait=st.sampled_from([timedelta(0), timedelta(minutes=20)]),
    repeat_interval=st.none() | st.just(timedelta(hours=3)),
    follow_up=st.sampled_from([None, (), ("correction",), ("new-source", "correction", "development")]),
)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from([A, B]), st.sampled_from(TEXTS), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.sampled_from([1, 25, 130, 600, 1500])),
        st.tuples(st.just("fail"), st.sampled_from([Outcome.RETRY, Outcome.UNCERTAIN, Outcome.PERMANENT])),
        st.tuples(st.just("silence"), st.sampled_from(["rule", "story"]), st.sampled_from([30, 600])),
        st.tuples(st.sampled_from(["split", "move", "merge"]), st.integers(1, 4), st.integers(1, 4)),
    ),
    min_size=3,
    max_size=9,
)


def assert_conserved(desk: Desk) -> None:
    """Each matched (rule, article, recipient) is sent, on its way, suppressed with a reason, or dead."""
    with desk.store.read() as tx:
        assert ledger.audit(tx) == ()
    recipients = desk.targets[0].recipients
    matched = {(rule, article) for rule, article in desk.rows("SELECT DISTINCT rule_id, article_id FROM match")}
    lines = desk.rows(
        "SELECT o.rule_id, o.article_id, o.recipient, o.verdict, o.suppression, d.state FROM obligation o "
        "LEFT JOIN delivery d ON d.id = o.delivery_id"
    )
    assert {(rule, article, to) for rule, article, to, *_ in lines} == {
        (rule, article, to) for rule, article in matched for to in recipients
    }
    for *_, verdict, suppression, state in lines:
        assert (verdict == "suppressed" and suppression and state is None) or (verdict == "owed" and state)


async def run(desk: Desk, steps: list[tuple]) -> None:
    shown: dict[str, dict[int, str]] = {A: {}, B: {}}
    for what, *how in steps:
        match what:
            case "publish":
                url, text, key = how
                shown[url][key] = text
                items = [Item(f"v{n}", "Hun Sen en visite", text) for n, text in shown[url].items()]
                desk.web.feed(url, items)
                await desk.pass_()
            case "wait":
                desk.later(minutes=how[0])
                await deliver_due(desk.context)
            case "fail":
                desk.script["desk"].append(Receipt(outcome=how[0], detail="as the test says"))
            case "silence":
                chosen = {"rule_id": "visit"} if how[0] == "rule" else {"story_id": 1}
                until = desk.now + timedelta(minutes=how[1])
                with desk.store.write() as tx:
                    silences.add(tx, silences.Silence(author="ana", created=desk.now, until=until, **chosen))
            case "split" | "move" | "merge":
                by = story_corrections.By(author="ana", now=desk.now)
                with desk.store.ingest() as tx:
                    if what == "split":
                        story_corrections.split(tx, desk.context.live, how[0], by)
                    else:
                        join = story_corrections.move if what == "move" else story_corrections.merge
                        join(tx, desk.context.live, how[0], how[1], by)
        assert_conserved(desk)
    for _ in range(4):  # past the night, the digest, every pause
        desk.later(hours=30)
        await deliver_due(desk.context)
    assert_conserved(desk)
    assert desk.one("SELECT count(*) FROM delivery WHERE state NOT IN ('sent', 'failed')") == 0
    carried = Counter(
        desk.rows("SELECT rule_id, article_id, recipient, occasion FROM obligation WHERE verdict = 'owed'")
    )
    assert not carried or max(carried.values()) == 1, "each held alert appears exactly once"
    accepted = [claimed.key for (_, claimed) in desk.attempts]
    sent = {key for (key,) in desk.rows("SELECT key FROM delivery WHERE state = 'sent'")}
    assert sent <= set(accepted)
    assert all(n == 1 for key, n in Counter(accepted).items() if not desk.script_failed(key))


@examples(8)
@given(_targets, _tellings, _steps)
def test_nothing_is_lost_under_any_policy(targets: list, notification: NotificationPolicy, steps: list[tuple]) -> None:
    """Whatever is published, held, silenced, refused or put right by hand, every alert is accounted for, told once."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Failing(Path(folder), targets, notification) as desk,
        mock.patch.object(job, "send", desk.send),
    ):
        asyncio.run(run(desk, steps))


class Failing(Desk):
    """A desk that remembers which deliveries an attempt failed for."""

    def __init__(self, folder: Path, targets: list, notification: NotificationPolicy) -> None:
        feeds = [feed(A, name="Le Fil"), feed(B, name="La Dépêche")]
        super().__init__(folder, feeds=feeds, targets=targets, notification=notification)
        self._failed: set[str] = set()

    async def send(self, claimed, target, **more):  # type: ignore[no-untyped-def, override]
        receipt = await super().send(claimed, target, **more)
        if receipt.outcome is not Outcome.SENT:
            self._failed.add(claimed.key)
        return receipt

    def script_failed(self, key: str) -> bool:
        return key in self._failed
