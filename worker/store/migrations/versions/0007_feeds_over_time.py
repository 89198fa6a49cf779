"""Facts learnt of a feed over time: its rhythm, its lies, its moves, its gaps, and its Retry-After."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("not_before", "last_document", "gap"):
        op.add_column("feed", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("feed", sa.Column("lies", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("feed", sa.Column("moved", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("feed", sa.Column("moved_times", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("feed", sa.Column("rhythm", sa.Text(), nullable=False, server_default=sa.text("''")))
