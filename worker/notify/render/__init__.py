"""Makes messages for people: matches become passages, alerts become sealed messages.

    spans -passages-> title and sentences with their marks      (text, text) -changes-> what a correction changed
    Alert | Digest | Notice -seal-> Message

Pure: the same input gives the same bytes, boundary, Message-ID and Date included, so that a retry repeats a message
instead of sending another one.
"""

from worker.notify.render import conditions
from worker.notify.render.changes import changes
from worker.notify.render.notices import NoticeWording, filled, notice_wording
from worker.notify.render.passages import opening, passages
from worker.notify.render.seal import page, readable, seal
from worker.notify.render.trial import check

__all__ = [
    "NoticeWording",
    "changes",
    "check",
    "conditions",
    "filled",
    "notice_wording",
    "opening",
    "page",
    "passages",
    "readable",
    "seal",
]
