"""Reading Daraja's answers. Everything it may send ends in a type of messages.py.

Its error bodies come in three families (seen in recorded traffic): its own JSON envelope with an
``errorCode``, a raw Apigee ``fault``, and bodies that are no JSON at all (empty, or a firewall's
HTML page). The status alone decides little: a bad token is a 404 on one path, business refusals
come as 500.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import requests

from app.mpesa.messages import (
    PushAccepted,
    PushAnswer,
    PushRefused,
    PushUnanswered,
    QueryAnswer,
    QueryFinal,
    QueryNotYet,
    QueryUnanswered,
    RefusalKind,
)
from app.mpesa.result_codes import stk_result

_TOKEN_CODE = re.compile(r"\d{3}\.(?:001\.03|002\.01|003\.01)")
#: Apigee's own names for it, when no envelope is put around them (documented by Apigee).
_TOKEN_FAULT = re.compile(r"[\w.]*access_?token\w*", re.I)
_TOKEN_WORDS = re.compile(r"invalid access token|access token (?:is )?(?:invalid|expired)", re.I)
#: Some refusals of a token quote it (recorded traffic), and nobody is to read it.
_QUOTED_TOKEN = re.compile(r"(access token\s*-\s*)\S{20,}", re.I)
#: 500.001.1001 is a catch-all; only with one of these texts is it sure that M-Pesa said no.
_CERTAIN_REFUSALS: tuple[tuple[str, RefusalKind], ...] = (
    ("wrong credentials", "credentials"),
    ("merchant does not exist", "credentials"),
    ("unable to lock subscriber", "busy_phone"),
    ("missing iccid", "phone"),
    ("invalid phone number", "phone"),
)
#: Refused by the gateway before M-Pesa saw the request (documented by Safaricom).
GATEWAY_THROTTLES = ("500.003.02", "500.003.03")
#: The same from Apigee itself, with status 429 (recorded traffic) or 500 (documented by Apigee).
APIGEE_THROTTLE = "policies.ratelimit."
#: The one 4xx that may be said of a request which had gone through already.
_REQUEST_TIMEOUT = 408
#: A firewall's page when an address sends too much (recorded traffic), and the plain word for it.
TOO_MUCH = (403, 429)
_ID = re.compile(r"[\x21-\x7e]{1,128}")
#: Every code on record is 0, a number that does not begin with 0, or letters with a number.
_RESULT_CODE = re.compile(r"0|(?!0)(?=\w*\d)\w{1,32}", re.ASCII)


def body_of(response: requests.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer, or an empty mapping when it is anything else.

    The bytes decide and not the Content-Type, which gateways get wrong.
    """
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def is_usable(response: requests.Response) -> bool:
    """Tell whether Daraja itself has spoken, if only to say no.

    A 5xx with a page, an empty body or an Apigee fault says that the road to it is broken.
    """
    if response.status_code < 500:
        return True
    body = body_of(response)
    is_fault = "fault" in body and not error_of(body)[0].startswith(APIGEE_THROTTLE)
    return bool(body) and not is_fault


def says_invalid_token(response: requests.Response) -> bool:
    """Recognise a refused token by code and text, since its HTTP status varies by API."""
    return names_token(*error_of(body_of(response)))


def read_push(response: requests.Response) -> PushAnswer:
    """Type the answer to an STK push."""
    body, status = body_of(response), response.status_code
    code, message = error_of(body)
    if code:
        # A refusal that names a prompt contradicts itself.
        named = "CheckoutRequestID" in body
        return _contradiction(status) if named else _read_refusal(status, code, message)
    if status == 200:
        return _read_acknowledgement(body)
    if status in TOO_MUCH:
        return PushRefused("throttled", str(status), "Daraja's gateway asks for fewer requests")
    if is_refusal(status):
        return PushRefused("other", str(status), "refused by Daraja's gateway")
    return PushUnanswered(f"HTTP {status} without a readable body")


def read_query(response: requests.Response) -> QueryAnswer:
    """Type the answer to an STK query.

    An end is told by HTTP 200 and any ResultCode but 4999. An error says nothing about the
    payment: Daraja has answered 500.001.1001 for payments that it knew (recorded traffic).
    """
    body = body_of(response)
    code, message = error_of(body)
    result_code = _result_code(body)
    if response.status_code != 200 or code or not result_code:
        return QueryUnanswered(f"HTTP {response.status_code} {code} {message}".strip())
    result = stk_result(result_code)
    if result.outcome == "not_final":
        return QueryNotYet()
    return QueryFinal(result.code, read_text(body.get("ResultDesc"), 500) or result.description)


def _result_code(body: Mapping[str, Any]) -> str:
    """Return the ResultCode of a question that was accepted; blank when there is none.

    Whatever is no code (null, an object, ``500.001.1001``) must not pass for an unknown code,
    since an unknown code is an end without money.
    """
    if read_code(body.get("ResponseCode", "0")) != "0":
        return ""
    code = read_code(body.get("ResultCode"))
    return code if _RESULT_CODE.fullmatch(code) else ""


def _read_acknowledgement(body: Mapping[str, Any]) -> PushAnswer:
    checkout_request_id = body.get("CheckoutRequestID")
    response_code = read_code(body.get("ResponseCode"))
    if response_code not in ("", "0"):
        if checkout_request_id:
            return _contradiction(200)
        text = read_text(body.get("ResponseDescription"), 500) or "refused"
        return PushRefused("other", response_code, text)
    named = isinstance(checkout_request_id, str) and _ID.fullmatch(checkout_request_id)
    if response_code == "0" and named:
        return PushAccepted(read_text(body.get("MerchantRequestID"), 128), named.string)
    return PushUnanswered("HTTP 200 without a CheckoutRequestID")


def _contradiction(status: int) -> PushUnanswered:
    return PushUnanswered(f"HTTP {status} with both a refusal and a CheckoutRequestID")


def _read_refusal(status: int, code: str, message: str) -> PushAnswer:
    lowered = message.lower()
    for text, kind in _CERTAIN_REFUSALS:
        if text in lowered:
            return PushRefused(kind, code, message)
    if code in GATEWAY_THROTTLES or code.startswith(APIGEE_THROTTLE):
        return PushRefused("throttled", code, message)
    if names_token(code, message):
        return PushRefused("credentials", code, message)
    if "invalid phonenumber" in lowered or "invalid partya" in lowered:
        return PushRefused("phone", code, message)
    if code.startswith("4") or is_refusal(status):
        kinds: dict[int, RefusalKind] = {401: "credentials", 429: "throttled"}
        return PushRefused(kinds.get(status, "other"), code, message)
    return PushUnanswered(f"HTTP {status} {code} {message}")


def is_refusal(status: int) -> bool:
    """Tell whether an HTTP status by itself says that nothing was done."""
    return 400 <= status < 500 and status != _REQUEST_TIMEOUT


def names_token(code: str, message: str) -> bool:
    """Tell whether an error is about the access token."""
    if _TOKEN_FAULT.fullmatch(code):
        return True
    return bool(_TOKEN_CODE.fullmatch(code) and _TOKEN_WORDS.search(message))


def error_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return code and message of an error envelope or an Apigee fault; blanks when neither."""
    if body.get("errorCode") is not None:
        message = _QUOTED_TOKEN.sub(r"\1***", read_text(body.get("errorMessage"), 500))
        return read_text(body["errorCode"], 64) or "error", message
    fault = body.get("fault")
    if isinstance(fault, dict):
        detail = fault.get("detail")
        code = detail.get("errorcode") if isinstance(detail, dict) else None
        return read_text(code, 64) or "fault", read_text(fault.get("faultstring"), 500)
    return "", ""


def read_code(value: object) -> str:
    """Return a code as text: Daraja writes them as strings and as numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return read_text(value, 64).strip().removesuffix(".0")


def read_id(value: object) -> str | None:
    """Return an id of Daraja's, or None for what is none."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def read_text(value: object, length: int) -> str:
    """Return a text that a log and a database can hold: no line breaks, NUL or half characters."""
    if value is None or isinstance(value, dict | list):
        return ""
    return "".join(mark if mark.isprintable() else " " for mark in str(value)[:length])
