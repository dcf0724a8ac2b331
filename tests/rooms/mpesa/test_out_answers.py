"""Every family of answer on record, as the answer to a request that moves money out.

Five things may be true: it was accepted, Daraja has it already, it certainly did not reach
M-Pesa, it was certainly refused, or nobody knows. Only the third may be sent again.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import requests_mock

from app.mpesa.out_messages import (
    OutAccepted,
    OutAnswer,
    OutDuplicate,
    OutNotSent,
    OutRefused,
    OutUnanswered,
)
from tests.rooms.mpesa.paying import (
    ACCEPTANCE,
    ACKNOWLEDGED,
    B2C_URL,
    PAYMENT,
    REVERSAL,
    REVERSAL_URL,
    money_out,
)
from tests.rooms.mpesa.speaking import ELSEWHERE, error

UNKNOWN, REFUSED, DUPLICATE = "unknown", "refused", "duplicate"
PAGE = "<html><body>Bad Gateway</body></html>"


def envelope(status: int, code: str, message: str) -> dict[str, Any]:
    return {"status_code": status, "json": error(code, message)}


def fault(status: int, code: str) -> dict[str, Any]:
    """Apigee's own error body."""
    told = {"faultstring": "Something", "detail": {"errorcode": code}}
    return {"status_code": status, "json": {"fault": told}}


FAMILIES: dict[str, tuple[dict[str, Any], str]] = {
    # Daraja's own envelope.
    "invalid party": (envelope(400, "400.002.02", "Bad Request - Invalid PartyB"), REFUSED),
    "invalid payload": (envelope(400, "400.002.05", "Invalid Request Payload"), REFUSED),
    "no such path": (envelope(404, "404.002.01", "Resource not found"), REFUSED),
    "bad header": (envelope(404, "404.001.04", "Invalid Authentication Header"), REFUSED),
    "wrong verb": (envelope(405, "405.001", "GET Method Not Allowed"), REFUSED),
    "refused with 200": (envelope(200, "400.002.02", "Bad Request - Invalid Amount"), REFUSED),
    "refused with 500": (envelope(500, "400.002.02", "Bad Request - Invalid Amount"), REFUSED),
    "duplicate": (
        envelope(500, "500.002.1001", "Duplicate OriginatorConversationID."),
        DUPLICATE,
    ),
    "duplicate with 400": (envelope(400, "400.002.02", "DUPLICATE request"), DUPLICATE),
    "maintenance, same code": (
        envelope(500, "500.002.1001", "Service is currently under maintenance"),
        UNKNOWN,
    ),
    "catch-all": (envelope(500, "500.001.1001", "Internal Server Error"), UNKNOWN),
    "internal error": (envelope(500, "500.003.1001", "Internal Server Error"), UNKNOWN),
    "internal error with 200": (envelope(200, "500.001.1001", "Internal Server Error"), UNKNOWN),
    "a time-out by name": (envelope(408, "408.001", "Request Timeout"), UNKNOWN),
    "system busy": (
        envelope(500, "500.003.02", "System is busy. Please try again in few minutes."),
        "throttled",
    ),
    "quota": (envelope(500, "500.003.03", "Error Occurred: Quota Violation"), "throttled"),
    "429 with a code": (envelope(429, "429.001.01", "Too many requests"), "throttled"),
    "token": (envelope(401, "401.002.01", "Error Occurred - Invalid Access Token"), "credentials"),
    "token, 404": (envelope(404, "404.001.03", "Invalid Access Token"), "credentials"),
    "401 with another code": (envelope(401, "401.001", "Unauthorized"), "credentials"),
    "no such product": (
        envelope(401, "401.003.01", "Error Occurred - Invalid Access Token - no apiproduct match"),
        "credentials",
    ),
    # Apigee's own.
    "spike arrest": (fault(429, "policies.ratelimit.SpikeArrestViolation"), "throttled"),
    "spike arrest, 500": (fault(500, "policies.ratelimit.SpikeArrestViolation"), "throttled"),
    "fault 401": (fault(401, "keymanagement.service.invalid_access_token"), "credentials"),
    "fault 500": (fault(500, "messaging.adaptors.http.flow.UnexpectedEOF"), UNKNOWN),
    "fault 504": (fault(504, "messaging.adaptors.http.flow.GatewayTimeout"), UNKNOWN),
    # Bodies that are no JSON, or no object.
    "empty 400": ({"status_code": 400, "text": ""}, REFUSED),
    "page 403": ({"status_code": 403, "text": PAGE}, "throttled"),
    "page 404": ({"status_code": 404, "text": PAGE}, REFUSED),
    "page 408": ({"status_code": 408, "text": PAGE}, UNKNOWN),
    "empty 429": ({"status_code": 429, "text": ""}, "throttled"),
    "empty 500": ({"status_code": 500, "text": ""}, UNKNOWN),
    "page 502": ({"status_code": 502, "text": PAGE}, UNKNOWN),
    "words 503": ({"status_code": 503, "text": "Service is currently unreachable"}, UNKNOWN),
    "truncated 500": ({"status_code": 500, "text": '{"errorCode": "500.001.10'}, UNKNOWN),
    "array 500": ({"status_code": 500, "text": "[]"}, UNKNOWN),
    "empty 200": ({"text": ""}, UNKNOWN),
    "page 200": ({"text": PAGE}, UNKNOWN),
    "truncated 200": ({"text": json.dumps(ACKNOWLEDGED)[:-9]}, UNKNOWN),
    "array 200": ({"text": "[]"}, UNKNOWN),
    "no UTF-8": ({"content": b'{"ResponseCode": "0", "x": "\xff"}'}, UNKNOWN),
    "bottomless 200": ({"text": "[" * 3000}, UNKNOWN),
    "empty 204": ({"status_code": 204, "text": ""}, UNKNOWN),
    "redirect": ({"status_code": 302, "headers": {"Location": ELSEWHERE}}, UNKNOWN),
    # Half an acknowledgement, or one that contradicts itself: it may be under way.
    "no id": ({"json": {"ResponseCode": "0"}}, UNKNOWN),
    "id is a number": ({"json": ACKNOWLEDGED | {"ConversationID": 7}}, UNKNOWN),
    "id is blank": ({"json": ACKNOWLEDGED | {"ConversationID": ""}}, UNKNOWN),
    "id is two words": ({"json": ACKNOWLEDGED | {"ConversationID": "two words"}}, UNKNOWN),
    "id is endless": ({"json": ACKNOWLEDGED | {"ConversationID": "x" * 129}}, UNKNOWN),
    "no code": ({"json": {"ConversationID": "AG_1"}}, UNKNOWN),
    "code is true": ({"json": ACKNOWLEDGED | {"ResponseCode": True}}, UNKNOWN),
    "code is an object": ({"json": ACKNOWLEDGED | {"ResponseCode": {}}}, UNKNOWN),
    "a no with an id": ({"json": ACKNOWLEDGED | {"ResponseCode": "1"}}, UNKNOWN),
    "an error with an id": (
        {"status_code": 400, "json": ACKNOWLEDGED | error("400.002.02", "Bad Request")},
        UNKNOWN,
    ),
    "a no without an id": ({"json": {"ResponseCode": "1"}}, REFUSED),
    # The connection.
    "silence": ({"exc": requests.exceptions.ReadTimeout}, UNKNOWN),
    "cut short": ({"exc": requests.exceptions.ChunkedEncodingError}, UNKNOWN),
    "reset": ({"exc": requests.ConnectionError(ConnectionResetError(104, "reset"))}, UNKNOWN),
    "TLS broke": ({"exc": requests.exceptions.SSLError}, UNKNOWN),
    "no connection": ({"exc": requests.exceptions.ConnectTimeout}, "unreachable"),
}


def kind_of(answer: OutAnswer) -> str:
    if isinstance(answer, OutNotSent):
        return answer.kind
    kinds = {OutRefused: REFUSED, OutDuplicate: DUPLICATE, OutUnanswered: UNKNOWN}
    return kinds.get(type(answer), "accepted")


@pytest.mark.parametrize(("answered", "meaning"), FAMILIES.values(), ids=FAMILIES)
def test_an_answer_that_is_no_acceptance_is_told_apart(
    wire: requests_mock.Mocker, answered: dict[str, Any], meaning: str
) -> None:
    for url in (B2C_URL, REVERSAL_URL):
        wire.post(url, **answered)
    wire.get(ELSEWHERE, json=ACKNOWLEDGED)
    for answer in (money_out().pay(PAYMENT), money_out().reverse(REVERSAL)):
        assert kind_of(answer) == meaning, answer


@pytest.mark.parametrize(
    "answered",
    [
        {"json": ACKNOWLEDGED},
        {"json": ACKNOWLEDGED | {"ResponseCode": 0}},
        {"json": ACKNOWLEDGED | {"errorCode": None}},
        {"json": ACKNOWLEDGED, "headers": {"Content-Type": "text/html"}},
        {"content": b"\xef\xbb\xbf" + json.dumps(ACKNOWLEDGED).encode()},
    ],
)
def test_an_acceptance_is_understood_in_any_dress(
    wire: requests_mock.Mocker, answered: dict[str, Any]
) -> None:
    wire.post(B2C_URL, **answered)
    assert money_out().pay(PAYMENT) == ACCEPTANCE


@pytest.mark.parametrize("own", [..., None, 7, "", "two words"])
def test_an_acceptance_without_a_readable_name_of_its_own_is_one_all_the_same(
    wire: requests_mock.Mocker, own: object
) -> None:
    body = {key: value for key, value in ACKNOWLEDGED.items() if key != "OriginatorConversationID"}
    wire.post(B2C_URL, json=body if own is ... else body | {"OriginatorConversationID": own})
    assert money_out().pay(PAYMENT) == OutAccepted(ACKNOWLEDGED["ConversationID"], "")


def test_a_refusal_keeps_its_code_and_its_words_without_what_a_database_cannot_hold(
    wire: requests_mock.Mocker,
) -> None:
    """F10, I10."""
    wire.post(B2C_URL, status_code=400, json=error("400\x00.002.02", "a\ud800b\r\nINFO c\x00"))
    assert money_out().pay(PAYMENT) == OutRefused("400 .002.02", "a b  INFO c ")
    quoted = "Error Occurred - Invalid Access Token - c9SQxWWhmdVRlyh0zh8gZDTkubVF"
    wire.post(B2C_URL, status_code=401, json=error("401.002.01", quoted))
    answer = money_out().pay(PAYMENT)
    assert answer == OutNotSent("credentials", "Error Occurred - Invalid Access Token - ***")
