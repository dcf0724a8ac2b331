"""What must always be true of money that came in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, exists, func, not_, or_, select

from app.core.clock import now
from app.core.money import kes
from app.core.outbox import KEPT_MINUTES, Announcement
from app.extensions import db
from app.invariants.rules import (
    SWEEP_SECONDS,
    Check,
    Violation,
    each,
    no_phones_in,
    timeline_explains,
)
from app.orders.models import Order, OrderEntry
from app.orders.states import ORDER_EDGES, OrderStatus
from app.payments.claims.models import Claim
from app.payments.inbox import MOST_TRIES
from app.payments.models import Credit, InboxMessage, Payment, TimelineEntry
from app.payments.queries import kept_cents
from app.payments.schedule import LONGEST_PROMPT_SECONDS, QUIET_SECONDS
from app.payments.states import EDGES, LIVE, Standing, Status

_SETTLED = (Status.COMPLETED, Status.REVIEW)


def credited_is_what_moved() -> Iterator[Violation]:
    """I1, as far as our own books can tell: a settled payment has one credit that fits it."""
    rule = "I1 credit equals what moved"
    without = select(Payment).where(Payment.status.in_(_SETTLED), not_(_has_credit()))
    for payment in each(without):
        yield Violation(rule, payment.public_ref, f"is {payment.status} and has no credit")
    with_one = select(Payment).where(Payment.status.not_in(_SETTLED), _has_credit())
    for payment in each(with_one):
        yield Violation(rule, payment.public_ref, f"is {payment.status} and has a credit")
    wrong = or_(
        Credit.amount_cents > Payment.amount_cents,
        and_(Credit.standing == Standing.EXACT, Credit.amount_cents != Payment.amount_cents),
        Credit.order_id != Payment.order_id,
    )
    joined = select(Payment).join(Credit, Credit.payment_id == Payment.id).where(wrong)
    for payment in each(joined):
        credited = kes(payment.received_cents or 0)
        yield Violation(rule, payment.public_ref, f"is credited {credited} that do not fit it")


def no_receipt_twice() -> Iterator[Violation]:
    """I2: a receipt is credited once, and a payment and its credit agree on it."""
    rule = "I2 no receipt twice"
    twice = (
        select(Credit.receipt)
        .where(Credit.receipt.is_not(None))
        .group_by(Credit.receipt)
        .having(func.count() > 1)
    )
    for receipt in db.session.scalars(twice):
        yield Violation(rule, str(receipt), "is credited more than once")
    differ = func.coalesce(Payment.mpesa_receipt, "") != func.coalesce(Credit.receipt, "")
    joined = select(Payment).join(Credit, Credit.payment_id == Payment.id).where(differ)
    for payment in each(joined):
        yield Violation(rule, payment.public_ref, "and its credit name different receipts")


def paid_is_paid() -> Iterator[Violation]:
    """I3: an order is paid when its credits reach its total, or a person is asked about it."""
    rule = "I3 paid means paid in full"
    total = kept_cents()
    sums = (
        select(Order.id, Order.status, Order.total_cents, total.label("paid"))
        .outerjoin(Credit, Credit.order_id == Order.id)
        .group_by(Order.id, Order.status, Order.total_cents)
    )
    short = and_(Order.status == OrderStatus.PAID, total < Order.total_cents)
    unnoticed = and_(
        Order.status.not_in((OrderStatus.PAID, OrderStatus.REVIEW)),
        total >= Order.total_cents,
        Order.total_cents > 0,
    )
    for row in db.session.execute(sums.having(or_(short, unnoticed))):
        told = f"is {row.status} with {kes(row.paid)} of {kes(row.total_cents)}"
        yield Violation(rule, f"order {row.id}", told)


def intent_came_first() -> Iterator[Violation]:
    """I4: the attempt was written before anything was sent."""
    rule = "I4 the attempt comes first"
    created = exists().where(
        TimelineEntry.payment_id == Payment.id, TimelineEntry.event == "created"
    )
    for payment in each(select(Payment).where(not_(created))):
        yield Violation(rule, payment.public_ref, "has no first line in its timeline")


def nothing_is_stuck() -> Iterator[Violation]:
    """I5: whatever is not final is being asked about, or stands before a person."""
    rule = "I5 nothing is stuck"
    too_old = now() - timedelta(seconds=LONGEST_PROMPT_SECONDS + QUIET_SECONDS + SWEEP_SECONDS)
    unlisted = Payment.prompt_expires_at >= now() - timedelta(seconds=QUIET_SECONDS)
    stuck = select(Payment).where(Payment.status.in_(LIVE), Payment.created_at < too_old, unlisted)
    for payment in each(stuck):
        yield Violation(rule, payment.public_ref, f"is {payment.status} and nobody is asked")
    left = select(InboxMessage).where(
        InboxMessage.handled_at.is_(None),
        InboxMessage.received_at < too_old,
        InboxMessage.tries < MOST_TRIES,
    )
    for message in each(left):
        yield Violation(rule, f"callback {message.id}", "was kept and never acted on")
    late = now() - timedelta(minutes=2 * KEPT_MINUTES)
    for row in each(select(Announcement).where(Announcement.created_at < late)):
        yield Violation(rule, f"announcement {row.id}", "was never sent")


def paid_stays_paid() -> Iterator[Violation]:
    """I6: a payment that was completed once is completed."""
    rule = "I6 paid stays paid"
    was_completed = exists().where(
        TimelineEntry.payment_id == Payment.id, TimelineEntry.to_status == Status.COMPLETED
    )
    lost = select(Payment).where(was_completed, Payment.status != Status.COMPLETED)
    for payment in each(lost):
        yield Violation(rule, payment.public_ref, f"was completed and is {payment.status}")


def every_change_is_written_down() -> Iterator[Violation]:
    """I8: the timeline explains the status, step by step, along edges that exist."""
    payment_edges = {(str(a), str(e)): str(b) for (a, e), b in EDGES.items()}
    order_edges = {(str(a), str(e)): str(b) for (a, e), b in ORDER_EDGES.items()}
    yield from timeline_explains(Payment, TimelineEntry, "payment_id", payment_edges, "payment")
    yield from timeline_explains(Order, OrderEntry, "order_id", order_edges, "order")


def no_secrets_in_words() -> Iterator[Violation]:
    """I10: what was written for people names no whole phone number."""
    yield from no_phones_in(
        (
            ("timeline line", TimelineEntry.id, TimelineEntry.why),
            ("order line", OrderEntry.id, OrderEntry.why),
            ("callback", InboxMessage.id, InboxMessage.verdict),
            ("claim", Claim.id, Claim.text),
        )
    )


CHECKS: tuple[Check, ...] = (
    credited_is_what_moved,
    no_receipt_twice,
    paid_is_paid,
    intent_came_first,
    nothing_is_stuck,
    paid_stays_paid,
    every_change_is_written_down,
    no_secrets_in_words,
)


def _has_credit() -> Any:
    return exists().where(Credit.payment_id == Payment.id)
