"""Articles known before the first poll, from the files that `veille import` reads."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from worker.feeds.normalise.cleaning import clean, cleaned, has_credit_or_head
from worker.model import Cut

#: A line longer than this is no title.
_LONGEST_TITLE = 200
_DATE_LINE = re.compile(r"\s*date[ \t]+(\d{4}(?:-\d{2}(?:-\d{2})?)?)(?![\d-])[ \t]*", re.IGNORECASE)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_PRECISIONS = ("year", "month", "day")


class Unreadable(StrEnum):
    """Reasons for which a line brings no article."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NO_TEXT = "no_text"
    BAD_DATE = "bad_date"
    #: A corpus's `labels` are no table of true and false.
    BAD_LABELS = "bad_labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An article brought from outside."""

    #: As the file gives it, else 16 hex digits of its body's sha256.
    id: str
    #: BCP 47 primary tag, or empty.
    language: str
    #: Aware UTC: the first moment of the year, month or day, where no more is known.
    published: datetime | None
    #: `day`, `month`, `year`; empty where there is no date.
    precision: str
    source: str
    url: str
    title: str
    #: Cleaned of agency marks; paragraphs parted by one empty line.
    body: str
    #: What cleaning took out of it.
    cut: tuple[Cut, ...] = ()


def from_txt(raw: str) -> Known:
    """The article in a text: an optional `date YYYY[-MM[-DD]]`, a title if the first line looks like one, the text."""
    text = raw.removeprefix("\ufeff").replace("\r\n", "\n")
    published, precision = None, ""
    if match := _DATE_LINE.match(text):
        try:
            published, precision = _date(match[1])
        except ValueError:
            # No date after all, so the words stay in the text.
            pass
        else:
            text = text[match.end() :]
    title, text = _titled(text.strip())
    return _known({}, title, text, published, precision)


def from_jsonl_line(line: str, *, title_alone: bool = False) -> Known | Unreadable:
    """The article in a JSON object with `id`, `lang`, `published`, `source`, `url`, `title`, `text`; all but `text`
    may be missing, and with `title_alone` even that, if there is a title.
    """
    fields = _fields(line, title_alone=title_alone)
    return fields if isinstance(fields, Unreadable) else _known(*fields)


def check_jsonl_line(line: str) -> Unreadable | None:
    """The reason why a line brings no article; None if it brings one."""
    fields = _fields(line, title_alone=False)
    return fields if isinstance(fields, Unreadable) else None


_Fields = tuple[dict[str, Any], str, str, datetime | None, str]


def _fields(line: str, *, title_alone: bool) -> _Fields | Unreadable:
    """A line's members, its title, text and date, and the date's precision."""
    try:
        found = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return Unreadable.NOT_JSON
    if not isinstance(found, dict):
        return Unreadable.NOT_AN_OBJECT
    text = _member(found, "text").strip()
    if not text and not (title_alone and _member(found, "title").strip()):
        return Unreadable.NO_TEXT
    published, precision = None, ""
    if date := _member(found, "published").strip():
        try:
            published, precision = _date(date)
        except (ValueError, OverflowError):
            return Unreadable.BAD_DATE
    return found, _member(found, "title"), text, published, precision


def _known(found: dict[str, Any], title: str, text: str, published: datetime | None, precision: str) -> Known:
    clear = cleaned(text)
    body = clear.text
    return Known(
        id=_member(found, "id").strip() or hashlib.sha256(body.encode(errors="replace")).hexdigest()[:16],
        language=_member(found, "lang").strip().replace("_", "-").partition("-")[0].lower(),
        published=published,
        precision=precision,
        source=_member(found, "source").strip(),
        url=_member(found, "url").strip(),
        title=" ".join(clean(title).split()),
        body=body,
        cut=clear.cut,
    )


def _member(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _date(text: str) -> tuple[datetime, str]:
    """A date and its precision; raises ValueError (or OverflowError) for what is none."""
    if match := _PARTIAL.fullmatch(text):
        month, day = (int(part) if part else None for part in match.groups()[1:])
        precision = _PRECISIONS[sum(part is not None for part in (month, day))]
        return datetime(int(match[1]), month or 1, day or 1, tzinfo=UTC), precision
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC), "day"


def _titled(text: str) -> tuple[str, str]:
    """The title and the rest: a short first line before an empty one, unless it is a caption, a head or a sentence."""
    first, gap, rest = text.partition("\n\n")
    looks = gap and "\n" not in first and len(first) <= _LONGEST_TITLE and not first.rstrip().endswith((".", ";", ","))
    if looks and rest.strip() and not has_credit_or_head(first):
        return first, rest
    return "", text
