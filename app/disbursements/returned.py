"""What of a payment has gone back, for whoever lists payments."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select

from app.disbursements.models import Disbursement
from app.disbursements.of_money import back_from
from app.disbursements.states import OutStatus
from app.extensions import db
from app.payments.models import Credit, Payment


def returned_cents(payments: Iterable[Payment]) -> dict[int, int]:
    """Return by payment id what has really gone back, in cents.

    Refunds that are only asked for or on their way do not count, and payments of which nothing
    has gone back are left out.
    """
    ids = [payment.id for payment in payments]
    # Money may have gone back before it was known which payment had brought it.
    owner = func.coalesce(Disbursement.payment_id, Credit.payment_id)
    early = select(Credit.id).where(Credit.payment_id.in_(ids))
    query = (
        select(owner, func.sum(Disbursement.amount_cents))
        .outerjoin(Credit, Credit.id == Disbursement.credit_id)
        .where(back_from(ids, early))
        .where(Disbursement.status == OutStatus.COMPLETED)
        .group_by(owner)
    )
    return {payment_id: int(cents) for payment_id, cents in db.session.execute(query)}
