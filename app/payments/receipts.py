"""M-Pesa receipts: each belongs to one payment, and better proof corrects weaker."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.money import kes
from app.payments.evidence import Evidence, Outcome
from app.payments.models import Credit, Payment
from app.payments.paybill.models import C2bNotice, NoticeState
from app.payments.timeline import flag, note

#: Put before a person: what was settled by hand has lost its receipt to another payment.
HAND_WITHDRAWN = "hand_withdrawn"


def is_taken(session: Session, payment_id: int, outcome: Outcome) -> bool:
    """Tell whether another payment holds this receipt by right.

    A holder that had it from weaker evidence gives it up to a callback with both proofs. Money
    that nobody has assigned yet waits for just this payment.
    """
    if outcome.receipt is None:
        return False
    holder = session.scalar(select(Credit).where(Credit.receipt == outcome.receipt))
    if holder is None or holder.payment_id == payment_id:
        return False
    if holder.payment_id is None:
        return holder.decided_at is not None or holder.order_id is not None
    proven = outcome.evidence is Evidence.PROVEN_CALLBACK
    other = session.get_one(Payment, holder.payment_id, populate_existing=True)
    if not proven or other.evidence == Evidence.PROVEN_CALLBACK:
        return True
    _set_receipt(session, other, None, "receipt_withdrawn", outcome.actor)
    if other.evidence == Evidence.BY_HAND:
        # The receipt was all there was: its money is now in the books twice.
        flag(session, other, HAND_WITHDRAWN, outcome.actor, f"{outcome.receipt} is another's")
    return False


def is_other_than_seen(payment: Payment, outcome: Outcome) -> bool:
    """Tell whether Daraja speaks of other money than a person has seen in the statement."""
    by_hand = payment.evidence == Evidence.BY_HAND
    return by_hand and outcome.receipt is not None and outcome.receipt != payment.mpesa_receipt


def _set_receipt(
    session: Session, payment: Payment, receipt: str | None, event: str, actor: str
) -> None:
    session.execute(update(Payment).where(Payment.id == payment.id).values(mpesa_receipt=receipt))
    session.execute(update(Credit).where(Credit.payment_id == payment.id).values(receipt=receipt))
    status, was = payment.status, payment.mpesa_receipt or "none"
    note(session, payment.id, event, status, status, actor, f"{was} became {receipt or 'none'}")


def learn_receipt(session: Session, payment: Payment, outcome: Outcome) -> str | None:
    """Fill in the receipt of a payment that a query confirmed before its callback came.

    A callback with both proofs also corrects one that came with less, or by the paybill's road:
    then that was other money, which is placed anew.
    """
    if not outcome.receipt or outcome.receipt == payment.mpesa_receipt:
        return None
    if payment.mpesa_receipt and not _corrects(session, payment, outcome):
        return "ignored: the payment has another receipt"
    if is_taken(session, payment.id, outcome):
        return "ignored: that receipt belongs to another payment"
    if _is_unmatched(session, outcome.receipt):
        return "ignored: that receipt's money waits for its order"
    _place_anew(session, payment.mpesa_receipt)
    _set_receipt(session, payment, outcome.receipt, "receipt_learned", outcome.actor)
    return "receipt learned"


def _corrects(session: Session, payment: Payment, outcome: Outcome) -> bool:
    if outcome.evidence is not Evidence.PROVEN_CALLBACK:
        return False
    by_paybill = select(C2bNotice.id).where(_proven_news_of(payment.mpesa_receipt)).limit(1)
    is_weaker = payment.evidence != Evidence.PROVEN_CALLBACK
    return is_weaker or session.scalar(by_paybill) is not None


def _place_anew(session: Session, receipt: str | None) -> None:
    """Have the paybill's sweep find another place for money that was taken for a prompt's own."""
    session.execute(
        update(C2bNotice)
        .where(_proven_news_of(receipt))
        .values(state=NoticeState.WAITING, next_try_at=now(), credit_id=None)
    )


def _proven_news_of(receipt: str | None) -> ColumnElement[bool]:
    return and_(C2bNotice.receipt == receipt, C2bNotice.evidence.is_not(None))


def _is_unmatched(session: Session, receipt: str) -> bool:
    unassigned = Credit.payment_id.is_(None) & Credit.order_id.is_(None)
    query = select(Credit.id).where(Credit.receipt == receipt, unassigned)
    return session.scalar(query) is not None


def learn_amount(session: Session, payment: Payment, outcome: Outcome) -> str | None:
    """Put a completed payment before a person when proven news names another amount."""
    differs = outcome.amount_cents not in (None, payment.amount_cents)
    if not differs or outcome.evidence is not Evidence.PROVEN_CALLBACK or payment.review_reason:
        return None
    why = f"the callback names {kes(outcome.amount_cents or 0)}"
    flag(session, payment, "amount_differs", outcome.actor, why)
    return "amount differs: a person is asked"
