"""What rules said and what was owed since a moment, of a store and of its replay, in a form in which they compare."""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from worker.model import DeliveryState
from worker.store import events
from worker.store.database import Tx
from worker.store.events import Kind
from worker.store.tables import NOTICE, ArticleRow, DeliveryRow, MatchRow, ObligationRow, RevisionRow

_article: sa.Table = ArticleRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it at run time
_delivery: sa.Table = DeliveryRow.__table__  # type: ignore[attr-defined]  # as above
_match: sa.Table = MatchRow.__table__  # type: ignore[attr-defined]  # as above
_obligation: sa.Table = ObligationRow.__table__  # type: ignore[attr-defined]  # as above
_revision: sa.Table = RevisionRow.__table__  # type: ignore[attr-defined]  # as above

#: (rule id, article id, number of the text)
MatchKey = tuple[str, int, int]
#: (rule id, article id, recipient, occasion)
OwedKey = tuple[str, int, str, str]
_MANY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLine:
    """A match."""

    rule_hash: str
    severity: str
    #: As stored.
    spans: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedLine:
    """An obligation, as far as it does not say what became of it in the world."""

    target_id: str
    verdict: str
    suppression: str
    why: str
    #: Key of the delivery that carries it; empty: none does.
    delivery: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """A message as it was sealed."""

    target_id: str
    recipient: str
    message_id: str
    subject: str
    sealed: datetime
    #: sha256 hex of its bytes.
    sha256: str
    #: What it carries, in order.
    carries: tuple[OwedKey, ...]


@dataclass(slots=True, kw_only=True)
class Lines:
    """All of that since a moment."""

    matches: dict[MatchKey, MatchLine] = field(default_factory=dict)
    owed: dict[OwedKey, OwedLine] = field(default_factory=dict)
    #: By key of the delivery.
    messages: dict[str, MessageLine] = field(default_factory=dict)
    #: Of the articles named, for people.
    titles: dict[int, str] = field(default_factory=dict)


def lines(tx: Tx, since: datetime) -> Lines:
    """What was decided and sealed since then."""
    found = Lines()
    query = sa.select(_match, _revision.c.number).join(_revision, _revision.c.id == _match.c.revision_id)
    for r in tx.execute(query.where(_match.c.created >= since).order_by(_match.c.id)):
        line = MatchLine(rule_hash=r.rule_hash, severity=r.severity, spans=r.spans)
        found.matches[r.rule_id, r.article_id, r.number] = line
    owed = sa.select(_obligation, sa.func.coalesce(_delivery.c.key, "").label("key")).outerjoin(
        _delivery, _delivery.c.id == _obligation.c.delivery_id
    )
    for r in tx.execute(owed.where(_obligation.c.created >= since).order_by(_obligation.c.id)):
        found.owed[r.rule_id, r.article_id, r.recipient, r.occasion] = OwedLine(
            target_id=r.target_id, verdict=r.verdict, suppression=r.suppression, why=r.why, delivery=r.key
        )
    _add_messages(tx, found, since)
    _add_titles(tx, found)
    return found


def _add_messages(tx: Tx, found: Lines, since: datetime) -> None:
    """Of what was sealed since then, as the events say: a delivery does not know it any more once it was revived."""
    start = events.start(tx, since)
    if start is None:
        return
    sealed = {
        event.data["key"]: event.at
        for event in events.after(tx, start[0])
        if event.kind is Kind.DELIVERY and event.data["state"] == DeliveryState.SEALED and event.at >= since
    }
    keys = sorted(sealed)
    for at in range(0, len(keys), _MANY):
        some = keys[at : at + _MANY]
        carries = _carried(tx, some)
        for r in tx.execute(sa.select(_delivery).where(_delivery.c.key.in_(some), _delivery.c.message_id != "")):
            found.messages[r.key] = MessageLine(
                target_id=r.target_id,
                recipient=r.recipient,
                message_id=r.message_id,
                subject=r.subject,
                sealed=sealed[r.key],
                sha256=hashlib.sha256(r.content).hexdigest(),
                carries=tuple(carries[r.key]),
            )


def _carried(tx: Tx, keys: Collection[str]) -> defaultdict[str, list[OwedKey]]:
    found: defaultdict[str, list[OwedKey]] = defaultdict(list)
    query = sa.select(_obligation, _delivery.c.key).join(_delivery, _delivery.c.id == _obligation.c.delivery_id)
    for r in tx.execute(query.where(_delivery.c.key.in_(keys)).order_by(_obligation.c.id)):
        found[r.key].append((r.rule_id, r.article_id, r.recipient, r.occasion))
    return found


def _add_titles(tx: Tx, found: Lines) -> None:
    named = sorted({key[1] for key in found.matches} | {key[1] for key in found.owed})
    for at in range(0, len(named), _MANY):
        query = sa.select(_article.c.id, _article.c.title).where(_article.c.id.in_(named[at : at + _MANY]))
        found.titles |= {r.id: r.title for r in tx.execute(query)}


def owed_between(tx: Tx, since: datetime, until: datetime | None) -> int:
    """How many obligations were decided since then, and before `until`."""
    query = sa.select(sa.func.count()).select_from(_obligation).where(_obligation.c.created >= since)
    return int(tx.execute(query if until is None else query.where(_obligation.c.created < until)).scalar_one())


def articles(tx: Tx) -> int:
    """How many articles the store holds."""
    return int(tx.execute(sa.select(sa.func.count()).select_from(_article)).scalar_one())


# --- deliveries of a replay ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An open delivery that has nothing before it."""

    id: int
    key: str
    due: datetime


def keys(tx: Tx) -> frozenset[str]:
    """The keys of all deliveries that are no notices."""
    return frozenset(tx.execute(sa.select(_delivery.c.key).where(_delivery.c.collects != NOTICE)).scalars())


def waiting(tx: Tx, until: datetime) -> tuple[Waiting, ...]:
    """The open deliveries that are due before then, in the order in which they are; none waits for another one."""
    ended = (DeliveryState.SENT, DeliveryState.FAILED)
    first = _delivery.alias("first")
    query = sa.select(_delivery.c.id, _delivery.c.key, _delivery.c.due).where(
        _delivery.c.state == DeliveryState.OPEN,
        _delivery.c.due < until,
        ~sa.exists().where(first.c.id == _delivery.c.after_id, first.c.state.not_in(ended)),
    )
    return tuple(Waiting(id=r.id, key=r.key, due=r.due) for r in tx.execute(query.order_by("due", "id")))


def by_key(tx: Tx, key: str) -> tuple[int, DeliveryState] | None:
    """The number and state of the delivery of that key."""
    found = tx.execute(sa.select(_delivery.c.id, _delivery.c.state).where(_delivery.c.key == key)).one_or_none()
    return None if found is None else (found.id, DeliveryState(found.state))


def reach(tx: Tx, delivery_id: int) -> tuple[str, str] | None:
    """Target and recipient of an open delivery; None where there is none any more."""
    is_it = (_delivery.c.id == delivery_id, _delivery.c.state == DeliveryState.OPEN)
    found = tx.execute(sa.select(_delivery.c.target_id, _delivery.c.recipient).where(*is_it)).one_or_none()
    return None if found is None else (found.target_id, found.recipient)


def become(tx: Tx, key: str, state: DeliveryState, at: datetime, ref: str = "") -> None:
    """Let a delivery be in the state to which the world brought it."""
    finished = at if state in (DeliveryState.SENT, DeliveryState.FAILED) else None
    values = {"state": state, "finished": finished, "ref": ref, "lease_until": None, "owner": ""}
    tx.execute(sa.update(_delivery).where(_delivery.c.key == key).values(values))
