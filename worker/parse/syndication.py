"""RSS, RDF and Atom, read by feedparser."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from worker import urls
from worker.model import FetchReason, ParsedEntry, ParsedFeed
from worker.parse import document, texts
from worker.parse.dates import Dates
from worker.parse.failure import ParseFailed

#: Entries kept of one document.
ENTRIES = 2_000
_PROBLEMS = 10
#: Characters that are read again where items swallow one another: two seconds of CPU, of the ten that there are.
_AGAIN = 2_000_000
_TEXT = re.compile(r">\s*[^<\s]")


def parse(text: str, url: str, now: datetime | None = None) -> ParsedFeed | ParseFailed:
    """The feed in an XML document; one that is not, by feedparser's judgement, is NOT_A_FEED."""
    text = document.mend(text)
    items = document.cut(text)
    dropped = max(0, len(items.items) - ENTRIES)
    if dropped:
        items = document.newest(items, ENTRIES)
        text = items.document()
    raw, problems, unread = _read(text)
    if raw.get("bozo") and _telling(raw["entries"]) < len(items.items):
        raw["entries"], damaged = _apart(items, raw["entries"])
        unread += ["an entry could not be read: it is damaged"] * damaged
    element = document.first_element(text)
    rooted = document.is_feed_root(element)
    # A version may come from a namespace declared anywhere, so it needs a root or entries beside it.
    if not ((raw["entries"] and (rooted or raw.get("version"))) or (rooted and raw.get("version"))):
        return ParseFailed(reason=FetchReason.NOT_A_FEED, detail=f"XML of <{element[:40]}>")
    truncated = bool(raw.get("bozo")) and document.is_cut(text)
    found = raw["entries"][:-1] if truncated else raw["entries"]
    atom = str(raw.get("version")).startswith("atom")
    language = texts.language(str(raw["feed"].get("language") or ""))
    # Items are relative to the site, of which the channel's link is the front page, and not to where the feed lies.
    url = urls.absolute(str(raw["feed"].get("link") or ""), url) or url
    dates = Dates(_dates(raw["entries"]), language=language, now=now)
    entries, empty, unmapped = _entries(found, language, url, dates, atom=atom)
    unread += unmapped
    partial, *_ = _entries(raw["entries"][-1:] if truncated else (), language, url, dates, atom=atom)
    ttl, hours, days = document.timing(items.head + items.tail)
    return ParsedFeed(
        version=raw.get("version") or "rss",
        title=_title(raw["feed"], atom=atom),
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


def _read(text: str) -> tuple[dict[str, Any], list[str], list[str]]:
    """What feedparser reads, its remarks, and the items that it cannot: where it raises, it is asked without those."""
    try:
        raw, problems = _feedparser(text)
    except Exception as error:
        items = document.cut(text)
        if not items.items:
            raise
        unread = f"an entry could not be read: {type(error).__name__}: {error}"[:200]
    else:
        return raw, problems, []
    if len(items.items) == 1:
        raw, problems, _ = _read(items.document(0, 0))
        return raw, problems, [unread]
    middle = len(items.items) // 2
    raw, problems, first = _read(items.document(0, middle))
    more, others, second = _read(items.document(middle))
    raw["entries"] += more["entries"]
    return raw, problems + others, first + second


def _apart(items: document.Items, found: list[Any]) -> tuple[list[Any], int]:
    """The entries of a faulty document, of which one swallows its neighbours, and how many items come to nothing.

    Read by halves, until each half gives as many entries as it has items; `found` is what all of them give together.
    """
    again: list[Any] = []
    left = [(0, len(items.items), found)]
    characters = damaged = 0
    while left:
        start, stop, entries = left.pop()
        middle = (start + stop) // 2
        halves = [(a, b, items.document(a, b)) for a, b in ((middle, stop), (start, middle)) if a < b]
        size = sum(len(text) for *_, text in halves)
        if _telling(entries) >= stop - start or len(halves) == 1 or characters + size > _AGAIN:
            if not _telling(entries) and len(halves) == 1 and characters + size <= _AGAIN:
                entries = _read(items.alone(start))[0]["entries"]
                characters += size
            again += entries
            damaged += not _telling(entries) and _TEXT.search(items.items[start]) is not None
            continue
        left += [(a, b, _read(text)[0]["entries"]) for a, b, text in halves]
        characters += size
    return (again, damaged) if _telling(again) >= _telling(found) else (found, 0)


def _telling(found: Sequence[Mapping[str, Any]]) -> int:
    """How many of them say anything."""
    return sum(any(raw.get(name) for name in ("id", "link", "title", "summary", "content")) for raw in found)


def _feedparser(text: str) -> tuple[dict[str, Any], list[str]]:
    # Imported here, since the command line's start would pay for it.
    import feedparser

    # Only ever a stream: feedparser opens a string as a path or a URL. No base is given, so that links are resolved
    # against xml:base alone and a guid stays as published.
    raw = feedparser.parse(
        io.BytesIO(text.encode(errors="replace")),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    error = raw.get("bozo_exception")
    return raw, [f"{type(error).__name__}: {error}"[:200]] if raw.get("bozo") else []


def _entries(
    found: Sequence[Mapping[str, Any]], language: str, url: str, dates: Dates, *, atom: bool
) -> tuple[tuple[ParsedEntry, ...], list[str], list[str]]:
    """The entries, what is said of those that hold nothing, and of those that cannot be read."""
    entries, empty, unread = [], [], []
    for number, raw in enumerate(found, 1):
        try:
            entry = _entry(raw, language, url, dates, atom=atom)
        except Exception as error:  # noqa: BLE001 - one bad entry never loses its siblings; it is reported.
            unread.append(f"entry {number} could not be read: {type(error).__name__}: {error}"[:200])
            continue
        if entry.guid or entry.link or entry.title or entry.summary or entry.content:
            entries.append(entry)
        else:
            empty.append(f"entry {number} is empty")
    return tuple(entries), empty, unread


def _entry(raw: Mapping[str, Any], language: str, url: str, dates: Dates, *, atom: bool) -> ParsedEntry:
    summary, content = _bodies(raw)
    own = raw.get("language") or raw.get("title_detail", {}).get("language") or language
    return ParsedEntry(
        guid=texts.guid(str(raw.get("id") or "")),
        link=_link(raw, url),
        title=_title(raw, atom=atom),
        summary=summary,
        content=content,
        published=dates.read(_date(raw, "published")) or dates.read(_date(raw, "created")),
        updated=dates.read(_date(raw, "updated")),
        author=texts.label(str(raw.get("author") or "")),
        language=texts.language(str(own or "")),
    )


def _title(raw: Mapping[str, Any], *, atom: bool) -> str:
    # Atom says what a title is, and its default is text; RSS does not say, and titles hold both.
    kind = raw.get("title_detail", {}).get("type")
    return texts.plain(str(raw.get("title") or ""), markup=not (atom and kind == "text/plain"))


def _bodies(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Summary and content; the summary is empty where it only repeats the content."""
    parts = [part for part in raw.get("content", ()) if _is_text(part)]
    best: Mapping[str, Any] = max(parts, key=lambda part: len(part.get("value") or ""), default={})
    content = texts.body(str(best.get("value") or ""), markup=_is_markup(best))
    detail = raw.get("summary_detail", {})
    summary = texts.body(str(raw.get("summary") or ""), markup=_is_markup(detail)) if _is_text(detail) else ""
    return ("" if summary == content else summary), content


def _is_text(detail: Mapping[str, Any]) -> bool:
    kind = detail.get("type") or "text/html"
    return bool(kind.startswith("text/") or kind.endswith("xml"))


def _is_markup(detail: Mapping[str, Any]) -> bool:
    return bool(detail.get("type", "text/html") != "text/plain")


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
