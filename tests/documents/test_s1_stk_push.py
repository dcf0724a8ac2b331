"""S1, the STK push document: checkout and query, key by key."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from app.dialects.stk_push import (
    STATUS_DETAILS,
    STATUS_WORDS,
    CheckoutAnswer,
    LocalTransaction,
    QueryAnswer,
)
from app.orders.models import Order
from app.payments.models import Payment
from app.payments.states import Status
from tests.documents.s1 import (
    ACCEPTED,
    ASKED,
    CALLBACK,
    PHONE,
    RECEIPT,
    checkout,
    count,
    order_of,
    prompted,
    query,
)
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import FakeDaraja, ended, html, paid, refuse, unpaid

FIVE = list(CheckoutAnswer.model_fields)


def settle(shop: Shop, payment: Payment, body: dict[str, Any]) -> None:
    answer = shop.callback(body, token=payment.callback_token, path=CALLBACK)
    assert answer.status_code == 200, answer.text


# Checkout.


def test_s1_01_s1_03_s1_04_the_answer_is_darajas_own_acknowledgement(shop: Shop) -> None:
    """S1-01, S1-03, S1-04."""
    answer = checkout(shop)
    body = answer.get_json()
    assert answer.status_code == 200
    assert list(body) == [
        "MerchantRequestID",
        "CheckoutRequestID",
        "ResponseCode",
        "ResponseDescription",
        "CustomerMessage",
    ]
    assert body["MerchantRequestID"]
    assert body["CheckoutRequestID"].startswith("ws_CO_")
    assert body["ResponseCode"] == "0"
    assert body["ResponseDescription"] == body["CustomerMessage"] == ACCEPTED


def test_s1_02_a_reference_of_twelve_goes_out_whole_and_the_description_shortened(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-02: C-42."""
    payment = prompted(shop)
    [push] = daraja.pushes
    assert (push["Amount"], push["AccountReference"]) == (100, "INV-2024-001")
    assert push["TransactionDesc"] == "Payment for s"
    assert push["PartyA"] == push["PhoneNumber"] == PHONE
    order = order_of(shop, payment)
    assert order.external_reference == "INV-2024-001"
    assert order.description == "Payment for services"
    assert (order.total_cents, order.person_id) == (10_000, None)


@pytest.mark.parametrize(
    ("reference", "sent"),
    [
        ("Rent: March/April, house 12", "RentMarchApr"),
        ("INV-2024-001-" + "9" * 242, "INV-2024-001"),
        ("  A 7  ", "A7"),
    ],
)
def test_s1_02_s1_29_odd_or_long_references_are_cleaned_for_daraja_and_kept_whole(
    shop: Shop, daraja: FakeDaraja, reference: str, sent: str
) -> None:
    """S1-02, S1-29."""
    payment = prompted(shop, reference=reference)
    assert daraja.pushes[0]["AccountReference"] == sent
    assert order_of(shop, payment).external_reference == reference.strip()


def test_s1_02_a_reference_without_a_plain_letter_gives_way_to_our_own(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-02."""
    payment = prompted(shop, reference="★★★", description="Ada ya shule — muhula wa pili")
    assert daraja.pushes[0]["AccountReference"] == order_of(shop, payment).reference


@pytest.mark.parametrize("amount", [100, "100", "100.00", 100.0])
def test_s1_02_a_whole_amount_may_be_written_in_any_way(
    shop: Shop, daraja: FakeDaraja, amount: object
) -> None:
    """S1-02: C-23."""
    prompted(shop, amount=amount)
    assert daraja.pushes[0]["Amount"] == 100


@pytest.mark.parametrize("written", ["0718643064", "+254718643064", "254718643064"])
def test_s1_24_s1_25_s1_26_three_ways_to_write_a_phone(
    shop: Shop, daraja: FakeDaraja, written: str
) -> None:
    """S1-24, S1-25, S1-26."""
    payment = prompted(shop, phone_number=written)
    assert daraja.pushes[0]["PhoneNumber"] == payment.phone == PHONE


def test_s1_16_what_a_signed_in_person_asks_for_is_theirs(shop: Shop, shopper: Account) -> None:
    """S1-16."""
    payment = prompted(shop, shopper)
    assert payment.person_id == shopper.id
    listed = shop.client().get("/api/orders", headers=shopper.headers).get_json()["results"]
    assert [(row["total"], row["items"]) for row in listed] == [(100, [])]


def test_s1_16_a_repeat_while_the_prompt_is_live_hears_the_same_acknowledgement(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-16: C-38."""
    first = checkout(shop)
    again = checkout(shop, phone_number="+254 718 643 064", description="Said in other words")
    assert first.get_json() == again.get_json()
    assert len(daraja.pushes) == 1
    assert count(shop, Payment) == count(shop, Order) == 1


def test_s1_16_ten_repeats_at_once_send_one_prompt(shop: Shop, daraja: FakeDaraja) -> None:
    """S1-16: D1."""
    daraja.push_answer = lambda push: daraja.accept(push, delay_seconds=0.2)
    answers = together(10, lambda _: checkout(shop))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.get_json()["CheckoutRequestID"] for answer in answers}) == 1
    assert len(daraja.pushes) == 1


def test_s1_18_after_a_cancelled_prompt_the_same_invoice_is_asked_for_anew(shop: Shop) -> None:
    """S1-18."""
    first = prompted(shop)
    settle(shop, first, unpaid(first.checkout_request_id))
    second = prompted(shop)
    assert (second.order_id, second.id) == (first.order_id, first.id + 1)


def test_s1_20_a_paid_invoice_is_not_asked_for_again_under_its_old_order(shop: Shop) -> None:
    """S1-20."""
    first = prompted(shop)
    settle(shop, first, paid(first.checkout_request_id, 100))
    assert order_of(shop, first).status == "paid"
    assert prompted(shop).order_id != first.order_id


def test_s1_03_s1_44_a_push_of_unknown_fate_is_202_with_null_ids(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-03, S1-44."""
    daraja.push_answer = html(502)
    for _ in range(2):
        answer = checkout(shop)
        body = answer.get_json()
        assert (answer.status_code, body["status"]) == (202, "pending")
        assert set(FIVE) < set(body)
        assert body["MerchantRequestID"] is body["CheckoutRequestID"] is None
        assert body["ResponseCode"] is None, "Daraja has accepted nothing that we know of"
    assert len(daraja.pushes) == 1


def test_s1_03_a_repeat_hears_the_ids_once_the_callback_has_brought_them(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-03."""
    daraja.push_answer = html(502)
    checkout(shop)
    token = daraja.pushes[0]["CallBackURL"].partition("token=")[2]
    shop.callback(paid("ws_CO_home", None), token=token, path=CALLBACK)
    answer = checkout(shop)
    assert (answer.status_code, answer.get_json()["CheckoutRequestID"]) == (200, "ws_CO_home")


# Query.


def test_s1_05_s1_07_s1_08_s1_09_s1_10_s1_11_s1_12_s1_13_s1_22_the_query_of_a_paid_prompt(
    shop: Shop,
) -> None:
    """S1-05, S1-07, S1-08, S1-09, S1-10, S1-11, S1-12, S1-13, S1-22."""
    payment = prompted(shop)
    settle(shop, payment, paid(payment.checkout_request_id, 100, RECEIPT))
    answer = query(shop, payment.checkout_request_id)
    body = answer.get_json()
    assert answer.status_code == 200
    created = body["local_transaction"]["created"]
    assert body == {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successfully",
        "MerchantRequestID": payment.merchant_request_id,
        "CheckoutRequestID": payment.checkout_request_id,
        "ResultCode": "0",
        "ResultDesc": "The service request is processed successfully.",
        "local_transaction": {
            "transaction_no": str(payment.uuid),
            "phone_number": "+254718643064",
            "amount": "100",
            "status": "0",
            "status_detail": "completed",
            "receipt_no": RECEIPT,
            "created": created,
        },
    }
    assert UUID(body["local_transaction"]["transaction_no"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created), "C-25"
    assert created == payment.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_s1_07_s1_08_the_answers_have_their_models() -> None:
    """S1-07, S1-08."""
    assert list(QueryAnswer.model_fields)[-1] == "local_transaction"
    assert set(LocalTransaction.model_fields) - {"status_detail"} == {
        "transaction_no",
        "phone_number",
        "amount",
        "status",
        "receipt_no",
        "created",
    }


def test_s1_21_s1_23_a_prompt_that_has_not_ended_is_told_as_daraja_tells_it(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-21, S1-23."""
    payment = prompted(shop)
    body = query(shop, payment.checkout_request_id).get_json()
    assert body["ResponseCode"] == "0"
    assert body["ResultCode"] == "4999"
    assert body["ResultDesc"] == "The transaction is still under processing"
    told = body["local_transaction"]
    assert (told["status"], told["status_detail"], told["receipt_no"]) == ("1", "pending", None)
    [asked] = daraja.queries
    assert asked["CheckoutRequestID"] == payment.checkout_request_id


def test_s1_21_however_many_ask_daraja_is_asked_once_in_ten_seconds(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-21: C-21, B7."""
    payment = prompted(shop)
    answers = together(8, lambda _: query(shop, payment.checkout_request_id).status_code)
    assert answers == [200] * 8
    assert len(daraja.queries) == 1
    with later(11):
        query(shop, payment.checkout_request_id)
    assert len(daraja.queries) == 2


def test_s1_20_s1_21_a_query_finds_the_end_whose_callback_was_lost(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-20, S1-21: C4: the receipt is not in Daraja's answer, and comes later or by a person."""
    payment = prompted(shop)
    daraja.query_answer = ended("0", "The service request is processed successfully.")
    body = query(shop, payment.checkout_request_id).get_json()
    assert (body["ResultCode"], body["local_transaction"]["status"]) == ("0", "0")
    assert body["local_transaction"]["receipt_no"] is None
    assert order_of(shop, payment).status == "paid"
    query(shop, payment.checkout_request_id)
    assert len(daraja.queries) == 1, "what has ended is not asked about again"


@pytest.mark.parametrize("trouble", [html(502), refuse("Internal server error")])
def test_s1_44_a_daraja_that_cannot_be_asked_leaves_the_answer_to_our_books(
    shop: Shop, daraja: FakeDaraja, trouble: Any
) -> None:
    """S1-44."""
    payment = prompted(shop)
    daraja.query_answer = trouble
    answer = query(shop, payment.checkout_request_id)
    assert (answer.status_code, answer.get_json()["ResultCode"]) == (200, "4999")


@pytest.mark.parametrize(
    ("code", "detail"),
    [(1032, "cancelled"), (1037, "expired"), (1, "failed"), ("SFC_IC0003", "failed")],
)
def test_s1_18_s1_20_s1_23_an_end_without_money(
    shop: Shop, daraja: FakeDaraja, code: int | str, detail: str
) -> None:
    """S1-18, S1-20, S1-23: C-19."""
    payment = prompted(shop)
    settle(shop, payment, unpaid(payment.checkout_request_id, code, "as told"))
    body = query(shop, payment.checkout_request_id).get_json()
    assert (body["ResultCode"], body["ResultDesc"]) == (str(code), "as told")
    told = body["local_transaction"]
    assert (told["status"], told["status_detail"]) == ("1", detail)
    assert daraja.queries == []


def test_s1_23_money_that_does_not_fit_is_not_complete(shop: Shop) -> None:
    """S1-23."""
    payment = prompted(shop)
    settle(shop, payment, paid(payment.checkout_request_id, 99))
    body = query(shop, payment.checkout_request_id).get_json()
    assert body["ResultCode"] == "0", "Daraja did say that it was paid"
    told = body["local_transaction"]
    assert (told["status"], told["status_detail"], told["amount"]) == ("1", "review", "100")


def test_s1_11_s1_22_s1_23_every_status_has_its_words() -> None:
    """S1-11, S1-22, S1-23: C-18, C-19."""
    assert set(STATUS_WORDS) == set(STATUS_DETAILS) == set(Status)
    assert [status for status, word in STATUS_WORDS.items() if word == "0"] == [Status.COMPLETED]
    assert set(STATUS_WORDS.values()) == {"0", "1"}


def test_s1_06_an_id_is_compared_letter_by_letter(shop: Shop) -> None:
    """S1-06: C-14."""
    payment = prompted(shop)
    named = payment.checkout_request_id or ""
    for other in (named.lower(), named.upper(), f" {named}", f"{named}%", "ws_CO_%", "ws_CO_1"):
        assert query(shop, other).status_code == 404


def test_s1_01_s1_05_the_answer_is_the_same_with_and_without_a_slash(shop: Shop) -> None:
    """S1-01, S1-05: C-5."""
    first = shop.client().post("/payments/checkout", json=ASKED)
    assert first.status_code == 200
    body = {"checkout_request_id": first.get_json()["CheckoutRequestID"]}
    assert shop.client().post("/payments/query", json=body).status_code == 200
