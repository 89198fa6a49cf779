"""Notices to the operators about Veille itself: deliveries like any other, in the transaction of their cause."""

from datetime import datetime
from enum import StrEnum

from worker.model import Notice, Target
from worker.notify.render import NoticeWording, notice_wording
from worker.pipeline.context import ActiveConfig
from worker.store import Tx, open_deliveries


class Gathered(StrEnum):
    """The kinds of notice of which many may come at once: one message each quarter of an hour lists them."""

    MESSAGE = "message"
    TARGET = "target"
    OVER = "over"


def notify_operators(
    tx: Tx, live: ActiveConfig, subject: str, body: str, *, now: datetime, about: str = "", kind: Gathered | None = None
) -> None:
    """Open a delivery of a notice to the operators, if the configuration names any, or add it to one of its kind.

    `about`: the target that the notice is about, which gets no notice of its own failure.
    """
    operators = _operators(live)
    if operators is not None and operators.id != about:
        notice = Notice(subject=subject, body=body, kind=kind or "")
        open_deliveries.notify(tx, operators.id, operators.recipients, notice, now)


def words(live: ActiveConfig) -> NoticeWording:
    """The words of the operators' language."""
    operators = _operators(live)
    return notice_wording(operators.language if operators else "")


def _operators(live: ActiveConfig) -> Target | None:
    return next((t for t in live.config.alerts.targets if t.id == live.config.operators), None)
