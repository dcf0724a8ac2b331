"""What a machine should not decide: one queue for a person, each entry with its next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select

from app.core.clock import now
from app.core.money import kes
from app.extensions import db
from app.orders.models import Order
from app.payments.inbox import MOST_TRIES
from app.payments.models import Credit, InboxMessage, Payment
from app.payments.schedule import LONGEST_PROMPT_SECONDS, MAX_CHECKS, QUIET_SECONDS
from app.payments.states import LIVE, Decision, Standing

MOST_OF_A_KIND = 100


@dataclass(frozen=True)
class Step:
    """Something a person can do about a question. ``action`` names the form that does it."""

    action: str
    label: str


@dataclass(frozen=True)
class Question:
    """One thing before a person: what, why, since when, and what can be done about it."""

    kind: str
    title: str
    advice: str
    since: datetime
    subject_id: int
    steps: tuple[Step, ...] = ()
    amount_cents: int | None = None
    payment: Payment | None = None
    order: Order | None = None


_ACCEPT = Step("accept", "Take it and fulfil the order")
_REST = Step("ask_for_rest", "Keep it and ask for the rest")
_ASIDE = Step("set_aside", "Set it aside for a refund")
_ASSIGN = Step("assign", "Assign it to an order")
_SEEN = Step("acknowledge", "Seen and settled")

_MONEY = {
    Standing.SHORT: (
        "Less came than was asked for",
        "Compare with the M-Pesa statement. Keep it and let the shopper pay the rest, or send it "
        "back.",
        (_REST, _ASIDE),
    ),
    Standing.OVER: (
        "The callback names more than was asked for",
        "What was asked for is booked. Look at the M-Pesa statement for the rest; fulfil the "
        "order, or send the money back.",
        (_ACCEPT, _ASIDE),
    ),
    Standing.LATE: (
        "Money came for an order that was closed",
        "The goods went back on the shelf. Fulfil the order after all, or send the money back.",
        (_ACCEPT, _ASIDE),
    ),
    Standing.SECOND: (
        "The order was paid twice",
        "This money is one too many: send it back to the shopper.",
        (_ASIDE,),
    ),
    Standing.UNMATCHED: (
        "Money that names no order of ours",
        "Daraja confirms that it came in. Ask who paid, by code and phone, and assign it.",
        (_ASSIGN,),
    ),
}
_ORDERS = {
    "paid_but_out_of_stock": (
        "Paid, but the goods are gone",
        "Restock and deliver, or agree on something else with the shopper.",
        (Step("delivered", "Settled with the shopper"),),
    ),
    "part_paid": (
        "An order was paid in part, and its time is over",
        "Give the shopper more time to pay the rest, or send the money back.",
        (Step("more_time", "Give more time to pay the rest"),),
    ),
}
_FLAGS = {
    "amount_differs": (
        "A callback names another amount",
        "The payment is booked as asked for. Compare with the M-Pesa statement.",
    ),
    "receipt_reused": (
        "A callback names another payment's receipt",
        "Somebody may have replayed an old message. Compare with the M-Pesa statement.",
    ),
}


def open_questions(limit: int = MOST_OF_A_KIND) -> list[Question]:
    """Return everything that waits for a person, oldest first, at most ``limit`` of each kind."""
    kinds = (_money(limit), _flagged(limit), _silent(limit), _orders(limit), _callbacks(limit))
    found = [question for kind in kinds for question in kind]
    return sorted(found, key=lambda question: question.since)


def set_aside(limit: int = MOST_OF_A_KIND) -> Sequence[Credit]:
    """Return the money that is to be sent back."""
    query = select(Credit).where(Credit.decision == Decision.SET_ASIDE).order_by(Credit.id)
    return db.session.scalars(query.limit(limit)).all()


def _money(limit: int) -> Iterator[Question]:
    waiting = (
        select(Credit)
        .where(Credit.standing != Standing.EXACT, Credit.decided_at.is_(None))
        .order_by(Credit.id)
        .limit(limit)
    )
    for credit in db.session.scalars(waiting):
        title, advice, steps = _MONEY[Standing(credit.standing)]
        yield Question(
            f"{credit.standing}_money",
            title,
            advice,
            credit.created_at,
            credit.id,
            steps,
            credit.amount_cents,
            credit.payment,
            credit.order,
        )


def _flagged(limit: int) -> Iterator[Question]:
    """Find payments with news that does not fit, whose money is no question of its own."""
    waiting = (
        select(Payment)
        .where(Payment.review_reason.in_(_FLAGS), Payment.reviewed_at.is_(None))
        .order_by(Payment.id)
        .limit(limit)
    )
    for payment in db.session.scalars(waiting):
        title, advice = _FLAGS[payment.review_reason or ""]
        steps = () if payment.is_live else (_SEEN,)
        yield _about_payment(payment, payment.review_reason or "", title, advice, steps)


def _silent(limit: int) -> Iterator[Question]:
    """Find prompts whose end nobody knows, being asked about or beyond being asked about."""
    quiet_since = now() - timedelta(seconds=QUIET_SECONDS)
    # A prompt that ends later than any prompt can was written before the clock was set back.
    never = now() + timedelta(seconds=LONGEST_PROMPT_SECONDS)
    overdue = or_(Payment.prompt_expires_at < quiet_since, Payment.prompt_expires_at > never)
    still_open = Payment.status.in_(LIVE) & overdue
    gave_up = (Payment.review_reason == "no_answer") & Payment.reviewed_at.is_(None)
    waiting = select(Payment).where(or_(still_open, gave_up)).order_by(Payment.id).limit(limit)
    for payment in db.session.scalars(waiting):
        if payment.is_live:
            yield _without_end(payment)
        else:
            yield _about_payment(
                payment,
                "no_answer",
                "Nobody knows whether this prompt was sent",
                "Daraja never answered and gave no id to ask by. Look in the statement for "
                f"{kes(payment.amount_cents)} from this phone.",
                (_SEEN,),
            )


def _without_end(payment: Payment) -> Question:
    gave_up = payment.checks >= MAX_CHECKS
    title = "Daraja has not said how this prompt ended"
    advice = (
        "It was asked for days and is asked no more. Look in the statement; the order's page can "
        "ask once again."
        if gave_up
        else "It is still being asked. Money that the statement shows is credited once it says so."
    )
    return _about_payment(payment, "no_end", title, advice)


def _orders(limit: int) -> Iterator[Question]:
    waiting = select(Order).where(Order.review_reason.in_(_ORDERS)).order_by(Order.id).limit(limit)
    for order in db.session.scalars(waiting):
        reason = order.review_reason or ""
        title, advice, steps = _ORDERS[reason]
        since = order.paid_at or order.held_until
        yield Question(
            reason, title, advice, since, order.id, steps, order.total_cents, None, order
        )


def _callbacks(limit: int) -> Iterator[Question]:
    waiting = (
        select(InboxMessage)
        .where(InboxMessage.handled_at.is_(None), InboxMessage.tries >= MOST_TRIES)
        .order_by(InboxMessage.id)
        .limit(limit)
    )
    for message in db.session.scalars(waiting):
        yield Question(
            "callback_failed",
            "A callback could not be acted on",
            f"See the log for callback {message.id}; then run: flask callbacks replay {message.id}",
            message.received_at,
            message.id,
        )


def _about_payment(
    payment: Payment, kind: str, title: str, advice: str, steps: tuple[Step, ...] = ()
) -> Question:
    return Question(
        kind,
        title,
        advice,
        payment.created_at,
        payment.id,
        steps,
        payment.amount_cents,
        payment,
        payment.order,
    )
