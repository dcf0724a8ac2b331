"""The shop guide's own words and samples, for its tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from app.payments.models import Payment
from tests.support.app import Account, Shop

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "/api/payments"
INITIATE = f"{PREFIX}/mpesa/initiate"
QUERY = f"{PREFIX}/mpesa/query"
VERIFY = f"{PREFIX}/verify"
CALLBACK = f"{PREFIX}/mpesa/callback"
PHONE = "0712345678"
WIRE_PHONE = "254712345678"
#: Safaricom's test number, which approves by itself.
SELF_APPROVING = "254708374149"
PRICE = 1000
RECEIPT = "QGH7X8Y9Z0"
CUSTOMER_MESSAGE = "Please check your phone and enter your M-Pesa PIN"
SUCCESS = "The service request is processed successfully."
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
ERROR_KEYS = {"success", "status", "error", "message", "code", "details"}
ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}
CHECKOUT_ID = re.compile(r"ws_CO_[0-9]+")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: What the document has people put into their `.env`, remarks included.
DOT_ENV = """\
# M-Pesa Configuration
MPESA_ENVIRONMENT=sandbox                    # sandbox or production
MPESA_CONSUMER_KEY=your_consumer_key
MPESA_CONSUMER_SECRET=your_consumer_secret
MPESA_SHORTCODE=174379                       # Sandbox: 174379, Production: Your paybill
MPESA_PASSKEY=your_passkey                   # Sandbox passkey provided
MPESA_CALLBACK_URL=https://your-domain.com/api/payments/mpesa/callback

# B2C Configuration (for supplier payouts)
MPESA_B2C_SHORTCODE=600000                   # Your B2C shortcode
MPESA_B2C_INITIATOR_NAME=testapi             # Initiator name
MPESA_B2C_SECURITY_CREDENTIAL=your_credential
MPESA_B2C_RESULT_URL=https://your-domain.com/api/payments/b2c/result
MPESA_B2C_TIMEOUT_URL=https://your-domain.com/api/payments/b2c/timeout
"""
SANDBOX_ENV = f"""\
MPESA_ENVIRONMENT=sandbox
MPESA_CONSUMER_KEY=your_sandbox_consumer_key
MPESA_CONSUMER_SECRET=your_sandbox_consumer_secret
MPESA_SHORTCODE=174379
MPESA_PASSKEY={PASSKEY}
"""
PRODUCTION_ENV = """\
MPESA_ENVIRONMENT=production
MPESA_CONSUMER_KEY=your_production_consumer_key
MPESA_CONSUMER_SECRET=your_production_consumer_secret
MPESA_SHORTCODE=your_paybill_number
MPESA_PASSKEY=your_production_passkey
MPESA_CALLBACK_URL=https://yourdomain.com/api/payments/mpesa/callback
"""


def order(shop: Shop, who: Account, price: int = PRICE) -> dict[str, Any]:
    return shop.order(who, shop.product(price=price))


def post(shop: Shop, who: Account | None, path: str, body: object, **headers: str) -> TestResponse:
    given = (who.headers if who else {}) | headers
    return shop.client().post(path, json=body, headers=given)


def initiate(shop: Shop, who: Account, order: dict[str, Any], /, **changes: Any) -> TestResponse:
    """Send the printed request; a change to ``...`` leaves the field out."""
    phone = shop.number_for(order["id"], PHONE)
    body = {"order_id": order["id"], "phone_number": phone} | changes
    body = {name: value for name, value in body.items() if value is not ...}
    return post(shop, who, INITIATE, body)


def begun(shop: Shop, who: Account, order: dict[str, Any], /, **changes: Any) -> Payment:
    """A payment whose prompt was accepted, started by this document."""
    answer = initiate(shop, who, order, **changes)
    assert answer.status_code == 200, answer.text
    return shop.payment(order)


def queried(shop: Shop, who: Account, order: dict[str, Any]) -> dict[str, Any]:
    """What the query tells of an order, out of its envelope."""
    answer = post(shop, who, QUERY, {"order_id": order["id"]})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    assert set(body) == {"success", "data"}
    assert body["success"] is True
    data: dict[str, Any] = body["data"]
    return data


def sample(checkout_request_id: str | None, **changes: Any) -> dict[str, Any]:
    """The callback as it is printed: whole numbers, the phone one too, and no date."""
    values = {"Amount": PRICE, "MpesaReceiptNumber": RECEIPT, "PhoneNumber": 254712345678} | changes
    callback = {
        "MerchantRequestID": "12345-67890-1",
        "CheckoutRequestID": checkout_request_id,
        "ResultCode": 0,
        "ResultDesc": SUCCESS,
        "CallbackMetadata": {
            "Item": [{"Name": name, "Value": value} for name, value in values.items()]
        },
    }
    return {"Body": {"stkCallback": callback}}


def call_back(shop: Shop, payment: Payment, **changes: Any) -> Payment:
    """Post the printed callback for a payment, with both proofs; the payment after it."""
    body = sample(payment.checkout_request_id, **changes)
    body["Body"]["stkCallback"]["MerchantRequestID"] = payment.merchant_request_id
    answer = shop.callback(body, token=payment.callback_token, path=CALLBACK)
    assert (answer.status_code, answer.get_json()) == (200, ACCEPTED)
    return shop.fresh(payment)


def refused(answer: TestResponse, http: int, code: str, words: str = "") -> dict[str, Any]:
    """Hold a refusal against the one shape of errors; return it."""
    body: dict[str, Any] = answer.get_json()
    assert (answer.status_code, body["code"]) == (http, code), body
    assert set(body) == ERROR_KEYS
    assert (body["success"], body["status"]) == (False, "error")
    assert body["error"] == body["message"]
    assert body["message"].startswith(words), body["message"]
    return body
