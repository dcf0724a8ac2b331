"""Money back: how much of it, by which road, with whose yes, and never more than came."""

from __future__ import annotations

import pytest

from app.accounts.models import Person
from app.core.errors import Conflict
from app.disbursements import refunds
from app.disbursements.models import Disbursement
from app.extensions import db
from app.ledger.models import Account as Books
from app.payments.models import Payment
from tests.support import results
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import FakeDaraja, ended, html, paid, unpaid

HOUR = 3600


@pytest.fixture
def payment(shop: Shop, shopper: Account) -> Payment:
    """KES 1,500 that came in a moment ago."""
    return shop.completed(shopper)


def ask(
    shop: Shop, who: Account, payment: Payment, shillings: int | None, reason: str = "Broken"
) -> Disbursement:
    """Ask without a door, so that nothing is sent."""
    cents = None if shillings is None else shillings * 100
    with shop.app.app_context():
        return refunds.ask(payment.id, db.session.get_one(Person, who.id), cents, reason)


# How much.


def test_a_part_may_go_back_and_another_and_never_more_than_came(
    shop: Shop, shopper: Account, payment: Payment
) -> None:
    """D7, I3."""
    first = shop.refund(shopper, payment, 1000)
    answer = shop.ask_refund(shopper, payment, 501)
    assert (answer.status_code, answer.get_json()["details"]) == (409, {"refundable": 500})
    second = shop.refund(shopper, payment, 500)
    assert shop.ask_refund(shopper, payment, 10).status_code == 409
    for record in (first, second):
        shop.paid_out(record)
    assert shop.fresh(payment).status == "completed", "a refund is a record of its own"
    assert shop.ask_refund(shopper, payment, 10).status_code == 409
    assert shop.balances() == {Books.SALES: -150_000, Books.REFUNDS: 150_000}


def test_more_than_came_is_refused(shop: Shop, shopper: Account, payment: Payment) -> None:
    """D7."""
    assert shop.ask_refund(shopper, payment, 1501).status_code == 409
    assert shop.outs() == []


def test_two_who_ask_at_once_get_no_more_than_came(
    shop: Shop, shopper: Account, admin: Account, payment: Payment, daraja: FakeDaraja
) -> None:
    """D7."""
    people = [shopper, admin] * 3
    said = together(6, lambda n: shop.ask_refund(people[n], payment, 700).status_code)
    assert sorted(said) == [202, 202, 409, 409, 409, 409]
    assert sum(asked["Amount"] for asked in daraja.moves) == 1400


def test_whole_refunds_at_once_are_one(
    shop: Shop, shopper: Account, payment: Payment, daraja: FakeDaraja
) -> None:
    """D7."""
    said = together(4, lambda _: shop.ask_refund(shopper, payment, 1500).status_code)
    assert sorted(said) == [202, 409, 409, 409]
    assert len(daraja.moves) == 1


def test_while_one_is_under_way_only_the_rest_may_be_asked_for(
    shop: Shop, shopper: Account, payment: Payment, daraja: FakeDaraja
) -> None:
    """D7: also while nobody knows whether it arrived."""
    daraja.out_answer = html(502)
    assert shop.refund(shopper, payment, 1500).status == "unknown"
    assert shop.ask_refund(shopper, payment, 10).status_code == 409


def test_what_did_not_go_back_may_be_asked_for_anew(
    shop: Shop, shopper: Account, payment: Payment
) -> None:
    shop.declined(shop.refund(shopper, payment, 1000))
    assert shop.refund(shopper, payment, 1500).status == "processing"


def test_without_an_amount_whatever_is_left_goes_back(
    shop: Shop, shopper: Account, payment: Payment
) -> None:
    shop.refund(shopper, payment, 400)
    assert ask(shop, shopper, payment, None).amount_cents == 110_000


@pytest.mark.parametrize("ended", [None, 1032, 1037])
def test_what_was_not_paid_has_nothing_to_send_back(
    shop: Shop, shopper: Account, ended: int | None
) -> None:
    """D7."""
    payment = shop.prompted(shopper)
    if ended is not None:
        shop.callback(unpaid(payment.checkout_request_id, ended), token=payment.callback_token)
    answer = shop.ask_refund(shopper, payment, 100)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "CONFLICT")
    assert shop.outs() == []


def test_cents_are_not_rounded_away(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    """D9: short money of KES 749.50 goes back as far as whole shillings go, and says so."""
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, amount=749.5)
    shop.callback(body, token=payment.callback_token)
    with pytest.raises(Conflict, match=r"KES 749\.50.*KES 749\.$") as refused:
        ask(shop, shopper, payment, None)
    assert refused.value.details == {"refundable": 749}
    record = shop.refund(shopper, payment, 749)
    assert (record.channel, daraja.payouts[0]["Amount"]) == ("b2c", 749)


# By which road.


def test_a_whole_recent_payment_is_reversed(
    shop: Shop, shopper: Account, payment: Payment, daraja: FakeDaraja
) -> None:
    record = shop.refund(shopper, payment, 1500)
    assert (record.channel, record.msisdn) == ("reversal", "254712345678")
    assert record.channel_why.startswith("Reversal")
    [asked] = daraja.reversals
    assert asked["TransactionID"] == payment.mpesa_receipt
    assert (asked["Amount"], asked["CommandID"]) == (1500, "TransactionReversal")
    assert daraja.payouts == []
    after = shop.paid_out(record, receipt="UKL7REVERS")
    assert (after.status, after.receipt) == ("completed", "UKL7REVERS")


def test_a_part_goes_by_b2c_to_the_phone_that_paid(
    shop: Shop, shopper: Account, payment: Payment, daraja: FakeDaraja
) -> None:
    record = shop.refund(shopper, payment, 1499)
    assert record.channel == "b2c"
    assert "part" in record.channel_why
    [asked] = daraja.payouts
    assert (asked["PartyB"], asked["Amount"], asked["Remarks"]) == ("254712345678", 1499, "Broken")


def test_the_rest_goes_by_b2c_too(shop: Shop, shopper: Account, payment: Payment) -> None:
    shop.paid_out(shop.refund(shopper, payment, 500))
    assert shop.refund(shopper, payment, 1000).channel == "b2c"


@pytest.mark.parametrize(
    ("setting", "hours", "channel"),
    [(24, 23, "reversal"), (24, 25, "b2c"), (0, 0, "b2c"), (72, 71, "reversal")],
)
def test_an_old_payment_goes_by_b2c(
    shop: Shop, shopper: Account, payment: Payment, setting: int, hours: int, channel: str
) -> None:
    shop.set(refund_reversal_hours=setting)
    with later(hours * HOUR):
        assert ask(shop, shopper, payment, 1500).channel == channel


def test_a_payment_whose_receipt_is_not_known_goes_by_b2c(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, receipt=None)
    shop.callback(body, token=payment.callback_token)
    shop.daraja.query_answer = ended("0")
    with later(20):
        shop.sweep()
    assert shop.fresh(payment).mpesa_receipt is None
    record = ask(shop, shopper, shop.fresh(payment), 1500)
    assert record.channel == "b2c"
    assert "receipt" in record.channel_why


@pytest.mark.parametrize("code", ["R000002", 21, 2006])
def test_what_m_pesa_did_not_reverse_is_not_tried_by_reversal_again(
    shop: Shop, shopper: Account, payment: Payment, code: object
) -> None:
    shop.declined(shop.refund(shopper, payment, 1500), code)
    record = shop.refund(shopper, payment, 1500)
    assert record.channel == "b2c"
    assert "declined to reverse" in record.channel_why


def test_a_payment_that_somebody_has_reversed_already_goes_before_a_person(
    shop: Shop, shopper: Account, payment: Payment
) -> None:
    """Its money went back, but not by this request: neither yes nor no."""
    after = shop.declined(shop.refund(shopper, payment, 1500), "R000001")
    assert (after.status, after.review_reason) == ("processing", "already_reversed")
    assert after.needs_review
    assert shop.ask_refund(shopper, payment, 10).status_code == 409


@pytest.mark.parametrize(
    ("price", "amount", "goes"), [(5, 5, True), (15, 9, False), (15, 10, True)]
)
def test_what_b2c_does_not_pay_is_refused_with_the_reason(
    shop: Shop, shopper: Account, price: int, amount: int, goes: bool
) -> None:
    payment = shop.completed(shopper, price=price)
    answer = shop.ask_refund(shopper, payment, amount)
    if goes:
        assert answer.status_code == 202
        return
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (400, "AMOUNT_TOO_LOW")
    assert "KES 10" in body["message"]
    assert "part" in body["message"], "and why it does not go by reversal"
    assert shop.outs() == []


# With whose yes.


@pytest.mark.parametrize(
    ("limit", "amount", "status"),
    [(None, 1500, "processing"), (500, 500, "processing"), (500, 501, "awaiting_approval")],
)
def test_a_shopper_s_refund_above_the_limit_waits_for_an_admin(
    shop: Shop, shopper: Account, payment: Payment, limit: int | None, amount: int, status: str
) -> None:
    shop.set(refund_auto_approve_limit=limit)
    assert shop.refund(shopper, payment, amount).status == status


@pytest.mark.parametrize(
    ("payout_limit", "status"),
    [(None, "processing"), (1000, "processing"), (999, "awaiting_approval")],
)
def test_an_admin_s_own_refund_is_released_up_to_what_admins_may_pay_out(
    shop: Shop, shopper: Account, admin: Account, payout_limit: int | None, status: str
) -> None:
    payment = shop.completed(shopper)
    shop.set(refund_auto_approve_limit=0, payout_approval_above=payout_limit)
    assert shop.refund(admin, payment, 1000).status == status


def test_somebody_else_s_payment_is_not_there(
    shop: Shop, other_shopper: Account, payment: Payment
) -> None:
    """E2."""
    answer = shop.ask_refund(other_shopper, payment, 100)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")
    assert shop.outs() == []


# Money that waits for a decision.


def test_money_that_goes_back_is_not_the_order_s_any_more(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, amount=1000)
    shop.callback(body, token=payment.callback_token)
    assert len(shop.questions()) == 1
    record = shop.refund(shopper, payment, 1000)
    [credit] = shop.credits()
    assert (credit.decision, credit.decided_by) == ("set_aside", f"person {shopper.id}")
    assert record.public_ref in (credit.decided_why or "")
    assert shop.questions() == []
    shop.paid_out(record)
    assert shop.balances() == {}, "it came in for nothing, and is gone"


def test_money_that_nobody_owes_any_more_is_told_apart_in_the_books(
    shop: Shop, shopper: Account
) -> None:
    short = shop.prompted(shopper)
    shop.callback(paid(short.checkout_request_id, amount=1000), token=short.callback_token)
    record = shop.refund(shopper, short, 400)
    shop.paid_out(record)
    assert shop.balances() == {Books.MPESA: 60_000, Books.UNPLACED: -60_000}


# Repetitions.


def test_a_refund_repeated_by_its_key_is_asked_once(
    shop: Shop, shopper: Account, other_shopper: Account, payment: Payment, daraja: FakeDaraja
) -> None:
    """D2."""
    key = {"Idempotency-Key": "one refund"}
    first = shop.ask_refund(shopper, payment, 700, **key)
    again = shop.ask_refund(shopper, payment, 700, **key)
    assert (again.data, again.headers["Idempotency-Replayed"]) == (first.data, "true")
    assert shop.ask_refund(shopper, payment, 701, **key).status_code == 422
    assert shop.ask_refund(other_shopper, payment, 700, **key).status_code == 404
    assert len(shop.outs()) == len(daraja.moves) == 1


def test_a_repetition_at_the_same_moment_is_told_to_wait(
    shop: Shop, shopper: Account, payment: Payment, daraja: FakeDaraja
) -> None:
    """D2."""
    key = {"Idempotency-Key": "one refund"}
    said = together(5, lambda _: shop.ask_refund(shopper, payment, 700, **key).status_code)
    assert set(said) <= {202, 409}
    assert len(shop.outs()) == len(daraja.moves) == 1


def test_a_request_whose_process_died_goes_on_with_the_refund_that_it_had_begun(
    shop: Shop, shopper: Account, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A5, D2."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    key = {"Idempotency-Key": "one refund"}
    with monkeypatch.context() as dying:
        dying.setattr("app.disbursements.engine.send_now", die)
        with pytest.raises(KeyboardInterrupt):
            shop.ask_refund(shopper, payment, 700, **key)
    monkeypatch.setattr("app.core.idempotency.LEASE_SECONDS", 0)
    answer = shop.ask_refund(shopper, payment, 700, **key)
    [record] = shop.outs()
    assert answer.get_json()["refund_id"] == record.public_ref
    assert len(shop.daraja.moves) == 1


def test_a_late_success_of_a_refund_that_was_paid_anew_goes_before_a_person(
    shop: Shop, shopper: Account, payment: Payment
) -> None:
    """Daraja contradicts itself, and more has gone back than came: the books say so."""
    first = shop.refund(shopper, payment, 1000)
    shop.declined(first)
    second = shop.refund(shopper, payment, 1000)
    shop.paid_out(second)
    after = shop.paid_out(first)
    assert (after.status, after.review_reason) == ("completed", "paid_after_all")
    [violation] = shop.violations()
    assert (violation.rule, violation.subject) == (
        "I3 refunded is not more than paid",
        payment.public_ref,
    )
    # That is the truth, and stays in the books.
    shop.written_by_hand = True


def test_results_in_words_reach_whoever_reads_the_payment(
    shop: Shop, shopper: Account, payment: Payment
) -> None:
    shop.refund(shopper, payment, 1000, "It was broken")
    [line] = [one for one in shop.timeline(payment) if one.event == "refund_asked"]
    assert line.why.endswith("KES 1,000, queued")
    assert line.actor == f"person {shopper.id}"


@pytest.mark.parametrize("status", ["Completed", "Declined"])
def test_a_reversal_that_is_silent_is_found_out_about(
    shop: Shop, shopper: Account, payment: Payment, status: str
) -> None:
    record = shop.refund(shopper, payment, 1500)
    with later(60):
        shop.sweep_out()
        shop.result(results.status_told(record, status), query=shop.question_token())
    assert shop.out(record).status == {"Completed": "completed", "Declined": "failed"}[status]
