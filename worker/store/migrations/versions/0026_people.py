"""People of the console: who they are, their sign-ins and tokens, their notes, and what they changed."""

import sqlalchemy as sa
from alembic import op

from worker.store.tables.columns import Utc

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("name", sa.Text(), primary_key=True),
        _text("password_hash"),
        _text("role"),
        sa.Column("created", Utc(), nullable=False),
    )
    op.create_table(
        "session",
        sa.Column("digest", sa.Text(), primary_key=True),
        _text("person"),
        sa.Column("created", Utc(), nullable=False),
        sa.Column("until", Utc(), nullable=False),
    )
    op.create_index("ix_session_person", "session", ["person"])
    op.create_index("ix_session_until", "session", ["until"])
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), primary_key=True),
        _text("name"),
        sa.Column("digest", sa.Text(), nullable=False, unique=True),
        _text("scopes"),
        _text("author"),
        sa.Column("created", Utc(), nullable=False),
        sa.Column("until", Utc(), nullable=True),
        sa.Column("used", Utc(), nullable=True),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", Utc(), nullable=False),
        _text("author"),
        _text("action"),
        _text("subject"),
        _text("detail"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "note",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("article_id", sa.Integer(), sa.ForeignKey("article.id"), nullable=False),
        _text("author"),
        _text("text"),
        sa.Column("created", Utc(), nullable=False),
    )
    op.create_index("ix_note_article_id", "note", ["article_id"])
    op.create_table(
        "hand_over",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("article_id", sa.Integer(), sa.ForeignKey("article.id"), nullable=False),
        _text("author"),
        _text("person"),
        _text("note"),
        sa.Column("created", Utc(), nullable=False),
    )
    op.create_index("ix_hand_over_article_id", "hand_over", ["article_id"])
    op.create_table(
        "visit",
        sa.Column("person", sa.Text(), primary_key=True),
        sa.Column("seen", Utc(), nullable=False),
        sa.Column("since", Utc(), nullable=False),
    )
    # The matches and the articles of a day, counted by rule and by feed.
    op.create_index("match_seen", "match", ["created", "rule_id"])
    op.create_index("article_seen", "article", ["first_seen", "source"])
    op.drop_index("ix_article_first_seen", table_name="article")
    op.create_index("ix_article_language", "article", ["language"])
