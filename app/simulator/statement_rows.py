"""A shop's accounts as its statement tells them: rows of the ledger, and what stood after each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

from app.simulator.organisations import Organisation
from app.simulator.records import LedgerEntry

Account = Literal["working", "utility", "charges"]
#: As the portal calls them; each has a statement of its own.
ACCOUNTS: Final[Mapping[Account, str]] = MappingProxyType(
    {
        "working": "Working Account",
        "utility": "Utility Account",
        "charges": "Charges Paid Account",
    }
)


@dataclass(frozen=True, slots=True)
class Movement:
    """One row. `cents` is what came in; what went out is below zero."""

    entry: LedgerEntry
    cents: int
    is_charge: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    movement: Movement
    balance_cents: int


@dataclass(frozen=True, slots=True)
class Statement:
    """Rows newest first, as the portal lists them."""

    opening_cents: int
    closing_cents: int
    rows: tuple[Row, ...]


def statement_of(
    shop: Organisation,
    ledger: Iterable[LedgerEntry],
    account: Account,
    since: datetime,
    until: datetime,
) -> Statement:
    """The rows from `since` on and before `until`; `ledger` is oldest first.

    What stands now is certain, and each row before it follows by counting back. So an account
    that somebody set to another amount was always that much richer, by its statement.
    """
    balance = {
        "working": shop.working_cents,
        "utility": shop.utility_cents,
        "charges": shop.charges_paid_cents,
    }[account]
    closing = balance
    rows: list[Row] = []
    own = [entry for entry in ledger if shop.shortcode in (entry.shortcode, entry.payee)]
    for entry in reversed(own):
        for movement in reversed(movements(entry, account, shop.shortcode)):
            if entry.moved_at < since:
                return Statement(balance, closing, tuple(rows))
            if entry.moved_at < until:
                rows.append(Row(movement, balance))
            else:
                closing = balance - movement.cents
            balance -= movement.cents
    return Statement(balance, closing, tuple(rows))


def movements(entry: LedgerEntry, account: Account, shortcode: str) -> list[Movement]:
    """What an entry did to this account of a shop, in the order in which it happened."""
    if entry.kind == "b2b":
        return _between_shops(entry, account, shortcode)
    match entry.kind, account:
        case (("stk" | "c2b"), "working"):
            paid = Movement(entry, entry.amount_cents)
            charge = Movement(entry, -entry.charge_cents, is_charge=True)
            return [paid, charge] if entry.charge_cents else [paid]
        case "reversal", "working":
            return [Movement(entry, -entry.amount_cents)]
        case "b2c", "utility":
            return [Movement(entry, -entry.amount_cents)]
        case "b2c", "charges":
            return [Movement(entry, -entry.charge_cents, is_charge=True)]
    return []


def _between_shops(entry: LedgerEntry, account: Account, shortcode: str) -> list[Movement]:
    """One shop may be on both sides, where it moves money between two accounts of its own."""
    went = entry.shortcode == shortcode and account == "working"
    came = entry.payee == shortcode and account == ("utility" if entry.to_utility else "working")
    out = [Movement(entry, -entry.amount_cents)] if went else []
    return [*out, Movement(entry, entry.amount_cents)] if came else out
