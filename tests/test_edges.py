"""in_batch: what waits at the same time is done in one go, and each gets what is its own."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from worker.errors import StoreBusyError
from worker.pipeline.context import JobContext


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    with Desk(tmp_path) as made:
        yield made


async def test_who_comes_while_it_runs_shares_the_next_run(desk: Desk) -> None:
    """The first goes alone at once, the others together after it; each has its own result."""
    runs: list[list[int]] = []

    def double(_: JobContext, items: Sequence[int]) -> list[int]:
        runs.append(list(items))
        return [2 * item for item in items]

    async def late(item: int) -> int:
        await asyncio.sleep(0)  # the run of the first has begun
        return await desk.context.in_batch(double, item)

    assert await asyncio.gather(desk.context.in_batch(double, 1), *map(late, (2, 3, 4))) == [2, 4, 6, 8]
    assert runs == [[1], [2, 3, 4]]
    assert await desk.context.in_batch(double, 5) == 10


async def test_an_exception_is_raised_to_its_own(desk: Desk) -> None:
    """One that stands for an item, to who brought it; one that the run raises, to whoever it comes of when alone."""

    def odd(_: JobContext, items: Sequence[int]) -> list[int | Exception]:
        if 0 in items:
            raise ZeroDivisionError
        return [item if item % 2 else ValueError(item) for item in items]

    async def all_of(*items: int) -> list[object]:
        return await asyncio.gather(*(desk.context.in_batch(odd, item) for item in items), return_exceptions=True)

    first, second, third = await all_of(1, 2, 3)
    assert (first, third) == (1, 3)
    assert isinstance(second, ValueError)
    first, second, third = await all_of(0, 1, 2)
    assert (type(first), second, type(third)) == (ZeroDivisionError, 1, ValueError)
    assert await all_of(5) == [5]


async def test_what_the_store_refuses_is_raised_to_all(desk: Desk) -> None:
    """It would refuse each of them as well, and is left alone."""
    runs: list[int] = []

    def refuse(_: JobContext, items: Sequence[int]) -> list[int]:
        runs.append(len(items))
        raise StoreBusyError

    both = (desk.context.in_batch(refuse, item) for item in (1, 2))
    assert [type(one) for one in await asyncio.gather(*both, return_exceptions=True)] == [StoreBusyError] * 2
    assert runs == [2]


async def test_who_is_cancelled_hinders_no_other(desk: Desk) -> None:
    """Its item is done all the same; the others have their results."""
    seen: list[int] = []

    def keep(_: JobContext, items: Sequence[int]) -> list[int]:
        seen.extend(items)
        return list(items)

    gone, stays = (asyncio.ensure_future(desk.context.in_batch(keep, item)) for item in (1, 2))
    gone.cancel()
    assert await stays == 2
    assert seen == [1, 2]


def test_what_waits_as_the_loop_ends_is_done(tmp_path: Path) -> None:
    """An outcome that is not written down would be a message that is sent again."""
    begun, goes_on, done = threading.Event(), threading.Event(), []

    def keep(_: JobContext, items: Sequence[int]) -> list[int]:
        begun.set()
        goes_on.wait()
        done.extend(items)
        return list(items)

    async def work(desk: Desk) -> None:
        first = desk.context.in_batch(keep, 1)
        await asyncio.to_thread(begun.wait)
        second = desk.context.in_batch(keep, 2)
        asyncio.get_running_loop().call_later(0.05, asyncio.current_task().cancel)
        threading.Timer(0.2, goes_on.set).start()
        await asyncio.gather(first, second)

    with Desk(tmp_path) as desk, pytest.raises(asyncio.CancelledError):
        asyncio.run(work(desk))
    assert sorted(done) == [1, 2]
