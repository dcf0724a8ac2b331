"""Writing to the books, and what they say in sum."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.statements import insert_or_nothing, rows_changed
from app.core.unit_of_work import transaction
from app.extensions import db
from app.ledger.models import Account, Balance, Transfer

#: No transaction is open for nearly as long.
SETTLED_AFTER = timedelta(hours=6)
#: Fewer than these are added up each time, rather than written down.
LEAST_CARRIED = 500
#: One round of the sweep adds up so many: a shop that is large already takes several.
MOST_CARRIED = 50_000
_KEPT = select(Balance).execution_options(populate_existing=True)


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
    """Return the balance of every account in cents. Their sum is 0, or the books are broken.

    What the oldest transfers come to is kept; only those since are added up.
    """
    through, found = kept_balances()
    for account, cents in _summed(Transfer.id > through).items():
        found[account] += cents
    return found


def kept_balances() -> tuple[int, dict[Account, int]]:
    """Return up to which transfer the balances are kept, and what they were then. 0 for none."""
    rows = {row.account: row for row in db.session.scalars(_KEPT)}
    through = min((row.through_id for row in rows.values()), default=0)
    return through, {it: rows[it].cents if it in rows else 0 for it in Account}


def summed(through: int | None = None) -> dict[Account, int]:
    """Add every transfer up, or those up to one of them, and believe nothing that is kept."""
    where = Transfer.id > 0 if through is None else Transfer.id <= through
    return dict.fromkeys(Account, 0) | _summed(where)


def carry_forward() -> int:
    """Keep what further transfers come to, MOST_CARRIED at a time; return up to which one.

    Only what is SETTLED_AFTER old is kept: a transfer gets its number before its transaction ends,
    and no transaction lasts nearly as long, so no number below can still turn up.
    """
    through, _ = kept_balances()
    upto = min(_newest_settled(), through + MOST_CARRIED)
    if upto < through + LEAST_CARRIED:
        return through
    gone_on = _summed(and_(Transfer.id > through, Transfer.id <= upto))
    with transaction() as session:
        for account in sorted(Account):
            new = {"account": account, "through_id": through, "cents": 0}
            insert_or_nothing(session, Balance, new, key=["account"])
            ahead = (
                update(Balance)
                .where(Balance.account == account, Balance.through_id == through)
                .values(through_id=upto, cents=Balance.cents + gone_on.get(account, 0))
            )
            # All accounts go ahead together, so whoever comes second loses at the first of them.
            if rows_changed(session, ahead) == 0:
                return through
    return upto


def _newest_settled() -> int:
    settled = select(Transfer.id).where(Transfer.at < now() - SETTLED_AFTER)
    return db.session.scalar(settled.order_by(Transfer.id.desc()).limit(1)) or 0


def _summed(where: ColumnElement[bool]) -> dict[Account, int]:
    """Add transfers up by account, without reading any of them twice."""
    query = (
        select(Transfer.debit, Transfer.credit, func.sum(Transfer.amount_cents))
        .where(where)
        .group_by(Transfer.debit, Transfer.credit)
    )
    found: dict[Account, int] = {}
    for debit, credit, cents in db.session.execute(query):
        found[Account(debit)] = found.get(Account(debit), 0) + int(cents)
        found[Account(credit)] = found.get(Account(credit), 0) - int(cents)
    return found


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
