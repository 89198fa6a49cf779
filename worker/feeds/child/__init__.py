"""Work that hostile input may stall, bloat or crash, in child processes with limits.

One pipe for each child and nothing shared between children: one that dies in the middle of a sentence leaves no
lock behind for which another would wait. New interpreters rather than forks, because threads run in the parent, and
not `multiprocessing`'s, which would import the parent's main module into each. A child knows its job and little else:
of the environment only what `_KEPT` names, which holds no secret; what it answers is data, never a pickle: `answer`.
"""

import asyncio
import contextlib
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection, Pipe
from typing import Any, Never, TypeVar, TypeVarTuple

from worker.errors import OWN_FAULTS
from worker.feeds.child import answer

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MEBIBYTE = 1 << 20
#: For a new interpreter, on a busy machine.
_START_SECONDS = 60.0
#: A child's exit code when it has no memory left even to say so.
_NO_MEMORY = 77
#: What a child is given of the environment: where things are, and how text and time are written.
_KEPT = (
    *("HOME", "PATH", "PYTHONHOME", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ"),
    *("SSL_CERT_DIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
#: Bytes of an answer; more is read from no child.
_LONGEST = 256 * MEBIBYTE
#: Characters of what is said of a failure.
_WORDS = 300
_BOOT = "import sys; from worker.feeds.child import serve; serve(*map(int, sys.argv[1:]))"


class ChildReason(StrEnum):
    """Reasons for which a job gives no result."""

    #: It took more seconds, or more seconds of CPU, than it was given.
    TIMEOUT = "timeout"
    #: Its process ended.
    DIED = "died"
    #: It asked for more memory than it was given.
    MEMORY = "memory"
    #: The function raised, or its arguments cannot be pickled or its result cannot be written as JSON.
    RAISED = "raised"
    #: It answered something that the function does not return.
    GARBLED = "garbled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFailed:
    """A job gave no result; other jobs are not affected."""

    reason: ChildReason
    #: For people: the exception and its first words, or the signal.
    detail: str = ""
    #: It would have struck any job: no child can be started, a library is missing, no file is left.
    any_job: bool = False


class Children:
    """At most `size` child processes, started when first needed, each replaced after `recycle` jobs.

    A job has `cpu_seconds` of CPU, a child `memory` bytes of address space. Children ignore SIGINT and SIGTERM,
    because it is the parent that decides when a job's time is over; they end with the parent, however it ends.
    """

    def __init__(
        self, *, size: int = 2, cpu_seconds: int = 10, memory: int = 512 * MEBIBYTE, recycle: int = 200
    ) -> None:
        self._limits = cpu_seconds, memory
        self._recycle = recycle
        self._free = asyncio.Semaphore(size)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="child")
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        # Also when nobody calls `close`: a busy child is not to outlive the pool.
        self._kill_all = weakref.finalize(self, _kill, self._all)

    async def run(self, function: Callable[[*Ts], T], *args: *Ts, seconds: float = 20) -> T | ChildFailed:
        """Run `function(*args)` in a child: its result, or why there is none `seconds` after a child was free.

        `function` stands at the top level of an importable module; its arguments are pickled, its result is sent as
        JSON and must be of its annotated type. If the caller is cancelled, the job's child is killed.
        """
        async with self._free:
            if not self._kill_all.alive:
                return ChildFailed(reason=ChildReason.DIED, detail="the pool is closed")
            try:
                child = self._take()
            except OSError as e:  # no file is left for its pipe
                return _not_started(_words(e))
            result: T | ChildFailed | None = None
            try:
                result = await self._run(child, seconds, function, args)
            finally:
                if child.reusable and child.jobs < self._recycle and self._kill_all.alive:
                    self._idle.append(child)
                else:
                    self._dismiss(child)
            return result

    def _take(self) -> "_Child":
        while self._idle:
            if (child := self._idle.pop()).is_alive():
                return child
            self._dismiss(child)
        child = _Child(*self._limits)
        self._all.add(child)
        return child

    def _dismiss(self, child: "_Child") -> None:
        child.kill()
        if self._kill_all.alive:
            self._threads.submit(self._release, child)

    def _release(self, child: "_Child") -> None:
        child.release(10)
        self._all.discard(child)

    async def _run(
        self, child: "_Child", seconds: float, function: Callable[..., T], args: tuple[Any, ...]
    ) -> T | ChildFailed:
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._threads, child.start):
            return _not_started(child.end())
        call = loop.run_in_executor(self._threads, child.call, function, args)
        done, _ = await asyncio.wait({call}, timeout=seconds)
        if not done:
            child.kill()
            return ChildFailed(reason=ChildReason.TIMEOUT, detail=f"not done within {seconds:g} s")
        return call.result()

    def close(self) -> None:
        """Kill the children, busy ones too; returns within 2 seconds."""
        self._kill_all()
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Child:
    """One child process, used by one job at a time; its methods block, but for `kill` at most for a moment."""

    def __init__(self, cpu_seconds: int, memory: int) -> None:
        self._limits = cpu_seconds, memory
        self._pipe, self._far_end = Pipe()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        #: Held while another thread waits at the pipe, which must not be closed under it.
        self._talk = threading.Lock()
        self._killed = False
        #: Between jobs, and nothing went wrong in the last one.
        self._sound = False
        self.jobs = 0

    @property
    def reusable(self) -> bool:
        """Tells whether another job may be given to it."""
        return self._sound and not self._killed

    def start(self) -> bool:
        """Start the process if it is not started; False if it does not come up."""
        with self._lock:
            if self._killed:
                return False
            if self._process is not None:
                return True
            far = self._far_end.fileno()
            try:
                self._process = self._begin(far)
            except OSError:  # no file, process or memory is left for one
                return False
            # The child has its own copy; while this one is open, the child's death would not end a read.
            self._far_end.close()
        try:
            with self._talk:
                return self._pipe.poll(_START_SECONDS) and self._pipe.recv_bytes() == b"ready"
        except (EOFError, OSError):
            return False

    def _begin(self, far: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603  this interpreter, this module
            [sys.executable, "-P", "-c", _BOOT, *map(str, (far, *self._limits))],
            # What a library prints of hostile text is not to reach a terminal.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[far],
            env=_environment(),
        )

    def call(self, function: Callable[..., T], args: tuple[Any, ...]) -> T | ChildFailed:
        """Run one job and wait for its end; the result, or why there is none."""
        self._sound = False
        try:
            job = pickle.dumps((function, args))
        except Exception as e:  # noqa: BLE001  pickling runs the arguments' own code
            self._sound = True
            return ChildFailed(reason=ChildReason.RAISED, detail=_words(e))
        try:
            with self._talk:
                self._pipe.send_bytes(job)
                answered = self._pipe.recv_bytes(_LONGEST)
        except (EOFError, OSError):
            return self._dead()
        self.jobs += 1
        try:
            result, failure = answer.received(function, answered)
            failed = failure and ChildFailed(
                reason=ChildReason(failure[0]), detail=failure[1][:_WORDS], any_job=failure[2]
            )
        except ValueError:
            return ChildFailed(reason=ChildReason.GARBLED, detail="its answer is none that the job can give")
        self._sound = failed is None or failed.reason is not ChildReason.MEMORY
        return failed or result

    def _dead(self) -> ChildFailed:
        code = self._wait(1)
        if code == -signal.SIGXCPU:
            return ChildFailed(reason=ChildReason.TIMEOUT, detail="its CPU time is used up")
        return ChildFailed(reason=ChildReason.MEMORY if code == _NO_MEMORY else ChildReason.DIED, detail=self.end())

    def end(self) -> str:
        """The end of the process in words."""
        code = self._wait(0)
        if code is None:
            return "it does not answer"
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def is_alive(self) -> bool:
        """Tells whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once; whoever waits for it in `call` gets its end."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def release(self, seconds: float) -> None:
        """Wait for the end of a process that was killed, and give back what the system holds for it."""
        self._wait(seconds)
        if self._talk.acquire(timeout=seconds):
            self._pipe.close()
            self._far_end.close()
            self._talk.release()

    def _wait(self, seconds: float) -> int | None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(seconds)
        return None


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _kill(children: Iterable[_Child]) -> None:
    dying = list(children)
    for child in dying:
        child.kill()
    end = time.monotonic() + 1
    for child in dying:
        child.release(max(0.0, end - time.monotonic()))


# --- in the child ------------------------------------------------------------------------------------------------


def serve(descriptor: int, cpu_seconds: int, memory: int) -> Never:
    """The child: take a job from the pipe, answer it, until the parent is gone."""
    pipe = Connection(descriptor)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # macOS refuses a limit on address space.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Its stack counts as memory.
    threading.stack_size(256 * 1024)
    threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
    threading.stack_size(0)
    try:
        pipe.send_bytes(b"ready")
        while True:
            job = pipe.recv_bytes()
            _allow_cpu(cpu_seconds)
            pipe.send_bytes(_answer(job))
    except MemoryError:
        os._exit(_NO_MEMORY)
    except (EOFError, OSError):
        os._exit(0)


def _end_with_parent(descriptor: int) -> None:
    """End this process when the parent's end of the pipe closes, which even SIGKILL cannot prevent.

    C code that never releases the interpreter's lock would hold this thread up: the limit on CPU ends that.
    """
    hang_up = select.poll()
    hang_up.register(descriptor, 0)
    hang_up.poll()
    os._exit(1)


def _allow_cpu(seconds: int) -> None:
    """Let the kernel end this process (SIGXCPU) after `seconds` of CPU from now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _answer(job: bytes) -> bytes:
    try:
        function, args = pickle.loads(job)  # noqa: S301  from the parent
        return answer.sent(function, function(*args))
    except MemoryError:
        return answer.sent_failure(ChildReason.MEMORY, "out of memory")
    except BaseException as e:  # noqa: BLE001  whatever it is, the next job is not to suffer for it
        return answer.sent_failure(ChildReason.RAISED, _words(e), any_job=isinstance(e, OWN_FAULTS))


def _not_started(why: str) -> ChildFailed:
    return ChildFailed(reason=ChildReason.DIED, detail=f"no child could be started: {why}", any_job=True)


def _words(e: BaseException) -> str:
    return f"{type(e).__name__}: {str(e)[:200]}"
