"""Sending a prompt once more by itself: what asking_again.py has planned is done here.

The plan is taken by compare-and-set before anything is sent, and the prompt goes by the ordinary
``start``: whatever dies in between, no phone rings twice for it. Then the shopper presses Pay.
"""

from __future__ import annotations

import logging

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.errors import LipaError
from app.core.unit_of_work import transaction
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.asking_again import is_claimed, is_stale, take_plan
from app.payments.initiate import start
from app.payments.models import Payment
from app.payments.timeline import note

logger = logging.getLogger("payments.mpesa")


def ask_again(payment_id: int) -> str:
    """Send an attempt's prompt once more if that is due and still wanted; return what happened."""
    with transaction() as session:
        payment = session.get(Payment, payment_id, populate_existing=True)
        if payment is None or not _is_due(payment):
            return "not due"
        order = orders.lock_order(session, payment.order_id)
        hindrance = _hindrance(session, payment, order)
        event = "ask_again_dropped" if hindrance else "asked_again"
        why = hindrance or "the prompt is sent once more"
        if not take_plan(session, payment, event, "engine", why):
            return "not due"
        if hindrance:
            return hindrance
    try:
        start(order, payment.phone, asker="engine: asked again")
    except LipaError as refusal:
        _note_refusal(payment_id, refusal)
        return refusal.message
    return why


def _is_due(payment: Payment) -> bool:
    due = payment.ask_again_at
    return due is not None and (due <= now() or is_stale(due))


def _hindrance(session: Session, payment: Payment, order: Order) -> str | None:
    """Say why the prompt is not to be sent again after all. The order is locked."""
    if payment.ask_again_at is not None and is_stale(payment.ask_again_at):
        return "nobody can be waiting for it any more"
    if order.status != OrderStatus.PENDING:
        return f"the order is {order.status}"
    newest = session.scalar(select(func.max(Payment.id)).where(Payment.order_id == order.id))
    if newest != payment.id:
        return "another attempt has begun"
    if is_claimed(session, order.id):
        return "somebody says that the order is paid"
    return None


def _note_refusal(payment_id: int, refusal: LipaError) -> None:
    logger.info("payment %s was not asked for again: %s", payment_id, refusal.code)
    with transaction() as session:
        status = session.get_one(Payment, payment_id).status
        why = f"{refusal.code}: {refusal.message}"
        note(session, payment_id, "ask_again_refused", status, status, "engine", why)
