"""The API's description (OpenAPI 3.1), made from the table of its operations."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from worker.console.api.asked import Nothing
from worker.console.api.calls import Operation
from worker.console.api.problems import KINDS, MEDIA_TYPE, Reason
from worker.console.api.shapes import Problem

Facts = dict[str, Any]
_Shapes = list[tuple[type[BaseModel], Literal["validation", "serialization"]]]

_REF = "#/components/schemas/{model}"
_ABOUT = """\
What the console shows, as JSON. A program bears a token (`veille token add`) with the scopes that it needs: `read`,
`answer` or `configure`. A person who is signed in may read, too. Times are RFC 3339, in UTC. A list is read part by
part: `next` is the `cursor` of the next one, and null at the end. Fields may be added to answers; those that are
described here keep their names.
"""


@cache
def description(operations: Sequence[Operation]) -> Facts:
    """The description as JSON has it."""
    bodies: _Shapes = [(one.body, "validation") for one in operations if one.body]
    answers: _Shapes = [(one.answer, "serialization") for one in operations]
    every: _Shapes = [*bodies, *answers, (Problem, "serialization")]
    _, schemas = models_json_schema(list(dict.fromkeys(every)), ref_template=_REF)
    paths: dict[str, Facts] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Veille", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(one: Operation) -> Facts:
    found: Facts = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Scope: `{one.scope}`.",
        "parameters": [*_path(one), *_query(one.query)],
        "responses": {str(one.status): _content("Done", "application/json", one.answer)} | dict(_problems(one)),
    }
    if one.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(one.body)}}}
    return found


def _path(one: Operation) -> Iterator[Facts]:
    if "{id}" in one.path:
        schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
        yield {"name": "id", "in": "path", "required": True, "schema": schema}


def _query(model: type[BaseModel]) -> Iterator[Facts]:
    described = model.model_json_schema(ref_template=_REF)
    for name, schema in described.get("properties", {}).items():
        # What is left out is not null: an address has no such value.
        kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
        about = schema.pop("description", "")
        found = {key: value for key, value in (schema | (kinds[0] if kinds else {})).items() if key != "title"}
        if found.get("default") is None:
            found.pop("default", None)
        required = name in described.get("required", ())
        yield {"name": name, "in": "query", "required": required, "description": about, "schema": found}


def _problems(one: Operation) -> Iterator[tuple[str, Facts]]:
    """The answers to a call that is not done, by status."""
    reasons = [Reason.UNKNOWN, Reason.FORBIDDEN, Reason.STORE]
    if one.query is not Nothing or one.body is not None or "{id}" in one.path:
        reasons.append(Reason.MISSING)
    reasons.append(Reason.INVALID)
    if one.body is not None:
        reasons += [Reason.MEDIA, Reason.LONG]
    for reason in reasons:
        yield str(KINDS[reason].status), _content(KINDS[reason].title, MEDIA_TYPE, Problem)


def _content(about: str, media_type: str, model: type[BaseModel]) -> Facts:
    return {"description": about, "content": {media_type: {"schema": _ref(model)}}}


def _ref(model: type[BaseModel]) -> Facts:
    return {"$ref": _REF.format(model=model.__name__)}
