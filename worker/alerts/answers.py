"""One-click answers: what a link in a message lets its reader say, signed so that nobody else can say it.

    Answer -sign-> token -verify-> Answer | None

Pure: the key and `now` are the caller's. A token is base64url(JSON) "." base64url(HMAC-SHA256 of it).
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: A link in an old mail does nothing any more.
LASTS = timedelta(days=30)
_LONGEST = 8_000


class Action(StrEnum):
    """Answers that a reader may give."""

    ACKNOWLEDGE = "acknowledge"
    MUTE = "mute"
    NOISE = "noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: its author, what it says, and the article that it is about."""

    action: Action
    article_id: int
    recipient: str
    #: Of `noise`: the rules that should not have matched.
    rules: tuple[str, ...] = ()


def sign(answer: Answer, key: bytes, now: datetime) -> str:
    """A token that says this for 30 days."""
    until = int((now + LASTS).timestamp())
    said = [answer.action, answer.article_id, answer.recipient, list(answer.rules), until]
    text = _encoded(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode())
    return f"{text}.{_encoded(_signature(text, key))}"


def verify(token: str, key: bytes, now: datetime) -> Answer | None:
    """The question in a token; None where the token is not ours, was changed, or is too old."""
    text, _, signature = token.partition(".")
    if len(token) > _LONGEST or not token.isascii():
        return None
    if not hmac.compare_digest(signature, _encoded(_signature(text, key))):
        return None
    try:
        action, article_id, recipient, rules, until = json.loads(_decoded(text))
        answer = Answer(action=Action(action), article_id=article_id, recipient=recipient, rules=tuple(rules))
    except (ValueError, TypeError, binascii.Error):
        return None
    return answer if now.timestamp() < until else None


def _signature(text: str, key: bytes) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
