"""Writing to the books, and what they say in sum."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.statements import insert_or_nothing
from app.extensions import db
from app.ledger.models import Account, Transfer


def post(
    session: Session,
    key: str,
    *,
    debit: Account,
    credit: Account,
    cents: int,
    subject: str,
    what: str,
) -> bool:
    """Write one movement down, in the caller's transaction; False when it stands there already.

    ``debit`` is the account that gets the money, ``credit`` the one that gives it. Raises
    ValueError for a movement of nothing, or from an account to itself.
    """
    if cents <= 0 or debit == credit:
        raise ValueError(f"{key}: no movement of {cents} cents from {credit} to {debit}")
    values = {
        "key": key,
        "at": now(),
        "debit": debit,
        "credit": credit,
        "amount_cents": cents,
        "subject": subject[:40],
        "what": what[:160],
    }
    return insert_or_nothing(session, Transfer, values, key=["key"]) is not None


def balances() -> dict[Account, int]:
    """Return the balance of every account in cents. Their sum is 0, or the books are broken."""
    debits = select(Transfer.debit.label("account"), Transfer.amount_cents.label("cents"))
    credits = select(Transfer.credit, -Transfer.amount_cents)
    sides = union_all(debits, credits).subquery()
    sums = select(sides.c.account, func.sum(sides.c.cents)).group_by(sides.c.account)
    found = {account: int(cents) for account, cents in db.session.execute(sums)}
    return {account: found.get(account, 0) for account in Account}


def transfers_of(subject: str, limit: int = 100) -> Sequence[Transfer]:
    """Return what the books say of one payment or payout, oldest first."""
    query = select(Transfer).where(Transfer.subject == subject).order_by(Transfer.id)
    return db.session.scalars(query.limit(limit)).all()


def latest(limit: int = 50, before_id: int | None = None) -> Sequence[Transfer]:
    """Return the newest transfers, or those before one of them."""
    query = select(Transfer).order_by(Transfer.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Transfer.id < before_id)
    return db.session.scalars(query).all()
