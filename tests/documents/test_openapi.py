"""The description of the API tells all of it, and the truth."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from app import create_app
from app.config import ROOT
from app.core.errors import LipaError
from app.extensions import limiter
from app.openapi.describe import documented
from app.openapi.document import document
from app.openapi.overview import VERSION
from app.openapi.refusals import Error
from app.openapi.route import routes_of, undocumented
from tests.documents.api import Api, described_shop
from tests.support.app import SAFARICOM, STRANGER, explicit_settings
from tests.support.described import Operation

EXAMPLES = 12
#: The hardest limits of all are 100 registrations and 60 callbacks without proof in a minute.
MOST_TRIES = 105
ALWAYS_HELD = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
WHO = {"person": True, "anybody": False, "provider": False}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with described_shop(tmp_path_factory.mktemp("api")) as api:
        yield api


def test_every_route_of_the_api_is_documented(api: Api) -> None:
    assert undocumented(api.shop.app) == []


def test_a_route_without_documentation_is_noticed(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'lipa.db'}"
    app = create_app(explicit_settings(database_url=database))
    app.add_url_rule("/api/forgotten", "forgotten", lambda: "")
    assert undocumented(app) == ["GET /api/forgotten"]
    documented("Is remembered", str)(app.view_functions["forgotten"])
    assert undocumented(app) == []


def test_the_document_is_openapi_3_1(api: Api) -> None:
    answer = api.shop.client().get("/api/openapi.json")
    assert answer.get_json() == api.told.document
    assert answer.get_json()["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(api.told.document).validate()


def test_the_document_has_the_version_of_the_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_production_documents_everything_but_what_it_has_not(tmp_path: Path, api: Api) -> None:
    """C-7."""
    secrets = dict.fromkeys(("secret_key", "jwt_secret_key", "settings_encryption_key"), "s" * 44)
    database = f"sqlite:///{tmp_path / 'lipa.db'}"
    app = create_app(
        explicit_settings(mpesa_environment="production", database_url=database, **secrets)
    )
    with app.app_context():
        paths = set(document(app)["paths"])
    assert undocumented(app) == []
    missing = set(api.told.document["paths"]) - paths
    assert missing == {"/api/payment/test/mpesa", "/api/payment/test/callback"}


def test_who_may_enter_is_what_the_guard_says(api: Api) -> None:
    with api.shop.app.app_context():
        routes = {route.key: route for route in routes_of(api.shop.app)}
    for operation in api.operations:
        route, security = routes[operation.path, operation.method], operation.told["security"]
        asks = bool(security) and {} not in security
        is_for_staff = route.who.startswith("staff: ")
        expected = is_for_staff or WHO[route.who] or operation.path.endswith("/refresh")
        assert asks == expected, str(operation)
        roles = f"For staff whose role allows: {route.who.removeprefix('staff: ')}."
        assert (roles in operation.told["description"]) == is_for_staff, str(operation)


def test_every_example_fits_its_schema(api: Api) -> None:
    for operation in api.operations:
        answers = operation.told["responses"].values()
        for content in [operation.body, *(answer.get("content") for answer in answers)]:
            told = (content or {}).get("application/json", content) or {}
            if "example" in told:
                assert api.told.fits(told["schema"], told["example"]), f"{operation}: {told}"


def test_every_operation_succeeds_as_its_example_shows(tmp_path: Path) -> None:
    """Each is called by its own example, with names of things that exist."""
    complaints = []
    with described_shop(tmp_path) as api:
        for operation in api.operations:
            answer = api.call(operation, json=api.example(operation) if operation.body else None)
            if answer.status_code >= 300:
                complaints.append(f"{operation}: {answer.status_code} {answer.text[:200]}")
            complaints += filter(None, [api.told.complaint(operation, answer)])
    assert complaints == []


def test_the_document_tells_which_doors_take_an_idempotency_key(api: Api) -> None:
    for operation in api.operations:
        if operation.method != "post" or operation.path.endswith("/logout"):
            continue
        headers = api.admin.headers | {"Idempotency-Key": "k" * 256}
        field = api.call(operation, headers, json={}).get_json().get("details", {}).get("field")
        assert operation.takes("Idempotency-Key") == (field == "Idempotency-Key"), str(operation)


def test_the_document_tells_which_doors_are_limited(api: Api) -> None:
    once = dict.fromkeys(("rate_limit_initiate", "rate_limit_status"), "1/minute")
    api.shop.set(rate_limit_sign_in="1/minute", **once)
    try:
        for operation in api.operations:
            tells = "429" in operation.told["responses"]
            assert _is_limited(api, operation, MOST_TRIES if tells else 3) == tells, str(operation)
    finally:
        api.shop.restore_settings()


def _is_limited(api: Api, operation: Operation, tries: int) -> bool:
    with api.shop.app.app_context():
        limiter.reset()
    who = {} if operation.path.endswith("/logout") else api.admin.headers
    calls = (api.call(operation, who, peer=STRANGER, data=b"{") for _ in range(tries))
    return any(answer.status_code == 429 for answer in calls)


def test_an_error_is_what_the_document_calls_one() -> None:
    body = LipaError("Not today.").body()
    assert Error.model_validate(body).model_dump() == body


@pytest.fixture(scope="module")
def schema(api: Api) -> Any:
    load_all_checks()
    return schemathesis.openapi.from_wsgi("/api/openapi.json", api.shop.app)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
def test_no_door_answers_otherwise_than_the_document_tells(
    api: Api, schema: Any, mode: GenerationMode
) -> None:
    """Whatever is sent, right or wrong: no accident, and nothing that is not documented."""
    extra = ["negative_data_rejection"] if mode is GenerationMode.NEGATIVE else []
    checks = CHECKS.get_by_names([*ALWAYS_HELD, *extra])
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        try:
            tried += _try(api, operation, mode, checks)
        except Unsatisfiable:
            # Nothing wrong can be sent to a door that takes nothing.
            assert not operation.body
            assert not operation.path_parameters
    assert tried > len(api.operations) * EXAMPLES / 2


def _try(api: Api, operation: Any, mode: GenerationMode, checks: Any) -> int:
    numbers = itertools.count()
    who = api.admin

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode), meant=st.booleans())
    def run(case: Case[Any], meant: bool) -> None:
        if mode is GenerationMode.POSITIVE and meant:
            _make_meaningful(api, case, f"{operation.label} {next(numbers)}")
        leaving = operation.path.endswith("/logout")
        headers = (
            api.shop.person(f"leaving-{next(numbers)}-{mode}").headers if leaving else who.headers
        )
        # The caller of schemathesis would take a compressed body as it is.
        headers = headers | {"Accept-Encoding": "identity"}
        answer = case.call(headers=headers, environ_overrides={"REMOTE_ADDR": SAFARICOM})
        case.validate_response(answer, checks=checks)
        next(numbers)

    run()
    return next(numbers)


def _make_meaningful(api: Api, case: Case[Any], key: str) -> None:
    """Name things that exist, so that what lies behind the finding of them is tried too."""
    if isinstance(case.body, dict):
        number = api.shop.number_for(key, "254712345678")
        phones = {name: number for name in ("phone", "phone_number") if name in case.body}
        case.body = api.named(case.body) | phones
    for name in case.path_parameters:
        case.path_parameters[name] = str(api.names[name])
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = key
