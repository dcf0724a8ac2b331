"""What a person does about a difference: give money a home, explain it, have Daraja asked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from app.accounts.models import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, NotFound, ValidationError
from app.core.statements import insert_or_nothing, rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, transaction
from app.extensions import db
from app.monitoring import redact
from app.orders import service as orders
from app.payments import asking, deciding
from app.payments.evidence import Evidence, Outcome
from app.payments.models import Credit
from app.payments.postings import post_credit
from app.payments.queries import find_payment
from app.payments.settle import settle
from app.payments.states import Standing
from app.reconciliation.in_comparison import BY_STATEMENT
from app.reconciliation.models import Difference, DifferenceKind, Phase, Resolution, Statement
from app.reconciliation.signals import work_wanted

MOST_WORDS = 500


def assign(difference_id: int, order_ref: str, person: Person, why: str) -> None:
    """Give money of which only the statement knows to an order.

    It is credited first, once for its receipt, whichever road tells of it: a callback that comes
    later finds it there. Where the order cannot take it, it stays as unmatched money before a
    person. Raises Conflict, NotFound and ValidationError.
    """
    words, found = _readable(why), _open(difference_id)
    if found.kind != DifferenceKind.IN_NOT_OURS or found.receipt is None:
        raise Conflict(marked("Only money that came in and that our books lack can be assigned."))
    order_id = orders.find_order(order_ref, person).id
    credit_id = _credited(found, person)
    deciding.assign(credit_id, order_id, person, words)
    _resolve(difference_id, Resolution.ASSIGNED, person, words, credit_id=credit_id)


def _credited(found: Difference, person: Person) -> int:
    """Return the credit of a receipt, making it unless it is there. Raises Conflict."""
    values = {
        "amount_cents": found.theirs_cents,
        "receipt": found.receipt,
        "standing": Standing.UNMATCHED,
        "evidence": BY_STATEMENT,
        "created_at": now(),
    }
    with transaction() as session:
        made = insert_or_nothing(session, Credit, values, key=["receipt"])
        if made is not None:
            post_credit(session, session.get_one(Credit, made), f"credit {made}")
            about: dict[str, Any] = {"receipt": found.receipt, "cents": found.theirs_cents}
            audit.record(session, person, "money.credited_by_statement", f"credit {made}", **about)
            return made
        there = session.query(Credit).filter_by(receipt=found.receipt).one()
    if there.standing != Standing.UNMATCHED or there.decided_at is not None:
        raise Conflict(marked("Our books know of this money by now. Compare again."))
    return there.id


def explain(difference_id: int, person: Person, why: str) -> None:
    """Write down why a difference is none to worry about. Raises Conflict."""
    _open(difference_id)
    _resolve(difference_id, Resolution.EXPLAINED, person, _readable(why))


def ask_daraja(difference_id: int, person: Person) -> str:
    """Have Daraja asked how a prompt ended; return in a few words what was arranged."""
    found = _open(difference_id)
    if not (found.subject or "").startswith("TXN"):
        raise Conflict(marked("There is no prompt of ours to ask about."))
    return asking.ask_soon(find_payment(found.subject).id)


def take_receipt(difference_id: int, person: Person) -> str:
    """Write a receipt that only the statement has told to its payment; return what came of it.

    It goes by the road that any later news of a settled payment goes.
    """
    found = _open(difference_id)
    if found.kind != DifferenceKind.RECEIPT_MISSING or not (found.subject or "").startswith("TXN"):
        raise Conflict(marked("No payment of ours lacks this receipt."))
    payment = find_payment(found.subject)
    if not payment.is_settled:
        raise Conflict(marked("That payment is not settled any more. Compare again."))
    outcome = Outcome(
        result_code="0",
        result_desc=marked("read from the statement"),
        evidence=Evidence.BY_HAND,
        actor=f"person {person.id}",
        receipt=found.receipt,
    )
    told = settle(payment.id, outcome)
    if told == marked("receipt learned"):
        _resolve(difference_id, Resolution.ASSIGNED, person, marked("the receipt was written down"))
    return told


def compare_again(statement_id: int, person: Person) -> None:
    """Compare a statement's rows with the books of now. Raises Conflict while that is done."""
    again = (
        update(Statement)
        .where(Statement.id == statement_id, Statement.phase == Phase.DONE)
        .values(phase=Phase.COMPARING, claimed_until=None)
    )
    with transaction() as session:
        if rows_changed(session, again) != 1:
            raise Conflict(marked("This statement is being worked on, or was refused."))
        audit.record(session, person, "statement.compared_again", f"statement {statement_id}")
        after_commit(lambda: work_wanted.send(statement_id=statement_id))


def _open(difference_id: int) -> Difference:
    found = db.session.get(Difference, difference_id, populate_existing=True)
    if found is None:
        raise NotFound(marked("There is no such difference any more. Open the statement again."))
    if found.resolved_at is not None:
        raise Conflict(marked("Somebody has dealt with this already."))
    return found


def _resolve(
    difference_id: int, resolution: Resolution, person: Person, why: str, **more: Any
) -> None:
    """Write down, once, what a person did about a difference."""
    values = {"resolution": resolution, "resolved_by": person.id, "resolved_at": now(), "why": why}
    once = (
        update(Difference)
        .where(Difference.id == difference_id, Difference.resolved_at.is_(None))
        .values(**values, **more)
    )
    with transaction() as session:
        if rows_changed(session, once) != 1:
            raise Conflict(marked("Somebody has dealt with this already."))
        found = session.get_one(Difference, difference_id, populate_existing=True)
        about: dict[str, Any] = {
            "kind": found.kind,
            "receipt": found.receipt,
            "difference_cents": found.difference_cents,
            "statement": found.statement_id,
            "why": redact(why[:200]),
        }
        audit.record(session, person, f"difference.{resolution}", f"difference {found.id}", **about)


def _readable(why: str) -> str:
    """Return a reason as it is kept: a number that somebody typed into it is masked."""
    words = redact(why.strip())
    if not words or len(words) > MOST_WORDS:
        raise ValidationError(said("Say why, in 1 to {most} characters.", most=MOST_WORDS))
    return words
