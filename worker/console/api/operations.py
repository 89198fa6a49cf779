"""Operations of the API: one table, from which its routes and its description are made."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from worker.alerts.answers import Action, Answer
from worker.console.api import asked, shapes
from worker.console.api.calls import Call, Facts, Operation, cursor, place
from worker.console.api.problems import ProblemError, Reason
from worker.console.views import articles as article_views
from worker.console.views import silences as silence_views
from worker.console.views import state, why
from worker.console.views import stories as story_views
from worker.console.views.deliveries import waiting
from worker.console.views.search import feed_keys
from worker.errors import UserError
from worker.pipeline.answering import acknowledge, notify_readers
from worker.store import (
    Tx,
    articles,
    deliveries,
    finding,
    judgements,
    ledger,
    ledger_lines,
    notification_history,
    people,
    search,
    silences,
    stories,
)
from worker.store.ledger_lines import TitledLine
from worker.store.people import Change, Scope

#: For which figures are counted, unless the call says otherwise.
_PERIOD = timedelta(days=90)


def _articles(call: Call) -> Facts:
    wanted: asked.ArticlesAsked = call.query
    terms = search.read(wanted.words)
    if wanted.words and not terms:  # none of it is a word
        return {"items": [], "next": None}
    filters = finding.Filters(
        since=wanted.since,
        until=wanted.until,
        outlet=wanted.outlet,
        feeds=feed_keys(call.desk.live().config.feeds, wanted.feed, wanted.tag),
        language=wanted.language,
        rule=wanted.rule,
        story=wanted.story,
    )
    with call.desk.store.read() as tx:
        question = search.AllOf(terms) if terms else None
        after = _after(wanted.cursor)
        place_before = None if after is None else finding.Place(*after)
        found = finding.found(tx, question, filters, limit=wanted.limit + 1, after=place_before)
    items, more = found[: wanted.limit], len(found) > wanted.limit
    end = cursor(items[-1].article.published.isoformat(), items[-1].id) if more else None
    return {"items": [article_views.article(one) for one in items], "next": end}


def _of_configuration(call: Call, whole: Sequence[Facts]) -> Facts:
    """A part of a list that stands in the configuration, in its order."""
    found = place(call.query.cursor, int)
    first = found[0] if found else 0
    end = first + call.query.limit
    return {"items": list(whole[first:end]), "next": cursor(end) if end < len(whole) else None}


def _by_id(call: Call) -> int:
    """The id behind which a list goes on."""
    found = place(call.query.cursor, int)
    return int(found[0]) if found else 0


def _after(said: str) -> tuple[datetime, int] | None:
    """The moment and the id in a cursor."""
    found = place(said, str, int)
    try:
        moment = datetime.fromisoformat(found[0]) if found else None
    except ValueError as e:
        raise ProblemError(Reason.MISSING, "there is no such cursor") from e
    if found is None or moment is None:
        return None
    if moment.tzinfo is None:
        raise ProblemError(Reason.MISSING, "there is no such cursor")
    return moment, found[1]


def _article(call: Call) -> Facts:
    _there(call)
    found = article_views.shown(call.desk.store, str(call.number), raw=True)
    if found is None:
        raise ProblemError(Reason.MISSING)
    with call.desk.store.read() as tx:
        return found | {"notes": [_note(one) for one in people.notes(tx, [call.number])]}


def _there(call: Call) -> None:
    """See that the article is there: an article's number is nothing else, such as a name or a word."""
    with call.desk.store.read() as tx:
        if articles.get(tx, call.number) is None:
            raise ProblemError(Reason.MISSING, f"there is no article {call.number}")


def _why(call: Call) -> Facts:
    _there(call)
    try:
        live = call.desk.live()
        found = why.why(live, call.desk.store, str(call.number), call.query.rule, call.query.target)
    except UserError as e:
        raise ProblemError(Reason.MISSING, e.problems[0].message) from e
    if found is None:
        raise ProblemError(Reason.MISSING)
    return found


def _stories(call: Call) -> Facts:
    limit = call.query.limit
    with call.desk.store.read() as tx:
        found = stories.newest(tx, limit=limit + 1, several=call.query.several, after=_after(call.query.cursor))
    items, more = found[:limit], len(found) > limit
    end = cursor(items[-1].last_seen.isoformat(), items[-1].id) if more else None
    return {"items": [story_views.story(one) for one in items], "next": end}


def _story(call: Call) -> Facts:
    with call.desk.store.read() as tx:
        found = stories.get(tx, call.number)
        if found is None:
            raise ProblemError(Reason.MISSING, f"there is no story {call.number}")
        return story_views.timeline(tx, found)


def _since(call: Call) -> datetime:
    since: datetime | None = call.query.since
    return since or call.now - _PERIOD


def _rules(call: Call) -> Facts:
    since = _since(call)
    with call.desk.store.read() as tx:
        tallies = judgements.tallies(tx, since)
    items = [
        {name: getattr(rule, name) for name in ("id", "name", "severity", "hash", "file", "line")}
        | tallies.get(rule.id, judgements.Tally()).facts()
        for rule in call.desk.live().ruleset.rules
    ]
    return {"since": since} | _of_configuration(call, items)


def _ledger(call: Call) -> Facts:
    since = _since(call)
    with call.desk.store.read() as tx:
        lines = notification_history.summary(tx, since)
        breaches = ledger.audit(tx)
    keys = ("rule", "target", "state", "why", "obligations")
    return {
        "since": since,
        "obligations": sum(line[-1] for line in lines),
        "lines": [dict(zip(keys, line, strict=True)) for line in lines],
        "breaches": list(breaches),
    }


def _alerts(call: Call) -> Facts:
    limit = call.query.limit
    with call.desk.store.read() as tx:
        found = ledger_lines.newest(
            tx,
            limit=limit + 1,
            rule_id=call.query.rule,
            target_id=call.query.target,
            before=_by_id(call) or None,
        )
    items, more = found[:limit], len(found) > limit
    return {"items": [_alert(one) for one in items], "next": cursor(items[-1].line.id) if more else None}


def _alert(one: TitledLine) -> Facts:
    line = one.line
    return {
        "id": line.id,
        "article": line.article_id,
        "title": one.title,
        "rule": line.rule_id,
        "target": line.target_id,
        "recipient": line.recipient,
        "occasion": line.occasion,
        "verdict": line.verdict,
        "reason": line.suppression or line.reason or line.hold,
        "state": line.state,
        "created": line.created,
        "due": line.due,
        "finished": line.finished,
    }


def _deliveries(call: Call) -> Facts:
    with call.desk.store.read() as tx:
        found = deliveries.unsent(tx, limit=call.query.limit + 1, after=_by_id(call))
        items = found[: call.query.limit]
        end = cursor(items[-1].id) if len(found) > len(items) else None
        return {"items": waiting(tx, items, call.now), "next": end}


def _feeds(call: Call) -> Facts:
    return _of_configuration(call, state.feeds(call.desk.live().config, call.desk.store, call.now))


def _status(call: Call) -> Facts:
    return state.status(call.desk.live().config, call.desk.store, call.now, call.desk.is_alive)


# Answers of people.


def _silences(call: Call) -> Facts:
    with call.desk.store.read() as tx:
        found = [one for one in silences.active(tx, call.now) if one.id > _by_id(call)]
    items = found[: call.query.limit]
    end = cursor(items[-1].id) if len(found) > len(items) else None
    return {"items": [silence_views.silence(one) for one in items], "next": end}


def _silence(call: Call) -> Facts:
    new: asked.NewSilence = call.body
    made = silences.Silence(
        rule_id=new.rule,
        story_id=new.story or None,
        set_name=new.set.removeprefix("@"),
        feed=new.feed,
        until=call.now + timedelta(seconds=new.seconds),
        author=call.caller.name,
        reason=new.reason,
        created=call.now,
    )
    live = call.desk.live()
    with call.desk.store.write() as tx:
        if wrong := silence_views.unknown(tx, made, silence_views.known(live.config, live.ruleset)):
            raise ProblemError(Reason.MISSING, wrong)
        number = silences.add(tx, made)
        _audit(tx, call, "silence", f"silence {number}", new.reason)
    return silence_views.silence(made) | {"id": number}


def _end_silence(call: Call) -> Facts:
    with call.desk.store.write() as tx:
        if not silences.end(tx, call.number, call.now):
            raise ProblemError(Reason.MISSING, f"no silence in force has the number {call.number}")
        _audit(tx, call, "silence ended", f"silence {call.number}")
    return {"ended": call.number}


def _acknowledge(call: Call) -> Facts:
    _there(call)
    who = call.caller.name
    said = Answer(action=Action.ACKNOWLEDGE, article_id=call.number, recipient=who, rules=())
    with call.desk.store.write() as tx:
        before = acknowledge(tx, call.number, who, call.now)
        if before is None:
            notify_readers(tx, call.desk.live().config.alerts.targets, said, call.now)
            _audit(tx, call, "acknowledged", f"article {call.number}")
    return {"article": call.number, "by": before[0] if before else who, "before": before[0] if before else None}


def _label(call: Call) -> Facts:
    _there(call)
    new: asked.NewLabel = call.body
    if new.rule not in {rule.id for rule in call.desk.live().ruleset.written}:
        raise ProblemError(Reason.MISSING, f"there is no rule {new.rule!r}")
    with call.desk.store.write() as tx:
        judgements.judge(tx, call.number, new.rule, new.judgement, call.now, author=call.caller.name)
        _audit(tx, call, "label", f"article {call.number}", f"{new.rule}: {new.judgement}")
    return {"article": call.number, "rule": new.rule, "judgement": str(new.judgement)}


def _unlabel(call: Call) -> Facts:
    _there(call)
    rule: str = call.query.rule
    with call.desk.store.write() as tx:
        if not judgements.take_back(tx, call.number, rule):
            raise ProblemError(Reason.MISSING, f"article {call.number} has no label for the rule {rule!r}")
        _audit(tx, call, "label taken back", f"article {call.number}", rule)
    return {"article": call.number, "rule": rule}


def _add_note(call: Call) -> Facts:
    _there(call)
    with call.desk.store.write() as tx:
        number = people.add_note(tx, call.number, call.body.text, author=call.caller.name, now=call.now)
        _audit(tx, call, "note", f"article {call.number}")
    return {"id": number, "author": call.caller.name, "text": call.body.text, "created": call.now}


def _note(one: people.Note) -> Facts:
    return {"id": one.id, "author": one.author, "text": one.text, "created": one.created}


def _audit(tx: Tx, call: Call, action: str, subject: str, detail: str = "") -> None:
    people.audit(tx, Change(at=call.now, author=call.caller.name, action=action, subject=subject, detail=detail))


def _read(path: str, name: str, summary: str, take: Any, answer: Any, query: Any = asked.Nothing) -> Operation:
    return Operation(method="GET", path=path, name=name, summary=summary, take=take, answer=answer, query=query)


def _answer(
    method: str,
    path: str,
    name: str,
    summary: str,
    take: Any,
    answer: Any,
    body: Any = None,
    query: Any = asked.Nothing,
) -> Operation:
    return Operation(
        method=method,
        path=path,
        name=name,
        summary=summary,
        take=take,
        answer=answer,
        body=body,
        query=query,
        scope=Scope.ANSWER,
        status=201 if method == "POST" else 200,
    )


OPERATIONS: Sequence[Operation] = (
    _read(
        "/articles", "articles", "Articles, the last published first", _articles, shapes.Articles, asked.ArticlesAsked
    ),
    _read("/articles/{id}", "article", "An article with its text and notes", _article, shapes.WholeArticle),
    _read("/articles/{id}/why", "why", "All that is known of an article", _why, shapes.Why, asked.WhyAsked),
    _read("/stories", "stories", "Stories, the last seen first", _stories, shapes.Stories, asked.StoriesAsked),
    _read("/stories/{id}", "story", "A story with its articles by time", _story, shapes.WholeStory),
    _read("/rules", "rules", "The rules in force, with their figures", _rules, shapes.Rules, asked.RulesAsked),
    _read("/ledger", "ledger", "The ledger in figures", _ledger, shapes.Ledger, asked.Since),
    _read("/alerts", "alerts", "The ledger line by line, the newest first", _alerts, shapes.Alerts, asked.AlertsAsked),
    _read(
        "/deliveries",
        "deliveries",
        "The messages that are not sent, the oldest first",
        _deliveries,
        shapes.Deliveries,
        asked.Part,
    ),
    _read("/silences", "silences", "The silences in force", _silences, shapes.Silences, asked.Part),
    _read("/feeds", "feeds", "The feeds and their health", _feeds, shapes.Feeds, asked.Part),
    _read("/status", "status", "The worker, its store and its feeds", _status, shapes.Status),
    _answer("POST", "/silences", "makeSilence", "Make a silence", _silence, shapes.Silence, asked.NewSilence),
    _answer("DELETE", "/silences/{id}", "endSilence", "End a silence now", _end_silence, shapes.Ended),
    _answer(
        "POST",
        "/articles/{id}/acknowledgement",
        "acknowledge",
        "Take care of an article's story: no reminder is sent",
        _acknowledge,
        shapes.Acknowledgement,
    ),
    _answer(
        "POST", "/articles/{id}/labels", "label", "Label an article for a rule", _label, shapes.Labelled, asked.NewLabel
    ),
    _answer(
        "DELETE",
        "/articles/{id}/labels",
        "unlabel",
        "Take a label back",
        _unlabel,
        shapes.Unlabelled,
        query=asked.LabelAsked,
    ),
    _answer(
        "POST", "/articles/{id}/notes", "note", "Write a note on an article", _add_note, shapes.Note, asked.NewNote
    ),
)
