"""Reading an STK callback: tolerant of every shape recorded, trusting of none.

Items are found by name, and unknown ones are passed over.
"""

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
from app.mpesa.messages import StkCallback

__all__ = ["Unreadable", "read_stk_callback"]


def read_stk_callback(raw: bytes) -> StkCallback:
    """Understand a raw callback body. Raises Unreadable, never anything else."""
    callback = _stk_callback_of(json_object(raw))
    checkout_request_id = callback.get("CheckoutRequestID")
    if not isinstance(checkout_request_id, str) or not ID.fullmatch(checkout_request_id):
        raise Unreadable("CheckoutRequestID is missing or not an id")
    code = callback.get("ResultCode")
    if isinstance(code, bool) or not isinstance(code, (int, str, Decimal)) or str(code) == "":
        raise Unreadable("ResultCode is missing or neither number nor text")
    items = items_of(callback.get("CallbackMetadata"), "Item", "Name")
    amount_cents, amount_problem = read_cents(items.get("Amount"))
    return StkCallback(
        merchant_request_id=clean_text(callback.get("MerchantRequestID"), 128),
        checkout_request_id=checkout_request_id,
        result_code=read_code(code),
        result_desc=clean_text(callback.get("ResultDesc"), 500) or "",
        amount_cents=amount_cents,
        amount_problem=amount_problem,
        receipt=read_receipt(items.get("MpesaReceiptNumber")),
        phone=clean_text(items.get("PhoneNumber"), 64),
    )


def _stk_callback_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    outer = body.get("Body")
    callback = outer.get("stkCallback") if isinstance(outer, dict) else None
    if not isinstance(callback, dict):
        raise Unreadable("Body.stkCallback is missing")
    return callback
