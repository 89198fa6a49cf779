"""Fixes for refusals, by the class of the error: one table for every screen, notice and log."""

import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

import aiosmtplib

from worker.model import EmailSettings


class SmtpFix(StrEnum):
    """By what went wrong in a conversation with a mail server; `{host}`, `{port}`, `{user}`."""

    CLOSED = "nothing listens on port {port} of {host}: 587 takes smtp://, 465 takes smtps://; is it one of these?"
    UNKNOWN_HOST = "no name server knows {host}: check the host in `smtp`, and the network"
    SILENT = "port {port} of {host} may be filtered: try 587 with smtp://, or 465 with smtps://"
    TLS_EXPECTED = "port {port} of {host} expects TLS from the first byte: write smtps://"
    TLS_NOT_SPOKEN = "port {port} of {host} does not begin with TLS: write smtp://, which encrypts by STARTTLS"
    NO_STARTTLS = "{host} offers no encryption on port {port}: try smtps:// with 465; only localhost may go without"
    CERTIFICATE = "use the name that the certificate of {host} bears, or have the certificate renewed"
    TLS_FIRST = "{host} wants encryption before the login: write smtp://...:587 or smtps://...:465"
    LOGIN_WANTED = "{host} wants a login: write smtp://USER:${{SMTP_PASSWORD}}@{host}:{port}"
    LOGIN_REFUSED = "check user and password of {user}; an account with two steps needs an app password"
    NO_LOGIN = "{host} offers no login on port {port}: try 587 with smtp://, or leave user and password out"
    SENDER = "{host} does not let this `from` send: write an address that belongs to the account"
    RECIPIENT = "check the address in `to`"


#: By the `error` word of Slack's Web API (docs.slack.dev/reference/methods/chat.postMessage#errors), or a webhook's
#: answer (docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors).
SLACK_FIXES = {
    "not_in_channel": "invite the bot: write /invite @ITS-NAME in the channel",
    "channel_not_found": "check `channel`: its id (C...) stands in its details; a private one must invite the bot",
    "is_archived": "unarchive the channel, or name another",
    "channel_is_archived": "unarchive the channel, or make a webhook for another",
    "invalid_auth": "check the token: a bot's begins with xoxb- and stands under OAuth & Permissions of the app",
    "not_authed": "give the bot's token (xoxb-...)",
    "account_inactive": "the bot was removed: install the app again and give its new token",
    "token_revoked": "install the app again and give its new token",
    "token_expired": "give a token that does not expire, or a new one",
    "not_allowed_token_type": "give the bot's token (xoxb-...), not a user's or an app's",
    "missing_scope": "give the app the scope chat:write and install it again",
    "no_permission": "give the app the scope chat:write and install it again",
    "restricted_action": "the workspace's settings keep apps from posting there: ask its owner",
    "posting_to_general_channel_denied": "the workspace's settings keep apps from posting there: ask its owner",
    "action_prohibited": "the workspace's settings forbid it: ask its owner",
    "no_service": "the webhook was removed: make a new one and give its address",
    "no_team": "the webhook's workspace is gone: make a new one and give its address",
    "no_active_hooks": "the webhook was switched off: make a new one and give its address",
    "invalid_token": "the webhook's address is not whole: copy it again",
    "user_not_found": "the webhook's maker has left: make a new one and give its address",
}


def slack_fix(detail: str) -> str:
    """Advice on what Slack answered; empty where nothing but patience helps."""
    return next((fix for word in detail.split() if (fix := SLACK_FIXES.get(word.strip(".:,")))), "")


def smtp_fix(error: BaseException | None, settings: EmailSettings, *, greeted: bool) -> str:
    """Advice on a failed attempt to hand a mail over; None is silence, `greeted` that the server had spoken.

    Empty where nothing but patience helps.
    """
    fix = _silence(settings, greeted=greeted) if error is None else _class_of(error, settings, greeted=greeted)
    words = {"host": settings.host, "port": settings.port, "user": settings.username or "the account"}
    return fix.format_map(words) if fix else ""


def _silence(settings: EmailSettings, *, greeted: bool) -> SmtpFix | None:
    if greeted:
        return None
    return SmtpFix.TLS_EXPECTED if settings.port == 465 and settings.tls != "smtps" else SmtpFix.SILENT


def _class_of(error: BaseException, settings: EmailSettings, *, greeted: bool) -> SmtpFix | None:
    causes = tuple(_causes(error))
    for kind, fix in (
        (ssl.SSLCertVerificationError, SmtpFix.CERTIFICATE),
        (ssl.SSLError, SmtpFix.TLS_NOT_SPOKEN if settings.tls == "smtps" else None),
        (socket.gaierror, SmtpFix.UNKNOWN_HOST),
        (ConnectionRefusedError, SmtpFix.CLOSED),
        (TimeoutError, _silence(settings, greeted=greeted)),
    ):
        if any(isinstance(one, kind) for one in causes):
            return fix
    code = getattr(error, "code", None)
    if isinstance(code, int) and code > 0:
        return _by_code(code, error, settings)
    if "STARTTLS" in str(error):
        return SmtpFix.NO_STARTTLS
    if "no login" in str(error):
        return SmtpFix.NO_LOGIN
    return _silence(settings, greeted=greeted) if settings.port == 465 else None


def _by_code(code: int, error: BaseException, settings: EmailSettings) -> SmtpFix | None:
    """By the answer's code (RFC 4954 6, RFC 3207 4, RFC 5321 4.2.3)."""
    if code == 530:
        return SmtpFix.TLS_FIRST if settings.tls == "none" or "TLS" in str(error) else SmtpFix.LOGIN_WANTED
    if code in {534, 535}:
        return SmtpFix.LOGIN_REFUSED
    if code == 538:
        return SmtpFix.TLS_FIRST
    if isinstance(error, aiosmtplib.SMTPSenderRefused) and code >= 500:
        return SmtpFix.SENDER
    if isinstance(error, aiosmtplib.SMTPRecipientRefused) and code >= 500:
        return SmtpFix.RECIPIENT
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
