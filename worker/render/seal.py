"""Messages in the form of their channel, sealed: what is written here goes out as it stands at every attempt."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from worker.model import AlertItem, Channel, EmailSettings, Message, Notice, Target
from worker.render import email, plain, slack
from worker.render.view import View, line, view
from worker.render.wording import Wording, wording

_SUBJECT = 200


def seal(
    content: Sequence[AlertItem] | Notice, *, target: Target, recipient: str, key: str, host: str, now: datetime
) -> Message:
    """The message that tells `recipient` of `target` a notice, or the articles, of which there is at least one.

    `<key@host>` is its Message-ID, for email with the sender's own domain, as receivers expect; `now` is its Date.
    """
    if isinstance(target.settings, EmailSettings):
        host = email.domain(target.settings.sender) or host
    words = wording(target.language)
    text = _notice(content, words) if isinstance(content, Notice) else _alert(content, target, words)
    message_id = f"<{key}@{host}>"
    match target.channel:
        case Channel.SLACK:
            sealed = _json(text.slack(key) | {"unfurl_links": False, "unfurl_media": False})
        case Channel.APPRISE:
            sealed = _json({"title": text.subject, "body": text.plain})
        case Channel.EMAIL | Channel.LOG:
            settings = target.settings
            own = f"veille@{host}"
            envelope = email.Envelope(
                sender=settings.sender if isinstance(settings, EmailSettings) else f"Veille <{own}>",
                recipient=recipient.removeprefix("mailto:") if isinstance(settings, EmailSettings) else own,
                subject=text.subject,
                message_id=message_id,
                date=now,
                boundary_seed=key,
            )
            sealed = email.mime(envelope, text.plain, text.html())
        case _:
            assert_never(target.channel)
    return Message(content=sealed, message_id=message_id, subject=text.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """What a message says, in each form that a channel may ask for."""

    subject: str
    plain: str
    html: Callable[[], str]
    #: Takes the key.
    slack: Callable[[str], dict[str, object]]


def _alert(items: Sequence[AlertItem], target: Target, words: Wording) -> _Text:
    views = tuple(view(item, target, words) for item in items)
    subject = _alert_subject(views)
    return _Text(
        subject=subject,
        plain=plain.alert(views, words),
        html=lambda: email.alert(subject, views, words),
        slack=lambda key: slack.alert(subject, key, views, words),
    )


def _notice(notice: Notice, words: Wording) -> _Text:
    subject = line(f"[Veille] {notice.subject}", _SUBJECT)
    text = plain.notice(notice, words)
    return _Text(
        subject=subject,
        plain=text,
        html=lambda: email.notice(subject, text, words),
        slack=lambda key: slack.notice(subject, key, text),
    )


def _alert_subject(views: Sequence[View]) -> str:
    """`[severity] Rule name: title`, of the most severe item; the severity as rules write it, for mail filters."""
    first = max(views, key=lambda item: item.severity.rank)
    more = f" (+{len(views) - 1})" if len(views) > 1 else ""
    named = f"{first.rules[0]}: " if first.rules else ""
    return line(f"[{first.severity}] {named}{first.title.text}", _SUBJECT - len(more)) + more


def _json(payload: dict[str, object]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
