"""Having Daraja asked about a payment: whoever wants to know comes through here."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update

from app.core.clock import now
from app.core.unit_of_work import after_commit, transaction
from app.payments.models import Payment
from app.payments.schedule import MINIMUM_PAUSE_SECONDS
from app.payments.signals import check_wanted, payment_watched

_PAUSE = timedelta(seconds=MINIMUM_PAUSE_SECONDS)


def ask_soon(payment_id: int, adopted_id: str | None = None) -> str:
    """Have Daraja asked as soon as the pause allows; return in a few words what was arranged.

    ``adopted_id`` names the prompt of an attempt whose push was never answered: its token came
    home with the callback.
    """
    with transaction() as session:
        payment = session.get_one(Payment, payment_id, populate_existing=True)
        ask_by = payment.checkout_request_id or adopted_id
        if ask_by is None:
            return "nothing to ask Daraja by yet"
        if payment.is_settled:
            return f"the payment is {payment.status}"
        due = now()
        if payment.last_asked_at is not None:
            due = max(due, payment.last_asked_at + _PAUSE)
        session.execute(
            update(Payment)
            .where(Payment.id == payment_id)
            .values(next_check_at=due, checkout_request_id=ask_by)
        )
        after_commit(lambda: check_wanted.send(payment_id=payment_id, at=due))
    return "Daraja is asked"


def wake(payment: Payment) -> None:
    """Let a shopper's poll start a question; never wait for its answer.

    What is due is asked. While somebody watches, Daraja is asked as often as the pause allows,
    once the engine has begun to ask.
    """
    moment, asked_at = now(), payment.last_asked_at
    if payment.next_check_at is not None and payment.next_check_at <= moment:
        check_wanted.send(payment_id=payment.id, at=moment)
    elif payment.is_live and asked_at and moment - asked_at >= _PAUSE:
        payment_watched.send(payment_id=payment.id)


def next_question_at(payment: Payment) -> datetime | None:
    """Return from when on a poll starts a question by ``wake``; None while none would."""
    moments = [payment.next_check_at]
    if payment.is_live and payment.last_asked_at:
        moments.append(payment.last_asked_at + _PAUSE)
    return min((moment for moment in moments if moment is not None), default=None)
