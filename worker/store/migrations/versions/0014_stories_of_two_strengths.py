"""Stories that perhaps are the same, what persons decided of stories, and the scheme that stories were judged by."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite takes a foreign key with a new column only in this form, and Alembic does not write it.
    op.execute("ALTER TABLE story ADD COLUMN perhaps_id INTEGER REFERENCES story (id)")
    op.add_column("story", sa.Column("perhaps_score", sa.Float(), nullable=False, server_default=sa.text("0")))
    op.add_column("story", sa.Column("perhaps_why", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_index("ix_story_perhaps_id", "story", ["perhaps_id"])
    op.create_table(
        "story_hand",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Integer(), nullable=True),
        sa.Column("from_id", sa.Integer(), nullable=False),
        sa.Column("to_id", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    )
    for column in ("article_id", "from_id", "to_id"):
        op.create_index(f"ix_story_hand_{column}", "story_hand", [column])
    op.create_table(
        "story_apart",
        sa.Column("story_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("other_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("story_id", "other_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scheme",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    # What stories were compared by has another form now; the first start makes it anew from the texts.
    op.get_bind().execute(sa.text("UPDATE story_article SET vector = :none"), {"none": b""})
    op.execute("DELETE FROM story_key")
    op.execute("DELETE FROM term")
