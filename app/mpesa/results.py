"""Reading what Daraja posts about money going out: results, and news of a queue's time-out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.mpesa.bodies import (
    ID,
    Unreadable,
    clean_text,
    items_of,
    json_object,
    read_cents,
    read_code,
    read_receipt,
)
from app.mpesa.out_messages import OutResult

#: An account's line: name, currency, current, available, reserved, uncleared (documentation).
_AVAILABLE = 3


def read_result(raw: bytes) -> OutResult:
    """Understand a raw result. Raises Unreadable, never anything else."""
    result = json_object(raw).get("Result")
    if not isinstance(result, dict):
        raise Unreadable("Result is missing")
    code = result.get("ResultCode")
    if isinstance(code, bool) or not isinstance(code, int | str | Decimal) or str(code) == "":
        raise Unreadable("ResultCode is missing or neither number nor text")
    parameters = items_of(result.get("ResultParameters"), "ResultParameter", "Key")
    return OutResult(
        code=read_code(code),
        description=clean_text(result.get("ResultDesc"), 500) or "",
        originator_id=_id(result.get("OriginatorConversationID")),
        conversation_id=_id(result.get("ConversationID")),
        receipt=_receipt(result, parameters),
        parameters=parameters,
    )


def read_time_out(raw: bytes) -> str | None:
    """Return the OriginatorConversationID that a queue's time-out names, if it names one.

    The body is the request come back (Safaricom's staff, quoted by one integrator), or a result.
    Raises Unreadable.
    """
    body = json_object(raw)
    inner = body.get("Result")
    return _id((inner if isinstance(inner, dict) else body).get("OriginatorConversationID"))


def stated_cents(result: OutResult) -> int | None:
    """Return the amount that a result names, in cents."""
    for name in ("TransactionAmount", "Amount"):
        cents, _ = read_cents(result.parameters.get(name))
        if cents is not None:
            return cents
    return None


def receiver(result: OutResult) -> str | None:
    """Return whom M-Pesa paid, in its own words: number and name, or a masked number."""
    for name in ("ReceiverPartyPublicName", "CreditPartyName", "CreditPartyPublicName"):
        words = clean_text(result.parameters.get(name), 160)
        if words and words.strip():
            return words.strip()
    return None


def charge_cents(result: OutResult) -> int | None:
    """Return what M-Pesa charged the shop: ``Fee For B2C Payment|KES|22.40`` (recorded)."""
    words = clean_text(result.parameters.get("DebitPartyCharges"), 200) or ""
    cents, _ = read_cents(words.rpartition("|")[2].strip() or None)
    return cents


def funds_cents(result: OutResult, account: str) -> int | None:
    """Return an account's funds after a B2C payment: ``Utility``, ``Working``, ``ChargesPaid``."""
    return _signed_cents(result.parameters.get(f"B2C{account}AccountAvailableFunds"))


def balances_cents(result: OutResult) -> dict[str, int]:
    """Return what a balance answer says is available, by account name, in cents."""
    words = clean_text(result.parameters.get("AccountBalance"), 4000) or ""
    found = {}
    for line in words.split("&"):
        parts = line.split("|")
        cents = _signed_cents(parts[_AVAILABLE]) if len(parts) > _AVAILABLE else None
        if cents is not None:
            found[parts[0].strip()] = cents
    return found


def _receipt(result: Mapping[str, Any], parameters: Mapping[str, Any]) -> str | None:
    """Find the receipt of the money, not the placeholder that questions are answered with."""
    for value in (
        parameters.get("TransactionReceipt"),
        parameters.get("ReceiptNo"),
        result.get("TransactionID"),
    ):
        receipt = read_receipt(value)
        if receipt is not None:
            return receipt
    return None


def _signed_cents(value: object) -> int | None:
    """Read money that may be nothing or owed."""
    text = (clean_text(value, 40) or "").strip()
    cents, _ = read_cents(text.removeprefix("-") or None)
    if cents is None:
        return 0 if text.strip("-0.") == "" and "0" in text else None
    return -cents if text.startswith("-") else cents


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and ID.fullmatch(value) else None
