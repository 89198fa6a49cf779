"""Mail: a plain and an HTML part, 7-bit safe, in an envelope whose every header is one line of ours."""

import base64
import functools
import hashlib
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import MIMEPart
from email.utils import format_datetime, parseaddr

from worker.errors import Problem
from worker.model import Severity, Templates, Thread
from worker.notify.render import templates
from worker.notify.render.digest import Summary
from worker.notify.render.view import View
from worker.notify.render.wording import Wording, wording

#: A Message-ID of ours.
_ID = re.compile(r"<[!-;=?-~]{1,900}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A mail's headers."""

    #: `desk@example.org` or `Desk <desk@example.org>`.
    sender: str
    recipient: str
    #: One clean line.
    subject: str
    #: `<key@host>`
    message_id: str
    date: datetime
    boundary_seed: str
    #: What it follows.
    thread: Thread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """A severity's one accent, and the ground of its marks, by day and by night."""

    accent: str
    mark: str
    night_accent: str
    night_mark: str


_PALETTES = {
    Severity.INFO: Palette(accent="#56616f", mark="#e6eaef", night_accent="#a3afbd", night_mark="#37404b"),
    Severity.LOW: Palette(accent="#1f6a99", mark="#dbeaf4", night_accent="#74b7e2", night_mark="#17405a"),
    Severity.MEDIUM: Palette(accent="#8f6200", mark="#faecc4", night_accent="#e2b544", night_mark="#4b3a0d"),
    Severity.HIGH: Palette(accent="#b8440c", mark="#fde4d3", night_accent="#f5945c", night_mark="#562a10"),
    Severity.CRITICAL: Palette(accent="#b3201d", mark="#fbdedb", night_accent="#ff857b", night_mark="#5a201d"),
}


def alert(subject: str, views: Sequence[View], words: Wording, own: Templates) -> tuple[str, Problem | None]:
    """The HTML part of an alert, and what is wrong with the template of `own` that was to make it."""
    return _alert(subject, tuple(views), words.language, own)


# What goes to many recipients, without links of their own, is the same for each.
@functools.lru_cache(maxsize=8)
def _alert(subject: str, views: tuple[View, ...], language: str, own: Templates) -> tuple[str, Problem | None]:
    words = wording(language)
    rules = ", ".join(dict.fromkeys(rule for view in views for rule in view.rules))
    context = {"subject": subject, "views": views, "because": rules, "words": words, "palettes": _PALETTES}
    return templates.html("alert.html", context, own)


def digest(subject: str, summary: Summary, words: Wording, own: Templates) -> tuple[str, Problem | None]:
    """The HTML part of a digest, and what is wrong with the template of `own` that was to make it."""
    context = {"subject": subject, "digest": summary, "words": words, "palettes": _PALETTES}
    return templates.html("digest.html", context, own)


def notice(subject: str, text: str, words: Wording, own: Templates) -> tuple[str, Problem | None]:
    """The HTML part of a notice, and what is wrong with the template of `own` that was to make it."""
    context = {"subject": subject, "text": text, "severity": Severity.INFO, "words": words, "palettes": _PALETTES}
    return templates.html("notice.html", context, own)


def domain(sender: str) -> str:
    """The domain of a sender's address, or nothing where it cannot stand in a Message-ID as it is."""
    name = mailbox(sender).rpartition("@")[2].lower()
    return name if "." in name and name.isascii() else ""


def mailbox(text: str) -> str:
    """The bare address of `text`, its domain in ASCII (RFC 5890), for an SMTP envelope."""
    return _address(text).addr_spec


def mime(envelope: Envelope, text: str, html: str) -> bytes:
    """The whole message (RFC 5322), lines ended by CR LF, ASCII unless an address itself is not (RFC 6532)."""
    sender, recipient = _address(envelope.sender), _address(envelope.recipient)
    needs_utf8 = not (sender.addr_spec + recipient.addr_spec).isascii()
    # `=_` cannot occur in quoted-printable text (RFC 2045 6.7), so no part can hold the boundary.
    boundary = "=_" + hashlib.sha256(envelope.boundary_seed.encode()).hexdigest()[:32]
    head = (
        _addressed("From", envelope.sender, needs_utf8=needs_utf8)
        + _addressed("To", envelope.recipient, needs_utf8=needs_utf8)
        + f"Date: {format_datetime(envelope.date)}\r\nMessage-ID: {envelope.message_id}\r\n"
        "Auto-Submitted: auto-generated\r\n"  # RFC 3834: no out-of-office answers
        f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'
    )
    line = f"--{boundary}".encode()
    body = b"\r\n".join((line, _part(text, "plain"), line, _part(html, "html"), line + b"--\r\n"))
    return _subject(envelope.subject) + _thread(envelope.thread) + head.encode() + body


@functools.lru_cache(maxsize=256)
def _addressed(name: str, text: str, *, needs_utf8: bool) -> str:
    """A header with an address, folded."""
    rules = policy.SMTPUTF8 if needs_utf8 else policy.SMTP
    return str(rules.header_factory(name, _address(text)).fold(policy=rules))


@functools.lru_cache(maxsize=8)
def _part(text: str, kind: str) -> bytes:
    """A part, encoded; what goes to many recipients is the same for each."""
    part = MIMEPart(policy.SMTP)
    part.set_content(text, subtype=kind, cte="quoted-printable")
    return part.as_bytes()


def _thread(thread: Thread | None) -> bytes:
    """In-Reply-To and References (RFC 5322 3.6.4).

    Not left to `EmailMessage`, which writes an id that is longer than a line as encoded words.
    """
    known = [one for one in dict.fromkeys((thread.root, thread.last)) if _ID.fullmatch(one)] if thread else []
    if not known:
        return b""
    references = "\r\n ".join(known)
    return f"In-Reply-To: {known[-1]}\r\nReferences: {references}\r\n".encode()


def _subject(text: str) -> bytes:
    """The header, folded; as encoded words (RFC 2047) where it is not plain ASCII, or could be taken for them.

    Not left to `EmailMessage`, which reads `=?utf-8?q?...?=` in a title as an encoded word and shows what it hides.
    """
    if text.isascii() and "=?" not in text:
        lines = textwrap.wrap(f"Subject: {text}", 76, break_long_words=False, break_on_hyphens=False)
    else:
        lines = [f"=?utf-8?b?{base64.b64encode(part).decode()}?=" for part in _chunks(text, 39)]
        lines[0] = f"Subject: {lines[0]}"
    return "\r\n ".join(lines).encode() + b"\r\n"


def _chunks(text: str, size: int) -> Iterator[bytes]:
    """The text in UTF-8, in parts of at most `size` bytes that end with a whole character."""
    part = b""
    for char in text:
        encoded = char.encode()
        if len(part) + len(encoded) > size:
            yield part
            part = b""
        part += encoded
    yield part


@functools.lru_cache(maxsize=256)
def _address(text: str) -> Address:
    name, spec = parseaddr(text)
    local, _, domain = spec.rpartition("@")
    if not domain.isascii():
        domain = domain.encode("idna").decode()
    return Address(display_name=name, username=local, domain=domain)
