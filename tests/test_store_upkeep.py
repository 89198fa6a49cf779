"""The store's own affairs: heartbeat, counts, and what may be forgotten, on both databases."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from stored import (
    NEW,
    NOW,
    add,
    article,
    claim,
    create_obligations,
    finish,
    mark,
    open_one,
    owed,
    publish,
    sighting,
    state_of,
    states,
)

from worker.feeds.identify import SightingKind, identify, keys
from worker.model import Novelty, NoveltyKind, Origin, Outcome, ParsedEntry
from worker.store import Store, articles, entries, open_deliveries, upkeep

DAY = timedelta(days=1)
LATER = NOW + DAY


def forget(store: Store, what: str) -> int:
    """Forget what came before tomorrow."""
    with store.write() as tx:
        if what == "articles":
            return upkeep.forget_articles(tx, before=LATER, ledger_before=LATER)
        done: int = getattr(upkeep, f"forget_{what}")(tx, before=LATER)
    return done


def rows(store: Store, table: str) -> int:
    with store.read() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(sa.table(table))).scalar_one())


def test_there_is_one_heartbeat(store: Store) -> None:
    """The newest; none before the first worker."""
    with store.write() as tx:
        assert upkeep.heartbeat(tx) is None
        for minute in range(3):
            beat = upkeep.Heartbeat(owner=f"{minute}", host="h", pid=minute, started=NOW, tick=NOW + minute * DAY)
            upkeep.beat(tx, beat)
        assert upkeep.heartbeat(tx) == beat


def test_articles_are_counted_by_origin(store: Store) -> None:
    """And how many are duplicates."""
    first = add(store, "a")
    add(store, "b", novelty=Novelty(kind=NoveltyKind.DUPLICATE, of=first))
    add(store, "c", origin=Origin.IMPORT)
    with store.read() as tx:
        assert upkeep.article_counts(tx) == {"feed": 2, "import": 1, "duplicates": 1}


def test_documents_go_when_no_entry_waits_on_them(store: Store) -> None:
    """A quarantined entry's bytes are kept, to be looked at; today's are kept."""
    for name, state in (("done", "done"), ("ready", "ready"), ("bad", "quarantined"), ("new", "new")):
        (entry_id,) = publish(store, sighting(name))
        with store.write() as tx:
            tx.execute(sa.text("UPDATE entry SET state = :s WHERE id = :i"), {"s": state, "i": entry_id})
    with store.write() as tx:
        today = entries.keep_raw(tx, b"today", LATER)
    assert forget(store, "raw") == 1
    assert rows(store, "raw") == 4
    with store.read() as tx:
        assert entries.raw(tx, today) == b"today"


def test_an_old_article_goes_with_all_that_stands_on_it(store: Store) -> None:
    """And what comes again is still known: neither new nor changed."""
    parsed = ParsedEntry(guid="a", title="Un titre", summary="Un texte.")
    (seen,) = identify([parsed], {})
    (entry_id,) = publish(store, seen)
    create_obligations(store, add(store, "Un titre", entry_id=entry_id), owed())
    claimed = claim(store, 1)
    assert claimed is not None
    finish(store, claimed, Outcome.SENT, state="sent")
    assert forget(store, "deliveries") == 0, "it carries an obligation still"
    assert forget(store, "articles") == 1
    for table in ("article", "revision", "fingerprint", "band", "match", "obligation", "entry"):
        assert rows(store, table) == 0, table
    assert forget(store, "deliveries") == 1
    assert (rows(store, "delivery"), rows(store, "attempt")) == (0, 0)
    edited = ParsedEntry(guid="a", title="Un titre", summary="Un autre texte.")
    with store.read() as tx:
        for again in (parsed, edited):
            known = entries.known(tx, state_of(store).id, keys(again))
            assert [s.kind for s in identify([again], known)] == [SightingKind.KNOWN]


def test_the_ledger_keeps_the_articles_it_stands_on(store: Store) -> None:
    """An article that nobody was told of goes before one that stands in a ledger which is kept for longer."""
    add(store, "Un titre")
    told = add(store, "Un autre")
    create_obligations(store, told, owed())
    claimed = claim(store, 1)
    assert claimed is not None
    finish(store, claimed, Outcome.SENT, state="sent")
    with store.write() as tx:
        assert upkeep.forget_articles(tx, before=LATER, ledger_before=None) == 1
        assert upkeep.forget_articles(tx, before=LATER, ledger_before=NOW) == 0
        assert upkeep.forget_articles(tx, before=LATER, ledger_before=LATER) == 1


@pytest.mark.parametrize("state", ["open", "sealed", "retry", "parked", "none"])
def test_s14_what_is_owed_stays(store: Store, state: str) -> None:
    """Whatever became of its delivery, and also where a fault took the delivery away."""
    delivery_id = open_one(store)
    if state != "open":
        claimed = claim(store, delivery_id)
        assert claimed is not None
        if state in ("retry", "parked"):
            finish(store, claimed, Outcome.RETRY, state=state)
    if state == "none":
        with store.write() as tx:
            tx.execute(sa.text("UPDATE obligation SET delivery_id = NULL"))
    assert forget(store, "articles") == 0
    assert state == "none" or forget(store, "deliveries") == 0


def test_an_original_stays_while_a_copy_does(store: Store) -> None:
    """They go together, the copies first."""
    first = add(store, "a")
    add(store, "b", novelty=Novelty(kind=NoveltyKind.DUPLICATE, of=first))
    with store.write() as tx:
        assert upkeep.forget_articles(tx, before=NOW, ledger_before=NOW) == 0
    assert forget(store, "articles") == 1
    assert forget(store, "articles") == 1
    assert rows(store, "article") == 0


def test_what_waits_to_be_read_again_stays(store: Store) -> None:
    """So does all that is known without a feed: the archive and what was imported."""
    (entry_id,) = publish(store, sighting("a"))
    add(store, "a", entry_id=entry_id)
    publish(store, sighting("a", "Autre.", kind=SightingKind.CHANGED, entry_id=entry_id))
    add(store, "b", origin=Origin.IMPORT)
    add(store, "c", origin=Origin.ARCHIVE)
    assert forget(store, "articles") == 0


def test_much_is_forgotten_in_small_steps(store: Store) -> None:
    """So that no transaction keeps the worker waiting."""
    with store.ingest() as tx:
        for n in range(1_001):
            one = article(f"n{n}")
            articles.add(tx, one, mark(one.body), NEW, origin=Origin.FEED, now=NOW)
    assert [forget(store, "articles") for _ in range(4)] == [500, 500, 1, 0]


def test_notices_are_forgotten_when_they_ended(store: Store) -> None:
    """They carry nothing, and are kept while they wait."""
    with store.write() as tx:
        for n in range(2):
            open_deliveries.open_delivery(tx, "ops", f"log:{n}", open_deliveries.NOTICE, due=NOW, now=NOW)
    claimed = claim(store, 1)
    assert claimed is not None
    finish(store, claimed, Outcome.PERMANENT, state="failed")
    assert forget(store, "deliveries") == 1
    assert states(store) == {"open": 1}
