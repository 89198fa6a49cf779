"""Problems of the API, in the form of RFC 9457, each with a reason from a closed list."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class Reason(StrEnum):
    """Reasons why a request is not done."""

    UNKNOWN = "unauthenticated"
    FORBIDDEN = "forbidden"
    #: A change that comes neither with a token nor from a page of ours.
    ELSEWHERE = "elsewhere"
    MISSING = "not-found"
    METHOD = "method-not-allowed"
    MEDIA = "unsupported-media-type"
    LONG = "too-long"
    INVALID = "invalid"
    STORE = "store-unavailable"


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    title: str


KINDS = {
    Reason.UNKNOWN: _Kind(401, "a token, or a sign-in, is needed"),
    Reason.FORBIDDEN: _Kind(403, "this caller may not do that"),
    Reason.ELSEWHERE: _Kind(403, "a change needs a token, or comes from a page of the console"),
    Reason.MISSING: _Kind(404, "there is no such thing"),
    Reason.METHOD: _Kind(405, "this is not done here"),
    Reason.MEDIA: _Kind(415, "the body must be application/json"),
    Reason.LONG: _Kind(413, "the body is too long"),
    Reason.INVALID: _Kind(422, "the request is not as described"),
    Reason.STORE: _Kind(503, "the store does not answer; nothing is lost"),
}


class ProblemError(Exception):
    """A request cannot be done."""

    def __init__(self, reason: Reason, detail: str = "", **headers: str) -> None:
        self.reason, self.detail, self.headers = reason, detail, headers
        super().__init__(detail or reason)

    def answer(self) -> JSONResponse:
        """The problem as the caller gets it."""
        kind = KINDS[self.reason]
        said: dict[str, Any] = {"type": "about:blank", "title": kind.title, "status": kind.status}
        said |= {"reason": str(self.reason), "detail": self.detail}
        headers = dict(self.headers)
        if self.reason is Reason.UNKNOWN:
            headers["WWW-Authenticate"] = "Bearer"
        if self.reason is Reason.STORE:
            headers["Retry-After"] = "5"
        return JSONResponse(said, status_code=kind.status, headers=headers, media_type=MEDIA_TYPE)
