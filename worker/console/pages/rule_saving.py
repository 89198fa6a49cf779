"""A rule is saved in two steps: the change is shown, judged by the gate, and then put into its file."""

import difflib
import os
import re
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response

from worker import config
from worker.config import rule_files
from worker.config.rule_files import Written
from worker.console.asking import Ask
from worker.console.desk import EDITING
from worker.console.pages import rule_form
from worker.console.pages.rule_form import Form
from worker.errors import Problem, UserError
from worker.model.times import counted
from worker.rules import gate
from worker.rules.shape import ID

#: The audit's words for what is done here.
ACTION, REMOVED = "rule saved", "rule removed"
#: By what was to be done, the key of the words that say that it is.
_SAID = {"": "rule_saved", "on": "rule_on", "off": "rule_off", "remove": "rule_removed"}
#: In a form: the file was not there when the change was shown.
NO_FILE = "none"


def is_id(said: str) -> bool:
    """True for what may be the id of a rule."""
    return re.fullmatch(ID, said) is not None and not said.endswith("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A change of a rule's file, not made yet."""

    form: Form
    #: The rule as the file has it now; None: it has none.
    found: Written | None
    file: str
    #: Of the file as it is now; empty: there is none.
    digest: str
    before: bytes
    after: bytes
    problems: tuple[Problem, ...] = ()
    #: The file is another one than the form was made from.
    is_stale: bool = False


def review(ask: Ask) -> Response:
    """The change to the file, for review; or the form again, with the reasons against it."""
    if not rule_form.is_whole(ask.form):
        return ask.page("problem.html", status=413, problem="long")
    prepared = _prepare(ask)
    if prepared.problems or prepared.is_stale:
        return _again(ask, prepared)
    form = replace(prepared.form, file=prepared.file, digest=prepared.digest or NO_FILE)
    folder = ask.desk.live().config.rules_folder
    target = folder / prepared.file
    may_write = os.access(folder, os.W_OK) and (not target.exists() or os.access(target, os.W_OK))
    return ask.page(
        "rule_review.html",
        form=form,
        file=prepared.file,
        lines=_diff(prepared),
        is_same=prepared.before == prepared.after,
        may_write=may_write,
        text=prepared.after.decode("utf-8-sig"),
        address=_address(prepared.form),
    )


def save(ask: Ask) -> Response:
    """Put the change into the file, if the gate lets it through and the file is still the one that was shown."""
    if not rule_form.is_whole(ask.form):
        return ask.page("problem.html", status=413, problem="long")
    prepared = _prepare(ask)
    if prepared.problems or prepared.is_stale:
        return _again(ask, prepared)
    form = prepared.form
    counts = [sum(line.startswith(sign) for _, line in _diff(prepared)) for sign in "+-"]
    detail = f"{prepared.file}: {counted(counts[0], 'line')} more, {counts[1]} less"
    if form.act in ("on", "off"):
        detail = f"switched {form.act}; {detail}"
    folder = ask.desk.live().config.rules_folder
    try:
        with EDITING, ask.desk.store.write() as tx:
            is_written = rule_files.write(folder, prepared.file, prepared.after, prepared.digest)
            if is_written:
                ask.audit(tx, REMOVED if form.act == "remove" else ACTION, f"rule {form.id}", detail)
    except UserError as e:
        return _again(ask, replace(prepared, problems=e.problems))
    if not is_written:
        return _again(ask, replace(_prepare(ask), is_stale=True))
    return ask.to("/rules" if form.act == "remove" else f"/rules/{form.id}", _SAID[form.act])


def _again(ask: Ask, prepared: _Prepared) -> Response:
    from worker.console.pages import rules

    form = replace(prepared.form, digest=prepared.digest, file=prepared.file)
    if form.act and prepared.found is not None:
        form = rule_form.of_file(prepared.found, is_text=not rule_form.holds_all(prepared.found.table))
    shown = rules.facts(ask, form, prepared.found, problems=prepared.problems, is_stale=prepared.is_stale)
    shown["is_unsaved"] = not prepared.form.act
    if prepared.is_stale and prepared.found is not None:
        shown["theirs"] = prepared.found.text or rule_files.text_of(prepared.found.table)
    return ask.page("rule.html", status=409 if prepared.is_stale else 422, **shown)


def _address(form: Form) -> str:
    return f"/rules/{form.was or 'new'}"


def _prepare(ask: Ask) -> _Prepared:
    form = rule_form.sent(ask.form)
    conf = ask.desk.live().config
    found: Written | None = None
    facts: dict[str, Any] = {"form": form, "found": None, "file": form.file, "digest": "", "before": b"", "after": b""}
    try:
        files = config.read_rules(conf.rules_folder)
        found = rule_files.find(files, form.was) if is_id(form.was) else None
        file = found.file if found else _file_of(form)
        before = files.get(file, b"")
        digest = rule_files.digest(before) if file in files else ""
        is_first = not form.was and not form.digest
        is_stale = (form.was != "" and found is None) or (not is_first and (digest or NO_FILE) != form.digest)
        facts |= {"found": found, "file": file, "before": before, "digest": digest}
        if is_stale:
            return _Prepared(**facts, is_stale=True)
        after = facts["after"] = _changed(form, found, file, before)
        _check(form, file)
        left = {**files, file: after}
        gate.admitted(left if after else {name: raw for name, raw in left.items() if name != file}, conf, ask.now)
    except UserError as e:
        return _Prepared(**facts, problems=e.problems)
    return _Prepared(**facts)


def _changed(form: Form, found: Written | None, file: str, before: bytes) -> bytes:
    """The file with what the form asks for; raises UserError."""
    number = found.number if found else None
    if form.act == "remove":
        return rule_files.rewritten(file, before, number, "")
    if form.is_text:
        return rule_files.rewritten(file, before, number, form.text)
    if found is None:
        return rule_files.added(file, before, form.values({}))
    values = {"enabled": None if form.act == "on" else False} if form.act else form.values(found.table)
    return rule_files.changed(file, before, found.number, values)


def _file_of(form: Form) -> str:
    """The file of a new rule: the chosen one, or one of its own name."""
    name = form.file or f"{form.id or 'new'}.toml"
    return name if name.endswith(".toml") else f"{name}.toml"


def _check(form: Form, file: str) -> None:
    problem = None
    if not is_id(form.id):
        fix = "small letters, digits and hyphens, at most 64, a letter or digit first"
        problem = Problem(file=file, line=0, message=f"{form.id!r} is no `id`", fix=fix)
    elif not form.was and not rule_files.FILE_NAME.fullmatch(file):
        fix = "small letters, digits, - and _, with .toml at its end"
        problem = Problem(file=file, line=0, message="is no name for a file of rules", fix=fix)
    if problem is not None:
        raise UserError([problem])


def _diff(prepared: _Prepared) -> list[tuple[str, str]]:
    """The lines of the change, each with its kind: `more`, `less`, `place` or nothing."""
    before, after = (raw.decode("utf-8-sig").splitlines() for raw in (prepared.before, prepared.after))
    kinds = {"+": "more", "-": "less", "@": "place"}
    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    return [(kinds.get(line[:1], ""), line) for line in lines]
