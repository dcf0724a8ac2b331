"""Asking for money back: who may, how much, by which road, and who has to agree."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.accounts.roles import May
from app.audit import service as audit
from app.core.errors import Conflict
from app.core.money import Kes, kes
from app.core.texts import said
from app.disbursements import approvals
from app.disbursements.approvals import readable
from app.disbursements.models import Channel, Disbursement, Kind
from app.disbursements.of_money import back_from
from app.disbursements.references import find, with_fresh_names
from app.disbursements.refund_rules import (
    Back,
    approval_reason,
    begun_earlier,
    choose_road,
    require_within_limit,
    set_aside,
    wanted_cents,
    write,
)
from app.disbursements.states import NOT_PAID, OutStatus
from app.extensions import db
from app.orders import service as orders
from app.payments.models import Credit, Payment
from app.payments.queries import find_payment
from app.payments.timeline import note as payment_note

MOST_WORDS = approvals.MOST_WORDS


def ask(payment_ref: object, person: Person, amount_cents: int | None, reason: str) -> Disbursement:
    """Ask for a payment's money back, in part or (without an amount) whatever is left of it.

    Its payer, operators and admins may ask, an operator up to OPERATOR_REFUND_LIMIT. Up to
    REFUND_AUTO_APPROVE_LIMIT it is queued at once, and so is what an admin asks for up to
    PAYOUT_APPROVAL_ABOVE; above it another person has to agree. Nothing is sent here. Raises
    NotFound for somebody else's payment, Forbidden above an operator's limit, Conflict when there
    is not so much left, ValidationError or InvalidAmount.
    """
    is_staff = person.may(May.REFUND)
    payment = find_payment(payment_ref, None if is_staff else person)
    words = readable(reason)
    if (begun := begun_earlier()) is not None:
        return begun
    payment_id, order_id, person_id = payment.id, payment.order_id, person.id

    def ask_in(session: Session) -> int:
        # Two who ask at once come through here one after the other.
        orders.lock_order(session, order_id)
        asker = session.get_one(Person, person_id)
        record = _written(session, payment_id, asker, amount_cents, words)
        if is_staff:
            told = {"amount": kes(record.amount_cents), "status": record.status, "why": words}
            audit.record(session, asker, "refund.asked", f"refund {record.public_ref}", **told)
        return record.id

    return find(with_fresh_names(ask_in), Kind.REFUND)


def refunded_cents(session: Session, payment_id: int) -> int:
    """Return what of a payment has gone back, is on its way back or is asked back."""
    total = select(func.coalesce(func.sum(Disbursement.amount_cents), 0)).where(
        _of(payment_id), Disbursement.status.not_in(NOT_PAID)
    )
    return int(session.scalar(total) or 0)


def refundable_cents(payment: Payment) -> int:
    """Return what of a payment can still be asked back."""
    if payment.received_cents is None:
        return 0
    return payment.received_cents - refunded_cents(db.session(), payment.id)


def refunds_of(payment: Payment) -> Sequence[Disbursement]:
    """Return every refund of a payment, newest first."""
    query = select(Disbursement).where(_of(payment.id))
    return db.session.scalars(query.order_by(Disbursement.id.desc()).limit(100)).all()


def road_for(payment: Payment, amount_cents: int, refunded: int) -> tuple[Channel, str]:
    """Choose how a payment's money goes back, and say why; see ``choose_road``."""
    return choose_road(
        payment.mpesa_receipt,
        payment.completed_at or payment.created_at,
        is_whole=not refunded and amount_cents == payment.received_cents,
        has_failed=_reversal_failed(payment),
    )


def _written(
    session: Session,
    payment_id: int,
    person: Person,
    amount_cents: int | None,
    reason: str,
) -> Disbursement:
    payment = session.get_one(Payment, payment_id, populate_existing=True)
    refunded = refunded_cents(session, payment_id)
    wanted = _wanted(payment, refunded, amount_cents)
    require_within_limit(person, wanted)
    channel, why = road_for(payment, wanted, refunded)
    yes = approval_reason(wanted, person.is_admin)
    back = Back(wanted, channel, why, payment.phone, reason, yes)
    record = write(session, back, person, payment_id=payment_id)
    set_aside(session, Credit.payment_id == payment.id, person, record)
    actor, status = f"person {person.id}", payment.status
    asked = said(
        "{refund}: {amount}, {status}",
        refund=record.public_ref,
        amount=Kes(wanted),
        status=said(record.status),
    )
    payment_note(session, payment_id, "refund_asked", status, status, actor, asked)
    return record


def _of(payment_id: int) -> ColumnElement[bool]:
    """Pick a payment's refunds, and those of its money from before it was known to be its."""
    return back_from([payment_id], select(Credit.id).where(Credit.payment_id == payment_id))


def _reversal_failed(payment: Payment) -> bool:
    query = select(Disbursement.id).where(
        _of(payment.id),
        Disbursement.channel == Channel.REVERSAL,
        Disbursement.status == OutStatus.FAILED,
    )
    return db.session.scalar(query.limit(1)) is not None


def _wanted(payment: Payment, refunded: int, amount_cents: int | None) -> int:
    if payment.received_cents is None:
        raise Conflict(
            said(
                "This payment is {status}: there is no money to send back.",
                status=said(payment.status),
            )
        )
    return wanted_cents(payment.received_cents - refunded, amount_cents)
