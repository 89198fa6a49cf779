"""Reads the files that users edit: the configuration and the rules."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from worker import config
from worker.config import Config
from worker.errors import Problem, UserError
from worker.model import Secret, Target, Templates, times
from worker.pipeline.context import ActiveConfig
from worker.runtime.clock import clock
from worker.runtime.logs import hide

if TYPE_CHECKING:
    from worker.net.client import Client
    from worker.pipeline.discover import Found
    from worker.rules import RuleSet
    from worker.store import Store


#: Of processor time, for all samples of messages with the user's own templates.
_TEMPLATE_SECONDS = 10


def load(path: Path, folder: Path | None = None) -> ActiveConfig:
    """The configuration and its rules; raises UserError with every mistake of every file.

    With the configuration unreadable, the rules of `folder`, else of `rules` beside it, still show their mistakes in
    the same go.
    """
    problems: list[Problem] = []
    conf, folder = None, folder or path.parent / "rules"
    try:
        conf = config.load(path, os.environ)
        folder = conf.rules_folder
        problems += [*_empty(path), *_templates(conf.templates)]
    except UserError as e:
        problems += e.problems
    seen, ruleset = config.look(folder), None
    if conf is not None or folder.is_dir():
        ruleset, wrong = _checked(folder)
        problems += wrong
    if conf is not None and ruleset is not None:
        problems += config.check_references(conf, ruleset.written)
    if problems or conf is None or ruleset is None:
        raise UserError(problems)
    _adopt(conf)
    return ActiveConfig(config=conf, ruleset=ruleset, seen=seen)


def reload_rules(live: ActiveConfig) -> ActiveConfig:
    """`live` with the rules of its folder as they are now, checked as at a start; raises UserError."""
    folder = live.config.rules_folder
    from worker.rules import gate

    seen = config.look(folder)
    ruleset = gate.admitted(config.read_rules(folder), live.config, clock())
    return replace(live, ruleset=ruleset, seen=seen)


def _empty(path: Path) -> "list[Problem]":
    from worker.rules import gate

    return gate.empty({str(path): path.read_bytes()})


def _templates(templates: Templates) -> Sequence[Problem]:
    """Mistakes in the user's own templates; a child tries them, as a template that loops would never come back."""
    if not templates.sources:
        return ()

    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from worker.feeds.child import ChildFailed, ChildReason, Children
    from worker.notify import render

    async def tried() -> "tuple[Problem, ...] | ChildFailed":
        children = Children(size=1, cpu_seconds=_TEMPLATE_SECONDS)
        try:
            return await children.run(render.check, templates, seconds=2 * _TEMPLATE_SECONDS)
        finally:
            children.close()

    # In a thread, because a loop may run in this one.
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(lambda: asyncio.run(tried())).result()
    if not isinstance(found, ChildFailed):
        return found
    if found.reason is ChildReason.RAISED or found.reason is ChildReason.DIED:
        message, fix = f"the templates could not be tried: {found.detail}", ""
    else:
        message = f"the templates take more than {_TEMPLATE_SECONDS} s, or too much memory, for messages of a few lines"
        fix = "look for a loop within a loop, or a text that grows"
    return [Problem(file=templates.folder, line=0, message=message, fix=fix)]


def _checked(folder: Path) -> "tuple[RuleSet | None, list[Problem]]":
    """The rules of `folder`, if they can be compiled, and everything that speaks against them, failing tests too."""
    from worker.rules import gate

    try:
        return gate.checked(config.read_rules(folder), folder, clock())
    except UserError as e:
        return None, list(e.problems)


def load_rules(path: Path, folder: Path | None = None, *, tested: bool = False) -> "RuleSet":
    """The rules of `folder` alone, else those of the configuration at `path` or, without one, of `rules` beside it.

    Raises UserError with every mistake; with `tested`, also with every `[[rule.test]]` that fails, and every feed
    or tag that a rule reads and the configuration does not have.
    """
    from worker import rules
    from worker.rules import match

    readable = load_readable(path) if path.exists() else None
    if folder is None:
        folder = path.parent / "rules" if readable is None else readable.config.rules_folder
    ruleset = rules.compile_rules(config.read_rules(folder))
    failures = match.failing_tests(ruleset, clock()) if tested else ()
    # Half a configuration does not say which feeds there are.
    if tested and readable is not None and not readable.problems:
        failures = (*failures, *config.check_readings(readable.config, ruleset.written))
    if failures:
        raise UserError(failures)
    return ruleset


def with_rules(path: Path, ruleset: "RuleSet") -> ActiveConfig:
    """The configuration at `path` with other rules than its own, to be tried; raises UserError."""
    return ActiveConfig(config=load_config(path), ruleset=ruleset)


def load_config(path: Path) -> config.Config:
    """The configuration alone, for what needs no rules; raises UserError with every mistake of that file."""
    conf = config.load(path, os.environ)
    _adopt(conf)
    return conf


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """The readable part of a configuration and its rules, for what answers from the store beside their mistakes."""

    config: config.Config
    #: None: they cannot be compiled.
    ruleset: "RuleSet | None"
    problems: tuple[Problem, ...]

    @property
    def live(self) -> ActiveConfig | None:
        """Configuration and rules together; None without rules."""
        return None if self.ruleset is None else ActiveConfig(config=self.config, ruleset=self.ruleset)


def load_readable(path: Path, *, with_rules: bool = False) -> Readable:
    """The configuration, and its rules if they are asked for, as far as they can be read.

    Raises UserError if not even the store's address can be known.
    """
    conf, problems = config.load_readable(path, os.environ)
    _adopt(conf)
    ruleset = None
    if with_rules:
        from worker import rules

        try:
            ruleset = rules.compile_rules(config.read_rules(conf.rules_folder))
        except UserError as e:
            problems += e.problems
    return Readable(config=conf, ruleset=ruleset, problems=problems)


def _adopt(conf: config.Config) -> None:
    """Hide this configuration's secrets in all output and logs from now on, and show times in its desk's zone."""
    hide(conf.secrets)
    times.use(conf.timezone)


def target_named(live: ActiveConfig, target_id: str) -> Target:
    """The target with that id; raises UserError that names those there are."""
    targets = live.config.alerts.targets
    target = next((one for one in targets if one.id == target_id), None)
    if target is None:
        fix = f"one of: {', '.join(one.id for one in targets)}"
        raise UserError([Problem(file=str(live.config.path), line=0, message=f"no target {target_id!r}", fix=fix)])
    return target


def open_for(conf: config.Config, *, create: bool) -> "Store":
    """The configuration's store; a new one comes with the archive."""
    # Here, as `check` and `rules` need no database, and its library takes a third of a start.
    from worker.store import open_store, queues

    store = open_store(conf.store_url, create=create)
    if conf.engine == "cluster":
        store.wake = queues.wake
    if create:
        from worker.pipeline.imports import load_archive

        try:
            load_archive(store, clock())
        except BaseException:
            store.close()
            raise
    return store


def store_file(conf: config.Config) -> Path | None:
    """The configuration's SQLite file, which need not be there; None for PostgreSQL."""
    from worker.store import path_of

    return path_of(conf.store_url)


# The client of a configuration, and the name it gives to servers.


def user_agent(config: Config) -> str:
    """The User-Agent: the program and a contact, as RFC 9110 section 10.1.5 asks of robots."""
    contact = config.user_agent_contact
    return f"veille/{version('veille')}" + (f" (+{contact})" if contact else " (news watch; feed reader)")


def network_of(config: Config) -> tuple[tuple[str, ...], str, Secret | None]:
    """The settings of a client; a change of them makes a new client."""
    return config.allow, user_agent(config), config.proxy


def client_of(config: Config) -> "Client":
    """A client that goes where the configuration allows, through its proxy."""
    allow, agent, proxy = network_of(config)
    from worker.net.client import Client

    return Client(allow=allow, user_agent=agent, proxy=proxy.reveal() if proxy else None)


async def discovered(config: Config, url: str, chosen: int | None) -> "Found":
    """The feeds at an address, asked for as a worker of this configuration asks; see `pipeline.discover`."""
    from worker.feeds.child import Children
    from worker.pipeline.discover import discover

    client, children = client_of(config), Children(size=1)
    try:
        return await discover(client, children, url, clock(), chosen)
    finally:
        children.close()
        await client.aclose()
