"""What came from outside and decided what was told, in the order in which it counted: what a replay runs over again.

An event is written in the transaction of what it did, as its last statement, so that there is none without its effect
and no effect without it; two that touch the same rows stand in the order in which they did. Bytes (documents, texts of
pages) are kept once, in `raw`, for as long as raw bodies are. What follows from an event is not written down.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from worker.store.database import Tx
from worker.store.tables import NOTICE, DeliveryRow, EventRow

_event: sa.Table = EventRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_delivery: sa.Table = DeliveryRow.__table__  # type: ignore[attr-defined]  # as above


class Kind(StrEnum):
    """What happened."""

    #: A feed (about) gave a document from which anything could follow: `url`, `content_type`, what the poll started
    #: from (`baseline`, `first_success`, `again`), whether its entries are `backlog`, and the ids of its `new` ones.
    DOCUMENT = "document"
    #: The text of an entry's (about) page came.
    PAGE = "page"
    #: `entries` were taken together and made `articles` of, in this order (None: they hold no word).
    INGESTED = "ingested"
    #: `articles` were imported together.
    IMPORTED = "imported"
    #: The shipped articles were stored.
    ARCHIVE = "archive"
    #: A silence (about), with all that it says.
    SILENCED = "silenced"
    #: A silence (about) was ended; `until` is when it would have ended.
    SILENCE_ENDED = "silence-ended"
    #: An article (about) was acknowledged by `author`.
    ACKNOWLEDGED = "acknowledged"
    #: What the open delivery `key` carries was looked at once more, and something of it was not owed any more, or held.
    RECHECKED = "rechecked"
    #: The delivery `key` came to a `state`, under the channel's name `ref`. `sealed`: its bytes were made, of what
    #: stood when `seen` was the last event.
    DELIVERY = "delivery"
    #: The open delivery `key` had nothing to carry any more.
    DROPPED = "dropped"
    #: Articles that came before `before` were forgotten, told ones if they came before `told`.
    FORGOT_ARTICLES = "forgot-articles"
    #: Deliveries that were finished `before`.
    FORGOT_DELIVERIES = "forgot-deliveries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    id: int
    at: datetime
    kind: Kind
    about: int = 0
    sha256: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def note(tx: Tx, kind: Kind, at: datetime, *, about: int = 0, sha256: str = "", **data: Any) -> None:
    """Write down what the transaction did; times in `data` become ISO 8601."""
    said = json.dumps(data, ensure_ascii=False, default=datetime.isoformat)
    tx.execute(sa.insert(_event).values(at=at, kind=kind, about=about, sha256=sha256, data=said))


def note_deliveries(tx: Tx, ids: Collection[int], now: datetime, **more: Any) -> None:
    """Write down to which state those deliveries came; a notice is no alert, and nothing follows from it."""
    columns = (_delivery.c.key, _delivery.c.state, _delivery.c.ref)
    query = sa.select(*columns).where(_delivery.c.id.in_(list(ids)), _delivery.c.collects != NOTICE)
    for r in tx.execute(query.order_by(_delivery.c.id)).all():
        note(tx, Kind.DELIVERY, now, key=r.key, state=r.state, ref=r.ref, **more)


def start(tx: Tx, since: datetime) -> tuple[int, datetime] | None:
    """The first event since then and the moment before which nothing of what follows happened; None: there is none.

    Where the clock was set back, that moment is earlier than `since`.
    """
    moment = since
    while True:
        first = tx.execute(sa.select(sa.func.min(_event.c.id)).where(_event.c.at >= moment)).scalar()
        if first is None:
            return None
        earliest = tx.execute(sa.select(sa.func.min(_event.c.at)).where(_event.c.id >= first)).scalar_one()
        if earliest >= moment:
            return int(first), earliest
        moment = earliest


def last(tx: Tx) -> int:
    """The number of the last event; 0 before the first."""
    return tx.execute(sa.select(sa.func.max(_event.c.id))).scalar() or 0


def count(tx: Tx, since: datetime) -> int:
    """How many events a replay since then begins with, and all that followed."""
    begun = start(tx, since)
    query = sa.select(sa.func.count()).select_from(_event)
    return 0 if begun is None else int(tx.execute(query.where(_event.c.id >= begun[0])).scalar_one())


def after(tx: Tx, first: int) -> Iterator[Event]:
    """That event and those that followed, in order."""
    for r in tx.execute(sa.select(_event).where(_event.c.id >= first).order_by(_event.c.id)):
        yield Event(id=r.id, at=r.at, kind=Kind(r.kind), about=r.about, sha256=r.sha256, data=json.loads(r.data))


def forget(tx: Tx, *, before: datetime) -> int:
    """Drop the events of before that time; returns how many."""
    return tx.execute(sa.delete(_event).where(_event.c.at < before)).rowcount
