"""The books against a simulator's ledger, which is the truth about money that moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import requests
from sqlalchemy import select

from app.core.money import cents_from_shillings, kes
from app.extensions import db
from app.invariants.rules import Violation, each
from app.payments.models import Credit, Payment

_LEDGER_PAGE = 1000


def read_ledger(root: str) -> dict[str, int]:
    """Return what a simulator's ledger says was moved, in cents, by CheckoutRequestID.

    What was paid by hand has none: that stands under its receipt.

    Raises requests' errors, ValueError or KeyError when it cannot be read.
    """
    moved: dict[str, int] = {}
    offset = 0
    while True:
        where = {"limit": str(_LEDGER_PAGE), "offset": str(offset)}
        answer = requests.get(f"{root}/simulator/api/ledger", params=where, timeout=30)
        answer.raise_for_status()
        page = answer.json()
        for entry in page["entries"]:
            name = entry["checkout_request_id"] or entry["receipt"]
            moved[name] = moved.get(name, 0) + cents_from_shillings(entry["amount"])
        offset += len(page["entries"])
        if not page["entries"] or offset >= page["total"]:
            return moved


def against_ledger(moved: Mapping[str, int]) -> Iterator[Violation]:
    """I1 in full: what each prompt moved, by the ledger's word, is what it is credited with."""
    rule = "I1 credit equals what moved"
    seen = set()
    for payment in each(select(Payment).where(Payment.checkout_request_id.is_not(None))):
        seen.add(payment.checkout_request_id)
        really, booked = moved.get(payment.checkout_request_id, 0), payment.received_cents or 0
        if really != booked:
            told = f"is credited {kes(booked)}, and {kes(really)} were moved"
            yield Violation(rule, payment.public_ref, told)
    for name in moved.keys() - seen:
        by_hand = select(Credit.amount_cents).where(
            Credit.receipt == name, Credit.payment_id.is_(None)
        )
        if db.session.scalar(by_hand) != moved[name]:
            yield Violation(rule, name, f"moved {kes(moved[name])} that nobody is credited")
