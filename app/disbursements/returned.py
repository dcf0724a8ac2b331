"""What of a payment has gone back, for whoever lists payments."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select

from app.disbursements.models import OutStatus, Refund
from app.extensions import db
from app.payments.models import Payment


def returned_cents(payments: Iterable[Payment]) -> dict[int, int]:
    """Return by payment id what has really gone back, in cents.

    Refunds that are only asked for or on their way do not count, and payments of which nothing
    has gone back are left out.
    """
    ids = [payment.id for payment in payments]
    query = (
        select(Refund.payment_id, func.sum(Refund.amount_cents))
        .where(Refund.payment_id.in_(ids), Refund.status == OutStatus.COMPLETED)
        .group_by(Refund.payment_id)
    )
    return {payment_id: int(cents) for payment_id, cents in db.session.execute(query)}
