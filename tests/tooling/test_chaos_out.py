"""The chaos run's comparison of money out finds each kind of fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from scripts.chaos.out_books import OutFindings, compare_out
from tests.support.out_records import OutBooks, OutRecord

PHONE, PAYER = "254740000001", "254710000001"
Row = dict[str, Any]


def a_record(number: int = 1, **changes: Any) -> OutRecord:
    """A payout of KES 100 that is completed."""
    row: Row = {
        "public_ref": f"PAY{number}",
        "kind": "payout",
        "channel": "b2c",
        "status": "completed",
        "msisdn": PHONE,
        "amount_cents": 10_000,
        "charge_cents": None,
        "sends": 1,
        "held": None,
        "token": f"token{number}",
        "originator_id": f"ours{number}",
        "daraja_originator_id": None,
        "conversation_id": f"AG_{number}",
        "receipt": f"R{number}",
        "review_reason": None,
        "reviewed_at": None,
        "mpesa_receipt": None,
        "payment": None,
        "checkout_request_id": None,
    }
    return OutRecord(**(row | changes))


def a_refund(number: int = 1, **changes: Any) -> OutRecord:
    """A refund of a payment of KES 100, whole."""
    row: Row = {"kind": "refund", "msisdn": PAYER, "mpesa_receipt": "IN1", "payment": "TXN1"}
    return a_record(number, **(row | {"checkout_request_id": "ws1"} | changes))


def left(number: int = 1, **changes: Any) -> Row:
    row: Row = {"originator_conversation_id": f"ours{number}", "conversation_id": f"AG_{number}"}
    row |= {"receipt": f"R{number}", "msisdn": PHONE, "amount": 100, "charge": 22.4}
    return row | {"original_receipt": None} | changes


def came(**changes: Any) -> Row:
    return {"checkout_request_id": "ws1", "msisdn": PAYER, "amount": 100} | changes


def books(records: Sequence[OutRecord], earned: int = 0, **changes: int) -> OutBooks:
    """Books that say of these records what they should, but for ``changes``. All in shillings."""
    held: Counter[str] = Counter(mpesa=earned * 100, sales=-earned * 100)
    for record in records:
        if record.status in ("completed", "unknown", "processing"):
            is_done, is_refund = record.status == "completed", record.kind == "refund"
            purpose = ("refunds" if is_refund else "suppliers") if is_done else "in_transit"
            held[purpose] += record.amount_cents
            held["mpesa"] -= record.amount_cents
        held["fees"] += record.charge_cents or 0
        held["mpesa"] -= record.charge_cents or 0
    for account, shillings in changes.items():
        held[account] += shillings * 100
    return OutBooks(records, held)


def compared(
    records: Sequence[OutRecord], moved: Sequence[Row], earned: int = 0, **changes: int
) -> OutFindings:
    paid = [came()] if earned else []
    return compare_out(books(records, earned, **changes), earned, paid, moved)


def kinds(found: OutFindings) -> list[str]:
    return [offence.kind for offence in found.offences]


def test_books_that_agree_hold_no_offence() -> None:
    records = [
        a_record(1, charge_cents=2240),
        a_record(2, status="unknown", review_reason="no_end", receipt=None),
        a_record(3, status="failed", receipt=None),
        a_record(4, status="queued", held="float_short", receipt=None, conversation_id=None),
        a_record(5, status="awaiting_approval", receipt=None, conversation_id=None),
        a_refund(6),
    ]
    moved = [left(1), left(2), left(6, msisdn=PAYER)]
    found = compared(records, moved, earned=100)
    assert kinds(found) == []
    assert found.figures["payouts completed"] == 1
    assert found.figures["refunds completed"] == 1
    assert found.figures["waiting"] == 1
    assert found.figures["before a person, and left"] == 1
    assert found.figures["shillings left"] == 300


def test_an_unanswered_reversal_is_known_by_what_it_took_back() -> None:
    lost: Row = {
        "conversation_id": None,
        "receipt": None,
        "status": "unknown",
        "review_reason": "x",
    }
    refund = a_refund(channel="reversal", **lost)
    foreign: Row = {"originator_conversation_id": "d", "conversation_id": "AG_d", "receipt": "RD"}
    taken_back = left(**foreign, msisdn=PAYER, original_receipt="IN1")
    assert kinds(compared([refund], [taken_back], earned=100)) == []
    other = taken_back | {"original_receipt": "IN2"}
    assert kinds(compared([refund], [other], earned=100)) == ["unasked"]


WAITS: Row = {"receipt": None, "conversation_id": None}


@pytest.mark.parametrize(
    ("kind", "records", "moved"),
    [
        ("wrong number", [a_record()], [left(msisdn="254740000009")]),
        ("wrong amount", [a_record(charge_cents=1)], [left()]),
        ("unbooked", [a_record(status="failed")], [left()]),
        ("unbooked", [a_record(status="cancelled")], [left()]),
        ("unbooked", [a_record(status="awaiting_approval", **WAITS)], [left()]),
        ("unasked", [], [left()]),
        ("stuck payout", [a_record(status="processing")], []),
        ("stuck payout", [a_record(status="unknown")], [left()]),
    ],
)
def test_each_kind_of_fault_is_found(kind: str, records: list[OutRecord], moved: list[Row]) -> None:
    found = compared(records, moved)
    assert kinds(found) == [kind]
    assert found.offences[0].detail


def test_what_left_twice_or_never_is_found_in_the_accounts_too() -> None:
    again = left(conversation_id="AG_2", receipt="R2")
    assert kinds(compared([a_record()], [left(), again])) == ["paid twice"] + ["unbalanced"] * 2
    assert kinds(compared([a_record()], [])) == ["phantom payout"] + ["unbalanced"] * 2
    more = kinds(compared([a_record()], [left(amount=101)]))
    assert more == ["wrong amount"] + ["unbalanced"] * 2


def test_refunds_that_together_exceed_the_payment_are_found() -> None:
    refunds = [a_refund(1, amount_cents=6_000), a_refund(2, amount_cents=5_000)]
    moved = [left(1, amount=60, msisdn=PAYER), left(2, amount=50, msisdn=PAYER)]
    [offence] = compared(refunds, moved, earned=100).offences
    assert (offence.kind, offence.subject) == ("over-refunded", "TXN1")


def test_a_refund_to_another_phone_than_the_payer_s_is_found() -> None:
    found = compared([a_refund(msisdn=PHONE)], [left()], earned=100)
    assert kinds(found) == ["wrong number"]


@pytest.mark.parametrize(
    ("changes", "accounts"),
    [
        ({"mpesa": 1}, {"trial balance", "mpesa"}),
        ({"suppliers": 1, "mpesa": -1}, {"suppliers", "mpesa"}),
        ({"in_transit": 1, "suppliers": -1}, {"in transit", "suppliers"}),
        ({"fees": 1, "mpesa": -1}, {"fees", "mpesa"}),
        ({"sales": 1, "mpesa": -1}, {"income", "mpesa"}),
    ],
)
def test_accounts_that_do_not_hold_what_moved_are_named(
    changes: dict[str, int], accounts: set[str]
) -> None:
    found = compared([a_record(), a_refund(2)], [left(), left(2, msisdn=PAYER)], 100, **changes)
    assert {offence.subject for offence in found.offences} == accounts
    assert set(kinds(found)) == {"unbalanced"}
