"""MpesaService on the wire: what it sends, once, and with whose token."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import requests
import requests_mock

from app.monitoring import redact
from app.mpesa.messages import PushAccepted, PushRefused, QueryFinal, StkPush
from app.mpesa.service import password
from app.mpesa.settings import MissingSettings
from app.mpesa.tokens import AccessToken
from app.mpesa.transport import TokenRefused
from tests.rooms.mpesa.speaking import (
    ACCEPTED,
    PASSKEY,
    PASSWORD,
    PROMPT,
    PUSH_URL,
    QUERY_URL,
    TOKEN_URL,
    error,
    sent_to,
    service,
)
from tests.services.launch import free_port

SECRETS = ("the-consumer-key", "the-consumer-secret", PASSKEY, PASSWORD, "token-1", "t0k3n")


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


def test_a_refused_connection_is_known_not_to_have_been_sent() -> None:
    root = f"http://127.0.0.1:{free_port()}"
    answer = service(token_url=f"{root}/token", push_url=f"{root}/push").push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert answer.kind == "unreachable"
    assert "Failed to connect to M-Pesa API" in answer.description, "S2-61"


def test_a_push_that_never_connected_is_unreachable(wire: requests_mock.Mocker) -> None:
    wire.post(PUSH_URL, exc=requests.exceptions.ConnectTimeout)
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
        ({"status_code": 403, "json": error("403.1", "Forbidden")}, "credentials"),
        ({"status_code": 403, "text": "<html>blocked</html>"}, "throttled"),
        ({"status_code": 429, "text": ""}, "throttled"),
        ({"status_code": 429, "json": {"fault": {"faultstring": "Spike arrest"}}}, "throttled"),
        ({"status_code": 503, "text": "unreachable"}, "unreachable"),
        ({"status_code": 500, "json": error("500.003.1001", "Error")}, "unreachable"),
        ({"status_code": 302, "headers": {"Location": TOKEN_URL}}, "unreachable"),
        ({"status_code": 200, "text": "<html>Sign in to this network</html>"}, "unreachable"),
        ({"status_code": 200, "json": {"access_token": "two\r\nlines"}}, "unreachable"),
        ({"status_code": 200, "text": '{"access_token": "cut'}, "unreachable"),
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


@pytest.mark.parametrize("expires_in", ["3599", 3599, "soon", None, "nan", "1e999", -1])
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
