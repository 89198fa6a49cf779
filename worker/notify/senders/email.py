"""SMTP (RFC 5321), one recipient and one connection a message, step by step, so that each refusal keeps its meaning."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum, auto

import aiosmtplib

from worker.model import Claimed, EmailSettings, Outcome, Receipt, Secret
from worker.notify.render.email import mailbox
from worker.notify.senders.fixes import smtp_fix
from worker.notify.senders.receipt import receipt

_SECONDS = 30
#: Greylisting servers refuse whoever comes back sooner (RFC 6647 2.1).
_PATIENCE = timedelta(minutes=5)
#: RFC 4954 6: authentication required, too weak, failed, or only over TLS.
_CREDENTIALS = {530, 534, 535, 538}


class _Stage(Enum):
    """Progress of an attempt: it decides the meaning of a refusal or a silence."""

    #: Connection, TLS and login: a refusal is the target's.
    TARGET = auto()
    #: Sender, recipient and DATA: a refusal is this message's.
    MESSAGE = auto()
    #: The text is under way: silence leaves open whether it arrived.
    TEXT = auto()


class _Refused(Exception):  # noqa: N818 - it carries an expected answer within this module
    """The server answered a command with another code than it should."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{code} {words}")
        self.code = code


async def send(claimed: Claimed, settings: EmailSettings) -> Receipt:
    """One attempt to hand the mail to the server."""
    attempt, fix = _Attempt(claimed, settings), ""
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await attempt.run()
    except TimeoutError:
        outcome, detail = attempt.silent(), f"{settings.host} did not answer within {_SECONDS} s"
        attempt.shared, fix = True, smtp_fix(None, settings, greeted=attempt.greeted)
    except (OSError, aiosmtplib.SMTPException, _Refused, ValueError) as error:
        outcome, detail = attempt.judge(error), _words(error)
        fix = smtp_fix(error, settings, greeted=attempt.greeted)
    else:
        outcome, detail = Outcome.SENT, answer
    finally:
        attempt.close()
    credentials = [settings.password]
    if settings.password is not None:  # as AUTH PLAIN sends them
        credentials.append(Secret(f"\0{settings.username}\0{settings.password.reveal()}"))
    after = _PATIENCE if attempt.deferred else None
    return receipt(outcome, detail, secrets=credentials, after=after, shared=attempt.shared, fix=fix)


class _Attempt:
    """One SMTP conversation."""

    def __init__(self, claimed: Claimed, settings: EmailSettings) -> None:
        self._claimed = claimed
        self._settings = settings
        self._stage = _Stage.TARGET
        self._accepted = False
        #: The server has spoken.
        self.greeted = False
        #: The server asked for patience (a 4xx answer).
        self.deferred = False
        #: What went wrong was said of no message: any other would have fared the same.
        self.shared = False
        # Without a name of our own, getfqdn would ask the name server, in a thread that no deadline stops.
        host = claimed.message.message_id.rpartition("@")[2].rstrip(">")
        self._smtp = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=host if "." in host and host.isascii() else "[127.0.0.1]",
            use_tls=settings.tls == "smtps",
            start_tls=False,
            timeout=None,
        )

    async def run(self) -> str:
        """The server's words of acceptance."""
        await self._log_in()
        self._stage = _Stage.MESSAGE
        sender, recipient = mailbox(self._settings.sender), mailbox(self._claimed.recipient.removeprefix("mailto:"))
        options = [] if (sender + recipient).isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        await self._smtp.mail(sender, options=options, encoding="utf-8")
        await self._smtp.rcpt(recipient, encoding="utf-8")
        return await self._data(self._claimed.message.content)

    async def _log_in(self) -> None:
        await self._smtp.connect()
        self.greeted = True
        if self._settings.tls == "starttls":
            await self._smtp.starttls()
        await self._greet()
        if self._settings.username:
            password = self._settings.password.reveal() if self._settings.password else ""
            await self._authenticate(self._settings.username, password)

    async def _greet(self) -> None:
        try:
            await self._smtp.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if error.code < 500 or not self._smtp.is_connected:
                raise
            await self._smtp.helo()  # RFC 5321 3.2: an old server

    async def _authenticate(self, username: str, password: str) -> None:
        """Try what the server offers until one method is understood; wrong credentials are wrong by every method."""
        refused: Exception = aiosmtplib.SMTPException(f"{self._settings.host} offers no login that we know")
        for method in self._smtp.supported_auth_methods:
            try:
                await getattr(self._smtp, f"auth_{method.replace('-', '')}")(username, password)
            except aiosmtplib.SMTPAuthenticationError as error:
                if error.code < 500 or error.code in _CREDENTIALS:
                    raise
                refused = error
            else:
                return
        raise refused

    async def _data(self, content: bytes) -> str:
        """DATA in two steps, because between them the meaning of silence changes."""
        code, words = await self._smtp.execute_command(b"DATA")
        protocol = self._smtp.protocol
        if code != 354 or protocol is None:
            raise _Refused(code, words)
        self._stage = _Stage.TEXT
        # Sealed lines end in CR LF; those that begin with a stop get a second one (RFC 5321 4.5.2).
        text = content if content.endswith(b"\r\n") else content + b"\r\n"
        stuffed = (b"\r\n" + text).replace(b"\r\n.", b"\r\n..").removeprefix(b"\r\n")
        protocol.write(stuffed + b".\r\n")
        code, words = await protocol.read_response()
        if code != 250:
            raise _Refused(code, words)
        self._accepted = True
        return f"{code} {words}"

    def silent(self) -> Outcome:
        """The outcome where the conversation ended without an answer."""
        return Outcome.UNCERTAIN if self._stage is _Stage.TEXT else Outcome.RETRY

    def judge(self, error: Exception) -> Outcome:
        """The outcome of an error."""
        if isinstance(error, (_Refused, aiosmtplib.SMTPResponseException)):
            return self._judge_code(error.code)
        if any(_bad_tls(cause) for cause in _causes(error)):
            return Outcome.BROKEN
        if isinstance(error, OSError):  # aiosmtplib's connection and time-out errors are OSErrors too
            self.shared = True
            return self.silent()
        # What is left is said of the server before the first command that names this message: it offers no STARTTLS
        # or no usable AUTH; afterwards, the client refuses to write an address or option.
        return Outcome.BROKEN if self._stage is _Stage.TARGET else Outcome.PERMANENT

    def _judge_code(self, code: int) -> Outcome:
        if 400 <= code < 500:
            self.deferred = True
            # 421 (RFC 5321 3.8): the service closes, whatever was asked.
            self.shared = self._stage is _Stage.TARGET or code == 421
            return Outcome.RETRY
        if code in _CREDENTIALS or (500 <= code < 600 and self._stage is _Stage.TARGET):
            return Outcome.BROKEN
        if 500 <= code < 600:
            return Outcome.PERMANENT
        return self.silent()

    def close(self) -> None:
        """End the conversation without waiting: what was accepted must not be lost to a late cancellation."""
        protocol, transport = self._smtp.protocol, self._smtp.transport
        if self._accepted and protocol is not None and protocol.is_connected:
            protocol.write(b"QUIT\r\n")
        elif isinstance(transport, asyncio.WriteTransport):
            # A text that the server never finished reading must not arrive after it was given up.
            transport.abort()
        self._smtp.close()


def _bad_tls(error: BaseException) -> bool:
    """Tells whether the server's certificate or TLS is not acceptable, as against a connection that broke."""
    broken = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    return isinstance(error, ssl.SSLError) and not isinstance(error, broken)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _words(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__
