"""Earlier alerts: of a story, of an article, of a rule lately; and the ledger in figures."""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from worker.alerts import Standing
from worker.model import DeliveryState, Occasion, Verdict, called
from worker.store.database import Tx
from worker.store.tables import ArticleRow, DeliveryRow, ObligationRow, StoryArticleRow

_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_delivery: sa.Table = DeliveryRow.__table__  # type: ignore[attr-defined]  # as above
_obligation: sa.Table = ObligationRow.__table__  # type: ignore[attr-defined]  # as above
_told: sa.Table = StoryArticleRow.__table__  # type: ignore[attr-defined]  # as above

_CARRIED = _obligation.join(_delivery, _delivery.c.id == _obligation.c.delivery_id)
#: Owed, and neither given up nor an escalation.
_COUNTS = (
    _obligation.c.verdict == Verdict.OWED,
    _obligation.c.occasion != Occasion.ESCALATION,
    _delivery.c.state != DeliveryState.FAILED,
)


def of_story(tx: Tx, story_id: int, *, exclude: int = 0) -> dict[tuple[str, str], Standing]:
    """By (rule id, recipient): what was told of a story, or is on its way; `but` leaves a delivery out."""
    query = (
        sa.select(_obligation.c.rule_id, _obligation.c.recipient, _obligation.c.created, _article.c.source)
        .select_from(
            _CARRIED.join(_told, _told.c.article_id == _obligation.c.article_id).join(
                _article, _article.c.id == _obligation.c.article_id
            )
        )
        .where(_told.c.story_id == story_id, _delivery.c.id != exclude, *_COUNTS)
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
    """By (rule id, recipient) that were told of an article, or whose message is sealed: when the last was decided."""
    query = (
        sa.select(_obligation.c.rule_id, _obligation.c.recipient, sa.func.max(_obligation.c.created).label("last"))
        .select_from(_CARRIED)
        .where(_obligation.c.article_id == article_id, _delivery.c.state != DeliveryState.OPEN, *_COUNTS)
        .group_by(_obligation.c.rule_id, _obligation.c.recipient)
    )
    return {(r.rule_id, r.recipient): r.last for r in tx.execute(query)}


def recent(tx: Tx, rule_ids: Collection[str], since: Mapping[str, datetime]) -> dict[tuple[str, str], int]:
    """By (rule id, target id): how much each target was told at once of those rules since its own moment."""
    found: dict[tuple[str, str], int] = {}
    for target_id, moment in since.items():
        query = (
            sa.select(_obligation.c.rule_id, sa.func.count().label("alerts"))
            .select_from(_CARRIED)
            .where(
                _obligation.c.target_id == target_id,
                _obligation.c.rule_id.in_(list(rule_ids)),
                _obligation.c.created > moment,
                _delivery.c.collects != "digest",
                *_COUNTS,
            )
            .group_by(_obligation.c.rule_id)
        )
        found |= {(r.rule_id, target_id): r.alerts for r in tx.execute(query)}
    return found


def held_back(tx: Tx, recipient: str) -> dict[str, int]:
    """By suppression: what a recipient was not told since its last digest was sent."""
    last = sa.select(sa.func.max(_delivery.c.finished)).where(
        _delivery.c.recipient == recipient,
        _delivery.c.collects == "digest",
        _delivery.c.state == DeliveryState.SENT,
    )
    since = tx.execute(last).scalar()
    query = (
        sa.select(_obligation.c.suppression, sa.func.count())
        .where(_obligation.c.recipient == recipient, _obligation.c.verdict == Verdict.SUPPRESSED)
        .group_by(_obligation.c.suppression)
        .order_by(_obligation.c.suppression)
    )
    if since is not None:
        query = query.where(_obligation.c.created > since)
    return {row[0]: int(row[1]) for row in tx.execute(query)}


def summary(tx: Tx, since: datetime) -> tuple[tuple[str, str, str, str, int], ...]:
    """(rule id, target id, what became of it, why, how many) of the obligations decided since then."""
    state = sa.func.coalesce(_delivery.c.state, "suppressed").label("state")
    why = sa.case(
        (_obligation.c.verdict == Verdict.SUPPRESSED, _obligation.c.suppression),
        (_delivery.c.state == DeliveryState.OPEN, _delivery.c.hold),
        (_delivery.c.state == DeliveryState.SENT, ""),
        else_=_delivery.c.reason,
    ).label("why")
    query = (
        sa.select(_obligation.c.rule_id, _obligation.c.target_id, state, why, sa.func.count().label("many"))
        .select_from(_obligation.outerjoin(_delivery, _delivery.c.id == _obligation.c.delivery_id))
        .where(_obligation.c.created >= since)
        .group_by(_obligation.c.rule_id, _obligation.c.target_id, state, why)
        .order_by(_obligation.c.rule_id, _obligation.c.target_id, state, why)
    )
    return tuple((r.rule_id, r.target_id, r.state, r.why, int(r.many)) for r in tx.execute(query))


def told_articles(tx: Tx, since: datetime, target_id: str = "") -> tuple[tuple[str, str, int, str], ...]:
    """(target id, what became of it, article id, title) of what was decided since then, each article once, in order."""
    state = sa.func.coalesce(_delivery.c.state, "suppressed").label("state")
    query = (
        sa.select(_obligation.c.target_id, state, _article.c.id, _article.c.title, _article.c.origin, _article.c.name)
        .select_from(
            _obligation.join(_article, _article.c.id == _obligation.c.article_id).outerjoin(
                _delivery, _delivery.c.id == _obligation.c.delivery_id
            )
        )
        .where(_obligation.c.created >= since)
        .order_by(_obligation.c.target_id, _obligation.c.id)
    )
    if target_id:
        query = query.where(_obligation.c.target_id == target_id)
    return tuple(
        dict.fromkeys((r.target_id, r.state, int(r.id), called(r.title, r.origin, r.name)) for r in tx.execute(query))
    )
