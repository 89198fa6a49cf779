"""Limits on jobs that run at a time: of all, of one host, of one target."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

#: A host with five hundred feeds sees two connections, as a person's browser would make.
PER_HOST = 2


def host_of(url: str) -> str:
    """The host of a URL, or its scheme where it has none; the text itself where it is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return parts.hostname or parts.scheme


def choose(waiting: Mapping[str, str], busy: Counter[str], *, slots: int) -> list[str]:
    """The first `slots` of `waiting` (key -> host) whose hosts are not at their limit with `busy` (jobs by host)."""
    chosen: list[str] = []
    load = Counter(busy)
    for key, host in waiting.items():
        if len(chosen) >= slots:
            break
        if load[host] < PER_HOST:
            load[host] += 1
            chosen.append(key)
    return chosen


class Turns:
    """At most `total` jobs at a time and `each` of one group; who waits for a busy group keeps no other one waiting."""

    def __init__(self, *, total: int, each: int) -> None:
        self._slots = asyncio.Semaphore(total)
        self._each = each
        #: Group -> its turns, and how many jobs hold or await one.
        self._groups: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def take(self, group: str) -> AsyncIterator[None]:
        """One turn of `group`, once there is one."""
        turns, users = self._groups.get(group, (asyncio.Semaphore(self._each), 0))
        self._groups[group] = turns, users + 1
        try:
            async with turns, self._slots:
                yield
        finally:
            turns, users = self._groups.pop(group)
            if users > 1:
                self._groups[group] = turns, users - 1
