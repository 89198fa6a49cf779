"""The stored articles: known before the first poll, shipped as facts, never as text.

`five.json` is written by `python -m worker.analysis.archive.generate FOLDER`, which alone reads their texts.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveArticle:
    """A stored article as it ships."""

    #: Its name in the archive: `000` to `004`.
    id: str
    #: Aware UTC; the first instant of the month or day that is known.
    published: datetime
    #: `day` or `month`: how much of `published` is known.
    precision: str
    source: str
    #: BCP 47 primary tag.
    language: str
    #: Empty where the article has none of its own.
    title: str
    #: Opaque: `analysis.copies.from_archive` reads it.
    fingerprint: str
    #: Opaque: `analysis.stories.from_archive` reads it.
    terms: str


def load() -> tuple[ArchiveArticle, ...]:
    """The stored articles, by id."""
    text = files(__package__).joinpath("five.json").read_text(encoding="utf-8")
    return tuple(_article(record) for record in json.loads(text))


def _article(record: dict[str, str]) -> ArchiveArticle:
    date = record["published"]
    is_day = len(date) == len("2026-02-06")
    return ArchiveArticle(
        id=record["id"],
        published=datetime.fromisoformat(date if is_day else f"{date}-01").replace(tzinfo=UTC),
        precision="day" if is_day else "month",
        source=record["source"],
        language=record["language"],
        title=record["title"],
        fingerprint=record["fingerprint"],
        terms=record["terms"],
    )
