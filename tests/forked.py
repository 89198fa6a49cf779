"""`veille` in a process of its own that is forked from one which has imported it already.

    run("poll", "--config", "c.toml", environ={...}) -> subprocess.CompletedProcess
    start("run", "--config", "c.toml", environ={...}, log=path) -> Worker

INSTEAD in the environment is JSON that stands in for constants of modules: {"worker.runtime.self_watch.DEAD_AFTER": 6}.

A start spends half its processor time on imports, and the suite starts hundreds. What they run, how they are killed and
what they leave behind is the same; that a process of the very command starts too is for tests that name it.
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
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

_FORKS = multiprocessing.get_context("forkserver")
# pytest, because a child imports the main module of its parent's parent.
_FORKS.set_forkserver_preload(["pytest", "worker.runtime.run", "worker.runtime.worker", "worker.cli"])


def run(*words: str, environ: Mapping[str, str], timeout: float = 250) -> "subprocess.CompletedProcess[str]":
    """The command's end, and what it wrote; raises TimeoutExpired and ends it after `timeout` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        worker = Worker(words, environ, out, err)
        try:
            code = worker.wait(timeout)
        finally:
            worker.kill()
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())


def start(*words: str, environ: Mapping[str, str], log: Path) -> "Worker":
    """The command, running; all that it writes goes to the end of `log`."""
    return Worker(words, environ, log, log)


class Worker:
    """The part of subprocess.Popen that tests use, for a forked process."""

    def __init__(self, words: tuple[str, ...], environ: Mapping[str, str], out: Path, err: Path) -> None:
        self.args = words
        # Daemons: what a failing test leaves running ends with the tests.
        self._process: ForkServerProcess = _FORKS.Process(
            target=_veille, args=(words, dict(environ), Path.cwd(), out, err), daemon=True
        )
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
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _veille(words: tuple[str, ...], environ: Mapping[str, str], folder: Path, out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(folder)
    for path, number in ((os.devnull, 0), (out, 1), (err, 2)):
        file = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "rww"[number], closefd=False) for number in range(3))
    sys.argv = ["veille", *words]
    for place, value in json.loads(environ.get("INSTEAD", "{}")).items():
        module, _, name = place.rpartition(".")
        assert hasattr(importlib.import_module(module), name)
        setattr(importlib.import_module(module), name, value)
    from worker.cli import main

    main()
