"""Since when a feed has moved for good, and where to."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("moved_since", "moved_asked"):
        op.add_column("feed", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("feed", sa.Column("moved_to", sa.Text(), nullable=False, server_default=sa.text("''")))
