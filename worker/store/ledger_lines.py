"""The ledger as people read it: of one article, or of all, the newest first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from worker.model import DeliveryState, Verdict, Wave, called
from worker.store.database import Tx, read_as
from worker.store.deliveries.listing import LAST_DETAIL
from worker.store.tables import ARTICLE, DELIVERY, OBLIGATION, WAVE


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """An obligation and what became of it, for people."""

    #: Of the obligation.
    id: int
    article_id: int
    created: datetime
    rule_id: str
    recipient: str
    target_id: str
    occasion: str
    verdict: str
    suppression: str
    why: str
    #: Its delivery's number and state; None and empty when suppressed.
    delivery_id: int | None
    state: str
    reason: str
    #: Why it is not due at once: `model.Hold`.
    hold: str
    due: datetime | None
    attempts: int
    finished: datetime | None
    #: Of the last attempt.
    detail: str
    #: The wave that it belongs to.
    wave: Wave | None = None


class Outcome(StrEnum):
    """The outcome of an obligation, in one word."""

    SENT = "sent"
    WAITING = "waiting"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


_OUTCOMES = {
    Outcome.SENT: DELIVERY.c.state == DeliveryState.SENT,
    Outcome.FAILED: DELIVERY.c.state == DeliveryState.FAILED,
    Outcome.WAITING: DELIVERY.c.state.not_in([DeliveryState.SENT, DeliveryState.FAILED]),
    Outcome.SUPPRESSED: OBLIGATION.c.verdict == Verdict.SUPPRESSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TitledLine:
    """A line of the ledger with its article's title and outlet."""

    line: LedgerLine
    title: str
    source: str


def lines(tx: Tx, article_id: int) -> tuple[LedgerLine, ...]:
    """The ledger of one article."""
    return lines_of(tx, [article_id])


def lines_of(tx: Tx, article_ids: Collection[int]) -> tuple[LedgerLine, ...]:
    """The ledger of several articles, in the order in which it was decided."""
    query = _lines().where(OBLIGATION.c.article_id.in_(list(article_ids))).order_by(OBLIGATION.c.id)
    return tuple(_line(row) for row in tx.execute(query))


def newest(
    tx: Tx,
    *,
    limit: int,
    rule_id: str = "",
    target_id: str = "",
    outcome: Outcome | None = None,
    before: int | None = None,
) -> tuple[TitledLine, ...]:
    """The ledger's last lines; only of that rule, target and outcome, and with an id below `before`, where given."""
    query = _lines().add_columns(ARTICLE.c.title, ARTICLE.c.origin, ARTICLE.c.name, ARTICLE.c.source)
    query = query.join(ARTICLE, ARTICLE.c.id == OBLIGATION.c.article_id)
    if rule_id:
        query = query.where(OBLIGATION.c.rule_id == rule_id)
    if target_id:
        query = query.where(OBLIGATION.c.target_id == target_id)
    if outcome is not None:
        query = query.where(_OUTCOMES[outcome])
    if before is not None:
        query = query.where(OBLIGATION.c.id < before)
    rows = tx.execute(query.order_by(OBLIGATION.c.id.desc()).limit(limit))
    return tuple(TitledLine(line=_line(r), title=called(r.title, r.origin, r.name), source=r.source) for r in rows)


def _lines() -> sa.Select[Any]:
    of_delivery = (DELIVERY.c.state, DELIVERY.c.reason, DELIVERY.c.hold, DELIVERY.c.due, DELIVERY.c.attempts)
    return (
        sa.select(
            OBLIGATION,
            *of_delivery,
            DELIVERY.c.finished,
            LAST_DETAIL,
            WAVE.c.began,
            WAVE.c.per,
        )
        .outerjoin(DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id)
        .outerjoin(WAVE, sa.and_(WAVE.c.rule_id == OBLIGATION.c.rule_id, WAVE.c.article_id == OBLIGATION.c.wave))
    )


def _line(r: sa.Row[Any]) -> LedgerLine:
    return read_as(
        LedgerLine,
        r,
        state=r.state or "",
        reason=r.reason or "",
        hold=r.hold or "",
        attempts=r.attempts or 0,
        wave=None if r.began is None else Wave(article_id=r.wave, began=r.began, per=timedelta(seconds=r.per)),
    )
