"""Every end is told with what to do next, and nobody hears "failed" while money may have moved."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from app.core.texts import Said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.mpesa.messages import PushRefused
from app.mpesa.result_codes import STK_RESULTS
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import words
from app.payments.evidence import Evidence
from app.payments.models import Payment
from app.payments.schedule import MAX_CHECKS
from app.payments.view import order_state
from tests.cases.people import decide
from tests.support.app import Account, Shop, later
from tests.support.daraja import FakeDaraja, ended, html, paid, unpaid

UNPAID_CODES = sorted(
    code for code, row in STK_RESULTS.items() if row.outcome not in ("paid", "not_final")
)
#: Where M-Pesa itself may have spoken a moment too early.
TIMEOUTS = {"1019", "1037"}
REFUSALS = ["credentials", "phone", "busy_phone", "unreachable", "throttled", "other"]


def state(shop: Shop, order: dict[str, Any]) -> dict[str, Any]:
    with shop.app.app_context():
        return order_state(db.session.get_one(Order, order["number"]))


def warns(message: str) -> bool:
    """Tell whether somebody who has paid all the same is told not to pay again."""
    return "do not pay again" in message and "keep the M-Pesa message" in message


def told_by_query(shop: Shop, who: Account, code: str) -> dict[str, Any]:
    order = shop.order(who)
    shop.prompted(who, order)
    shop.daraja.query_answer = ended(code, "as told")
    with later(20):
        shop.sweep()
        return state(shop, order)


@pytest.mark.parametrize("code", UNPAID_CODES)
def test_every_known_code_has_words_and_a_next_step_of_its_own(code: str) -> None:
    reason = words.reason_of(code)
    told = words.unpaid_end(reason, Evidence.PROVEN_CALLBACK)
    assert told.title != words.unpaid_end("declined").title
    assert words.next_step(reason) in told.message
    assert "nothing was paid" in told.message.lower()
    assert warns(told.message) is (code in TIMEOUTS)


@pytest.mark.parametrize("code", ["1037", "1032", "1", "2001"])
def test_an_end_that_only_a_query_told_is_told_as_m_pesas_word(
    shop: Shop, shopper: Account, code: str
) -> None:
    """B8: 1037 first, and the money afterwards."""
    told = told_by_query(shop, shopper, code)
    assert "M-Pesa says that" in told["message"]
    assert warns(told["message"])
    assert words.next_step(words.reason_of(code)) in told["message"]


def test_a_code_that_nobody_knows_rules_no_money_out(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(unpaid(payment.checkout_request_id, "31415"), token=payment.callback_token)
    told = state(shop, order)
    assert told["title"] == "The payment did not go through"
    assert warns(told["message"])


def test_every_refusal_says_that_nothing_was_sent_and_what_to_do() -> None:
    payment = Payment(public_ref="TXN20261121010203AAA")
    told = {
        kind: words.refusal(PushRefused(kind, "500.001.1001", "No."), payment)  # type: ignore[arg-type]
        for kind in REFUSALS
    }
    for kind, error in told.items():
        assert error.details["reason"] == f"refused_{kind}"
        assert "was sent" in error.message
        assert words.next_step(f"refused_{kind}") in error.message
    assert len({error.message for error in told.values()}) == len(REFUSALS)


def test_a_prompt_of_which_nobody_knows_is_never_told_as_failed(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    daraja.push_answer = html(502)
    shop.pay(shopper, order)
    told = state(shop, order)
    assert (told["state"], told["title"]) == ("unconfirmed", "We are checking with M-Pesa")
    assert "enter your PIN" in told["message"]
    with later(61):
        told = state(shop, order)
        assert told["state"] == "unconfirmed"
        assert "enter your PIN" not in told["message"], "no prompt is on the phone any more"
        assert "do not pay twice" in told["message"]
    with later(121):
        shop.sweep()
        told = state(shop, order)
        assert told["title"] == "We never heard from M-Pesa"
        assert warns(told["message"])
        assert "othing was paid" not in told["message"]


def test_an_overdue_prompt_is_still_waited_for(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    with later(61):
        told = state(shop, order)
        assert (told["state"], told["title"]) == ("waiting", "Still waiting for M-Pesa")
        assert "do not pay twice" in told["message"]
        assert not told["can_pay"]
    with shop.app.app_context(), transaction() as session:
        given_up = update(Payment).where(Payment.id == payment.id)
        session.execute(given_up.values(checks=MAX_CHECKS, next_check_at=None))
    with later(61):
        told = state(shop, order)
        assert told["state"] == "waiting"
        assert "We keep asking" not in told["message"], "it is asked no more"


def test_money_that_fits_in_part_is_neither_paid_nor_failed(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(paid(payment.checkout_request_id, 1000), token=payment.callback_token)
    told = state(shop, order)
    assert (told["state"], told["title"]) == (
        "review",
        "Money arrived, and a person is looking at it",
    )
    assert not told["can_pay"]
    decide(shop, admin, "ask_for_rest", shop.credits()[0].id)
    told = state(shop, order)
    assert told["title"] == "Part of this order is paid"
    assert told["message"] == "KES 1,000 has arrived, and KES 500 is still to be paid."
    assert (told["state"], told["can_pay"]) == ("unpaid", True)


def test_after_part_payment_an_end_without_money_tells_both(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    first = shop.prompted(shopper, order)
    shop.callback(paid(first.checkout_request_id, 1000), token=first.callback_token)
    decide(shop, admin, "ask_for_rest", shop.credits()[0].id)
    shop.pay(shopper, order)
    second = shop.payment(order)
    assert state(shop, order)["live"], "the prompt for the rest is what is waited for"
    shop.callback(unpaid(second.checkout_request_id, "2001"), token=second.callback_token)
    told = state(shop, order)
    assert told["message"].startswith("KES 1,000 has arrived, and KES 500 is still to be paid.")
    assert "Try again with care" in told["message"]
    assert "othing was paid" not in told["message"]


def test_an_order_paid_by_another_road_does_not_lead_to_its_open_prompt(
    shop: Shop, shopper: Account
) -> None:
    order = shop.order(shopper)
    shop.prompted(shopper, order)
    shop.written_by_hand = True
    with shop.app.app_context(), transaction() as session:
        session.execute(
            update(Order).where(Order.id == order["number"]).values(status=OrderStatus.PAID)
        )
    told = state(shop, order)
    assert (told["state"], told["live"]) == ("paid", False)
    assert "close it: nothing more is owed" in told["message"]


def test_after_a_prompt_a_closed_order_tells_what_to_do_if_money_left_the_phone(
    shop: Shop, shopper: Account
) -> None:
    asked, never_asked = shop.order(shopper), shop.order(shopper)
    payment = shop.prompted(shopper, asked)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    for order, is_told in ((asked, True), (never_asked, False)):
        shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
        told = state(shop, order)
        assert told["title"] == "Order cancelled"
        assert ("keep the M-Pesa message" in told["message"]) is is_told


def test_whatever_is_told_can_be_said_again_in_another_language(
    shop: Shop, shopper: Account
) -> None:
    order = shop.order(shopper)
    assert isinstance(state(shop, order)["message"], Said)
    shop.pay(shopper, order, phone_number="0733123456")
    told = state(shop, order)
    assert all(isinstance(told[key], Said) for key in ("title", "message", "warning"))
    assert told["warning"].values == {"operator": "Airtel"}
