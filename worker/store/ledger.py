"""The ledger: matches, and what each owes whom; a verdict may change until its message is sealed."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.model import DeliveryState, Match, Obligation, Occasion, Part, Severity, Span, Suppression, Verdict
from worker.store.database import Tx, insert
from worker.store.deferred import defer, next_id
from worker.store.open_deliveries import collect
from worker.store.tables import ARTICLE, ATTEMPT, DELIVERY, MATCH, OBLIGATION, REVISION, STORY_ARTICLE

# Statements of every delivery, made once: to make one costs as much as to run it.
_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_CARRIED = (
    sa.select(OBLIGATION, MATCH.c.severity, ARTICLE.c.title, ARTICLE.c.source, STORY_ARTICLE.c.story_id)
    .select_from(
        OBLIGATION.join(MATCH, MATCH.c.id == OBLIGATION.c.match_id)
        .join(ARTICLE, ARTICLE.c.id == OBLIGATION.c.article_id)
        .outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == OBLIGATION.c.article_id)
    )
    .where(OBLIGATION.c.delivery_id.in_(_IDS))
    .order_by(OBLIGATION.c.id)
)
_ADD_MATCH = sa.insert(MATCH)
_OWED_IN = (
    sa.select(OBLIGATION.c.rule_id, OBLIGATION.c.article_id, OBLIGATION.c.occasion, OBLIGATION.c.wave)
    .where(OBLIGATION.c.delivery_id == sa.bindparam("one"))
    .order_by(OBLIGATION.c.id)
)
_MATCHES = (
    sa.select(MATCH, REVISION.c.number, REVISION.c.title, REVISION.c.body)
    .join(REVISION, REVISION.c.id == MATCH.c.revision_id)
    .where(MATCH.c.article_id.in_(_IDS))
    .order_by(REVISION.c.number, MATCH.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMatch:
    """A match with the text that it was found in."""

    article_id: int
    rule_id: str
    rule_name: str
    rule_hash: str
    #: Empty where it was not stored yet: before schema 0028.
    ruleset_hash: str
    severity: Severity
    spans: tuple[Span, ...]
    revision: int
    title: str
    body: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """An obligation of a delivery, as far as a silence may ask."""

    obligation_id: int
    rule_id: str
    article_id: int
    #: Of the article's newest text.
    title: str
    story_id: int | None
    #: The feed's name.
    feed: str
    occasion: str
    severity: Severity
    #: The article that completed the wave that it tells of; None: it tells of its own article.
    wave: int | None


def carried(tx: Tx, delivery_id: int) -> tuple[Carried, ...]:
    """The obligations that a delivery carries."""
    return carried_by(tx, [delivery_id])[delivery_id]


def carried_by(tx: Tx, ids: Collection[int]) -> dict[int, tuple[Carried, ...]]:
    """The obligations that each of the deliveries carries."""
    found: dict[int, list[Carried]] = {delivery_id: [] for delivery_id in ids}
    for r in tx.execute(_CARRIED, {"ids": list(ids)}):
        one = Carried(
            obligation_id=r.id,
            rule_id=r.rule_id,
            article_id=r.article_id,
            title=r.title,
            story_id=r.story_id,
            feed=r.source,
            occasion=r.occasion,
            severity=Severity(r.severity),
            wave=r.wave,
        )
        found[r.delivery_id].append(one)
    return {delivery_id: tuple(carries) for delivery_id, carries in found.items()}


def titles(tx: Tx, delivery_id: int) -> tuple[str, ...]:
    """The titles of the articles that a delivery tells of."""
    query = (
        sa.select(ARTICLE.c.id, ARTICLE.c.title)
        .join(OBLIGATION, OBLIGATION.c.article_id == ARTICLE.c.id)
        .where(OBLIGATION.c.delivery_id == delivery_id)
        .distinct()
        .order_by(ARTICLE.c.id)
    )
    return tuple(row.title for row in tx.execute(query))


def suppress(tx: Tx, obligation_id: int, suppression: Suppression, why: str) -> None:
    """Suppress an obligation that was owed; its delivery, which must be open, carries it no longer."""
    values = {"verdict": Verdict.SUPPRESSED, "suppression": suppression, "why": why[:500], "delivery_id": None}
    tx.execute(sa.update(OBLIGATION).where(OBLIGATION.c.id == obligation_id).values(values))


def ended_first(tx: Tx, rule_id: str, article_id: int) -> tuple[str, str] | None:
    """The reason why nobody is owed a first alert on an article for a rule any more, as a suppression and its words.

    None while somebody is, or where none was ever decided: what reminds of it has a ground.
    """
    firsts = sa.select(OBLIGATION).where(
        OBLIGATION.c.rule_id == rule_id,
        OBLIGATION.c.article_id == article_id,
        OBLIGATION.c.occasion.in_([Occasion.FIRST, Occasion.FOLLOW_UP, Occasion.WAVE]),
    )
    rows = tx.execute(firsts.order_by(OBLIGATION.c.id)).all()
    if not rows or any(r.occasion != Occasion.FOLLOW_UP and r.verdict == Verdict.OWED for r in rows):
        return None
    kept_back = next((r for r in rows if r.verdict == Verdict.SUPPRESSED), None)
    if kept_back is None:
        return Suppression.SAME_STORY, "its alert turned out to be a follow-up"
    why = f"its alert was not sent: {kept_back.why}" if kept_back.why else "its alert was not sent"
    return kept_back.suppression, why


def call_follow_up(tx: Tx, obligation_id: int) -> None:
    """Make a story's first alert a follow-up of another story's, now that the two are one."""
    renamed = sa.update(OBLIGATION).where(OBLIGATION.c.id == obligation_id)
    tx.execute(renamed.values(occasion=Occasion.FOLLOW_UP))


def add_matches(tx: Tx, article_id: int, revision_id: int, matches: Sequence[Match], now: datetime) -> dict[str, int]:
    """Store a revision's matches, under the ingest lock; returns their ids by rule."""
    ids: dict[str, int] = {}
    for match in matches:
        ids[match.rule_id] = next_id(tx, MATCH)
        values = {
            "id": ids[match.rule_id],
            "article_id": article_id,
            "revision_id": revision_id,
            "rule_id": match.rule_id,
            "rule_name": match.rule_name,
            "rule_hash": match.rule_hash,
            "ruleset_hash": match.ruleset_hash,
            "severity": match.severity,
            "created": now,
            "spans": json.dumps([[span.part, span.words] for span in match.spans]),
        }
        defer(tx, MATCH.name, _ADD_MATCH, values)
    return ids


def decided(tx: Tx, article_id: int) -> frozenset[tuple[str, str]]:
    """The (rule id, recipient) pairs that have an obligation for the article, on any occasion but an escalation."""
    query = sa.select(OBLIGATION.c.rule_id, OBLIGATION.c.recipient).where(
        OBLIGATION.c.article_id == article_id, OBLIGATION.c.occasion != Occasion.ESCALATION
    )
    return frozenset((row.rule_id, row.recipient) for row in tx.execute(query))


def decided_for_text(tx: Tx, original: int) -> frozenset[tuple[str, str]]:
    """The same for an original and all its copies, less what nobody heard of: what was given up, and backlog.

    A feed that is added to a watch brings what others already carry; it must not silence them.
    """
    copies = sa.select(ARTICLE.c.id).where(ARTICLE.c.of_id == original)
    given_up = sa.exists().where(DELIVERY.c.id == OBLIGATION.c.delivery_id, DELIVERY.c.state == DeliveryState.FAILED)
    query = sa.select(OBLIGATION.c.rule_id, OBLIGATION.c.recipient).where(
        sa.or_(OBLIGATION.c.article_id == original, OBLIGATION.c.article_id.in_(copies)),
        OBLIGATION.c.suppression != Suppression.BACKLOG,
        ~given_up,
    )
    return frozenset((row.rule_id, row.recipient) for row in tx.execute(query))


def add_obligations(
    tx: Tx,
    article_id: int,
    match_ids: dict[str, int],
    obligations: Sequence[Obligation],
    *,
    due: datetime,
    now: datetime,
) -> int:
    """Store what is owed and what is not, and the deliveries that will carry it; returns how many deliveries opened."""
    opened = 0
    for obligation in obligations:
        values = {
            "match_id": match_ids[obligation.rule_id],
            "rule_id": obligation.rule_id,
            "article_id": article_id,
            "target_id": obligation.target_id,
            "recipient": obligation.recipient,
            "occasion": obligation.occasion,
            "verdict": obligation.verdict,
            "suppression": obligation.suppression or "",
            "why": obligation.why[:500],
            "created": now,
            "wave": obligation.measured.wave.article_id
            if obligation.measured is not None and obligation.measured.wave is not None
            else None,
        }
        added = tx.execute(
            insert(tx, OBLIGATION).values(values).on_conflict_do_nothing().returning(OBLIGATION.c.id)
        ).scalar_one_or_none()
        if added is None or obligation.verdict is not Verdict.OWED:
            continue
        collects = obligation.collects or f"article:{article_id}"
        delivery_id, is_new = collect(tx, obligation, collects, obligation.due or due, now)
        opened += is_new
        tx.execute(sa.update(OBLIGATION).where(OBLIGATION.c.id == added).values(delivery_id=delivery_id))
    return opened


def matches(tx: Tx, article_id: int) -> tuple[StoredMatch, ...]:
    """Every match of an article, by revision."""
    return matches_of(tx, [article_id])


def matches_of(tx: Tx, article_ids: Collection[int]) -> tuple[StoredMatch, ...]:
    """The matches of several articles, by revision."""
    return tuple(map(_stored, tx.execute(_MATCHES, {"ids": list(article_ids)})))


def articles_of_delivery(tx: Tx, delivery_id: int) -> tuple[int, ...]:
    """The articles that a delivery carries, in the order in which they came."""
    query = sa.select(OBLIGATION.c.article_id).where(OBLIGATION.c.delivery_id == delivery_id)
    return tuple(dict.fromkeys(tx.execute(query.order_by(OBLIGATION.c.id)).scalars()))


def matches_of_delivery(tx: Tx, delivery_id: int) -> tuple[tuple[int, str, StoredMatch, bool], ...]:
    """(article id, occasion, match, of a wave) of each obligation that a delivery carries.

    The match is that of the rule's newest text.
    """
    rows = tx.execute(_OWED_IN, {"one": delivery_id}).all()
    newest = {(found.article_id, found.rule_id): found for found in matches_of(tx, {r.article_id for r in rows})}
    return tuple((r.article_id, r.occasion, newest[r.article_id, r.rule_id], r.wave is not None) for r in rows)


def _stored(r: sa.Row[tuple[object, ...]]) -> StoredMatch:
    return StoredMatch(
        article_id=r.article_id,
        rule_id=r.rule_id,
        rule_name=r.rule_name,
        rule_hash=r.rule_hash,
        ruleset_hash=r.ruleset_hash,
        severity=Severity(r.severity),
        revision=r.number,
        title=r.title,
        body=r.body,
        created=r.created,
        spans=tuple(
            Span(part=Part(part), words=tuple((start, end) for start, end in words))
            for part, words in json.loads(r.spans)
        ),
    )


def audit(tx: Tx) -> tuple[str, ...]:
    """Every breach of the conservation law: matched = sent + in delivery + suppressed + failed. Empty when it holds."""
    owed = OBLIGATION.c.verdict == Verdict.OWED
    sent_without = ~sa.exists().where(ATTEMPT.c.delivery_id == DELIVERY.c.id, ATTEMPT.c.outcome == "sent")
    laws = {
        "owed obligations without a delivery": sa.select(sa.func.count())
        .select_from(OBLIGATION)
        .where(owed, OBLIGATION.c.delivery_id.is_(None)),
        "obligations in another recipient's delivery": sa.select(sa.func.count())
        .select_from(OBLIGATION.join(DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id))
        .where(OBLIGATION.c.recipient != DELIVERY.c.recipient),
        "suppressed obligations without a reason": sa.select(sa.func.count())
        .select_from(OBLIGATION)
        .where(~owed, OBLIGATION.c.suppression == ""),
        "deliveries called sent without an attempt that was": sa.select(sa.func.count())
        .select_from(DELIVERY)
        .where(DELIVERY.c.state == DeliveryState.SENT, sent_without),
        "deliveries in a state that does not exist": sa.select(sa.func.count())
        .select_from(DELIVERY)
        .where(DELIVERY.c.state.not_in(list(DeliveryState))),
        "sealed deliveries without their bytes": sa.select(sa.func.count())
        .select_from(DELIVERY)
        .where(DELIVERY.c.state.in_([DeliveryState.SEALED, DeliveryState.RETRY]), DELIVERY.c.message_id == ""),
    }
    counts = {law: tx.execute(query).scalar_one() for law, query in laws.items()}
    return tuple(f"{count} {law}" for law, count in counts.items() if count)
