"""What of a payment has gone back, for whoever lists payments."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select

from app.disbursements.models import Disbursement
from app.disbursements.states import OutStatus
from app.extensions import db
from app.payments.models import Payment


def returned_cents(payments: Iterable[Payment]) -> dict[int, int]:
    """Return by payment id what has really gone back, in cents.

    Refunds that are only asked for or on their way do not count, and payments of which nothing
    has gone back are left out.
    """
    ids = [payment.id for payment in payments]
    query = (
        select(Disbursement.payment_id, func.sum(Disbursement.amount_cents))
        .where(Disbursement.payment_id.in_(ids), Disbursement.status == OutStatus.COMPLETED)
        .group_by(Disbursement.payment_id)
    )
    return {payment_id or 0: int(cents) for payment_id, cents in db.session.execute(query)}
