"""The document arranged for a page: what each operation takes and answers, in rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from app.openapi.schemas import Json, resolved

_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_DEEPEST = 4
#: A longer list of words has a table of its own.
_MOST_WORDS = 9
_KINDS = {"string": "text", "object": "object", "null": "null", "array": "list"}


@dataclass(frozen=True)
class Key:
    """A row of a table: a parameter, or a key of a body under its path, ``items[].quantity``."""

    name: str
    kind: str
    needed: bool
    about: Markup


@dataclass(frozen=True)
class Told:
    """An answer that is no error."""

    status: str
    about: Markup
    keys: list[Key]
    example: str | None
    headers: list[tuple[str, Markup]]


@dataclass(frozen=True)
class Call:
    """An operation."""

    id: str
    method: str
    path: str
    summary: str
    about: Markup
    parameters: list[Key]
    body: list[Key]
    example: str | None
    curl: str
    answers: list[Told]
    refusals: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Part:
    """A chapter with its calls, its words for statuses, and how its messages begin."""

    id: str
    title: str
    about: Markup
    statuses: list[tuple[str, str]]
    words: list[tuple[str, list[str]]]
    calls: list[Call]


@dataclass(frozen=True)
class Page:
    about: list[Markup]
    parts: list[Part]
    error: list[Key]
    codes: list[tuple[str, str]]


def page_of_document(document: Json) -> Page:
    """Arrange a document. It asks nothing but the document itself."""
    calls: dict[str, list[Call]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            calls[operation["tags"][0]].append(_call(path, method, operation, document))
    error = document["components"]["schemas"]["Error"]
    return Page(
        about=[marked(text) for text in document["info"]["description"].strip().split("\n\n")],
        parts=[_part(tag, calls[tag["name"]]) for tag in document["tags"]],
        error=list(_keys(error, document["components"]["schemas"])),
        codes=list(document["x-error-codes"].items()),
    )


def marked(text: str) -> Markup:
    """Read the little Markdown that descriptions use: code and bold."""
    safe = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_BOLD.sub(r"<strong>\1</strong>", safe))  # noqa: S704  (escaped above)


def _part(tag: Json, calls: list[Call]) -> Part:
    words = tag.get("x-error-words", {})
    return Part(
        id=re.sub(r"[^a-z]+", "-", tag["name"].lower()),
        title=tag["name"],
        about=marked(tag["description"]),
        statuses=list(tag.get("x-statuses", {}).items()),
        words=[(code, beginnings) for code, beginnings in words.items() if beginnings],
        calls=calls,
    )


def _call(path: str, method: str, operation: Json, document: Json) -> Call:
    schemas = document["components"]["schemas"]
    sent = operation.get("requestBody", {}).get("content", {}).get("application/json")
    answers = operation["responses"].items()
    return Call(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        about=marked(operation["description"]),
        parameters=[_parameter(parameter) for parameter in operation["parameters"]],
        body=list(_keys(sent["schema"], schemas)) if sent else [],
        example=_pretty(sent["example"]) if sent else None,
        curl=operation["x-codeSamples"][0]["source"],
        answers=[_told(status, told, document) for status, told in answers if "$ref" not in told],
        refusals=[
            (status, _codes(told["$ref"], document))
            for status, told in sorted(answers)
            if "$ref" in told
        ],
    )


def _told(status: str, told: Json, document: Json) -> Told:
    content = told.get("content", {}).get("application/json")
    headers = document["components"]["headers"]
    return Told(
        status=status,
        about=marked(told["description"]),
        keys=list(_keys(content["schema"], document["components"]["schemas"])) if content else [],
        example=_pretty(content["example"]) if content and content["example"] else None,
        headers=[
            (name, marked(headers[_last(header["$ref"])]["description"]))
            if "$ref" in header
            else (name, marked(header["description"]))
            for name, header in told.get("headers", {}).items()
        ],
    )


def _codes(reference: str, document: Json) -> list[str]:
    response = document["components"]["responses"][_last(reference)]
    schema = response["content"]["application/json"]["schema"]
    codes: list[str] = schema["allOf"][1]["properties"]["code"]["enum"]
    return codes


def _parameter(parameter: Json) -> Key:
    schema, place = parameter["schema"], parameter["in"]
    return Key(
        name=parameter["name"],
        kind=f"{_kind(schema, {})}, in the {'address' if place == 'path' else place}",
        needed=parameter.get("required", False),
        about=marked(parameter["description"]),
    )


def _keys(schema: Json, schemas: Json, before: str = "", depth: int = 0) -> Iterator[Key]:
    """Yield the keys of an object, of the objects in it, and of those in its lists."""
    schema = _inside(schema, schemas)
    if schema.get("type") == "array":
        yield from _keys(schema["items"], schemas, f"{before}[].", depth)
        return
    needed = schema.get("required", [])
    for name, part in schema.get("properties", {}).items():
        path, part = f"{before}{name}", resolved(part, schemas)
        about = marked(part.get("description", ""))
        yield Key(path, _kind(part, schemas), name in needed, about)
        if depth < _DEEPEST:
            inner = _inside(part, schemas)
            joint = path if inner.get("type") == "array" else f"{path}."
            yield from _keys(part, schemas, joint, depth + 1)


def _inside(schema: Json, schemas: Json) -> Json:
    """Return what a schema is where it is not null."""
    schema = resolved(schema, schemas)
    kinds = [resolved(kind, schemas) for kind in schema.get("anyOf", [])]
    return next((kind for kind in kinds if kind.get("type") in ("object", "array")), schema)


def _kind(schema: Json, schemas: Json) -> str:
    """Say in a few words what a value may be."""
    schema = resolved(schema, schemas)
    if len(schema.get("enum", [])) > _MOST_WORDS:
        return "text, one of those below"
    if "enum" in schema:
        return " or ".join(json.dumps(word) for word in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(kind, schemas) for kind in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'], schemas)}"
    name = schema.get("format") or schema.get("type", "anything")
    return f"{_KINDS.get(name, name)}{_bounds(schema)}"


def _bounds(schema: Json) -> str:
    if "maxLength" in schema:
        return f" of {schema.get('minLength', 0)} to {schema['maxLength']:,} characters"
    least, most = schema.get("minimum"), schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is None or most is None:
        return ""
    return f" from {least}" if most > 10**12 else f" from {least} to {most:,}"


def _pretty(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
