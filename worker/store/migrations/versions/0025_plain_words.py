"""Deliveries that were given up are `failed`, no longer `dead`; what a problem's writer can do is its `fix`."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_delivery = sa.table("delivery", sa.column("state", sa.Text()))
_in_force = sa.table("in_force", sa.column("id", sa.Integer()), sa.column("problems", sa.Text()))


def upgrade() -> None:
    tx = op.get_bind()
    tx.execute(sa.update(_delivery).where(_delivery.c.state == "dead").values(state="failed"))
    for row in tx.execute(sa.select(_in_force)).all():
        problems = [{"fix" if key == "mend" else key: v for key, v in one.items()} for one in json.loads(row.problems)]
        written = json.dumps(problems, ensure_ascii=False)
        tx.execute(sa.update(_in_force).where(_in_force.c.id == row.id).values(problems=written))
