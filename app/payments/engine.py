"""Finding out: the background's share of the truth.

The rows say what is due (``next_check_at``); whoever wakes this, and however often, a question
is asked by the one caller who moves that moment ahead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from app.accounts.models import Person
from app.core.clock import now
from app.core.statements import rows_changed
from app.core.unit_of_work import end_reads, transaction
from app.extensions import db
from app.mpesa.messages import QueryAnswer, QueryFinal
from app.mpesa.settings import MissingSettings
from app.orders import service as orders
from app.orders.models import OrderStatus
from app.payments import inbox
from app.payments.asking import ask_soon
from app.payments.models import Payment
from app.payments.provider import mpesa
from app.payments.queries import attempts_of, live_attempt
from app.payments.schedule import MAX_CHECKS, MINIMUM_PAUSE_SECONDS, pause_after
from app.payments.settle import Evidence, Outcome, go_quiet, settle
from app.payments.signals import check_wanted
from app.payments.states import LIVE

logger = logging.getLogger("payments.mpesa")

SWEEP_LIMIT = 200


def ask(payment_id: int) -> str:
    """Ask Daraja about a payment if it is due, and act on the answer; return what came of it."""
    checkout_request_id = _claim(payment_id)
    if checkout_request_id is None:
        return "not due"
    if not checkout_request_id:
        return go_quiet(payment_id)
    end_reads()
    try:
        answer = mpesa().query(checkout_request_id)
    except MissingSettings as error:
        logger.error("cannot ask about a payment: %s", error)
        return str(error)
    return _learn(payment_id, answer)


def check_now(order_ref: object, person: Person) -> None:
    """Have the order's newest attempt asked about as soon as the pause allows."""
    order = orders.find_order(order_ref, person)
    newest = next(iter(attempts_of(order)), None)
    if newest is not None:
        ask_soon(newest.id)


def sweep() -> int:
    """Find everything that is due, whatever the queue has lost; return how much was done."""
    due = _due_ids()
    for payment_id in due:
        _guarded(ask, payment_id)
    unhandled = inbox.unhandled_ids(SWEEP_LIMIT)
    for inbox_id in unhandled:
        _guarded(inbox.handle, inbox_id)
    overdue = orders.overdue_order_ids(SWEEP_LIMIT)
    for order_id in overdue:
        _guarded(expire_order, order_id)
    inbox.prune()
    return len(due) + len(unhandled) + len(overdue)


def expire_order(order_id: int) -> bool:
    """Release an order that nobody paid in time, unless a prompt for it may be open."""
    with transaction() as session:
        orders.lock_order(session, order_id)
        if live_attempt(session, order_id) is not None:
            return False
        return orders.close_order(session, order_id, OrderStatus.EXPIRED)


def _due_ids() -> list[int]:
    query = (
        select(Payment.id)
        .where(Payment.next_check_at <= now())
        .order_by(Payment.next_check_at)
        .limit(SWEEP_LIMIT)
    )
    return list(db.session.scalars(query))


def _claim(payment_id: int) -> str | None:
    """Take the right to ask: None when it is not due, "" when there is nothing to ask by."""
    moment = now()
    asked_long_ago = or_(
        Payment.last_asked_at.is_(None),
        Payment.last_asked_at <= moment - timedelta(seconds=MINIMUM_PAUSE_SECONDS),
    )
    with transaction() as session:
        payment = session.get(Payment, payment_id, populate_existing=True)
        if payment is None or payment.is_settled:
            return None
        checks = payment.checks + 1
        claim = (
            update(Payment)
            .where(Payment.id == payment_id, Payment.next_check_at <= moment, asked_long_ago)
            .values(checks=checks, last_asked_at=moment, next_check_at=_next_time(payment, checks))
        )
        won = rows_changed(session, claim) == 1
        return (payment.checkout_request_id or "") if won else None


def _next_time(payment: Payment, checks: int) -> datetime | None:
    """Return when to ask again. An ended attempt was asked about because of late news: once."""
    if payment.status not in LIVE or checks >= MAX_CHECKS:
        return None
    return now() + pause_after(checks)


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
