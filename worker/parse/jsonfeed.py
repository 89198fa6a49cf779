"""JSON Feed 1 and 1.1 (jsonfeed.org)."""

import json
import re
from collections.abc import Mapping
from typing import Any

from worker import urls
from worker.model import FetchReason, ParsedEntry, ParsedFeed
from worker.parse import texts
from worker.parse.failure import ParseFailed
from worker.parse.syndication import ENTRIES

_VERSION = re.compile(r"https?://(?:www\.)?jsonfeed\.org/version/1(?:\.\d+)?/?")
_PROBLEMS = 10


def parse(text: str, url: str) -> ParsedFeed | ParseFailed:
    """The feed in a JSON document."""
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError) as error:
        return ParseFailed(reason=FetchReason.PARSE_ERROR, detail=f"JSON: {error}"[:200])
    if not isinstance(feed, dict) or not _VERSION.fullmatch(_text(feed, "version")):
        return ParseFailed(reason=FetchReason.NOT_A_FEED, detail="JSON that is no JSON Feed")
    items = feed.get("items")
    entries: list[ParsedEntry] = []
    problems: list[str] = []
    unread: list[str] = []
    for number, item in enumerate(items if isinstance(items, list) else [], 1):
        try:
            entry = _entry(item, _text(feed, "language"), url)
        except Exception as error:  # noqa: BLE001 - one bad entry never loses its siblings; it is reported.
            unread.append(f"entry {number} could not be read: {type(error).__name__}: {error}"[:200])
            continue
        if entry.guid or entry.link or entry.title or entry.summary or entry.content:
            entries.append(entry)
        else:
            problems.append(f"entry {number} is empty")
    kept = _newest(entries)
    return ParsedFeed(
        version="json1",
        title=texts.plain(_text(feed, "title"), markup=False),
        language=texts.language(_text(feed, "language")),
        entries=kept,
        problems=tuple((problems + unread)[:_PROBLEMS]),
        unread=len(unread),
        unread_why=next(iter(unread), ""),
        dropped=len(entries) - len(kept),
    )


def _entry(item: Mapping[str, Any], language: str, url: str) -> ParsedEntry:
    if not isinstance(item, Mapping):
        raise TypeError(f"an item is a {type(item).__name__}")
    markup = _text(item, "content_html")
    return ParsedEntry(
        guid=texts.guid(_text(item, "id")),
        link=_link(item, url),
        title=texts.plain(_text(item, "title"), markup=False),
        summary=texts.body(_text(item, "summary"), markup=False),
        content=texts.body(markup) if markup else texts.body(_text(item, "content_text"), markup=False),
        published=texts.moment(None, _text(item, "date_published")),
        updated=texts.moment(None, _text(item, "date_modified")),
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


def _newest(entries: list[ParsedEntry]) -> tuple[ParsedEntry, ...]:
    """The newest entries in their order; the first ones where dates are missing."""
    dates = [entry.published or entry.updated for entry in entries]
    ranked = list(range(len(entries)))
    if len(entries) > ENTRIES and None not in dates:
        ranked.sort(key=lambda index: dates[index], reverse=True)  # type: ignore[arg-type,return-value]  # None was ruled out.
    return tuple(entries[index] for index in sorted(ranked[:ENTRIES]))
