"""The API's own document as a judge: is this answer one that it tells of?"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
from flask import Flask, Response, request
from werkzeug.test import TestResponse

from app.openapi.document import document
from app.openapi.route import Route, routes_of
from app.openapi.schemas import Json, resolved


@dataclass(frozen=True)
class Operation:
    """A method of a path, as the document has it."""

    method: str
    path: str
    told: Json

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def body(self) -> Json | None:
        """The schema of the JSON that is asked for, and its example; None where none is."""
        content = self.told.get("requestBody", {}).get("content", {}).get("application/json")
        found: Json | None = copy.deepcopy(content)
        return found

    def takes(self, name: str) -> bool:
        return any(parameter["name"] == name for parameter in self.told["parameters"])


class Described:
    """A document that is held against answers. Keys that it does not tell of are complained of."""

    def __init__(self, told: Json) -> None:
        self.document = told
        # As it travels: what the program says is plain text to whoever reads the document.
        self._components = json.loads(json.dumps(told["components"]))
        for schema in self._components["schemas"].values():
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)
        self._validators: dict[str, Any] = {}

    def operations(self) -> Iterator[Operation]:
        for path, methods in self.document["paths"].items():
            for method, told in methods.items():
                yield Operation(method, path, told)

    def resolved(self, schema: Json) -> Json:
        """Return what a reference to a schema means."""
        return resolved(schema, self.document["components"]["schemas"])

    def fits(self, schema: Json, value: object) -> bool:
        """Tell whether a value is one of a schema's."""
        return bool(self._validator(schema).is_valid(value))

    def complaint(self, operation: Operation, answer: Response | TestResponse) -> str | None:
        """Say what about an answer the document does not tell; None when all is told."""
        told = operation.told["responses"].get(str(answer.status_code))
        if told is None:
            said = answer.get_data(as_text=True)[:300]
            return f"{operation} answers {answer.status_code}: {said}"
        if "$ref" in told:
            told = self._components["responses"][told["$ref"].rpartition("/")[2]]
        content = told.get("content")
        if content is None:
            return f"{operation} answers with a body" if answer.get_data() else None
        if answer.mimetype not in content:
            return f"{operation} answers {answer.status_code} as {answer.mimetype}"
        if answer.mimetype != "application/json":
            return None
        wrong = self._validator(content[answer.mimetype]["schema"]).iter_errors(answer.get_json())
        said = "; ".join(f"{list(error.instance_path)}: {error.message}" for error in wrong)
        return f"{operation} answers {answer.status_code}: {said}"[:600] if said else None

    def _validator(self, schema: Json) -> Any:
        spelled = json.dumps(schema, sort_keys=True)
        if spelled not in self._validators:
            whole = {**schema, "components": self._components}
            self._validators[spelled] = jsonschema_rs.Draft202012Validator(
                whole, validate_formats=True
            )
        return self._validators[spelled]


def watch(app: Flask) -> list[str]:
    """Hold every answer of an application against its document; return the list of complaints,
    which grows as they come.
    """
    with app.app_context():
        told = Described(document(app))
        by_endpoint = {route.rule.endpoint: _operation(told, route) for route in routes_of(app)}
    complaints: list[str] = []

    def hold(answer: Response) -> Response:
        operation = by_endpoint.get(request.endpoint or "")
        if operation is not None and request.method.lower() == operation.method:
            answer.direct_passthrough = False
            if complaint := told.complaint(operation, answer):
                complaints.append(complaint)
        return answer

    # The last to see an answer but for what compresses it: functions run from the list's end.
    after = app.after_request_funcs.setdefault(None, [])
    names = [getattr(function, "__qualname__", "") for function in after]
    after.insert(names.index("Compress.after_request") + 1, hold)
    return complaints


def _operation(told: Described, route: Route) -> Operation:
    path, method = route.key
    return Operation(method, path, told.document["paths"][path][method])
