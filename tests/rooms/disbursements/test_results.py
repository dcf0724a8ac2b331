"""What Daraja posts about money out: kept, understood, and believed only as far as it is proven."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from app.disbursements.models import Disbursement
from app.ledger.models import Account as Books
from tests.support import results
from tests.support.app import STRANGER, Account, Shop, later, together
from tests.support.daraja import FakeDaraja, html, reset
from tests.support.results import RECEIPT

ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}
MINUTE = 60


@pytest.fixture
def record(shop: Shop, admin: Account) -> Disbursement:
    """A payout of KES 5,000 that Daraja has acknowledged."""
    found = shop.payout(admin)
    assert found.status == "processing"
    return found


def is_due(shop: Shop, record: Disbursement) -> bool:
    """Tell whether Daraja is to be asked about it now, by asking."""
    return shop.take_turn(record) == "Daraja is asked"


# With both proofs.


def test_a_proven_success_ends_it_and_everything_it_says_is_kept(
    shop: Shop, record: Disbursement
) -> None:
    after = shop.proven(record, results.paid_out(record, utility=95_000.5))
    assert (after.status, after.receipt, after.result_code) == ("completed", RECEIPT, "0")
    assert after.receiver_name == "254722***111 - JANE DOE"
    assert after.completed_at is not None
    assert after.next_check_at is None
    assert shop.out_events(record)[-1] == "confirmed"
    [reading] = shop.readings()
    assert (reading.utility_cents, reading.working_cents) == (9_500_050, 119_937_100)
    assert reading.charges_cents == -198_000
    assert shop.balances() == {Books.MPESA: -500_000, Books.SUPPLIERS: 500_000}


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (1, "float_short"),
        ("1", "float_short"),
        (2001, "credentials"),
        (2040, "not_on_mpesa"),
        ("SFC_IC0003", "not_on_mpesa"),
        (8, "receiver_limit"),
    ],
)
def test_a_proven_no_ends_it_without_money(
    shop: Shop, record: Disbursement, code: object, failure: str
) -> None:
    after = shop.declined(record, code)
    assert (after.status, after.result_code, after.failure) == ("failed", str(code), failure)
    assert shop.balances() == {}
    assert shop.out_events(record)[-1] == "declined"


@pytest.mark.parametrize("code", [15, 17, 26, 100000001, 7777, "X9", "-1", 0.5])
def test_a_code_that_says_nothing_of_the_money_has_daraja_asked(
    shop: Shop, record: Disbursement, code: object
) -> None:
    after = shop.declined(record, code)
    assert after.status == "processing"
    assert is_due(shop, record)
    assert shop.out(record).status == "unknown"


def test_an_early_result_is_heard_before_the_acknowledgement(shop: Shop, admin: Account) -> None:
    shop.daraja_pays_at_once()
    answer = shop.ask_payout(admin)
    [record] = shop.outs()
    assert (answer.status_code, record.status) == (200, "completed")
    assert answer.get_json()["message"] == "Payout completed"
    assert record.conversation_id is not None, "and the acknowledgement is kept all the same"
    assert shop.out_events(record) == ["asked", "sending", "confirmed", "accepted"]


def test_an_early_refusal_is_not_undone_by_the_acknowledgement(shop: Shop, admin: Account) -> None:
    def decline(asked: dict[str, Any], ids: dict[str, Any]) -> None:
        body = results.result(ids["OriginatorConversationID"], ids["ConversationID"], 1)
        shop.result(body, token=shop.out_of(asked).token)

    shop.daraja.on_out = decline
    answer = shop.ask_payout(admin)
    [record] = shop.outs()
    assert (answer.status_code, record.status, record.failure) == (502, "failed", "float_short")


@pytest.mark.parametrize("lost", [reset, html(502)])
def test_a_result_finds_what_was_sent_without_an_answer(
    shop: Shop, admin: Account, daraja: FakeDaraja, lost: Any
) -> None:
    daraja.out_answer = lost
    record = shop.payout(admin)
    assert (record.status, record.conversation_id) == ("unknown", None)
    assert shop.paid_out(record, conversation_id="AG_of_its_own").status == "completed"


def test_the_same_result_ten_times_at_once_counts_once(shop: Shop, record: Disbursement) -> None:
    body = results.paid_out(record)
    said = together(10, lambda _: shop.result(body, token=record.token).get_json())
    assert said == [ACCEPTED] * 10
    assert len(shop.result_inbox()) == 1
    assert shop.out_events(record).count("confirmed") == 1


def test_ten_different_tellings_at_once_count_once(shop: Shop, record: Disbursement) -> None:
    bodies = [results.paid_out(record, ResultType=number) for number in range(10)]
    together(10, lambda number: shop.result(bodies[number], token=record.token))
    assert shop.out(record).status == "completed"
    assert shop.out_events(record).count("confirmed") == 1
    assert shop.balances() == {Books.MPESA: -500_000, Books.SUPPLIERS: 500_000}


def test_a_late_success_beats_a_failure_and_is_put_before_a_person(
    shop: Shop, record: Disbursement
) -> None:
    shop.declined(record)
    after = shop.paid_out(record)
    assert (after.status, after.failure, after.receipt) == ("completed", None, "UKL6000001")
    assert after.needs_review, "somebody may have paid again"
    assert after.review_reason == "paid_after_all"
    assert shop.balances() == {Books.MPESA: -500_000, Books.SUPPLIERS: 500_000}


def test_a_failure_does_not_beat_a_success(shop: Shop, record: Disbursement) -> None:
    shop.paid_out(record)
    after = shop.declined(record)
    assert (after.status, after.result_code, after.failure) == ("completed", "0", None)
    assert shop.verdicts()[-1] == "ignored: it is completed"
    assert shop.balances() == {Books.MPESA: -500_000, Books.SUPPLIERS: 500_000}


def test_success_and_failure_at_once_end_as_the_success(shop: Shop, record: Disbursement) -> None:
    bodies = [results.paid_out(record), results.declined(record)] * 2
    together(4, lambda number: shop.result(bodies[number], token=record.token))
    assert shop.out(record).status == "completed"


@pytest.mark.parametrize("amount", [4999, 5001, 5000.5, "10"])
def test_another_amount_than_was_sent_is_put_before_a_person(
    shop: Shop, record: Disbursement, amount: object
) -> None:
    after = shop.proven(record, results.paid_out(record, amount=amount))
    assert (after.status, after.review_reason) == ("completed", "amount_differs")
    assert after.needs_review


@pytest.mark.parametrize("amount", ["NaN", True, [], {}, "5,000", None])
def test_an_amount_that_cannot_be_read_is_not_another_amount(
    shop: Shop, record: Disbursement, amount: object
) -> None:
    after = shop.proven(record, results.paid_out(record, amount=amount))
    assert (after.status, after.review_reason) == ("completed", None)


def test_a_receipt_that_is_another_s_is_not_taken_and_put_before_a_person(
    shop: Shop, admin: Account, record: Disbursement
) -> None:
    """I2."""
    first = shop.proven(record, results.paid_out(record, receipt="UKL6SAME01"))
    second = shop.payout(admin)
    after = shop.proven(second, results.paid_out(second, receipt="UKL6SAME01"))
    assert (first.receipt, after.receipt) == ("UKL6SAME01", None)
    assert (after.status, after.review_reason) == ("completed", "receipt_reused")


def test_two_with_one_receipt_at_the_same_moment(shop: Shop, admin: Account) -> None:
    """I2."""
    records = [shop.payout(admin) for _ in range(4)]
    bodies = [results.paid_out(one, receipt="UKL6SAME01") for one in records]
    together(4, lambda number: shop.result(bodies[number], token=records[number].token))
    after = shop.outs()
    assert [one.status for one in after] == ["completed"] * 4
    assert sorted(one.receipt or "" for one in after) == ["", "", "", "UKL6SAME01"]


def test_a_success_that_says_nothing_else_is_believed_and_learns_the_rest_later(
    shop: Shop, record: Disbursement
) -> None:
    bare = results.result(record.originator_id, record.conversation_id)
    assert shop.proven(record, bare).status == "completed"
    assert shop.out(record).receipt is None
    after = shop.paid_out(record)
    assert (after.receipt, after.receiver_name) == ("UKL6000001", "254722***111 - JANE DOE")
    assert shop.verdicts()[-1] == "learned receipt, receiver_name"


def test_a_charge_that_daraja_names_stands_in_the_books(shop: Shop, record: Disbursement) -> None:
    body = results.paid_out(record)
    rows = body["Result"]["ResultParameters"]["ResultParameter"]
    rows.append({"Key": "DebitPartyCharges", "Value": "Fee For B2C Payment|KES|22.40"})
    assert shop.proven(record, body).charge_cents == 2240
    assert shop.balances() == {
        Books.MPESA: -502_240,
        Books.SUPPLIERS: 500_000,
        Books.FEES: 2240,
    }


def test_with_v1_daraja_s_own_name_for_it_is_what_fits(shop: Shop, admin: Account) -> None:
    shop.set(mpesa_b2c_version="v1")
    record = shop.payout(admin)
    assert record.daraja_originator_id not in (None, record.originator_id)
    wrong = results.paid_out(record, originator_id="1c5b-another-s")
    assert shop.proven(record, wrong).status == "processing"
    assert shop.verdicts() == ["its ids are another request's: Daraja is asked"]
    assert shop.paid_out(record).status == "completed"


# Kept before it is understood.


def test_what_was_kept_and_not_acted_on_is_found_by_the_sweep(
    shop: Shop, record: Disbursement
) -> None:
    with mock.patch("app.disbursements.results._act", side_effect=RuntimeError("an accident")):
        assert shop.result(results.paid_out(record), token=record.token).status_code == 200
    [message] = shop.result_inbox()
    assert (message.handled_at, message.tries) == (None, 1)
    assert shop.out(record).status == "processing"
    with later(MINUTE):
        shop.sweep_out()
    assert shop.out(record).status == "completed"
    [message] = shop.result_inbox()
    assert message.handled_at is not None


def test_what_can_never_be_acted_on_is_given_up_in_the_end(
    shop: Shop, record: Disbursement
) -> None:
    with mock.patch("app.disbursements.results._act", side_effect=RuntimeError("an accident")):
        shop.result(results.paid_out(record), token=record.token)
        for hour in range(1, 15):
            with later(hour * 3700):
                shop.sweep_out()
    [message] = shop.result_inbox()
    assert (message.tries, message.handled_at) == (10, None)
    assert message.verdict == "not acted on yet, tried 10x: RuntimeError"


def test_a_body_that_was_not_kept_is_not_acknowledged(shop: Shop, record: Disbursement) -> None:
    broken = mock.patch("app.disbursements.results.transaction", side_effect=RuntimeError("away"))
    with broken:
        assert shop.result(results.paid_out(record), token=record.token).status_code == 500
    assert shop.result_inbox() == []


def test_bodies_without_proof_are_kept_up_to_a_limit(shop: Shop, record: Disbursement) -> None:
    shop.result(results.paid_out(record), token=record.token, peer=STRANGER)
    shop.result(results.paid_out(record))
    for number in range(8):
        shop.result({"Result": {"n": number}}, peer=STRANGER)
    with mock.patch("app.disbursements.results.MOST_UNPROVEN", 5):
        shop.sweep_out()
    kept = shop.result_inbox()
    assert [(one.token_id, one.origin_proven) for one in kept] == [
        (record.id, False),
        (None, True),
        *[(None, False)] * 5,
    ], "what has a proof stays"
    assert b"7" in kept[-1].raw


def test_what_is_told_of_a_phone_is_masked_in_the_timeline(
    shop: Shop, record: Disbursement
) -> None:
    """I10."""
    words = "The credit party 254722000111 is not known; neither is 0722000111."
    body = results.result(record.originator_id, record.conversation_id, 2040, ResultDesc=words)
    shop.proven(record, body)
    [line] = [one for one in shop.out_timeline(record) if one.event == "declined"]
    assert "254722***111" in line.why
    assert "22000111" not in line.why
