"""Everything that matched in a span of time, by rule or by story, with what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.console.spans import Span
from worker.console.views.fates import Fate, fates
from worker.console.views.today import by_article
from worker.model import Severity
from worker.store import Tx, ledger_lines, lists
from worker.store.ledger_lines import LedgerLine
from worker.store.lists import Line, MatchLine


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedLine:
    """An article that matched in a span, in a list."""

    article: Line
    at: datetime
    matched: tuple[MatchLine, ...]
    fates: tuple[Fate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The articles that a rule matched, or the matched ones of a story."""

    address: str
    title: str
    #: None: it is a story.
    severity: Severity | None
    lines: tuple[MissedLine, ...]


def missed(tx: Tx, span: Span, *, by: str, limit: int) -> tuple[list[Group], bool]:
    """Everything that matched in a span, by `rule` or by `story`, the first one first; and True where there is more."""
    found = lists.matches(tx, *span, limit=limit + 1)
    is_more = len(found) > limit
    shown = tuple(reversed(found[:limit]))
    lines = by_article(ledger_lines.lines_of(tx, {one.article.id for one in shown}))
    grouped: dict[str, list[MatchLine]] = {}
    for one in shown:
        grouped.setdefault(one.rule_id if by == "rule" else _address(one), []).append(one)
    groups = [_group(some, lines, by) for some in grouped.values()]
    return sorted(groups, key=lambda one: -one.severity.rank if one.severity else 0), is_more


def _group(some: Sequence[MatchLine], lines: dict[int, list[LedgerLine]], by: str) -> Group:
    first, rule = some[0], some[0].rule_id if by == "rule" else ""
    articles: dict[int, list[MatchLine]] = {}
    for one in some:
        articles.setdefault(one.article.id, []).append(one)
    return Group(
        address=f"/rules/{rule}" if rule else _address(first),
        title=first.rule_name if rule else first.story_title or first.article.title,
        severity=max((one.severity for one in some), key=lambda one: one.rank) if rule else None,
        lines=tuple(
            MissedLine(
                article=of_one[0].article,
                at=of_one[0].created,
                matched=tuple(of_one),
                fates=tuple(fates(line for line in lines.get(number, ()) if rule in ("", line.rule_id))),
            )
            for number, of_one in articles.items()
        ),
    )


def _address(one: MatchLine) -> str:
    story = one.article.story_id
    return f"/articles/{one.article.id}" if story is None else f"/stories/{story}"
