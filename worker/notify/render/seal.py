"""Messages in the form of their channel, sealed: what is written here goes out as it stands at every attempt."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from worker.errors import Problem
from worker.model import (
    Alert,
    Channel,
    Digest,
    EmailSettings,
    Message,
    Notice,
    SlackSettings,
    Target,
    Templates,
    Thread,
)
from worker.notify.render import email, plain, slack
from worker.notify.render.digest import summary
from worker.notify.render.templates import SHIPPED
from worker.notify.render.view import View, line, view
from worker.notify.render.wording import Wording, say_date, wording

#: With `Re: ` before it, a subject has 200 characters at most.
_SUBJECT = 196
#: Of a Slack `ts`, and more.
_REF = 64
_REPLY = re.compile(r"(?:re\s?:\s*)+", re.IGNORECASE)

Content = Alert | Digest | Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A message's text, in each form that a channel may ask for."""

    subject: str
    plain: Callable[[plain.Form], str]
    #: With what is wrong with the user's template.
    html: Callable[[], tuple[str, Problem | None]]
    #: Takes the key.
    slack: Callable[[str], dict[str, object]]
    #: Of a mail; None: it begins one.
    thread: Thread | None = None


def seal(
    content: Content,
    *,
    target: Target,
    recipient: str,
    key: str,
    host: str,
    now: datetime,
    templates: Templates = SHIPPED,
) -> Message:
    """The message that tells `recipient` of `target` an alert, a digest or a notice.

    `<key@host>` is its Message-ID, for email with the sender's own domain, as receivers expect; `now` is its Date.
    A template that fails is replaced by the shipped one, and the message's `problem` says so.
    """
    text = _text(content, target, wording(target.language), templates, now)
    if isinstance(target.settings, EmailSettings):
        host = email.domain(target.settings.sender) or host
    message_id = f"<{key}@{host}>"
    problem = ""
    match target.channel:
        case Channel.SLACK:
            sealed = _json(text.slack(key))
        case Channel.APPRISE:
            sealed = _json({"title": plain.ANYWHERE.text(text.subject), "body": text.plain(plain.ANYWHERE)})
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
                thread=text.thread,
            )
            html, failed = text.html()
            problem = str(failed or "")
            sealed = email.mime(envelope, text.plain(plain.MAIL), html)
        case _:
            assert_never(target.channel)
    return Message(content=sealed, message_id=message_id, subject=text.subject, problem=problem)


def page(content: Content, *, target: Target, now: datetime, templates: Templates) -> tuple[str, Problem | None]:
    """The HTML of a mail; where the user's template fails, the shipped one's, and what is wrong."""
    return _text(content, target, wording(target.language), templates, now).html()


def readable(content: Content, *, target: Target, now: datetime) -> tuple[str, str]:
    """The subject and the plain text of a message, as a mail has them."""
    text = _text(content, target, wording(target.language), SHIPPED, now)
    return text.subject, text.plain(plain.MAIL)


def _text(content: Content, target: Target, words: Wording, templates: Templates, now: datetime) -> _Text:
    match content:
        case Notice():
            return _notice(content, target, words, templates)
        case Digest():
            return _digest(content, target, words, templates, now)
        case Alert():
            return _alert(content, target, words, templates)


def _alert(alert: Alert, target: Target, words: Wording, templates: Templates) -> _Text:
    views = tuple(view(item, target, words) for item in alert.items)
    subject, thread, follows = _alert_subject(views), alert.thread, ""
    if thread is not None and target.channel in {Channel.EMAIL, Channel.LOG}:
        subject = _reply(thread, subject)
    elif thread is not None:
        subject = line(words.follow_up + subject, _SUBJECT)
        follows = _follows(target, thread, words)
    ref = _ref(target, thread)
    return _Text(
        subject=subject,
        plain=lambda form: plain.alert(views, words, follows=follows, form=form),
        html=lambda: email.alert(subject, views, words, templates),
        slack=lambda key: slack.alert(subject, key, views, words, follows=follows, thread_ts=ref),
        thread=thread,
    )


def _reply(thread: Thread, subject: str) -> str:
    """The first message's subject, by which mail programs keep a thread together; `subject` where it had none."""
    return f"Re: {line(_REPLY.sub('', thread.subject, count=1) or subject, _SUBJECT)}"


def _follows(target: Target, thread: Thread, words: Wording) -> str:
    """A line that names the message it follows, where the channel has no threads; else nothing."""
    if target.channel in {Channel.EMAIL, Channel.LOG} or _threaded(target, thread):
        return ""
    sent = say_date(thread.sent, target.timezone, words)
    return words.follows.format(subject=line(thread.subject, _SUBJECT), date=sent)


def _ref(target: Target, thread: Thread | None) -> str:
    return line(thread.ref, _REF) if thread and _threaded(target, thread) else ""


def _threaded(target: Target, thread: Thread) -> bool:
    """Tells whether what goes to Slack can stand below the first message: a webhook never learns where that is."""
    return isinstance(target.settings, SlackSettings) and target.settings.token is not None and bool(thread.ref)


def _digest(digest: Digest, target: Target, words: Wording, templates: Templates, now: datetime) -> _Text:
    shown = summary(digest, target, words, now)
    subject = line(f"[Veille] {shown.heading}", _SUBJECT)
    return _Text(
        subject=subject,
        plain=lambda form: plain.digest(shown, words, form=form),
        html=lambda: email.digest(subject, shown, words, templates),
        slack=lambda key: slack.digest(subject, key, shown, words),
    )


def _notice(notice: Notice, target: Target, words: Wording, templates: Templates) -> _Text:
    thread = notice.thread
    subject = line(f"[Veille] {notice.subject}", _SUBJECT)
    if thread is not None:
        is_mail = target.channel in {Channel.EMAIL, Channel.LOG}
        subject = _reply(thread, subject) if is_mail else line(words.follow_up + thread.subject, _SUBJECT)
        if follows := _follows(target, thread, words):
            notice = replace(notice, body=f"{notice.body}\n{follows}")
    return _Text(
        subject=subject,
        plain=lambda form: plain.notice(notice, words, form=form),
        html=lambda: email.notice(subject, plain.notice(notice, words), words, templates),
        slack=lambda key: slack.notice(subject, key, plain.notice(notice, words), thread_ts=_ref(target, thread)),
        thread=thread,
    )


def _alert_subject(views: Sequence[View]) -> str:
    """`[severity] Rule name: title`, of the most severe item; the severity as rules write it, for mail filters."""
    first = max(views, key=lambda item: item.severity.rank)
    more = f" (+{len(views) - 1})" if len(views) > 1 else ""
    named = f"{first.rules[0]}: " if first.rules else ""
    return line(f"[{first.severity}] {named}{first.title.text}", _SUBJECT - len(more)) + more


def _json(payload: dict[str, object]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
