"""By which scheme the stories were judged, and how far they were judged again."""

from dataclasses import dataclass

import sqlalchemy as sa

from worker.store.database import Tx, insert
from worker.store.tables import SchemeRow

_scheme: sa.Table = SchemeRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time

_NAME = "stories"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How far the store's stories are what its code says."""

    #: `story.SCHEME`; 0 before there were any.
    number: int = 0
    #: The last article that was judged again; None: all were.
    reached: int | None = None


def judged(tx: Tx) -> Judged:
    """By which scheme, and how far."""
    r = tx.execute(sa.select(_scheme).where(_scheme.c.name == _NAME)).one_or_none()
    return Judged() if r is None else Judged(number=r.number, reached=r.reached)


def note_judged(tx: Tx, found: Judged) -> None:
    """Write it down."""
    values = {"name": _NAME, "number": found.number, "reached": found.reached}
    tx.execute(insert(tx, _scheme).values(values).on_conflict_do_update(index_elements=["name"], set_=values))
