"""The fields of STK requests, checked one at a time as Daraja does."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from flask import request

from app.simulator.bodies import json_object
from app.simulator.faults import bad_field, bad_payload, stk_error
from app.simulator.numbers import is_msisdn
from app.simulator.settings import SANDBOX_SHORTCODE
from app.simulator.world import PushRequest

_SHORTCODE: Final = re.compile(r"\d{5,7}", re.ASCII)
_AMOUNT: Final = re.compile(r"[1-9]\d{0,11}", re.ASCII)
_TIMESTAMP: Final = re.compile(r"\d{14}", re.ASCII)
_TRANSACTION_TYPES: Final = ("CustomerPayBillOnline", "CustomerBuyGoodsOnline")
_NOT_IN_A_URL: Final = re.compile(r"[\x00-\x20<>\x7f]")
# The real constraint is the prompt's length; beyond it nobody reads the reference any more.
_LONGEST_REFERENCE_KEPT: Final = 256


def request_body() -> dict[str, Any]:
    """The request's JSON object; raises DarajaFault for anything else."""
    if request.mimetype != "application/json":
        # Seen in a public issue: the body is not read, so its first field is missing.
        raise bad_field("BusinessShortCode", "Content-Type must be application/json.")
    try:
        return json_object()
    except ValueError as error:
        raise bad_payload(str(error)) from None


def read_credentials(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """BusinessShortCode, Password and Timestamp, each in a shape that can be compared."""
    shortcode = _matching(body, "BusinessShortCode", _SHORTCODE)
    password = body.get("Password")
    if not isinstance(password, str) or not password.strip():
        raise bad_field("Password")
    timestamp = _matching(body, "Timestamp", _TIMESTAMP)
    try:
        datetime.strptime(f"{timestamp}+0300", "%Y%m%d%H%M%S%z")
    except ValueError:
        raise bad_field("Timestamp", "Timestamp must be a real yyyyMMddHHmmss.") from None
    return shortcode, password.strip(), timestamp


def read_push(body: Mapping[str, Any], shortcode: str) -> PushRequest:
    transaction_type = body.get("TransactionType")
    if transaction_type not in _TRANSACTION_TYPES:
        raise bad_field("TransactionType")
    if shortcode == SANDBOX_SHORTCODE and transaction_type == "CustomerBuyGoodsOnline":
        # Seen in a sandbox log: 174379 is a PayBill.
        raise bad_field("TransactionType", f"{SANDBOX_SHORTCODE} is a PayBill, not a till.")
    amount = _matching(body, "Amount", _AMOUNT)
    _msisdn(body, "PartyA")
    push = PushRequest(
        shortcode=shortcode,
        transaction_type=transaction_type,
        amount_cents=int(amount) * 100,
        party_b=_matching(body, "PartyB", _SHORTCODE),
        msisdn=_msisdn(body, "PhoneNumber"),
        callback_url=_callback_url(body),
        account_reference=_text(body, "AccountReference")[:_LONGEST_REFERENCE_KEPT],
    )
    # Seen in a sandbox log: the description goes by the name of Remarks inside.
    _text(body, "TransactionDesc", called="Remarks")
    return push


def check_password(
    merchants: Mapping[str, frozenset[str]], shortcode: str, password: str, timestamp: str
) -> None:
    """Compare Password with shortcode + passkey + Timestamp, as text; raises DarajaFault."""
    passkeys = merchants.get(shortcode)
    if passkeys is None:
        raise stk_error("Merchant does not exist", "No merchant has this BusinessShortCode.")
    try:
        inside = base64.b64decode(password, validate=True)
    except (binascii.Error, ValueError):
        raise stk_error("Wrong credentials", "Password is not base64.") from None
    if not any(
        hmac.compare_digest(inside, f"{shortcode}{passkey}{timestamp}".encode())
        for passkey in passkeys
    ):
        raise stk_error("Wrong credentials", _what_differs(inside, shortcode, timestamp))


def _what_differs(inside: bytes, shortcode: str, timestamp: str) -> str:
    if not inside.startswith(shortcode.encode()):
        return "Password does not begin with BusinessShortCode."
    if not inside.endswith(timestamp.encode()):
        return "Password does not end with Timestamp."
    return "The passkey in Password is not this merchant's."


def _as_text(value: Any) -> str | None:
    """Numbers and numeric strings are equally welcome (recorded); 10.0 is a whole number."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**15 else None
    return None


def _matching(body: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    text = _as_text(body.get(name))
    if text is None or not pattern.fullmatch(text):
        raise bad_field(name)
    return text


def _msisdn(body: Mapping[str, Any], name: str) -> str:
    text = _as_text(body.get(name))
    if text is None or not is_msisdn(text):
        raise bad_field(name, f"{name} must be 12 digits, 2547… or 2541….")
    return text


def _text(body: Mapping[str, Any], name: str, called: str | None = None) -> str:
    text = _as_text(body.get(name))
    if not text:
        raise bad_field(called or name, f"{name} is missing or empty.")
    return text


def _callback_url(body: Mapping[str, Any]) -> str:
    """Any http or https address without spaces or placeholders; it need not be reachable."""
    value = body.get("CallBackURL")
    if not isinstance(value, str) or _NOT_IN_A_URL.search(value):
        raise bad_field("CallBackURL", "CallBackURL is missing, or has spaces or placeholders.")
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise bad_field("CallBackURL", "CallBackURL must be an http or https address.")
    return value
