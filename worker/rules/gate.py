"""Checks rule files before they come into force: at a start, at a reload, and when a page saves one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from worker import config
from worker.config import Config
from worker.errors import Problem, UserError
from worker.rules import match
from worker.rules.compile import compile_rules
from worker.rules.ruleset import RuleSet


def admitted(files: Mapping[str, bytes], conf: Config, now: datetime) -> RuleSet:
    """The rules of all files of a folder (name -> TOML); raises UserError with everything that speaks against them."""
    ruleset, problems = checked(files, conf.rules_folder, now)
    if ruleset is not None:
        # Whoever adds a target and a rule for it in one go is not to look for a slip in the names.
        late = f"({conf.path.name} itself is read at SIGHUP)"
        unknown = config.check_references(conf, ruleset.written)
        problems += [replace(problem, fix=f"{problem.fix} {late}".lstrip()) for problem in unknown]
    if problems or ruleset is None:
        raise UserError(problems)
    return ruleset


def checked(files: Mapping[str, bytes], folder: Path, now: datetime) -> tuple[RuleSet | None, list[Problem]]:
    """The rules, if they can be compiled, and everything that speaks against them, failing tests too."""
    problems = empty({str(folder / name): raw for name, raw in files.items()})
    try:
        ruleset = compile_rules(files)
    except UserError as e:
        return None, [*problems, *e.problems]
    return ruleset, [*problems, *match.failing_tests(ruleset, now)]


def empty(files: Mapping[str, bytes]) -> list[Problem]:
    """An empty file is one that an editor is about to write, or that a full disk left behind: it says nothing."""
    fix = "write it again, or remove it"
    return [Problem(file=name, line=0, message="the file is empty", fix=fix) for name, raw in files.items() if not raw]
