"""The ledger: what is owed is written once, collected into deliveries, and adds up, on both databases."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from stored import NOW, add, claim, create_obligations, finish, match, open_one, owed, states, suppressed

from worker.model import Outcome, Suppression
from worker.store import Store, deliveries, ledger, ledger_lines, open_deliveries


def owed_ids(store: Store) -> dict[tuple[str, str], int | None]:
    """(rule, recipient) -> delivery, as stored."""
    with store.read() as tx:
        rows = tx.execute(sa.text("SELECT rule_id, recipient, delivery_id FROM obligation"))
        return {(r.rule_id, r.recipient): r.delivery_id for r in rows}


def test_several_rules_for_one_article_and_recipient_make_one_message(store: Store) -> None:
    """Also where the second comes with a later text, as long as nothing was sealed."""
    one, other = add(store, "Un"), add(store, "Deux")
    assert create_obligations(store, one, owed("visit"), owed("trade"), owed("visit", "log:b")) == 2
    assert create_obligations(store, one, owed("flood", occasion="development")) == 0
    assert create_obligations(store, other, owed("visit")) == 1
    found = owed_ids(store)
    with store.read() as tx:
        assert [line.state for line in ledger_lines.lines(tx, one)] == ["open"] * 4
        assert [m[2].rule_id for m in ledger.matches_of_delivery(tx, found["trade", "log:a"] or 0)] == [
            "visit",
            "trade",
            "flood",
        ]


def test_nothing_joins_a_sealed_message(store: Store) -> None:
    """Its bytes are fixed: what comes later goes in another."""
    delivery_id = open_one(store)
    assert claim(store, delivery_id) is not None
    assert create_obligations(store, 1, owed("trade", occasion="development")) == 1
    found = owed_ids(store)
    assert found["trade", "log:a"] not in (None, delivery_id)
    assert states(store) == {"sealed": 1, "open": 1}


def test_what_is_owed_is_owed_once(store: Store) -> None:
    """A job that runs twice owes nothing more; another occasion is another obligation."""
    article_id = add(store, "Un")
    assert create_obligations(store, article_id, owed()) == 1
    assert create_obligations(store, article_id, owed()) == 0
    assert create_obligations(store, article_id, suppressed()) == 0
    with store.read() as tx:
        (line,) = ledger_lines.lines(tx, article_id)
        assert (line.verdict, line.suppression, line.state, line.due) == ("owed", "", "open", NOW)
        assert ledger.decided(tx, article_id) == {("visit", "log:a")}
    assert states(store) == {"open": 1}


def test_what_is_suppressed_keeps_its_reason_and_sends_nothing(store: Store) -> None:
    """It counts as decided."""
    article_id = add(store, "Un")
    assert create_obligations(store, article_id, suppressed(why=Suppression.BACKLOG)) == 0
    with store.read() as tx:
        (line,) = ledger_lines.lines(tx, article_id)
        assert ledger.decided(tx, article_id) == {("visit", "log:a")}
        assert ledger.decided(tx, 99) == ledger.decided_for_text(tx, 99) == frozenset()
    assert (line.verdict, line.suppression, line.state, line.due) == ("suppressed", "backlog", "", None)
    assert states(store) == {}


def test_a_match_comes_back_with_its_proof(store: Store) -> None:
    """The words that matched, in the text that they stand in."""
    article_id = add(store, "Un titre")
    create_obligations(store, article_id, owed("visit"))
    with store.read() as tx:
        (found,) = ledger.matches(tx, article_id)
    assert (found.rule_id, found.rule_name, found.severity, found.revision) == ("visit", "Règle visit", "high", 1)
    assert (found.spans, found.title, found.body) == (
        match().spans,
        "Un titre",
        "Un titre. Le corps du texte.",
    )


def test_the_ledger_says_what_became_of_each(store: Store) -> None:
    """With the last attempt's words."""
    delivery_id = open_one(store)
    claimed = claim(store, delivery_id)
    assert claimed is not None
    assert finish(store, claimed, Outcome.SENT, state="sent")
    with store.read() as tx:
        (line,) = ledger_lines.lines(tx, 1)
    assert (line.state, line.attempts, line.finished, line.detail) == ("sent", 1, NOW, "250 ok")


def test_a_key_is_never_used_again(store: Store) -> None:
    """Receivers know a repeat by it: two messages to one recipient about one thing have two, here and elsewhere."""
    with store.write() as tx:
        for now in (NOW, NOW, NOW + timedelta(seconds=1)):
            for recipient in ("log:a", "log:b"):
                open_deliveries.open_delivery(tx, "a", recipient, "notice", due=now, now=now)
        keys = {deliveries.draft(tx, n).key for n in range(1, 7)}
    assert len(keys) == 6


def test_a_ledger_that_adds_up_has_no_breach(store: Store) -> None:
    """In every state that a delivery can be in."""
    for n, outcome in enumerate(("sent", "retry", "failed", "parked")):
        claimed = claim(store, open_one(store, title=f"{n}"))
        assert claimed is not None
        finish(store, claimed, Outcome.SENT if outcome == "sent" else Outcome.RETRY, state=outcome)
    claim(store, open_one(store, title="sealed"))
    open_one(store, title="open")
    create_obligations(store, add(store, "suppressed"), suppressed())
    with store.read() as tx:
        assert ledger.audit(tx) == ()


@pytest.mark.parametrize(
    ("breach", "said"),
    [
        ("UPDATE obligation SET delivery_id = NULL WHERE id = 1", "1 owed obligations without a delivery"),
        ("UPDATE delivery SET recipient = 'log:z'", "1 obligations in another recipient's delivery"),
        ("UPDATE obligation SET verdict = 'suppressed'", "1 suppressed obligations without a reason"),
        ("UPDATE delivery SET state = 'sent'", "1 deliveries called sent without an attempt that was"),
        ("UPDATE delivery SET state = 'retry'", "1 sealed deliveries without their bytes"),
        ("UPDATE delivery SET state = 'lost'", "1 deliveries in a state that does not exist"),
    ],
)
def test_every_breach_is_named(store: Store, breach: str, said: str) -> None:
    """The conservation law: matched = sent + in delivery + suppressed + failed."""
    open_one(store)
    with store.write() as tx:
        tx.execute(sa.text(breach))
        assert ledger.audit(tx) == (said,)


def test_what_fails_in_the_middle_owes_nothing(store: Store) -> None:
    """A match without its obligation would be a lost alert, an obligation without its match a wrong one."""
    article_id = add(store, "Un")

    def die() -> None:
        with store.ingest() as tx:
            ids = ledger.add_matches(tx, article_id, article_id, [match()], NOW)
            ledger.add_obligations(tx, article_id, ids, [owed()], due=NOW, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die()
    with store.read() as tx:
        assert ledger.matches(tx, article_id) == ()
        assert ledger_lines.lines(tx, article_id) == ()
    assert states(store) == {}
