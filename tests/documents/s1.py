"""The STK push document's own words and samples, for its tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.extensions import db
from app.orders.models import Order
from app.payments.models import Payment
from tests.support.app import Account, Shop

CHECKOUT = "/payments/checkout/"
QUERY = "/payments/query/"
CALLBACK = "/payments/callback/"
PHONE = "254718643064"
RECEIPT = "NLJ7RT61SV"
#: The request that the document prints.
ASKED = {
    "phone_number": "0718643064",
    "amount": 100,
    "reference": "INV-2024-001",
    "description": "Payment for services",
}
ACCEPTED = "Success. Request accepted for processing"


def post(shop: Shop, path: str, body: object, who: Account | None, **headers: str) -> TestResponse:
    given = (who.headers if who else {}) | headers
    return shop.client().post(path, json=body, headers=given)


def checkout(shop: Shop, who: Account | None = None, /, **changes: Any) -> TestResponse:
    """Send the printed request, with these changes."""
    return post(shop, CHECKOUT, ASKED | changes, who)


def query(shop: Shop, checkout_request_id: object, who: Account | None = None) -> TestResponse:
    return post(shop, QUERY, {"checkout_request_id": checkout_request_id}, who)


def prompted(shop: Shop, who: Account | None = None, /, **changes: Any) -> Payment:
    """An attempt whose prompt was accepted."""
    answer = checkout(shop, who, **changes)
    assert answer.status_code == 200, answer.text
    return payment_of(shop, answer.get_json()["CheckoutRequestID"])


def payment_of(shop: Shop, checkout_request_id: str) -> Payment:
    with shop.app.app_context():
        wanted = select(Payment).where(Payment.checkout_request_id == checkout_request_id)
        return db.session.scalars(wanted).one()


def order_of(shop: Shop, payment: Payment) -> Order:
    with shop.app.app_context():
        return db.session.get_one(Order, payment.order_id)


def count(shop: Shop, table: type[Order] | type[Payment]) -> int:
    with shop.app.app_context():
        return db.session.scalar(select(func.count()).select_from(table)) or 0
