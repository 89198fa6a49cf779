"""The schema: made whole in a new store, by migrations in one of an earlier Veille; all of it happens, or none."""

from importlib import resources

import sqlalchemy as sa
from sqlmodel import SQLModel

from worker.analysis.stories import SCHEME
from worker.store import search, tables

VERSION = "0028"
#: The oldest schema whose Veille works with this one: it may run on while others are replaced, and be started again.
SERVES = "0027"
#: The rows of `scheme` that say so, each of the schema that it names.
_SERVES = "schema "

#: As Alembic makes it.
_VERSION_TABLE = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def version(tx: sa.Connection) -> str | None:
    """The version of the store's schema; None where there is none yet."""
    if not sa.inspect(tx).has_table(_VERSION_TABLE.name):
        return None
    return tx.execute(sa.select(_VERSION_TABLE.c.version_num)).scalar()


def serves(tx: sa.Connection, newer: str) -> bool:
    """Tells whether a schema that is newer than this Veille's own says that this one may work with it."""
    number = tx.execute(sa.select(tables.SCHEME.c.number).where(tables.SCHEME.c.name == _SERVES + newer)).scalar()
    return number is not None and number <= int(VERSION)


def bring_up_to_date(tx: sa.Connection) -> None:
    """Make or migrate the schema, unless another process was first; the caller holds the ingest lock."""
    found = version(tx)
    if found is None:
        _make(tx)
    elif found < VERSION:
        migrate(tx, VERSION)
    else:
        return
    tx.execute(sa.delete(tables.SCHEME).where(tables.SCHEME.c.name.startswith(_SERVES)))
    tx.execute(sa.insert(tables.SCHEME).values(name=_SERVES + VERSION, number=int(SERVES)))


def create_queues(tx: sa.Connection) -> None:
    """Make the tables of Procrastinate, as its own schema has them, on PostgreSQL."""
    if tx.dialect.name == "postgresql":
        words = (resources.files("procrastinate.sql") / "schema.sql").read_text(encoding="utf-8")
        # By a cursor without parameters, which takes several statements, and percent signs for what they are.
        tx.connection.cursor().execute(words)


def _make(tx: sa.Connection) -> None:
    # At once: all the migrations, and Alembic with them, take ten times as long.
    SQLModel.metadata.create_all(tx)
    search.create(tx)
    _VERSION_TABLE.create(tx)
    tx.execute(sa.insert(_VERSION_TABLE).values(version_num=VERSION))
    # What a new store comes to hold is judged by the scheme of today.
    tx.execute(sa.insert(tables.SchemeRow).values(name="stories", number=SCHEME))
    create_queues(tx)


def migrate(tx: sa.Connection, to: str) -> None:
    """Run the migrations that lead to that version."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    with resources.as_file(resources.files("worker.store") / "migrations") as folder:
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = tx
        command.upgrade(config, to)
