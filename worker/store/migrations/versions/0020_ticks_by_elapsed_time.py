"""A tick by the time that has elapsed since the machine's start, which no step of its clock changes."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("heartbeat", sa.Column("boot", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("heartbeat", sa.Column("turned", sa.Float(), nullable=True))
