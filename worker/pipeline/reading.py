"""Reads entries and pages in one call for a child process, since hostile text may stall it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.analysis import text
from worker.errors import OWN_FAULTS
from worker.feeds.child import Children
from worker.feeds.extract import Extracted, texts
from worker.feeds.extract import page as extract_page
from worker.feeds.normalise import normalise
from worker.feeds.normalise.pages import FeedText, PageFound, PageVerdict, judge
from worker.feeds.normalise.standfirst import with_standfirst
from worker.feeds.parse import parse
from worker.model import Article, Fetched, ParsedEntry, ParsedFeed, StoredEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An entry with its feed's name and language, as the configuration has them."""

    entry: StoredEntry
    source: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage:
    """A page, read and judged as far as other pages do not matter."""

    verdict: PageVerdict
    feed: FeedText
    #: Where the page sends its reader on by itself, or empty.
    refresh: str = ""


def read(batch: Sequence[Unread]) -> tuple[Article | str, ...]:
    """The article of each entry, or what went wrong with it."""
    return tuple(_attempted(unread) for unread in batch)


def read_page(fetched: Fetched, parsed: ParsedEntry) -> ReadPage:
    """The page of an entry, compared with what the feed itself gave of it."""
    feed = feed_text(parsed)
    found = extract_page(fetched.body, fetched.url, fetched.content_type)
    page = PageFound(
        url=fetched.url, text=found.text, headings=found.headings, links=found.links, teasers=found.teasers
    )
    return ReadPage(verdict=judge(feed, page), feed=feed, refresh=found.refresh)


def feed_text(parsed: ParsedEntry) -> FeedText:
    """The feed's own text of an entry, without lines that only lead to the page or elsewhere."""
    own = _own(parsed)
    lines = [line for line in own.text.split("\n\n") if line not in (own.links or ())]
    return FeedText(title=parsed.title, text="\n\n".join(lines) or own.text, link=parsed.link)


def _attempted(unread: Unread) -> Article | str:
    try:
        return _article(unread)
    except OWN_FAULTS:
        raise  # the child is spent, or none could do it; the next one is asked entry by entry
    except Exception as e:  # noqa: BLE001 - whatever one entry does, the others go on
        return f"{type(e).__name__}: {e}"


def _article(unread: Unread) -> Article:
    """The article in the page's text, else in content and summary."""
    entry = unread.entry
    own = Extracted(text=entry.page_text) if entry.page_text else _own(entry.parsed)
    return normalise(
        entry,
        own.text,
        links=own.links,
        captions=own.captions,
        teasers=entry.page_teasers,
        source=unread.source,
        language=unread.language,
        detect=text.detect,
    )


def _own(parsed: ParsedEntry) -> Extracted:
    """Content and summary as one text; captions count where there is nothing else."""
    content, summary = texts([(parsed.content, parsed.link), (parsed.summary, parsed.link)])
    if not content.text or not summary.text:
        return max(content, summary, key=lambda own: (len(own.text), len("".join(own.captions))))
    marked = [own.links for own in (content, summary) if own.links is not None]
    return Extracted(
        text=with_standfirst(summary.text, content.text),
        captions=tuple(dict.fromkeys((*content.captions, *summary.captions))),
        links=frozenset[str]().union(*marked) if marked else None,
    )


# A failure of this process, as against one of an entry or a document.
#
# A library that is missing, no memory, no file left: what would strike any entry condemns none. Where the exception
# does not say it, a known good text does: if that fails as well, the fault is not in what came.


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
