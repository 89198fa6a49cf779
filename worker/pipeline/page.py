"""page(entry): an article's page into its text, for feeds that ask for full text."""

from datetime import timedelta

from worker.child import ChildFailed
from worker.extract import page as extract_page
from worker.fetch import fetch_page
from worker.model import FetchFailed
from worker.pipeline.edges import Edges
from worker.store import entries, events

_EXTRACT_SECONDS = 20
_PAUSE = timedelta(seconds=15)


async def page(edges: Edges, wanted: entries.PageWanted, *, last: bool = False) -> bool:
    """Fetch one page; whether its text came. With `last` the entry goes on at once without it."""
    feed = edges.live.feed(wanted.feed)
    text = ""
    if feed is not None:
        fetched = await fetch_page(edges.client, feed, wanted.link)
        if not isinstance(fetched, FetchFailed):
            found = await edges.children.run(extract_page, fetched.body, fetched.url, seconds=_EXTRACT_SECONDS)
            text = "" if isinstance(found, ChildFailed) else found
    await edges.in_thread(lambda: _commit(edges, wanted.entry_id, text, last=last or feed is None))
    return bool(text)


def _commit(edges: Edges, entry_id: int, text: str, *, last: bool) -> None:
    now = edges.clock()
    with edges.store.write() as tx:
        if text:
            entries.page_came(tx, entry_id, text)
            sha256 = entries.keep_raw(tx, text.encode(), now)
            events.note(tx, events.Kind.PAGE, now, about=entry_id, sha256=sha256)
        else:
            entries.page_failed(tx, entry_id, again_at=None if last else now + _PAUSE)
