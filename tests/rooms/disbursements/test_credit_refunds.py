"""Money that no payment of ours brought goes back: to whoever paid it, and never more than came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.accounts.models import Person
from app.accounts.roles import Role
from app.core.clock import now
from app.core.errors import Conflict, Forbidden, LipaError, ValidationError
from app.core.unit_of_work import transaction
from app.disbursements import credit_refunds, engine, questions, refunds
from app.disbursements.models import Disbursement
from app.disbursements.returned import returned_cents
from app.disbursements.words import subject_of
from app.extensions import db
from app.invariants.money_out import refunded_is_not_more_than_came
from app.ledger.models import Account as Books
from app.orders import notes
from app.payments import deciding
from app.payments.models import Credit
from app.payments.queries import find_payment
from app.reconciliation.drafts import Told
from app.reconciliation.pairing import disbursements_for
from tests.rooms.admin.desk import Desk
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import FakeDaraja, paid, unpaid
from tests.support.paybill import PAYER, Paybill, hashed, trail
from tests.support.staff import staff

RECEIPT = "UKL7AB12CD"
SECOND = "UKL7ZZ99ZZ"
STRANGER = "254722000678"
HOUR = 3600


@pytest.fixture
def paybill(shop: Shop) -> Iterator[Paybill]:
    paybill = Paybill(shop)
    paybill.register()
    yield paybill
    paybill.close()


@pytest.fixture
def second(shop: Shop, paybill: Paybill, shopper: Account) -> Credit:
    """KES 1,500 that came by hand for an order that had been paid by hand before."""
    return paid_twice(shop, paybill, shopper)


def paid_twice(shop: Shop, paybill: Paybill, shopper: Account, **more: str) -> Credit:
    order = shop.order(shopper)
    paybill.pay(order["reference"])
    paybill.pay(order["reference"], receipt=SECOND, **more)
    return shop.credits()[-1]


def unmatched(shop: Shop, paybill: Paybill, **more: str) -> Credit:
    paybill.pay("NOSUCHREF", **more)
    return shop.credits()[-1]


def ask(
    shop: Shop, who: Account, credit: Credit, shillings: int | None = None, payer: str = ""
) -> Disbursement:
    """Ask without a door, so that nothing is sent."""
    cents = None if shillings is None else shillings * 100
    with shop.app.app_context():
        person = db.session.get_one(Person, who.id)
        return credit_refunds.ask(credit.id, person, cents, "Paid twice", payer)


def sent(shop: Shop, record: Disbursement) -> Disbursement:
    with shop.app.app_context():
        return engine.send_now(record)


def assign(shop: Shop, who: Account, credit: Credit, order: dict[str, Any]) -> None:
    with shop.app.app_context():
        deciding.assign(credit.id, order["id"], db.session.get_one(Person, who.id), "Hers")


def aside(shop: Shop) -> list[tuple[int, int, int]]:
    """What is to be sent back: how much came, is left, and is under way, in shillings."""
    with shop.app.app_context():
        return [
            (one.credit.amount_cents // 100, one.left_cents // 100, one.asked_cents // 100)
            for one in questions.to_send_back()
        ]


def now_of(shop: Shop, credit: Credit) -> Credit:
    return next(one for one in shop.credits() if one.id == credit.id)


# Which road, and to whom.


def test_whole_and_recent_money_is_reversed_by_its_receipt_though_its_payer_is_hidden(
    shop: Shop, admin: Account, daraja: FakeDaraja, second: Credit
) -> None:
    record = sent(shop, ask(shop, admin, second))
    assert (record.channel, record.msisdn, record.credit_id) == ("reversal", "", second.id)
    [asked] = daraja.moves
    assert (asked["TransactionID"], asked["Amount"]) == (SECOND, 1500)
    assert now_of(shop, second).decision == "set_aside"
    assert shop.questions() == []
    assert aside(shop) == [(1500, 0, 1500)]
    assert shop.paid_out(record).status == "completed"
    assert aside(shop) == []
    assert shop.balances() == {Books.MPESA: 150_000, Books.SALES: -150_000}
    assert shop.out_events(record) == ["asked", "sending", "accepted", "confirmed"]


def test_a_reversal_goes_to_who_paid_whatever_was_typed(
    shop: Shop, admin: Account, second: Credit
) -> None:
    with pytest.raises(ValidationError, match="did not pay it"):
        ask(shop, admin, second, None, "0712 345 679")
    record = ask(shop, admin, second, None, STRANGER)
    assert (record.channel, record.msisdn) == ("reversal", ""), "the number fits, and is not hers"


def test_a_part_goes_by_b2c_to_the_number_that_fits_what_m_pesa_told(
    shop: Shop, admin: Account, daraja: FakeDaraja, second: Credit
) -> None:
    with pytest.raises(ValidationError, match="Type the payer's M-Pesa number. B2C: only a part"):
        ask(shop, admin, second, 600)
    with pytest.raises(ValidationError, match="did not pay it \\(2547 \\*{5} 678\\)"):
        ask(shop, admin, second, 600, "0712 345 679")
    with pytest.raises(ValidationError, match="not a Kenyan mobile number"):
        ask(shop, admin, second, 600, "12")
    assert shop.outs() == []
    record = sent(shop, ask(shop, admin, second, 600, "0712 345 678"))
    assert (record.channel, record.msisdn) == ("b2c", PAYER)
    [asked] = daraja.payouts
    assert (asked["PartyB"], asked["Amount"]) == (PAYER, 600)
    rest = sent(shop, ask(shop, admin, second, None, PAYER))
    assert (rest.channel, rest.amount_cents) == ("b2c", 90_000)
    for one in (record, rest):
        shop.paid_out(one)
    assert aside(shop) == []


def test_a_hash_decides_whose_number_it_is(shop: Shop, paybill: Paybill, admin: Account) -> None:
    told = unmatched(shop, paybill, MSISDN=hashed())
    with pytest.raises(ValidationError, match="known by a hash only"):
        ask(shop, admin, told, 600, STRANGER)
    assert ask(shop, admin, told, 600, PAYER).msisdn == PAYER


def test_a_number_that_m_pesa_told_whole_is_used_and_no_other(
    shop: Shop, paybill: Paybill, admin: Account
) -> None:
    told = unmatched(shop, paybill, MSISDN=PAYER)
    assert ask(shop, admin, told, 600).msisdn == PAYER
    with pytest.raises(ValidationError, match=r"0712 \*\*\* 678"):
        ask(shop, admin, told, 600, STRANGER)


def test_old_money_goes_by_b2c(shop: Shop, admin: Account, second: Credit) -> None:
    with later(25 * HOUR), pytest.raises(ValidationError, match="more than 24 hours ago"):
        ask(shop, admin, second)
    with later(25 * HOUR):
        assert ask(shop, admin, second, None, PAYER).channel == "b2c"


def test_what_m_pesa_declined_to_reverse_goes_by_b2c(
    shop: Shop, admin: Account, second: Credit
) -> None:
    first = sent(shop, ask(shop, admin, second))
    assert shop.declined(first).status == "failed"
    with shop.app.app_context():
        assert [one.kind for one in questions.open_questions()] == ["out_failed"]
    again = ask(shop, admin, second, None, PAYER)
    assert again.channel_why == "B2C: M-Pesa has declined to reverse this payment."
    with shop.app.app_context():
        assert questions.open_questions() == []


def test_an_order_that_was_paid_by_hand_can_be_refunded(
    shop: Shop, paybill: Paybill, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"])
    record = sent(shop, ask(shop, admin, shop.credits()[0]))
    shop.paid_out(record)
    assert shop.order_now(shopper, order)["status"] == "paid", "a refund is a record of its own"
    assert shop.balances() == {Books.SALES: -150_000, Books.REFUNDS: 150_000}


def test_money_that_names_no_order_goes_back_and_can_be_assigned_no_more(
    shop: Shop, paybill: Paybill, shopper: Account, admin: Account
) -> None:
    credit, order = unmatched(shop, paybill), shop.order(shopper)
    record = sent(shop, ask(shop, admin, credit))
    with pytest.raises(Conflict):
        assign(shop, admin, credit, order)
    shop.paid_out(record)
    assert shop.balances() == {}


# How much, and with whose yes.


def test_no_more_goes_back_than_came_however_many_ask_at_once(
    shop: Shop, admin: Account, second: Credit
) -> None:
    def one(_: int) -> str:
        try:
            return ask(shop, admin, second, 400, PAYER).channel
        except LipaError as refusal:
            return refusal.code

    said = together(8, one)
    assert sorted(said) == ["CONFLICT"] * 5 + ["b2c"] * 3
    with pytest.raises(Conflict, match="KES 300 of this payment can be refunded"):
        ask(shop, admin, second, 301, PAYER)


def test_whole_refunds_at_once_are_one(
    shop: Shop, paybill: Paybill, shopper: Account, admin: Account
) -> None:
    """Money that names no order, while others give it to one."""
    credit, order = unmatched(shop, paybill), shop.order(shopper)

    def one(number: int) -> str:
        try:
            if number % 2:
                return ask(shop, admin, credit).channel
            assign(shop, admin, credit, order)
            return "assigned"
        except LipaError as refusal:
            return refusal.code

    said = together(8, one)
    asked = said.count("reversal")
    assert asked <= 1
    assert said.count("assigned") <= 1
    assert asked + said.count("assigned") >= 1
    assert len(shop.outs()) == asked


def test_who_asks_and_who_sets_aside_at_once_do_not_block_each_other(
    shop: Shop, admin: Account, second: Credit
) -> None:
    """Both hold order and money, in the same turn."""

    def one(number: int) -> str:
        try:
            if number % 2:
                return ask(shop, admin, second, 100, PAYER).channel
            with shop.app.app_context():
                deciding.set_aside(second.id, db.session.get_one(Person, admin.id), "One too many")
            return "set aside"
        except LipaError as refusal:
            return refusal.code

    said = together(8, one)
    assert said.count("b2c") == 4
    assert said.count("set aside") <= 1
    assert said.count("CONFLICT") >= 3


def test_an_operator_has_a_limit_and_a_typed_number_needs_another_person(
    shop: Shop, second: Credit
) -> None:
    operator = staff(shop, "otieno", Role.OPERATOR)
    shop.set(operator_refund_limit=1000)
    with pytest.raises(Forbidden, match="Operators refund KES 1,000"):
        ask(shop, operator, second)
    record = ask(shop, operator, second, 600, PAYER)
    assert (record.status, record.approval_why) == ("awaiting_approval", credit_refunds.TYPED)
    shop.set(operator_refund_limit=5000)
    assert ask(shop, operator, second, 600, PAYER).status == "awaiting_approval"


def test_a_reversal_by_an_operator_waits_for_nobody(shop: Shop, second: Credit) -> None:
    operator = staff(shop, "otieno", Role.OPERATOR)
    shop.set(operator_refund_limit=5000)
    assert ask(shop, operator, second).status == "queued"


def test_the_limit_of_every_refund_holds(shop: Shop, admin: Account, second: Credit) -> None:
    shop.set(refund_auto_approve_limit=500, payout_approval_above=1000)
    record = ask(shop, admin, second)
    why = "refunds above KES 500 need another person's yes"
    assert (record.status, record.approval_why) == ("awaiting_approval", why)


# What is written down.


def test_who_asked_stands_in_the_audit_trail_and_at_the_order(
    shop: Shop, admin: Account, second: Credit
) -> None:
    record = ask(shop, admin, second)
    [entry] = trail(shop, f"refund {record.public_ref}")
    assert (entry.action, entry.actor_id) == ("refund.asked", admin.id)
    with shop.app.app_context():
        last = notes.timeline_of(second.order_id or 0)[-1]
    told = f"{record.public_ref}: KES 1,500 paid by hand, queued"
    assert (last.event, last.actor, last.why) == ("refund_asked", f"person {admin.id}", told)
    assert now_of(shop, second).decided_why == f"refund {record.public_ref}"


def test_an_export_and_a_statement_name_the_money_that_goes_back(
    shop: Shop, admin: Account, second: Credit
) -> None:
    record = sent(shop, ask(shop, admin, second))
    told = Told("UKL6BACK00", record.sent_at or now(), 150_000, "", "", "", SECOND)
    with shop.app.app_context():
        [(_, found)] = disbursements_for([told])
        assert found is not None
        assert found.public_ref == record.public_ref
        assert subject_of(found) == "KES 1,500 paid by hand back"
    shop.paid_out(record)
    exported = Desk(shop, admin).read("/admin/exports/file?what=money-out&format=csv")
    [row] = [line for line in exported.splitlines() if record.public_ref in line]
    assert SECOND in row


# Money of which a payment turns out to be the owner.


def test_what_went_back_before_counts_for_the_payment_that_owns_the_money(
    shop: Shop, paybill: Paybill, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    paybill.pay(order["reference"], MSISDN=PAYER)
    first = sent(shop, ask(shop, admin, shop.credits()[0], 600))
    shop.paid_out(first)
    body = paid(payment.checkout_request_id, 1500, RECEIPT)
    shop.callback(body, token=payment.callback_token)
    [credit] = shop.credits()
    assert credit.payment_id == payment.id
    with shop.app.app_context():
        found = find_payment(payment.id)
        assert refunds.refundable_cents(found) == 90_000
        assert refunds.road_for(found, 150_000, 60_000)[0] == "b2c"
        assert returned_cents([found]) == {payment.id: 60_000}
        assert [one.public_ref for one in refunds.refunds_of(found)] == [first.public_ref]
    with pytest.raises(Conflict, match="send it back there"):
        ask(shop, admin, credit, 100)
    assert shop.ask_refund(admin, payment, 901).status_code == 409
    shop.paid_out(shop.refund(admin, payment, 900))


# What the books forbid.


def by_hand(shop: Shop, who: Account, **changes: Any) -> None:
    """Write a refund past the rules."""
    values = {
        "public_ref": "RFDWRITTENBYHAND0000",
        "originator_id": "by hand",
        "kind": "refund",
        "amount_cents": 100,
        "msisdn": PAYER,
        "channel": "b2c",
        "channel_why": "by hand",
        "reason": "by hand",
        "status": "queued",
        "asked_by": who.id,
    }
    with shop.app.app_context(), transaction() as session:
        session.add(Disbursement(**(values | changes)))


def test_a_refund_has_one_purpose_and_b2c_a_number(
    shop: Shop, admin: Account, shopper: Account, second: Credit
) -> None:
    payment = shop.completed(shopper)
    for wrong in (
        {},
        {"credit_id": second.id, "payment_id": payment.id},
        {"credit_id": second.id, "msisdn": ""},
    ):
        with pytest.raises(IntegrityError):
            by_hand(shop, admin, **wrong)


def test_the_books_tell_when_more_goes_back_than_came(
    shop: Shop, admin: Account, second: Credit
) -> None:
    shop.written_by_hand = True
    by_hand(shop, admin, credit_id=second.id, amount_cents=150_100)
    with shop.app.app_context():
        [told] = refunded_is_not_more_than_came()
    assert (told.subject, told.problem) == (
        f"credit {second.id}",
        "is KES 1,500, and KES 1,501 go back",
    )
