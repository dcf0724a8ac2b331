"""Payouts: who is paid how much, and whether a second person has to agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, selectinload

from app.accounts.models import Person
from app.audit import service as audit
from app.core import idempotency
from app.core.clock import nairobi
from app.core.errors import AmountTooHigh, AmountTooLow, Conflict, InvalidAmount, ValidationError
from app.core.money import CENTS, Kes, kes
from app.core.texts import marked, said
from app.disbursements import approvals
from app.disbursements.models import Channel, Disbursement, Kind, new_token
from app.disbursements.references import find, new_name, with_fresh_names
from app.disbursements.states import OutStatus
from app.disbursements.timeline import note
from app.extensions import db
from app.settings.service import settings
from app.suppliers import service as suppliers
from app.suppliers.models import Supplier
from app.suppliers.numbers import cooling_until

#: The least that B2C pays (documented by Safaricom).
LEAST_SHILLINGS = 10
MOST_NOTES = 500


class PayoutTooHigh(AmountTooHigh):
    """More than PAYOUT_MAX_AMOUNT."""

    def __init__(self, maximum_shillings: int) -> None:
        super().__init__(maximum_shillings)
        self.message = said(
            "One payout is at most {amount}. Pay in parts, or have PAYOUT_MAX_AMOUNT raised.",
            amount=Kes(maximum_shillings * CENTS),
        )


@dataclass(frozen=True)
class Asked:
    """One payout to be made: cents, and words that reach M-Pesa as Remarks."""

    supplier: Supplier
    amount_cents: int
    notes: str


def ask(
    supplier_ref: object,
    amount_cents: int,
    notes: str,
    person: Person,
    *,
    form_key: str | None = None,
) -> Disbursement:
    """Ask for one payout: queued, or waiting for a second admin.

    Nothing is sent here. A repetition with the same Idempotency-Key or form key gives the first
    one back. Raises NotFound, Conflict for an inactive supplier, and ValidationError.
    """
    if (begun := _begun_earlier(form_key)) is not None:
        return begun
    asked = Asked(suppliers.find(supplier_ref), amount_cents, notes.strip())
    require_payable(asked)
    person_id = person.id

    def write(session: Session) -> int:
        record = write_payout(session, asked, person_id, form_key=form_key)
        idempotency.bind(session, f"payout:{record.id}")
        told = {"amount": kes(record.amount_cents), "status": record.status, "why": record.reason}
        asker = session.get_one(Person, person_id)
        audit.record(session, asker, "payout.asked", f"payout {record.public_ref}", **told)
        return record.id

    try:
        return find(with_fresh_names(write), Kind.PAYOUT)
    except Conflict:
        # The key of a form was taken by its own repetition in this very moment.
        if (begun := _begun_earlier(form_key)) is not None:
            return begun
        raise


def require_payable(asked: Asked) -> None:
    """Raise what is wrong with a payout that somebody asks for."""
    most = settings().payout_max_amount
    if not asked.supplier.is_active:
        raise Conflict(
            said("{name} is not active. Activate the supplier first.", name=asked.supplier.name)
        )
    if asked.amount_cents < LEAST_SHILLINGS * CENTS:
        raise AmountTooLow(
            said(
                "The least that M-Pesa pays out is {amount}.", amount=Kes(LEAST_SHILLINGS * CENTS)
            ),
            details={"field": "amount", "minimum": LEAST_SHILLINGS},
        )
    if asked.amount_cents > most * CENTS:
        raise PayoutTooHigh(most)
    if asked.amount_cents % CENTS:
        raise InvalidAmount
    if len(asked.notes) > MOST_NOTES:
        raise ValidationError(
            said("Notes take {most:,} characters at most.", most=MOST_NOTES),
            details={"field": "notes"},
        )


def write_payout(
    session: Session,
    asked: Asked,
    person_id: int,
    *,
    run_id: int | None = None,
    form_key: str | None = None,
    always_ask: bool = False,
) -> Disbursement:
    """Write a payout down, in the caller's transaction, with the number on file now.

    ``always_ask`` has a second person agree whatever the rules say.
    """
    # Whoever changes the number waits until this is written, or we wait until the change is.
    supplier = session.get_one(
        Supplier, asked.supplier.id, populate_existing=True, with_for_update={"read": True}
    )
    why = approval_reason(session, supplier, asked.amount_cents)
    if why is None and always_ask:
        why = marked("it is part of a run")
    name = new_name(Kind.PAYOUT)
    record = Disbursement(
        public_ref=name,
        originator_id=f"{name}-{new_token()[:12]}",
        kind=Kind.PAYOUT,
        supplier_id=supplier.id,
        run_id=run_id,
        amount_cents=asked.amount_cents,
        msisdn=supplier.mpesa_number,
        channel=Channel.B2C,
        channel_why=marked("Payouts go by B2C."),
        reason=asked.notes or f"Payout {name}",
        asked_by=person_id,
        form_key=form_key,
        **approvals.first_state(why),
    )
    session.add(record)
    session.flush()
    amount, to = Kes(asked.amount_cents), supplier.name
    told = said("{amount} to {name}", amount=amount, name=to)
    if why is not None:
        told = said("{amount} to {name}: {why}", amount=amount, name=to, why=why)
    note(session, record, "asked", "", record.status, f"person {person_id}", told)
    return record


def approval_reason(session: Session, supplier: Supplier, amount_cents: int) -> str | None:
    """Say why a second admin has to agree to a payout; None when nobody has to."""
    limit = settings().payout_limit_shillings
    if limit is not None and amount_cents > limit * CENTS:
        return said("it is above {amount}", amount=Kes(limit * CENTS))
    until = cooling_until(session, supplier.id)
    if until is not None:
        return said("the number changed lately, and cools off until {until}", until=_moment(until))
    return None


def page_of_payouts(
    page: int, per_page: int, status: str | None = None
) -> tuple[Sequence[Disbursement], int]:
    """Return one page of payouts, newest first, and how many there are."""
    query = _payouts(status)
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    newest = query.order_by(Disbursement.id.desc()).offset((page - 1) * per_page).limit(per_page)
    newest = newest.options(selectinload(Disbursement.supplier))
    return db.session.scalars(newest).all(), total


def _payouts(status: str | None) -> Select[Disbursement]:
    query = select(Disbursement).where(Disbursement.kind == Kind.PAYOUT)
    if status is None:
        return query
    if status not in list(OutStatus):
        raise ValidationError(
            said("status must be one of {names}.", names=", ".join(OutStatus)),
            details={"field": "status"},
        )
    return query.where(Disbursement.status == status)


def _begun_earlier(form_key: str | None) -> Disbursement | None:
    subject = idempotency.subject()
    if subject is not None:
        return find(int(subject.removeprefix("payout:")), Kind.PAYOUT)
    if form_key is None:
        return None
    query = select(Disbursement).where(Disbursement.form_key == form_key)
    return db.session.scalar(query)


def _moment(moment: datetime) -> str:
    return f"{nairobi(moment):%d %b %H:%M}"
