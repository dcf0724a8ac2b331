"""A route with everything that is known of it: its own words, and what its decorators do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask
from pydantic import BaseModel
from werkzeug.routing import Rule

from app.core.errors import (
    Busy,
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    LipaError,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unauthorized,
    UnsupportedMediaType,
    ValidationError,
)
from app.extensions import limiter
from app.openapi.describe import CHAPTERS, Chapter, Operation
from app.openapi.refusals import Refusal
from app.web import API_PREFIXES

_ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
_ASKED_ALWAYS = frozenset({"HEAD", "OPTIONS"})
_SAFE = frozenset({"GET"})


@dataclass(frozen=True)
class Route:
    """One method of one address."""

    rule: Rule
    method: str
    view: Callable[..., Any]
    operation: Operation
    chapter: Chapter

    @property
    def key(self) -> tuple[str, str]:
        return self.path, self.method.lower()

    @property
    def path(self) -> str:
        """Return the address as OpenAPI writes it: ``/api/orders/{order_id}``."""
        return _ARGUMENT.sub(r"{\2}", self.rule.rule)

    @property
    def arguments(self) -> list[tuple[str, bool]]:
        """Return the names in the address, and whether each is an integer."""
        return [(name, kind == "int") for kind, name in _ARGUMENT.findall(self.rule.rule)]

    @property
    def who(self) -> str:
        """Return who may enter, as the guard has marked it."""
        return str(getattr(self.view, "who_may_enter", ""))

    @property
    def is_for_staff(self) -> bool:
        return self.who.startswith("staff: ")

    @property
    def asks_who(self) -> bool:
        """Tell whether only people who are signed in may enter."""
        return self.is_for_staff or self.who == "person"

    @property
    def takes_key(self) -> bool:
        return bool(getattr(self.view, "takes_idempotency_key", False))

    @property
    def is_limited(self) -> bool:
        # Flask-Limiter keeps its limits under this spelling of the function's name.
        name = f"{self.view.__module__}.{self.view.__name__}.{self.view.__qualname__}"
        return bool(limiter.limit_manager.decorated_limits(name))

    @property
    def is_parsed(self) -> bool:
        """Tell whether the body is read as JSON by a schema."""
        body = self.operation.body
        return isinstance(body, type) and issubclass(body, BaseModel)

    def refusals(self) -> dict[int, list[str]]:
        """Return the codes that this route may answer, by status."""
        kinds: list[Refusal] = [LipaError, Busy, ValidationError]
        kinds += [*self.operation.refusals, *self._implied()]
        found: dict[int, list[str]] = {}
        for status, code in sorted({(kind.status, kind.code) for kind in kinds}):
            found.setdefault(status, []).append(code)
        return found

    def _implied(self) -> Iterator[Refusal]:
        if self.asks_who or self.operation.entry:
            yield Unauthorized
        if self.is_for_staff or self.method not in _SAFE:
            # A browser's cookie does not change anything from another site.
            yield Forbidden
        if self.arguments:
            yield NotFound
        if self.is_parsed:
            yield from (PayloadTooLarge, UnsupportedMediaType)
        if self.takes_key:
            yield from (Conflict, IdempotencyMismatch)
        if self.is_limited:
            yield RateLimited


def routes_of(app: Flask) -> Iterator[Route]:
    """Yield every documented route of the API in the order of its chapters."""
    places = {name: place for place, name in enumerate(app.blueprints)}
    rules = sorted(_rules_of(app), key=lambda rule: places[_blueprint(rule)])
    for rule in rules:
        view = app.view_functions[rule.endpoint]
        if (operation := getattr(view, "operation", None)) is not None:
            (method,) = _methods(rule)
            yield Route(rule, method, view, operation, CHAPTERS[_blueprint(rule)])


def undocumented(app: Flask) -> list[str]:
    """Name every address of the API that the document would pass over."""
    return [
        f"{', '.join(sorted(_methods(rule)))} {rule.rule}"
        for rule in _rules_of(app)
        if not hasattr(app.view_functions[rule.endpoint], "operation")
    ]


def _rules_of(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(API_PREFIXES)]


def _methods(rule: Rule) -> set[str]:
    return set(rule.methods or ()) - _ASKED_ALWAYS


def _blueprint(rule: Rule) -> str:
    return str(rule.endpoint).partition(".")[0]
