"""JSON Feed 1 and 1.1 (jsonfeed.org)."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from worker.feeds.parse import texts
from worker.feeds.parse.dates import Dates
from worker.feeds.parse.document import ParseFailed
from worker.feeds.parse.syndication import ENTRIES, entries_of
from worker.model import FetchReason, ParsedEntry, ParsedFeed
from worker.net import urls

#: Some write only the number.
_VERSION = re.compile(r"(?:https?://(?:www\.)?jsonfeed\.org/version/)?1(?:\.\d+)?/?")
_PROBLEMS = 10
_SAID_VERSION = re.compile(r'"version"\s*:\s*"(https?:[^"\s]{1,60})"')
_ITEMS = re.compile(r'"items"\s*:\s*\[')
_BEGIN = re.compile(r"[\s,]*\{")
_NEXT = re.compile(r'\{(?=\s*")')
#: Places at which an item may begin again, behind one that cannot be read.
_TRIES = 2_000
#: Between two items, or after the last: the feed ends there, or has another member.
_GOES_ON = re.compile(r'\s*(?:,|\]\s*(?:\}|,\s*"|\Z))')


def parse(text: str, url: str, now: datetime | None = None) -> ParsedFeed | ParseFailed:
    """The feed in a JSON document; of one that is broken, the items that are not."""
    unread: list[str] = []
    truncated = False
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError) as error:
        salvaged = _salvaged(text)
        if salvaged is None:
            return ParseFailed(reason=FetchReason.PARSE_ERROR, detail=f"JSON: {error}"[:200])
        feed, unread, truncated = salvaged
    if not isinstance(feed, dict) or not _VERSION.fullmatch(_text(feed, "version")):
        return ParseFailed(reason=FetchReason.NOT_A_FEED, detail="JSON that is no JSON Feed")
    items = feed.get("items")
    items = items if isinstance(items, list) else []
    url = urls.absolute(_text(feed, "home_page_url"), url) or url
    dates = Dates(_dates(items), language=_text(feed, "language"), now=now)
    entries, problems, unmapped = entries_of(items, _text(feed, "language"), url, dates, _entry)
    unread += unmapped
    kept = _newest(entries)
    return ParsedFeed(
        version="json1",
        title=texts.plain(_text(feed, "title"), markup=False),
        language=texts.language(_text(feed, "language")),
        entries=kept,
        problems=tuple((problems + unread)[:_PROBLEMS]),
        unread=len(unread),
        unread_why=next(iter(unread), ""),
        dates_unread=len(dates.unread),
        date_unread=texts.label(next(iter(dates.unread), "")),
        dropped=len(entries) - len(kept),
        truncated=truncated,
    )


def _salvaged(text: str) -> tuple[dict[str, Any], list[str], bool] | None:
    """A broken document's feed with the items that can be read, what is said of the others, and whether it ends early.

    None where nothing says that it is a JSON Feed.
    """
    start, version = _ITEMS.search(text), _SAID_VERSION.search(text)
    if start is None or version is None:
        return None
    try:
        feed = json.loads(text[: start.end()] + "]}", strict=False)
    except (ValueError, RecursionError):
        feed = {"version": version[1]}
    items, unread, place = [], [], start.end()
    decoder = json.JSONDecoder(strict=False)
    while (begin := _BEGIN.match(text, place)) is not None:
        try:
            item, place = decoder.raw_decode(text, begin.end() - 1)
        except (ValueError, RecursionError) as error:
            place, damaged = begin.end(), f"an entry could not be read: {type(error).__name__}: {error}"[:200]
        else:
            items.append(item)
            if _GOES_ON.match(text, place) is not None:
                continue
            damaged = "something after an entry could not be read"
        unread.append(damaged)
        place = _next_item(text, place, decoder)
    truncated = re.search(r"\]\s*[,}]", text[place:]) is None
    return feed | {"items": items}, unread, truncated


def _next_item(text: str, place: int, decoder: json.JSONDecoder) -> int:
    """The place where the next item that can be read begins; the end of the text if none does."""
    for begin in itertools.islice(_NEXT.finditer(text, place), _TRIES):
        try:
            item, _ = decoder.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            continue
        # What stands within an item, an author or an attachment, has no id.
        if isinstance(item, dict) and "id" in item:
            return begin.start()
    return len(text)


def _dates(items: Iterable[Any]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping):
            yield from (_text(item, "date_published"), _text(item, "date_modified"))


def _entry(item: Mapping[str, Any], language: str, url: str, dates: Dates) -> ParsedEntry:
    if not isinstance(item, Mapping):
        raise TypeError(f"an item is a {type(item).__name__}")
    markup = _text(item, "content_html")
    return ParsedEntry(
        guid=texts.guid(_text(item, "id")),
        link=_link(item, url),
        title=texts.plain(_text(item, "title"), markup=False),
        summary=texts.body(_text(item, "summary"), markup=False),
        content=texts.body(markup) if markup.strip() else texts.body(_text(item, "content_text"), markup=False),
        published=dates.read(_text(item, "date_published")),
        updated=dates.read(_text(item, "date_modified")),
        author=_author(item),
        language=texts.language(_text(item, "language") or language),
    )


def _text(item: Mapping[str, Any], name: str) -> str:
    """A member as text: real feeds write numbers for ids."""
    value = item.get(name)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _link(item: Mapping[str, Any], url: str) -> str:
    candidates = [_text(item, "url"), _text(item, "external_url")]
    if _text(item, "id").lower().startswith(("http://", "https://")):
        candidates.append(_text(item, "id"))
    found = (urls.absolute(candidate.strip(), url) for candidate in candidates if candidate.strip())
    return texts.storable(next((link for link in found if link), ""))


def _author(item: Mapping[str, Any]) -> str:
    authors = item.get("authors")
    people = authors if isinstance(authors, list) else [item.get("author")]
    return texts.label(", ".join(_text(person, "name") for person in people if isinstance(person, Mapping)))


def _newest(entries: Sequence[ParsedEntry]) -> tuple[ParsedEntry, ...]:
    """The newest entries in their order; the first ones where dates are missing."""
    dates = [entry.published or entry.updated for entry in entries]
    ranked = list(range(len(entries)))
    if len(entries) > ENTRIES and None not in dates:
        ranked.sort(key=lambda index: dates[index], reverse=True)  # type: ignore[arg-type,return-value]  # None was ruled out.
    return tuple(entries[index] for index in sorted(ranked[:ENTRIES]))
