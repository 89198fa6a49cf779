"""The results of alerts in short: what was sent, waits, failed or was suppressed, to whom and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.model import DeliveryState, Verdict
from worker.store.ledger_lines import LedgerLine


class FateKind(StrEnum):
    """Kinds of result, in the order in which they are shown."""

    SENT = "sent"
    #: It is under way, or its turn comes.
    WAITING = "waiting"
    #: It waits until a time, for the reason of its hold.
    HELD = "held"
    #: It waits until the target is fixed.
    PARKED = "parked"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One result, and all who share it."""

    kind: FateKind
    #: A `Suppression` or `WaitReason`; of what is parked or failed, the reason in words.
    reason: str
    #: Ids of targets.
    to: tuple[str, ...]
    #: The last moment at which it was sent; of what is held, the first at which it is due.
    at: datetime | None


def kind(line: LedgerLine) -> FateKind:
    """The kind of one line's result."""
    if line.verdict == Verdict.SUPPRESSED:
        return FateKind.SUPPRESSED
    match line.state:
        case DeliveryState.SENT:
            return FateKind.SENT
        case DeliveryState.FAILED:
            return FateKind.FAILED
        case DeliveryState.PARKED:
            return FateKind.PARKED
        case DeliveryState.OPEN if line.hold:
            return FateKind.HELD
    return FateKind.WAITING


def fates(lines: Iterable[LedgerLine]) -> list[Fate]:
    """The results of these lines, those of one kind and reason together."""
    grouped: dict[tuple[FateKind, str], list[LedgerLine]] = {}
    for line in lines:
        found = kind(line)
        grouped.setdefault((found, _reason(found, line)), []).append(line)
    order = list(FateKind)
    return [
        Fate(kind=what, reason=reason, to=tuple(dict.fromkeys(line.target_id for line in some)), at=_at(what, some))
        for (what, reason), some in sorted(grouped.items(), key=lambda one: order.index(one[0][0]))
    ]


def _reason(what: FateKind, line: LedgerLine) -> str:
    match what:
        case FateKind.SUPPRESSED:
            return line.suppression
        case FateKind.HELD:
            return line.hold
        case FateKind.FAILED | FateKind.PARKED:
            return line.reason
    return ""


def _at(what: FateKind, lines: Sequence[LedgerLine]) -> datetime | None:
    if what is FateKind.SENT:
        return max((line.finished for line in lines if line.finished), default=None)
    return min((line.due for line in lines if line.due), default=None) if what is FateKind.HELD else None
