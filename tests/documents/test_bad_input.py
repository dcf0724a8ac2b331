"""Every field of every body, and every number in an address, sent wrong in every usual way.

What is wrong is refused in the contract's words and changes nothing. The fields are taken from the
API's description, so that a new one is tried without being named here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.openapi.schemas import Json
from tests.documents.api import Api, changed, described_shop
from tests.support.described import Operation

Place = tuple[str | int, ...]
TOO_LONG = "x" * 10_001
WRONG_TYPES = [{"x": 1}, ["x"], True, 3.5, 7, "text"]
#: Texts that say nothing when they are empty, and need not be there.
MAY_BE_EMPTY = frozenset(
    ["description", "account_reference", "transaction_desc", "notes", "reason", "email", "phone"]
)
PHONES = frozenset({"phone", "phone_number"})


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with described_shop(tmp_path_factory.mktemp("bad-input")) as api:
        yield api


def parsed(api: Api) -> Iterator[tuple[Operation, Json]]:
    """Yield the operations that read a body, each with the schema of it."""
    for operation in api.operations:
        body = operation.body
        if body is not None and "415" in operation.told["responses"]:
            yield operation, body["schema"]


def fields(api: Api, schema: Json, before: Place = ()) -> Iterator[tuple[Place, Json, bool]]:
    """Yield where each field of a body stands, its schema, and whether it must be there."""
    schema = api.told.resolved(schema)
    needed = schema.get("required", [])
    for name, part in schema.get("properties", {}).items():
        place, part = (*before, name), api.told.resolved(part)
        yield place, part, name in needed
        inner, deeper = (part["items"], (*place, 0)) if "items" in part else (part, place)
        yield from fields(api, inner, deeper)


def missing(api: Api, part: Json, needed: bool) -> list[object]:
    return [...] if needed else []


def null(api: Api, part: Json, needed: bool) -> list[object]:
    return [] if api.told.fits(part, None) else [None]


def of_a_wrong_type(api: Api, part: Json, needed: bool) -> list[object]:
    return [value for value in WRONG_TYPES if not api.told.fits(part, value)]


def empty(api: Api, part: Json, needed: bool) -> list[object]:
    return ["", "   "]


def too_long(api: Api, part: Json, needed: bool) -> list[object]:
    return [TOO_LONG, 10**19, [TOO_LONG] * 51]


@pytest.mark.parametrize("fault", [missing, null, of_a_wrong_type, empty, too_long])
def test_a_wrong_field_is_refused_and_changes_nothing(api: Api, fault: Any) -> None:
    tried = 0
    for operation, schema in parsed(api):
        for place, part, needed in fields(api, schema):
            if fault is empty and not needed and place[-1] in MAY_BE_EMPTY:
                continue
            for value in fault(api, part, needed):
                _refused(api, operation, place, value)
                tried += 1
    assert tried > 30


def _refused(api: Api, operation: Operation, place: Place, value: object) -> None:
    before = api.books()
    answer = api.call(operation, json=changed(api.example(operation), place, value))
    told = f"{operation}, {place} as {str(value)[:40]!r}: {answer.status_code} {answer.text[:200]}"
    assert 400 <= answer.status_code < 500, told
    assert api.told.complaint(operation, answer) is None, told
    assert api.books() == before, told
    if isinstance(value, str) and place[-1] in PHONES and answer.get_json()["code"] != "NOT_FOUND":
        _begins_as_documented(api, operation, answer.get_json()["message"])


def _begins_as_documented(api: Api, operation: Operation, message: str) -> None:
    tags = {tag["name"]: tag for tag in api.told.document["tags"]}
    words = tags[operation.told["tags"][0]].get("x-error-words", {}).get("INVALID_PHONE", [""])
    assert message.startswith(tuple(words)), f"{operation}: {message}"


BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"\xff",
    b'{"a": NaN}',
    b"[" * 5000,
    b"{}" * 2,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:12]))
def test_what_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    for operation, _ in parsed(api):
        before = api.books()
        answer = api.call(operation, data=body, content_type="application/json")
        assert answer.status_code == 400, f"{operation}: {answer.text}"
        assert api.told.complaint(operation, answer) is None
        assert api.books() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_what_is_not_called_json_is_refused(api: Api, kind: str | None) -> None:
    for operation, _ in parsed(api):
        answer = api.call(operation, data=b"{}", content_type=kind)
        assert answer.status_code == 415, f"{operation}: {answer.text}"
        assert api.told.complaint(operation, answer) is None


def test_what_is_too_large_is_refused(api: Api) -> None:
    for operation, _ in parsed(api):
        answer = api.call(operation, json={"x": "x" * 1024 * 1024})
        assert answer.status_code == 413, f"{operation}: {answer.text}"
        assert api.told.complaint(operation, answer) is None


def test_a_key_that_nobody_knows_is_passed_over(api: Api) -> None:
    """Programs written for other guides send more than we ask for."""
    for operation, schema in parsed(api):
        known = [place for place, _, needed in fields(api, schema) if needed]
        if not known:
            continue
        # Refused for the same reason as without it: so it was not looked at.
        wrong = changed(api.example(operation), known[0], {"x": 1})
        answers = [api.call(operation, json=body) for body in (wrong, wrong | {"surplus": "x"})]
        assert answers[0].status_code == 400
        assert answers[0].get_json() == answers[1].get_json(), str(operation)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "x", "9" * 30, "1e3", " ", "%00"])
def test_a_wrong_number_in_an_address_is_refused(api: Api, value: str) -> None:
    tried = 0
    for operation in api.operations:
        for parameter in operation.told["parameters"]:
            if parameter["in"] == "header" or parameter["schema"]["type"] != "integer":
                continue
            before = api.books()
            answer = api.call_at(operation, parameter, value)
            assert answer.status_code in (400, 404), f"{operation} {parameter['name']}"
            assert api.told.complaint(operation, answer) is None
            assert api.books() == before
            tried += 1
    assert tried > 8


@pytest.mark.parametrize("name", ["0", "TXN1", "x" * 200, "%00", "%FF", "..", "-1", "9" * 40, "Ω"])
def test_a_name_of_nothing_is_not_found(api: Api, name: str) -> None:
    for operation in api.operations:
        for parameter in operation.told["parameters"]:
            if parameter["in"] == "path" and parameter["schema"]["type"] == "string":
                answer = api.call_at(operation, parameter, name)
                assert answer.status_code in (400, 404, 405), f"{operation}: {answer.text}"
                assert answer.get_json()["success"] is False
