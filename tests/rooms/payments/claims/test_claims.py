"""What becomes of "I have paid": settled on exact evidence, else a person, and never on a word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.accounts.models import Person
from app.core.clock import daraja_timestamp, now
from app.core.unit_of_work import transaction
from app.payments.claims import service
from app.payments.claims.sms import MOST_CHARACTERS
from app.payments.states import Status
from tests.support.app import STRANGER, Account, Shop, later, together
from tests.support.claims import CODE, FORM, PAYER, Claims, sms, told, unknown
from tests.support.daraja import ended, html, paid, unpaid
from tests.support.paybill import Paybill, hashed, news


@pytest.fixture
def shopper(shop: Shop) -> Account:
    """Somebody whose account names the number that they pay from."""
    account = shop.person("wanjiku")
    with shop.app.app_context(), transaction() as session:
        session.get_one(Person, account.id).phone = PAYER
    return account


# Settled by what M-Pesa says.


def test_mpesa_s_word_settles_an_order_that_was_paid_by_hand(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    assert claims.claimed(shopper, order)["state"] == "checking"
    assert shop.credits() == []
    claims.asked_and_told(told())
    (question,) = shop.daraja.status_questions
    assert (question["TransactionID"], question["PartyA"]) == (CODE, "174379")
    assert shop.order_now(shopper, order)["status"] == "paid"
    (credit,) = shop.credits()
    assert (credit.receipt, credit.amount_cents, credit.standing) == (CODE, 150_000, "exact")
    assert claims.newest().state == "settled"
    assert claims.stands(shopper, order) is None


def test_the_code_alone_settles_when_all_that_mpesa_says_fits(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    claims.claimed(shopper, order, CODE.lower())
    claims.asked_and_told(told())
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_a_part_that_was_paid_counts_as_a_part(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    claims.claimed(shopper, order, sms(amount="500.00"))
    claims.asked_and_told(told(500.0))
    assert [(c.standing, c.decision) for c in shop.credits()] == [("short", "rest_asked")]
    assert shop.order_now(shopper, order)["status"] == "pending"
    settled = claims.stands(shopper, order)
    assert settled is not None
    assert settled["state"] == "settled"


def test_money_for_a_closed_order_is_late_money_and_stands_before_a_person(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
    page = f"/orders/{order['id']}"
    told_there = shop.client().get(page, headers=shopper.headers | FORM).text
    assert f'action="{page}/claim"' in told_there
    claims.claimed(shopper, order)
    claims.asked_and_told(told())
    assert [question.kind for question in shop.questions()] == ["late_money"]


def test_the_code_of_an_ended_prompt_gives_that_prompt_its_money_once(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.daraja.query_answer = ended("0")
    claims.claimed(shopper, order)
    # The claim has the prompt asked about, and that finds the money without its receipt.
    with later(20):
        shop.sweep()
        assert shop.fresh(payment).status == Status.COMPLETED
        claims.asked_and_told(told(DebitPartyName=f"{payment.phone} - JANE DOE"))
    assert shop.fresh(payment).mpesa_receipt == CODE
    assert [credit.receipt for credit in shop.credits()] == [CODE]
    assert claims.newest().state == "settled"


def test_a_prompt_s_late_callback_finds_its_money_claimed_already(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    timed_out = unpaid(payment.checkout_request_id, 1037)
    shop.callback(timed_out, token=payment.callback_token)
    claims.claimed(shopper, order)
    claims.asked_and_told(told(DebitPartyName=f"{payment.phone} - JANE DOE"))
    assert shop.order_now(shopper, order)["status"] == "paid"
    shop.callback(paid(payment.checkout_request_id, 1500, CODE), token=payment.callback_token)
    assert [credit.amount_cents for credit in shop.credits()] == [150_000]
    assert shop.fresh(payment).status == Status.COMPLETED


# Settled by what the books know.


def test_money_that_nobody_placed_is_given_to_the_order_on_exact_evidence(
    shop: Shop, claims: Claims, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay("WRONG", receipt=CODE, MSISDN=PAYER)
    assert claims.send(shopper, order).status_code == 200
    assert claims.newest().state == "settled"
    assert shop.order_now(shopper, order)["status"] == "paid"
    (credit,) = shop.credits()
    assert (credit.decision, credit.decided_by) == ("assigned", "machine: claims")
    assert shop.daraja.status_questions == []


@pytest.mark.parametrize("number", ["2547 ***** 678", hashed(PAYER), ""])
def test_a_number_that_is_not_told_whole_proves_nothing_but_mpesa_s_word_does(
    shop: Shop, claims: Claims, paybill: Paybill, shopper: Account, number: str
) -> None:
    order = shop.order(shopper)
    paybill.pay("WRONG", receipt=CODE, MSISDN=number)
    assert claims.claimed(shopper, order)["state"] == "checking"
    claims.asked_and_told(told())
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert [credit.receipt for credit in shop.credits()] == [CODE]


def test_a_code_that_has_paid_this_order_already_says_so(
    shop: Shop, claims: Claims, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"], receipt=CODE)
    claims.send(shopper, order)
    assert claims.newest().state == "settled"
    assert shop.daraja.status_questions == []
    # The way back, a reload, a second device: the same claim.
    claims.send(shopper, order)
    assert len(claims.all()) == 1


def test_another_order_s_code_is_answered_like_an_unknown_one_and_ends_refused(
    shop: Shop, claims: Claims, paybill: Paybill, shopper: Account, other_shopper: Account
) -> None:
    theirs, mine = shop.order(other_shopper), shop.order(shopper)
    paybill.pay(theirs["reference"], receipt=CODE, MSISDN=PAYER)
    first = claims.claimed(shopper, mine)
    assert first["state"] == "checking"
    claims.asked_and_told(told())
    refused = claims.stands(shopper, mine)
    assert refused is not None
    assert refused["state"] == "refused"
    assert str(theirs["number"]) not in refused["message"].replace(CODE, "")
    unknown_first = claims.claimed(shopper, mine, "UKL7XXXXX9")
    assert unknown_first["message"].replace("UKL7XXXXX9", CODE) == first["message"]
    assert shop.order_now(shopper, mine)["status"] == "pending"


def test_one_money_never_pays_two_orders(shop: Shop, claims: Claims, shopper: Account) -> None:
    first, second = shop.order(shopper), shop.order(shopper)
    for order in (first, second):
        claims.claimed(shopper, order)
        claims.asked_and_told(told())
    assert shop.order_now(shopper, first)["status"] == "paid"
    assert shop.order_now(shopper, second)["status"] == "pending"
    assert len(shop.credits()) == 1


def test_the_receipt_of_a_prompt_that_was_paid_without_one_pays_no_other_order(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    # Its own receipt is not known here, so the code alone cannot tell that the money is used.
    paid_order, other = shop.order(shopper), shop.order(shopper)
    payment = shop.prompted(shopper, paid_order)
    shop.daraja.query_answer = ended("0")
    with later(20):
        shop.sweep()
        assert shop.fresh(payment).status == Status.COMPLETED
        claims.claimed(shopper, other)
        claims.asked_and_told(told(DebitPartyName=f"{payment.phone} - JANE DOE"))
    assert shop.order_now(shopper, other)["status"] == "pending"
    assert claims.newest().state in ("with_person", "refused")


# Bad input: each ends in a true state and a way on.

DAY = timedelta(days=1)
ENDS: dict[str, tuple[dict[str, str], dict[str, Any], str, str]] = {
    "another amount": ({"text": sms(amount="15,000.00")}, {}, "with_person", "another amount"),
    "another phone": ({}, {"DebitPartyName": "254799999999 - X"}, "with_person", "shop looks"),
    "masked": ({}, {"DebitPartyName": "2547*****678 - X"}, "with_person", "shop looks"),
    "no payer": ({}, {"DebitPartyName": None}, "with_person", "shop looks"),
    "no receiver": ({}, {"CreditPartyName": None}, "with_person", "shop looks"),
    "another till": ({}, {"CreditPartyName": "5551 - ELSE"}, "refused", "not paid to this shop"),
    "old": (
        {"text": CODE},
        {"FinalisedTime": daraja_timestamp(now() - DAY)},
        "refused",
        "before this order",
    ),
    "not completed": ({}, {"TransactionStatus": "Cancelled"}, "refused", "did not go through"),
    "other receipt": ({}, {"ReceiptNo": "UKL7OTHER9"}, "with_person", "shop looks"),
    "no amount": ({}, {"Amount": "much"}, "with_person", "shop looks"),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_does_not_fit_in_every_point_is_not_settled(
    shop: Shop, claims: Claims, shopper: Account, name: str
) -> None:
    sent, more, state, words = ENDS[name]
    order = shop.order(shopper)
    claims.claimed(shopper, order, sent.get("text", sms()))
    claims.asked_and_told(told(**more))
    stands = claims.stands(shopper, order)
    assert stands is not None
    assert (stands["state"], words in stands["message"]) == (state, True), stands
    assert shop.credits() == []
    assert [q.kind for q in shop.questions()] == (["claim"] if state == "with_person" else [])


@pytest.mark.parametrize(
    ("text", "state"), [(CODE, "refused"), (sms(), "with_person")], ids=["code", "message"]
)
def test_a_code_that_mpesa_does_not_know_is_asked_twice_and_then_ends(
    shop: Shop, claims: Claims, shopper: Account, text: str, state: str
) -> None:
    order = shop.order(shopper)
    claims.claimed(shopper, order, text)
    claims.asked_and_told(unknown())
    assert claims.newest().state == "checking"
    claims.asked_and_told(unknown())
    assert claims.newest().state == state


def test_a_refused_code_leaves_room_for_the_right_one(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    claims.claimed(shopper, order, "UKL7AB12CX")
    claims.asked_and_told(unknown())
    claims.asked_and_told(unknown())
    claims.claimed(shopper, order)
    claims.asked_and_told(told())
    assert shop.order_now(shopper, order)["status"] == "paid"


@pytest.mark.parametrize(
    ("answer", "asked"), [(html(503), 4), (html(403), 4)], ids=["away", "refused"]
)
def test_silence_ends_before_a_person_after_a_bounded_time(
    shop: Shop, claims: Claims, shopper: Account, answer: object, asked: int
) -> None:
    shop.daraja.ask_answer = answer  # type: ignore[assignment]
    order = shop.order(shopper)
    claims.claimed(shopper, order)
    for _ in range(6):
        claims.due_now()
        claims.sweep()
    assert len(shop.daraja.status_questions) <= asked
    assert claims.newest().state == "with_person"
    assert [question.kind for question in shop.questions()] == ["claim"]


def test_without_an_initiator_a_person_looks_at_once(
    shop: Shop, claims: Claims, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.disbursements.provider.SIMULATOR_INITIATOR", None)
    order = shop.order(shopper)
    claims.claimed(shopper, order)
    claims.sweep()
    assert claims.newest().state == "with_person"
    assert "MPESA_B2C_INITIATOR_NAME" in (claims.newest().verdict or "")


def test_an_answer_comes_twice_or_to_a_made_up_address_and_nothing_is_booked_twice(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    claims.claimed(shopper, order)
    claims.due_now()
    claims.sweep()
    together(4, lambda _: claims.answer(told()).status_code)
    claims.answer(told())
    assert len(shop.credits()) == 1


def test_news_of_the_paybill_that_is_still_being_placed_comes_first(
    shop: Shop, claims: Claims, paybill: Paybill, shopper: Account, other_shopper: Account
) -> None:
    theirs, mine = shop.order(other_shopper), shop.order(shopper)
    # With one proof only: it is asked about, and names another order.
    paybill.post(news(theirs["reference"], receipt=CODE, MSISDN=PAYER), peer=STRANGER)
    claims.claimed(shopper, mine)
    claims.asked_and_told(told())
    assert shop.credits() == []
    assert claims.newest().state == "checking"
    with later(3600):
        claims.due_now()
        claims.sweep()
    assert claims.newest().state == "with_person"


# What is pasted.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I have paid", "no M-Pesa code"),
        (f"{CODE} Confirmed. UKL7AB12CE Confirmed.", "several"),
        (f"{CODE} Confirmed.You have received Ksh9.00 from ANN", "you received"),
        (f"{CODE} confirmed.You bought Ksh50.00 of airtime", "airtime"),
        ("x" * (MOST_CHARACTERS + 1), "too long"),
    ],
)
def test_what_is_no_payment_s_message_is_said_so_and_not_kept(
    shop: Shop, claims: Claims, shopper: Account, text: str, words: str
) -> None:
    order = shop.order(shopper)
    answer = claims.send(shopper, order, text)
    assert (answer.status_code, words in answer.get_json()["error"]) == (400, True)
    assert claims.all() == []


def test_the_text_is_kept_without_whole_numbers_and_without_the_balance(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    claims.claimed(shopper, shop.order(shopper), f"from 0712345678: {sms()}")
    kept = claims.newest().text
    assert "0712345678" not in kept
    assert "20.00" not in kept
    assert "Ksh1,500.00" in kept


def test_the_form_leads_back_to_the_order_with_the_claim_on_it(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    page = f"/orders/{order['id']}"
    html_head = shopper.headers | {"Accept": "text/html"}
    assert f'action="{page}/claim"' in shop.client().get(page, headers=html_head).text
    answer = claims.send(shopper, order, Accept="text/html")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{page}#rung-paid-already")
    seen = shop.client().get(page, headers=html_head).text
    assert CODE in seen
    assert "We are checking your M-Pesa code" in seen


# Guarded.


def test_only_the_owner_claims(
    shop: Shop, claims: Claims, shopper: Account, other_shopper: Account
) -> None:
    order = shop.order(shopper)
    assert claims.send(other_shopper, order).status_code == 404
    stranger = shop.client().post(f"/orders/{order['id']}/claim", data={"message": CODE})
    assert stranger.status_code in (303, 403)
    assert claims.all() == []


def test_one_code_at_a_time_and_a_repeated_form_is_the_same_claim(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    answers = together(3, lambda _: claims.send(shopper, order).status_code)
    assert set(answers) <= {200, 409}
    assert len(claims.all()) == 1
    assert claims.send(shopper, order, "UKL7AB12CX").status_code == 409


def test_guessing_ends_by_the_minute(shop: Shop, claims: Claims, shopper: Account) -> None:
    order = shop.order(shopper)
    answers = [claims.send(shopper, order).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_guessing_ends_by_the_order(
    shop: Shop, claims: Claims, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_OF_ORDER", 1)
    order = shop.order(shopper)
    claims.claimed(shopper, order)
    claims.asked_and_told(told(TransactionStatus="Declined"))
    assert claims.send(shopper, order, "UKL7AB12CX").status_code == 409
    assert len(claims.all()) == 1
