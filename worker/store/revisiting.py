"""Obligations that are decided again, as their story has changed or the reason that kept them back has ended."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.model import DeliveryState, Obligation, Occasion, Suppression, Verdict
from worker.store.database import Tx, read_as
from worker.store.open_deliveries import collect
from worker.store.tables import ARTICLE, DELIVERY, MATCH, OBLIGATION, REVISION, STORY_ARTICLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An obligation as it was decided, and what became of it."""

    id: int
    match_id: int
    rule_id: str
    article_id: int
    target_id: str
    recipient: str
    occasion: str
    suppression: str
    why: str
    created: datetime
    #: Of the match that it is owed for.
    severity: str
    rule_name: str
    rule_hash: str
    #: Number of the text that matched.
    revision: int
    #: The outlet and title of the article, and the story that it tells now.
    source: str
    title: str
    story_id: int | None
    #: The original, where the article is a copy.
    of_id: int | None
    #: Of the delivery that carries it; empty: none does.
    state: str

    @property
    def is_notified(self) -> bool:
        """Tells whether it was sent, or is on its way."""
        return self.state not in ("", DeliveryState.FAILED)


def of_story(tx: Tx, story_id: int) -> tuple[Decided, ...]:
    """Returns what was decided for the articles of a story, in that order; reminders are left out."""
    return _decided(tx, STORY_ARTICLE.c.story_id == story_id, OBLIGATION.c.occasion != Occasion.ESCALATION)


def suppressed(tx: Tx, reasons: Collection[Suppression], since: datetime) -> tuple[Decided, ...]:
    """Returns what was not owed for one of these reasons since that moment."""
    return _decided(tx, OBLIGATION.c.suppression.in_(list(reasons)), OBLIGATION.c.created >= since)


def _decided(tx: Tx, *where: sa.ColumnElement[bool]) -> tuple[Decided, ...]:
    joined = (
        OBLIGATION.join(MATCH, MATCH.c.id == OBLIGATION.c.match_id)
        .join(ARTICLE, ARTICLE.c.id == OBLIGATION.c.article_id)
        .outerjoin(REVISION, REVISION.c.id == MATCH.c.revision_id)
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == OBLIGATION.c.article_id)
        .outerjoin(DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id)
    )
    query = (
        sa.select(
            OBLIGATION,
            MATCH.c.severity,
            MATCH.c.rule_name,
            MATCH.c.rule_hash,
            sa.func.coalesce(REVISION.c.number, 1).label("revision"),
            ARTICLE.c.source,
            ARTICLE.c.title,
            ARTICLE.c.of_id,
            STORY_ARTICLE.c.story_id,
            sa.func.coalesce(DELIVERY.c.state, "").label("state"),
        )
        .select_from(joined)
        .where(*where)
        .order_by(OBLIGATION.c.id)
    )
    return tuple(read_as(Decided, r) for r in tx.execute(query))


def withdrawn(tx: Tx, one: Decided, reminder: Obligation) -> int | None:
    """The id of an escalation that went with the alert `one` when that was withdrawn; None where there is none.

    One that somebody acknowledged is over.
    """
    query = sa.select(OBLIGATION.c.id).where(
        OBLIGATION.c.rule_id == one.rule_id,
        OBLIGATION.c.article_id == one.article_id,
        OBLIGATION.c.recipient == reminder.recipient,
        OBLIGATION.c.occasion == reminder.occasion,
        OBLIGATION.c.verdict == Verdict.SUPPRESSED,
        OBLIGATION.c.suppression != Suppression.ACKNOWLEDGED,
    )
    return tx.execute(query).scalar_one_or_none()


def create_obligations(tx: Tx, obligation_id: int, owed: Obligation, *, occasion: str | None, now: datetime) -> None:
    """Let what was not owed be owed, carried by what `owed` says; `occasion`: another one than it had."""
    delivery_id, _ = collect(tx, owed, owed.collects, owed.due or now, now)
    values = {"verdict": Verdict.OWED, "suppression": "", "why": "", "delivery_id": delivery_id}
    tx.execute(sa.update(OBLIGATION).where(OBLIGATION.c.id == obligation_id).values(values))
    if occasion is not None:
        call(tx, obligation_id, occasion)


def carry(tx: Tx, obligation_id: int, delivery_id: int) -> None:
    """Let another delivery of the same recipient carry an obligation."""
    tx.execute(sa.update(OBLIGATION).where(OBLIGATION.c.id == obligation_id).values(delivery_id=delivery_id))


def call(tx: Tx, obligation_id: int, occasion: str) -> None:
    """Give an obligation another occasion, unless its article has one of that occasion already."""
    mine = sa.select(OBLIGATION).where(OBLIGATION.c.id == obligation_id).subquery()
    same = ("rule_id", "article_id", "recipient")
    taken = sa.select(OBLIGATION.c.id).join(mine, sa.and_(*(OBLIGATION.c[name] == mine.c[name] for name in same)))
    if tx.execute(taken.where(OBLIGATION.c.occasion == occasion)).first() is None:
        tx.execute(sa.update(OBLIGATION).where(OBLIGATION.c.id == obligation_id).values(occasion=occasion))


def waiting(tx: Tx, collects: str) -> tuple[tuple[int, int, str, str, datetime, str, int | None], ...]:
    """(obligation, delivery, recipient, target, due, hold, story) of what open deliveries that collect this carry."""
    query = (
        sa.select(
            OBLIGATION.c.id,
            DELIVERY.c.id.label("delivery_id"),
            DELIVERY.c.recipient,
            DELIVERY.c.target_id,
            DELIVERY.c.due,
            DELIVERY.c.hold,
            STORY_ARTICLE.c.story_id,
        )
        .select_from(
            OBLIGATION.join(DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id).outerjoin(
                STORY_ARTICLE, STORY_ARTICLE.c.article_id == OBLIGATION.c.article_id
            )
        )
        .where(DELIVERY.c.collects == collects, DELIVERY.c.state == DeliveryState.OPEN)
        .order_by(OBLIGATION.c.id)
    )
    return tuple((r.id, r.delivery_id, r.recipient, r.target_id, r.due, r.hold, r.story_id) for r in tx.execute(query))
