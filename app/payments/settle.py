"""The one place where a payment's status changes.

All evidence ends here, whichever road it came by: callback, query or a person. A status moves
by compare-and-set along an edge of states.py; timeline, order, stock and course places change in
the same transaction, and the news goes out after its commit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.core import outbox
from app.core.clock import now
from app.core.codes import in_words
from app.core.money import Kes
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, transaction
from app.mpesa.result_codes import stk_result
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderEvent
from app.payments import asking_again
from app.payments.credits import (
    LostRace,
    attach_credit,
    credit_by_hand,
    record_credit,
    record_second,
    standing_of,
)
from app.payments.evidence import Evidence, Outcome
from app.payments.models import Credit, Payment
from app.payments.phones import free_phone
from app.payments.queries import amount_paid_cents
from app.payments.receipts import is_other_than_seen, is_taken, learn_amount, learn_receipt
from app.payments.schedule import second_thought_after
from app.payments.signals import announcement_staged
from app.payments.states import LIVE, UNPAID_ENDS, Decision, Event, Standing, Status, target_of
from app.payments.timeline import flag, note
from app.payments.words import reason_of

logger = logging.getLogger("payments.mpesa")

#: The topic of news about a payment, and the name of its Socket.IO event.
PAYMENT_UPDATE = "payment_update"
#: Told of proven news whose receipt is another payment's. It changes nothing until Daraja is asked.
RECEIPT_REUSED = "receipt_reused"
#: Told of news with one proof that names another receipt than the statement did.
RECEIPT_DIFFERS = "receipt_differs"
_ANOTHERS = marked("its receipt is another payment's")
#: Decisions by which money that did not fit has become the order's.
_TAKEN = (Decision.ACCEPTED, Decision.REST_ASKED, Decision.ASSIGNED)
_TRIES = 5
Result = TypeVar("Result")
_UNPAID_EVENTS = {
    "cancelled": Event.PAYER_CANCELLED,
    "timed_out": Event.PROMPT_TIMED_OUT,
    "declined": Event.PAYMENT_DECLINED,
}


def settle(payment_id: int, outcome: Outcome) -> str:
    """Apply proven evidence to a payment, once; return in a few words what it changed."""
    return persistently(lambda session: settle_in(session, payment_id, outcome))


def go_quiet(payment_id: int) -> str:
    """Close a live attempt that nobody can ask about. Money that comes later still counts."""
    why = marked("no answer to the push, no callback, and nothing to ask Daraja by")
    changes = {"reason": "no_answer", "review_reason": "no_answer", "next_check_at": None}
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
    if target not in LIVE:
        free_phone(session, payment_id)
    note(session, payment_id, event, source, target, actor, why)
    told = f"payment {payment.public_ref}: {source} -> {target} ({event})"
    after_commit(lambda: logger.info(told))
    _announce(session, _fresh(session, payment_id))
    return True


def settle_in(session: Session, payment_id: int, outcome: Outcome) -> str:
    """Settle in the caller's transaction, which stands in ``persistently``; see ``settle``."""
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
        next_check_at=_next_doubt(payment),
        **_common(payment, outcome),
    )
    if moved:
        asking_again.plan(session, _fresh(session, payment_id))
    elif payment.status in UNPAID_ENDS and outcome.evidence is Evidence.QUERY:
        payment.next_check_at = second_thought_after(payment.prompt_expires_at, now())
    return str(event) if moved else f"ignored: the payment is {payment.status}"


def _next_doubt(payment: Payment) -> datetime | None:
    """Return when Daraja is asked again about an end without money.

    A question that is due already was called for by other news: it is still to be asked.
    """
    due = payment.next_check_at
    if due is not None and due <= now():
        return due
    return second_thought_after(payment.prompt_expires_at, now())


def _credit(session: Session, payment: Payment, order: Order, outcome: Outcome) -> str:
    if payment.status not in LIVE | UNPAID_ENDS:
        return _learn_more(session, payment, order, outcome)
    by_hand = credit_by_hand(session, payment, outcome)
    if by_hand is not None:
        return _take_credit(session, payment, by_hand, outcome)
    if is_taken(session, payment.id, outcome):
        if outcome.evidence is Evidence.PROVEN_CALLBACK:
            flag(session, payment, RECEIPT_REUSED, outcome.actor, f"names {outcome.receipt}")
            return RECEIPT_REUSED
        # Daraja itself says that this prompt was paid, so only the receipt is not to be believed.
        outcome = replace(outcome, receipt=None)
        flag(session, payment, RECEIPT_REUSED, outcome.actor, _ANOTHERS)
    standing = standing_of(payment, order, outcome)
    event = _success_event(payment, standing, outcome)
    # The credit comes first: the news that ``move`` stages tells what was received.
    record_credit(session, payment, standing, outcome)
    move(
        session,
        payment.id,
        event,
        outcome.actor,
        _success_words(outcome, standing),
        mpesa_receipt=outcome.receipt,
        completed_at=now(),
        reason=None,
        review_reason=payment.review_reason if standing is Standing.EXACT else standing,
        next_check_at=None,
        **_common(payment, outcome),
    )
    _update_order(session, order, standing, outcome.actor)
    return str(event)


def _take_credit(session: Session, payment: Payment, credit: Credit, outcome: Outcome) -> str:
    """Settle a prompt whose money is in the books already: nothing is credited again."""
    is_open = credit.standing != Standing.EXACT and credit.decision not in _TAKEN
    standing = Standing(credit.standing) if is_open else Standing.EXACT
    event = _success_event(payment, standing, outcome)
    why = said("{paid}; the paybill had told of it before", paid=_success_words(outcome, standing))
    receipt = credit.receipt
    attach_credit(session, payment, credit)
    move(
        session,
        payment.id,
        event,
        outcome.actor,
        why,
        mpesa_receipt=receipt,
        completed_at=now(),
        reason=None,
        review_reason=standing if is_open else payment.review_reason,
        next_check_at=None,
        **_common(payment, outcome),
    )
    return str(event)


def _success_event(payment: Payment, standing: Standing, outcome: Outcome) -> Event:
    if standing in (Standing.SHORT, Standing.OVER):
        return Event.AMOUNT_DIFFERS
    if standing in (Standing.LATE, Standing.SECOND):
        return Event.ORDER_CLOSED
    if outcome.evidence is Evidence.BY_HAND:
        return Event.SETTLED_BY_HAND
    late = payment.status in UNPAID_ENDS
    return Event.LATE_CONFIRMATION if late else Event.PAYMENT_CONFIRMED


def _success_words(outcome: Outcome, standing: Standing) -> str:
    paid = _paid_words(outcome)
    if standing is Standing.EXACT:
        return paid
    return said("{paid}, this is {standing} money", paid=paid, standing=in_words(standing))


def _paid_words(outcome: Outcome) -> str:
    proof, receipt = in_words(outcome.evidence), outcome.receipt
    if outcome.amount_cents is None:
        if receipt is None:
            return said("paid, by {proof}", proof=proof)
        return said("paid, by {proof}, {receipt}", proof=proof, receipt=receipt)
    amount = Kes(outcome.amount_cents)
    if receipt is None:
        return said("paid, by {proof}, {amount}", proof=proof, amount=amount)
    return said(
        "paid, by {proof}, {amount}, {receipt}", proof=proof, amount=amount, receipt=receipt
    )


def _update_order(session: Session, order: Order, standing: Standing, actor: str) -> None:
    if standing is not Standing.EXACT:
        # Money came for an order that cannot simply be fulfilled: a person decides.
        why = f"{standing} money came"
        event = OrderEvent.MONEY_QUESTIONED
        orders.move_order(session, order, event, actor, why, review_reason=standing)
        return
    paid = amount_paid_cents(session, order.id)
    if paid >= order.total_cents:
        why = said("{paid} of {total} came in", paid=Kes(paid), total=Kes(order.total_cents))
        event = OrderEvent.PAID_IN_FULL
        if orders.move_order(session, order, event, actor, why, paid_at=now()):
            orders.fulfil(session, order)


def _learn_more(session: Session, payment: Payment, order: Order, outcome: Outcome) -> str:
    """Take from later news what a payment that is settled already lacks."""
    if is_other_than_seen(payment, outcome):
        return _second_money(session, payment, order, outcome)
    learned = [learn_receipt(session, payment, outcome), learn_amount(session, payment, outcome)]
    told = [words for words in learned if words]
    if not told:
        return f"repeated: the payment is {payment.status}"
    _announce(session, _fresh(session, payment.id), "corrected")
    return ", ".join(told)


def _second_money(session: Session, payment: Payment, order: Order, outcome: Outcome) -> str:
    """Book the prompt's own money beside other money that was settled by hand."""
    if outcome.evidence is not Evidence.PROVEN_CALLBACK:
        flag(session, payment, RECEIPT_DIFFERS, outcome.actor, f"names {outcome.receipt}")
        return RECEIPT_DIFFERS
    if not record_second(session, payment, outcome):
        return "repeated: that money is in the books already"
    why = said(
        "{receipt} is not what was settled by hand: this is second money", receipt=outcome.receipt
    )
    note(session, payment.id, "second_money", payment.status, payment.status, outcome.actor, why)
    _update_order(session, order, Standing.SECOND, outcome.actor)
    return "second money: a person is asked"


def _common(payment: Payment, outcome: Outcome) -> dict[str, Any]:
    return {
        "result_code": outcome.result_code[:32],
        "result_desc": outcome.result_desc[:500],
        "evidence": outcome.evidence,
        "checkout_request_id": payment.checkout_request_id or outcome.checkout_request_id,
        "merchant_request_id": payment.merchant_request_id or outcome.merchant_request_id,
    }


#: Read after each step, with what its news tells of: put together once.
_FRESH = (
    select(Payment)
    .options(joinedload(Payment.order).lazyload(Order.lines), joinedload(Payment.person))
    .where(Payment.id == bindparam("payment_id"))
    .execution_options(populate_existing=True)
)


def _fresh(session: Session, payment_id: int) -> Payment:
    return session.scalars(_FRESH, {"payment_id": payment_id}).one()


def _announce(session: Session, payment: Payment, what: str | None = None) -> None:
    """Stage the news of a payment beside its change: ``what`` became of it, else its status."""
    update_event = {
        "transaction_id": payment.public_ref,
        "order_id": str(payment.order.uuid),
        "status": external_status(payment.status),
        "reason": payment.reason,
        "receipt": payment.mpesa_receipt,
    }
    person_uuid = str(payment.person.uuid) if payment.person else None
    event = f"payment.{what or payment.status}"
    body = {"update": update_event, "person_uuid": person_uuid, "event": event}
    outbox.stage(session, PAYMENT_UPDATE, body, announcement_staged.send)


def external_status(status: str) -> str:
    """Name a status for the outside: what is not ended, or needs a person, is ``pending``."""
    ended = UNPAID_ENDS | {Status.COMPLETED}
    return status if status in ended else "pending"
