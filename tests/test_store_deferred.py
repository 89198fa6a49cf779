"""Rows that wait to be written together, on both databases."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from stored import NEW, NOW, article, mark

from worker.model import Origin
from worker.store import Store, Tx, articles, deferred, stories
from worker.store.stories import joining
from worker.store.tables import ARTICLE, STORY


def put(tx: Tx, name: str) -> int:
    """Store an article of its own, not yet written."""
    one = article(name, f"Le texte de {name}, que nul autre article ne porte, est écrit ici.")
    return articles.add(tx, one, mark(one.body), NEW, origin=Origin.FEED, now=NOW)[0]


def titles(tx: Tx) -> list[str]:
    return list(tx.execute(sa.select(ARTICLE.c.title).order_by(ARTICLE.c.id)).scalars())


def test_a_batch_is_one_statement_a_table(store: Store) -> None:
    """However many articles it has."""
    asked: Counter[str] = Counter()

    def count(_tx: Tx, _cursor: Any, statement: str, *_: object) -> None:
        asked[" ".join(statement.split()[:3])] += 1

    with store.ingest() as tx:
        sa.event.listen(tx.engine, "before_cursor_execute", count)
        for number in range(20):
            put(tx, f"Article {number}")
    sa.event.remove(tx.engine, "before_cursor_execute", count)
    inserts = {statement: many for statement, many in asked.items() if statement.startswith("INSERT")}
    assert set(inserts) == {
        f"INSERT INTO {name}" for name in ("article", "fingerprint", "band", "line", "search", "revision")
    }
    assert set(inserts.values()) == {1}


def test_what_waits_is_there_for_every_other_statement(store: Store) -> None:
    """Of the same transaction; other transactions see it when this one is committed."""
    with store.ingest() as tx:
        put(tx, "Un")
        assert titles(tx) == ["Un"]
        put(tx, "Deux")
        with store.read() as other:
            assert titles(other) == []
        assert titles(tx) == ["Un", "Deux"]
    with store.read() as tx:
        assert titles(tx) == ["Un", "Deux"]


def test_what_others_refer_to_is_written_first(store: Store) -> None:
    """Whichever came first."""
    order: list[str] = []

    def write(_tx: Tx, rows: list[str]) -> None:
        order.extend(rows)

    with store.ingest() as tx:
        deferred.defer(tx, "story_article", write, "an article's place")
        deferred.defer(tx, "story", write, "its story")
        assert titles(tx) == []
    assert order == ["its story", "an article's place"]


@pytest.mark.parametrize(
    ("statement", "written"),
    [
        pytest.param("SELECT count(*) FROM line", [], id="reads another table"),
        pytest.param("SELECT count(*) FROM article", ["article"], id="reads what is referred to"),
        pytest.param("SELECT count(*) FROM revision", ["article", "revision"], id="reads what refers"),
        pytest.param('SELECT count(*) FROM "revision"', ["article", "revision"], id="quoted"),
        pytest.param(
            "UPDATE feed SET name = (SELECT max(title) FROM article)", ["article"], id="writes what it reads from it"
        ),
        pytest.param("UPDATE match SET rule_name = ''", ["article", "revision"], id="writes what may refer to it"),
        pytest.param("UPDATE feed SET name = ''", [], id="writes what has nothing to do with it"),
        pytest.param("Select count(*) From REVISION", ["article", "revision"], id="in capitals"),
        pytest.param("delete from silence", ["article", "revision", "search"], id="deletes, in small letters"),
        pytest.param("DELETE FROM silence", ["article", "revision", "search"], id="deletes"),
    ],
)
def test_a_statement_comes_after_what_it_may_ask_for(store: Store, statement: str, written: list[str]) -> None:
    """The rest waits on, and is there at the end."""
    done: list[str] = []

    def writing(name: str) -> deferred.Write:
        return lambda _tx, rows: done.extend([name] * len(rows))

    with store.ingest() as tx:
        for name in ("search", "revision", "article"):
            deferred.defer(tx, name, writing(name), name)
        tx.execute(sa.text(statement))
        assert done == written
        if not written:
            with deferred.asking_for_stored(tx):
                assert titles(tx) == []
            assert done == []
    assert done == ["article", "revision", "search"]


def test_a_row_is_there_before_it_is_changed(store: Store) -> None:
    """A story that the batch begins is stretched, though another one was stretched before."""
    later = NOW + timedelta(days=2)
    with store.ingest() as tx:
        first = stories.begin(tx, "Une histoire", NOW, NOW)
    with store.ingest() as tx:
        joining.stretch(tx, first, later)
        joining.stretch(tx, stories.begin(tx, "Une autre", NOW, NOW), later)
    with store.read() as tx:
        assert set(tx.execute(sa.select(STORY.c.last_seen)).scalars()) == {later}


@pytest.mark.parametrize("how", ["committed", "rolled back"])
def test_numbers_go_on(store: Store, how: str) -> None:
    """After a batch as after a row that the database numbered itself; one that is undone leaves nothing."""
    with store.ingest() as tx:
        assert [put(tx, name) for name in ("Un", "Deux", "Trois")] == [1, 2, 3]
    undone = KeyError()
    try:
        with store.ingest() as tx:
            put(tx, "Quatre")
            put(tx, "Cinq")
            if how == "rolled back":
                raise undone
    except KeyError:
        pass
    with store.ingest() as tx:
        values = {"title": "Une histoire", "first_seen": NOW, "last_seen": NOW, "created": NOW}
        by_database = tx.execute(sa.insert(STORY).values(values).returning(STORY.c.id)).scalar_one()
        assert stories.begin(tx, "Une autre", NOW, NOW) == by_database + 1
        last = put(tx, "Six")
        assert titles(tx)[-1] == "Six"
        assert last > (3 if how == "rolled back" else 5)
    with store.read() as tx:
        assert ("Quatre" in titles(tx)) is (how == "committed")
