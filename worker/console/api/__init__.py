"""The API: what the console shows as JSON, and the answers that people give, for programs."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from worker.console.api.calls import Endpoint, Operation, answered
from worker.console.api.description import description
from worker.console.api.operations import OPERATIONS
from worker.console.api.problems import ProblemError, Reason
from worker.console.desk import Desk

ROOT = "/api/v1"


def routes(desk: Desk) -> Iterator[BaseRoute]:
    """`/api/v1` and all below it, its description included, which everybody may read."""
    yield Route(f"{ROOT}/openapi.json", _described)
    by_path: dict[str, list[Operation]] = {}
    for one in OPERATIONS:
        by_path.setdefault(one.path, []).append(one)
    for path, operations in by_path.items():
        yield Route(ROOT + path, Endpoint(desk, operations), name=ROOT + path)
    yield Route(ROOT + "/{rest:path}", _missing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])


async def _described(_request: Request) -> Response:
    return answered(description(OPERATIONS))


async def _missing(_request: Request) -> Response:
    return ProblemError(Reason.MISSING).answer()
