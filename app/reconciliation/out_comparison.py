"""Money out and charges: what left by the statement, and what our books sent."""

from __future__ import annotations

from sqlalchemy import func, select

from app.disbursements.models import Channel, Disbursement
from app.disbursements.states import OutStatus
from app.extensions import db
from app.payments.models import Credit, Payment
from app.reconciliation.drafts import Draft, Told
from app.reconciliation.in_comparison import Part
from app.reconciliation.models import DifferenceKind, RowKind, Statement
from app.reconciliation.pairing import disbursements_for
from app.reconciliation.theirs import (
    bounded,
    certain_time,
    columns,
    known_as,
    lines,
    says,
    sums,
    told,
)

_PAID = Disbursement.status == OutStatus.COMPLETED


def compare(statement: Statement, *, judge_payouts: bool, judge_reversals: bool) -> Part:
    """Compare what went out, and what moving it cost where our books know that."""
    part, theirs = Part(), sums(statement.id, RowKind.OUT)
    matched = select(func.count(), func.coalesce(func.sum(Disbursement.amount_cents), 0)).join_from(
        theirs, Disbursement, (Disbursement.receipt == theirs.c.receipt) & _PAID
    )
    count, cents = db.session.execute(matched).one()
    paired = _not_ours(part, statement.id)
    _known(part, statement.id)
    _twice(part, statement.id)
    channels = [
        *([Channel.B2C] if judge_payouts else []),
        *([Channel.REVERSAL] if judge_reversals else []),
    ]
    _not_theirs(part, statement, channels, paired)
    part.sums = {"our_out_count": int(count), "our_out_cents": int(cents)}
    _charges(part, statement.id)
    return part


def _not_ours(part: Part, statement_id: int) -> set[int]:
    """Find what left and our books do not know; return the disbursements that it may be."""
    theirs = lines(statement_id, RowKind.OUT, ~known_as(Disbursement))
    query = select(*columns(theirs)).order_by(theirs.c.at, theirs.c.receipt)
    rows = [told(row) for row in part.bound(list(db.session.execute(bounded(query))))]
    paired: set[int] = set()
    for row, record in disbursements_for(rows):
        part.drafts.append(_unknown(row, record))
        if record is not None:
            paired.add(record.id)
    return paired


def _unknown(row: Told, record: Disbursement | None) -> Draft:
    if record is None:
        kind, ours, subject = DifferenceKind.OUT_NOT_OURS, 0, None
    elif record.is_completed:
        kind, ours, subject = DifferenceKind.RECEIPT_MISSING, -row.cents, record.public_ref
    else:
        kind, ours, subject = DifferenceKind.STATUS_DIFFERS, 0, record.public_ref
    return Draft(kind, row.receipt, row.at, -row.cents, ours, subject, row.words)


def _known(part: Part, statement_id: int) -> None:
    """Find what both know, with another amount or with another end."""
    theirs = lines(statement_id, RowKind.OUT, known_as(Disbursement))
    differs = ~_PAID | (Disbursement.amount_cents != theirs.c.cents)
    query = (
        select(*columns(theirs), Disbursement.amount_cents, Disbursement.public_ref, _PAID)
        .join_from(theirs, Disbursement, Disbursement.receipt == theirs.c.receipt)
        .where(differs)
        .order_by(theirs.c.receipt)
    )
    found = part.bound(list(db.session.execute(bounded(query))))
    for *columns_of_theirs, ours, ref, is_paid in found:
        row = told(columns_of_theirs)
        kind = DifferenceKind.AMOUNT_DIFFERS if is_paid else DifferenceKind.STATUS_DIFFERS
        booked = -ours if is_paid else 0
        part.drafts.append(Draft(kind, row.receipt, row.at, -row.cents, booked, ref, row.words))


def _twice(part: Part, statement_id: int) -> None:
    """Find receipts of money out that our books also use for money in."""
    theirs = lines(statement_id, RowKind.OUT, known_as(Credit))
    query = (
        select(theirs.c.receipt, theirs.c.at, Credit.amount_cents, Credit.id, Payment.public_ref)
        .join_from(theirs, Credit, Credit.receipt == theirs.c.receipt)
        .outerjoin(Payment, Payment.id == Credit.payment_id)
        .where(~says(statement_id, RowKind.IN, theirs.c.receipt))
        .order_by(theirs.c.receipt)
    )
    for receipt, at, cents, credit_id, ref in part.bound(list(db.session.execute(bounded(query)))):
        subject = ref or f"credit {credit_id}"
        words = f"The receipt is of money that left, and stands at {subject} too"
        part.drafts.append(
            Draft(DifferenceKind.RECEIPT_TWICE, receipt, at, 0, cents, subject, words)
        )


def _not_theirs(
    part: Part, statement: Statement, channels: list[Channel], paired: set[int]
) -> None:
    """Find what we paid within the statement's time, and the statement does not know."""
    time = certain_time(statement)
    if time is None or not channels:
        return
    since, until = time
    query = (
        select(Disbursement)
        .where(
            _PAID,
            Disbursement.channel.in_(channels),
            Disbursement.sent_at >= since,
            Disbursement.completed_at.between(since, until),
            Disbursement.receipt.is_(None)
            | (
                ~says(statement.id, RowKind.OUT, Disbursement.receipt)
                & ~says(statement.id, RowKind.IN, Disbursement.receipt)
            ),
        )
        .order_by(Disbursement.id)
    )
    for record in part.bound(list(db.session.scalars(bounded(query)))):
        if record.id in paired:
            continue
        part.drafts.append(
            Draft(
                DifferenceKind.NOT_THEIRS,
                record.receipt,
                record.completed_at or record.created_at,
                0,
                -record.amount_cents,
                record.public_ref,
                f"Our books say that this {record.kind} was paid",
            )
        )


def _charges(part: Part, statement_id: int) -> None:
    """Find charges of which M-Pesa's result had told us another amount."""
    theirs = lines(statement_id, RowKind.CHARGE, known_as(Disbursement))
    query = (
        select(*columns(theirs), Disbursement.charge_cents, Disbursement.public_ref)
        .join_from(theirs, Disbursement, Disbursement.receipt == theirs.c.receipt)
        .where(Disbursement.charge_cents.is_not(None), Disbursement.charge_cents != theirs.c.cents)
        .order_by(theirs.c.receipt)
    )
    for *columns_of_theirs, ours, ref in part.bound(list(db.session.execute(bounded(query)))):
        row = told(columns_of_theirs)
        kind = DifferenceKind.CHARGE_DIFFERS
        part.drafts.append(Draft(kind, row.receipt, row.at, -row.cents, -ours, ref, row.words))
