"""Money sent to the paybill by hand: placed once, whichever roads its news takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.extensions import db
from app.orders.models import Order
from app.payments.paybill.accounts import meant_by
from app.payments.states import Standing, Status
from app.payments.view import order_state
from tests.support.app import PHONE, STRANGER, Account, Shop, later, standing, together
from tests.support.daraja import ended, paid, unpaid
from tests.support.paybill import Paybill, hashed, masked, news

RECEIPT = "UKL7AB12CD"
OTHER = "UKL7ZZ99ZZ"
OTHER_PHONE = "254722000999"


@pytest.fixture
def paybill(shop: Shop) -> Iterator[Paybill]:
    paybill = Paybill(shop)
    paybill.register()
    yield paybill
    paybill.close()


def standings(shop: Shop) -> list[tuple[str, int]]:
    return [(credit.standing, credit.amount_cents // 100) for credit in shop.credits()]


def test_the_exact_amount_under_the_order_s_reference_pays_it(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    notice = paybill.pay(order["reference"])
    told = shop.order_now(shopper, order)
    assert (told["status"], told["amount_paid"], told["amount_due"]) == ("paid", 1500, 0)
    assert (notice.state, notice.receipt) == ("done", RECEIPT)
    assert standings(shop) == [(Standing.EXACT, 1500)]
    assert shop.questions() == []


def test_less_keeps_the_order_open_and_the_rest_can_be_paid_by_prompt(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"], 500)
    told = shop.order_now(shopper, order)
    assert (told["status"], told["amount_due"]) == ("pending", 1000)
    assert shop.questions() == []
    payment = shop.prompted(shopper, order)
    assert payment.amount_cents == 100_000
    body = paid(payment.checkout_request_id, 1000, OTHER)
    shop.callback(body, token=payment.callback_token)
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert standings(shop) == [(Standing.SHORT, 500), (Standing.EXACT, 1000)]


def test_the_rest_can_be_paid_by_hand_too(shop: Shop, paybill: Paybill, shopper: Account) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"], 500)
    paybill.pay(order["reference"], 1000, receipt=OTHER)
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_more_is_booked_in_full_and_put_before_a_person(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"], 2000)
    assert shop.order_now(shopper, order)["status"] == "review"
    assert standings(shop) == [(Standing.OVER, 2000)]
    assert [question.kind for question in shop.questions()] == ["over_money"]


def test_a_closed_order_s_money_is_late_and_a_paid_one_s_is_second(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    closed, twice = shop.order(shopper), shop.order(shopper)
    shop.client().post(f"/api/orders/{closed['id']}/cancel", headers=shopper.headers)
    paybill.pay(closed["reference"])
    paybill.pay(twice["reference"], receipt=OTHER)
    paybill.pay(twice["reference"], receipt="UKL7EE55EE")
    kinds = [Standing.LATE, Standing.EXACT, Standing.SECOND]
    assert [standing for standing, _ in standings(shop)] == kinds
    assert {question.kind for question in shop.questions()} == {"late_money", "second_money"}
    assert shop.order_now(shopper, twice)["status"] == "paid"


@pytest.mark.parametrize("mistype", [str.lower, lambda ref: f"{ref[:4]} {ref[4:]}", "NOBODY".join])
def test_a_mistyped_account_is_a_suggestion_to_a_person_and_never_more(
    shop: Shop, paybill: Paybill, shopper: Account, mistype: Callable[[str], str]
) -> None:
    order = shop.order(shopper)
    typed = mistype(order["reference"])[:20]
    paybill.pay(typed)
    assert shop.order_now(shopper, order)["status"] == "pending"
    assert standings(shop) == [(Standing.UNMATCHED, 1500)]
    (question,) = shop.questions()
    assert question.kind == "unmatched_money"
    assert typed in question.advice
    was_meant = "NOBODY" not in typed
    assert (order["reference"] in question.advice) == was_meant


def test_lookalikes_are_read_in_either_way(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    with shop.app.app_context():
        row = db.session.get_one(Order, order["number"])
        assert meant_by(db.session(), row.reference.replace("S", "5", 1)) is row
        assert meant_by(db.session(), "") is None


def test_money_under_no_account_is_assigned_by_a_person(
    shop: Shop, paybill: Paybill, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay("MAMA SHIRO")
    (credit,) = shop.credits()
    form = {"order": order["id"], "why": "she called"}
    path = f"/admin/questions/assign/{credit.id}"
    answer = shop.client().post(
        path, data=form, headers=admin.headers | {"Origin": "http://localhost"}
    )
    assert answer.status_code == 303
    assert shop.order_now(shopper, order)["status"] == "paid"


# One settlement for a receipt, whichever road its news takes.


def success(shop: Shop, order: dict[str, Any], receipt: str = RECEIPT) -> TestResponse:
    payment = shop.payment(order)
    return shop.callback(
        paid(payment.checkout_request_id, 1500, receipt), token=payment.callback_token
    )


@pytest.mark.parametrize("number", [masked(), hashed(), "", "254712345678"])
def test_a_prompt_told_by_both_roads_is_credited_once_the_callback_first(
    shop: Shop, paybill: Paybill, shopper: Account, number: str
) -> None:
    order = shop.order(shopper)
    shop.prompted(shopper, order)
    success(shop, order)
    notice = paybill.pay(order["reference"], MSISDN=number)
    assert notice.state == "done"
    assert shop.payment(order).status == Status.COMPLETED
    assert standings(shop) == [(Standing.EXACT, 1500)]


@pytest.mark.parametrize("number", [masked(), hashed(), ""])
def test_a_prompt_told_by_both_roads_is_credited_once_the_paybill_first(
    shop: Shop, paybill: Paybill, shopper: Account, number: str
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    notice = paybill.pay(order["reference"], MSISDN=number)
    assert (notice.state, shop.credits()) == ("waiting", [])
    assert shop.fresh(payment).next_check_at is not None
    success(shop, order)
    paybill.due_now()
    paybill.sweep()
    assert paybill.notices()[-1].state == "done"
    assert standings(shop) == [(Standing.EXACT, 1500)]
    assert shop.fresh(payment).mpesa_receipt == RECEIPT
    assert shop.questions() == []


def test_a_prompt_that_only_a_query_confirmed_takes_its_receipt_from_the_paybill(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    paybill.pay(order["reference"])
    shop.daraja.query_answer = ended("0", "The service request is processed successfully.")
    with later(20):
        shop.ask(payment)
        paybill.sweep()
    assert shop.fresh(payment).mpesa_receipt == RECEIPT
    assert standings(shop) == [(Standing.EXACT, 1500)]


def test_hand_money_that_waited_is_credited_once_the_prompt_has_ended_without_money(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    paybill.pay(order["reference"])
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    paybill.due_now()
    paybill.sweep()
    assert shop.order_now(shopper, order)["status"] == "paid"
    # The news of the prompt itself comes at last: the money is its own, and is not counted again.
    success(shop, order)
    assert shop.fresh(payment).status == Status.COMPLETED
    assert shop.credits()[0].payment_id == payment.id
    assert standings(shop) == [(Standing.EXACT, 1500)]
    assert shop.questions() == []


def test_a_prompt_that_stays_silent_does_not_hold_hand_money_for_ever(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    paybill.pay(order["reference"])
    with later(60 + 181):
        paybill.sweep()
    assert shop.order_now(shopper, order)["status"] == "paid"
    shop.daraja.query_answer = ended("0", "paid")
    with later(400):
        shop.ask(payment)
    assert shop.fresh(payment).mpesa_receipt == RECEIPT
    assert standings(shop) == [(Standing.EXACT, 1500)]


def test_a_prompt_paid_after_somebody_else_paid_by_hand_is_second_money(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    paybill.pay(order["reference"], MSISDN=masked(OTHER_PHONE))
    assert shop.order_now(shopper, order)["status"] == "paid"
    success(shop, order, OTHER)
    assert shop.fresh(payment).status == Status.REVIEW
    assert standings(shop) == [(Standing.EXACT, 1500), (Standing.SECOND, 1500)]
    assert {question.kind for question in shop.questions()} == {"second_money"}


@pytest.mark.parametrize("prompt_is_over", [True, False])
def test_of_many_at_the_same_moment_one_credits(
    shop: Shop, paybill: Paybill, shopper: Account, prompt_is_over: bool
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    if prompt_is_over:
        shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)

    def tell(number: int) -> int:
        if number % 2:
            return success(shop, order).status_code
        body = news(order["reference"], 1500, RECEIPT, OrgAccountBalance=f"{number}.00")
        return paybill.post(body).status_code

    assert together(8, tell) == [200] * 8
    paybill.due_now()
    paybill.sweep()
    assert standings(shop) == [(Standing.EXACT, 1500)]
    assert shop.fresh(payment).status == Status.COMPLETED
    assert shop.order_now(shopper, order)["amount_paid"] == 1500
    assert {notice.state for notice in paybill.notices()} == {"done"}


def test_the_same_body_twice_is_kept_once(shop: Shop, paybill: Paybill, shopper: Account) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"])
    paybill.pay(order["reference"])
    assert len(paybill.notices()) == 1
    assert len(shop.credits()) == 1


# Proofs.


def test_without_any_proof_nothing_changes_and_it_is_kept(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    answer = paybill.post(
        news(order["reference"]), path=f"/pay/c2b/{'a' * 48}/confirmation", peer=STRANGER
    )
    assert answer.get_json() == {"ResultCode": "0", "ResultDesc": "Accepted"}
    paybill.sweep()
    (notice,) = paybill.notices()
    assert (notice.state, notice.verdict) == ("ignored", "not proven")
    assert (shop.credits(), shop.daraja.status_questions) == ([], [])


def test_strangers_are_limited(shop: Shop, paybill: Paybill) -> None:
    path = f"/pay/c2b/{'a' * 48}/confirmation"
    with standing():
        answers = [paybill.post(news(str(n)), path=path, peer=STRANGER) for n in range(61)]
    assert [answer.status_code for answer in answers] == [200] * 60 + [429]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b'{"TransID": 1, "TransAmount": {}}', b"[" * 999]
)
def test_what_nobody_can_read_is_answered_kept_and_told(
    shop: Shop, paybill: Paybill, body: bytes
) -> None:
    assert paybill.post(body).status_code == 200
    (notice,) = paybill.notices()
    assert notice.state == "doubted"
    assert [question.kind for question in shop.questions()] == ["paybill_doubted"]


def test_what_was_kept_and_not_acted_on_is_found_by_the_sweep(
    shop: Shop, paybill: Paybill, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.order(shopper)
    with monkeypatch.context() as broken:
        broken.setattr("app.payments.paybill.inbox.place", lambda *_: 1 / 0)
        paybill.pay(order["reference"])
    assert shop.credits() == []
    paybill.due_now()
    with later(60):
        paybill.sweep()
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_the_order_s_page_says_that_it_is_paid(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"])
    page = shop.client().get(
        f"/orders/{order['id']}", headers=shopper.headers | {"Accept": "text/html"}
    )
    assert RECEIPT in page.text
    assert "Send the prompt" not in page.text
    told = shop.order_now(shopper, order)
    assert told["payment_status"] == "completed"
    assert shop.pay(shopper, order, phone_number=PHONE).status_code == 409


def test_a_program_that_polls_hears_of_money_by_hand_although_its_prompt_failed(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    prompt = shop.prompted(shopper, order)
    shop.callback(unpaid(prompt.checkout_request_id, 1032), token=prompt.callback_token)
    paybill.pay(order["reference"])
    polled = shop.status(shopper, order)
    assert (polled["payment_status"], polled["payment_reference"]) == ("completed", RECEIPT)
    path = f"/api/payments/verify/{order['id']}"
    verified = shop.client().get(path, headers=shopper.headers).get_json()["data"]
    assert (verified["payment_status"], verified["payment_reference"]) == ("completed", RECEIPT)


def test_what_to_type_is_told_while_there_is_something_to_pay(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"], 500)

    def page() -> str:
        return shop.client().get(f"/orders/{order['id']}", headers=shopper.headers).text

    told = page()
    assert "Pay KES 1,000 with M-Pesa" in told, "the rest, and not the whole again"
    panel = told.partition('id="rung-by-hand"')[2]
    for part in ("174379", order["reference"], "KES 1,000"):
        assert part in panel
    paybill.pay(order["reference"], 1000, receipt=OTHER)
    assert "rung-by-hand" not in page()


def test_without_a_registration_nobody_is_sent_to_the_paybill(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    with shop.app.app_context():
        assert order_state(db.session.get_one(Order, order["number"]))["by_hand"] is None
