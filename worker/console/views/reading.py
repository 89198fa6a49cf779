"""An article as its reader sees it: its text with the words that matched, its versions, its copies, its alerts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.console.views.articles import page
from worker.console.views.fates import kind
from worker.console.views.silent import EXPLAINED, Now
from worker.console.views.today import newest
from worker.model import Change, Part, Passage, called, times
from worker.notify.render import changes
from worker.pipeline.context import ActiveConfig
from worker.store import Tx, judgements, ledger, ledger_lines, lists, people, silences, stories
from worker.store import articles as stored
from worker.store.articles import StoredArticle
from worker.store.ledger import StoredMatch

Facts = dict[str, Any]

#: Copies that are listed, and silent rules that are shown unasked.
_COPIES, _SILENT = 50, 5
#: Rules of which is said unasked how near they came: more would keep the reader waiting.
_EXPLAINED = 60
#: Behind an occasion that comes more than once.
_NUMBER = re.compile(r"-\d+$")
Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parts of an article that its reader wants to see."""

    #: Only this rule's words are marked; empty: those of all.
    rule: str = ""
    #: 0: the newest text.
    revision: int = 0
    #: The article that it is compared with; 0: the first that has the same text.
    copy: int = 0
    #: True: all rules that stayed silent are shown, not only the nearest.
    is_whole: bool = False


def shown(tx: Tx, live: ActiveConfig, one: StoredArticle, asked: Asked, now: datetime) -> Facts:
    """All that the page of an article shows."""
    matches = ledger.matches(tx, one.id)
    revision = asked.revision if 0 < asked.revision <= one.revision else one.revision
    title, body = _text(tx, one, revision)
    here = newest(match for match in matches if match.revision == revision)
    marking = [match for match in here if asked.rule in ("", match.rule_id)]
    names = {match.rule_id: match.rule_name for match in matches}
    story_id = stories.story_of(tx, one.id)
    lines = ledger_lines.lines(tx, one.id)
    named = {one.of_id, *(line.wave.article_id for line in lines if line.wave)} - {None}
    silent = _silent(tx, live, one, {match.rule_id for match in matches}, EXPLAINED if asked.is_whole else _EXPLAINED)
    return {
        "one": one,
        "called": called(one.article.title, one.origin, one.name),
        "published": times.known(one.article.published, one.precision),
        "revision": revision,
        "title": Passage(text=title, marks=tuple(_marks(marking, Part.TITLE))),
        "paragraphs": paragraphs(body, _marks(marking, Part.BODY)),
        "here": here,
        "matched": newest(matches),
        "cut": stored.cut_of(tx, one.id, revision),
        "revisions": stored.revisions(tx, one.id),
        "changes": _changed(tx, one, revision),
        "page": page(tx, one.id),
        "story": None if story_id is None else stories.get(tx, story_id),
        "lines": [(line, kind(line), _NUMBER.sub("", line.occasion)) for line in lines],
        "named": lists.lines(tx, {number for number in named if number is not None}),
        "names": names,
        "silent": silent if asked.is_whole else silent[:_SILENT],
        "more_silent": not asked.is_whole and len(silent) > _SILENT,
        "known_rules": {rule.id: rule.name for rule in live.ruleset.written},
        "labels": {said.rule_id: said for said in judgements.of_article(tx, one.id)},
        "notes": people.notes(tx, [one.id]),
        "acknowledged": silences.acknowledged(tx, one.id),
        "muted": None if story_id is None else _mute(tx, story_id, now),
        "handed_over": next(reversed(people.hand_overs(tx, one.id)), None),
        "everybody": people.everybody(tx),
        **_copies(tx, one, asked.copy, (title, body)),
    }


def paragraphs(body: str, marks: Iterable[Range]) -> list[Passage]:
    """A body's paragraphs, each with the marks that stand in it."""
    found, start, left = [], 0, sorted(marks)
    for text in body.split("\n"):
        end = start + len(text)
        inside = tuple((max(a, start) - start, min(b, end) - start) for a, b in left if a < end and b > start)
        if text.strip():
            found.append(Passage(text=text, marks=inside))
        start = end + 1
    return found


def _text(tx: Tx, one: StoredArticle, revision: int) -> tuple[str, str]:
    older = None if revision == one.revision else stored.text_of(tx, one.id, revision)
    return older or (one.article.title, one.article.body)


def _marks(matches: Sequence[StoredMatch], part: Part) -> list[Range]:
    return sorted({word for match in matches for span in match.spans if span.part is part for word in span.words})


def _changed(tx: Tx, one: StoredArticle, revision: int) -> tuple[Change, ...]:
    """The sentences that a text changed of the one before."""
    before = stored.text_of(tx, one.id, revision - 1) if revision > 1 else None
    return changes("\n\n".join(before), "\n\n".join(_text(tx, one, revision))) if before else ()


def _copies(tx: Tx, one: StoredArticle, asked: int, text: tuple[str, str]) -> Facts:
    """The articles of the same text, and how one of them differs."""
    found = lists.copies(tx, one.id, limit=_COPIES)
    ids = [line.id for line in found]
    chosen = asked if asked in ids else next(iter(ids), 0)
    other = stored.get(tx, chosen) if chosen else None
    if other is None or not other.revision or not one.revision:
        return {"copies": found, "compared": 0, "differs": None}
    differs = changes(f"{other.article.title}\n\n{other.article.body}", "\n\n".join(text))
    return {"copies": found, "compared": chosen, "differs": differs}


def _mute(tx: Tx, story_id: int, now: datetime) -> silences.Silence | None:
    """The mute of a story that is in force."""
    found = silences.of_story(tx, story_id)
    return next((one for one in reversed(found) if one.until is None or one.until > now), None)


def _silent(tx: Tx, live: ActiveConfig, one: StoredArticle, matched: set[str], explained: int) -> list[Facts]:
    return Now(tx, live, one).silent(matched, explained=explained) if one.origin == "feed" else []
