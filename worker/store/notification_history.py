"""Earlier alerts: of a story, of an article, of a rule lately; and the ledger in figures."""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from worker.alerts import Standing
from worker.model import DeliveryState, Occasion, Verdict, called
from worker.store.database import Tx
from worker.store.tables import ARTICLE, DELIVERY, OBLIGATION, STORY_ARTICLE

_CARRIED = OBLIGATION.join(DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id)
#: Owed, and neither given up nor an escalation.
_COUNTS = (
    OBLIGATION.c.verdict == Verdict.OWED,
    OBLIGATION.c.occasion != Occasion.ESCALATION,
    DELIVERY.c.state != DeliveryState.FAILED,
)


def of_story(tx: Tx, story_id: int, *, exclude: int = 0) -> dict[tuple[str, str], Standing]:
    """A story's alerts, sent or on their way, by (rule id, recipient); without those of the delivery `exclude`."""
    query = (
        sa.select(OBLIGATION.c.rule_id, OBLIGATION.c.recipient, OBLIGATION.c.created, ARTICLE.c.source)
        .select_from(
            _CARRIED.join(STORY_ARTICLE, STORY_ARTICLE.c.article_id == OBLIGATION.c.article_id).join(
                ARTICLE, ARTICLE.c.id == OBLIGATION.c.article_id
            )
        )
        .where(STORY_ARTICLE.c.story_id == story_id, DELIVERY.c.id != exclude, *_COUNTS)
    )
    found: dict[tuple[str, str], Standing] = {}
    for r in tx.execute(query):
        pair = (r.rule_id, r.recipient)
        was = found.get(pair)
        found[pair] = Standing(
            last=r.created if was is None else max(was.last, r.created),
            sources=frozenset({r.source}) if was is None else was.sources | {r.source},
        )
    return found


def of_article(tx: Tx, article_id: int) -> dict[tuple[str, str], datetime]:
    """By (rule id, recipient) alerted of an article, or whose message is sealed: when the last was decided."""
    query = (
        sa.select(OBLIGATION.c.rule_id, OBLIGATION.c.recipient, sa.func.max(OBLIGATION.c.created).label("last"))
        .select_from(_CARRIED)
        .where(OBLIGATION.c.article_id == article_id, DELIVERY.c.state != DeliveryState.OPEN, *_COUNTS)
        .group_by(OBLIGATION.c.rule_id, OBLIGATION.c.recipient)
    )
    return {(r.rule_id, r.recipient): r.last for r in tx.execute(query)}


def recent(tx: Tx, rule_ids: Collection[str], since: Mapping[str, datetime]) -> dict[tuple[str, str], int]:
    """By (rule id, target id): how much each target was sent at once of those rules since its own moment."""
    found: dict[tuple[str, str], int] = {}
    for target_id, moment in since.items():
        query = (
            sa.select(OBLIGATION.c.rule_id, sa.func.count().label("alerts"))
            .select_from(_CARRIED)
            .where(
                OBLIGATION.c.target_id == target_id,
                OBLIGATION.c.rule_id.in_(list(rule_ids)),
                OBLIGATION.c.created > moment,
                DELIVERY.c.collects != "digest",
                *_COUNTS,
            )
            .group_by(OBLIGATION.c.rule_id)
        )
        found |= {(r.rule_id, target_id): r.alerts for r in tx.execute(query)}
    return found


def held_back(tx: Tx, recipient: str) -> dict[str, int]:
    """By suppression: what a recipient was not sent since its last digest was sent."""
    last = sa.select(sa.func.max(DELIVERY.c.finished)).where(
        DELIVERY.c.recipient == recipient,
        DELIVERY.c.collects == "digest",
        DELIVERY.c.state == DeliveryState.SENT,
    )
    since = tx.execute(last).scalar()
    query = (
        sa.select(OBLIGATION.c.suppression, sa.func.count())
        .where(OBLIGATION.c.recipient == recipient, OBLIGATION.c.verdict == Verdict.SUPPRESSED)
        .group_by(OBLIGATION.c.suppression)
        .order_by(OBLIGATION.c.suppression)
    )
    if since is not None:
        query = query.where(OBLIGATION.c.created > since)
    return {row[0]: int(row[1]) for row in tx.execute(query)}


def summary(tx: Tx, since: datetime) -> tuple[tuple[str, str, str, str, int], ...]:
    """(rule id, target id, what became of it, why, how many) of the obligations decided since then."""
    state = sa.func.coalesce(DELIVERY.c.state, "suppressed").label("state")
    why = sa.case(
        (OBLIGATION.c.verdict == Verdict.SUPPRESSED, OBLIGATION.c.suppression),
        (DELIVERY.c.state == DeliveryState.OPEN, DELIVERY.c.hold),
        (DELIVERY.c.state == DeliveryState.SENT, ""),
        else_=DELIVERY.c.reason,
    ).label("why")
    query = (
        sa.select(OBLIGATION.c.rule_id, OBLIGATION.c.target_id, state, why, sa.func.count().label("many"))
        .select_from(OBLIGATION.outerjoin(DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id))
        .where(OBLIGATION.c.created >= since)
        .group_by(OBLIGATION.c.rule_id, OBLIGATION.c.target_id, state, why)
        .order_by(OBLIGATION.c.rule_id, OBLIGATION.c.target_id, state, why)
    )
    return tuple((r.rule_id, r.target_id, r.state, r.why, int(r.many)) for r in tx.execute(query))


def decided_articles(tx: Tx, since: datetime, target_id: str = "") -> tuple[tuple[str, str, int, str], ...]:
    """(target id, what became of it, article id, title) of what was decided since then, each article once, in order."""
    state = sa.func.coalesce(DELIVERY.c.state, "suppressed").label("state")
    query = (
        sa.select(OBLIGATION.c.target_id, state, ARTICLE.c.id, ARTICLE.c.title, ARTICLE.c.origin, ARTICLE.c.name)
        .select_from(
            OBLIGATION.join(ARTICLE, ARTICLE.c.id == OBLIGATION.c.article_id).outerjoin(
                DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id
            )
        )
        .where(OBLIGATION.c.created >= since)
        .order_by(OBLIGATION.c.target_id, OBLIGATION.c.id)
    )
    if target_id:
        query = query.where(OBLIGATION.c.target_id == target_id)
    return tuple(
        dict.fromkeys((r.target_id, r.state, int(r.id), called(r.title, r.origin, r.name)) for r in tx.execute(query))
    )
