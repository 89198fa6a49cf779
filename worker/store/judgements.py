"""Judgements of analysts, and matches of rules: from both comes a rule's precision in use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from worker.model import Judgement, Verdict
from worker.store.database import Tx, insert
from worker.store.tables import JUDGEMENT, MATCH, OBLIGATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A rule's record in the store."""

    #: Articles that it matched, and when the last did.
    matched: int = 0
    last: datetime | None = None
    #: Articles that it matched and that an analyst judged.
    relevant: int = 0
    noise: int = 0
    #: Articles judged relevant that it did not match.
    missed: int = 0

    @property
    def precision(self) -> float | None:
        """The share of the judged articles that are relevant, 0 to 1; None where none is judged."""
        judged = self.relevant + self.noise
        return self.relevant / judged if judged else None

    def facts(self) -> dict[str, object]:
        """Its numbers by name, with the precision."""
        return asdict(self) | {"precision": None if self.precision is None else round(self.precision, 4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An analyst's judgement of an article for a rule."""

    rule_id: str
    judgement: Judgement
    #: Empty where that was not written down.
    author: str
    at: datetime


def judge(tx: Tx, article_id: int, rule_id: str, judgement: Judgement, now: datetime, *, author: str = "") -> None:
    """Write down what an analyst says; an earlier word on the same article and rule is replaced."""
    said = {"judgement": judgement, "author": author, "created": now}
    statement = insert(tx, JUDGEMENT).values({"article_id": article_id, "rule_id": rule_id} | said)
    tx.execute(statement.on_conflict_do_update(index_elements=["article_id", "rule_id"], set_=said))


def take_back(tx: Tx, article_id: int, rule_id: str) -> bool:
    """Take the judgement of an article for a rule back; False: there is none."""
    mine = (JUDGEMENT.c.article_id == article_id, JUDGEMENT.c.rule_id == rule_id)
    return bool(tx.execute(sa.delete(JUDGEMENT).where(*mine)).rowcount)


def of_article(tx: Tx, article_id: int) -> tuple[Said, ...]:
    """The judgements of an article, by rule."""
    found = tx.execute(sa.select(JUDGEMENT).where(JUDGEMENT.c.article_id == article_id).order_by(JUDGEMENT.c.rule_id))
    return tuple(
        Said(rule_id=r.rule_id, judgement=Judgement(r.judgement), author=r.author, at=r.created) for r in found
    )


def tallies(tx: Tx, since: datetime) -> Mapping[str, Tally]:
    """By rule id, what it matched since then and what was said of that; rules without either are left out."""
    matched = (
        sa.select(MATCH.c.rule_id, MATCH.c.article_id, sa.func.max(MATCH.c.created).label("created"))
        .where(MATCH.c.created >= since)
        .group_by(MATCH.c.rule_id, MATCH.c.article_id)
        .subquery()
    )
    both = sa.and_(matched.c.rule_id == JUDGEMENT.c.rule_id, matched.c.article_id == JUDGEMENT.c.article_id)
    said = sa.func.coalesce(JUDGEMENT.c.judgement, "")

    def counted(what: Judgement) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((said == what, 1), else_=0)), 0)

    query = (
        sa.select(
            matched.c.rule_id,
            sa.func.count().label("matched"),
            sa.func.max(matched.c.created).label("last"),
            counted(Judgement.RELEVANT).label("relevant"),
            counted(Judgement.NOISE).label("noise"),
        )
        .select_from(matched.outerjoin(JUDGEMENT, both))
        .group_by(matched.c.rule_id)
    )
    found = {
        r.rule_id: Tally(matched=r.matched, last=r.last, relevant=int(r.relevant), noise=int(r.noise))
        for r in tx.execute(query)
    }
    unmatched = ~sa.exists().where(MATCH.c.rule_id == JUDGEMENT.c.rule_id, MATCH.c.article_id == JUDGEMENT.c.article_id)
    missed = sa.select(JUDGEMENT.c.rule_id, sa.func.count()).where(
        JUDGEMENT.c.judgement == Judgement.RELEVANT, JUDGEMENT.c.created >= since, unmatched
    )
    for rule_id, count in tx.execute(missed.group_by(JUDGEMENT.c.rule_id)):
        found[rule_id] = replace(found.get(rule_id, Tally()), missed=int(count))
    return found


def daily(tx: Tx, since: datetime) -> Mapping[str, Mapping[str, int]]:
    """By rule id, the articles that it matched since then on each day (UTC, `2026-01-31`) that has any."""
    day = sa.func.date(MATCH.c.created)
    query = sa.select(MATCH.c.rule_id, day, sa.func.count(MATCH.c.article_id.distinct())).group_by(MATCH.c.rule_id, day)
    found: dict[str, dict[str, int]] = {}
    for rule_id, on, count in tx.execute(query.where(MATCH.c.created >= since)):
        found.setdefault(rule_id, {})[str(on)] = int(count)
    return found


def alerts(tx: Tx, since: datetime) -> Mapping[str, int]:
    """By rule id, the articles that it owed somebody an alert for since then."""
    owed = sa.and_(OBLIGATION.c.created >= since, OBLIGATION.c.verdict == Verdict.OWED)
    counted = sa.func.count(OBLIGATION.c.article_id.distinct())
    query = sa.select(OBLIGATION.c.rule_id, counted).where(owed).group_by(OBLIGATION.c.rule_id)
    return {rule_id: int(count) for rule_id, count in tx.execute(query)}
