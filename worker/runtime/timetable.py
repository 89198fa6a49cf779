"""Upkeep at times of the machine's clock, by APScheduler; a run that a step of the clock skipped is not made up.

An interval trigger counts every turn between its last and now, which after a step of ten years takes a gigabyte, and
after one of four hours back waits for four.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger


class Timetable:
    """Jobs that come again after a pause. Each runs alone, in the event loop; a failure is logged by the library."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}, timezone="UTC"
        )

    def every(self, pause: timedelta, job: Callable[[], Awaitable[None]], *, first: timedelta = timedelta()) -> None:
        """Run `job` after `first`, then again `pause` after each time."""
        self._scheduler.add_job(job, _Every(pause, first))

    def start(self) -> None:
        """Begin, in the running loop."""
        self._scheduler.start()

    def set_anew(self) -> None:
        """Count every job's pause from now, after a step of the clock."""
        for job in self._scheduler.get_jobs():
            job.reschedule(_Every(job.trigger.pause, job.trigger.pause))

    def stop(self) -> None:
        """Begin nothing more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


class _Every(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """One turn after each pause, counted from the moment at which it is asked: whatever was missed is one."""

    def __init__(self, pause: timedelta, first: timedelta) -> None:
        self.pause = pause
        self._first = first

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return now + (self._first if previous_fire_time is None else self.pause)
