"""What every answer shares: one error body, strict headers, and never a 500 for nonsense."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.core.clock import now
from tests.support.app import PASSWORD, PHONE, Account, Shop

KEYS = {"success", "status", "error", "message", "code", "details"}
LOGIN = "/api/auth/login"
UNHURRIED = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def is_an_error(answer: TestResponse, status: int, code: str) -> None:
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert set(body) == KEYS
    assert (body["success"], body["status"]) == (False, "error")
    assert body["error"] == body["message"]
    assert body["message"]
    assert isinstance(body["details"], dict)


def test_every_error_has_the_same_six_keys(shop: Shop, shopper: Account) -> None:
    """C-27, S0-37."""
    client, headers = shop.client(), shopper.headers
    is_an_error(
        client.post(LOGIN, data=b"{", content_type="application/json"), 400, "VALIDATION_ERROR"
    )
    is_an_error(client.post(LOGIN, json={}), 400, "VALIDATION_ERROR")
    is_an_error(client.get("/api/orders"), 401, "UNAUTHORIZED")
    is_an_error(client.post("/api/products", json={}, headers=headers), 403, "FORBIDDEN")
    is_an_error(client.get("/api/nothing/here"), 404, "NOT_FOUND")
    is_an_error(client.get("/payments/nothing"), 404, "NOT_FOUND")
    is_an_error(client.delete("/api/orders", headers=headers), 405, "METHOD_NOT_ALLOWED")
    order = shop.order(shopper)
    path = f"/api/orders/{order['id']}/cancel"
    client.post(path, headers=headers)
    is_an_error(client.post(path, headers=headers), 409, "CONFLICT")
    is_an_error(
        client.post(LOGIN, data=b"x", content_type="text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE"
    )


def test_a_method_that_is_not_allowed_tells_which_are(shop: Shop) -> None:
    answer = shop.client().put("/api/auth/login")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("path", [LOGIN, "/api/orders", "/api/payments/mpesa/initiate"])
def test_ten_megabytes_are_too_large(shop: Shop, shopper: Account, path: str) -> None:
    body = b'{"email": "' + b"x" * 10_000_000 + b'"}'
    answer = shop.client().post(
        path, data=body, content_type="application/json", headers=shopper.headers
    )
    is_an_error(answer, 413, "PAYLOAD_TOO_LARGE")


def test_too_many_requests_say_when_to_come_back(shop: Shop, shopper: Account) -> None:
    """S0-49, C-38: counted per person, so that nobody else is held up."""
    other, body = shop.person("otieno"), {"order_id": 1, "phone_number": PHONE}
    path = "/api/payments/mpesa/initiate"
    # The clock stands still: on a busy machine a minute may be over before the last request.
    with time_machine.travel(now(), tick=False):
        for _ in range(100):
            assert shop.client().post(path, json=body, headers=shopper.headers).status_code == 404
        limited = shop.client().post(path, json=body, headers=shopper.headers)
        is_an_error(limited, 429, "RATE_LIMITED")
        assert int(limited.headers["Retry-After"]) > 0
        with_slash = shop.client().post(path + "/", json=body, headers=shopper.headers)
        assert with_slash.status_code == 429, "E6: a trailing slash opens no second bucket"
        assert shop.client().post(path, json=body, headers=other.headers).status_code == 404


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"email": }', "line 1, column 11"),
        (b'{\n  "email": "x",\n}', "line 3, column 1"),
        (b"", "line 1, column 1"),
    ],
)
def test_broken_json_is_told_with_line_and_column(shop: Shop, raw: bytes, place: str) -> None:
    answer = shop.client().post(LOGIN, data=raw, content_type="application/json")
    is_an_error(answer, 400, "VALIDATION_ERROR")
    assert place in answer.get_json()["message"]


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"null",
        b'"text"',
        b"7",
        b'{"email": NaN}',
        b'{"email": Infinity}',
        b'{"email": ' + b"9" * 5000 + b"}",
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b"\xff\xfe",
        b'{"email": "\\ud800", "password": "x"}',
        b'{"email": "\\u0000@example.com", "password": "x"}',
        b'{"email": "a@example.com", "password": "\\u0000"}',
    ],
    ids=range(12),
)
def test_a_body_that_is_no_readable_object_is_400(shop: Shop, raw: bytes) -> None:
    answer = shop.client().post(LOGIN, data=raw, content_type="application/json")
    is_an_error(answer, 400, "VALIDATION_ERROR")


def test_a_wrong_field_is_named(shop: Shop) -> None:
    body = shop.client().post(LOGIN, json={"email": 7}).get_json()
    assert set(body["details"]["fields"]) == {"email", "password"}


@pytest.mark.parametrize("path", ["/", "/sign-in", "/api/products", "/api/orders", "/nothing"])
def test_every_answer_carries_the_security_headers(shop: Shop, path: str) -> None:
    headers = shop.client().get(path, headers={"Accept": "text/html"}).headers
    policy = headers["Content-Security-Policy"]
    for part in (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "object-src 'none'",
    ):
        assert part in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"]
    assert headers["Cache-Control"] == "no-store", "F9"


def test_a_person_sees_a_page_and_a_program_sees_json(shop: Shop) -> None:
    client = shop.client()
    page = client.get("/nothing", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert client.get("/nothing", headers={"Accept": "*/*"}).mimetype == "application/json"
    api = client.get("/api/nothing", headers={"Accept": "text/html"})
    assert api.mimetype == "application/json"


def test_an_accident_tells_nothing_of_the_inside(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I10, F7."""
    monkeypatch.setattr("app.orders.service.list_products", lambda *_: 1 / 0)
    answer = shop.client().get("/api/products")
    is_an_error(answer, 500, "INTERNAL_ERROR")
    assert "ZeroDivision" not in answer.text
    assert "Traceback" not in answer.text


def test_health_answers_for_programs_that_watch(shop: Shop) -> None:
    """S4-77."""
    answer = shop.client().get("/api/health")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ok")
    shop.set(mpesa_environment="production")
    unwell = shop.client().get("/api/health")
    assert unwell.status_code == 503
    assert unwell.get_json()["problems"]


PATHS = [
    "/{}",
    "/api/{}",
    "/api/orders/{}",
    "/api/orders/{}/cancel",
    "/api/products/{}",
    "/api/payments/verify/{}",
    "/receipts/{}",
    "/receipts/TXN{}",
    "/orders/{}",
    "/order-success?order={}",
    "/api/orders?page={}&per_page={}",
    "/api/products?page={}",
    "/?page={}",
    "/orders?page={}",
    "/sign-in?next={}",
]


@given(st.text(max_size=24))
@example("\x00" * 17)
@example("9" * 30)
@example("-1")
@example("../../etc/passwd")
@example("' OR 1=1 --")
@example("\u0661\u0662")
@UNHURRIED
def test_whatever_stands_in_an_address_it_is_never_an_accident(
    shop: Shop, shopper: Account, written: str
) -> None:
    """F2, F3."""
    client, segment = shop.client(), quote(written, safe="")
    for path in PATHS:
        answer = client.get(path.replace("{}", segment), headers=shopper.headers)
        assert answer.status_code < 500, f"{path} with {written!r}"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=24)


@given(scalars, scalars, scalars)
@example("\x00", "\x00", "\x00")
@example(2**70, "0712345678", 10**30)
@UNHURRIED
def test_whatever_stands_in_a_body_it_is_never_an_accident(
    shop: Shop, shopper: Account, one: object, two: object, three: object
) -> None:
    client, headers = shop.client(), shopper.headers
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/api/payments/mpesa/initiate", {"order_id": one, "phone_number": two, "amount": three}),
        ("/api/payments/mpesa/query", {"order_id": one}),
        ("/api/orders", {"items": [{"product_id": one, "quantity": two}]}),
        ("/api/auth/login", {"email": one, "password": two}),
        ("/api/auth/register", {"email": one, "password": PASSWORD, "name": two, "phone": three}),
    ]
    for path, body in bodies:
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code < 500, f"{path} with {body!r}"
