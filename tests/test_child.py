"""Child processes: what hostile input does to one, and that it stays there.

The jobs are functions of the standard library, because a child finds its function by name.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
import typing
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.feeds import child
from worker.feeds.child import ChildFailed, ChildReason, Children
from worker.feeds.parse import parse
from worker.model import Fetched, ParsedFeed, StoredEntry
from worker.notify.senders.apprise import notify
from worker.pipeline.reading import Unread, read, read_page

#: Elsewhere children are forked from a process that has imported everything: what they do is the same.
new_interpreters = pytest.mark.usefixtures("new_interpreters")
GIB = 1 << 30
#: Loops in Python, and in C without ever letting another thread run.
LOOPS = {"python": (exec, "while True: pass"), "c": (sum, itertools.repeat(1))}


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    """A pool of two."""
    pool = Children(size=2)
    yield pool
    pool.close()


@new_interpreters
async def test_a_job_gives_its_result(children: Children) -> None:
    """Arguments go there, the result comes back."""
    assert await children.run(pow, 2, 10) == 1024
    assert await children.run(str.upper, "é" * (8 << 20)) == "É" * (8 << 20)


async def test_jobs_run_in_other_processes(children: Children) -> None:
    """As many as the pool's size, at the same time, and the same ones again."""
    pids = {await job for job in [children.run(os.getpid) for _ in range(6)]}
    assert os.getpid() not in pids
    assert len(pids) == 1
    await asyncio.gather(*(children.run(time.sleep, 0.1) for _ in range(2)))
    start = time.monotonic()
    await asyncio.gather(*(children.run(time.sleep, 1.0) for _ in range(2)))
    assert time.monotonic() - start < 1.9


async def test_no_process_before_the_first_job() -> None:
    """A pool that is not used costs nothing."""
    before = set(_children_of(os.getpid()))
    pool = Children()
    assert set(_children_of(os.getpid())) == before
    pool.close()


@pytest.mark.parametrize(
    ("job", "limits", "seconds", "reason", "detail"),
    [
        (LOOPS["python"], {}, 0.5, ChildReason.TIMEOUT, "0.5 s"),
        (LOOPS["c"], {}, 0.5, ChildReason.TIMEOUT, "0.5 s"),
        ((time.sleep, 60), {}, 0.5, ChildReason.TIMEOUT, "0.5 s"),
        (LOOPS["python"], {"cpu_seconds": 1}, 20, ChildReason.TIMEOUT, "CPU"),
        (LOOPS["c"], {"cpu_seconds": 1}, 20, ChildReason.TIMEOUT, "CPU"),
        ((bytearray, 2 * GIB), {}, 20, ChildReason.MEMORY, "memory"),
        ((exec, "x = [[]]\nwhile True: x = [x, *x]"), {}, 20, ChildReason.MEMORY, ""),
        ((os._exit, 3), {}, 20, ChildReason.DIED, "exit code 3"),
        ((os._exit, 0), {}, 20, ChildReason.DIED, "exit code 0"),
        ((os.abort,), {}, 20, ChildReason.DIED, "SIGABRT"),
        ((signal.raise_signal, signal.SIGKILL), {}, 20, ChildReason.DIED, "SIGKILL"),
        ((signal.raise_signal, signal.SIGSEGV), {}, 20, ChildReason.DIED, "SIGSEGV"),
        ((int, "x"), {}, 20, ChildReason.RAISED, "ValueError"),
        ((sys.exit, 1), {}, 20, ChildReason.RAISED, "SystemExit"),
        ((signal.default_int_handler, 2, None), {}, 20, ChildReason.RAISED, "KeyboardInterrupt"),
        ((iter, [1].__iter__), {}, 20, ChildReason.RAISED, "TypeError"),
        ((eval, "lambda: 1"), {}, 20, ChildReason.RAISED, "Serializ"),
        ((compile, "(" * 100_000, "x", "exec"), {}, 20, ChildReason.RAISED, "Error"),
    ],
    ids=["loop", "loop in C", "sleep", "cpu", "cpu in C", "2 GB", "grows", "exits", "exits 0", "aborts", "killed",
         "crash", "raises", "sys.exit", "interrupt", "type", "no JSON", "recursion"],
)  # fmt: skip
async def test_a_job_that_fails_fails_alone(job, limits, seconds: float, reason: ChildReason, detail: str) -> None:
    """The reason is told; a job beside it finishes, and the next one runs."""
    pool = Children(size=2, **limits)
    try:
        failed, beside = await asyncio.gather(pool.run(*job, seconds=seconds), pool.run(time.sleep, 0.6))
        assert isinstance(failed, ChildFailed)
        assert (failed.reason, beside) == (reason, None)
        assert detail in failed.detail
        assert [await pool.run(pow, 2, n) for n in range(3)] == [1, 2, 4]
    finally:
        pool.close()


async def test_arguments_that_cannot_be_sent_are_a_failure(children: Children) -> None:
    """Arguments that cannot be pickled raise nothing here either."""
    failed = await children.run(len, (lambda: 1,))  # type: ignore[arg-type]
    assert isinstance(failed, ChildFailed)
    assert failed.reason is ChildReason.RAISED
    assert await children.run(pow, 2, 3) == 8


#: Runs a command in this process, when it is unpickled.
PICKLED = b"cos\nsystem\n(S'touch %s'\ntR."


@pytest.mark.parametrize(
    "said",
    [
        PICKLED,
        b"=" + PICKLED,
        b"!" + PICKLED,
        b"",
        b"=",
        b"={}",
        b'={"version": "rss20", "entries": [{"published": 5}]}',
        b'={"reason": "other"}',
        b'![""]',
        b'!["other", ""]',
        b"=\xff",
        b'=["not", "of", "this", "kind"]',
    ],
    ids=["pickle", "pickle as result", "pickle as failure", "nothing", "no result", "no fields", "other types",
         "a reason that is none", "no failure", "a failure that is none", "no text", "other"],
)  # fmt: skip
async def test_w12_an_answer_is_data(tmp_path: Path, said: bytes) -> None:
    """Bytes of a child that was taken over are never unpickled; they are no result, and the child gets no other job."""
    mark = tmp_path / "mark"
    said = said.replace(b"%s", bytes(mark))
    pool = Children(size=1)
    pid = await pool.run(os.getpid)
    await pool.run(exec, f"from worker.feeds.child import answer\nanswer.sent = lambda *_: {said!r}")
    failed = await pool.run(parse, b"<rss version='2.0'><channel/></rss>", "https://a.example/", "")
    assert not mark.exists()
    assert isinstance(failed, ChildFailed)
    assert failed.reason is ChildReason.GARBLED
    assert await pool.run(os.getpid) != pid
    pool.close()


async def test_w12_an_answer_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read of one than a bound allows."""
    monkeypatch.setattr(child, "_LONGEST", 1 << 20)
    pool = Children(size=1)
    failed = await pool.run(str.ljust, "", 2 << 20)
    assert isinstance(failed, ChildFailed)
    assert failed.reason is ChildReason.DIED
    assert await pool.run(pow, 2, 3) == 8
    pool.close()


def test_w12_every_job_says_what_it_returns() -> None:
    """By its annotation, so that the parent knows what to take."""
    for job in (parse, read, read_page, notify):
        assert typing.get_type_hints(job)["return"] is not typing.Any


@new_interpreters
async def test_w12_what_is_read_comes_back_as_it_was() -> None:
    """Times, closed lists, values within values: no field of an answer is lost or changed."""
    item = "<item><guid>1</guid><title>Été</title><pubDate>Fri, 06 Feb 2026 08:00:00 +0700</pubDate></item>"
    feed = f"<rss version='2.0'><channel><ttl>5</ttl>{item}</channel></rss>".encode()
    found = parse(feed, "https://a.example/", "")
    assert isinstance(found, ParsedFeed)
    fetched = Fetched(body=b"<p>Un texte assez court.</p>", url="https://a.example/1")
    unread = Unread(
        entry=StoredEntry(
            id=1, feed="f", parsed=found.entries[0], first_seen=datetime(2026, 2, 6, tzinfo=UTC), backlog=False
        ),
        source="s",
    )
    pool = Children(size=1)
    assert await pool.run(parse, feed, "https://a.example/", "") == found
    assert await pool.run(parse, b"<p>", "https://a.example/", "") == parse(b"<p>", "https://a.example/", "")
    assert await pool.run(read, [unread]) == read([unread])
    assert await pool.run(read_page, fetched, found.entries[0]) == read_page(fetched, found.entries[0])
    pool.close()


@new_interpreters
async def test_w12_a_child_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment reaches it but what says where things are and how to write."""
    for name in ("CANARY", "SLACK_HOOK", "VEILLE_CONFIG", "HTTPS_PROXY", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "CANARY_TOKEN_1")
    monkeypatch.setenv("TZ", "Asia/Phnom_Penh")
    pool = Children(size=1)
    seen = await pool.run(eval, "open('/proc/self/environ').read() + str(dict(__import__('os').environ))")
    assert "CANARY" not in str(seen)
    assert "Asia/Phnom_Penh" in str(seen)
    pool.close()


async def test_cpu_is_counted_for_each_job_alone() -> None:
    """A child that has worked for long is not punished for its age."""
    pool = Children(size=1, cpu_seconds=1)
    burn = "import time\nend = time.process_time() + 0.8\nwhile time.process_time() < end: pass"
    pids = set()
    for _ in range(2):
        assert await pool.run(exec, burn) is None
        pids.add(await pool.run(os.getpid))
    assert len(pids) == 1
    pool.close()


async def test_a_child_that_dies_while_it_speaks_holds_nobody_up() -> None:
    """The end of a child in the middle of a long answer is noticed, and leaves no lock behind."""
    pool = Children(size=2)
    for delay in (0.01, 0.03, 0.1):
        pid = await pool.run(os.getpid)
        assert isinstance(pid, int)
        speaks = asyncio.create_task(pool.run(str.ljust, "", 100 << 20))
        await asyncio.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        assert isinstance(await speaks, str | ChildFailed)
        assert await asyncio.gather(*(pool.run(pow, 2, n) for n in range(4))) == [1, 2, 4, 8]
    pool.close()


@new_interpreters
async def test_a_child_that_died_between_jobs_is_replaced(children: Children) -> None:
    """No job is lost to a child that was ended from outside while it had nothing to do."""
    pid = await children.run(os.getpid)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    _await_end(pid)
    assert await children.run(pow, 2, 3) == 8


async def test_children_are_replaced_after_their_jobs() -> None:
    """Memory that a parser leaks is given back."""
    pool = Children(size=1, recycle=3)
    pids = [await pool.run(os.getpid) for _ in range(9)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3]
    pool.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_children_leave_stopping_to_the_parent(number: signal.Signals, children: Children) -> None:
    """A signal to the whole group does not cut a job short."""
    pid = await children.run(os.getpid)
    assert isinstance(pid, int)
    job = asyncio.create_task(children.run(time.sleep, 0.3))
    await asyncio.sleep(0.1)
    os.kill(pid, number)
    assert await job is None
    assert await children.run(os.getpid) == pid


@new_interpreters
async def test_a_cancelled_job_ends(children: Children) -> None:
    """Nobody waits for the result: the child is ended, and its place is free."""
    pid = await children.run(os.getpid)
    assert isinstance(pid, int)
    job = asyncio.create_task(children.run(time.sleep, 60))
    await asyncio.sleep(0.1)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    _await_end(pid)
    assert await asyncio.gather(*(children.run(pow, 2, n) for n in range(4))) == [1, 2, 4, 8]


@pytest.mark.parametrize("job", [(time.sleep, 60), LOOPS["c"], (exec, "import os\nos.kill(os.getpid(), 19)")],
                         ids=["sleeps", "loops", "stopped"])  # fmt: skip
async def test_closing_waits_for_no_job(job) -> None:
    """The pool closes at once, whatever its children do, and its jobs are told so."""
    pool = Children(size=2)
    running = [asyncio.create_task(pool.run(*job)) for _ in range(3)]
    await asyncio.sleep(0.5)
    start = time.monotonic()
    pool.close()
    assert time.monotonic() - start < 30
    results = await asyncio.wait_for(asyncio.gather(*running), 30)
    assert {result.reason for result in results if isinstance(result, ChildFailed)} == {ChildReason.DIED}
    assert isinstance(await pool.run(pow, 2, 3), ChildFailed)
    pool.close()


PARENT = """
import asyncio, itertools, os, sys, time
from worker.feeds.child import Children
async def main():
    pool = Children(size=2, cpu_seconds=1)
    pids = await asyncio.gather(pool.run(exec, "import time; time.sleep(.3)"), pool.run(os.getpid))
    jobs = [asyncio.create_task(pool.run(*job)) for job in {jobs}]
    await asyncio.sleep(0.5)
    print(*(p.pid for p in [c._process for c in pool._all]), flush=True)
    {end}
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("jobs", "end"),
    [
        ("[]", "os.kill(os.getpid(), 9)"),
        ("[(time.sleep, 60)] * 2", "os.kill(os.getpid(), 9)"),
        ("[(sum, itertools.repeat(1))] * 2", "os.kill(os.getpid(), 9)"),
        ("[(time.sleep, 60)] * 2", "os._exit(0)"),
        ("[(time.sleep, 60)] * 2", "return"),
        ("[]", "return"),
        ("[(time.sleep, 60)] * 2", "raise RuntimeError"),
    ],
    ids=["killed idle", "killed asleep", "killed at work", "exits", "returns", "returns idle", "raises"],
)
def test_children_end_with_their_parent(jobs: str, end: str) -> None:
    """However the parent ends, and though nobody closes the pool."""
    program = PARENT.format(jobs=jobs, end=end)
    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    pids = [int(pid) for pid in parent.stdout.split()]
    assert len(pids) == 2, parent.stderr
    deadline = time.monotonic() + 30
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, pids))


def _await_end(pid: int) -> None:
    """Wait until the process has ended, and leave its end to be read by its parent, who may have done so already."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@new_interpreters
async def test_the_loop_goes_on_while_a_child_starts(children: Children) -> None:
    """Starting an interpreter is not the event loop's business."""
    longest, last = 0.0, time.monotonic()
    job = asyncio.create_task(children.run(time.sleep, 0.2))
    while not job.done():
        await asyncio.sleep(0)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert longest < 0.25


@new_interpreters
@pytest.mark.parametrize("what", ["worker.feeds.child.subprocess.Popen", "worker.feeds.child.Pipe"])
async def test_c11_no_process_can_be_started(children: Children, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """No file or process is left for a child: the job fails with that reason, and runs when there is one again."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(what, refuse)
        failed = await children.run(pow, 2, 3)
    assert isinstance(failed, ChildFailed)
    assert failed.reason is ChildReason.DIED
    assert await children.run(pow, 2, 3) == 8
