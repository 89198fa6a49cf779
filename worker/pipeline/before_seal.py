"""Checks an open delivery before it is sealed: silences, mutes and acknowledgements since then, and quiet hours.

A reminder (escalation) goes with the first alert that it reminds of: where nobody is owed that any more, it is not
sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.alerts import DIGEST, held
from worker.alerts.history import Silenced
from worker.model import Occasion, Severity, Suppression, Target, WaitReason, times
from worker.pipeline.context import ActiveConfig
from worker.pipeline.obligations import silenced
from worker.pipeline.story_merge import is_merged, join_into
from worker.store import Tx, deliveries, ledger, open_deliveries, silences


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """Changes to a delivery before it can be sealed."""

    #: (obligation id, suppression, why) of what is not owed any more.
    suppressed: tuple[tuple[int, Suppression, str], ...]
    #: Its story turned out to be another one: that is seen to first.
    merged: bool = False
    #: Something is left to say.
    stays: bool
    #: It waits until then all the same.
    due: datetime | None


def rechecks(
    tx: Tx, live: ActiveConfig, drafts: Sequence[tuple[deliveries.Draft, Target]], now: datetime
) -> dict[int, Recheck]:
    """Look at each obligation that open deliveries carry once more; those that change, by id."""
    in_force, carried = silenced(tx, live, now), ledger.carried_by(tx, [draft.id for draft, _ in drafts])
    found = {draft.id: _recheck(tx, in_force, draft, carried[draft.id], target, now) for draft, target in drafts}
    return {
        delivery_id: one for delivery_id, one in found.items() if one.suppressed or one.merged or one.due is not None
    }


def _recheck(
    tx: Tx,
    in_force: Sequence[Silenced],
    draft: deliveries.Draft,
    carried: Sequence[ledger.Carried],
    target: Target,
    now: datetime,
) -> Recheck:
    if is_merged(tx, draft.collects):
        return Recheck(suppressed=(), stays=True, due=None, merged=True)
    suppressed: list[tuple[int, Suppression, str]] = []
    left: list[Severity] = []
    for one in carried:
        # A wave is of many stories and feeds: one of them that is silenced does not silence the others.
        story_id, feed = (one.story_id, one.feed) if one.wave is None else (None, "")
        quiet = next(
            (s for s in in_force if s.covers(one.rule_id, draft.recipient, story_id=story_id, feed=feed, now=now)), None
        )
        is_reminder = one.occasion == Occasion.ESCALATION
        answered = silences.acknowledged(tx, one.article_id) if is_reminder else None
        ended = ledger.ended_first(tx, one.rule_id, one.article_id) if is_reminder else None
        if quiet is not None:
            suppressed.append((one.obligation_id, quiet.suppression, quiet.why))
        elif answered is not None:
            author, moment = answered
            suppressed.append((one.obligation_id, Suppression.ACKNOWLEDGED, f"by {author} at {times.say(moment)}"))
        elif ended is not None:
            suppressed.append((one.obligation_id, Suppression(ended[0]), ended[1]))
        else:
            left.append(one.severity)
    worst = max(left, key=lambda severity: severity.rank, default=Severity.INFO)
    # A digest comes at its own hour, whatever the hour is.
    awake = now if draft.collects == DIGEST else held(target, worst, now, None)[0]
    return Recheck(suppressed=tuple(suppressed), stays=bool(left), due=awake if left and awake > now else None)


def carry_out(tx: Tx, live: ActiveConfig, draft: deliveries.Draft, found: Recheck) -> None:
    """Do it, under the ingest lock; nothing if another worker has sealed the delivery meanwhile."""
    if found.merged:
        join_into(tx, live, draft.collects)
        return
    if not open_deliveries.is_open(tx, draft.id):
        return
    for obligation_id, suppression, why in found.suppressed:
        ledger.suppress(tx, obligation_id, suppression, why)
    if not ledger.carried(tx, draft.id):
        open_deliveries.drop(tx, draft.id)
    elif found.due is not None:
        open_deliveries.hold(tx, draft.id, found.due, WaitReason.QUIET_HOURS)
