"""Settling by hand: what the statement shows and Daraja does not say, by two people."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest

from app.accounts.models import Person
from app.accounts.roles import Role
from app.audit.models import AuditEntry
from app.core.clock import now
from app.core.errors import Conflict, Forbidden, LipaError, ValidationError
from app.extensions import db
from app.payments import by_hand
from app.payments.models import ManualSettlement, Payment
from app.payments.states import Proposal, Status
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import paid, unpaid
from tests.support.staff import staff

RECEIPT = "UKL5HAND01"
SEEN = "Line 14 of the statement of 21 November, from this phone"


@pytest.fixture
def operator(shop: Shop) -> Account:
    return staff(shop, "njeri", Role.OPERATOR)


@pytest.fixture
def approver(shop: Shop) -> Account:
    return staff(shop, "baraka", Role.APPROVER)


@pytest.fixture
def failed(shop: Shop, shopper: Account) -> Payment:
    """KES 1,500 of which Daraja says that they were not paid."""
    payment = shop.prompted(shopper)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    return shop.fresh(payment)


def propose(shop: Shop, who: Account, payment: Payment, **changes: Any) -> int:
    said: dict[str, Any] = {
        "receipt": RECEIPT,
        "amount_cents": 150_000,
        "paid_at": now(),
        "seen": SEEN,
    }
    said |= changes
    with shop.app.app_context():
        person = db.session.get_one(Person, who.id)
        return by_hand.propose(payment.public_ref, person, **said).id


def approve(shop: Shop, who: Account, settlement_id: int) -> None:
    with shop.app.app_context():
        by_hand.approve(settlement_id, db.session.get_one(Person, who.id))


def refuse(shop: Shop, who: Account, settlement_id: int, why: str = "Not there") -> None:
    with shop.app.app_context():
        by_hand.refuse(settlement_id, db.session.get_one(Person, who.id), why)


def state_of(shop: Shop, settlement_id: int) -> str:
    with shop.app.app_context():
        return db.session.get_one(ManualSettlement, settlement_id).state


def deeds(shop: Shop) -> list[str]:
    with shop.app.app_context():
        return [row.action for row in db.session.query(AuditEntry).order_by(AuditEntry.id)]


def test_two_people_settle_what_the_statement_shows(
    shop: Shop, shopper: Account, operator: Account, approver: Account, failed: Payment
) -> None:
    proposal = propose(shop, operator, failed)
    assert shop.credits() == []
    [question] = shop.questions()
    assert (question.kind, question.payment and question.payment.id) == (
        "settlement_proposed",
        failed.id,
    )
    approve(shop, approver, proposal)
    settled = shop.fresh(failed)
    assert (settled.status, settled.mpesa_receipt) == (Status.COMPLETED, RECEIPT)
    assert shop.questions() == []
    [credit] = shop.credits()
    assert (credit.amount_cents, credit.evidence) == (150_000, "hand, from the statement")
    events = [entry.event for entry in shop.timeline(failed)]
    assert events[-2:] == ["settlement_proposed", "settled_by_hand"]
    assert shop.timeline(failed)[-1].actor == f"person {approver.id}"
    assert deeds(shop) == ["payment.settlement_proposed", "payment.settled_by_hand"]


def test_whoever_proposed_it_does_not_agree_to_it(
    shop: Shop, admin: Account, failed: Payment
) -> None:
    proposal = propose(shop, admin, failed)
    with pytest.raises(Forbidden):
        approve(shop, admin, proposal)
    assert shop.credits() == []
    assert state_of(shop, proposal) == Proposal.WAITING


def test_of_two_who_agree_at_once_one_settles(
    shop: Shop, operator: Account, approver: Account, admin: Account, failed: Payment
) -> None:
    proposal = propose(shop, operator, failed)

    def agree(number: int) -> str:
        try:
            approve(shop, (approver, admin)[number], proposal)
        except Conflict:
            return "late"
        return "settled"

    assert sorted(together(2, agree)) == ["late", "settled"]
    assert len(shop.credits()) == 1
    assert deeds(shop).count("payment.settled_by_hand") == 1


def test_a_callback_with_the_same_receipt_is_the_same_money(
    shop: Shop, operator: Account, approver: Account, failed: Payment
) -> None:
    approve(shop, approver, propose(shop, operator, failed))
    body = paid(failed.checkout_request_id, receipt=RECEIPT)
    shop.callback(body, token=failed.callback_token)
    assert len(shop.credits()) == 1
    assert shop.inbox()[-1].verdict == "repeated: the payment is completed"
    assert shop.questions() == []


def test_a_callback_with_another_receipt_is_a_second_credit_before_a_person(
    shop: Shop, operator: Account, approver: Account, failed: Payment
) -> None:
    approve(shop, approver, propose(shop, operator, failed))
    body = paid(failed.checkout_request_id, receipt="UKL5OTHER1")
    shop.callback(body, token=failed.callback_token)
    shop.callback(body, token=failed.callback_token)
    assert [(credit.receipt, credit.standing) for credit in shop.credits()] == [
        (RECEIPT, "exact"),
        ("UKL5OTHER1", "second"),
    ]
    [question] = shop.questions()
    assert question.kind == "second_money"
    assert shop.fresh(failed).mpesa_receipt == RECEIPT


def test_another_receipt_with_one_proof_only_asks_a_person(
    shop: Shop, operator: Account, approver: Account, failed: Payment
) -> None:
    approve(shop, approver, propose(shop, operator, failed))
    body = paid(failed.checkout_request_id, receipt="UKL5OTHER1")
    shop.callback(body, token=failed.callback_token, peer="203.0.113.9")
    assert len(shop.credits()) == 1
    [question] = shop.questions()
    assert question.kind == "receipt_differs"


def test_a_receipt_that_m_pesa_proves_to_be_another_s_is_noticed(
    shop: Shop, other_shopper: Account, operator: Account, approver: Account, failed: Payment
) -> None:
    approve(shop, approver, propose(shop, operator, failed))
    other = shop.prompted(other_shopper)
    shop.callback(paid(other.checkout_request_id, receipt=RECEIPT), token=other.callback_token)
    assert shop.fresh(other).mpesa_receipt == RECEIPT
    [question] = shop.questions()
    assert (question.kind, question.payment and question.payment.id) == (
        "hand_withdrawn",
        failed.id,
    )


def test_less_than_was_asked_for_is_short_money(
    shop: Shop, operator: Account, approver: Account, failed: Payment
) -> None:
    approve(shop, approver, propose(shop, operator, failed, amount_cents=100_000))
    assert shop.fresh(failed).status == Status.REVIEW
    [question] = shop.questions()
    assert (question.kind, question.amount_cents) == ("short_money", 100_000)


def test_what_daraja_settles_first_is_not_settled_by_hand(
    shop: Shop, operator: Account, approver: Account, failed: Payment
) -> None:
    proposal = propose(shop, operator, failed)
    body = paid(failed.checkout_request_id, receipt="UKL5OTHER1")
    shop.callback(body, token=failed.callback_token)
    with pytest.raises(Conflict, match="has come in already"):
        approve(shop, approver, proposal)
    assert [credit.receipt for credit in shop.credits()] == ["UKL5OTHER1"]
    refuse(shop, approver, proposal)
    assert shop.questions() == []


def test_a_receipt_that_is_credited_meanwhile_is_not_credited_again(
    shop: Shop, other_shopper: Account, operator: Account, approver: Account, failed: Payment
) -> None:
    proposal = propose(shop, operator, failed)
    other = shop.prompted(other_shopper)
    shop.callback(paid(other.checkout_request_id, receipt=RECEIPT), token=other.callback_token)
    with pytest.raises(Conflict, match="credited elsewhere"):
        approve(shop, approver, proposal)
    assert len(shop.credits()) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"receipt": "short"}, "receipt"),
        ({"receipt": "UKL0000000"}, "receipt"),
        ({"receipt": "UKL5'; --1"}, "receipt"),
        ({"seen": "I saw it"}, "seen"),
        ({"seen": "x" * 501}, "seen"),
        ({"paid_at": now() + timedelta(days=400)}, "when"),
    ],
)
def test_a_proposal_without_evidence_is_refused(
    shop: Shop, operator: Account, failed: Payment, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        propose(shop, operator, failed, **changes)
    assert refused.value.details == {"field": field}
    assert deeds(shop) == []


def test_a_payment_whose_prompt_is_open_or_whose_money_came_is_not_settled_by_hand(
    shop: Shop, shopper: Account, other_shopper: Account, operator: Account
) -> None:
    done, live = shop.completed(other_shopper), shop.prompted(shopper)
    for payment in (done, live):
        with pytest.raises(Conflict):
            propose(shop, operator, payment)
    with pytest.raises(Conflict, match=done.public_ref), later(300):
        propose(shop, operator, live, receipt=done.mpesa_receipt)
    with later(300):
        assert propose(shop, operator, live)


def test_one_proposal_at_a_time_waits_for_a_payment_and_for_a_receipt(
    shop: Shop, other_shopper: Account, operator: Account, approver: Account, failed: Payment
) -> None:
    other = shop.prompted(other_shopper)
    shop.callback(unpaid(other.checkout_request_id), token=other.callback_token)
    first = propose(shop, operator, failed)
    for payment, receipt in ((failed, secrets.token_hex(5).upper()), (other, RECEIPT)):
        with pytest.raises(Conflict, match="waits for a yes already"):
            propose(shop, operator, payment, receipt=receipt)
    refuse(shop, approver, first, "Line 14 is somebody else's")
    assert state_of(shop, first) == Proposal.REFUSED
    assert shop.timeline(failed)[-1].why == "Line 14 is somebody else's"
    assert propose(shop, operator, other)


def test_nobody_settles_by_a_proposal_whose_time_is_over(
    shop: Shop, operator: Account, approver: Account, failed: Payment
) -> None:
    proposal = propose(shop, operator, failed)
    with later(25 * 3600):
        with pytest.raises(Conflict):
            approve(shop, approver, proposal)
        shop.sweep()
        assert state_of(shop, proposal) == Proposal.LAPSED
        assert shop.credits() == []
        assert propose(shop, operator, failed)
    assert "payment.settlement_lapsed" in deeds(shop)


def test_a_stranger_to_approvals_refuses_only_their_own(
    shop: Shop, operator: Account, failed: Payment
) -> None:
    colleague = staff(shop, "kip", Role.OPERATOR)
    proposal = propose(shop, operator, failed)
    with pytest.raises(LipaError):
        refuse(shop, colleague, proposal)
    refuse(shop, operator, proposal, "I misread it")
    assert state_of(shop, proposal) == Proposal.REFUSED


def test_a_phone_in_the_evidence_is_not_kept_whole(
    shop: Shop, operator: Account, failed: Payment
) -> None:
    proposal = propose(shop, operator, failed, seen="Paid by 0712345678, line 14 of it")
    with shop.app.app_context():
        assert "0712345678" not in db.session.get_one(ManualSettlement, proposal).seen
