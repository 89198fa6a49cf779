"""A new store is what the migrations lead to; stores of earlier versions become it, with all that they know."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import op
from kept import MAKE_SCHEMA
from stored import NOW, mark, url_of

from worker.store import Store, fingerprints, open_store, people, schema, tables, upkeep
from worker.store.fingerprints import forget_bands

TEXT = (
    "Le pont de la rivière Sékong a été ouvert mardi à la circulation par le gouverneur de la province d'Attapeu. "
    "Long de quatre cents mètres, il remplace un bac que la crue emportait chaque année et que les villages espéraient."
)


@pytest.fixture(autouse=True)
def _made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schemas are made as the worker makes them, and not as another test had them made."""
    monkeypatch.setattr(schema, "_make", MAKE_SCHEMA)


def made_by(url: str, version: str) -> sa.Engine:
    """A store as the Veille of that schema left it."""
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        schema.migrate(tx, version)
    return engine


def described(tx: sa.Connection) -> dict[str, Any]:
    """All that a database says of its tables, but for the order in which they got their columns."""
    found = sa.inspect(tx)
    names = sorted(found.get_table_names())

    def written(row: Mapping[str, Any]) -> str:
        row = {
            key: {k: str(v) for k, v in value.items()} if isinstance(value, dict) else value
            for key, value in row.items()
        }
        if row.get("name") == "id":  # whether a table counts its rows is nobody's affair where all say which they are
            row |= {"autoincrement": None, "default": None}
        return repr(sorted(row.items(), key=str))

    def sorted_by(key: str, rows: Iterable[Any]) -> list[str]:
        return [written(row) for row in sorted(rows, key=lambda row: str(row[key]))]

    ask: dict[str, Callable[[str], Any]] = {
        "columns": lambda name: sorted_by(
            "name", [dict(c) | {"type": repr(c["type"])} for c in found.get_columns(name)]
        ),
        "keys": found.get_pk_constraint,
        "unique": lambda name: sorted_by("column_names", found.get_unique_constraints(name)),
        "foreign": lambda name: sorted_by("constrained_columns", found.get_foreign_keys(name)),
        "indexes": lambda name: sorted_by("name", found.get_indexes(name)),
    }
    return {f"{name}: {what}": answer(name) for name in names for what, answer in ask.items()}


def test_the_migrations_lead_to_what_a_new_store_is(store_url: str) -> None:
    """Keys, indexes and their conditions, defaults, constraints by name."""
    made_by(store_url, schema.VERSION).dispose()
    engine = sa.create_engine(store_url)
    with engine.begin() as tx:
        migrated = described(tx)
        if tx.dialect.name == "postgresql":
            tx.execute(sa.text("DROP SCHEMA public CASCADE"))
            tx.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    if store_url.startswith("sqlite"):
        Path(store_url.removeprefix("sqlite:///")).unlink()
    open_store(store_url, create=True).close()
    engine = sa.create_engine(store_url)
    with engine.begin() as tx:
        assert described(tx) == migrated
    engine.dispose()


def test_a_new_store_is_what_the_tables_say(store: Store) -> None:
    """As Alembic compares them."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def is_a_table_of_ours(name: str | None, kind: str, _: object) -> bool:
        """Tells whether it is described by a class; the index of words and the queues are made by other means."""
        return kind != "table" or not str(name).startswith(("search", "procrastinate"))

    opts = {"compare_type": True, "compare_server_default": True, "include_name": is_a_table_of_ours}
    with store.read() as tx:
        context = MigrationContext.configure(tx, opts=opts)
        assert compare_metadata(context, tables.METADATA) == []


def test_s09_a_migration_that_dies_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start makes all of it."""
    path = tmp_path / "veille.db"
    made_by(url_of(path), "0008").dispose()
    before = _tables(path)

    def die(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(op, "drop_table", die)
        with pytest.raises(RuntimeError):
            open_store(url_of(path), create=True)
    assert _tables(path) == before
    open_store(url_of(path), create=True).close()
    assert _tables(path) != before


def test_s09_a_schema_that_is_not_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first start that dies in the middle leaves nothing; the next one makes all of it."""
    path = tmp_path / "veille.db"
    with monkeypatch.context() as patched:
        patched.setattr(schema._VERSION_TABLE, "create", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_store(url_of(path), create=True)
    assert _tables(path) == set()
    open_store(url_of(path), create=True).close()
    assert "alembic_version" in str(_tables(path))


def _tables(path: Path) -> set[tuple[str, str]]:
    db = sqlite3.connect(path)
    found = {(name, sql) for name, sql in db.execute("SELECT name, sql FROM sqlite_master")}
    db.close()
    return found


def test_bands_of_before_are_keys_now(store_url: str) -> None:
    """Articles stored with bands of 64 bits are found by a longer text, and leave none behind when they go."""
    fingerprint = mark(TEXT)
    moment = "2026-02-01 00:00:00.000000+00:00"
    old = made_by(store_url, "0008")
    with old.begin() as tx:
        for number, bands in ((1, fingerprint.bands), (2, ())):
            tx.execute(
                sa.text(
                    "INSERT INTO article (id, origin, name, url, link, source, language, title, published, precision, "
                    "first_seen, novelty, score, why, revision) VALUES (:id, 'feed', '', '', '', 'A', 'fr', 'Le pont', "
                    ":now, '', :now, 'new', 0, '', 1)"
                ),
                {"id": number, "now": moment},
            )
            for revision in (0, 1):
                tx.execute(
                    sa.text(
                        "INSERT INTO fingerprint (article_id, revision, scheme, digest, shingles, facts, words) "
                        "VALUES (:id, :revision, 1, :digest, :shingles, :facts, :words)"
                    ),
                    {
                        "id": number,
                        "revision": revision,
                        "digest": f"{number}{revision}",
                        "shingles": fingerprint.shingles,
                        "facts": fingerprint.facts,
                        "words": fingerprint.words,
                    },
                )
            for band in bands:
                tx.execute(sa.text("INSERT INTO band (value, article_id) VALUES (:v, :a)"), {"v": band, "a": number})
    old.dispose()
    store = open_store(store_url, create=True)
    with store.read() as tx:
        longer = mark(f"Nos correspondants rapportent plusieurs nouvelles. {TEXT} La suite demain.")
        assert {found.article_id for found in fingerprints.candidates(tx, longer, url="", exclude=None)} == {1}
        assert tx.execute(sa.text("SELECT count(*) FROM band")).scalar() == len(fingerprint.bands)
    with store.write() as tx:
        forget_bands(tx, [1, 2])
        assert tx.execute(sa.text("SELECT count(*) FROM band")).scalar() == 0
    store.close()


def test_every_schema_leads_to_this_one(store_url: str) -> None:
    """One after another, and the store can be written to."""
    made_by(store_url, "0001").dispose()
    store = open_store(store_url, create=True)
    with store.write() as tx:
        upkeep.beat(tx, upkeep.Heartbeat(owner="a", host="h", pid=1, started=NOW, tick=NOW))
        assert tx.execute(sa.text("SELECT owner FROM heartbeat")).scalars().all() == ["a"]
    store.close()


def test_the_words_of_before_are_those_of_now(store_url: str) -> None:
    """Deliveries that were given up, and the fixes of mistakes in rules."""
    old = made_by(store_url, "0022")
    mistake = {"file": "a.toml", "line": 3, "message": "no query", "mend": "write one", "column": 0, "source": ""}
    with old.begin() as tx:
        tx.execute(
            sa.text(
                "INSERT INTO in_force (id, owner, hash, rules, since, read, problems) "
                "VALUES (1, 'a', 'h', 0, :now, :now, :problems)"
            ),
            {"now": "2026-01-01 00:00:00.000000", "problems": json.dumps([mistake])},
        )
        for number, state in enumerate(("dead", "sent"), 1):
            columns = {
                column["name"]: 0 if "INT" in str(column["type"]) else "2026-01-01 00:00:00.000000"
                for column in sa.inspect(tx).get_columns("delivery")
                if not column["nullable"] and column["default"] is None
            } | {"id": number, "key": f"k{number}", "state": state}
            names = ", ".join(f'"{name}"' for name in columns)
            tx.execute(
                sa.text(f"INSERT INTO delivery ({names}) VALUES ({', '.join(':' + n for n in columns)})"), columns
            )
    old.dispose()
    store = open_store(store_url, create=True)
    with store.read() as tx:
        assert tx.execute(sa.text("SELECT state FROM delivery ORDER BY id")).scalars().all() == ["failed", "sent"]
        found = upkeep.in_force(tx)
    store.close()
    assert found is not None
    assert [problem.fix for problem in found.problems] == ["write one"]


@pytest.mark.parametrize("more", ["", "ALTER TABLE person ADD COLUMN first_until TIMESTAMP"], ids=["without", "with"])
def test_people_of_before_have_passwords_of_their_own(tmp_path: Path, more: str) -> None:
    """A first password that another gave came with a column that stores had which were made later, and others not."""
    url = url_of(tmp_path / "veille.db")
    old = made_by(url, "0026")
    with old.begin() as tx:
        row = "('ana', 'hash', 'admin', '2026-01-01 00:00:00.000000')"
        tx.execute(sa.text(f"INSERT INTO person (name, password_hash, role, created) VALUES {row}"))
        if more:
            tx.execute(sa.text(more))
    old.dispose()
    store = open_store(url, create=True)
    with store.read() as tx:
        found = people.get(tx, "ana")
    store.close()
    assert found is not None
    assert found.first_until is None
