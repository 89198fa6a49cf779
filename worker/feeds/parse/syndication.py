"""RSS, RDF and Atom."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from xml.sax import SAXException

from worker.feeds.parse import document, repair, texts
from worker.feeds.parse.dates import Dates
from worker.feeds.parse.document import ParseFailed
from worker.model import FetchReason, ParsedEntry, ParsedFeed
from worker.net import urls

#: Entries kept of one document.
ENTRIES = 2_000
_PROBLEMS = 10


def parse(text: str, url: str, now: datetime | None = None) -> ParsedFeed | ParseFailed:
    """The feed in an XML document; one that is not, by feedparser's judgement, is NOT_A_FEED."""
    text = document.repair(text)
    items = document.cut(text)
    dropped = max(0, len(items.items) - ENTRIES)
    if dropped:
        items = document.newest(items, ENTRIES)
    raw, problems, unread = _read(items)
    element = document.first_element(text)
    rooted = document.is_feed_root(element)
    # A version may come from a namespace declared anywhere, so it needs a root or entries beside it.
    if not ((raw["entries"] and (rooted or raw.get("version"))) or (rooted and raw.get("version"))):
        return ParseFailed(reason=FetchReason.NOT_A_FEED, detail=f"XML of <{element[:40]}>")
    truncated = bool(problems) and document.is_cut(text)
    found = raw["entries"][:-1] if truncated else raw["entries"]
    language = texts.language(str(raw["feed"].get("language") or ""))
    # Items are relative to the site, of which the channel's link is the front page, and not to where the feed lies.
    url = urls.absolute(str(raw["feed"].get("link") or ""), url) or url
    dates = Dates(_dates(raw["entries"]), language=language, now=now)
    entries, empty, unmapped = entries_of(found, language, url, dates, _entry)
    if problems:
        unread += ["an entry could not be read: it is damaged"] * _damaged(found)
    unread += unmapped
    partial, *_ = entries_of(raw["entries"][-1:] if truncated else (), language, url, dates, _entry)
    ttl, hours, days = document.timing(items.head + items.tail)
    return ParsedFeed(
        version=raw.get("version") or "rss",
        title=_title(raw["feed"]),
        language=language,
        entries=entries[:ENTRIES],
        problems=tuple((problems + empty + unread)[:_PROBLEMS]),
        unread=len(unread),
        unread_why=next(iter(unread), ""),
        dates_unread=len(dates.unread),
        date_unread=texts.label(next(iter(dates.unread), "")),
        dropped=dropped + max(0, len(entries) - ENTRIES),
        truncated=truncated,
        partial=partial[0] if partial else None,
        ttl=ttl,
        skip_hours=hours,
        skip_days=days,
    )


def _read(items: document.Items) -> tuple[dict[str, Any], list[str], list[str]]:
    """The feed in feedparser's words, what was broken about it, and what is said of items that cannot be read."""
    try:
        return _feedparser(items.document()), [], []
    except SAXException as error:
        problem = f"{type(error).__name__}: {error}"[:200]
        items = document.cut(repair.repaired(items))
    except Exception as error:  # noqa: BLE001 - feedparser raises on what it does not expect; see below
        problem = f"{type(error).__name__}: {error}"[:200]
    raw, unread = _by_halves(items)
    return raw, [problem], unread


def _by_halves(items: document.Items) -> tuple[dict[str, Any], list[str]]:
    """The same, where feedparser raises: it is asked without the items on which it does."""
    try:
        return _feedparser(items.document()), []
    except Exception as error:
        if not items.items:
            raise
        unread = f"an entry could not be read: {type(error).__name__}: {error}"[:200]
    if len(items.items) == 1:
        return _feedparser(items.document(0, 0)), [unread]
    middle = len(items.items) // 2
    raw, first = _by_halves(replace(items, items=items.items[:middle]))
    more, second = _by_halves(replace(items, items=items.items[middle:]))
    raw["entries"] += more["entries"]
    return raw, first + second


def _feedparser(text: str) -> dict[str, Any]:
    # Imported here, since the command line's start would pay for it.
    from worker.feeds.parse import reader

    return reader.read(text)


def _damaged(found: Sequence[Mapping[str, Any]]) -> int:
    """The number of entries that hold text, and nothing that can be made out."""
    names = ("id", "link", "title", "texts")
    return sum(bool(raw.get("said")) and not any(raw.get(name) for name in names) for raw in found)


def entries_of(
    found: Iterable[Any], language: str, url: str, dates: Dates, read: Callable[[Any, str, str, Dates], ParsedEntry]
) -> tuple[tuple[ParsedEntry, ...], list[str], list[str]]:
    """The entries, what is said of those that hold nothing, and of those that cannot be read."""
    entries, empty, unread = [], [], []
    for number, raw in enumerate(found, 1):
        try:
            entry = read(raw, language, url, dates)
        except Exception as error:  # noqa: BLE001 - one bad entry never loses its siblings; it is reported.
            unread.append(f"entry {number} could not be read: {type(error).__name__}: {error}"[:200])
            continue
        if entry.guid or entry.link or entry.title or entry.summary or entry.content:
            entries.append(entry)
        else:
            empty.append(f"entry {number} is empty")
    return tuple(entries), empty, unread


def _entry(raw: Mapping[str, Any], language: str, url: str, dates: Dates) -> ParsedEntry:
    summary, content = _bodies(raw)
    own = raw.get("language") or raw.get("title_detail", {}).get("language") or language
    return ParsedEntry(
        guid=texts.guid(str(raw.get("id") or "")),
        link=_link(raw, url),
        title=_title(raw),
        summary=summary,
        content=content,
        published=dates.read(_date(raw, "published")) or dates.read(_date(raw, "created")),
        updated=dates.read(_date(raw, "updated")),
        author=texts.label(str(raw.get("author") or "")),
        language=texts.language(str(own or "")),
    )


def _title(raw: Mapping[str, Any]) -> str:
    """The title; where an entry has none of its own, that of its pictures or recordings."""
    if raw.get("title"):
        return texts.plain(raw["title"], markup=raw.get("title_detail", {}).get("markup", True))
    others = [text for text in raw.get("texts", ()) if text.is_title]
    return texts.plain(others[0].value, markup=others[0].markup) if others else ""


def _bodies(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Summary and content: all texts of an entry, each once, what is said of its pictures behind the longer of them."""
    own: dict[bool, list[str]] = {False: [], True: []}
    more: list[str] = []
    for text in raw.get("texts", ()):
        found = texts.body(text.value, markup=text.markup)
        (own[text.is_content] if text.is_own else more).append(found)
    content, summary = (texts.joined(texts.distinct(own[is_content])) for is_content in (True, False))
    captions = texts.distinct(more, known=[_title(raw), summary, content])
    if content:
        return ("" if summary == content else summary), texts.joined([content, *captions])
    return texts.joined([summary, *captions] if summary else captions), ""


def _link(raw: Mapping[str, Any], url: str) -> str:
    """The entry's page: its link, else any alternate link, else a guid that is itself an address."""
    candidates = [raw.get("feedburner_origlink"), raw.get("link")]
    candidates += [link.get("href") for link in raw.get("links", ()) if link.get("rel", "alternate") == "alternate"]
    guid = str(raw.get("id") or "").strip()
    for candidate in candidates:
        link = str(candidate or "").strip()
        # feedparser offers a guid as link where none stands: one without a slash is a number, not an address.
        if link and (link != guid or "/" in link) and (found := urls.absolute(link, url)):
            return texts.storable(found)
    return texts.storable(urls.absolute(guid, url)) if guid.lower().startswith(("http://", "https://")) else ""


def _dates(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for raw in found:
        yield from (_date(raw, name) for name in ("published", "created", "updated"))


def _date(raw: Mapping[str, Any], name: str) -> str:
    """A date as it is written: feedparser's reading drops the zones that it does not know, and PM."""
    # `in`, because feedparser's get("updated") answers with "published".
    return str(raw.get(name) or "") if name in raw else ""
