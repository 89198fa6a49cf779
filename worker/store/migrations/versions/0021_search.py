"""The index of words, filled from the texts that are stored."""

from alembic import op

from worker.store import search

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tx = op.get_bind()
    search.create(tx)
    # By the folding of today: an index that was made by another would not find its words.
    search.build(tx)
