"""Sending back money that no payment of ours brought: paid by hand, or found in a statement.

M-Pesa tells who paid by hand as a mask or a hash. A reversal goes back to the payer whoever that
is; for any other road a person types the number, and it has to fit what M-Pesa told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit import service as audit
from app.core.errors import Conflict, NotFound, ValidationError
from app.core.money import Kes, kes
from app.core.reading import MAX_ID
from app.core.texts import marked, said
from app.disbursements.approvals import readable
from app.disbursements.models import Channel, Disbursement, Kind
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
from app.mpesa.c2b import may_be_of
from app.mpesa.phone import masked, msisdn
from app.orders import service as orders
from app.orders.models import Order
from app.payments.models import Credit

TYPED = marked("the payer's number was typed, and M-Pesa has not told it whole")


def ask(
    credit_id: int, person: Person, amount_cents: int | None, reason: str, payer: str = ""
) -> Disbursement:
    """Ask for money back that has no payment, in part or (without an amount) all that is left.

    ``payer`` is the number that somebody typed. The limits and approvals are those of every
    refund; where an operator's typed number is not proven, another person has to agree. Nothing is
    sent here. Raises NotFound, Forbidden above an operator's limit, Conflict when there is not so
    much left or a payment owns the money, ValidationError (for a number that does not fit, too)
    or InvalidAmount.
    """
    words = readable(reason)
    if (begun := begun_earlier()) is not None:
        return begun
    order_id, person_id = find_credit(credit_id).order_id, person.id

    def ask_in(session: Session) -> int:
        # Two who ask at once come through here one after the other.
        credit, order = _locked(session, credit_id, order_id)
        asker = session.get_one(Person, person_id)
        record = _written(session, credit, asker, amount_cents, words, payer)
        _tell_order(session, order, record)
        told = {"amount": kes(record.amount_cents), "status": record.status, "why": words}
        subject = f"refund {record.public_ref}"
        audit.record(session, asker, "refund.asked", subject, credit=credit_id, **told)
        return record.id

    return find(with_fresh_names(ask_in), Kind.REFUND)


def find_credit(credit_id: int) -> Credit:
    """Return money that came in, whatever brought it. Raises NotFound."""
    credit = db.session.get(Credit, min(credit_id, MAX_ID), populate_existing=True)
    if credit is None:
        raise NotFound(marked("There is no such money."))
    return credit


def refunded_cents(session: Session, credit: Credit) -> int:
    """Return what of it has gone back, is on its way back or is asked back."""
    total = select(func.coalesce(func.sum(Disbursement.amount_cents), 0)).where(
        Disbursement.credit_id == credit.id, Disbursement.status.not_in(NOT_PAID)
    )
    return int(session.scalar(total) or 0)


def refunds_of(credit: Credit) -> Sequence[Disbursement]:
    """Return every refund of it that names no payment, newest first."""
    query = select(Disbursement).where(Disbursement.credit_id == credit.id)
    return db.session.scalars(query.order_by(Disbursement.id.desc()).limit(100)).all()


def road_for(
    session: Session, credit: Credit, amount_cents: int, refunded: int
) -> tuple[Channel, str]:
    """Choose how it goes back, and say why; see ``choose_road``.

    What was found in a statement counts as paid when it was booked: M-Pesa may then decline a
    reversal, and the money can still go by B2C.
    """
    return choose_road(
        credit.receipt,
        credit.created_at,
        is_whole=not refunded and amount_cents == credit.amount_cents,
        has_failed=_reversal_failed(session, credit),
    )


def payer_number(credit: Credit) -> str | None:
    """Return the payer's number where M-Pesa told it whole."""
    return msisdn(credit.phone) if credit.phone else None


def payer_words(credit: Credit) -> str:
    """Tell people what is known of who paid, never a whole number."""
    whole = payer_number(credit)
    if whole is not None:
        return masked(whole)
    if not credit.phone:
        return marked("not told by M-Pesa")
    return credit.phone if "*" in credit.phone else marked("known by a hash only")


def _locked(session: Session, credit_id: int, order_id: int | None) -> tuple[Credit, Order | None]:
    # The order comes first, as it does for whoever decides about money.
    order = None if order_id is None else orders.lock_order(session, order_id)
    query = select(Credit).where(Credit.id == credit_id).with_for_update(of=Credit)
    credit = session.scalars(query.execution_options(populate_existing=True)).one()
    if credit.payment is not None:
        raise Conflict(
            said(
                "This money is that of {payment}: send it back there.",
                payment=credit.payment.public_ref,
            )
        )
    if credit.order_id != order_id:
        raise Conflict(marked("Somebody has just given this money to an order. Look at it again."))
    return credit, order


def _written(
    session: Session,
    credit: Credit,
    person: Person,
    amount_cents: int | None,
    reason: str,
    payer: str,
) -> Disbursement:
    refunded = refunded_cents(session, credit)
    wanted = wanted_cents(credit.amount_cents - refunded, amount_cents)
    require_within_limit(person, wanted)
    channel, why = road_for(session, credit, wanted, refunded)
    number = _receiver(credit, payer, channel, why)
    yes = approval_reason(wanted, person.is_admin)
    if yes is None and channel is Channel.B2C and not person.is_admin:
        yes = None if _is_proven(credit, number) else TYPED
    back = Back(wanted, channel, why, number, reason, yes)
    record = write(session, back, person, credit_id=credit.id)
    set_aside(session, Credit.id == credit.id, person, record)
    return record


def _receiver(credit: Credit, typed: str, channel: Channel, why: str) -> str:
    """Return whom the money goes to; empty where a reversal finds the payer by itself."""
    known = payer_number(credit)
    number = _fitting(credit, typed) if typed.strip() else known
    if channel is Channel.REVERSAL:
        # What was typed may fit and be wrong all the same; M-Pesa knows whose money it was.
        return known or ""
    if number is None:
        raise _wrong_payer(said("Type the payer's M-Pesa number. {why}", why=why))
    return number


def _fitting(credit: Credit, typed: str) -> str:
    """Return a typed number. Raises ValidationError unless it can be the payer's."""
    number = msisdn(typed)
    if number is None:
        raise _wrong_payer(
            marked("This is not a Kenyan mobile number. Write it like 0712 345 678.")
        )
    if not may_be_of(payer_number(credit) or credit.phone or "", number):
        raise _wrong_payer(
            said(
                "This number did not pay it ({payer}). Ask the payer for the number that paid; the "
                "money goes to no other.",
                payer=payer_words(credit),
            )
        )
    return number


def _wrong_payer(words: str) -> ValidationError:
    return ValidationError(words, details={"field": "payer"})


def _is_proven(credit: Credit, number: str) -> bool:
    """Tell whether M-Pesa's own word, and not a mask, says that this number paid."""
    digest = hashlib.sha256(number.encode()).hexdigest()
    return number == payer_number(credit) or credit.phone == digest


def _reversal_failed(session: Session, credit: Credit) -> bool:
    query = select(Disbursement.id).where(
        Disbursement.credit_id == credit.id,
        Disbursement.channel == Channel.REVERSAL,
        Disbursement.status == OutStatus.FAILED,
    )
    return session.scalar(query.limit(1)) is not None


def _tell_order(session: Session, order: Order | None, record: Disbursement) -> None:
    if order is None:
        return
    told = said(
        "{refund}: {amount} paid by hand, {status}",
        refund=record.public_ref,
        amount=Kes(record.amount_cents),
        status=said(record.status),
    )
    actor, status = f"person {record.asked_by}", order.status
    orders.note(session, order.id, "refund_asked", status, status, actor, told)
