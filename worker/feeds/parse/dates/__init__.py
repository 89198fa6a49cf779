"""The dates of a document, each read once, and those in numbers in the order that the document writes them.

    texts -written-> the instants that each may mean -Dates-> one instant, or None

`05/10/2026` is the fifth of October or the tenth of May. In this order decide: a number above twelve, a day of the week
that fits one of both, a date that would lie in the future by more than a day, the other dates of the document, AM or PM
with slashes, and the language (English, but for the countries that write the day first); else the day stands first. A
date without a zone is in UTC.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from worker.feeds.parse.dates.reading import Form, Written, written

__all__ = ["Dates", "written"]

#: How far in the future a date may lie: zones differ by as much.
_A_DAY = timedelta(days=1)
#: Of English, the countries that write the day first.
_DAY_FIRST = frozenset(
    (
        "au",
        "bz",
        "gb",
        "gh",
        "hk",
        "ie",
        "in",
        "ke",
        "kh",
        "la",
        "mt",
        "my",
        "ng",
        "nz",
        "pk",
        "sg",
        "th",
        "uk",
        "vn",
        "za",
    )
)


class Dates:
    """Reads the dates of one document."""

    def __init__(self, texts: Iterable[str], *, language: str = "", now: datetime | None = None) -> None:
        """`texts` are all the dates of the document, `language` is its BCP 47 tag, `now` when it was fetched."""
        self._latest = None if now is None else now + _A_DAY
        self._found = {text: written(text) for text in texts}
        votes = sum(map(self._vote, self._found.values()))
        self._month_first = votes > 0 if votes else None
        self._speaks_american = _writes_month_first(language)
        #: Those that `read` could make nothing of, in order.
        self.unread: list[str] = []

    def read(self, text: str) -> datetime | None:
        """The instant that a date's text means, in UTC; None where it cannot be read, or is a placeholder."""
        found = self._found.get(text) or written(text)
        if found.day_first is None and text.strip():
            self.unread.append(text)
        if found.day_first == found.month_first:
            return found.day_first
        if vote := self._vote(found):
            month_first = vote > 0
        elif self._month_first is not None:
            month_first = self._month_first
        else:
            month_first = found.form is Form.AMERICAN or (found.form is Form.SLASHES and self._speaks_american)
        return found.month_first if month_first else found.day_first

    def _vote(self, found: Written) -> int:
        """1 if a date tells that the document writes the month first, -1 if the day, 0 if it does not tell."""
        if found.order or self._latest is None or found.day_first is None or found.month_first is None:
            return found.order
        return (found.day_first > self._latest) - (found.month_first > self._latest)


def _writes_month_first(language: str) -> bool:
    primary, *rest = language.lower().replace("_", "-").split("-")
    return primary == "en" and not _DAY_FIRST.intersection(rest)
