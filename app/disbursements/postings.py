"""What the books say of money going out.

While nobody knows whether it arrived it stands in transit; an end moves it on, or back.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.disbursements.models import Disbursement
from app.disbursements.states import SENT, OutStatus
from app.ledger.models import Account
from app.ledger.service import post
from app.payments.models import Credit
from app.payments.states import Decision, Standing


def post_move(session: Session, record: Disbursement, source: OutStatus, target: OutStatus) -> None:
    """Write the movement that a change of status means, in its transaction."""
    was_out, is_out = source in SENT, target in SENT
    paid = target is OutStatus.COMPLETED
    if (is_out or paid) and not was_out:
        key = "sent:late" if paid else f"sent:{record.sends}"
        _post(session, record, key, Account.IN_TRANSIT, Account.MPESA, "sent")
    if paid:
        _post(session, record, "arrived", _purpose(session, record), Account.IN_TRANSIT, "arrived")
        post_charge(session, record)
    elif was_out and not is_out:
        key = f"returned:{record.sends}"
        _post(session, record, key, Account.MPESA, Account.IN_TRANSIT, "did not leave")


def post_charge(session: Session, record: Disbursement) -> None:
    """Write down once what M-Pesa charged, where it said so."""
    if record.charge_cents:
        post(
            session,
            f"out:{record.id}:charge",
            debit=Account.FEES,
            credit=Account.MPESA,
            cents=record.charge_cents,
            subject=record.public_ref,
            what="M-Pesa's charge",
        )


def _post(
    session: Session, record: Disbursement, key: str, debit: Account, credit: Account, what: str
) -> None:
    post(
        session,
        f"out:{record.id}:{key}",
        debit=debit,
        credit=credit,
        cents=record.amount_cents,
        subject=record.public_ref,
        what=f"{record.kind} {what}",
    )


def _purpose(session: Session, record: Disbursement) -> Account:
    if record.supplier_id is not None:
        return Account.SUPPLIERS
    own = Credit.id == record.credit_id
    if record.payment_id is not None:
        own = Credit.payment_id == record.payment_id
    credit = session.scalar(select(Credit).where(own))
    if credit is None or credit.standing == Standing.EXACT:
        return Account.REFUNDS
    placed = credit.decision not in (None, Decision.SET_ASIDE)
    return Account.REFUNDS if placed else Account.UNPLACED
