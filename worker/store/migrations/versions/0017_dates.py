"""Dates that could not be read."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed", sa.Column("dates_unread", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("feed", sa.Column("date_unread", sa.Text(), nullable=False, server_default=sa.text("''")))
