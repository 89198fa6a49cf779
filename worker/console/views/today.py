"""The stories of a span of time, each with its outlets, what matched in which words, and what became of the alerts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from worker.console.spans import Span
from worker.console.views.fates import Fate, fates
from worker.model import Part, Passage
from worker.notify.render.passages import clip, tidy
from worker.store import Tx, ledger, ledger_lines, lists
from worker.store.ledger import StoredMatch
from worker.store.ledger_lines import LedgerLine
from worker.store.lists import Line, Place
from worker.store.people import HandOver, Note

T = TypeVar("T", StoredMatch, LedgerLine, Note)

#: Characters of a passage in a list, and passages of one story.
_PASSAGE, _PASSAGES = 220, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A story in a list; an article without story stands for itself."""

    #: Of its page.
    address: str
    title: str
    at: datetime
    outlets: tuple[str, ...]
    #: Articles of the span, and how many of them are copies.
    articles: int
    copies: int
    #: Of each rule one, the most severe first.
    matched: tuple[StoredMatch, ...]
    passages: tuple[Passage, ...]
    fates: tuple[Fate, ...]
    #: Who acknowledged it; empty: nobody.
    acknowledged: str
    #: The last hand-over: whose it is now.
    handed_over: HandOver | None
    #: It came since its reader's last visit.
    is_new: bool


def entries(
    tx: Tx, span: Span, *, limit: int, after: Place | None, matched: bool, visited: datetime | None
) -> tuple[list[Entry], Place | None]:
    """The stories of a span, the last one first, and the place behind which the next page goes on; None: it is all."""
    found = lists.stories(tx, *span, limit=limit + 1, after=after, matched=matched)
    shown = found[:limit]
    of_story: dict[int, list[Line]] = {}
    ids = [one.id for one in shown if one.id is not None]
    for line in lists.articles(tx, ids, *span):
        of_story.setdefault(line.story_id or 0, []).append(line)
    members = {one.last.id: of_story.get(one.id or 0) or [one.last] for one in shown}
    all_ids = [line.id for lines in members.values() for line in lines]
    matches = by_article(ledger.matches_of(tx, all_ids))
    lines = by_article(ledger_lines.lines_of(tx, matches))
    acknowledged, handed_over = lists.acknowledged(tx, shown), lists.handed_over(tx, shown)
    made = []
    for one in shown:
        articles = members[one.last.id]
        mine = newest(match for line in articles for match in matches.get(line.id, ()))
        made.append(
            Entry(
                address=f"/articles/{one.last.id}" if one.id is None else f"/stories/{one.id}",
                title=one.title,
                at=one.last.first_seen,
                outlets=tuple(dict.fromkeys(line.source for line in articles if line.source)),
                articles=len(articles),
                copies=sum(line.of_id is not None for line in articles),
                matched=tuple(mine),
                passages=_passages(mine),
                fates=tuple(fates(line for article in articles for line in lines.get(article.id, ()))),
                acknowledged=acknowledged.get(one.last.id, ""),
                handed_over=handed_over.get(one.last.id),
                is_new=visited is not None and one.last.first_seen > visited,
            )
        )
    last = shown[-1].last if len(found) > limit else None
    return made, None if last is None else (last.first_seen, last.id)


def newest(matches: Iterable[StoredMatch]) -> list[StoredMatch]:
    """Of each rule the last match, the most severe first."""
    last = {match.rule_id: match for match in matches}
    return sorted(last.values(), key=lambda match: (-match.severity.rank, match.rule_name))


def excerpt(match: StoredMatch, size: int = _PASSAGE) -> Passage:
    """The text around a match's first words in the body; the title, where the match is there alone."""
    for part, text in ((Part.BODY, match.body), (Part.TITLE, match.title)):
        marks = sorted({word for span in match.spans if span.part is part for word in span.words})
        if marks:
            return tidy(clip(Passage(text=text, marks=tuple(marks)), size))
    return Passage(text="")


def _passages(matches: Sequence[StoredMatch]) -> tuple[Passage, ...]:
    found = dict.fromkeys(excerpt(match) for match in matches)
    return tuple(passage for passage in found if passage.text)[:_PASSAGES]


def by_article(found: Iterable[T]) -> dict[int, list[T]]:
    """Matches, lines of the ledger or notes by article."""
    grouped: dict[int, list[T]] = {}
    for one in found:
        grouped.setdefault(one.article_id, []).append(one)
    return grouped
