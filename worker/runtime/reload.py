"""Reloads: the configuration and the rules at SIGHUP, the rules alone whenever their folder changes.

All that can fail is done first, then one value is swapped: a job under way keeps what it started with, and what is
owed already stays owed. What is refused leaves everything as it was, and is said once: in the log, to the operators,
and in the store, where `veille status` finds it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import structlog
from watchfiles import awatch

from worker import config
from worker.config import Look, look
from worker.errors import Problem, UserError, VeilleError
from worker.model import Role
from worker.net.client import Client
from worker.notify.render import filled, sentences
from worker.pipeline.context import ActiveConfig, JobContext
from worker.pipeline.notices import notify_operators, words
from worker.runtime.load import client_of, load, network_of, reload_rules
from worker.runtime.logs import masked
from worker.store import deliveries, feeds, upkeep
from worker.store.deferred import wake

# The folder of rules, watched.
#
# What the system tells of changes (inotify) only saves a wait: it hears nothing of a link in the path
# that is turned to another folder, of a folder that vanished and is there again, nor of what another machine writes to
# a network share. The truth is how the folder looks, four times a second.


T = TypeVar("T")

#: Seconds without a change after which a write counts as whole: an editor that writes in two halves takes half a one.
STILL = 0.8
#: Seconds of them after which it is read, to be ready when they are over.
_PAUSE = 0.2
#: Seconds between two looks at a folder that rests, and at one that changes.
_RESTING, _CHANGING = 0.25, 0.05
#: Milliseconds in which the system's news are gathered.
_GATHERED = 100


async def settled(
    folder: Callable[[], Path], known: Callable[[], Look | None], read: Callable[[], Awaitable[T]]
) -> tuple[Look, T]:
    """The folder's state and files, once it differs from `known` and nobody writes to it any more.

    What is read of a folder that changes meanwhile is dropped. `folder` and `known` are asked at each look, since a
    reload may change them.
    """
    last, since = None, 0.0
    ready: T | None = None
    async with _listening(folder()) as changed:
        while True:
            changed.clear()
            found = await asyncio.to_thread(config.look, folder())
            if found == known():
                last = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_RESTING):
                        await changed.wait()
                continue
            if found != last:
                last, since, ready = found, monotonic(), None
            elif ready is None and monotonic() - since >= _PAUSE:
                ready = await read()
                continue
            elif ready is not None and monotonic() - since >= STILL:
                return found, ready
            await asyncio.sleep(_CHANGING)


@asynccontextmanager
async def _listening(folder: Path) -> AsyncIterator[asyncio.Event]:
    """Set whenever the system tells of a change in the folder that stands there now."""
    changed = asyncio.Event()
    watching = asyncio.create_task(_watch(folder, changed))
    try:
        yield changed
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _watch(folder: Path, changed: asyncio.Event) -> None:
    try:
        news = awatch(folder, recursive=False, step=_GATHERED, debounce=_GATHERED, watch_filter=None)
        async with aclosing(news):
            async for _ in news:
                changed.set()
    except Exception as e:  # noqa: BLE001 - no folder, too many watches, or none on this file system: looking will do
        _log.info(
            "the system reports no changes of files; the folder is read at intervals", folder=str(folder), error=str(e)
        )


_log = structlog.get_logger()

#: Seconds that requests under way may go on with a client that a reload replaced.
_GRACE = 60
#: Seconds before a store that refused something is asked again.
_REST = 5
#: Problems that a notice lists, and characters of each.
_MOST, _LONGEST = 20, 500


class _What(StrEnum):
    """Files that are read again."""

    #: config.toml, and the rules with it.
    CONFIGURATION = "configuration"
    RULES = "rules"


class Reloads:
    """Three loops for the worker to run beside its engine."""

    def __init__(self, made: JobContext, path: Path, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._context = made
        self._path = path
        #: Starts what outlives a reload.
        self._spawn = spawn
        #: One reading at a time: the last to begin is the last to be in force.
        self._turn = asyncio.Lock()
        #: How the rules looked that were judged last, whatever came of it.
        self._judged: Look | None = made.live.seen
        self._since = self._read = made.clock()
        #: What the last reading of each was refused for.
        self._refused: dict[_What, tuple[Problem, ...]] = {}
        #: What was said of it, so that a file which is saved five times with one mistake is one message.
        self._said: set[tuple[str, int, int, str]] = set()
        #: Subjects and bodies for the operators that the store has not taken yet.
        self._notices: list[tuple[str, str]] = []
        self._unwritten = asyncio.Event()
        self._unwritten.set()

    # --- the loops ---

    async def at_signal(self, again: asyncio.Event) -> None:
        """Read everything whenever `again` is set."""
        while True:
            await again.wait()
            again.clear()
            async with self._turn:
                await self._read_everything()

    async def at_change(self) -> None:
        """Read the rules whenever their folder has changed and is still."""
        if self._judged is None:
            self._judged = await asyncio.to_thread(look, self._folder())
        while True:
            seen, (base, found) = await settled(self._folder, lambda: self._judged, self._read_rules)
            async with self._turn:
                # A reload that came between has read the rules as well, or changed what they are judged by.
                if base is self._context.live:
                    self._judge_rules(seen, found)

    async def write_down(self) -> None:
        """Put in the store what came of each reading, and the notices of it, until the store has taken it."""
        while True:
            await self._unwritten.wait()
            self._unwritten.clear()
            notices, state = tuple(self._notices), self._state()
            try:
                await self._context.in_thread(lambda: self._write(state, notices))  # noqa: B023 - awaited here
            except Exception as e:  # noqa: BLE001 - whatever the store says, the next reading is to be written as well
                _log.warning("what came of a reload cannot be stored yet", error=str(e))
                await asyncio.sleep(_REST)
                self._unwritten.set()
            else:
                del self._notices[: len(notices)]

    # --- reading ---

    def _folder(self) -> Path:
        return self._context.live.config.rules_folder

    async def _read_everything(self) -> None:
        try:
            live = await asyncio.to_thread(load, self._path, self._folder())
            await self._context.in_thread(lambda: self._adopt(live))
        except Exception as e:  # noqa: BLE001 - logged with its trace; the next SIGHUP may bring a better file
            self._refuse(_What.CONFIGURATION, self._problems(e, self._path), asked=True)
            return
        old = self._context.live
        if live.config.store_url != old.config.store_url:
            _log.warning("another store takes a restart")
        if live.config.engine != old.config.engine:
            _log.warning("another engine takes a restart of all workers")
        if live.config.listen != old.config.listen:
            _log.warning("another address of the console takes a restart")
        if network_of(live.config) != network_of(old.config):
            self._spawn(_retire(self._context.client))
            self._context.client = client_of(live.config)
        self._judged = live.seen
        self._swap(live)
        _log.info("reloaded", feeds=len(live.config.feeds), rules=len(live.ruleset.rules))
        self._accept(_What.CONFIGURATION, _What.RULES)

    def _adopt(self, live: ActiveConfig) -> None:
        now = self._context.clock()
        with self._context.store.write() as tx:
            feeds.ensure(tx, live.config.feeds, now)
            wake(tx, Role.POLL)  # for feeds that are new
            deliveries.unpark(tx, now, live.paced)

    async def _read_rules(self) -> tuple[ActiveConfig, ActiveConfig | Exception]:
        """The active configuration with the rules of the folder, or the problems with these."""
        base = self._context.live
        try:
            return base, await asyncio.to_thread(reload_rules, base)
        except Exception as e:  # noqa: BLE001 - logged with its trace; the next change may bring better rules
            return base, e

    def _judge_rules(self, seen: Look, found: ActiveConfig | Exception) -> None:
        self._judged = seen
        if isinstance(found, Exception):
            self._refuse(_What.RULES, self._problems(found, self._folder()))
            return
        self._swap(found)
        _log.info("rules reloaded", rules=len(found.ruleset.rules), hash=found.ruleset.hash)
        self._accept(_What.RULES)

    def _swap(self, live: ActiveConfig) -> None:
        if live.ruleset.hash != self._context.live.ruleset.hash:
            self._since = self._context.clock()
        self._context.live = live

    def _problems(self, error: Exception, place: Path) -> tuple[Problem, ...]:
        """The problems that made a reading fail."""
        if isinstance(error, UserError):
            return error.problems
        if isinstance(error, VeilleError):
            return (Problem(file=str(place), line=0, message=str(error), fix="send SIGHUP again"),)
        _log.exception("a reload failed", exc_info=error)
        message = f"Veille itself failed to read it: {type(error).__name__}: {error}"
        return (Problem(file=str(place), line=0, message=message, fix="please report it; the log shows the trace"),)

    # --- saying ---

    def _refuse(self, what: _What, problems: Sequence[Problem], *, asked: bool = False) -> None:
        """Say what a reading was refused for, unless that was said since it was last good; a SIGHUP gets it all."""
        self._refused[what] = problems = _brief(problems)
        keys = {_key(problem) for problem in problems}
        new = keys - self._said
        self._said |= keys
        text = "\n".join(str(problem) for problem in problems)
        if new or asked:
            _log.error(f"reload refused; the {what} of before stays", problems=text)
        if new:
            said = words(self._context.live)
            listed = "\n".join(sentences.problem(problem, said.language) for problem in problems)
            self._notices.append(filled(said.refused, what=said.files[what], problems=listed))
        self._note()

    def _accept(self, *what: _What) -> None:
        """Report that files which were refused can be used again."""
        good_again = [one for one in what if self._refused.pop(one, ())]
        if good_again:
            named = " and the ".join(good_again)
            _log.info(f"the {named} on disk can be used again")
            count = len(self._context.live.ruleset.rules)
            said = words(self._context.live)
            files = said.files_and.join(said.files[one] for one in good_again)
            self._notices.append((said.accepted.format(what=files), said.counted(said.in_force, count)))
        left = self._refused.get(_What.CONFIGURATION, ())
        if left and not any(problem.file == str(self._path) for problem in left):
            # The rules that SIGHUP was refused for are good by now; the configuration it asked for is not in force.
            message = "at the last SIGHUP it was refused for the rules' sake, which are good by now"
            left = (Problem(file=str(self._path), line=0, message=message, fix="send SIGHUP again"),)
            self._refused[_What.CONFIGURATION] = left
        self._said = {_key(problem) for problem in left}
        self._note()

    def _note(self) -> None:
        self._read = self._context.clock()
        self._unwritten.set()

    def _state(self) -> upkeep.InForce:
        ruleset = self._context.live.ruleset
        problems = dict.fromkeys(problem for one in self._refused.values() for problem in one)
        return upkeep.InForce(
            owner=self._context.owner,
            hash=ruleset.hash,
            rules=len(ruleset.rules),
            since=self._since,
            read=self._read,
            problems=tuple(problems),
        )

    def _write(self, state: upkeep.InForce, notices: Sequence[tuple[str, str]]) -> None:
        with self._context.store.write() as tx:
            upkeep.put_in_force(tx, state)
            for subject, body in notices:
                notify_operators(tx, self._context.live, subject, body, now=self._context.clock())


def _brief(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """As many problems as a person will read, without secrets; a file that is one line of a megabyte is not shown."""
    short = [
        replace(
            problem,
            file=_shown(problem.file),
            message=_shown(problem.message)[:_LONGEST],
            fix=_shown(problem.fix)[:_LONGEST],
            seen=_shown(problem.seen)[:_LONGEST],
            source=_shown(problem.source) if len(problem.source) <= _LONGEST else "",
        )
        for problem in problems[:_MOST]
    ]
    if more := len(problems) - len(short):
        short.append(Problem(file=short[-1].file, line=0, message=f"and {more} more: `veille check` lists them"))
    return tuple(short)


def _shown(text: str) -> str:
    # A file's name may hold bytes that are no text; neither mail nor store takes them.
    return masked(text).encode("utf-8", "backslashreplace").decode()


def _key(problem: Problem) -> tuple[str, int, int, str]:
    return problem.file, problem.line, problem.column, problem.message


async def _retire(client: Client) -> None:
    try:
        await asyncio.sleep(_GRACE)
    finally:
        await client.aclose()
