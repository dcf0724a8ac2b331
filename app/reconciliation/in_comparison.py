"""Money in: what customers paid by the statement, and what our books have credited."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select

from app.core.money import kes
from app.disbursements.models import Disbursement
from app.disbursements.states import OutStatus
from app.extensions import db
from app.payments.models import Credit, Payment
from app.reconciliation.drafts import Draft, Told
from app.reconciliation.models import DifferenceKind, RowKind, Statement, StatementRow
from app.reconciliation.pairing import payments_for
from app.reconciliation.theirs import (
    MOST_OF_A_KIND,
    another_amount,
    bounded,
    certain_time,
    columns,
    completes,
    known_as,
    lines,
    says,
    sums,
    told,
)

#: How money came to be known that only a statement had told.
BY_STATEMENT = "statement"
#: A callback that names nothing of ours comes within this time of its money.
_STRAY = timedelta(hours=1)


@dataclass
class Part:
    """One side's differences, and the sums of ours that its receipts match."""

    drafts: list[Draft] = field(default_factory=list)
    sums: dict[str, int] = field(default_factory=dict)
    cut_short: bool = False

    def bound(self, rows: list[Any]) -> list[Any]:
        """Keep at most MOST_OF_A_KIND, and remember that there were more."""
        self.cut_short |= len(rows) > MOST_OF_A_KIND
        return rows[:MOST_OF_A_KIND]


def compare(statement: Statement, *, judge_ours: bool) -> Part:
    """Compare what came in. ``judge_ours``: the statement has to know of every payment of ours."""
    part, theirs = Part(), sums(statement.id, RowKind.IN)
    matched = select(func.count(), func.coalesce(func.sum(Credit.amount_cents), 0)).join_from(
        theirs, Credit, Credit.receipt == theirs.c.receipt
    )
    count, cents = db.session.execute(matched).one()
    paired = _not_ours(part, statement.id)
    _amounts(part, statement.id)
    _not_completed(part, statement.id)
    _twice(part, statement.id)
    if judge_ours:
        _not_theirs(part, statement, paired)
    part.sums = {"our_in_count": int(count), "our_in_cents": int(cents)}
    return part


def _not_ours(part: Part, statement_id: int) -> set[int]:
    """Find what customers paid and our books do not know; return the payments that it may be of."""
    theirs = lines(statement_id, RowKind.IN, ~known_as(Credit))
    query = select(*columns(theirs)).order_by(theirs.c.at, theirs.c.receipt)
    rows = [told(row) for row in part.bound(list(db.session.execute(bounded(query))))]
    paired: set[int] = set()
    for row, payment in payments_for(rows):
        part.drafts.append(_unknown(row, payment))
        if payment is not None:
            paired.add(payment.id)
    return paired


def _unknown(row: Told, payment: Payment | None) -> Draft:
    if payment is None:
        kind, ours, subject = DifferenceKind.IN_NOT_OURS, 0, None
    elif payment.is_settled:
        # A query confirmed it, and a query names no receipt.
        kind, ours, subject = DifferenceKind.RECEIPT_MISSING, row.cents, payment.public_ref
    else:
        kind, ours, subject = DifferenceKind.STATUS_DIFFERS, 0, payment.public_ref
    return Draft(kind, row.receipt, row.at, row.cents, ours, subject, row.words)


def _amounts(part: Part, statement_id: int) -> None:
    differing = another_amount(statement_id, RowKind.IN, Credit, Credit.amount_cents)
    theirs = lines(statement_id, RowKind.IN, differing)
    query = (
        select(*columns(theirs), Credit.amount_cents, Credit.id, Payment.public_ref)
        .join_from(theirs, Credit, Credit.receipt == theirs.c.receipt)
        .outerjoin(Payment, Payment.id == Credit.payment_id)
        .where(Credit.amount_cents != theirs.c.cents)
        .order_by(theirs.c.receipt)
    )
    for *columns_of_theirs, ours, credit_id, ref in part.bound(
        list(db.session.execute(bounded(query)))
    ):
        row = told(columns_of_theirs)
        subject = ref or f"credit {credit_id}"
        part.drafts.append(
            Draft(
                DifferenceKind.AMOUNT_DIFFERS,
                row.receipt,
                row.at,
                row.cents,
                ours,
                subject,
                row.words,
            )
        )


def _not_completed(part: Part, statement_id: int) -> None:
    """Find what we have credited, and the statement lists as something else than completed."""
    row = StatementRow
    query = (
        select(row.receipt, row.at, Credit.amount_cents, Credit.id, Payment.public_ref)
        .join(Credit, Credit.receipt == row.receipt)
        .outerjoin(Payment, Payment.id == Credit.payment_id)
        .where(
            row.statement_id == statement_id,
            row.kind == RowKind.IN,
            row.completed.is_(False),
            ~completes(statement_id, RowKind.IN, row.receipt),
        )
        .order_by(row.receipt)
    )
    for receipt, at, ours, credit_id, ref in part.bound(list(db.session.execute(bounded(query)))):
        words = "M-Pesa does not call it completed"
        subject = ref or f"credit {credit_id}"
        part.drafts.append(
            Draft(DifferenceKind.STATUS_DIFFERS, receipt, at, 0, ours, subject, words)
        )


def _twice(part: Part, statement_id: int) -> None:
    """Find receipts of money in that our books also use for money out."""
    theirs = lines(statement_id, RowKind.IN, known_as(Disbursement))
    query = (
        select(theirs.c.receipt, theirs.c.at, Disbursement.amount_cents, Disbursement.public_ref)
        .join_from(theirs, Disbursement, Disbursement.receipt == theirs.c.receipt)
        .where(
            Disbursement.status == OutStatus.COMPLETED,
            ~says(statement_id, RowKind.OUT, theirs.c.receipt),
        )
        .order_by(theirs.c.receipt)
    )
    for receipt, at, cents, ref in part.bound(list(db.session.execute(bounded(query)))):
        words = f"The receipt is a customer's payment, and stands at {ref} too"
        part.drafts.append(Draft(DifferenceKind.RECEIPT_TWICE, receipt, at, 0, -cents, ref, words))


def _not_theirs(part: Part, statement: Statement, paired: set[int]) -> None:
    """Find what we have credited in the statement's time and the statement does not know.

    Money moves between the prompt and the moment at which we heard of it. Only where both lie
    within the statement is it certain that the money should.
    """
    time = certain_time(statement)
    if time is None:
        return
    since, until = time
    began = or_(
        and_(Credit.payment_id.is_not(None), Payment.created_at >= since),
        and_(
            Credit.payment_id.is_(None),
            Credit.evidence != BY_STATEMENT,
            Credit.created_at >= since + _STRAY,
        ),
    )
    nowhere = ~says(statement.id, RowKind.IN, Credit.receipt) & ~says(
        statement.id, RowKind.OUT, Credit.receipt
    )
    unknown = or_(Credit.receipt.is_(None), nowhere)
    query = (
        select(Credit, Payment.public_ref, Payment.id)
        .outerjoin(Payment, Payment.id == Credit.payment_id)
        .where(Credit.created_at.between(since, until), began, unknown)
        .order_by(Credit.id)
    )
    for credit, ref, payment_id in part.bound(list(db.session.execute(bounded(query)))):
        if payment_id in paired:
            continue
        words = f"Our books have {kes(credit.amount_cents)} by {credit.evidence}"
        part.drafts.append(
            Draft(
                DifferenceKind.NOT_THEIRS,
                credit.receipt,
                credit.created_at,
                0,
                credit.amount_cents,
                ref or f"credit {credit.id}",
                words,
            )
        )
