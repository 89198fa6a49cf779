"""Times: of a condition's last report, as several workers share a store; of a feed's last lie."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("condition", sa.Column("seen", sa.DateTime(timezone=True), nullable=True))
    op.add_column("feed", sa.Column("lied", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE feed SET lied = last_document WHERE lies")
    # Of which process they were true was not written down; what is still so is told anew.
    op.execute("DELETE FROM condition WHERE kind IN ('tick_missed', 'store_busy')")
