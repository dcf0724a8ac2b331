"""Asking for money back: who may, how much, by which road, and who has to agree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.accounts.roles import May
from app.audit import service as audit
from app.core import idempotency
from app.core.clock import now
from app.core.errors import AmountTooLow, Conflict, Forbidden, InvalidAmount
from app.core.money import CENTS, kes
from app.disbursements import approvals
from app.disbursements.approvals import first_state, readable
from app.disbursements.models import Channel, Disbursement, Kind, new_token
from app.disbursements.references import find, new_name, with_fresh_names
from app.disbursements.states import NOT_PAID, OutStatus
from app.disbursements.timeline import note
from app.extensions import db
from app.orders import service as orders
from app.payments.models import Credit, Payment
from app.payments.queries import find_payment
from app.payments.states import Decision, Standing
from app.payments.timeline import note as payment_note
from app.settings.service import settings

#: The least that B2C pays (documented by Safaricom).
LEAST_B2C_CENTS = 1000
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
    if (begun := _begun_earlier()) is not None:
        return begun
    payment_id, order_id, person_id = payment.id, payment.order_id, person.id

    def write(session: Session) -> int:
        # Two who ask at once come through here one after the other.
        orders.lock_order(session, order_id)
        asker = session.get_one(Person, person_id)
        record = _written(session, payment_id, asker, amount_cents, words)
        if is_staff:
            told = {"amount": kes(record.amount_cents), "status": record.status, "why": words}
            audit.record(session, asker, "refund.asked", f"refund {record.public_ref}", **told)
        return record.id

    return find(with_fresh_names(write), Kind.REFUND)


def refunded_cents(session: Session, payment_id: int) -> int:
    """Return what of a payment has gone back, is on its way back or is asked back."""
    total = select(func.coalesce(func.sum(Disbursement.amount_cents), 0)).where(
        Disbursement.payment_id == payment_id, Disbursement.status.not_in(NOT_PAID)
    )
    return int(session.scalar(total) or 0)


def refundable_cents(payment: Payment) -> int:
    """Return what of a payment can still be asked back."""
    if payment.received_cents is None:
        return 0
    return payment.received_cents - refunded_cents(db.session(), payment.id)


def refunds_of(payment: Payment) -> Sequence[Disbursement]:
    """Return every refund of a payment, newest first."""
    query = select(Disbursement).where(Disbursement.payment_id == payment.id)
    return db.session.scalars(query.order_by(Disbursement.id.desc()).limit(100)).all()


def road_for(payment: Payment, amount_cents: int, refunded: int) -> tuple[Channel, str]:
    """Choose how money goes back, and say why.

    A reversal undoes a payment that is recent, whole and known by its receipt, at no charge;
    Daraja reverses a receipt once. Anything else is paid to the phone that paid.
    """
    hours = settings().refund_reversal_hours
    at = payment.completed_at or payment.created_at
    if payment.mpesa_receipt is None:
        return Channel.B2C, "B2C: its M-Pesa receipt is not known yet."
    if refunded or amount_cents != payment.received_cents:
        return Channel.B2C, "B2C: only a part goes back, and a reversal takes a payment whole."
    if _reversal_failed(payment):
        return Channel.B2C, "B2C: M-Pesa has declined to reverse this payment."
    if at < now() - timedelta(hours=hours):
        return Channel.B2C, f"B2C: it was paid more than {hours} hours ago."
    return Channel.REVERSAL, f"Reversal: it is whole and was paid within {hours} hours."


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
    _require_within_limit(person, wanted)
    channel, why = road_for(payment, wanted, refunded)
    if channel is Channel.B2C and wanted < LEAST_B2C_CENTS:
        raise AmountTooLow(
            f"M-Pesa pays out {kes(LEAST_B2C_CENTS)} at least. {why}",
            details={"field": "amount", "minimum": LEAST_B2C_CENTS // CENTS},
        )
    name = new_name(Kind.REFUND)
    record = Disbursement(
        public_ref=name,
        originator_id=f"{name}-{new_token()[:12]}",
        kind=Kind.REFUND,
        payment_id=payment_id,
        amount_cents=wanted,
        msisdn=payment.phone,
        channel=channel,
        channel_why=why,
        reason=reason,
        asked_by=person.id,
        **first_state(_approval_reason(wanted, person.is_admin)),
    )
    session.add(record)
    session.flush()
    _set_aside(session, payment, person.id, name)
    idempotency.bind(session, f"refund:{record.id}")
    actor, asked = f"person {person.id}", f"{name}: {kes(wanted)}, {record.status}"
    note(session, record, "asked", "", record.status, actor, f"{kes(wanted)}. {why}")
    status = payment.status
    payment_note(session, payment_id, "refund_asked", status, status, actor, asked)
    return record


def _require_within_limit(person: Person, amount_cents: int) -> None:
    """Raise Forbidden for what is more than an operator may send back at a time."""
    limit = settings().operator_refund_limit
    is_limited = person.may(May.REFUND) and not person.is_admin
    if is_limited and amount_cents > limit * CENTS:
        raise Forbidden(
            f"Operators refund {kes(limit * CENTS)} at most at a time. Ask the shop's owner for "
            "more.",
            details={"maximum": limit},
        )


def _reversal_failed(payment: Payment) -> bool:
    query = select(Disbursement.id).where(
        Disbursement.payment_id == payment.id,
        Disbursement.channel == Channel.REVERSAL,
        Disbursement.status == OutStatus.FAILED,
    )
    return db.session.scalar(query.limit(1)) is not None


def _wanted(payment: Payment, refunded: int, amount_cents: int | None) -> int:
    if payment.received_cents is None:
        raise Conflict(f"This payment is {payment.status}: there is no money to send back.")
    left = payment.received_cents - refunded
    wanted = left if amount_cents is None else amount_cents
    if wanted > left or left == 0:
        raise Conflict(
            f"{kes(left)} of this payment can be refunded.", details={"refundable": left // CENTS}
        )
    if wanted < CENTS:
        raise InvalidAmount
    if wanted % CENTS:
        whole = wanted - wanted % CENTS
        raise Conflict(
            f"{kes(wanted)} are left, and M-Pesa sends whole shillings. Ask for {kes(whole)}.",
            details={"refundable": whole // CENTS},
        )
    return wanted


def _set_aside(session: Session, payment: Payment, person_id: int, name: str) -> None:
    """Keep money that waits for a decision out of its order, now that it goes back."""
    decided = (
        update(Credit)
        .where(
            Credit.payment_id == payment.id,
            Credit.standing != Standing.EXACT,
            Credit.decided_at.is_(None),
        )
        .values(
            decision=Decision.SET_ASIDE,
            decided_at=now(),
            decided_by=f"person {person_id}",
            decided_why=f"refund {name}",
        )
    )
    session.execute(decided)


def _approval_reason(amount_cents: int, is_admin: bool) -> str | None:
    configured = settings()
    limit = configured.refund_limit_shillings
    if limit is None or amount_cents <= limit * CENTS:
        return None
    released = configured.payout_limit_shillings
    if is_admin and (released is None or amount_cents <= released * CENTS):
        return None
    return f"refunds above {kes(limit * CENTS)} need another person's yes"


def _begun_earlier() -> Disbursement | None:
    subject = idempotency.subject()
    return find(int(subject.removeprefix("refund:")), Kind.REFUND) if subject else None
