"""Asking for money back: who may, how much, and who has to agree."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core import idempotency
from app.core.errors import Conflict, InvalidAmount, ValidationError
from app.core.money import kes
from app.core.unit_of_work import transaction
from app.disbursements.models import NOT_SENT, OutStatus, Refund
from app.extensions import db
from app.orders import service as orders
from app.payments.initiate import new_reference
from app.payments.models import Payment
from app.payments.queries import find_payment
from app.payments.timeline import note
from app.settings.service import settings

MOST_WORDS = 500
_NAME_TRIES = 20


def ask(payment_ref: object, person: Person, amount_cents: int | None, reason: str) -> Refund:
    """Ask for a payment's money back, in part or (without an amount) whatever is left of it.

    Its payer and admins may ask. Up to REFUND_AUTO_APPROVE_LIMIT it is queued at once, above it a
    person has to agree. Raises NotFound for somebody else's payment, Conflict when there is not
    so much left, ValidationError or InvalidAmount.
    """
    payment = find_payment(payment_ref, person)
    words = reason.strip()
    if not words or len(words) > MOST_WORDS:
        raise ValidationError(
            f"Give a reason, in 1 to {MOST_WORDS} characters.", details={"field": "reason"}
        )
    if (begun := _begun_earlier()) is not None:
        return begun
    payment_id, order_id, person_id = payment.id, payment.order_id, person.id
    for _ in range(_NAME_TRIES):
        try:
            with transaction() as session:
                # Two who ask at once come through here one after the other.
                orders.lock_order(session, order_id)
                return _written(session, payment_id, person_id, amount_cents, words)
        except IntegrityError:
            # The RFD name was taken in this very second.
            continue
    raise Conflict("Too many refunds at this very moment. Try again.", retry_after_seconds=1)


def refunded_cents(session: Session, payment_id: int) -> int:
    """Return what of a payment has gone back, is on its way back or is asked back."""
    total = select(func.coalesce(func.sum(Refund.amount_cents), 0)).where(
        Refund.payment_id == payment_id, Refund.status.not_in(NOT_SENT)
    )
    return int(session.scalar(total) or 0)


def refunds_of(payment: Payment) -> Sequence[Refund]:
    """Return every refund of a payment, newest first."""
    query = select(Refund).where(Refund.payment_id == payment.id).order_by(Refund.id.desc())
    return db.session.scalars(query.limit(100)).all()


def _written(
    session: Session, payment_id: int, person_id: int, amount_cents: int | None, reason: str
) -> Refund:
    payment = session.get_one(Payment, payment_id, populate_existing=True)
    if payment.received_cents is None:
        raise Conflict(f"This payment is {payment.status}: there is no money to send back.")
    left = payment.received_cents - refunded_cents(session, payment_id)
    wanted = left if amount_cents is None else amount_cents
    if wanted > left or left == 0:
        raise Conflict(
            f"{kes(left)} of this payment can be refunded.", details={"refundable": left // 100}
        )
    if wanted < 100:
        raise InvalidAmount
    refund = Refund(
        public_ref=new_reference("RFD"),
        payment_id=payment_id,
        amount_cents=wanted,
        reason=reason,
        status=_first_status(wanted),
        asked_by=person_id,
    )
    session.add(refund)
    session.flush()
    idempotency.bind(session, f"refund:{refund.id}")
    status, asked = payment.status, f"{refund.public_ref}: {kes(wanted)}, {refund.status}"
    note(session, payment_id, "refund_asked", status, status, f"person {person_id}", asked)
    return refund


def _first_status(amount_cents: int) -> OutStatus:
    limit = settings().refund_limit_shillings
    within = limit is None or amount_cents <= limit * 100
    return OutStatus.QUEUED if within else OutStatus.AWAITING_APPROVAL


def _begun_earlier() -> Refund | None:
    subject = idempotency.subject()
    return db.session.get_one(Refund, int(subject.removeprefix("refund:"))) if subject else None
