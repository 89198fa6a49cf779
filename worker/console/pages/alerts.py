"""Alerts: what is not sent yet and why, what became of everything, silences, and who takes care of a story."""

from datetime import timedelta

from starlette.responses import Response
from starlette.routing import Route

from worker.config.fields import Wrong, duration
from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.console.pages.articles import number
from worker.console.views.deliveries import waiting
from worker.console.views.silences import known, unknown
from worker.notify.render import readable
from worker.pipeline.answering import hand_over
from worker.pipeline.content import content
from worker.store import articles, deliveries, ledger_lines, lists, silences, stories
from worker.store.ledger_lines import Outcome
from worker.store.people import HandOver

#: Deliveries and lines of the ledger on a page, and deliveries that one button tries again.
_SHOWN, _RETRIED = 100, 10_000
#: Articles of a delivery that are named.
_CARRIED = 30
#: The longest silence that a form makes.
_LONGEST = timedelta(days=366)
_LONGEST_TEXT = 1_000


def routes(desk: Desk) -> list[Route]:
    """`/alerts` and what lies below it."""
    return [
        page(desk, "/alerts", _open),
        page(desk, "/alerts/ledger", _ledger),
        page(desk, "/alerts/deliveries/{id}", _preview),
        page(desk, "/alerts/retry", _retry, methods=["POST"]),
        page(desk, "/alerts/silences", _silences),
        page(desk, "/alerts/silences/make", _silence, methods=["POST"]),
        page(desk, "/alerts/silences/end", _end, methods=["POST"]),
        page(desk, "/alerts/hand-over", _hand_over, methods=["POST"]),
    ]


def _open(ask: Ask) -> Response:
    """Deliveries that wait, are parked or failed; the failed first, since they wait for a person."""
    with ask.desk.store.read() as tx:
        failed = deliveries.unsent(tx, limit=_SHOWN, states=["failed", "parked"])
        waits = deliveries.unsent(tx, limit=_SHOWN, states=["open", "sealed", "retry"])
        return ask.page(
            "alerts.html",
            failed=waiting(tx, failed, ask.now),
            waits=waiting(tx, waits, ask.now),
            counts=deliveries.counts(tx),
            shown=_SHOWN,
            silenced=len(silences.active(tx, ask.now)),
        )


def _ledger(ask: Ask) -> Response:
    asked = {name: ask.query.get(name, "").strip() for name in ("rule", "target", "outcome")}
    outcome = Outcome(asked["outcome"]) if asked["outcome"] in set(Outcome) else None
    before = ask.number("before") or None
    with ask.desk.store.read() as tx:
        found = ledger_lines.newest(
            tx,
            limit=_SHOWN + 1,
            rule_id=asked["rule"],
            target_id=asked["target"],
            outcome=outcome,
            before=before,
        )
    live = ask.desk.live()
    more = found[_SHOWN - 1].line.id if len(found) > _SHOWN else None
    return ask.page(
        "ledger.html",
        lines=found[:_SHOWN],
        asked=asked,
        more=more,
        outcomes=list(Outcome),
        rules=[rule.id for rule in live.ruleset.written],
        names={rule.id: rule.name for rule in live.ruleset.written},
        targets=[target.id for target in live.config.alerts.targets],
    )


def _preview(ask: Ask) -> Response:
    """An open delivery as it would go out now."""
    live = ask.desk.live()
    with ask.desk.store.read() as tx:
        draft = deliveries.draft(tx, number(ask))
        lines = deliveries.lines(tx, [number(ask)])
        if draft is None or not lines:
            return ask.missing()
        target = live.target(draft.target_id, draft.recipient)
        subject, body = lines[0].subject, ""
        if draft.state == "open" and target is not None:
            made = content(tx, draft, public_url="", now=ask.now, items={})
            subject, body = readable(made, target=target, now=ask.now)
        facts = waiting(tx, lines, ask.now)[0]
        carried = facts["articles"][:_CARRIED]
        named = lists.lines(tx, carried)
    return ask.page("delivery.html", facts=facts, subject=subject, body=body, carried=carried, named=named)


def _retry(ask: Ask) -> Response:
    with ask.desk.store.write() as tx:
        one = ask.number("delivery")
        ids = [one] if one else [line.id for line in deliveries.unsent(tx, states=["failed"], limit=_RETRIED)]
        revived = deliveries.revive(tx, ids, ask.now)
        if revived:
            ask.audit(tx, "retry", "delivery " + ", ".join(map(str, sorted(revived)[:20])))
    return ask.to("/alerts", "retried" if revived else "nothing")


# Silences.


def _silences(ask: Ask, problem: str = "") -> Response:
    live = ask.desk.live()
    with ask.desk.store.read() as tx:
        found = silences.active(tx, ask.now)
        titles = {
            one.story_id: story.title
            for one in found
            if one.story_id is not None and (story := stories.get(tx, one.story_id)) is not None
        }
    return ask.page(
        "silences.html",
        status=400 if problem else 200,
        problem=problem,
        silences=found,
        titles=titles,
        rules=[rule.id for rule in live.ruleset.written],
        sets=sorted(live.ruleset.sets),
        feeds=sorted({feed.name for feed in live.config.feeds}),
        given={**ask.query, **ask.form},
    )


def _silence(ask: Ask) -> Response:
    """One silence, of exactly one thing that there is."""
    live, form = ask.desk.live(), ask.form
    given = {name: form.get(name, "").strip() for name in ("rule", "set", "feed", "story")}
    chosen = [name for name, value in given.items() if value]
    try:
        lasting = duration(form.get("for", ""))
    except Wrong:
        lasting = timedelta()
    if len(chosen) != 1:
        return _silences(ask, "one_thing")
    if not timedelta() < lasting <= _LONGEST:
        return _silences(ask, "how_long")
    what = chosen[0]
    made = silences.Silence(
        rule_id=given["rule"],
        set_name=given["set"],
        feed=given["feed"],
        story_id=ask.number("story") if what == "story" else None,
        until=ask.now + lasting,
        author=ask.caller.name,
        reason=form.get("reason", "").strip()[:_LONGEST_TEXT],
        created=ask.now,
    )
    with ask.desk.store.write() as tx:
        if is_known := not unknown(tx, made, known(live.config, live.ruleset)):
            made_as = silences.add(tx, made)
            ask.audit(tx, "silence", f"{what} {given[what]}", f"silence {made_as}, {form['for']}: {made.reason}")
    return ask.to("/alerts/silences", "silenced") if is_known else _silences(ask, "unknown")


def _end(ask: Ask) -> Response:
    silence = ask.number("silence")
    with ask.desk.store.write() as tx:
        if ended := silences.end(tx, silence, ask.now):
            ask.audit(tx, "silence ended", f"silence {silence}")
    return ask.to("/alerts/silences", "silence_ended" if ended else "nothing")


# Who takes care.


def _hand_over(ask: Ask) -> Response:
    article_id, person = ask.number("article"), ask.form.get("person", "").strip()[:100]
    note = ask.form.get("note", "").strip()[:_LONGEST_TEXT]
    with ask.desk.store.write() as tx:
        article = articles.get(tx, article_id)
        if article is None or not person:
            return ask.missing()
        given = HandOver(article_id=article_id, author=ask.caller.name, person=person, note=note, created=ask.now)
        hand_over(tx, ask.desk.live().config.alerts.targets, given)
        ask.audit(tx, "hand-over", f"article {article_id}", f"{person}: {note}" if note else person)
    return ask.to(f"/articles/{article_id}", "handed_over")
