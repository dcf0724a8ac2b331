"""Reading what a caller sends, strictly and with a clear word when it cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from flask import Request
from pydantic import BaseModel
from pydantic import ValidationError as SchemaError

from app.core.errors import UnsupportedMediaType, ValidationError
from app.core.texts import marked, said

Schema = TypeVar("Schema", bound=BaseModel)
MAX_PAGE = 100_000
#: No row has a higher id: a database can hold no more.
MAX_ID = 2**63 - 1


def prefers_json(request: Request) -> bool:
    """Tell whether who asks for a page would rather have JSON, as the payment dialog does."""
    kinds = ["text/html", "application/json"]
    return request.accept_mimetypes.best_match(kinds, default="text/html") == "application/json"


def whole_body(request: Request) -> bytes:
    """Return a request's body. Raises RequestEntityTooLarge beyond the limit, and
    ValidationError when the sender stopped before its end.

    A body sent in chunks is cut at the limit without a word; reading on from there raises.
    """
    body = request.get_data()
    request.stream.read(1)
    if request.content_length is not None and len(body) < request.content_length:
        raise ValidationError(marked("The body ended before its Content-Length. Send it again."))
    return body


def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; numbers with a point stay exact as Decimal.

    Raises UnsupportedMediaType, or ValidationError for anything but a readable object.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        body = json.loads(
            whole_body(request).decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            parse_int=_bounded_int,
        )
    except (ValueError, RecursionError) as error:
        raise ValidationError(
            said("The body is not readable JSON{place}.", place=_place(error))
        ) from error
    if not isinstance(body, dict):
        raise ValidationError(marked("The body must be a JSON object, such as {}."))
    _require_clean_text(body)
    return body


def is_clean(text: str) -> bool:
    """Tell whether a text can be stored: no NUL and no half of a character."""
    return "\x00" not in text and not any("\ud800" <= mark <= "\udfff" for mark in text)


def _require_clean_text(body: dict[str, Any]) -> None:
    waiting: list[Any] = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and not is_clean(value):
            raise ValidationError(marked("The body has a NUL or half a character in a text."))


def parse(request: Request, schema: type[Schema]) -> Schema:
    """Read a request's JSON by a schema. Raises ValidationError naming every wrong field."""
    return check(read_json(request), schema)


def check(values: Mapping[str, Any], schema: type[Schema]) -> Schema:
    """Hold values against a schema. Raises ValidationError naming every wrong field."""
    try:
        return schema.model_validate(values)
    except SchemaError as error:
        raise ValidationError(_summary(error), details={"fields": _fields(error)}) from error


def page_of(request: Request, default_per_page: int = 20, most: int = 100) -> tuple[int, int]:
    """Return ``page`` and ``per_page`` of a list, both bounded."""
    return (
        _positive(request.args.get("page"), "page", 1, MAX_PAGE),
        _positive(request.args.get("per_page"), "per_page", default_per_page, most),
    )


def _positive(text: str | None, name: str, default: int, most: int) -> int:
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
        raise ValidationError(
            said("{name} must be a whole number from 1.", name=name), details={"field": name}
        )
    return min(int(text), most)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _bounded_int(text: str) -> int:
    if len(text) > 20:
        raise ValueError("a number is too long")
    return int(text)


def _place(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" (line {error.lineno}, column {error.colno}: {error.msg})"
    return ""


def _fields(error: SchemaError) -> dict[str, str]:
    return {
        ".".join(str(part) for part in problem["loc"]) or "body": problem["msg"]
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    }


def _summary(error: SchemaError) -> str:
    name, problem = next(iter(_fields(error).items()))
    return f"{name}: {problem}."
