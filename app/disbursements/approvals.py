"""The second person's yes, and anybody's no, while nothing has been sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, Forbidden, ValidationError
from app.core.money import kes
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, transaction
from app.disbursements.machine import locked, move
from app.disbursements.models import Disbursement
from app.disbursements.signals import turn_wanted
from app.disbursements.states import OutEvent, OutStatus
from app.extensions import db
from app.settings.service import settings
from app.suppliers.numbers import changed_lately_by

MOST_WORDS = 500
#: Whoever asks sends at once; if that process dies, the sweep sends after so long.
SEND_SECONDS = 5


def approve(disbursement_id: int, person: Person) -> None:
    """Agree to money going out; it is queued. Raises Forbidden for its maker, Conflict when late.

    What is paid is the number on file when it was asked for: one that has changed since is not
    paid by this approval.
    """
    with transaction() as session:
        approve_in(session, disbursement_id, person)
        record = locked(session, disbursement_id)
        record_deed(session, record, person, "approved", amount=kes(record.amount_cents))


def approve_in(session: Session, disbursement_id: int, person: Person) -> None:
    """Agree, in the caller's transaction; see ``approve``."""
    record = locked(session, disbursement_id)
    _require_waiting(record)
    _require_another(session, record, person)
    _require_same_number(record)
    due = now() + timedelta(seconds=SEND_SECONDS)
    move(
        session,
        record,
        OutEvent.APPROVED,
        f"person {person.id}",
        marked("agreed to"),
        approved_by=person.id,
        approved_at=now(),
        next_check_at=due,
    )
    after_commit(lambda: turn_wanted.send(disbursement_id=disbursement_id, at=due))


def call_off(disbursement_id: int, person: Person, why: str) -> None:
    """Cancel what has not been sent. Raises Conflict when it has."""
    words = readable(why)
    with transaction() as session:
        record = locked(session, disbursement_id)
        changes = {"next_check_at": None, "held": None}
        moved = move(session, record, OutEvent.CALLED_OFF, f"person {person.id}", words, **changes)
        if not moved:
            raise Conflict(
                said(
                    "It is {status} and cannot be called off any more.", status=said(record.status)
                )
            )
        record_deed(session, record, person, "called_off", why=words)


def lapse(disbursement_id: int) -> str:
    """Cancel what nobody agreed to in time."""
    with transaction() as session:
        record = locked(session, disbursement_id)
        if record.status != OutStatus.AWAITING_APPROVAL or not _is_late(record):
            return f"it is {record.status}"
        why = marked("nobody agreed in time")
        move(session, record, OutEvent.APPROVAL_LAPSED, "machine", why, failure="approval_lapsed")
    return "lapsed"


def lapsed_ids(limit: int) -> list[int]:
    """Return what waits for a yes that comes too late now."""
    query = select(Disbursement.id).where(
        Disbursement.status == OutStatus.AWAITING_APPROVAL, Disbursement.approve_until <= now()
    )
    return list(db.session.scalars(query.order_by(Disbursement.id).limit(limit)))


def record_deed(
    session: Session, record: Disbursement, person: Person, verb: str, **detail: str
) -> None:
    """Write what a person did to a refund or payout into the audit trail, last of all."""
    action, subject = f"{record.kind}.{verb}", f"{record.kind} {record.public_ref}"
    audit.record(session, person, action, subject, **detail)


def first_state(approval_why: str | None) -> dict[str, Any]:
    """Return how a new record stands: queued, or waiting for a second person for this reason."""
    if approval_why is None:
        return {
            "status": OutStatus.QUEUED,
            "next_check_at": now() + timedelta(seconds=SEND_SECONDS),
        }
    return {
        "status": OutStatus.AWAITING_APPROVAL,
        "approval_why": approval_why,
        "approve_until": now() + timedelta(hours=settings().approval_hours),
    }


def readable(why: str) -> str:
    """Return a reason without blanks around it. Raises ValidationError for none."""
    words = why.strip()
    if not words or len(words) > MOST_WORDS:
        raise ValidationError(
            said("Say why, in 1 to {most} characters.", most=MOST_WORDS),
            details={"field": "reason"},
        )
    return words


def _require_waiting(record: Disbursement) -> None:
    if record.status != OutStatus.AWAITING_APPROVAL:
        raise Conflict(
            said("It is {status}: there is nothing to agree to.", status=said(record.status))
        )
    if _is_late(record):
        raise Conflict(marked("The time to agree is over. Ask for it anew."))


def _is_late(record: Disbursement) -> bool:
    return record.approve_until is not None and record.approve_until <= now()


def _require_another(session: Session, record: Disbursement, person: Person) -> None:
    if record.asked_by == person.id:
        raise Forbidden(marked("You asked for this yourself: another person has to agree."))
    if record.supplier_id is not None and changed_lately_by(session, record.supplier_id, person.id):
        raise Forbidden(
            marked("You changed this supplier's number yourself: another person has to agree.")
        )


def _require_same_number(record: Disbursement) -> None:
    if record.supplier is None:
        return
    if not record.supplier.is_active:
        raise Conflict(marked("This supplier is not active any more."))
    if record.supplier.mpesa_number != record.msisdn:
        raise Conflict(
            marked(
                "The supplier's number has changed since this was asked for. Call it off, look at "
                "the change, and ask anew."
            )
        )
