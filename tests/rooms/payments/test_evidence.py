"""What weak evidence may tell, and how strong evidence corrects it."""

from __future__ import annotations

import pytest

from app.core.errors import Busy
from app.payments.models import Payment
from tests.support.app import SAFARICOM, Account, Shop, later
from tests.support.daraja import FakeDaraja, ended, paid


def _confirmed_by_query(shop: Shop, daraja: FakeDaraja, payment: Payment, body: object) -> Payment:
    """Post a callback that lacks its token, then let the query confirm the payment."""
    shop.callback(body, peer=SAFARICOM)
    daraja.query_answer = ended("0")
    with later(60):
        shop.sweep()
    return shop.fresh(payment)


def test_an_amount_with_one_proof_is_never_counted(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    tampered = paid(payment.checkout_request_id, amount=1)
    settled = _confirmed_by_query(shop, daraja, payment, tampered)
    assert (settled.status, settled.received_cents) == ("completed", 150_000)
    assert shop.order_now(shopper, order)["amount_paid"] == 1500


def test_a_callback_with_both_proofs_corrects_a_receipt_that_came_with_one(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    planted = paid(payment.checkout_request_id, receipt="UKLPLANTED")
    assert _confirmed_by_query(shop, daraja, payment, planted).mpesa_receipt == "UKLPLANTED"
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    assert shop.fresh(payment).mpesa_receipt == "UKL4XX00XX"
    assert [entry.event for entry in shop.timeline(payment)][-1] == "receipt_learned"


def test_a_planted_receipt_gives_way_to_the_payment_it_was_taken_from(
    shop: Shop, shopper: Account, other_shopper: Account, daraja: FakeDaraja
) -> None:
    planted, real = shop.prompted(shopper), shop.prompted(other_shopper)
    _confirmed_by_query(shop, daraja, planted, paid(planted.checkout_request_id))
    shop.callback(paid(real.checkout_request_id), token=real.callback_token)
    assert (shop.fresh(real).status, shop.fresh(real).mpesa_receipt) == ("completed", "UKL4XX00XX")
    assert shop.fresh(planted).mpesa_receipt is None
    assert [entry.event for entry in shop.timeline(planted)][-1] == "receipt_withdrawn"


def test_proven_news_of_another_amount_puts_a_completed_payment_before_a_person(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    daraja.query_answer = ended("0")
    with later(20):
        shop.sweep()
    shop.callback(paid(payment.checkout_request_id, amount=500), token=payment.callback_token)
    after = shop.fresh(payment)
    assert (after.status, after.review_reason) == ("completed", "amount_differs")
    assert shop.asked_about() == [payment.id]


def test_a_prompt_that_nobody_ever_heard_of_again_is_shown_to_a_person(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.unanswered(shopper)
    with later(180):
        shop.sweep()
    assert (shop.fresh(payment).status, shop.fresh(payment).reason) == ("expired", "no_answer")
    assert shop.asked_about() == [payment.id]


def test_a_database_that_is_busy_after_the_push_does_not_invite_a_second_one(
    shop: Shop, shopper: Account, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise Busy

    monkeypatch.setattr("app.payments.initiate.persistently", busy)
    order = shop.order(shopper)
    answer = shop.pay(shopper, order)
    assert (answer.status_code, answer.get_json()["data"]["status"]) == (202, "pending")
    monkeypatch.undo()
    payment = shop.payment(order)
    body = paid(f"ws_CO_{payment.id}_of_the_lost_answer")
    shop.callback(body, token=payment.callback_token)
    assert shop.fresh(payment).status == "completed"
    assert len(daraja.pushes) == 1
