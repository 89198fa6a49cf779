"""An article: its text, what became of it and why, and what its reader says of it."""

from datetime import timedelta

from starlette.responses import Response
from starlette.routing import Route

from worker.alerts.answers import Action, Answer
from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.console.views.reading import Asked, shown
from worker.model import Judgement
from worker.pipeline.answering import acknowledge, mute, notify_readers
from worker.store import Tx, articles, judgements, people

#: Characters of a note; days for which a story may be muted.
_NOTE, _DAYS = 10_000, (1, 7, 30, 90)
#: In the place of a judgement: none.
_TAKEN_BACK = "none"


def routes(desk: Desk) -> list[Route]:
    """`/articles/ID`, and the forms that stand there."""
    forms = {"note": _note, "label": _label, "acknowledge": _acknowledge, "mute": _mute}
    return [
        page(desk, "/articles/{id}", _article),
        *(page(desk, f"/articles/{{id}}/{name}", form, methods=["POST"]) for name, form in forms.items()),
    ]


def _article(ask: Ask) -> Response:
    asked = Asked(
        rule=ask.query.get("rule", ""),
        revision=ask.number("revision"),
        copy=ask.number("copy"),
        is_whole=ask.query.get("silent") == "all",
    )
    with ask.desk.store.read() as tx:
        one = articles.get(tx, number(ask))
        found = None if one is None else shown(tx, ask.desk.live(), one, asked, ask.now)
    return ask.missing() if found is None else ask.page("article.html", asked=asked, days=_DAYS, **found)


def number(ask: Ask) -> int:
    """The number in the address; 0, which nothing has, for what no store could give."""
    said: str = ask.path["id"]
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0


def _note(ask: Ask) -> Response:
    text = ask.form.get("text", "").strip()[:_NOTE]
    with ask.desk.store.write() as tx:
        if articles.get(tx, number(ask)) is None:
            return ask.missing()
        if text:
            people.add_note(tx, number(ask), text, author=ask.caller.name, now=ask.now)
            ask.audit(tx, "note", f"article {number(ask)}", text[:200])
    return ask.to(f"/articles/{number(ask)}", "noted" if text else "")


def _label(ask: Ask) -> Response:
    rule, said = ask.form.get("rule", ""), ask.form.get("judgement", "")
    known = {one.id for one in ask.desk.live().ruleset.written}
    with ask.desk.store.write() as tx:
        if articles.get(tx, number(ask)) is None:
            return ask.missing()
        if said == _TAKEN_BACK:
            if taken := judgements.take_back(tx, number(ask), rule):
                ask.audit(tx, "label taken back", f"article {number(ask)}", rule)
            return ask.to(f"/articles/{number(ask)}", "label_taken_back" if taken else "nothing")
        if said not in list(Judgement) or rule not in known:
            return ask.missing()
        judgements.judge(tx, number(ask), rule, Judgement(said), ask.now, author=ask.caller.name)
        ask.audit(tx, "label", f"article {number(ask)}", f"{said} for {rule}")
    return ask.to(f"/articles/{number(ask)}", "labelled")


def _acknowledge(ask: Ask) -> Response:
    with ask.desk.store.write() as tx:
        if articles.get(tx, number(ask)) is None:
            return ask.missing()
        before = acknowledge(tx, number(ask), ask.caller.name, ask.now)
        if before is None:
            _tell(ask, tx, Action.ACKNOWLEDGE)
            ask.audit(tx, "acknowledge", f"article {number(ask)}")
    return ask.to(f"/articles/{number(ask)}", "acknowledged_before" if before else "acknowledged")


def _mute(ask: Ask) -> Response:
    days = ask.number("days")
    with ask.desk.store.write() as tx:
        if days not in _DAYS or articles.get(tx, number(ask)) is None:
            return ask.missing()
        lasting = timedelta(days=days)
        muted = mute(tx, number(ask), ask.now, author=ask.caller.name, lasting=lasting)
        if muted is None:
            return ask.missing()
        if muted.new:
            _tell(ask, tx, Action.MUTE)
            ask.audit(tx, "mute story", f"story {muted.story_id}", f"{days} days, by article {number(ask)}")
    return ask.to(f"/articles/{number(ask)}", "muted" if muted.new else "muted_before")


def _tell(ask: Ask, tx: Tx, action: Action) -> None:
    said = Answer(action=action, article_id=number(ask), recipient=ask.caller.name, rules=())
    notify_readers(tx, ask.desk.live().config.alerts.targets, said, ask.now)
