"""What must always be true of the books, as questions to the database that name every offender.

``flask check_invariants`` asks them all. None of them writes, and none trusts the code that did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests
from sqlalchemy import Select, and_, exists, func, not_, or_, select
from sqlalchemy.orm import aliased

from app.core.clock import now
from app.core.money import cents_from_shillings, kes
from app.core.outbox import KEPT_MINUTES, Announcement
from app.extensions import db
from app.orders.models import Order, OrderEntry
from app.orders.states import ORDER_EDGES, OrderStatus
from app.payments.inbox import MOST_TRIES
from app.payments.models import Credit, InboxMessage, Payment, TimelineEntry
from app.payments.schedule import LONGEST_PROMPT_SECONDS, QUIET_SECONDS
from app.payments.states import EDGES, LIVE, Standing, Status

#: One round of the sweep.
SWEEP_SECONDS = 60
_WHOLE_PHONE = re.compile(r"(?<!\d)(?:254|\+254|0)[17]\d{8}(?!\d)")
_SETTLED = (Status.COMPLETED, Status.REVIEW)
_CHUNK = 1000
_LEDGER_PAGE = 1000


@dataclass(frozen=True)
class Violation:
    """Something that must never be: which rule, about what, and in which way."""

    rule: str
    subject: str
    problem: str


Check = Callable[[], Iterator[Violation]]


def violations() -> Iterator[Violation]:
    """Yield everything in the books that contradicts a rule."""
    for check in CHECKS:
        yield from check()


def read_ledger(root: str) -> dict[str, int]:
    """Return what a simulator's ledger says was moved, in cents, by CheckoutRequestID.

    Raises requests' errors, ValueError or KeyError when it cannot be read.
    """
    moved: dict[str, int] = {}
    offset = 0
    while True:
        where = {"limit": str(_LEDGER_PAGE), "offset": str(offset)}
        answer = requests.get(f"{root}/simulator/api/ledger", params=where, timeout=30)
        answer.raise_for_status()
        page = answer.json()
        for entry in page["entries"]:
            checkout_request_id = entry["checkout_request_id"]
            cents = cents_from_shillings(entry["amount"])
            moved[checkout_request_id] = moved.get(checkout_request_id, 0) + cents
        offset += len(page["entries"])
        if not page["entries"] or offset >= page["total"]:
            return moved


def against_ledger(moved: Mapping[str, int]) -> Iterator[Violation]:
    """I1 in full: what each prompt moved, by the ledger's word, is what it is credited with."""
    rule = "I1 credit equals what moved"
    seen = set()
    for payment in _each(select(Payment).where(Payment.checkout_request_id.is_not(None))):
        seen.add(payment.checkout_request_id)
        really, booked = moved.get(payment.checkout_request_id, 0), payment.received_cents or 0
        if really != booked:
            told = f"is credited {kes(booked)}, and {kes(really)} were moved"
            yield Violation(rule, payment.public_ref, told)
    for checkout_request_id in moved.keys() - seen:
        cents = moved[checkout_request_id]
        yield Violation(rule, checkout_request_id, f"moved {kes(cents)} that nobody is credited")


def credited_is_what_moved() -> Iterator[Violation]:
    """I1, as far as our own books can tell: a settled payment has one credit that fits it."""
    rule = "I1 credit equals what moved"
    without = select(Payment).where(Payment.status.in_(_SETTLED), not_(_has_credit()))
    for payment in _each(without):
        yield Violation(rule, payment.public_ref, f"is {payment.status} and has no credit")
    with_one = select(Payment).where(Payment.status.not_in(_SETTLED), _has_credit())
    for payment in _each(with_one):
        yield Violation(rule, payment.public_ref, f"is {payment.status} and has a credit")
    wrong = or_(
        Credit.amount_cents > Payment.amount_cents,
        and_(Credit.standing == Standing.EXACT, Credit.amount_cents != Payment.amount_cents),
        Credit.order_id != Payment.order_id,
    )
    joined = select(Payment).join(Credit, Credit.payment_id == Payment.id).where(wrong)
    for payment in _each(joined):
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
    for payment in _each(joined):
        yield Violation(rule, payment.public_ref, "and its credit name different receipts")


def paid_is_paid() -> Iterator[Violation]:
    """I3: an order is paid when its credits reach its total, or a person is asked about it."""
    rule = "I3 paid means paid in full"
    total = func.coalesce(func.sum(Credit.amount_cents), 0)
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
    for payment in _each(select(Payment).where(not_(created))):
        yield Violation(rule, payment.public_ref, "has no first line in its timeline")


def nothing_is_stuck() -> Iterator[Violation]:
    """I5: whatever is not final is being asked about, or stands before a person."""
    rule = "I5 nothing is stuck"
    too_old = now() - timedelta(seconds=LONGEST_PROMPT_SECONDS + QUIET_SECONDS + SWEEP_SECONDS)
    unlisted = Payment.prompt_expires_at >= now() - timedelta(seconds=QUIET_SECONDS)
    stuck = select(Payment).where(Payment.status.in_(LIVE), Payment.created_at < too_old, unlisted)
    for payment in _each(stuck):
        yield Violation(rule, payment.public_ref, f"is {payment.status} and nobody is asked")
    left = select(InboxMessage).where(
        InboxMessage.handled_at.is_(None),
        InboxMessage.received_at < too_old,
        InboxMessage.tries < MOST_TRIES,
    )
    for message in _each(left):
        yield Violation(rule, f"callback {message.id}", "was kept and never acted on")
    late = now() - timedelta(minutes=2 * KEPT_MINUTES)
    for row in _each(select(Announcement).where(Announcement.created_at < late)):
        yield Violation(rule, f"announcement {row.id}", "was never sent")


def paid_stays_paid() -> Iterator[Violation]:
    """I6: a payment that was completed once is completed."""
    rule = "I6 paid stays paid"
    was_completed = exists().where(
        TimelineEntry.payment_id == Payment.id, TimelineEntry.to_status == Status.COMPLETED
    )
    lost = select(Payment).where(was_completed, Payment.status != Status.COMPLETED)
    for payment in _each(lost):
        yield Violation(rule, payment.public_ref, f"was completed and is {payment.status}")


def every_change_is_written_down() -> Iterator[Violation]:
    """I8: the timeline explains the status, step by step, along edges that exist."""
    payment_edges = {(str(a), str(e)): str(b) for (a, e), b in EDGES.items()}
    order_edges = {(str(a), str(e)): str(b) for (a, e), b in ORDER_EDGES.items()}
    yield from _timeline(Payment, TimelineEntry, "payment_id", payment_edges, "payment")
    yield from _timeline(Order, OrderEntry, "order_id", order_edges, "order")


def no_secrets_in_words() -> Iterator[Violation]:
    """I10: what was written for people names no whole phone number."""
    rule = "I10 no secrets in words"
    texts: tuple[tuple[str, Any, Any], ...] = (
        ("timeline line", TimelineEntry.id, TimelineEntry.why),
        ("order line", OrderEntry.id, OrderEntry.why),
        ("callback", InboxMessage.id, InboxMessage.verdict),
    )
    for name, key, text in texts:
        rows = select(key, text).where(text.is_not(None)).execution_options(yield_per=_CHUNK)
        for row_id, words in db.session.execute(rows):
            if _WHOLE_PHONE.search(words):
                yield Violation(rule, f"{name} {row_id}", "holds a whole phone number")


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


def _timeline(
    model: Any, entry: Any, key: str, edges: dict[tuple[str, str], str], name: str
) -> Iterator[Violation]:
    rule = "I8 every change is written down"
    owner = getattr(entry, key)
    line = aliased(entry)
    newest = select(func.max(line.id)).where(getattr(line, key) == model.id).scalar_subquery()
    last = select(model.id, model.status, entry.to_status).outerjoin(entry, entry.id == newest)
    differ = or_(entry.to_status.is_(None), entry.to_status != model.status)
    for row in db.session.execute(last.where(differ)):
        told = f"is {row.status}, and its timeline ends with {row.to_status}"
        yield Violation(rule, f"{name} {row.id}", told)
    before = func.lag(entry.to_status).over(partition_by=owner, order_by=entry.id)
    steps = select(owner.label("of"), entry.event, entry.from_status, entry.to_status, entry.actor)
    steps = steps.add_columns(entry.why, before.label("before")).execution_options(yield_per=_CHUNK)
    for row in db.session.execute(steps):
        problem = _bad_step(row, edges)
        if problem:
            yield Violation(rule, f"{name} {row.of}", problem)


def _bad_step(row: Any, edges: dict[tuple[str, str], str]) -> str | None:
    if not row.actor or not row.why:
        return f"{row.event} does not say who or why"
    if row.from_status != (row.before or ""):
        return f"{row.event} starts from {row.from_status}, after {row.before}"
    if row.before is None or row.from_status == row.to_status:
        return None
    if edges.get((row.from_status, row.event)) != row.to_status:
        return f"no edge {row.event} leads from {row.from_status} to {row.to_status}"
    return None


def _has_credit() -> Any:
    return exists().where(Credit.payment_id == Payment.id)


def _each(query: Select[Any]) -> Iterator[Any]:
    return iter(db.session.scalars(query.execution_options(yield_per=_CHUNK)))
