"""The OpenAPI document, made from the map of addresses and what stands above each route."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app.openapi import overview
from app.openapi.describe import Chapter
from app.openapi.parts import (
    HEADERS,
    answers_of,
    body_of,
    callers_of,
    parameters_of,
    refusals_of,
)
from app.openapi.refusals import MEANINGS, Error
from app.openapi.route import Route, routes_of
from app.openapi.samples import curl
from app.openapi.schemas import Json, merged, schemas_of

_BUILT = "lipa_openapi"
_FOR_WHOM = {
    "anybody": "For everybody.",
    "person": "For people who are signed in.",
    "provider": "For Daraja only.",
    "optional": "For people who are signed in and, where the shop sets OPEN_CHECKOUT, everybody.",
    "refresh": "For holders of a refresh token.",
}


def document(app: Flask) -> Json:
    """Return the document of this application. It is built once: routes do not change."""
    if _BUILT not in app.extensions:
        app.extensions[_BUILT] = build(app)
    built: Json = app.extensions[_BUILT]
    return built


def build(app: Flask) -> Json:
    """Describe every documented route of the API. For use in an application's context."""
    routes = list(routes_of(app))
    bodies, asked = schemas_of(_bodies(routes), "validation")
    answers, told = schemas_of(_answers(routes), "serialization")
    schemas = merged([asked, told])
    responses: Json = {}
    paths: Json = {}
    for route in routes:
        path, method = route.key
        described = _operation(route, answers, schemas)
        described["responses"] |= refusals_of(route, responses)
        if route.key in bodies:
            described["requestBody"] = body_of(bodies[route.key], schemas)
        source = curl(path, method, described)
        described["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": source}]
        paths.setdefault(path, {})[method] = described
    chapters = dict.fromkeys(route.chapter.title for route in routes)
    by_title = {route.chapter.title: route.chapter for route in routes}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": overview.TITLE,
            "version": overview.VERSION,
            "description": overview.ABOUT,
        },
        "servers": [{"url": "/"}],
        "tags": [_tag(by_title[title]) for title in chapters],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": dict(sorted(responses.items())),
            "headers": HEADERS,
            "securitySchemes": overview.SECURITY_SCHEMES,
        },
        "x-error-codes": MEANINGS,
    }


def _bodies(routes: list[Route]) -> dict[Any, Any]:
    return {route.key: route.operation.body for route in routes if route.operation.body is not None}


def _answers(routes: list[Route]) -> dict[Any, Any]:
    found: dict[Any, Any] = {"error": Error}
    for route in routes:
        for status, kind in route.operation.answers.items():
            if kind is not None:
                found[(*route.key, status)] = kind
    return found


def _for_whom(route: Route) -> str:
    if route.is_for_staff:
        return f"For staff whose role allows: {route.who.removeprefix('staff: ')}."
    return _FOR_WHOM[route.operation.entry or route.who]


def _operation(route: Route, answers: dict[Any, Json], schemas: Json) -> Json:
    for_whom = _for_whom(route)
    return {
        "operationId": route.rule.endpoint.replace(".", "_"),
        "tags": [route.chapter.title],
        "summary": route.operation.summary,
        "description": f"{for_whom} {route.operation.about}".strip(),
        "security": callers_of(route),
        "parameters": parameters_of(route),
        "responses": answers_of(route, answers, schemas),
    }


def _tag(chapter: Chapter) -> Json:
    told: Json = {"name": chapter.title, "description": chapter.about}
    if chapter.statuses:
        told["x-statuses"] = {str(status): word for status, word in chapter.statuses.items()}
    if chapter.words:
        words: dict[str, list[str]] = {code: [] for code in chapter.plain}
        words |= {code: list(beginnings) for code, beginnings in chapter.words.items()}
        told["x-error-words"] = {code: words[code] for code in sorted(words)}
    return told
