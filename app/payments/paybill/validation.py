"""Saying whether a payment by hand may be made, in the seconds before the money moves."""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db
from app.mpesa.bodies import Unreadable
from app.mpesa.c2b import C2bNews, read_c2b
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.queries import amount_paid_cents
from app.settings.service import settings

ACCEPTED = "0"
#: Documented answers of a validation.
INVALID_ACCOUNT, INVALID_AMOUNT = "C2B00012", "C2B00013"


def judge(raw: bytes, *, is_proven: bool) -> str:
    """Return the result code to answer with, from what the books say now.

    Only whoever shows a proof is told about orders: else the answers would tell strangers which
    references there are.
    """
    if not is_proven or settings().c2b_validation == "accept_all":
        return ACCEPTED
    try:
        return _judge(read_c2b(raw))
    except Unreadable:
        return ACCEPTED


def _judge(news: C2bNews) -> str:
    order = db.session.scalar(select(Order).where(Order.reference == news.account))
    if order is None or order.status != OrderStatus.PENDING:
        return INVALID_ACCOUNT
    due_cents = order.total_cents - amount_paid_cents(db.session(), order.id)
    return ACCEPTED if news.amount_cents == due_cents else INVALID_AMOUNT
