"""Texts and dates as the store can hold them: no control characters, no lone surrogates, bounded, in UTC."""

import calendar
import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from worker.parse import markup as markup_

#: Characters; a title beyond this is no title.
TITLE = 1_000
_LABEL = 200
_GUID = 2_048

#: Vertical tab, form feed, the separators and NEL part words; other controls carry nothing and are shown as missing.
_BLANKS = dict.fromkeys((0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x1F, 0x85), " ")
_CONTROLS = {
    **{code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0), 0xFFFE, 0xFFFF) if chr(code) not in "\t\n\r"},
    **_BLANKS,
}
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Embeddings, overrides and isolates would reorder the line that a title stands in (UAX 9).
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")

_SPACES = re.compile(r"\s+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_YEAR = re.compile(r"\s*([+-]?\d{4,6})-\d")
#: Vietnamese servers like to write the zone as an offset from GMT, which no RFC allows.
_OFFSET = re.compile(r"\s*(?:GMT|UTC)?\s*([+-])(\d{1,2}):?(\d{2})?$")


def storable(text: str) -> str:
    """`text` without NUL, control characters but tab and newline, and lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def plain(text: str, *, markup: bool, limit: int = TITLE) -> str:
    """One line of plain text, from HTML with `markup`; what was escaped once too often is read as it was meant."""
    text = markup_.shown(text if markup else html.escape(text, quote=False))
    text = _BIDI.sub("", storable(text))
    return _SPACES.sub(" ", text[: limit * 4]).strip()[:limit].rstrip()


def label(text: str) -> str:
    """A name, such as an author's: one short line of plain text."""
    return plain(text, markup=True, limit=_LABEL)


def guid(text: str) -> str:
    """An identifier as published."""
    return storable(text).strip()[:_GUID]


def body(text: str, *, markup: bool = True) -> str:
    """A summary or content as HTML with at most 256 KiB of text; plain text that could be read as markup is escaped."""
    text = storable(text).strip()
    if not markup and ("<" in text or "&" in text):
        text = html.escape(text, quote=False)
    return markup_.bounded(markup_.once(text))


def language(tag: str) -> str:
    """A BCP 47 tag (RFC 5646), or nothing."""
    tag = tag.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) and tag.lower() != "und" else ""


def moment(parsed: tuple[int, ...] | None, raw: str) -> datetime | None:
    """A date in UTC from feedparser's reading of it, else from its text; None where neither gives one.

    Years before 1971 are placeholders (year 1, the epoch), not dates.
    """
    if (written := _YEAR.match(raw)) is not None and parsed is not None and abs(int(written[1]) - parsed[0]) > 1:
        # feedparser takes the year 0000, which databases write for no date, for 2000.
        return None
    if parsed is not None:
        return _placed(lambda: datetime.fromtimestamp(calendar.timegm(parsed), UTC))
    raw = raw.strip()
    return _placed(lambda: _aware(datetime.fromisoformat(raw))) or _placed(
        lambda: _aware(parsedate_to_datetime(_OFFSET.sub(_offset, raw)))
    )


def _placed(read: Callable[[], datetime]) -> datetime | None:
    try:
        found = read()
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return None
    return found if 1970 < found.year < 9999 else None


def _aware(found: datetime) -> datetime:
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _offset(match: re.Match[str]) -> str:
    return f" {match[1]}{match[2]:0>2}{match[3] or '00'}"
