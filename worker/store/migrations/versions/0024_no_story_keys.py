"""Stories are looked for in memory: the keys by which a store found them go, their empty table stays for a while."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM story_key")
