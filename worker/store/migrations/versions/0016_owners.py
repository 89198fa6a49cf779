"""Owners of feeds and entries; a heartbeat for each worker; news found before backlog; notices by kind."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("feed", "entry"):
        op.add_column(table, sa.Column("owner", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("delivery", sa.Column("kind", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.drop_index("entry_state", table_name="entry")
    op.create_index("entry_state", "entry", ["state", "backlog", "attempts", "id"])
    if op.get_bind().dialect.name == "postgresql":
        # The one row there was had its number from us, so that the sequence has not begun.
        op.execute("SELECT setval(pg_get_serial_sequence('heartbeat', 'id'), 1)")
    op.create_index("ix_heartbeat_owner", "heartbeat", ["owner"], unique=True)
