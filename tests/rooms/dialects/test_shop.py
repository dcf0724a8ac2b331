"""The shop dialect's own words: envelopes, status words, and the quick check."""

from __future__ import annotations

import pytest

from app.dialects.shop import STATUS_WORDS
from app.payments.states import EDGES, LIVE, UNPAID_ENDS, Event, Status, target_of
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, html, paid, unpaid


def test_every_status_has_a_word_here() -> None:
    assert set(STATUS_WORDS) == set(Status)
    assert set(STATUS_WORDS.values()) == {"pending", "completed", "failed"}, "C-18"


def test_completed_is_final_and_every_unpaid_end_can_still_be_paid() -> None:
    assert not [event for event in Event if target_of(Status.COMPLETED, event)]
    for status in UNPAID_ENDS:
        assert target_of(status, Event.LATE_CONFIRMATION) is Status.COMPLETED
    for status in LIVE:
        assert target_of(status, Event.PAYMENT_CONFIRMED) is Status.COMPLETED
    assert {event for _, event in EDGES} == set(Event)
    late = {source for source, event in EDGES if event is Event.LATE_CONFIRMATION}
    assert late == UNPAID_ENDS


def test_the_query_of_a_completed_payment(shop: Shop, shopper: Account) -> None:
    """S4-33, S4-34, S4-35, S4-36, S4-37."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    answer = shop.client().post(
        "/api/payments/mpesa/query", json={"order_id": order["id"]}, headers=shopper.headers
    )
    body = answer.get_json()
    assert body["success"] is True
    assert body["data"]["status"] == body["data"]["payment_status"] == "completed"
    assert body["data"]["payment_reference"] == "UKL4XX00XX"
    assert body["data"]["receipt_url"] == f"/receipts/{payment.public_ref}"


def test_the_query_of_an_order_nobody_has_tried_to_pay(shop: Shop, shopper: Account) -> None:
    told = shop.status(shopper, shop.order(shopper))
    assert (told["status"], told["payment_reference"]) == ("pending", None)


def test_the_quick_check_names_everything_it_should(shop: Shop, shopper: Account) -> None:
    """S4-38."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    path = f"/api/payments/verify/{order['id']}"
    before = shop.client().get(path, headers=shopper.headers).get_json()["data"]
    assert (before["payment_status"], before["paid_at"]) == ("pending", None)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    after = shop.client().get(path, headers=shopper.headers).get_json()["data"]
    assert after == {
        "order_id": order["id"],
        "order_number": order["number"],
        "payment_status": "completed",
        "payment_method": "mpesa",
        "payment_reference": "UKL4XX00XX",
        "paid_at": after["paid_at"],
        "total": 1500,
    }
    assert after["paid_at"].endswith("Z")


@pytest.mark.parametrize(
    ("code", "reason"), [(1032, "cancelled"), (1037, "timeout"), (1, "insufficient_funds")]
)
def test_an_end_without_money_is_failed_with_its_reason(
    shop: Shop, shopper: Account, code: int, reason: str
) -> None:
    """C-20, S4-64, S4-110, S4-111, S4-112."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    body = unpaid(payment.checkout_request_id, code, "as told")
    shop.callback(body, token=payment.callback_token)
    told = shop.status(shopper, order)
    assert (told["status"], told["reason"]) == ("failed", reason)
    assert (told["result_code"], told["result_desc"]) == (str(code), "as told")
    assert told["can_retry"] is True


def test_a_push_of_unknown_fate_is_pending_and_cannot_be_retried(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    daraja.push_answer = html(502)
    order = shop.order(shopper)
    shop.pay(shopper, order)
    told = shop.status(shopper, order)
    assert (told["status"], told["live"], told["can_retry"]) == ("pending", True, False)


def test_a_receipt_is_shown_to_its_owner_only(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """E1, S0-22."""
    payment = shop.prompted(shopper)
    path = f"/receipts/{payment.public_ref}"
    assert shop.client().get(path, headers=shopper.headers).status_code == 404, "not paid yet"
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    page = shop.client().get(path, headers=shopper.headers)
    assert page.status_code == 200
    assert "UKL4XX00XX" in page.text
    assert payment.public_ref.replace("TXN", "RCP") in page.text, "S0-23"
    assert shop.client().get(path, headers=other_shopper.headers).status_code == 404
