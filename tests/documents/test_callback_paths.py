"""Every documented callback address with every document's sample: C-6, C-12, C-13, C-14."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.payments.models import Payment
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, ended

PATHS = {
    "s0_17": "/api/payment/mpesa-callback/",
    "s1_14": "/payments/callback/",
    "s2_30": "/api/payments/transactions/mpesa_callback/",
    "s3_36": "/api/payments/callback/",
    "s4_39": "/api/payments/mpesa/callback",
}
RECEIPT = "NLJ7RT61SV"
Sample = Callable[[Payment, object], dict[str, Any]]


def callback(payment: Payment, items: list[dict[str, Any]] | None, **more: Any) -> dict[str, Any]:
    """A success; ``items`` None leaves the metadata out."""
    told = {
        "CheckoutRequestID": payment.checkout_request_id,
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        **more,
    }
    if items is not None:
        told["CallbackMetadata"] = {"Item": items}
    return {"Body": {"stkCallback": told}}


def item(name: str, value: object) -> dict[str, Any]:
    return {"Name": name, "Value": value}


def s0_without_metadata(payment: Payment, amount: object) -> dict[str, Any]:
    return callback(payment, None, MerchantRequestID=payment.merchant_request_id)


def s1_as_daraja_sends_it(payment: Payment, amount: object) -> dict[str, Any]:
    items = [
        item("Amount", amount),
        item("MpesaReceiptNumber", RECEIPT),
        {"Name": "Balance"},
        item("TransactionDate", 20261121101500),
        item("PhoneNumber", 254712345678),
    ]
    return callback(payment, items, MerchantRequestID=payment.merchant_request_id)


def s2_without_merchant_id(payment: Payment, amount: object) -> dict[str, Any]:
    items = [
        item("Amount", amount),
        item("MpesaReceiptNumber", RECEIPT),
        item("TransactionDate", 20230101120000),
        item("PhoneNumber", 254712345678),
    ]
    return callback(payment, items)


def s3_float_and_phone_as_text(payment: Payment, amount: object) -> dict[str, Any]:
    items = [
        item("Amount", float(str(amount))),
        item("MpesaReceiptNumber", RECEIPT),
        item("PhoneNumber", "254712345678"),
    ]
    return callback(payment, items, MerchantRequestID=payment.merchant_request_id)


def s4_without_date(payment: Payment, amount: object) -> dict[str, Any]:
    items = [
        item("Amount", amount),
        item("MpesaReceiptNumber", RECEIPT),
        item("PhoneNumber", 254712345678),
    ]
    return callback(payment, items, MerchantRequestID=payment.merchant_request_id)


SAMPLES: list[Sample] = [
    s0_without_metadata,
    s1_as_daraja_sends_it,
    s2_without_merchant_id,
    s3_float_and_phone_as_text,
    s4_without_date,
]
each_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.__name__)


def deliver(shop: Shop, path: str, payment: Payment, body: dict[str, Any]) -> None:
    answer = shop.callback(body, token=payment.callback_token, path=path)
    assert answer.status_code == 200
    assert answer.get_json() == {"ResultCode": 0, "ResultDesc": "Accepted"}


def is_bare(sample: Sample) -> bool:
    return sample is s0_without_metadata


@each_path
@each_sample
def test_a_success_pays_the_order_once_however_often_it_comes(
    shop: Shop, shopper: Account, daraja: FakeDaraja, path: str, sample: Sample
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    daraja.query_answer = ended("0")
    for _ in range(2):
        deliver(shop, path, payment, sample(payment, 1500))
        if is_bare(sample):
            shop.sweep()
    settled = shop.fresh(payment)
    assert (settled.status, settled.received_cents) == ("completed", 150_000)
    assert settled.mpesa_receipt == (None if is_bare(sample) else RECEIPT)
    assert shop.order_now(shopper, order)["amount_paid"] == 1500
    assert len(shop.credits()) == 1


@each_path
@each_sample
def test_a_success_after_a_failure_wins(
    shop: Shop, shopper: Account, daraja: FakeDaraja, path: str, sample: Sample
) -> None:
    payment = shop.prompted(shopper)
    failure = callback(payment, None)
    failure["Body"]["stkCallback"] |= {"ResultCode": 1037, "ResultDesc": "DS timeout"}
    deliver(shop, path, payment, failure)
    assert shop.fresh(payment).status == "expired"
    daraja.query_answer = ended("0")
    deliver(shop, path, payment, sample(payment, 1500))
    shop.sweep()
    assert shop.fresh(payment).status == "completed"


@each_path
@each_sample
def test_another_amount_pays_nothing_by_itself(
    shop: Shop, shopper: Account, path: str, sample: Sample
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    deliver(shop, path, payment, sample(payment, 1))
    assert shop.order_now(shopper, order)["status"] in ("pending", "review")
    assert shop.fresh(payment).status == ("pending" if is_bare(sample) else "review")


@each_path
@each_sample
def test_an_unknown_id_is_kept_and_changes_nothing(
    shop: Shop, shopper: Account, path: str, sample: Sample
) -> None:
    payment = shop.prompted(shopper)
    body = sample(payment, 1500)
    body["Body"]["stkCallback"]["CheckoutRequestID"] = "ws_co_of_nobody"
    answer = shop.callback(body, path=path)
    assert answer.status_code == 200
    assert shop.fresh(payment).status == "pending"
    assert [kept.payment_id for kept in shop.inbox()] == [None]
    assert shop.credits() == []
