"""From an entry and its text to an article: clean text, title, date, language."""

import re
import unicodedata
from collections.abc import Callable, Collection
from datetime import datetime

from worker.analysis.text.folding import normal
from worker.feeds.normalise.cleaning import Cleaned, clean, cleaned
from worker.feeds.normalise.imports import Known, Unreadable, check_jsonl_line, from_jsonl_line, from_txt
from worker.model import Article, Cut, CutKind, StoredEntry
from worker.net import urls

__all__ = [
    "Cleaned",
    "Known",
    "Unreadable",
    "check_jsonl_line",
    "clean",
    "cleaned",
    "from_jsonl_line",
    "from_txt",
    "normalise",
]

#: Sites that add their name to every title, whatever the feed is called in the configuration.
SITES = ("Vietnam+ (VietnamPlus)", "VietnamPlus", "Vietnam+", "Le Courrier du Vietnam", "VOVWORLD", "VOV5",
         "Nhân Dân en ligne", "Nhan Dan Online")  # fmt: skip
_SUFFIX = re.compile(r"^(.*\S)\s+[-–—|:]\s+([^|]{2,60})$")
#: A title shorter than this may be the site's own page.
_SHORTEST = 10


def normalise(
    entry: StoredEntry,
    text: str,
    *,
    links: Collection[str] | None = None,
    captions: Collection[str] = (),
    teasers: str = "",
    source: str,
    language: str,
    detect: Callable[[str, str, str], str],
) -> Article:
    """The article behind an entry whose extracted text is `text`, with its `links` and `captions` (see `extract`).

    `teasers`: other articles that stood behind it on its page.

    `source` is the feed's name and `language` its configured one. Without it `detect(title, text, claimed)` decides.
    Dates never lie after `first_seen`. A text without any word but its captions' is made of these.
    """
    parsed = entry.parsed
    title = _title(parsed.title, (source, *SITES))
    found = cleaned(text or "\n\n".join(captions), links)
    body, cut = _without_title(found.text, title)
    tag = language.replace("_", "-").partition("-")[0].lower()
    return Article(
        title=title,
        body=body,
        language=tag or detect(title, body, parsed.language.replace("_", "-")),
        published=_published(parsed.published or parsed.updated, entry.first_seen),
        first_seen=entry.first_seen,
        url=urls.key(parsed.link) if parsed.link else "",
        link=parsed.link,
        source=source,
        cut=(
            *(Cut(kind=CutKind.CAPTION, text=caption) for caption in captions if text),
            *found.cut,
            *cut,
            *((Cut(kind=CutKind.RELATED, text=teasers),) if teasers else ()),
        ),
    )


def _published(claimed: datetime | None, first_seen: datetime) -> datetime:
    return min(claimed, first_seen) if claimed is not None else first_seen


def _title(title: str, sites: tuple[str, ...]) -> str:
    """The title in one line, without the name of its site at the end."""
    title = " ".join(title.split())
    names = {_folded(site) for site in sites if site}
    while (found := _SUFFIX.match(title)) and _folded(found[2]) in names and len(found[1]) >= _SHORTEST:
        title = found[1]
    return title


def _without_title(body: str, title: str) -> tuple[str, tuple[Cut, ...]]:
    """The body without a first paragraph that only repeats the title, and that paragraph."""
    first, _, rest = body.partition("\n\n")
    if rest and title and _folded(first) == _folded(title):
        return rest, (Cut(kind=CutKind.TITLE, text=first),)
    return body, ()


def _folded(text: str) -> str:
    plain = normal("NFKD", text.casefold())
    return " ".join(re.sub(r"[^\w+]+", " ", "".join(c for c in plain if not unicodedata.combining(c))).split())
