"""How an order stands with its payment, for people: one description for page and modal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.core.clock import iso_seconds, now
from app.core.money import shillings_number
from app.extensions import db
from app.mpesa.phone import masked, operator_hint
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import words
from app.payments.models import Payment
from app.payments.paybill import registration
from app.payments.queries import amount_paid_cents, attempts_of, paid_by_hand, telling_attempt
from app.payments.states import Status
from app.payments.words import Words
from app.settings.service import settings

_BY_STATUS = {
    Status.COMPLETED: ("paid", words.COMPLETED),
    Status.REVIEW: ("review", words.REVIEW),
    Status.CREATED: ("unconfirmed", words.UNCONFIRMED),
    Status.UNCONFIRMED: ("unconfirmed", words.UNCONFIRMED),
    Status.PENDING: ("waiting", words.WAITING),
}


def order_state(order: Order, attempts: Sequence[Payment] | None = None) -> dict[str, Any]:
    """Describe an order's payment: state, words, what may be done, and the countdown."""
    attempts = attempts_of(order) if attempts is None else attempts
    attempt = telling_attempt(attempts)
    state, said = _told(order, attempt)
    # Whoever has paid by hand is not to be led to a prompt that is still open.
    live = attempt is not None and attempt.is_live and state != "paid"
    due_cents = max(0, order.total_cents - amount_paid_cents(db.session(), order.id))
    open_to_pay = order.status == OrderStatus.PENDING and not live
    return {
        "state": state,
        "live": live,
        "due_cents": due_cents,
        "title": said.title,
        "message": said.message + (_operator_warning(attempt) if live and attempt else ""),
        "can_pay": open_to_pay,
        **_attempt_details(attempt),
        **(_hand_details(order) if state == "paid" and not _is_paid(attempt) else {}),
        "by_hand": _how_by_hand(order, due_cents) if open_to_pay else None,
    }


def _told(order: Order, attempt: Payment | None) -> tuple[str, Words]:
    if order.status == OrderStatus.REVIEW:
        return "review", words.REVIEW
    if attempt is None or (order.status != OrderStatus.PENDING and not attempt.is_completed):
        return _told_of_order(order)
    if attempt.status == Status.PENDING and attempt.prompt_expires_at < now():
        return "waiting", words.OVERDUE
    known = _BY_STATUS.get(Status(attempt.status))
    return known or (attempt.status, words.unpaid_end(attempt.reason))


def _told_of_order(order: Order) -> tuple[str, Words]:
    if order.status == OrderStatus.PAID:
        return "paid", words.COMPLETED
    if order.status == OrderStatus.CANCELLED:
        return "cancelled", Words("Order cancelled", "This order was cancelled. Nothing is owed.")
    if order.status == OrderStatus.EXPIRED:
        return "expired", Words(
            "Order expired", "It was not paid in time, so the goods went back on the shelf."
        )
    return "unpaid", words.UNPAID


def _operator_warning(attempt: Payment) -> str:
    """Warn, and never refuse: a number keeps its prefix when its owner changes operator."""
    operator = operator_hint(attempt.phone)
    if operator == "Safaricom":
        return ""
    named = f"an {operator} number" if operator == "Airtel" else f"a {operator} number"
    looks = named if operator else "a number that is not Safaricom's"
    return f" This looks like {looks}, so M-Pesa may refuse it; another number may work better."


def _is_paid(attempt: Payment | None) -> bool:
    return attempt is not None and attempt.is_completed


def _hand_details(order: Order) -> dict[str, Any]:
    """Tell the receipt of an order that was paid without a prompt."""
    by_hand = paid_by_hand(order.id)
    return {"receipt": by_hand[0].receipt if by_hand else None}


def _how_by_hand(order: Order, due_cents: int) -> dict[str, Any] | None:
    """Tell what to type at the paybill, where M-Pesa tells this shop what is paid there."""
    registered = registration.current()
    if registered is None or due_cents <= 0:
        return None
    return {
        "paybill": registered.shortcode,
        "account": order.reference,
        "amount": shillings_number(due_cents),
    }


def _attempt_details(attempt: Payment | None) -> dict[str, Any]:
    details: dict[str, Any] = {
        "transaction_id": None,
        "receipt": None,
        "receipt_url": None,
        "prompt_expires_at": None,
        "seconds_left": None,
        "prompt_seconds": settings().stk_prompt_seconds,
        "phone_shown": None,
    }
    if attempt is None:
        return details
    details["transaction_id"] = attempt.public_ref
    details["receipt"] = attempt.mpesa_receipt
    details["phone_shown"] = masked(attempt.phone)
    if attempt.is_completed:
        details["receipt_url"] = f"/receipts/{attempt.public_ref}"
    if attempt.is_live:
        left = (attempt.prompt_expires_at - now()).total_seconds()
        details["prompt_expires_at"] = iso_seconds(attempt.prompt_expires_at)
        details["seconds_left"] = max(0, round(left))
    return details
