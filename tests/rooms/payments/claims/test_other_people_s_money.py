"""Whoever has seen somebody else's M-Pesa message does not pay their own order with it."""

from __future__ import annotations

from app.accounts.models import Person
from app.core.clock import daraja_timestamp, now
from app.core.unit_of_work import transaction
from tests.support.app import Account, Shop, later
from tests.support.claims import CODE, FORM, PAYER, Claims, told
from tests.support.daraja import ended, unpaid


def names_number(shop: Shop, who: Account) -> None:
    """Let somebody write the payer's number into their account, as anybody can."""
    with shop.app.app_context(), transaction() as session:
        session.get_one(Person, who.id).phone = PAYER


def test_a_phone_that_was_asked_only_after_the_money_had_moved_is_no_evidence(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    moved = int(daraja_timestamp(now()))
    with later(900):
        # Whoever has read the message knows the number, and sends it a prompt.
        payment = shop.prompted(shopper, order, phone_number=PAYER)
        shop.callback(unpaid(payment.checkout_request_id, 1032), token=payment.callback_token)
        claims.claimed(shopper, order, CODE)
        claims.asked_and_told(told(FinalisedTime=moved))
    assert claims.newest().state == "with_person"
    assert shop.credits() == []


def test_a_number_that_somebody_else_s_account_names_too_is_no_evidence(
    shop: Shop, claims: Claims, shopper: Account, other_shopper: Account
) -> None:
    names_number(shop, other_shopper)
    order = shop.order(shopper)
    names_number(shop, shopper)
    claims.claimed(shopper, order)
    claims.asked_and_told(told())
    assert claims.newest().state == "with_person"
    assert shop.credits() == []


def test_a_number_that_has_been_asked_for_somebody_else_s_order_is_no_evidence(
    shop: Shop, claims: Claims, shopper: Account, other_shopper: Account
) -> None:
    theirs = shop.order(other_shopper, shop.product(price=90))
    payment = shop.prompted(other_shopper, theirs, phone_number=PAYER)
    shop.callback(unpaid(payment.checkout_request_id, 1032), token=payment.callback_token)
    order = shop.order(shopper)
    names_number(shop, shopper)
    claims.claimed(shopper, order)
    claims.asked_and_told(told())
    assert claims.newest().state == "with_person"
    assert shop.credits() == []


def test_one_person_alone_does_not_give_what_mpesa_has_not_said_was_paid_to_the_shop(
    shop: Shop, claims: Claims, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    claims.claimed(shopper, order)
    claims.asked_and_told(told(CreditPartyName=None))
    claim = claims.newest()
    assert claim.state == "with_person"
    path = f"/admin/claims/{claim.id}/accept"
    shop.client().post(path, data={"why": "I believe it"}, headers=admin.headers | FORM)
    assert shop.credits() == []
    assert claims.newest().state == "with_person"


def test_one_person_alone_does_not_count_the_money_of_another_order_s_prompt_again(
    shop: Shop, claims: Claims, shopper: Account, admin: Account
) -> None:
    paid_order, other = shop.order(shopper), shop.order(shopper)
    payment = shop.prompted(shopper, paid_order)
    shop.daraja.query_answer = ended("0")
    with later(20):
        shop.sweep()
        claims.claimed(shopper, other)
        claims.asked_and_told(told(DebitPartyName=f"{payment.phone} - JANE DOE"))
        claim = claims.newest()
        assert claim.state == "with_person"
        path = f"/admin/claims/{claim.id}/accept"
        shop.client().post(path, data={"why": "they told us"}, headers=admin.headers | FORM)
    assert len(shop.credits()) == 1
    assert shop.order_now(shopper, other)["status"] == "pending"
