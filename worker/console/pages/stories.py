"""A story: its time line, what matched and was sent, what is perhaps the same, and the corrections that people make."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.console.pages.articles import number
from worker.console.views.fates import fates
from worker.console.views.today import by_article, excerpt, newest
from worker.pipeline import story_corrections
from worker.pipeline.story_corrections import By, Done, Refused
from worker.store import Tx, ledger, ledger_lines, lists, people, stories
from worker.store.stories import StoredStory

#: Articles of a time line; characters of a reason.
_LINES, _NOTE = 500, 500


def routes(desk: Desk) -> list[Route]:
    """`/stories/ID`, and the forms that stand there."""
    forms = {"merge": _merge, "split": _split, "move": _move}
    return [
        page(desk, "/stories/{id}", _story),
        *(page(desk, f"/stories/{{id}}/{name}", form, methods=["POST"]) for name, form in forms.items()),
    ]


def _story(ask: Ask) -> Response:
    with ask.desk.store.read() as tx:
        one = stories.get(tx, number(ask))
        if one is None:
            return ask.missing()
        if not one.articles:
            into = stories.live(tx, one.id)
            return ask.missing() if into is None or into == one.id else ask.to(f"/stories/{into}")
        facts = _facts(tx, one)
    return ask.page("story.html", **facts)


def _facts(tx: Tx, one: StoredStory) -> dict[str, Any]:
    lines = stories.lines(tx, one.id, limit=_LINES + 1)
    ids = [line.article_id for line in lines[:_LINES]]
    found = ledger.matches_of(tx, ids)
    matches = {article_id: newest(some) for article_id, some in by_article(found).items()}
    sent = by_article(ledger_lines.lines_of(tx, matches))
    corrections = stories.of_story(tx, one.id)
    named = {line.of_id for line in lines if line.of_id is not None} | {one.article_id for one in corrections}
    return {
        "story": one,
        "lines": lines[:_LINES],
        "is_more": len(lines) > _LINES,
        "matches": matches,
        "passages": {number: excerpt(some[0]) for number, some in matches.items()},
        "matched": newest(found),
        "fates": {number: fates(some) for number, some in sent.items()},
        "notes": by_article(people.notes(tx, ids)),
        "pointing": stories.pointing(tx, one.id),
        "corrections": corrections,
        "named": lists.lines(tx, {number for number in named if number is not None}),
    }


def _merge(ask: Ask) -> Response:
    other = ask.number("other")
    return _corrected(ask, lambda tx, by: story_corrections.merge(tx, ask.desk.live(), number(ask), other, by))


def _split(ask: Ask) -> Response:
    article = ask.number("article")
    return _corrected(ask, lambda tx, by: story_corrections.split(tx, ask.desk.live(), article, by))


def _move(ask: Ask) -> Response:
    article, to = ask.number("article"), ask.number("to")
    return _corrected(ask, lambda tx, by: story_corrections.move(tx, ask.desk.live(), article, to, by))


def _corrected(ask: Ask, correct: Callable[[Tx, By], Done | Refused]) -> Response:
    """The story that a correction leads to; or the page that says why nothing was changed."""
    by = By(author=ask.caller.name, note=ask.form.get("note", "").strip()[:_NOTE], now=ask.now)
    with ask.desk.store.ingest() as tx:
        done = correct(tx, by)
        if isinstance(done, Refused):
            return ask.page("refused.html", status=409, reason=done.name, back=f"/stories/{number(ask)}")
        what = f"{done.from_id} to {done.to_id}" + (
            f", articles {', '.join(map(str, done.moved))}" if done.moved else ""
        )
        ask.audit(tx, f"story {done.kind}", f"story {number(ask)}", what)
    said = {"merge": "merged", "move": "moved", "split": "split" if done.moved else "parted"}
    return ask.to(f"/stories/{done.to_id}", said[done.kind])
