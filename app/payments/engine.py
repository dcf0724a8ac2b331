"""Finding out: the background's share of the truth.

The rows say what is due (``next_check_at``); whoever wakes this, and however often, a question
is asked by the one caller who moves that moment ahead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true, update

from app.accounts.models import Person
from app.core import idempotency
from app.core.clock import now, steadiness
from app.core.statements import rows_changed
from app.core.texts import marked
from app.core.unit_of_work import after_commit, end_reads, transaction
from app.extensions import db
from app.mpesa.messages import QueryAnswer, QueryFinal
from app.mpesa.settings import MissingSettings
from app.orders import service as orders
from app.orders.states import OrderEvent
from app.payments import asking_again, by_hand, inbox, keeping, phones, strays, suspicion
from app.payments.asking import ask_soon
from app.payments.evidence import Evidence, Outcome
from app.payments.models import Payment
from app.payments.pace import may_ask
from app.payments.provider import mpesa
from app.payments.queries import amount_paid_cents, attempts_of, live_attempt
from app.payments.repeating import ask_again
from app.payments.schedule import (
    CLOCK_SET_BACK_SECONDS,
    LONGEST_PAUSE_SECONDS,
    MAX_CHECKS,
    MINIMUM_PAUSE_SECONDS,
    QUIET_SECONDS,
    pause_after,
)
from app.payments.settle import go_quiet, settle
from app.payments.signals import check_wanted
from app.settings.service import settings

logger = logging.getLogger("payments.mpesa")

SWEEP_LIMIT = 200


def ask(payment_id: int, *, at_once: bool = False) -> str:
    """Ask Daraja about a payment if it is due, and act on the answer; return what came of it.

    ``at_once`` asks before it is due, for a caller whose document promises a live answer; even
    then one payment is asked about at most once in MINIMUM_PAUSE_SECONDS.
    """
    # What Daraja has said already needs no question.
    for inbox_id in inbox.unhandled_of(payment_id):
        _guarded(inbox.handle_again, inbox_id)
    checkout_request_id = _claim(payment_id, at_once)
    if checkout_request_id is None:
        return "not due"
    if not checkout_request_id:
        return "the clock was set" if _clock_was_set() else go_quiet(payment_id)
    if not may_ask():
        return "asked too often" if at_once else _put_off(payment_id)
    end_reads()
    try:
        answer = mpesa().query(checkout_request_id)
    except MissingSettings as error:
        logger.error("cannot ask about a payment: %s", error)
        return str(error)
    return _learn(payment_id, answer)


def look(payment_id: int) -> str:
    """Ask about a payment that somebody watches, as far as the pause allows."""
    return ask(payment_id, at_once=True)


def check_now(order_ref: object, person: Person) -> None:
    """Have the order's newest attempt asked about as soon as the pause allows."""
    order = orders.find_order(order_ref, person)
    newest = next(iter(attempts_of(order)), None)
    if newest is not None:
        ask_soon(newest.id)


def sweep() -> int:
    """Find everything that is due, whatever the queue has lost; return how much was done."""
    unhandled = inbox.unhandled_ids(SWEEP_LIMIT)
    for inbox_id in unhandled:
        _guarded(inbox.handle_again, inbox_id)
    overdue = orders.overdue_order_ids(SWEEP_LIMIT)
    for order_id in overdue:
        _guarded(expire_order, order_id)
    # What waits for Daraja comes last: it may be slow, and nothing else shall wait for it.
    again = asking_again.due_ids(SWEEP_LIMIT)
    for payment_id in again:
        _guarded(ask_again, payment_id)
    due = _due_ids()
    for payment_id in due:
        _guarded(ask, payment_id)
    unknown = strays.due_ids(SWEEP_LIMIT)
    for inbox_id in unknown:
        _guarded(strays.ask, inbox_id)
    lapsed = by_hand.lapse_due()
    keeping.prune()
    phones.prune()
    idempotency.prune()
    suspicion.warn()
    return len(due) + len(unhandled) + len(unknown) + len(overdue) + len(again) + lapsed


def expire_order(order_id: int) -> bool:
    """Release an order that nobody paid in time, unless a prompt for it may be open.

    One that was paid in part is put before a person: its money must not vanish with it.
    """
    with transaction() as session:
        order = orders.lock_order(session, order_id)
        if live_attempt(session, order_id) is not None:
            return False
        why = marked("it was not paid in time")
        if amount_paid_cents(session, order_id) == 0:
            return orders.close_order(session, order, OrderEvent.EXPIRED, "engine", why)
        event, reason = OrderEvent.MONEY_QUESTIONED, "part_paid"
        return orders.move_order(session, order, event, "engine", why, review_reason=reason)


def _clock_was_set() -> bool:
    """Tell whether the age of a prompt cannot be told, since the clock jumped a moment ago."""
    since = steadiness.seconds_since_jump()
    return since is not None and since < settings().stk_prompt_seconds + QUIET_SECONDS


def _is_due(moment: datetime) -> ColumnElement[bool]:
    """Hold for what is due, and for what only a clock that was set back keeps from being due."""
    never = moment + timedelta(seconds=LONGEST_PAUSE_SECONDS)
    return or_(Payment.next_check_at <= moment, Payment.next_check_at > never)


def _due_ids() -> list[int]:
    query = (
        select(Payment.id).where(_is_due(now())).order_by(Payment.next_check_at).limit(SWEEP_LIMIT)
    )
    return list(db.session.scalars(query))


def _put_off(payment_id: int) -> str:
    """Come back when Daraja's rate limit allows. A question that was not asked does not count."""
    later = now() + timedelta(seconds=MINIMUM_PAUSE_SECONDS)
    with transaction() as session:
        put_off = (
            update(Payment)
            .where(Payment.id == payment_id, Payment.next_check_at.is_not(None))
            .values(next_check_at=later, checks=Payment.checks - 1)
        )
        session.execute(put_off)
        after_commit(lambda: check_wanted.send(payment_id=payment_id, at=later))
    return "Daraja is asked later: its rate limit is used up"


def _claim(payment_id: int, at_once: bool) -> str | None:
    """Take the right to ask: None when it is not due, "" when there is nothing to ask by."""
    with transaction() as session:
        payment = session.get(Payment, payment_id, populate_existing=True)
        moment = now()
        if payment is None or payment.is_settled:
            return None
        if at_once and payment.checkout_request_id is None:
            return None
        due = true() if at_once else _is_due(moment)
        claim = update(Payment).where(Payment.id == payment_id, due, _asked_long_before(moment))
        claim = claim.values(last_asked_at=moment, **({} if at_once else _next_turn(payment)))
        won = rows_changed(session, claim) == 1
        return (payment.checkout_request_id or "") if won else None


def _asked_long_before(moment: datetime) -> ColumnElement[bool]:
    """Hold for what nobody has asked about within the pause."""
    set_back = timedelta(seconds=CLOCK_SET_BACK_SECONDS)
    return or_(
        Payment.last_asked_at.is_(None),
        Payment.last_asked_at <= moment - timedelta(seconds=MINIMUM_PAUSE_SECONDS),
        # A moment a little after ours is somebody who was faster while we waited for the row;
        # one far after it was written before the clock was set back.
        Payment.last_asked_at > moment + set_back,
    )


def _next_turn(payment: Payment) -> dict[str, Any]:
    """Say when to ask again unless this question is answered with an end.

    Only the engine's own questions count: who asks at once must not use up its patience.
    """
    checks = payment.checks + 1
    later = now() + pause_after(checks) if checks < MAX_CHECKS else None
    return {"checks": checks, "next_check_at": later}


def _learn(payment_id: int, answer: QueryAnswer) -> str:
    if not isinstance(answer, QueryFinal):
        payment = db.session.get_one(Payment, payment_id, populate_existing=True)
        if payment.next_check_at is not None:
            check_wanted.send(payment_id=payment_id, at=payment.next_check_at)
        return f"no end yet: {type(answer).__name__}"
    receipt = inbox.receipt_told(payment_id) if answer.result_code == "0" else None
    outcome = Outcome(
        result_code=answer.result_code,
        result_desc=answer.result_desc,
        evidence=Evidence.CALLBACK_AND_QUERY if receipt else Evidence.QUERY,
        actor="daraja: query",
        receipt=receipt,
    )
    return settle(payment_id, outcome)


def _guarded(work: Callable[[int], object], row_id: int) -> None:
    # One row that cannot be worked on must not keep the others waiting.
    try:
        work(row_id)
    except Exception:
        db.session.rollback()
        logger.exception(
            "the sweep could not finish %s(%s)", getattr(work, "__name__", work), row_id
        )
