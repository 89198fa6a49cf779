"""What can go wrong on the way to an answer, as words of the closed list."""

import ssl

import httpcore
import httpx

from worker.model import FetchReason
from worker.net.dial import NotDialled
from worker.net.inflate import BadCodingError, TooLargeError


class BadURLError(Exception):
    """The URL cannot be fetched; its words quote nothing of it."""


#: Failures of the other side, of the way there and of the URL; anything else is a mistake of ours, and is raised.
EXPECTED = (
    BadURLError,
    NotDialled,
    BadCodingError,
    TooLargeError,
    OSError,  # with TimeoutError and ssl.SSLError
    UnicodeError,
    httpx.HTTPError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)
#: Those of a transport that does not tell when it writes.
AFTER_SENDING = (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.WriteError, httpx.WriteTimeout)
#: Those of writing the request, raised before any byte of it is sent.
NOT_WRITABLE = (httpcore.LocalProtocolError, httpx.LocalProtocolError, UnicodeError)

_WORDS_OF_OURS = (
    (BadURLError, FetchReason.BAD_URL),
    (TooLargeError, FetchReason.TOO_LARGE),
    (BadCodingError, FetchReason.BAD_CODING),
    (httpx.TooManyRedirects, FetchReason.REDIRECT_LOOP),
)
_TIMEOUTS = (TimeoutError, httpcore.TimeoutException, httpx.TimeoutException)
_CONNECT_TIMEOUTS = (httpcore.ConnectTimeout, httpx.ConnectTimeout)
_NOT_READABLE = (httpcore.RemoteProtocolError, httpx.RemoteProtocolError)


def explained(e: Exception, *, seconds: float, connect: float, tls: bool = False) -> tuple[FetchReason, str]:
    """The reason for `e`, one of EXPECTED, and a sentence that holds no secret; the limits are those in force.

    `tls` says that it came in the middle of a handshake.
    """
    if isinstance(e, NotDialled):
        return e.reason, e.detail
    for kind, reason in _WORDS_OF_OURS:
        if isinstance(e, kind):
            return reason, str(e)
    if isinstance(e, _TIMEOUTS):
        early = isinstance(e, _CONNECT_TIMEOUTS)
        return FetchReason.TIMEOUT, f"no connection within {connect:g} s" if early else f"not done within {seconds:g} s"
    if isinstance(e, NOT_WRITABLE):
        return FetchReason.PROTOCOL, "the request cannot be written as HTTP"
    if isinstance(e, _NOT_READABLE):
        # h11's words are about form; where they quote the answer, they do so at the end.
        return FetchReason.PROTOCOL, f"the answer is not sound HTTP: {str(e)[:60]}"
    return _broken(e, tls=tls)


def _broken(e: Exception, *, tls: bool) -> tuple[FetchReason, str]:
    """A connection that did not come about, or did not last; httpcore wraps the cause as its first argument."""
    cause = e.args[0] if e.args and isinstance(e.args[0], Exception) else e
    if isinstance(cause, ssl.SSLCertVerificationError):
        return FetchReason.TLS, f"certificate refused: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return FetchReason.TLS, (cause.reason or "handshake failed").replace("_", " ").lower()
    if tls:
        return FetchReason.TLS, "the connection broke during the handshake"
    if isinstance(cause, OSError) and cause.strerror:
        return FetchReason.CONNECT, cause.strerror
    return FetchReason.CONNECT, f"the connection broke ({type(cause).__name__})"
