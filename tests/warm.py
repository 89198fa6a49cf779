"""Imported by the process that forks: it makes one pass, so that what a process makes once is made in all its forks.

Caches of regular expressions, statements, templates and rules take half of the processor time of a short-lived worker.
What depends on the environment is made anew by `forked`: see `_become` there.
"""

import asyncio
import errno
import gc
import logging
import socket
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import reduction
from pathlib import Path
from typing import Any

import structlog
import typer.main

# The server that forks is not told where modules of tests are.
sys.path.insert(0, str(Path(__file__).parent))
from kept import keep
from rig import Site

from worker.cli import app
from worker.model import AppriseSettings, Secret
from worker.notify.senders.apprise import check
from worker.runtime import run
from worker.runtime.load import load


class _Inline:
    """Stands in for `Children`: the work is done here, since this process may not fork before it serves."""

    def __init__(self, **_: object) -> None:
        pass

    async def run(self, function: Callable[..., Any], *args: Any, seconds: float) -> Any:  # noqa: ARG002 - as Children has it
        return function(*args)

    def close(self) -> None:
        """Nothing is open."""


def _pass() -> None:
    children, run.Children = run.Children, _Inline  # type: ignore[misc,assignment]  as much of it as a pass uses
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with tempfile.TemporaryDirectory() as folder:
            site = Site(Path(folder), feeds=("veille:sample",))
            asyncio.run(run.poll_once(load(site.config), lambda _: None, lambda _: None))
    finally:
        run.Children = children  # type: ignore[misc]
        structlog.reset_defaults()


def _heard(connection: socket.socket, size: int) -> list[int]:
    """The files of a request for a fork; a process that was stopped or killed as it asked asks for none.

    The server would wait for it and serve nobody, or end.
    """
    connection.settimeout(5)
    try:
        return _receive(connection, size)
    except (EOFError, TimeoutError) as e:
        raise ConnectionAbortedError(errno.ECONNABORTED, str(e)) from e


_receive, reduction.recvfds = reduction.recvfds, _heard
keep()
# Apprise loads all its services with the first.
check(AppriseSettings(url=Secret("json://127.0.0.1/")))
typer.main.get_command(app)
_pass()
# Pages of memory that the collector leaves alone stay shared.
gc.freeze()
