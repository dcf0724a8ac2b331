"""Reading an STK callback: tolerant of every shape recorded, trusting of none.

Types drift over the years and between documents: codes come as numbers and strings, amounts as
integers, floats and strings, items move, lose their Value or are left out. Items are found by
name, unknown ones are passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any

from app.mpesa.messages import StkCallback

MAX_DEPTH = 20
_ID = re.compile(r"[\x21-\x7e]{1,128}")
_RECEIPT = re.compile(r"[A-Z0-9]{8,20}")
#: A receipt that ends in seven zeros stands for "none yet" (recorded traffic): never a key.
_PLACEHOLDER = re.compile(r".{1,3}0{7}")
_MAX_CENTS = 10**14
#: Arithmetic that raises where it would have to round.
_EXACT = Context(traps=[Inexact, InvalidOperation, Overflow])


class Unreadable(Exception):
    """The body is not an STK callback. Its text says in what way."""


def read_stk_callback(raw: bytes) -> StkCallback:
    """Understand a raw callback body. Raises Unreadable, never anything else."""
    callback = _stk_callback_of(_json_object(raw))
    checkout_request_id = callback.get("CheckoutRequestID")
    if not isinstance(checkout_request_id, str) or not _ID.fullmatch(checkout_request_id):
        raise Unreadable("CheckoutRequestID is missing or not an id")
    code = callback.get("ResultCode")
    if isinstance(code, bool) or not isinstance(code, (int, str, Decimal)) or str(code) == "":
        raise Unreadable("ResultCode is missing or neither number nor text")
    items = _items(callback.get("CallbackMetadata"))
    amount_cents, amount_problem = _amount(items.get("Amount"))
    return StkCallback(
        merchant_request_id=_text(callback.get("MerchantRequestID"), 128),
        checkout_request_id=checkout_request_id,
        result_code=_code(code),
        result_desc=_text(callback.get("ResultDesc"), 500) or "",
        amount_cents=amount_cents,
        amount_problem=amount_problem,
        receipt=_receipt(items.get("MpesaReceiptNumber")),
        phone=_text(items.get("PhoneNumber"), 64),
    )


def _json_object(raw: bytes) -> Mapping[str, Any]:
    if _depth(raw) > MAX_DEPTH:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels")
    try:
        text = raw.decode("utf-8-sig")
        body = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(body, dict):
        raise Unreadable("not a JSON object")
    return body


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _depth(raw: bytes) -> int:
    """Bound the nesting before parsing. Brackets inside texts count too, which does no harm."""
    depth = deepest = 0
    for byte in raw:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _stk_callback_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    outer = body.get("Body")
    callback = outer.get("stkCallback") if isinstance(outer, dict) else None
    if not isinstance(callback, dict):
        raise Unreadable("Body.stkCallback is missing")
    return callback


def _items(metadata: object) -> dict[str, Any]:
    rows = metadata.get("Item") if isinstance(metadata, dict) else None
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list):
        return {}
    named = [row for row in rows if isinstance(row, dict) and isinstance(row.get("Name"), str)]
    return {row["Name"]: row.get("Value") for row in named}


def _amount(value: object) -> tuple[int | None, str | None]:
    if value is None:
        return None, None
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        cents = _EXACT.multiply(Decimal(str(value)), Decimal(100))
        if not cents.is_finite() or not 0 < cents < _MAX_CENTS or cents != int(cents):
            raise InvalidOperation
    except (ArithmeticError, ValueError):
        return None, f"unreadable amount {_text(value, 40)!r}"
    return int(cents), None


def _code(value: int | str | Decimal) -> str:
    return (_text(value, 32) or "").strip().removesuffix(".0")


def _receipt(value: object) -> str | None:
    text = value.strip().upper() if isinstance(value, str) else ""
    if not _RECEIPT.fullmatch(text) or _PLACEHOLDER.fullmatch(text):
        return None
    return text


def _text(value: object, length: int) -> str | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    # What a log or a database cannot hold (line breaks, NUL, half characters) becomes a blank.
    return "".join(mark if mark.isprintable() else " " for mark in str(value)[:length])
