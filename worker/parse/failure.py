"""Reasons for which a document gives no feed."""

from dataclasses import dataclass

from worker.model import FetchReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseFailed:
    """A document that is no feed, or that no parser can read."""

    #: NOT_A_FEED or PARSE_ERROR.
    reason: FetchReason
    #: For people.
    detail: str = ""
    #: The feeds that the document, a page, names: absolute URLs.
    feeds: tuple[str, ...] = ()
