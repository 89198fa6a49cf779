"""The schema, and several processes at once on one store: one migrates, one is first, and ticks stay cheap."""

import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import forked
import sqlalchemy as sa
from stored import EVENTS, NOW, ingest_copy, url_of

from worker.store import Store, deliveries, entries, ledger, open_store, pages, schema

# --- the schema --------------------------------------------------------------------------------------------------


TOGETHER = """
import os, sys, traceback
from stored import NOW, add, feed, ingest_copy, ingest_events, publish, python, sighting, state_of, url_of
from worker.store import open_store
import alembic.command, alembic.config
job, url, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
gate, go = os.pipe()
children = []
for number in range(n):
    pid = os.fork()
    if pid == 0:
        os.close(go)
        try:
            store = open_store(url, create=True) if job != "migrate" else None
            os.read(gate, 1)
            if store is None:
                store = open_store(url, create=True)
                word = "migrated"
            else:
                word = ingest_copy(store, number) if job == "ingest" else ingest_events(store, number)
            os.write(1, (word + "\\n").encode())
            store.close()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    children.append(pid)
os.close(gate)
os.close(go)
sys.exit(any(os.waitpid(pid, 0)[1] for pid in children))
"""


def test_several_processes_migrate_at_the_same_moment(store_url: str) -> None:
    """One does; the others find it done."""
    done = forked.python(TOGETHER, "migrate", store_url, "5")
    assert (done.stdout.split(), done.returncode) == (["migrated"] * 5, 0), done.stderr
    store = open_store(store_url, create=False)
    with store.read() as tx:
        assert tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [schema.VERSION]
    store.close()


# --- one lane ----------------------------------------------------------------------------------------------------


def one_of_eight(store: Store, words: list[str]) -> None:
    """One was new, seven were copies of it, and one message is owed."""
    assert sorted(words) == ["duplicate"] * 7 + ["new"]
    with store.read() as tx:
        verdicts = tx.execute(sa.text("SELECT verdict, suppression FROM obligation ORDER BY verdict")).all()
        originals = tx.execute(sa.text("SELECT DISTINCT of_id FROM article WHERE of_id IS NOT NULL")).all()
        assert [tuple(v) for v in verdicts] == [("owed", "")] + [("suppressed", "copy")] * 7
        assert len(originals) == 1
        assert deliveries.counts(tx)["open"] == 1
        assert ledger.audit(tx) == ()


def test_eight_threads_tell_one_text_once(store: Store) -> None:
    """Whoever is first decides; the others see it."""
    words: list[str] = []
    threads = [threading.Thread(target=lambda n=n: words.append(ingest_copy(store, n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one_of_eight(store, words)


def test_eight_processes_tell_one_text_once(store_url: str) -> None:
    """On PostgreSQL they are eight workers; on SQLite, imports beside one."""
    store = open_store(store_url, create=True)
    done = forked.python(TOGETHER, "ingest", store_url, "8")
    assert done.returncode == 0, done.stderr
    one_of_eight(store, done.stdout.split())
    store.close()


def test_eight_processes_tell_each_event_once(store_url: str) -> None:
    """The same texts by eight at once: one original of each, and each event is one story, whoever came first."""
    store = open_store(store_url, create=True)
    done = forked.python(TOGETHER, "events", store_url, "8")
    assert (done.stdout.split(), done.returncode) == (["stored"] * 8, 0), done.stderr
    with store.read() as tx:
        rows = tx.execute(
            sa.text("SELECT a.name, a.of_id, s.story_id FROM article a JOIN story_article s ON s.article_id = a.id")
        ).all()
    store.close()
    originals = Counter(name.partition("-")[2] for name, of_id, _ in rows if of_id is None)
    assert originals == {f"{event}-{account}": 1 for event in range(len(EVENTS)) for account in range(2)}
    stories_of = {(name.split("-")[1], story_id) for name, _, story_id in rows}
    assert len(rows) == 8 * 2 * len(EVENTS)
    assert len(stories_of) == len({story_id for _, story_id in stories_of}) == len(EVENTS)


# --- what every tick asks ----------------------------------------------------------------------------------------


def test_a_tick_reads_no_table_from_end_to_end(tmp_path: Path) -> None:
    """Every second, for years: what it asks is found by an index. Feeds are few."""
    store = open_store(url_of(tmp_path / "veille.db"), create=True)
    asked: list[tuple[str, tuple[object, ...]]] = []
    engine = store._engine
    sa.event.listen(
        engine, "before_cursor_execute", lambda _c, _u, words, values, _x, _m: asked.append((words, values))
    )
    with store.write() as tx:
        entries.waiting(tx, now=NOW)
        entries.quarantine_poisoned(tx, now=NOW)
        entries.take_ready(tx, now=NOW, lease=timedelta(1), limit=50)
        pages.take_pages(tx, now=NOW, lease=timedelta(1), limit=8)
        deliveries.due(tx, now=NOW, limit=200, busy=[1, 2])
        ledger.decided(tx, 1)
        ledger.decided_for_text(tx, 1)
        entries.known(tx, 1, ["a", "b"])
        statements = [(words, values) for words, values in asked if not words.startswith("BEGIN")]
        plans = [
            row[3] for words, values in statements for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", values)
        ]
    assert len(statements) >= 8
    scans = [
        plan for plan in plans if plan.startswith("SCAN") and "CONSTANT" not in plan and "INDEX entry_page" not in plan
    ]
    names = {plan.split()[1] for plan in scans} - {"anon_1", "feed", "target"}
    assert {name for name in names if not name.startswith("(")} == set(), scans
    store.close()
