"""Failures on the way to an answer, as words of the closed list."""

import os
import ssl

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
)
#: Those of a transport that does not tell when it writes.
AFTER_SENDING = (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.WriteError, httpx.WriteTimeout)
#: Those of writing the request, raised before any byte of it is sent.
NOT_WRITABLE = (httpx.LocalProtocolError, UnicodeError)

_WORDS_OF_OURS = (
    (BadURLError, FetchReason.BAD_URL),
    (TooLargeError, FetchReason.TOO_LARGE),
    (BadCodingError, FetchReason.BAD_CODING),
    (httpx.TooManyRedirects, FetchReason.REDIRECT_LOOP),
)
_TIMEOUTS = (TimeoutError, httpx.TimeoutException)


def explained(e: Exception, *, seconds: float, connect: float) -> tuple[FetchReason, str]:
    """The reason for `e`, one of EXPECTED, and a sentence that holds no secret; the limits are those in force."""
    if isinstance(e, NotDialled):
        return e.reason, e.detail
    for kind, reason in _WORDS_OF_OURS:
        if isinstance(e, kind):
            return reason, str(e)
    if isinstance(e, _TIMEOUTS):
        early = isinstance(e, httpx.ConnectTimeout)
        return FetchReason.TIMEOUT, f"no connection within {connect:g} s" if early else f"not done within {seconds:g} s"
    if isinstance(e, NOT_WRITABLE):
        return FetchReason.PROTOCOL, "the request cannot be written as HTTP"
    if isinstance(e, httpx.RemoteProtocolError):
        # h11's words are about form; where they quote the answer, they do so at the end, as bytes.
        return FetchReason.PROTOCOL, f"the answer is not sound HTTP: {str(e).partition(': bytearray(')[0][:60]}"
    return _broken(e)


def _broken(e: Exception) -> tuple[FetchReason, str]:
    """A connection that did not come about, or did not last."""
    if isinstance(e, httpx.ProxyError):
        # Its words are the proxy's status line.
        return FetchReason.CONNECT, f"the proxy answers {str(e)[:3]}"
    cause = e.__cause__ or e
    if isinstance(cause, ssl.SSLCertVerificationError):
        return FetchReason.TLS, f"certificate refused: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        words = getattr(cause, "reason", None) or cause.strerror or "handshake failed"
        return FetchReason.TLS, words.replace("_", " ").lower()
    if isinstance(cause, OSError) and cause.errno:
        # Their own words name addresses.
        return FetchReason.CONNECT, os.strerror(cause.errno)
    return FetchReason.CONNECT, f"the connection broke ({type(cause).__name__})"
