"""Money that came in: how it fits, and the one row that says so."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.statements import insert_or_nothing, rows_changed
from app.mpesa.c2b import may_be_of
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.evidence import Outcome
from app.payments.models import Credit, Payment
from app.payments.postings import post_correction, post_credit, post_placed
from app.payments.states import Standing


class LostRace(Exception):
    """What stood there a moment ago was changed by somebody else."""


def standing_of(payment: Payment, order: Order, outcome: Outcome) -> Standing:
    """Say how money fits the attempt that it came by, and the order as it is now."""
    stated = payment.amount_cents if outcome.amount_cents is None else outcome.amount_cents
    if stated != payment.amount_cents:
        return Standing.SHORT if stated < payment.amount_cents else Standing.OVER
    if order.status == OrderStatus.PENDING:
        return Standing.EXACT
    closed = order.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED)
    return Standing.LATE if closed else Standing.SECOND


def note_returned(
    session: Session, *, payment_id: int | None, credit_id: int | None, cents: int
) -> None:
    """Write down that so much of a payment's credit, or of another one, has gone back."""
    of_it = Credit.payment_id == payment_id if payment_id else Credit.id == credit_id
    gone = Credit.returned_cents + cents
    session.execute(
        update(Credit)
        .where(of_it)
        .values(returned_cents=gone)
        .execution_options(synchronize_session="fetch")
    )


def record_credit(session: Session, payment: Payment, standing: Standing, outcome: Outcome) -> None:
    """Write down once what a payment brought, or take over what stood there unmatched.

    A prompt cannot move more than it asks for, so no more than that is ever credited; what a
    callback claims beyond it is a question for a person.
    """
    stated = payment.amount_cents if outcome.amount_cents is None else outcome.amount_cents
    values = {
        "order_id": payment.order_id,
        "payment_id": payment.id,
        "amount_cents": min(stated, payment.amount_cents),
        "standing": standing,
        "evidence": outcome.evidence,
    }
    waiting = _unmatched(session, outcome.receipt)
    if waiting is None:
        credit = Credit(receipt=outcome.receipt, phone=payment.phone, **values)
        session.add(credit)
        session.flush()
        post_credit(session, credit, payment.public_ref)
        return
    believed_cents = waiting.amount_cents
    took_over = (
        update(Credit)
        .where(Credit.id == waiting.id, Credit.payment_id.is_(None), Credit.decided_at.is_(None))
        .values(**values)
    )
    if rows_changed(session, took_over) != 1:
        raise LostRace
    credit = session.get_one(Credit, waiting.id, populate_existing=True)
    post_correction(session, credit, believed_cents)
    if standing is Standing.EXACT:
        post_placed(session, credit)


def credit_by_hand(session: Session, payment: Payment, outcome: Outcome) -> Credit | None:
    """Return the money of this very prompt that was credited as sent by hand, since its news came
    by the paybill's road first.

    The receipt says so; where Daraja told none, the order, amount and number do.
    """
    is_own = (
        Credit.order_id == payment.order_id,
        Credit.amount_cents == payment.amount_cents,
        Credit.account.is_not(None),
        Credit.payment_id.is_(None),
    )
    query = select(Credit).where(*is_own).order_by(Credit.id)
    if outcome.receipt is not None:
        return session.scalar(query.where(Credit.receipt == outcome.receipt))
    since = query.where(Credit.created_at >= payment.created_at)
    found = session.scalars(since.limit(20))
    return next((each for each in found if may_be_of(each.phone or "", payment.phone)), None)


def attach_credit(session: Session, payment: Payment, credit: Credit) -> None:
    """Say that money in the books is what a prompt brought. Raises LostRace."""
    attached = (
        update(Credit)
        .where(Credit.id == credit.id, Credit.payment_id.is_(None))
        .values(payment_id=payment.id)
    )
    if rows_changed(session, attached) != 1:
        raise LostRace


def record_second(session: Session, payment: Payment, outcome: Outcome) -> bool:
    """Write down money of a payment that holds other money already; False for known money."""
    stated = payment.amount_cents if outcome.amount_cents is None else outcome.amount_cents
    values = {
        "order_id": payment.order_id,
        "amount_cents": min(stated, payment.amount_cents),
        "receipt": outcome.receipt,
        "phone": payment.phone,
        "standing": Standing.SECOND,
        "evidence": outcome.evidence,
        "created_at": now(),
    }
    kept = insert_or_nothing(session, Credit, values, key=["receipt"])
    if kept is not None:
        post_credit(session, session.get_one(Credit, kept), payment.public_ref)
    return kept is not None


def _unmatched(session: Session, receipt: str | None) -> Credit | None:
    if receipt is None:
        return None
    return session.scalar(
        select(Credit).where(
            Credit.receipt == receipt, Credit.payment_id.is_(None), Credit.decided_at.is_(None)
        )
    )
