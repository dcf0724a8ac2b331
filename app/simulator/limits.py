"""What one payer may do: the documented limits that hold only where they are switched on."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from app.simulator.clock import NAIROBI
from app.simulator.records import MOVEMENTS_IN, LedgerEntry, PushRequest

MOST_A_DAY_CENTS: Final = 500_000_00
SAME_AMOUNT_APART: Final = timedelta(minutes=2)
RULE_LIMITED: Final = "17"
ABOVE_DAILY_LIMIT: Final = "4"


def limit_reached(
    newest_first: Iterable[LedgerEntry], push: PushRequest, now: datetime
) -> str | None:
    """The code by which this payment would be declined, in view of what the payer paid today."""
    midnight = now.astimezone(NAIROBI).replace(hour=0, minute=0, second=0, microsecond=0)
    spent = push.amount_cents
    for entry in newest_first:
        if entry.moved_at < min(midnight, now - SAME_AMOUNT_APART):
            break
        if entry.kind not in MOVEMENTS_IN or entry.msisdn != push.msisdn:
            continue
        repeats = (entry.shortcode, entry.amount_cents) == (push.party_b, push.amount_cents)
        if repeats and now - entry.moved_at < SAME_AMOUNT_APART:
            return RULE_LIMITED
        if entry.moved_at >= midnight:
            spent += entry.amount_cents
    return ABOVE_DAILY_LIMIT if spent > MOST_A_DAY_CENTS else None
