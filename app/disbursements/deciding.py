"""What a person finds out about money that Daraja does not speak of."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core.clock import now
from app.core.errors import Conflict, ValidationError
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.disbursements.approvals import readable, record_deed
from app.disbursements.machine import Verdict, conclude_in, locked, persistently
from app.disbursements.models import Disbursement
from app.disbursements.states import SENT
from app.disbursements.timeline import remark
from app.extensions import db
from app.mpesa.bodies import read_receipt
from app.payments.models import Payment


def declare_paid(record: Disbursement, person: Person, receipt: str, evidence: str) -> None:
    """Say by an M-Pesa receipt, from the statement or the receiver, that money has arrived.

    Raises Conflict where that is not the question or the receipt is another's, and
    ValidationError without evidence.
    """
    words, found = readable(evidence), read_receipt(receipt)
    if found is None:
        raise ValidationError(
            marked("Give the M-Pesa receipt of the payment, such as QGH7X8Y9Z0."),
            details={"field": "receipt"},
        )
    _require_open(record)
    _require_unheld(record, found)
    verdict = Verdict("paid", f"person {person.id}", "", words, receipt=found)
    _conclude(record.id, verdict, person, "declared_paid", receipt=found)


def declare_not_paid(record: Disbursement, person: Person, evidence: str) -> None:
    """Say, having looked at the statement, that no money has left. It may be asked for anew.

    Raises Conflict where that is not the question, and ValidationError without evidence.
    """
    words = readable(evidence)
    _require_open(record)
    verdict = Verdict("declined", f"person {person.id}", "", words)
    _conclude(record.id, verdict, person, "declared_not_paid")


def acknowledge(record: Disbursement, person: Person, why: str) -> None:
    """Take a record that was only to be looked at off the list."""
    words, record_id = readable(why), record.id
    with transaction() as session:
        found = locked(session, record_id)
        if not found.needs_review or found.status in SENT:
            raise Conflict(marked("There is nothing to acknowledge here."))
        found.reviewed_at = now()
        remark(session, found, "seen", f"person {person.id}", words)
        record_deed(session, found, person, "acknowledged", why=words)


def _require_open(record: Disbursement) -> None:
    if record.status not in SENT:
        raise Conflict(
            said("It is {status}: nobody has to find out about it.", status=said(record.status))
        )


def _require_unheld(record: Disbursement, receipt: str) -> None:
    paid = select(Disbursement.public_ref).where(
        Disbursement.receipt == receipt, Disbursement.id != record.id
    )
    came_in = select(Payment.public_ref).where(Payment.mpesa_receipt == receipt)
    holder = db.session.scalar(paid) or db.session.scalar(came_in)
    if holder is not None:
        raise Conflict(
            said(
                "{receipt} is the receipt of {holder}. Look at the statement again.",
                receipt=receipt,
                holder=holder,
            )
        )


def _conclude(record_id: int, verdict: Verdict, person: Person, verb: str, **detail: str) -> None:
    """Apply a person's evidence and sign it, all of it or nothing."""

    def work(session: Session) -> None:
        conclude_in(session, record_id, verdict)
        record = locked(session, record_id)
        record.reviewed_at = now()
        record_deed(session, record, person, verb, why=verdict.description, **detail)

    persistently(work)
