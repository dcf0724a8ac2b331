"""The one place where a payment's status changes.

All evidence ends here, whichever road it came by: callback, query or a person. A status moves
by compare-and-set along an edge of states.py; timeline, order, stock and course places change in
the same transaction, and the news goes out after its commit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.money import kes
from app.core.statements import rows_changed
from app.core.unit_of_work import after_commit, transaction
from app.mpesa.result_codes import stk_result
from app.orders import service as orders
from app.orders.models import Order, OrderStatus
from app.payments.models import Payment, TimelineEntry
from app.payments.queries import amount_paid_cents
from app.payments.signals import payment_changed
from app.payments.states import LIVE, UNPAID_ENDS, Event, Status, target_of
from app.payments.words import reason_of

_TRIES = 5
Result = TypeVar("Result")
_UNPAID_EVENTS = {
    "cancelled": Event.PAYER_CANCELLED,
    "timed_out": Event.PROMPT_TIMED_OUT,
    "declined": Event.PAYMENT_DECLINED,
}


class Evidence(StrEnum):
    """How something came to be known, from the strongest to the weakest."""

    PROVEN_CALLBACK = "callback with both proofs"
    CALLBACK_AND_QUERY = "callback and query"
    CALLBACK = "callback with one proof"
    QUERY = "query"


@dataclass(frozen=True)
class Outcome:
    """Proven evidence of how a prompt ended.

    ``amount_cents`` is None where the evidence names no amount (a query does not); the amount
    of a prompt cannot be changed by the payer, so the attempt's own stands.
    """

    result_code: str
    result_desc: str
    evidence: Evidence
    actor: str
    amount_cents: int | None = None
    amount_problem: str | None = None
    receipt: str | None = None
    checkout_request_id: str | None = None
    merchant_request_id: str | None = None


def settle(payment_id: int, outcome: Outcome) -> str:
    """Apply proven evidence to a payment, once; return in a few words what it changed."""
    return persistently(lambda session: _settle(session, payment_id, outcome))


def go_quiet(payment_id: int) -> str:
    """Close a live attempt that nobody can ask about. Money that comes later still counts."""
    why = "no answer to the push, no callback, and nothing to ask Daraja by"
    changes = {"reason": "no_answer", "next_check_at": None}
    moved = persistently(
        lambda session: move(session, payment_id, Event.WENT_QUIET, "engine", why, **changes)
    )
    return "went quiet" if moved else "ended in the meantime"


def persistently(work: Callable[[Session], Result]) -> Result:
    """Do ``work`` in a transaction of its own, again where another writer came in between.

    Another callback may have moved the same payment, or taken the same receipt: what is then
    right depends on what stands now. Raises RuntimeError after _TRIES.
    """
    for _ in range(_TRIES):
        try:
            with transaction() as session:
                return work(session)
        except (IntegrityError, LostRace):
            continue
    raise RuntimeError(f"somebody else was faster {_TRIES} times")


def move(
    session: Session, payment_id: int, event: Event, actor: str, why: str, **changes: Any
) -> bool:
    """Move a payment along the edge that ``event`` names, by compare-and-set.

    Writes the timeline and stages the announcement. Returns False where the event changes
    nothing from the present status. Raises LostRace when another writer was in between.
    """
    payment = _fresh(session, payment_id)
    source, target = payment.status, target_of(payment.status, event)
    if target is None:
        return False
    compare_and_set = (
        update(Payment)
        .where(Payment.id == payment_id, Payment.status == source)
        .values(status=target, **changes)
    )
    if rows_changed(session, compare_and_set) != 1:
        raise LostRace
    note(session, payment_id, event, source, target, actor, why)
    _announce_after_commit(_fresh(session, payment_id))
    return True


def note(
    session: Session,
    payment_id: int,
    event: str,
    source: str,
    target: str,
    actor: str,
    why: str,
) -> None:
    """Write a line of a payment's timeline, in the caller's transaction."""
    session.add(
        TimelineEntry(
            payment_id=payment_id,
            event=event,
            from_status=source,
            to_status=target,
            actor=actor[:80],
            why=why,
        )
    )


class LostRace(Exception):
    """The status was not what it was a moment ago."""


def _settle(session: Session, payment_id: int, outcome: Outcome) -> str:
    order = orders.lock_order(session, _fresh(session, payment_id).order_id)
    # Read again: whoever held the lock before us may have settled this very payment.
    payment = _fresh(session, payment_id)
    result = stk_result(outcome.result_code)
    if result.outcome == "not_final":
        return "not final yet"
    if result.outcome == "paid":
        return _credit(session, payment, order, outcome)
    event = _UNPAID_EVENTS[result.outcome]
    moved = move(
        session,
        payment_id,
        event,
        outcome.actor,
        f"{outcome.result_code} {outcome.result_desc}",
        reason=reason_of(outcome.result_code),
        next_check_at=None,
        **_common(payment, outcome),
    )
    return str(event) if moved else f"ignored: the payment is {payment.status}"


def _credit(session: Session, payment: Payment, order: Order, outcome: Outcome) -> str:
    if payment.status not in LIVE | UNPAID_ENDS:
        return _learn_more(session, payment, outcome)
    event, review_reason = _success_event(session, payment, order, outcome)
    taken = event is Event.RECEIPT_REUSED
    received = payment.amount_cents if outcome.amount_cents is None else outcome.amount_cents
    move(
        session,
        payment.id,
        event,
        outcome.actor,
        _success_words(outcome, review_reason),
        # A receipt that settles another payment is not money for this one.
        received_cents=None if taken or outcome.amount_problem else received,
        mpesa_receipt=None if taken else outcome.receipt,
        completed_at=now(),
        reason=None,
        review_reason=review_reason,
        next_check_at=None,
        **_common(payment, outcome),
    )
    _update_order(session, order, review_reason)
    return str(event)


def _success_event(
    session: Session, payment: Payment, order: Order, outcome: Outcome
) -> tuple[Event, str | None]:
    if outcome.amount_problem or (outcome.amount_cents not in (None, payment.amount_cents)):
        return Event.AMOUNT_DIFFERS, "amount_differs"
    if _receipt_is_taken(session, payment.id, outcome):
        return Event.RECEIPT_REUSED, "receipt_reused"
    if order.status != OrderStatus.PENDING:
        return Event.ORDER_CLOSED, f"order_was_{order.status}"
    late = payment.status in UNPAID_ENDS
    return (Event.LATE_CONFIRMATION if late else Event.PAYMENT_CONFIRMED), None


def _success_words(outcome: Outcome, review_reason: str | None) -> str:
    parts = [f"paid, by {outcome.evidence}", outcome.receipt, review_reason, outcome.amount_problem]
    return ", ".join(part for part in parts if part)


def _update_order(session: Session, order: Order, review_reason: str | None) -> None:
    paid = amount_paid_cents(session, order.id)
    if order.status == OrderStatus.PENDING and paid >= order.total_cents and not review_reason:
        order.status, order.paid_at = OrderStatus.PAID, now()
        orders.fulfil(session, order)
    elif review_reason and order.status != OrderStatus.PAID:
        # Money came for an order that cannot simply be fulfilled: a person decides.
        order.status, order.review_reason = OrderStatus.REVIEW, review_reason


def _learn_more(session: Session, payment: Payment, outcome: Outcome) -> str:
    """Take from later news what a payment that is settled already lacks."""
    learned = [_learn_receipt(session, payment, outcome), _learn_amount(session, payment, outcome)]
    told = [words for words in learned if words]
    if not told:
        return f"repeated: the payment is {payment.status}"
    _announce_after_commit(_fresh(session, payment.id))
    return ", ".join(told)


def _learn_receipt(session: Session, payment: Payment, outcome: Outcome) -> str | None:
    """Fill in the receipt of a payment that a query confirmed before its callback came.

    A callback with both proofs also corrects one that came with less.
    """
    proven = outcome.evidence is Evidence.PROVEN_CALLBACK
    corrects = proven and payment.evidence != Evidence.PROVEN_CALLBACK
    if not outcome.receipt or outcome.receipt == payment.mpesa_receipt:
        return None
    if payment.mpesa_receipt and not corrects:
        return "ignored: the payment has another receipt"
    if _receipt_is_taken(session, payment.id, outcome):
        return "ignored: that receipt belongs to another payment"
    _set_receipt(session, payment, outcome.receipt, "receipt_learned", outcome.actor)
    return "receipt learned"


def _learn_amount(session: Session, payment: Payment, outcome: Outcome) -> str | None:
    """Put a completed payment before a person when proven news names another amount."""
    agrees = outcome.amount_cents == payment.amount_cents and not outcome.amount_problem
    if agrees or outcome.evidence is not Evidence.PROVEN_CALLBACK or payment.review_reason:
        return None
    session.execute(
        update(Payment).where(Payment.id == payment.id).values(review_reason="amount_differs")
    )
    why = outcome.amount_problem or f"the callback names {kes(outcome.amount_cents or 0)}"
    status = payment.status
    note(session, payment.id, "amount_differs", status, status, outcome.actor, why)
    return "amount differs: a person is asked"


def _receipt_is_taken(session: Session, payment_id: int, outcome: Outcome) -> bool:
    """Tell whether another payment holds this receipt by right.

    A holder that had it from weaker evidence gives it up to a callback with both proofs.
    """
    if outcome.receipt is None:
        return False
    holder = session.scalar(select(Payment).where(Payment.mpesa_receipt == outcome.receipt))
    if holder is None or holder.id == payment_id:
        return False
    proven = outcome.evidence is Evidence.PROVEN_CALLBACK
    if not proven or holder.evidence == Evidence.PROVEN_CALLBACK:
        return True
    _set_receipt(session, holder, None, "receipt_withdrawn", outcome.actor)
    return False


def _set_receipt(
    session: Session, payment: Payment, receipt: str | None, event: str, actor: str
) -> None:
    session.execute(update(Payment).where(Payment.id == payment.id).values(mpesa_receipt=receipt))
    status, was = payment.status, payment.mpesa_receipt or "none"
    note(session, payment.id, event, status, status, actor, f"{was} became {receipt or 'none'}")


def _common(payment: Payment, outcome: Outcome) -> dict[str, Any]:
    return {
        "result_code": outcome.result_code[:32],
        "result_desc": outcome.result_desc[:500],
        "evidence": outcome.evidence,
        "checkout_request_id": payment.checkout_request_id or outcome.checkout_request_id,
        "merchant_request_id": payment.merchant_request_id or outcome.merchant_request_id,
    }


def _fresh(session: Session, payment_id: int) -> Payment:
    return session.get_one(Payment, payment_id, populate_existing=True)


def _announce_after_commit(payment: Payment) -> None:
    update_event = {
        "transaction_id": payment.public_ref,
        "order_id": str(payment.order.uuid),
        "status": external_status(payment.status),
        "reason": payment.reason,
        "receipt": payment.mpesa_receipt,
    }
    person_uuid = str(payment.person.uuid) if payment.person else None
    after_commit(lambda: payment_changed.send(update=update_event, person_uuid=person_uuid))


def external_status(status: str) -> str:
    """Name a status for the outside: what is not ended, or needs a person, is ``pending``."""
    ended = UNPAID_ENDS | {Status.COMPLETED}
    return status if status in ended else "pending"
