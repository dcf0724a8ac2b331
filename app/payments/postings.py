"""What the books say of money that came in.

Money that simply fits is the sale's. Any other waits as unplaced until a person has decided.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.ledger.models import Account
from app.ledger.service import post
from app.payments.models import Credit
from app.payments.states import Standing


def post_credit(session: Session, credit: Credit, subject: str) -> None:
    """Write down that money came in, in the transaction that credits it."""
    fits = credit.standing == Standing.EXACT
    post(
        session,
        f"credit:{credit.id}",
        debit=Account.MPESA,
        credit=Account.SALES if fits else Account.UNPLACED,
        cents=credit.amount_cents,
        subject=subject,
        what="paid" if fits else f"{credit.standing} money",
    )


def post_correction(session: Session, credit: Credit, believed_cents: int) -> None:
    """Write down that better news named another amount for money that waits unplaced."""
    more = credit.amount_cents - believed_cents
    if more == 0:
        return
    post(
        session,
        f"credit:{credit.id}:corrected",
        debit=Account.MPESA if more > 0 else Account.UNPLACED,
        credit=Account.UNPLACED if more > 0 else Account.MPESA,
        cents=abs(more),
        subject=credit.payment.public_ref if credit.payment else f"credit {credit.id}",
        what="another amount than was believed",
    )


def post_placed(session: Session, credit: Credit) -> None:
    """Write down that money has found its order."""
    post(
        session,
        f"credit:{credit.id}:placed",
        debit=Account.UNPLACED,
        credit=Account.SALES,
        cents=credit.amount_cents,
        subject=credit.payment.public_ref if credit.payment else f"credit {credit.id}",
        what=credit.decision or "placed",
    )
