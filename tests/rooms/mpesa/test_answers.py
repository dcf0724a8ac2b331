"""Every family of answer on record, as the answer to a push and as that to a query.

For a push three things may be true: it was accepted, it was certainly refused, or nobody knows.
A query tells an end or it tells nothing.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import requests_mock

from app.mpesa.messages import (
    PushAccepted,
    PushAnswer,
    PushRefused,
    PushUnanswered,
    QueryFinal,
    QueryNotYet,
    QueryUnanswered,
)
from tests.rooms.mpesa.speaking import (
    ACCEPTED,
    PROMPT,
    PUSH_URL,
    QUERY_URL,
    error,
    sent_to,
    service,
)

#: Where a redirect leads that nobody may follow.
ELSEWHERE = "https://elsewhere.test/"
ACCEPTANCE = PushAccepted(ACCEPTED["MerchantRequestID"], ACCEPTED["CheckoutRequestID"])
UNKNOWN = "unknown"
PAGE = "<html><body>Bad Gateway</body></html>"


def fault(code: str, text: str = "Something") -> dict[str, Any]:
    """Apigee's own error body."""
    return {"fault": {"faultstring": text, "detail": {"errorcode": code}}}


SPIKE = fault("policies.ratelimit.SpikeArrestViolation", "Spike arrest violation. Allowed rate : 5")

#: What came, and what it says of a push: a kind of refusal, or that nobody knows.
FAMILIES: dict[str, tuple[dict[str, Any], str]] = {
    # Daraja's own envelope.
    "invalid phone": (
        {"status_code": 400, "json": error("400.002.02", "Bad Request - Invalid PhoneNumber")},
        "phone",
    ),
    "invalid party": (
        {"status_code": 400, "json": error("400.002.02", "Bad Request - Invalid PartyA")},
        "phone",
    ),
    "invalid address": (
        {"status_code": 400, "json": error("400.002.02", "Bad Request - Invalid CallBackURL")},
        "other",
    ),
    "invalid remarks": (
        {"status_code": 400, "json": error("400.002.02", "Bad Request - Invalid Remarks")},
        "other",
    ),
    "invalid payload": (
        {"status_code": 400, "json": error("400.002.05", "Invalid Request Payload")},
        "other",
    ),
    "no such path": (
        {"status_code": 404, "json": error("404.001.01", "Resource not found")},
        "other",
    ),
    "no such path, another family": (
        {"status_code": 404, "json": error("404.003.01", "Resource not found")},
        "other",
    ),
    "bad header": (
        {"status_code": 404, "json": error("404.001.04", "Invalid Authentication Header")},
        "other",
    ),
    "wrong verb": (
        {"status_code": 405, "json": error("405.001", "GET Method Not Allowed")},
        "other",
    ),
    "no such merchant": (
        {"status_code": 500, "json": error("500.001.1001", "Merchant does not exist")},
        "credentials",
    ),
    "wrong password": (
        {"status_code": 500, "json": error("500.001.1001", "Wrong credentials")},
        "credentials",
    ),
    "wrong password, older": (
        {
            "status_code": 500,
            "json": error("500.001.1001", "[MerchantValidate] - Wrong credentials"),
        },
        "credentials",
    ),
    "locked subscriber": (
        {
            "status_code": 500,
            "json": error(
                "500.001.1001",
                "Unable to lock subscriber, a transaction is already in process for the current "
                "subscriber",
            ),
        },
        "busy_phone",
    ),
    "not a Safaricom number": (
        {"status_code": 500, "json": error("500.001.1001", "Missing ICCID value in request")},
        "phone",
    ),
    "system busy": (
        {
            "status_code": 500,
            "json": error("500.003.02", "System is busy. Please try again in few minutes."),
        },
        "throttled",
    ),
    "spike arrest": (
        {
            "status_code": 500,
            "json": error("500.003.02", "Error Occurred: Spike Arrest Violation"),
        },
        "throttled",
    ),
    "quota": ({"status_code": 500, "json": error("500.003.03", "Quota Violation")}, "throttled"),
    "catch-all": (
        {"status_code": 500, "json": error("500.001.1001", "Internal Server Error")},
        UNKNOWN,
    ),
    "internal error": (
        {"status_code": 500, "json": error("500.003.1001", "Internal Server Error")},
        UNKNOWN,
    ),
    "maintenance": (
        {"status_code": 500, "json": error("500.002.1001", "Service is under maintenance")},
        UNKNOWN,
    ),
    "a code and no text": ({"status_code": 500, "json": {"errorCode": "500.001.1001"}}, UNKNOWN),
    # A refused token, refused again after a fresh one.
    "token, 404": (
        {"status_code": 404, "json": error("404.001.03", "Invalid Access Token")},
        "credentials",
    ),
    "token, 401": (
        {
            "status_code": 401,
            "json": error("401.002.01", "Error Occurred - Invalid Access Token - the old one"),
        },
        "credentials",
    ),
    "token, 400": (
        {"status_code": 400, "json": error("400.003.01", "Invalid Access Token")},
        "credentials",
    ),
    "token without the product": (
        {
            "status_code": 401,
            "json": error(
                "401.003.01",
                "Error Occurred - Invalid Access Token - Invalid API call as no apiproduct match "
                "found",
            ),
        },
        "credentials",
    ),
    "token, from Apigee": (
        {
            "status_code": 401,
            "json": fault("keymanagement.service.invalid_access_token", "Invalid Access Token"),
        },
        "credentials",
    ),
    # An error envelope that calls itself a success.
    "200, wrong password": ({"json": error("500.001.1001", "Wrong credentials")}, "credentials"),
    "200, invalid phone": (
        {"json": error("400.002.02", "Bad Request - Invalid PhoneNumber")},
        "phone",
    ),
    "200, catch-all": ({"json": error("500.001.1001", "Internal Server Error")}, UNKNOWN),
    "200, error and ids": (
        {"json": ACCEPTED | error("500.001.1001", "Wrong credentials")},
        UNKNOWN,
    ),
    # Apigee's faults.
    "fault 401": ({"status_code": 401, "json": fault("oauth.v2.InvalidApiKey")}, "credentials"),
    "fault 429": ({"status_code": 429, "json": SPIKE}, "throttled"),
    "fault 429, bare": ({"status_code": 429, "json": {"fault": {}}}, "throttled"),
    "fault 500, rate": ({"status_code": 500, "json": SPIKE}, "throttled"),
    "fault 500": (
        {"status_code": 500, "json": fault("steps.jsonthreatprotection.ExecutionFailed")},
        UNKNOWN,
    ),
    "fault 503": (
        {"status_code": 503, "json": fault("messaging.adaptors.http.flow.ServiceUnavailable")},
        UNKNOWN,
    ),
    "fault 504": (
        {"status_code": 504, "json": fault("messaging.adaptors.http.flow.GatewayTimeout")},
        UNKNOWN,
    ),
    # Bodies that are no JSON, or no object.
    "empty 400": ({"status_code": 400, "text": ""}, "other"),
    "empty 401": ({"status_code": 401, "text": ""}, "other"),
    "empty 429": ({"status_code": 429, "text": ""}, "throttled"),
    "page 403": ({"status_code": 403, "text": PAGE}, "throttled"),
    "page 404": ({"status_code": 404, "text": PAGE}, "other"),
    "page 408": ({"status_code": 408, "text": PAGE}, UNKNOWN),
    "truncated 400": ({"status_code": 400, "text": '{"errorCode": "400.0'}, "other"),
    "array 400": ({"status_code": 400, "text": "[1]"}, "other"),
    "empty 500": ({"status_code": 500, "text": ""}, UNKNOWN),
    "page 502": ({"status_code": 502, "text": PAGE}, UNKNOWN),
    "words 503": ({"status_code": 503, "text": "Service is currently unreachable"}, UNKNOWN),
    "truncated 500": ({"status_code": 500, "text": '{"errorCode": "500.001.1001", "e'}, UNKNOWN),
    "array 500": ({"status_code": 500, "text": "[]"}, UNKNOWN),
    "empty 200": ({"text": ""}, UNKNOWN),
    "page 200": ({"text": PAGE}, UNKNOWN),
    "truncated 200": ({"text": json.dumps(ACCEPTED)[:-9]}, UNKNOWN),
    "array 200": ({"text": "[]"}, UNKNOWN),
    "text 200": ({"text": '"0"'}, UNKNOWN),
    "null 200": ({"text": "null"}, UNKNOWN),
    "no UTF-8": ({"content": b'{"ResponseCode": "0", "x": "\xff"}'}, UNKNOWN),
    "bottomless 200": ({"text": "[" * 3000}, UNKNOWN),
    "empty 204": ({"status_code": 204, "text": ""}, UNKNOWN),
    "redirect": ({"status_code": 302, "headers": {"Location": ELSEWHERE}}, UNKNOWN),
    # The connection.
    "silence": ({"exc": requests.exceptions.ReadTimeout}, UNKNOWN),
    "cut short": ({"exc": requests.exceptions.ChunkedEncodingError}, UNKNOWN),
    "reset": ({"exc": requests.ConnectionError(ConnectionResetError(104, "reset"))}, UNKNOWN),
    "TLS broke": ({"exc": requests.exceptions.SSLError}, UNKNOWN),
    "no connection": ({"exc": requests.exceptions.ConnectTimeout}, "unreachable"),
}
#: Half an acknowledgement: the prompt may be on the phone.
HALF_ACCEPTED: list[dict[str, Any]] = [
    {"ResponseCode": "0"},
    {"ResponseCode": "0", "CheckoutRequestID": 7},
    {"ResponseCode": "0", "CheckoutRequestID": ""},
    {"ResponseCode": "0", "CheckoutRequestID": "two words"},
    {"ResponseCode": "0", "CheckoutRequestID": "x" * 129},
    {"ResponseCode": None, "CheckoutRequestID": None},
    {"ResponseCode": True},
    {"ResponseCode": {}},
    ACCEPTED | {"ResponseCode": "1"},
]


def kind_of(answer: PushAnswer) -> str:
    return answer.kind if isinstance(answer, PushRefused) else UNKNOWN


@pytest.mark.parametrize(("answered", "meaning"), FAMILIES.values(), ids=FAMILIES)
def test_a_push_is_refused_for_certain_or_nobody_knows(
    wire: requests_mock.Mocker, answered: dict[str, Any], meaning: str
) -> None:
    wire.post(PUSH_URL, **answered)
    wire.get(ELSEWHERE, json=ACCEPTED)
    answer = service().push(PROMPT)
    assert not isinstance(answer, PushAccepted)
    assert kind_of(answer) == meaning, answer
    once = 2 if "token" in str(answer).lower() and meaning == "credentials" else 1
    assert len(sent_to(wire, PUSH_URL)) == once, "only a refused token is worth a second push"


@pytest.mark.parametrize(("answered", "meaning"), FAMILIES.values(), ids=FAMILIES)
def test_no_error_is_an_end_to_a_query(
    wire: requests_mock.Mocker, answered: dict[str, Any], meaning: str
) -> None:
    """daraja 500.001.1001 was answered for payments that it knew (recorded traffic)."""
    wire.post(QUERY_URL, **answered)
    wire.get(ELSEWHERE, json={"ResultCode": "0", "ResultDesc": "ok"})
    assert isinstance(service().query("ws_CO_1"), QueryUnanswered)


@pytest.mark.parametrize("body", HALF_ACCEPTED, ids=json.dumps)
def test_half_an_acknowledgement_leaves_the_prompts_fate_open(
    wire: requests_mock.Mocker, body: dict[str, Any]
) -> None:
    wire.post(PUSH_URL, json=body)
    assert isinstance(service().push(PROMPT), PushUnanswered)


def test_a_response_code_of_its_own_is_a_refusal(wire: requests_mock.Mocker) -> None:
    wire.post(PUSH_URL, json={"ResponseCode": 1, "ResponseDescription": "no\nway"})
    assert service().push(PROMPT) == PushRefused("other", "1", "no way")


@pytest.mark.parametrize(
    "answered",
    [
        {"json": ACCEPTED, "headers": {"Content-Type": "text/html"}},
        {"json": ACCEPTED, "headers": {"Content-Type": "text/plain; charset=nonsense"}},
        {"content": b"\xef\xbb\xbf" + json.dumps(ACCEPTED).encode()},
        {"json": ACCEPTED | {"ResponseCode": 0}},
        {"json": ACCEPTED | {"errorCode": None}},
    ],
    ids=["html", "unknown charset", "byte order mark", "number", "null error"],
)
def test_an_acknowledgement_counts_however_it_is_wrapped(
    wire: requests_mock.Mocker, answered: dict[str, Any]
) -> None:
    wire.post(PUSH_URL, **answered)
    assert service().push(PROMPT) == ACCEPTANCE


def test_a_token_that_daraja_quotes_is_left_out(wire: requests_mock.Mocker) -> None:
    """I10: what is refused here may still open another door."""
    quoted = "Error Occurred - Invalid Access Token - c9SQxWWhmdVRlyh0zh8gZDTkubVF"
    wire.post(PUSH_URL, status_code=401, json=error("401.003.01", quoted))
    assert service().push(PROMPT) == PushRefused(
        "credentials", "401.003.01", "Error Occurred - Invalid Access Token - ***"
    )


def test_what_a_database_cannot_hold_is_taken_out_of_an_answer(wire: requests_mock.Mocker) -> None:
    """F10: neither NUL nor half a character nor a line break gets further."""
    wire.post(PUSH_URL, status_code=400, json=error("400\x00.002.02", "a\ud800b\r\nINFO c\x00"))
    answer = service().push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert (answer.code, answer.description) == ("400 .002.02", "a b  INFO c ")


ENDS: list[tuple[dict[str, Any], object]] = [
    ({"ResultCode": "4999", "ResultDesc": "still under processing"}, QueryNotYet()),
    ({"ResultCode": 4999}, QueryNotYet()),
    ({"ResultCode": 0, "ResultDesc": "ok"}, QueryFinal("0", "ok")),
    ({"ResultCode": 0.0, "ResultDesc": "ok"}, QueryFinal("0", "ok")),
    ({"ResultCode": "0", "ResponseCode": "0", "ResultDesc": "ok"}, QueryFinal("0", "ok")),
    ({"ResultCode": "1032", "ResultDesc": "x"}, QueryFinal("1032", "x")),
    ({"ResultCode": " 1032 ", "ResultDesc": "x"}, QueryFinal("1032", "x")),
    ({"ResultCode": "SFC_IC0003", "ResultDesc": "x"}, QueryFinal("SFC_IC0003", "x")),
    ({"ResultCode": "E3008", "ResultDesc": "x"}, QueryFinal("E3008", "x")),
    ({"ResultCode": "7777", "ResultDesc": "x"}, QueryFinal("7777", "x")),
]
NO_END: list[dict[str, Any]] = [
    {"ResponseCode": "0"},
    {"ResultCode": None},
    {"ResultCode": ""},
    {"ResultCode": True},
    {"ResultCode": False},
    {"ResultCode": {}},
    {"ResultCode": ["0"]},
    {"ResultCode": 0.5},
    {"ResultCode": "00"},
    {"ResultCode": "null"},
    {"ResultCode": "500.001.1001"},
    {"ResultCode": "-1"},
    {"ResultCode": "9" * 40},
    {"ResultCode": "0", "ResponseCode": "1"},
    {"ResultCode": "1032", "ResponseCode": None},
    {"ResultCode": "1032"} | error("500.001.1001", "x"),
    {"ResultCode": "1032"} | fault("policies.ratelimit.QuotaViolation"),
]


@pytest.mark.parametrize(("body", "meaning"), ENDS, ids=[str(body) for body, _ in ENDS])
def test_only_a_result_code_is_an_answer_to_a_query(
    wire: requests_mock.Mocker, body: dict[str, Any], meaning: object
) -> None:
    wire.post(QUERY_URL, json=body)
    assert service().query("ws_CO_1") == meaning


@pytest.mark.parametrize("body", NO_END, ids=str)
def test_what_is_no_result_code_says_nothing_about_the_payment(
    wire: requests_mock.Mocker, body: dict[str, Any]
) -> None:
    """An unknown code is an end without money, so nonsense must not pass for one."""
    wire.post(QUERY_URL, json=body)
    assert isinstance(service().query("ws_CO_1"), QueryUnanswered)


def test_a_result_code_under_an_error_status_says_nothing(wire: requests_mock.Mocker) -> None:
    wire.post(QUERY_URL, status_code=500, json={"ResultCode": "0"})
    assert isinstance(service().query("ws_CO_1"), QueryUnanswered)
