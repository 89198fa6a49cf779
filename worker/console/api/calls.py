"""Calls of the API: an operation of the table, who calls it, and with what; all else is a problem."""

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from worker.console.access import Caller, bearer, caller, is_ours, is_visit
from worker.console.api.asked import Nothing
from worker.console.api.problems import ProblemError, Reason
from worker.console.desk import Desk, in_thread
from worker.errors import StoreError
from worker.store.people import Role, Scope

Facts = dict[str, Any]
#: Bytes of a body, and seconds for which a call may be worked on.
_BODY_BYTES, _SECONDS = 64_000, 30
#: Roles of people that a scope of tokens stands for.
_ROLES = {Scope.READ: Role.READER, Scope.ANSWER: Role.EDITOR, Scope.CONFIGURE: Role.EDITOR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of an operation that may be done."""

    desk: Desk
    caller: Caller
    #: In the path; 0 where the operation takes none.
    number: int
    #: As the operation's models have them.
    query: Any
    body: Any
    #: Aware UTC.
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A line of the table from which both the routes and their description are made."""

    method: str
    #: Below `/api/v1`; `{id}` is a number.
    path: str
    #: `operationId`.
    name: str
    summary: str
    take: Callable[[Call], Facts]
    answer: type[BaseModel]
    query: type[BaseModel] = Nothing
    body: type[BaseModel] | None = None
    scope: Scope = Scope.READ
    status: int = 200

    @property
    def is_change(self) -> bool:
        """True where it changes what is stored."""
        return self.method != "GET"

    def allows(self, who: Caller) -> bool:
        """True where that person or program may do it."""
        return self.scope in who.scopes if who.scopes is not None else who.may(_ROLES[self.scope])


class Endpoint:
    """The operations at one path, by their methods (ASGI)."""

    def __init__(self, desk: Desk, operations: Sequence[Operation]) -> None:
        self._desk = desk
        self._by_method: Mapping[str, Operation] = {one.method: one for one in operations}

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """See ASGI."""
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except ProblemError as problem:
            answer = problem.answer()
        except (StoreError, TimeoutError):
            answer = ProblemError(Reason.STORE).answer()
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        operation = self._by_method.get(method)
        if operation is None:
            raise ProblemError(Reason.METHOD, Allow=", ".join(sorted(self._by_method)))
        async with asyncio.timeout(_SECONDS):
            body = await _body(request) if operation.body else b""
            return await in_thread(partial(_done, self._desk, request, operation, body))


def _done(desk: Desk, request: Request, operation: Operation, body: bytes) -> Response:
    who = _caller(desk, request, operation)
    if not operation.allows(who):
        raise ProblemError(Reason.FORBIDDEN, f"this needs the scope `{operation.scope}`, or a role that has it")
    call = Call(
        desk=desk,
        caller=who,
        number=_number(request.path_params.get("id", "0")),
        query=_query(operation.query, request),
        body=_parsed(operation, request, body),
        now=desk.clock(),
    )
    return answered(operation.take(call), operation.status)


def _caller(desk: Desk, request: Request, operation: Operation) -> Caller:
    if request.headers.get("authorization", "").lower().startswith("bearer"):
        known = bearer(request, desk)
    else:
        known = caller(request, desk)
        if not (is_ours(request) if operation.is_change else is_visit(request)) and known is not None:
            raise ProblemError(Reason.ELSEWHERE)
    if known is None:
        raise ProblemError(Reason.UNKNOWN)
    if known.must_choose:
        raise ProblemError(Reason.FORBIDDEN, "choose a password of your own first")
    return known


def _number(said: str) -> int:
    """A number that the store could give; anything else is not there."""
    if not said.isascii() or not said.isdecimal() or len(said) > 9:
        raise ProblemError(Reason.MISSING)
    return int(said)


def _query(model: type[BaseModel], request: Request) -> BaseModel:
    given = request.query_params
    if len(given.multi_items()) != len(given):
        raise ProblemError(Reason.INVALID, "a parameter is given twice")
    try:
        return model.model_validate(dict(given))
    except ValidationError as e:
        raise ProblemError(Reason.INVALID, _said(e)) from e


def _parsed(operation: Operation, request: Request, body: bytes) -> BaseModel | None:
    if operation.body is None:
        return None
    # A form of another site can send text, but no JSON by that name.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(Reason.MEDIA)
    try:
        return operation.body.model_validate_json(body, strict=True)
    except ValidationError as e:
        raise ProblemError(Reason.INVALID, _said(e)) from e


def _said(e: ValidationError) -> str:
    """The first mistake, without what was given."""
    first = e.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}"


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise ProblemError(Reason.LONG, f"at most {_BODY_BYTES:,} bytes")
    return bytes(body)


def answered(facts: Facts, status: int = 200) -> Response:
    """Facts as JSON; times in UTC (RFC 3339)."""
    said = json.dumps(facts, ensure_ascii=False, default=_as_text)
    return Response(said.encode("utf-8", "backslashreplace"), status_code=status, media_type="application/json")


def _as_text(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


# Cursors: opaque to whoever is given one.


def cursor(*place: str | int) -> str:
    """A place in a list, to go on from."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place(said: str, *kinds: type) -> list[Any] | None:
    """The place of a cursor; None where none is given. Raises ProblemError for what is no cursor of this list."""
    if not said:
        return None
    try:
        found = json.loads(base64.b64decode(said + "=" * (-len(said) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as e:
        raise ProblemError(Reason.MISSING, "there is no such cursor") from e
    fits = isinstance(found, list) and [type(one) for one in found] == list(kinds)
    if not fits or any(isinstance(one, int) and not 0 <= one < 2**31 for one in found):
        raise ProblemError(Reason.MISSING, "there is no such cursor")
    return list(found)
