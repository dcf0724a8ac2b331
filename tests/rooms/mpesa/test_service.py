"""MpesaService on the wire: what it sends, and what it makes of every answer on record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import requests_mock

from app.monitoring import redact
from app.mpesa.messages import (
    PushAccepted,
    PushRefused,
    PushUnanswered,
    QueryFinal,
    QueryNotYet,
    QueryUnanswered,
    StkPush,
)
from app.mpesa.service import MpesaService, TokenRefused, password, pooled_session
from app.mpesa.settings import MissingSettings, MpesaSettings
from app.mpesa.tokens import AccessToken, TokenCache
from tests.services.launch import free_port

ROOT = "https://daraja.test"
TOKEN_URL = f"{ROOT}/oauth/v1/generate?grant_type=client_credentials"
PUSH_URL = f"{ROOT}/mpesa/stkpush/v1/processrequest"
QUERY_URL = f"{ROOT}/mpesa/stkpushquery/v1/query"
#: Where a redirect leads that nobody may follow.
ELSEWHERE = "https://elsewhere.test/"
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
#: 09:24:08 in Nairobi is 06:24:08 in UTC.
MOMENT = datetime(2021, 6, 28, 6, 24, 8, tzinfo=UTC)
PASSWORD = (
    "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZiNzJhZGExZWQy"
    "YzkxOTIwMjEwNjI4MDkyNDA4"
)
PROMPT = StkPush(
    1500, "254712345678", "INV-2024-001", "Order 7", "https://shop.test/cb?token=t0k3n"
)
ACCEPTED = {
    "MerchantRequestID": "234f-43a9-ae11-d0b0c2dbe930108127",
    "CheckoutRequestID": "ws_CO_230920262019337708374149",
    "ResponseCode": "0",
    "ResponseDescription": "Success. Request accepted for processing",
    "CustomerMessage": "Success. Request accepted for processing",
}
SECRETS = ("the-consumer-key", "the-consumer-secret", PASSKEY, PASSWORD, "token-1", "t0k3n")


def error(code: str, message: str) -> dict[str, str]:
    return {"requestId": "1c5b-4ba8", "errorCode": code, "errorMessage": message}


def settings(**changes: Any) -> MpesaSettings:
    values: dict[str, Any] = {
        "consumer_key": "the-consumer-key",
        "consumer_secret": "the-consumer-secret",
        "shortcode": "174379",
        "passkey": PASSKEY,
        "callback_url": "https://shop.test/cb",
        "token_url": TOKEN_URL,
        "push_url": PUSH_URL,
        "query_url": QUERY_URL,
        "read_timeout_seconds": 0.3,
    }
    return MpesaSettings(**values | changes)


def service(**changes: Any) -> MpesaService:
    return MpesaService(settings(**changes), pooled_session(), TokenCache(), clock=lambda: MOMENT)


@pytest.fixture
def wire() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        mocker.get(TOKEN_URL, json={"access_token": "token-1", "expires_in": "3599"})
        yield mocker


def sent_to(wire: requests_mock.Mocker, url: str) -> list[Any]:
    path = url.partition("?")[0]
    return [asked for asked in wire.request_history if asked.url.partition("?")[0] == path]


def test_the_password_is_that_of_the_documented_example() -> None:
    assert password("174379", PASSKEY, "20210628092408") == PASSWORD


def test_a_push_has_exactly_the_documented_fields(wire: requests_mock.Mocker) -> None:
    wire.post(PUSH_URL, json=ACCEPTED)
    answer = service().push(PROMPT)
    assert answer == PushAccepted(ACCEPTED["MerchantRequestID"], ACCEPTED["CheckoutRequestID"])
    [asked] = sent_to(wire, PUSH_URL)
    assert asked.headers["Authorization"] == "Bearer token-1"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.json() == {
        "BusinessShortCode": "174379",
        "Password": PASSWORD,
        "Timestamp": "20210628092408",
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 1500,
        "PartyA": "254712345678",
        "PartyB": "174379",
        "PhoneNumber": "254712345678",
        "CallBackURL": "https://shop.test/cb?token=t0k3n",
        "AccountReference": "INV-2024-001",
        "TransactionDesc": "Order 7",
    }


def test_the_texts_of_a_prompt_are_shortened_to_the_documented_lengths(
    wire: requests_mock.Mocker,
) -> None:
    """C-42."""
    wire.post(PUSH_URL, json=ACCEPTED)
    service().push(
        StkPush(1, "254712345678", "R" * 40, "Payment for German A1 Course", "https://x")
    )
    body = sent_to(wire, PUSH_URL)[0].json()
    assert (len(body["AccountReference"]), len(body["TransactionDesc"])) == (12, 13)


def test_a_query_has_exactly_the_documented_fields(wire: requests_mock.Mocker) -> None:
    wire.post(QUERY_URL, json={"ResultCode": "0", "ResultDesc": "ok"})
    assert service().query("ws_CO_1") == QueryFinal("0", "ok")
    assert sent_to(wire, QUERY_URL)[0].json() == {
        "BusinessShortCode": "174379",
        "Password": PASSWORD,
        "Timestamp": "20210628092408",
        "CheckoutRequestID": "ws_CO_1",
    }


def test_the_token_is_asked_for_as_documented(wire: requests_mock.Mocker) -> None:
    wire.post(PUSH_URL, json=ACCEPTED)
    service().push(PROMPT)
    [asked] = sent_to(wire, TOKEN_URL)
    assert asked.query == "grant_type=client_credentials"
    assert asked.headers["Authorization"].startswith("Basic ")


REFUSED = [
    (400, error("400.002.02", "Bad Request - Invalid PhoneNumber"), "phone"),
    (400, error("400.002.02", "Bad Request - Invalid PartyA"), "phone"),
    (400, error("400.002.02", "Bad Request - Invalid CallBackURL"), "other"),
    (400, error("400.002.02", "Bad Request - Invalid Remarks"), "other"),
    (400, error("400.002.05", "Invalid Request Payload"), "other"),
    (404, error("404.001.01", "Resource not found"), "other"),
    (404, error("404.001.04", "Invalid Authentication Header"), "other"),
    (405, error("405.001", "GET Method Not Allowed"), "other"),
    (500, error("500.001.1001", "Merchant does not exist"), "credentials"),
    (500, error("500.001.1001", "Wrong credentials"), "credentials"),
    (500, error("500.001.1001", "[MerchantValidate] - Wrong credentials"), "credentials"),
    (
        500,
        error(
            "500.001.1001",
            "Unable to lock subscriber, a transaction is already in process for the current "
            "subscriber",
        ),
        "busy_phone",
    ),
    (500, error("500.001.1001", "Missing ICCID value in request"), "phone"),
    (500, error("500.003.02", "System is busy. Please try again in few minutes."), "throttled"),
    (500, error("500.003.02", "Error Occurred: Spike Arrest Violation"), "throttled"),
    (500, error("500.003.03", "Quota Violation"), "throttled"),
    (429, {"fault": {"faultstring": "Spike arrest violation", "detail": {}}}, "throttled"),
    (
        401,
        error(
            "401.003.01",
            "Error Occurred - Invalid Access Token - Invalid API call as no apiproduct match found",
        ),
        "credentials",
    ),
    (404, error("404.001.03", "Invalid Access Token"), "credentials"),
    (400, error("400.003.01", "Invalid Access Token"), "credentials"),
    (200, error("500.001.1001", "Wrong credentials"), "credentials"),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSED)
def test_a_certain_refusal_is_told_apart_by_code_and_text(
    wire: requests_mock.Mocker, status: int, body: dict[str, Any], kind: str
) -> None:
    wire.post(PUSH_URL, status_code=status, json=body)
    answer = service().push(PROMPT)
    assert isinstance(answer, PushRefused), answer
    assert answer.kind == kind


UNANSWERED: list[dict[str, Any]] = [
    {"status_code": 502, "text": "<html>Bad Gateway</html>"},
    {"status_code": 503, "text": "Service is currently unreachable"},
    {"status_code": 500, "text": ""},
    {"status_code": 500, "json": error("500.001.1001", "Internal Server Error")},
    {"status_code": 500, "json": error("500.003.1001", "Internal Server Error")},
    {"status_code": 200, "text": "{broken"},
    {"status_code": 200, "text": ""},
    {"status_code": 200, "text": "[]"},
    {"status_code": 200, "json": {"ResponseCode": "0"}},
    {"status_code": 200, "json": {"ResponseCode": "0", "CheckoutRequestID": 7}},
    {"status_code": 200, "text": "[" * 3000},
    {"status_code": 302, "headers": {"Location": ELSEWHERE}},
    {"exc": requests.exceptions.ReadTimeout},
    {"exc": requests.exceptions.ChunkedEncodingError},
    {"exc": requests.exceptions.ConnectionError(ConnectionResetError(104, "reset by peer"))},
]


@pytest.mark.parametrize("answered", UNANSWERED, ids=range(len(UNANSWERED)))
def test_what_leaves_the_prompts_fate_open_is_unanswered_and_never_repeated(
    wire: requests_mock.Mocker, answered: dict[str, Any]
) -> None:
    wire.post(PUSH_URL, **answered)
    wire.get(ELSEWHERE, json=ACCEPTED)
    assert isinstance(service().push(PROMPT), PushUnanswered)
    assert len(sent_to(wire, PUSH_URL)) == 1
    assert len(wire.request_history) == 2, "a redirect is not followed"


def test_a_refused_connection_is_known_not_to_have_been_sent() -> None:
    root = f"http://127.0.0.1:{free_port()}"
    answer = service(token_url=f"{root}/token", push_url=f"{root}/push").push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert answer.kind == "unreachable"
    assert "Failed to connect to M-Pesa API" in answer.description, "S2-61"


@pytest.mark.parametrize(
    "failure", [requests.exceptions.ConnectTimeout, requests.exceptions.SSLError]
)
def test_a_push_that_never_connected_is_unreachable(
    wire: requests_mock.Mocker, failure: type[Exception]
) -> None:
    wire.post(PUSH_URL, exc=failure)
    answer = service().push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert answer.kind == "unreachable"


@pytest.mark.parametrize(
    ("token_answer", "kind"),
    [
        ({"status_code": 400, "text": ""}, "credentials"),
        ({"status_code": 401, "text": ""}, "credentials"),
        (
            {"status_code": 400, "json": error("400.008.01", "Invalid Authentication passed")},
            "credentials",
        ),
        ({"status_code": 403, "text": "<html>blocked</html>"}, "credentials"),
        ({"status_code": 503, "text": "unreachable"}, "unreachable"),
        ({"exc": requests.exceptions.ReadTimeout}, "unreachable"),
    ],
)
def test_without_a_token_nothing_is_pushed(
    wire: requests_mock.Mocker, token_answer: dict[str, Any], kind: str
) -> None:
    """S1-45, S3-69: whatever went wrong with the token, no prompt can be on a phone."""
    wire.get(TOKEN_URL, **token_answer)
    answer = service().push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert answer.kind == kind
    assert sent_to(wire, PUSH_URL) == []


@pytest.mark.parametrize("expires_in", ["3599", 3599, "soon", None])
def test_a_token_is_kept_whatever_type_its_lifetime_has(
    wire: requests_mock.Mocker, expires_in: object
) -> None:
    wire.get(TOKEN_URL, json={"access_token": "token-1", "expires_in": expires_in})
    wire.post(PUSH_URL, json=ACCEPTED)
    speaking = service()
    for _ in range(3):
        assert isinstance(speaking.push(PROMPT), PushAccepted)
    assert len(sent_to(wire, TOKEN_URL)) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "404.001.03"), (401, "401.003.01"), (401, "401.002.01"), (400, "400.003.01")],
)
def test_a_refused_token_is_fetched_once_more_and_the_push_repeated_once(
    wire: requests_mock.Mocker, status: int, code: str
) -> None:
    """S4-69, S4-70: the gateway refuses before M-Pesa sees the request."""
    refused = {"status_code": status, "json": error(code, "Invalid Access Token")}
    wire.get(TOKEN_URL, [{"json": {"access_token": f"token-{n}"}} for n in (1, 2, 3)])
    wire.post(PUSH_URL, [refused, {"json": ACCEPTED}])
    assert isinstance(service().push(PROMPT), PushAccepted)
    used = [asked.headers["Authorization"] for asked in sent_to(wire, PUSH_URL)]
    assert used == ["Bearer token-1", "Bearer token-2"]


def test_a_token_that_is_refused_twice_is_not_tried_a_third_time(
    wire: requests_mock.Mocker,
) -> None:
    wire.post(PUSH_URL, status_code=404, json=error("404.001.03", "Invalid Access Token"))
    answer = service().push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert answer.kind == "credentials"
    assert len(sent_to(wire, PUSH_URL)) == 2
    assert len(sent_to(wire, TOKEN_URL)) == 2


QUERIES: list[tuple[dict[str, Any], object]] = [
    ({"json": {"ResultCode": "4999", "ResultDesc": "still under processing"}}, QueryNotYet()),
    ({"json": {"ResultCode": 4999}}, QueryNotYet()),
    ({"json": {"ResultCode": 0, "ResultDesc": "ok"}}, QueryFinal("0", "ok")),
    ({"json": {"ResultCode": "1032", "ResultDesc": "x"}}, QueryFinal("1032", "x")),
    ({"json": {"ResultCode": "SFC_IC0003", "ResultDesc": "x"}}, QueryFinal("SFC_IC0003", "x")),
]
NO_WORD: list[dict[str, Any]] = [
    {"status_code": 500, "json": error("500.001.1001", "The transaction is being processed")},
    {"status_code": 500, "json": error("500.001.1001", "The transaction does not Exist")},
    {"status_code": 400, "json": error("400.002.02", "Bad Request - Invalid CheckoutRequestID")},
    {"status_code": 429, "json": {"fault": {"faultstring": "Spike arrest violation"}}},
    {"status_code": 403, "text": "<html>blocked</html>"},
    {"status_code": 200, "text": "<html></html>"},
    {"status_code": 200, "json": {"ResponseCode": "0"}},
    {"status_code": 500, "json": {"ResultCode": "0"}},
    {"status_code": 200, "json": error("500.001.1001", "x") | {"ResultCode": "1032"}},
    {"status_code": 302, "headers": {"Location": ELSEWHERE}},
    {"exc": requests.exceptions.ReadTimeout},
    {"exc": requests.exceptions.ConnectionError},
]


@pytest.mark.parametrize(("answered", "meaning"), QUERIES)
def test_only_a_result_code_is_an_answer_to_a_query(
    wire: requests_mock.Mocker, answered: dict[str, Any], meaning: object
) -> None:
    wire.post(QUERY_URL, **answered)
    assert service().query("ws_CO_1") == meaning


@pytest.mark.parametrize("answered", NO_WORD, ids=range(len(NO_WORD)))
def test_anything_else_says_nothing_about_the_payment(
    wire: requests_mock.Mocker, answered: dict[str, Any]
) -> None:
    wire.post(QUERY_URL, **answered)
    wire.get(ELSEWHERE, json={"ResultCode": "0", "ResultDesc": "ok"})
    assert isinstance(service().query("ws_CO_1"), QueryUnanswered)


def test_missing_credentials_are_named_all_at_once() -> None:
    """S2-59."""
    with pytest.raises(MissingSettings, match="Missing required M-Pesa settings") as caught:
        service(consumer_key=None, passkey="")
    assert caught.value.names == ["MPESA_CONSUMER_KEY", "MPESA_PASSKEY"]


def test_nothing_secret_stands_in_a_repr_or_a_log(
    wire: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-81 to S4-83, I10."""
    wire.post(PUSH_URL, json=ACCEPTED)
    wire.post(QUERY_URL, json={"ResultCode": "0", "ResultDesc": "ok"})
    speaking = service()
    with caplog.at_level(logging.DEBUG):
        speaking.push(PROMPT)
        speaking.query(ACCEPTED["CheckoutRequestID"])
        wire.get(TOKEN_URL, status_code=400)
        with pytest.raises(TokenRefused):
            speaking.test_connection()
    assert "access token fetched" in caplog.text
    written = redact(caplog.text) + repr(speaking.settings) + repr(AccessToken("token-1", 1.0))
    for secret in (*SECRETS, "254712345678", "708374149"):
        assert secret not in written
