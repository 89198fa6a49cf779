"""State of targets: how fast they take messages, and which of them are tried with one message at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("target") as batch:
        batch.add_column(sa.Column("next_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("probe", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("refused", sa.Integer(), nullable=False, server_default="0"))
    # The defaults were for the rows there are.
    for table, columns in (("target", ("failures", "told")), ("delivery", ("refused",))):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, server_default=None)
