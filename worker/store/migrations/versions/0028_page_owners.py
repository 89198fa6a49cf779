"""Owners of pages: what a worker that died was fetching is free at once, and not when its lease ends."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entry", sa.Column("page_owner", sa.Text(), nullable=False, server_default=sa.text("''")))
