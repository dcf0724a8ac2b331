"""What a person finds out about money that Daraja does not speak of, with evidence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.accounts.models import Person
from app.core.errors import Conflict, ValidationError
from app.disbursements import deciding
from app.disbursements.models import Disbursement
from app.extensions import db
from tests.support import results
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import reset

EVIDENCE = "The statement of 21 November shows it"


@pytest.fixture
def unknown(shop: Shop, admin: Account) -> Disbursement:
    """A payout of which nobody knows whether it was made."""
    shop.daraja.out_answer = reset
    record = shop.payout(admin)
    shop.daraja.out_answer = shop.daraja.accept_out
    assert record.status == "unknown"
    return record


def decide(shop: Shop, who: Account, act: Callable[..., None], record: object, *words: str) -> None:
    with shop.app.app_context():
        found = db.session.get_one(Disbursement, getattr(record, "id", record))
        act(found, db.session.get_one(Person, who.id), *words)


def test_a_person_with_a_receipt_says_that_it_was_paid(
    shop: Shop, admin: Account, unknown: Disbursement
) -> None:
    decide(shop, admin, deciding.declare_paid, unknown, " ukl6byhand ", EVIDENCE)
    after = shop.out(unknown)
    assert (after.status, after.receipt, after.needs_review) == ("completed", "UKL6BYHAND", False)
    line = shop.out_timeline(unknown)[-1]
    assert (line.event, line.actor) == ("confirmed", f"person {admin.id}")
    assert EVIDENCE in line.why


def test_a_person_who_has_looked_says_that_it_was_not_paid(
    shop: Shop, admin: Account, unknown: Disbursement
) -> None:
    decide(shop, admin, deciding.declare_not_paid, unknown, EVIDENCE)
    after = shop.out(unknown)
    assert (after.status, after.next_check_at, after.needs_review) == ("failed", None, False)
    assert shop.balances() == {}
    assert shop.paid_out(unknown).review_reason == "paid_after_all", "and may have been wrong"


@pytest.mark.parametrize("receipt", ["", "short", "UKL0000000", "nothing like it", "x" * 30])
def test_without_a_readable_receipt_nothing_is_called_paid(
    shop: Shop, admin: Account, unknown: Disbursement, receipt: str
) -> None:
    with pytest.raises(ValidationError):
        decide(shop, admin, deciding.declare_paid, unknown, receipt, EVIDENCE)
    assert shop.out(unknown).status == "unknown"


@pytest.mark.parametrize("words", ["", "   ", "x" * 501])
def test_without_evidence_in_words_nothing_is_decided(
    shop: Shop, admin: Account, unknown: Disbursement, words: str
) -> None:
    with pytest.raises(ValidationError):
        decide(shop, admin, deciding.declare_paid, unknown, "UKL6BYHAND", words)
    with pytest.raises(ValidationError):
        decide(shop, admin, deciding.declare_not_paid, unknown, words)
    assert shop.out(unknown).status == "unknown"


def test_the_receipt_of_other_money_is_no_evidence(
    shop: Shop, shopper: Account, admin: Account, unknown: Disbursement
) -> None:
    """I2."""
    other, payment = shop.paid_out(shop.payout(admin)), shop.completed(shopper)
    for holder, receipt in ((other, other.receipt), (payment, payment.mpesa_receipt)):
        with pytest.raises(Conflict, match=holder.public_ref):
            decide(shop, admin, deciding.declare_paid, unknown, receipt or "", EVIDENCE)
    assert shop.out(unknown).status == "unknown"


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled", "queued"])
def test_where_nobody_has_to_find_out_nobody_decides(shop: Shop, admin: Account, end: str) -> None:
    record = shop.payout(admin)
    if end == "completed":
        shop.paid_out(record)
    elif end == "failed":
        shop.declined(record)
    else:
        shop.set(payout_approval_above=0)
        record = shop.payout(admin)
        shop.decide(admin, record, "cancel")
    for act, words in (
        (deciding.declare_paid, ("UKL6BYHAND", EVIDENCE)),
        (deciding.declare_not_paid, (EVIDENCE,)),
    ):
        with pytest.raises(Conflict):
            decide(shop, admin, act, record, *words)


def test_two_people_who_decide_at_once_decide_once(
    shop: Shop, admin: Account, unknown: Disbursement
) -> None:
    def act(number: int) -> str:
        try:
            if number % 2:
                decide(shop, admin, deciding.declare_paid, unknown, "UKL6BYHAND", EVIDENCE)
            else:
                decide(shop, admin, deciding.declare_not_paid, unknown, EVIDENCE)
        except Conflict:
            return "too late"
        return "decided"

    together(4, act)
    assert shop.out(unknown).status in ("completed", "failed")


def test_a_flag_is_taken_off_by_who_has_looked(shop: Shop, admin: Account) -> None:
    record = shop.payout(admin)
    shop.proven(record, results.paid_out(record, amount=4999))
    assert shop.out(record).needs_review
    decide(shop, admin, deciding.acknowledge, record, "Daraja's slip")
    after = shop.out(record)
    assert (after.needs_review, after.review_reason) == (False, "amount_differs")
    assert shop.out_events(record)[-1] == "seen"
    with pytest.raises(Conflict):
        decide(shop, admin, deciding.acknowledge, record, "Again")


def test_what_has_no_end_is_not_acknowledged_away(
    shop: Shop, admin: Account, unknown: Disbursement
) -> None:
    for number in (1, 2, 3):
        with later(3700 * number):
            shop.sweep_out()
    assert shop.out(unknown).needs_review
    with pytest.raises(Conflict):
        decide(shop, admin, deciding.acknowledge, unknown, "I am tired of it")
    assert shop.out(unknown).needs_review


def test_a_number_in_the_evidence_is_masked_in_the_timeline(
    shop: Shop, admin: Account, unknown: Disbursement
) -> None:
    """I10."""
    words = "0722000111 says that it came"
    decide(shop, admin, deciding.declare_paid, unknown, "UKL6BYHAND", words)
    assert "0722***111 says that it came" in shop.out_timeline(unknown)[-1].why
