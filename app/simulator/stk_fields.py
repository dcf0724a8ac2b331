"""The fields of STK requests, checked one at a time as Daraja does."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app.simulator.faults import bad_field, stk_error
from app.simulator.fields import (
    SHORTCODE,
    TIMESTAMP,
    cents,
    matching,
    msisdn,
    one_of,
    text,
    url,
)
from app.simulator.passwords import what_differs
from app.simulator.records import PushRequest
from app.simulator.settings import SANDBOX_SHORTCODE

_TRANSACTION_TYPES: Final = ("CustomerPayBillOnline", "CustomerBuyGoodsOnline")
# The real constraint is the prompt's length; beyond it nobody reads the reference any more.
_LONGEST_REFERENCE_KEPT: Final = 256


def read_credentials(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """BusinessShortCode, Password and Timestamp, each in a shape that can be compared."""
    shortcode = matching(body, "BusinessShortCode", SHORTCODE)
    password = body.get("Password")
    if not isinstance(password, str) or not password.strip():
        raise bad_field("Password", "Password is missing, empty, or not a text.")
    timestamp = matching(body, "Timestamp", TIMESTAMP)
    try:
        datetime.strptime(f"{timestamp}+0300", "%Y%m%d%H%M%S%z")
    except ValueError:
        why = f"Timestamp must be yyyyMMddHHmmss; there is no such moment as {timestamp}."
        raise bad_field("Timestamp", why) from None
    return shortcode, password.strip(), timestamp


def read_push(body: Mapping[str, Any], shortcode: str) -> PushRequest:
    transaction_type = one_of(body, "TransactionType", _TRANSACTION_TYPES)
    if shortcode == SANDBOX_SHORTCODE and transaction_type == "CustomerBuyGoodsOnline":
        # Seen in a sandbox log: 174379 is a PayBill.
        raise bad_field("TransactionType", f"{SANDBOX_SHORTCODE} is a PayBill, not a till.")
    amount_cents = cents(body)
    msisdn(body, "PartyA")
    push = PushRequest(
        shortcode=shortcode,
        transaction_type=transaction_type,
        amount_cents=amount_cents,
        party_b=matching(body, "PartyB", SHORTCODE),
        msisdn=msisdn(body, "PhoneNumber"),
        callback_url=url(body, "CallBackURL"),
        account_reference=text(body, "AccountReference")[:_LONGEST_REFERENCE_KEPT],
    )
    # Seen in a sandbox log: the description goes by the name of Remarks inside.
    text(body, "TransactionDesc", called="Remarks")
    return push


def check_password(
    merchants: Mapping[str, frozenset[str]], shortcode: str, password: str, timestamp: str
) -> None:
    """Compare Password with shortcode + passkey + Timestamp, as text; raises DarajaFault."""
    passkeys = merchants.get(shortcode)
    if passkeys is None:
        why = f"No merchant has the BusinessShortCode {shortcode}: known are {_listed(merchants)}."
        raise stk_error("Merchant does not exist", why)
    try:
        inside = base64.b64decode(password, validate=True)
    except (binascii.Error, ValueError):
        why = "Password is not base64 of BusinessShortCode, passkey and Timestamp."
        raise stk_error("Wrong credentials", why) from None
    if not any(
        hmac.compare_digest(inside, f"{shortcode}{passkey}{timestamp}".encode())
        for passkey in passkeys
    ):
        why = what_differs(inside, shortcode, timestamp, merchants)
        raise stk_error("Wrong credentials", why)


def _listed(merchants: Mapping[str, frozenset[str]]) -> str:
    return ", ".join(sorted(merchants))
