"""Waves of rules with a volume, and which of them what is owed belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_OF_WAVES = sa.text("wave IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "wave",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Integer(), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("per", sa.Integer(), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("rule_id", "article_id"),
    )
    op.create_index("ix_wave_article_id", "wave", ["article_id"])
    op.add_column("obligation", sa.Column("wave", sa.Integer(), nullable=True))
    op.create_index(
        "obligation_wave",
        "obligation",
        ["rule_id", "wave", "verdict"],
        sqlite_where=_OF_WAVES,
        postgresql_where=_OF_WAVES,
    )
    op.create_index("match_rule", "match", ["rule_id", "created"])
    op.drop_index("ix_match_rule_id", table_name="match")
