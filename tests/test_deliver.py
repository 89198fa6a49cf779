"""One attempt to send, against real servers on loopback; the ids (N01 ...) are those of the fault list."""

import asyncio
import base64
import json
import os
import random
import signal
import socket
import ssl
import stat
import time
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from sinks import CERTIFICATE, Act, HttpSink, RawSink, Reply, SmtpSink, free_port

from worker.config.apprise import LOCAL, NETWORK
from worker.feeds.child import ChildFailed, ChildReason, Children
from worker.model import (
    AppriseSettings,
    Channel,
    Claimed,
    EmailSettings,
    LogSettings,
    Message,
    Notice,
    Outcome,
    Receipt,
    Secret,
    SlackSettings,
    Target,
)
from worker.net.client import Client
from worker.notify import senders
from worker.notify.render import seal
from worker.notify.senders import apprise as apprise_channel
from worker.notify.senders import fixes, log, slack

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NOTICE = Notice(subject="Essai", body="Une phrase.\n.\nUne ligne qui suit un point seul.")
CANARY = "CANARY-7f3a9c"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """The worker's HTTP client, allowed on loopback."""
    client = Client(allow=["127.0.0.0/8"], user_agent="Veille test")
    yield client
    await client.aclose()


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    """Real child processes."""
    children = Children(size=1)
    yield children
    children.close()


def claimed(target: Target, recipient: str = "mailto:desk@example.org", message: Message | None = None) -> Claimed:
    sealed = message or seal(NOTICE, target=target, recipient=recipient, key="key1", host="veille.example", now=NOW)
    return Claimed(
        id=1, key="key1", target_id=target.id, recipient=recipient, message=sealed, attempt=1, first_attempt=NOW
    )


async def attempt(
    target: Target,
    *,
    client: Any = None,
    children: Any = None,
    echo: Callable[[str], None] = lambda _: None,
    allow: Sequence[str] = (),
    what: Claimed | None = None,
) -> Receipt:
    return await senders.send(
        what or claimed(target),
        target,
        client=client,
        children=children,
        echo=echo,
        allow=allow,
    )


# --- email ---------------------------------------------------------------------------------------------------------


def mail_target(
    port: int, *, tls: str = "none", username: str = "", password: str = CANARY, host: str = "127.0.0.1"
) -> Target:
    settings = EmailSettings(
        to=("desk@example.org",),
        sender="Veille <veille@example.org>",
        host=host,
        port=port,
        tls=tls,
        username=username,
        password=Secret(password) if username else None,
    )
    return Target(id="desk", channel=Channel.EMAIL, settings=settings, recipients=("mailto:desk@example.org",))


async def test_mail_arrives_as_sealed() -> None:
    """The server receives the sealed bytes, stuffed dots undone, for one sender and one recipient."""
    with SmtpSink() as sink:
        target = mail_target(sink.port)
        receipt = await attempt(target)
    assert receipt.outcome is Outcome.SENT
    assert receipt.detail == "250 2.0.0 accepted"
    (mail,) = sink.received
    assert mail.content == claimed(target).message.content
    assert (mail.sender, mail.recipients) == ("veille@example.org", ("desk@example.org",))


async def mail_comes_to(script: dict[str, list[str | Act]], outcome: Outcome, *, waits: bool) -> None:
    """One attempt at a server with that script."""
    with SmtpSink(script) as sink:
        receipt = await attempt(mail_target(sink.port))
    assert receipt.outcome is outcome, receipt.detail
    assert receipt.after == (timedelta(minutes=5) if waits else None)


@pytest.mark.parametrize(
    ("script", "outcome", "waits"),
    [
        pytest.param({"RCPT": ["451 4.7.1 greylisted"]}, Outcome.RETRY, True, id="greylisted"),
        pytest.param({"DATA": ["452 4.3.1 no space"]}, Outcome.RETRY, True, id="452-at-DATA"),
        pytest.param({"TEXT": ["451 4.3.0 later"]}, Outcome.RETRY, True, id="451-after-text"),
        pytest.param({"CONNECT": ["421 too busy"]}, Outcome.RETRY, True, id="421-greeting"),
        pytest.param({"MAIL": ["421 4.3.2 shutting down"]}, Outcome.RETRY, True, id="421-at-MAIL"),
    ],
)
async def test_n08_mail_deferred(script: dict[str, list[str | Act]], outcome: Outcome, *, waits: bool) -> None:
    """A 4xx answer at any stage is asked again, after five minutes: greylisting refuses whoever comes back sooner."""
    await mail_comes_to(script, outcome, waits=waits)


@pytest.mark.parametrize(
    ("script", "outcome", "waits"),
    [
        pytest.param({"RCPT": ["550 5.1.1 no such user"]}, Outcome.PERMANENT, False, id="550-at-RCPT"),
        pytest.param({"MAIL": ["553 5.1.8 no such sender"]}, Outcome.PERMANENT, False, id="553-at-MAIL"),
        pytest.param({"DATA": ["554 5.5.1 no"]}, Outcome.PERMANENT, False, id="554-at-DATA"),
        pytest.param({"TEXT": ["554 5.7.1 refused"]}, Outcome.PERMANENT, False, id="554-after-text"),
        pytest.param({"MAIL": ["530 5.7.0 log in first"]}, Outcome.BROKEN, False, id="530-at-MAIL"),
        pytest.param({"CONNECT": ["554 no service here"]}, Outcome.BROKEN, False, id="554-greeting"),
    ],
)
async def test_n09_mail_refused(script: dict[str, list[str | Act]], outcome: Outcome, *, waits: bool) -> None:
    """A 5xx answer is final for the message where it is about the message, and breaks the target where it is not."""
    await mail_comes_to(script, outcome, waits=waits)


@pytest.mark.parametrize(
    ("script", "outcome", "waits"),
    [
        pytest.param({"CONNECT": [Act.DROP]}, Outcome.RETRY, False, id="reset-at-once"),
        pytest.param({"RCPT": [Act.DROP]}, Outcome.RETRY, False, id="reset-at-RCPT"),
    ],
)
async def test_n04_mail_connection_broken(script: dict[str, list[str | Act]], outcome: Outcome, *, waits: bool) -> None:
    """A connection that breaks before the text is under way leaves nothing open."""
    await mail_comes_to(script, outcome, waits=waits)


@pytest.mark.parametrize(
    ("script", "outcome", "waits"),
    [
        pytest.param({"TEXT": [Act.DROP]}, Outcome.UNCERTAIN, False, id="reset-after-text"),
    ],
)
async def test_n11_mail_connection_broken_after_the_text(
    script: dict[str, list[str | Act]], outcome: Outcome, *, waits: bool
) -> None:
    """After the final dot it may have arrived."""
    await mail_comes_to(script, outcome, waits=waits)


@pytest.mark.parametrize(
    ("script", "outcome", "waits"),
    [
        pytest.param({"EHLO": ["500 what?"]}, Outcome.SENT, False, id="old-server-knows-HELO-only"),
        pytest.param({"EHLO": ["500 what?"], "HELO": ["550 no"]}, Outcome.BROKEN, False, id="no-greeting-accepted"),
        pytest.param({"TEXT": ["nonsense"]}, Outcome.UNCERTAIN, False, id="answer-after-text-unreadable"),
        pytest.param({"RCPT": ["nonsense"]}, Outcome.RETRY, False, id="answer-at-RCPT-unreadable"),
    ],
)
async def test_mail_answers(script: dict[str, list[str | Act]], outcome: Outcome, *, waits: bool) -> None:
    """Old servers, and answers that are none."""
    await mail_comes_to(script, outcome, waits=waits)


async def test_n11_mail_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent server costs the deadline and no more; once the text is under way it may have arrived."""
    # All at once, as each takes its deadline.
    monkeypatch.setattr(senders.email, "_SECONDS", 1.5)
    stalls = {"CONNECT": Outcome.RETRY, "RCPT": Outcome.RETRY, "DATA": Outcome.RETRY, "TEXT": Outcome.UNCERTAIN}

    async def stalled(verb: str) -> Receipt:
        with SmtpSink({verb: [Act.STALL]}) as sink:
            async with asyncio.timeout(30):
                return await attempt(mail_target(sink.port))

    receipts = await asyncio.gather(*map(stalled, stalls))
    assert dict(zip(stalls, (one.outcome for one in receipts), strict=True)) == stalls
    assert all("did not answer" in one.detail for one in receipts), receipts


async def test_n04_mail_refused_connection() -> None:
    """Nobody listens: try later."""
    receipt = await attempt(mail_target(free_port()))
    assert receipt.outcome is Outcome.RETRY


async def test_n04_mail_unknown_host() -> None:
    """A name that does not resolve: try later."""
    receipt = await attempt(mail_target(25, host="mail.invalid"))
    assert receipt.outcome is Outcome.RETRY


async def test_n10_recipients_are_sent_apart() -> None:
    """One recipient's refusal leaves the other's mail delivered, once."""
    with SmtpSink({"RCPT": [None, "451 4.2.1 later"]}) as sink:
        target = mail_target(sink.port)
        first = await attempt(target, what=claimed(target, "mailto:a@example.org"))
        second = await attempt(target, what=claimed(target, "mailto:b@example.org"))
    assert (first.outcome, second.outcome) == (Outcome.SENT, Outcome.RETRY)
    assert [mail.recipients for mail in sink.received] == [("a@example.org",)]


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sinks' certificate is one that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("tls", ["starttls", "smtps"])
async def test_mail_over_tls_with_login(tls: str) -> None:
    """Over TLS, of either kind, the login is given and the mail accepted."""
    with SmtpSink(tls=tls, login=("veille", CANARY)) as sink:
        receipt = await attempt(mail_target(sink.port, tls=tls, username="veille"))
    assert receipt.outcome is Outcome.SENT, receipt.detail
    assert len(sink.received) == 1


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
async def test_n12_bad_certificate(tls: str) -> None:
    """A certificate that nobody vouches for ends the conversation before the login."""
    with SmtpSink(tls=tls, login=("veille", CANARY)) as sink:
        receipt = await attempt(mail_target(sink.port, tls=tls, username="veille"))
    assert receipt.outcome is Outcome.BROKEN
    assert "certificate" in receipt.detail
    assert "AUTH" not in sink.commands
    assert sink.received == []


async def test_n12_starttls_stripped() -> None:
    """Neither password nor message is sent if TLS is required and not offered."""
    with SmtpSink(login=("veille", CANARY)) as sink:
        receipt = await attempt(mail_target(sink.port, tls="starttls", username="veille"))
    assert receipt.outcome is Outcome.BROKEN
    assert "STARTTLS" in receipt.detail
    assert not {"AUTH", "MAIL"} & set(sink.commands)


async def test_n12_starttls_refused_for_now() -> None:
    """454 is TLS's own word for later (RFC 3207)."""
    with SmtpSink({"STARTTLS": ["454 not now"]}, tls="starttls") as sink:
        receipt = await attempt(mail_target(sink.port, tls="starttls"))
    assert receipt.outcome is Outcome.RETRY


async def test_smtps_to_a_plain_port() -> None:
    """TLS spoken to a server that does not: the settings are wrong, and what to write is said."""
    with SmtpSink() as sink:
        receipt = await attempt(mail_target(sink.port, tls="smtps"))
    assert receipt.outcome is Outcome.BROKEN
    assert "(fix: " in receipt.detail
    assert "write smtp://" in receipt.detail


async def test_a_closed_port_says_which_ones_there_are() -> None:
    """Nothing listens there: 587 or 465 is meant."""
    receipt = await attempt(mail_target(free_port(), tls="starttls"))
    assert receipt.outcome is Outcome.RETRY
    assert "587 takes smtp://, 465 takes smtps://" in receipt.detail


_SETTINGS = EmailSettings(to=(), sender="v@b.example", host="mail.example", port=587, tls="starttls", username="desk")


@pytest.mark.parametrize(
    ("error", "settings", "fix"),
    [
        (None, _SETTINGS, fixes.SmtpFix.SILENT),
        (None, replace(_SETTINGS, port=465), fixes.SmtpFix.TLS_EXPECTED),
        (ConnectionRefusedError(), _SETTINGS, fixes.SmtpFix.CLOSED),
        (socket.gaierror(), _SETTINGS, fixes.SmtpFix.UNKNOWN_HOST),
        (ssl.SSLCertVerificationError(), _SETTINGS, fixes.SmtpFix.CERTIFICATE),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), replace(_SETTINGS, tls="smtps"), fixes.SmtpFix.TLS_NOT_SPOKEN),
        (aiosmtplib.SMTPException("STARTTLS extension not supported"), _SETTINGS, fixes.SmtpFix.NO_STARTTLS),
        (aiosmtplib.SMTPException("mail.example offers no login that we know"), _SETTINGS, fixes.SmtpFix.NO_LOGIN),
        (aiosmtplib.SMTPAuthenticationError(535, "no"), _SETTINGS, fixes.SmtpFix.LOGIN_REFUSED),
        (aiosmtplib.SMTPSenderRefused(530, "login", "v"), _SETTINGS, fixes.SmtpFix.LOGIN_WANTED),
        (aiosmtplib.SMTPSenderRefused(530, "STARTTLS first", "v"), _SETTINGS, fixes.SmtpFix.TLS_FIRST),
        (aiosmtplib.SMTPSenderRefused(553, "not yours", "v"), _SETTINGS, fixes.SmtpFix.SENDER),
        (aiosmtplib.SMTPRecipientRefused(550, "unknown", "d"), _SETTINGS, fixes.SmtpFix.RECIPIENT),
        (aiosmtplib.SMTPRecipientRefused(451, "later", "d"), _SETTINGS, None),
    ],
    ids=lambda value: value.name if isinstance(value, fixes.SmtpFix) else "",
)
def test_what_to_do_about_a_mail_server(
    error: Exception | None, settings: EmailSettings, fix: fixes.SmtpFix | None
) -> None:
    """By the class of the error; nothing where only patience helps."""
    said = fixes.smtp_fix(error, settings, greeted=False)
    words = {"host": "mail.example", "port": settings.port, "user": "desk"}
    assert said == ("" if fix is None else fix.format_map(words))


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("not_in_channel", "/invite"),
        ("channel_not_found", "`channel`"),
        ("invalid_auth", "xoxb-"),
        ("404 no_service", "make a new one"),
        ("403 invalid_token", "copy it again"),
        ("ratelimited", ""),
        ("500 oops", ""),
    ],
)
def test_what_to_do_about_slack(detail: str, words: str) -> None:
    """By Slack's own word, of the Web API or a webhook."""
    assert words in fixes.slack_fix(detail)
    assert bool(fixes.slack_fix(detail)) is bool(words)


async def test_n09_wrong_password() -> None:
    """Wrong credentials break the target, and are tried once."""
    with SmtpSink(login=("veille", "another")) as sink:
        receipt = await attempt(mail_target(sink.port, username="veille"))
    assert receipt.outcome is Outcome.BROKEN
    assert receipt.detail.startswith("535")
    assert sink.commands.count("AUTH") == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("454 4.7.0 temporary", Outcome.RETRY), ("534 5.7.9 too weak", Outcome.BROKEN), (Act.DROP, Outcome.RETRY)],
)
async def test_mail_login_answers(answer: str | Act, outcome: Outcome) -> None:
    """A login that cannot be checked now is tried later."""
    with SmtpSink({"AUTH": [answer]}, login=("veille", CANARY)) as sink:
        receipt = await attempt(mail_target(sink.port, username="veille"))
    assert receipt.outcome is outcome


async def test_mail_login_not_offered() -> None:
    """A user name is set, but the server knows no login."""
    with SmtpSink() as sink:
        receipt = await attempt(mail_target(sink.port, username="veille"))
    assert receipt.outcome is Outcome.BROKEN
    assert sink.received == []


async def test_mail_login_by_another_method() -> None:
    """A method that is offered but does not work leaves the next one."""
    with SmtpSink({"AUTH": ["504 5.5.4 not really"]}, login=("veille", CANARY)) as sink:
        receipt = await attempt(mail_target(sink.port, username="veille"))
    assert receipt.outcome is Outcome.SENT


@pytest.mark.parametrize("utf8", [True, False])
async def test_mail_to_an_international_address(*, utf8: bool) -> None:
    """A local part that ASCII cannot write needs SMTPUTF8; a server without it will never take the message."""
    with SmtpSink(smtputf8=utf8) as sink:
        target = mail_target(sink.port)
        receipt = await attempt(target, what=claimed(target, "mailto:rédaction@exämple.org"))
    assert receipt.outcome is (Outcome.SENT if utf8 else Outcome.PERMANENT)
    assert [mail.recipients for mail in sink.received] == ([("rédaction@xn--exmple-cua.org",)] if utf8 else [])


async def test_mail_server_talks_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever bytes a server sends, the attempt ends with a receipt that does not say `sent`; several at once."""
    monkeypatch.setattr(senders.email, "_SECONDS", 1.5)
    codes = [b"250", b"354", b"999", b"-1", b"2\xff0"]

    async def nonsense(seed: int) -> Outcome:
        chance = random.Random(seed)
        sent = [chance.choice(codes) + chance.choice([b"-", b" "]) + chance.randbytes(40) + b"\r\n" for _ in range(3)]
        with RawSink(b"220 hi\r\n" if seed % 2 else b"", *sent) as sink:
            return (await attempt(mail_target(sink.port))).outcome

    outcomes = dict(enumerate(await asyncio.gather(*map(nonsense, range(8)))))
    assert set(outcomes.values()) <= {Outcome.RETRY, Outcome.UNCERTAIN, Outcome.BROKEN, Outcome.PERMANENT}, outcomes


async def test_mail_passes_cancellation_on() -> None:
    """A cancelled attempt is cancelled, and its connection is cut."""
    with SmtpSink({"RCPT": [Act.STALL]}) as sink:
        task = asyncio.create_task(attempt(mail_target(sink.port)))
        await asyncio.to_thread(sink.wait_for, "RCPT")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    "echoed",
    [CANARY, base64.b64encode(CANARY.encode()).decode(), base64.b64encode(f"\0veille\0{CANARY}".encode()).decode()],
    ids=["as-is", "base64", "auth-plain"],
)
async def test_mail_password_never_in_detail(echoed: str) -> None:
    """A server that repeats the password does not get it into our log."""
    with SmtpSink({"AUTH": [f"535 5.7.8 bad credentials {echoed}"]}, login=("veille", CANARY)) as sink:
        receipt = await attempt(mail_target(sink.port, username="veille"))
    assert receipt.outcome is Outcome.BROKEN
    assert "bad credentials" in receipt.detail
    assert echoed not in receipt.detail


# --- Slack ---------------------------------------------------------------------------------------------------------


def webhook_target(url: str) -> Target:
    settings = SlackSettings(webhook=Secret(f"{url}/services/T0CANARY1/B0CANARY2/{CANARY}"))
    return Target(id="chat", channel=Channel.SLACK, settings=settings, recipients=("slack:chat",))


def token_target(url: str) -> Target:
    settings = SlackSettings(token=Secret(f"xoxb-{CANARY}"), channel="C042", api=f"{url}/api")
    return Target(id="chat", channel=Channel.SLACK, settings=settings, recipients=("slack:chat",))


async def test_slack_webhook_receives_the_payload(client: Client) -> None:
    """The webhook gets the sealed bytes as JSON, and its `ok` counts."""
    with HttpSink() as sink:
        target = webhook_target(sink.url)
        receipt = await attempt(target, client=client)
    assert receipt == Receipt(outcome=Outcome.SENT, detail="ok")
    (request,) = sink.received
    assert request.body == claimed(target).message.content
    assert request.headers["content-type"].startswith("application/json")


async def webhook_comes_to(reply: Reply, outcome: Outcome, after: int | None, client: Client) -> None:
    """One attempt, which asks once."""
    with HttpSink(reply) as sink:
        receipt = await attempt(webhook_target(sink.url), client=client)
    assert receipt.outcome is outcome, receipt.detail
    assert receipt.after == (None if after is None else timedelta(seconds=after))
    assert receipt.shared == (outcome in {Outcome.RETRY, Outcome.UNCERTAIN})
    assert len(sink.received) == 1


@pytest.mark.parametrize(
    ("reply", "outcome", "after"),
    [
        pytest.param(Reply(status=429, headers={"Retry-After": "3"}), Outcome.RETRY, 3, id="429"),
        pytest.param(Reply(status=429), Outcome.RETRY, 30, id="429-without-time"),
        pytest.param(Reply(status=429, headers={"Retry-After": "soon"}), Outcome.RETRY, 30, id="unreadable"),
        pytest.param(Reply(status=429, headers={"Retry-After": "-5"}), Outcome.RETRY, 30, id="negative"),
        pytest.param(Reply(status=429, headers={"Retry-After": "9" * 5000}), Outcome.RETRY, 86_400, id="huge"),
        pytest.param(
            Reply(status=503, headers={"Retry-After": "Fri, 31 Dec 2055 23:59:59 GMT"}),
            Outcome.RETRY,
            86_400,
            id="date",
        ),
    ],
)
async def test_n01_slack_asks_for_time(reply: Reply, outcome: Outcome, after: int | None, client: Client) -> None:
    """Seconds or a date, at most a day; half a minute where it cannot be read."""
    await webhook_comes_to(reply, outcome, after, client)


@pytest.mark.parametrize(
    ("reply", "outcome", "after"),
    [
        pytest.param(Reply(status=400, body=b"invalid_payload"), Outcome.PERMANENT, None, id="400"),
        pytest.param(Reply(status=401, body=b"?"), Outcome.BROKEN, None, id="401"),
        pytest.param(Reply(status=403, body=b"action_prohibited"), Outcome.BROKEN, None, id="403"),
        pytest.param(Reply(status=404, body=b"no_service"), Outcome.BROKEN, None, id="404"),
        pytest.param(Reply(status=410, body=b"channel_is_archived"), Outcome.BROKEN, None, id="410"),
    ],
)
async def test_n03_slack_refuses(reply: Reply, outcome: Outcome, after: int | None, client: Client) -> None:
    """400 is of the message; the others are of the address, and stay until someone changes it."""
    await webhook_comes_to(reply, outcome, after, client)


@pytest.mark.parametrize(
    ("reply", "outcome", "after"),
    [
        pytest.param(Reply(status=500), Outcome.RETRY, None, id="500"),
    ],
)
async def test_n04_slack_fails(reply: Reply, outcome: Outcome, after: int | None, client: Client) -> None:
    """Try later."""
    await webhook_comes_to(reply, outcome, after, client)


@pytest.mark.parametrize(
    ("reply", "outcome", "after"),
    [
        pytest.param(Reply(drop=True), Outcome.UNCERTAIN, None, id="accepted-then-dropped"),
    ],
)
async def test_n05_slack_hangs_up(reply: Reply, outcome: Outcome, after: int | None, client: Client) -> None:
    """It was received, and may have been posted."""
    await webhook_comes_to(reply, outcome, after, client)


@pytest.mark.parametrize(
    ("reply", "outcome", "after"),
    [
        pytest.param(Reply(status=200, body=b"<html>login</html>"), Outcome.RETRY, None, id="login-page"),
        pytest.param(Reply(status=200, body=b""), Outcome.RETRY, None, id="empty"),
    ],
)
async def test_n06_slack_200_that_is_no_success(
    reply: Reply, outcome: Outcome, after: int | None, client: Client
) -> None:
    """Only Slack says `ok`."""
    await webhook_comes_to(reply, outcome, after, client)


async def test_n06_slack_redirect_is_no_success(client: Client) -> None:
    """A redirect is not followed, even to a page that would answer `ok`."""
    with HttpSink(Reply(status=302, headers={"Location": "/stolen"}, body=b"")) as sink:
        receipt = await attempt(webhook_target(sink.url), client=client)
    assert receipt.outcome is Outcome.RETRY
    assert "/stolen" not in sink.by_path()


async def test_n05_slack_accepts_then_stalls(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was received and not answered may have been posted; it is not repeated within the attempt."""
    monkeypatch.setattr(slack, "_SECONDS", 1.5)
    with HttpSink(Reply(delay=20)) as sink:
        async with asyncio.timeout(18):
            receipt = await attempt(webhook_target(sink.url), client=client)
    assert receipt.outcome is Outcome.UNCERTAIN
    assert len(sink.received) == 1


async def test_n04_slack_nobody_listens(client: Client) -> None:
    """Nothing was sent: try later."""
    receipt = await attempt(webhook_target(f"http://127.0.0.1:{free_port()}"), client=client)
    assert receipt.outcome is Outcome.RETRY


async def test_slack_is_guarded() -> None:
    """A webhook on a private address that nobody allowed is not called."""
    guarded = Client(user_agent="Veille test")
    with HttpSink() as sink:
        receipt = await attempt(webhook_target(sink.url), client=guarded)
    await guarded.aclose()
    assert receipt.outcome is Outcome.RETRY
    assert sink.received == []


async def test_slack_webhook_that_is_no_url(client: Client) -> None:
    """A URL that is none stays so until someone changes it."""
    receipt = await attempt(webhook_target("ftp://files.example"), client=client)
    assert receipt.outcome is Outcome.BROKEN


async def test_slack_token_posts_to_the_channel(client: Client) -> None:
    """With a token the Web API is called, with the channel added."""
    with HttpSink(Reply(body=b'{"ok":true,"ts":"1.2"}')) as sink:
        target = token_target(sink.url)
        receipt = await attempt(target, client=client)
    assert receipt.outcome is Outcome.SENT
    (request,) = sink.received
    assert request.path == "/api/chat.postMessage"
    assert request.headers["authorization"] == f"Bearer xoxb-{CANARY}"
    assert json.loads(request.body) == json.loads(claimed(target).message.content) | {"channel": "C042"}


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"ok":false,"error":"ratelimited"}', Outcome.RETRY),
        (b'{"ok":false,"error":"internal_error"}', Outcome.RETRY),
        (b'{"ok":false,"error":"invalid_auth"}', Outcome.BROKEN),
        (b'{"ok":false,"error":"channel_not_found"}', Outcome.BROKEN),
        (b'{"ok":false,"error":"a_word_of_next_year"}', Outcome.BROKEN),
        (b'{"ok":false,"error":"invalid_blocks"}', Outcome.PERMANENT),
        (b'{"ok":"yes"}', Outcome.RETRY),
        (b"[]", Outcome.RETRY),
        (b"<html>", Outcome.RETRY),
        (b"\xff\xfe", Outcome.RETRY),
        (b"[" * 100_000, Outcome.RETRY),
    ],
    ids=range(11),
)
async def test_slack_api_answers(body: bytes, outcome: Outcome, client: Client) -> None:
    """200 of the Web API says little: `ok` and `error` tell."""
    with HttpSink(Reply(body=body)) as sink:
        receipt = await attempt(token_target(sink.url), client=client)
    assert receipt.outcome is outcome, receipt.detail


@pytest.mark.parametrize("make", [webhook_target, token_target])
@pytest.mark.parametrize("status", [200, 400, 404, 500])
async def test_slack_secrets_never_in_detail(make: Callable[[str], Target], status: int, client: Client) -> None:
    """A server that repeats the URL and the token does not get them into our log."""
    body = f"no /services/T0CANARY1/B0CANARY2/{CANARY} nor xoxb-{CANARY} here: {CANARY}"
    with HttpSink(Reply(status=status, body=json.dumps({"ok": False, "error": body}).encode())) as sink:
        receipt = await attempt(make(sink.url), client=client)
    if make is webhook_target:
        assert CANARY not in receipt.detail
    assert f"xoxb-{CANARY}" not in receipt.detail


# --- Apprise -------------------------------------------------------------------------------------------------------


def apprise_target(url: str) -> Target:
    return Target(
        id="other", channel=Channel.APPRISE, settings=AppriseSettings(url=Secret(url)), recipients=("apprise:other",)
    )


LOOPBACK = ["127.0.0.0/8"]


async def test_apprise_sends_title_and_text(children: Children) -> None:
    """A service is sent the title and the text, once."""
    with HttpSink() as sink:
        target = apprise_target(f"json://127.0.0.1:{sink.port}/{CANARY}")
        receipt = await attempt(target, children=children, allow=LOOPBACK)
    assert receipt.outcome is Outcome.SENT, receipt.detail
    (request,) = sink.received
    said = json.loads(request.body)
    sealed = json.loads(claimed(target).message.content)
    assert said["title"] == sealed["title"]
    assert said["message"].strip() == sealed["body"].strip()


@pytest.mark.parametrize(
    ("reply", "query"),
    [
        pytest.param(Reply(status=500), "", id="500"),
        pytest.param(Reply(status=500), "?retry=3&wait=0.1", id="N05-own-retry-off"),
        pytest.param(Reply(status=500), "?optional=yes", id="optional-hides-no-failure"),
        pytest.param(Reply(status=302, headers={"Location": "/stolen"}), "", id="N06-redirect"),
        pytest.param(Reply(status=302, headers={"Location": "/stolen"}), "?redirect=yes", id="N06-redirect-asked-for"),
        pytest.param(Reply(drop=True), "", id="dropped"),
    ],
)
async def test_apprise_failures(reply: Reply, query: str, children: Children) -> None:
    """A failure is one request and a retry, whatever the URL's own parameters ask for."""
    with HttpSink(reply) as sink:
        receipt = await attempt(
            apprise_target(f"json://127.0.0.1:{sink.port}/hook{query}"), children=children, allow=LOOPBACK
        )
    assert receipt.outcome is Outcome.RETRY
    assert [request.path.partition("?")[0] for request in sink.received] == ["/hook"]


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        pytest.param("json://127.0.0.1:{port}/", [], id="by-address"),
        pytest.param("json://localhost:{port}/", [], id="by-name"),
        pytest.param("json://127.0.0.1:{port}/", ["127.0.0.1:1"], id="another-port-allowed"),
        pytest.param("mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org", [], id="mail"),
        pytest.param("rsyslog://127.0.0.1:{port}", [], id="datagram"),
    ],
)
async def test_apprise_is_guarded(url: str, allow: list[str], children: Children) -> None:
    """Private addresses are refused before a byte is sent, by whatever way a service opens its connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, HttpSink() as sink:
        datagrams.bind(("127.0.0.1", sink.port))
        datagrams.settimeout(0)
        receipt = await attempt(apprise_target(url.format(port=sink.port)), children=children, allow=allow)
        with pytest.raises(BlockingIOError):
            datagrams.recv(100)
    assert receipt.outcome is Outcome.RETRY
    assert "not public" in receipt.detail
    assert sink.received == []


async def test_apprise_guard_knows_names(children: Children) -> None:
    """`host:port` in the allow-list opens that place alone, and the guard does not outlast its call."""
    with HttpSink() as sink:
        target = apprise_target(f"json://localhost:{sink.port}/")
        allowed = await attempt(target, children=children, allow=[f"localhost:{sink.port}"])
        refused = await attempt(target, children=children, allow=[])
    assert (allowed.outcome, refused.outcome) == (Outcome.SENT, Outcome.RETRY)
    assert len(sink.received) == 1


@pytest.mark.parametrize("url", [f"nosuch://{CANARY}", "json://", CANARY, f"slack://{CANARY}"])
async def test_apprise_unusable_url(url: str, children: Children) -> None:
    """A URL that Apprise cannot use breaks the target; `check` says so beforehand; neither repeats it."""
    target = apprise_target(url)
    receipt = await attempt(target, children=children)
    assert receipt.outcome is Outcome.BROKEN
    (problem,) = senders.check(target)
    assert CANARY not in receipt.detail + problem


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (ChildReason.TIMEOUT, Outcome.UNCERTAIN),
        (ChildReason.DIED, Outcome.UNCERTAIN),
        (ChildReason.MEMORY, Outcome.UNCERTAIN),
        (ChildReason.RAISED, Outcome.RETRY),
    ],
)
async def test_apprise_child_failures(reason: ChildReason, outcome: Outcome) -> None:
    """A child that was cut short may have sent; what it says of itself may hold the URL and is not passed on."""

    class Failing:
        async def run(self, *_: object, **__: object) -> ChildFailed:
            return ChildFailed(reason=reason, detail=f"json://{CANARY}")

    receipt = await attempt(apprise_target(f"json://{CANARY}"), children=Failing())
    assert receipt.outcome is outcome
    assert CANARY not in receipt.detail


async def test_n05_apprise_stalls(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that takes the request and never answers is given up at the deadline: uncertain, asked once."""
    with HttpSink(Reply(), Reply(delay=30)) as sink:
        target = apprise_target(f"json://127.0.0.1:{sink.port}/")
        assert (await attempt(target, children=children, allow=LOOPBACK)).outcome is Outcome.SENT
        monkeypatch.setattr(apprise_channel, "_SECONDS", 1)
        receipt = await attempt(target, children=children, allow=LOOPBACK)
    assert receipt.outcome is Outcome.UNCERTAIN
    assert len(sink.received) == 2


async def test_n11_a_stalled_service_ends_with_the_worker(children: Children) -> None:
    """The child leaves SIGTERM to the worker; when that closes its children, the call is over, and may have arrived."""
    pid = await children.run(os.getpid)
    assert isinstance(pid, int)
    with HttpSink(Reply(delay=30)) as sink:
        target = apprise_target(f"json://127.0.0.1:{sink.port}/")
        call = asyncio.create_task(attempt(target, children=children, allow=LOOPBACK))
        async with asyncio.timeout(60):
            while not sink.received:  # noqa: ASYNC110 - the sink is another thread's
                await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGTERM)
        await asyncio.to_thread(children.close)
        async with asyncio.timeout(25):
            assert (await call).outcome is Outcome.UNCERTAIN
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("status", [200, 500])
async def test_apprise_secrets_are_silent(status: int, children: Children, capfd: pytest.CaptureFixture[str]) -> None:
    """Apprise's own log, which holds tokens, is written nowhere."""
    with HttpSink(Reply(status=status)) as sink:
        url = f"json://user:{CANARY}@127.0.0.1:{sink.port}/{CANARY}?token={CANARY}"
        receipt = await attempt(apprise_target(url), children=children, allow=LOOPBACK)
    out, err = capfd.readouterr()
    assert CANARY not in receipt.detail + out + err
    assert sink.received


def test_apprise_services_are_all_known() -> None:
    """Each scheme of the pinned Apprise is on one of the two lists: the network's, or the refused ones."""
    from apprise.manager_plugins import NotificationManager

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = set(NotificationManager().schemas())
    assert known == (NETWORK - {"https"}) | LOCAL
    assert not NETWORK & LOCAL


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_apprise_says_that_it_may_repeat(language: str, children: Children) -> None:
    """The text begins with that if an earlier attempt may have arrived; the title stays."""
    words = {"fr": "(peut-être déjà reçu)", "en": "(may repeat)"}[language]
    with HttpSink() as sink:
        target = replace(apprise_target(f"json://127.0.0.1:{sink.port}/"), language=language)
        again = replace(claimed(target), attempt=2, uncertain=1)
        await attempt(target, children=children, allow=LOOPBACK, what=again)
    said, sealed = json.loads(sink.received[0].body), json.loads(again.message.content)
    assert said["title"] == sealed["title"]
    assert said["message"].strip() == f"{words}\n\n{sealed['body']}".strip()


@pytest.mark.parametrize("blocks", [0, 2, 50])
async def test_slack_says_that_it_may_repeat(blocks: int, client: Client) -> None:
    """In the notification and below the message, where it has room; nothing else is changed."""
    payload = {"text": "Titre", "blocks": [{"type": "divider", "block_id": str(n)} for n in range(blocks)]}
    message = Message(content=json.dumps(payload).encode(), message_id="<key1@veille>", subject="Titre")
    with HttpSink() as sink:
        target = webhook_target(sink.url)
        await attempt(target, client=client, what=replace(claimed(target, message=message), attempt=2, uncertain=1))
    said = json.loads(sink.received[0].body)
    assert said["text"] == "Titre (peut-être déjà reçu)"
    assert said["blocks"][:blocks] == payload["blocks"]
    assert json.dumps(said["blocks"][blocks:], ensure_ascii=False).count("(peut-être déjà reçu)") == (blocks == 2)


async def test_slack_token_keeps_the_message_s_own_name(client: Client) -> None:
    """The `ts` of what was posted is in the receipt; a webhook tells none."""
    with HttpSink(Reply(body=b'{"ok":true,"ts":"1503435956.000247","channel":"C042"}')) as sink:
        receipt = await attempt(token_target(sink.url), client=client)
    assert receipt == Receipt(outcome=Outcome.SENT, detail="ok", ref="1503435956.000247")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"CONNECT": ["421 too busy"]}, id="421-greeting"),
        pytest.param({"MAIL": ["421 4.3.2 shutting down"]}, id="421-at-MAIL"),
        pytest.param({"CONNECT": [Act.DROP]}, id="reset-at-once"),
        pytest.param({"RCPT": [Act.DROP]}, id="reset-at-RCPT"),
        pytest.param({"TEXT": [Act.DROP]}, id="reset-after-text"),
    ],
)
async def test_mail_failures_of_the_server(script: dict[str, list[str | Act]]) -> None:
    """Any other message would have met them."""
    with SmtpSink(script) as sink:
        assert (await attempt(mail_target(sink.port))).shared


@pytest.mark.parametrize("script", [{"RCPT": ["451 4.7.1 greylisted"]}, {"TEXT": ["451 later"]}, {"RCPT": ["550 no"]}])
async def test_mail_failures_of_one_message(script: dict[str, list[str | Act]]) -> None:
    """Another mailbox may fare better."""
    with SmtpSink(script) as sink:
        assert not (await attempt(mail_target(sink.port))).shared


# --- log -----------------------------------------------------------------------------------------------------------


def log_target(folder: Path) -> Target:
    return Target(id="log", channel=Channel.LOG, settings=LogSettings(folder=folder), recipients=("log:log",))


async def test_log_writes_and_prints(tmp_path: Path) -> None:
    """The mail lies in the folder, for its owner's eyes; its text is printed."""
    printed: list[str] = []
    folder = tmp_path / "alerts"
    target = log_target(folder)
    for _ in range(2):
        receipt = await attempt(target, echo=printed.append)
        assert receipt.outcome is Outcome.SENT
    (file,) = folder.iterdir()
    assert file.name == "key1.eml"
    assert file.read_bytes() == claimed(target).message.content
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Une phrase." in printed[0]
    assert printed[0].startswith("[Veille] Essai\n")


async def test_log_prints_in_the_order_in_which_messages_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is printed first, however long its file takes."""
    printed: list[str] = []
    target = log_target(tmp_path)
    write = log._write

    def slowly(file: Path, content: bytes) -> None:
        if file.stem == "k0":
            time.sleep(0.2)
        write(file, content)

    def numbered(number: int) -> Claimed:
        notice = replace(NOTICE, subject=f"Essai {number}")
        message = seal(notice, target=target, recipient="log:log", key="k", host="veille.example", now=NOW)
        return replace(claimed(target, message=message), key=f"k{number}")

    monkeypatch.setattr(log, "_write", slowly)
    await asyncio.gather(*(attempt(target, echo=printed.append, what=numbered(number)) for number in range(3)))
    assert [text.partition("\n")[0] for text in printed] == [f"[Veille] Essai {n}" for n in range(3)]


async def test_log_folder_that_is_none(tmp_path: Path) -> None:
    """A folder that cannot be written: try later, and `check` says so beforehand."""
    occupied = tmp_path / "file"
    occupied.write_text("")
    target = log_target(occupied / "alerts")
    receipt = await attempt(target)
    assert receipt.outcome is Outcome.RETRY
    assert senders.check(target) == (f"{occupied} is not a folder",)
    assert senders.check(log_target(tmp_path / "new" / "folder")) == ()


@pytest.mark.parametrize("error", [BrokenPipeError(32, "broken"), ValueError("I/O operation on closed file")])
async def test_c13_log_without_a_terminal(tmp_path: Path, error: Exception) -> None:
    """The file is the delivery: a terminal that is gone does not make it fail."""

    def closed(_: str) -> None:
        raise error

    receipt = await attempt(log_target(tmp_path), echo=closed)
    assert receipt.outcome is Outcome.SENT
    assert (tmp_path / "key1.eml").read_bytes() == claimed(log_target(tmp_path)).message.content
