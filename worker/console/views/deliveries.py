"""Deliveries that are not sent: what each is to say, and what it waits for, until when."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from worker.model import DeliveryState, WaitReason, times
from worker.model.times import counted
from worker.store import Tx, articles, ledger, targets
from worker.store.deliveries import DeliveryLine

Facts = dict[str, Any]

#: By what holds an open delivery; `{until}`.
_HELD = {
    WaitReason.GROUP_WAIT: "waits until {until} for more on the same",
    WaitReason.QUIET_HOURS: "quiet hours until {until}",
    WaitReason.DIGEST: "goes with the digest of {until}",
    WaitReason.THROTTLED: "its rule has sent what the target takes in that time: goes with the digest of {until}",
    WaitReason.REPEAT_INTERVAL: "an alert of the story was sent lately: the next at {until}",
    WaitReason.ESCALATION: "a reminder: sent at {until} unless somebody acknowledges before",
}


def waiting(tx: Tx, lines: Iterable[DeliveryLine], now: datetime) -> list[Facts]:
    """Each delivery with its subject, its articles, and its wait in a word and in a sentence."""
    held = {one.id: one for one in targets.held(tx, now)}
    paced = targets.next_turns(tx, now)
    found = []
    for line in lines:
        carried = ledger.articles_of_delivery(tx, line.id)
        wait, sentence, until = _wait(line, held.get(line.target_id), paced.get(line.target_id), now)
        found.append(
            {
                "delivery": line.id,
                "target": line.target_id,
                "recipient": line.recipient,
                "state": line.state,
                "due": line.due,
                "attempts": line.attempts,
                "subject": line.subject or _title(tx, carried),
                "articles": list(carried),
                "wait": wait,
                "until": until,
                "reason": line.reason or line.detail,
                "sentence": sentence,
            }
        )
    return found


def _title(tx: Tx, carried: tuple[int, ...]) -> str:
    """The subject of a delivery that is not sealed yet: its first article, and how many more."""
    stored = articles.get(tx, carried[0]) if carried else None
    more = f" (+{len(carried) - 1})" if len(carried) > 1 else ""
    return f"{stored.article.title}{more}" if stored else ""


def _wait(  # noqa: PLR0911 - one return a case reads best
    line: DeliveryLine, target: targets.TargetLine | None, turn: datetime | None, now: datetime
) -> tuple[str, str, datetime | None]:
    """The wait's word, its sentence, and when it is over, where that is known."""
    tries = counted(line.attempts, "attempt")
    why = line.reason or line.detail
    match line.state:
        case DeliveryState.FAILED:
            said = f"given up after {tries}: {why}. `veille deliveries retry {line.id}` tries it again"
            return "given-up", said, None
        case DeliveryState.PARKED:
            return "parked", f"waits until the configuration is right and read again: {why}", None
        case DeliveryState.SEALED:
            return "under-way", f"on its way: attempt {line.attempts} runs, or was cut short", None
    if line.due > now:
        until = times.say(line.due)
        if line.state == DeliveryState.RETRY:
            return "retry", f"tried again at {until}, after {tries}: {why}", line.due
        said = _HELD[WaitReason(line.hold)].format(until=until) if line.hold else f"due at {until}"
        return line.hold or "due", said, line.due
    after = f" (after {tries}: {why})" if line.attempts else ""
    if target is not None and target.parked:
        said = f"its target takes nothing until the configuration is right and read again: {target.parked}"
        return "target-parked", said, None
    if target is not None and target.until is not None:
        reason = f"fails since {times.say(target.failing_since)}" if target.failing_since else "asked for time"
        said = f"its target {reason}: tried with one message at {times.say(target.until)}{after}"
        return "target-failing" if target.failing_since else "target-busy", said, target.until
    if line.after is not None:
        return "thread", f"goes below delivery {line.after}, which is not sent yet", None
    if turn is not None and turn > now:
        said = f"its target takes one message at a time (`rate`): the next at {times.say(turn, times.SECONDS)}{after}"
        return "rate", said, turn
    return "turn", f"its turn comes{after}", line.due
