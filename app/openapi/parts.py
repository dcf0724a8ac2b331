"""The parts of an operation in the document: who may call, parameters, body, answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from app.core.reading import MAX_ID
from app.idempotency import KEY_HEADER, MAX_KEY_LENGTH, REPLAYED_HEADER
from app.openapi.describe import PATH_NAMES
from app.openapi.refusals import MEANINGS
from app.openapi.route import Route
from app.openapi.schemas import REF, Json, example_of, resolved

MOST_ROWS = 100
_SIGNED_IN: list[Json] = [{"bearer": []}, {"jwt": []}, {"cookie": []}]
#: The kept answer of an earlier request may have any of these.
_KEPT = frozenset({200, 201, 202, 400, 404, 409, 502})
_TRY_AGAIN = frozenset({409, 429, 503})

HEADERS: Json = {
    "RetryAfter": {
        "description": "In so many seconds it is worth trying again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "IdempotencyReplayed": {
        "description": "true where this is the kept answer of an earlier request.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWWAuthenticate": {
        "description": "The two words that a token may stand behind.",
        "schema": {"type": "string"},
    },
}
_KEY: Json = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "A text of your choice, a new one for each payment that you mean. The same "
    "request with the same key is carried out once and hears its first answer again.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_KEY_LENGTH,
        "pattern": "^[ -~]+$",
    },
    "example": "a-name-of-your-own",
}


def callers_of(route: Route) -> list[Json]:
    """Say by what callers show who they are; an empty list lets everybody in."""
    if route.operation.entry == "refresh":
        return [{"refresh": []}]
    if route.operation.entry == "optional":
        return [{}, *_SIGNED_IN]
    return list(_SIGNED_IN) if route.asks_who else []


def parameters_of(route: Route) -> list[Json]:
    """Describe what stands in the address and in the headers."""
    operation = route.operation
    told = {**PATH_NAMES, **operation.names}
    found = [_named(name, is_integer, told[name]) for name, is_integer in route.arguments]
    for name, about in operation.query.items():
        schema = {"type": "string"}
        found.append({"name": name, "in": "query", "description": about, "schema": schema})
    if operation.pages:
        rows = f"Rows a page; more than {MOST_ROWS} counts as {MOST_ROWS}."
        found.append(_counting("page", "Which page.", 1))
        found.append(_counting("per_page", rows, operation.pages))
    return [*found, _KEY] if route.takes_key else found


def body_of(schema: Json, components: Json) -> Json:
    return {"required": True, "content": _content("application/json", schema, components)}


def answers_of(route: Route, schemas: dict[Any, Json], components: Json) -> Json:
    """Describe what a route answers when all is well, by status."""
    headers = {
        name: {"description": about, "schema": {"type": "string"}}
        for name, about in route.operation.headers.items()
    }
    if route.takes_key:
        headers[REPLAYED_HEADER] = _header("IdempotencyReplayed")
    found: Json = {}
    for status, kind in route.operation.answers.items():
        told: Json = {"description": HTTPStatus(status).phrase}
        if kind is not None:
            schema = schemas[(*route.key, status)]
            told["description"] = resolved(schema, components).get("description", "As asked for.")
            told["content"] = _content(route.operation.media_type, schema, components)
        found[str(status)] = told | ({"headers": headers} if headers else {})
    return found


def refusals_of(route: Route, responses: Json) -> Json:
    """Describe the errors of a route by reference, and put what is referred to into ``responses``.

    Routes that refuse for the same reasons share one description.
    """
    found: Json = {}
    for status, codes in route.refusals().items():
        if status in route.operation.answers:
            continue
        kept = route.takes_key and status in _KEPT
        name = f"{status}_{'_or_'.join(codes)}{'_kept' if kept else ''}"
        responses.setdefault(name, _refusal(status, codes, kept))
        found[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return found


def _refusal(status: int, codes: list[str], kept: bool) -> Json:
    headers: Json = {}
    if status in _TRY_AGAIN:
        headers["Retry-After"] = _header("RetryAfter")
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _header("WWWAuthenticate")
    if kept:
        headers[REPLAYED_HEADER] = _header("IdempotencyReplayed")
    only_these = {"properties": {"code": {"enum": codes}}}
    schema = {"allOf": [{"$ref": f"{REF}Error"}, only_these]}
    described: Json = {
        "description": " ".join(f"{code}: {MEANINGS[code]}" for code in codes),
        "content": {"application/json": {"schema": schema}},
    }
    return described | ({"headers": headers} if headers else {})


def _named(name: str, is_integer: bool, told: tuple[str, str | int]) -> Json:
    about, example = told
    schema: Json = {"type": "string", "pattern": "^[A-Za-z0-9-]{1,40}$"}
    if is_integer:
        schema = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    place = {"name": name, "in": "path", "required": True}
    return place | {"description": about, "schema": schema, "example": example}


def _counting(name: str, about: str, default: int) -> Json:
    schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999, "default": default}
    return {"name": name, "in": "query", "description": about, "schema": schema}


def _content(media_type: str, schema: Json, components: Json) -> Json:
    if media_type != "application/json":
        return {media_type: {"schema": schema}}
    return {media_type: {"schema": schema, "example": example_of(schema, components)}}


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}
