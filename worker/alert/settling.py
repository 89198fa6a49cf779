"""States of a delivery after an attempt, or instead of one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.alert.schedule import next_attempt
from worker.model import DeliveryState, Outcome, Receipt
from worker.times import counted

#: A delivery that was never accepted is given up after this long; an outage of 72 h must lose nothing.
GIVE_UP = timedelta(days=7)
#: A parked delivery whose target nobody fixes is given up after this long.
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
class Settled:
    """A delivery's state after an attempt, or instead of one."""

    state: DeliveryState
    reason: str = ""
    #: When it is due again, where it is.
    due: datetime | None = None


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
    """A delivery's state after an attempt's receipt; `uncertain` counts earlier attempts that may have arrived."""
    match receipt.outcome:
        case Outcome.SENT:
            return Settled(state=DeliveryState.SENT)
        case Outcome.PERMANENT:
            return Settled(state=DeliveryState.FAILED, reason=f"refused: {receipt.detail}")
        case Outcome.BROKEN:
            return Settled(state=DeliveryState.PARKED, reason=receipt.detail)
        case Outcome.UNCERTAIN if uncertain + 1 >= most_uncertain:
            reason = f"uncertain: tried {counted(uncertain + 1, 'time')}, may have arrived: {receipt.detail}"
            return Settled(state=DeliveryState.FAILED, reason=reason)
        case Outcome.UNCERTAIN:
            pause = UNCERTAIN_PAUSE * 4**uncertain
            return Settled(state=DeliveryState.RETRY, reason="may have arrived", due=now + pause)
        case Outcome.RETRY if now - first_attempt > GIVE_UP:
            return Settled(state=DeliveryState.FAILED, reason=f"expired: {receipt.detail}")
        case Outcome.RETRY:
            due = next_attempt(key, attempt, after=receipt.after, now=now)
            return Settled(state=DeliveryState.RETRY, reason=receipt.detail, due=due)
