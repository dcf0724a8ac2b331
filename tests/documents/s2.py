"""The transactions document's own words and samples, for its tests."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from app.payments.models import Payment
from tests.support.app import Account, Shop

INITIATE = "/api/payments/transactions/initiate_mpesa_payment/"
CALLBACK = "/api/payments/transactions/mpesa_callback/"
PHONE = "254712345678"
RECEIPT = "NLJ7RT61SV"
ERROR_KEYS = {"success", "status", "error", "message", "code", "details"}


def jwt(who: Account) -> dict[str, str]:
    return {"Authorization": f"JWT {who.access}"}


def initiate(shop: Shop, who: Account, order: dict[str, Any], **changes: Any) -> TestResponse:
    """Send the printed request, with these changes."""
    phone = shop.number_for(order["number"], PHONE)
    body = {"order_id": order["number"], "phone_number": phone} | changes
    return shop.client().post(INITIATE, json=body, headers=jwt(who))


def begun(shop: Shop, who: Account, order: dict[str, Any] | None = None) -> Payment:
    order = order or shop.order(who)
    answer = initiate(shop, who, order)
    assert answer.status_code == 200, answer.text
    return shop.payment(order)


def status(shop: Shop, who: Account, ref: object) -> TestResponse:
    path = f"/api/payments/transactions/{ref}/check_mpesa_status/"
    return shop.client().get(path, headers=jwt(who))


def told(shop: Shop, who: Account, payment: Payment) -> dict[str, Any]:
    answer = status(shop, who, payment.id)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def sample(checkout_request_id: str | None, **changes: Any) -> dict[str, Any]:
    """The callback as it is printed: no MerchantRequestID, and every number an integer."""
    values = {
        "Amount": 1500,
        "MpesaReceiptNumber": RECEIPT,
        "TransactionDate": 20230101120000,
        "PhoneNumber": 254712345678,
    } | changes
    callback = {
        "CheckoutRequestID": checkout_request_id,
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {
            "Item": [{"Name": name, "Value": value} for name, value in values.items()]
        },
    }
    return {"Body": {"stkCallback": callback}}


def call_back(shop: Shop, payment: Payment, **changes: Any) -> TestResponse:
    body = sample(payment.checkout_request_id, **changes)
    return shop.callback(body, token=payment.callback_token, path=CALLBACK)


def refused(answer: TestResponse, http: int, code: str, words: str = "") -> dict[str, Any]:
    body: dict[str, Any] = answer.get_json()
    assert (answer.status_code, body["code"]) == (http, code), body
    assert set(body) == ERROR_KEYS
    assert body["message"].startswith(words)
    return body
