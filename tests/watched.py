"""Children whose jobs are watched: one that opens a forbidden file or connects anywhere takes its process down with it.

The functions here run in the children. What a document may hold is shortened there, and one kind of item makes the code
raise that maps items.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from worker.feeds.child import ChildFailed, Children, answer

#: In the path of a file that nothing may open.
FORBIDDEN = "forbidden"
#: In the title of an item that cannot be mapped.
POISON = "poison"
#: Entries kept of a document.
ENTRIES = 30
_watched: list[bool] = []


class Watched(Children):
    """As `Children`, for jobs of hostile tests."""

    async def run(self, function: Callable[..., Any], *args: Any, seconds: float = 60) -> Any:
        found = await super().run(watched, function, args, seconds=seconds)
        if isinstance(found, ChildFailed):
            return found
        return answer.received(function, found.encode())[0]


def watched(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """The result of `function` on `args`, in the form of a child's answer, as only `function` says of which type."""
    if not _watched:
        _watched.append(True)
        sys.addaudithook(_judge)
        _shorten()
    return answer.sent(function, function(*args)).decode()


def _judge(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and FORBIDDEN in str(args[0]):
        os._exit(98)
    if event in {"socket.connect", "socket.getaddrinfo"}:
        os._exit(99)


def _shorten() -> None:
    from worker.feeds.parse import syndication

    real = syndication._bodies

    def bodies(raw: Mapping[str, Any]) -> tuple[str, str]:
        if POISON in str(raw.get("title")):
            raise ZeroDivisionError("planted")
        return real(raw)

    syndication._bodies = bodies
    syndication.ENTRIES = ENTRIES
