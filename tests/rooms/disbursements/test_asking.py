"""Money of which nothing is heard: Daraja is asked, patiently, and then a person."""

from __future__ import annotations

from typing import Any

import pytest

from app.disbursements import asking
from app.disbursements.models import Disbursement
from tests.support import results
from tests.support.app import STRANGER, Account, Shop, later, together
from tests.support.daraja import FakeDaraja, html, refuse, reset
from tests.support.money_out import TIMEOUT_PATH, secret_of
from tests.support.results import RECEIPT

DAY = 24 * 3600


@pytest.fixture
def record(shop: Shop, admin: Account) -> Disbursement:
    return shop.payout(admin)


def asked(shop: Shop, seconds: float = 60) -> str:
    """Let time pass until Daraja is asked; return the secret of the question."""
    known = len(shop.daraja.status_questions)
    with later(seconds):
        shop.sweep_out()
    assert len(shop.daraja.status_questions) == known + 1
    return shop.question_token()


def test_silence_is_unknown_and_daraja_is_asked_by_our_own_id(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    with later(25):
        assert shop.sweep_out() == 0, "a result may still come"
    token = asked(shop, 31)
    after = shop.out(record)
    assert (after.status, after.checks) == ("unknown", 1)
    [question] = daraja.status_questions
    assert question["OriginalConversationID"] == record.originator_id
    assert (question["PartyA"], question["CommandID"]) == ("600000", "TransactionStatusQuery")
    assert token not in (record.token, None)
    assert shop.out_events(record)[-1] == "went_quiet"
    assert len(daraja.moves) == 1, "and nothing is sent again"


def test_a_completed_transaction_ends_it(shop: Shop, record: Disbursement) -> None:
    token = asked(shop)
    shop.result(results.status_told(record), query=token, peer=STRANGER)
    after = shop.out(record)
    assert (after.status, after.receipt, after.charge_cents) == ("completed", RECEIPT, 2240)
    assert after.next_check_at is None


@pytest.mark.parametrize("status", ["Cancelled", "Declined", "Expired", " declined "])
def test_a_transaction_that_came_to_nothing_ends_it(
    shop: Shop, record: Disbursement, status: str
) -> None:
    shop.result(results.status_told(record, status), query=asked(shop))
    assert shop.out(record).status == "failed"
    assert shop.balances() == {}


@pytest.mark.parametrize(
    "status", ["Initiated", "Authorized", "Pending Authorized", "", None, 7, [], "Completed?"]
)
def test_a_transaction_without_an_end_is_asked_about_again(
    shop: Shop, record: Disbursement, status: object
) -> None:
    shop.result(results.status_told(record, status), query=asked(shop))
    assert shop.out(record).status == "unknown"
    [said] = shop.verdicts()
    assert (said or "").startswith("no end yet")
    asked(shop, 200)


@pytest.mark.parametrize("code", ["SFC_IC0003", 2001, 25, 21, "R000002"])
def test_a_question_that_failed_says_nothing_of_the_money(
    shop: Shop, record: Disbursement, code: object
) -> None:
    """Its own code is about the question, even one that would end a payment."""
    shop.result(results.no_status(code), query=asked(shop))
    assert shop.out(record).status == "unknown"
    assert shop.out_events(record)[-1] == "no_answer_yet"


def test_another_amount_in_the_answer_is_put_before_a_person(
    shop: Shop, record: Disbursement
) -> None:
    shop.result(results.status_told(record, Amount=4999.0), query=asked(shop))
    after = shop.out(record)
    assert (after.status, after.review_reason) == ("completed", "amount_differs")


def test_each_question_has_a_secret_of_its_own_and_only_the_newest_is_heard(
    shop: Shop, record: Disbursement
) -> None:
    first, second = asked(shop), asked(shop, 200)
    assert first != second
    shop.result(results.status_told(record), query=first)
    assert shop.out(record).status == "unknown"
    assert shop.verdicts() == ["an answer that nobody waits for"]
    shop.result(results.status_told(record), query=second)
    assert shop.out(record).status == "completed"


def test_the_secret_of_the_payout_opens_no_answer_to_a_question(
    shop: Shop, record: Disbursement
) -> None:
    asked(shop)
    shop.result(results.status_told(record), query=record.token)
    assert shop.out(record).status == "unknown"


def test_an_answer_that_comes_after_a_refusal_still_counts(
    shop: Shop, record: Disbursement
) -> None:
    """The result said no while Daraja was being asked; the transaction was completed."""
    token = asked(shop)
    assert shop.declined(record).status == "failed"
    shop.result(results.status_told(record), query=token)
    after = shop.out(record)
    assert (after.status, after.review_reason) == ("completed", "paid_after_all")


def test_the_answer_ten_times_at_once_counts_once(shop: Shop, record: Disbursement) -> None:
    token = asked(shop)
    bodies = [results.status_told(record, Number=number) for number in range(10)]
    together(10, lambda number: shop.result(bodies[number], query=token))
    assert shop.out(record).status == "completed"
    assert shop.out_events(record).count("confirmed") == 1


def test_a_question_that_ran_out_of_time_is_asked_again(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    token = asked(shop)
    shop.result(daraja.status_questions[-1], query=token, path=TIMEOUT_PATH)
    assert shop.out(record).status == "unknown"
    asked(shop, 200)


@pytest.mark.parametrize(
    "answer", [reset, html(502), html(403), refuse("Internal Server Error", "500.003.1001")]
)
def test_a_question_that_cannot_be_put_is_noted_and_put_again(
    shop: Shop, record: Disbursement, daraja: FakeDaraja, answer: Any
) -> None:
    daraja.ask_answer = answer
    asked(shop)
    assert shop.out(record).status == "unknown"
    assert shop.out_events(record)[-1] == "not_asked"
    asked(shop, 200)


def test_it_is_asked_ever_more_seldom_and_after_three_times_a_person_is_told(
    shop: Shop, record: Disbursement
) -> None:
    pauses, moment = [], 0.0
    for number in range(1, 9):
        moment += 3700
        asked(shop, moment)
        after = shop.out(record)
        assert after.needs_review == (number >= 3)
        assert after.last_asked_at is not None
        assert after.next_check_at is not None
        pauses.append(round((after.next_check_at - after.last_asked_at).total_seconds()))
    assert pauses == [30, 60, 120, 300, 600, 1800, 3600, 3600]
    assert shop.out_events(record).count("no_end") == 1
    assert shop.out(record).review_reason == "no_end"


def test_asking_ends_and_leaves_it_before_a_person(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    for number in range(1, asking.MAX_CHECKS + 5):
        with later(number * 3700):
            shop.sweep_out()
    after = shop.out(record)
    assert len(daraja.status_questions) == asking.MAX_CHECKS == after.checks
    assert (after.status, after.next_check_at, after.needs_review) == ("unknown", None, True)
    assert len(daraja.moves) == 1
    with shop.app.app_context(), later(40 * DAY):
        assert asking.ask_soon(record.id) == "Daraja is asked"
        shop.sweep_out()
    assert len(daraja.status_questions) == asking.MAX_CHECKS + 1, "a person may have it asked"


def test_however_many_want_to_know_it_is_asked_seldom(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    for number in range(20):
        body = results.result("PAY-nobody-s", "AG_x", number)
        shop.result(body, token=record.token, peer=STRANGER)
        shop.sweep_out()
    assert len(daraja.status_questions) == 1
    asked = shop.out(record)
    assert asked.next_check_at is not None
    assert asked.last_asked_at is not None
    assert 9 < (asked.next_check_at - asked.last_asked_at).total_seconds() < 11


def test_of_many_sweeps_at_once_one_asks(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    with later(60):
        together(5, lambda _: shop.sweep_out())
    assert len(daraja.status_questions) == 1
    assert shop.out(record).checks == 1


def test_what_was_sent_by_v1_is_asked_about_by_daraja_s_own_id(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    shop.set(mpesa_b2c_version="v1")
    record = shop.payout(admin)
    asked(shop)
    assert daraja.status_questions[0]["OriginalConversationID"] == record.daraja_originator_id


def test_what_was_sent_by_v1_and_never_answered_goes_before_a_person(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    shop.set(mpesa_b2c_version="v1")
    daraja.out_answer = reset
    record = shop.payout(admin)
    for hour in (1, 2, 3):
        with later(hour * 3600):
            shop.sweep_out()
    after = shop.out(record)
    assert (after.status, after.review_reason) == ("unknown", "no_answer")
    assert after.needs_review
    assert (daraja.status_questions, len(daraja.moves)) == ([], 1)
    assert shop.paid_out(record).status == "completed", "its result may still come"


def test_a_reversal_is_asked_about_at_the_shortcode_that_collected(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.completed(shopper)
    refund = shop.refund(shopper, payment, payment.amount_cents // 100)
    assert refund.channel == "reversal"
    token = asked(shop)
    [question] = daraja.status_questions
    assert question["PartyA"] == daraja.reversals[0]["ReceiverParty"] == "174379"
    assert question["OriginalConversationID"] == refund.daraja_originator_id
    shop.result(results.status_told(refund), query=token)
    assert shop.out(refund).status == "completed"


def test_no_question_is_put_about_what_has_ended(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    shop.paid_out(record)
    with later(DAY):
        assert shop.sweep_out() == 0
        with shop.app.app_context():
            assert asking.ask_soon(record.id) == "it is completed"
            assert asking.ask(record.id) == "it is completed"
    assert daraja.status_questions == []


def test_settings_that_are_gone_leave_the_question_for_later(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    shop.set(mpesa_b2c_certificate="/nowhere/at-all.cer")
    with later(60):
        shop.sweep_out()
    assert (shop.out(record).checks, daraja.status_questions) == (0, [])
    shop.set(mpesa_b2c_certificate=None)
    asked(shop, 70)


def test_the_addresses_of_a_question_carry_its_own_secret_only(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    token = asked(shop)
    for name in ("ResultURL", "QueueTimeOutURL"):
        address = daraja.status_questions[0][name]
        assert secret_of(address, "query") == token
        assert record.token not in address
