"""How an order stands with its payment, for people: one description for page and modal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.core.clock import iso_seconds, now
from app.core.money import Kes, shillings_number
from app.core.texts import said
from app.mpesa.phone import masked, operator_hint
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import asking_again, words
from app.payments.claims import telling as claims
from app.payments.models import Payment
from app.payments.paybill import registration
from app.payments.queries import paid_by_hand, telling_attempt
from app.payments.reading import Reading, read
from app.payments.schedule import MAX_CHECKS
from app.payments.states import Status
from app.payments.usual import usual_sentence
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
    """Describe an order's payment: state, words, what may be done, and the countdown.

    ``title``, ``message``, ``warning`` and ``usual`` are English, and said again in a page's
    language there.
    """
    return state_of(read(order, attempts))


def state_of(reading: Reading) -> dict[str, Any]:
    """Describe what was read of an order, as ``order_state`` does."""
    order, paid_cents = reading.order, reading.paid_cents
    attempt = telling_attempt(reading.attempts)
    state, told = _told(order, attempt, paid_cents)
    # Whoever has paid by hand is not to be led to a prompt that is still open.
    live = attempt is not None and attempt.is_live and state != "paid"
    due_cents = max(0, order.total_cents - paid_cents)
    open_to_pay = order.status == OrderStatus.PENDING and not live
    return {
        "state": state,
        "live": live,
        "due_cents": due_cents,
        "title": told.title,
        "message": told.message,
        "warning": _operator_warning(attempt) if live and attempt else None,
        "can_pay": open_to_pay,
        **_attempt_details(attempt),
        **(_hand_details(order) if state == "paid" and not _is_paid(attempt) else {}),
        **_waiting_details(order, attempt, live),
        "by_hand": _how_by_hand(order, due_cents) if open_to_pay else None,
        "claim": None if reading.only_waits else claims.told(order),
    }


def _told(order: Order, attempt: Payment | None, paid_cents: int) -> tuple[str, Words]:
    if order.status == OrderStatus.REVIEW:
        return "review", words.REVIEW
    is_open = order.status == OrderStatus.PENDING
    if attempt is None or not (is_open or attempt.is_completed):
        return _told_of_order(order, attempt, paid_cents)
    if attempt.is_live and attempt.prompt_expires_at < now():
        return _overdue(attempt)
    if is_open and paid_cents and not attempt.is_live and attempt.status != Status.REVIEW:
        return _part_paid(order, attempt, paid_cents)
    if asking_again.planned_at(attempt, order) is not None:
        return attempt.status, words.coming_again(attempt.reason)
    known = _BY_STATUS.get(Status(attempt.status))
    return known or (attempt.status, words.unpaid_end(attempt.reason, attempt.evidence))


def _told_of_order(order: Order, attempt: Payment | None, paid_cents: int) -> tuple[str, Words]:
    if order.status == OrderStatus.PAID:
        is_live = attempt is not None and attempt.is_live
        return "paid", words.PAID_ELSEWHERE if is_live else words.COMPLETED
    if order.status == OrderStatus.CANCELLED:
        return "cancelled", words.closed(words.ORDER_CANCELLED, was_asked=attempt is not None)
    if order.status == OrderStatus.EXPIRED:
        return "expired", words.closed(words.ORDER_EXPIRED, was_asked=attempt is not None)
    return _part_paid(order, None, paid_cents) if paid_cents else ("unpaid", words.UNPAID)


def _overdue(attempt: Payment) -> tuple[str, Words]:
    if attempt.status != Status.PENDING:
        return "unconfirmed", words.UNCONFIRMED_OVERDUE
    gave_up = attempt.next_check_at is None and attempt.checks >= MAX_CHECKS
    return "waiting", words.UNTOLD if gave_up else words.OVERDUE


def _part_paid(order: Order, attempt: Payment | None, paid_cents: int) -> tuple[str, Words]:
    """Tell of the money that has come; what ended without any is told by what to do next."""
    amounts = {"paid": Kes(paid_cents), "rest": Kes(order.total_cents - paid_cents)}
    if attempt is None or attempt.is_completed:
        message = said("{paid} has arrived, and {rest} is still to be paid.", **amounts)
        return "unpaid", Words(words.PART_PAID, message)
    ended = words.unpaid_end(attempt.reason, attempt.evidence)
    message = said(
        "{paid} has arrived, and {rest} is still to be paid. {step}",
        **amounts,
        step=words.next_step(attempt.reason),
    )
    return attempt.status, Words(ended.title, message)


def _operator_warning(attempt: Payment) -> str | None:
    """Warn, and never refuse: a number keeps its prefix when its owner changes operator."""
    operator = operator_hint(attempt.phone)
    if operator == "Safaricom":
        return None
    if operator is None:
        return said(
            "This does not look like a Safaricom number, so M-Pesa may refuse it; another number "
            "may work better."
        )
    return said(
        "This looks like a number of {operator}, so M-Pesa may refuse it; another number may work "
        "better.",
        operator=operator,
    )


def _waiting_details(order: Order, attempt: Payment | None, live: bool) -> dict[str, Any]:
    """Tell what there is to wait for: the usual time, and the prompt that comes once more."""
    is_fresh = attempt is not None and live and attempt.prompt_expires_at > now()
    planned = asking_again.planned_at(attempt, order) if attempt else None
    return {
        "usual": usual_sentence() if is_fresh else None,
        "again_at": iso_seconds(planned) if planned else None,
        "again_seconds": _seconds_until(planned) if planned else None,
    }


def seconds_left(prompt_expires_at: datetime) -> int:
    """Return how many seconds a prompt still stays on its phone."""
    return max(0, round((prompt_expires_at - now()).total_seconds()))


def _seconds_until(moment: datetime) -> int:
    return max(1, round((moment - now()).total_seconds()))


def _is_paid(attempt: Payment | None) -> bool:
    return attempt is not None and attempt.is_completed


def _hand_details(order: Order) -> dict[str, Any]:
    """Tell the receipt of an order that was paid without a prompt."""
    by_hand = paid_by_hand(order.id)
    return {
        "receipt": by_hand[0].receipt if by_hand else None,
        "receipt_url": f"/receipts/{order.uuid}" if by_hand else None,
    }


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
        details["prompt_expires_at"] = iso_seconds(attempt.prompt_expires_at)
        details["seconds_left"] = seconds_left(attempt.prompt_expires_at)
    return details
