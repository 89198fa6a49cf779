"""A job's answer on its way from the child: JSON, checked in the parent against what the function says it returns.

The child has read what hostile servers send, so nothing that it sends may be unpickled: a pickle runs what it names.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter

#: The first byte of an answer.
_RESULT, _FAILURE = b"=", b"!"


def sent(function: Callable[..., Any], result: Any) -> bytes:
    """The bytes that stand for a result of `function`; raises ValueError for what JSON cannot hold."""
    return _RESULT + _type_of(function).dump_json(result)


def sent_failure(reason: str, detail: str, *, any_job: bool = False) -> bytes:
    """The bytes that say why there is none, and whether no job could have had one."""
    return _FAILURE + _FAILURES.dump_json((reason, detail.encode("utf-8", "replace").decode(), any_job))


def received(function: Callable[..., Any], answer: bytes) -> tuple[Any, tuple[str, str, bool] | None]:
    """The result of `function`, or what `sent_failure` was given; ValueError where the bytes are neither."""
    kind, data = answer[:1], answer[1:]
    if kind == _FAILURE:
        return None, _FAILURES.validate_json(data, strict=True)
    if kind != _RESULT:
        raise ValueError("neither a result nor a failure")
    return _type_of(function).validate_json(data, strict=True), None


_FAILURES: TypeAdapter[tuple[str, str, bool]] = TypeAdapter(tuple[str, str, bool])


@lru_cache(maxsize=64)
def _type_of(function: Callable[..., Any]) -> TypeAdapter[Any]:
    """The function's result, by its annotation; without one, anything that JSON has a form for."""
    return TypeAdapter(get_type_hints(function).get("return", Any))
