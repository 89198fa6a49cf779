"""Bands are kept as keys of 48 bits, without an index by article: the fingerprint tells which are its own."""

from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SHIFT, _SIZE = 16, 6
_MANY = 1_000


def upgrade() -> None:
    op.add_column("fingerprint", sa.Column("bands", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))
    _note_bands()
    op.create_table(
        "band_next",
        sa.Column("value", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("article_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("value", "article_id", name="band_key"),
        sqlite_with_rowid=False,
    )
    # The shift keeps the sign and the order.
    op.execute(
        f"INSERT INTO band_next (value, article_id) SELECT DISTINCT value >> {_SHIFT}, article_id "  # noqa: S608
        "FROM band ORDER BY 1, 2"
    )
    op.drop_table("band")
    op.rename_table("band_next", "band")


def _note_bands() -> None:
    """Give each article's keys to the fingerprint of its newest text."""
    tx = op.get_bind()
    last = 0
    newest = "(SELECT max(revision) FROM fingerprint AS f WHERE f.article_id = fingerprint.article_id)"
    note = sa.text(f"UPDATE fingerprint SET bands = :bands WHERE article_id = :article AND revision = {newest}")  # noqa: S608
    query = sa.text(
        "SELECT article_id, value FROM band WHERE article_id IN (SELECT id FROM article WHERE id > :last ORDER BY id "
        "LIMIT :many) ORDER BY article_id, value"
    )
    ids = sa.text("SELECT max(id) FROM (SELECT id FROM article WHERE id > :last ORDER BY id LIMIT :many) AS next")
    while (until := tx.execute(ids, {"last": last, "many": _MANY}).scalar()) is not None:
        rows = tx.execute(query, {"last": last, "many": _MANY}).all()
        noted = [
            {"article": article, "bands": _packed({value for _, value in group})}
            for article, group in groupby(rows, key=lambda row: row[0])
        ]
        if noted:
            tx.execute(note, noted)
        last = until


def _packed(bands: set[int]) -> bytes:
    keys = sorted({band >> _SHIFT for band in bands})
    return b"".join(key.to_bytes(_SIZE, "little", signed=True) for key in keys)
