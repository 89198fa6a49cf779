"""What each match owes whom, decided once: obligations with their verdicts, and the plan after each attempt.

Pure: takes what was decided before and what the configuration says, returns values with reasons.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.model import (
    AlertPolicy,
    DeliveryState,
    Match,
    Novelty,
    NoveltyKind,
    Obligation,
    Occasion,
    Origin,
    Outcome,
    Receipt,
    Suppression,
    Target,
    Verdict,
)
from worker.schedule import next_attempt

#: A delivery that was never accepted is given up after this long; an outage of 72 h must lose nothing.
GIVE_UP = timedelta(days=7)
#: A parked delivery whose target nobody mends is given up after this long.
PARKED_FOR = timedelta(days=30)
#: Attempts that took the process down before the delivery is taken for the cause.
MAX_CRASHES = 5
#: Attempts that may have succeeded: after the second, a third could only be a nuisance.
MAX_UNCERTAIN = 2
#: Mail bears more, since its Message-ID tells a repeat from news; with these pauses, through a stall of 72 h.
MAX_UNCERTAIN_MAIL = 7
#: After the first, and four times as long after each further one.
UNCERTAIN_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was decided before about an article, and about its original if it is a duplicate."""

    #: (rule id, recipient) pairs that have an obligation already, on any occasion.
    decided: frozenset[tuple[str, str]] = frozenset()
    #: How the original came; None when the article is no duplicate.
    original: Origin | None = None
    #: The pairs that were decided for the original.
    decided_for_original: frozenset[tuple[str, str]] = frozenset()
    #: Rules that a duplicate satisfies in words that are not its original's: for them it is no copy.
    news: frozenset[str] = frozenset()
    #: The entry was in the feed when the feed was first polled, and the feed does not alert on that.
    backlog: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What becomes of a delivery after an attempt, or instead of one."""

    state: DeliveryState
    reason: str = ""
    #: When it is due again, where it is.
    due: datetime | None = None


def alert(
    matches: Sequence[Match], novelty: Novelty, history: History, policy: AlertPolicy, tags: Collection[str]
) -> tuple[Obligation, ...]:
    """One obligation per match and recipient that has none yet, owed or suppressed with its reason.

    A revision that matches what an earlier text did not is a `development`; what was decided for an article is never
    decided again. A copy is silent where its original was decided, and not where it brings news of its own. `tags`
    are the feed's.
    """
    occasion = Occasion.DEVELOPMENT if novelty.kind is NoveltyKind.UPDATE else Occasion.FIRST
    obligations = []
    for match in matches:
        for target_id, recipient in recipients(match, policy, tags):
            if (match.rule_id, recipient) in history.decided:
                continue
            suppression = _suppression(match.rule_id, recipient, history)
            obligations.append(
                Obligation(
                    rule_id=match.rule_id,
                    target_id=target_id,
                    recipient=recipient,
                    occasion=occasion,
                    verdict=Verdict.SUPPRESSED if suppression else Verdict.OWED,
                    suppression=suppression,
                )
            )
    return tuple(obligations)


def _suppression(rule_id: str, recipient: str, history: History) -> Suppression | None:
    if history.original is not None and rule_id not in history.news:
        if history.original is not Origin.FEED:
            return Suppression.ARCHIVE
        if (rule_id, recipient) in history.decided_for_original:
            return Suppression.COPY
    return Suppression.BACKLOG if history.backlog else None


def recipients(match: Match, policy: AlertPolicy, tags: Collection[str]) -> tuple[tuple[str, str], ...]:
    """(target id, recipient) of everyone a match concerns: those its rule names, else those the routes choose.

    A recipient that several targets reach is told once, through the first of them.
    """
    targets = {target.id: target for target in policy.targets}
    ids: Iterable[str]
    if match.to:
        ids = match.to
    elif policy.routes:
        ids = [
            name
            for route in policy.routes
            if (not route.rules or match.rule_id in route.rules)
            and (not route.severities or match.severity in route.severities)
            and (not route.tags or not route.tags.isdisjoint(tags))
            for name in route.targets
        ]
    else:
        ids = targets
    found: dict[str, str] = {}
    for target in _expanded(ids, targets, policy):
        for recipient in target.recipients:
            found.setdefault(recipient, target.id)
    return tuple((target_id, recipient) for recipient, target_id in found.items())


def _expanded(ids: Iterable[str], targets: dict[str, Target], policy: AlertPolicy) -> Iterable[Target]:
    groups = dict(policy.groups)
    for name in ids:
        for target_id in groups.get(name, (name,)):
            if target_id in targets:
                yield targets[target_id]


def settle(  # noqa: PLR0911 - one return a case reads best
    receipt: Receipt,
    *,
    key: str,
    attempt: int,
    uncertain: int,
    most_uncertain: int = MAX_UNCERTAIN,
    first_attempt: datetime,
    now: datetime,
) -> Settled:
    """What an attempt's receipt makes of its delivery; `uncertain` counts earlier attempts that may have arrived."""
    match receipt.outcome:
        case Outcome.SENT:
            return Settled(state=DeliveryState.SENT)
        case Outcome.PERMANENT:
            return Settled(state=DeliveryState.DEAD, reason=f"refused: {receipt.detail}")
        case Outcome.BROKEN:
            return Settled(state=DeliveryState.PARKED, reason=receipt.detail)
        case Outcome.UNCERTAIN if uncertain + 1 >= most_uncertain:
            reason = f"uncertain: tried {uncertain + 1} times, may have arrived: {receipt.detail}"
            return Settled(state=DeliveryState.DEAD, reason=reason)
        case Outcome.UNCERTAIN:
            pause = UNCERTAIN_PAUSE * 4**uncertain
            return Settled(state=DeliveryState.RETRY, reason="may have arrived", due=now + pause)
        case Outcome.RETRY if now - first_attempt > GIVE_UP:
            return Settled(state=DeliveryState.DEAD, reason=f"expired: {receipt.detail}")
        case Outcome.RETRY:
            due = next_attempt(key, attempt, after=receipt.after, now=now)
            return Settled(state=DeliveryState.RETRY, reason=receipt.detail, due=due)
