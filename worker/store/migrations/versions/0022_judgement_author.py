"""The author of a judgement; earlier ones have none."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("judgement", sa.Column("author", sa.Text(), nullable=False, server_default=sa.text("''")))
