"""An order that was paid in part, and whose part went back, is owed whole again."""

from __future__ import annotations

from typing import Any

import pytest

from app.payments.models import Payment
from tests.rooms.payments.test_money_in import decide
from tests.support.app import Account, Shop, later
from tests.support.daraja import FakeDaraja, paid


@pytest.fixture
def part_paid(shop: Shop, shopper: Account, admin: Account) -> tuple[dict[str, Any], Payment]:
    """An order of KES 1,500 of which 1,000 came; it is open for the rest."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(paid(payment.checkout_request_id, amount=1000), token=payment.callback_token)
    [question] = shop.questions()
    decide(shop, admin, "ask_for_rest", question.subject_id)
    assert due(shop, shopper, order) == ("pending", 1000, 500)
    return order, shop.fresh(payment)


def due(shop: Shop, shopper: Account, order: dict[str, Any]) -> tuple[str, int, int]:
    now = shop.order_now(shopper, order)
    return now["status"], now["amount_paid"], now["amount_due"]


def test_what_went_back_is_due_again_and_the_order_is_paid_by_the_whole_only(
    shop: Shop, shopper: Account, part_paid: tuple[dict[str, Any], Payment], daraja: FakeDaraja
) -> None:
    """I3: paid means paid in full, with money that is still here."""
    order, payment = part_paid
    record = shop.refund(shopper, payment, 1000)
    assert due(shop, shopper, order) == ("pending", 1000, 500), "it has not gone back yet"
    shop.paid_out(record)
    assert due(shop, shopper, order) == ("pending", 0, 1500)
    whole = shop.prompted(shopper, order)
    assert daraja.pushes[-1]["Amount"] == 1500
    body = paid(whole.checkout_request_id, amount=1500, receipt="UKL4THWHOLE")
    shop.callback(body, token=whole.callback_token)
    assert due(shop, shopper, order)[0] == "paid"


def test_a_prompt_for_the_rest_does_not_pay_an_order_whose_part_went_back_meanwhile(
    shop: Shop, shopper: Account, part_paid: tuple[dict[str, Any], Payment]
) -> None:
    order, payment = part_paid
    rest = shop.prompted(shopper, order)
    shop.paid_out(shop.refund(shopper, payment, 1000))
    shop.callback(
        paid(rest.checkout_request_id, amount=500, receipt="UKL4THREST"), token=rest.callback_token
    )
    assert due(shop, shopper, order) == ("pending", 500, 1000)


def test_a_refund_that_failed_leaves_what_is_due_as_it_was(
    shop: Shop, shopper: Account, part_paid: tuple[dict[str, Any], Payment]
) -> None:
    order, payment = part_paid
    shop.declined(shop.refund(shopper, payment, 400))
    assert due(shop, shopper, order) == ("pending", 1000, 500)


def test_once_all_has_gone_back_the_order_can_be_cancelled_and_runs_out_by_itself(
    shop: Shop, shopper: Account, part_paid: tuple[dict[str, Any], Payment]
) -> None:
    order, payment = part_paid
    shop.paid_out(shop.refund(shopper, payment, 1000))
    with later(45 * 60):
        shop.sweep()
    assert shop.order_now(shopper, order)["status"] == "expired"
    assert shop.questions() == []


def test_an_order_that_was_paid_stays_paid_when_money_goes_back(
    shop: Shop, shopper: Account
) -> None:
    payment = shop.completed(shopper)
    shop.paid_out(shop.refund(shopper, payment, 700))
    with shop.app.app_context():
        number = payment.order_id
    assert due(shop, shopper, {"id": number}) == ("paid", 1500, 0)
