"""Settling by hand: the statement shows money of which Daraja says nothing.

One person proposes, with the receipt and what the statement says; another one agrees, and only
then is the money credited, by the same ``settle`` as any other. What Daraja says of it later is
the same money when it names the same receipt, and other money when it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.accounts.roles import May
from app.audit.service import record
from app.core.clock import for_people, now
from app.core.errors import Conflict, Forbidden, NotFound, ValidationError
from app.core.money import kes
from app.core.reading import MAX_ID
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.monitoring import redact
from app.mpesa.bodies import read_receipt
from app.orders import service as orders
from app.payments.evidence import Evidence, Outcome
from app.payments.models import Credit, ManualSettlement, Payment
from app.payments.queries import find_payment
from app.payments.receipts import is_taken
from app.payments.settle import persistently, settle_in
from app.payments.states import Proposal, Standing
from app.payments.timeline import note
from app.settings.service import settings

LEAST_EVIDENCE, MOST_WORDS = 20, 500
_MOST_LAPSING = 200


def propose(
    ref: object,
    person: Person,
    *,
    receipt: str,
    amount_cents: int,
    paid_at: datetime,
    seen: str,
) -> ManualSettlement:
    """Say that the statement shows a payment's money; it waits for another person's yes.

    ``paid_at`` is an aware moment. Raises ValidationError for what is not complete, and Conflict
    where the payment needs none, something waits already, or the receipt is credited elsewhere.
    """
    payment_id, payer = find_payment(ref).id, person.id
    found, words = _readable_receipt(receipt), _readable(seen, "seen", LEAST_EVIDENCE)
    _require_past(paid_at)
    try:
        with transaction() as session:
            payment = session.get_one(Payment, payment_id, populate_existing=True)
            _require_open(payment)
            _require_unknown(session, found)
            proposal = ManualSettlement(
                payment_id=payment_id,
                receipt=found,
                amount_cents=amount_cents,
                paid_at=paid_at,
                seen=words,
                proposed_by=payer,
                approve_until=now() + timedelta(hours=settings().approval_hours),
            )
            session.add(proposal)
            session.flush()
            told = f"{kes(amount_cents)}, {found}, paid {for_people(paid_at)}: waits for a yes"
            _note(session, payment, "settlement_proposed", person, told)
            _record(session, person, "payment.settlement_proposed", proposal)
    except IntegrityError as error:
        raise Conflict(
            marked("A settlement of this payment, or with this receipt, waits for a yes already.")
        ) from error
    return db.session.get_one(ManualSettlement, proposal.id)


def approve(settlement_id: int, person: Person) -> None:
    """Agree, and settle the payment. Raises Forbidden for the proposer, Conflict when it is late.

    Of several who agree at the same moment one settles.
    """

    def work(session: Session) -> None:
        proposal = _found(session, settlement_id)
        if proposal.proposed_by == person.id:
            raise Forbidden(marked("You proposed this yourself: another person has to agree."))
        # The order is locked before it is looked whether Daraja has spoken in the meantime.
        orders.lock_order(session, proposal.payment.order_id)
        payment = session.get_one(Payment, proposal.payment_id, populate_existing=True)
        _require_open(payment)
        outcome = _outcome(proposal, person)
        if is_taken(session, payment.id, outcome):
            raise Conflict(
                said(
                    "{receipt} has been credited elsewhere. Refuse this.", receipt=proposal.receipt
                )
            )
        _decide(session, proposal, Proposal.APPROVED, person, "agreed to")
        settle_in(session, payment.id, outcome)
        _record(session, person, "payment.settled_by_hand", proposal)

    persistently(work)


def refuse(settlement_id: int, person: Person, why: str) -> None:
    """Say no, with a reason: whoever may agree, and the proposer. Raises Forbidden or Conflict."""
    words = _readable(why, "why", 1)
    with transaction() as session:
        proposal = _found(session, settlement_id)
        if proposal.proposed_by != person.id and not person.may(May.APPROVE):
            raise Forbidden(
                marked("Your role does not allow this. Ask somebody who may agree to it.")
            )
        _decide(session, proposal, Proposal.REFUSED, person, words)
        _note(session, proposal.payment, "settlement_refused", person, words)
        _record(session, person, "payment.settlement_refused", proposal)


def lapse_due() -> int:
    """Let go of what nobody has decided in time; return how many there were."""
    query = select(ManualSettlement.id).where(
        ManualSettlement.state == Proposal.WAITING, ManualSettlement.approve_until <= now()
    )
    due = list(db.session.scalars(query.limit(_MOST_LAPSING)))
    for settlement_id in due:
        with transaction() as session:
            _lapse(session, settlement_id)
    return len(due)


def settlements_of(payment: Payment) -> Sequence[ManualSettlement]:
    """Return what was proposed for a payment, newest first."""
    query = select(ManualSettlement).where(ManualSettlement.payment_id == payment.id)
    return db.session.scalars(query.order_by(ManualSettlement.id.desc()).limit(50)).all()


def settlement_of(ref: object, settlement_id: int) -> int:
    """Return the id of a payment's settlement. Raises NotFound for another's."""
    payment = find_payment(ref)
    query = select(ManualSettlement.id).where(
        ManualSettlement.payment_id == payment.id, ManualSettlement.id == min(settlement_id, MAX_ID)
    )
    found = db.session.scalar(query)
    if found is None:
        raise NotFound(marked("This payment has no such settlement."))
    return found


def is_open(payment: Payment) -> bool:
    """Tell whether a settlement by hand can be proposed: no money came, and no prompt is open."""
    return not payment.is_settled and not (payment.is_live and payment.prompt_expires_at > now())


def _lapse(session: Session, settlement_id: int) -> None:
    proposal = _found(session, settlement_id)
    lapsed = (
        update(ManualSettlement)
        .where(ManualSettlement.id == settlement_id, ManualSettlement.state == Proposal.WAITING)
        .values(state=Proposal.LAPSED, decided_at=now(), decided_why="nobody agreed in time")
    )
    if rows_changed(session, lapsed) == 1:
        _note(session, proposal.payment, "settlement_lapsed", "engine", "nobody agreed in time")
        _record(session, "engine", "payment.settlement_lapsed", proposal)


def _found(session: Session, settlement_id: int) -> ManualSettlement:
    proposal = session.get(ManualSettlement, settlement_id, populate_existing=True)
    if proposal is None:
        raise NotFound(marked("There is no such settlement."))
    return proposal


def _decide(
    session: Session, proposal: ManualSettlement, state: Proposal, person: Person, why: str
) -> None:
    """Write the decision down, once. Raises Conflict when somebody was faster, or time is over."""
    decided = (
        update(ManualSettlement)
        .where(
            ManualSettlement.id == proposal.id,
            ManualSettlement.state == Proposal.WAITING,
            ManualSettlement.approve_until > now(),
        )
        .values(state=state, decided_by=person.id, decided_at=now(), decided_why=why)
    )
    if rows_changed(session, decided) != 1:
        raise Conflict(marked("This has been decided already, or the time to decide is over."))


def _outcome(proposal: ManualSettlement, person: Person) -> Outcome:
    return Outcome(
        result_code="0",
        result_desc="settled by hand, from the statement",
        evidence=Evidence.BY_HAND,
        actor=f"person {person.id}",
        amount_cents=proposal.amount_cents,
        receipt=proposal.receipt,
    )


def _require_open(payment: Payment) -> None:
    if payment.is_settled:
        raise Conflict(
            marked("The money of this payment has come in already: there is nothing to settle.")
        )
    if not is_open(payment):
        raise Conflict(marked("Its prompt may still be on the phone. Wait for its end."))


def _require_unknown(session: Session, receipt: str) -> None:
    credit = session.scalar(select(Credit).where(Credit.receipt == receipt))
    if credit is None:
        return
    if credit.standing == Standing.UNMATCHED and credit.decided_at is None:
        raise Conflict(
            said(
                "{receipt} is money that waits for its order: assign it, in the back office's list "
                "of what needs a person.",
                receipt=receipt,
            )
        )
    if credit.payment is None:
        raise Conflict(
            said(
                "{receipt} is the receipt of order {number}. Look at the statement again.",
                receipt=receipt,
                number=credit.order_id,
            )
        )
    raise Conflict(
        said(
            "{receipt} is the receipt of {holder}. Look at the statement again.",
            receipt=receipt,
            holder=credit.payment.public_ref,
        )
    )


def _require_past(paid_at: datetime) -> None:
    if paid_at > now() + timedelta(minutes=5):
        raise ValidationError(
            marked("That is in the future. Say when it was paid."), details=_at("when")
        )


def _readable_receipt(receipt: str) -> str:
    found = read_receipt(receipt)
    if found is None:
        raise ValidationError(
            marked("Give the M-Pesa receipt of the payment, such as QGH7X8Y9Z0."),
            details=_at("receipt"),
        )
    return found


def _readable(text: str, field: str, least: int) -> str:
    words = redact(text.strip())
    if not least <= len(words) <= MOST_WORDS:
        asked = (
            marked("Say what you have seen, in {least} to {most} characters.")
            if field == "seen"
            else marked("Say why, in {least} to {most} characters.")
        )
        raise ValidationError(said(asked, least=least, most=MOST_WORDS), details=_at(field))
    return words


def _at(field: str) -> dict[str, str]:
    return {"field": field}


def _note(session: Session, payment: Payment, event: str, who: Person | str, why: str) -> None:
    actor = f"person {who.id}" if isinstance(who, Person) else who
    note(session, payment.id, event, payment.status, payment.status, actor, why)


def _record(session: Session, who: Person | str, action: str, proposal: ManualSettlement) -> None:
    record(
        session,
        who,
        action,
        f"payment {proposal.payment.public_ref}",
        settlement=proposal.id,
        receipt=proposal.receipt,
        amount=kes(proposal.amount_cents),
    )
