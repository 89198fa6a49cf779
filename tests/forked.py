"""`veille` in a process of its own that is forked from one which has imported it already.

    run("poll", "--config", "c.toml", environ={...}) -> subprocess.CompletedProcess
    start("run", "--config", "c.toml", environ={...}, log=path) -> Worker
    each([["status"], ["articles"]], environ={...}, log=path) -> several commands by one process
    python("import worker; ...") -> subprocess.CompletedProcess

INSTEAD in the environment is JSON that stands in for constants of modules: {"worker.runtime.self_watch.LOST_AFTER": 6}.
STEPS in it names the file by which `stepping` steps the process's clock.

A start spends half its processor time on imports, and the suite starts hundreds. What they run, how they are killed and
what they leave behind is the same; that a process of the very command starts too is for tests that name it. Children of
`worker.feeds.child` are forked as well, everywhere but in tests/test_child.py, which is about their new interpreters.
"""

import contextlib
import importlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stepping

from worker.feeds import child
from worker.net import client

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

_FORKS = multiprocessing.get_context("forkserver")
# pytest, because a child imports the main module of its parent's parent.
_FORKS.set_forkserver_preload(
    [
        *("pytest", "worker.runtime.run", "worker.runtime.worker", "worker.cli", "worker.cli.show", "worker.cli.views"),
        *("worker.runtime.single_pass", "worker.config.build", "worker.feeds.sample", "worker.notify.senders.apprise"),
        *(
            "babel.dates",
            "jinja2.sandbox",
            "anyio.streams.tls",
            "anyio._backends._asyncio",
            "trafilatura",
            "tests.warm",
        ),
    ]
)

#: By which processes of tests find the process that forks for all of them: see `share`.
_ADDRESS = "FORKS_AT"
#: See `each`.
ENDED = "\n-- ended with {} --\n"
#: `_Child._begin` as it is.
NEW_INTERPRETER = child._Child._begin


def share() -> None:
    """Let one process fork for all processes of tests that begin from now on, and for as long as this one lives.

    It takes four seconds to import and warm up.
    """
    forkserver._forkserver.ensure_running()
    os.environ[_ADDRESS] = forkserver._forkserver._forkserver_address  # type: ignore[attr-defined]


def _join(address: str) -> None:
    server = forkserver._forkserver
    server._forkserver_address = address  # type: ignore[attr-defined]
    # Each fork is sent this file to keep; it is a pipe where the process that forks is this one's own.
    server._forkserver_alive_fd = os.open(os.devnull, os.O_RDONLY)  # type: ignore[attr-defined]
    server.ensure_running = lambda: None  # type: ignore[method-assign]


if _ADDRESS in os.environ:
    _join(os.environ.pop(_ADDRESS))


def run(*words: str, environ: Mapping[str, str], timeout: float = 250) -> "subprocess.CompletedProcess[str]":
    """The command's end, and what it wrote; raises TimeoutExpired and ends it after `timeout` seconds."""
    return _ended(words, timeout, lambda out, err: Worker(words, environ, out, err))


def python(code: str, *words: str, timeout: float = 250) -> "subprocess.CompletedProcess[str]":
    """The same of `code`, which finds the words behind `sys.argv[0]`, and the tests' modules at hand."""
    return _ended(words, timeout, lambda out, err: _Forked(_python, code, words, dict(os.environ), out, err))


def _ended(
    words: tuple[str, ...], timeout: float, begin: Callable[[Path, Path], "_Forked"]
) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = begin(out, err)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())


def start(*words: str, environ: Mapping[str, str], log: Path) -> "Worker":
    """The command, running; all that it writes goes to the end of `log`."""
    return Worker(words, environ, log, log)


class _Forked:
    """The part of subprocess.Popen that is used here, for a forked process."""

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        # Daemons: what a failing test leaves running ends with the tests.
        self._process: ForkServerProcess = _FORKS.Process(target=target, args=args, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, a negative signal's number, or None as long as it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """See `returncode`."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one; raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        code = self.returncode
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Worker(_Forked):
    """`veille`, running."""

    def __init__(self, words: tuple[str, ...], environ: Mapping[str, str], out: Path, err: Path) -> None:
        super().__init__(_veille, words, dict(environ), Path.cwd(), out, err)


def each(lines: Sequence[Sequence[str]], *, environ: Mapping[str, str], log: Path) -> "_Forked":
    """The commands, one after another in one process; behind what each writes stands `ENDED` with its exit code."""
    return _Forked(_each, lines, dict(environ), Path.cwd(), log)


def _each(lines: Sequence[Sequence[str]], environ: Mapping[str, str], folder: Path, log: Path) -> None:
    main = _command(environ, folder, log, log)
    for words in lines:
        sys.argv = ["veille", *words]
        try:
            main()
            code: object = 0
        except SystemExit as e:
            code = e.code or 0
        print(ENDED.format(code), end="", flush=True)


def _veille(words: tuple[str, ...], environ: Mapping[str, str], folder: Path, out: Path, err: Path) -> None:
    main = _command(environ, folder, out, err)
    sys.argv = ["veille", *words]
    main()


def _command(environ: Mapping[str, str], folder: Path, out: Path, err: Path) -> Callable[[], None]:
    """`veille`, ready to run in this process."""
    _become(environ, out, err)
    os.chdir(folder)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "rww"[number], closefd=False) for number in range(3))
    for place, value in json.loads(environ.get("INSTEAD", "{}")).items():
        module, _, name = place.rpartition(".")
        assert hasattr(importlib.import_module(module), name)
        setattr(importlib.import_module(module), name, value)
    if "STEPS" in environ:
        stepping.begin(environ["STEPS"])
    from worker.cli import main

    fork_children()
    # It may have children, which end with it by their pipe.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    # The server that forked this process forks them too; Python would start another.
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[attr-defined]
    return main


def fork_children() -> None:
    """From now on the children of `worker.feeds.child` are forked; `NEW_INTERPRETER` is what they were before."""
    child._Child._begin = _begin  # type: ignore[method-assign,assignment]  as much of Popen as it uses


def _python(code: str, words: tuple[str, ...], environ: Mapping[str, str], out: Path, err: Path) -> None:
    _become(environ, out, err)
    sys.argv = ["-c", *words]
    exec(code, {"__name__": "__main__"})


def _become(environ: Mapping[str, str], out: Path | str, err: Path | str) -> None:
    if os.environ.get("SSL_CERT_FILE") != environ.get("SSL_CERT_FILE"):
        client._tls.cache_clear()
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    for path, number in ((os.devnull, 0), (out, 1), (err, 2)):
        file = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)


def _begin(one: Any, far: int) -> _Forked:
    """Stands in for `worker.feeds.child._Child._begin`."""
    started = _Forked(_serve, Connection(os.dup(far)), child._environment(), one._limits)
    # At this process's end multiprocessing would ask it to end, which it ignores, and wait.
    multiprocessing.process._children.discard(started._process)  # type: ignore[attr-defined]
    return started


def _serve(far: Connection, environ: Mapping[str, str], limits: tuple[int, int]) -> None:
    _become(environ, os.devnull, os.devnull)
    seconds, memory = limits
    # What the fork has mapped already is no need of the job's.
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    child.serve(os.dup(far.fileno()), seconds, memory + mapped)
