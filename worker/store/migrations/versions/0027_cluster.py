"""Workers of a cluster: the tables of their queues on PostgreSQL, and what each of them does."""

import sqlalchemy as sa
from alembic import op

from worker.store import schema

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("roles", "rules"):
        op.add_column("heartbeat", sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")))
    schema.create_queues(op.get_bind())
