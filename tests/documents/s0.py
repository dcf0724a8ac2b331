"""Short words for what a client of ``/api/payment/`` does."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.test import TestResponse

from app.payments.models import Payment
from tests.support.app import Account, Shop
from tests.support.daraja import paid

PREFIX = "/api/payment"
CALLBACK = f"{PREFIX}/mpesa-callback/"
PHONE = "254712345678"
TXN = re.compile(r"TXN\d{14}[A-Z0-9]{3}")
#: Nothing that a payment or an order could be named by.
WRONG_NAMES: list[Any] = [..., None, True, 1.5, ["x"], {}]
#: In front of everything else that an error says.
MEANINGS = {
    "INVALID_PHONE": "Invalid phone number format",
    "AMOUNT_TOO_LOW": "Amount below minimum allowed",
    "AMOUNT_TOO_HIGH": "Amount exceeds maximum allowed",
    "PAYMENT_FAILED": "Payment processing failed",
    "PAYMENT_EXPIRED": "Payment request expired",
    "INVALID_CURRENCY": "Invalid currency for payment method",
}


def post(shop: Shop, who: Account | None, path: str, body: object, **headers: str) -> TestResponse:
    """Post JSON to a path of this document; bytes go as they are."""
    raw = body if isinstance(body, bytes) else shop.app.json.dumps(body).encode()
    sent = (who.headers if who else {}) | headers
    return shop.client().post(
        PREFIX + path, data=raw, headers=sent, content_type="application/json"
    )


def get(shop: Shop, who: Account | None, path: str) -> TestResponse:
    return shop.client().get(PREFIX + path, headers=who.headers if who else {})


def initiate(shop: Shop, who: Account, order: dict[str, Any], **changes: Any) -> TestResponse:
    """Send the document's request for an order; a change to ``...`` leaves the field out."""
    phone = shop.number_for(order["number"], PHONE)
    body = {"phone_number": phone, "order_id": order["number"], "amount": order["total"]}
    return post(shop, who, "/mpesa/", without_ellipsis(body | changes))


def without_ellipsis(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not ...}


def prompted(shop: Shop, who: Account, order: dict[str, Any] | None = None) -> Payment:
    """A payment whose prompt was accepted, started by this document."""
    order = order or shop.order(who)
    answer = initiate(shop, who, order)
    assert answer.status_code == 200, answer.text
    return shop.payment(order)


def called_back(shop: Shop, payment: Payment, body: object) -> Payment:
    """Post a callback with both proofs to this document's address; the payment after it."""
    answer = shop.callback(body, token=payment.callback_token, path=CALLBACK)
    assert answer.get_json() == {"ResultCode": 0, "ResultDesc": "Accepted"}
    return shop.fresh(payment)


def completed(shop: Shop, who: Account, **more: Any) -> Payment:
    """A payment that was paid, with a receipt."""
    payment = prompted(shop, who, shop.order(who, shop.product(**more)))
    shillings = payment.amount_cents // 100
    receipt = f"UKL{payment.id:07d}"
    return called_back(
        shop, payment, paid(payment.checkout_request_id, amount=shillings, receipt=receipt)
    )


def verify(shop: Shop, who: Account, payment: Payment, **changes: Any) -> dict[str, Any]:
    """What verifying a payment with its own order tells."""
    body = {"transaction_id": payment.public_ref, "order_id": payment.order_id} | changes
    answer = post(shop, who, "/verify/", body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.get_json()
    return told


def refused(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Hold a refusal against the one shape of errors; return its details."""
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert set(body) == {"success", "status", "error", "message", "code", "details"}
    assert body["success"] is False
    assert body["status"] == "error"
    assert body["error"] == body["message"]
    assert body["error"].startswith(MEANINGS.get(code, ""))
    assert isinstance(body["details"], dict)
    details: dict[str, Any] = body["details"]
    return details


def short(sent: object) -> str:
    """Name a test's parameter by its beginning."""
    return repr(sent)[:24]
