"""What Veille tells its operators about itself: deliveries like any other, in the transaction of what they tell."""

from datetime import datetime

from worker.model import Notice
from worker.pipeline.live import Live
from worker.store import Tx, collecting


def tell(tx: Tx, live: Live, subject: str, body: str, *, now: datetime, about: str = "") -> None:
    """Open a delivery of a notice to the operators, if the configuration names any.

    `about`: the target that the notice is about, which is not told of its own failure.
    """
    operators = next((t for t in live.config.alerts.targets if t.id == live.config.operators), None)
    if operators is not None and operators.id != about:
        collecting.notify(tx, operators.id, operators.recipients, Notice(subject=subject, body=body), now)
