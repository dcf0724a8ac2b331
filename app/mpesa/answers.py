"""Reading Daraja's answers. Everything it may send ends in a type of messages.py.

Its error bodies come in three families (seen in recorded traffic): its own JSON envelope with an
``errorCode``, a raw Apigee ``fault``, and bodies that are no JSON at all (empty, or a firewall's
HTML page). The status alone decides little: a bad token is a 404 on one path, business refusals
come as 500.
"""

from __future__ import annotations

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
#: 500.001.1001 is a catch-all; only with one of these texts is it sure that M-Pesa said no.
_CERTAIN_REFUSALS: tuple[tuple[str, RefusalKind], ...] = (
    ("wrong credentials", "credentials"),
    ("merchant does not exist", "credentials"),
    ("unable to lock subscriber", "busy_phone"),
    ("missing iccid", "phone"),
)
#: Refused by the gateway before M-Pesa saw the request (documented by Safaricom).
_GATEWAY_THROTTLES = ("500.003.02", "500.003.03")


def body_of(response: requests.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer, or an empty mapping when it is anything else."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def says_invalid_token(response: requests.Response) -> bool:
    """Recognise a refused token by code and text, since its HTTP status varies by API."""
    body = body_of(response)
    code, message = _error_of(body)
    return bool(_TOKEN_CODE.fullmatch(code)) and "invalid access token" in message.lower()


def read_push(response: requests.Response) -> PushAnswer:
    """Type the answer to an STK push."""
    body = body_of(response)
    code, message = _error_of(body)
    if code:
        return _read_refusal(response.status_code, code, message)
    if response.status_code == 200:
        return _read_acknowledgement(body)
    if response.status_code == 429:
        return PushRefused("throttled", "429", "Daraja asks for fewer requests")
    if 400 <= response.status_code < 500:
        return PushRefused("other", str(response.status_code), "refused by Daraja's gateway")
    return PushUnanswered(f"HTTP {response.status_code} without a readable body")


def read_query(response: requests.Response) -> QueryAnswer:
    """Type the answer to an STK query.

    An end is told by HTTP 200 and any ResultCode but 4999. An error says nothing about the
    payment: Daraja has answered 500.001.1001 for payments that it knew (recorded traffic).
    """
    body = body_of(response)
    result_code = body.get("ResultCode")
    if response.status_code != 200 or _error_of(body)[0] or result_code is None:
        code, message = _error_of(body)
        return QueryUnanswered(f"HTTP {response.status_code} {code} {message}".strip())
    result = stk_result(result_code)
    if result.outcome == "not_final":
        return QueryNotYet()
    return QueryFinal(result.code, str(body.get("ResultDesc") or result.description)[:500])


def _read_acknowledgement(body: Mapping[str, Any]) -> PushAnswer:
    checkout_request_id = body.get("CheckoutRequestID")
    response_code = str(body.get("ResponseCode", ""))
    if response_code == "0" and isinstance(checkout_request_id, str) and checkout_request_id:
        return PushAccepted(str(body.get("MerchantRequestID") or ""), checkout_request_id)
    if response_code not in ("", "0"):
        text = str(body.get("ResponseDescription") or "refused")
        return PushRefused("other", response_code, text[:500])
    return PushUnanswered("HTTP 200 without a CheckoutRequestID")


def _read_refusal(status: int, code: str, message: str) -> PushAnswer:
    lowered = message.lower()
    for text, kind in _CERTAIN_REFUSALS:
        if text in lowered:
            return PushRefused(kind, code, message)
    if code in _GATEWAY_THROTTLES:
        return PushRefused("throttled", code, message)
    if _TOKEN_CODE.fullmatch(code) and "invalid access token" in lowered:
        return PushRefused("credentials", code, message)
    if "invalid phonenumber" in lowered or "invalid partya" in lowered:
        return PushRefused("phone", code, message)
    if code.startswith("4") or 400 <= status < 500:
        return PushRefused("throttled" if status == 429 else "other", code, message)
    return PushUnanswered(f"HTTP {status} {code} {message}")


def _error_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return code and message of an error envelope or an Apigee fault; blanks when neither."""
    if "errorCode" in body:
        return str(body["errorCode"])[:64], str(body.get("errorMessage") or "")[:500]
    fault = body.get("fault")
    if isinstance(fault, dict):
        detail = fault.get("detail")
        code = detail.get("errorcode") if isinstance(detail, dict) else None
        return str(code or "fault")[:64], str(fault.get("faultstring") or "")[:500]
    return "", ""
