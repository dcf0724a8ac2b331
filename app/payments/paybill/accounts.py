"""Whose account a payer meant: exactly, by machine, or perhaps, for a person to say."""

from __future__ import annotations

import re

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.mpesa.c2b import C2bNews, may_be_of
from app.orders.models import Order
from app.payments.models import Payment
from app.payments.states import LIVE

#: What a typed mark may have been meant for. References hold no 0, O, 1, I or L.
_LOOKALIKES = {
    "0": "QD", "O": "QD", "1": "J7", "I": "J", "L": "J", "5": "S", "S": "5", "8": "B", "B": "8",
    "2": "Z", "Z": "2", "6": "G", "G": "6", "U": "V", "V": "U",
}  # fmt: skip
_MOST_PROMPTS = 500
_LONGEST = 20


def order_of_account(session: Session, account: str) -> int | None:
    """Return the order with exactly this reference."""
    return session.scalar(select(Order.id).where(Order.reference == account))


def meant_by(session: Session, account: str | None) -> Order | None:
    """Return the order that a mistyped account may have meant, as a suggestion to a person.

    Letter case, blanks, marks and one lookalike are forgiven; an invoice is found by its caller's
    own reference too.
    """
    written = (account or "").strip()
    typed = re.sub(r"[^A-Za-z0-9]", "", written).upper()[:_LONGEST]
    if not typed:
        return None
    named = or_(Order.reference.in_(_readings(typed)), Order.external_reference == written)
    found = session.scalars(select(Order).where(named).limit(2)).all()
    # Two that it could have been are no suggestion.
    return found[0] if len(found) == 1 else None


def _readings(typed: str) -> list[str]:
    """Return what was typed, and every text in which one mark was meant for its lookalike."""
    swapped = (
        f"{typed[:place]}{meant}{typed[place + 1 :]}"
        for place, mark in enumerate(typed)
        for meant in _LOOKALIKES.get(mark, "")
    )
    return [typed, *swapped]


def prompt_of(session: Session, news: C2bNews) -> Payment | None:
    """Return the attempt whose own success this news may be.

    Daraja tells a prompt's success by C2B too (a production log), under the account and the amount
    that were asked for. An attempt that has a receipt already is told apart by it.
    """
    named = or_(Order.reference == news.account, Order.external_reference == news.account)
    of_order = select(Payment).join(Order).where(named)
    live = select(Payment).where(Payment.status.in_(LIVE))
    fitting = (Payment.amount_cents == news.amount_cents, Payment.mpesa_receipt.is_(None))
    for query in (of_order, live):
        newest = query.where(*fitting).order_by(Payment.id.desc()).limit(_MOST_PROMPTS)
        for payment in session.scalars(newest.execution_options(populate_existing=True)):
            same_account = payment.order.account_reference == news.account
            if same_account and may_be_of(news.msisdn, payment.phone):
                return payment
    return None
