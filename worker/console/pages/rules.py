"""Rules: the list of those in force, and the workbench in which one is written, tried and saved."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from worker import config
from worker.config import rule_files
from worker.config.rule_files import Written
from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.console.drawing import draw
from worker.console.pages import rule_form, rule_saving
from worker.console.pages.rule_form import Form
from worker.console.views import silences, workbench
from worker.console.views.workbench import Checked, Trial
from worker.errors import StoreError, UserError
from worker.model import Severity
from worker.rules import Rule, RuleSet
from worker.rules.query.nodes import TermSet
from worker.rules.shape import ID
from worker.store import judgements, people, upkeep
from worker.store import silences as store_silences
from worker.store.people import Role
from worker.store.silences import Silence

#: Days that the list counts, and those that a draft is run over.
_COUNTED, _TRIED = 30, 90
#: Seconds for which a whole trial may be worked on where no script shows how far it is.
_WHOLE = 20


def routes(desk: Desk) -> list[Route]:
    """`/rules`, the workbench, and what its script asks while somebody types."""
    return [
        page(desk, "/rules", _list),
        page(desk, "/rules/check", _check, methods=("POST",)),
        page(desk, "/rules/history", _history, methods=("POST",)),
        page(desk, "/rules/new", _new),
        page(desk, "/rules/{id}", _rule),
        page(desk, "/rules/{id}/state", _state),
        page(desk, "/rules/{id}/try", _try, methods=("POST",)),
        page(desk, "/rules/{id}/draft", _draft, methods=("POST",)),
        page(desk, "/rules/{id}/review", rule_saving.review, methods=("POST",)),
        page(desk, "/rules/{id}/save", rule_saving.save, methods=("POST",)),
    ]


def _list(ask: Ask) -> Response:
    live = ask.desk.live()
    since = ask.now - timedelta(days=_COUNTED)
    with ask.desk.store.read() as tx:
        tallies, daily = judgements.tallies(tx, since), judgements.daily(tx, since)
        alerts, state = judgements.alerts(tx, since), upkeep.in_force(tx)
        saved = people.last_changes(tx, rule_saving.ACTION)
        silenced = silences.by_rule(store_silences.active(tx, ask.now), live.ruleset)
    days = [(since + timedelta(days=day + 1)).astimezone(UTC).date().isoformat() for day in range(_COUNTED)]
    written = _times(ask)

    def row(rule: Rule) -> Mapping[str, Any]:
        tally = tallies.get(rule.id, judgements.Tally())
        change = saved.get(f"rule {rule.id}")
        at = written.get(rule.file)
        # A file that was changed since was changed by another way than the console.
        by_hand = change is None or (at is not None and at > change.at + timedelta(minutes=1))
        return {
            "rule": rule,
            "counts": [daily.get(rule.id, {}).get(day, 0) for day in days],
            "matches": tally.matched / _COUNTED,
            "alerts": alerts.get(rule.id, 0) / _COUNTED,
            "precision": None if tally.precision is None else round(100 * tally.precision),
            "judged": tally.relevant + tally.noise,
            "changed": at if by_hand else change.at if change else None,
            "author": "" if by_hand or change is None else change.author,
            "is_off": rule in live.ruleset.off,
            "silences": silenced.get(rule.id, ()),
        }

    rows = sorted(
        map(row, live.ruleset.written), key=lambda one: (-one["rule"].severity.rank, one["rule"].name.lower())
    )
    return ask.page("rules.html", rows=rows, problems=state.problems if state else (), days=_COUNTED)


def _times(ask: Ask) -> dict[str, datetime]:
    """The time of each rule file's last change."""
    found = {}
    folder = ask.desk.live().config.rules_folder
    for name in {rule.file for rule in ask.desk.live().ruleset.written}:
        try:
            found[name] = datetime.fromtimestamp((folder / name).stat().st_mtime, UTC)
        except (OSError, ValueError):
            continue
    return found


def _new(ask: Ask) -> Response:
    if "query" not in ask.query and workbench.in_force(ask.desk.live(), "new"):
        return _rule(replace(ask, path={"id": "new"}))
    form = rule_form.blank(ask.query.get("query", "")[:20_000], is_text=ask.query.get("as") == "text")
    return ask.page("rule.html", **facts(ask, form, None))


def _rule(ask: Ask) -> Response:
    found, problems = written(ask, ask.path["id"])
    if found is None and not problems:
        return ask.missing()
    if found is None:
        return ask.page("rules.html", rows=(), problems=problems, days=_COUNTED)
    asked = ask.query.get("as", "" if rule_form.holds_all(found.table) else "text")
    return ask.page(
        "rule.html", **facts(ask, rule_form.of_file(found, is_text=asked == "text" and bool(found.text)), found)
    )


def written(ask: Ask, rule_id: str) -> tuple[Written | None, tuple[Any, ...]]:
    """The rule of that id as its file has it, and why the folder cannot be read."""
    if not rule_saving.is_id(rule_id):
        return None, ()
    try:
        return rule_files.find(config.read_rules(ask.desk.live().config.rules_folder), rule_id), ()
    except UserError as e:
        return None, e.problems


def facts(ask: Ask, form: Form, found: Written | None, **more: Any) -> dict[str, Any]:
    """Everything that the workbench shows."""
    live = ask.desk.live()
    table = found.table if found else {}
    return {
        "form": form,
        "found": found,
        "is_off": table.get("enabled") is False,
        "holds_all": not table or rule_form.holds_all(table),
        "rest": rule_form.rest(table),
        "severities": list(Severity),
        "parts": _parts(live.ruleset),
        "silences": silences.by_rule(_silences(ask), live.ruleset).get(form.was, ()),
        "address": f"/rules/{form.was or 'new'}",
        # A browser's classes want their hyphen escaped.
        "id_pattern": ID.strip("^$").replace("-]", r"\-]"),
        "may": ask.caller.may(Role.EDITOR),
        "state": state(ask, form.was),
        "days": _TRIED,
        "checked": None,
        "failing": frozenset(),
        "trial": None,
        "is_unsaved": False,
        "problems": (),
        "is_stale": False,
        **more,
    }


#: As completion offers them, with what most often follows; each has a sentence in `words.operator`.
OPERATORS = (
    *("AND", "OR", "NOT", "NEAR/5", "NEAR/s", "NEAR/p", "BEFORE/5", "NOT NEAR/5", "NOT BEFORE/5", "NOT AFTER/5"),
    *("WITHOUT", "EXCEPT", "ATLEAST/2", "title:", "lead:", "body:"),
)
#: Terms of a set that are shown beside its name.
_TERMS = 4


def _parts(ruleset: RuleSet) -> dict[str, list[tuple[str, str, str]]]:
    """Everything that a query may be made of, by kind: what is written, how it is shown, and what it stands for."""
    patterns = sorted(ruleset.patterns.values(), key=lambda pattern: pattern.name)
    return {
        "set": [(f"@{name}", f"@{name}", _terms(terms)) for name, terms in sorted(ruleset.sets.items())],
        "pattern": [(f"{one.name}(", one.signature, one.about) for one in patterns],
        "operator": [(word, word, "") for word in OPERATORS],
    }


def _terms(terms: TermSet) -> str:
    shown = [str(one.term) for one in terms.terms[:_TERMS]]
    return ", ".join([*shown, "…"] if len(terms.terms) > _TERMS else shown)


def _silences(ask: Ask) -> Sequence[Silence]:
    with ask.desk.store.read() as tx:
        return store_silences.active(tx, ask.now)


def state(ask: Ask, rule_id: str) -> str:
    """A key of the words that say whether a rule's file is in force; empty for one that is not written yet."""
    live = ask.desk.live()
    if not rule_id:
        return ""
    if live.seen == config.look(live.config.rules_folder):
        is_off = any(rule.id == rule_id for rule in live.ruleset.off)
        return "in_force" if workbench.in_force(live, rule_id) else "off" if is_off else "not_there"
    with ask.desk.store.read() as tx:
        known = upkeep.in_force(tx)
    return "refused" if known is not None and known.problems else "waiting"


def _state(ask: Ask) -> Response:
    return ask.page("rule_state.html", state=state(ask, ask.path["id"]), form=Form(was=ask.path["id"]))


# Trying.


def _asked(ask: Ask) -> tuple[Form, Written | None, Checked]:
    """The form that was sent, the rule that it changes, and what can be said of it without history."""
    form = rule_form.sent(ask.form)
    found = written(ask, form.was)[0] if form.was else None
    live = ask.desk.live()
    if form.is_text:
        return form, found, workbench.check_text(live, form.text, found.line if found else 1, ask.now)
    return form, found, workbench.check(live, form.draft(found.table if found else {}), ask.now)


def _check(ask: Ask) -> Response:
    form, _, checked = _asked(ask)
    shown = draw("rule_check.html", ask, {"checked": checked})
    source = form.text if form.is_text else form.when
    marks = [_in_utf16(source, mark) for mark in checked.marks]
    failing = [number for number, (_, problem) in enumerate(checked.tests) if problem is not None]
    value = {"html": shown, "marks": marks, "ok": checked.rule is not None, "failing": failing}
    return Response(json.dumps(value), media_type="application/json")


def _in_utf16(source: str, mark: tuple[int, int]) -> tuple[int, int]:
    """The place of a mistake as scripts count characters."""
    start, end = (len(source[:at].encode("utf-16-le", "surrogatepass")) // 2 for at in mark)
    return start, max(end, start + 1)


def _trial(ask: Ask, checked: Checked, form: Form) -> Trial | None:
    if checked.rule is None:
        return None
    live = ask.desk.live()
    return Trial(
        store=ask.desk.store,
        live=live,
        rule=checked.rule,
        before=workbench.in_force(live, form.was) if form.was else None,
        since=ask.now - timedelta(days=_TRIED),
        now=ask.now,
    )


def _history(ask: Ask) -> Response:
    """Lines of JSON, as the trial goes on: how far it is, and from time to time what it has found."""
    form, _, checked = _asked(ask)
    trial = _trial(ask, checked, form)

    def lines() -> Iterator[bytes]:
        if trial is None:
            return
        try:
            slices = 0
            for progress in trial.run():
                value: dict[str, Any] = {"read": progress.read, "total": progress.total, "done": progress.is_done}
                slices += progress.read > 0
                # What is found is drawn at once, then more and more seldom.
                if progress.is_done or 0 < slices < 4 or slices % 4 == 1:
                    value["html"] = draw("rule_history.html", ask, {"trial": trial.facts()})
                yield json.dumps(value).encode() + b"\n"
        except StoreError:
            yield json.dumps({"html": draw("rule_failed.html", ask, {}), "done": True}).encode() + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _try(ask: Ask) -> Response:
    """The whole answer on one page, for where no script runs."""
    form, found, checked = _asked(ask)
    trial = _trial(ask, checked, form)
    if trial is not None:
        end = ask.desk.clock() + timedelta(seconds=_WHOLE)
        for _ in trial.run():
            if ask.desk.clock() > end:
                break
    shown = None if trial is None else trial.facts()
    return ask.page("rule.html", **drafted(ask, form, found, checked=checked, trial=shown))


def _draft(ask: Ask) -> Response:
    """The form as it was sent, to go on with."""
    form, found, checked = _asked(ask)
    return ask.page("rule.html", **drafted(ask, form, found, checked=checked))


def drafted(ask: Ask, form: Form, found: Written | None, *, checked: Checked, **more: Any) -> dict[str, Any]:
    """The workbench with a draft that is not saved; tests that fail are open."""
    failing = {number for number, (_, problem) in enumerate(checked.tests) if problem is not None}
    return facts(ask, form, found, checked=checked, failing=failing, is_unsaved=True, **more)
