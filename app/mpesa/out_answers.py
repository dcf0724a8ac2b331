"""Reading Daraja's immediate answer to a request about money going out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from app.mpesa.answers import (
    APIGEE_THROTTLE,
    GATEWAY_THROTTLES,
    TOO_MUCH,
    body_of,
    error_of,
    is_refusal,
    names_token,
    read_code,
    read_id,
    read_text,
)
from app.mpesa.out_messages import (
    OutAccepted,
    OutAnswer,
    OutDuplicate,
    OutNotSent,
    OutRefused,
    OutUnanswered,
)


def read_out_answer(response: requests.Response) -> OutAnswer:
    """Type the acknowledgement of B2C, reversal, status or balance: they share one form."""
    body, status = body_of(response), response.status_code
    code, message = error_of(body)
    if code:
        named = "ConversationID" in body
        return _contradiction(status) if named else _read_error(status, code, message)
    if status == 200:
        return _read_acknowledgement(read_code(body.get("ResponseCode")), body)
    if status in TOO_MUCH:
        return OutNotSent("throttled", "Daraja's gateway asks for fewer requests")
    if is_refusal(status):
        return OutRefused(str(status), "refused by Daraja's gateway")
    return OutUnanswered(f"HTTP {status} without a readable body")


def _read_acknowledgement(code: str, body: Mapping[str, Any]) -> OutAnswer:
    conversation_id = read_id(body.get("ConversationID"))
    if code != "0":
        if conversation_id or not code:
            return OutUnanswered(f"HTTP 200 with ResponseCode {code or 'missing'}")
        return OutRefused(code, read_text(body.get("ResponseDescription"), 500) or "refused")
    if conversation_id is None:
        return OutUnanswered("HTTP 200 without a ConversationID")
    return OutAccepted(conversation_id, read_id(body.get("OriginatorConversationID")) or "")


def _read_error(status: int, code: str, message: str) -> OutAnswer:
    if "duplicate" in message.lower():
        # Told with 500.002.1001, which stands for other failures too: only the text decides.
        return OutDuplicate(message)
    if code in GATEWAY_THROTTLES or code.startswith(APIGEE_THROTTLE) or status == 429:
        return OutNotSent("throttled", message)
    if names_token(code, message) or status == 401:
        return OutNotSent("credentials", message)
    if is_refusal(status) or (code.startswith("4") and not 400 <= status < 500):
        return OutRefused(code, message)
    return OutUnanswered(f"HTTP {status} {code} {message}")


def _contradiction(status: int) -> OutUnanswered:
    return OutUnanswered(f"HTTP {status} with both a refusal and a ConversationID")
