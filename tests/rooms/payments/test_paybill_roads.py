"""Money of a prompt and money by hand that look alike: none is lost, and none counts twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.accounts.models import Person
from app.accounts.roles import Role
from app.extensions import db
from app.payments.evidence import Evidence, Outcome
from app.payments.models import Payment
from app.payments.paybill import deciding
from app.payments.paybill.inbox import MOST_TRIES
from app.payments.settle import settle
from app.payments.states import Standing
from tests.support.app import STRANGER, Account, Shop, later
from tests.support.daraja import ended, paid, unpaid
from tests.support.paybill import Paybill, news
from tests.support.staff import staff

BY_HAND, OWN = "UKL7AB12CD", "UKL7ZZ99ZZ"
DAY = 24 * 3600


@pytest.fixture
def paybill(shop: Shop) -> Iterator[Paybill]:
    paybill = Paybill(shop)
    paybill.register()
    yield paybill
    paybill.close()


def receipts(shop: Shop) -> dict[str | None, str]:
    return {credit.receipt: credit.standing for credit in shop.credits()}


def confirmed_by_query(shop: Shop, payment: Payment) -> None:
    shop.daraja.query_answer = ended("0", "The service request is processed successfully.")
    shop.ask(payment)
    assert shop.fresh(payment).is_completed


def own_callback(shop: Shop, payment: Payment) -> None:
    body = paid(payment.checkout_request_id, 1500, OWN)
    shop.callback(body, token=payment.callback_token)


def test_a_late_callback_takes_its_prompt_and_not_the_money_that_was_sent_by_hand(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    with later(20):
        confirmed_by_query(shop, payment)
        paybill.pay(order["reference"], receipt=BY_HAND)
        assert shop.fresh(payment).mpesa_receipt == BY_HAND, "it looks like the prompt's own"
        own_callback(shop, payment)
        paybill.sweep()
    assert shop.fresh(payment).mpesa_receipt == OWN
    assert receipts(shop) == {OWN: Standing.EXACT, BY_HAND: Standing.SECOND}
    assert {question.kind for question in shop.questions()} == {"second_money"}


def test_so_it_does_where_the_hand_money_was_credited_first(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    paybill.pay(order["reference"], receipt=BY_HAND)
    with later(DAY):
        confirmed_by_query(shop, payment)
        own_callback(shop, payment)
        paybill.sweep()
    assert receipts(shop) == {OWN: Standing.EXACT, BY_HAND: Standing.SECOND}


def test_news_of_a_prompt_that_is_believed_a_day_later_is_not_counted_again(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    approver = staff(shop, "baraka", Role.APPROVER)
    payment = shop.prompted(shopper, order)
    with later(20):
        confirmed_by_query(shop, payment)
        paybill.post(news(order["reference"], 1500, OWN), peer=STRANGER)
    [notice] = paybill.notices()
    with later(DAY), shop.app.app_context():
        deciding.believe(notice.id, db.session.get_one(Person, approver.id), "in the statement")
    assert receipts(shop) == {OWN: Standing.EXACT}
    assert shop.fresh(payment).mpesa_receipt == OWN


def test_a_receipt_of_unmatched_money_is_not_taken_by_a_payment_that_has_its_money(
    shop: Shop, paybill: Paybill, shopper: Account
) -> None:
    payment = shop.prompted(shopper)
    paybill.pay("NOBODY", receipt=OWN)
    with later(20):
        confirmed_by_query(shop, payment)
    told = Outcome("0", "", Evidence.PROVEN_CALLBACK, "a test", receipt=OWN)
    with shop.app.app_context():
        assert "waits for its order" in settle(payment.id, told)
    assert receipts(shop) == {None: Standing.EXACT, OWN: Standing.UNMATCHED}


def give_up(paybill: Paybill) -> None:
    for days in range(1, MOST_TRIES + 2):
        with later(days * DAY):
            paybill.sweep()


def test_news_that_cannot_be_read_however_often_is_put_before_a_person(
    shop: Shop, paybill: Paybill, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.payments.paybill.inbox.read_c2b", lambda _raw: 1 / 0)
    paybill.pay("WHATEVER")
    stranger = paybill.path().replace(paybill.path().split("/")[3], "a" * 48)
    paybill.post(news("WHATEVER", 1500, OWN), path=stranger, peer=STRANGER)
    give_up(paybill)
    assert [notice.state for notice in paybill.notices()] == ["doubted", "ignored"]
    assert [question.kind for question in shop.questions()] == ["paybill_doubted"]


def test_proven_money_that_cannot_be_placed_is_put_before_a_person(
    shop: Shop, paybill: Paybill, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.order(shopper)
    with monkeypatch.context() as broken:
        broken.setattr("app.payments.paybill.inbox.place", lambda *_: 1 / 0)
        paybill.pay(order["reference"])
        give_up(paybill)
        assert [question.kind for question in shop.questions()] == ["paybill_doubted"]
    paybill.due_now()
    paybill.sweep()
    assert len(receipts(shop)) == 1
    assert shop.questions() == []
