"""Alerting: reasons to wait, threads, silences, acknowledgements, the key of one-click answers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("hold", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("after_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("ref", sa.Text(), nullable=False, server_default=""))
        batch.create_index("ix_delivery_after_id", ["after_id"])
    with op.batch_alter_table("obligation") as batch:
        batch.add_column(sa.Column("why", sa.Text(), nullable=False, server_default=""))
    # The defaults were for the rows there are.
    for table, columns in (("delivery", ("hold", "ref")), ("obligation", ("why",))):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, server_default=None)
    op.create_table(
        "silence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("story_id", sa.Integer(), nullable=True),
        sa.Column("set_name", sa.Text(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_silence_story_id", "silence", ["story_id"])
    op.create_index("ix_silence_until", "silence", ["until"])
    op.create_table(
        "acknowledgement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("article_id", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["article.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_acknowledgement_article_id", "acknowledgement", ["article_id"])
    op.create_table(
        "secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
