"""Search over everything stored: words or the rule language, filters in the address, and exports."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.responses import Response
from starlette.routing import Route

from worker.analysis.text import LANGUAGES
from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.console.views import search
from worker.console.views.search import As, Found, Hit, Question
from worker.model import called
from worker.store.finding import Filters, Place

#: Articles on a page and in an export, and candidates that are read for an export.
_SHOWN, _EXPORTED, _READ = 25, 500, 2_000
#: What narrows a search, in the order in which it is shown.
NARROWING = ("since", "until", "outlet", "feed", "tag", "language", "rule", "story")
#: First characters of a cell that a spreadsheet would take for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_PARTED = re.compile(r"(;\s*)([=+\-@＝＋－＠])")
_COLUMNS = ("number", "published", "outlet", "title", "passage", "language", "link")


def routes(desk: Desk) -> list[Route]:
    """`/search`."""
    return [page(desk, "/search", _search)]


@dataclass(frozen=True, slots=True)
class _Tag:
    """A filter that is in force, and the address without it."""

    name: str
    value: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Searched:
    """Everything that the address asks for."""

    given: Mapping[str, str]
    question: Question
    filters: Filters
    after: Place | None
    #: Names of the filters that cannot be read.
    wrong: Sequence[str] = ()

    def address(self, **other: str) -> str:
        """The address of the same search with other values; empty ones are left out, and the place in it too."""
        values = {"after": "", "format": "", **other}
        kept = {name: value for name, value in {**self.given, **values}.items() if value}
        return f"/search?{urlencode(kept)}"

    @property
    def tags(self) -> list[_Tag]:
        """The filters in force."""
        return [_Tag(name, self.given[name], self.address(**{name: ""})) for name in NARROWING if name in self.given]


def _search(ask: Ask) -> Response:
    asked = _read(ask)
    form = ask.query.get("format", "")
    is_export = form in _EXPORTS
    found = Found()
    if not asked.wrong:
        limit, most = (_EXPORTED, _READ) if is_export else (_SHOWN, search.MOST_READ)
        ruleset = ask.desk.live().ruleset
        found = search.answer(
            ask.desk.store, asked.question, asked.filters, ruleset, limit=limit, after=asked.after, most=most
        )
    if is_export and not asked.wrong:
        return _EXPORTS[form](ask, asked, found)
    live = ask.desk.live()
    return ask.page(
        "search.html",
        asked=asked,
        question=asked.question,
        found=found,
        on=asked.address(after=_written(found.after)) if found.after else "",
        other=asked.address(**{"as": As.WORDS if asked.question.read_as is As.RULE else As.RULE}),
        faults=_lines(asked.question),
        narrowing=NARROWING,
        feeds=sorted({feed.name for feed in live.config.feeds}),
        feed_tags=sorted({tag for feed in live.config.feeds for tag in feed.tags}),
        languages=LANGUAGES,
        rules=live.ruleset.written,
        exports=tuple((name, asked.address(format=name)) for name in _EXPORTS),
        title_of=_title_of,
    )


def _read(ask: Ask) -> _Searched:
    names = ("q", "as", *NARROWING, "after")
    given = {name: value for name in names if (value := ask.query.get(name, "").strip())}
    live = ask.desk.live()
    chosen = As(given["as"]) if given.get("as") in set(As) else None
    readers = {"since": _day, "until": _day, "story": _number}
    wrong = [name for name, read in readers.items() if name in given and read(given[name]) is None]
    since, until = (_midnight(_day(given.get(name, "")), ask.zone, days) for name, days in (("since", 0), ("until", 1)))
    return _Searched(
        given=given,
        question=search.question(given.get("q", ""), live.ruleset, chosen),
        filters=Filters(
            since=since,
            until=until,
            outlet=given.get("outlet", ""),
            feeds=search.feed_keys(live.config.feeds, given.get("feed", ""), given.get("tag", "")),
            language=given.get("language", ""),
            rule=given.get("rule", ""),
            story=_number(given.get("story", "")),
        ),
        after=_place(given.get("after", "")),
        wrong=wrong,
    )


def _day(said: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(said)
    return None


def _midnight(day: date | None, zone: ZoneInfo, days: int) -> datetime | None:
    """The beginning of a day, or of one of those after it, for the reader."""
    with suppress(OverflowError):
        return None if day is None else datetime.combine(day + timedelta(days=days), time(), zone)
    return None


def _number(said: str) -> int | None:
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else None


def _written(place: Place) -> str:
    return f"{place.published.isoformat()}_{place.id}"


def _place(said: str) -> Place | None:
    moment, _, number = said.rpartition("_")
    with suppress(ValueError):
        at, article = datetime.fromisoformat(moment), _number(number)
        return Place(at, article) if at.tzinfo is not None and article is not None else None
    return None


def _lines(question: Question) -> list[Mapping[str, str]]:
    """The mistakes of a query, each with its line and a caret under it."""
    faults = question.faults or question.almost
    return [search.pointed(question.asked, fault) for fault in faults]


def _title_of(hit: Hit) -> str:
    return called(hit.title.text, hit.stored.origin, hit.stored.name)


# Exports.


def _csv(ask: Ask, _asked: _Searched, found: Found) -> Response:
    """CSV (RFC 4180) with a byte order mark, as spreadsheets take it for Latin text without."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(_COLUMNS)
    rows.writerows([_harmless(cell) for cell in _cells(hit)] for hit in found.hits)
    return _download(ask, ("\ufeff" + written.getvalue()).encode(), "text/csv", "csv")


def _cells(hit: Hit) -> Iterator[str]:
    one = hit.facts()
    passage = " … ".join(passage.text for passage in hit.passages)
    yield from (str(one["id"]), _as_text(one["published"]), one["source"], _title_of(hit), passage)
    yield from (one["language"], one["link"])


def _harmless(cell: str) -> str:
    # Where a spreadsheet parts cells at semicolons, what follows one begins a cell.
    cell = _PARTED.sub(r"\1'\2", cell)
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _json(ask: Ask, asked: _Searched, found: Found) -> Response:
    value = {
        "asked": asked.given,
        "read_as": asked.question.read_as,
        "read": found.read,
        "next": asked.address(format="json", after=_written(found.after)) if found.after else None,
        "articles": [hit.facts() for hit in found.hits],
    }
    written = json.dumps(value, ensure_ascii=False, indent=2, default=_as_text).encode("utf-8", "backslashreplace")
    return _download(ask, written, "application/json", "json")


def _download(ask: Ask, content: bytes, kind: str, ending: str) -> Response:
    name = f"veille-{ask.now.astimezone(ask.zone):%Y-%m-%d}.{ending}"
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _brief(ask: Ask, asked: _Searched, found: Found) -> Response:
    return ask.page("search_brief.html", asked=asked, found=found, title_of=_title_of)


_EXPORTS = {"csv": _csv, "json": _json, "brief": _brief}
