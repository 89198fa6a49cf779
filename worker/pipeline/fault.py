"""A failure of this process, told apart from one of an entry or a document.

A library that is missing, no memory, no file left: what would strike any entry condemns none. Where the exception does
not say it, a known good text does: if that fails as well, the fault is not in what came.
"""

from dataclasses import dataclass
from datetime import datetime

from worker.child import Children
from worker.errors import OWN_FAULTS
from worker.model import ParsedEntry, ParsedFeed, StoredEntry
from worker.parse import parse

_TITLE = "Le conseil municipal vote son budget"
_TEXT = "Le conseil municipal a voté mardi le budget de la bibliothèque, qui ouvrira ses portes au printemps."
_DOCUMENT = (
    '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>t</title>'
    f"<item><guid>1</guid><title>{_TITLE}</title><description>{_TEXT}</description></item></channel></rss>"
).encode()
_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A failure to make an article of an entry."""

    error: str
    #: It would have struck any entry.
    any_entry: bool = False

    @classmethod
    def of(cls, e: Exception) -> "Failed":
        """An exception's type and message."""
        return cls(error=f"{type(e).__name__}: {e}", any_entry=isinstance(e, OWN_FAULTS))


def good_entry(feed: str, now: datetime) -> StoredEntry:
    """An entry that nothing is wrong with, as if it had come from a feed just now."""
    parsed = ParsedEntry(guid="veille:known-good", title=_TITLE, summary=f"<p>{_TEXT}</p>")
    return StoredEntry(id=0, feed=feed, parsed=parsed, first_seen=now, backlog=False, article_id=None)


async def reads_documents(children: Children) -> bool:
    """Tell whether a document that nothing is wrong with can be read."""
    url, kind = "https://feed.invalid/", "application/rss+xml"
    return isinstance(await children.run(parse, _DOCUMENT, url, kind, seconds=_SECONDS), ParsedFeed)
