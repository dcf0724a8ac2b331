"""The payment API document: verifying a payment, its callback address, and the limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.config import Settings
from app.core.clock import now
from app.core.unit_of_work import transaction
from app.dialects.payment_api import STATUS_WORDS
from app.extensions import db
from app.payments.models import Payment
from app.payments.signals import check_wanted
from app.payments.states import Status
from app.settings.service import mpesa_settings
from tests.documents.s0 import (
    CALLBACK,
    WRONG_NAMES,
    called_back,
    completed,
    get,
    initiate,
    post,
    prompted,
    refused,
    verify,
    without_ellipsis,
)
from tests.services.engines import sqlite_will_do
from tests.support.app import STRANGER, Account, Shop, standing
from tests.support.daraja import FakeDaraja, bare, ended, paid, unpaid

#: The success that the document prints: no metadata, so neither an amount nor a receipt.
PRINTED_CALLBACK = {
    "Body": {
        "stkCallback": {
            "MerchantRequestID": "123",
            "CheckoutRequestID": "ws_CO_123456789",
            "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
        }
    }
}


def printed_callback(payment: Payment) -> dict[str, Any]:
    """The printed success with the ids of a real attempt."""
    ids = {
        "MerchantRequestID": payment.merchant_request_id,
        "CheckoutRequestID": payment.checkout_request_id,
    }
    return {"Body": {"stkCallback": PRINTED_CALLBACK["Body"]["stkCallback"] | ids}}


# Verifying.


def test_s0_14_s0_15_s0_16_s0_57_a_paid_one_is_successful(shop: Shop, shopper: Account) -> None:
    """S0-14, S0-15, S0-16, S0-57."""
    told = verify(shop, shopper, completed(shop, shopper))
    assert told == {"status": "completed", "message": "Payment successful"}


@pytest.mark.parametrize(
    ("result_code", "status", "code", "reason"),
    [
        (1032, "cancelled", "PAYMENT_FAILED", "cancelled"),
        (1037, "expired", "PAYMENT_EXPIRED", "timeout"),
        (1, "failed", "PAYMENT_FAILED", "insufficient_funds"),
    ],
)
def test_s0_16_s0_41_s0_42_an_unpaid_end_is_told_with_its_code(
    shop: Shop, shopper: Account, result_code: int, status: str, code: str, reason: str
) -> None:
    """S0-16, S0-41, S0-42."""
    payment = prompted(shop, shopper)
    called_back(shop, payment, unpaid(payment.checkout_request_id, result_code))
    told = verify(shop, shopper, payment)
    assert told.pop("message")
    assert told == {"status": status, "code": code, "reason": reason}


def test_s0_16_every_status_of_the_map_has_its_word_and_a_message(
    shop: Shop, shopper: Account
) -> None:
    """S0-16: C-18."""
    shop.written_by_hand = True
    assert set(STATUS_WORDS) == set(Status)
    for status, word in STATUS_WORDS.items():
        payment = prompted(shop, shopper)
        with shop.app.app_context(), transaction() as session:
            session.get_one(Payment, payment.id).status = status
        told = verify(shop, shopper, payment)
        assert told["status"] == word
        assert told["message"]
        assert told.get("review", False) is (status is Status.REVIEW)


def test_s0_15_a_pair_that_does_not_belong_together_is_refused(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S0-15."""
    own, another = prompted(shop, shopper), prompted(shop, shopper)
    foreign = prompted(shop, other_shopper)
    pairs = [
        (own.public_ref, another.order_id),
        (own.public_ref, foreign.order_id),
        (foreign.public_ref, own.order_id),
        (foreign.public_ref, foreign.order_id),
        ("TXN20230815123456ABC", own.order_id),
        ("", own.order_id),
        ("T" * 5000, own.order_id),
        (own.public_ref, "x"),
    ]
    for transaction_id, order_id in pairs:
        body = {"transaction_id": transaction_id, "order_id": order_id}
        refused(post(shop, shopper, "/verify/", body), 404, "NOT_FOUND")
    assert verify(shop, admin, own)["status"] == "pending"


@pytest.mark.parametrize("field", ["transaction_id", "order_id"])
@pytest.mark.parametrize("sent", WRONG_NAMES, ids=str)
def test_s0_15_a_wrong_field_is_refused(
    shop: Shop, shopper: Account, field: str, sent: Any
) -> None:
    """S0-15."""
    payment = prompted(shop, shopper)
    body = {"transaction_id": payment.public_ref, "order_id": payment.order_id, field: sent}
    answer = post(shop, shopper, "/verify/", without_ellipsis(body))
    assert field in str(refused(answer, 400, "VALIDATION_ERROR")["fields"])


def test_s0_15_any_name_of_the_payment_does(shop: Shop, shopper: Account) -> None:
    """S0-15: C-10."""
    payment = prompted(shop, shopper)
    for name in (payment.id, str(payment.id), str(payment.uuid)):
        assert verify(shop, shopper, payment, transaction_id=name)["status"] == "pending"


def test_s0_14_s0_61_verifying_changes_nothing_and_wakes_a_question_that_is_due(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-14, S0-61."""
    payment = prompted(shop, shopper)
    with shop.app.app_context(), transaction() as session:
        session.get_one(Payment, payment.id).next_check_at = now() - timedelta(seconds=1)
    woken: list[int] = []

    def listen(_: object, payment_id: int, **__: object) -> None:
        woken.append(payment_id)

    with check_wanted.connected_to(listen):
        assert verify(shop, shopper, payment)["status"] == "pending"
    assert woken == [payment.id]
    assert daraja.queries == []
    assert [entry.event for entry in shop.timeline(payment)] == ["created", "push_accepted"]


# The callback address.


def test_s0_17_s0_18_s0_56_s0_61_a_bare_success_completes_once_daraja_confirms_it(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-17, S0-18, S0-56, S0-61.

    C-12: no amount and no receipt is no proof, and the money is found all the same.
    """
    order = shop.order(shopper)
    payment = prompted(shop, shopper, order)
    for _ in range(2):
        assert called_back(shop, payment, printed_callback(payment)).status == "pending"
    assert shop.order_now(shopper, order)["status"] == "pending", "nothing is fulfilled on a word"
    daraja.query_answer = ended("0", "The service request is processed successfully.")
    shop.sweep()
    after = shop.fresh(payment)
    assert (after.status, after.evidence, after.mpesa_receipt) == ("completed", "query", None)
    assert verify(shop, shopper, payment)["status"] == "completed"
    assert called_back(shop, payment, printed_callback(payment)).status == "completed"
    assert len(shop.credits()) == 1
    told = called_back(shop, payment, paid(payment.checkout_request_id))
    assert told.mpesa_receipt == "UKL4XX00XX", "the receipt comes with a later callback"


def test_s0_17_a_success_after_a_failure_still_counts(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-17."""
    payment = prompted(shop, shopper)
    ended_first = called_back(shop, payment, unpaid(payment.checkout_request_id, 1037))
    assert ended_first.status == "expired"
    called_back(shop, payment, printed_callback(payment))
    daraja.query_answer = ended("0")
    shop.sweep()
    assert verify(shop, shopper, payment) == {
        "status": "completed",
        "message": "Payment successful",
    }


def test_s0_17_another_amount_is_pending_before_a_person(shop: Shop, shopper: Account) -> None:
    """S0-17."""
    payment = prompted(shop, shopper)
    called_back(shop, payment, paid(payment.checkout_request_id, amount=1499))
    told = verify(shop, shopper, payment)
    assert (told["status"], told["review"]) == ("pending", True)
    assert "person" in told["message"]


def test_s0_17_the_printed_callback_names_nobody_and_changes_nothing(
    shop: Shop, shopper: Account
) -> None:
    """S0-17."""
    payment = prompted(shop, shopper)
    assert called_back(shop, payment, PRINTED_CALLBACK).status == "pending"
    [kept] = shop.inbox()
    assert kept.path == CALLBACK
    assert (kept.verdict or "").startswith("unknown CheckoutRequestID")


@pytest.mark.parametrize("path", [CALLBACK, CALLBACK.rstrip("/")])
def test_s0_17_a_forged_success_is_kept_and_believed_in_nothing(
    shop: Shop, shopper: Account, path: str
) -> None:
    """S0-17."""
    payment = prompted(shop, shopper)
    body = paid(payment.checkout_request_id)
    assert shop.callback(body, peer=STRANGER, path=path).status_code == 200
    shop.sweep()
    assert shop.fresh(payment).status == "pending"
    assert len(shop.inbox()) == 1


def test_s0_63_every_step_is_written_down_for_reconciliation(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-63."""
    payment = prompted(shop, shopper)
    called_back(shop, payment, bare(payment.checkout_request_id))
    daraja.query_answer = ended("0")
    shop.sweep()
    lines = shop.timeline(payment)
    events = ["created", "push_accepted", "payment_confirmed"]
    assert [line.event for line in lines] == events
    assert all(line.actor and line.why and line.at for line in lines)
    with shop.app.app_context():
        assert db.session.get_one(Payment, payment.id).credit is not None


def test_s0_66_s0_67_no_answer_holds_a_credential_or_a_token(
    shop: Shop, shopper: Account, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    """S0-66, S0-67."""
    with caplog.at_level("DEBUG", "payments.mpesa"):
        payment = prompted(shop, shopper)
        texts = [
            initiate(shop, shopper, shop.order(shopper)).text,
            post(
                shop,
                shopper,
                "/verify/",
                {"transaction_id": payment.public_ref, "order_id": payment.order_id},
            ).text,
            get(shop, shopper, "/history/").text,
            caplog.text,
        ]
    with shop.app.app_context():
        known = mpesa_settings()
    for secret in (known.consumer_secret, known.passkey, payment.callback_token, shopper.access):
        assert secret
        assert all(secret not in text for text in texts)


# Limits.


def test_s0_49_the_101st_initiation_of_a_minute_is_refused(shop: Shop, shopper: Account) -> None:
    """S0-49."""
    with standing():
        for _ in range(100):
            refused(post(shop, shopper, "/mpesa/", {}), 400, "VALIDATION_ERROR")
        answer = initiate(shop, shopper, shop.order(shopper))
    refused(answer, 429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    other = shop.person("otieno")
    assert initiate(shop, other, shop.order(other)).status_code == 200, "each has their own"


@sqlite_will_do
def test_s0_50_the_1001st_status_check_of_a_minute_is_refused(shop: Shop, shopper: Account) -> None:
    """S0-50."""
    shop.set(rate_limit_status="1000/minute")
    assert Settings.model_fields["rate_limit_status"].default == "1000/minute"
    payment = prompted(shop, shopper)
    with standing():
        statuses = {get(shop, shopper, "/methods/").status_code for _ in range(999)}
        assert statuses == {200}
        assert verify(shop, shopper, payment)["status"] == "pending", "the 1000th"
        body = {"transaction_id": payment.public_ref, "order_id": payment.order_id}
        refused(answer := post(shop, shopper, "/verify/", body), 429, "RATE_LIMITED")
    assert int(answer.headers["Retry-After"]) >= 1
