"""Killed while money goes back to a shopper: case A5 for refunds, by B2C and by reversal."""

from __future__ import annotations

import pytest

from tests.crash.databases import on_both, sqlite_only
from tests.crash.paymaster import Paymaster, Request
from tests.crash.till import Sale, Till

PART = 10
ASKED = ["refund.after_commit", "b2c.sent", "record.before_commit"]
TOLD = ["keep.after_commit", "conclude.before_commit", "conclude.after_commit"]


@pytest.fixture
def sale(till: Till) -> Sale:
    return paid_sale(till)


def paid_sale(till: Till) -> Sale:
    sale = till.sell()
    till.started(sale)
    till.act(sale, "pay")
    till.wait_for_calm(sale)
    return sale


def killed(paymaster: Paymaster, sale: Sale, moment: str, *scenarios: str) -> Request:
    """Have the shop die while the whole of a sale is asked back, which is a reversal."""
    for scenario in scenarios:
        paymaster.daraja.arm(scenario, sale.phones[0], times=100)
    return paymaster.killed(moment, paymaster.refund(sale, sale.order.total))


def check_what_is_left(paymaster: Paymaster, sale: Sale, *refunds: Request) -> None:
    """Check that nobody can get more back than was paid and has not gone back yet."""
    rest = sale.order.total - sum(refund.amount for refund in refunds)
    refused = paymaster.refund(sale, rest + 1).insist()
    assert (refused.status, refused.body["details"]) == (409, {"refundable": rest})


@on_both("moments", [(ASKED + TOLD,)], postgresql=[(ASKED[-1:] + TOLD[-1:],)])
def test_a5_parts_of_a_payment_whose_refund_is_killed_go_back_once(
    paymaster: Paymaster, sale: Sale, moments: list[str]
) -> None:
    refunds = []
    for number, moment in enumerate(moments):
        refund = paymaster.refund(sale, PART + number)
        if moment in ASKED:
            paymaster.daraja.arm("no_result", refund.phone)
        paymaster.killed(moment, refund)
        # Whoever heard no answer asks again, and hears of the first one.
        assert refund.insist().status in (200, 202)
        paymaster.wait_until("completed", refund)
        refunds.append(refund)
    check_what_is_left(paymaster, sale, *refunds)
    assert paymaster.told_returned(sale) == sum(refund.amount for refund in refunds)


def test_a5_a_reversal_killed_before_it_is_stored_has_not_happened(
    paymaster: Paymaster, sale: Sale
) -> None:
    refund = killed(paymaster, sale, "refund.before_commit")
    assert paymaster.records(refund) == []
    assert refund.insist().status in (200, 202)
    paymaster.wait_until("completed", refund)
    check_what_is_left(paymaster, sale, refund)


@on_both(
    "moment",
    ["record.after_commit", "keep.after_commit", "conclude.before_commit"],
    postgresql=["record.after_commit"],
)
def test_a5_a_reversal_killed_when_daraja_s_id_is_known_is_found_out(
    paymaster: Paymaster, sale: Sale, moment: str
) -> None:
    scenarios = ["no_result"] if moment.startswith("record") else []
    refund = killed(paymaster, sale, moment, *scenarios)
    paymaster.wait_until("completed", refund)
    assert paymaster.record(refund).channel == "reversal"


@on_both("moment", ["claim.after_commit", "reversal.answered"], postgresql=["reversal.answered"])
def test_a5_a_reversal_of_which_nobody_can_tell_is_before_a_person_and_never_sent_again(
    paymaster: Paymaster, sale: Sale, moment: str
) -> None:
    """Our own id does not travel with a reversal: without an answer there is nothing to ask by."""
    refund = killed(paymaster, sale, moment, "no_result")
    paymaster.wait_until("unknown", refund)
    assert paymaster.record(refund).review_reason == "no_answer"
    assert len(paymaster.moved(refund)) == (moment == "reversal.answered")
    # It may have gone back: nothing of it can be asked for again.
    check_what_is_left(paymaster, sale, refund)
    assert paymaster.told_returned(sale) == 0


@sqlite_only
def test_a5_a_late_result_finds_a_reversal_that_was_killed_on_the_wire(
    paymaster: Paymaster, sale: Sale
) -> None:
    paymaster.daraja.arm("late_result", sale.phones[0], seconds=6)
    refund = killed(paymaster, sale, "reversal.sent")
    paymaster.wait_until("completed", refund)


def test_a10_after_all_these_kills_every_invariant_holds(paymaster: Paymaster) -> None:
    assert paymaster.complaints() == []
