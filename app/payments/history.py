"""A person's own payments, page by page."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from app.accounts.models import Person
from app.extensions import db
from app.payments.models import Payment


def payments_of(person: Person, page: int, per_page: int) -> tuple[Sequence[Payment], int]:
    """Return one page of a person's payments, newest first, and how many there are in all.

    An admin's page holds the admin's own payments too, and nobody else's.
    """
    own = Payment.person_id == person.id
    total = db.session.scalar(select(func.count()).select_from(Payment).where(own)) or 0
    rows = db.session.scalars(
        select(Payment)
        .where(own)
        .order_by(Payment.id.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return rows.all(), total
