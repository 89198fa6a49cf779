"""Owners of pages, so that those of a worker that died are free at once; the rule set by which a match was found."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, name in (("entry", "page_owner"), ("match", "ruleset_hash")):
        op.add_column(table, sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")))
