"""The books against a simulator's ledger, which is the truth about money that moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import requests
from sqlalchemy import select

from app.core.money import cents_from_shillings, kes
from app.invariants.rules import Violation, each
from app.payments.models import Payment

_LEDGER_PAGE = 1000


def read_ledger(root: str) -> dict[str, int]:
    """Return what a simulator's ledger says was moved, in cents, by CheckoutRequestID.

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
            checkout_request_id = entry["checkout_request_id"]
            cents = cents_from_shillings(entry["amount"])
            moved[checkout_request_id] = moved.get(checkout_request_id, 0) + cents
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
    for checkout_request_id in moved.keys() - seen:
        cents = moved[checkout_request_id]
        yield Violation(rule, checkout_request_id, f"moved {kes(cents)} that nobody is credited")
