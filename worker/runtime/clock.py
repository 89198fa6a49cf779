"""The only clock, its steps, and the age of a worker's last tick."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.store.upkeep import Heartbeat


#: A tick this old means a worker that hangs, or none.
LATE_AFTER = timedelta(seconds=20)
#: A clock that is corrected by less is none that was set back.
SET_BACK = timedelta(minutes=1)
#: A step forward by more makes nothing old until it has stood for so long.
SET_FORWARD, CONFIRMED_AFTER = timedelta(hours=1), timedelta(days=1)


def clock() -> datetime:
    """Now, aware UTC: the only place that reads the clock."""
    return datetime.now(UTC)  # noqa: TID251 - this is that place


def elapsed() -> float:
    """Seconds since the machine started, its sleep included where the system counts it; no step changes them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@cache
def boot() -> str:
    """The machine's present run, within which processes may compare `elapsed`; empty where it has no name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def age(tick: datetime, now: datetime, *, turned: float | None, booted: str) -> timedelta:
    """The age of a tick, by what has elapsed since if this is the machine that ticked, else by the wall's clock."""
    if turned is not None and booted and booted == boot() and (since := elapsed() - turned) >= 0:
        return timedelta(seconds=since)
    return now - tick


def age_of(beat: "Heartbeat", now: datetime) -> timedelta:
    """The age of a stored tick."""
    return age(beat.tick, now, turned=beat.turned, booted=beat.boot)


class Steps:
    """Watches the wall's clock against the time that has elapsed; may be asked from any thread.

    Until a step forward has stood for a day, the clock may as well be wrong: `ahead` says by how much, and what is
    deleted or given up for its age goes by the time before the step. A new process takes its first time for right.
    """

    def __init__(self, now: Callable[[], datetime], passed: Callable[[], float] = elapsed) -> None:
        self._now, self._passed = now, passed
        self._lock = threading.Lock()
        #: The wall's time when `passed` was nought: as last seen, as `look` last reported, and as it is trusted.
        self._seen = self._reported = self._trusted = self._nought()
        #: What had passed when the last step forward was seen.
        self._since = 0.0

    def look(self) -> timedelta:
        """The steps since the last look together, negative for one that was set back; zero for a minute or less."""
        with self._lock:
            self._update()
            step, self._reported = self._seen - self._reported, self._seen
        return step if abs(step) > SET_BACK else timedelta()

    def ahead(self) -> timedelta:
        """The part of a step forward of the clock that is not trusted yet."""
        with self._lock:
            self._update()
            return self._seen - self._trusted

    def _nought(self) -> datetime:
        return self._now() - timedelta(seconds=self._passed())

    def _update(self) -> None:
        nought, passed = self._nought(), self._passed()
        if nought - self._seen > SET_FORWARD:
            self._since = passed
        self._seen = nought
        stood = passed - self._since >= CONFIRMED_AFTER.total_seconds()
        if stood or nought - self._trusted <= SET_FORWARD:
            self._trusted = nought


class DatabaseClock:
    """The database's clock, and the time that has passed since it was read: leases are compared by several machines.

    A step of this machine's own clock is none of this one.
    """

    def __init__(self, ask: Callable[[], datetime]) -> None:
        self._ask = ask
        self.compare()

    def __call__(self) -> datetime:
        """Now, aware UTC."""
        at, passed = self._read
        return at + timedelta(seconds=elapsed() - passed)

    def compare(self) -> None:
        """Read the database's clock; raises what asking raises."""
        before = elapsed()
        at = self._ask()
        self._read = at, (before + elapsed()) / 2
