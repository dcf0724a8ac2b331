"""The guide with ``/api/payments/`` for a school: its callback, and what a paid course brings."""

from __future__ import annotations

import pytest

from app.payments.states import Status
from tests.documents.s3 import (
    ACCEPTED,
    CALLBACK,
    FEE,
    RECEIPT,
    begun,
    call_back,
    course,
    courses_of,
    order_of,
    sample,
    told,
)
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, together
from tests.support.daraja import FakeDaraja, bare, ended, unpaid

SUCCESS = "The service request is processed successfully."


def test_s3_36_s3_37_s3_81_s3_82_s3_83_s3_86_the_printed_callback_pays_and_enrols(
    shop: Shop, shopper: Account
) -> None:
    """S3-36, S3-37, S3-81, S3-82, S3-83, S3-86.

    C-6, C-13: the amount is a float, the phone a string, and there is no date or token.
    """
    payment = begun(shop, shopper)
    assert courses_of(shop, shopper) == []
    after = call_back(shop, payment)
    assert (after.status, after.mpesa_receipt) == (Status.COMPLETED, RECEIPT)
    assert courses_of(shop, shopper) == ["German A1"]
    assert order_of(shop, payment).status == "paid"


def test_s3_65_s3_74_s3_75_s3_76_a_callback_that_is_repeated_enrols_and_credits_once(
    shop: Shop, shopper: Account
) -> None:
    """S3-65, S3-74, S3-75, S3-76."""
    payment = begun(shop, shopper)
    for _ in range(3):
        call_back(shop, payment)
    together(8, lambda _: call_back(shop, payment))
    assert courses_of(shop, shopper) == ["German A1"]
    assert [credit.amount_cents for credit in shop.credits()] == [FEE * 100]


def test_s3_76_a_success_after_a_failure_wins_and_nothing_beats_it(
    shop: Shop, shopper: Account
) -> None:
    """S3-76."""
    payment = begun(shop, shopper)
    failure = unpaid(payment.checkout_request_id, 1037, "DS timeout")
    shop.callback(failure, token=payment.callback_token, path=CALLBACK)
    assert told(shop, shopper, payment)["status"] == "expired"
    assert courses_of(shop, shopper) == []
    call_back(shop, payment)
    shop.callback(failure | {"again": 1}, token=payment.callback_token, path=CALLBACK)
    assert told(shop, shopper, payment)["status"] == "completed"
    assert courses_of(shop, shopper) == ["German A1"]


@pytest.mark.parametrize("amount", [1.0, 4999.0, 5001.0, 500000.0])
def test_s3_37_another_amount_is_for_a_person_and_enrols_nobody(
    shop: Shop, shopper: Account, amount: float
) -> None:
    """S3-37."""
    payment = begun(shop, shopper)
    call_back(shop, payment, Amount=amount)
    assert told(shop, shopper, payment)["status"] == "pending"
    assert courses_of(shop, shopper) == []
    assert payment.id in shop.asked_about()


@pytest.mark.parametrize(
    "values", [{"Amount": 5000}, {"Amount": "5000.00"}, {"PhoneNumber": 254700000000}]
)
def test_s3_37_numbers_and_texts_are_read_alike(
    shop: Shop, shopper: Account, values: dict[str, object]
) -> None:
    """S3-37: C-13."""
    payment = call_back(shop, begun(shop, shopper), **values)
    assert payment.status == Status.COMPLETED


def test_s3_35_s3_74_an_id_that_is_not_ours_is_kept_and_changes_nothing(
    shop: Shop, shopper: Account
) -> None:
    """S3-35, S3-74."""
    payment = begun(shop, shopper)
    answer = shop.callback(sample("ws_co_123456789"), path=CALLBACK)
    assert (answer.status_code, answer.get_json()) == (200, ACCEPTED)
    assert shop.fresh(payment).status == Status.PENDING
    assert [message.path for message in shop.inbox()] == [CALLBACK]


@pytest.mark.parametrize(
    ("with_token", "peer"), [(False, STRANGER), (True, STRANGER), (False, SAFARICOM)]
)
def test_s3_64_without_both_proofs_only_daraja_decides(
    shop: Shop, shopper: Account, daraja: FakeDaraja, with_token: bool, peer: str
) -> None:
    """S3-64.

    C-9: nothing is signed, so an attempt's own token and the caller's address stand in.
    """
    payment = begun(shop, shopper)
    token = payment.callback_token if with_token else None
    body = sample(payment.checkout_request_id)
    body["Body"]["stkCallback"]["MerchantRequestID"] = payment.merchant_request_id
    assert shop.callback(body, token=token, peer=peer, path=CALLBACK).get_json() == ACCEPTED
    assert shop.fresh(payment).status == Status.PENDING
    assert courses_of(shop, shopper) == []
    daraja.query_answer = ended("1032", "Request cancelled by user")
    shop.ask(payment)
    assert told(shop, shopper, payment)["status"] == "cancelled"
    assert courses_of(shop, shopper) == []


def test_s3_64_a_bare_success_waits_for_daraja(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-64: C-12."""
    payment = begun(shop, shopper)
    body = bare(payment.checkout_request_id)
    shop.callback(body, token=payment.callback_token, path=CALLBACK)
    assert shop.fresh(payment).status == Status.PENDING
    daraja.query_answer = ended("0", SUCCESS)
    shop.ask(payment)
    assert courses_of(shop, shopper) == ["German A1"]


def test_s3_64_a_token_of_another_payment_proves_nothing(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """S3-64."""
    mine, other = begun(shop, shopper), begun(shop, other_shopper, course(shop))
    body = sample(other.checkout_request_id)
    shop.callback(body, token=mine.callback_token, path=CALLBACK)
    assert shop.fresh(mine).status == shop.fresh(other).status == Status.PENDING


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"Body": {}}', b'{"Body": null}', b"\xff"])
def test_s3_36_what_nobody_can_read_is_kept_all_the_same(shop: Shop, raw: bytes) -> None:
    """S3-36."""
    assert shop.callback(raw, path=CALLBACK).get_json() == ACCEPTED
    assert [message.raw for message in shop.inbox()] == [raw]


def test_s3_36_s3_86_the_callback_is_posted_and_nothing_else(shop: Shop) -> None:
    """S3-36, S3-86."""
    assert shop.client().get(CALLBACK).status_code == 405
    assert shop.callback(sample("x"), path=CALLBACK.rstrip("/")).get_json() == ACCEPTED
