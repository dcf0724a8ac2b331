"""Statement against books: every receipt of either side is found on the other, or is a difference.

The database does the comparing, by one join a question, so that a million rows take no memory;
only what differs is looked at one by one. Nothing outside the statement's own time is judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from app.disbursements import provider as money_out
from app.extensions import db
from app.reconciliation import in_comparison, out_comparison
from app.reconciliation.drafts import Draft
from app.reconciliation.models import (
    Difference,
    DifferenceKind,
    RowKind,
    Source,
    Statement,
    StatementRow,
)
from app.reconciliation.theirs import MOST_OF_A_KIND, sums
from app.settings.service import mpesa_settings


@dataclass
class Found:
    """What a comparison found: every difference, and the sums of both sides in cents."""

    drafts: list[Draft] = field(default_factory=list)
    sums: dict[str, int] = field(default_factory=dict)
    cut_short: bool = False


@dataclass(frozen=True)
class Scope:
    """What a statement has to tell of: not every account has every movement."""

    money_in: bool
    payouts: bool
    reversals: bool


def compare(statement_id: int) -> Found:
    """Compare a statement, whose rows are all written, with the books as they are now."""
    statement = db.session.get_one(Statement, statement_id, populate_existing=True)
    found, scope = Found(), _scope(statement)
    found.sums |= _their_sums(statement_id)
    came_in = in_comparison.compare(statement, judge_ours=scope.money_in)
    went_out = out_comparison.compare(
        statement, judge_payouts=scope.payouts, judge_reversals=scope.reversals
    )
    for part in (came_in, went_out):
        found.drafts += part.drafts
        found.sums |= part.sums
        found.cut_short |= part.cut_short
    _add_what_no_receipt_matches(found)
    return found


def _add_what_no_receipt_matches(found: Found) -> None:
    """Complete the sums of our side: a difference in which we have money stands in no match."""
    in_the_match = (DifferenceKind.AMOUNT_DIFFERS, DifferenceKind.CHARGE_DIFFERS)
    for draft in found.drafts:
        if draft.ours_cents and draft.kind not in in_the_match:
            side = "in" if draft.ours_cents > 0 else "out"
            found.sums[f"our_{side}_count"] += 1
            found.sums[f"our_{side}_cents"] += abs(draft.ours_cents)


def _scope(statement: Statement) -> Scope:
    """Say what is to be expected in this account of this shortcode.

    Payments arrive in the working account, and payouts leave the utility account; a shop whose
    payments arrive in the latter is recognised by its rows.
    """
    collects = statement.shortcode == mpesa_settings().shortcode
    pays = statement.shortcode == money_out.shortcode()
    account = (statement.account or "").casefold()
    if statement.source == Source.PULL:
        return Scope(collects, False, False)
    if "charge" in account:
        return Scope(False, False, False)
    has_in, has_out = (_has(statement.id, kind) for kind in (RowKind.IN, RowKind.OUT))
    is_utility, is_working = "utility" in account, "working" in account or "mmf" in account
    takes_in = collects and (has_in or not is_utility)
    return Scope(takes_in, pays and (has_out or not is_working), takes_in)


def _has(statement_id: int, kind: RowKind) -> bool:
    row = StatementRow
    query = select(row.id).where(row.statement_id == statement_id, row.kind == kind).limit(1)
    return db.session.scalar(query) is not None


def _their_sums(statement_id: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, name in ((RowKind.IN, "in"), (RowKind.OUT, "out"), (RowKind.CHARGE, "charges")):
        rows = sums(statement_id, kind)
        count, cents = db.session.execute(
            select(func.count(), func.coalesce(func.sum(rows.c.cents), 0)).select_from(rows)
        ).one()
        found |= {f"{name}_count": int(count), f"{name}_cents": int(cents)}
    # How many rows of charges there are says nothing to anybody.
    del found["charges_count"]
    return found


def write(session: Session, statement_id: int, found: Found) -> dict[str, Any]:
    """Replace a statement's differences, in the caller's transaction; return its new sums.

    What a person has dealt with stays dealt with, here and where another statement shows the same.
    """
    dealt_with = _dealt_with(session, statement_id, found)
    session.execute(delete(Difference).where(Difference.statement_id == statement_id))
    rows = [
        {"statement_id": statement_id, **draft._asdict(), **dealt_with.get(draft.key, _OPEN)}
        for draft in found.drafts
    ]
    if rows:
        session.execute(insert(Difference), rows)
    return {**found.sums, "cut_short": found.cut_short}


_OPEN: dict[str, Any] = {
    "resolution": None,
    "resolved_by": None,
    "resolved_at": None,
    "why": None,
    "credit_id": None,
}
_Key = tuple[str, str | None, int, int, str | None]


def _dealt_with(session: Session, statement_id: int, found: Found) -> dict[_Key, dict[str, Any]]:
    receipts = [draft.receipt for draft in found.drafts if draft.receipt]
    known: dict[_Key, dict[str, Any]] = {}
    for at in range(0, len(receipts), MOST_OF_A_KIND // 4):
        query = select(Difference).where(
            Difference.receipt.in_(receipts[at : at + MOST_OF_A_KIND // 4]),
            Difference.resolved_at.is_not(None),
        )
        for row in session.scalars(query):
            key = (row.kind, row.receipt, row.theirs_cents, row.ours_cents, row.subject)
            known[key] = {name: getattr(row, name) for name in _OPEN}
    nameless = select(Difference).where(
        Difference.statement_id == statement_id,
        Difference.receipt.is_(None),
        Difference.resolved_at.is_not(None),
    )
    for row in session.scalars(nameless):
        key = (row.kind, None, row.theirs_cents, row.ours_cents, row.subject)
        known[key] = {name: getattr(row, name) for name in _OPEN}
    return known


def open_count(statement_id: int) -> int:
    """Count the differences of a statement that nobody has dealt with."""
    query = select(func.count()).where(
        Difference.statement_id == statement_id,
        Difference.resolved_at.is_(None),
        Difference.kind != DifferenceKind.RECEIPT_MISSING,
    )
    return int(db.session.scalar(query) or 0)
