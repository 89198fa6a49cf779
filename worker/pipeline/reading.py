"""read(entries): their HTML into articles, in one call for a child process, since hostile text may stall it."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker import text
from worker.extract import texts
from worker.model import Article, StoredEntry
from worker.normalise import normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An entry with its feed's name and language, as the configuration has them."""

    entry: StoredEntry
    source: str
    language: str = ""


def read(batch: Sequence[Unread]) -> tuple[Article | str, ...]:
    """The article of each entry, or what went wrong with it."""
    return tuple(_attempted(unread) for unread in batch)


def _attempted(unread: Unread) -> Article | str:
    try:
        return _article(unread)
    except MemoryError:
        raise  # the child is spent; the next one is asked entry by entry
    except Exception as e:  # noqa: BLE001 - whatever one entry does, the others go on
        return f"{type(e).__name__}: {e}"


def _article(unread: Unread) -> Article:
    """The article in the page's text, else in the longer of content and summary."""
    entry, parsed = unread.entry, unread.entry.parsed
    plain = entry.page_text or texts([(max(parsed.content, parsed.summary, key=len), parsed.link)])[0]
    return normalise(entry, plain, source=unread.source, language=unread.language, detect=text.detect)
