"""Money that went out, against a simulator's ledger, which is the truth about what left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
from sqlalchemy import select

from app.core.money import CENTS, kes
from app.disbursements.models import Channel, Disbursement
from app.disbursements.states import SENT
from app.invariants.rules import Violation, each
from app.mpesa.phone import masked

RULE = "I7 what left is what was asked for"
_LEDGER_PAGE = 1000


@dataclass(frozen=True)
class Movement:
    """Money that left a shop, in cents, and the names under which a simulator tells of it."""

    receipt: str
    originator_id: str
    conversation_id: str
    phone: str
    amount_cents: int
    charge_cents: int
    #: What a reversal took back.
    original_receipt: str | None


def read_money_out(root: str) -> list[Movement]:
    """Return what a simulator's ledger says has left.

    Raises requests' errors, ValueError or KeyError when it cannot be read.
    """
    found: list[Movement] = []
    while True:
        where = {"limit": str(_LEDGER_PAGE), "offset": str(len(found))}
        answer = requests.get(f"{root}/simulator/api/ledger", params=where, timeout=30)
        answer.raise_for_status()
        page = answer.json()
        # A ledger from before money went out knows of none.
        rows = page.get("money_out", [])
        found += [_movement(row) for row in rows]
        if not rows or len(found) >= page["total_out"]:
            return found


def against_money_out(moved: Sequence[Movement]) -> Iterator[Violation]:
    """I7 in full: what is completed left once, to its number; nothing else left.

    Of what nobody knows the end of, any end is right, as long as it did not leave twice.
    """
    ledger = _Ledger(moved)
    nameless = []
    for record in each(select(Disbursement)):
        own = ledger.take(_names(record))
        yield from _problems(record, own)
        if not own and record.status in SENT and record.conversation_id is None:
            nameless.append(record)
    for record in nameless:
        yield from _problems(record, ledger.take_likely(record))
    for movement in ledger.left():
        told = f"moved {kes(movement.amount_cents)} that nobody has asked for"
        yield Violation(RULE, movement.conversation_id, told)


class _Ledger:
    """The movements that no record has been found for yet."""

    def __init__(self, moved: Sequence[Movement]) -> None:
        self._left = dict(enumerate(moved))
        self._by_name: dict[str, set[int]] = defaultdict(set)
        for number, movement in self._left.items():
            for name in (movement.receipt, movement.originator_id, movement.conversation_id):
                self._by_name[name].add(number)

    def take(self, names: set[str]) -> list[Movement]:
        """Take out what goes by one of these names."""
        numbers = set().union(*(self._by_name.get(name, set()) for name in names))
        return [self._left.pop(number) for number in sorted(numbers & self._left.keys())]

    def take_likely(self, record: Disbursement) -> list[Movement]:
        """Take out what a request of which no answer came must have moved, if anything."""
        for number, movement in self._left.items():
            if _may_be_of(movement, record):
                return [self._left.pop(number)]
        return []

    def left(self) -> Iterator[Movement]:
        yield from self._left.values()


def _movement(row: dict[str, Any]) -> Movement:
    return Movement(
        receipt=row["receipt"],
        originator_id=row["originator_conversation_id"],
        conversation_id=row["conversation_id"],
        phone=row["msisdn"],
        amount_cents=_cents(row["amount"]),
        charge_cents=_cents(row["charge"]),
        original_receipt=row["original_receipt"],
    )


def _cents(shillings: object) -> int:
    # Exactly: charges have cents, and a reversal has a charge of nothing.
    cents = Decimal(str(shillings)) * CENTS
    if cents != cents.to_integral_value():
        raise ValueError(f"{shillings} shillings are no whole cents")
    return int(cents)


def _names(record: Disbursement) -> set[str]:
    names = (record.originator_id, record.daraja_originator_id, record.conversation_id)
    return {name for name in (*names, record.receipt) if name}


def _may_be_of(movement: Movement, record: Disbursement) -> bool:
    """Tell whether a record can have moved this although no name says so.

    Our own id does not travel with a reversal, nor with B2C v1.
    """
    if record.channel == Channel.REVERSAL:
        receipt = record.receipt_back
        return receipt is not None and movement.original_receipt == receipt
    same = (movement.phone, movement.amount_cents) == (record.msisdn, record.amount_cents)
    return same and movement.original_receipt is None


def _problems(record: Disbursement, own: list[Movement]) -> Iterator[Violation]:
    cents = sum(movement.amount_cents for movement in own)
    if len(own) > 1:
        yield Violation(RULE, record.public_ref, f"moved {len(own)} times, {kes(cents)} in all")
    if record.is_completed and not own:
        yield Violation(RULE, record.public_ref, "is completed, and nothing left")
    if own and not (record.is_completed or record.status in SENT):
        yield Violation(RULE, record.public_ref, f"is {record.status}, and {kes(cents)} left")
    for movement in own:
        yield from _differences(record, movement)


def _differences(record: Disbursement, movement: Movement) -> Iterator[Violation]:
    # Money paid by hand is reversed to whoever paid it, and nobody has told the number.
    if record.msisdn and movement.phone != record.msisdn:
        told = f"was asked for to {masked(record.msisdn)}, and left to {masked(movement.phone)}"
        yield Violation(RULE, record.public_ref, told)
    if movement.amount_cents != record.amount_cents:
        told = f"is {kes(record.amount_cents)}, and {kes(movement.amount_cents)} left"
        yield Violation(RULE, record.public_ref, told)
    if record.charge_cents not in (None, movement.charge_cents):
        told = f"is charged {kes(record.charge_cents or 0)}, not {kes(movement.charge_cents)}"
        yield Violation(RULE, record.public_ref, told)
