"""Pages: reasons for which they are not taken, times of the next try, their look, and the parts that cleaning cut."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_EMPTY = sa.text("''")
_WANTED = sa.text("page_tries > 0")


def upgrade() -> None:
    op.add_column("feed", sa.Column("first_success", sa.DateTime(timezone=True), nullable=True))
    op.add_column("feed", sa.Column("pages_failed", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("revision", sa.Column("cut", sa.Text(), nullable=False, server_default=_EMPTY))
    op.add_column("entry", sa.Column("page_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("entry", sa.Column("page_teasers", sa.Text(), nullable=False, server_default=_EMPTY))
    op.add_column("entry", sa.Column("page_reason", sa.Text(), nullable=False, server_default=_EMPTY))
    op.add_column("entry", sa.Column("page_detail", sa.Text(), nullable=False, server_default=_EMPTY))
    op.add_column("entry", sa.Column("page_only", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE entry SET page_at = first_seen WHERE page_tries > 0")
    # What was polled before had its first success then: all later entries are news.
    op.execute("UPDATE feed SET first_success = last_success")
    op.drop_index("entry_page", table_name="entry")
    op.create_index("entry_page", "entry", ["page_at"], sqlite_where=_WANTED, postgresql_where=_WANTED)
    op.create_table(
        "page_seen",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("own", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("lines", sa.LargeBinary(), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("page_seen_host", "page_seen", ["host", "seen"])
    op.create_index(op.f("ix_page_seen_seen"), "page_seen", ["seen"])
