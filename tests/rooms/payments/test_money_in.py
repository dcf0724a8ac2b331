"""Money that does not simply fit: named, in the queue, and decided by a person once."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.disbursements.questions import to_send_back
from app.extensions import db
from app.ledger.models import Account as Ledger
from app.ledger.service import balances
from app.orders.models import Order
from app.payments.models import Payment
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import FakeDaraja, ended, paid, unpaid


def decide(shop: Shop, admin: Account, action: str, subject: int, **more: str) -> TestResponse:
    """Send the form of the admin's page, as an admin's browser does."""
    client = shop.client()
    client.set_cookie("access_token_cookie", admin.access)
    form = {"why": "the statement says so"} | more
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    return client.post(f"/admin/questions/{action}/{subject}", data=form, headers=headers)


def short_money(shop: Shop, shopper: Account) -> tuple[dict[str, Any], Payment]:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(paid(payment.checkout_request_id, amount=1000), token=payment.callback_token)
    return order, payment


def late_money(shop: Shop, shopper: Account, stock: int = 1) -> tuple[dict[str, Any], Payment, int]:
    product = shop.product(stock=stock)
    order = shop.order(shopper, product)
    payment = shop.prompted(shopper, order)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
    body = paid(payment.checkout_request_id, receipt="UKL4THLATE")
    shop.callback(body, token=payment.callback_token)
    return order, payment, product


def test_each_kind_of_odd_money_is_named_and_offers_its_next_steps(
    shop: Shop, shopper: Account
) -> None:
    short_money(shop, shopper)
    late_money(shop, shopper)
    found = {
        question.kind: [step.action for step in question.steps] for question in shop.questions()
    }
    assert found == {
        "short_money": ["ask_for_rest", "set_aside"],
        "late_money": ["accept", "set_aside"],
    }


def test_a_short_payment_is_kept_and_the_rest_is_asked_for(
    shop: Shop, shopper: Account, admin: Account, daraja: FakeDaraja
) -> None:
    order, payment = short_money(shop, shopper)
    assert shop.pay(shopper, order).status_code == 409, "a person looks at it first"
    [question] = shop.questions()
    decide(shop, admin, "ask_for_rest", question.subject_id)
    assert shop.fresh(payment).status == "completed"
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"], now["amount_due"]) == ("pending", 1000, 500)
    rest = shop.prompted(shopper, order)
    assert daraja.pushes[-1]["Amount"] == 500
    body = paid(rest.checkout_request_id, amount=500, receipt="UKL4THREST")
    shop.callback(body, token=rest.callback_token)
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert shop.questions() == []


def test_an_order_paid_in_part_is_neither_cancelled_nor_expired_in_silence(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    order, _ = short_money(shop, shopper)
    [question] = shop.questions()
    decide(shop, admin, "ask_for_rest", question.subject_id)
    cancel = shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
    assert cancel.status_code == 409
    with later(45 * 60):
        shop.sweep()
        [question] = shop.questions()
        assert (question.kind, question.steps[0].action) == ("part_paid", "more_time")
        decide(shop, admin, "more_time", question.subject_id)
        assert shop.order_now(shopper, order)["status"] == "pending"


def test_late_money_is_taken_when_a_person_says_so_and_the_goods_go_out(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    order, payment, product = late_money(shop, shopper)
    assert shop.stock(product) == 1
    [question] = shop.questions()
    decide(shop, admin, "accept", question.subject_id)
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert shop.fresh(payment).status == "completed"
    assert shop.stock(product) == 0


def test_late_money_for_goods_that_are_gone_leaves_a_question(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    _, _, product = late_money(shop, shopper)
    shop.order(other_shopper, product)
    [question] = shop.questions()
    decide(shop, admin, "accept", question.subject_id)
    [question] = shop.questions()
    assert question.kind == "paid_but_out_of_stock"
    decide(shop, admin, "delivered", question.subject_id)
    assert shop.questions() == []


def test_money_that_is_set_aside_stays_listed_for_a_refund(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    order, _, _ = late_money(shop, shopper)
    [question] = shop.questions()
    decide(shop, admin, "set_aside", question.subject_id)
    assert shop.questions() == []
    with shop.app.app_context():
        assert [aside.credit.amount_cents for aside in to_send_back()] == [150_000]
    assert shop.order_now(shopper, order)["status"] == "review"


def test_two_admins_who_decide_at_once_decide_once(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    order, _, _ = late_money(shop, shopper)
    [question] = shop.questions()
    actions = ["accept", "set_aside"] * 2
    together(4, lambda number: decide(shop, admin, actions[number], question.subject_id))
    [credit] = shop.credits()
    assert credit.decision in ("accepted", "set_aside")
    status = shop.order_now(shopper, order)["status"]
    assert status == ("paid" if credit.decision == "accepted" else "review")


@pytest.mark.parametrize("why", ["", "   ", "x" * 501])
def test_a_decision_without_a_readable_reason_changes_nothing(
    shop: Shop, shopper: Account, admin: Account, why: str
) -> None:
    late_money(shop, shopper)
    [question] = shop.questions()
    assert decide(shop, admin, "accept", question.subject_id, why=why).status_code == 303
    assert [credit.decision for credit in shop.credits()] == [None]


@pytest.mark.parametrize("action", ["accept", "ask_for_rest", "assign", "delivered", "nonsense"])
def test_a_step_that_is_not_offered_changes_nothing(
    shop: Shop, shopper: Account, admin: Account, action: str
) -> None:
    order = shop.order(shopper)
    first = shop.prompted(shopper, order)
    shop.callback(unpaid(first.checkout_request_id, 1037), token=first.callback_token)
    second = shop.prompted(shopper, order)
    for payment, receipt in ((second, "UKL4SECOND"), (first, "UKL40FIRST")):
        shop.callback(
            paid(payment.checkout_request_id, receipt=receipt), token=payment.callback_token
        )
    [question] = shop.questions()
    assert question.kind == "second_money"
    decide(shop, admin, action, question.subject_id, order=str(order["number"]))
    assert [credit.decision for credit in shop.credits()] == [None, None]


def test_only_an_admin_decides(shop: Shop, shopper: Account) -> None:
    late_money(shop, shopper)
    [question] = shop.questions()
    assert decide(shop, shopper, "accept", question.subject_id).status_code == 403
    assert [credit.decision for credit in shop.credits()] == [None]


def stray(shop: Shop, daraja: FakeDaraja, code: str = "0") -> None:
    """A success under an id that is not ours comes from Safaricom, and Daraja is asked."""
    shop.callback(paid("ws_CO_of_another_program", amount=1500, receipt="UKL4STRAY1"))
    daraja.query_answer = ended(code)
    with later(40):
        shop.sweep()


def test_confirmed_money_that_names_nothing_of_ours_is_unmatched(
    shop: Shop, daraja: FakeDaraja
) -> None:
    stray(shop, daraja)
    [credit] = shop.credits()
    assert (credit.standing, credit.receipt, credit.order_id) == ("unmatched", "UKL4STRAY1", None)
    [question] = shop.questions()
    assert (question.kind, question.steps[0].action) == ("unmatched_money", "assign")
    with later(400):
        shop.sweep()
    assert len(shop.credits()) == 1
    assert len(daraja.queries) == 1


@pytest.mark.parametrize("code", ["1032", "1037", "4999"])
def test_money_that_daraja_does_not_confirm_is_not_money(
    shop: Shop, daraja: FakeDaraja, code: str
) -> None:
    stray(shop, daraja, code)
    assert shop.credits() == []
    assert shop.questions() == []


def test_unmatched_money_pays_the_order_that_a_person_assigns_it_to(
    shop: Shop, shopper: Account, admin: Account, daraja: FakeDaraja
) -> None:
    stray(shop, daraja)
    order = shop.order(shopper)
    [question] = shop.questions()
    decide(shop, admin, "assign", question.subject_id, order=str(order["number"]))
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"], now["amount_due"]) == ("paid", 1500, 0)
    [told] = now["payments"]
    assert (told["transaction_id"], told["status"], told["amount"]) == (None, "completed", 1500)
    assert told["receipt"], "every credit is told, whatever brought it"
    assert shop.questions() == []


def test_unmatched_money_is_not_given_to_an_order_that_is_being_paid_or_is_paid(
    shop: Shop, shopper: Account, admin: Account, daraja: FakeDaraja
) -> None:
    stray(shop, daraja)
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    [question] = shop.questions()
    decide(shop, admin, "assign", question.subject_id, order=str(order["number"]))
    assert shop.order_now(shopper, order)["status"] == "pending"
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    decide(shop, admin, "assign", question.subject_id, order=str(order["number"]))
    assert shop.order_now(shopper, order)["amount_paid"] == 1500


def test_a_stray_receipt_becomes_the_payment_s_own_once_its_id_is_known(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """The push's answer was lost, and so was the token; the money is booked once all the same."""
    stray(shop, daraja)
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, receipt="UKL4STRAY1")
    shop.callback(body, token=payment.callback_token)
    [credit] = shop.credits()
    assert (credit.payment_id, credit.standing) == (payment.id, "exact")
    assert shop.fresh(payment).status == "completed"


def test_a_stray_receipt_that_turns_out_to_be_less_is_corrected_in_the_ledger(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    stray(shop, daraja)
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, amount=750, receipt="UKL4STRAY1")
    shop.callback(body, token=payment.callback_token)
    [credit] = shop.credits()
    assert (credit.amount_cents, credit.standing) == (75_000, "short")
    with shop.app.app_context():
        held = balances()
    assert (held[Ledger.MPESA], held[Ledger.UNPLACED]) == (75_000, -75_000)


def test_a_flagged_payment_is_acknowledged_by_a_person(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account, daraja: FakeDaraja
) -> None:
    first, second = shop.prompted(shopper), shop.prompted(other_shopper)
    for payment in (first, second):
        shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    daraja.query_answer = ended("0")
    with later(20):
        shop.sweep()
    assert shop.fresh(second).status == "completed", "Daraja's own word"
    assert shop.fresh(second).mpesa_receipt is None
    [question] = shop.questions()
    assert question.kind == "receipt_reused"
    decide(shop, admin, "acknowledge", question.subject_id)
    assert shop.questions() == []


def test_what_happened_to_an_order_is_written_down(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """I8."""
    order, _, _ = late_money(shop, shopper)
    [question] = shop.questions()
    decide(shop, admin, "accept", question.subject_id)
    with shop.app.app_context():
        entry = db.metadata.tables["order_timeline"]
        row = db.session.get_one(Order, order["number"])
        lines = db.session.execute(entry.select().where(entry.c.order_id == row.id)).all()
    told = [(line.event, line.to_status) for line in lines]
    assert told == [
        ("placed", "pending"),
        ("cancelled", "cancelled"),
        ("money_questioned", "review"),
        ("money_accepted", "paid"),
    ]
    assert lines[-1].actor == f"person {admin.id}"
    assert lines[-1].why == "the statement says so"


@pytest.mark.parametrize("subject", [0, 999_999, 2**63 - 1, 2**63, 10**30])
@pytest.mark.parametrize(
    "action",
    ["accept", "ask_for_rest", "set_aside", "assign", "acknowledge", "delivered", "more_time"],
)
def test_a_decision_about_nothing_is_refused_in_words(
    shop: Shop, shopper: Account, admin: Account, action: str, subject: int
) -> None:
    order = shop.order(shopper)
    answer = decide(shop, admin, action, subject, order=str(order["number"]))
    assert answer.status_code == 303
