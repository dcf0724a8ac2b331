"""The courses document's own words and samples, for its tests."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from app.extensions import db
from app.orders.models import Order
from app.payments.models import Payment
from tests.support.app import Account, Shop

PREFIX = "/api/payments"
INITIATE = f"{PREFIX}/initiate/"
CALLBACK = f"{PREFIX}/callback/"
MY = f"{PREFIX}/my/"
ADMIN = f"{PREFIX}/admin/"
REFUND = f"{PREFIX}/b2c/"
PHONE = "254700000000"
RECEIPT = "NJ25AY2XK2"
COURSE = "German A1"
FEE = 5000
ERROR_KEYS = {"success", "status", "error", "message", "code", "details"}
ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}


def course(shop: Shop, price: int = FEE, name: str = COURSE) -> int:
    return shop.product(price=price, kind="course", name=name)


def printed(course_id: int, /, **changes: Any) -> dict[str, Any]:
    """The printed request; a change to ``...`` leaves the field out."""
    body: dict[str, Any] = {
        "phone": PHONE,
        "amount": FEE,
        "course_id": course_id,
        "account_reference": "COURSE-1",
        "transaction_desc": "Payment for German A1 Course",
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


def post(shop: Shop, who: Account | None, path: str, body: object, **headers: str) -> TestResponse:
    given = (who.headers if who else {}) | headers
    return shop.client().post(path, json=body, headers=given)


def get(shop: Shop, who: Account | None, path: str) -> TestResponse:
    return shop.client().get(path, headers=who.headers if who else {})


def initiate(shop: Shop, who: Account, course_id: int, /, **changes: Any) -> TestResponse:
    phone = shop.number_for((who.id, course_id), PHONE)
    return post(shop, who, INITIATE, printed(course_id, **({"phone": phone} | changes)))


def begun(shop: Shop, who: Account, course_id: int | None = None, /, **changes: Any) -> Payment:
    """A payment whose prompt was accepted, started by this document."""
    answer = initiate(shop, who, course_id or course(shop), **changes)
    assert answer.status_code == 200, answer.text
    return newest(shop)


def newest(shop: Shop) -> Payment:
    with shop.app.app_context():
        return db.session.scalars(db.select(Payment).order_by(Payment.id.desc()).limit(1)).one()


def order_of(shop: Shop, payment: Payment) -> Order:
    with shop.app.app_context():
        return db.session.get_one(Order, payment.order_id)


def orders(shop: Shop) -> list[Order]:
    with shop.app.app_context():
        return list(db.session.scalars(db.select(Order).order_by(Order.id)))


def status(shop: Shop, who: Account | None, ref: object) -> TestResponse:
    return get(shop, who, f"{PREFIX}/{ref}/status/")


def told(shop: Shop, who: Account, payment: Payment) -> dict[str, Any]:
    answer = status(shop, who, payment.id)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def sample(checkout_request_id: str | None, **changes: Any) -> dict[str, Any]:
    """The callback as it is printed: the amount a float, the phone a string, no date."""
    values = {"Amount": 5000.0, "MpesaReceiptNumber": RECEIPT, "PhoneNumber": PHONE} | changes
    callback = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": checkout_request_id,
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
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


def courses_of(shop: Shop, who: Account) -> list[str]:
    rows: list[dict[str, Any]] = get(shop, who, "/api/courses/mine").get_json()["results"]
    return [row["course"] for row in rows]
