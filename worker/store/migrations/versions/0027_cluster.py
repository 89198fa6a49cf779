"""Workers of a cluster: the tables of their queues on PostgreSQL, and what each of them does; first passwords."""

import sqlalchemy as sa
from alembic import op

from worker.store import schema
from worker.store.tables.columns import Utc

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("roles", "rules"):
        op.add_column("heartbeat", sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")))
    # A Veille of some days gave it to a new store by 0026.
    if "first_until" not in {one["name"] for one in sa.inspect(op.get_bind()).get_columns("person")}:
        op.add_column("person", sa.Column("first_until", Utc(), nullable=True))
    schema.create_queues(op.get_bind())
