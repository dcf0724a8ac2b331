"""The guide with ``/api/payments/transactions/``: its live status check, callback and records."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import select

from app.dialects.transactions import STATUS_WORDS
from app.extensions import db
from app.payments.models import InboxMessage
from app.payments.states import Status
from tests.documents.s2 import (
    CALLBACK,
    ERROR_KEYS,
    PHONE,
    RECEIPT,
    begun,
    call_back,
    initiate,
    refused,
    sample,
    status,
    told,
)
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, later
from tests.support.daraja import FakeDaraja, bare, ended, html, refuse, unpaid

SUCCESS = "The service request is processed successfully."


# Status.


def test_s2_24_s2_26_to_s2_32_the_printed_callback_leads_to_the_printed_status(
    shop: Shop, shopper: Account
) -> None:
    """S2-24, S2-26, S2-27, S2-28, S2-29, S2-30, S2-31, S2-32."""
    payment = begun(shop, shopper)
    answer = call_back(shop, payment)
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"ResultCode": 0, "ResultDesc": "Accepted"},
    )
    body = told(shop, shopper, payment)
    assert body == {
        "transaction": {
            "transaction_id": payment.id,
            "payment_status": "completed",
            "mpesa_receipt_number": RECEIPT,
            "amount": "1500.00",
            "phone_number": PHONE,
        },
        "mpesa_status": {"ResultCode": "0", "ResultDesc": SUCCESS},
    }
    assert type(body["transaction"]["transaction_id"]) is int


def test_s2_03_s2_29_the_check_asks_daraja_live_and_what_it_says_counts(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-03, S2-29."""
    payment = begun(shop, shopper)
    daraja.query_answer = ended("0", SUCCESS)
    body = told(shop, shopper, payment)
    assert [query["CheckoutRequestID"] for query in daraja.queries] == [payment.checkout_request_id]
    assert body["transaction"]["payment_status"] == "completed"
    assert body["transaction"]["mpesa_receipt_number"] is None
    assert body["mpesa_status"] == {"ResultCode": "0", "ResultDesc": SUCCESS}
    call_back(shop, payment)
    assert told(shop, shopper, payment)["transaction"]["mpesa_receipt_number"] == RECEIPT
    assert len(daraja.queries) == 1


def test_s2_29_s2_36_however_often_somebody_polls_daraja_is_asked_once_in_ten_seconds(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-29, S2-36."""
    payment = begun(shop, shopper)
    pending = {"ResultCode": "4999", "ResultDesc": "The transaction is still under processing"}
    for _ in range(3):
        body = told(shop, shopper, payment)
        assert body["transaction"]["payment_status"] == "pending"
        assert body["mpesa_status"] == pending
    assert len(daraja.queries) == 1
    with later(11):
        daraja.query_answer = ended("1032", "Request cancelled by user")
        body = told(shop, shopper, payment)
    assert len(daraja.queries) == 2
    assert body["transaction"]["payment_status"] == "failed"
    assert body["mpesa_status"] == {
        "ResultCode": "1032",
        "ResultDesc": "Request cancelled by user",
    }


@pytest.mark.parametrize("code", [1, 1032, 1037, 2001])
def test_s2_27_s2_46_s2_47_every_end_without_money_is_failed_with_darajas_code(
    shop: Shop, shopper: Account, code: int
) -> None:
    """S2-27, S2-46, S2-47."""
    payment = begun(shop, shopper)
    body = unpaid(payment.checkout_request_id, code, "as told")
    shop.callback(body, token=payment.callback_token, path=CALLBACK)
    answer = told(shop, shopper, payment)
    assert answer["transaction"]["payment_status"] == "failed"
    assert answer["transaction"]["mpesa_receipt_number"] is None
    assert answer["mpesa_status"] == {"ResultCode": str(code), "ResultDesc": "as told"}


def test_s2_40_a_manual_check_finds_money_that_came_after_a_timeout(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-40."""
    payment = begun(shop, shopper)
    body = unpaid(payment.checkout_request_id, 1037, "DS timeout")
    shop.callback(body, token=payment.callback_token, path=CALLBACK)
    daraja.query_answer = ended("0", SUCCESS)
    assert told(shop, shopper, payment)["transaction"]["payment_status"] == "completed"


def test_s2_48_a_daraja_that_does_not_answer_leaves_the_status_as_it_is_known(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-48."""
    payment = begun(shop, shopper)
    daraja.query_answer = html(502)
    assert told(shop, shopper, payment)["transaction"]["payment_status"] == "pending"


def test_s2_26_a_prompt_of_which_daraja_never_spoke_has_no_code(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-26."""
    daraja.push_answer = html(502)
    order = shop.order(shopper)
    initiate(shop, shopper, order)
    payment = shop.payment(order)
    with later(3600):
        shop.sweep()
    with later(3620):
        headers = {"Authorization": f"JWT {shop.person('again', admin=True).access}"}
        path = f"/api/payments/transactions/{payment.id}/check_mpesa_status/"
        body = shop.client().get(path, headers=headers).get_json()
    assert body["transaction"]["payment_status"] == "failed"
    assert body["mpesa_status"]["ResultCode"] is None
    assert body["mpesa_status"]["ResultDesc"]


def test_s2_26_a_refused_prompt_tells_darajas_code(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-26."""
    daraja.push_answer = refuse("Bad Request - Invalid PhoneNumber", "400.002.02", 400)
    order = shop.order(shopper)
    refused(initiate(shop, shopper, order), 400, "INVALID_PHONE", "M-Pesa does not know")
    body = told(shop, shopper, shop.payment(order))
    assert body["transaction"]["payment_status"] == "failed"
    assert body["mpesa_status"] == {
        "ResultCode": "400.002.02",
        "ResultDesc": "Bad Request - Invalid PhoneNumber",
    }


def test_s2_24_a_transaction_is_found_by_each_of_its_names_by_its_owner_and_admins_only(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S2-24: C-10."""
    payment = begun(shop, shopper)
    for name in (payment.id, payment.uuid, payment.public_ref):
        assert status(shop, shopper, name).status_code == 200
        refused(status(shop, other_shopper, name), 404, "NOT_FOUND")
    assert status(shop, admin, payment.id).status_code == 200


@pytest.mark.parametrize("name", ["0", "-1", "999999999", "9" * 40, "abc", "TXN", "%00", "1.5"])
def test_s2_24_a_name_of_nothing_is_not_found(shop: Shop, shopper: Account, name: str) -> None:
    """S2-24."""
    answer = status(shop, shopper, name)
    assert answer.status_code in (400, 404)
    assert set(answer.get_json()) == ERROR_KEYS


def test_s2_26_every_status_has_a_word_here() -> None:
    """S2-26: C-18."""
    assert set(STATUS_WORDS) == set(Status)
    assert set(STATUS_WORDS.values()) == {"pending", "completed", "failed"}


# The callback.


def test_s2_30_s2_31_s2_32_a_callback_that_is_repeated_settles_once(
    shop: Shop, shopper: Account
) -> None:
    """S2-30, S2-31, S2-32."""
    order = shop.order(shopper)
    payment = begun(shop, shopper, order)
    for _ in range(3):
        assert call_back(shop, payment).status_code == 200
    assert shop.order_now(shopper, order)["amount_paid"] == 1500
    assert len(shop.credits()) == 1


def test_s2_30_a_success_after_a_failure_wins(shop: Shop, shopper: Account) -> None:
    """S2-30."""
    payment = begun(shop, shopper)
    failure = unpaid(payment.checkout_request_id, 1037, "DS timeout")
    shop.callback(failure, token=payment.callback_token, path=CALLBACK)
    call_back(shop, payment)
    assert told(shop, shopper, payment)["transaction"]["payment_status"] == "completed"
    shop.callback(failure, token=payment.callback_token, path=CALLBACK)
    assert told(shop, shopper, payment)["transaction"]["payment_status"] == "completed"


@pytest.mark.parametrize("amount", [1, 1499, 1501, 150000])
def test_s2_32_another_amount_is_for_a_person_and_stays_pending(
    shop: Shop, shopper: Account, amount: int
) -> None:
    """S2-32."""
    order = shop.order(shopper)
    payment = begun(shop, shopper, order)
    call_back(shop, payment, Amount=amount)
    body = told(shop, shopper, payment)
    assert body["transaction"]["payment_status"] == "pending"
    assert shop.order_now(shopper, order)["status"] == "review"
    assert payment.id in shop.asked_about()


def test_s2_30_an_unknown_id_is_kept_and_changes_nothing(shop: Shop, shopper: Account) -> None:
    """S2-30."""
    payment = begun(shop, shopper)
    answer = shop.callback(sample("ws_CO_123456789"), path=CALLBACK)
    assert answer.status_code == 200
    assert shop.fresh(payment).status == Status.PENDING
    assert [message.path for message in shop.inbox()] == [CALLBACK]


def test_s2_32_numbers_may_come_as_text_too(shop: Shop, shopper: Account) -> None:
    """S2-32: C-13."""
    payment = begun(shop, shopper)
    call_back(shop, payment, Amount=1500.0, PhoneNumber="254712345678", TransactionDate="2023")
    assert told(shop, shopper, payment)["transaction"]["mpesa_receipt_number"] == RECEIPT


@pytest.mark.parametrize(
    ("with_token", "peer"), [(False, STRANGER), (True, STRANGER), (False, SAFARICOM)]
)
def test_s2_53_s2_70_a_callback_without_both_proofs_settles_nothing_by_itself(
    shop: Shop, shopper: Account, daraja: FakeDaraja, with_token: bool, peer: str
) -> None:
    """S2-53, S2-70.

    C-9: nothing is signed, so an attempt's own token and the caller's address stand in.
    """
    payment = begun(shop, shopper)
    token = payment.callback_token if with_token else None
    body = sample(payment.checkout_request_id)
    assert shop.callback(body, token=token, peer=peer, path=CALLBACK).status_code == 200
    assert shop.fresh(payment).status == Status.PENDING
    daraja.query_answer = ended("0", SUCCESS)
    answer = told(shop, shopper, payment)["transaction"]
    assert answer["payment_status"] == "completed"
    expected = RECEIPT if with_token or peer == SAFARICOM else None
    assert answer["mpesa_receipt_number"] == expected


def test_s2_48_a_bare_success_completes_only_after_daraja_agrees(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-48: C-12."""
    payment = begun(shop, shopper)
    body = bare(payment.checkout_request_id)
    shop.callback(body, token=payment.callback_token, path=CALLBACK)
    assert shop.fresh(payment).status == Status.PENDING
    daraja.query_answer = ended("0", SUCCESS)
    assert told(shop, shopper, payment)["transaction"]["payment_status"] == "completed"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"Body": {}}', b'{"Body": null}', b"\xff"])
def test_s2_57_what_nobody_can_read_is_kept_all_the_same(shop: Shop, raw: bytes) -> None:
    """S2-57."""
    assert shop.callback(raw, path=CALLBACK).status_code == 200
    assert [message.raw for message in shop.inbox()] == [raw]


# Records.


def test_s2_54_to_s2_58_s2_72_what_happened_is_logged_and_kept(
    shop: Shop, shopper: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """S2-54, S2-55, S2-56, S2-57, S2-58, S2-72."""
    order = shop.order(shopper)
    with caplog.at_level(logging.INFO, logger="payments.mpesa"):
        first = begun(shop, shopper, order)
        failure = unpaid(first.checkout_request_id, 1032, "Request cancelled by user")
        shop.callback(failure, token=first.callback_token, path=CALLBACK)
        second = begun(shop, shopper, order)
        call_back(shop, second)
    lines = [line.getMessage() for line in caplog.records if line.name == "payments.mpesa"]
    assert any(line.startswith("STK push: HTTP 200") for line in lines)
    assert any(line.startswith("M-Pesa callback RAW:") and RECEIPT in line for line in lines)
    assert [entry.event for entry in shop.timeline(first)] == [
        *("created", "push_accepted", "payer_cancelled"),
    ]
    assert "Request cancelled by user" in shop.timeline(first)[-1].why
    assert RECEIPT in shop.timeline(second)[-1].why
    assert [attempt["status"] for attempt in _attempts(shop, shopper, order)] == [
        *("completed", "cancelled"),
    ]
    with shop.app.app_context():
        kept = list(db.session.scalars(select(InboxMessage.raw).order_by(InboxMessage.id)))
    assert RECEIPT.encode() in kept[1]


def _attempts(shop: Shop, who: Account, order: dict[str, Any]) -> list[dict[str, Any]]:
    payments: list[dict[str, Any]] = shop.order_now(who, order)["payments"]
    return payments
